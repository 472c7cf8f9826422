"""CSV files in the order store: what lands, what is refused, what stays as it is, and what a replay makes of it."""

import csv
import io
import json
import threading
from datetime import UTC, datetime, timedelta

import pytest
from psycopg.errors import LockNotAvailable
from tests.sandbox.waiting import until

from palletflow.intake import files as reading
from palletflow.intake.file_import import import_file
from palletflow.intake.replay import replay
from palletflow.networks.palletforce import csv_files
from palletflow.networks.palletforce.mapper import preview
from palletflow.store import network_lock, quarantine
from palletflow.store.connection import connect
from palletflow.store.dispatch import DISPATCH

NOW = datetime(2026, 7, 13, 9, 30, tzinfo=UTC)
ORDER = {
    "orderReference": "SO-1",
    "customerCode": "ACME",
    "trackingNumber": "",
    "collectionDate": "13/07/2026",
    "deliveryName": "Receiver Ltd",
    "deliveryStreetAddress": "2 High Street",
    "deliveryTown": "Leeds",
    "deliveryPostcode": "LS1 1AA",
    "deliveryPhoneNumber": "01632 960001",
    "palletType": "F",
    "numberOfPallets": "2",
    "weight": "850",
}
MANIFEST = {
    "trackingNumber": "1230010000123",
    "requestingDepot": "123",
    "collectingDepot": "123",
    "deliveryDepot": "901",
    "deliveryDate": "14/07/2026",
    "serviceName": "A",
    "surcharges": "",
    "full": "2",
    "weight": "850",
    "deliveryName": "Receiver Ltd",
    "deliveryStreetAddress": "2 High Street",
    "deliveryTown": "Leeds",
    "deliveryPostcode": "LS1 1AA",
    "deliveryPhoneNumber": "",
    "note1": "",
}
VERSIONS = "SELECT xmin::text, ctid::text FROM {} ORDER BY 1, 2"
MODEL = ("orders", "consignments", "stops", "pallets", "pallet_barcodes", "activity")


def table(pattern, *changes):
    """A file with a row for each of these changes of a pattern."""
    output = io.StringIO()
    writer = csv.DictWriter(output, pattern)
    writer.writeheader()
    writer.writerows(pattern | change for change in changes)
    return output.getvalue()


def orders(*changes):
    return table(ORDER, *(changes or ({},)))


def manifest(*changes):
    return table(MANIFEST, *(changes or ({},)))


@pytest.fixture
def land(conn, plan):
    """Imports a file; gives (outcome, read, landed, unchanged, quarantined)."""

    def landed(content, name="orders.csv", deployment=plan, now=NOW, kinds=None):
        file = io.BytesIO(content.encode())
        found = import_file(
            conn,
            "palletforce",
            kinds or csv_files.kinds(deployment),
            deployment,
            file,
            name,
            asked=None,
            now=now,
            run="test",
            actor="tester",
        )
        if found.before:
            return "before"
        return found.file[1], *found.file[7:11]

    return landed


@pytest.fixture
def replayed(conn, plan):
    def run(ids=None, deployment=plan):
        return replay(
            conn,
            quarantine.listed(conn, ids=ids),
            deployment,
            lambda network, party: preview(deployment),
            lambda network: csv_files.kinds(deployment),
            now=NOW,
            run="test",
            actor="ops",
        )

    return run


@pytest.fixture
def waiting(conn):
    """(row, reason code, column) of what is in quarantine."""
    return lambda: [(r.row_number, r.reason_code, r.field) for r in quarantine.listed(conn)]


@pytest.fixture
def versions(fetch):
    return lambda: [fetch(VERSIONS.format(name)) for name in MODEL]


def correct(conn, row_number, **cells):
    [record] = [record for record in quarantine.listed(conn) if record.row_number == row_number]
    raw = json.loads(record.raw)
    quarantine.correct(conn, record.id, json.dumps((raw if isinstance(raw, dict) else {}) | cells), "ops")
    return record.id


