"""Statuses from the simulator into the order store (contract 2.3 and 5): the real client, simulator and Postgres."""

import random
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from palletflow.network_errors import AuthFailed, NotFound, UnknownOutcome
from palletflow.networks.palletforce.mapper import Mapper
from palletflow.networks.palletforce.status_import import StatusImport
from palletflow.store import movements, syncs, tracking
from palletflow.store.connection import connect

PROJECT = Path(__file__).parents[3]
NOW = datetime(2026, 7, 13, 9, 30, tzinfo=UTC)
HOUR = timedelta(hours=1)
OURS = ("900", "901", "902")
# Routings by our role; 905 and 906 are other members' depots.
ROLES = {
    "delivery": {"requestingDepot": "905", "collectingDepot": "905", "deliveryDepot": "901"},
    "collecting": {"requestingDepot": "905", "collectingDepot": "901", "deliveryDepot": "906"},
    "requesting": {"requestingDepot": "901", "collectingDepot": "905", "deliveryDepot": "906"},
    "requesting and collecting": {"requestingDepot": "901", "collectingDepot": "901", "deliveryDepot": "906"},
    "both legs": {"requestingDepot": "905", "collectingDepot": "901", "deliveryDepot": "902"},
}


class Freight:
    """One consignment in the simulator and the order store, whose statuses a test injects and polls."""

    def __init__(self, simulator, pull, conn, open_client) -> None:
        self.simulator, self.pull, self.conn, self._open_client = simulator, pull, conn, open_client
        self.at = NOW
        self.depot = "901"
        self.imports: list[StatusImport] = []

    def create(self, role: str, pallets: int = 2, depot: str = "901", **fields: str) -> str:
        self.depot = depot
        kinds = [{"palletType": "F", "numberofPallets": str(pallets)}]
        [self.number] = self.simulator.create(
            depot=depot,
            role="requested",
            at=(NOW - 2 * HOUR).isoformat(),
            fields={"serviceName": "A", **ROLES[role], "pallets": kinds, **fields},
        )
        self.pull(depot, asked=(NOW - 24 * HOUR, NOW))
        [(self.id,)] = self.conn.execute(
            "SELECT id FROM consignments WHERE tracking_number = %s", (self.number,)
        ).fetchall()
        return self.number

    def barcode(self, pallet: int) -> str:
        [(barcode,)] = self.conn.execute(
            "SELECT barcode FROM pallet_barcodes WHERE consignment_id = %s AND pallet_number = %s "
            "AND state IN ('expected', 'confirmed')",
            (self.id, pallet),
        ).fetchall()
        return barcode

    def status(self, code: str, hours: float, *pallets: int, **extra: str) -> None:
        """Injects a status so many hours after NOW, of these pallets or of all."""
        for barcode in [self.barcode(pallet) for pallet in pallets] or [None]:
            of = {} if barcode is None else {"barcode": barcode}
            self.simulator.control(
                "events",
                trackingNumber=self.number,
                eventCode=code,
                at=(NOW + timedelta(hours=hours)).isoformat(),
                **of,
                **extra,
            )

    def importer(self, depot: str | None = None, **extra) -> StatusImport:
        client = self._open_client(depot=depot or self.depot, **extra)
        mapper = Mapper(self.pull.plan, client.settings.local_time, client.settings.import_unaccepted)
        made = StatusImport(self.conn, client, mapper, clock=lambda: self.at, actor="tester")
        self.imports.append(made)
        return made

    def poll(self, depot: str | None = None, **extra):
        self.at += timedelta(minutes=30)
        return self.importer(depot, **extra).poll(
            depot or self.depot, OURS, polled_before=self.at, next_due_at=self.at + timedelta(minutes=30)
        )

    def rows(self, query: str, *values):
        return self.conn.execute(query, values or (self.id,)).fetchall()

    def stop(self, kind: str = "delivery"):
        return self.rows(
            "SELECT arrived_at, completed_at, outcome FROM stops WHERE consignment_id = %s AND kind = %s", self.id, kind
        )[0]

    def status_now(self):
        return self.rows("SELECT lifecycle_status, exception_reason FROM consignments WHERE id = %s")[0]

    def events(self):
        return self.rows(
            "SELECT code, pallet_number, barcode, occurred_at, time_estimated, echo FROM tracking_events "
            "WHERE consignment_id = %s AND direction = 'imported' ORDER BY occurred_at, code, barcode"
        )

    def warnings(self):
        return [
            warning
            for (warnings,) in self.rows("SELECT warnings FROM activity WHERE consignment_id = %s ORDER BY id")
            for warning in warnings
        ]


