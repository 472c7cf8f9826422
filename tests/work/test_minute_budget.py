"""A minute budget: a sliding minute over all sessions and processes, a share for background work, and bans."""

import logging
import threading
from pathlib import Path

import pytest
from tests.killing import Process, started, until

from palletflow.network_errors import NotSent, Throttled
from palletflow.store import alerts, call_windows
from palletflow.store.connection import DatabaseUnavailable, connect
from palletflow.work import minute_budget
from palletflow.work.minute_budget import MinuteBudget, Unanswered

SCRIPT = Path(__file__).with_name("minute_calls_once.py")
GROUP = "palletways-egress"
PATIENCE_S = 20
TIMES = ("paused_until", "unanswered_at", "probe_at", "silent_since", "careful_until")
LISTS = ("starts", "background")


class Network:
    """Answers or not, as a test says; counts the calls that reach it."""

    def __init__(self):
        self.answers = True
        self.calls = self.probes = 0

    def probe(self):
        self.probes += 1
        return self.answers

    def call(self, lane):
        with lane.call():
            self.calls += 1
            if not self.answers:
                raise Unanswered

    def calls_in_vain(self, lane, times=1):
        for _ in range(times):
            with pytest.raises(Unanswered):
                self.call(lane)


def in_vain(lane, meanwhile=lambda: None):
    """One call that nothing answers."""
    with lane.call():
        meanwhile()
        raise Unanswered


class House:
    """An order store whose time a test lets pass, and budgets with a session each, as processes have them."""

    def __init__(self, dsn, conn):
        self.conn = conn
        self._dsn = dsn
        self._opened = []
        self.slept = 0.0

    def budget(self, most=60, background_most=40, group=GROUP, sleep=None):
        made = MinuteBudget(lambda: connect(self._dsn), group, most, background_most, sleep=sleep or self.sleep)
        self._opened.append(made)
        return made

    def lane(self, network=None, *, background=False, connection="palletways_123", **options):
        probe = (network or Network()).probe
        return self.budget(**options).lane(connection, probe, background=background)

    def sleep(self, seconds):
        self.slept += seconds
        self.pass_s(seconds)

    def pass_s(self, seconds):
        """What is stored is so much longer ago."""
        earlier = f"make_interval(secs => {seconds:f})"
        moved = [f"{name} = {name} - {earlier}" for name in TIMES]
        moved += [f"{name} = ARRAY(SELECT start - {earlier} FROM unnest({name}) AS start)" for name in LISTS]
        self.conn.execute(f"UPDATE call_windows SET {', '.join(moved)}".encode())

    def close(self):
        for budget in self._opened:
            budget.close()


@pytest.fixture
def house(dsn, conn):
    made = House(dsn, conn)
    yield made
    made.close()


@pytest.fixture
def network():
    return Network()


@pytest.fixture
def start():
    yield from started(lambda *arguments: Process(SCRIPT, *arguments))


@pytest.fixture
def journal(conn):
    """Notes when every call began, by the database's clock; gives them and which of them were background work's."""
    conn.execute("CREATE TABLE begun (id serial, at timestamptz, background boolean)")
    conn.execute(
        b"CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ DECLARE"
        b" last timestamptz = NEW.starts[cardinality(NEW.starts)]; BEGIN"
        b" IF last IS DISTINCT FROM OLD.starts[cardinality(OLD.starts)] THEN"
        b" INSERT INTO begun (at, background) VALUES (last, NEW.background[cardinality(NEW.background)] = last);"
        b" END IF; RETURN NULL; END $$"
    )
    conn.execute("CREATE TRIGGER noting AFTER UPDATE ON call_windows FOR EACH ROW EXECUTE FUNCTION note()")
    return lambda: conn.execute("SELECT at, coalesce(background, false) FROM begun ORDER BY id").fetchall()


def most_within(moments, seconds):
    """The most of these moments that lie within any so many seconds."""
    return max(sum(0 <= (later - first).total_seconds() < seconds for later in moments) for first in moments)


# How many calls


@pytest.mark.rule("PW-1.4-2")
def test_so_many_calls_begin_in_any_sixty_seconds(house, network):
    lane = house.lane(network, most=60)
    for _ in range(60):
        network.call(lane)
    assert house.slept == 0

    network.call(lane)

    # Only once the first of the sixty was a minute ago.
    assert 59 < house.slept <= 60
    assert network.calls == 61


