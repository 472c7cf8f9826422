"""The settings of one house: where it lives, which ports it uses, and the environment its processes get.

Several houses live side by side on one machine when each has its own PALLETFLOW_HOME and ports.

    PALLETFLOW_HOME            .palletflow in the project: databases, secrets, logs
    PALLETFLOW_BIND            127.0.0.1: the address the Airflow page listens on; everything else is loopback only
    PALLETFLOW_PORT            8080: the Airflow page
    PALLETFLOW_POSTGRES        a Postgres server to use instead of the embedded one
    PALLETFLOW_POSTGRES_PORT   5433: the embedded Postgres
    PALLETFLOW_SIMULATOR_PORT  8090: the first simulated network, the others follow
    PALLETFLOW_DEPLOYMENT      include/deployment.yaml

A port of 0 means any free one. What include/airflow.env sets can be overridden in the environment, as can the
connections of the sandbox; what the house decides itself (addresses, databases, secrets) cannot.
"""

import base64
import json
import os
import secrets
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from palletflow.sandbox import networks, ports
from palletflow.sandbox.errors import SandboxError
from palletflow.sandbox.postgres import AIRFLOW_DATABASE, ORDER_STORE_DATABASE, with_database

LOOPBACK = "127.0.0.1"
EVERY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 (compared with, not bound to)
PROJECT = Path(__file__).resolve().parents[3]
FEWEST_WORKERS, MOST_WORKERS = 4, 8


@dataclass(frozen=True)
class HouseSettings:
    """One house. `postgres`: None for the embedded server.

    `simulator_ports`: network name to port; `server_ports`: to those of what its simulator serves besides, by name.
    """

    home: Path
    bind: str
    port: int
    postgres: str | None
    postgres_port: int
    simulator_ports: Mapping[str, int]
    server_ports: Mapping[str, Mapping[str, int]]
    deployment: Path
    project: Path = PROJECT

    @property
    def dags(self) -> Path:
        return self.project / "dags"

    @property
    def reach(self) -> str:
        """http://host:port of the Airflow page as processes on this machine reach it."""
        host = EVERY_ADDRESS.get(self.bind, self.bind)
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"

    @property
    def page(self) -> str:
        """The address of the Airflow page to show to people."""
        if self.bind == LOOPBACK:
            return f"http://localhost:{self.port}"
        return f"http://{socket.gethostname()}:{self.port}" if self.bind in EVERY_ADDRESS else self.reach

    def simulator(self, network: str) -> str:
        """http://host:port of a simulated network."""
        return f"http://{networks.HOST}:{self.simulator_ports[network]}"


def from_environment(environ: Mapping[str, str] = os.environ) -> HouseSettings:
    """Reads the settings above; raises SandboxError for values that make no sense."""
    names = networks.simulated_networks()
    servers = [(name, server) for name in names for server in networks.servers(name)]
    first_simulator = _port(environ, "PALLETFLOW_SIMULATOR_PORT", 8090)
    page, postgres, *simulators = ports.choose(
        LOOPBACK,
        [
            _port(environ, "PALLETFLOW_PORT", 8080),
            _port(environ, "PALLETFLOW_POSTGRES_PORT", 5433),
            *(first_simulator and first_simulator + offset for offset in range(len(names) + len(servers))),
        ],
    )
    of_servers = dict(zip(servers, simulators[len(names) :], strict=True))
    external = environ.get("PALLETFLOW_POSTGRES") or None
    if external:
        with_database(external, ORDER_STORE_DATABASE)  # refuses what is not a URI before anything starts
    return HouseSettings(
        home=Path(environ.get("PALLETFLOW_HOME") or PROJECT / ".palletflow").absolute(),
        bind=environ.get("PALLETFLOW_BIND") or LOOPBACK,
        port=page,
        postgres=external,
        postgres_port=postgres,
        simulator_ports=dict(zip(names, simulators[: len(names)], strict=True)),
        server_ports={
            name: {server: port for (network, server), port in of_servers.items() if network == name} for name in names
        },
        deployment=Path(environ.get("PALLETFLOW_DEPLOYMENT") or PROJECT / "include" / "deployment.yaml").absolute(),
    )


