"""What becomes of photos that the file server does not take at once, and of files that are no photos."""

from datetime import timedelta

import pytest
from tests.networks.palletways.served_files import ServedFiles
from tests.networks.palletways.uploading import PROTOCOLS, Dock, photo

from palletflow.networks.palletways.work import PHOTO_UPLOAD
from palletflow.store import work_items

# U14: minutes after each failure, then hourly until a day has passed since the first.
SCHEDULE = [1, 5, 15, 60, *[60] * 22]


@pytest.fixture(scope="module")
def served():
    one = ServedFiles()
    yield one
    one.stop()


@pytest.fixture
def files(served):
    served.reset()
    return served


@pytest.fixture
def dock(conn, dsn, plan, files, tmp_path):
    return Dock(conn, dsn, plan, files.servers.ports, tmp_path / "documents")


@pytest.fixture(params=PROTOCOLS)
def any_dock(request, dock):
    dock.protocol = request.param
    return dock


def due_in(dock, one):
    """How long after now the only upload is tried again."""
    [upload] = [upload for upload in dock.uploads(one) if upload.next_try_at]
    return upload.next_try_at - dock.now


# Failures that pass


@pytest.mark.rule("PW-6-33", "PW-6-14", "PW-6-18")
@pytest.mark.parametrize("code", [421, 425, 426, 450, 451, 452, 552])
def test_what_may_pass_is_tried_again_under_the_same_number(files, dock, code):
    dock.protocol = "ftp"
    files.switches.set({"ftp_reply": {"STOR": {"value": code, "times": 1}}})
    one = dock.consignment()
    dock.add(one, photo(1))
    assert dock.work() == {"again": 1}
    [upload] = dock.uploads(one)
    assert (upload.state, upload.number, upload.tries) == ("transferring", 1, 1)
    assert str(code) in upload.reason
    assert due_in(dock, one) == timedelta(minutes=1)
    assert files.stored() == {}

    dock.later(minutes=1)
    assert files.stored() == {f"{dock.tracking_id(one)}_1.jpg": photo(1)}
    [upload] = dock.uploads(one)
    assert (upload.state, upload.number, upload.tries, upload.reason) == ("uploaded", 1, 0, None)
    assert dock.waiting() == []


@pytest.mark.rule("PW-6-33")
def test_an_outage_is_waited_out_for_a_day_and_then_given_to_a_person(files, dock):
    files.switches.set({"disk_full_at": {"sftp": 10}})
    one = dock.consignment()
    dock.add(one, photo(1), name="north side.jpg")
    dock.work()
    begun, waits = dock.now, []
    while dock.waiting():
        waits.append(due_in(dock, one) / timedelta(minutes=1))
        dock.later(minutes=waits[-1] - 0.1)
        assert dock.uploads(one)[0].tries == len(waits), "not before it is due"
        dock.later(minutes=0.1)
    assert waits == SCHEDULE
    assert timedelta(hours=23) < dock.now - begun <= timedelta(hours=24)
    [upload] = dock.uploads(one)
    assert (upload.state, upload.number, upload.next_try_at) == ("failed", 1, None)
    [parked] = dock.parked()
    assert "north side.jpg" in parked
    assert [kind for kind, *_ in dock.history(one)] == ["photo upload failed"]
    assert files.stored() == {}

    # Nobody asks: nothing happens. Somebody does, and it has its number still.
    dock.later(hours=5)
    assert dock.states(one) == ["failed"]
    files.switches.reset()
    assert work_items.requeue(dock.conn, kind=PHOTO_UPLOAD) == 1
    dock.work()
    assert files.stored() == {f"{dock.tracking_id(one)}_1.jpg": photo(1)}
    assert dock.states(one) == ["uploaded"]
    assert dock.waiting() == dock.parked() == []


@pytest.mark.rule("PW-6-33")
def test_an_operator_s_retry_begins_a_new_day_of_tries(files, dock):
    files.switches.set({"disk_full_at": {"sftp": 10}})
    one = dock.consignment()
    dock.add(one)
    dock.work()
    dock.later(days=2)
    assert dock.states(one) == ["failed"]
    work_items.requeue(dock.conn, kind=PHOTO_UPLOAD)
    dock.work()
    [upload] = dock.uploads(one)
    assert (upload.number, upload.tries, upload.failing_since) == (1, 1, dock.now)
    assert due_in(dock, one) == timedelta(minutes=1)


@pytest.mark.rule("PW-6-33", "PW-6-28")
def test_a_break_in_the_middle_is_followed_by_the_whole_file(files, any_dock):
    files.switches.set({"ftp_drop_at": {any_dock.protocol: {"value": 1000, "times": 1}}})
    one = any_dock.consignment()
    any_dock.add(one, photo(1))
    any_dock.work()
    name = f"{any_dock.tracking_id(one)}_1.jpg"
    assert name not in files.stored()
    assert any_dock.states(one) == ["transferring"]
    any_dock.later(minutes=1)
    assert files.stored() == {name: photo(1)}
    assert [file.data for file in files.published] == [photo(1)]


