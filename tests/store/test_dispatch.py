"""Dispatch tasks: what people may do in which state, and what is kept of every sending."""

import threading
import time
from datetime import UTC, datetime, timedelta

import pytest
from tests.networks.palletforce.dispatching import content

from palletflow.orders.faults import Fault
from palletflow.store import dispatch, orders
from palletflow.store.connection import connect
from palletflow.store.dispatch import DispatchRefused, RegisteredByOther

NOW = datetime(2026, 7, 13, 9, 30, tzinfo=UTC)
NETWORK, NUMBER = "palletforce", "9000010000123"


@pytest.fixture
def make(conn):
    """Makes an order of one or more consignments; its id."""
    conn.execute("INSERT INTO customers (code, name) VALUES ('ACME', 'Acme Widgets Ltd')")
    made = []

    def order(consignments: int = 1, **changes) -> int:
        row = {**content(**changes), "network": NETWORK, "our_roles": [], "given": {}}
        key = f"o{len(made)}"
        head = {"key": key, "customer": "ACME", "reference": "SO-123", "reference_2": "", "copied_from": None}
        [one] = orders.insert(conn, [{**head, "consignments": [row] * consignments}], "tester", "order API")
        made.append(one.id)
        return one.id

    return order


@pytest.fixture
def put_on_trip(conn):
    def assign(order_id: int, **changes) -> None:
        wanted = {"trip": "T1", "resource": "PALLETFORCE_OUT", "network": NETWORK, "depot": "900"}
        with conn.transaction():
            dispatch.assign(conn, order_id, **{**wanted, "auto_complete": False, "actor": "tester", **changes})

    return assign


def begin(conn, order_id: int, at: datetime = NOW, **changes) -> dispatch.DispatchTask | None:
    seen = dispatch.task(conn, order_id)
    wanted = {
        "transaction_number": f"AF-{order_id}-{seen.attempt}", "consignment_number": "0000001", "depot": "900",
        "tracking_number": "", "opted_out": False, "by_itself": False, "now": at, "actor": "tester",
    }  # fmt: skip
    return dispatch.begin(conn, seen, **{**wanted, **changes})


def refuse(conn, order_id: int) -> None:
    fault = Fault("REFUSED", "order", "no", "mend it")
    dispatch.fail(conn, dispatch.task(conn, order_id), [fault], now=NOW, actor="tester")


def queued(conn) -> list[str]:
    return [row[0] for row in conn.execute("SELECT key FROM work_items WHERE kind = 'dispatch' ORDER BY key")]


def kinds(conn) -> list[str]:
    return [row[0] for row in conn.execute("SELECT kind FROM activity ORDER BY id")]


def state(conn, order_id: int) -> str:
    return dispatch.task(conn, order_id).state


@pytest.mark.rule("PF-7-1")
def test_a_trip_with_a_resource_makes_a_task_that_a_person_completes(conn, make, put_on_trip):
    order = make()
    assert dispatch.task(conn, order) is None

    put_on_trip(order)
    task = dispatch.task(conn, order)
    assert (task.trip, task.resource, task.state, task.completed_at, task.attempt) == (
        "T1", "PALLETFORCE_OUT", "todo", None, 1,
    )  # fmt: skip
    assert queued(conn) == []

    dispatch.complete(conn, order, "tester")
    task = dispatch.task(conn, order)
    assert (task.state, task.completed_by) == ("waiting", "tester")
    assert queued(conn) == [str(task.consignment_id)]
    assert kinds(conn) == ["created", "put on a trip", "dispatch task completed"]


@pytest.mark.rule("PF-7-1")
def test_a_task_may_complete_itself(conn, make, put_on_trip):
    order = make()
    put_on_trip(order, auto_complete=True)

    assert state(conn, order) == "waiting"
    assert len(queued(conn)) == 1


def test_the_same_trip_and_completion_again_change_nothing(conn, make, put_on_trip):
    order = make()
    put_on_trip(order)
    put_on_trip(order)
    dispatch.complete(conn, order, "tester")
    before = kinds(conn)
    dispatch.complete(conn, order, "other")

    assert kinds(conn) == before
    assert dispatch.task(conn, order).completed_by == "tester"


def test_completing_again_releases_work_that_was_given_up(conn, make, put_on_trip):
    order = make()
    put_on_trip(order, auto_complete=True)
    conn.execute("UPDATE work_items SET parked_at = now(), last_error = 'nothing could be sent'")

    dispatch.complete(conn, order, "tester")
    assert conn.execute("SELECT parked_at FROM work_items").fetchone() == (None,)


