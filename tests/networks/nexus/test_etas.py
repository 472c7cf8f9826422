"""When our deliveries are expected reaches Nexus through Optimize: a call a trip, again only when it matters."""

from datetime import datetime, timedelta

import pytest
from tests.networks.nexus.exchanging import House

from palletflow.network_errors import Misconfigured
from palletflow.networks.nexus.work import ETA_EXPORT
from palletflow.store import connection_flags, movements, work_items

SOON = timedelta(hours=2)


@pytest.fixture
def house(conn, dsn, plan, nexus_sim, tmp_path):
    made = House(conn, dsn, plan, nexus_sim, tmp_path / "documents")
    yield made
    made.close()


def expect(house, one, pause=SOON, route="T-77", sequence=1):
    """A route planner puts a delivery on a trip and says when it is expected, as the order API takes it in."""
    eta = (house.now + pause).replace(microsecond=0)
    with house.conn.transaction():
        movements.set_route(house.conn, one, "delivery", route, sequence, "planner")
        movements.set_eta(house.conn, one, "delivery", eta, None, "planner")
    house.ask(one, ETA_EXPORT)
    return eta


def move(house, one, by):
    [(eta,)] = house.rows("SELECT eta_from FROM stops WHERE (consignment_id, kind) = (%s, 'delivery')", one)
    with house.conn.transaction():
        movements.set_eta(house.conn, one, "delivery", eta + by, None, "planner")
    house.ask(one, ETA_EXPORT)
    return eta + by


def on_a_trip(house, count=2, **options):
    """Consignments that we deliver on one trip, an hour apart."""
    several = [house.consignment("delivery", **options) for _ in range(count)]
    etas = [expect(house, one, SOON + timedelta(hours=place), sequence=place + 1) for place, one in enumerate(several)]
    return several, etas


def told(house):
    """What Optimize took: (depot, trip, {number: start})."""
    return [
        (
            call["depotCode"],
            call["tripReference"],
            {eta["consignmentNumber"]: datetime.fromisoformat(eta["etaStart"]) for eta in call["etas"]},
        )
        for call in house.nexus.look("etas")["calls"]
    ]


def posts(house):
    return sum("/etas" in call for call in house.calls())


def parked(house, one):
    return house.items(parked=True).get((ETA_EXPORT, str(one)))


def waits(house, one):
    return house.due_at(one, ETA_EXPORT)


# The call


@pytest.mark.rule("NX-10-2", "NX-10-3", "NX-10-6", "NX-10-7", "NX-11-27")
def test_optimising_a_trip_tells_all_of_its_etas_in_one_call(house):
    (first, second), etas = on_a_trip(house)
    house.work()
    [call] = house.nexus.look("etas")["calls"]
    assert (call["depotCode"], call["tripReference"], call["rejected"]) == ("PGD302", "T-77", [])
    assert datetime.fromisoformat(call["calculatedAt"]) <= house.now
    for eta, one, start in zip(call["etas"], (first, second), etas, strict=True):
        shown = house.nexus.one(house.nexus_id(one))
        assert eta == {
            "consignmentNumber": house.number(one),
            "consignmentID": house.nexus_id(one),
            "postcode": shown["delAddressPostcode"],
            "etaStart": start.isoformat(),
            "etaEnd": (start + timedelta(minutes=60)).isoformat(),
        }
        assert shown["estimatedDelTime"] is not None
    assert posts(house) == 1
    assert house.items(parked=False) == house.items(parked=True) == {}


@pytest.mark.rule("NX-10-6")
def test_the_connection_says_how_long_the_window_is(house):
    house.optimize_extra = {"window_minutes": 120}
    one = house.consignment("delivery")
    eta = expect(house, one)
    house.work()
    [call] = house.nexus.look("etas")["calls"]
    assert datetime.fromisoformat(call["etas"][0]["etaEnd"]) == eta + timedelta(hours=2)


@pytest.mark.rule("NX-10-2")
def test_trips_and_depots_have_calls_of_their_own(house):
    leicester, also = house.consignment("delivery"), house.consignment("delivery")
    leeds = house.consignment("delivery", depot="UKD101")
    expect(house, leicester, route="T-1")
    expect(house, also, route="T-2")
    expect(house, leeds, route="T-1")
    house.work()
    assert sorted((depot, trip, list(etas)) for depot, trip, etas in told(house)) == [
        ("PGD302", "T-1", [house.number(leicester)]),
        ("PGD302", "T-2", [house.number(also)]),
        ("UKD101", "T-1", [house.number(leeds)]),
    ]


# What is told