@pytest.mark.rule("PW-6-26")
def test_a_renaming_whose_answer_was_lost_is_found_done(files, any_dock):
    files.switches.set({"rename": "lost_reply"})
    one = any_dock.consignment()
    any_dock.add(one, photo(1))
    any_dock.work()
    assert any_dock.states(one) == ["renaming"]
    any_dock.later(minutes=1)
    assert files.stored() == {f"{any_dock.tracking_id(one)}_1.jpg": photo(1)}
    assert len(files.published) == 1
    assert any_dock.states(one) == ["uploaded"]


@pytest.mark.rule("PW-6-26", "PW-6-32")
def test_a_file_that_was_taken_away_after_a_lost_answer_is_sent_again_under_its_name(files, dock):
    files.switches.set({"rename": "lost_reply", "consume_after_s": 0})
    one = dock.consignment()
    dock.add(one, photo(1))
    dock.work()
    files.switches.set({"rename": "ok"})
    dock.later(minutes=1)
    assert {file.name for file in files.published} == {f"{dock.tracking_id(one)}_1.jpg"}
    assert dock.states(one) == ["uploaded"]


@pytest.mark.rule("PW-6-31")
def test_a_refused_renaming_leaves_nothing_and_is_tried_again(files, any_dock):
    files.switches.set({"rename": "refused"})
    one = any_dock.consignment()
    any_dock.add(one, photo(1))
    any_dock.work()
    assert (files.stored(), any_dock.uploads(one)[0].tries) == ({}, 1)
    files.switches.set({"rename": "ok"})
    any_dock.later(minutes=1)
    assert files.stored() == {f"{any_dock.tracking_id(one)}_1.jpg": photo(1)}


@pytest.mark.rule("PW-6-29")
def test_a_short_file_never_gets_its_name(files, any_dock):
    files.switches.set({"truncate_stored": 3})
    one = any_dock.consignment()
    any_dock.add(one, photo(1))
    any_dock.work()
    assert (files.stored(), files.published) == ({}, [])
    files.switches.set({"truncate_stored": None})
    any_dock.later(minutes=1)
    assert files.stored() == {f"{any_dock.tracking_id(one)}_1.jpg": photo(1)}


@pytest.mark.rule("PW-6-33")
def test_a_server_that_is_not_there_is_tried_again(files, dock):
    port, dock.ports["sftp"] = dock.ports["sftp"], 1
    one = dock.consignment()
    dock.add(one, photo(1))
    dock.add(one, photo(2))
    dock.work()
    assert dock.states(one) == ["numbered", "waiting"]
    assert [upload.tries for upload in dock.uploads(one)] == [1, 1]
    dock.ports["sftp"] = port
    dock.later(minutes=1)
    assert dock.states(one) == ["uploaded"] * 2


# One that fails holds up no other


@pytest.mark.rule("PW-6-34")
def test_a_failing_photo_holds_up_neither_later_ones_nor_other_consignments(files, dock):
    one, other = dock.consignment(), dock.consignment()
    # Only the second photo is larger than the server takes.
    files.switches.set({"size_cap": 10_000})
    large = photo(2, side=900)
    given = [photo(1), large, photo(3)]
    assert [len(data) > 10_000 for data in given] == [False, True, False]
    for data in given:
        dock.add(one, data)
    dock.add(other, photo(4))
    dock.work()
    assert dock.states(one) == ["uploaded", "transferring", "uploaded"]
    assert dock.states(other) == ["uploaded"]
    assert list(files.stored().values()) == [photo(1), photo(3), photo(4)]


@pytest.mark.rule("PW-6-34")
def test_what_the_server_will_never_take_waits_for_a_person(files, dock):
    dock.protocol = "ftp"
    files.switches.set({"ftp_reply": {"STOR": {"value": 553, "times": 1}}})
    one = dock.consignment()
    dock.add(one, photo(1))
    dock.add(one, photo(2))
    assert dock.work() == {"parked": 1}
    assert dock.states(one) == ["failed", "uploaded"]
    work_items.requeue(dock.conn, kind=PHOTO_UPLOAD)
    dock.work()
    number = dock.tracking_id(one)
    assert files.stored() == {f"{number}_2.jpg": photo(2), f"{number}_1.jpg": photo(1)}


def test_a_photo_whose_bytes_are_lost_waits_for_a_person(files, dock, tmp_path):
    one = dock.consignment()
    dock.add(one, photo(1))
    dock.add(one, photo(2))
    for path in (tmp_path / "documents").rglob("*"):
        if path.is_file() and path.read_bytes() == photo(1):
            path.unlink()
    assert dock.work() == {"parked": 1}
    assert dock.states(one) == ["failed", "uploaded"]


