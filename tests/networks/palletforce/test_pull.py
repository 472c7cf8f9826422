"""The depot pull: the real client, simulator and order store (contract 2.4)."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from palletflow.network_errors import AuthFailed, UnknownOutcome, Unstable
from palletflow.networks.palletforce.pull import windows
from palletflow.store import syncs

NOW = datetime(2026, 7, 13, 9, 30, tzinfo=UTC)
HOUR = timedelta(hours=1)

TABLES = ("orders", "consignments", "stops", "pallets", "activity", "inbound_records", "customers", "watermarks")


def versions(fetch, *tables):
    """The physical row versions of tables: equal before and after means that nothing was written."""
    return {table: fetch(f"SELECT xmin::text, ctid::text FROM {table} ORDER BY ctid") for table in tables}


@pytest.mark.rule("PF-2.4-1", "PF-2.4-13")
def test_consignments_of_the_depot_become_orders(simulator, pull, fetch):
    for role in ("requested", "collected", "delivered"):
        simulator.create(depot="900", role=role, count=5)

    counts = pull("900")

    assert counts.created == 15
    assert fetch("SELECT count(*) FROM orders") == [(15,)]
    assert fetch("SELECT DISTINCT dispatch_state, lifecycle_status FROM consignments") == [("not_needed", "CREATED")]
    assert fetch("SELECT kind, count(*) FROM stops GROUP BY kind ORDER BY kind") == [
        ("collection_depot", 15),
        ("delivery", 15),
        ("delivery_depot", 15),
        ("pickup", 15),
    ]
    assert fetch("SELECT count(*) FROM activity WHERE kind = 'created'") == [(15,)]


@pytest.mark.rule("PF-3-3")
def test_our_roles_follow_from_the_depots(simulator, pull, fetch):
    both = {"requestingDepot": "900", "collectingDepot": "900", "deliveryDepot": "901"}
    simulator.create(depot="900", role="requested", overrides=both)

    pull("900")

    assert fetch("SELECT our_roles FROM consignments") == [(["requesting", "collecting", "delivery"],)]


@pytest.mark.rule("PF-2.4-17")
def test_pulling_the_same_window_twice_writes_no_row_version(simulator, pull, fetch):
    simulator.create(depot="900", count=250)
    window = (NOW - 24 * HOUR, NOW)
    pull("900", asked=window)
    before = versions(fetch, *TABLES)

    counts = pull("900", asked=window)

    assert (counts.records, counts.unchanged) == (250, 250)
    assert versions(fetch, *TABLES) == before


@pytest.mark.rule("PF-2.4-17")
def test_a_changed_template_that_changes_nothing_writes_no_consignment(simulator, pull, fetch, tmp_path):
    from dataclasses import replace

    simulator.create(depot="900", count=20)
    pull("900", asked=(NOW - HOUR * 24, NOW))
    before = versions(fetch, "orders", "consignments", "stops", "pallets", "activity")
    own = tmp_path / "template.yaml"
    own.write_text("extra_fields: [somethingOfOurs]\n")
    network = replace(pull.plan.networks["palletforce"], template=own)
    pull.plan = replace(pull.plan, networks={"palletforce": network})

    counts = pull("900", asked=(NOW - HOUR * 24, NOW))

    assert counts.unchanged == 20
    assert versions(fetch, "orders", "consignments", "stops", "pallets", "activity") == before


@pytest.mark.rule("PF-2.4-11")
def test_a_change_updates_only_what_changed_and_says_so(simulator, pull, fetch):
    changed, other = simulator.create(depot="900", role="requested", count=2)
    pull("900")
    before = versions(fetch, "stops", "pallets")
    service = fetch("SELECT service FROM consignments WHERE tracking_number = %s", changed)[0][0]
    new_service = "B" if service != "B" else "C"
    simulator.control("clock", advance_s=60)
    simulator.control("change", trackingNumber=changed, serviceName=new_service)
    pull.now += timedelta(minutes=2)

    counts = pull("900")

    assert (counts.updated, counts.created) == (1, 0)
    assert fetch("SELECT service FROM consignments WHERE tracking_number = %s", changed) == [(new_service,)]
    [(changes,)] = fetch("SELECT changes FROM activity WHERE kind = 'updated'")
    assert changes["service"] == [service, new_service]
    assert versions(fetch, "pallets") == {"pallets": before["pallets"]}
    assert fetch(
        "SELECT count(*) FROM activity a JOIN consignments c ON c.id = a.consignment_id "
        "WHERE c.tracking_number = %s AND kind = 'updated'",
        other,
    ) == [(0,)]


@pytest.mark.rule("PF-2.4-14")
def test_the_first_pull_goes_back_24_hours_and_later_ones_overlap_by_15_minutes(simulator, pull):
    pull("900")
    pull.now += timedelta(minutes=30)
    simulator.control("clock", advance_s=1800)
    pull("900")

    assert [report.window for report in pull.reports] == [
        (NOW - 24 * HOUR, NOW),
        (NOW - timedelta(minutes=15), NOW + timedelta(minutes=30)),
    ]


@pytest.mark.rule("PF-2.4-4", "PF-2.4-3")
def test_an_outage_of_two_days_is_caught_up_in_windows_of_24_hours(simulator, pull, fetch):
    pull.now = NOW - 48 * HOUR
    pull("900")
    simulator.create(depot="900", count=60, **{"from": (NOW - 47 * HOUR).isoformat(), "to": NOW.isoformat()})
    pull.now = NOW

    counts = pull("900")

    assert counts.created == 60
    assert [report.window for report in pull.reports[1:]] == [
        (NOW - 48 * HOUR - timedelta(minutes=15), NOW - 24 * HOUR - timedelta(minutes=15)),
        (NOW - 24 * HOUR - timedelta(minutes=15), NOW - timedelta(minutes=15)),
        (NOW - timedelta(minutes=15), NOW),
    ]
    assert fetch("SELECT high FROM watermarks") == [(NOW,)]


def test_an_asked_window_leaves_the_watermark_alone(simulator, pull, fetch):
    pull("900")
    simulator.create(
        depot="900", count=3, **{"from": (NOW - 30 * HOUR).isoformat(), "to": (NOW - 29 * HOUR).isoformat()}
    )

    counts = pull("900", asked=(NOW - 31 * HOUR, NOW - 28 * HOUR))

    assert counts.created == 3
    assert fetch("SELECT high FROM watermarks") == [(NOW,)]
    kept = syncs.one(pull.conn, "palletforce", "depot_pull", "900")
    assert kept[:4] == (NOW, NOW, NOW + timedelta(minutes=30), timedelta(0))
    assert list(syncs.listed(pull.conn)) == [("palletforce", "depot_pull", "900")]


def test_a_pull_that_fails_keeps_how_far_it_came_and_is_not_over(simulator, pull):
    pull.now = NOW - 48 * HOUR
    pull("900")
    pull.now = NOW
    # The second window has a second page.
    simulator.create(depot="900", count=150, **{"from": (NOW - 20 * HOUR).isoformat(), "to": (NOW - HOUR).isoformat()})
    simulator.fault("page_fails", operation="DownloadManifest", count=100)

    with pytest.raises(UnknownOutcome):
        pull("900")

    kept = syncs.one(pull.conn, "palletforce", "depot_pull", "900")
    assert kept.read_to == NOW - 24 * HOUR - timedelta(minutes=15)
    assert kept.next_due_at == NOW - 48 * HOUR + timedelta(minutes=30)


def test_an_older_reading_never_overwrites_a_newer_one(simulator, pull, fetch):
    [number] = simulator.create(depot="900", role="requested", fields={"serviceName": "A"})
    pull("900")
    simulator.control("clock", advance_s=60)
    simulator.control("change", trackingNumber=number, serviceName="B")
    pull.now = NOW - HOUR  # a slow backfill that read before the first pull and stores after it

    counts = pull("900", asked=(NOW - HOUR, NOW + HOUR))

    assert counts.ignored == 1
    assert fetch("SELECT service FROM consignments") == [("A",)]
    assert fetch("SELECT reason_code FROM inbound_records WHERE outcome = 'ignored'") == [("OUTDATED",)]


@pytest.mark.rule("PF-2.4-16", "PF-9-37")
def test_a_result_that_moves_while_read_is_read_anew(simulator, pull):
    simulator.create(depot="900", count=250)
    simulator.fault("page_shift", operation="DownloadManifest")

    counts = pull("900")

    assert counts.created >= 250
    assert counts.rejected == counts.ignored == 0


@pytest.mark.rule("PF-2.4-15", "PF-2.4-16")
def test_a_result_that_keeps_moving_stores_nothing_and_keeps_the_watermark(simulator, pull, fetch):
    simulator.create(depot="900", count=250)
    simulator.fault("page_shift", operation="DownloadManifest", count=100)

    with pytest.raises(Unstable, match="totalRecords changed"):
        pull("900")

    assert fetch("SELECT count(*) FROM consignments") == [(0,)]
    assert fetch("SELECT count(*) FROM watermarks") == [(0,)]


@pytest.mark.rule("PF-2.4-15")
def test_a_failing_page_stores_nothing_of_its_window(simulator, pull, fetch):
    simulator.create(depot="900", count=250)
    simulator.fault("page_fails", operation="DownloadManifest", count=100)

    with pytest.raises(Exception, match="DownloadManifest through connection 'palletforce_900'"):
        pull("900")

    assert fetch("SELECT count(*) FROM inbound_records") == [(0,)]
    assert fetch("SELECT count(*) FROM watermarks") == [(0,)]


@pytest.mark.rule("PF-2.4-18")
@pytest.mark.parametrize(
    "raw",
    [
        "just text",
        7,
        None,
        [],
        {},
        {"consignments": []},
        {"consignments": "none"},
        {"consignments": [[]]},
        {"consignments": [None], "deliveryAddress": 5},
    ],
)
def test_what_is_no_record_is_quarantined_raw_and_stops_nobody(simulator, pull, fetch, raw):
    simulator.create(depot="900", count=3)
    simulator.create(depot="900", raw=raw)

    counts = pull("900")

    assert (counts.created, counts.rejected) == (3, 1)
    [(code, kept)] = fetch("SELECT reason_code, raw::json FROM inbound_records WHERE outcome = 'rejected'")
    assert code == "BAD_FORMAT"
    assert kept == raw


ABSURD = [
    ("trackingNumber", "12345", "BAD_TRACKING_NUMBER"),
    ("trackingNumber", None, "MISSING_VALUE"),
    ("requestingDepot", "9", "BAD_FORMAT"),
    ("requestingDepot", None, "MISSING_VALUE"),
    ("serviceName", None, "MISSING_VALUE"),
    ("weight", "-5", "BAD_FORMAT"),
    ("weight", "heavy", "BAD_FORMAT"),
    ("weight", "NaN", "BAD_FORMAT"),
    ("weight", "1e99", "BAD_FORMAT"),
    ("weight", {"kg": 5}, "BAD_FORMAT"),
    ("pallets", [], "MISSING_VALUE"),
    ("pallets", [{"palletType": "F", "numberofPallets": "100"}], "BAD_FORMAT"),
    ("pallets", [{"palletType": "F", "numberofPallets": "1.5"}], "BAD_FORMAT"),
    ("pallets", [{"palletType": "", "numberofPallets": "1"}], "MISSING_VALUE"),
    ("datesAndTimes", [], "MISSING_VALUE"),
    ("datesAndTimes", [{"dateTimeType": "COLD", "value": "20261340"}], "BAD_FORMAT"),
    ("datesAndTimes", [{"dateTimeType": "COLD", "value": "99991231"}], "BAD_FORMAT"),
    ("deliveryAddress.postcode", None, "MISSING_VALUE"),
    ("deliveryAddress", None, "MISSING_VALUE"),
    ("deliveryAddress.name", "x" * 501, "TOO_LONG"),
    ("customersUniqueReference", "a\x00b", "BAD_FORMAT"),
    ("notes", "CALL FIRST", None),
    ("CustomerAccountNumber", "nobody", "UNKNOWN_CUSTOMER"),
]


@pytest.mark.rule("PF-2.4-18", "PF-2.4-10", "PF-3-4")
@pytest.mark.parametrize(("field", "value", "code"), ABSURD)
def test_missing_and_absurd_fields_are_quarantined_with_field_and_reason(simulator, pull, fetch, field, value, code):
    simulator.create(depot="900", role="requested", count=2)
    simulator.create(depot="900", role="requested", overrides={field: value})

    counts = pull("900")

    if code is None:
        assert counts.created == 3
        return
    assert (counts.created, counts.rejected) == (2, 1)
    [(found, named, reason, raw)] = fetch(
        "SELECT reason_code, field, reason, raw FROM inbound_records WHERE outcome = 'rejected'"
    )
    assert found == code
    assert field.split(".")[0] in named
    assert named in reason or code == "UNKNOWN_CUSTOMER"
    assert raw.startswith("{")


@pytest.mark.rule("PF-2.4-18")
def test_half_a_surrogate_pair_is_quarantined_and_stops_nobody(simulator, pull):
    simulator.create(depot="900", role="requested", count=2)
    simulator.create(depot="900", role="requested", overrides={"customersUniqueReference": "half \ud83d pair"})

    counts = pull("900")

    assert counts.created == 2
    assert counts.rejected == 1


@pytest.mark.rule("PF-4-1", "PF-4.2-1")
def test_unknown_codes_are_kept_and_warned_about(simulator, pull, fetch):
    overrides = {"serviceName": "Z", "surcharges": "TL QQ", "pallets": [{"palletType": "X", "numberofPallets": "2"}]}
    simulator.create(depot="900", role="requested", overrides=overrides)

    counts = pull("900")

    assert counts.created == 1
    assert fetch("SELECT service, surcharges FROM consignments") == [("Z", ["TL", "QQ"])]
    assert fetch("SELECT pallet_type FROM pallets") == [("X",), ("X",)]
    assert set(pull.reports[0].warnings) == {
        "serviceName: unknown code 'Z' kept as it came",
        "surcharges: unknown code 'QQ' kept as it came",
        "palletType: unknown code 'X' kept as it came",
    }
    [(warnings,)] = fetch("SELECT warnings FROM activity")
    assert len(warnings) == 3


def test_a_record_of_no_depot_of_ours_is_quarantined(simulator, pull, fetch):
    others = {"requestingDepot": "951", "collectingDepot": "951", "deliveryDepot": "952"}
    simulator.create(depot="900", overrides=others)

    assert pull("900").rejected == 1
    [(code, reason)] = fetch("SELECT reason_code, reason FROM inbound_records")
    assert code == "NOT_OUR_DEPOT"
    assert "951, 951, 952" in reason


def test_of_one_number_twice_in_a_pull_the_last_word_counts(simulator, pull, fetch):
    [number] = simulator.create(depot="900", role="requested", at=(NOW - 2 * HOUR).isoformat())
    simulator.create(
        depot="900",
        role="requested",
        at=(NOW - HOUR).isoformat(),
        overrides={"trackingNumber": number, "weight": "777"},
    )

    counts = pull("900")

    assert (counts.records, counts.created, counts.ignored) == (2, 1, 1)
    assert fetch("SELECT weight_kg FROM consignments") == [(777,)]
    assert fetch("SELECT reason_code FROM inbound_records WHERE outcome = 'ignored'") == [("SUPERSEDED",)]


def test_a_quarantined_record_is_kept_once_however_often_it_is_pulled(simulator, pull, fetch):
    simulator.create(depot="900", role="requested", overrides={"weight": "heavy"})
    for _ in range(3):
        assert pull("900", asked=(NOW - HOUR, NOW + HOUR)).rejected == 1

    assert fetch("SELECT count(*) FROM inbound_records") == [(1,)]


@pytest.mark.rule("PF-2.4-20")
def test_unaccepted_consignments_make_no_order_unless_asked_for(simulator, pull, fetch):
    [number] = simulator.create(depot="900", role="requested", consignmentStatus="UNACCEPTED")

    assert pull("900").ignored == 1
    assert fetch("SELECT count(*) FROM orders") == [(0,)]

    assert pull("900", import_unaccepted=True, asked=(NOW - HOUR, NOW + HOUR)).created == 1
    assert fetch("SELECT registered, network_status FROM consignments") == [(False, "UNACCEPTED")]

    simulator.control("clock", advance_s=60)
    simulator.control("change", trackingNumber=number, consignmentStatus="ACCEPTED")
    pull.now += timedelta(minutes=2)
    assert pull("900").updated == 1
    assert fetch("SELECT registered, network_status FROM consignments") == [(True, "ACCEPTED")]


@pytest.mark.rule("PF-2.4-21")
def test_a_cancelled_consignment_flags_its_order_and_deletes_nothing(simulator, pull, fetch):
    [number] = simulator.create(depot="900", role="requested")
    pull("900")
    simulator.control("clock", advance_s=60)
    simulator.control("change", trackingNumber=number, cancel=True)
    pull.now += timedelta(minutes=2)

    assert pull("900").updated == 1

    assert fetch("SELECT network_status FROM consignments") == [("CANCELLED",)]
    assert fetch("SELECT review_reason FROM orders") == [("Cancelled in the network; check with the customer",)]


def test_a_cancelled_consignment_we_never_held_makes_no_order(simulator, pull, fetch):
    simulator.create(depot="900", role="requested", consignmentStatus="CANCELLED")

    assert pull("900").ignored == 1
    assert fetch("SELECT count(*) FROM orders") == [(0,)]
    assert "CANCELLED" in fetch("SELECT reason FROM inbound_records")[0][0]


@pytest.mark.rule("PF-2.4-19")
def test_a_number_held_on_our_order_updates_that_order_and_creates_none(simulator, pull, conn, fetch):
    [number] = simulator.create(depot="900", role="requested")
    conn.execute("INSERT INTO customers (code, name) VALUES ('ACME', 'Acme Widgets Ltd')")
    conn.execute(
        "INSERT INTO orders (customer_id, source, source_key, reference, reference_2) "
        "SELECT id, 'api', 'our-1', 'OUR REF', '' FROM customers"
    )
    conn.execute(
        "INSERT INTO consignments (order_id, network, tracking_number, registered, consignment_number,"
        " requesting_depot, collecting_depot, delivery_depot, our_roles, account, service, surcharges,"
        " insurance_code, hub_code, amazon_reference, notes, dispatch_state, lifecycle_status, network_status)"
        " SELECT id, 'palletforce', %s, false, '', '900', '', '', '{requesting}', '', 'A', '{}', '', '', '', '{}',"
        " 'todo', 'CREATED', '' FROM orders",
        (number,),
    )
    conn.execute(
        "INSERT INTO stops SELECT id, kind, '', '', '', '', '', '', '', '', '', '', NULL "
        "FROM consignments, unnest(ARRAY['pickup', 'collection_depot', 'delivery_depot', 'delivery']) kind"
    )

    counts = pull("900")

    assert (counts.created, counts.updated) == (0, 1)
    assert fetch("SELECT source, reference, count(*) OVER () FROM orders") == [("api", "OUR REF", 1)]
    [(registered, depot, state)] = fetch("SELECT registered, collecting_depot, dispatch_state FROM consignments")
    assert registered
    assert depot == "900"
    assert state == "todo"


def test_two_depots_that_share_a_consignment_make_one_order(simulator, pull, fetch):
    simulator.create(
        depot="900", overrides={"requestingDepot": "900", "collectingDepot": "900", "deliveryDepot": "901"}
    )
    simulator.create(
        depot="901", overrides={"requestingDepot": "900", "collectingDepot": "900", "deliveryDepot": "901"}
    )

    first, second = pull("900"), pull("901")

    assert fetch("SELECT count(*) FROM orders") == [(first.created + second.created,)]
    assert fetch("SELECT count(*) - count(DISTINCT tracking_number) FROM consignments") == [(0,)]


@pytest.mark.rule("PF-4.1-1", "PF-4.1-2")
@pytest.mark.parametrize(
    ("service", "dates", "delivery"),
    [
        ("A", {"COLD": "20260710"}, "2026-07-13"),  # Friday and a working day
        ("B", {"COLD": "20260713"}, "2026-07-15"),
        ("C", {"COLD": "20260713"}, "2026-07-16"),
        ("D", {"COLD": "20260713"}, "2026-07-20"),
        ("R", {"COLD": "20260713"}, None),
        ("A", {"COLD": "20260713", "DELD": "20260731"}, "2026-07-31"),
    ],
)
def test_the_delivery_date_is_the_networks_or_collection_plus_lead(simulator, pull, fetch, service, dates, delivery):
    elements = [{"dateTimeType": name, "value": value} for name, value in dates.items()]
    simulator.create(depot="900", role="requested", overrides={"serviceName": service, "datesAndTimes": elements})

    pull("900")

    assert fetch("SELECT delivery_date::text FROM consignments") == [(delivery,)]
    assert fetch("SELECT planned_date::text FROM stops WHERE kind = 'delivery'") == [(delivery,)]


@pytest.mark.rule("PF-4.2-2", "PF-4.2-4", "PF-4.2-5", "PF-4.2-6", "PF-4.2-7", "PF-4.2-8")
def test_every_surcharge_code_is_known_and_aw_reads_as_am(simulator, pull, fetch):
    simulator.create(depot="900", role="requested", overrides={"surcharges": "AM AW BW TA TB BI TL SA AZ CD PW EB"})

    pull("900")

    assert fetch("SELECT surcharges FROM consignments") == [
        (["AM", "AM", "BW", "TA", "TB", "BI", "TL", "SA", "AZ", "CD", "PW", "EB"],)
    ]
    assert pull.reports[0].warnings == {}


@pytest.mark.rule("PF-4.3-1", "PF-4.3-4")
def test_pallets_of_mixed_types_are_numbered_in_order_and_notes_kept(simulator, pull, fetch):
    lines = [{"palletType": "F", "numberofPallets": "2"}, {"palletType": "Q", "numberofPallets": 1}]
    lines.append({"palletType": "H", "numberofPallets": "1"})
    lines.append({"palletType": "O", "numberofPallets": "1"})
    notes = [{"noteName": f"NOTE{number}", "value": f"line {number}"} for number in (1, 2, 3, 4)]
    simulator.create(depot="900", role="requested", overrides={"pallets": lines, "notes": notes, "weight": "9000"})

    pull("900")

    assert fetch("SELECT number, pallet_type FROM pallets ORDER BY number") == [
        (1, "F"),
        (2, "F"),
        (3, "Q"),
        (4, "H"),
        (5, "O"),
    ]
    assert fetch("SELECT notes FROM consignments") == [(["line 1", "line 2", "line 3", "line 4"],)]


@pytest.mark.rule("PF-3-6", "PF-3-7", "PF-3-8")
def test_other_depots_numbers_need_only_13_digits(simulator, pull, fetch):
    simulator.create(depot="900", role="delivered", overrides={"trackingNumber": "1234567890123"})

    assert pull("900").created == 1
    assert fetch("SELECT tracking_number FROM consignments") == [("1234567890123",)]


@pytest.mark.rule("PF-1.2-1", "PF-1.2-2", "PF-1.2-6", "PF-1.2-7", "PF-1.2-8")
def test_keys_and_scalars_are_read_leniently_and_unknown_keys_stay_in_the_raw_record(simulator, pull, fetch):
    overrides = {
        "weight": 850.5,
        "palletSpaces": 2,
        "  SERVICENAME ": "B",
        "serviceName": "",
        "cartonCount": None,
        "insuranceCode": True,
        "somethingNew": {"kept": ["as", "it", "is"]},
    }
    simulator.create(depot="900", role="requested", overrides=overrides)

    pull("900")

    assert fetch("SELECT weight_kg, pallet_spaces, service, carton_count, insurance_code FROM consignments") == [
        (850.5, 2, "B", None, "true")
    ]
    [(raw,)] = fetch("SELECT raw::json FROM inbound_records")
    assert raw["consignments"][0]["somethingNew"] == {"kept": ["as", "it", "is"]}


@pytest.mark.rule("PF-1.3-2")
def test_a_refused_key_stores_nothing(simulator, pull, fetch):
    with pytest.raises(AuthFailed):
        pull("900", key="wrong-key")
    assert fetch("SELECT count(*) FROM inbound_batches") == [(0,)]


def test_windows_cover_everything_once():
    cut = windows(NOW, NOW + timedelta(hours=50), timedelta(hours=24))
    assert [end - start for start, end in cut] == [timedelta(hours=24), timedelta(hours=24), timedelta(hours=2)]
    assert cut[0][0] == NOW
    assert all(before[1] == after[0] for before, after in pairwise(cut))
    assert windows(NOW, NOW, HOUR) == windows(NOW + HOUR, NOW, HOUR) == []
