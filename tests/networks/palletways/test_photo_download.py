"""Photos of deliveries come by themselves: in time, each once, to the right order, whatever Palletways answers."""

import hashlib
import io
import threading
from datetime import UTC, datetime, timedelta

import pytest
from reportlab.pdfgen.canvas import Canvas
from tests.networks.palletways.photographing import PhotoHouse

from palletflow.documents import storage
from palletflow.networks.palletways import photo_download, photo_fetch
from palletflow.networks.palletways.client import PalletwaysClient
from palletflow.networks.palletways.photo_download import PhotoDownload
from palletflow.networks.palletways.simulator import pictures
from palletflow.networks.palletways.work import NETWORK, PHOTO_DOWNLOAD
from palletflow.store import documents, photo_prints, work_items
from palletflow.store.connection import connect
from palletflow.store.missing_photos import missing_photos

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


@pytest.fixture
def house(conn, dsn, plan, palletways_sim, tmp_path):
    made = PhotoHouse(conn, dsn, plan, palletways_sim, tmp_path / "documents")
    yield made
    made.close()


# The window


@pytest.mark.rule("PW-8-30", "PW-5-1", "PW-5-3", "PW-5-4", "PW-5-5", "PW-5-6", "PW-5-11", "PW-8-8")
def test_photos_at_once_after_three_and_after_twelve_minutes_are_three_documents_of_one_order(house):
    one = house.delivered(("door", 0), ("bay", 180), ("note", 720))
    assert house.play_out() == [0, 1, 2, 4, 7, 10, 15]

    number = house.tracking_id(one)
    assert house.calls("podimages") == 7
    assert [document.name for document in house.documents(one)] == [
        f"{number}_photo_01.jpg", f"{number}_photo_02.jpg", f"{number}_photo_03.jpg",
    ]  # fmt: skip
    assert house.hashes(one) == house.shown_hashes(one)
    assert {(document.kind, document.source) for document in house.documents(one)} == {("PHOTO", "palletways photos")}
    assert house.rows("SELECT count(DISTINCT order_id), count(*) FROM documents") == [(1, 3)]
    assert house.said(one, "photos fetched") == [
        "1 by podimages@portal, attempt 1", "1 by podimages@portal, attempt 4", "1 by podimages@portal, attempt 7",
    ]  # fmt: skip
    assert (house.state(one), house.waiting(), house.parked()) == ("found", {}, {})


@pytest.mark.rule("PW-5-10", "PW-5-8", "PW-5-13", "PW-2.8-4", "PW-8-30")
def test_what_if_there_are_no_photos(house):
    """That is no error: the attempts end, and the order says so once."""
    one = house.delivered()
    outcomes = [house.work()]
    while house.advance_to_due():
        outcomes.append(house.work())
    assert outcomes == [{"again": 1}] * 6 + [{"done": 1}]
    assert (house.state(one), house.documents(one), house.parked()) == ("none", [], {})
    assert house.history(one)[-1:] == ["no photos found"]
    assert "photos fetched" not in house.history(one)
    assert (house.calls("podimages"), house.calls("getPodByTrackingId")) == (7, 1)
    assert house.calls("getNotes") <= 2


@pytest.mark.rule("PW-5-3", "PW-5-8")
def test_photos_a_few_minutes_late_are_picked_up(house):
    one = house.delivered(("door", 500))
    house.play_out()
    assert house.said(one, "photos fetched") == ["1 by podimages@portal, attempt 6"]
    assert "no photos found" not in house.history(one)


@pytest.mark.rule("PW-5-5", "PW-5-8")
def test_several_photos_in_one_file_are_split_into_documents_of_their_own(house):
    one = house.delivered(*((name, 0) for name in "abcd"))
    house.work()
    assert house.hashes(one) == house.shown_hashes(one)
    assert len(set(house.hashes(one))) == 4
    assert house.said(one, "photos fetched") == ["4 by podimages@portal, attempt 1"]


@pytest.mark.rule("PW-5-1")
def test_nothing_has_to_be_triggered_by_hand(house):
    """What begins the search asks for the work as well, due at once."""
    one = house.delivered(("door", 0))
    assert house.waiting() == {str(one): None}
    assert work_items.next_due(house.conn, NETWORK, [PHOTO_DOWNLOAD]) <= 0
    house.work()
    assert len(house.documents(one)) == 1


