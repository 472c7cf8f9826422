"""Our reports into the simulator and the order store (contract 2.6, PF-5-21 to PF-5-25), through the work queue."""

import threading
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from palletflow import cli
from palletflow.networks.palletforce.compliance import ORDER, compliance
from palletflow.networks.palletforce.mapper import Mapper
from palletflow.networks.palletforce.status_export import StatusExport
from palletflow.networks.palletforce.status_import import StatusImport
from palletflow.networks.palletforce.work import STATUS_EXPORT, Access
from palletflow.store import movements, work_items
from palletflow.store.connection import connect
from palletflow.work.drain import drain
from palletflow.work.handling import WorkItem

PROJECT = Path(__file__).parents[3]
NOW = datetime(2026, 7, 13, 9, 30, tzinfo=UTC)
HOUR = timedelta(hours=1)
DELIVERY = {"requestingDepot": "905", "collectingDepot": "905", "deliveryDepot": "901"}
COLLECTING = {"requestingDepot": "905", "collectingDepot": "901", "deliveryDepot": "906"}
BOTH_LEGS = {"requestingDepot": "905", "collectingDepot": "901", "deliveryDepot": "902"}
OURS = ("900", "901", "902")


def at(hours: float) -> datetime:
    return NOW + timedelta(hours=hours)


class Haulier:
    """Our people, the export and the network."""

    def __init__(self, simulator, pull, conn, dsn, open_client) -> None:
        self.simulator, self.pull, self.conn, self.plan = simulator, pull, conn, pull.plan
        self._dsn, self._open_client = dsn, open_client
        self.extra = {}

    def create(self, routing: dict[str, str], pallets: int = 2) -> int:
        depot = next(depot for depot in ("901", "902") if depot in routing.values())
        kinds = [{"palletType": "F", "numberofPallets": str(pallets)}]
        [number] = self.simulator.create(
            depot=depot,
            role="requested",
            at=(NOW - 2 * HOUR).isoformat(),
            fields={"serviceName": "A", **routing, "pallets": kinds},
        )
        self.pull(depot, asked=(NOW - 24 * HOUR, NOW))
        [(consignment_id,)] = self.conn.execute(
            "SELECT id FROM consignments WHERE tracking_number = %s", (number,)
        ).fetchall()
        return consignment_id

    def report(self, consignment_id: int, stop: str, event: str, hours: float, **extra) -> None:
        with self.conn.transaction():
            movements.report_stop(
                self.conn, consignment_id, stop=stop, event=event, at=at(hours), actor="driver", **extra
            )

    def scan(self, consignment_id: int, what: str, hours: float, **pallet) -> None:
        with self.conn.transaction():
            movements.report_scan(
                self.conn, consignment_id, scan=what, depot="901", at=at(hours), actor="warehouse", **pallet
            )

    def route(self, consignment_id: int, sequence: int, route: str = "LS1 14 July") -> None:
        with self.conn.transaction():
            movements.set_route(self.conn, consignment_id, "delivery", route, sequence, "planner")

    def delivered(self, consignment_id: int, **extra) -> None:
        """The whole round of one delivery."""
        self.report(consignment_id, "delivery_depot", "completed", 22)
        self.report(consignment_id, "delivery", "arrived", 23)
        self.report(consignment_id, "delivery", "completed", 23.2, **{"signatory": "J SMITH", **extra})

    def handler(self) -> StatusExport:
        def reach(_, depot: str) -> Access:
            client = self._open_client(depot=depot, **self.extra)
            return Access(client, Mapper(self.plan, client.settings.local_time, False))

        return StatusExport(self.plan, reach, lambda: datetime.now(UTC))

    def export(self) -> dict[str, int]:
        """Works off the queue, postponed items included; the outcomes."""
        self.conn.execute("UPDATE work_items SET due_at = now() WHERE parked_at IS NULL")
        counts = drain(
            partial(connect, self._dsn),
            "palletforce",
            {STATUS_EXPORT: self.handler()},
            {STATUS_EXPORT: 2},
            linger_s=0,
            most_s=60,
            stop=threading.Event(),
        )
        return counts.get(STATUS_EXPORT, {})

    def poll(self, depot: str = "901") -> StatusImport:
        client = self._open_client(depot=depot)
        mapper = Mapper(self.plan, client.settings.local_time, False)
        importer = StatusImport(self.conn, client, mapper, clock=lambda: at(30), actor="tester")
        importer.poll(depot, OURS, polled_before=at(31))
        return importer

    def in_the_network(self, consignment_id: int, depot: str = "901") -> list[dict[str, str]]:
        [(number,)] = self.rows("SELECT tracking_number FROM consignments WHERE id = %s", consignment_id)
        return self._open_client(depot=depot).tracking(number)

    def codes(self, consignment_id: int, depot: str = "901") -> list[tuple[str, str]]:
        """Code and pallet of every status the network has."""
        return [(one["eventCode"], one["barcode"][-2:]) for one in self.in_the_network(consignment_id, depot)]

    def uploads(self) -> list[dict]:
        return [one["body"] for one in self.simulator.journal() if one["operation"] == "UploadTracking"]

    def sent(self, consignment_id: int) -> list[tuple]:
        return self.rows(
            "SELECT code, pallet_number, sent_at IS NOT NULL, refusal FROM tracking_events "
            "WHERE consignment_id = %s AND direction = 'exported' ORDER BY occurred_at, code, pallet_number",
            consignment_id,
        )

    def parked(self) -> list[str]:
        return [item.reason for item in work_items.listed(self.conn, parked=True)]

    def rows(self, query: str, *values):
        return self.conn.execute(query, values).fetchall()


