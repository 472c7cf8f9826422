"""Orders for Pall-Ex and Fortec through the order API: their own fields, and the work that follows for Nexus."""

from tests.desk.desk_orders import order

CONSIGNMENT = {
    "network": "nexus", "requesting_depot": "PGD302", "service": "A", "pallet_types": ["FULL", "HALF"],
    "additional_fields": {"nexus_origin": "PALLEX", "delivery_from": "10:00", "delivery_to": "11:00"},
    "surcharges": ["TD"],
    "pallet_details": [{"length_cm": 120, "width_cm": 100, "height_cm": 150, "weight_kg": 400, "base": "CHEP"}],
}  # fmt: skip
JPEG = b"\xff\xd8\xff\xe0" + bytes(100)
TRIP = {"trip": "T-1", "resource": "PALLEX_OUT"}


def errors(answer):
    return [(fault["field"], fault["rule"]) for fault in answer["errors"]]


def entered(api):
    api.post("/orders", order("SO-1", **CONSIGNMENT), 201)
    [held] = api.get("/orders/SO-1")["consignments"]
    return held


def in_nexus(conn, state="completed"):
    conn.execute(
        "UPDATE consignments SET dispatch_state = %s, tracking_number = '700001', registered = true, "
        "our_roles = '{delivery}'",
        (state,),
    )


def work(fetch):
    return fetch("SELECT kind, key::bigint FROM work_items ORDER BY kind")


def test_fields_that_only_nexus_has_and_details_of_pallets_come_back_as_given(api):
    held = entered(api)
    assert held["additional_fields"] == CONSIGNMENT["additional_fields"]
    assert held["pallet_details"] == [*CONSIGNMENT["pallet_details"], {}]

    whole = api.get("/orders/SO-1")
    assert api.put("/orders/SO-1", whole)["outcome"] == "unchanged"


def test_one_detail_can_be_changed_and_one_field_taken_away(api):
    entered(api)
    details = [{"length_cm": 100}, {"do_not_stack": True}]
    change = {"consignments": [{"pallet_details": details, "additional_fields": {"delivery_to": None}}]}
    assert api.patch("/orders/SO-1", change)["outcome"] == "updated"

    [held] = api.get("/orders/SO-1")["consignments"]
    assert held["pallet_details"] == details
    assert held["additional_fields"] == {"nexus_origin": "PALLEX", "delivery_from": "10:00"}


def test_details_of_more_pallets_than_there_are_are_refused(api):
    content = {**CONSIGNMENT, "pallet_details": [{}, {}, {"length_cm": 1}]}
    answer = api.post("/orders", order("SO-1", **content), 422)
    assert [rule for _, rule in errors(answer)] == ["too_many"]


def test_a_field_that_nexus_does_not_have_is_refused(api):
    content = {**CONSIGNMENT, "additional_fields": {"nexus_orign": "PALLEX"}}
    answer = api.post("/orders", order("SO-1", **content), 422)
    assert errors(answer) == [("consignments[0].additional_fields.nexus_orign", "UNKNOWN_FIELD")]


def test_cancelling_what_nexus_has_asks_nexus_to_cancel_it(api, conn, fetch):
    held = entered(api)
    api.post("/orders/SO-1/cancel", {"reason": "the customer called"})
    assert work(fetch) == []
    api.post("/orders/SO-1/restore")
    in_nexus(conn)

    assert api.post("/orders/SO-1/cancel", {"reason": "the customer called"})["warnings"] == []

    assert work(fetch) == [("cancel", held["id"])]
    assert fetch("SELECT review_reason FROM orders") == [(None,)]


def test_a_document_added_to_a_consignment_is_offered_to_nexus(api, conn, fetch):
    held = entered(api)
    in_nexus(conn)

    path = f"/orders/SO-1/documents?kind=POD&name=pod.jpg&consignment_id={held['id']}"
    assert api("POST", path, data=JPEG).status_code == 201

    assert work(fetch) == [("document_upload", held["id"])]


def test_a_document_of_an_order_with_one_consignment_is_that_consignments(api, conn, fetch):
    held = entered(api)
    in_nexus(conn)

    answer = api("POST", "/orders/SO-1/documents?kind=POD&name=pod.jpg", data=JPEG)

    assert answer.json()["consignment_id"] == held["id"]
    assert work(fetch) == [("document_upload", held["id"])]


def test_etas_and_routes_are_told_to_nexus_together_after_a_moment(api, conn, fetch):
    held = entered(api)
    in_nexus(conn)
    pointed = {"order": "SO-1", "stop": "delivery"}
    eta = {**pointed, "eta_from": "2026-07-13T10:00:00Z", "eta_to": "2026-07-13T11:00:00Z"}

    reports = {"routes": [{**pointed, "route": "TRIP-1", "sequence": 1}], "etas": [eta]}
    assert api.post("/movements", reports)["recorded"] == 2

    assert work(fetch) == [("eta_export", held["id"])]
    assert fetch("SELECT due_at > now() + interval '5 seconds' FROM work_items") == [(True,)]
    assert api.post("/movements", reports)["unchanged"] == 2


def test_labels_are_nexuss_own_and_not_drawn_here(api, conn):
    entered(api)
    in_nexus(conn)

    for form in ("pdf", "zpl"):
        answer = api.get(f"/orders/SO-1/labels?format={form}", 409)
        assert [rule for _, rule in errors(answer)] == ["no_label"]


def test_a_number_made_for_another_network_does_not_go_to_nexus(api, conn, fetch):
    api.post("/orders", order("SO-1"), 201)
    conn.execute("UPDATE consignments SET dispatch_state = 'failed', consignment_number = '0000001'")
    number = "SELECT consignment_number FROM consignments"
    api.patch("/orders/SO-1", {"reference": "PO-2", "consignments": [{"weight_kg": 500}]})
    assert fetch(number) == [("0000001",)]

    assert api.put("/orders/SO-1", order("SO-1", **CONSIGNMENT))["outcome"] == "updated"
    assert fetch(number) == [("",)]