# Names that are taken


@pytest.mark.rule("PW-6-27", "PW-6-10")
def test_a_taken_name_is_used_up_and_never_overwritten(files, any_dock):
    one = any_dock.consignment()
    number = any_dock.tracking_id(one)
    files.switches.set({"name_taken": [f"{number}_1.jpg", f"{number}_2.jpg"]})
    any_dock.add(one, photo(1))
    any_dock.work()
    assert files.stored() == {f"{number}_3.jpg": photo(1)}
    assert files.replaced == []
    assert any_dock.rows("SELECT number, name FROM upload_collisions ORDER BY number") == [
        (1, f"{number}_1.jpg"),
        (2, f"{number}_2.jpg"),
    ]
    assert any_dock.names(one) == [f"{number}_3.jpg"]


@pytest.mark.rule("PW-6-27")
def test_after_five_more_taken_names_a_person_is_asked(files, dock):
    one = dock.consignment()
    number = dock.tracking_id(one)
    files.switches.set({"name_taken": [f"{number}_{n}.jpg" for n in range(1, 7)]})
    dock.add(one, photo(1))
    assert dock.work() == {"parked": 1}
    assert (dock.states(one), files.stored()) == (["failed"], {})
    assert len(dock.rows("SELECT FROM upload_collisions")) == 6
    work_items.requeue(dock.conn, kind=PHOTO_UPLOAD)
    dock.work()
    assert files.stored() == {f"{number}_7.jpg": photo(1)}


# Files that are refused


@pytest.mark.rule("PW-6-7")
@pytest.mark.parametrize(
    ("data", "code", "said"),
    [
        (photo(1, "GIF"), "UNSUPPORTED_FORMAT", "GIF"),
        (photo(1, "BMP"), "UNSUPPORTED_FORMAT", "BMP"),
        (photo(1, "WEBP"), "UNSUPPORTED_FORMAT", "WebP"),
        (b"\0\0\0\x18ftypheic" + bytes(100), "UNSUPPORTED_FORMAT", "HEIC"),
        (b"PK\x03\x04" + bytes(100), "UNSUPPORTED_FORMAT", "ZIP"),
        (b"no photo at all", "UNSUPPORTED_FORMAT", "no known type"),
        (photo(1)[:2000], "UNREADABLE_FILE", "JPG"),
        (photo(1, "PNG")[:2000], "UNREADABLE_FILE", "PNG"),
        (b"%PDF-1.4 and no more", "UNREADABLE_FILE", "PDF"),
        (photo(1) + bytes(10 * 1024 * 1024), "TOO_LARGE", "MiB"),
    ],
)
def test_what_is_no_photo_is_refused_before_anything_is_begun(files, dock, data, code, said):
    one = dock.consignment()
    dock.add(one, data, name="goods.jpg")
    dock.add(one, photo(2))
    dock.work()
    [refused, uploaded] = dock.uploads(one)
    assert (refused.state, refused.code, refused.number) == ("refused", code, None)
    assert said in refused.reason
    if code == "UNSUPPORTED_FORMAT":
        assert "PDF, JPEG, PNG and TIFF" in refused.reason
    assert uploaded.number == 1, "no number was taken"
    assert dock.history(one)[0][::2] == ("photo refused", [f"{code}: {refused.reason}"])
    assert files.stored() == {f"{dock.tracking_id(one)}_1.jpg": photo(2)}
    # And no retry.
    dock.ask(one)
    dock.work()
    assert dock.states(one) == ["refused", "uploaded"]
    assert len(dock.history(one)) == 2


@pytest.mark.rule("PW-6-7")
def test_what_is_refused_takes_no_connection(files, dock):
    one = dock.consignment()
    dock.add(one, photo(1, "GIF"))
    assert dock.work() == {"done": 1}
    assert files.told("login") == []


@pytest.mark.rule("PW-6-7")
def test_an_encrypted_pdf_is_refused(files, dock):
    import io

    import pikepdf

    out = io.BytesIO()
    with pikepdf.open(io.BytesIO(photo(1, "PDF"))) as pdf:
        pdf.save(out, encryption=pikepdf.Encryption(user="secret", owner="secret"))
    one = dock.consignment()
    dock.add(one, out.getvalue())
    dock.work()
    [upload] = dock.uploads(one)
    assert (upload.state, upload.code) == ("refused", "ENCRYPTED_PDF")
    assert files.stored() == {}


@pytest.mark.rule("PW-6-7")
def test_a_larger_limit_lets_a_larger_photo_through(files, dock):
    dock.extra = {"upload_max_mib": 0.01}
    one, other = dock.consignment(), dock.consignment()
    large = photo(1, side=900)
    dock.add(one, large)
    dock.work()
    assert dock.uploads(one)[0].code == "TOO_LARGE"
    dock.extra = {}
    dock.add(other, large)
    dock.work()
    assert list(files.stored().values()) == [large]
