"""The house of a night: an order store, three simulated networks and the order API, whose processes may be killed.

A supervisor starts again what was killed, as the house of `make up` does.
"""

import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import requests
import yaml

from palletflow.sandbox import networks, ports, process_tree
from palletflow.sandbox.postgres import ORDER_STORE_DATABASE, EmbeddedPostgres
from palletflow.sandbox.processes import Child, ProcessSpec
from palletflow.sandbox.supervision import supervision
from palletflow.sandbox.terminal import Terminal
from palletflow.store import migrate
from palletflow.store.connection import Connection, DatabaseUnavailable, connect
from soak import clock
from soak.clock import Clock
from soak.pipelines import PROJECT, Forks
from soak.served import API, HOST

READY_S, BACK_S = 60.0, 60.0
# Nobody at the other end of a cut line is waited for longer than a step of the night is worth; and calls may follow
# each other faster than networks like it, as a minute of the night takes a second or two.
EXTRAS: Mapping[str, Mapping[str, Any]] = {
    "palletforce": {"connect_timeout_s": 2, "read_timeout_s": 1.2},
    "nexus": {"connect_timeout_s": 2, "read_timeout_s": 1.2, "rate_per_second": 100},
    "optimize": {"connect_timeout_s": 2, "read_timeout_s": 1.2},
    "palletways": {
        "connect_timeout_s": 2,
        "first_byte_timeout_s": 1.2,
        "pdf_first_byte_timeout_s": 3,
        "answer_timeout_s": 5,
    },
}
# What the haulier's own templates say besides: which of our events are told as notes, and where the number stands.
NOTES = {
    event: {"group": "JIN", "type": "GIN"}
    for event in ("collected", "delivery_arrived", "delivered", "delivered_exception", "not_delivered")
}
PSIEF_COLUMNS = {"tracking_id": 1, "reference": 2, "account": 4, "lifts": 5, "requesting_depot": 6,
                 "collecting_depot": 7, "delivery_depot": 8, "delivery_date": 9, "town": 10}  # fmt: skip


@dataclass(frozen=True)
class House:
    """A house that stands. `networks`: name to http://host:port of its simulator."""

    home: Path
    clock: Clock
    postgres: EmbeddedPostgres
    children: Mapping[str, Child]
    networks: Mapping[str, str]
    api: str
    environment: Mapping[str, str]
    forks: Forks

    @property
    def dsn(self) -> str:
        """The order store."""
        return self.postgres.dsn(ORDER_STORE_DATABASE)

    def move(self, conn: Connection, to: datetime) -> None:
        """Lets the night's clock go on from there, in every process and in the order store."""
        self.clock.move(to)
        clock.tell(conn, self.clock.ahead)

    def kill(self, name: str) -> None:
        """Ends a server with SIGKILL, helpers of its own included; the supervisor starts it again."""
        handle = self.children[name].handle
        if handle is None:
            return
        family = {handle, *process_tree.descendants(handle)} if name == "postgres" else {handle}
        process_tree.send(family, signal.SIGKILL)

    def store(self) -> Connection:
        """Opens the order store, waiting for one that is being started again. Raises DatabaseUnavailable."""
        deadline = time.monotonic() + BACK_S
        while True:
            try:
                return connect(self.dsn)
            except DatabaseUnavailable:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)


@contextmanager
def standing(home: Path, seed: int, start: datetime) -> Iterator[House]:
    """Stands an empty house up whose clock shows `start`; on leaving, nothing of it runs. Its files stay.

    Raises SandboxError.
    """
    shutil.rmtree(home, ignore_errors=True)
    (home / "logs").mkdir(parents=True)
    night = Clock(home / "clock")
    night.move(start)
    names = networks.simulated_networks()
    servers = [(name, server) for name in names for server in networks.servers(name)]
    free = ports.free_ports(HOST, 1 + len(names) + len(servers))
    at = dict(zip(names, free[1:], strict=False))
    of_servers: dict[str, dict[str, int]] = {name: {} for name in names}
    for (name, server), port in zip(servers, free[1 + len(names) :], strict=True):
        of_servers[name][server] = port
    postgres = EmbeddedPostgres(home)
    environment = _environment(home, seed, postgres, at, of_servers)

    def served(name: str, port: int, more: Mapping[str, int]) -> ProcessSpec:
        given = [f"{server}={number}" for server, number in more.items()]
        return ProcessSpec(
            name=name,
            command=[sys.executable, "-m", "soak.served", str(home), name, str(port), *given],
            environment=environment,
            folder=home,
            ready_url=f"http://{HOST}:{port}/",
        )

    with supervision(home, _OneLine()) as supervisor:
        forks = Forks(home, environment)
        try:
            simulators = supervisor.start(*(served(name, at[name], of_servers[name]) for name in names))
            postgres.start(supervisor.mark)
            supervisor.adopt(postgres.child)
            _make_order_store(postgres.dsn(ORDER_STORE_DATABASE), night)
            [api] = supervisor.start(served(API, free[0], {}))
            supervisor.wait_ready([*simulators, api], READY_S)
            yield House(
                home,
                night,
                postgres,
                {"postgres": postgres.child, API: api, **dict(zip(names, simulators, strict=True))},
                {name: f"http://{HOST}:{port}" for name, port in at.items()},
                f"http://{HOST}:{free[0]}",
                environment,
                forks,
            )
        finally:
            forks.close()