@pytest.mark.rule("PW-1.4-1", "PW-1.4-2", "PW-8-31")
def test_threads_sessions_and_processes_share_the_calls(start, dsn, conn, journal, monkeypatch):
    minute_s, most, background_most = 1.0, 12, 8
    share = (dsn, GROUP, most, background_most, minute_s)
    running = [
        start(*share, 4, 5, "foreground"), start(*share, 4, 5, "foreground"), start(*share, 4, 5, "background")
    ]  # fmt: skip
    for process in running:
        process.finish()

    begun = journal()
    assert len(begun) == 60
    assert begun == sorted(begun), "a permit was dated before it was given"
    assert most_within([at for at, _ in begun], minute_s) == most
    assert most_within([at for at, background in begun if background], minute_s) <= background_most


@pytest.mark.rule("PW-1.4-3")
def test_background_work_leaves_a_third_of_the_calls_to_others(house, network):
    budget = house.budget(most=60, background_most=40)
    behind = budget.lane("palletways_123", network.probe, background=True)
    before = budget.lane("palletways_123", network.probe)
    for _ in range(40):
        network.call(behind)

    for _ in range(19):
        network.call(before)
    assert house.slept == 0

    # There is one more, and not for it.
    network.call(behind)
    assert 59 < house.slept <= 60


@pytest.mark.rule("PW-1.4-3")
def test_background_work_waits_for_others_calls_too(house, network):
    budget = house.budget(most=6, background_most=4)
    for _ in range(6):
        network.call(budget.lane("palletways_123", network.probe))
    network.call(budget.lane("palletways_123", network.probe, background=True))
    assert 59 < house.slept <= 60


@pytest.mark.rule("PW-1.4-3")
def test_background_work_that_waits_keeps_nobody_else_waiting(house, network):
    budget = house.budget(most=2, background_most=1, sleep=threading.Event().wait)
    behind = budget.lane("palletways_123", network.probe, background=True)
    network.call(behind)
    waiting = threading.Thread(target=network.call, args=(behind,))
    waiting.start()
    stands = "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND objid::integer = -1 AND granted"
    until(lambda: house.conn.execute(stands).fetchone())

    network.call(budget.lane("palletways_123", network.probe))
    assert waiting.is_alive()

    house.pass_s(60)
    waiting.join(PATIENCE_S)
    assert network.calls == 3


@pytest.mark.rule("PW-1.4-1")
def test_groups_do_not_wait_for_each_other(house, network):
    network.call(house.lane(network, most=1, background_most=1))
    network.call(house.lane(network, most=1, background_most=1, group="another-egress"))
    assert house.slept == 0


@pytest.mark.rule("PW-1.4-1")
def test_connections_of_a_group_share_the_calls_and_each_keeps_to_its_own_most(house, network):
    network.call(house.lane(network, most=2, connection="palletways_123"))
    network.call(house.lane(network, most=2, connection="palletways_124"))
    assert house.slept == 0
    network.call(house.lane(network, most=1, connection="palletways_124"))
    assert 59 < house.slept <= 60


def test_who_waits_gets_its_turn_before_who_comes_later(house):
    order = []
    lanes = [house.lane(most=1, background_most=1, sleep=threading.Event().wait) for _ in range(4)]
    with lanes[0].call():
        pass

    def work(number):
        with lanes[number].call():
            order.append(number)

    standing = (
        "SELECT count(*) FROM pg_locks JOIN pg_stat_activity USING (pid) "
        "WHERE locktype = 'advisory' AND objid::integer = -1 AND datname = current_database()"
    )
    threads = [threading.Thread(target=work, args=(number,)) for number in (1, 2, 3)]
    for count, thread in enumerate(threads, 1):
        thread.start()
        until(lambda count=count: house.conn.execute(standing).fetchone()[0] == count)
    for done in (1, 2, 3):
        until(lambda done=done: len(order) >= done or house.pass_s(60))
    for thread in threads:
        thread.join(PATIENCE_S)
    assert order == [1, 2, 3]


@pytest.mark.rule("PW-1.4-4")
def test_no_permit_for_very_long_is_a_failure_that_passes_by_itself(house, network, monkeypatch):
    monkeypatch.setattr(minute_budget, "PATIENCE_S", 0.1)
    first = house.lane(network, most=1, sleep=threading.Event().wait)
    network.call(first)
    for lane in (first, house.lane(network, most=1, sleep=threading.Event().wait)):
        with pytest.raises(NotSent, match=r"'palletways_123': others have used up the calls a minute for 0.1 s"):
            network.call(lane)
    assert network.calls == 1