@pytest.fixture
def freight(simulator, pull, conn, open_client) -> Freight:
    """Nothing moves by itself; a test injects what it needs."""
    simulator.control("switches", progress="off")
    return Freight(simulator, pull, conn, open_client)


def at(hours: float) -> datetime:
    return NOW + timedelta(hours=hours)


# Effects end to end


@pytest.mark.parametrize(
    ("role", "codes", "stops", "status"),
    [
        ("delivery", ["POC"], ["pickup"], ("COLLECTED", None)),
        ("delivery", ["POC", "SCOT", "ARRH", "SRID"], ["pickup"], ("AT_DELIVERY_DEPOT", None)),
        ("delivery", ["POC", "ARRD"], ["pickup", "delivery_depot"], ("AT_DELIVERY_DEPOT", None)),
        ("collecting", ["SCOT"], ["collection_depot"], ("TRUNKED", None)),
        ("collecting", ["SCOT", "ARRH"], ["collection_depot"], ("AT_HUB", None)),
        ("collecting", ["SCOT", "DELV", "DONR"], ["collection_depot"], ("OUT_FOR_DELIVERY", None)),
        ("collecting", ["ARDL"], [], ("ARRIVED", None)),
        ("collecting", ["ARDL", "POD"], ["delivery"], ("DELIVERED", None)),
        ("collecting", ["ARDL", "PODD"], ["delivery"], ("DELIVERED", "DAMAGED")),
        ("collecting", ["ARDL", "PODE"], ["delivery"], ("DELIVERED", "OTHER")),
        ("collecting", ["ARDL", "DMGD"], ["delivery"], ("EXCEPTION", "DAMAGED")),
        ("collecting", ["ARDL", "ABRT"], ["delivery"], ("EXCEPTION", "NOT_DELIVERED")),
        ("requesting", ["POC", "ARDL", "POD"], ["pickup", "delivery"], ("DELIVERED", None)),
        ("requesting and collecting", ["POC", "SCOT", "POD"], ["collection_depot", "delivery"], ("DELIVERED", None)),
        ("both legs", ["POC", "SCOT", "ARRD", "ARDL", "POD"], [], ("CREATED", None)),
    ],
)
@pytest.mark.rule(
    "PF-2.3-1", "PF-5-1", "PF-5-2", "PF-5-5", "PF-5-8", "PF-5-9", "PF-5-10", "PF-5-11", "PF-5-17", "PF-5-18"
)
def test_statuses_move_stops_by_our_role_and_the_consignment(freight, role, codes, stops, status):
    freight.create(role)
    for hours, code in enumerate(codes):
        freight.status(code, hours)

    found = freight.poll()

    assert (found.consignments, found.changed, found.events) == (1, 1, 2 * len(codes))
    completed = freight.rows(
        "SELECT kind FROM stops WHERE consignment_id = %s AND completed_at IS NOT NULL ORDER BY completed_at"
    )
    assert [kind for (kind,) in completed] == stops
    assert freight.status_now() == status
    assert [code for code, *_ in freight.events()[::2]] == codes


