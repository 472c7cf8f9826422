"""Signatures, PODs and photos of our deliveries reach Nexus: in order, each once, under a name of its own."""

import hashlib
import threading
from dataclasses import replace
from datetime import timedelta

import pytest
from tests.networks.nexus.exchanging import House

from palletflow.networks.nexus.work import DOCUMENT_UPLOAD
from palletflow.store import work_items
from palletflow.store.connection import connect

UPLOAD = {"path": "consignments/*/attachments", "method": "POST"}


@pytest.fixture
def house(conn, dsn, plan, nexus_sim, tmp_path):
    made = House(conn, dsn, plan, nexus_sim, tmp_path / "documents")
    yield made
    made.close()


@pytest.fixture
def delivered(house):
    """A consignment that we have just delivered for another depot."""
    one = house.consignment("delivery")
    house.deliver(one)
    return one


def name(house, one, rest):
    return f"{house.number(one)}_{rest}"


def parked(house, one):
    return house.items(parked=True).get((DOCUMENT_UPLOAD, str(one)))


def assert_both_ends_hold_the_same(house, one):
    ours = sorted(document.sha256.hex() for document in house.documents(one))
    assert house.hashes_at_nexus(one) == ours


# What is sent, and under which name


@pytest.mark.rule("NX-9-5", "NX-9-11", "NX-9-12", "NX-9-7", "NX-9-2", "NX-9-3", "NX-9-4", "NX-2.7-2")
def test_documents_go_in_order_under_their_own_names(house, delivered):
    house.add(delivered, "PHOTO", "1")
    house.add(delivered, "POD", "1", data=house.image("POD", "1", "pdf"))
    house.add(delivered, "PHOTO", "2", data=house.image("PHOTO", "2", "png"))
    house.add(delivered, "SIGNATURE", "1")
    house.work()
    assert house.at_nexus(delivered) == [
        ("MPOD", name(house, delivered, "MPOD_01.jpg")),
        ("POD", name(house, delivered, "POD_01.pdf")),
        ("MPODPHOTOE", name(house, delivered, "MPODPHOTOE_01.jpg")),
        ("MPODPHOTOE", name(house, delivered, "MPODPHOTOE_02.png")),
    ]
    assert_both_ends_hold_the_same(house, delivered)
    ids = [str(one["id"]) for one in house.nexus.one(house.nexus_id(delivered))["attachments"]]
    assert house.rows("SELECT direction, network_id FROM document_exchanges ORDER BY id") == [
        ("sent", network_id) for network_id in ids
    ]
    assert house.items(parked=False) == house.items(parked=True) == {}
    assert house.history(delivered).count("document sent") == 4


@pytest.mark.rule("NX-9-11")
def test_only_signatures_pods_and_photos_are_sent(house, delivered):
    for kind in ("PAPERWORK", "OTHER", "LABEL", "NETWORK_LABEL"):
        house.add(delivered, kind)
    house.work()
    assert house.calls() == []
    assert house.items(parked=False) == {}


@pytest.mark.rule("NX-9-15", "NX-9-12")
def test_documents_added_later_go_up_on_the_next_run_and_are_counted_on(house, delivered):
    house.add(delivered, "PHOTO", "1")
    house.work()
    house.add(delivered, "PHOTO", "2")
    house.add(delivered, "SIGNATURE", "1")
    house.work()
    assert house.at_nexus(delivered) == [
        ("MPODPHOTOE", name(house, delivered, "MPODPHOTOE_01.jpg")),
        ("MPOD", name(house, delivered, "MPOD_01.jpg")),
        ("MPODPHOTOE", name(house, delivered, "MPODPHOTOE_02.jpg")),
    ]
    house.ask(delivered, DOCUMENT_UPLOAD)
    house.work()
    assert house.uploads() == 3


@pytest.mark.rule("NX-9-12")
def test_a_number_that_stands_at_nexus_is_not_used_again(house, delivered):
    """Somebody sent it in the portal, or our order store was restored from a backup."""
    house.attach(delivered, "POD", fileName=name(house, delivered, "pod_04.JPG"))
    house.add(delivered, "POD")
    house.work()
    assert house.at_nexus(delivered)[-1] == ("POD", name(house, delivered, "POD_05.jpg"))