@pytest.mark.rule("PF-8.2-1", "PF-8.1-9")
def test_orders_land_whole_with_the_row_they_came_from(land, fetch):
    content = orders({}, {"orderReference": "SO-2"}, {"palletType": "H", "numberOfPallets": "1", "weight": "50"})
    assert land(content) == ("DONE", 3, 3, 0, 0)
    assert fetch("SELECT source, source_key, reference FROM orders ORDER BY reference") == [
        ("palletforce orders file", "ACME\tSO-1", "SO-1"),
        ("palletforce orders file", "ACME\tSO-2", "SO-2"),
    ]
    assert fetch(
        "SELECT weight_kg, dispatch_state, lifecycle_status, registered, tracking_number, account,"
        " (SELECT array_agg(pallet_type ORDER BY number) FROM pallets WHERE consignment_id = c.id)"
        " FROM consignments c ORDER BY weight_kg DESC"
    ) == [
        (900, "not_needed", "CREATED", False, None, "acme 001", ["F", "F", "H"]),
        (850, "not_needed", "CREATED", False, None, "acme 001", ["F", "F"]),
    ]
    assert fetch(
        "SELECT row_number, reference FROM inbound_records r JOIN consignments c ON c.id = r.consignment_id"
        " JOIN orders o ON o.id = c.order_id ORDER BY 1"
    ) == [(2, "SO-1"), (3, "SO-2"), (4, "SO-1")]
    assert fetch("SELECT kind, name, town, planned_date::text FROM stops WHERE consignment_id = (SELECT min(id) FROM "
                 "consignments) AND name <> '' ORDER BY kind") == [
        ("delivery", "Receiver Ltd", "Leeds", "2026-07-14"),
        ("pickup", "Acme Widgets Ltd", "Leicester", "2026-07-13"),
    ]  # fmt: skip
    assert fetch("SELECT DISTINCT kind, actor, source FROM activity") == [
        ("created", "tester", "palletforce orders file orders.csv")
    ]
    assert fetch("SELECT count(*) FROM work_items WHERE kind = %s", DISPATCH) == [(0,)]


@pytest.mark.rule("PF-8.1-6")
def test_the_same_file_is_read_once(land, versions, fetch):
    assert land(orders())[0] == "DONE"
    before = versions()
    assert land(orders()) == "before"
    assert versions() == before
    assert fetch("SELECT count(*) FROM inbound_batches") == [(1,)]


@pytest.mark.rule("PF-8.1-6", "PF-8.2-10")
def test_the_same_rows_in_another_file_change_nothing(land, versions):
    content = orders({}, {"orderReference": "SO-2"}, {"weight": "50"})
    land(content)
    before = versions()
    assert land(content, "copy.csv") == ("DONE", 3, 0, 3, 0)
    # Written differently it says the same.
    assert land(content.replace("13/07/2026", "20260713"), "again.csv") == ("DONE", 3, 0, 3, 0)
    assert versions() == before


@pytest.mark.rule("PF-8.1-6", "PF-8.2-10")
def test_an_order_is_made_once_and_another_content_is_refused(land, waiting, versions, conn):
    land(orders())
    before = versions()
    assert land(orders({"weight": "900"}, {"orderReference": "SO-9"})) == ("PARTIAL", 2, 1, 0, 1)
    assert waiting() == [(2, "DUPLICATE_ORDER", "orderReference")]
    assert "weight_kg" in quarantine.listed(conn)[0].reason
    assert [row for rows in before for row in rows if row not in [r for now in versions() for r in now]] == []
    # Another customer may use the same reference.
    assert land(orders({"customerCode": "ACME", "orderReference": "SO-2"}), "b.csv")[2] == 1


@pytest.mark.rule("PF-8.1-6")
def test_of_two_who_read_a_file_at_once_the_slower_one_sees_what_became_of_it(plan, dsn, fetch):
    ends = []

    def read():
        with connect(dsn) as conn:
            kinds, file = (
                csv_files.kinds(plan),
                io.BytesIO(orders({}, {"orderReference": "SO-2", "weight": "x"}).encode()),
            )
            ends.append(import_file(
                conn, "palletforce", kinds, plan, file, "a.csv", asked=None, now=NOW, run="test", actor="tester"
            ))  # fmt: skip

    readers = [threading.Thread(target=read) for _ in range(2)]
    with connect(dsn) as other:
        with other.transaction():
            network_lock.hold(other, "palletforce orders file")
            for reader in readers:
                reader.start()
            until("both wait", lambda: fetch("SELECT count(*) FROM pg_locks WHERE NOT granted") == [(2,)])
        for reader in readers:
            reader.join()
    assert [(end.file.outcome, end.file.landed, end.file.quarantined) for end in ends] == [("PARTIAL", 1, 1)] * 2
    assert fetch("SELECT count(*) FROM inbound_batches") == [(1,)]


