"""The dispatch task through the API: what it allows, and what one sees of it."""

import pytest
from tests.desk.desk_orders import order

TRIP = {"trip": "T-1", "resource": "PALLETFORCE_OUT"}


def errors(answer):
    return [(fault["field"], fault["rule"]) for fault in answer["errors"]]


@pytest.mark.rule("PF-7-1")
def test_a_trip_makes_the_task_and_completing_it_queues_the_work(api, fetch):
    api.post("/orders", order(), 201)
    [held] = api.put("/orders/SO-1/trip", TRIP)["consignments"]
    assert (held["dispatch_state"], held["dispatch"]["trip"], held["work"]) == ("todo", "T-1", [])
    [held] = api.post("/orders/SO-1/dispatch/complete")["consignments"]
    assert held["dispatch_state"] == "waiting"
    assert held["dispatch"]["completed_by"] == "tester"
    assert [(item["kind"], item["parked_at"]) for item in held["work"]] == [("dispatch", None)]
    api.post("/orders/SO-1/dispatch/complete")
    assert fetch("SELECT kind, key FROM work_items") == [("dispatch", str(held["id"]))]


@pytest.mark.parametrize(
    ("resource", "auto_complete", "state"),
    [
        ("PALLETFORCE_OUT", None, "todo"),
        ("PALLETFORCE_OUT", True, "waiting"),
        ("PALLETFORCE_AUTO", None, "waiting"),
        ("PALLETFORCE_AUTO", False, "todo"),
    ],
)
def test_a_task_completes_itself_when_the_resource_or_the_caller_says_so(api, resource, auto_complete, state):
    api.post("/orders", order(), 201)
    trip = {"trip": "T-1", "resource": resource, **({} if auto_complete is None else {"auto_complete": auto_complete})}
    assert api.put("/orders/SO-1/trip", trip)["consignments"][0]["dispatch_state"] == state


def test_what_the_state_does_not_allow_is_a_conflict_with_its_rule(api, conn):
    api.post("/orders", order(), 201)
    assert errors(api.post("/orders/SO-1/dispatch/complete", status=409)) == [("dispatch_state", "PF-7-1")]
    assert errors(api.post("/orders/SO-1/dispatch/look-up", status=409)) == [("dispatch_state", "PF-7-10")]
    assert errors(api.post("/orders/SO-1/dispatch/send-again", status=409)) == [("dispatch_state", "PF-7-10")]
    assert errors(api.put("/orders/SO-1/trip", {**TRIP, "resource": "NOPE"}, 422)) == [("resource", "unknown")]
    api.put("/orders/SO-1/trip", TRIP)
    conn.execute("UPDATE consignments SET dispatch_state = 'unknown'")
    conn.execute("UPDATE dispatch_tasks SET sent_at = now()")
    assert errors(api.put("/orders/SO-1/trip", {**TRIP, "trip": "T-2"}, 409)) == [("dispatch_state", "PF-7-1")]
    number = {"consignments": [{"tracking_number": "9000010000123"}]}
    assert errors(api.patch("/orders/SO-1", number, 409)) == [("consignments[0].tracking_number", "PF-7-4")]
    [held] = api.post("/orders/SO-1/dispatch/look-up")["consignments"]
    assert [item["kind"] for item in held["work"]] == ["dispatch"]
    api.post("/orders/SO-1/dispatch/send-again")


def test_a_cancelled_order_is_not_dispatched(api):
    api.post("/orders", order(), 201)
    api.put("/orders/SO-1/trip", TRIP)
    api.post("/orders/SO-1/cancel", {"reason": "customer rang"})
    assert errors(api.post("/orders/SO-1/dispatch/complete", status=409)) == [("dispatch_state", "PF-7-6")]
    api.post("/orders/SO-1/restore")
    assert api.post("/orders/SO-1/dispatch/complete")["consignments"][0]["dispatch_state"] == "waiting"


def test_one_sees_why_a_pallet_is_stuck(api, conn):
    api.post("/orders", order(), 201)
    api.put("/orders/SO-1/trip", TRIP)
    api.post("/orders/SO-1/dispatch/complete")
    [held] = api.get("/orders/SO-1")["consignments"]
    conn.execute("UPDATE work_items SET parked_at = now(), last_error = 'Depot 999 is not recognised', attempts = 8")
    conn.execute(
        "INSERT INTO work_items (network, kind, key, due_at) VALUES ('palletforce', 'network_labels', %s, now())",
        (f"{held['id']}:2",),
    )
    conn.execute("INSERT INTO connection_flags (connection, reason) VALUES ('palletforce_900', 'HTTP 401')")
    conn.execute(
        """UPDATE dispatch_tasks SET faults = '[{"code": "MISSING_VALUE", "field": "phone", "reason": "x"}]'"""
    )
    seen = api.get("/orders/SO-1")
    [held] = seen["consignments"]
    assert [(item["kind"], item["last_error"]) for item in held["work"]] == [
        ("dispatch", "Depot 999 is not recognised"),
        ("network_labels", None),
    ]
    assert held["work"][0]["parked_at"]
    assert held["dispatch"]["faults"][0]["field"] == "phone"
    assert [flag["connection"] for flag in seen["flagged_connections"]] == ["palletforce_900"]


def test_a_consignment_with_a_task_is_not_removed(api):
    sent = order()
    sent["consignments"] *= 2
    api.post("/orders", sent, 201)
    api.put("/orders/SO-1/trip", TRIP)
    assert errors(api.put("/orders/SO-1", order(), 409)) == [("consignments", "PF-7-6")]
