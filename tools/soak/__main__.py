"""`make soak`: a night simulated, then the verdict.

HOURS of traffic and faults (12), then some to settle; SEED decides what happens and what goes wrong (1). The clock is
moved: a whole night takes about three quarters of an hour. Exit status 0 only if nothing was lost, nothing doubled
and nothing is stuck without an entry under Needs attention; else the house's folder is kept.
"""

import os
import shutil
import sys
import time
from datetime import UTC, datetime

from palletflow.sandbox.settings import from_environment
from palletflow.sandbox.terminal import Terminal
from soak.house import House, standing
from soak.night import Night
from soak.truth.checks import Check
from soak.verdict import judge, look, stopped, table

# A Monday, late in the afternoon. Files have this machine's times, so the night's clock must be ahead of it.
START = datetime(2035, 3, 5, 17, tzinfo=UTC)


def main() -> int:
    """Returns the exit status. Raises SandboxError when the house does not stand up."""
    hours, seed = float(os.environ.get("HOURS") or 12), int(os.environ.get("SEED") or 1)
    terminal = Terminal()
    began = time.monotonic()
    home = from_environment().home / "soak"
    terminal.say(f"A night of {hours:g} hours from {START:%A %H:%M} UTC, seed {seed}; logs in {home}/logs")
    with standing(home, seed, START) as house:
        night = Night(house, seed, hours, terminal)
        night.live()
        checks = _look(house, night, terminal, "After the night")
        terminal.say("  In the morning somebody presses every button that tries again")
        night.morning(stopped(house))
        checks += _look(house, night, terminal, "After the morning")
        terminal.say(night.told())
        wrong = [one for one in checks if one.wrong]
        terminal.say(f"The night took {time.monotonic() - began:.0f} s.")
        if not wrong:
            house.postgres.remove()
    if wrong:
        terminal.say(f"SOAK FAILED: {'; '.join(f'{one.network}: {one.what}' for one in wrong)}. See {home}")
        return 1
    shutil.rmtree(home, ignore_errors=True)
    terminal.say("SOAK PASSED: nothing lost, nothing doubled, nothing stuck without an entry")
    return 0


def _look(house: House, night: Night, terminal: Terminal, when: str) -> list[Check]:
    """The verdict, once what the networks have now has been polled."""
    seen = look(house)
    night.last()
    with terminal.step(f"{when}: comparing what the networks hold with the order store"):
        checks = judge(house, night, seen)
    terminal.say(table(checks))
    return checks


if __name__ == "__main__":
    sys.exit(main())
