"""`make up`: stands the house up, starts the first pulls, says where to look, and stays until it is told to stop."""

import threading
import time

from palletflow.sandbox.airflow_setup import USERNAME
from palletflow.sandbox.first_runs import DagsRead
from palletflow.sandbox.house import House, running_house
from palletflow.sandbox.settings import from_environment
from palletflow.sandbox.terminal import Terminal


def main() -> int:
    """Returns the exit status: 0 when it was stopped on purpose. Raises SandboxError."""
    terminal = Terminal()
    began = time.monotonic()
    settings = from_environment()
    terminal.say("Standing the house up; Ctrl-C stops everything")
    try:
        with running_house(settings, terminal) as house:
            terminal.say(f"  Airflow answers at {settings.page} ({time.monotonic() - began:.1f} s after the start)")
            with terminal.step("Reading the pipelines"):
                dags = house.run_first()
            terminal.say(_where_to_look(house, dags))
            threading.Event().wait()
    except KeyboardInterrupt:
        terminal.say("Stopped")
    return 0


def _where_to_look(house: House, dags: DagsRead) -> str:
    settings = house.settings
    password = house.login.password
    login = (
        f"{USERNAME} / {password}   (shown only now; `make login` sets a new password)"
        if password
        else f"{USERNAME}, with the password shown at the first start (`make login` sets a new one)"
    )
    lines = [
        "",
        f"  Airflow       {settings.page}",
        f"  Login         {login}",
        *(f"  First pull    {settings.page}/dags/{name}" for name in sorted(dags.running)),
        *(f"  BROKEN        dags/{name}.py: {fault}" for name, fault in sorted(dags.broken.items())),
        *(
            f"  NOT READ YET  dags/{name}.py: see {settings.home}/logs/dag-processor.log"
            for name in sorted(dags.unread)
        ),
        *(f"  Simulator     {name}: {address}" for name, address in house.simulators.items()),
        "  Order store   make psql",
        f"  Logs          {settings.home}/logs",
        "",
        "  Ctrl-C stops everything",
    ]
    return "\n".join(lines)
