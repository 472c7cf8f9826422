"""Reports of our own people: stops, outcomes, scans, routes and ETAs, told once, twice, late and corrected."""

import itertools
from datetime import UTC, datetime, timedelta

import pytest

from palletflow.store import movements, work_items
from palletflow.store.consignments import NoSuchConsignment
from palletflow.store.movements import MovementRefused

NOW = datetime(2026, 7, 13, 9, 30, tzinfo=UTC)
ROUTINGS = {
    "delivery": {"requestingDepot": "905", "collectingDepot": "905", "deliveryDepot": "901"},
    "collecting": {"requestingDepot": "905", "collectingDepot": "901", "deliveryDepot": "906"},
    "requesting": {"requestingDepot": "901", "collectingDepot": "905", "deliveryDepot": "906"},
}


def at(hours: float) -> datetime:
    return NOW + timedelta(hours=hours)


@pytest.fixture
def create(simulator, pull, fetch):
    def make(role: str = "delivery", pallets: int = 2) -> int:
        kinds = [{"palletType": "F", "numberofPallets": str(pallets)}]
        [number] = simulator.create(
            depot="901",
            role="requested",
            at=at(-2).isoformat(),
            fields={"serviceName": "A", **ROUTINGS[role], "pallets": kinds},
        )
        pull("901", asked=(at(-24), NOW))
        return fetch("SELECT id FROM consignments WHERE tracking_number = %s", number)[0][0]

    return make


@pytest.fixture
def report(conn):
    def tell(consignment_id: int, stop: str, event: str, hours: float, **extra) -> bool:
        with conn.transaction():
            return movements.report_stop(
                conn, consignment_id, stop=stop, event=event, at=at(hours), actor="driver", **extra
            )

    return tell


@pytest.fixture
def scan(conn):
    def tell(consignment_id: int, what: str, hours: float, **pallet) -> bool:
        with conn.transaction():
            return movements.report_scan(
                conn, consignment_id, scan=what, depot="901", at=at(hours), actor="warehouse", **pallet
            )

    return tell


@pytest.fixture
def look(fetch):
    """What there is to see of a consignment."""

    class Look:
        def stop(self, consignment_id: int, kind: str = "delivery"):
            return fetch(
                "SELECT arrived_at, completed_at, outcome, reason, signatory FROM stops "
                "WHERE consignment_id = %s AND kind = %s",
                consignment_id,
                kind,
            )[0]

        def status(self, consignment_id: int):
            return fetch("SELECT lifecycle_status, exception_reason FROM consignments WHERE id = %s", consignment_id)[0]

        def history(self, consignment_id: int):
            return fetch(
                "SELECT kind, changes, actor FROM activity WHERE consignment_id = %s AND kind <> 'created' ORDER BY id",
                consignment_id,
            )

        def everything(self):
            tables = ("stops", "consignments", "movements", "activity", "work_items")
            return {table: fetch(f"SELECT xmin::text, ctid::text FROM {table} ORDER BY ctid") for table in tables}

    return Look()


@pytest.mark.parametrize(
    ("stop", "event", "status"),
    [
        ("pickup", "completed", "COLLECTED"),
        ("collection_depot", "arrived", "AT_COLLECTION_DEPOT"),
        ("collection_depot", "completed", "TRUNKED"),
        ("delivery_depot", "arrived", "AT_DELIVERY_DEPOT"),
        ("delivery_depot", "completed", "OUT_FOR_DELIVERY"),
        ("delivery", "arrived", "ARRIVED"),
        ("delivery", "completed", "DELIVERED"),
        ("pickup", "arrived", "CREATED"),
    ],
)
def test_a_report_moves_its_stop_and_the_consignment(create, report, look, stop, event, status):
    one = create()

    assert report(one, stop, event, 1)

    arrived, completed, *_ = look.stop(one, stop)
    assert (arrived, completed) == ((at(1), None) if event == "arrived" else (None, at(1)))
    assert look.status(one) == (status, None)
    [(kind, changes, actor)] = look.history(one)
    assert (kind, actor) == (f"{stop.replace('_', ' ')} {event}", "driver")
    assert f"{stop}.{'arrived_at' if event == 'arrived' else 'completed_at'}" in changes


