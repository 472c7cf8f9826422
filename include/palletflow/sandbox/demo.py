"""`make demo`: one full round of every pipeline against the sandbox, without a person.

What landed is compared with what the simulated network says it holds, asked directly and not through our client. Exit
status 0 only if everything is there. The demo has a house of its own, thrown away at its next start.
"""

import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import replace

from palletflow.sandbox.demo_imports import import_round
from palletflow.sandbox.demo_nexus import nexus_round
from palletflow.sandbox.demo_orders import order_round
from palletflow.sandbox.demo_palletways import palletways_round, sooner
from palletflow.sandbox.demo_runs import DemoFault, Line
from palletflow.sandbox.house import House, running_house
from palletflow.sandbox.settings import from_environment
from palletflow.sandbox.terminal import Terminal
from palletflow.store.connection import Connection, connect

ANY_FREE_PORTS = dict.fromkeys(("PALLETFLOW_PORT", "PALLETFLOW_POSTGRES_PORT", "PALLETFLOW_SIMULATOR_PORT"), "0")


def main() -> int:
    """Returns the exit status. Raises SandboxError when the house does not stand up."""
    terminal = Terminal()
    settings = from_environment({**os.environ, **ANY_FREE_PORTS})
    settings = replace(settings, home=settings.home / "demo")
    shutil.rmtree(settings.home, ignore_errors=True)
    os.environ.update(sooner(settings))
    terminal.say("Standing a house up for one round of every pipeline")
    try:
        with running_house(settings, terminal) as house:
            began = time.monotonic()
            with connect(house.order_store_dsn) as conn:
                lines = list(_round(house, conn, terminal))
            terminal.say(_table(lines))
            missing = [line for line in lines if line.expected != line.found]
            terminal.say(f"The round took {time.monotonic() - began:.0f} s.")
    except DemoFault as fault:
        terminal.say(f"DEMO FAILED: {fault}")
        return 1
    if missing:
        terminal.say(f"DEMO FAILED: {'; '.join(line.what for line in missing)} differ from what they must be")
        return 1
    terminal.say("DEMO PASSED: everything landed")
    return 0


def _round(house: House, conn: Connection, terminal: Terminal) -> Iterator[Line]:
    with terminal.step("Reading the pipelines"):
        dags = house.run_first()
    if dags.broken or dags.unread:
        raise DemoFault(f"DAG files cannot be read: {dags.broken or sorted(dags.unread)}")
    yield from import_round(house, conn, terminal)
    yield from order_round(house, conn, terminal)
    yield from nexus_round(house, terminal)
    yield from palletways_round(house, terminal)


def _table(lines: list[Line]) -> str:
    head = f"\n  {'pipeline':<27}{'what':<38}{'expected':>9}{'found':>7}"
    rows = [
        f"  {line.pipeline:<27}{line.what:<38}{line.expected:>9}{line.found:>7}"
        f"  {'ok' if line.expected == line.found else 'MISSING'}"
        for line in lines
    ]
    return "\n".join([head, f"  {'-' * 81}", *rows, ""])