@pytest.mark.rule("NX-10-10")
@pytest.mark.parametrize("role", ["requesting", "collecting", "none"])
def test_only_the_delivery_depot_tells(house, role):
    expect(house, house.consignment(role))
    house.work()
    assert (posts(house), house.items(parked=False)) == (0, {})


@pytest.mark.rule("NX-10-10")
@pytest.mark.parametrize("begun", ["started_at", "arrived_at", "completed_at"])
def test_a_stop_that_has_begun_is_not_told_and_does_not_hold_up_its_trip(house, begun):
    (first, second), _ = on_a_trip(house)
    house.conn.execute(
        f"UPDATE stops SET {begun} = now() WHERE consignment_id = %s AND kind = 'delivery'".encode(), (first,)
    )
    house.work()
    assert [list(etas) for _, _, etas in told(house)] == [[house.number(second)]]


@pytest.mark.rule("NX-10-10")
@pytest.mark.parametrize(
    "change",
    [
        "UPDATE stops SET eta_from = NULL",
        "UPDATE stops SET route = '', route_sequence = NULL",
        "UPDATE consignments SET registered = false",
        "UPDATE consignments SET our_roles = '{requesting}'",
        "UPDATE consignments SET lifecycle_status = 'CANCELLED'",
        "UPDATE consignments SET lifecycle_status = 'DELIVERED'",
        "UPDATE orders SET cancelled_at = now()",
        "DELETE FROM orders",
    ],
)
def test_what_has_no_trip_no_eta_or_no_delivery_ahead_is_not_told(house, change):
    one = house.consignment("delivery")
    expect(house, one)
    house.conn.execute(change.encode())
    house.work()
    assert (posts(house), house.items(parked=False), house.items(parked=True)) == (0, {}, {})


# Again


@pytest.mark.rule("NX-10-11", "NX-10-8")
def test_an_eta_is_told_again_only_when_it_moved_by_more_than_the_threshold(house):
    (first, second), _ = on_a_trip(house)
    house.work()
    move(house, first, timedelta(minutes=15))
    move(house, second, timedelta(minutes=-15))
    house.work()
    assert posts(house) == 1

    later = move(house, first, timedelta(minutes=1))
    house.work()
    assert told(house)[1:] == [("PGD302", "T-77", {house.number(first): later})]


@pytest.mark.rule("NX-10-11")
def test_many_small_moves_are_told_once_they_have_come_to_the_threshold(house):
    """What counts is the distance from what was last accepted, not from the last that we heard of."""
    one = house.consignment("delivery")
    expect(house, one)
    house.work()
    for _ in range(3):
        move(house, one, timedelta(minutes=6))
        house.work()
    assert posts(house) == 2


@pytest.mark.rule("NX-10-11")
def test_the_connection_sets_the_threshold(house):
    house.optimize_extra = {"threshold_minutes": 0}
    one = house.consignment("delivery")
    expect(house, one)
    house.work()
    move(house, one, timedelta(seconds=60))
    house.work()
    assert posts(house) == 2
    house.ask(one, ETA_EXPORT)
    house.work()
    assert posts(house) == 2


@pytest.mark.rule("NX-10-11")
def test_a_stop_that_changed_trip_is_told_again_as_it_is(house):
    one = house.consignment("delivery")
    eta = expect(house, one, route="T-1")
    house.work()
    with house.conn.transaction():
        movements.set_route(house.conn, one, "delivery", "T-2", 4, "planner")
    house.ask(one, ETA_EXPORT)
    house.work()
    assert told(house) == [("PGD302", trip, {house.number(one): eta}) for trip in ("T-1", "T-2")]


@pytest.mark.rule("NX-10-5")
def test_telling_again_after_a_lost_answer_does_no_harm(house):
    one = house.consignment("delivery")
    eta = expect(house, one)
    house.nexus.fault("drop", "optimize/etas", times=6, accept=True)
    house.work()
    assert house.items(parked=False)[ETA_EXPORT, str(one)]
    house.play_out()
    assert {start for _, _, etas in told(house) for start in etas.values()} >= {eta}
    assert house.items(parked=False) == house.items(parked=True) == {}
    count = posts(house)
    house.ask(one, ETA_EXPORT)
    house.work()
    assert posts(house) == count


# Before the trip starts


@pytest.mark.rule("NX-10-9")
def test_where_the_connection_says_so_etas_wait_for_the_trip_to_start(house):
    house.optimize_extra = {"require_in_progress": True}
    (first, second, third), _ = on_a_trip(house, 3)
    house.work()
    assert posts(house) == 0
    assert house.now < waits(house, second) <= house.now + timedelta(minutes=5)
    with house.conn.transaction():
        movements.report_stop(
            house.conn,
            first,
            stop="delivery",
            event="arrived",
            at=house.now + SOON - timedelta(hours=1),
            actor="driver",
        )
    house.play_out(5)
    assert [sorted(etas) for _, _, etas in told(house)] == [sorted([house.number(second), house.number(third)])]


