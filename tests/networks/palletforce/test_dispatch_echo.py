"""A network that gives back what we sent changes nothing of our order; what is changed in its portal does."""

import copy

import pytest

from palletflow.intake.flow import Intake
from palletflow.store.imports import Batch

FINE = {
    "delivery_date": "2026-07-20",
    "weight_kg": 850.4,
    "pallet_spaces": 2.5,
    "surcharges": ["AW"],
    "carton_count": 4,
    "notes": ["Ring the bell at the blue gate and ask for the yard foreman " * 4],
    "delivery": {"contact": "", "locality": "Mill Yard"},
}
COLUMNS = (
    "c.delivery_date::text, c.weight_kg::float, c.pallet_spaces::float, c.surcharges, c.carton_count, c.notes, "
    "s.contact, s.locality, s.planned_date::text"
)
OURS = ("2026-07-20", 850.4, 2.5, ["AW"], 4, FINE["notes"], "", "Mill Yard", "2026-07-20")


@pytest.fixture
def held(house):
    """What our order says now."""

    def read(order: int):
        return house.one(
            f"SELECT {COLUMNS} FROM consignments c JOIN stops s ON s.consignment_id = c.id AND s.kind = 'delivery' "
            "WHERE c.order_id = %s",
            order,
        )

    return read


def change_in_portal(house, order: int, **fields) -> None:
    """Imports the consignment as a pull would after somebody changed these fields in the portal."""
    access = house.reach(house.conn, "900")
    [record] = copy.deepcopy(access.client.fetch_by("trackingNumber", house.fact(order, "tracking_number")))
    record["consignments"][0] |= fields
    intake = Intake(house.conn, "palletforce", access.mapper)
    intake.add([record], house.now)
    intake.store(Batch("palletforce", "depot_pull", "900", run="test", actor="tester", fetched_at=house.now))


@pytest.mark.rule("PF-2.4-19", "PF-7-5")
def test_routing_is_taken_over_and_what_we_said_stays(house, held):
    order = house.sent(**FINE)

    assert house.state(order) == "completed"
    assert house.fact(order, "delivery_depot") == "901"
    assert held(order) == OURS
    [(changes,)] = house.rows("SELECT changes FROM activity WHERE kind = 'updated'")
    assert changes.keys() == {"collecting_depot", "delivery_depot", "network_status", "our_roles"}


@pytest.mark.rule("PF-2.4-19")
def test_a_pull_that_finds_a_lost_upload_leaves_what_we_said(house, held, pull):
    house.simulator.fault("timeout_after_accept", "UploadManifest")
    order = house.sent(**FINE)
    pull.now = house.now
    assert pull("900").updated == 1

    assert held(order) == OURS


@pytest.mark.rule("PF-2.4-19")
def test_what_is_changed_in_the_portal_is_taken_and_followed_back(house, held):
    order = house.sent(**FINE)
    change_in_portal(house, order, weight="900", surcharges="AM TL")
    assert held(order)[1:4] == (900.0, 2.5, ["AM", "TL"])
    assert held(order)[0] == "2026-07-20"

    change_in_portal(house, order)
    assert held(order)[1:4] == (850.0, 2.5, ["AM"])


@pytest.mark.rule("PF-2.4-19")
def test_a_delivery_date_that_the_network_names_is_taken(house, held):
    order = house.sent(**FINE)
    dates = [{"dateTimeType": "COLD", "value": "20260713"}, {"dateTimeType": "DELD", "value": "20260716"}]
    change_in_portal(house, order, datesAndTimes=dates)

    assert (held(order)[0], held(order)[-1]) == ("2026-07-16", "2026-07-16")
