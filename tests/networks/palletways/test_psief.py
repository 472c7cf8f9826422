"""Files like PSIEF: consignments announced by tracking ID, columns by position, no headings (contract 7.2 (b))."""

import csv
import io
import json
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from tests.networks.palletways.importing import House

from palletflow.intake.file_drops import FolderDrop, Importer
from palletflow.intake.file_import import import_file
from palletflow.intake.file_kinds import Row
from palletflow.intake.replay import replay
from palletflow.networks.palletways import csv_files, mapper
from palletflow.store import quarantine

NOW = datetime(2026, 7, 13, 9, 30, tzinfo=UTC)
# Documented positions, and those that our own template adds.
PLACES = {
    "tracking_id": 1, "consignment_number": 3, "weight": 13, "lifts": 20, "delivery_depot": 21, "service": 49,
    "surcharge": 50, "contact": 58, "telephone": 59, "company": 60, "address_line": 61, "country": 68, "postcode": 69,
}  # fmt: skip
OWN = """
psief:
  columns: {tracking_id: 1, lifts: 20, delivery_depot: 21}
"""
WIDTH = 100
LINE = {
    "tracking_id": "60000000017", "consignment_number": "100045-456", "weight": "640.00", "lifts": "2",
    "delivery_depot": "123", "service": "D", "surcharge": "PRE", "contact": "Goods In", "telephone": "01632 960001",
    "company": "Receiver Ltd", "address_line": "1 Road", "country": "GB", "postcode": "ZZ1 1ZZ",
}  # fmt: skip
MODEL = ("orders", "consignments", "stops", "pallets", "activity")


@pytest.fixture
def plan(plan, tmp_path):
    """The deployment, whose template says where tracking IDs stand."""
    own = tmp_path / "own.yaml"
    shared = plan.network("palletways").template
    own.write_text((shared.read_text("utf-8") if shared else "") + OWN)
    ours = replace(plan.network("palletways"), template=own)
    return replace(plan, networks={**plan.networks, "palletways": ours})


def line(width=WIDTH, **changes):
    cells = [""] * width
    for field, text in (LINE | changes).items():
        cells[PLACES[field] - 1] = text
    return cells


def file_of(*lines):
    output = io.StringIO()
    csv.writer(output).writerows(lines)
    return output.getvalue()


@pytest.fixture
def read(plan):
    kind = csv_files.kinds(plan).kinds["psief"]

    def reading(**changes):
        words = LINE | changes
        return kind.read([Row(1, [words.get(field, "") for field in kind.sources], None)])

    return reading


@pytest.fixture
def take(conn, plan):
    """Imports a file of this content."""

    def taken(content, name="psief.csv", plan=plan):
        raw = io.BytesIO(content if isinstance(content, bytes) else content.encode())
        kinds = csv_files.kinds(plan)
        return import_file(conn, "palletways", kinds, plan, raw, name, asked=None, now=NOW, run="test", actor="tester")

    return taken


@pytest.fixture
def work(fetch):
    return lambda: fetch("SELECT network, kind, key FROM work_items ORDER BY key")


@pytest.fixture
def rows(fetch):
    return lambda: {table: fetch(f"SELECT xmin::text, ctid::text FROM {table} ORDER BY 1, 2") for table in MODEL}


def faults(found):
    assert found.consignment is None
    return [(fault.code, fault.field) for fault in found.faults[0]]


@pytest.mark.rule("PW-7.2-2", "PW-3-1", "PW-3-3", "PW-3-6")
def test_a_line_is_a_consignment(read):
    found = read().consignment
    assert (found.tracking_number, found.registered, found.consignment_number) == ("60000000017", True, "100045-456")
    assert (found.delivery_depot, found.our_roles, found.customer_code) == ("123", ["delivery"], "PALLETWAYS")
    assert (found.service, found.weight_kg, found.pallet_types) == ("PRE", Decimal("640.00"), ["FULL", "FULL"])
    assert found.delivery[:2] == ("Receiver Ltd", "1 Road")
    assert found.delivery[-4:] == ("ZZ1 1ZZ", "GB", "01632 960001", "Goods In")
    assert read(consignment_number="100045-123").consignment.consignment_number == "100045"