def test_a_file_of_orders_neither_waits_for_a_pull_nor_holds_up_dispatch(land, conn, dsn):
    with connect(dsn) as other, other.transaction():
        network_lock.hold(other, "palletforce")
        conn.execute("SET lock_timeout = '30s'")
        assert land(orders()) == ("DONE", 1, 1, 0, 0)
        conn.execute("SET lock_timeout = '100ms'")
        with pytest.raises(LockNotAvailable):
            land(manifest(), "manifest.csv")


@pytest.mark.rule("PF-8.2-10")
def test_what_the_network_will_give_back_is_still_known_after_a_refused_row(land, conn, fetch):
    land(orders())
    conn.execute(
        "INSERT INTO dispatch_tasks (consignment_id, trip, resource, auto_complete, echo)"
        " SELECT id, 'T1', 'PALLETFORCE_OUT', false, '{\"weight_kg\": 850}' FROM consignments"
    )
    assert land(orders({"weight": "900"}), "b.csv") == ("PARTIAL", 1, 0, 0, 1)
    assert fetch("SELECT echo FROM dispatch_tasks") == [({"weight_kg": 850},)]


@pytest.mark.rule("PF-8.2-10")
def test_an_order_that_we_changed_since_is_still_the_one_of_the_file(land, conn, versions):
    land(orders())
    conn.execute("UPDATE consignments SET weight_kg = 1, delivery_depot = '901'")
    before = versions()
    assert land(orders(), "copy.csv") == ("DONE", 1, 0, 1, 0)
    assert versions() == before


@pytest.mark.rule("PF-8.1-8", "PF-8.1-11", "PF-8.2-9")
def test_bad_rows_wait_with_their_row_column_and_reason_and_good_ones_land(land, waiting, conn):
    content = orders(
        {}, {"orderReference": "SO-2", "weight": "x"}, {"orderReference": "SO-3"}, {"orderReference": "SO-2"}
    )
    content += "cut off\n"
    assert land(content) == ("PARTIAL", 5, 2, 0, 3)
    assert waiting() == [(3, "BAD_FORMAT", "weight"), (5, "ORDER_HAS_BAD_ROW", None), (6, "WRONG_CELL_COUNT", None)]
    row = quarantine.listed(conn)[0]
    assert (row.party, row.record_key, row.reason) == (
        "orders.csv",
        "ACME\tSO-2",
        "weight: 'x' is not a number such as 850 or 850.5",
    )
    assert json.loads(row.raw)["weight"] == "x"
    assert json.loads(quarantine.listed(conn)[2].raw) == "cut off"


@pytest.mark.rule("PF-8.1-8")
def test_a_last_row_that_was_cut_off_takes_its_order_with_it(land, waiting, fetch):
    content = orders({"orderReference": "SO-1"}, {"orderReference": "SO-2"}, {"orderReference": "SO-2"})
    assert land(content.rstrip()[:-40])[0] == "PARTIAL"
    assert waiting() == [(3, "ORDER_HAS_BAD_ROW", None), (4, "WRONG_CELL_COUNT", None)]
    assert fetch("SELECT reference FROM orders") == [("SO-1",)]


@pytest.mark.rule("PF-8.2-3", "PF-8.1-11")
def test_a_tracking_number_of_another_order_is_refused(land, waiting, conn, fetch):
    number = {"trackingNumber": "9000010000123"}
    assert land(orders(number, {"orderReference": "SO-2", **number})) == ("PARTIAL", 2, 1, 0, 1)
    assert land(orders({"orderReference": "SO-3", **number}), "b.csv") == ("PARTIAL", 1, 0, 0, 1)
    assert waiting() == [(3, "DUPLICATE_TRACKING", "trackingNumber"), (2, "DUPLICATE_TRACKING", "trackingNumber")]
    assert "SO-1" in quarantine.listed(conn)[1].reason
    assert fetch("SELECT reference, tracking_number, registered, requesting_depot FROM orders o JOIN consignments c"
                 " ON c.order_id = o.id") == [("SO-1", "9000010000123", False, "900")]  # fmt: skip