@pytest.fixture
def haulier(simulator, pull, conn, dsn, open_client) -> Haulier:
    simulator.control("switches", progress="off")
    return Haulier(simulator, pull, conn, dsn, open_client)


def of_both(*names: str) -> list[tuple[str, str]]:
    return [(name, pallet) for name in names for pallet in ("01", "02")]


@pytest.mark.rule("PF-5-21", "PF-5-22", "PF-5-23", "PF-2.6-1", "PF-2.6-2")
def test_a_whole_delivery_reaches_the_network_pallet_by_pallet(haulier):
    one = haulier.create(DELIVERY)
    haulier.route(one, 1)
    for pallet in (1, 2):
        haulier.scan(one, "receipt", 18, pallet_number=pallet)
        haulier.scan(one, "trunk_arrival", 18.5, pallet_number=pallet)
    haulier.delivered(one)

    assert haulier.export() == {"done": 1}

    assert haulier.codes(one) == of_both("SRID", "ARRD", "DELV", "DONR", "ARDL", "POD")
    assert len(haulier.uploads()) == 1
    assert all(sent and refusal is None for _, _, sent, refusal in haulier.sent(one))
    assert haulier.rows("SELECT DISTINCT depot FROM tracking_events") == [("901",)]
    [(changes,)] = haulier.rows("SELECT changes FROM activity WHERE kind = 'statuses sent'")
    assert len(changes["statuses"][1]) == 12


@pytest.mark.rule("PF-5-21")
def test_a_collection_and_its_trunk_scans_reach_the_network(haulier):
    one = haulier.create(COLLECTING)
    haulier.report(one, "pickup", "completed", 4)
    haulier.scan(one, "onto_trunk", 9, pallet_number=2)

    haulier.export()

    assert haulier.codes(one) == [*of_both("POC"), ("SCOT", "02")]


@pytest.mark.rule("PF-5-18", "PF-5-21")
def test_both_legs_of_ours_are_told_through_the_depot_of_each(haulier):
    one = haulier.create(BOTH_LEGS, pallets=1)
    haulier.route(one, 1)
    haulier.report(one, "pickup", "completed", 4)
    haulier.delivered(one)

    assert haulier.export() == {"done": 1}

    assert [(upload["trackingData"][0]["depot"], len(upload["trackingData"])) for upload in haulier.uploads()] == [
        ("901", 1),
        ("902", 4),
    ]
    assert haulier.codes(one) == [(code, "01") for code in ("POC", "DELV", "DONR", "ARDL", "POD")]