@pytest.mark.rule("PW-7.2-2")
def test_more_columns_may_be_named(read):
    found = read(requesting_depot="124", account="air003", reference="PO-88", delivery_date="14/07/2026", town="Town",
                 instructions="Ring first").consignment  # fmt: skip
    assert (found.customer_code, found.our_roles) == ("AIRESIDE", ["requesting", "delivery"])
    assert (found.reference, found.delivery_date, found.notes) == ("PO-88", date(2026, 7, 14), ["Ring first"])
    assert found.delivery.town == "Town"


@pytest.mark.rule("PW-7.2-3")
@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"tracking_id": ""}, ("MISSING_VALUE", "tracking_id")),
        ({"tracking_id": "6.0E+10"}, ("BAD_TRACKING_ID", "tracking_id")),
        ({"postcode": ""}, ("MISSING_VALUE", "postcode")),
        ({"weight": "heavy"}, ("BAD_FORMAT", "weight")),
        ({"lifts": "100"}, ("BAD_FORMAT", "lifts")),
        ({"delivery_depot": "12"}, ("BAD_FORMAT", "delivery_depot")),
        ({"delivery_depot": "456"}, ("NOT_OUR_DEPOT", "delivery_depot")),
        ({"delivery_date": "01/02/26"}, ("BAD_FORMAT", "delivery_date")),
        ({"reference": "x" * 101}, ("TOO_LONG", "reference")),
    ],
)
def test_a_bad_cell_refuses_its_line(read, change, fault):
    assert faults(read(**change)) == [fault]


def test_a_line_need_not_name_depots(read):
    assert read(delivery_depot="").consignment.our_roles == []


def test_odd_codes_are_kept_or_left_out_with_a_warning(read):
    consignment, _, warnings = read(country="UNITED KINGDOM", surcharge="ZZ")
    assert (consignment.delivery.country, consignment.service) == ("", "ZZ")
    assert warnings == ["country: 'UNITED KINGDOM' was left out", "Service: unknown code 'ZZ' kept as it came"]


@pytest.mark.rule("PW-7.2-2")
def test_documented_positions_are_read_and_what_is_announced_is_looked_up(take, fetch, work):
    taken = take(file_of(line(), line(tracking_id="60000000018", company='Smith, "Jo" & Co')))
    assert (taken.file.outcome, taken.file.landed, taken.file.quarantined) == ("DONE", 2, 0)
    assert taken.file.warnings == []  # that most columns are nobody's is no news
    found = fetch(
        "SELECT c.tracking_number, c.registered, o.source, o.source_key, s.name, s.postcode, c.our_roles"
        " FROM consignments c JOIN orders o ON o.id = c.order_id"
        " JOIN stops s ON s.consignment_id = c.id AND s.kind = 'delivery' ORDER BY 1"
    )
    assert found == [
        ("60000000017", True, "palletways", "60000000017", "Receiver Ltd", "ZZ1 1ZZ", ["delivery"]),
        ("60000000018", True, "palletways", "60000000018", 'Smith, "Jo" & Co', "ZZ1 1ZZ", ["delivery"]),
    ]
    [(first,), (second,)] = fetch("SELECT id FROM consignments ORDER BY id")
    assert work() == [("palletways", "look_up", str(first)), ("palletways", "look_up", str(second))]


@pytest.mark.rule("PW-7.2-1", "PW-7.2-2")
def test_the_look_up_tells_the_rest_of_what_was_announced(conn, dsn, plan, palletways_sim, take, fetch):
    palletways_sim.add(
        tracking_id="60000000017", depot="124", role="delivering", weight=640, bill_units={"FP": 1, "HP": 1},
        delivery={"company": "Receiver Ltd", "lines": ["1 Road"], "town": "Town", "postcode": "ZZ1 1ZZ"},
    )  # fmt: skip
    take(file_of(line(delivery_depot="", lifts="", service="", surcharge="")))
    house = House(conn, dsn, plan, palletways_sim)
    assert house.work() == {"done": 1}
    house.close()
    assert fetch("SELECT our_roles, delivery_depot, weight_kg FROM consignments") == [(["delivery"], "124", 640)]
    assert fetch("SELECT pallet_type FROM pallets ORDER BY number") == [("FULL",), ("HALF",)]
    assert fetch("SELECT town FROM stops WHERE kind = 'delivery'") == [("Town",)]
    assert fetch("SELECT count(*) FROM pallet_barcodes") == [(2,)]