def test_a_trip_can_be_changed_until_something_may_have_been_accepted(conn, make, put_on_trip):
    order = make()
    put_on_trip(order)
    put_on_trip(order, trip="T2")
    assert dispatch.task(conn, order).trip == "T2"

    dispatch.complete(conn, order, "tester")
    with pytest.raises(DispatchRefused, match="about to be") as refused:
        put_on_trip(order, trip="T3")
    assert refused.value.rule == "PF-7-1"


def test_what_cannot_be_dispatched_says_why(conn, make, put_on_trip):
    order = make()
    with pytest.raises(DispatchRefused, match="on no trip"):
        dispatch.complete(conn, order, "tester")
    conn.execute("UPDATE orders SET cancelled_at = now() WHERE id = %s", (order,))
    with pytest.raises(DispatchRefused, match="cancelled"):
        put_on_trip(order)

    imported = make()
    conn.execute(
        "UPDATE consignments SET registered = true, tracking_number = %s WHERE order_id = %s", (NUMBER, imported)
    )
    with pytest.raises(DispatchRefused, match="has this consignment already"):
        put_on_trip(imported)
    with pytest.raises(DispatchRefused, match="no consignment"):
        dispatch.complete(conn, 999, "tester")


@pytest.mark.rule("PF-7-1", "PF-7-10")
def test_looking_up_and_sending_again_are_for_an_unknown_outcome(conn, make, put_on_trip):
    order = make()
    put_on_trip(order, auto_complete=True)
    for act in (dispatch.look_up_now, dispatch.send_again):
        with pytest.raises(DispatchRefused, match="is waiting; this is for one whose outcome is unknown") as refused:
            act(conn, order, "tester")
        assert refused.value.rule == "PF-7-10"

    task = begin(conn, order)
    dispatch.outcome_unknown(
        conn, task, "outcome unknown", lookups=0, lookup_at=NOW + timedelta(minutes=1), reason="lost", actor="tester"
    )
    with pytest.raises(DispatchRefused, match="may have accepted it"):
        dispatch.complete(conn, order, "tester")
    conn.execute("DELETE FROM work_items")
    dispatch.look_up_now(conn, order, "tester")
    assert len(queued(conn)) == 1
    assert not dispatch.task(conn, order).send_again
    dispatch.send_again(conn, order, "tester")
    assert dispatch.task(conn, order).send_again


@pytest.mark.rule("PF-7-7")
def test_the_attempt_rises_only_after_a_definite_refusal(conn, make, put_on_trip):
    order = make()
    put_on_trip(order, auto_complete=True)
    refuse(conn, order)  # stopped before any call
    assert dispatch.task(conn, order).sent_at is None
    dispatch.complete(conn, order, "tester")
    assert dispatch.task(conn, order).attempt == 1

    begin(conn, order)
    refuse(conn, order)  # refused by the network
    assert dispatch.task(conn, order).sent_at == NOW
    dispatch.send_again(conn, order, "tester")
    task = dispatch.task(conn, order)
    assert (task.state, task.attempt, task.transaction_number, task.sent_at, task.faults) == (
        "waiting",
        2,
        "",
        None,
        [],
    )

    task = begin(conn, order)
    dispatch.outcome_unknown(conn, task, "unknown", lookups=0, lookup_at=NOW, reason="lost", actor="tester")
    dispatch.send_again(conn, order, "tester")
    assert dispatch.task(conn, order).attempt == 2


def test_stopped_before_sending_and_refused_by_the_network_are_never_confused(conn, make, put_on_trip):
    order = make()
    put_on_trip(order, auto_complete=True)
    refuse(conn, order)
    dispatch.complete(conn, order, "tester")
    begin(conn, order)
    refuse(conn, order)

    assert [kind for kind in kinds(conn) if kind.startswith("dispatch ")] == [
        "dispatch task completed",
        "dispatch stopped before sending",
        "dispatch task completed",
        "dispatch refused by the network",
    ]
    lifecycle = conn.execute("SELECT lifecycle_status FROM consignments WHERE order_id = %s", (order,)).fetchone()
    assert lifecycle == ("CREATED",)


def test_only_one_of_two_workers_begins_a_sending(conn, dsn, make, put_on_trip):
    order = make()
    put_on_trip(order, auto_complete=True)
    seen = dispatch.task(conn, order)
    begun = []
    ready = threading.Barrier(2)

    def work() -> None:
        with connect(dsn) as own:
            ready.wait(10)
            with own.transaction():
                begun.append(
                    dispatch.begin(
                        own, seen, transaction_number="AF-1-1", consignment_number="0000001", depot="900",
                        tracking_number="", opted_out=False, by_itself=False, now=NOW, actor="tester",
                    )
                )  # fmt: skip

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(one is None for one in begun) == [False, True]
    assert dispatch.task(conn, order).sends == 1


FAULT = Fault("X", "order", "no", "mend it")


