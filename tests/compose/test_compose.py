"""The promises of the production shape: docker-compose.yaml, Dockerfile and .env.example agree and hide nothing."""

import json
import os
import re
import subprocess
import time
from datetime import timedelta
from itertools import chain, pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml

from palletflow.discovery import network_part

PROJECT = Path(__file__).parents[2]
TEXT = (PROJECT / "docker-compose.yaml").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
EXAMPLE = (PROJECT / ".env.example").read_text()
DOCKERFILE = (PROJECT / "Dockerfile").read_text()
DEPLOYMENT: dict[str, Any] = yaml.safe_load((PROJECT / "include" / "deployment.yaml").read_text())

AIRFLOW = ["api-server", "scheduler", "dag-processor", "triggerer", "watch", "worker"]
SIMULATORS = {"palletforce-simulator": "palletforce", "nexus-simulator": "nexus", "palletways-simulator": "palletways"}
# The image has no FTP server.
NOT_SERVED = {"palletways_upload_124"}
RUNNING = [*AIRFLOW, "postgres", "redis", *SIMULATORS]
SECRETS = {
    "POSTGRES_PASSWORD",
    "AIRFLOW_DB_PASSWORD",
    "ORDER_STORE_PASSWORD",
    "REDIS_PASSWORD",
    "FERNET_KEY",
    "JWT_SECRET",
    "API_SECRET_KEY",
    "ADMIN_PASSWORD",
}
SECRET_NAME = re.compile(r"PASSWORD|SECRET|KEY|TOKEN")
# ${NAME}, ${NAME:-default}, ${NAME:?message}; $$ is a dollar sign of the container's own.
VARIABLE = re.compile(r"(?<!\$)\$\{(?P<name>\w+)(?P<rest>[^}]*)\}")
# What .env.example sets, asks for, or shows as a comment.
EXAMPLE_LINE = re.compile(r"^#?(?P<name>[A-Z][A-Z0-9_]+)=(?P<value>.*)$", re.MULTILINE)

# As Linux shows it; the 22nd field is when it was started.
STAT_OF_ITS_FIRST_PROCESS = (
    "1 (dumb-init) S 0 1 1 0 -1 4194560 90 22 0 0 0 0 0 0 20 0 1 0 5943355 2297856 0 184467440737095516\n"
)

INTERPOLATED = [(match["name"], match["rest"]) for match in VARIABLE.finditer(TEXT)]
# A variable without a value in `environment` is taken over from .env, if it is there.
TAKEN_OVER = {
    name for service in SERVICES.values() for name, value in service.get("environment", {}).items() if value is None
}
EXAMPLE_VALUES = [(match["name"], match["value"]) for match in EXAMPLE_LINE.finditer(EXAMPLE)]


def test_the_services_are_those_we_speak_of() -> None:
    assert set(SERVICES) == {*RUNNING, "init"}


def test_a_secret_is_required_and_has_no_default() -> None:
    secret_uses = [(name, rest) for name, rest in INTERPOLATED if SECRET_NAME.search(name)]

    assert {name for name, _ in secret_uses} == SECRETS
    for name, rest in secret_uses:
        assert rest.startswith(f":?set {name} in .env"), f"{name}{rest}"


def test_no_secret_stands_in_the_file_itself() -> None:
    values = chain.from_iterable(service.get("environment", {}).items() for service in SERVICES.values())
    written_out = [
        name for name, value in values if SECRET_NAME.search(name) and value is not None and "${" not in str(value)
    ]

    assert written_out == []


def test_the_example_leaves_every_secret_empty_and_says_how_to_make_it() -> None:
    assert {name for name, value in EXAMPLE_VALUES if value == ""} == SECRETS
    for secret in SECRETS:
        assert re.search(rf"^# .*: openssl rand .*\n{secret}=$", EXAMPLE, re.MULTILINE), secret


def test_the_example_names_every_variable_of_the_compose_file_and_no_other() -> None:
    assert {name for name, _ in EXAMPLE_VALUES} == {name for name, _ in INTERPOLATED} | TAKEN_OVER


def test_the_example_shows_the_default_of_every_setting() -> None:
    defaults = {name: rest.removeprefix(":-") for name, rest in INTERPOLATED if rest.startswith(":-")}

    assert {name: value for name, value in EXAMPLE_VALUES if name in defaults} == defaults


def test_a_comment_stands_before_every_variable_of_the_example() -> None:
    connection = "#AIRFLOW_CONN_"
    for before, line in pairwise(EXAMPLE.splitlines()):
        if EXAMPLE_LINE.match(line):
            another_depot = before.startswith(connection) and line.startswith(connection)
            assert before.startswith("# ") or another_depot, line


def test_connections_in_the_example_are_json_in_single_quotes() -> None:
    connections = [value for name, value in EXAMPLE_VALUES if name.startswith("AIRFLOW_CONN_")]

    assert len(connections) == 23
    for value in connections:
        assert value[0] == value[-1] == "'"
        fields = json.loads(value[1:-1])
        # The addresses of Palletways' web services are known.
        assert fields["conn_type"] == "palletways" or {"conn_type", "host"} <= fields.keys()