@pytest.mark.rule("PW-5-7")
def test_photos_are_among_the_order_s_documents_and_in_its_history(house):
    one = house.delivered(("door", 0))
    house.work()
    [(order_id,)] = house.rows("SELECT order_id FROM consignments WHERE id = %s", one)
    assert [document.kind for document in documents.of_order(house.conn, order_id)] == ["PHOTO"]
    assert house.history(one, of_documents=True)[-2:] == ["document added", "photos fetched"]


@pytest.mark.rule("PW-5-9")
@pytest.mark.parametrize(
    ("template", "default", "visible"),
    [
        ("", False, False),
        ("", True, True),
        ("customers: {ACM001: {photos_visible: true}}", False, True),
        ("customers: {ACM001: {photos_visible: false}}", True, False),
        ("customers: {FOX002: {photos_visible: true}}", False, False),
    ],
)
def test_will_photos_appear_to_customers_where_that_is_configured(house, template, default, visible):
    house.settle(photos_customer_visible=default)
    if template:
        house.template(template)
    one = house.delivered(("door", 0), account="ACM001")
    house.work()
    [document] = house.documents(one)
    assert document.customer_visible is visible


@pytest.mark.rule("PW-5-11")
def test_the_template_says_which_kind_of_document_they_are(house):
    house.template("photos: {document_type: POD}")
    one = house.delivered(("door", 0))
    house.work()
    assert [document.kind for document in house.documents(one)] == ["POD"]


@pytest.mark.rule("PW-5-4", "PW-5-16")
@pytest.mark.parametrize(("away", "minutes"), [(3 * MINUTE, [0, 3, 4, 7, 10, 15]), (40 * MINUTE, [0, 40])])
def test_attempts_that_were_missed_are_made_up_by_one(house, away, minutes):
    one = house.delivered(("door", 60))
    house.work()
    house.advance(away)
    house.work()
    assert [0, away / MINUTE, *(minute + away / MINUTE for minute in house.play_out())] == minutes
    assert house.calls("podimages") == len(minutes)
    assert (len(house.documents(one)), house.state(one)) == (1, "found")


@pytest.mark.rule("PW-5-4")
def test_asking_for_the_work_again_makes_no_attempt_before_its_time(house):
    one = house.delivered(("door", 0))
    house.work()
    with house.conn.transaction():
        work_items.enqueue(house.conn, NETWORK, PHOTO_DOWNLOAD, [one])
    assert house.work() == {"again": 1}
    assert house.calls("podimages") == 1


# Where it begins


@pytest.mark.rule("PW-5-2", "PW-5-14")
@pytest.mark.parametrize(
    ("extra", "ago"),
    [
        ({"capabilities": ["photos_out"]}, MINUTE),
        ({"photos_enabled_at": (datetime.now(UTC) - HOUR).isoformat()}, 2 * HOUR),
        ({"photos_enabled_at": None}, MINUTE),
    ],
)
def test_nothing_begins_without_the_capability_or_for_what_was_completed_before_it(house, extra, ago):
    house.settle(**extra)
    one = house.consignment()
    house.deliver(one, ago)
    assert (house.window(one), house.waiting()) == (None, {})


@pytest.mark.rule("PW-5-14")
def test_without_a_moment_the_capability_is_on_since_it_first_ran(house):
    house.settle(photos_enabled_at=None)
    client = house.reach(house.conn, "123").client
    photo_download.note_start(house.conn, client.settings, house.now - HOUR)
    before, after = house.consignments(2)
    house.deliver(before, 2 * HOUR)
    house.deliver(after, MINUTE)
    assert house.waiting() == {str(after): None}


@pytest.mark.rule("PW-5-2")
def test_a_delivery_that_is_seen_again_begins_nothing_new(house):
    one = house.delivered(("door", 0))
    house.work()
    begun_at = house.window(one).begun_at
    house.begin(one)
    assert house.window(one).begun_at == begun_at
    assert house.work() == {}


@pytest.mark.rule("PW-5-15", "PW-5-8", "PW-2.8-4")
@pytest.mark.parametrize("pages", [[], [("door", 0)]])
def test_a_completion_that_is_seen_a_day_late_gets_one_attempt(house, pages):
    house.settle(late_catch_up=True, late_scope="all")
    one = house.consignment()
    for label, seconds in pages:
        house.sim.photo(house.tracking_id(one), labels=[label], after_s=seconds)
    house.deliver(one, 25 * HOUR)
    assert house.work() == {"done": 1}
    assert (house.calls("podimages"), house.calls("getPodByTrackingId")) == (1, 0)
    assert len(house.documents(one)) == len(pages)
    assert house.history(one)[-1:] == (["photos fetched"] if pages else house.history(one)[-1:])
    assert "no photos found" not in house.history(one)


