"""A network that takes a consignment first and gives its tracking number later: what is kept of both."""

from datetime import UTC, datetime

import pytest
from tests.networks.palletforce.dispatching import content

from palletflow.store import consignments, dispatch, orders, work_items
from palletflow.store.dispatch import RegisteredByOther

NOW = datetime(2026, 7, 13, 9, 30, tzinfo=UTC)
NETWORK, REFERENCE, NUMBER = "palletways", "4000123", "60000000017"


@pytest.fixture
def make(conn):
    """Makes an order with one consignment; its ids."""
    conn.execute("INSERT INTO customers (code, name) VALUES ('ACME', 'Acme Widgets Ltd')")
    made = []

    def order(source: str = "api", key: str = "") -> tuple[int, int]:
        row = {**content(), "network": NETWORK, "our_roles": ["requesting"], "given": {}}
        head = {
            "key": key or f"o{len(made)}", "customer": "ACME", "reference": "SO-1", "reference_2": "",
            "copied_from": None,
        }  # fmt: skip
        [one] = orders.insert(conn, [{**head, "consignments": [row]}], "tester", "order API")
        conn.execute("UPDATE orders SET source = %s WHERE id = %s", (source, one.id))
        made.append(one.id)
        return one.id, one.consignments[0]

    return order


@pytest.fixture
def sent(conn, make):
    """A consignment whose submission was begun: its task as it then stands."""

    def begun() -> dispatch.DispatchTask:
        order_id, consignment_id = make()
        with conn.transaction():
            dispatch.assign(
                conn, order_id, trip=f"T{order_id}", resource="PALLETWAYS_OUT", network=NETWORK, depot="123",
                auto_complete=True, actor="tester",
            )  # fmt: skip
            task = dispatch.begin(
                conn, dispatch.of_consignment(conn, consignment_id), transaction_number=f"PLF{consignment_id}-1",
                consignment_number="0000001", depot="123", tracking_number="", opted_out=False, by_itself=False,
                now=NOW, actor="tester", digest=b"d",
            )  # fmt: skip
        assert task is not None
        return task

    return begun


def submit(conn, task, reference=REFERENCE) -> dispatch.DispatchTask:
    with conn.transaction():
        dispatch.submitted(conn, task, reference, warnings=["look at it"], now=NOW, actor="tester")
    return dispatch.of_consignment(conn, task.consignment_id)


def number(conn, task, tracking_number=NUMBER) -> None:
    with conn.transaction():
        dispatch.numbered(conn, task, tracking_number, "tester")


def held(conn, task) -> tuple[str, bool, str]:
    facts = consignments.facts(conn, task.consignment_id)
    return facts.tracking_number, facts.registered, facts.dispatch_state


def kinds(conn, consignment_id: int) -> list[str]:
    rows = conn.execute("SELECT kind FROM activity WHERE consignment_id = %s ORDER BY id", (consignment_id,))
    return [row[0] for row in rows]


@pytest.mark.rule("PW-7.1-4", "PW-3-2")
def test_what_was_taken_is_dispatched_and_its_reference_is_no_tracking_number(conn, sent):
    task = submit(conn, sent())
    assert held(conn, task) == ("", False, "completed")
    assert (task.network_reference, task.finished_at, task.warnings, task.faults) == (
        REFERENCE, NOW, ["look at it"], [],
    )  # fmt: skip
    assert kinds(conn, task.consignment_id)[-1] == "dispatched"


@pytest.mark.rule("PW-7.1-5")
def test_its_tracking_number_comes_later_and_once(conn, sent):
    task = submit(conn, sent())
    number(conn, task)
    assert held(conn, task) == (NUMBER, True, "completed")
    assert dispatch.of_consignment(conn, task.consignment_id).network_reference == REFERENCE
    before = kinds(conn, task.consignment_id)
    assert before[-1] == "tracking number given"
    number(conn, task, "60000000099")
    assert held(conn, task) == (NUMBER, True, "completed")
    assert kinds(conn, task.consignment_id) == before


@pytest.mark.rule("PW-7.1-6")
def test_whoever_has_moved_the_task_meanwhile_wins(conn, sent):
    seen = sent()
    with conn.transaction():
        dispatch.outcome_unknown(
            conn, seen, "outcome unknown", lookups=0, lookup_at=NOW, reason="no answer", actor="tester"
        )
    assert submit(conn, seen).network_reference == ""
    assert held(conn, seen) == ("", False, "unknown")
    number(conn, seen)
    assert held(conn, seen) == ("", False, "unknown")


@pytest.mark.rule("PW-7.1-8")
def test_what_was_taken_back_meanwhile_gets_no_number(conn, sent):
    task = submit(conn, sent())
    with conn.transaction():
        dispatch.taken_back(conn, task, next_number="", reason="deleted", actor="tester")
    number(conn, task)
    assert held(conn, task) == ("", False, "todo")
    reopened = dispatch.of_consignment(conn, task.consignment_id)
    assert (reopened.network_reference, reopened.transaction_number, reopened.attempt) == ("", "", 2)


@pytest.mark.rule("PW-7.1-5", "PW-3-1")
def test_what_an_import_made_of_it_before_is_merged_into_ours(conn, make, sent):
    task = submit(conn, sent())
    twin_order, twin = make(source=NETWORK, key=NUMBER)
    conn.execute("UPDATE consignments SET tracking_number = %s, registered = true WHERE id = %s", (NUMBER, twin))
    with conn.transaction():
        work_items.enqueue(conn, NETWORK, "photo_download", [twin])
    number(conn, task)

    assert held(conn, task) == (NUMBER, True, "completed")
    assert conn.execute(
        "SELECT tracking_number, registered, lifecycle_status FROM consignments WHERE id = %s", (twin,)
    ).fetchone() == (None, False, "CANCELLED")
    [(cancelled,)] = conn.execute("SELECT cancelled_at IS NOT NULL FROM orders WHERE id = %s", (twin_order,)).fetchall()
    assert cancelled
    assert "took over an imported order" in kinds(conn, task.consignment_id)
    waiting = {(one.kind, one.key) for one in work_items.listed(conn, parked=False)}
    assert ("photo_download", str(task.consignment_id)) in waiting


@pytest.mark.rule("PW-3-1")
def test_the_number_of_another_order_of_ours_is_not_taken(conn, make, sent):
    task = submit(conn, sent())
    other_order, other = make()
    conn.execute("UPDATE consignments SET tracking_number = %s, registered = true WHERE id = %s", (NUMBER, other))
    before = kinds(conn, task.consignment_id)
    with pytest.raises(RegisteredByOther, match=f"order {other_order} has already") as refused:
        number(conn, task)
    assert (refused.value.tracking_number, refused.value.order_id) == (NUMBER, other_order)
    assert held(conn, task) == ("", False, "completed")
    assert kinds(conn, task.consignment_id) == before


@pytest.mark.rule("PW-7.1-5")
def test_what_was_deleted_with_its_order_gets_neither(conn, sent):
    task = sent()
    conn.execute("DELETE FROM consignments WHERE id = %s", (task.consignment_id,))
    with conn.transaction():
        dispatch.submitted(conn, task, REFERENCE, warnings=[], now=NOW, actor="tester")
        dispatch.numbered(conn, task, NUMBER, "tester")
    assert conn.execute("SELECT count(*) FROM dispatch_tasks").fetchone() == (0,)
