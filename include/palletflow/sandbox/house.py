"""Stands a whole house up on this machine and takes it down again.

Order: ports are checked; Postgres; the simulated networks; both databases
are migrated while the API server imports; then Airflow's four components, and the watch. Taken down in reverse,
Postgres last.
"""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from palletflow import deployment
from palletflow.checked_yaml import FileFault
from palletflow.sandbox import ports
from palletflow.sandbox.airflow_api import AirflowApi
from palletflow.sandbox.airflow_prepare import AirflowPreparation, Login
from palletflow.sandbox.errors import SandboxError
from palletflow.sandbox.first_runs import DagsRead, run_first
from palletflow.sandbox.networks import HOST as SIMULATOR_HOST
from palletflow.sandbox.postgres import ORDER_STORE_DATABASE, EmbeddedPostgres, create_databases, with_database
from palletflow.sandbox.processes import ProcessSpec, Supervisor
from palletflow.sandbox.settings import HouseSettings, environment, links_base_url
from palletflow.sandbox.signs_of_life import is_well
from palletflow.sandbox.supervision import supervision
from palletflow.sandbox.terminal import Terminal
from palletflow.store import migrate


@dataclass(frozen=True)
class House:
    """A house whose Airflow page answers.

    `order_store_dsn`: libpq URI. `simulators`: network name to http://host:port. `environment`: that of its
    processes, for commands that shall see the same Airflow.
    """

    settings: HouseSettings
    api: AirflowApi
    login: Login
    order_store_dsn: str
    simulators: Mapping[str, str]
    environment: Mapping[str, str]
    stood_up_at: datetime

    def run_first(self) -> DagsRead:
        """Waits until the DAG files of this start were read and starts the first runs (see first_runs)."""
        return run_first(self.api, self.settings.dags, self.stood_up_at)


@contextmanager
def running_house(settings: HouseSettings, terminal: Terminal) -> Iterator[House]:
    """Stands a house up; on leaving, whatever the reason, takes it down and leaves no process behind.

    Raises KeyboardInterrupt in the body on INT, TERM and HUP, and SandboxError when the house cannot be stood up, with
    the reason and what to do.
    """
    with supervision(settings.home, terminal) as supervisor:
        yield _stand_up(settings, supervisor, terminal)


def _stand_up(settings: HouseSettings, supervisor: Supervisor, terminal: Terminal) -> House:
    stood_up_at = datetime.now(UTC)
    _check_deployment(settings.deployment)
    ports.require_free(settings.bind, settings.port, "the Airflow page", "PALLETFLOW_PORT")
    for network, port in settings.simulator_ports.items():
        for needed in (port, *settings.server_ports[network].values()):
            ports.require_free(SIMULATOR_HOST, needed, f"the simulated network {network}", "PALLETFLOW_SIMULATOR_PORT")

    embedded = None if settings.postgres else EmbeddedPostgres(settings.home, settings.postgres_port)
    server = settings.postgres or (embedded.dsn("postgres") if embedded else "")
    order_store_dsn = with_database(server, ORDER_STORE_DATABASE)
    processes = _Processes(settings, environment(settings, server))

    with AirflowPreparation(processes.environment, supervisor.logs, supervisor.mark) as preparation:
        with terminal.step("Postgres"):
            if embedded:
                embedded.start(supervisor.mark)
                supervisor.adopt(embedded.child)
            else:
                create_databases(server)
        simulators = supervisor.start(*map(processes.simulator, settings.simulator_ports))
        [api_server] = supervisor.start(processes.api_server())
        with terminal.step("Migrations of the order store and of Airflow"):
            migrate.upgrade(order_store_dsn)
            login = preparation.migrate()
    with terminal.step("Airflow"):
        # In the order in which somebody waits for them, because on two cores they take turns: the page, then what
        # the first pull needs.
        api_server.open_gate()
        supervisor.start(processes.airflow("dag-processor"))
        supervisor.wait_ready([*simulators, api_server])
    supervisor.start(processes.airflow("scheduler"), processes.airflow("triggerer"))
    supervisor.start(processes.watch())

    return House(
        settings=settings,
        api=AirflowApi(settings.reach, login.token),
        login=login,
        order_store_dsn=order_store_dsn,
        simulators={network: settings.simulator(network) for network in settings.simulator_ports},
        environment=processes.environment,
        stood_up_at=stood_up_at,
    )


def _check_deployment(file: Path) -> None:
    """Finds a slip in the deployment file or a template now, and not at the first pull. Raises SandboxError."""
    try:
        deployment.check(file)
    except FileFault as fault:
        raise SandboxError(str(fault)) from fault


@dataclass(frozen=True)
class _Processes:
    """How each process of the house is started."""

    settings: HouseSettings
    environment: Mapping[str, str]

    def simulator(self, network: str) -> ProcessSpec:
        port = str(self.settings.simulator_ports[network])
        servers = [f"--server={name}={at}" for name, at in self.settings.server_ports[network].items()]
        return ProcessSpec(
            name=f"simulator-{network}",
            command=[sys.executable, "-m", "palletflow.sandbox", "simulator", network, "--port", port, *servers],
            environment=self.environment,
            folder=self.settings.home,
            ready_url=self.settings.simulator(network),
        )

    def api_server(self) -> ProcessSpec:
        address = ["--host", self.settings.bind, "--port", str(self.settings.port)]
        return ProcessSpec(
            name="api-server",
            command=[sys.executable, "-m", "palletflow.sandbox.airflow_process", "api-server", *address],
            environment=self.environment,
            folder=self.settings.home,
            ready_url=f"{self.settings.reach}/api/v2/monitor/health",
            gated=True,
        )

    def airflow(self, component: str) -> ProcessSpec:
        # Logs are read from the shared disk; without this the scheduler and the triggerer serve them on every address.
        quiet = [] if component == "dag-processor" else ["--skip-serve-logs"]
        return ProcessSpec(
            name=component,
            command=[sys.executable, "-m", "airflow", component, *quiet],
            environment={**self.environment, **links_base_url(self.settings)},
            folder=self.settings.home,
            is_well=partial(is_well, self.settings.reach, component.replace("-", "_")),
        )

    def watch(self) -> ProcessSpec:
        return ProcessSpec(
            name="watch",
            command=[sys.executable, "-m", "palletflow.cli", "watch"],
            environment={**self.environment, **links_base_url(self.settings)},
            folder=self.settings.home,
        )