@pytest.mark.rule("PF-5-21")
@pytest.mark.parametrize(("outcome", "code"), [("DAMAGED", "PODD"), ("EXCEPTION", "PODE"), ("NOT_DELIVERED", "ABRT")])
def test_an_unclean_delivery_is_told_with_its_note(haulier, outcome, code):
    one = haulier.create(DELIVERY, pallets=1)
    haulier.route(one, 1)
    haulier.delivered(one, outcome=outcome, reason="Two cartons crushed")

    haulier.export()

    told = haulier.in_the_network(one)[-1]
    assert (told["eventCode"], told["note"]) == (code, "Two cartons crushed")


@pytest.mark.rule("PF-5-25", "PF-2.6-3")
@pytest.mark.parametrize(
    ("count", "wanted"),
    [("stops", [("1", "2"), ("1", "2"), ("2", "2")]), ("consignments", [("1", "3"), ("2", "3"), ("3", "3")])],
)
def test_delivery_order_counts_the_networks_stops_of_the_route(haulier, tmp_path, count, wanted):
    """Two consignments for one stop; a stop of another network's and one of another route count for nothing."""
    own = tmp_path / "own.yaml"
    own.write_text(f"statuses: {{delivery_count: {count}}}\n")
    network = replace(haulier.plan.networks["palletforce"], template=own)
    haulier.plan = replace(haulier.plan, networks={"palletforce": network})
    many = [haulier.create(DELIVERY, pallets=1) for _ in range(5)]
    for consignment_id, sequence in zip(many, (5, 5, 9, 7), strict=False):
        haulier.route(consignment_id, sequence)
    haulier.rows("UPDATE consignments SET network = 'nexus' WHERE id = %s RETURNING 1", many[3])
    haulier.route(many[4], 1, "another route")
    for consignment_id in many[:3]:
        haulier.report(consignment_id, "delivery", "arrived", 23)

    haulier.export()

    sent = {
        element["trackingNumber"]: (element["deliveryOrder"], element["totalDeliveries"])
        for upload in haulier.uploads()
        for element in upload["trackingData"]
    }
    assert [sent[number] for number in sorted(sent)] == wanted


# What is incomplete, held or none of our business


@pytest.mark.rule("PF-2.6-3", "PF-5-24")
def test_without_a_route_it_is_parked_with_what_is_missing_and_goes_on_when_routed(haulier):
    one = haulier.create(DELIVERY, pallets=1)
    haulier.scan(one, "receipt", 18, pallet_number=1)
    haulier.delivered(one)

    assert haulier.export() == {"parked": 1}
    assert haulier.codes(one) == [("SRID", "01")]
    assert "DONR needs the delivery order: put the delivery stop on a route" in haulier.parked()[0]

    haulier.route(one, 3)
    assert haulier.export() == {"done": 1}
    assert haulier.codes(one) == [(code, "01") for code in ("SRID", "DELV", "DONR", "ARDL", "POD")]


@pytest.mark.rule("PF-2.6-4")
def test_without_a_signatory_it_is_parked_and_a_corrected_report_goes_on(haulier):
    one = haulier.create(DELIVERY, pallets=1)
    haulier.route(one, 1)
    haulier.delivered(one, signatory="")

    assert haulier.export() == {"parked": 1}
    assert haulier.parked() == ["POD needs a signatory: report the delivery again with who signed"]

    haulier.report(one, "delivery", "completed", 23.2, signatory="A COLE")
    assert haulier.export() == {"done": 1}
    assert haulier.in_the_network(one)[-1]["signatory"] == "A COLE"


