"""What delivering depots add to our consignments comes here: looked for in time, each file once, whatever happens."""

import hashlib
import threading
from datetime import timedelta

import pytest
from tests.networks.nexus.exchanging import House

from palletflow.networks.nexus.document_fetch import MOST_TRIES, RETRY
from palletflow.networks.nexus.work import DOCUMENT_FETCH, DOCUMENT_UPLOAD
from palletflow.store import documents, work_items
from palletflow.store.connection import connect


@pytest.fixture
def house(conn, dsn, plan, nexus_sim, tmp_path):
    made = House(conn, dsn, plan, nexus_sim, tmp_path / "documents")
    yield made
    made.close()


@pytest.fixture
def delivered(house):
    """A consignment that another depot has just delivered for us."""
    one = house.consignment("requesting")
    house.deliver(one)
    return one


def kinds(house, one):
    return sorted(document.kind for document in house.documents(one))


def reasons(house, one):
    return [
        reason
        for (reason,) in house.rows(
            "SELECT reason FROM document_exchanges WHERE consignment_id = %s AND reason IS NOT NULL ORDER BY id", one
        )
    ]


# What is fetched


@pytest.mark.rule("NX-9-5", "NX-9-2", "NX-9-3", "NX-9-4", "NX-9-7", "NX-2.7-1")
def test_signature_pod_and_photo_become_documents_of_the_consignment(house, delivered):
    ids = {type_: house.attach(delivered, type_) for type_ in ("MPOD", "POD", "MPODPHOTOE")}
    house.fetch(delivered)

    held = {document.kind: document for document in house.documents(delivered)}
    assert set(held) == {"SIGNATURE", "POD", "PHOTO"}
    for document in held.values():
        assert (document.source, document.media_type) == ("nexus documents", "image/jpeg")
        data = house.storage.read(document.sha256)
        assert hashlib.sha256(data).hexdigest() in house.hashes_at_nexus(delivered)
    assert held["POD"].name == f"{house.number(delivered)}_POD_01.jpg"
    kept = house.rows("SELECT code, network_id, sha256, direction FROM document_exchanges ORDER BY code")
    by_code = {"MPOD": "SIGNATURE", "POD": "POD", "MPODPHOTOE": "PHOTO"}
    assert kept == [(code, ids[code], held[by_code[code]].sha256, "fetched") for code in ("MPOD", "MPODPHOTOE", "POD")]


@pytest.mark.rule("NX-9-5", "NX-9-6")
@pytest.mark.parametrize("role", ["requesting", "collecting"])
def test_requesting_and_collecting_depots_fetch(house, role):
    one = house.consignment(role)
    house.deliver(one)
    house.attach(one)
    house.fetch(one)
    assert kinds(house, one) == ["POD"]


@pytest.mark.rule("NX-9-5", "NX-9-6", "NX-8-13")
@pytest.mark.parametrize(
    "depots",
    [
        {"role": "delivery"},
        {"role": "none"},
        {"role": "delivery", "network": "PALLEX", "collectingDepotCode": "UKD101"},
        {"role": "requesting", "network": "PALLEX", "deliveryDepotCode": "UKD101"},
    ],
)
def test_where_we_deliver_or_take_no_part_nothing_is_asked(house, depots):
    one = house.consignment(**depots)
    house.deliver(one)
    house.attach(one)
    house.fetch(one)
    assert house.documents(one) == []
    assert house.calls() == []
    assert house.items(parked=False) == house.items(parked=True) == {}


@pytest.mark.rule("NX-9-5")
def test_each_is_asked_for_as_the_depot_that_takes_part(house):
    one = house.consignment("collecting", depot="FTD201")
    house.deliver(one)
    house.attach(one)
    house.fetch(one)
    assert kinds(house, one) == ["POD"]
    assert {request["user"] for request in house.nexus.requests("consignments")} == {"sim_ftd201"}


@pytest.mark.rule("NX-9-20")
def test_other_types_are_ignored_unless_the_template_lists_them(house, delivered):
    house.attach(delivered, "Delivery Note", media="pdf")
    house.fetch(delivered)
    assert (house.documents(delivered), house.downloads()) == ([], 0)

    house.template(documents={"extra_types": {"delivery note": "PAPERWORK"}})
    house.fetch(delivered)
    assert kinds(house, delivered) == ["PAPERWORK"]