@pytest.mark.rule("NX-9-15")
def test_the_same_picture_of_two_pallets_is_sent_once_a_kind(house, delivered):
    picture = house.image("PHOTO", "both")
    house.add(delivered, "PHOTO", data=picture, pallet_number=1)
    house.add(delivered, "PHOTO", data=picture)
    house.add(delivered, "POD", data=picture)
    house.work()
    house.ask(delivered, DOCUMENT_UPLOAD)
    house.work()
    assert [type_ for type_, _ in house.at_nexus(delivered)] == ["POD", "MPODPHOTOE"]


@pytest.mark.rule("NX-9-1", "NX-2.9-2", "NX-11-6", "NX-2.7-2", "NX-2-1")
def test_types_parts_and_path_are_nexus_s_own(house, delivered):
    house.nexus.control(
        "options",
        shift_ids=100,
        upload_parts={"attachmentTypeID": "typeId", "file": "document"},
        endpoints={"upload": "consignments/{id}/files"},
    )
    house.template(
        upload={"type": "typeId", "file": "document"}, endpoints={"upload": "consignments/{consignmentID}/files"}
    )
    house.add(delivered, "POD")
    house.work()
    assert house.at_nexus(delivered) == [("POD", name(house, delivered, "POD_01.jpg"))]


# Whose documents


@pytest.mark.rule("NX-9-5", "NX-9-6")
@pytest.mark.parametrize(
    ("depots", "uploads"),
    [
        ({"role": "delivery"}, 1),
        ({"role": "delivery", "depot": "UKD101"}, 1),
        ({"role": "requesting"}, 0),
        ({"role": "collecting"}, 0),
        ({"role": "delivery", "network": "PALLEX", "collectingDepotCode": "UKD101"}, 0),
        ({"role": "delivery", "network": "PALLEX", "originatingDepotCode": "UKD101"}, 1),
    ],
)
def test_we_send_when_we_deliver_and_did_not_collect(house, depots, uploads):
    one = house.consignment(**depots)
    house.deliver(one)
    house.add(one, "POD")
    house.work(DOCUMENT_UPLOAD)
    assert house.uploads() == uploads
    users = {request["user"] for request in house.nexus.requests("consignments")}
    assert users <= {f"sim_{depots.get('depot', 'PGD302').lower()}"}
    assert house.items(parked=True) == {}


@pytest.mark.rule("NX-9-8", "NX-9-7", "NX-11-7")
def test_what_came_from_nexus_is_never_sent_even_renamed_or_added_again(house):
    """The simulator lists an upload of bytes that it had served as a violation."""
    one = house.consignment("requesting")
    house.attach(one, "POD")
    house.attach(one, "MPODPHOTOE")
    house.fetch(one)
    pod, photo = house.documents(one)
    # The delivery becomes ours.
    house.conn.execute("UPDATE consignments SET our_roles = '{delivery}', delivery_depot = 'PGD302'")
    house.deliver(one)
    house.conn.execute("UPDATE documents SET name = 'our own.jpg' WHERE id = %s", (pod.id,))
    house.add(one, "PHOTO", data=house.storage.read(pod.sha256))
    house.add(one, "SIGNATURE", data=house.storage.read(photo.sha256))
    house.conn.execute("DELETE FROM documents WHERE id = %s", (photo.id,))
    house.work(DOCUMENT_UPLOAD)
    assert house.uploads() == 0
    assert house.items(parked=False) == {}


# When


@pytest.mark.rule("NX-9-11")
def test_before_the_delivery_documents_wait(house):
    one = house.consignment("delivery")
    house.add(one, "PHOTO")
    house.work()
    assert house.calls() == []
    assert house.due_at(one, DOCUMENT_UPLOAD) > house.now
    house.deliver(one)
    house.play_out()
    assert len(house.at_nexus(one)) == 1


def test_what_is_never_delivered_is_looked_after_less_and_less_often(house):
    """A photo of a closed gate: the goods went back and nobody delivers them."""
    one = house.consignment("delivery")
    house.add(one, "PHOTO")
    pauses = []
    for hours in (0, 5, 500):
        house.conn.execute(
            "UPDATE work_items SET due_at = now(), created_at = now() - make_interval(hours => %s)", (hours,)
        )
        house.work(DOCUMENT_UPLOAD)
        pauses.append(round((house.due_at(one, DOCUMENT_UPLOAD) - house.now) / timedelta(hours=1)))
    assert pauses == [1, 5, 24]


