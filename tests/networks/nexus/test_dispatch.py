"""Dispatch from a completed task to the label, with the real queue, store and network (contract 6).

Every test looks at both sides: the state of the task, and what Nexus holds of the order.
"""

from datetime import UTC, datetime, time
from functools import partialmethod

import pytest
from tests.networks.dispatching import faults
from tests.networks.nexus.dispatching import COLLECTION, TUESDAY, WEDNESDAY
from tests.networks.nexus.facts import AMAZON

from palletflow.networks.nexus import payload, rules
from palletflow.networks.nexus.client import NexusClient
from palletflow.networks.nexus.dispatch import Dispatcher
from palletflow.networks.nexus.work import DISPATCH, LABEL, NETWORK
from palletflow.store import lookup_cache, session_lock, work_items
from palletflow.store.connection import connect
from palletflow.store.lookup_cache import Kept

CREATE = {"method": "POST", "path": "consignments"}
SEARCH = {"method": "GET", "path": "consignments"}


# The usual way


@pytest.mark.rule("NX-6-1", "NX-6-2", "NX-6-13", "NX-2.4-17", "NX-3-1", "NX-3-3", "NX-3-4")
def test_a_completed_task_is_created_and_its_label_follows(haulier):
    order = haulier.order()
    haulier.dispatch(order)
    assert haulier.state(order) == "waiting"
    haulier.work()

    [held] = haulier.of_order(order)
    task = haulier.task(order)
    assert (task.state, task.warnings, task.faults) == ("completed", [], [])
    assert haulier.one(
        "SELECT tracking_number, registered, consignment_number, requesting_depot, our_roles, lifecycle_status "
        "FROM consignments"
    ) == (str(held["consignmentID"]), True, "QG0000001", "PGD302", ["requesting", "collecting"], "CREATED")
    assert held["consignmentNumber"] == "QG0000001"
    assert haulier.barcodes() == [(code, "confirmed") for code in held["barcodes"]]
    [label] = haulier.labels(order)
    assert (label.name, label.pallet_number, label.stale_at) == ("label_QG0000001.pdf", None, None)
    assert haulier.storage.read(label.sha256).startswith(b"%PDF-")
    haulier.later(2)
    assert haulier.items(parked=True) == haulier.items(parked=False) == {}


@pytest.mark.rule("NX-6-2", "NX-6-13")
def test_every_step_stands_in_the_history_and_the_label_comes_before_anything_is_read_back(haulier):
    order = haulier.sent()
    haulier.later(2)

    assert haulier.history(order) == [
        "created", "put on a trip", "dispatch task completed", "sending begun", "dispatched", "document added",
    ]  # fmt: skip
    [(changes,)] = haulier.rows("SELECT changes FROM activity WHERE kind = 'dispatched'")
    assert changes == {
        "dispatch_state": ["waiting", "completed"],
        "tracking_number": [None, haulier.fact(order, "tracking_number")],
    }
    number = haulier.fact(order, "tracking_number")
    assert haulier.calls()[-3:] == [
        "POST /consignments", f"GET /consignments/{number}/labels", f"GET /consignments/{number}",
    ]  # fmt: skip


@pytest.mark.rule("NX-4-1", "NX-4-4", "NX-2.4-2", "NX-2.4-16", "NX-3-9")
def test_the_resource_decides_on_network_and_customer_id(haulier):
    pallex = haulier.sent()
    fortec = haulier.sent(resource="FORTEC_OUT", additional_fields={"nexus_origin": "FORTEC"})

    assert [(held["network"], held["customerID"]) for held in haulier.of_order(pallex)] == [("PALLEX", 20001)]
    assert [(held["network"], held["customerID"]) for held in haulier.of_order(fortec)] == [("FORTEC", 30001)]
    assert haulier.fact(fortec, "consignment_number") == "QG0000002", "one sequence for both networks"


