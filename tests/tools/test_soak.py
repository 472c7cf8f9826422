"""`make soak` itself: the clock that is moved, and a verdict that sees what is lost, doubled or stuck."""

import subprocess
import sys
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from palletflow.desk.needs import CAUSES
from palletflow.store import migrate, work_items
from palletflow.store.connection import connect

TOOLS = Path(__file__).parents[2] / "tools"
sys.path.insert(0, str(TOOLS))

from soak import clock  # noqa: E402
from soak.traffic.people import Order  # noqa: E402
from soak.truth import palletforce  # noqa: E402
from soak.truth.checks import Check  # noqa: E402
from soak.truth.store import Held, Store  # noqa: E402

NUMBER, KEY = "9000010000123", "SO-1"
NOW = datetime(2035, 3, 6, 5, tzinfo=UTC)
ELEMENT = {"barcode": f"506901A{NUMBER}01", "eventCode": "POC", "eventDateTime": "2035-03-05T18:00:00"}


# The clock


@pytest.fixture
def moved(postgres):
    """A fresh order store whose clock can be moved."""
    with connect(postgres.dsn("postgres")) as admin:
        admin.execute("CREATE DATABASE a_night")
        with connect(postgres.dsn("a_night")) as conn:
            clock.install(conn)
        migrate.upgrade(postgres.dsn("a_night"))
        with connect(postgres.dsn("a_night")) as conn:
            yield conn
        admin.execute("DROP DATABASE a_night WITH (FORCE)")


def test_the_order_store_goes_by_the_nights_clock(moved):
    assert clock.unmoved_defaults(moved) == []
    work_items.enqueue(moved, "palletforce", "dispatch", [1], datetime.now(UTC) + timedelta(hours=3))
    assert work_items.claim(moved, "palletforce", "dispatch", 1, 60) == []
    clock.tell(moved, timedelta(hours=4))
    [item] = work_items.claim(moved, "palletforce", "dispatch", 1, 60)
    assert item.created_at < datetime.now(UTC) + timedelta(hours=1)
    moved.execute("INSERT INTO customers (code, name) VALUES ('A', 'A')")
    moved.execute(
        "INSERT INTO orders (customer_id, source, source_key, reference, reference_2) VALUES (1, 'a', 'b', '', '')"
    )
    [(ahead,)] = moved.execute("SELECT created_at - pg_catalog.now() FROM orders").fetchall()
    assert ahead > timedelta(hours=3), "columns are filled by the clock that was moved"


def test_a_default_that_does_not_follow_is_found(moved):
    moved.execute("CREATE TABLE late (at timestamptz DEFAULT CURRENT_TIMESTAMP, good timestamptz DEFAULT now())")
    assert clock.unmoved_defaults(moved) == ["public.late.at"]


def test_processes_follow_while_they_run(tmp_path):
    night = clock.Clock(tmp_path / "clock")
    night.move(NOW)
    follower = subprocess.Popen(
        [sys.executable, "-c", FOLLOWER, str(tmp_path / "clock")],
        env={"PYTHONPATH": str(TOOLS)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with follower:
        assert follower.stdin
        assert follower.stdout
        assert follower.stdout.readline().startswith("2035-03-06T05")
        night.move(NOW + timedelta(days=1))
        follower.stdin.write("\n")
        follower.stdin.flush()
        assert follower.stdout.readline().startswith("2035-03-07T05")


FOLLOWER = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from soak.clock import Clock
Clock(Path(sys.argv[1])).follow()
print(datetime.now(UTC).isoformat(), flush=True)
sys.stdin.readline()
print(datetime.now(UTC).isoformat(), flush=True)
"""


# The verdict


def one_held(**other: Any) -> Held:
    """A consignment of ours that Palletforce has."""
    facts: dict[str, Any] = {
        "id": 7, "order_id": 5, "source": "api", "key": KEY, "reference": KEY, "cancelled": False,
        "network": "palletforce", "number": NUMBER, "registered": True, "consignment_number": "123",
        "roles": ["requesting", "collecting"], "service": "A", "collecting": "900", "delivery": "901",
        "state": "completed", "status": "COLLECTED", "network_status": "ACCEPTED", "created_at": NOW, "pallets": 1,
    }  # fmt: skip
    return Held(**{**facts, **other})


def wrong(held: list[Held], *, there: int = 1, imported: int = 1, listed: str = "", completed: bool = True) -> set[str]:
    """What the verdict finds wrong of one order; `there`: how often the network has it, `imported`: its status here.

    `listed`: the cause by which it stands under Needs attention.
    """
    at = datetime(2035, 3, 5, 18, tzinfo=UTC)
    rows = [(7, ELEMENT["barcode"], "POC", at, "COLLECTED", 1, False)] * imported
    entry = SimpleNamespace(consignment_id=7, said="", name="")
    store = Store(
        now=NOW,
        held=held,
        barcodes=defaultdict(set, {7: {ELEMENT["barcode"]}}),
        imported=defaultdict(list, {7: rows}),
        exported=defaultdict(list),
        documents=defaultdict(list, {7: [(7, "NETWORK_LABEL", "", 1, "")]}),
        work=[],
        quarantined=[],
        ignored=set(),
        listed={cause: [entry] if cause == listed else [] for cause in CAUSES},
    )
    numbers = [NUMBER, "9000010000999"][:there]
    network = {
        "consignments": [
            {
                "trackingNumber": number, "customersUniqueReference": KEY, "consignmentStatus": "ACCEPTED",
                "serviceName": "A", "deliveryDepot": "901", "requestingDepot": "900", "collectingDepot": "900",
                "barcodes": [ELEMENT["barcode"]],
            }
            for number in numbers
        ],
        "statuses": {number: [ELEMENT] for number in numbers},
    }  # fmt: skip
    night = SimpleNamespace(orders={KEY: Order(KEY, "palletforce", 1, completed=completed)}, filed=[])
    found: list[Check] = list(palletforce.checks(network, network, store, night))  # type: ignore[arg-type]
    return {one.what for one in found if one.wrong}


HERE, DISPATCHED = "consignments here, or in quarantine", "orders dispatched, each one consignment there"
STATUSES = "statuses of the network, each here once"


def test_what_is_as_it_should_be_is_not_wrong():
    assert wrong([one_held()]) == set()


def test_what_is_lost_is_seen():
    assert HERE in wrong([one_held(registered=False, number=None)])
    assert wrong([one_held()], imported=0) == {STATUSES}
    assert DISPATCHED in wrong([one_held()], there=0)


def test_what_is_doubled_is_seen():
    assert wrong([one_held()], imported=2) == {STATUSES}
    assert DISPATCHED in wrong([one_held()], there=2)


def test_what_is_stuck_needs_an_entry():
    stuck = one_held(state="unknown", registered=False, number=None)
    assert wrong([stuck], there=0) == {DISPATCHED}
    assert wrong([stuck], there=0, listed="dispatch") == set()


def test_what_somebody_cancelled_there_needs_an_entry():
    cancelled = one_held(network_status="CANCELLED")
    assert DISPATCHED in wrong([cancelled], there=0)
    assert DISPATCHED not in wrong([cancelled], there=0, listed="review")
