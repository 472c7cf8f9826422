"""Photos of our deliveries reach Palletways' file servers: which ones, when, under which names, and what else becomes
of them."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from tests.networks.palletways.served_files import ServedFiles
from tests.networks.palletways.uploading import PROTOCOLS, Dock, photo
from tests.networks.palletways.ways import access

from palletflow.networks.palletways.look_up import LookUp
from palletflow.networks.palletways.photos import ORIGIN
from palletflow.networks.palletways.work import LOOK_UP, PHOTO_UPLOAD
from palletflow.store import connection_flags, photo_prints, photo_uploads, work_items
from palletflow.store.connection import connect


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


# What is uploaded, and under which name


@pytest.mark.rule("PW-6-1", "PW-6-8", "PW-6-9", "PW-6-6", "PW-6-12", "PW-6-32")
def test_photos_go_up_by_themselves_byte_for_byte_and_are_counted(files, any_dock):
    one = any_dock.consignment()
    given = [photo(1), photo(2, "PNG"), photo(3, "TIFF"), photo(4, "PDF")]
    for data in given:
        any_dock.add(one, data)
    assert any_dock.work() == {"done": 1}
    number = any_dock.tracking_id(one)
    names = [f"{number}_1.jpg", f"{number}_2.png", f"{number}_3.tif", f"{number}_4.pdf"]
    assert files.stored() == dict(zip(names, given, strict=True))
    assert any_dock.states(one) == ["uploaded"] * 4
    assert any_dock.names(one) == names
    assert [one.uploaded_at for one in any_dock.uploads(one)] == [any_dock.now] * 4
    assert any_dock.history(one) == [
        ("photo uploaded", {"file": [None, name], "bytes": [None, len(data)]}, [])
        for name, data in zip(names, given, strict=True)
    ]
    assert any_dock.waiting() == any_dock.parked() == []


@pytest.mark.rule("PW-6-8", "PW-6-10")
def test_photos_added_later_are_counted_on_and_none_goes_twice(files, dock):
    one, other = dock.consignment(), dock.consignment()
    dock.add(one)
    dock.work()
    dock.add(one)
    dock.add(other)
    dock.work()
    dock.ask(one)
    dock.work()
    assert sorted(files.stored()) == sorted(
        [f"{dock.tracking_id(one)}_1.jpg", f"{dock.tracking_id(one)}_2.jpg", f"{dock.tracking_id(other)}_1.jpg"]
    )
    assert len(files.published) == 3


@pytest.mark.rule("PW-6-5")
def test_only_photos_of_the_delivery_go_this_way(files, dock):
    one = dock.consignment()
    for kind in ("POD", "SIGNATURE", "PAPERWORK", "OTHER", "LABEL", "NETWORK_LABEL"):
        dock.add(one, kind=kind)
    dock.work()
    assert (files.stored(), dock.uploads(one), dock.reached) == ({}, [], 0)


@pytest.mark.rule("PW-6-4")
def test_what_came_from_palletways_does_not_go_back(files, dock):
    one = dock.consignment()
    dock.add(one, photo(1), source=ORIGIN)
    dock.work()
    # Somebody saved it, and added it again.
    dock.add(one, photo(1), to_order=True)
    dock.work()
    assert (files.stored(), dock.uploads(one)) == ({}, [])


@pytest.mark.rule("PW-6-11", "PW-6-19")
def test_what_is_deleted_here_stays_there_and_its_number_is_not_used_again(files, dock):
    one = dock.consignment()
    dock.add(one, photo(1))
    added = dock.add(one, photo(2))
    dock.work()
    dock.conn.execute("DELETE FROM documents WHERE id = %s", (added,))
    dock.add(one, photo(3))
    dock.work()
    number = dock.tracking_id(one)
    assert files.stored() == {f"{number}_{n}.jpg": photo(n) for n in (1, 2, 3)}


@pytest.mark.rule("PW-6-9")
@pytest.mark.parametrize(
    ("extra", "name"),
    [
        ({"name_template": "POD-{tracking_id}-{n}.{ext}", "name_pad": 3}, "POD-{0}-001.jpg"),
        ({"name_start": 100, "name_ext_case": "upper"}, "{0}_100.JPG"),
        ({"name_template": "{n}_{tracking_id}"}, "1_{0}"),
    ],
)
def test_names_may_be_made_otherwise(files, dock, extra, name):
    files.switches.set({"strict_names": "off"})
    dock.extra = extra
    one = dock.consignment()
    dock.add(one)
    dock.work()
    assert list(files.stored()) == [name.format(dock.tracking_id(one))]


@pytest.mark.rule("PW-6-9", "PW-6-10")
def test_a_later_start_leaves_numbers_out_and_repeats_none(files, dock):
    one = dock.consignment()
    for start in (0, 5, 1):
        dock.extra = {"name_start": start}
        dock.add(one)
        dock.work()
    assert [name.rpartition("_")[2] for name in files.stored()] == ["0.jpg", "5.jpg", "6.jpg"]


@pytest.mark.rule("PW-6-6")
@pytest.mark.parametrize("kind", ["PNG", "TIFF", "PDF"])
def test_a_picture_may_go_up_as_jpeg(files, dock, kind):
    dock.extra = {"upload_as": "jpeg"}
    one = dock.consignment()
    dock.add(one, photo(1, kind))
    dock.add(one, photo(2))
    dock.work()
    number = dock.tracking_id(one)
    assert sorted(files.stored()) == [f"{number}_1.jpg", f"{number}_2.jpg"]
    assert files.stored()[f"{number}_1.jpg"].startswith(b"\xff\xd8\xff")
    assert files.stored()[f"{number}_2.jpg"] == photo(2)


@pytest.mark.rule("PW-6-31")
def test_photos_go_directly_to_a_server_without_renaming(files, any_dock):
    files.switches.set({"rename": "refused"})
    any_dock.extra = {"rename_mode": "direct"}
    one = any_dock.consignment()
    any_dock.add(one, photo(1))
    any_dock.work()
    assert files.stored() == {f"{any_dock.tracking_id(one)}_1.jpg": photo(1)}


@pytest.mark.rule("PW-6-28")
def test_temporary_names_may_end_otherwise(files, dock):
    files.switches.set({"strict_names": "off"})
    dock.extra = {"temp_suffix": ".uploading"}
    one = dock.consignment()
    dock.add(one)
    dock.work()
    opened = [entry["argument"] for entry in files.servers.sessions.entries() if entry["command"] == "open"]
    assert opened == [f"/{dock.tracking_id(one)}_1.jpg.uploading"]


# Whose photos, and since when


@pytest.mark.rule("PW-6-2")
@pytest.mark.parametrize(
    ("role", "own_depots", "uploaded"),
    [("delivery", None, 1), ("requesting", None, 0), ("requesting", ["123", "456"], 1), ("delivery", ["457"], 0)],
)
def test_only_photos_of_deliveries_we_make_go_up(files, dock, role, own_depots, uploaded):
    dock.api = {"own_depots": own_depots} if own_depots else {}
    one = dock.consignment(role)
    dock.add(one)
    dock.work()
    assert (len(files.stored()), len(dock.uploads(one))) == (uploaded, uploaded)
    assert dock.waiting() == []


@pytest.mark.rule("PW-6-2", "PW-6-12")
def test_each_depot_has_its_own_connection(files, dock):
    one, other = dock.consignment("delivery"), dock.consignment("delivery at 124")
    dock.add(one)
    dock.add(other)
    dock.work()
    assert {file.name: file.user for file in files.received.all()} == {
        f"{dock.tracking_id(one)}_1.jpg": "pw123",
        f"{dock.tracking_id(other)}_1.jpg": "pw124",
    }


@pytest.mark.rule("PW-6-16")
def test_a_photo_waits_while_it_is_not_known_who_delivers(files, dock):
    one = dock.consignment("unknown")
    dock.add(one)
    for _ in range(3):
        dock.later(minutes=5)
    assert (LOOK_UP, str(one)) in dock.waiting()
    [asked] = work_items.listed(dock.conn, parked=False, kind=LOOK_UP)
    assert asked.attempts == 0
    assert dock.rows("SELECT generation FROM work_items WHERE kind = %s", LOOK_UP) == [(0,)], "it is asked for once"
    [upload] = dock.uploads(one)
    assert (upload.state, "deliver" in upload.reason) == ("waiting", True)
    assert files.stored() == {}

    dock.conn.execute("UPDATE consignments SET delivery_depot = '123' WHERE id = %s", (one,))
    dock.work()
    assert dock.states(one) == ["uploaded"]
    assert list(files.stored()) == [f"{dock.tracking_id(one)}_1.jpg"]


@pytest.mark.rule("PW-6-16", "PW-6-2")
def test_a_photo_that_turns_out_to_be_of_another_s_delivery_is_forgotten(files, dock):
    one = dock.consignment("unknown")
    dock.add(one)
    dock.work()
    dock.conn.execute("UPDATE consignments SET delivery_depot = '456' WHERE id = %s", (one,))
    dock.work()
    assert (dock.uploads(one), files.stored()) == ([], {})
    assert (PHOTO_UPLOAD, str(one)) not in dock.waiting()


@pytest.mark.rule("PW-6-8")
def test_a_photo_waits_for_the_tracking_id(files, dock):
    one = dock.consignment(tracking_id="")
    dock.add(one)
    dock.work()
    assert dock.states(one) == ["waiting"]
    dock.conn.execute("UPDATE consignments SET tracking_number = '60000000017' WHERE id = %s", (one,))
    dock.work()
    assert list(files.stored()) == ["60000000017_1.jpg"]


@pytest.mark.rule("PW-6-3")
def test_nothing_that_was_added_before_uploads_were_on_is_ever_uploaded(files, dock):
    moment = dock.now - timedelta(days=3)
    dock.extra = {"upload_enabled_at": moment.isoformat()}
    one = dock.consignment()
    dock.add(one, photo(1), added_at=moment - timedelta(seconds=1))
    dock.add(one, photo(2), added_at=moment)
    dock.work()
    # Switched off and on again: what was added in between stays here too.
    dock.extra = {"upload_enabled_at": ""}
    dock.add(one, photo(3), added_at=moment + timedelta(days=1))
    dock.work()
    dock.extra = {"upload_enabled_at": (moment + timedelta(days=2)).isoformat()}
    dock.add(one, photo(4), added_at=moment + timedelta(days=2, hours=1))
    dock.work()
    number = dock.tracking_id(one)
    assert files.stored() == {f"{number}_1.jpg": photo(2), f"{number}_2.jpg": photo(4)}
    assert len(dock.uploads(one)) == 2
    assert dock.waiting() == []


@pytest.mark.rule("PW-6-17")
@pytest.mark.parametrize("value", ["", "yesterday", "2026-07-01", "2026-07-01T00:00:00"])
def test_without_a_moment_that_can_be_read_uploads_are_off(files, dock, value):
    dock.extra = {"upload_enabled_at": value}
    one = dock.consignment()
    dock.add(one)
    assert dock.work() == {"done": 1}
    assert (files.stored(), dock.uploads(one), files.told("login")) == ({}, [], [])


@pytest.mark.rule("PW-6-1")
def test_without_the_capability_nothing_is_done(files, dock):
    dock.api = {"capabilities": ["photos_in"]}
    one = dock.consignment()
    dock.add(one)
    assert dock.work() == {"done": 1}
    assert (files.stored(), dock.uploads(one), dock.reached) == ({}, [], 0)


def test_a_cancelled_order_s_photos_stay_here(files, dock):
    one = dock.consignment()
    dock.add(one)
    dock.conn.execute("UPDATE orders SET cancelled_at = now()")
    dock.work()
    assert (files.stored(), dock.waiting()) == ({}, [])


# Photos of the whole order


@pytest.mark.rule("PW-6-15")
def test_a_photo_of_an_order_with_one_consignment_is_that_one_s(files, dock):
    one = dock.consignment()
    dock.add(one, to_order=True)
    dock.work()
    assert list(files.stored()) == [f"{dock.tracking_id(one)}_1.jpg"]
    assert dock.states(one) == ["uploaded"]


@pytest.mark.rule("PW-6-15")
def test_a_photo_of_an_order_with_several_consignments_waits_for_a_choice(files, dock):
    one, other = dock.order("delivery", "delivery")
    added = dock.add(one, photo(1), to_order=True)
    dock.add(other, photo(2))
    dock.work()
    assert list(files.stored()) == [f"{dock.tracking_id(other)}_1.jpg"], "it holds up no other"
    for consignment in (one, other):
        waiting = [upload for upload in dock.uploads(consignment) if upload.state == "waiting"]
        assert [upload.document_id for upload in waiting] == [added], "it is shown on both"
        assert "which" in waiting[0].reason
    assert dock.waiting() == [(PHOTO_UPLOAD, str(one)), (PHOTO_UPLOAD, str(other))]

    with dock.conn.transaction():
        assert photo_uploads.choose(dock.conn, added, other)
        work_items.enqueue(dock.conn, "palletways", PHOTO_UPLOAD, [other])
    dock.work()
    number = dock.tracking_id(other)
    assert files.stored() == {f"{number}_1.jpg": photo(2), f"{number}_2.jpg": photo(1)}
    assert dock.states(one) == []
    assert dock.states(other) == ["uploaded", "uploaded"]
    assert dock.waiting() == []


@pytest.mark.rule("PW-6-15")
def test_a_choice_can_be_made_of_the_order_s_own_and_before_it_is_uploaded(dock):
    one, other = dock.order("delivery", "delivery")
    foreign = dock.consignment()
    added, own = dock.add(one, to_order=True), dock.add(one)
    assert not photo_uploads.choose(dock.conn, added, foreign)
    assert not photo_uploads.choose(dock.conn, own, other)
    assert photo_uploads.choose(dock.conn, added, one)
    assert photo_uploads.choose(dock.conn, added, other)
    dock.work()
    assert not photo_uploads.choose(dock.conn, added, one)


@pytest.mark.rule("PW-6-15")
def test_a_photo_that_waits_for_a_choice_goes_once_one_consignment_is_left(files, dock):
    one, other = dock.order("delivery", "delivery")
    dock.add(one, to_order=True)
    dock.work()
    dock.conn.execute("UPDATE consignments SET lifecycle_status = 'CANCELLED' WHERE id = %s", (other,))
    dock.later(days=1)
    assert list(files.stored()) == [f"{dock.tracking_id(one)}_1.jpg"]
    assert dock.waiting() == []


@pytest.mark.rule("PW-6-15")
def test_a_photo_of_several_consignments_is_nobody_s_while_they_have_no_tracking_ids(files, dock):
    one, other = dock.order("delivery", "delivery", tracking_id="")
    added = dock.add(one, to_order=True)
    dock.work()
    for consignment in (one, other):
        dock.conn.execute(
            "UPDATE consignments SET tracking_number = %s WHERE id = %s", (f"600{consignment:08d}", consignment)
        )
    dock.later(days=1)
    assert files.stored() == {}
    assert (dock.upload(added).state, dock.upload(added).consignment_id) == ("waiting", None)
    assert photo_uploads.choose(dock.conn, added, other)
    dock.later(days=1)
    assert list(files.stored()) == [f"{dock.tracking_id(other)}_1.jpg"]


@pytest.mark.rule("PW-6-15", "PW-6-14")
def test_a_wrong_connection_decides_for_nobody_whose_photo_it_is(files, dock):
    dock.extra = {"password": "wrong"}
    one, other = dock.order("delivery", "delivery")
    added, own = dock.add(one, photo(1), to_order=True), dock.add(one, photo(2))
    dock.work()
    dock.work()
    assert dock.upload(own).state == "config_error"
    dock.extra = {}
    dock.later(days=1)
    assert list(files.stored().values()) == [photo(2)]
    assert dock.upload(added).state == "waiting"
    assert photo_uploads.choose(dock.conn, added, other)


@pytest.mark.rule("PW-6-16")
def test_the_role_is_asked_for_once_the_tracking_id_is_there(files, dock):
    one = dock.consignment("unknown", tracking_id="")
    dock.add(one)
    dock.work()
    assert dock.waiting() == [(PHOTO_UPLOAD, str(one))]
    dock.conn.execute("UPDATE consignments SET tracking_number = %s WHERE id = %s", (f"600{one:08d}", one))
    dock.later(days=1)
    assert ("look_up", str(one)) in dock.waiting()


# What comes back is known


@pytest.mark.rule("PW-5-34")
def test_what_is_uploaded_is_known_before_the_transfer(files, dock):
    files.switches.set({"ftp_drop_at": {"sftp": 10}})
    one = dock.consignment()
    added = dock.add(one, photo(1))
    dock.work()
    assert files.published == []
    [known] = photo_prints.known(dock.conn, one)
    assert (known.origin, known.document_id, known.width) == ("uploaded", added, 240)


# Several at it


@pytest.mark.rule("PW-8-32", "PW-6-10")
def test_two_workers_at_once_upload_nothing_twice(files, any_dock):
    ones = [any_dock.consignment() for _ in range(6)]
    for one in ones:
        for _ in range(3):
            any_dock.add(one)
    begin = threading.Barrier(2)

    def drain(_):
        own = connect(any_dock.dsn)
        worker = Dock.__new__(Dock)
        worker.__dict__ = {**any_dock.__dict__, "conn": own}
        begin.wait()
        worker.work(at_once=4)
        own.close()

    with ThreadPoolExecutor(2) as workers:
        list(workers.map(drain, range(2)))
    any_dock.work()
    wanted = {f"{any_dock.tracking_id(one)}_{n}.jpg" for one in ones for n in (1, 2, 3)}
    assert set(files.stored()) == wanted
    assert len(files.published) == len(wanted)
    assert {state for one in ones for state in any_dock.states(one)} == {"uploaded"}


@pytest.mark.rule("PW-6-24")
def test_many_photos_share_few_connections(files, any_dock):
    ones = [any_dock.consignment() for _ in range(8)]
    for one in ones:
        any_dock.add(one)
        any_dock.add(one)
    any_dock.work(at_once=8)
    assert len(files.stored()) == 16
    assert files.servers.sessions.connections()[any_dock.protocol]["most"] <= 2


# A connection that is wrong


@pytest.mark.rule("PW-6-14")
@pytest.mark.parametrize(
    ("protocol", "switch", "extra", "said"),
    [
        ("sftp", {}, {"password": "wrong"}, "login"),
        ("ftp", {}, {"password": "wrong"}, "login"),
        ("sftp", {"host_key": "wrong"}, {}, "nothing was sent"),
        ("ftps", {"tls_cert": "expired"}, {}, "certificate"),
        ("sftp", {}, {"remote_dir": "/nowhere"}, "remote_dir"),
    ],
)
def test_a_connection_that_is_wrong_is_a_person_s_business(files, dock, protocol, switch, extra, said):
    dock.protocol, dock.extra = protocol, extra
    files.switches.set(switch)
    one = dock.consignment()
    dock.add(one, photo(1))
    dock.add(one, photo(2))
    assert dock.work() == {"postponed": 1}
    assert dock.states(one) == ["config_error", "config_error"]
    assert all(said in (upload.reason or "") for upload in dock.uploads(one))
    assert said in (connection_flags.reason(dock.conn, "palletways_upload_123") or "")
    assert [message for (message,) in dock.rows("SELECT message FROM alerts") if said in message]
    assert files.stored() == {}
    # What is added meanwhile says the same, and waits.
    dock.add(one, photo(3))
    dock.work()
    assert dock.states(one) == ["config_error"] * 3

    dock.extra = {}
    files.switches.reset()
    dock.work()
    number = dock.tracking_id(one)
    assert files.stored() == {f"{number}_{n}.jpg": photo(n) for n in (1, 2, 3)}
    assert dock.states(one) == ["uploaded"] * 3
    assert connection_flags.reason(dock.conn, "palletways_upload_123") is None


# With the whole network


@pytest.mark.rule("PW-6-16", "PW-6-1", "PW-8-4")
def test_a_photo_goes_up_once_palletways_has_said_that_we_deliver_and_is_shown_there(
    conn, dsn, plan, palletways_sim, tmp_path
):
    tracking_id = palletways_sim.add(role="delivering", collection_depot="456", delivery_depot="123", lifts=1)
    dock = Dock(conn, dsn, plan, palletways_sim.ports, tmp_path / "documents")
    one = dock.consignment("unknown", tracking_id=tracking_id)
    dock.add(one, photo(1))
    dock.work()
    assert dock.states(one) == ["waiting"]

    way = access(plan, palletways_sim.root, "123", palletways_sim.keys["123"], dock.clock)
    with way.client:
        [item] = work_items.claim(conn, "palletways", LOOK_UP, 1, 60)
        assert LookUp(plan, lambda _conn, _depot: way, dock.clock)(conn, item).parked is None
    dock.work()
    [file] = palletways_sim.files()
    assert (file["name"], file["user"]) == (f"{tracking_id}_1.jpg", "pw123")
    assert palletways_sim.content("pw123", file["name"]) == photo(1)
    palletways_sim.advance(120)
    assert palletways_sim.call("podimages", tracking_id, portal=True).content.startswith(b"%PDF-")