@pytest.mark.rule("PW-5-35", "PW-5-37")
def test_the_download_may_be_off_where_we_deliver_but_not_when_somebody_asks(house):
    house.settle(skip_download_when_delivering=True)
    ours = house.delivered(("door", 0), role="delivering")
    others = house.delivered(("door", 0), role="requesting", delivery_depot="456")
    house.work()
    assert (house.state(ours), house.documents(ours)) == ("skipped", [])
    assert len(house.documents(others)) == 1
    assert house.fetch_now(house.tracking_id(ours)) == {house.tracking_id(ours): "stored 1"}


@pytest.mark.rule("PW-5-35")
def test_by_itself_it_is_on_where_we_deliver(house):
    one = house.delivered(("door", 0), role="delivering")
    house.work()
    assert len(house.documents(one)) == 1


def test_a_cancelled_order_s_photos_are_not_looked_for(house):
    one = house.delivered(("door", 0))
    house.conn.execute("UPDATE orders SET cancelled_at = now()")
    assert house.work() == {"done": 1}
    assert (house.calls("podimages"), house.state(one)) == (0, "skipped")


def test_a_consignment_that_is_gone_is_no_work(house):
    one = house.delivered(("door", 0))
    house.conn.execute("DELETE FROM orders")
    assert house.work() == {"done": 1}
    assert house.calls("podimages") == 0
    assert house.window(one) is None


# Each photo once


@pytest.mark.rule("PW-5-22", "PW-5-23", "PW-8-9")
@pytest.mark.parametrize("how", ["lossless", "jpeg60", "half"])
def test_a_photo_that_comes_re_encoded_or_smaller_is_not_stored_twice(house, how):
    one = house.delivered(("door", 0), ("bay", 60))
    house.work()
    house.sim.switch(reencode=how)
    house.play_out()
    assert len(house.documents(one)) == 2


@pytest.mark.rule("PW-5-23")
def test_where_only_equal_pixels_count_a_re_encoded_photo_is_another(house):
    house.settle(photo_match="exact")
    one = house.delivered(("door", 0))
    house.work()
    house.sim.switch(reencode="jpeg60")
    house.play_out()
    assert len(house.documents(one)) == 2


@pytest.mark.rule("PW-5-12", "PW-8-10", "PW-5-22")
@pytest.mark.parametrize("changed", [{"page_order": "newest"}, {"duplicate_page": "on"}])
def test_pages_in_another_order_or_doubled_are_no_new_photos(house, changed):
    one = house.delivered(("door", 0), ("bay", 0))
    house.work()
    house.sim.switch(**changed)
    house.play_out()
    assert house.hashes(one) == house.shown_hashes(one)


@pytest.mark.rule("PW-5-22", "PW-8-10")
def test_the_same_page_twice_in_the_first_file_is_one_photo(house):
    house.sim.switch(duplicate_page="on")
    one = house.delivered(("door", 0))
    house.work()
    assert len(house.documents(one)) == 1


@pytest.mark.rule("PW-5-24", "PW-8-10")
def test_two_signed_notes_on_one_form_are_both_kept(house):
    house.sim.switch(lookalike_scans="on")
    one = house.delivered()
    house.play_out()
    assert len(house.documents(one)) == 2


@pytest.mark.rule("PW-5-12")
def test_a_stored_photo_stays_when_a_later_file_lacks_it(house):
    house.sim.switch(pages=[["door", 0], ["bay", 0]])
    one = house.delivered()
    house.work()
    house.sim.switch(pages=[["bay", 0]])
    house.advance_to_due()
    house.work()
    house.sim.switch(pages=[])
    house.play_out()
    assert len(house.documents(one)) == 2


@pytest.mark.rule("PW-5-25")
def test_the_same_file_again_is_not_taken_apart_again(house, monkeypatch):
    files = []
    real = photo_fetch.splitting.split
    monkeypatch.setattr(photo_fetch.splitting, "split", lambda data, *more: files.append(data) or real(data, *more))
    one = house.delivered(("door", 0), ("bay", 600))
    house.play_out()
    assert len(files) == 2
    assert len(house.documents(one)) == 2