class _OneLine(Terminal):
    """Says that a killed process is started again, without the end of its log."""

    def say(self, text: str = "") -> None:
        """See Terminal."""
        super().say(text.split(". The end of", maxsplit=1)[0])


def _make_order_store(dsn: str, night: Clock) -> None:
    with connect(dsn) as conn:
        clock.install(conn)
        # What the kernel has been given outlives the death of every process, which is what a night kills.
        conn.execute("ALTER SYSTEM SET fsync = off")
        conn.execute("SELECT pg_reload_conf()")
    migrate.upgrade(dsn)
    with connect(dsn) as conn:
        if unmoved := clock.unmoved_defaults(conn):
            raise RuntimeError(f"Columns that do not follow the night's clock: {', '.join(unmoved)}")
        clock.tell(conn, night.ahead)


def _environment(
    home: Path,
    seed: int,
    postgres: EmbeddedPostgres,
    at: Mapping[str, int],
    of_servers: Mapping[str, Mapping[str, int]],
) -> dict[str, str]:
    connections = {
        name: _hurried(json.loads(connection))
        for network, port in at.items()
        for name, connection in networks.connections(network, f"http://{HOST}:{port}", of_servers[network]).items()
    }
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "PALLETFLOW"))},
        "AIRFLOW_HOME": str(home / "airflow"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW_CONN_ORDER_STORE": postgres.dsn(ORDER_STORE_DATABASE),
        **{f"AIRFLOW_CONN_{name.upper()}": json.dumps(connection) for name, connection in connections.items()},
        "PALLETFLOW_DEPLOYMENT": str(_deployment(home)),
        "PALLETFLOW_DOCUMENTS": str(home / "documents"),
        "PALLETFLOW_FILES": str(home / "files"),
        "PYTHONPATH": str(PROJECT / "tools"),
        "PYTHONUNBUFFERED": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "NO_PROXY": HOST,
        "no_proxy": HOST,
        "SOAK_SEED": str(seed),
    }


def _hurried(connection: dict[str, Any]) -> dict[str, Any]:
    connection["extra"] = {**connection.get("extra", {}), **EXTRAS.get(connection["conn_type"], {})}
    return connection


def _deployment(home: Path) -> Path:
    """The sandbox's haulier, with what his templates leave to him filled in."""
    folder = home / "deployment"
    shutil.copytree(PROJECT / "include", folder, ignore=lambda _, names: [n for n in names if not n.endswith("yaml")])
    template = folder / "palletways.yaml"
    content = yaml.safe_load(template.read_text())
    content["notes"] = NOTES
    content["psief"] = {"columns": PSIEF_COLUMNS}
    template.write_text(yaml.safe_dump(content))
    return folder / "deployment.yaml"


class Control:
    """The control paths of one simulated network, or any other address of the house; waits for one that is away."""

    def __init__(self, base: str) -> None:
        self._base, self._session = base, requests.Session()
        self._session.trust_env = False
        # A server drops what has been idle for a while, maybe just when it is used again.
        self._session.headers["Connection"] = "close"

    def get(self, path: str, **query: Any) -> Any:
        """GET; JSON. Raises requests.HTTPError."""
        return self._answered("GET", path, params=query).json()

    def post(self, path: str, body: Any = None) -> Any:
        """POST of JSON; JSON. Raises requests.HTTPError."""
        return self._answered("POST", path, json=body if body is not None else {}).json()

    def _answered(self, method: str, path: str, **more: Any) -> requests.Response:
        answer = self._session.request(method, f"{self._base}/{path}", timeout=60, **more)
        if not answer.ok:
            raise requests.HTTPError(f"{method} {path}: {answer.status_code} {answer.text[:500]}", response=answer)
        return answer