@pytest.mark.rule("PF-8.2-3", "PF-6-6")
def test_or_lands_with_a_warning_on_both(land, plan, tmp_path, fetch):
    from dataclasses import replace

    own = tmp_path / "own.yaml"
    own.write_text("csv: {duplicate_tracking: warn}\n")
    ours = replace(plan, networks={"palletforce": replace(plan.network("palletforce"), template=own)})
    number = {"trackingNumber": "9000010000123"}
    land(orders(number), deployment=ours)
    assert land(orders({"orderReference": "SO-2", **number}), "b.csv", deployment=ours) == ("DONE", 1, 1, 0, 0)
    assert fetch("SELECT count(DISTINCT consignment_id) FROM activity WHERE kind = 'number shared'") == [(2,)]


@pytest.mark.rule("PF-6-5")
def test_labels_are_drawn_for_orders_that_bring_their_number(land, fetch):
    land(orders({"trackingNumber": "9000010000123"}, {"orderReference": "SO-2"}))
    assert fetch("SELECT kind, key FROM work_items") == [
        ("own_labels", str(fetch("SELECT id FROM consignments WHERE tracking_number IS NOT NULL")[0][0]))
    ]


@pytest.mark.rule("PF-8.1-10", "PF-8.2-9")
def test_a_corrected_row_brings_its_whole_order_back(land, conn, replayed, waiting, fetch):
    land(orders({}, {"weight": "x"}, {"orderReference": "SO-2", "customerCode": "NOBODY"}))
    bad = correct(conn, 3, weight="50")

    counts = replayed([bad])

    assert (counts.records, counts.created) == (2, 2)
    assert waiting() == [(4, "UNKNOWN_CUSTOMER", "customerCode")]
    assert fetch("SELECT weight_kg FROM consignments") == [(900,)]
    assert fetch("SELECT source_key FROM orders") == [("ACME\tSO-1",)]
    assert fetch("SELECT settled_by FROM inbound_records WHERE settled_at IS NOT NULL") == [
        ("created by replay: ops",),
        ("created by replay: ops",),
    ]
    assert replayed([bad]).records == 0
    # What the file said first is not what we hold; said again as corrected it is unchanged.
    assert land(orders({}, {"weight": "50"}), "mended.csv") == ("DONE", 2, 0, 2, 0)


@pytest.mark.rule("PF-8.1-10")
def test_an_order_with_a_row_that_is_still_bad_stays_whole_in_quarantine(land, conn, replayed, waiting, fetch):
    land(orders({"weight": "x"}, {"numberOfPallets": "y"}))
    correct(conn, 2, weight="50")
    assert replayed().rejected == 2
    assert waiting() == [(2, "ORDER_HAS_BAD_ROW", "weight"), (3, "BAD_FORMAT", "numberOfPallets")]
    correct(conn, 3, numberOfPallets="1")
    assert replayed().created == 2
    assert fetch("SELECT count(*) FROM orders") == [(1,)]


@pytest.mark.rule("PF-8.1-10")
def test_a_row_that_was_no_row_is_written_anew_by_a_person(land, conn, replayed, fetch):
    land(orders({"orderReference": "SO-2"}) + "SO-7,ACME\n")
    correct(conn, 3, **ORDER | {"orderReference": "SO-7"})
    assert replayed().created == 1
    assert fetch("SELECT reference FROM orders ORDER BY 1") == [("SO-2",), ("SO-7",)]


@pytest.mark.rule("PF-8.1-10")
def test_a_customer_added_later_lets_all_his_rows_land(land, plan, replayed, fetch):
    from dataclasses import replace

    from palletflow.deployment import Customer

    land(orders({"customerCode": "NEW"}, {"customerCode": "NEW", "orderReference": "SO-2"}))
    new = Customer("NEW", "New Customer", plan.customers["ACME"].collection)
    assert replayed(deployment=replace(plan, customers={**plan.customers, "NEW": new})).created == 2
    assert fetch("SELECT count(*) FROM orders") == [(2,)]