@pytest.mark.rule("PW-1.4-5")
def test_without_the_order_store_no_call_is_made(network):
    with (
        MinuteBudget(lambda: connect("postgresql://nobody@127.0.0.1:1/none"), GROUP, 60, 40) as budget,
        pytest.raises(DatabaseUnavailable),
    ):
        network.call(budget.lane("palletways_123", network.probe))
    assert network.calls == 0


def end_sessions(conn):
    conn.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )


def test_a_lost_session_is_opened_again(house, network):
    lane = house.lane(network)
    network.call(lane)
    end_sessions(house.conn)
    network.call(lane)
    assert network.calls == 2


def test_a_pause_is_everyones_until_it_is_over(house, network):
    first, second = house.lane(network), house.lane(network, background=True)
    network.call(first)
    first.pause(90)
    first.pause(5)
    for lane in (first, second):
        with pytest.raises(Throttled, match="the network asked for a pause") as told:
            network.call(lane)
        assert 80 < told.value.retry_after <= 90
    house.pass_s(90)
    network.call(first)
    network.call(second)


# Whether the network answers at all


@pytest.mark.rule("PW-1.4-6")
def test_one_call_that_nothing_answered_makes_nobody_suspicious(house, network):
    lane = house.lane(network)
    network.answers = False
    network.calls_in_vain(lane)
    assert network.probes == 0
    network.answers = True
    network.call(lane)


@pytest.mark.rule("PW-1.4-6")
def test_an_answer_between_two_that_did_not_come_ends_the_row(house, network):
    lanes = [house.lane(network), house.lane(network)]
    for _ in range(3):
        network.answers = False
        network.calls_in_vain(lanes[0])
        network.answers = True
        network.call(lanes[1])
    assert network.probes == 0


@pytest.mark.rule("PW-1.4-6")
def test_two_that_are_two_minutes_apart_are_no_row(house, network):
    lane = house.lane(network)
    network.answers = False
    network.calls_in_vain(lane)
    house.pass_s(121)
    network.calls_in_vain(lane)
    assert network.probes == 0
    house.pass_s(119)
    network.calls_in_vain(lane)
    assert network.probes == 1


@pytest.mark.rule("PW-1.4-6")
def test_the_second_in_a_row_of_the_group_is_probed_and_an_answer_leaves_everyone_else_calling(house, network):
    first, second = house.lane(network), house.lane(network, connection="palletways_124")
    silent, answering = Network(), Network()
    silent.answers = False
    silent.calls_in_vain(first)

    with pytest.raises(Unanswered):
        in_vain(second)  # and the network does answer the probe

    assert network.probes == 1
    answering.call(first)
    answering.call(second)
    # Counts again from the beginning.
    silent.calls_in_vain(first)
    assert network.probes == 1


@pytest.mark.rule("PW-1.4-3", "PW-1.4-6")
def test_a_probe_counts_as_a_call(house, network):
    lane = house.lane(network, most=3)
    for _ in range(2):
        with pytest.raises(Unanswered):
            in_vain(lane)
    assert (network.probes, house.slept) == (1, 0)
    network.call(lane)
    assert 59 < house.slept <= 60


@pytest.mark.rule("PW-1.4-6")
def test_a_probe_waits_for_its_permit(house, network):
    lane = house.lane(network, most=2)
    for _ in range(2):
        with pytest.raises(Unanswered):
            in_vain(lane)
    assert network.probes == 1
    assert 59 < house.slept <= 60


def banned(house, network, lane):
    network.answers = False
    network.calls_in_vain(lane, 2)
    assert network.probes == 1


@pytest.mark.rule("PW-1.4-7")
def test_silence_to_the_probe_stops_everyone_for_sixteen_minutes(house, network, caplog):
    first, second = house.lane(network), house.lane(network, connection="palletways_124", background=True)
    with caplog.at_level(logging.ERROR):
        banned(house, network, first)

    for lane in (first, second):
        with pytest.raises(Throttled, match="the network has stopped answering") as told:
            network.call(lane)
        assert 15 * 60 < told.value.retry_after <= 16 * 60
    house.pass_s(15 * 60 + 50)
    with pytest.raises(Throttled):
        network.call(second)
    assert (network.calls, network.probes, len(caplog.records)) == (2, 1, 1)


@pytest.mark.rule("PW-1.4-7")
def test_after_the_silence_one_call_asks_again_before_any_other_is_made(house, network):
    first, second = house.lane(network), house.lane(network)
    banned(house, network, first)
    house.pass_s(16 * 60)

    with pytest.raises(Throttled) as told:
        network.call(second)

    assert (network.calls, network.probes) == (2, 2)
    assert 15 * 60 < told.value.retry_after <= 16 * 60
    house.pass_s(16 * 60)
    network.answers = True
    network.call(second)
    network.call(first)
    assert (network.calls, network.probes) == (4, 3)