def test_while_the_switch_is_off_statuses_wait_and_nothing_is_lost(haulier):
    one = haulier.create(COLLECTING)
    haulier.report(one, "pickup", "completed", 4)
    on = haulier.plan
    network = on.networks["palletforce"]
    off = replace(network, switches=replace(network.switches, status_export=False))
    haulier.plan = replace(on, networks={"palletforce": off})

    assert haulier.export() == {"again": 1}
    assert haulier.uploads() == []

    haulier.plan = on
    assert haulier.export() == {"done": 1}
    assert haulier.codes(one) == of_both("POC")


@pytest.mark.parametrize(("state", "outcome"), [("waiting", "again"), ("unknown", "again"), ("not_needed", "done")])
def test_only_a_registered_consignment_is_told_of(haulier, state, outcome):
    one = haulier.create(COLLECTING)
    haulier.report(one, "pickup", "completed", 4)
    haulier.rows(
        "UPDATE consignments SET registered = false, dispatch_state = %s WHERE id = %s RETURNING 1", state, one
    )

    assert haulier.export() == {outcome: 1}
    assert haulier.uploads() == []


@pytest.mark.rule("PF-5-18", "PF-5-19")
def test_what_we_only_read_from_the_network_is_never_sent(haulier):
    one = haulier.create(COLLECTING)
    [(number,)] = haulier.rows("SELECT tracking_number FROM consignments WHERE id = %s", one)
    haulier.simulator.control("events", trackingNumber=number, eventCode="SCOT", at=at(5).isoformat())
    haulier.poll()
    haulier.report(one, "pickup", "completed", 4)

    haulier.export()

    assert [element["eventCode"] for upload in haulier.uploads() for element in upload["trackingData"]] == ["POC"] * 2


def test_a_consignment_that_is_gone_and_one_without_a_leg_of_ours_are_done(haulier):
    one = haulier.create({"requestingDepot": "901", "collectingDepot": "905", "deliveryDepot": "906"})
    haulier.report(one, "pickup", "completed", 4)
    with haulier.conn.transaction():
        work_items.enqueue(haulier.conn, "palletforce", STATUS_EXPORT, [one, 999999])

    assert haulier.export() == {"done": 2}
    assert haulier.uploads() == []


# Barcodes


@pytest.mark.rule("PF-3-16")
def test_a_scan_of_an_old_label_goes_out_under_the_new_barcode(haulier):
    one = haulier.create(COLLECTING)
    [(old,)] = haulier.rows("SELECT barcode FROM pallet_barcodes WHERE consignment_id = %s AND pallet_number = 2", one)
    [(number,)] = haulier.rows("SELECT tracking_number FROM consignments WHERE id = %s", one)
    haulier.simulator.control("clock", advance_s=60)
    new = haulier.simulator.control("change", trackingNumber=number, serviceName="C")["barcodes"]
    haulier.simulator.control("events", trackingNumber=number, eventCode="ARRH", at=at(1).isoformat())
    haulier.poll()

    haulier.scan(one, "onto_trunk", 9, barcode=old)
    haulier.export()

    assert [element["barcode"] for upload in haulier.uploads() for element in upload["trackingData"]] == [new[1]]
    assert haulier.rows("SELECT barcode, pallet_number FROM movements") == [(old, 2)]


@pytest.mark.rule("PF-3-16", "PF-2.6-9")
def test_what_was_refused_under_an_old_barcode_goes_out_under_the_new_one(haulier):
    one = haulier.create(COLLECTING, pallets=1)
    [(number,)] = haulier.rows("SELECT tracking_number FROM consignments WHERE id = %s", one)
    haulier.simulator.control("clock", advance_s=60)
    haulier.simulator.control("change", trackingNumber=number, serviceName="C")
    haulier.report(one, "pickup", "completed", 4)
    assert haulier.export() == {"parked": 1}
    assert "not a valid barcode" in haulier.parked()[0]

    haulier.simulator.control("events", trackingNumber=number, eventCode="ARRH", at=at(1).isoformat())
    haulier.poll()

    assert haulier.export() == {"done": 1}
    assert [code for code, _ in haulier.codes(one)] == ["ARRH", "POC"]
    assert haulier.sent(one) == [("POC", 1, True, None)]