@pytest.mark.rule("NX-2.4-3", "NX-2.4-5", "NX-2.4-6", "NX-2.4-9", "NX-2.4-10", "NX-2.4-12", "NX-2.4-13", "NX-5-21")
def test_nexus_takes_everything_an_order_can_have(haulier):
    order = haulier.sent(
        service="B", surcharges=["AMAZON"], carton_count=12, reference="x" * 50, goods_description="y" * 100,
        notes=["Ring the bell", "Dock 4"], notification_email="in@example.com", pickup={"postcode": "NG7 1AA"},
        additional_fields={
            **AMAZON, "booking_date": WEDNESDAY.isoformat(), "collection_email": "out@example.com",
            "limited_quantities": "true",
        },
        pallet_types=["FULL", "HALF", "QUARTER", "MINI", "MEGA", "LIGHT"],
        pallet_details=[{"base": "CHEP", "do_not_stack": True, "weight_kg": 300.5, "length_cm": 110}, *[{}] * 5],
    )  # fmt: skip

    assert haulier.task(order).faults == []
    [held] = haulier.of_order(order)
    assert held["deliveryService"]["name"] == "Economy Book In"
    assert (held["dueDate"], held["startWindow"], held["endWindow"]) == (WEDNESDAY.isoformat(), "10:30", "10:30")
    assert held["notes"].endswith(f"AMZ ASN=ASN1;CTN=12;BOOK={WEDNESDAY.isoformat()}T10:30")
    assert (held["colAddressPostcode"], held["colAddressEmail"]) == ("NG7 1AA", "out@example.com")
    types = ["Full", "Half", "Quarter", "Mini Quarter", "Megafull", "Light"]
    assert [pallet["palletType"]["name"] for pallet in held["pallets"]] == types
    first = held["pallets"][0]
    assert (first["palletBase"]["name"], first["doNotStack"], first["weight"], first["length"]) == (
        "CHEP", True, 300.5, 110,
    )  # fmt: skip
    assert round(sum(pallet["weight"] for pallet in held["pallets"]), 2) == 850
    assert held["limitedQuantities"] is True


@pytest.mark.rule("NX-5-1", "NX-5-2", "NX-2.4-8", "NX-2.4-9", "NX-2.4-10")
@pytest.mark.parametrize("window", ["", "AM", "TD", "BI"])
@pytest.mark.parametrize(("level", "day"), [("A", None), ("B", None), ("SD", WEDNESDAY)])
def test_every_service_is_taken(haulier, level, day, window):
    order = haulier.sent(
        service=level, surcharges=[window] if window else [], delivery_date=day and day.isoformat(),
        additional_fields={"delivery_from": "10:00", "delivery_to": "11:00"},
    )  # fmt: skip
    [held] = haulier.of_order(order)
    names = {"": "", "AM": " AM", "TD": " Timed", "BI": " Book In"}
    levels = {"A": "Premium", "B": "Economy", "SD": "Specific Day"}
    assert held["deliveryService"]["name"] == levels[level] + names[window]
    if window == "TD":
        assert held["dueDate"] == (TUESDAY if level == "A" else WEDNESDAY).isoformat()


@pytest.mark.rule("NX-2.9-2", "NX-11-6")
def test_no_id_of_nexus_is_known_beforehand(haulier):
    haulier.nexus.control("options", shift_ids=1000)
    order = haulier.sent(surcharges=["AM"])
    [held] = haulier.of_order(order)
    assert (held["deliveryService"]["name"], held["pallets"][0]["palletType"]["name"]) == ("Premium AM", "Full")


@pytest.mark.rule("NX-2.4-11", "NX-2.9-5")
@pytest.mark.parametrize(
    ("rows", "id_"),
    [
        ([{"id": 81, "name": "Atlantis", "isoCode": "GB"}, {"id": 82, "name": "United Kingdom"}], 81),
        ([{"id": 81, "name": "Ireland"}, {"id": 82, "name": "united  kingdom"}], 82),
        ([{"id": 81, "name": "Ireland", "isoCode": "IE"}], None),
    ],
)
def test_a_country_is_found_by_its_code_else_by_its_name(haulier, monkeypatch, rows, id_):
    lookup_cache.write(haulier.conn, "nexus_pgd302", "countries", Kept(rows, haulier.now))
    sent = []
    monkeypatch.setattr(NexusClient, "create", lambda _, body: sent.append(body) or {"consignmentID": 700001})
    # Where it is not there it is asked for once more.
    monkeypatch.setattr(NexusClient, "lookup", partialmethod(lookup, rows))
    order = haulier.sent()

    assert [body["deliveryAddress"]["countryID"] for body in sent] == ([id_] if id_ else [])
    assert faults(haulier.task(order)) == ({} if id_ else {"countries.GB": "NX115"})


def lookup(client, countries, name, asked=NexusClient.lookup):
    return countries if name == "countries" else asked(client, name)


@pytest.mark.rule("NX-2.4-2")
def test_the_customer_id_can_be_sent_as_a_number(haulier):
    haulier.nexus.control("options", customer_id_as="integer")
    haulier.settle(customer_id_as="integer")
    assert haulier.state(haulier.sent()) == "completed"