@pytest.mark.rule("PW-7.2-2")
def test_without_a_place_for_tracking_ids_every_file_is_refused(take, fetch, plan):
    silent = replace(plan.network("palletways"), template=None)
    taken = take(file_of(line()), plan=replace(plan, networks={**plan.networks, "palletways": silent}))
    assert taken.file.outcome == "REJECTED"
    assert taken.file.reason == (
        "lacks required columns of a file of psief: tracking_id; it has 100 columns, and the template says which of"
        " them is what"
    )
    assert fetch("SELECT count(*) FROM orders") == [(0,)]


@pytest.mark.rule("PW-7.2-2")
def test_a_file_that_ends_before_its_columns_is_refused(take):
    taken = take(file_of(*([cells[:60] for cells in (line(), line())])))
    assert taken.file.outcome == "REJECTED"
    assert "postcode; it has 60 columns" in taken.file.reason


@pytest.mark.rule("PW-7.2-3")
def test_a_bad_line_is_parked_with_its_text_and_the_others_proceed(take, fetch):
    good = [line(tracking_id=f"6000000002{n}") for n in range(3)]
    shifted = line(tracking_id="60000000030")
    shifted.insert(59, "Receiver")  # a comma that nobody quoted
    content = file_of(line(tracking_id="12"), shifted, *good, line(tracking_id="60000000031")[:40])
    taken = take(content + '60000000040,"never closed\n')
    assert (taken.file.outcome, taken.file.landed, taken.file.quarantined) == ("PARTIAL", 3, 4)
    parked = fetch(
        "SELECT row_number, reason_code, field, raw FROM inbound_records WHERE outcome = 'rejected' ORDER BY row_number"
    )
    assert [(number, code, field) for number, code, field, _ in parked] == [
        (1, "BAD_TRACKING_ID", "column 1"),
        (2, "WRONG_CELL_COUNT", None),
        (6, "WRONG_CELL_COUNT", None),
        (7, "BAD_FORMAT", None),
    ]
    assert json.loads(parked[0][3])["column 60"] == "Receiver Ltd"
    assert json.loads(parked[1][3]) == ",".join(shifted)
    assert json.loads(parked[3][3]) == '60000000040,"never closed'


@pytest.mark.rule("PW-7.2-3")
@pytest.mark.parametrize(
    "tracking_id", ["=cmd|' /C calc'!A0", "60000000017\x00", "'; DROP TABLE orders; --", "6" * 5000, "\ud83d\ude9a"]
)
def test_hostile_cells_are_parked_and_stop_nobody(take, fetch, tracking_id):
    hostile = line(tracking_id=tracking_id.encode("utf-16", "surrogatepass").decode("utf-16"))
    taken = take(file_of(line(), hostile))
    assert (taken.file.landed, taken.file.quarantined) == (1, 1)
    assert fetch("SELECT tracking_number FROM consignments") == [("60000000017",)]


@pytest.mark.rule("PW-7.2-3")
def test_the_second_line_of_a_tracking_id_is_parked(take, fetch):
    taken = take(file_of(line(), line(company="Another Ltd")))
    assert (taken.file.landed, taken.file.quarantined) == (1, 1)
    assert fetch("SELECT reason_code, row_number FROM inbound_records WHERE outcome = 'rejected'") == [
        ("DUPLICATE_ROW", 2)
    ]
    assert fetch("SELECT name FROM stops WHERE kind = 'delivery'") == [("Receiver Ltd",)]


@pytest.mark.rule("PW-7.2-3")
def test_a_file_counts_once_whatever_it_is_called_and_its_lines_change_nothing(take, rows, fetch, work):
    content = file_of(line(), line(tracking_id="60000000018"))
    take(content)
    fetch("DELETE FROM work_items RETURNING id")
    before = rows()
    assert take(content).before
    elsewhere = take(content, name="psief (1).csv")
    assert (elsewhere.file.landed, elsewhere.file.unchanged) == (0, 2)
    assert rows() == before
    assert work() == []


@pytest.mark.rule("PW-7.2-3")
def test_a_bad_line_of_a_file_that_came_under_two_names_waits_once(conn, take):
    content = file_of(line(), line(tracking_id="12"))
    take(content)
    take(content, name="psief (1).csv")
    assert len(quarantine.listed(conn)) == 1


