"""What networks say of orders: what their caller gave stays, what nobody says stays, and some is none of ours."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from tests.networks.palletforce.dispatching import CONSIGNEE, PICKUP, content

from palletflow.intake.flow import Intake, Translated
from palletflow.intake.template import Fault
from palletflow.orders.consignment import Address, Consignment
from palletflow.store import orders
from palletflow.store.imports import Batch, Counts

NOW = datetime(2026, 7, 13, 9, 30, tzinfo=UTC)
NETWORK, NUMBER = "nexus", "700001"
SAID = Consignment(
    customer_code="ACME", reference="SO-123", reference_2="", tracking_number=NUMBER, registered=True,
    consignment_number="QG0000001", requesting_depot="PGD302", collecting_depot="PGD302", delivery_depot="UKD115",
    our_roles=["requesting", "collecting"], account="acme 001", service="A", surcharges=[],
    collection_date=date(2026, 7, 13), delivery_date=date(2026, 7, 14), weight_kg=Decimal(850), pallet_spaces=None,
    insurance_code="", hub_code="", carton_count=None, amazon_reference="", notes=[], network_status="",
    network_updated_at=None, goods_description="", notification_email="", notification_sms="",
    notification_twitter="", additional_fields={"nexus_origin": "PALLEX"}, pallet_types=["F", "F"],
    pallet_details=[], barcodes=[], pickup=Address(**PICKUP), delivery=Address(**CONSIGNEE),
)  # fmt: skip


class Words:
    """A mapper that takes the changes of SAID from the record itself."""

    version = b"1"

    def key(self, record):
        return NUMBER

    def translate(self, record):
        if "left_out" in record:
            return Translated(
                None, [], [], False, left_out=Fault("INTERNATIONAL_PALLET", "pallets", record["left_out"])
            )
        return Translated(SAID._replace(**record), [], [], False)


@pytest.fixture
def hear(conn):
    """Imports what the network says of the consignment, later each time."""
    conn.execute("INSERT INTO customers (code, name) VALUES ('ACME', 'Acme Widgets Ltd')")
    moment = [NOW]

    def heard(**record) -> Counts:
        moment[0] += timedelta(minutes=3)
        intake = Intake(conn, NETWORK, Words())
        intake.add([record], moment[0])
        return intake.store(Batch(NETWORK, "orders", "nexus_pgd302", "test", "tester", moment[0], keeps_given=True))

    return heard


@pytest.fixture
def own(conn, hear):
    """An order of our own that the network has; its id."""
    given = content(account="acme 001", requesting_depot="PGD302", additional_fields={"delivery_from": "10:00"})
    row = {**given, "network": NETWORK, "our_roles": ["requesting"], "given": given}
    head = {"key": "o1", "customer": "ACME", "reference": "SO-123", "reference_2": "", "copied_from": None}
    [made] = orders.insert(conn, [{**head, "consignments": [row]}], "tester", "order API")
    conn.execute("UPDATE consignments SET tracking_number = %s, registered = true", (NUMBER,))
    return made.id


def consignment(fetch, columns: str):
    [row] = fetch(f"SELECT {columns} FROM consignments c")
    return row


def test_what_the_caller_gave_stays_and_the_difference_goes_to_a_person(fetch, own, hear):
    counts = hear(weight_kg=900, delivery_depot="UKD120")

    assert counts.updated == 1
    assert consignment(fetch, "weight_kg, delivery_depot") == (Decimal(850), "UKD120")
    [(reason,)] = fetch("SELECT review_reason FROM orders")
    assert reason == "The network has other values: weight_kg: 900 in the network, 850.00 here"


def test_what_the_caller_left_empty_is_filled_in_by_the_network(fetch, own, hear):
    hear(carton_count=12, pallet_details=[{"length_cm": 120}, {"length_cm": 100}])

    assert consignment(fetch, "carton_count, additional_fields") == (
        12, {"nexus_origin": "PALLEX", "delivery_from": "10:00"},
    )  # fmt: skip
    assert fetch("SELECT details FROM pallets ORDER BY number") == [({"length_cm": 120},), ({"length_cm": 100},)]
    assert fetch("SELECT review_reason FROM orders") == [(None,)]


def test_a_difference_that_a_person_has_seen_to_does_not_come_back(conn, fetch, own, hear):
    hear(weight_kg=900)
    conn.execute("UPDATE orders SET review_reason = NULL")

    hear(weight_kg=900, delivery_depot="UKD120")
    assert fetch("SELECT review_reason FROM orders") == [(None,)]

    hear(weight_kg=950)
    assert fetch("SELECT review_reason IS NULL FROM orders") == [(False,)]


def test_of_the_networks_own_orders_its_word_counts(fetch, hear):
    hear()
    hear(weight_kg=900, pallet_details=[{"weight_kg": 450}])

    assert consignment(fetch, "weight_kg") == (Decimal(900),)
    assert fetch("SELECT details FROM pallets ORDER BY number") == [({"weight_kg": 450},), ({},)]
    assert fetch("SELECT review_reason FROM orders") == [(None,)]


def test_what_a_record_leaves_blank_stays(fetch, hear):
    hear(pallet_details=[{"length_cm": 120}, {}])
    counts = hear(
        requesting_depot="", collecting_depot="", delivery_depot="", our_roles=[], additional_fields={},
        pallet_details=[], collection_date=None,
    )  # fmt: skip

    assert counts.unchanged == 1
    assert consignment(fetch, "requesting_depot, delivery_depot, our_roles, additional_fields") == (
        "PGD302", "UKD115", ["requesting", "collecting"], {"nexus_origin": "PALLEX"},
    )  # fmt: skip
    assert fetch("SELECT depot FROM stops WHERE kind = 'delivery_depot'") == [("UKD115",)]
    assert fetch("SELECT details FROM pallets ORDER BY number") == [({"length_cm": 120},), ({},)]
    hear(collection_date=None, reference_2="and something else")
    assert fetch("SELECT planned_date FROM stops WHERE kind = 'pickup'") == [(date(2026, 7, 13),)]


def test_the_same_again_writes_no_row_version(fetch, own, hear):
    hear(weight_kg=900, pallet_details=[{"length_cm": 120}, {}])
    tables = ("consignments", "stops", "pallets", "orders")
    before = [fetch(f"SELECT xmin, ctid FROM {table} ORDER BY ctid") for table in tables]

    hear(weight_kg=900, pallet_details=[{"length_cm": 120}, {}], network_updated_at=NOW.isoformat())

    assert [fetch(f"SELECT xmin, ctid FROM {table} ORDER BY ctid") for table in tables] == before


def test_a_record_that_is_none_of_our_orders_is_left_out_with_its_reason(fetch, hear):
    counts = hear(left_out="pallets: Euro Full is an international pallet type")

    assert (counts.ignored, counts.rejected, counts.created) == (1, 0, 0)
    assert fetch("SELECT outcome, reason_code, reason, settled_at FROM inbound_records") == [
        ("ignored", "INTERNATIONAL_PALLET", "pallets: Euro Full is an international pallet type", None)
    ]
    assert fetch("SELECT count(*) FROM orders") == [(0,)]
