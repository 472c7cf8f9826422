"""What is shown: signs of life for slow steps, and no failure when nobody looks any more."""

import io
import time

import pytest
from tests.sandbox.waiting import until

from palletflow.sandbox import terminal as terminal_module
from palletflow.sandbox.terminal import Terminal


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_slow_step_shows_a_sign_of_life_and_a_quick_one_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(terminal_module, "QUIET_SECONDS", 0.2)
    quick, slow = io.StringIO(), io.StringIO()

    with Terminal(quick).step("Postgres"):
        pass
    with Terminal(slow).step("Migrations"):
        until("a sign of life", lambda: "Migrations ..." in slow.getvalue())

    assert "..." not in quick.getvalue()
    assert "Migrations: done in" in slow.getvalue().splitlines()[-1]


def test_a_line_said_meanwhile_wipes_the_progress_line_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(terminal_module, "QUIET_SECONDS", 0.01)
    monkeypatch.setattr(terminal_module, "TERMINAL_TICK", 600.0)
    screen = Screen()
    terminal = Terminal(screen)

    with terminal.step("Airflow"):
        until("progress", lambda: "Airflow ..." in screen.getvalue())
        terminal.say("scheduler ended")

    assert "\r\x1b[Kscheduler ended\n" in screen.getvalue()


def test_a_failed_step_is_not_called_done() -> None:
    screen = io.StringIO()

    with pytest.raises(RuntimeError), Terminal(screen).step("Postgres"):
        raise RuntimeError

    assert "done" not in screen.getvalue()


def test_a_closed_terminal_fails_nothing() -> None:
    screen = io.StringIO()
    terminal = Terminal(screen)
    screen.close()

    with terminal.step("Stopping"):
        time.sleep(0)
    terminal.say("Stopped")