@pytest.mark.rule("PF-5-13", "PF-5-15")
def test_a_stop_waits_for_every_pallet_and_takes_the_latest_time(freight):
    freight.create("delivery", pallets=3)
    freight.status("POC", 2, 1)
    freight.status("POC", 5, 3)
    freight.poll()
    assert freight.stop("pickup") == (None, None, None)
    assert freight.status_now() == ("CREATED", None)

    freight.status("POC", 1, 2)
    freight.poll()

    assert freight.stop("pickup") == (None, at(5), None)
    assert freight.status_now() == ("COLLECTED", None)


@pytest.mark.rule("PF-5-14")
@pytest.mark.parametrize(("rule", "completed", "outcome"), [("same_effect", 2, "DAMAGED"), ("same_code", None, None)])
def test_pallets_that_end_differently_end_the_stop_with_the_worst(freight, rule, completed, outcome):
    freight.create("collecting")
    freight.status("POD", 1, 1, signatory="J SMITH")
    freight.status("PODD", 2, 2, signatory="J SMITH", note="torn")

    freight.poll(all_barcodes_rule=rule)

    assert freight.stop() == (None, completed and at(completed), outcome)


@pytest.mark.rule("PF-5-16")
def test_a_failed_delivery_tried_again_is_open_until_it_ends(freight):
    freight.create("collecting")
    freight.status("ABRT", 1, note="closed")
    freight.poll()
    assert freight.stop() == (None, at(1), "NOT_DELIVERED")
    assert freight.status_now() == ("EXCEPTION", "NOT_DELIVERED")

    freight.status("DELV", 20)
    freight.poll()
    assert freight.stop() == (None, at(1), None)
    assert freight.status_now() == ("OUT_FOR_DELIVERY", None)

    freight.status("POD", 22, signatory="J SMITH")
    freight.poll()
    assert freight.stop() == (None, at(22), "CLEAN")
    assert freight.status_now() == ("DELIVERED", None)


@pytest.mark.rule("PF-5-20")
def test_late_statuses_fill_what_is_missing_and_undo_nothing(freight):
    freight.create("collecting")
    freight.status("POD", 9, signatory="J SMITH")
    freight.poll()
    before = freight.stop()

    freight.status("SCOT", 1)
    freight.status("ARDL", 8)
    freight.poll()

    assert freight.stop("collection_depot") == (None, at(1), None)
    assert freight.stop() == (at(8), *before[1:])
    assert freight.status_now() == ("DELIVERED", None)


@pytest.mark.rule("PF-5-20")
def test_a_pallet_that_comes_later_completes_nothing_undone(freight, pull):
    freight.create("delivery", pallets=1)
    freight.status("POC", 1)
    freight.poll()
    freight.rows("INSERT INTO pallets (consignment_id, number, pallet_type) VALUES (%s, 2, 'F') RETURNING 1")

    freight.poll()

    assert freight.stop("pickup") == (None, at(1), None)


# Reading it again


SCENES = {
    "clean": [("POC", 1, 1), ("POC", 2, 2), ("SCOT", 3, None), ("ARRD", 9, None), ("ARDL", 20, None),
              ("POD", 21, None)],
    "second attempt": [("DELV", 1, None), ("ARDL", 2, None), ("ABRT", 3, None), ("DELV", 24, 1), ("ARDL", 25, None),
                       ("POD", 26, 1), ("PODD", 27, 2)],
    "one pallet behind": [("SCOT", 1, 1), ("ARRH", 4, 1), ("SCOT", 5, 2), ("ARDL", 20, 1), ("ZZZZ", 21, 2)],
}  # fmt: skip