@pytest.mark.rule("NX-3-3")
def test_the_prefix_of_our_numbers_is_a_setting(haulier):
    haulier.template("number: {prefix: HAUL}")
    assert haulier.of_order(haulier.sent())[0]["consignmentNumber"] == "HAUL0000001"


def test_work_that_comes_twice_sends_once(haulier):
    order = haulier.sent()
    before = haulier.history(order)
    for kind in (DISPATCH, LABEL):
        work_items.enqueue(haulier.conn, NETWORK, kind, [haulier.consignment(order)])
    haulier.work()

    assert len(haulier.creates()) == 1
    assert len(haulier.labels(order)) == 1
    assert haulier.history(order) == before


@pytest.mark.rule("NX-6-1")
def test_a_consignment_deleted_meanwhile_leaves_nothing_to_do(haulier):
    order = haulier.order()
    haulier.dispatch(order)
    haulier.conn.execute("DELETE FROM orders WHERE id = %s", (order,))

    assert haulier.work() == {"dispatch": {"done": 1}}
    assert haulier.calls() == []


# What is saved before, and who may


@pytest.mark.rule("NX-6-3", "NX-3-3")
def test_number_and_digest_are_committed_before_the_post(haulier, monkeypatch):
    create, seen = NexusClient.create, []

    def looked_at(client, body):
        with connect(haulier.dsn) as other:
            seen.append(
                other.execute(
                    "SELECT c.consignment_number, t.sent_digest, t.sent_at IS NOT NULL FROM consignments c "
                    "JOIN dispatch_tasks t ON t.consignment_id = c.id"
                ).fetchall()
            )
        seen.append(payload.digest(body))
        return create(client, body)

    monkeypatch.setattr(NexusClient, "create", looked_at)
    order = haulier.sent()

    [saved, digest] = seen
    assert saved == [("QG0000001", digest, True)]
    assert haulier.state(order) == "completed"


@pytest.mark.rule("NX-6-4")
def test_a_consignment_somebody_else_works_on_waits(haulier):
    order = haulier.order()
    haulier.dispatch(order)
    with connect(haulier.dsn) as other, session_lock.alone(other, f"nexus consignment {haulier.consignment(order)}"):
        assert haulier.work() == {"dispatch": {"again": 1}}
        assert haulier.calls() == []
    haulier.later(5)
    assert haulier.state(order) == "completed"


@pytest.mark.rule("NX-6-4")
def test_the_lock_is_held_while_nexus_is_asked(haulier, monkeypatch):
    create, seen = NexusClient.create, []

    def tried(client, body):
        [(consignment_id,)] = haulier.rows("SELECT id FROM consignments")
        with connect(haulier.dsn) as other, session_lock.alone(other, f"nexus consignment {consignment_id}") as alone:
            seen.append(alone)
        return create(client, body)

    monkeypatch.setattr(NexusClient, "create", tried)
    haulier.sent()
    assert seen == [False]


def test_an_order_changed_while_its_rules_are_checked_is_looked_at_anew(haulier, monkeypatch):
    order = haulier.order()
    check, checked = rules.preflight, []

    def changed_meanwhile(*arguments, **options):
        found = check(*arguments, **options)
        if not checked:
            haulier.change(order, "service", "X")
        checked.append(found)
        return found

    monkeypatch.setattr(rules, "preflight", changed_meanwhile)
    haulier.dispatch(order)
    haulier.work()

    assert checked[0] == []
    assert haulier.creates() == []
    assert faults(haulier.task(order)) == {"service": "NX108"}


# Cut-off


@pytest.mark.rule("NX-5-15", "NX-5-14", "NX-4-20", "NX-11-26")
def test_the_cut_off_is_looked_at_again_right_before_the_post(haulier, monkeypatch):
    order = haulier.order()
    moments = iter([datetime.combine(COLLECTION, time(10), UTC), datetime.combine(COLLECTION, time(12, 1), UTC)])
    behind, seen = rules.behind_cutoff, []

    def at_noon(collection, form, _now):
        found = list(behind(collection, form, next(moments)))
        seen.append([fault.code for fault in found])
        return iter(found)

    monkeypatch.setattr(rules, "behind_cutoff", at_noon)
    haulier.dispatch(order)
    haulier.work()

    assert seen == [[], ["NX111"]]
    task = haulier.task(order)
    assert (task.state, task.sent_at, faults(task)) == ("failed", None, {"collection_date": "NX111"})
    assert haulier.creates() == []


