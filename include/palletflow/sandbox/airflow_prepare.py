"""Starts airflow_setup in a process of its own and hands over what it answers."""

import contextlib
import json
import secrets
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from palletflow.sandbox import process_tree
from palletflow.sandbox.errors import SandboxError

SECONDS = 300.0
LINES_SHOWN = 15


@dataclass(frozen=True)
class Login:
    """The login of Airflow's page. `password`: None when it was set at an earlier start; only its hash is kept."""

    password: str | None = field(repr=False)
    token: str = field(repr=False)


class AirflowPreparation:
    """The running process. It imports Airflow at once, and waits for migrate() before it touches a database."""

    def __init__(self, environment: Mapping[str, str], logs: Path, mark: str) -> None:
        logs.mkdir(parents=True, exist_ok=True)
        self._log = logs / "airflow-setup.log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "palletflow.sandbox.airflow_setup"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env={**environment, process_tree.MARK: f"{mark}/airflow-setup"},
                text=True,
                start_new_session=True,
            )

    def migrate(self, *, reset_login: bool = False) -> Login:
        """Migrates Airflow's database and sees to the login. Raises SandboxError with the end of the log."""
        password = secrets.token_urlsafe(12)
        request = json.dumps({"password": password, "reset": reset_login}) + "\n"
        try:
            answer, _ = self._process.communicate(request, timeout=SECONDS)
            result = json.loads(answer)
        except (subprocess.TimeoutExpired, ValueError, BrokenPipeError):
            lines = self._log.read_text(errors="replace").splitlines()[-LINES_SHOWN:]
            raise SandboxError(
                f"Airflow's database could not be prepared. The end of {self._log}:\n"
                + "\n".join(f"    | {line}" for line in lines)
            ) from None
        return Login(password if result["password_set"] else None, result["token"])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(OSError):
                if pipe:
                    pipe.close()
