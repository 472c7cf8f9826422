"""The supervisor with real processes: restarts what crashes, stops everything, leaves nothing behind."""

import itertools
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.sandbox.waiting import lives, pid_in, until

from palletflow.sandbox import processes
from palletflow.sandbox.errors import SandboxError
from palletflow.sandbox.house_lock import HouseRuns
from palletflow.sandbox.processes import Child, ProcessSpec, Supervisor
from palletflow.sandbox.supervision import supervision
from palletflow.sandbox.terminal import Terminal

# Starts a grandchild that leaves the session, loses its parent and ignores TERM; then goes on itself.
STRAY = """
import os, signal, sys, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        with open("stray.tmp", "w") as file:
            file.write(str(os.getpid()))
        os.rename("stray.tmp", "stray")
        time.sleep(600)
    os._exit(0)
os.wait()
"""
WAIT = "import time; time.sleep(600)"
STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready', flush=True); " + WAIT

# A house in small: a supervisor in a process of its own, with one child that has a stray grandchild.
HOUSE = f"""
import sys, threading
from pathlib import Path
from palletflow.sandbox.processes import ProcessSpec
from palletflow.sandbox.supervision import supervision
from palletflow.sandbox.terminal import Terminal
home = Path(sys.argv[1])
try:
    with supervision(home, Terminal()) as supervisor:
        supervisor.grace_seconds = float(sys.argv[2])
        [child] = supervisor.start(
            ProcessSpec("worker", [sys.executable, "-c", {STRAY + STUBBORN!r}], {{}}, home)
        )
        (home / "child").write_text(str(child.pid))
        threading.Event().wait()
except KeyboardInterrupt:
    print("stopped on purpose", flush=True)
"""


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def supervisor(tmp_path: Path, said: list[str]) -> Iterator[Supervisor]:
    supervisor = Supervisor(tmp_path, said.append, grace_seconds=1.0, restart_delay=0.05)
    yield supervisor
    supervisor.hurry()
    supervisor.stop()


def python(name: str, script: str, folder: Path, **more: object) -> ProcessSpec:
    return ProcessSpec(name, [sys.executable, "-c", script], {}, folder, **more)  # type: ignore[arg-type]


@pytest.fixture
def start_house(tmp_path: Path) -> Iterator[Callable[[float], subprocess.Popen[str]]]:
    """Starts a house with a grace period in seconds; what a failed test leaves of it is killed."""
    started = []

    def start(grace_seconds: float) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", HOUSE, str(tmp_path), str(grace_seconds)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            # As if started from a terminal, whatever the test runner ignores.
            preexec_fn=lambda: [signal.signal(number, signal.SIG_DFL) for number in (signal.SIGINT, signal.SIGHUP)],
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        assert process.stdout
        process.stdout.close()
    Supervisor(tmp_path, lambda _: None).end_leftovers()


@pytest.fixture
def house(start_house: Callable[[float], subprocess.Popen[str]]) -> subprocess.Popen[str]:
    return start_house(0.5)


def test_a_crashed_process_is_restarted_and_the_terminal_told_so(
    supervisor: Supervisor, said: list[str], tmp_path: Path
) -> None:
    starts = tmp_path / "starts"
    crashing = f"open({str(starts)!r}, 'a').write('x'); print('the lamp is out'); raise SystemExit(3)"
    supervisor.start(python("lamp", crashing, tmp_path))

    until("three starts", lambda: starts.exists() and len(starts.read_text()) >= 3)

    assert "lamp ended with status 3 and is restarted" in said[0]
    assert str(tmp_path / "logs" / "lamp.log") in said[0]
    assert "the lamp is out" in said[0]