@pytest.mark.rule("NX-5-15")
def test_what_nexus_has_already_is_adopted_behind_the_cut_off(haulier):
    haulier.nexus.fault("timeout", **CREATE, accept=True)
    haulier.nexus.fault("http_500", **SEARCH, times=None)
    order = haulier.sent()
    assert haulier.state(order) == "unknown"
    haulier.nexus.control("faults", clear=True)
    # It was sent in time, and is found in the afternoon of the day of collection.
    haulier.ahead = datetime.combine(COLLECTION, time(15), UTC) - datetime.now(UTC)
    haulier.later(60)

    assert haulier.state(order) == "completed"
    assert len(haulier.creates()) == 1


@pytest.mark.rule("NX-5-15", "NX-6-10")
def test_behind_the_cut_off_nothing_is_sent_again(haulier):
    haulier.nexus.fault("timeout", **CREATE, accept=False)
    order = haulier.sent()
    haulier.later(5, 25)
    haulier.change(order, "collection_date", "2020-01-06")
    haulier.later(90)

    assert (haulier.state(order), faults(haulier.task(order))) == ("failed", {"collection_date": "NX111"})
    assert len(haulier.creates()) == 1


# Refused


@pytest.mark.rule("NX-6-2", "NX-1-17")
@pytest.mark.parametrize("form", ["problem", "text", "meta", "errors", "empty"])
def test_a_refusal_fails_with_what_nexus_says_and_the_next_attempt_is_a_person_s(haulier, form):
    haulier.nexus.fault("http_400", **CREATE, form=form)
    order = haulier.sent()

    task = haulier.task(order)
    assert (task.state, faults(task)) == ("failed", {"order": "REFUSED"})
    assert "HTTP 400" in task.faults[0]["reason"]
    assert task.sent_at is not None
    assert haulier.history(order)[-1] == "dispatch refused by the network"
    haulier.later(3600)
    assert len(haulier.creates()) == 1

    haulier.send_again(order)
    haulier.work()
    assert (haulier.state(order), haulier.task(order).attempt) == ("completed", 2)
    [held] = haulier.of_order(order)
    assert held["consignmentNumber"] == "QG0000001", "a number that was refused is not lost"


@pytest.mark.rule("NX-6-10")
def test_another_attempt_looks_first_whether_nexus_has_it_after_all(haulier):
    haulier.nexus.fault("http_400", **CREATE, accept=True)
    order = haulier.sent()
    assert (haulier.state(order), len(haulier.of_order(order))) == ("failed", 1)

    haulier.complete(order)
    haulier.work()
    assert haulier.state(order) == "completed"
    assert (len(haulier.creates()), len(haulier.of_order(order))) == (1, 1)


@pytest.mark.rule("NX-1-19")
@pytest.mark.parametrize("status", [404, 405])
def test_a_create_that_nexus_does_not_offer_rests_and_its_work_is_kept(haulier, status):
    haulier.nexus.control("options", not_offered={"create": status})
    orders = [haulier.order(reference=f"SO-{number}") for number in range(3)]
    for order in orders:
        haulier.dispatch(order)
    haulier.work()

    assert len(haulier.creates()) == 1
    assert [haulier.state(order) for order in orders] == ["waiting"] * 3
    assert [haulier.task(order).sent_at for order in orders] == [None] * 3
    assert len(haulier.items(parked=False)) == 3
    reasons = haulier.items(parked=False).values()
    assert all("POST consignments" in (reason or "") for reason in reasons), reasons

    haulier.nexus.control("options", not_offered={})
    haulier.settle()
    haulier.later(3600)
    assert [haulier.state(order) for order in orders] == ["completed"] * 3


# Unknown


@pytest.mark.rule("NX-6-6", "NX-6-7", "NX-6-12", "NX-2.4-17")
def test_what_may_have_been_created_is_searched_for_at_once_and_adopted(haulier):
    haulier.nexus.fault("timeout", **CREATE, accept=True)
    order = haulier.sent()

    [held] = haulier.of_order(order)
    assert haulier.state(order) == "completed"
    assert haulier.fact(order, "tracking_number") == str(held["consignmentID"])
    assert [code for code, _ in haulier.barcodes()] == held["barcodes"]
    assert [search["query"]["searchterm"] for search in haulier.searches()] == ["QG0000001"] * len(haulier.searches())
    assert "outcome unknown" in haulier.history(order)
    assert len(haulier.creates()) == 1
    assert len(haulier.labels(order)) == 1