@pytest.mark.rule("NX-9-11")
def test_a_delivery_that_was_told_stays_told_when_its_time_is_corrected(house):
    house.settle(status_export=True)
    one = house.consignment("delivery")
    house.deliver(one, timedelta(hours=2), told=True)
    house.deliver(one, timedelta(hours=1))
    house.add(one, "POD")
    house.work(DOCUMENT_UPLOAD)
    assert len(house.at_nexus(one)) == 1


@pytest.mark.rule("NX-9-11")
def test_a_failed_attempt_that_was_told_is_no_delivery(house):
    house.settle(status_export=True)
    one = house.consignment("delivery")
    house.deliver(one)
    house.conn.execute(
        "INSERT INTO tracking_events (consignment_id, direction, barcode, code, status, occurred_at, sent_at) "
        "VALUES (%s, 'exported', '', 'Failed Delivery', 'EXCEPTION', now(), now())",
        (one,),
    )
    house.add(one, "POD")
    house.work(DOCUMENT_UPLOAD)
    assert house.uploads() == 0


@pytest.mark.rule("NX-9-11")
def test_documents_follow_the_delivered_status_where_we_tell_it(house):
    house.settle(status_export=True)
    one = house.consignment("delivery")
    at = house.deliver(one)
    house.add(one, "POD")
    house.work()
    assert house.uploads() == 0
    assert house.due_at(one, DOCUMENT_UPLOAD) <= house.now + timedelta(minutes=15)

    house.tell_delivered(one, at)
    house.advance(timedelta(minutes=15))
    house.work()
    assert len(house.at_nexus(one)) == 1


@pytest.mark.rule("NX-9-11")
@pytest.mark.parametrize("reason", ["switched off", "empty name", "read back", "too old"])
def test_documents_do_not_wait_for_a_status_that_will_not_be_told(house, reason):
    house.settle(status_export=True, status_export_max_age_h=48)
    one = house.consignment("delivery")
    at = house.deliver(one, timedelta(hours=49 if reason == "too old" else 1))
    if reason == "switched off":
        house.change_network(switches=replace(house.plan.network("nexus").switches, status_export=False))
    if reason == "empty name":
        house.template(status_export={"DELIVERED": ""})
    if reason == "read back":
        house.conn.execute(
            "INSERT INTO tracking_events (consignment_id, direction, barcode, code, status, occurred_at) "
            "VALUES (%s, 'imported', '', 'Delivered', 'DELIVERED', %s)",
            (one, at),
        )
    house.add(one, "POD")
    house.work()
    assert len(house.at_nexus(one)) == 1


@pytest.mark.rule("NX-9-11")
def test_a_failed_delivery_sends_nothing(house):
    one = house.consignment("delivery")
    house.conn.execute("UPDATE stops SET completed_at = now() WHERE kind = 'delivery'")
    house.conn.execute("UPDATE consignments SET lifecycle_status = 'EXCEPTION', exception_reason = 'REFUSED'")
    house.add(one, "PHOTO")
    house.work()
    assert house.calls() == []


def test_a_cancelled_order_sends_nothing(house, delivered):
    house.add(delivered, "POD")
    house.conn.execute("UPDATE orders SET cancelled_at = now()")
    house.work()
    assert (house.calls(), house.items(parked=False)) == ([], {})


def test_before_nexus_has_the_consignment_documents_wait(house, delivered):
    house.add(delivered, "POD")
    house.conn.execute("UPDATE consignments SET registered = false, dispatch_state = 'unknown'")
    house.work()
    assert house.calls() == []
    house.conn.execute("UPDATE consignments SET registered = true, dispatch_state = 'completed'")
    house.play_out()
    assert len(house.at_nexus(delivered)) == 1


# Faults: exactly one copy of each document at both ends


@pytest.mark.rule("NX-9-13", "NX-1-24", "NX-1-25", "NX-11-24")
@pytest.mark.parametrize("accept", [True, False])
@pytest.mark.parametrize("effect", ["timeout", "drop", "http_500", "http_503", "garbage", "html"])
def test_after_an_unknown_outcome_it_is_looked_for_and_sent_again_only_if_it_is_not_there(
    house, delivered, effect, accept
):
    for kind in ("SIGNATURE", "POD", "PHOTO"):
        house.add(delivered, kind)
    house.nexus.fault(effect, **UPLOAD, after=1, accept=accept)
    house.work()
    assert house.due_at(delivered, DOCUMENT_UPLOAD) is not None
    house.play_out()
    assert house.at_nexus(delivered) == [
        (code, name(house, delivered, f"{code}_01.jpg")) for code in ("MPOD", "POD", "MPODPHOTOE")
    ]
    assert_both_ends_hold_the_same(house, delivered)
    assert house.uploads() == 3 + (not accept)
    assert house.items(parked=False) == house.items(parked=True) == {}
    assert house.rows("SELECT number FROM document_exchanges") == [(1,)] * 3