@pytest.mark.rule("PF-2.6-2")
def test_without_barcodes_a_collection_is_told_of_all_pallets(haulier):
    one = haulier.create(COLLECTING)
    haulier.rows("DELETE FROM pallet_barcodes WHERE consignment_id = %s RETURNING 1", one)
    haulier.report(one, "pickup", "completed", 4)
    haulier.scan(one, "onto_trunk", 9, pallet_number=1)

    assert haulier.export() == {"again": 1}

    assert haulier.codes(one) == [("POC", "")]


# Faults


@pytest.mark.rule("PF-2.6-7", "PF-9-38")
def test_what_is_refused_is_kept_with_its_reason_and_the_others_are_taken(haulier):
    one = haulier.create(COLLECTING)
    haulier.report(one, "pickup", "completed", 4)
    haulier.simulator.fault("tracking_upload_partial", "UploadTracking")

    assert haulier.export() == {"parked": 1}

    assert haulier.codes(one) == [("POC", "02")]
    assert haulier.sent(one) == [("POC", 1, False, "Status could not be stored"), ("POC", 2, True, None)]
    assert haulier.parked() == ["POC pallet 1 2026-07-13 13:30:00: Status could not be stored"]

    haulier.rows("UPDATE work_items SET parked_at = NULL RETURNING 1")
    assert haulier.export() == {"done": 1}
    assert haulier.codes(one) == [("POC", "02"), ("POC", "01")]
    assert [len(upload["trackingData"]) for upload in haulier.uploads()] == [2, 1]


@pytest.mark.rule("PF-2.6-7", "PF-2.6-8")
@pytest.mark.parametrize(
    "switches",
    [
        {},
        {"failure_http": "200"},
        {"failure_http": "500"},
        {"failure_key": "plain"},
        {"failure_reasons_type": "string"},
        {"success_type": "string"},
    ],
    ids=str,
)
@pytest.mark.parametrize(
    ("fault", "taken"), [("tracking_upload_partial", [False, True]), ("tracking_upload_refused", [False, False])]
)
def test_refusals_are_understood_however_they_are_written(haulier, switches, fault, taken):
    one = haulier.create(COLLECTING)
    haulier.simulator.control("switches", **switches)
    haulier.report(one, "pickup", "completed", 4)
    haulier.simulator.fault(fault, "UploadTracking")

    assert haulier.export() == {"parked": 1}

    assert [sent for _, _, sent, _ in haulier.sent(one)] == taken
    assert "could not be stored" in haulier.parked()[0]


@pytest.mark.rule("PF-2.6-9", "PF-1.3-10", "PF-1.3-12")
@pytest.mark.parametrize("accept", [False, True])
@pytest.mark.parametrize("fault", ["reset", "empty_body", "html_500", "http_502"])
def test_a_lost_answer_is_sent_again_and_ends_the_same(haulier, fault, accept):
    one = haulier.create(COLLECTING)
    haulier.report(one, "pickup", "completed", 4)
    haulier.simulator.fault(fault, "UploadTracking", count=2, accept=accept)

    assert haulier.export() == {"done": 1}

    assert haulier.codes(one) == of_both("POC")
    assert [sent for _, _, sent, _ in haulier.sent(one)] == [True, True]


@pytest.mark.rule("PF-2.6-9")
@pytest.mark.parametrize("fault", ["timeout_before_accept", "timeout_after_accept", "truncated_json", "slow"])
def test_silence_and_half_answers_are_sent_again_and_end_the_same(haulier, fault):
    one = haulier.create(COLLECTING)
    haulier.extra = {"read_timeout_s": 0.3}
    haulier.report(one, "pickup", "completed", 4)
    haulier.simulator.fault(fault, "UploadTracking")

    assert haulier.export() == {"done": 1}

    assert haulier.codes(one) == of_both("POC")