@pytest.mark.rule("NX-10-9", "NX-10-8")
def test_loading_starts_a_trip_and_then_recalculations_go_out(house):
    house.optimize_extra = {"require_in_progress": True}
    one = house.consignment("delivery", pallets=1)
    expect(house, one)
    house.work()
    with house.conn.transaction():
        movements.report_scan(
            house.conn, one, pallet_number=1, scan="onto_delivery_vehicle", depot="PGD302", at=house.now, actor="driver"
        )
    house.play_out(5)
    assert posts(house) == 1
    move(house, one, timedelta(minutes=30))
    house.work()
    assert posts(house) == 2


@pytest.mark.rule("NX-10-9")
def test_what_happened_on_a_trip_of_that_name_yesterday_starts_nothing_today(house):
    house.optimize_extra = {"require_in_progress": True}
    yesterday, today = house.consignment("delivery"), house.consignment("delivery")
    expect(house, yesterday, route="ROUND 1")
    house.deliver(yesterday, timedelta(hours=22))
    expect(house, today, route="ROUND 1")
    house.work()
    assert posts(house) == 0


# Optimize is an extra


@pytest.mark.rule("NX-10-1", "NX-11-27")
def test_without_optimize_nothing_is_told_and_nothing_is_lost(house):
    house.optimize_extra = None
    (first, second), _ = on_a_trip(house)
    house.work()
    assert house.calls() == []
    assert waits(house, first) == waits(house, second), "one run looks after all that waits"

    house.conn.execute("UPDATE stops SET arrived_at = now() WHERE consignment_id = %s AND kind = 'delivery'", (first,))
    house.optimize_extra = {}
    house.advance(timedelta(minutes=30))
    house.work()
    assert [list(etas) for _, _, etas in told(house)] == [[house.number(second)]]
    assert house.items(parked=False) == {}


@pytest.mark.rule("NX-10-4", "NX-11-27")
def test_a_refused_key_pauses_etas_for_the_run_only_and_nothing_else(house):
    house.optimize_key = "wrong"
    one, other = house.consignment("delivery"), house.consignment("delivery")
    expect(house, one, route="T-1")
    expect(house, other, route="T-2")
    delivered = house.consignment("delivery")
    house.deliver(delivered)
    house.add(delivered, "POD")
    house.work()
    assert posts(house) == 1, "one refusal is enough for the run"
    assert len(house.at_nexus(delivered)) == 1
    assert house.rows("SELECT connection FROM connection_flags") == []
    assert all("HTTP 401" in reason for reason in house.items(parked=False).values())

    house.work()
    assert posts(house) == 1, "it is not due yet"
    house.optimize_key = "sim-optimize"
    house.advance(timedelta(hours=1))
    house.work()
    assert len(told(house)) == 2
    assert house.items(parked=False) == house.items(parked=True) == {}


@pytest.mark.rule("NX-10-4")
@pytest.mark.parametrize("effect", ["http_403", "http_404", "http_405"])
def test_an_address_or_user_that_optimize_refuses_pauses_etas_for_the_run(house, effect):
    one, other = house.consignment("delivery"), house.consignment("delivery")
    expect(house, one, route="T-1")
    expect(house, other, route="T-2")
    house.nexus.fault(effect, "optimize/etas")
    house.work()
    assert posts(house) == 1
    house.play_out()
    assert len(told(house)) == 2


@pytest.mark.rule("NX-10-5", "NX-1-22", "NX-1-23")
@pytest.mark.parametrize(("effect", "times"), [("http_429", 1), ("http_503", 6), ("timeout", 6), ("garbage", 6)])
def test_while_optimize_does_not_answer_etas_wait(house, effect, times):
    one = house.consignment("delivery")
    eta = expect(house, one, timedelta(hours=20))
    options = {"retry_after": 60} if effect == "http_429" else {}
    house.nexus.fault(effect, "optimize/etas", times=times, **options)
    house.work()
    assert waits(house, one) is not None
    number = house.number(one)
    work_items.requeue(house.conn, network="nexus")
    house.conn.execute("UPDATE work_items SET due_at = now()")
    house.work()
    assert told(house)[-1][2] == {number: eta}
    assert house.items(parked=False) == house.items(parked=True) == {}


# Rejections


