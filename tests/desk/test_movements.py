"""A driver's day through the API: each report is judged by itself and told once."""

from tests.desk.desk_orders import order

NUMBER = "9000010000123"
AT = "2026-07-14T10:12:00+01:00"


def delivered(**more):
    return {"stop": "delivery", "event": "completed", "at": AT, "signatory": "J SMITH", **more}


def test_a_day_is_taken_in_and_told_once(api, fetch):
    api.post("/orders", order(tracking_number=NUMBER, delivery_depot="901"), 201)
    day = {
        "routes": [{"order": "SO-1", "stop": "delivery", "route": "R7", "sequence": 3}],
        "etas": [{"tracking_number": NUMBER, "stop": "delivery", "eta_from": AT, "eta_to": None}],
        "scans": [{"barcode": "506901A900001000012302", "scan": "onto_delivery_vehicle", "depot": "901", "at": AT}],
        "stops": [delivered(order="SO-1")],
    }
    answer = api.post("/movements", day)
    assert (answer["recorded"], answer["rejected"]) == (4, 0), answer
    again = api.post("/movements", day)
    assert (again["recorded"], again["unchanged"]) == (0, 4)
    [held] = api.get("/orders/SO-1")["consignments"]
    delivery = held["stops"][3]
    assert (delivery["route"], delivery["route_sequence"], delivery["outcome"]) == ("R7", 3, "CLEAN")
    assert delivery["completed_at"] == "2026-07-14T09:12:00Z"
    assert held["lifecycle_status"] == "DELIVERED"
    assert fetch("SELECT event, pallet_number, actor FROM movements ORDER BY event") == [
        ("completed", None, "tester"),
        ("scanned", 2, "tester"),
    ]


def test_a_replaced_barcode_still_counts(api, conn):
    api.post("/orders", order(tracking_number=NUMBER, delivery_depot="901"), 201)
    api.patch("/orders/SO-1", {"consignments": [{"delivery_depot": "902"}]})
    [held] = api.get("/orders/SO-1")["consignments"]
    assert held["pallets"][0]["earlier_barcodes"] == ["506901A900001000012301"]
    scan = {"barcode": "506901A900001000012301", "scan": "receipt", "depot": "902", "at": AT}
    assert api.post("/movements", {"scans": [scan]})["recorded"] == 1


def test_a_wrong_report_says_why_and_stops_no_other(api):
    api.post("/orders", order(), 201)
    api.post("/orders", order("SO-2", tracking_number=NUMBER), 201)
    api.post("/orders", order("SO-3", tracking_number=NUMBER), 201)
    answer = api.post(
        "/movements",
        {
            "stops": [
                delivered(order="SO-9"),
                delivered(tracking_number=NUMBER),
                delivered(consignment_id=999),
                delivered(order="SO-1", at="2026-07-14T10:12:00"),
                delivered(order="SO-1", outcome="LOST"),
                delivered(),
                delivered(order="SO-1"),
            ],
            "scans": [
                {"barcode": "x", "scan": "receipt", "depot": "901", "at": AT},
                {"order": "SO-1", "pallet_number": 7, "scan": "receipt", "depot": "901", "at": AT},
            ],
        },
    )
    told = {(one["of"], one["index"]): [(e["field"], e["rule"]) for e in one["errors"]] for one in answer["reports"]}
    assert told == {
        ("scans", 0): [("barcode", "unknown")],
        ("scans", 1): [("pallet_number", "refused")],
        ("stops", 0): [("key", "unknown")],
        ("stops", 1): [("tracking_number", "ambiguous")],
        ("stops", 2): [("consignment_id", "unknown")],
        ("stops", 3): [("at", "format")],
        ("stops", 4): [("outcome", "literal_error")],
        ("stops", 5): [("", "one_of")],
        ("stops", 6): [],
    }
    assert answer["recorded"] == 1