@pytest.mark.rule("PW-5-22", "PW-5-4")
def test_what_came_before_is_known_by_its_bytes_and_only_what_is_new_is_decoded(house, monkeypatch):
    real, found = photo_fetch.splitting.split, []

    def split(data, *more):
        found.append(real(data, *more))
        return found[-1]

    monkeypatch.setattr(photo_fetch.splitting, "split", split)
    one = house.delivered(("door", 0), ("bay", 0), ("gate", 60), ("yard", 600))
    house.play_out()
    assert [(len(split.photos), len(split.known)) for split in found] == [(2, 0), (1, 2), (1, 3)]
    assert [digest.hex() for digest in found[-1].known] == house.hashes(one)[:3]
    assert house.hashes(one) == house.shown_hashes(one)
    assert [said[:1] for said in house.said(one, "photos fetched")] == ["2", "1", "1"]

    # What somebody removed has no bytes here any more, and is still known by its pixels.
    house.conn.execute("DELETE FROM documents WHERE name LIKE '%01.jpg'")
    assert house.fetch_now(house.tracking_id(one)) == {house.tracking_id(one): "already known"}
    assert [(len(split.photos), len(split.known)) for split in found[3:]] == [(1, 3)]


@pytest.mark.rule("PW-5-24", "PW-5-22")
def test_a_photo_that_looks_like_a_stored_one_beside_it_is_another(house):
    """The stored photo is in the file itself, known by its bytes, and so is no partner for the other."""
    data = pictures.photo("door")
    one = house.consignment()
    house.sim.photo(house.tracking_id(one), content=data)
    house.deliver(one)
    house.work()
    house.sim.photo(house.tracking_id(one), content=pictures.reencoded(data, 60))
    house.play_out()
    assert len(house.documents(one)) == 2


@pytest.mark.rule("PW-5-34")
def test_what_we_uploaded_ourselves_is_not_imported_again(house):
    one = house.consignment(role="delivering")
    ours, others = pictures.photo("ours"), pictures.photo("others")
    prints = [photo.fingerprint for photo in photo_fetch.splitting.split(ours, photo_fetch.Limits()).photos]
    photo_prints.add(house.conn, one, prints, document_id=None, origin="uploaded")
    house.sim.photo(house.tracking_id(one), content=pictures.reencoded(ours, 75))
    house.deliver(one)
    house.play_out()
    assert (house.documents(one), house.state(one)) == ([], "found")
    assert house.calls("getPodByTrackingId") == 0

    house.sim.photo(house.tracking_id(one), content=others)
    house.fetch_now(house.tracking_id(one))
    assert house.hashes(one) == [hashlib.sha256(others).hexdigest()]


@pytest.mark.rule("PW-5-22")
def test_bytes_that_the_consignment_has_as_a_document_already_are_not_added_again(house):
    one = house.consignment()
    data = pictures.photo("handed in")
    stored = house.storage.put(data)
    [(order_id,)] = house.rows("SELECT order_id FROM consignments WHERE id = %s", one)
    ours = documents.Document(
        order_id, one, None, "PHOTO", "own.jpg", "image/jpeg", stored.size, stored.sha256, "order API", "jo"
    )
    held = documents.add(house.conn, ours)
    house.sim.photo(house.tracking_id(one), content=data)
    house.sim.photo(house.tracking_id(one), labels=["new"])
    house.deliver(one)
    house.play_out()
    assert [document.id == held for document in house.documents(one)] == [True, False]
    assert house.said(one, "photos fetched") == ["1 by podimages@portal, attempt 1"]


# To the right order


@pytest.mark.rule("PW-5-6", "PW-5-33")
def test_a_tracking_id_that_two_live_orders_hold_brings_neither_of_them_photos(house):
    one = house.consignment()
    other = house.order_with(house.tracking_id(one))
    house.sim.photo(house.tracking_id(one), labels=["door"])
    house.deliver(one)
    house.play_out()
    assert house.documents(one) == house.documents(other) == []
    assert house.reasons() == ["no_single_order"]
    assert len(house.alerts()) == 1

    house.conn.execute(
        "UPDATE orders SET cancelled_at = now() WHERE id = (SELECT order_id FROM consignments WHERE id = %s)", (other,)
    )
    assert house.fetch_now(house.tracking_id(one)) == {house.tracking_id(one): "stored 1"}
    assert len(house.documents(one)) == 1