@pytest.mark.rule("PF-1.3-11", "PF-1.3-16")
@pytest.mark.parametrize(("fault", "outcome"), [("http_429", "done"), ("http_503", "done"), ("http_401", "postponed")])
def test_pauses_are_kept_and_a_refused_key_postpones(haulier, fault, outcome):
    one = haulier.create(COLLECTING)
    haulier.report(one, "pickup", "completed", 4)
    haulier.simulator.fault(fault, "UploadTracking")

    assert haulier.export() == {outcome: 1}
    assert haulier.codes(one) == (of_both("POC") if outcome == "done" else [])
    assert [sent for _, _, sent, _ in haulier.sent(one)] == [outcome == "done"] * 2

    haulier.export()
    assert haulier.codes(one) == of_both("POC")


@pytest.mark.rule("PF-2.6-1")
def test_many_statuses_go_in_batches(haulier):
    one = haulier.create(COLLECTING, pallets=7)
    haulier.extra = {"upload_batch": 3}
    haulier.report(one, "pickup", "completed", 4)

    assert haulier.export() == {"done": 1}

    uploads = haulier.uploads()
    assert [len(upload["trackingData"]) for upload in uploads] == [3, 3, 1]
    assert len({upload["uniqueTransactionNumber"] for upload in uploads}) == 3
    assert len(haulier.codes(one)) == 7


@pytest.mark.rule("PF-2.6-2")
def test_the_wire_may_name_a_field_otherwise(haulier, tmp_path):
    own = tmp_path / "own.yaml"
    own.write_text("statuses: {tracking_fields: {note: remarks}}\n")
    network = replace(haulier.plan.networks["palletforce"], template=own)
    haulier.plan = replace(haulier.plan, networks={"palletforce": network})
    haulier.report(haulier.create(COLLECTING), "pickup", "completed", 4)

    haulier.export()

    assert {"remarks", "eventCode"} <= set(haulier.uploads()[0]["trackingData"][0])
    assert "note" not in haulier.uploads()[0]["trackingData"][0]


@pytest.mark.rule("PF-2.6-9")
def test_interrupted_after_the_network_took_it_the_next_worker_ends_the_same(haulier):
    """The worker dies between the network's answer and keeping it."""
    one = haulier.create(COLLECTING)
    haulier.report(one, "pickup", "completed", 4)

    class Killed(BaseException):
        pass

    class DyingConnection:
        """Dies at the third transaction: the facts are read, what is to be sent is kept, the answer is not."""

        def __init__(self, conn) -> None:
            self._conn, self.begun = conn, 0

        def __getattr__(self, name):
            return getattr(self._conn, name)

        def transaction(self):
            self.begun += 1
            if self.begun == 3:
                raise Killed
            return self._conn.transaction()

    item = WorkItem(1, "palletforce", STATUS_EXPORT, str(one), 1, 0, None, NOW)
    with pytest.raises(Killed):
        haulier.handler()(DyingConnection(haulier.conn), item)
    assert haulier.codes(one) == of_both("POC")
    assert [sent for _, _, sent, _ in haulier.sent(one)] == [False, False]

    assert haulier.export() == {"done": 1}

    assert haulier.codes(one) == of_both("POC")
    assert [sent for _, _, sent, _ in haulier.sent(one)] == [True, True]


def test_reported_again_nothing_is_sent_again(haulier):
    one = haulier.create(COLLECTING)
    for _ in range(2):
        haulier.report(one, "pickup", "completed", 4)
        haulier.export()
    with haulier.conn.transaction():
        work_items.enqueue(haulier.conn, "palletforce", STATUS_EXPORT, [one])

    assert haulier.export() == {"done": 1}
    assert len(haulier.uploads()) == 1


# To and fro