@pytest.mark.rule("NX-6-9", "NX-6-10", "NX-6-3")
def test_after_four_empty_searches_the_same_is_sent_once_more(haulier):
    haulier.nexus.fault("timeout", **CREATE, accept=False)
    order = haulier.sent()
    digest = haulier.task(order).sent_digest

    def searched() -> int:
        return haulier.task(order).lookups

    assert (haulier.state(order), searched()) == ("unknown", 1)
    haulier.later(5)
    assert searched() == 2
    haulier.later(24)
    assert searched() == 2, "the third comes 30 s after the sending"
    haulier.later(1)
    assert searched() == 3
    assert len(haulier.creates()) == 1
    haulier.later(90)

    assert haulier.state(order) == "completed"
    assert len(haulier.creates()) == 2
    assert haulier.task(order).sent_digest == digest
    [held] = haulier.of_order(order)
    assert held["consignmentNumber"] == "QG0000001"


@pytest.mark.rule("NX-6-9")
def test_when_it_is_searched_for_is_a_setting(haulier):
    haulier.settle(reconcile_delays=[7])
    haulier.nexus.fault("timeout", **CREATE, accept=False)
    order = haulier.sent()
    assert haulier.state(order) == "unknown"
    haulier.later(7)
    assert (haulier.state(order), len(haulier.creates())) == ("completed", 2)


@pytest.mark.rule("NX-6-10")
def test_sent_again_and_lost_again_it_is_left_to_a_person(haulier):
    haulier.nexus.fault("timeout", **CREATE, accept=False, times=2)
    order = haulier.sent()
    haulier.later(5, 25, 90)
    assert len(haulier.creates()) == 2
    haulier.later(5, 25, 90)

    [reason] = haulier.items(parked=True).values()
    assert "look up now" in reason
    assert "send again" in reason
    assert haulier.state(order) == "unknown"
    haulier.later(86_400)
    assert len(haulier.creates()) == 2

    haulier.look_up_now(order)
    haulier.work()
    assert (haulier.state(order), len(haulier.creates())) == ("unknown", 2)
    haulier.send_again(order)
    haulier.work()
    assert haulier.state(order) == "completed"
    assert (len(haulier.creates()), len(haulier.of_order(order))) == (3, 1)


@pytest.mark.rule("NX-6-10")
def test_a_person_who_sends_again_waits_for_the_searches(haulier):
    haulier.nexus.fault("timeout", **CREATE, accept=False)
    order = haulier.sent()
    haulier.send_again(order)
    haulier.work()
    assert len(haulier.creates()) == 1
    haulier.later(5, 25, 90)

    assert haulier.state(order) == "completed"
    assert len(haulier.creates()) == 2


@pytest.mark.rule("NX-6-9")
def test_a_search_that_a_person_asks_for_does_not_count(haulier):
    haulier.settle(reconcile_delays=[600, 700])
    haulier.nexus.fault("timeout", **CREATE, accept=False)
    order = haulier.sent()
    searched = len(haulier.searches())
    for _ in range(3):
        haulier.look_up_now(order)
        haulier.work()

    assert len(haulier.searches()) > searched
    assert (haulier.state(order), haulier.task(order).lookups) == ("unknown", 1)
    haulier.later(600)
    assert haulier.task(order).lookups == 2
    assert len(haulier.creates()) == 1


@pytest.mark.rule("NX-6-10")
def test_what_was_changed_while_nobody_knew_is_not_sent_again_by_itself(haulier):
    haulier.nexus.fault("timeout", **CREATE, accept=False)
    order = haulier.sent()
    haulier.change(order, "notes", ["Ring twice"])
    haulier.later(5, 25, 90)

    assert (haulier.state(order), faults(haulier.task(order))) == ("failed", {"order": "CHANGED"})
    assert len(haulier.creates()) == 1

    haulier.complete(order)
    haulier.work()
    assert haulier.state(order) == "completed"
    [held] = haulier.of_order(order)
    assert (held["consignmentNumber"], held["notes"]) == ("QG0000001", "Ring twice")


@pytest.mark.rule("NX-6-10")
def test_what_has_become_wrong_while_nobody_knew_is_not_sent_again(haulier):
    haulier.nexus.fault("timeout", **CREATE, accept=False)
    order = haulier.sent()
    haulier.change(order, "service", "X")
    haulier.change(order, "weight_kg", None)
    haulier.later(5, 25, 90)

    assert haulier.state(order) == "failed"
    assert faults(haulier.task(order)) == {"service": "NX108", "weight_kg": "NX113"}
    assert len(haulier.creates()) == 1