def test_a_process_that_hangs_is_killed_and_restarted_and_one_nobody_knows_of_is_not(
    supervisor: Supervisor, said: list[str], tmp_path: Path
) -> None:
    supervisor.ask_every_seconds, supervisor.unwell_seconds = 0.02, 0.1
    # Well once; then nobody can tell, for longer than it may be unwell; then it hangs.
    answers = itertools.chain([False] * 20, [True], [None] * 20, itertools.repeat(False))
    asked: list[bool | None] = []

    def is_well() -> bool | None:
        asked.append(next(answers))
        return asked[-1]

    starts = tmp_path / "starts"
    hanging = f"open({str(starts)!r}, 'a').write('x'); {STUBBORN}"
    [child] = supervisor.start(python("hanging", hanging, tmp_path, is_well=is_well))
    first = child.pid
    until("a second start", lambda: starts.exists() and len(starts.read_text()) == 2)

    assert not lives(first)
    assert len(asked) > 41
    assert said[0] == "  hanging runs, but gives no sign of life for 0 s"
    assert "hanging ended with status -9 and is restarted" in said[1]
    # It has not been well since it was restarted, so it may still be starting.
    asks = len(asked)
    until("more asking", lambda: len(asked) > asks + 20)
    assert starts.read_text() == "xx"


def test_what_a_crashed_process_left_does_not_work_beside_its_successor(supervisor: Supervisor, tmp_path: Path) -> None:
    once = f"import pathlib, sys; first = not pathlib.Path('stray').exists()\n{STRAY}"
    supervisor.start(python("crasher", f"{once}\nif first: sys.exit(1)\n{WAIT}", tmp_path))

    stray = pid_in(tmp_path / "stray")

    until("the first stray is gone", lambda: not lives(stray))