@pytest.mark.parametrize(
    ("outcome", "kept", "status"),
    [
        (None, "CLEAN", ("DELIVERED", None)),
        ("CLEAN", "CLEAN", ("DELIVERED", None)),
        ("DAMAGED", "DAMAGED", ("DELIVERED", "DAMAGED")),
        ("EXCEPTION", "EXCEPTION", ("DELIVERED", "OTHER")),
        ("NOT_DELIVERED", "NOT_DELIVERED", ("EXCEPTION", "NOT_DELIVERED")),
    ],
)
def test_how_a_delivery_ended_is_kept_beside_completed(create, report, look, outcome, kept, status):
    one = create()

    report(one, "delivery", "completed", 1, outcome=outcome, reason=" torn ", signatory=" J SMITH ")

    assert look.stop(one) == (None, at(1), kept, "torn", "J SMITH")
    assert look.status(one) == status


def test_the_same_report_again_writes_nothing(create, report, scan, look):
    one = create()
    for _ in range(2):
        report(one, "delivery", "completed", 1, signatory="J SMITH", latitude=53.8, longitude=-1.5512345678)
        scan(one, "receipt", 0, pallet_number=1)
    before = look.everything()

    assert not report(one, "delivery", "completed", 1, signatory="J SMITH", latitude=53.8, longitude=-1.5512345678)
    assert not scan(one, "receipt", 0, pallet_number=1)

    assert look.everything() == before


def test_the_same_moment_with_other_content_corrects(create, report, look, fetch):
    one = create()
    report(one, "delivery", "completed", 1, signatory="J SMITH")

    assert report(one, "delivery", "completed", 1, outcome="DAMAGED", reason="torn", signatory="A COLE")

    assert look.stop(one) == (None, at(1), "DAMAGED", "torn", "A COLE")
    assert look.status(one) == ("DELIVERED", "DAMAGED")
    assert fetch("SELECT count(*) FROM movements") == [(1,)]


def test_reports_in_any_order_end_the_same(create, report, look):
    """Devices that were without a network tell late: the latest by its own time counts."""
    told = [
        ("delivery", "arrived", 1, {}),
        ("delivery", "completed", 2, {"outcome": "NOT_DELIVERED", "reason": "closed"}),
        ("delivery", "arrived", 25, {}),
        ("delivery", "completed", 26, {"signatory": "J SMITH"}),
    ]
    for order in itertools.permutations(told):
        one = create()
        for stop, event, hours, extra in order:
            report(one, stop, event, hours, **extra)
        assert look.stop(one) == (at(25), at(26), "CLEAN", "", "J SMITH")
        assert look.status(one) == ("DELIVERED", None)


@pytest.mark.parametrize("again", ["arrival", "scan", "departure"])
def test_a_new_attempt_leaves_the_outcome_open_and_the_stop_completed(create, report, scan, look, again):
    one = create(pallets=1)
    report(one, "delivery", "completed", 2, outcome="NOT_DELIVERED", reason="closed")

    if again == "arrival":
        report(one, "delivery", "arrived", 25)
    elif again == "scan":
        scan(one, "onto_delivery_vehicle", 25, pallet_number=1)
    else:
        report(one, "delivery_depot", "completed", 25)

    assert look.stop(one)[1:3] == (at(2), None)
    assert look.status(one)[0] in ("ARRIVED", "OUT_FOR_DELIVERY")


@pytest.mark.parametrize(
    ("what", "status"),
    [
        ("onto_trunk", "TRUNKED"),
        ("receipt", "AT_DELIVERY_DEPOT"),
        ("trunk_arrival", "AT_DELIVERY_DEPOT"),
        ("onto_delivery_vehicle", "OUT_FOR_DELIVERY"),
    ],
)
def test_the_consignment_moves_only_when_every_pallet_was_scanned(create, scan, look, what, status):
    one = create()

    scan(one, what, 1, pallet_number=2)
    assert look.status(one) == ("CREATED", None)
    scan(one, what, 2, pallet_number=1)

    assert look.status(one) == (status, None)
    assert [kind for kind, *_ in look.history(one)] == [
        f"pallet {pallet} scanned {what.replace('_', ' ')}" for pallet in (2, 1)
    ]


@pytest.mark.rule("PF-3-16")
def test_a_scan_by_any_barcode_the_pallet_has_had(conn, create, scan, fetch):
    one = create()
    [(first,)] = fetch("SELECT barcode FROM pallet_barcodes WHERE pallet_number = 1")
    fetch(
        "UPDATE pallet_barcodes SET state = 'superseded', superseded_at = now() WHERE barcode = %s RETURNING 1", first
    )
    fetch("INSERT INTO pallet_barcodes VALUES (%s, 1, 'NEW', 'expected') RETURNING 1", one)

    assert scan(one, "receipt", 1, barcode=first)
    assert scan(one, "trunk_arrival", 2, barcode="NEW")

    assert fetch("SELECT pallet_number, barcode FROM movements ORDER BY at") == [(1, first), (1, "NEW")]
    assert movements.by_barcode(conn, first) == (one, 1)
    assert movements.by_barcode(conn, "NEW") == (one, 1)
    assert movements.by_barcode(conn, "NEVER") is None


