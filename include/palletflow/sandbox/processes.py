"""The supervisor: starts the house's processes, restarts what crashes or hangs, and leaves nothing behind.

Stopping follows what Airflow's components expect. TERM goes to the process we started, which ends its own workers in
order; when two thirds of the grace period are over, TERM goes to its whole family; at the end of it, KILL.
The family is more than the process group: a task may call setsid and may outlive its parent, so every process we
start carries a mark in its environment (supervisor/name), and whoever carries it is ended.
"""

import contextlib
import json
import os
import secrets
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import requests

from palletflow.sandbox import process_tree
from palletflow.sandbox.errors import SandboxError

GRACE_SECONDS = 6.0
# Even when others used up the grace period, this much is left for each to end in order.
LEAST_GRACE_SECONDS = 3.0
# When the supervisor itself was killed, its children have had their chance to finish.
LEFTOVER_GRACE_SECONDS = 3.0
RESTART_DELAY = 1.0
LONGEST_RESTART_DELAY = 60.0
# A process that ran this long before it crashed is restarted as if it were the first time.
STEADY_SECONDS = 60.0
# A process that was well once and has not been for so long hangs; it is asked so often. On a machine that is busy
# beyond measure a heartbeat may be a minute late.
UNWELL_SECONDS = 120.0
ASK_EVERY_SECONDS = 10.0
LOG_LIMIT_BYTES = 20_000_000
LINES_SHOWN = 8
LINE_WIDTH = 160


@dataclass(frozen=True)
class Account:
    """The user and group ids a process runs under."""

    uid: int
    gid: int


@dataclass(frozen=True)
class ProcessSpec:
    """One process of the house.

    ready_url: answered with a status below 500 once the process is ready; None for ready as soon as it runs.
    is_well: whether the running process does its work, None when that cannot be told just now; without it, it does.
    gated: the process reads one line from its standard input before it begins (see Child.open_gate).
    stop_signal: what asks it to end in order.
    """

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    folder: Path
    ready_url: str | None = None
    is_well: Callable[[], bool | None] | None = None
    gated: bool = False
    stop_signal: signal.Signals = signal.SIGTERM
    account: Account | None = None