@pytest.mark.rule("PF-8.1-8")
def test_a_bad_row_sent_again_waits_once_and_a_mended_one_settles_it(land, waiting, fetch):
    land(orders({"weight": "x"}, {"orderReference": "SO-2", "weight": "y"}))
    land(
        orders({"weight": "50"}, {"orderReference": "SO-2", "weight": "y"}), "mended.csv", now=NOW + timedelta(hours=1)
    )
    assert waiting() == [(3, "BAD_FORMAT", "weight")]
    assert fetch("SELECT count(*) FROM inbound_records WHERE outcome = 'rejected'") == [(3,)]


def test_more_rows_than_an_order_can_have_are_all_quarantined(land, waiting):
    content = orders(*[{"numberOfPallets": "1", "weight": "1"}] * 250, {"orderReference": "SO-2"})
    assert land(content) == ("PARTIAL", 251, 1, 0, 250)
    codes = [code for _, code, _ in waiting()]
    assert (codes.count("BAD_FORMAT"), codes.count("ORDER_HAS_BAD_ROW")) == (1, 249)


def test_cells_of_any_size_and_sign_stop_nothing(land, waiting):
    long, odd = "x" * 100_000, "\\ \t ' ; -- {} \u2028 \U0001f69a"
    content = orders(
        {"orderReference": long, "customerCode": long},
        {"orderReference": "SO-2", "deliveryName": odd},
        {"orderReference": odd, "weight": long},
    )
    assert land(content) == ("PARTIAL", 3, 1, 0, 2)
    assert waiting() == [(2, "TOO_LONG", "orderReference"), (4, "BAD_FORMAT", "weight")]


@pytest.mark.rule("PF-8.1-6", "PF-8.1-7")
def test_a_file_rejected_whole_lands_nothing_and_may_be_tried_again(land, fetch, plan):
    few = csv_files.kinds(plan)._replace(limits=reading.Limits(",", 2, 1 << 20))
    content = orders({}, {"orderReference": "SO-2"}, {"orderReference": "SO-3"})
    assert land(content, kinds=few) == ("REJECTED", 0, 0, 0, 0)
    assert fetch("SELECT outcome, reason, batch_id FROM inbound_files") == [
        ("REJECTED", "has more than 2 rows; split it", None)
    ]
    assert fetch("SELECT (SELECT count(*) FROM orders) + (SELECT count(*) FROM inbound_records)") == [(0,)]
    assert land(content) == ("DONE", 3, 3, 0, 0)
    assert fetch("SELECT outcome, reason FROM inbound_files") == [("DONE", None)]
    assert land(content) == "before"


@pytest.mark.rule("PF-8.1-7", "PF-8.1-9")
@pytest.mark.parametrize("pattern", [ORDER, MANIFEST], ids=["orders", "manifest"])
def test_a_header_without_rows_is_done_with_nothing_and_a_warning(land, fetch, pattern):
    content = table(pattern)
    assert land(content) == ("DONE", 0, 0, 0, 0)
    assert fetch("SELECT outcome, warnings FROM inbound_files") == [("DONE", ["the file has a header and no rows"])]
    assert land(content) == "before"
    # Blank lines are no rows, and a header that lacks a column is none.
    assert land(content + "\r\n,,\r\n", "blank.csv") == ("DONE", 0, 0, 0, 0)
    assert land(content.replace("weight", "colour"), "other.csv")[0] == "REJECTED"


@pytest.mark.rule("PF-8.1-7")
def test_unknown_columns_are_warned_of(land, fetch):
    land(orders().replace("\r\n", ",x\r\n").replace("weight,x", "weight,colour"))
    assert fetch("SELECT warnings FROM inbound_files") == [(["column 'colour' is unknown and not read"],)]


@pytest.mark.rule("PF-8.3-6", "PF-8.3-1")
def test_a_manifest_makes_orders_as_a_pull_does(land, fetch, waiting):
    content = manifest({}, {"trackingNumber": "1230010000124"}, {"weight": "900"}, {"deliveryDepot": "124"})
    assert land(content, "manifest.csv") == ("PARTIAL", 4, 2, 0, 2)
    assert waiting() == [(4, "DUPLICATE_ROW", "trackingNumber"), (5, "DUPLICATE_ROW", "trackingNumber")]
    assert fetch("SELECT source, source_key, weight_kg, registered, our_roles FROM orders o JOIN consignments c"
                 " ON c.order_id = o.id ORDER BY 2") == [
        ("palletforce", "1230010000123", 850, True, ["delivery"]),
        ("palletforce", "1230010000124", 850, True, ["delivery"]),
    ]  # fmt: skip
    assert fetch("SELECT barcode, state FROM pallet_barcodes ORDER BY 1")[0] == ("506901A123001000012301", "expected")