@pytest.mark.parametrize(
    "end",
    [
        lambda own, seen: dispatch.fail(own, seen, [FAULT], now=NOW, actor="t"),
        lambda own, seen: dispatch.warn(own, seen, ["no"], "t"),
        lambda own, seen: dispatch.outcome_unknown(own, seen, "x", lookups=0, lookup_at=NOW, reason="no", actor="t"),
    ],
    ids=["fail", "warn", "outcome_unknown"],
)
def test_a_worker_and_a_person_who_write_the_same_task_wait_for_each_other_and_never_both(
    conn, dsn, make, put_on_trip, end
):
    order = make()
    put_on_trip(order, auto_complete=True)
    seen = begin(conn, order)

    def work() -> None:
        with connect(dsn) as own, own.transaction():
            end(own, seen)
        done.append(seen)

    done: list[dispatch.DispatchTask] = []
    worker = threading.Thread(target=work)
    with connect(dsn) as person, person.transaction():
        orders.locked(person, order)  # as for everything the order API changes
        worker.start()
        waits = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        deadline = time.monotonic() + 20
        while conn.execute(waits).fetchone() is None:
            assert time.monotonic() < deadline
        person.execute("SET LOCAL lock_timeout = '10s'")
        person.execute("UPDATE dispatch_tasks SET send_again = true WHERE consignment_id = %s", (seen.consignment_id,))
    worker.join(20)
    assert done == [seen]


def test_nothing_is_begun_for_what_the_network_has_registered_meanwhile(conn, make, put_on_trip):
    order = make(tracking_number=NUMBER)
    put_on_trip(order, auto_complete=True)
    conn.execute("UPDATE consignments SET registered = true WHERE order_id = %s", (order,))

    assert begin(conn, order) is None
    assert dispatch.task(conn, order).sends == 0


def test_what_was_not_accepted_may_simply_be_sent_but_an_owed_resend_stays_unknown(conn, make, put_on_trip):
    order = make()
    put_on_trip(order, auto_complete=True)
    dispatch.not_accepted(conn, begin(conn, order))
    task = dispatch.task(conn, order)
    assert (task.state, task.sent_at, task.send_again) == ("waiting", None, False)

    dispatch.outcome_unknown(conn, begin(conn, order), "lost", lookups=0, lookup_at=NOW, reason="lost", actor="tester")
    again = begin(conn, order, at=NOW + timedelta(minutes=5), by_itself=True)
    assert (again.state, again.resent, again.lookup_at) == ("unknown", True, None)
    dispatch.not_accepted(conn, again)
    task = dispatch.task(conn, order)
    assert (task.state, task.send_again, task.resent) == ("unknown", True, True)
    assert task.sent_at is not None


def test_a_worker_that_was_overtaken_changes_nothing(conn, make, put_on_trip):
    order = make()
    put_on_trip(order, auto_complete=True)
    slow = begin(conn, order)
    dispatch.outcome_unknown(conn, slow, "lost", lookups=0, lookup_at=NOW, reason="lost", actor="tester")

    dispatch.not_accepted(conn, slow)
    dispatch.outcome_unknown(conn, slow, "lost again", lookups=3, lookup_at=None, reason="lost", actor="tester")
    task = dispatch.task(conn, order)
    assert (task.state, task.sent_at, task.lookups) == ("unknown", NOW, 0)


@pytest.mark.rule("PF-2.1-8", "PF-3-9")
def test_consignment_numbers_count_by_depot_and_begin_anew_after_the_last(conn):
    def numbers(depot: str, count: int) -> list[int]:
        return [dispatch.next_consignment_number(conn, NETWORK, depot, 9_999_999) for _ in range(count)]

    assert numbers("900", 3) == [1, 2, 3]
    assert numbers("901", 1) == [1]
    conn.execute("UPDATE consignment_numbers SET last = 9999998 WHERE depot = '900'")
    assert numbers("900", 3) == [9_999_999, 1, 2]


def test_pallets_of_one_type_follow_each_other(conn, make, put_on_trip):
    order = make(pallet_types=["F", "H", "F", "Q", "H"])
    put_on_trip(order)
    consignment_id = dispatch.task(conn, order).consignment_id
    for _ in range(2):
        dispatch.group_pallets(conn, consignment_id)
        found = conn.execute("SELECT number, pallet_type FROM pallets ORDER BY number").fetchall()
        assert found == [(1, "F"), (2, "F"), (3, "H"), (4, "H"), (5, "Q")]