@pytest.mark.rule("NX-11-24")
def test_several_photos_are_several_documents(house, delivered):
    house.nexus.attach(house.nexus_id(delivered), type="MPODPHOTOE", count=4)
    house.fetch(delivered)
    assert kinds(house, delivered) == ["PHOTO"] * 4
    assert len({document.sha256 for document in house.documents(delivered)}) == 4
    house.fetch(delivered)
    assert (kinds(house, delivered), house.downloads()) == (["PHOTO"] * 4, 4)


@pytest.mark.rule("NX-2.7-1", "NX-11-18")
def test_an_attachment_s_fields_may_have_other_names_and_gaps(house, delivered):
    house.attach(delivered, "POD")
    house.nexus.control("options", renamed_fields={"fileName": "documentName"}, null_fields=["id", "createdDate"])
    house.template(attachment={"name": ["fileName", "documentName"]})
    house.fetch(delivered)
    house.fetch(delivered)
    assert [document.name for document in house.documents(delivered)] == [f"{house.number(delivered)}_POD_01.jpg"]
    assert house.downloads() == 1


# Each once


@pytest.mark.rule("NX-9-10")
def test_an_id_that_is_known_is_not_fetched_again(house, delivered):
    house.attach(delivered)
    house.fetch(delivered)
    house.fetch(delivered)
    assert (kinds(house, delivered), house.downloads()) == (["POD"], 1)


@pytest.mark.rule("NX-9-9")
def test_a_file_whose_bytes_the_consignment_has_is_linked_and_not_stored_twice(house, delivered):
    ours = house.add(delivered, "PHOTO", data=house.image("POD", "seen"))
    house.attach(delivered, "POD", house.image("POD", "seen"))
    house.attach(delivered, "MPOD", house.image("POD", "seen"))
    house.work(DOCUMENT_FETCH)
    house.fetch(delivered)
    assert [document.id for document in house.documents(delivered)] == [ours]
    linked = house.rows("SELECT code, document_id FROM document_exchanges ORDER BY code")
    assert linked == [("MPOD", ours), ("POD", ours)]
    # Both were found, so the chase is over; and what came from Nexus never goes back to it.
    assert house.due_at(delivered) is None
    house.work(DOCUMENT_UPLOAD)
    assert house.uploads() == 0


@pytest.mark.rule("NX-9-9", "NX-9-10")
def test_a_file_that_changed_under_the_same_name_is_another_document(house, delivered):
    house.attach(delivered, "POD", house.image("POD", "first"), fileName="signed.jpg")
    house.fetch(delivered)
    house.attach(delivered, "POD", house.image("POD", "second"), fileName="signed.jpg")
    house.attach(delivered, "POD", house.image("POD", "first"), fileName="signed.jpg")
    house.fetch(delivered)
    assert [document.name for document in house.documents(delivered)] == ["signed.jpg", "signed.jpg"]
    assert house.rows("SELECT count(*) FROM document_exchanges") == [(3,)]


@pytest.mark.rule("NX-9-7", "NX-9-10")
def test_what_we_sent_ourselves_is_not_fetched_when_the_delivery_becomes_another_s(house):
    """Its id was not in the reply to the upload; its name is known."""
    one = house.consignment("delivery")
    house.deliver(one)
    house.add(one, "POD")
    house.nexus.fault("json", "consignments/*/attachments", "POST", body={"stored": True}, status=201)
    house.work(DOCUMENT_UPLOAD)
    assert house.at_nexus(one) == [("POD", f"{house.number(one)}_POD_01.jpg")]

    house.conn.execute("UPDATE consignments SET our_roles = '{requesting}' WHERE id = %s", (one,))
    house.nexus.attach(house.nexus_id(one), type="MPOD")
    house.fetch(one)
    assert (kinds(house, one), house.downloads()) == (["POD", "SIGNATURE"], 1)