@pytest.mark.rule("NX-10-3", "NX-11-27")
def test_rejected_etas_are_kept_with_the_reason_and_the_others_are_told(house):
    (first, second), etas = on_a_trip(house)
    house.nexus.fault("reject_etas", "optimize/etas", numbers=[house.number(first)], reason="No consignee contact")
    house.work()
    assert told(house) == [("PGD302", "T-77", {house.number(second): etas[1]})]
    assert "No consignee contact" in parked(house, first)
    assert parked(house, second) is None
    assert "ETA refused" in house.history(first)
    assert house.rows("SELECT refusal IS NOT NULL, eta_from IS NOT NULL FROM eta_exports ORDER BY consignment_id") == [
        (True, False),
        (False, True),
    ]


@pytest.mark.rule("NX-10-3", "NX-10-11")
def test_a_rejected_eta_is_not_told_again_until_it_changes(house):
    one = house.consignment("delivery")
    expect(house, one)
    house.nexus.fault("reject_etas", "optimize/etas")
    house.work()
    house.ask(one, ETA_EXPORT)
    house.work()
    assert posts(house) == 1
    assert "Not accepted" in parked(house, one)

    eta = move(house, one, timedelta(minutes=1))
    house.work()
    assert told(house)[-1][2] == {house.number(one): eta}
    assert parked(house, one) is None
    assert house.rows("SELECT refusal, eta_from FROM eta_exports") == [(None, eta)]


@pytest.mark.rule("NX-10-3", "NX-10-11")
def test_what_was_accepted_before_a_rejection_stays_what_is_compared_with(house):
    one = house.consignment("delivery")
    expect(house, one)
    house.work()
    house.nexus.fault("reject_etas", "optimize/etas")
    move(house, one, timedelta(minutes=40))
    house.work()
    assert parked(house, one)
    move(house, one, timedelta(minutes=-35))
    house.work()
    assert posts(house) == 2, "it is within the threshold of what Optimize has"
    assert parked(house, one) is None


@pytest.mark.rule("NX-10-5", "NX-1-17")
def test_a_call_that_is_refused_whole_is_kept_with_the_reason(house):
    (first, second), _ = on_a_trip(house)
    house.nexus.fault("http_422", "optimize/etas")
    house.work()
    assert posts(house) == 1
    assert "HTTP 422" in parked(house, first)
    assert "HTTP 422" in parked(house, second)


# Two at once


@pytest.mark.rule("NX-10-2")
def test_while_one_tells_a_trip_another_waits_and_then_finds_nothing_to_tell(house):
    house.optimize_extra = {"read_timeout_s": 5}
    several, _ = on_a_trip(house, 4)
    house.nexus.fault("slow", "optimize/etas", seconds=0.5)
    house.work(limit=4)
    house.play_out(5)
    assert posts(house) == 1
    assert [len(etas) for _, _, etas in told(house)] == [len(several)]


# What never ends


@pytest.mark.rule("NX-10-9", "NX-10-1")
@pytest.mark.parametrize("optimize", [None, {"require_in_progress": True}])
def test_an_eta_long_past_waits_for_nothing_any_more(house, optimize):
    """Nobody here ever reported that the delivery had begun."""
    house.optimize_extra = optimize
    one = house.consignment("delivery")
    expect(house, one, SOON)
    house.work()
    assert waits(house, one) is not None
    house.advance(timedelta(hours=15))
    house.work()
    assert (posts(house), house.items(parked=False), house.items(parked=True)) == (0, {}, {})


@pytest.mark.rule("NX-10-9")
def test_what_never_began_on_a_trip_of_that_name_days_ago_does_not_make_todays_begun(house):
    house.optimize_extra = {"require_in_progress": True}
    old, begun, new = (house.consignment("delivery") for _ in range(3))
    for one in (old, begun):
        expect(house, one, timedelta(days=-3))
    house.conn.execute(
        "UPDATE stops SET started_at = now() - interval '2 days' WHERE (consignment_id, kind) = (%s, 'delivery')",
        (begun,),
    )
    expect(house, new, SOON)
    house.work()
    assert posts(house) == 0


@pytest.mark.rule("NX-10-4")
def test_a_connection_to_optimize_that_is_wrong_pauses_etas_and_flags_nothing(house):
    """No check of ours would ever take such a flag off."""
    one = house.consignment("delivery")
    expect(house, one)

    def wrong():
        raise Misconfigured("nexus_optimize", "Settings", "the password, which is the API key, is empty")

    good = house.optimize
    house.optimize = wrong
    house.work()
    assert "API key, is empty" in house.items(parked=False)[ETA_EXPORT, str(one)]
    assert waits(house, one) > house.now + timedelta(minutes=30)
    assert connection_flags.reason(house.conn, "nexus_optimize") is None

    house.optimize = good
    house.advance(timedelta(hours=1))
    house.work()
    assert posts(house) == 1