def test_every_connection_of_the_deployment_file_is_taken_over() -> None:
    named = {
        f"AIRFLOW_CONN_{depot['connection'].upper()}"
        for network in DEPLOYMENT["networks"].values()
        for depot in network["depots"].values()
    }

    assert named <= TAKEN_OVER


def test_the_sandbox_connections_of_the_example_lead_to_its_simulator_with_keys_it_knows() -> None:
    shown = [(name, json.loads(value[1:-1])) for name, value in EXAMPLE_VALUES if "simulator" in value]

    expected = {}
    for service, network in SIMULATORS.items():
        expected |= network_part(network, "sandbox").sandbox_connections(f"http://{service}:8090")
        simulator = SERVICES[service]
        assert simulator["profiles"] == ["sandbox"]
        by_name = ["python", "-m", "palletflow.sandbox", "simulator", network]
        in_uvicorn = ["uvicorn", "--factory", f"palletflow.networks.{network}.simulator.app:create_app"]
        assert simulator["entrypoint"] in (by_name, in_uvicorn)
        assert "8090" in simulator["command"]
    served = {name: fields for name, fields in expected.items() if name not in NOT_SERVED}
    assert dict(shown) == {f"AIRFLOW_CONN_{name.upper()}": fields for name, fields in served.items()}


@pytest.mark.parametrize("name", RUNNING)
def test_a_running_service_is_checked_restarted_stopped_in_order_and_without_privileges(name: str) -> None:
    service = SERVICES[name]

    assert service["healthcheck"]["test"][0] in ("CMD", "CMD-SHELL")
    assert service["restart"] == "unless-stopped"
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["logging"]["options"]["max-size"]
    assert "stop_grace_period" in service


@pytest.mark.parametrize(("answers", "was_well", "status", "killed"), [
    (True, None, 0, False),
    (False, None, 1, False),
    (False, timedelta(minutes=1), 1, False),
    (False, timedelta(minutes=5), 1, True),
    (True, timedelta(minutes=5), 0, False),
])  # fmt: skip
def test_a_scheduler_that_hangs_is_killed_so_that_docker_starts_it_anew(
    tmp_path: Path, answers: bool, was_well: timedelta | None, status: int, killed: bool
) -> None:
    shell, script = SERVICES["scheduler"]["healthcheck"]["test"]
    stat = tmp_path / "stat"
    stat.write_text(STAT_OF_ITS_FIRST_PROCESS)
    sign = tmp_path / "well-5943355"
    if was_well is not None:
        sign.touch()
        then = time.time() - was_well.total_seconds()
        os.utime(sign, (then, then))
    (tmp_path / "curl").write_text(f"#!/bin/sh\nexit {0 if answers else 22}\n")
    (tmp_path / "curl").chmod(0o755)
    script = script.replace("$$", "$").replace("/dev/shm", str(tmp_path)).replace("/proc/1/stat", str(stat))
    assert script.count("kill -KILL -1") == 1

    def run() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["sh", "-c", script.replace("kill -KILL -1", "echo killed")],
            env={"PATH": f"{tmp_path}:{os.environ['PATH']}"},
            capture_output=True,
            text=True,
            check=False,
        )

    done = run()

    assert shell == "CMD-SHELL"
    assert (done.returncode, "killed" in done.stdout) == (status, killed)
    assert sign.exists() == (answers or was_well is not None)
    if killed:
        # The sign of the last start may still lie there at the next one, which is not judged by it.
        stat.write_text(STAT_OF_ITS_FIRST_PROCESS.replace("5943355", "5999999"))
        assert "killed" not in run().stdout


def test_the_check_of_a_scheduler_that_takes_a_call_and_never_answers_ends_before_docker_ends_it() -> None:
    check = SERVICES["scheduler"]["healthcheck"]
    waits = re.search(r"curl --max-time (\d+) ", check["test"][1])

    assert waits
    assert int(waits[1]) < int(check["timeout"].removesuffix("s"))


def test_the_watch_is_well_as_long_as_it_looks(tmp_path: Path) -> None:
    shell, script = SERVICES["watch"]["healthcheck"]["test"]
    [option, sign] = SERVICES["watch"]["command"][1:]
    script = script.replace("$$", "$").replace(sign, str(tmp_path / "sign"))

    def is_well() -> bool:
        return subprocess.run(["sh", "-c", script], capture_output=True, check=False).returncode == 0

    assert (shell, option) == ("CMD-SHELL", "--sign")
    assert not is_well()
    (tmp_path / "sign").touch()
    assert is_well()
    os.utime(tmp_path / "sign", (0, 0))
    assert not is_well()