def test_stopping_ends_a_grandchild_that_left_the_session_and_ignores_term(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    [child] = supervisor.start(python("parent", STRAY + WAIT, tmp_path))
    stray = pid_in(tmp_path / "stray")

    supervisor.stop()

    assert not lives(child.pid)
    assert not lives(stray)


def test_what_a_process_starts_while_it_is_being_stopped_is_ended_too(supervisor: Supervisor, tmp_path: Path) -> None:
    script = f"import signal, time\ndef end(*_):\n    exec({STRAY!r}, {{}})\n    raise SystemExit\n"
    script += "signal.signal(signal.SIGTERM, end); print('ready', flush=True); time.sleep(600)"
    [child] = supervisor.start(python("parent", script, tmp_path))
    until("the child listens", lambda: "ready" in child.log.read_text())

    supervisor.stop()

    assert not lives(pid_in(tmp_path / "stray"))


def test_stopping_goes_backwards(supervisor: Supervisor, tmp_path: Path) -> None:
    order = tmp_path / "order"
    script = (
        "import signal, sys, time\n"
        f"def end(*_): open({str(order)!r}, 'a').write(sys.argv[1]); sys.exit()\n"
        "signal.signal(signal.SIGTERM, end); print('ready', flush=True); time.sleep(600)"
    )
    for name in "abc":
        supervisor.start(ProcessSpec(name, [sys.executable, "-c", script, name], {}, tmp_path))
        until("the child listens", lambda name=name: "ready" in (tmp_path / "logs" / f"{name}.log").read_text())  # type: ignore[misc]

    supervisor.stop()

    assert order.read_text() == "cba"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_stop_signal_leaves_no_process(house: subprocess.Popen[str], tmp_path: Path, number: signal.Signals) -> None:
    child, stray = pid_in(tmp_path / "child"), pid_in(tmp_path / "stray")

    house.send_signal(number)
    output, _ = house.communicate(timeout=30)

    assert "stopped on purpose" in output
    assert not lives(child)
    assert not lives(stray)


def test_a_second_signal_kills_at_once(start_house: Callable[[float], subprocess.Popen[str]], tmp_path: Path) -> None:
    house = start_house(600)
    child, stray = pid_in(tmp_path / "child"), pid_in(tmp_path / "stray")
    until("the child ignores TERM", lambda: "ready" in (tmp_path / "logs" / "worker.log").read_text())
    house.send_signal(signal.SIGTERM)
    assert house.stdout
    assert "Stopping everything" in house.stdout.readline()

    house.send_signal(signal.SIGTERM)
    house.communicate(timeout=60)  # without the second signal it takes ten minutes

    assert not lives(child)
    assert not lives(stray)


def test_a_closed_terminal_does_not_keep_anything_running(house: subprocess.Popen[str], tmp_path: Path) -> None:
    child, stray = pid_in(tmp_path / "child"), pid_in(tmp_path / "stray")
    assert house.stdout
    house.stdout.close()

    house.send_signal(signal.SIGHUP)
    house.wait(30)

    assert not lives(child)
    assert not lives(stray)


def test_the_next_start_ends_what_a_killed_supervisor_left(
    house: subprocess.Popen[str], tmp_path: Path, said: list[str]
) -> None:
    child, stray = pid_in(tmp_path / "child"), pid_in(tmp_path / "stray")
    house.kill()
    house.wait()
    assert lives(child)
    assert lives(stray)

    next_start = Supervisor(tmp_path, said.append)
    next_start.end_leftovers()

    assert not lives(child)
    assert not lives(stray)
    assert "An earlier start was killed" in said[0]


def test_a_process_that_reused_a_recorded_id_is_left_alone(supervisor: Supervisor, tmp_path: Path) -> None:
    stranger = subprocess.Popen([sys.executable, "-c", WAIT])
    record = '{"mark": "none", "processes": [{"name": "x", "pid": %d, "started": 1.0, "stop_signal": 15}]}'
    (tmp_path / "processes.json").write_text(record % stranger.pid)

    supervisor.end_leftovers()

    assert lives(stranger.pid)
    stranger.kill()
    stranger.wait()


def test_a_home_has_one_supervisor_at_a_time(house: subprocess.Popen[str], tmp_path: Path) -> None:
    pid_in(tmp_path / "child")

    with pytest.raises(HouseRuns, match="already running"), supervision(tmp_path, Terminal()):
        pytest.fail("two supervisors in one home")


def test_a_failed_start_is_reported_with_the_end_of_its_log(supervisor: Supervisor, tmp_path: Path) -> None:
    failing = python("page", "print('no database'); raise SystemExit(1)", tmp_path, ready_url="http://127.0.0.1:1")
    children = supervisor.start(failing)

    with pytest.raises(SandboxError, match=r"(?s)page ended with status 1 while starting.*no database"):
        supervisor.wait_ready(children)


def test_ready_means_the_address_answers(supervisor: Supervisor, tmp_path: Path) -> None:
    with socket.socket() as finder:
        finder.bind(("127.0.0.1", 0))
        port = finder.getsockname()[1]
    server = [sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1"]
    children = supervisor.start(ProcessSpec("web", server, {}, tmp_path, ready_url=f"http://127.0.0.1:{port}"))

    supervisor.wait_ready(children, seconds=30)

    socket.create_connection(("127.0.0.1", port), timeout=5).close()


def test_a_gated_process_begins_when_its_gate_is_opened(supervisor: Supervisor, tmp_path: Path) -> None:
    script = "import sys; print('here', flush=True); print('got ' + sys.stdin.readline(), flush=True); " + WAIT
    [child] = supervisor.start(python("gated", script, tmp_path, gated=True))
    until("the process is there", lambda: "here" in child.log.read_text())
    assert "got" not in child.log.read_text()

    child.open_gate()

    until("the process goes on", lambda: "got go" in child.log.read_text())


def test_a_long_log_is_moved_aside_while_the_process_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "LOG_LIMIT_BYTES", 1000)
    script = "import sys; print('x' * 2000, flush=True); sys.stdin.readline(); print('after', flush=True)"
    child = Child(python("talker", script, tmp_path, gated=True), tmp_path)
    child.start("mark")
    until("the log is long", lambda: child.log.stat().st_size > 1000)

    child.cap_log()
    child.open_gate()
    until("the process wrote on", lambda: "after" in child.log.read_text())
    child.stop(10)

    assert child.log.read_text() == "after\n"
    assert "xxx" in (tmp_path / "talker.log.1").read_text()


def test_the_environment_of_a_child_is_what_it_was_given(supervisor: Supervisor, tmp_path: Path) -> None:
    os.environ["PALLETFLOW_NOT_HANDED_DOWN"] = "1"
    [child] = supervisor.start(python("env", f"import os; print(sorted(os.environ), flush=True); {WAIT}", tmp_path))
    del os.environ["PALLETFLOW_NOT_HANDED_DOWN"]

    until("the child wrote", lambda: "]" in child.log.read_text())

    assert "PALLETFLOW_NOT_HANDED_DOWN" not in child.log.read_text()