def environment(settings: HouseSettings, server: str, environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The environment of the house's processes.

    server: a libpq URI of any database of the Postgres server.
    Raises whatever a network's sandbox_connections raises.
    """
    metadata = with_database(server, AIRFLOW_DATABASE)
    house = {
        "AIRFLOW_HOME": str(settings.home / "airflow"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(settings.dags),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(settings.project / "plugins"),
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__PARALLELISM": str(min(MOST_WORKERS, max(FEWEST_WORKERS, os.cpu_count() or 1))),
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{settings.reach}/execution/",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": _with_driver(metadata, "psycopg2"),
        # asyncpg, Airflow's choice, does not know libpq's parameters such as sslmode.
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC": _with_driver(metadata, "psycopg_async"),
        "AIRFLOW__API__HOST": settings.bind,
        "AIRFLOW__API__PORT": str(settings.port),
        "AIRFLOW_CONN_ORDER_STORE": with_database(server, ORDER_STORE_DATABASE),
        # Housekeeping deletes Airflow's old records; a task is told nothing of Airflow's database otherwise.
        "AIRFLOW_CONN_AIRFLOW_METADATA": metadata,
        "PALLETFLOW_DEPLOYMENT": str(settings.deployment),
        "PALLETFLOW_DOCUMENTS": str(settings.home / "documents"),
        "PALLETFLOW_FILES": str(settings.home / "files"),
        # Tasks talk to this machine directly, whatever proxy leads outside.
        "NO_PROXY": _joined(environ.get("NO_PROXY") or environ.get("no_proxy"), "127.0.0.1", "localhost", "::1"),
        "PYTHONUNBUFFERED": "1",
        # setproctitle would overwrite the environment by which the supervisor knows its processes.
        "SPT_NOENV": "1",
        **_airflow_secrets(settings.home / "secrets.json"),
    }
    house["no_proxy"] = house["NO_PROXY"]
    return {**_airflow_env(settings.project), **_sandbox_connections(settings), **environ, **house}


def links_base_url(settings: HouseSettings, environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Where links in mails and log lines lead; for every process but the API server.

    The API server must not know it: it would send whoever logs in under another name of this machine to this one.
    """
    return {"AIRFLOW__API__BASE_URL": environ.get("AIRFLOW__API__BASE_URL") or settings.page}


def _sandbox_connections(settings: HouseSettings) -> dict[str, str]:
    return {
        f"AIRFLOW_CONN_{name.upper()}": connection
        for network in settings.simulator_ports
        for name, connection in networks.connections(
            network, settings.simulator(network), settings.server_ports[network]
        ).items()
    }


def _airflow_env(project: Path) -> dict[str, str]:
    lines = (project / "include" / "airflow.env").read_text().splitlines()
    pairs = (line.partition("=") for line in lines if line.strip() and not line.startswith("#"))
    return {name.strip(): value.strip() for name, _, value in pairs}


def _airflow_secrets(file: Path) -> dict[str, str]:
    """The keys Airflow signs and encrypts with, made at the first start and the same ever after."""
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        made = {
            "AIRFLOW__CORE__FERNET_KEY": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
            # The login manager signs with SHA-512, which wants a key of at least 64 bytes.
            "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_urlsafe(64),
            "AIRFLOW__API__SECRET_KEY": secrets.token_urlsafe(32),
        }
        unfinished = file.with_suffix(".unfinished")
        unfinished.unlink(missing_ok=True)
        with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as output:
            json.dump(made, output)
        unfinished.rename(file)
    kept: dict[str, str] = json.loads(file.read_text())
    return kept


def _with_driver(dsn: str, driver: str) -> str:
    return dsn.replace("postgresql://", f"postgresql+{driver}://", 1)


def _joined(given: str | None, *more: str) -> str:
    return ",".join([*([given] if given else []), *more])


def _port(environ: Mapping[str, str], name: str, default: int) -> int:
    value = environ.get(name) or str(default)
    if not value.isdecimal() or int(value) > 65535:
        raise SandboxError(f"{name} is '{value}', which is not a port number (0 to 65535; 0 for any free one).")
    return int(value)