class Child:
    """A process of ours in a session of its own, its output in one log file.

    The log of the previous start is kept beside it as <name>.log.1.
    """

    def __init__(self, spec: ProcessSpec, logs: Path) -> None:
        self.spec = spec
        self.log = logs / f"{spec.name}.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._handle: psutil.Process | None = None

    def start(self, mark: str, *, keep_log: bool = False) -> None:
        """Starts the process under a supervisor's mark; a restart keeps adding to the log.

        Raises SandboxError when it cannot be run.
        """
        self.log.parent.mkdir(parents=True, exist_ok=True)
        if self.log.exists() and not keep_log:
            self.log.replace(self.log.with_suffix(".log.1"))
        account = self.spec.account
        drop = {"user": account.uid, "group": account.gid, "extra_groups": []} if account else {}
        try:
            # Appending, so that the file can be cut while the process writes.
            with self.log.open("ab") as output:
                self._process = subprocess.Popen(  # noqa: S603 (commands are our own)
                    list(self.spec.command),
                    stdin=subprocess.PIPE if self.spec.gated else subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    cwd=self.spec.folder,
                    env={**self.spec.environment, process_tree.MARK: f"{mark}/{self.spec.name}"},
                    start_new_session=True,
                    **drop,  # type: ignore[call-overload]
                )
        except (OSError, subprocess.SubprocessError) as error:
            raise SandboxError(f"{self.spec.name} cannot be started: {error}") from error
        with contextlib.suppress(psutil.Error):
            self._handle = psutil.Process(self.pid)

    def open_gate(self) -> None:
        """Lets a gated process begin its work."""
        if self._process and self._process.stdin:
            with contextlib.suppress(OSError):
                self._process.stdin.write(b"go\n")
                self._process.stdin.close()

    @property
    def pid(self) -> int:
        if self._process is None:
            raise RuntimeError(f"{self.spec.name} was never started")
        return self._process.pid

    @property
    def handle(self) -> psutil.Process | None:
        """The process for looking at its family; None when it ended at once."""
        return self._handle

    def returncode(self) -> int | None:
        """None while the process runs."""
        return self._process.poll() if self._process else None

    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def ask_to_end(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            if self._process:
                self._process.send_signal(self.spec.stop_signal)

    def stop(self, seconds: float) -> None:
        """Asks the process to end and kills it when it has not done so in time."""
        self.ask_to_end()
        if self._process is None:
            return
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def last_lines(self, count: int = LINES_SHOWN) -> str:
        """The end of the log, indented, for showing on the terminal."""
        with contextlib.suppress(OSError):
            with self.log.open("rb") as log:
                log.seek(max(0, self.log.stat().st_size - 8192))
                lines = log.read().decode(errors="replace").splitlines()[-count:]
            return "\n".join(f"    | {line[:LINE_WIDTH]}" for line in lines)
        return ""

    def cap_log(self) -> None:
        """Moves the log aside when it has become too long; the process goes on writing to the emptied file."""
        with contextlib.suppress(OSError):
            if self.log.stat().st_size > LOG_LIMIT_BYTES:
                shutil.copyfile(self.log, self.log.with_suffix(".log.1"))
                os.truncate(self.log, 0)


@dataclass
class _Watched:
    child: Child
    started: float
    crashes: int = 0
    ready: bool = False
    restart_at: float | None = None
    was_well: bool = False
    unwell_since: float | None = None


@dataclass
class Supervisor:
    """Runs the processes of one house.

    home: logs go to home/logs; what runs is recorded in home/processes.json, so that the next start can end it
    should this supervisor be killed. Only one supervisor may use a home at a time (the caller holds the lock).
    say: prints a line for the person at the terminal.
    """

    home: Path
    say: Callable[[str], None]
    grace_seconds: float = GRACE_SECONDS
    restart_delay: float = RESTART_DELAY
    unwell_seconds: float = UNWELL_SECONDS
    ask_every_seconds: float = ASK_EVERY_SECONDS
    _stages: list[list[_Watched]] = field(default_factory=list)
    _mark: str = field(default_factory=lambda: secrets.token_hex(16))
    _lock: threading.RLock = field(default_factory=threading.RLock)
    _stopping: threading.Event = field(default_factory=threading.Event)
    _hurry: threading.Event = field(default_factory=threading.Event)
    _monitor: threading.Thread | None = None

    @property
    def logs(self) -> Path:
        return self.home / "logs"

    @property
    def mark(self) -> str:
        """What the process_tree.MARK of a process the caller starts itself must begin with."""
        return self._mark

    @property
    def _record(self) -> Path:
        return self.home / "processes.json"

    def end_leftovers(self) -> None:
        """Ends the processes of an earlier supervisor of this home that was killed."""
        try:
            record = json.loads(self._record.read_text())
        except (OSError, ValueError):
            return
        leftovers = process_tree.marked(record["mark"])
        for entry in record["processes"]:
            if process := process_tree.same_process(entry["pid"], entry["started"]):
                leftovers |= {process, *process_tree.descendants(process)}
                process_tree.send([process], entry["stop_signal"])
        if leftovers:
            self.say(f"  An earlier start was killed; ending the {len(leftovers)} processes it left")
            process_tree.end(leftovers, LEFTOVER_GRACE_SECONDS, self._hurry.is_set)
        self._record.unlink(missing_ok=True)

    def start(self, *specs: ProcessSpec) -> list[Child]:
        """Starts processes side by side. What is started in one call is stopped together."""
        stage = [_Watched(Child(spec, self.logs), time.monotonic()) for spec in specs]
        with self._lock:
            self._stages.append(stage)
            for watched in stage:
                watched.child.start(self._mark)
                self._write_record()
        self._watch()
        return [watched.child for watched in stage]

    def adopt(self, child: Child) -> None:
        """Takes over a process the caller started, which is then restarted and stopped like the others."""
        with self._lock:
            self._stages.append([_Watched(child, time.monotonic(), ready=True)])
            self._write_record()
        self._watch()

    def wait_ready(self, children: Sequence[Child], seconds: float = 180.0) -> None:
        """Waits until every child is ready.

        Raises SandboxError with the end of the log when one ends instead, or takes longer.
        """
        deadline = time.monotonic() + seconds
        waiting = [watched for watched in self._all() if watched.child in children]
        while waiting:
            for watched in list(waiting):
                child = watched.child
                if not child.running():
                    raise SandboxError(
                        f"{child.spec.name} ended with status {child.returncode()} while starting. "
                        f"The end of {child.log}:\n{child.last_lines()}"
                    )
                if _answers(child.spec.ready_url):
                    watched.ready = True
                    waiting.remove(watched)
            if waiting and time.monotonic() > deadline:
                child = waiting[0].child
                raise SandboxError(
                    f"{child.spec.name} was not ready after {seconds:.0f} s. "
                    f"The end of {child.log}:\n{child.last_lines()}"
                )
            time.sleep(0.1)

    def stop(self) -> None:
        """Stops everything in reverse order; returns when nothing is left.

        Takes the grace period at most and no longer than a moment after hurry().
        """
        self._stopping.set()
        if self._monitor:
            self._monitor.join()
        deadline = time.monotonic() + self.grace_seconds
        with self._lock:
            for stage in reversed(self._stages):
                self._stop_stage([watched.child for watched in stage], deadline)
            # Again and again, because what is being ended may start something new.
            while left := process_tree.marked(self._mark):
                process_tree.end(left, 2.0, self._hurry.is_set)
            self._stages.clear()
            self._record.unlink(missing_ok=True)

    def hurry(self) -> None:
        """Makes stop() kill what is left at once; may be called from a signal handler."""
        self._hurry.set()

    def _stop_stage(self, children: list[Child], deadline: float) -> None:
        leaders = {child.handle for child in children if child.handle}
        families = [self._family(child) for child in children]
        for child in children:
            child.ask_to_end()
        grace = max(LEAST_GRACE_SECONDS, deadline - time.monotonic())
        process_tree.wait_until_gone(leaders, grace * 2 / 3, self._hurry.is_set)
        process_tree.end(leaders.union(*families), grace / 3, self._hurry.is_set)
        for child in children:
            child.stop(1.0)

    def _family(self, child: Child) -> set[psutil.Process]:
        below = process_tree.descendants(child.handle) if child.handle else set()
        return below | process_tree.marked(f"{self._mark}/{child.spec.name}")

    def _all(self) -> list[_Watched]:
        with self._lock:
            return [watched for stage in self._stages for watched in stage]

    def _watch(self) -> None:
        if self._monitor is None:
            self._monitor = threading.Thread(target=self._look_after, name="supervisor", daemon=True)
            self._monitor.start()
            # Asking may take seconds, in which others crash.
            threading.Thread(target=self._ask_after, name="supervisor asks", daemon=True).start()

    def _look_after(self) -> None:
        while not self._stopping.wait(0.2):
            for watched in self._all():
                watched.child.cap_log()
                # A process that ends before it was ever ready is a failed start, which wait_ready reports.
                if watched.child.running() or (watched.child.spec.ready_url and not watched.ready):
                    continue
                if watched.restart_at is None:
                    self._announce_crash(watched)
                elif time.monotonic() >= watched.restart_at:
                    self._restart(watched)

    def _ask_after(self) -> None:
        while not self._stopping.wait(self.ask_every_seconds):
            for watched in self._all():
                child = watched.child
                if child.spec.is_well is not None and child.running():
                    started = watched.started
                    is_well = child.spec.is_well()
                    if watched.started == started and not self._stopping.is_set():
                        self._judge(watched, is_well)

    def _judge(self, watched: _Watched, is_well: bool | None) -> None:
        """Ends a process that hangs; it is then restarted like one that crashed."""
        now = time.monotonic()
        if is_well is not False:
            watched.was_well |= is_well is True
            watched.unwell_since = None
        elif watched.was_well:
            watched.unwell_since = watched.unwell_since or now
            if now - watched.unwell_since >= self.unwell_seconds:
                self.say(f"  {watched.child.spec.name} runs, but gives no sign of life for {self.unwell_seconds:.0f} s")
                process_tree.end(self._family(watched.child), LEFTOVER_GRACE_SECONDS, self._hurry.is_set)

    def _announce_crash(self, watched: _Watched) -> None:
        now = time.monotonic()
        steady = now - watched.started > STEADY_SECONDS
        watched.crashes = 1 if steady else watched.crashes + 1
        delay = min(self.restart_delay * 2 ** (watched.crashes - 1), LONGEST_RESTART_DELAY)
        child = watched.child
        # What it leaves behind would work beside its successor.
        process_tree.end(self._family(child), LEFTOVER_GRACE_SECONDS, self._hurry.is_set)
        self.say(
            f"  {child.spec.name} ended with status {child.returncode()} and is restarted in {delay:.0f} s. "
            f"The end of {child.log}:\n{child.last_lines()}"
        )
        watched.restart_at = now + delay

    def _restart(self, watched: _Watched) -> None:
        with self._lock:
            if self._stopping.is_set():
                return
            watched.restart_at = None
            watched.was_well, watched.unwell_since = False, None
            watched.started = time.monotonic()
            try:
                watched.child.start(self._mark, keep_log=True)
            except SandboxError as error:
                self.say(f"  {error}")
            watched.child.open_gate()
            self._write_record()

    def _write_record(self) -> None:
        processes = [
            {
                "name": watched.child.spec.name,
                "pid": watched.child.pid,
                "started": watched.child.handle.create_time(),
                "stop_signal": int(watched.child.spec.stop_signal),
            }
            for watched in self._all()
            if watched.child.running() and watched.child.handle
        ]
        self.home.mkdir(parents=True, exist_ok=True)
        fresh = self._record.with_suffix(".tmp")
        fresh.write_text(json.dumps({"mark": self._mark, "processes": processes}))
        fresh.replace(self._record)


def _answers(url: str | None) -> bool:
    if url is None:
        return True
    try:
        # A proxy of the environment has no part in talking to this machine.
        with requests.Session() as session:
            session.trust_env = False
            return session.get(url, timeout=2, allow_redirects=False).status_code < 500
    except requests.RequestException:
        return False