@pytest.mark.rule("PF-8.3-6")
def test_a_known_consignment_is_updated_and_the_same_again_is_unchanged(land, fetch, versions):
    land(manifest(), "a.csv")
    assert land(manifest({"weight": "900", "serviceName": "B"}), "b.csv") == ("DONE", 1, 1, 0, 0)
    assert fetch("SELECT weight_kg, service FROM consignments") == [(900, "B")]
    assert fetch("SELECT barcode FROM pallet_barcodes WHERE state = 'expected' ORDER BY 1") == [
        ("506901B123001000012301",),
        ("506901B123001000012302",),
    ]
    before = versions()
    assert land(manifest({"weight": "900", "serviceName": "B"}), "c.csv") == ("DONE", 1, 0, 1, 0)
    assert land(manifest({"weight": "900.00", "serviceName": "B"}), "d.csv") == ("DONE", 1, 0, 1, 0)
    assert versions() == before


@pytest.mark.rule("PF-8.3-6")
@pytest.mark.parametrize("start", ["status", "arrival"])
def test_nothing_is_changed_once_the_delivery_has_started(land, conn, fetch, waiting, start):
    land(manifest(), "a.csv")
    if start == "status":
        conn.execute("UPDATE consignments SET lifecycle_status = 'OUT_FOR_DELIVERY'")
    else:
        conn.execute("UPDATE stops SET arrived_at = now() WHERE kind = 'delivery'")
    assert land(manifest({"weight": "900"}), "b.csv") == ("PARTIAL", 1, 0, 0, 1)
    assert waiting() == [(2, "LOCKED", "trackingNumber")]
    assert "weight_kg" in quarantine.listed(conn)[0].reason
    assert fetch("SELECT weight_kg FROM consignments") == [(850,)]
    assert land(manifest({"weight": "850.0"}), "c.csv") == ("DONE", 1, 0, 1, 0)


@pytest.mark.rule("PF-8.3-6")
def test_a_manifest_takes_nothing_from_what_a_pull_brought(simulator, pull, land, fetch, versions):
    [number] = simulator.create(
        depot="900",
        role="delivered",
        overrides={"customersUniqueReference": "REF-1", "notes": [{"noteName": "NOTE1", "value": "Ring first"}]},
    )
    pull("900")
    before = versions()
    [(requesting, collecting, date, service, surcharges, weight, pallets, *where)] = fetch(
        "SELECT c.requesting_depot, c.collecting_depot, c.delivery_date::text, c.service,"
        " array_to_string(c.surcharges, ' '), c.weight_kg::text,"
        " (SELECT array_agg(pallet_type) FROM pallets WHERE consignment_id = c.id),"
        " s.name, s.street, s.town, s.postcode"
        " FROM consignments c JOIN stops s ON s.consignment_id = c.id AND s.kind = 'delivery'"
    )
    row = {
        "trackingNumber": number,
        "requestingDepot": requesting,
        "collectingDepot": collecting,
        "deliveryDepot": "900",
        "deliveryDate": date,
        "serviceName": service,
        "surcharges": surcharges,
        "weight": weight,
        "full": str(pallets.count("F")),
        "half": str(pallets.count("H")),
        "quarter": str(pallets.count("Q")),
        "oversize": str(pallets.count("O")),
        **dict(zip(("deliveryName", "deliveryStreetAddress", "deliveryTown", "deliveryPostcode"), where, strict=True)),
    }
    later = NOW + timedelta(minutes=5)
    assert land(table(row, {}), "manifest.csv", now=later) == ("DONE", 1, 0, 1, 0)
    assert versions() == before

    assert land(table(row, {"deliveryPostcode": "LE9 9ZZ"}), "b.csv", now=later) == ("DONE", 1, 1, 0, 0)
    assert fetch("SELECT reference, notes FROM orders o JOIN consignments c ON c.order_id = o.id") == [
        ("REF-1", ["Ring first"])
    ]
    assert fetch("SELECT changes FROM activity WHERE kind = 'updated'")[0][0].keys() == {"delivery_postcode"}