def test_two_at_the_same_time_keep_one(house, delivered):
    """The lease of the first has ended while it still waits for a file."""
    house.nexus.attach(house.nexus_id(delivered), type="POD", count=3)
    house.nexus.fault("slow", "files/*", times=2, seconds=0.3)
    house.ask(delivered)
    [item] = work_items.claim(house.conn, "nexus", DOCUMENT_FETCH, 1, 60)
    fetch = house.handlers()[DOCUMENT_FETCH]
    house.reach(house.conn, "PGD302")

    def look():
        with connect(house.dsn) as conn:
            fetch(conn, item)

    both = [threading.Thread(target=look) for _ in range(2)]
    for one in both:
        one.start()
    for one in both:
        one.join()
    assert house.downloads() > 3, "they did not meet"
    assert kinds(house, delivered) == ["POD"] * 3
    assert house.rows("SELECT count(*) FROM document_exchanges") == [(3,)]


# The chase


@pytest.mark.rule("NX-9-16", "NX-9-17")
def test_the_chase_follows_its_schedule_from_the_delivery_until_signature_and_pod_are_held(house):
    one = house.consignment("requesting")
    at = house.deliver(one, timedelta(seconds=2))
    house.fetch(one)
    assert house.due_at(one) == at + timedelta(minutes=5)

    for minutes, following in ((5, 15), (15, 30), (30, 60), (60, 60 + 360), (60 + 360, 60 + 720)):
        house.advance(house.due_at(one) - house.now)
        house.work(DOCUMENT_FETCH)
        [(at,)] = house.rows("SELECT completed_at FROM stops WHERE completed_at IS NOT NULL")
        assert house.due_at(one) == at + timedelta(minutes=following), minutes

    house.attach(one, "POD")
    house.advance(timedelta(hours=6))
    house.work(DOCUMENT_FETCH)
    assert kinds(house, one) == ["POD"]
    assert house.due_at(one) is not None, "the signature is still wanted"

    house.attach(one, "MPOD")
    house.advance(timedelta(hours=6))
    house.work(DOCUMENT_FETCH)
    assert kinds(house, one) == ["POD", "SIGNATURE"]
    assert house.items(parked=False) == house.items(parked=True) == {}


@pytest.mark.rule("NX-9-16", "NX-11-24")
def test_a_pod_that_comes_days_late_is_found(house, delivered):
    house.fetch(delivered)
    for _ in range(20):
        house.advance(house.due_at(delivered) - house.now)
        house.work(DOCUMENT_FETCH)
    house.attach(delivered, "POD")
    house.attach(delivered, "MPOD")
    house.play_out()
    assert kinds(house, delivered) == ["POD", "SIGNATURE"]


@pytest.mark.rule("NX-9-16")
def test_the_chase_ends_after_two_weeks(house, delivered):
    house.fetch(delivered)
    house.play_out(80)
    listed = len([call for call in house.calls() if call.endswith("/attachments")])
    assert 55 <= listed <= 62
    assert house.items(parked=False) == house.items(parked=True) == {}


@pytest.mark.rule("NX-9-16")
def test_the_connection_says_how_long_the_chase_is(house, delivered):
    house.settle(pod_chase_days=0)
    house.fetch(delivered)
    assert house.due_at(delivered) is None


@pytest.mark.rule("NX-9-18")
@pytest.mark.parametrize("days", [20, 0.001])
def test_fetch_now_looks_at_any_time(house, days):
    """During the chase, and long after it has ended."""
    one = house.consignment("requesting")
    house.deliver(one, timedelta(days=days))
    house.fetch(one)
    house.attach(one, "POD")
    house.fetch(one)
    assert kinds(house, one) == ["POD"]
    assert (house.due_at(one) is None) == (days == 20)


@pytest.mark.rule("NX-9-18")
def test_fetch_now_works_before_the_delivery_and_begins_no_chase(house):
    one = house.consignment("requesting")
    house.attach(one, "POD")
    house.fetch(one)
    assert kinds(house, one) == ["POD"]
    assert house.due_at(one) is None


@pytest.mark.rule("NX-9-18", "NX-9-17")
def test_fetch_now_finds_photos_that_came_after_the_chase(house, delivered):
    house.attach(delivered, "MPOD")
    house.attach(delivered, "POD")
    house.fetch(delivered)
    assert house.due_at(delivered) is None
    house.attach(delivered, "MPODPHOTOE")
    house.fetch(delivered)
    assert kinds(house, delivered) == ["PHOTO", "POD", "SIGNATURE"]
    assert house.due_at(delivered) is None