@pytest.mark.rule("NX-6-10")
def test_a_cancelled_order_is_searched_for_and_not_sent_again(haulier):
    haulier.nexus.fault("timeout", **CREATE, accept=False)
    order = haulier.sent()
    haulier.conn.execute("UPDATE orders SET cancelled_at = now() WHERE id = %s", (order,))
    haulier.later(5, 25, 90)

    assert (haulier.state(order), faults(haulier.task(order))) == ("failed", {"order": "CANCELLED"})
    assert len(haulier.creates()) == 1


@pytest.mark.rule("NX-2.4-17")
def test_an_answer_without_an_id_is_searched_for(haulier):
    haulier.nexus.fault("without", **CREATE, fields=["consignmentID"])
    order = haulier.sent()

    assert haulier.state(order) == "completed"
    assert (len(haulier.creates()), len(haulier.of_order(order))) == (1, 1)


@pytest.mark.rule("NX-2.4-17")
def test_missing_barcodes_are_read(haulier):
    haulier.nexus.fault("without", **CREATE, fields=["pallets"])
    order = haulier.sent()
    assert (haulier.state(order), haulier.barcodes()) == ("completed", [])
    haulier.later(2)

    assert haulier.state(order) == "completed"
    assert haulier.barcodes() == [(code, "confirmed") for code in haulier.of_order(order)[0]["barcodes"]]


def test_what_is_cancelled_while_it_is_read_back_gets_no_barcodes(haulier):
    haulier.nexus.fault("without", **CREATE, fields=["pallets"])
    order = haulier.sent()
    haulier.advance(2)
    [item] = work_items.claim(haulier.conn, NETWORK, DISPATCH, 1, 60)
    read_back = Dispatcher(haulier.plan, haulier.reach, lambda: haulier.now)(haulier.conn, item)
    haulier.cancel(order)
    haulier.work("cancel")
    with haulier.conn.transaction():
        read_back.record(haulier.conn)

    assert (haulier.state(order), haulier.barcodes()) == ("todo", [])
    assert haulier.one("SELECT echo FROM dispatch_tasks") == ({},)


@pytest.mark.rule("NX-3-5", "NX-3-4")
def test_odd_barcodes_are_kept_and_flagged(haulier):
    reply = {"consignmentID": 700001, "pallets": [{"barcode": "0044"}, {"barcode": "0000000000000012"}]}
    haulier.nexus.fault("json", **CREATE, body=reply, status=201)
    order = haulier.sent()

    assert haulier.barcodes() == [("0044", "confirmed"), ("0000000000000012", "confirmed")]
    assert haulier.task(order).warnings == ["the barcode of pallet 1, '0044', is not of 16 digits"]


def test_another_number_and_another_count_of_barcodes_become_warnings(haulier):
    reply = {"consignmentID": 700001, "consignmentNumber": "P77", "pallets": [{"barcode": "1044000700001001"}]}
    haulier.nexus.fault("json", **CREATE, body=reply, status=201)
    order = haulier.sent()

    first, second = haulier.task(order).warnings
    assert "Nexus calls it P77" in first
    assert "1 barcodes for 2 pallets" in second
    assert haulier.fact(order, "consignment_number") == "QG0000001"


# The number is taken


@pytest.mark.rule("NX-6-11", "NX-11-16")
def test_a_409_for_what_is_ours_is_adopted(haulier):
    haulier.nexus.fault("http_409", **CREATE, accept=True)
    order = haulier.sent()

    assert haulier.state(order) == "completed"
    assert (len(haulier.creates()), len(haulier.of_order(order))) == (1, 1)


@pytest.mark.rule("NX-6-8", "NX-6-11", "NX-11-16")
@pytest.mark.parametrize("difference", ["customer", "postcode", "pallets"])
def test_a_match_that_differs_is_for_a_person(haulier, difference):
    other = {"customer": {"customerID": 20002}, "postcode": {"postcode": "LS9 8AB"}, "pallets": {"pallets": 3}}
    foreign(haulier, **other[difference])
    order = haulier.sent()

    task = haulier.task(order)
    assert (task.state, faults(task)) == ("failed", {"consignment_number": "number_taken"})
    assert task.sent_at is not None
    assert len(haulier.creates()) == 1
    assert haulier.fact(order, "tracking_number") is None

    # Who compared them and completes again, gets another number.
    haulier.complete(order)
    haulier.work()
    assert (haulier.state(order), haulier.fact(order, "consignment_number")) == ("completed", "QG0000002")


