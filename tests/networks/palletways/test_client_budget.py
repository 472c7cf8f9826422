"""The client within the minute budget of the order store, against a network that bans (contract 1.4)."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
from tests.networks.nexus.answering import answered, reset, silent
from tests.networks.palletways.clients import NOT_AVAILABLE, OWNER, client_of, clock, data, serve, sim_client

from palletflow.network_errors import Throttled
from palletflow.networks.palletways.errors import Busy, NoAnswer, SubmissionUnanswered, Unconnectable
from palletflow.store.connection import DatabaseUnavailable, connect
from palletflow.work.minute_budget import MinuteBudget

__all__ = ["client_of", "clock", "serve", "sim_client"]
GROUP = "palletways-egress"
TIMES = ("paused_until", "unanswered_at", "probe_at", "careful_until")
LISTS = ("starts", "background")
TID = "60000000017"


class Minutes:
    """The time that has passed for the order store and, if there is one, for the simulator: as budgets waited."""

    def __init__(self, dsn, conn, simulator=None):
        self._dsn, self.conn, self._simulator = dsn, conn, simulator
        self.passed_s = 0.0
        self._looked_at = time.monotonic()
        self._moving = threading.Lock()

    def budget(self, most=60, background_most=40):
        return MinuteBudget(lambda: connect(self._dsn), GROUP, most, background_most, sleep=self.pass_s)

    def pass_s(self, seconds):
        earlier = f"make_interval(secs => {seconds:f})"
        moved = [f"{name} = {name} - {earlier}" for name in TIMES]
        moved += [f"{name} = ARRAY(SELECT start - {earlier} FROM unnest({name}) AS start)" for name in LISTS]
        with self._moving:
            self.passed_s += seconds
            self.conn.execute(f"UPDATE call_windows SET {', '.join(moved)}".encode())
            if self._simulator:
                # Its clock stands still: for it the time that really passed is to be told as well.
                now = time.monotonic()
                self._simulator.advance(seconds + now - self._looked_at)
                self._looked_at = now

    def calls(self):
        [(count,)] = self.conn.execute("SELECT cardinality(starts) FROM call_windows").fetchall()
        return count


@pytest.fixture
def minutes(dsn, conn):
    return Minutes(dsn, conn)


@pytest.mark.rule("PW-1.4-3")
def test_retries_fallbacks_redirects_and_probes_all_count(serve, client_of, minutes):
    answers = [
        answered(500),
        answered(302, Location="/there"),
        answered(200, NOT_AVAILABLE),
        answered(200, data({"c_carcon": "1"})),
    ]
    server = serve(*answers)
    client = client_of(server.root, options={"budget": minutes.budget()})
    assert client.basics_by_number("1") == [{"c_carcon": "1"}]
    assert minutes.calls() == len(server.requests) == 4


@pytest.mark.rule("PW-1.4-5")
def test_without_the_order_store_palletways_is_not_called(serve, client_of):
    server = serve(answered(200, OWNER))
    budget = MinuteBudget(partial(connect, "postgresql://nobody@127.0.0.1:1/none"), GROUP, 60, 40)
    client = client_of(server.root, options={"budget": budget})
    for call in (client.check, client.in_background().check, lambda: client.create("<Manifest/>", commit=True)):
        with pytest.raises(DatabaseUnavailable):
            call()
    assert server.requests == []


@pytest.mark.rule("PW-1.4-3")
def test_what_is_done_in_the_background_counts_as_such(serve, client_of, minutes):
    server = serve(answered(200, OWNER))
    client = client_of(server.root, options={"budget": minutes.budget(most=6, background_most=2)})
    for _ in range(2):
        client.in_background().check()
    for _ in range(4):
        client.check()
    assert minutes.passed_s == 0
    [counted] = minutes.conn.execute("SELECT cardinality(starts), cardinality(background) FROM call_windows").fetchall()
    assert counted == (6, 2)


@pytest.mark.rule("PW-1.3-1")
def test_a_pause_that_the_network_asks_for_is_everyones(serve, client_of, minutes):
    server = serve(answered(429, Retry_After="50"), answered(200, OWNER))
    first, second = (
        client_of(server.root, depot=depot, options={"budget": minutes.budget(), "patient": False})
        for depot in ("123", "124")
    )
    with pytest.raises(Busy):
        first.check()
    with pytest.raises(Throttled, match="asked for a pause") as told:
        second.check()
    assert 40 < told.value.retry_after <= 50
    assert len(server.requests) == 1
    minutes.pass_s(50)
    second.check()


@pytest.mark.rule("PW-1.4-6")
@pytest.mark.parametrize("fault", [silent, reset])
def test_a_method_that_hangs_alone_keeps_nothing_else_from_working(serve, client_of, minutes, fault):
    server = serve()
    server._answer = lambda request: (
        server.all_requests.append(request) or (fault if "podimages" in request.path else answered(200, OWNER))
    )
    client = client_of(
        server.root,
        pdf_first_byte_timeout_s=0.2,
        options={"budget": minutes.budget(), "patient": False},
    )
    with pytest.raises(NoAnswer):
        client.photos(TID)
    methods = [request.path.split("?")[0].split("/")[-1] for request in server.requests]
    assert methods == [TID, TID, "keytest", TID]
    client.check()


@pytest.mark.rule("PW-1.4-6", "PW-1.4-7")
def test_a_network_that_answers_nothing_is_left_alone(serve, client_of, minutes):
    server = serve(reset)
    client, other = (
        client_of(server.root, depot=depot, options={"budget": minutes.budget(), "patient": False})
        for depot in ("123", "124")
    )
    with pytest.raises(Throttled, match="has stopped answering"):
        client.photos(TID)
    assert len(server.requests) == 3  # twice, and the probe
    with pytest.raises(Throttled):
        other.check()
    assert len(server.requests) == 3
    assert "got no answer" in minutes.conn.execute("SELECT message FROM alerts").fetchone()[0]


@pytest.mark.rule("PW-1.4-6", "PW-1.4-10")
def test_a_submission_that_met_the_ban_is_still_unclear(serve, client_of, minutes):
    server = serve(reset)
    client = client_of(server.root, options={"budget": minutes.budget(), "patient": False})
    for _ in range(2):
        with pytest.raises(SubmissionUnanswered):
            client.create("<Manifest/>", commit=True)
    assert len(server.requests) == 3
    with pytest.raises(Throttled):
        client.create("<Manifest/>", commit=True)


@pytest.mark.rule("PW-1.4-1", "PW-1.4-2", "PW-8-14", "PW-8-31")
def test_two_hundred_calls_at_once_from_several_workers_ban_nobody(palletways_sim, sim_client, dsn, conn):
    """Each worker with a session of its own, as processes have. Time passes for both sides as the budgets wait."""
    palletways_sim.switch(rate_limit="on")
    minutes = Minutes(dsn, conn, palletways_sim)
    tracking_ids = palletways_sim.add_many(count=40)
    workers = [
        sim_client(depot, options={"budget": minutes.budget(), "patient": False}) for depot in ("123", "124") * 2
    ]
    with ThreadPoolExecutor(len(workers)) as pool:
        asked = [
            pool.submit(workers[number % len(workers)].photos, tracking_id)
            for number, tracking_id in enumerate(tracking_ids * 5)
        ]
        for one in asked:
            one.result()
    assert len(palletways_sim.journal()) == 200
    assert palletways_sim.largest_in_60_s() <= 100
    assert minutes.passed_s > 120


@pytest.mark.rule("PW-1.4-6", "PW-1.4-7", "PW-8-15")
@pytest.mark.parametrize("style", ["hang", "refuse", "reset"])
def test_a_ban_is_recognised_sat_out_and_left_behind(palletways_sim, sim_client, dsn, conn, style):
    palletways_sim.switch(rate_limit="on", ban_style=style, ban_extend="on")
    minutes = Minutes(dsn, conn, palletways_sim)
    client = sim_client(
        options={"budget": minutes.budget(), "patient": False},
        connect_timeout_s=1,
        first_byte_timeout_s=0.3,
        pdf_first_byte_timeout_s=0.3,
    )
    for _ in range(100):  # somebody else behind our address
        palletways_sim.call("keytest")
    before = len(palletways_sim.journal())
    for _ in range(2):
        with pytest.raises((NoAnswer, Unconnectable, Throttled)):
            client.check()
    assert len(palletways_sim.journal()) == before + 3  # two calls and the probe
    with pytest.raises(Throttled):
        client.check()

    minutes.pass_s(16 * 60)
    assert client.check() == ""
    assert len(palletways_sim.journal()) == before + 5
    assert minutes.conn.execute("SELECT count(*) FROM alerts").fetchone() == (1,)