@pytest.mark.rule("PW-1.4-7")
def test_after_a_ban_only_half_of_the_calls_are_made_for_five_minutes(house, network):
    budget = house.budget(most=8, background_most=4)
    lane = budget.lane("palletways_123", network.probe)
    behind = budget.lane("palletways_123", network.probe, background=True)
    banned(house, network, lane)
    house.pass_s(16 * 60)
    network.answers = True
    house.slept = 0
    network.call(behind)  # and one asked before it: the two that background work has now
    for _ in range(2):
        network.call(lane)
    assert house.slept == 0
    network.call(lane)
    assert 59 < house.slept <= 60
    house.slept = 0
    house.pass_s(60)
    for _ in range(3):
        network.call(behind)
    assert 59 < house.slept <= 60

    house.pass_s(300)
    house.slept = 0
    for _ in range(8):
        network.call(lane)
    assert house.slept == 0


@pytest.mark.rule("PW-1.4-7")
def test_people_are_told_once_of_a_ban_however_long_it_lasts(house, network):
    lane = house.lane(network)
    banned(house, network, lane)
    [alert] = alerts.take(house.conn)
    assert alert.subject == f"No answer to {GROUP}"
    assert "Nobody of the rate group 'palletways-egress' calls for 16 minutes" in alert.message

    for _ in range(2):
        house.pass_s(16 * 60)
        with pytest.raises(Throttled):
            network.call(lane)
    assert alerts.take(house.conn) == []

    house.pass_s(16 * 60)
    network.answers = True
    network.call(lane)
    network.answers = False
    network.calls_in_vain(lane, 2)
    assert len(alerts.take(house.conn)) == 1


@pytest.mark.rule("PW-1.4-6")
def test_while_one_asks_whether_it_answers_all_others_wait(house, network):
    asking, answer = threading.Event(), threading.Event()

    def slow_probe():
        asking.set()
        return answer.wait(PATIENCE_S)

    lane = house.budget().lane("palletways_123", slow_probe)

    def call_in_vain():
        for _ in range(2):
            with pytest.raises(Unanswered):
                in_vain(lane)

    other = house.lane(network, sleep=threading.Event().wait)
    threads = [threading.Thread(target=call_in_vain), threading.Thread(target=network.call, args=(other,))]
    threads[0].start()
    assert asking.wait(PATIENCE_S)
    threads[1].start()
    until(lambda: house.conn.execute("SELECT 1 FROM pg_locks WHERE objid::integer = -1").fetchone())
    assert (network.calls, network.probes) == (0, 0)
    answer.set()
    for thread in threads:
        thread.join(PATIENCE_S)
    assert (network.calls, network.probes) == (1, 0)


@pytest.mark.rule("PW-1.4-6")
def test_who_was_to_ask_and_is_no_more_is_followed_by_another(house, network):
    lane = house.lane(network)
    network.call(lane)
    for _ in range(2):
        call_windows.unanswered(house.conn, GROUP)  # a process that is killed before it asks
    house.pass_s(call_windows.PROBE_S)
    network.call(lane)
    assert (network.calls, network.probes) == (1 + 1, 1)


@pytest.mark.rule("PW-1.4-6")
def test_of_many_that_get_no_answer_one_asks(house):
    network = Network()
    network.answers = False
    lanes = [house.lane(network) for _ in range(4)]
    together = threading.Barrier(8)

    def work(lane):
        with pytest.raises(Unanswered):
            in_vain(lane, lambda: together.wait(PATIENCE_S))

    threads = [threading.Thread(target=work, args=(lane,)) for lane in lanes for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_S)
    assert network.probes == 1
    with pytest.raises(Throttled):
        network.call(lanes[0])


def test_what_came_of_a_call_is_not_hidden_by_an_order_store_that_has_gone(house, network, caplog):
    answers = iter([connect(house._dsn)])
    budget = MinuteBudget(lambda: next(answers, None) or connect("postgresql://nobody@127.0.0.1:1/none"), GROUP, 60, 40)
    lane = budget.lane("palletways_123", network.probe)
    with pytest.raises(Unanswered):
        in_vain(lane, lambda: end_sessions(house.conn))
    assert "could not be told to the others" in caplog.text
    budget.close()


def test_other_failures_of_calls_say_nothing_about_the_network(house, network):
    lane = house.lane(network)
    for _ in range(3):
        with pytest.raises(KeyError), lane.call():
            raise KeyError
    assert network.probes == 0