@pytest.mark.rule("PF-8.3-6", "PF-2.4-19")
def test_a_manifest_updates_the_order_that_holds_its_number(land, fetch):
    land(orders({"trackingNumber": "9000010000123"}))
    row = {"trackingNumber": "9000010000123", "requestingDepot": "900", "collectingDepot": "900"}
    assert land(manifest(row), "manifest.csv", now=NOW + timedelta(minutes=1)) == ("DONE", 1, 1, 0, 0)
    assert fetch("SELECT source, reference, registered, delivery_depot, customers.code FROM orders o"
                 " JOIN consignments c ON c.order_id = o.id JOIN customers ON customers.id = customer_id") == [
        ("palletforce orders file", "SO-1", True, "901", "ACME")
    ]  # fmt: skip


@pytest.mark.rule("PF-8.1-10", "PF-8.2-9")
@pytest.mark.parametrize("good", [{}, {"weight": "900"}], ids=["other row changed", "both rows changed"])
def test_no_order_lands_in_part_when_some_of_its_rows_were_sent_again(land, conn, replayed, fetch, good):
    land(orders({}, {"weight": "x"}), "a.csv")
    [first] = [record.id for record in quarantine.listed(conn) if record.reason_code == "BAD_FORMAT"]
    # The good row as it was or not, the bad one otherwise and still bad.
    land(orders(good, {"weight": "y"}), "b.csv")
    correct_one = json.loads(next(r.raw for r in quarantine.listed(conn) if r.id == first)) | {"weight": "50"}
    quarantine.correct(conn, first, json.dumps(correct_one), "ops")
    replayed([first])
    assert fetch(
        "SELECT weight_kg, (SELECT count(*) FROM pallets WHERE consignment_id = c.id) FROM consignments c"
    ) == [(900, 4)]


@pytest.mark.rule("PF-8.1-10")
def test_what_was_sent_again_stays_settled_when_its_order_is_still_bad(land, conn, replayed, waiting):
    land(orders({}, {"weight": "x"}), "a.csv")
    land(orders({}, {"weight": "y"}), "b.csv")
    before = waiting()
    assert before == [(3, "BAD_FORMAT", "weight"), (2, "ORDER_HAS_BAD_ROW", None), (3, "BAD_FORMAT", "weight")]
    replayed()
    assert waiting() == before


@pytest.mark.rule("PF-8.1-10", "PF-8.3-1")
def test_a_second_row_of_a_number_stays_out_until_its_number_is_mended(land, conn, replayed, waiting, fetch):
    land(manifest({}, {"weight": "1"}), "manifest.csv")
    assert replayed().rejected == 1
    assert fetch("SELECT weight_kg FROM consignments") == [(850,)]
    correct(conn, 3, trackingNumber="1230010000999")
    assert replayed().created == 1
    assert waiting() == []


@pytest.mark.rule("PF-8.1-4")
def test_warnings_of_rows_are_kept_with_the_order(land, fetch):
    land(manifest({"requestingDepot": "7"}), "manifest.csv")
    assert fetch(
        "SELECT requesting_depot, warnings FROM activity a JOIN consignments c ON c.id = a.consignment_id"
    ) == [("007", ["requestingDepot: '7' was read as depot 007"])]


@pytest.mark.rule("PF-8.1-8", "PF-8.1-10")
def test_a_hundred_thousand_rows_with_one_in_a_hundred_bad(land, conn, replayed, fetch):
    rows = [
        {"orderReference": f"SO-{number}", **({"weight": "heavy"} if number % 100 == 0 else {})}
        for number in range(100_000)
    ]
    assert land(orders(*rows)) == ("PARTIAL", 100_000, 99_000, 0, 1_000)
    bad = quarantine.listed(conn)
    assert sorted(record.row_number for record in bad) == [number + 2 for number in range(0, 100_000, 100)]
    assert {record.reason for record in bad} == {"weight: 'heavy' is not a number such as 850 or 850.5"}
    conn.execute("UPDATE inbound_records SET corrected = replace(raw, 'heavy', '850'), corrected_by = 'ops'"
                 " WHERE outcome = 'rejected'")  # fmt: skip
    assert replayed().created == 1_000
    assert fetch("SELECT count(*) FROM orders") == [(100_000,)]
    assert quarantine.listed(conn) == []