@pytest.mark.rule("NX-6-7", "NX-6-8")
def test_what_was_cancelled_in_the_portal_while_nobody_knew_is_not_taken_for_dispatched(haulier):
    haulier.nexus.fault("timeout", **CREATE, accept=True)
    haulier.nexus.fault("json", **SEARCH, body=[])
    order = haulier.sent()
    [held] = haulier.of_order(order)
    haulier.nexus.scan(held["consignmentID"], "Cancelled")
    haulier.later(5)

    task = haulier.task(order)
    assert (task.state, faults(task)) == ("failed", {"consignment_number": "number_taken"})
    assert "cancelled" in task.faults[0]["reason"]

    haulier.complete(order)
    haulier.work()
    assert (haulier.state(order), haulier.fact(order, "consignment_number")) == ("completed", "QG0000002")
    assert [one["status"]["name"] for one in haulier.of_order(order)] == ["Cancelled", "Booked"]


@pytest.mark.rule("NX-6-7", "NX-6-8")
def test_made_equal_a_match_is_taken_over(haulier):
    foreign(haulier, postcode="LS9 8AB")
    order = haulier.sent()
    assert haulier.state(order) == "failed"

    haulier.conn.execute("UPDATE stops SET postcode = 'ls98ab' WHERE kind = 'delivery'")
    haulier.complete(order)
    haulier.work()
    assert haulier.state(order) == "completed"
    assert haulier.fact(order, "consignment_number") == "QG0000001"
    assert len(haulier.creates()) == 1


@pytest.mark.rule("NX-6-11", "NX-11-16")
def test_a_409_without_a_match_fails_after_all_searches(haulier):
    haulier.nexus.fault("http_409", **CREATE)
    order = haulier.sent()
    assert haulier.state(order) == "unknown"
    haulier.later(5, 25, 90)

    task = haulier.task(order)
    assert (task.state, faults(task)) == ("failed", {"consignment_number": "number_taken"})
    assert (len(haulier.creates()), haulier.of_order(order)) == (1, [])

    haulier.complete(order)
    haulier.work()
    assert haulier.state(order) == "completed"
    assert haulier.fact(order, "consignment_number") == "QG0000002"


@pytest.mark.rule("NX-6-6")
def test_only_exactly_our_number_counts(haulier):
    haulier.nexus.add(depot="PGD302", role="requesting", network="PALLEX", consignmentNumber="QG00000012")
    haulier.nexus.fault("timeout", **CREATE, accept=False)
    order = haulier.sent()
    assert haulier.state(order) == "unknown"
    haulier.later(5, 25, 90)
    assert (haulier.state(order), len(haulier.creates())) == ("completed", 2)


def foreign(haulier, *, customerID=20001, postcode="LS9 8AA", pallets=2) -> None:
    """Nexus has a consignment of the number that we shall take next."""
    haulier.nexus.add(
        depot="PGD302", role="requesting", network="PALLEX", consignmentNumber="QG0000001", customerID=customerID,
        delAddress={"postcode": postcode}, pallets=pallets,
    )  # fmt: skip


# Imports beside it


@pytest.mark.rule("NX-6-5", "NX-4-25")
def test_what_came_from_nexus_is_adopted_and_goes_on_to_its_label(haulier):
    order = imported(haulier)
    haulier.work()

    assert haulier.state(order) == "completed"
    assert haulier.task(order).warnings == ["Nexus has this consignment already; nothing was sent"]
    assert haulier.creates() == []
    assert len(haulier.labels(order)) == 1


@pytest.mark.rule("NX-6-5", "NX-4-25")
def test_nx116_what_came_from_nexus_may_be_refused(haulier):
    haulier.settle(dispatch_imported="refuse")
    order = imported(haulier)
    haulier.work()

    assert faults(haulier.task(order)) == {"order": "NX116"}
    assert (haulier.creates(), haulier.labels(order)) == ([], [])


@pytest.mark.rule("NX-6-5", "NX-4-25")
def test_nx116_what_is_live_on_the_other_network_is_not_adopted(haulier):
    order = imported(haulier, resource="FORTEC_OUT")
    haulier.work()
    assert faults(haulier.task(order)) == {"additional_fields.nexus_origin": "NX106", "order": "NX116"}
    assert haulier.creates() == []


@pytest.mark.rule("NX-4-25")
def test_nx116_a_copy_has_the_number_of_its_original(haulier):
    first = haulier.sent()
    copy = haulier.order(tracking_number=haulier.fact(first, "tracking_number"))
    haulier.dispatch(copy)
    haulier.work()

    assert faults(haulier.task(copy)) == {"tracking_number": "NX116"}
    haulier.change(copy, "tracking_number", None)
    haulier.complete(copy)
    haulier.work()
    assert haulier.state(copy) == "completed"
    assert haulier.fact(copy, "tracking_number") != haulier.fact(first, "tracking_number")