def test_success_registers_the_number_and_keeps_the_warnings(conn, make, put_on_trip):
    order = make()
    put_on_trip(order, auto_complete=True)
    task = begin(conn, order)
    dispatch.succeed(conn, task, NUMBER, accepted=True, warnings=["a warning"], now=NOW, actor="tester")

    held = conn.execute("SELECT tracking_number, registered, dispatch_state FROM consignments").fetchone()
    assert held == (NUMBER, True, "completed")
    task = dispatch.task(conn, order)
    assert (task.warnings, task.finished_at, task.faults) == (["a warning"], NOW, [])
    before = kinds(conn)
    dispatch.succeed(conn, task, NUMBER, accepted=True, warnings=["a warning"], now=NOW, actor="tester")
    assert kinds(conn) == before


def test_a_number_that_another_order_of_ours_has_registered_is_not_taken(conn, make, put_on_trip):
    first, second = make(), make()
    for order in (first, second):
        put_on_trip(order, trip=f"T{order}", auto_complete=True)
    task = begin(conn, first)
    dispatch.succeed(conn, task, NUMBER, accepted=True, warnings=[], now=NOW, actor="tester")

    with pytest.raises(RegisteredByOther, match=f"order {first} has already registered"), conn.transaction():
        dispatch.succeed(conn, begin(conn, second), NUMBER, accepted=True, warnings=[], now=NOW, actor="tester")
    assert state(conn, second) == "waiting"


def test_company_counts_what_shares_order_trip_and_number(conn, make, put_on_trip):
    alone, of_two, on_trip = make(tracking_number=NUMBER), make(consignments=2), make()
    put_on_trip(alone, trip="A")
    put_on_trip(of_two, trip="B")
    put_on_trip(on_trip, trip="A")

    def company(order: int) -> dispatch.Company:
        return dispatch.company(conn, dispatch.task(conn, order).consignment_id)

    assert company(alone) == (1, 2, None)
    assert company(of_two) == (2, 2, None)
    conn.execute("UPDATE orders SET cancelled_at = now() WHERE id = %s", (on_trip,))
    assert company(alone) == (1, 1, None)
    other = make(tracking_number=NUMBER)
    conn.execute("UPDATE consignments SET registered = true WHERE order_id = %s", (other,))
    assert company(alone) == (1, 1, other)


def test_what_the_network_has_cancelled_for_us_may_be_dispatched_anew_under_its_next_number(conn, make, put_on_trip):
    order = make()
    put_on_trip(order, auto_complete=True)
    begun = begin(conn, order, digest=b"what was sent")
    assert begun.sent_digest == b"what was sent"
    with conn.transaction():
        dispatch.succeed(conn, begun, NUMBER, accepted=True, warnings=[], now=NOW, actor="tester")
        dispatch.taken_back(conn, begun, next_number="0000001R2", reason="cancelled by the customer", actor="tester")

    columns = "tracking_number, registered, consignment_number, lifecycle_status"
    assert conn.execute(f"SELECT {columns} FROM consignments").fetchall() == [(None, False, "0000001R2", "CANCELLED")]
    task = dispatch.task(conn, order)
    assert (task.state, task.attempt, task.sent_at, task.sent_digest, task.completed_at) == (
        "todo",
        2,
        None,
        None,
        None,
    )
    assert kinds(conn)[-1] == "cancelled in the network"

    dispatch.complete(conn, order, "tester")
    begin(conn, order, consignment_number="0000001R2")
    assert conn.execute(f"SELECT {columns} FROM consignments").fetchall() == [(None, False, "0000001R2", "CREATED")]


def test_what_the_network_has_may_be_dispatched_where_its_dispatch_takes_it_over(conn, make, put_on_trip):
    order = make()
    conn.execute("UPDATE consignments SET tracking_number = %s, registered = true", (NUMBER,))

    put_on_trip(order, adopts=True)
    dispatch.complete(conn, order, "tester")

    assert (state(conn, order), len(queued(conn))) == ("waiting", 1)


@pytest.mark.parametrize("change", [{}, {"adopts": True, "network": "nexus"}])
def test_what_the_network_has_is_not_dispatched_anywhere_else(conn, make, put_on_trip, change):
    order = make()
    conn.execute("UPDATE consignments SET tracking_number = %s, registered = true", (NUMBER,))

    with pytest.raises(DispatchRefused):
        put_on_trip(order, **change)


@pytest.mark.rule("NX-3-3", "NX-2.4-4")
def test_the_number_for_one_network_is_none_for_another(conn, make, put_on_trip):
    order = make()
    put_on_trip(order, auto_complete=True)
    begin(conn, order)
    refuse(conn, order)
    number = "SELECT consignment_number FROM consignments"
    put_on_trip(order, trip="T2")
    assert conn.execute(number).fetchone() == ("0000001",)

    put_on_trip(order, trip="T3", network="nexus", resource="PALLEX_OUT", depot="PGD302")
    assert conn.execute(number).fetchone() == ("",)