@pytest.mark.rule("NX-9-16")
def test_a_cancelled_order_s_documents_are_not_looked_for(house, delivered):
    house.conn.execute("UPDATE orders SET cancelled_at = now()")
    house.fetch(delivered)
    assert house.calls() == []


# Faults


@pytest.mark.rule("NX-2.7-4", "NX-11-21")
def test_bytes_that_are_no_document_are_parked_and_stop_no_other(house, delivered):
    house.attach(delivered, "POD", media="broken")
    house.attach(delivered, "MPOD")
    house.attach(delivered, "POD", b"<html>Service notice</html>", fileName="pod.jpg")
    house.fetch(delivered)
    assert kinds(house, delivered) == ["SIGNATURE"]
    assert [reason[:11] for reason in reasons(house, delivered)] == [
        f"POD {house.number(delivered)}"[:11],
        "POD pod.jpg",
    ]
    assert all("no PDF, JPEG, PNG or TIFF" in reason for reason in reasons(house, delivered))
    assert house.history(delivered).count("document parked") == 2
    downloads = house.downloads()

    house.advance(timedelta(hours=1))
    house.work(DOCUMENT_FETCH)
    assert house.downloads() == downloads, "the chase goes on without them"

    house.attach(delivered, "POD")
    house.play_out()
    assert kinds(house, delivered) == ["POD", "SIGNATURE"]


@pytest.mark.rule("NX-2.7-4", "NX-9-18")
def test_what_was_parked_is_tried_again_when_somebody_asks(house, delivered):
    house.attach(delivered, "POD")
    house.nexus.fault("broken", "files/*")
    house.fetch(delivered)
    assert house.documents(delivered) == []

    house.fetch(delivered)
    assert (kinds(house, delivered), reasons(house, delivered)) == (["POD"], [])


@pytest.mark.rule("NX-1-33", "NX-11-21")
@pytest.mark.parametrize("announced", [True, False])
def test_a_file_that_is_too_large_is_parked(house, delivered, announced):
    house.settle(max_download_mb=0.5)
    house.attach(delivered, "POD")
    house.attach(delivered, "MPOD")
    house.nexus.fault("oversize", "files/*", mb=1, announced=announced)
    house.fetch(delivered)
    assert kinds(house, delivered) == ["SIGNATURE"]
    assert "0.5 MB" in reasons(house, delivered)[0]


@pytest.mark.rule("NX-1-30", "NX-1-32", "NX-11-21")
@pytest.mark.parametrize("where", ["foreign", "redirect"])
def test_a_file_on_another_host_is_fetched_without_the_bearer_or_parked(house, delivered, where):
    """The simulator lists every bearer that reaches its second listener as a violation."""
    house.nexus.control("options", file_host=where)
    house.attach(delivered, "POD")
    house.settle(attachment_hosts=["files.example.com"])
    house.fetch(delivered)
    assert house.documents(delivered) == []
    assert "not one of the attachment_hosts" in reasons(house, delivered)[0]

    house.settle(attachment_hosts=["127.0.0.1"])
    house.fetch(delivered)
    assert kinds(house, delivered) == ["POD"]


@pytest.mark.rule("NX-1-31")
def test_a_redirect_within_nexus_is_followed(house, delivered):
    house.nexus.control("options", file_host="redirect_own")
    house.attach(delivered, "POD")
    house.fetch(delivered)
    assert kinds(house, delivered) == ["POD"]


@pytest.mark.rule("NX-1-23")
@pytest.mark.parametrize("effect", ["http_500", "drop", "truncated", "timeout"])
def test_a_file_that_does_not_come_is_tried_again_and_stops_no_other(house, delivered, effect):
    house.attach(delivered, "POD")
    house.attach(delivered, "MPOD")
    house.nexus.fault(effect, "files/*", times=6)
    house.fetch(delivered)
    assert kinds(house, delivered) == ["SIGNATURE"]
    assert house.due_at(delivered) <= house.now + RETRY

    house.advance(RETRY)
    house.work(DOCUMENT_FETCH)
    assert kinds(house, delivered) == ["POD", "SIGNATURE"]
    assert house.items(parked=False) == house.items(parked=True) == {}