@pytest.mark.rule("PF-2.3-9", "PF-5-20", "PF-9-34")
@pytest.mark.parametrize("scene", SCENES.values(), ids=SCENES)
@pytest.mark.parametrize("role", ["delivery", "collecting", "requesting"])
def test_any_order_and_doubling_ends_the_same(freight, role, scene):
    """Faults of the network and polls in between: the same stops, statuses and events in the end."""

    def told(order, *faults):
        freight.create(role)
        for position in order:
            code, hours, pallet = scene[position]
            freight.status(code, hours, *([pallet] if pallet else []), signatory="J SMITH", note="noted")
            if faults:
                freight.simulator.fault(faults[position % len(faults)], "DownloadTracking")
                freight.poll()
        freight.poll()
        freight.poll()
        stops = freight.rows("SELECT kind, arrived_at, completed_at, outcome, reason, signatory FROM stops "
                             "WHERE consignment_id = %s ORDER BY kind")  # fmt: skip
        events = [(code, pallet, at) for code, pallet, _, at, *_ in freight.events()]
        return stops, freight.status_now(), sorted(events, key=repr)

    undisturbed = told(range(len(scene)))

    draw = random.Random(7)
    for _ in range(3):
        order = draw.sample(range(len(scene)), len(scene))
        assert told(order, "events_reversed", "events_duplicated", "events_late") == undisturbed


@pytest.mark.rule("PF-2.3-9")
def test_polling_again_writes_nothing_but_that_it_was_polled(freight, fetch):
    freight.create("collecting")
    freight.status("SCOT", 1)
    freight.status("POD", 9, signatory="J SMITH")
    freight.poll()

    def versions():
        tables = ("stops", "consignments", "tracking_events", "activity", "pallet_barcodes")
        return {table: fetch(f"SELECT xmin::text, ctid::text FROM {table} ORDER BY ctid") for table in tables}

    before = versions()
    found = freight.poll()

    assert (found.consignments, found.changed, found.events) == (1, 0, 0)
    assert versions() == before


@pytest.mark.rule("PF-2.3-8", "PF-9-35")
def test_statuses_without_a_time_get_theirs_once_it_is_told(freight):
    freight.create("delivery")
    freight.status("POC", 1)
    freight.simulator.fault("event_no_time", "DownloadTracking", count=2)
    freight.poll()
    guessed = freight.at
    assert all(estimated for *_, estimated, _ in freight.events())
    assert timedelta(0) <= freight.stop("pickup")[1] - guessed < timedelta(seconds=1)
    freight.poll()
    assert len(freight.events()) == 2

    freight.poll()

    assert [(when, estimated) for *_, when, estimated, _ in freight.events()] == [(at(1), False)] * 2
    assert freight.stop("pickup") == (None, at(1), None)


@pytest.mark.rule("PF-2.3-4", "PF-9-35")
def test_statuses_without_a_barcode_are_of_all_pallets(freight):
    freight.create("delivery", pallets=3)
    freight.status("POC", 1)
    freight.simulator.fault("event_no_barcode", "DownloadTracking")

    freight.poll()

    assert freight.events() == [("POC", None, "", at(1), False, False)]
    assert freight.stop("pickup") == (None, at(1), None)


@pytest.mark.rule("PF-5-12", "PF-9-35", "PF-4-1")
def test_an_unknown_code_is_kept_and_warned_about_once_a_day(freight, fetch):
    numbers = [freight.create("collecting", pallets=1) for _ in range(2)]
    for _ in numbers:
        freight.simulator.fault("event_unknown_code", "DownloadTracking", count=10, code="QQQQ")
    for number in numbers:
        freight.number = number
        freight.status("SCOT", 1)

    found = freight.poll()

    assert found.events == 4
    warned = fetch("SELECT warnings FROM activity WHERE warnings <> '{}'")
    assert len(warned) == 1
    assert "QQQQ" in warned[0][0][0]
    assert fetch("SELECT code, day, events FROM unknown_codes") == [("QQQQ", freight.at.date(), 2)]
    assert fetch("SELECT DISTINCT status FROM tracking_events WHERE code = 'QQQQ'") == [("UNKNOWN",)]
    assert freight.status_now() == ("TRUNKED", None)

    freight.at += timedelta(days=1)
    freight.status("QQQQ", 30)
    freight.poll()

    assert len(fetch("SELECT warnings FROM activity WHERE warnings <> '{}'")) == 2