@pytest.mark.rule("PW-5-6", "PW-5-25")
def test_once_one_order_is_left_the_same_file_is_its_own(house):
    one = house.consignment()
    other = house.order_with(house.tracking_id(one))
    house.sim.photo(house.tracking_id(one), labels=["door"])
    house.deliver(one)
    house.work()
    house.conn.execute(
        "UPDATE orders SET cancelled_at = now() WHERE id = (SELECT order_id FROM consignments WHERE id = %s)", (other,)
    )
    house.play_out()
    assert (len(house.documents(one)), house.documents(other)) == (1, [])


@pytest.mark.rule("PW-5-6")
def test_an_order_that_appears_while_photos_are_fetched_stops_them(house, monkeypatch):
    """Who has the tracking ID is looked at again when the photos are written down."""
    one = house.delivered(("door", 0))
    real, others = PalletwaysClient.photos, []

    def photos(client, tracking_id, *more):
        if not others:
            others.append(house.order_with(tracking_id))
        return real(client, tracking_id, *more)

    monkeypatch.setattr(PalletwaysClient, "photos", photos)
    assert house.work() == {"postponed": 1}
    assert "changed while" in house.waiting()[str(one)]
    house.play_out()
    assert house.documents(one) == []
    assert house.reasons() == ["no_single_order"]


# What is no photo


@pytest.mark.rule("PW-5-26", "PW-8-12")
@pytest.mark.parametrize("answer", ["sentence", "html", "xml", "json", "empty"])
def test_an_answer_that_is_no_file_is_never_stored(house, answer):
    house.sim.switch(photo_answer=answer)
    one = house.delivered(("door", 0))
    house.play_out()
    assert (house.documents(one), house.quarantined()) == ([], [])
    assert (house.state(one), house.parked(), house.calls("podimages")) == ("none", {}, 7)


@pytest.mark.rule("PW-5-26", "PW-5-10")
def test_an_answer_that_nobody_understands_is_said_when_the_window_closes(house):
    house.sim.switch(photo_answer="html")
    one = house.delivered()
    house.play_out()
    [(warnings,)] = house.rows("SELECT warnings FROM activity WHERE kind = 'no photos found'")
    assert warnings
    assert house.state(one) == "none"


@pytest.mark.rule("PW-5-21", "PW-8-12")
def test_an_image_itself_is_one_photo(house):
    house.sim.switch(photo_answer="jpeg")
    one = house.delivered(("door", 0))
    house.play_out()
    assert house.hashes(one) == house.shown_hashes(one)


@pytest.mark.rule("PW-5-32", "PW-8-12", "PW-5-33")
def test_another_binary_goes_into_quarantine(house):
    house.sim.switch(photo_answer="zip")
    one = house.delivered(("door", 0))
    house.play_out()
    assert (house.documents(one), house.reasons()) == ([], ["unsupported"])


@pytest.mark.rule("PW-5-27", "PW-5-28", "PW-5-30", "PW-5-33", "PW-8-11")
@pytest.mark.parametrize(
    ("fault", "reason"),
    [("error_page", "error_page"), ("label_page", "label_like"), ("encrypted", "encrypted")],
)
def test_a_pdf_that_is_no_photos_goes_into_quarantine(house, fault, reason):
    house.sim.switch(pdf_fault=fault)
    one = house.delivered(("door", 0))
    number = house.tracking_id(one)
    house.work()
    assert len(house.alerts()) == 1
    house.play_out()
    assert house.documents(one) == []
    [kept] = [kept for kept in house.quarantined() if kept.method == "podimages@portal"]
    assert (kept.reason, kept.tracking_number, kept.network) == (reason, number, NETWORK)
    assert hashlib.sha256(photo_fetch.Quarantine(house.storage).read(kept.sha256)).digest() == kept.sha256
    assert number in kept.url
    assert all(form not in kept.url for form in ("sim/123", "sim%2F123"))
    assert (house.alerts(), house.history(one).count("file quarantined")) == (
        [f"Palletways photos of {number}: {reason}"], 1,
    )  # fmt: skip
    assert (house.state(one), house.parked()) == ("none", {})


@pytest.mark.rule("PW-5-31", "PW-8-11")
@pytest.mark.parametrize("fault", ["huge", "many_pages", "bomb"])
def test_a_pdf_that_is_too_large_goes_into_quarantine(house, fault):
    house.sim.switch(pdf_fault=fault)
    one = house.delivered(("door", 0))
    house.work()
    assert house.reasons() == ["too_large"]
    assert house.waiting() == {str(one): None}