@pytest.mark.rule("NX-2.7-4")
def test_a_file_that_never_comes_is_given_up_and_the_chase_goes_on(house, delivered):
    house.attach(delivered, "POD")
    house.nexus.fault("http_503", "files/*", times=None)
    house.fetch(delivered)
    for _ in range(MOST_TRIES + 2):
        house.advance(house.due_at(delivered) - house.now)
        house.work(DOCUMENT_FETCH)
    tries = house.downloads()
    assert house.history(delivered).count("document parked") == 1
    house.advance(timedelta(hours=7))
    house.work(DOCUMENT_FETCH)
    assert house.downloads() == tries
    assert house.due_at(delivered) is not None

    house.nexus.control("faults", clear=True)
    house.attach(delivered, "POD")
    house.fetch(delivered)
    assert kinds(house, delivered) == ["POD", "POD"]


def test_a_file_without_an_address_is_tried_again(house, delivered):
    house.attach(delivered, "POD")
    house.nexus.control("options", null_fields=["url"])
    house.fetch(delivered)
    assert "no address" in reasons(house, delivered)[0]
    house.nexus.control("options", null_fields=[])
    house.advance(RETRY)
    house.work(DOCUMENT_FETCH)
    assert kinds(house, delivered) == ["POD"]


@pytest.mark.rule("NX-1-23", "NX-1-25")
@pytest.mark.parametrize("effect", ["http_500", "drop", "html", "garbage"])
def test_when_the_list_does_not_come_nothing_is_lost(house, delivered, effect):
    house.attach(delivered, "POD")
    house.attach(delivered, "MPOD")
    house.nexus.fault(effect, "consignments/*/attachments", times=6)
    house.fetch(delivered)
    assert house.documents(delivered) == []
    assert house.items(parked=False)[DOCUMENT_FETCH, str(delivered)]
    house.play_out()
    assert kinds(house, delivered) == ["POD", "SIGNATURE"]


@pytest.mark.rule("NX-1-22")
def test_what_came_before_a_pause_that_nexus_asks_for_is_kept(house, delivered):
    house.attach(delivered, "MPOD")
    house.attach(delivered, "POD")
    house.nexus.fault("http_429", "files/*", after=1, retry_after=120)
    house.fetch(delivered)
    assert kinds(house, delivered) == ["SIGNATURE"]
    house.play_out()
    assert (kinds(house, delivered), house.downloads()) == (["POD", "SIGNATURE"], 3)


@pytest.mark.rule("NX-1-19")
def test_where_nexus_lists_no_files_the_chase_rests_for_the_run_and_is_kept(house):
    several = [house.consignment("requesting") for _ in range(3)]
    house.nexus.fault("http_405", path="consignments/*/attachments", method="GET", times=None)
    for one in several:
        house.deliver(one)
        house.ask(one)
    house.work()
    assert sum(call.endswith("/attachments") for call in house.calls()) == 1
    house.advance(timedelta(hours=1))
    house.work()
    assert house.items(parked=True) == {}
    waiting = house.items(parked=False)
    assert len(waiting) == 3
    assert all("the work is kept" in reason.lower() for reason in waiting.values())


@pytest.mark.rule("NX-1-20", "NX-11-25")
def test_a_consignment_that_nexus_does_not_show_us_is_left_to_a_person(house, delivered):
    house.conn.execute("UPDATE consignments SET tracking_number = '1' WHERE id = %s", (delivered,))
    house.fetch(delivered)
    assert "404" in house.items(parked=True)[DOCUMENT_FETCH, str(delivered)]


def test_an_unregistered_consignment_is_not_asked_for(house, delivered):
    house.conn.execute("UPDATE consignments SET registered = false WHERE id = %s", (delivered,))
    house.fetch(delivered)
    assert (house.calls(), house.items(parked=False)) == ([], {})


def test_a_consignment_that_is_gone_is_no_work(house):
    house.fetch(4711)
    assert house.items(parked=False) == house.items(parked=True) == {}


def test_a_name_no_disk_would_take_is_made_safe(house, delivered):
    house.attach(delivered, "POD", fileName="..\\..\\con.exe\0")
    house.fetch(delivered)
    [document] = house.documents(delivered)
    assert document.name == "document con.exe.jpg"
    assert documents.by_id(house.conn, document.id) == document