@pytest.mark.rule("PF-2.3-6")
def test_an_unknown_number_has_no_statuses_and_is_no_error(freight):
    freight.create("collecting")
    freight.rows("UPDATE consignments SET tracking_number = '9010000000042' WHERE id = %s RETURNING 1")

    found = freight.poll()

    assert (found.consignments, found.events, found.failed) == (1, 0, 0)


@pytest.mark.rule("PF-1.3-9", "PF-9-22")
def test_an_answer_without_success_is_read(freight):
    freight.simulator.control("switches", tracking_success_field="absent")
    freight.create("delivery")
    freight.status("POC", 1)

    assert freight.poll().events == 2


@pytest.mark.parametrize("raw", [None, 7, "POC", [], {}, {"eventCode": None}, {"eventCode": ["POC"]},
                                 {"eventCode": "POC", "barcode": {}, "note": "\x00", "eventDateTime": 20260713}],
                         ids=str)  # fmt: skip
def test_a_bad_element_stops_neither_its_consignment_nor_others(freight, raw):
    other = freight.create("delivery")
    freight.status("POC", 1)
    freight.create("delivery")
    freight.simulator.control("events", trackingNumber=freight.number, raw=raw)
    freight.status("POC", 1)

    found = freight.poll()

    assert found.consignments == 2
    done = freight.rows(
        "SELECT c.tracking_number FROM stops JOIN consignments c ON c.id = consignment_id "
        "WHERE kind = 'pickup' AND completed_at IS NOT NULL AND %s > 0",
        1,
    )
    assert {number for (number,) in done} == {other, freight.number}


# Our own


def movement(freight, **report):
    with freight.conn.transaction():
        movements.report_stop(freight.conn, freight.id, actor="driver", **report)


@pytest.mark.rule("PF-5-20")
def test_what_our_own_people_reported_counts_more(freight):
    freight.create("collecting")
    movement(freight, stop="collection_depot", event="completed", at=at(3))
    freight.status("SCOT", 1)

    freight.poll()

    assert freight.stop("collection_depot") == (None, at(3), None)


# Whose turn it is


@pytest.mark.rule("PF-2.3-10")
def test_a_consignment_is_polled_as_the_first_of_our_depots_that_takes_part(freight, conn):
    freight.create("both legs")
    due = {
        depot: [
            one.consignment_id
            for one in tracking.due(
                conn, "palletforce", depot, OURS, now=NOW, polled_before=NOW, keep_days=14, max_days=60
            )
        ]
        for depot in OURS
    }
    assert due == {"900": [], "901": [freight.id], "902": []}


@pytest.mark.rule("PF-2.3-10")
def test_polling_goes_on_for_the_days_after_the_end_and_at_most_so_long_after_collection(freight):
    freight.create("collecting", pallets=1)

    def asked(days: float, **extra) -> bool:
        freight.at = NOW + timedelta(days=days)
        freight.poll(**extra)
        return freight.rows("SELECT polled_at FROM tracking_polls WHERE consignment_id = %s") == [(freight.at,)]

    assert asked(1)
    freight.status("ABRT", 20)
    assert asked(40)
    assert not asked(61)
    assert asked(61, tracking_max_days=90)

    freight.create("collecting", pallets=1)
    freight.status("POD", 24 * 50, signatory="J SMITH")
    assert asked(62, tracking_max_days=90)
    assert asked(63.9, tracking_max_days=90)
    assert not asked(64.1, tracking_max_days=90)
    assert asked(64.2, tracking_max_days=90, tracking_keep_days=20)