@pytest.mark.rule("NX-9-13")
@pytest.mark.parametrize("body", [{}, {"stored": True}])
def test_a_reply_without_an_id_is_a_success(house, delivered, body):
    house.add(delivered, "POD")
    house.nexus.fault("json", **UPLOAD, body=body, status=201)
    house.work()
    house.ask(delivered, DOCUMENT_UPLOAD)
    house.work()
    assert (house.uploads(), len(house.at_nexus(delivered))) == (1, 1)


@pytest.mark.rule("NX-9-13")
def test_the_same_id_for_two_documents_confuses_nobody(house, delivered):
    house.add(delivered, "POD")
    house.add(delivered, "PHOTO")
    house.nexus.fault("json", **UPLOAD, times=2, body={"id": 77}, status=201)
    house.work()
    assert (house.uploads(), len(house.at_nexus(delivered))) == (2, 2)
    assert house.rows("SELECT network_id FROM document_exchanges WHERE done_at IS NOT NULL ORDER BY id") == [
        ("77",),
        (None,),
    ]


@pytest.mark.rule("NX-9-14", "NX-11-24", "NX-1-17")
@pytest.mark.parametrize("status", [413, 415, 400])
def test_a_document_that_nexus_refuses_is_flagged_and_stops_no_other(house, delivered, status):
    for kind in ("SIGNATURE", "POD", "PHOTO"):
        house.add(delivered, kind)
    house.nexus.fault(f"http_{status}", **UPLOAD, after=1)
    house.work()
    assert [type_ for type_, _ in house.at_nexus(delivered)] == ["MPOD", "MPODPHOTOE"]
    assert name(house, delivered, "POD_01.jpg") in parked(house, delivered)
    assert f"HTTP {status}" in parked(house, delivered)
    assert "document refused" in house.history(delivered)

    house.advance(timedelta(days=1))
    house.work()
    assert house.uploads() == 3, "it is not tried again by itself"


@pytest.mark.rule("NX-9-14", "NX-9-12")
def test_a_refused_document_keeps_its_number_and_is_sent_when_somebody_asks(house, delivered):
    house.add(delivered, "POD", "1")
    house.nexus.control("options", upload_mb=0)
    house.work()
    assert "HTTP 413" in parked(house, delivered)
    house.nexus.control("options", upload_mb=10)
    house.add(delivered, "POD", "2")
    house.work()
    assert house.at_nexus(delivered) == [
        ("POD", name(house, delivered, "POD_01.jpg")),
        ("POD", name(house, delivered, "POD_02.jpg")),
    ]
    assert parked(house, delivered) is None


@pytest.mark.rule("NX-2.7-3", "NX-1-26", "NX-9-14")
def test_what_nexus_would_not_take_is_not_even_sent(house, delivered):
    house.template(limits={"upload_mb": "1"})
    house.add(delivered, "PHOTO", "large", data=house.image("PHOTO", "1").ljust(1024 * 1024 + 1, b"\0"))
    house.add(delivered, "PHOTO", "odd", data=b"GIF89a picture", media_type="image/gif", name="odd.gif")
    house.add(delivered, "PHOTO", "good")
    house.work()
    assert house.at_nexus(delivered) == [("MPODPHOTOE", name(house, delivered, "MPODPHOTOE_01.jpg"))]
    assert house.uploads() == 1
    assert "PHOTO large.jpg: has 1.0 MB" in parked(house, delivered)
    assert "odd.gif: is image/gif" in parked(house, delivered)