@pytest.mark.rule("PW-7.2-3")
def test_what_we_hold_stays_as_it_is_whatever_a_line_says(take, rows, fetch, work):
    take(file_of(line()))
    fetch("DELETE FROM work_items RETURNING id")
    before = rows()
    taken = take(file_of(line(company="Another Ltd", lifts="3", weight="1"), line(tracking_id="60000000018")), "b.csv")
    assert (taken.file.landed, taken.file.unchanged, taken.file.quarantined) == (1, 1, 0)
    after = rows()
    assert [len(after[table]) for table in ("orders", "stops")] == [2, 8]
    assert set(before["consignments"]) < set(after["consignments"])
    [(made,)] = fetch("SELECT id FROM consignments WHERE tracking_number = '60000000018'")
    assert work() == [("palletways", "look_up", str(made))]


@pytest.mark.rule("PW-7.2-3")
def test_a_parked_line_is_corrected_and_replayed(conn, plan, take, fetch, work):
    take(file_of(line(tracking_id="12"), line(tracking_id="60000000018")))
    [parked] = quarantine.listed(conn)
    corrected = {**json.loads(parked.raw), "column 1": "60000000017"}
    quarantine.correct(conn, parked.id, json.dumps(corrected), "jo")

    counts = replay(
        conn, quarantine.listed(conn), plan, lambda network, party: mapper.preview(plan),
        lambda network: csv_files.kinds(plan), now=NOW, run="test", actor="jo",
    )  # fmt: skip

    assert counts.created == 1
    assert quarantine.listed(conn) == []
    assert fetch("SELECT tracking_number FROM consignments ORDER BY 1") == [("60000000017",), ("60000000018",)]
    assert len(work()) == 2


@pytest.mark.rule("PW-7.2-3")
def test_a_line_too_short_is_replayed_once_it_is_whole(conn, plan, take, fetch):
    take(
        file_of(line(tracking_id="60000000017")[:40], line(tracking_id="60000000018"), line(tracking_id="60000000019"))
    )
    [parked] = quarantine.listed(conn)
    whole = {f"column {place}": LINE[field] for field, place in PLACES.items()}
    quarantine.correct(conn, parked.id, json.dumps(whole), "jo")
    counts = replay(
        conn, [*quarantine.listed(conn)], plan, lambda network, party: mapper.preview(plan),
        lambda network: csv_files.kinds(plan), now=NOW, run="test", actor="jo",
    )  # fmt: skip
    assert counts.created == 1


@pytest.mark.rule("PW-7.2-2", "PW-7.2-3")
def test_a_folder_is_read_and_each_file_put_away_with_its_report(conn, plan, tmp_path, fetch):
    folder = tmp_path / "drop"
    folder.mkdir()
    (folder / "a.csv").write_text(file_of(line(), line(tracking_id="x")), "utf-8")
    (folder / "b.csv").write_bytes(b"%PDF-1.7 no table")
    (folder / "c.csv").write_text("\ufeff" + file_of(line(tracking_id="60000000018", company="Gärtnerei")), "utf-8")
    found = []
    importer = Importer(conn, "palletways", csv_files.kinds(plan), plan, clock=lambda: NOW, run="test", actor="tester")
    importer.import_all(FolderDrop(folder, now=lambda: 2e10), found.append)
    assert {one.name: one.outcome for one in found} == {"a.csv": "PARTIAL", "b.csv": "REJECTED", "c.csv": "DONE"}
    assert sorted(path.name for path in (folder / "done").iterdir()) == [
        "a.csv", "a.csv.report.csv", "a.csv.report.json", "c.csv", "c.csv.report.json",
    ]  # fmt: skip
    with (folder / "done" / "a.csv.report.csv").open(encoding="utf-8-sig", newline="") as file:
        [_, row] = csv.reader(file)
    assert row[:4] == ["2", "column 1", "BAD_TRACKING_ID", "column 1: 'x' is no tracking ID"]
    assert fetch("SELECT name FROM stops WHERE kind = 'delivery' ORDER BY 1") == [("Gärtnerei",), ("Receiver Ltd",)]


@pytest.mark.rule("PW-7.2-2")
def test_another_delimiter_is_the_templates(take, plan, tmp_path):
    own = tmp_path / "semicolons.yaml"
    own.write_text(plan.network("palletways").template.read_text("utf-8") + "  delimiter: ;\n")
    ours = replace(plan.network("palletways"), template=own)
    other = replace(plan, networks={**plan.networks, "palletways": ours})
    assert take(file_of(line()).replace(",", ";"), plan=other).file.landed == 1