@pytest.mark.rule("PF-6-4", "PF-2.3-10")
def test_a_number_held_before_dispatch_is_polled_and_of_two_holders_one_has_the_statuses(freight, fetch):
    """The original and its copy hold one number; nobody but the network knows which it is: the older one has it."""
    freight.create("requesting", pallets=1)
    freight.status("POC", 1)
    freight.rows("UPDATE consignments SET registered = false, requesting_depot = '' WHERE id = %s RETURNING 1")
    [(copy,)] = freight.rows(
        """
        WITH copied AS (
            INSERT INTO orders (customer_id, source, source_key, reference, reference_2)
            SELECT customer_id, 'order API', 'copy', reference, reference_2 FROM orders LIMIT 1 RETURNING id
        )
        INSERT INTO consignments (order_id, network, tracking_number, registered, consignment_number, requesting_depot,
            collecting_depot, delivery_depot, our_roles, account, service, surcharges, insurance_code, hub_code,
            amazon_reference, notes, dispatch_state, lifecycle_status, network_status)
        SELECT copied.id, network, tracking_number, false, '', '', '', '', '{}', account, service, '{}', '', '', '',
               '{}', 'todo', 'CREATED', '' FROM consignments, copied WHERE consignments.id = %s RETURNING id
        """
    )

    assert freight.poll("901").consignments == 1
    assert fetch("SELECT DISTINCT consignment_id FROM tracking_events") == [(freight.id,)]
    assert freight.stop("pickup")[1] == at(1)

    freight.rows("UPDATE consignments SET registered = true WHERE id = %s RETURNING 1", copy)
    freight.poll("901")
    assert fetch("SELECT count(*) FROM tracking_events WHERE consignment_id = %s", copy) == [(1,)]


@pytest.mark.rule("PF-2.3-10")
def test_those_asked_for_since_a_moment_are_left_out(freight, conn):
    """A repeated run goes on where the interrupted one ended."""
    for _ in range(3):
        freight.create("collecting", pallets=1)
    started = freight.at + timedelta(minutes=1)
    freight.at += timedelta(minutes=2)
    importer = freight.importer()
    due = tracking.due(
        conn, "palletforce", "901", OURS, now=freight.at, polled_before=started, keep_days=14, max_days=60
    )
    importer.ask(due[:2], "901")

    assert freight.importer().poll("901", OURS, polled_before=started).consignments == 1
    assert freight.importer().poll("901", OURS, polled_before=started).consignments == 0


def test_one_consignment_by_its_number(freight):
    number = freight.create("collecting")
    freight.create("collecting")
    freight.number = number
    freight.simulator.control("events", trackingNumber=number, eventCode="SCOT", at=at(1).isoformat())

    found = freight.importer().one(number, "901")

    assert (found.consignments, found.events) == (1, 2)
    with pytest.raises(NotFound, match="9999999999999"):
        freight.importer().one("9999999999999", "901")


@pytest.mark.rule("PF-2.3-2")
def test_the_mode_depot_asks_for_a_window_and_goes_on_from_its_end(freight, fetch):
    numbers = []
    for hours in (-3, -2, 1):
        numbers.append(freight.create("collecting", pallets=1))
        freight.status("SCOT", hours)

    found = freight.poll(tracking_mode="depot")

    assert found.events == 2
    sent = [request["body"] for request in freight.simulator.journal() if request["operation"] == "DownloadTracking"]
    assert sent == [
        {
            "accessKey": sent[0]["accessKey"],
            "depot": "901",
            "fromDateTime": "2026-07-12T11:00:00",
            "toDateTime": "2026-07-13T11:00:00",
        }
    ]
    assert fetch("SELECT high FROM watermarks WHERE stream = 'depot_statuses'") == [(freight.at,)]
    kept = syncs.one(freight.conn, "palletforce", "depot_statuses", "901")
    assert kept[:3] == (freight.at, freight.at, freight.at + timedelta(minutes=30))

    freight.at = at(1.5)
    assert freight.poll(tracking_mode="depot").events == 1
    assert freight.poll(tracking_mode="depot").events == 0


# Barcodes that drift


@pytest.mark.rule("PF-3-14")
def test_a_status_confirms_its_barcode(freight):
    freight.create("delivery")
    freight.status("POC", 1, 1)

    freight.poll()

    assert freight.rows("SELECT pallet_number, state FROM pallet_barcodes WHERE consignment_id = %s ORDER BY 1") == [
        (1, "confirmed"),
        (2, "expected"),
    ]