@pytest.mark.parametrize("name", [*AIRFLOW, "init"])
def test_airflow_services_share_image_settings_and_logs(name: str) -> None:
    shared, service = SERVICES["scheduler"], SERVICES[name]

    for part in ("image", "build", "env_file", "volumes"):
        assert service[part] == shared[part], part
    of_its_own = {key: value for key, value in service["environment"].items() if not key.startswith("ADMIN_")}
    assert of_its_own == shared["environment"]
    assert service["env_file"] == "include/airflow.env"


def test_only_init_knows_the_administrators_password() -> None:
    for name, service in SERVICES.items():
        assert ("ADMIN_PASSWORD" in service.get("environment", {})) == (name == "init"), name


@pytest.mark.parametrize("simulator", SIMULATORS)
def test_a_simulator_is_given_no_secret(simulator: str) -> None:
    assert "environment" not in SERVICES[simulator]
    assert "env_file" not in SERVICES[simulator]


@pytest.mark.parametrize("name", AIRFLOW)
def test_an_airflow_service_waits_for_a_successful_init(name: str) -> None:
    waits_for = {other: wait["condition"] for other, wait in SERVICES[name]["depends_on"].items()}

    assert waits_for["init"] == "service_completed_successfully"
    assert waits_for["postgres"] == waits_for["redis"] == "service_healthy"


def test_init_runs_once_with_both_migrations_the_check_and_the_administrator() -> None:
    init = SERVICES["init"]
    shell, options, script = init["command"]
    steps = [line.strip() for line in script.splitlines()]

    assert init["restart"] == "no"
    assert "healthcheck" not in init
    assert (shell, options) == ("bash", "-ec")
    assert steps[:3] == ["palletflow check-deployment", "airflow db migrate", "palletflow migrate"]
    assert steps[3].startswith("airflow users create --role Admin ")


def test_only_the_page_is_published_and_by_default_on_loopback() -> None:
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}

    assert published == {"api-server": ["${PALLETFLOW_BIND:-127.0.0.1}:${PALLETFLOW_PORT:-8080}:8080"]}


def test_a_proxy_before_the_page_is_believed_only_if_it_is_named() -> None:
    assert "--proxy-headers" in SERVICES["api-server"]["command"].split()
    assert "FORWARDED_ALLOW_IPS" in TAKEN_OVER


def test_any_number_of_workers_can_run() -> None:
    assert SERVICES["worker"]["deploy"]["replicas"] == "${PALLETFLOW_WORKERS:-2}"
    for name, service in SERVICES.items():
        assert "container_name" not in service, name
        assert "hostname" not in service, name


def test_a_stopping_worker_has_time_for_the_longest_task() -> None:
    from palletflow.airflow.defaults import dag_settings

    grace = timedelta(minutes=int(SERVICES["worker"]["stop_grace_period"].removesuffix("m")))
    longest = dag_settings(deadline=timedelta(minutes=25))["default_args"]["execution_timeout"]

    assert grace > longest


def test_every_image_names_a_version() -> None:
    images = [service["image"] for service in SERVICES.values()]
    images = [VARIABLE.sub(lambda match: match["rest"].removeprefix(":-"), image) for image in images]
    images += re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)

    for image in images:
        _, _, tag = image.partition(":")
        assert tag, image
        assert "latest" not in tag, image


def test_the_data_of_postgres_and_redis_are_on_volumes_of_their_own() -> None:
    assert SERVICES["postgres"]["volumes"] == ["postgres:/var/lib/postgresql"]
    assert SERVICES["redis"]["volumes"] == ["redis:/data"]
    assert set(COMPOSE["volumes"]) == {"postgres", "redis", "documents", "files", "logs"}


def test_the_image_is_built_on_the_airflow_of_the_lock() -> None:
    lock = (PROJECT / "requirements.txt").read_text()
    locked = re.search(r"^apache-airflow==(\S+)", lock, re.MULTILINE)
    base = re.search(r"^FROM apache/airflow:slim-([\d.]+)-python3\.\d+$", DOCKERFILE, re.MULTILINE)

    assert locked
    assert base
    assert base[1] == locked[1]


def test_the_lock_is_installed_before_any_code_is_copied() -> None:
    steps = re.findall(r"^(?:COPY|RUN) .*$", DOCKERFILE, re.MULTILINE)

    assert steps[0].startswith("COPY --chown=airflow:0 requirements.txt ")
    assert steps[1].endswith("--no-deps --requirement requirements.txt")
    assert not any(folder in step for step in steps[:2] for folder in ("include", "dags", "plugins"))


def test_the_build_sees_no_env_file() -> None:
    rules = [line for line in (PROJECT / ".dockerignore").read_text().splitlines() if line and line[0] != "#"]
    allowed = {rule[1:] for rule in rules if rule.startswith("!")}
    copied = re.findall(r"^COPY (?:--\S+ )*(.+) \S+$", DOCKERFILE, re.MULTILINE)

    assert rules[0] == "*"
    assert allowed == {source.split("/")[0] for sources in copied for source in sources.split()}
    assert not any(name.startswith(".env") for name in allowed)
