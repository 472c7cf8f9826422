"""A call budget: so many calls at once over all sessions, pauses for everyone, a least spacing, and no lost places."""

import threading
import time

import pytest

from palletflow.network_errors import NotSent, Throttled
from palletflow.store.connection import DatabaseUnavailable, connect
from palletflow.work import budget as budgets
from palletflow.work.budget import CallBudget, NoBudget

PATIENCE_S = 20


@pytest.fixture
def open_budget(dsn):
    """Makes budgets with a session each, as processes have."""
    opened = []

    def make(name="palletforce_900", most=2, **options):
        opened.append(CallBudget(lambda: connect(dsn), name, most, **options))
        return opened[-1]

    yield make
    for budget in opened:
        budget.close()


class Calls:
    """Makes calls in threads and notes how many were in flight at once."""

    def __init__(self):
        self.busy = self.highest = self.made = 0
        self._change = threading.Condition()

    def __call__(self, budget, count, most):
        for _ in range(count):
            with budget.call(), self._change:
                self.busy += 1
                self.highest = max(self.highest, self.busy)
                self._change.notify_all()
                # Stays until as many are here as are allowed, and gives one more the time to come.
                self._change.wait_for(lambda: self.highest >= most, timeout=PATIENCE_S)
                self._change.wait_for(lambda: self.busy > most, timeout=0.02)
                self.busy -= 1
                self.made += 1


@pytest.mark.parametrize("most", [1, 2, 3])
def test_at_most_so_many_calls_at_once_over_threads_and_sessions(open_budget, most):
    calls = Calls()
    sessions = [open_budget(most=most) for _ in range(2)]
    threads = [threading.Thread(target=calls, args=(budget, 4, most)) for budget in sessions for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_S)
    assert (calls.made, calls.highest) == (24, most)


def test_budgets_of_other_names_do_not_wait_for_each_other(open_budget):
    with open_budget("palletforce_900", most=1).call(), open_budget("palletforce_901", most=1).call():
        pass


def test_a_call_that_fails_gives_its_place_back(open_budget):
    budget = open_budget(most=1)
    for _ in range(3):
        with pytest.raises(KeyError), budget.call():
            raise KeyError
    with open_budget(most=1).call():
        pass


def test_no_place_for_very_long_is_said_and_nothing_was_sent(open_budget, monkeypatch):
    monkeypatch.setattr(budgets, "PATIENCE_S", 0.1)
    with open_budget(most=1).call(), pytest.raises(NotSent, match="palletforce_900"), open_budget(most=1).call():
        raise AssertionError("called beyond the budget")


def test_who_calls_without_a_break_leaves_others_their_turn(open_budget):
    busy, other = open_budget(), open_budget()
    over, made = threading.Event(), []

    def call_on_and_on():
        while not over.is_set():
            with busy.call():
                over.wait(0.1)  # a call, and the next one follows at once
            made.append(1)

    threads = [threading.Thread(target=call_on_and_on) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        waited_for = 0
        for _ in range(5):
            before = len(made)
            with other.call():
                waited_for += len(made) - before
    finally:
        over.set()
        for thread in threads:
            thread.join(PATIENCE_S)
    # One or two calls each time; without turns it is dozens.
    assert waited_for <= 25


def test_who_stands_in_line_and_loses_its_session_holds_up_nobody(open_budget, conn):
    holder, waiting = open_budget(most=1), open_budget(most=1)
    done = threading.Event()

    def wait_for_a_place():
        with waiting.call():
            done.set()

    with holder.call():
        thread = threading.Thread(target=wait_for_a_place)
        thread.start()
        deadline = time.monotonic() + PATIENCE_S
        stands = "SELECT FROM pg_locks WHERE locktype = 'advisory' AND objid::integer = -1"
        while conn.execute(stands).fetchone() is None:
            assert time.monotonic() < deadline
        end_sessions(conn)
        assert done.wait(PATIENCE_S)
    thread.join(PATIENCE_S)
    with open_budget(most=1).call():
        pass


def test_a_pause_is_everyones_until_it_is_over(open_budget, conn):
    first, second = open_budget(), open_budget()
    first.pause(30)
    first.pause(5)
    for budget in (first, second):
        with pytest.raises(Throttled) as told, budget.call():
            raise AssertionError("called during a pause")
        assert 20 < told.value.retry_after <= 30
    conn.execute("UPDATE call_budgets SET paused_until = now()")
    with first.call(), second.call():
        pass


def test_calls_start_no_closer_together_than_the_spacing(open_budget):
    started = []
    budgets_of_two = [open_budget(most=4, spacing_s=0.1) for _ in range(2)]

    def call(budget):
        for _ in range(3):
            with budget.call():
                started.append(time.monotonic())

    threads = [threading.Thread(target=call, args=(budget,)) for budget in budgets_of_two]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_S)
    # A thread may be late, but the sixth call can never start before its turn.
    assert max(started) - min(started) >= 0.45


def end_sessions(conn):
    conn.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )


def test_a_lost_session_is_opened_again_and_its_places_are_free(open_budget, conn):
    budget = open_budget(most=1)
    with budget.call():
        end_sessions(conn)
    with budget.call():
        pass
    end_sessions(conn)
    with budget.call():
        pass
    with open_budget(most=1).call():
        pass


def test_an_order_store_that_is_away_is_said():
    budget = CallBudget(lambda: connect("postgresql://nobody@127.0.0.1:1/none"), "palletforce_900", 1)
    with pytest.raises(DatabaseUnavailable), budget.call():
        pass


def test_without_a_budget_nothing_is_limited():
    budget = NoBudget()
    budget.pause(60)
    with budget.call(), budget.call(), budget.call():
        pass
