"""The Palletways simulator's living sample traffic."""

from collections import Counter

import pytest
from tests.networks.palletways.simulated import SimulatedPalletways
from tests.networks.palletways.test_simulator_submissions import accepted

from palletflow.networks.palletways.simulator import OUR_DEPOTS


@pytest.fixture(scope="module")
def living():
    served = SimulatedPalletways(traffic=True)
    yield served
    served.stop()


def codes(sim):
    return {one["tracking_id"]: one["statuses"][-1]["code"] for one in sim.held()}


@pytest.mark.parametrize("depot", OUR_DEPOTS)
def test_every_depot_has_deliveries_and_consignments_of_its_customers_in_many_states(living, depot):
    living.reset()
    inbound = [one for one in living.held() if one["delivery_depot"] == depot]
    outbound = [one for one in living.held() if one["depot"] == depot]
    assert len(inbound) >= 8
    assert len(outbound) >= 8
    assert len({one["statuses"][-1]["code"] for one in inbound + outbound}) >= 4
    assert not {one["account"] for one in inbound} & {"ACM001", "FOX002", "AIR003"}
    assert {one["account"] for one in outbound} <= {"ACM001", "FOX002", "AIR003"}


def test_it_moves_on_with_the_clock_the_same_way_every_time(living):
    def story():
        living.reset(seed=5)
        before = codes(living)
        living.advance(86_400)
        return before, codes(living)

    (before, after), again = story(), story()
    assert again == (before, after)
    assert len(after) > len(before)
    moved = [one for one in before if after[one] != before[one]]
    assert len(moved) >= 5
    assert 900 in {after[one] for one in moved}


def test_deliveries_of_others_have_photos_and_ours_wait_for_ours(living):
    living.reset()
    delivered = [one for one in living.held() if one["statuses"][-1]["code"] == 900]
    theirs = [one for one in delivered if one["delivery_depot"] not in OUR_DEPOTS]
    ours = [one for one in delivered if one["delivery_depot"] in OUR_DEPOTS]
    assert len({len(one["photos"]) for one in theirs}) >= 2
    assert any(one["photos"] for one in theirs)
    assert ours
    assert not any(one["photos"] for one in ours)
    assert all(any(note.get("PodSignature") for note in one["notes"]) for one in delivered)


def test_every_step_is_told_in_the_feed(living):
    living.reset()
    since = str(int(living.now().timestamp()))
    before = codes(living)
    living.advance(6 * 3_600)
    seen = {one["tracking_id"] for one in living.held() if "123" in (one["depot"], one["collection_depot"],
                                                                     one["delivery_depot"])}  # fmt: skip
    moved = {one for one, code in codes(living).items() if before.get(one, 100) != code} & seen
    assert moved
    assert moved <= {row["TrackingID"] for row in living.data("getNotes", "delta", since)}


def test_what_is_submitted_moves_too(living):
    living.reset()
    one = accepted(living)["TrackingID"]
    living.advance(3 * 86_400)
    assert Counter(entry["code"] for entry in living.one(one)["statuses"])[900] == 1


def test_nobody_scans_what_somebody_has_completed(living):
    living.reset()
    one = accepted(living)["TrackingID"]
    living.status(one, 900)
    living.advance(3 * 86_400)
    assert [entry["code"] for entry in living.one(one)["statuses"]] == [100, 900]