@pytest.mark.rule("PF-3-16", "PF-9-36", "PF-3-15")
@pytest.mark.parametrize("change", [{"serviceName": "C"}, {"deliveryDepot": "907"}], ids=str)
def test_changed_barcodes_are_adopted_with_a_warning_and_make_labels_stale(freight, conn, change, fetch):
    freight.create("collecting")
    old = [freight.barcode(1), freight.barcode(2)]
    documents = """
        INSERT INTO documents (order_id, consignment_id, pallet_number, kind, name, media_type, size, sha256, barcode,
                               source, actor)
        SELECT order_id, id, %s, 'NETWORK_LABEL', 'label', 'image/jpeg', 1, sha256(%s::bytea), %s, 'test', 'test'
        FROM consignments WHERE id = %s RETURNING 1"""
    for pallet in (1, 2):
        freight.rows(documents, pallet, old[pallet - 1], old[pallet - 1], freight.id)
    freight.status("SCOT", 0.1)
    freight.simulator.control("clock", advance_s=600)
    freight.simulator.fault("barcode_changed", "DownloadTracking", **change)
    freight.poll()
    assert [freight.barcode(1), freight.barcode(2)] == old  # the old status says nothing of the change

    new = freight.simulator.control("change", trackingNumber=freight.number, serviceName="D")["barcodes"]
    freight.simulator.control("events", trackingNumber=freight.number, eventCode="ARRH", at=at(5).isoformat())
    freight.poll()

    assert [freight.barcode(1), freight.barcode(2)] == new
    assert fetch("SELECT DISTINCT state FROM pallet_barcodes WHERE barcode = ANY (%s)", new) == [("confirmed",)]
    assert fetch("SELECT DISTINCT state FROM pallet_barcodes WHERE barcode = ANY (%s)", old) == [("superseded",)]
    assert fetch("SELECT count(*) FROM documents WHERE stale_at IS NOT NULL") == [(2,)]
    assert [warning for warning in freight.warnings() if old[0] in warning and new[0] in warning]
    assert [warning for warning in freight.warnings() if "print new labels" in warning.lower()]
    # Old labels still resolve on our scans.
    assert movements.by_barcode(conn, old[1]) == (freight.id, 2)
    # The next pull brings the new routing, which is no news any more.
    freight.pull.now = NOW + HOUR
    freight.pull("901")
    assert [freight.barcode(1), freight.barcode(2)] == new
    found = freight.poll()
    assert (found.changed, [freight.barcode(1), freight.barcode(2)]) == (0, new)


@pytest.mark.rule("PF-3-16", "PF-9-36")
def test_a_routing_that_was_pulled_first_stands_against_older_statuses(freight):
    freight.create("collecting")
    old = freight.barcode(1)
    freight.status("SCOT", 0.1)
    freight.simulator.control("clock", advance_s=3600)
    new = freight.simulator.control("change", trackingNumber=freight.number, serviceName="D")["barcodes"]
    freight.pull.now = NOW + HOUR
    freight.pull("901")
    assert freight.barcode(1) == new[0] != old

    freight.poll()

    assert freight.barcode(1) == new[0]
    assert freight.stop("collection_depot") == (None, at(0.1), None)
    assert freight.warnings() == []


@pytest.mark.rule("PF-3-17")
def test_a_foreign_barcode_is_history(freight):
    freight.create("delivery", pallets=1)
    freight.simulator.control(
        "events", trackingNumber=freight.number, eventCode="POC", barcode="PALLET-7", at=at(1).isoformat()
    )

    found = freight.poll()

    assert (found.events, found.failed, freight.warnings()) == (1, 0, [])
    assert freight.stop("pickup") == (None, None, None)
    assert freight.status_now() == ("CREATED", None)
    assert freight.rows(
        "SELECT barcode, pallet_number FROM pallet_barcodes WHERE consignment_id = %s AND state = 'foreign'"
    ) == [("PALLET-7", None)]