@pytest.mark.parametrize(("role", "told"), [("delivery", True), ("collecting", True), ("requesting", False)])
def test_the_network_is_told_where_we_have_a_leg(conn, create, report, role, told):
    one = create(role)

    report(one, "pickup", "completed", 1)

    waiting = [(item.kind, item.key) for item in work_items.listed(conn, parked=False)]
    assert waiting == ([("status_export", str(one))] if told else [])


def test_a_route_is_kept_and_lets_what_waited_for_it_go_on(conn, create, report, look, fetch):
    one = create()
    with conn.transaction():
        assert movements.set_route(conn, one, "delivery", "LS1", 3, "planner")
        assert not movements.set_route(conn, one, "delivery", "LS1", 3, "planner")
    assert work_items.listed(conn, parked=False) == []  # nothing was reported yet
    report(one, "delivery", "arrived", 1)
    fetch("UPDATE work_items SET parked_at = now(), last_error = 'no route' RETURNING 1")

    with conn.transaction():
        assert movements.set_route(conn, one, "delivery", "", None, "planner")

    assert work_items.listed(conn, parked=True) == []
    assert fetch("SELECT route, route_sequence FROM stops WHERE kind = 'delivery'") == [("", None)]
    assert look.history(one)[0][:2] == (
        "routed",
        {"delivery.route": ["", "LS1"], "delivery.route_sequence": [None, 3]},
    )


def test_an_eta_is_kept_and_told_once(conn, create, look, fetch):
    one = create()
    for _ in range(2):
        with conn.transaction():
            told = movements.set_eta(conn, one, "delivery", at(20), at(22), "planner")

    assert not told
    assert fetch("SELECT eta_from, eta_to FROM stops WHERE kind = 'delivery'") == [(at(20), at(22))]
    assert [kind for kind, *_ in look.history(one)] == ["expected"]


@pytest.mark.parametrize(
    ("told", "says"),
    [
        ({"stop": "depot", "event": "arrived"}, "stop: 'depot' is not one of pickup"),
        ({"stop": "delivery", "event": "left"}, "event: 'left' is not one of arrived"),
        ({"stop": "delivery", "event": "completed", "outcome": "LOST"}, "outcome: 'LOST' is not one of CLEAN"),
        ({"stop": "pickup", "event": "completed", "outcome": "CLEAN"}, "only a completed delivery stop"),
        ({"stop": "delivery", "event": "arrived", "outcome": "CLEAN"}, "only a completed delivery stop"),
        ({"stop": "delivery", "event": "arrived", "at": datetime(2026, 7, 13)}, "has no time zone"),  # noqa: DTZ001
    ],
)
def test_a_report_that_makes_no_sense_is_refused(conn, create, told, says):
    one = create()

    with pytest.raises(MovementRefused, match=says), conn.transaction():
        movements.report_stop(conn, one, **{"at": NOW, "actor": "driver", **told})


def test_other_nonsense_is_refused(conn, create, scan):
    one = create()
    with pytest.raises(MovementRefused, match="scan: 'onto_ship'"):
        scan(one, "onto_ship", 1, pallet_number=1)
    with pytest.raises(MovementRefused, match="no pallet 3"):
        scan(one, "receipt", 1, pallet_number=3)
    with pytest.raises(MovementRefused, match="'NEVER' is of no pallet"):
        scan(one, "receipt", 1, barcode="NEVER")
    for route, sequence in (("LS1", None), ("", 1), ("LS1", 0)):
        with pytest.raises(MovementRefused, match="route:"), conn.transaction():
            movements.set_route(conn, one, "delivery", route, sequence, "planner")
    with pytest.raises(MovementRefused, match="eta_from"), conn.transaction():
        movements.set_eta(conn, one, "delivery", at(2), at(1), "planner")
    with pytest.raises(NoSuchConsignment), conn.transaction():
        movements.report_stop(conn, 999999, stop="pickup", event="arrived", at=NOW, actor="driver")


def test_a_cancelled_consignment_stays_cancelled(create, report, look, fetch):
    one = create()
    fetch("UPDATE consignments SET lifecycle_status = 'CANCELLED' WHERE id = %s RETURNING 1", one)

    report(one, "pickup", "completed", 1)

    assert look.status(one) == ("CANCELLED", None)