@pytest.mark.rule("PW-5-31")
def test_a_photo_that_no_storage_takes_is_too_large_and_stops_no_other(house, monkeypatch):
    small, large = pictures.reencoded(pictures.photo("door"), 60, half=True), pictures.photo("bay")
    one = house.consignment()
    for photo in (small, large):
        house.sim.photo(house.tracking_id(one), content=photo)
    house.deliver(one)
    for module in (storage, photo_fetch):
        monkeypatch.setattr(module, "MOST_BYTES", len(large) - 1)
    house.work()
    assert house.hashes(one) == [hashlib.sha256(small).hexdigest()]
    [kept] = house.quarantined()
    assert (kept.reason, kept.size) == ("too_large", len(large) - 1)


@pytest.mark.rule("PW-8-11", "PW-5-19")
def test_a_blank_page_is_nothing_at_all(house):
    house.sim.switch(pdf_fault="blank")
    one = house.delivered()
    house.play_out()
    assert (house.documents(one), house.quarantined(), house.state(one)) == ([], [], "none")


@pytest.mark.rule("PW-5-29", "PW-8-11")
def test_a_malformed_file_alerts_nobody_while_it_may_be_half_written(house):
    one = house.delivered(("door", 0), ("bay", 0))
    house.sim.switch(pdf_fault="malformed")
    house.work()
    assert house.reasons() == ["malformed"]
    house.sim.switch(pdf_fault="none")
    house.play_out()
    assert house.alerts() == []
    assert len(house.documents(one)) == 2


@pytest.mark.rule("PW-5-29", "PW-5-33")
def test_a_file_that_is_malformed_to_the_last_alerts_once(house):
    one = house.delivered(("door", 0), ("bay", 0))
    house.sim.switch(pdf_fault="malformed")
    while house.advance_to_due() and house.state(one) == "open":
        assert house.alerts() == []
        house.work()
    assert house.alerts() == [f"Palletways photos of {house.tracking_id(one)}: malformed"]
    assert house.reasons() == ["malformed"]


@pytest.mark.rule("PW-5-33")
def test_bad_answers_for_one_consignment_stop_no_other(house):
    bad, good = house.delivered(), house.delivered(("door", 0))
    number = house.tracking_id(bad)
    house.sim.photo(number, content=_text_pdf("ERROR: not authorised"))
    house.work(limit=2)
    assert house.reasons() == ["error_page"]
    assert (len(house.documents(good)), house.documents(bad)) == (1, [])


# Faults of the network


@pytest.mark.rule("PW-2.8-2", "PW-8-13")
def test_the_other_spelling_of_the_method_is_as_good(house):
    house.sim.switch(podimages_name="rpodimages")
    one = house.delivered(("door", 0))
    house.work()
    assert len(house.documents(one)) == 1


@pytest.mark.rule("PW-2.8-3", "PW-2.8-4", "PW-8-13")
@pytest.mark.parametrize("why", ["not_available", "not_authorised"])
def test_where_the_method_is_closed_the_latest_image_is_asked_for(house, why):
    house.sim.switch(podimages_open=why)
    one = house.delivered(("door", 0), ("bay", 300))
    house.play_out()
    assert house.hashes(one) == house.shown_hashes(one)
    assert house.said(one, "photos fetched")[0] == "1 by getPodByTrackingId@api2, attempt 1"
    assert house.calls("getPodByTrackingId") == 7


@pytest.mark.rule("PW-2.8-4")
def test_the_latest_image_found_at_the_end_counts(house, monkeypatch):
    one = house.delivered(("door", 0))
    real = PalletwaysClient.photos
    monkeypatch.setattr(
        PalletwaysClient,
        "photos",
        lambda client, number, method: None if "podimages" in method else real(client, number, method),
    )
    house.play_out()
    assert house.said(one, "photos fetched") == ["1 by getPodByTrackingId@api2, attempt 7"]
    assert "no photos found" not in house.history(one)