# Faults of the network


@pytest.mark.rule("PF-1.3-12", "PF-1.3-10")
@pytest.mark.parametrize(
    "fault", ["reset", "truncated_json", "empty_body", "html_500", "http_502", "http_429", "http_503"]
)
def test_a_passing_fault_is_waited_out(freight, fault):
    freight.create("delivery")
    freight.status("POC", 1)
    freight.simulator.fault(fault, "DownloadTracking", count=2)

    assert freight.poll().events == 2
    assert freight.stop("pickup") == (None, at(1), None)


@pytest.mark.rule("PF-1.3-12")
def test_silence_and_slowness_are_waited_out(freight):
    freight.create("delivery")
    freight.status("POC", 1)
    for fault in ("timeout_before_accept", "timeout_after_accept", "slow"):
        freight.simulator.fault(fault, "DownloadTracking")

    assert freight.poll(read_timeout_s=0.3).events == 2


def test_one_that_is_never_answered_stops_no_other_and_a_dead_network_ends_the_run(freight):
    numbers = [freight.create("delivery", pallets=1) for _ in range(5)]
    for freight.number in numbers:
        freight.simulator.control("events", trackingNumber=freight.number, eventCode="POC", at=at(1).isoformat())
    freight.simulator.control(
        "faults", operation="DownloadTracking", fault="html_500", count=4, trackingNumber=numbers[1]
    )

    found = freight.poll(max_in_flight=1)

    assert (found.consignments, found.failed, found.events) == (4, 1, 4)
    assert [text for text in freight.imports[-1].warnings if numbers[1] in text]

    freight.simulator.fault("html_500", "DownloadTracking", count=100)
    with pytest.raises(UnknownOutcome):
        freight.poll(max_in_flight=1)


def test_a_refused_key_ends_the_run_at_once(freight):
    freight.create("delivery")
    freight.simulator.fault("http_401", "DownloadTracking")

    with pytest.raises(AuthFailed):
        freight.poll()


# Killed


def test_killed_in_the_middle_and_run_again_ends_like_undisturbed(freight, dsn, conn):
    numbers = []
    for _ in range(4):
        numbers.append(freight.create("collecting", pallets=2))
        freight.status("SCOT", 1)
        freight.status("POD", 9, 1, signatory="J SMITH")
    ids = [row[0] for row in conn.execute("SELECT id FROM consignments ORDER BY id")]

    arguments = [sys.executable, str(Path(__file__).with_name("poll_once.py")), dsn, freight.simulator.base_url,
                 str(PROJECT / "include" / "deployment.yaml"), at(12).isoformat()]  # fmt: skip
    with connect(dsn) as holder, holder.transaction():
        holder.execute("SELECT FROM consignments WHERE id = %s FOR UPDATE", (ids[2],))
        process = subprocess.Popen(arguments)
        deadline = time.monotonic() + 30
        while not holder.execute("SELECT 1 FROM pg_locks WHERE NOT granted").fetchone():
            assert time.monotonic() < deadline, "the poll never came to the locked consignment"
            time.sleep(0.02)
        process.kill()
        process.wait()
    assert conn.execute("SELECT count(DISTINCT consignment_id) FROM tracking_events").fetchone() == (2,)

    for _ in range(2):
        assert subprocess.run(arguments, timeout=30).returncode == 0
        states = conn.execute(
            "SELECT lifecycle_status, (SELECT count(*) FROM tracking_events t WHERE t.consignment_id = c.id), "
            "(SELECT count(*) FROM activity a WHERE a.consignment_id = c.id), "
            "(SELECT completed_at FROM stops s WHERE s.consignment_id = c.id AND kind = 'collection_depot') "
            "FROM consignments c"
        ).fetchall()
        assert states == [("TRUNKED", 3, 2, at(1))] * 4