@pytest.mark.rule("NX-2.9-5", "NX-9-1")
def test_a_type_that_nexus_does_not_have_stops_no_other(house, delivered):
    kinds = {"MPOD": {"name": "Signature", "kind": "SIGNATURE"}}
    house.template(documents={"kinds": kinds})
    house.add(delivered, "SIGNATURE")
    house.add(delivered, "POD")
    house.work()
    assert [type_ for type_, _ in house.at_nexus(delivered)] == ["POD"]
    assert "NX115: 'Signature' (MPOD)" in parked(house, delivered)

    house.template(documents={"kinds": kinds}, ids={"consignmentAttachmentTypes": {"MPOD": "7101"}})
    work_items.requeue(house.conn, network="nexus")
    house.work()
    assert [type_ for type_, _ in house.at_nexus(delivered)] == ["POD", "MPOD"]


@pytest.mark.rule("NX-1-19")
def test_where_nexus_lists_no_files_uploads_rest_and_are_kept(house, delivered):
    house.add(delivered, "POD")
    house.nexus.fault("http_405", path="consignments/*/attachments", method="GET", times=None)
    house.work()
    house.advance(timedelta(hours=1))
    house.work()
    assert house.items(parked=True) == {}
    assert "the work is kept" in house.items(parked=False)[DOCUMENT_UPLOAD, str(delivered)].lower()


@pytest.mark.rule("NX-1-19")
@pytest.mark.parametrize("status", [404, 405])
def test_where_nexus_has_no_such_call_uploads_rest_for_the_run_and_are_kept(house, status):
    several = [house.consignment("delivery") for _ in range(3)]
    for one in several:
        house.deliver(one)
        house.add(one, "POD")
    house.nexus.control("options", not_offered={"upload": status})
    house.work()
    assert house.uploads() == 1, "one was enough to know"
    waiting = house.items(parked=False)
    assert len(waiting) == 3
    assert all(f"HTTP {status}" in reason and "the work is kept" in reason.lower() for reason in waiting.values())

    house.nexus.control("options", not_offered={})
    house.advance(timedelta(hours=1))
    house.work()
    assert [len(house.at_nexus(one)) for one in several] == [1, 1, 1]


@pytest.mark.rule("NX-1-22")
def test_a_pause_that_nexus_asks_for_is_kept_to(house, delivered):
    house.add(delivered, "POD")
    house.nexus.fault("http_429", **UPLOAD, retry_after=60)
    house.work()
    assert house.due_at(delivered, DOCUMENT_UPLOAD) > house.now + timedelta(seconds=50)
    house.play_out()
    assert len(house.at_nexus(delivered)) == 1


@pytest.mark.rule("NX-1-23")
def test_when_the_list_does_not_come_nothing_is_sent(house, delivered):
    house.add(delivered, "POD")
    house.nexus.fault("http_500", path="consignments/*/attachments", method="GET", times=6)
    house.work()
    assert house.uploads() == 0
    assert house.rows("SELECT count(*) FROM document_exchanges") == [(0,)]
    house.play_out()
    assert len(house.at_nexus(delivered)) == 1


def test_a_document_whose_bytes_are_lost_is_flagged_and_stops_no_other(house, delivered, tmp_path):
    picture = house.image("POD", "lost")
    house.add(delivered, "POD", data=picture)
    house.add(delivered, "PHOTO")
    digest = hashlib.sha256(picture).hexdigest()
    (tmp_path / "documents" / digest[:2] / digest).unlink()
    house.work()
    assert [type_ for type_, _ in house.at_nexus(delivered)] == ["MPODPHOTOE"]
    assert "is not there" in parked(house, delivered)


@pytest.mark.rule("NX-9-13")
def test_two_at_the_same_time_send_one_copy(house, delivered):
    """The lease of the first has ended while it still waits for the answer to its upload."""
    house.settle(read_timeout_s=5)
    house.add(delivered, "POD")
    house.nexus.fault("slow", **UPLOAD, seconds=1)
    [item] = work_items.claim(house.conn, "nexus", DOCUMENT_UPLOAD, 1, 60)
    upload = house.handlers()[DOCUMENT_UPLOAD]
    house.reach(house.conn, "PGD302")
    results = []

    def send():
        with connect(house.dsn) as conn:
            results.append(upload(conn, item))

    both = [threading.Thread(target=send) for _ in range(2)]
    for one in both:
        one.start()
    for one in both:
        one.join()
    assert (house.uploads(), len(house.at_nexus(delivered))) == (1, 1)
    assert sorted(result.again_at is not None for result in results) == [False, True]


def test_a_consignment_that_is_gone_is_no_work(house):
    house.ask(4711, DOCUMENT_UPLOAD)
    house.work()
    assert house.items(parked=False) == house.items(parked=True) == {}