@pytest.mark.rule("PW-2.8-3")
def test_where_no_method_is_open_the_work_rests_and_is_kept(house):
    house.settle(photo_methods=["podimages@portal"])
    house.sim.switch(podimages_open="not_available")
    one = house.delivered(("door", 0))
    assert house.work() == {"postponed": 1}
    assert "the work is kept" in house.waiting()[str(one)].lower()
    assert work_items.next_due(house.conn, NETWORK, [PHOTO_DOWNLOAD]) > 3000
    house.sim.switch(podimages_open="yes")
    house.settle()
    house.play_out()
    assert (len(house.documents(one)), house.state(one)) == (1, "found")


@pytest.mark.rule("PW-5-16", "PW-5-13", "PW-8-16")
@pytest.mark.parametrize("fault", [{"http_code": 500}, {"hang": True}, {"drop_mid_body": 1000}])
def test_an_outage_loses_nothing(house, fault):
    """However long, the window closes with an attempt after its end. A call is tried three times before it fails."""
    one = house.delivered(("door", 0))
    house.sim.switch(**{name: {"podimages": {"value": value, "times": 6}} for name, value in fault.items()})
    for _ in range(2):
        assert house.work() == {"postponed": 1}
        house.advance(HOUR)
    house.work()
    assert (len(house.documents(one)), house.state(one), house.waiting(), house.parked()) == (1, "found", {}, {})


@pytest.mark.rule("PW-5-16", "PW-5-13")
def test_an_outage_of_a_night_parks_nothing(house):
    one = house.delivered(("door", 0))
    house.sim.switch(http_code={"podimages": 500})
    for _ in range(30):
        house.work()
        house.advance(HOUR / 2)
    assert house.parked() == {}
    house.sim.switch(http_code="off")
    house.work()
    assert (len(house.documents(one)), house.state(one), house.waiting()) == (1, "found", {})


@pytest.mark.rule("PW-8-16")
def test_a_pause_that_palletways_asks_for_counts_as_no_attempt(house):
    house.sim.switch(http_code={"podimages": {"value": 503, "times": 1, "retry_after": 40}})
    one = house.delivered(("door", 0))
    assert house.work() == {"postponed": 1}
    house.play_out()
    assert (len(house.documents(one)), house.state(one)) == (1, "found")


@pytest.mark.rule("PW-8-17")
def test_a_refused_key_flags_the_connection_and_keeps_the_work(house):
    house.sim.switch(http_code={"value": 401, "times": 2})
    one = house.delivered(("door", 0))
    assert house.work() == {"postponed": 1}
    assert house.rows("SELECT connection FROM connection_flags") == [("palletways_123",)]
    house.play_out()
    assert len(house.documents(one)) == 1


@pytest.mark.rule("PW-4.2-4", "PW-5-13")
def test_the_pod_is_read_again_with_the_first_and_the_last_attempt_until_it_is_there(house):
    one = house.consignment()
    house.deliver(one, signatory=None)
    house.play_out()
    assert house.calls("getNotes") == 2


@pytest.mark.rule("PW-4.2-4")
def test_notes_that_cannot_be_read_hold_up_no_photos(house):
    house.sim.switch(http_code={"getNotes": {"value": 500}})
    one = house.delivered(("door", 0))
    house.play_out()
    assert len(house.documents(one)) == 1


def test_photos_that_cannot_be_taken_out_here_are_tried_again(house, monkeypatch):
    real, tries = photo_fetch.splitting.split, []

    def split(data, *more):
        tries.append(data)
        if len(tries) == 1:
            raise OSError("no process could be started")
        return real(data, *more)

    monkeypatch.setattr(photo_fetch.splitting, "split", split)
    one = house.delivered(("door", 0))
    assert house.work() == {"postponed": 1}
    house.play_out()
    assert len(house.documents(one)) == 1


# Late


@pytest.mark.rule("PW-5-36", "PW-5-3")
def test_after_fifteen_minutes_nothing_is_looked_for_until_the_catch_up_is_on(house):
    one = house.delivered(("door", 3000))
    assert max(house.play_out()) == 15
    house.advance(timedelta(days=8))
    assert house.work() == {}
    assert (house.documents(one), house.state(one)) == ([], "none")


@pytest.mark.rule("PW-5-36", "PW-5-8")
def test_the_catch_up_finds_what_is_late_and_ends_with_it(house):
    house.settle(late_catch_up=True)
    one = house.delivered(("door", 2 * 3600))
    assert house.play_out()[7:] == [60, 180]
    assert (len(house.documents(one)), house.state(one)) == (1, "found")
    assert house.history(one)[-2:] == ["no photos found", "photos fetched"]