@pytest.mark.rule("PF-5-19")
def test_what_we_told_comes_back_as_history(haulier):
    one = haulier.create(DELIVERY, pallets=1)
    haulier.route(one, 1)
    haulier.delivered(one)
    haulier.export()
    stops = haulier.rows("SELECT kind, arrived_at, completed_at, outcome FROM stops WHERE consignment_id = %s", one)

    importer = haulier.poll()

    counts = importer.imported()
    assert (counts.events, counts.echoes, counts.changed) == (4, 4, 0)
    assert haulier.rows("SELECT kind, arrived_at, completed_at, outcome FROM stops WHERE consignment_id = %s", one) == (
        stops
    )
    assert haulier.rows("SELECT ended_at FROM tracking_polls WHERE consignment_id = %s", one) == [(at(23.2),)]
    assert haulier.rows("SELECT state FROM pallet_barcodes WHERE consignment_id = %s", one) == [("confirmed",)]


@pytest.mark.rule("PF-5-19")
def test_what_we_told_wrongly_and_corrected_does_not_come_back_to_us(haulier):
    one = haulier.create(DELIVERY, pallets=1)
    haulier.route(one, 1)
    haulier.delivered(one, outcome="DAMAGED", reason="torn")
    haulier.export()
    haulier.delivered(one)

    haulier.poll()

    assert haulier.rows("SELECT lifecycle_status, exception_reason FROM consignments") == [("DELIVERED", None)]
    assert haulier.rows("SELECT outcome FROM stops WHERE kind = 'delivery'") == [("CLEAN",)]


# Compliance


def missing(haulier) -> list[list[str]]:
    return [one.missing for one in compliance(haulier.conn, haulier.plan, date(2026, 7, 1))]


@pytest.mark.rule("PF-5-24")
def test_a_delivery_told_in_full_is_compliant_and_before_it_is_not(haulier):
    one = haulier.create(DELIVERY)
    haulier.route(one, 1)
    assert missing(haulier) == []
    haulier.delivered(one)
    assert missing(haulier) == [["DELV", "DONR", "ARDL", "POD or PODD or PODE or ABRT", ORDER]]

    haulier.export()

    assert missing(haulier) == []


@pytest.mark.rule("PF-5-24")
def test_each_part_that_was_never_told_is_named(haulier):
    one = haulier.create(DELIVERY)
    haulier.route(one, 1)
    haulier.report(one, "delivery", "completed", 23.2, signatory="J SMITH")
    haulier.scan(one, "onto_delivery_vehicle", 20, pallet_number=1)

    haulier.export()

    assert missing(haulier) == [["DELV", "DONR", "ARDL"]]


@pytest.mark.rule("PF-5-24")
@pytest.mark.parametrize(("requesting", "wanted"), [("905", [["POC"]]), ("900", [])])
def test_a_collection_for_another_member_needs_poc(haulier, requesting, wanted):
    one = haulier.create({**COLLECTING, "requestingDepot": requesting}, pallets=1)
    haulier.report(one, "pickup", "completed", 4)

    assert missing(haulier) == wanted

    haulier.export()
    assert missing(haulier) == []


@pytest.mark.rule("PF-5-24")
def test_the_command_line_lists_what_is_missing(haulier, dsn, monkeypatch, capsys):
    monkeypatch.setenv("AIRFLOW_CONN_ORDER_STORE", dsn)
    monkeypatch.setenv("PALLETFLOW_DEPLOYMENT", str(PROJECT / "include" / "deployment.yaml"))
    one = haulier.create(COLLECTING, pallets=1)
    haulier.report(one, "pickup", "completed", 4)

    assert cli.main(["compliance", "palletforce", "--since", "2026-07-01"]) == 0

    lines = capsys.readouterr().out.splitlines()
    assert lines[0].endswith("2026-07-13 13:30 UTC  misses POC")
    assert lines[1] == "1 consignments since 2026-07-01 are not compliant"