def imported(haulier, *, resource: str = "PALLEX_OUT") -> int:
    """An order as an import makes one of a Pall-Ex consignment of ours, put on a trip."""
    nexus_id = str(haulier.nexus.add(depot="PGD302", role="requesting", network="PALLEX"))
    order = haulier.order(requesting_depot="PGD302", tracking_number=nexus_id)
    haulier.conn.execute("UPDATE orders SET source = 'nexus', source_key = %s WHERE id = %s", (nexus_id, order))
    haulier.change(order, "consignment_number", "P1")
    haulier.change(order, "registered", True)
    haulier.dispatch(order, resource=resource)
    return order


# What comes back


def test_what_nexus_made_of_our_sending_is_no_news(haulier):
    order = haulier.sent(notes=["Ring the bell", "Dock 4"])
    haulier.later(2)
    [(echo,)] = haulier.rows("SELECT echo FROM dispatch_tasks WHERE consignment_id = %s", haulier.consignment(order))
    [held] = haulier.of_order(order)
    # Nexus filled in the account's own address, which we left to it.
    assert echo["pickup_street"] == held["colAddressLine1"] == "1 Sample Yard"
    assert echo["notes"] == ["Ring the bell", "Dock 4"]


def test_before_it_is_read_back_what_we_sent_is_no_news_either(haulier):
    order = haulier.order(pickup={"street": "2 Other Lane"}, notes=["Ring the bell"])
    haulier.dispatch(order)
    haulier.nexus.fault("http_500", method="GET", path="consignments/*", times=None)
    haulier.work()
    haulier.later(2)

    assert haulier.state(order) == "completed"
    [(echo,)] = haulier.rows("SELECT echo FROM dispatch_tasks")
    assert (echo["pickup_street"], echo["delivery_country"], echo["notes"]) == ("2 Other Lane", "GB", ["Ring the bell"])


def test_what_is_read_back_late_may_be_a_change_and_is_left_to_the_import(haulier):
    order = haulier.order()
    haulier.dispatch(order)
    haulier.nexus.fault("http_500", method="GET", path="consignments/*", times=None)
    haulier.work()
    haulier.nexus.control("faults", clear=True)
    [(before,)] = haulier.rows("SELECT echo FROM dispatch_tasks")
    haulier.later(3600)

    assert haulier.rows("SELECT echo FROM dispatch_tasks") == [(before,)]
    assert haulier.items(parked=False) == {}


def test_an_import_that_finds_it_first_ends_the_unknown(haulier):
    haulier.nexus.fault("timeout", **CREATE, accept=True)
    haulier.nexus.fault("http_500", **SEARCH, times=None)
    order = haulier.sent()
    assert haulier.state(order) == "unknown"
    [held] = haulier.of_order(order)
    # As the import flow writes it.
    haulier.conn.execute(
        "UPDATE consignments SET tracking_number = %s, registered = true WHERE order_id = %s",
        (str(held["consignmentID"]), order),
    )
    haulier.later(60)

    assert haulier.state(order) == "completed"
    assert len(haulier.creates()) == 1
    assert len(haulier.labels(order)) == 1


# What the label cannot do


@pytest.mark.rule("NX-6-16")
def test_a_label_that_never_comes_leaves_the_dispatch_as_it_is(haulier):
    haulier.nexus.fault("http_404", path="consignments/*/labels", method="GET", times=None)
    order = haulier.sent()
    haulier.settle(label_retry_h=0.1)
    haulier.later(*[200] * 5)

    [reason] = haulier.items(parked=True).values()
    assert reason.startswith("Dispatched, label missing")
    task = haulier.task(order)
    assert (task.state, task.faults, haulier.fact(order, "registered")) == ("completed", [], True)
    assert len(haulier.creates()) == 1


def test_several_orders_have_each_their_own_number_and_label(haulier):
    orders = [haulier.order(reference=f"SO-{number}") for number in range(3)]
    for order in orders:
        haulier.dispatch(order)
    haulier.work()

    assert sorted(haulier.fact(order, "consignment_number") for order in orders) == [
        "QG0000001", "QG0000002", "QG0000003",
    ]  # fmt: skip
    assert [len(haulier.labels(order)) for order in orders] == [1, 1, 1]