@pytest.mark.rule("PW-5-36")
def test_the_catch_up_looks_for_seven_days_and_no_longer(house):
    house.settle(late_catch_up=True)
    one = house.delivered()
    assert [minute / 60 for minute in house.play_out()[7:]] == [1, 3, 8, 24, 72, 168]
    assert (house.state(one), house.calls("getPodByTrackingId")) == ("none", 1)


@pytest.mark.rule("PW-5-36")
@pytest.mark.parametrize(("scope", "photos"), [("missing", 1), ("all", 2)])
def test_the_catch_up_looks_where_photos_are_missing_or_everywhere(house, scope, photos):
    house.settle(late_catch_up=True, late_scope=scope, late_schedule=[1])
    one = house.delivered(("door", 0), ("bay", 1800))
    house.play_out()
    assert len(house.documents(one)) == photos


@pytest.mark.rule("PW-5-36", "PW-5-15")
def test_late_checks_are_background_work(house, monkeypatch):
    real, asked = PalletwaysClient.in_background, []
    monkeypatch.setattr(PalletwaysClient, "in_background", lambda client: asked.append(client) or real(client))
    house.settle(late_catch_up=True, late_schedule=[1, 3])
    house.delivered()
    house.work()
    while house.advance_to_due():
        house.work()
    assert len(asked) == 2
    house.deliver(house.consignment(), 25 * HOUR)
    house.work()
    assert len(asked) == 3


@pytest.mark.rule("PW-5-36")
def test_deliveries_without_a_photo_are_listed(house):
    found, none = house.delivered(("door", 0)), house.delivered()
    house.play_out()
    assert [one.consignment_id for one in missing_photos(house.conn, house.now - MINUTE, NETWORK)] == [none]
    assert missing_photos(house.conn, house.now - HOUR) == []
    assert house.state(found) == "found"


# Several at once


@pytest.mark.rule("PW-5-4")
def test_two_workers_at_once_fetch_and_store_nothing_twice(house):
    several = house.consignments(12)
    for one in several:
        house.sim.photo(house.tracking_id(one), labels=["door", "bay"])
        house.deliver(one)
    house.sim.switch(slow={"podimages": 0.1})
    both = [threading.Thread(target=house.work, kwargs={"limit": 3}) for _ in range(2)]
    for worker in both:
        worker.start()
    for worker in both:
        worker.join()
    assert house.calls("podimages") == 12
    assert [len(house.documents(one)) for one in several] == [2] * 12
    assert [house.window(one).attempts for one in several] == [1] * 12


@pytest.mark.rule("PW-5-22")
def test_a_worker_whose_lease_has_ended_stores_nothing_twice(house):
    """Both fetch the same photos; who comes second finds them known."""
    one = house.delivered(("door", 0), ("bay", 0))
    [item] = work_items.claim(house.conn, NETWORK, PHOTO_DOWNLOAD, 1, 60)
    handler = PhotoDownload(house.plan, house.reach, house.storage, lambda: house.now)
    with connect(house.dsn) as other:
        results = [handler(each, item) for each in (house.conn, other)]
        for each, result in zip((house.conn, other), results, strict=True):
            with each.transaction():
                result.record(each)
    assert house.calls("podimages") == 2
    assert len(house.documents(one)) == 2
    assert house.said(one, "photos fetched") == ["2 by podimages@portal, attempt 1"]


@pytest.mark.rule("PW-5-37", "PW-5-22")
def test_a_person_who_asks_during_an_attempt_stores_nothing_twice(house, monkeypatch):
    one = house.delivered(("door", 0))
    real, asked = PalletwaysClient.photos, []

    def photos(client, tracking_id, *more):
        data = real(client, tracking_id, *more)
        if not asked:
            asked.append(tracking_id)
            with connect(house.dsn) as other:
                asked.append(
                    photo_download.fetch_now(
                        other, house.reach, house.plan, house.storage, [tracking_id], clock=lambda: house.now,
                        actor="jo",
                    )[tracking_id]
                )  # fmt: skip
        return data

    monkeypatch.setattr(PalletwaysClient, "photos", photos)
    house.work()
    assert asked[1] == "stored 1"
    assert len(house.documents(one)) == 1


def _text_pdf(text: str) -> bytes:
    buffer = io.BytesIO()
    canvas = Canvas(buffer, invariant=1)
    canvas.drawString(60, 700, text)
    canvas.save()
    return buffer.getvalue()
