"""Embedded PostgreSQL: a server of our own on the loopback interface, from the programs of a wheel.

The server runs as an ordinary user. Started by root it runs as `nobody`, with its data below /var/lib/palletflow,
because `nobody` may not reach the project and we change no permission of a folder that is not ours. A link in the
home leads there; when the home was thrown away, and the link with it, the next start throws the data away too.
"""

import contextlib
import hashlib
import os
import secrets
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote, urlsplit, urlunsplit

import psutil  # type: ignore[import-untyped]
import psycopg
from psycopg import sql

from palletflow.sandbox import ports, process_tree
from palletflow.sandbox.account import unprivileged_account
from palletflow.sandbox.errors import SandboxError
from palletflow.sandbox.postgres_binaries import MAJOR_VERSION, installation_in_wheel, reachable_installation
from palletflow.sandbox.processes import Child, ProcessSpec

HOST = "127.0.0.1"
USER = "palletflow"
PORT_SETTING = "PALLETFLOW_POSTGRES_PORT"
AIRFLOW_DATABASE = "airflow"
ORDER_STORE_DATABASE = "palletflow"
# Where root keeps the data of its houses, each in a folder named after the path of its home.
ROOT_DATA = Path("/var/lib/palletflow")
START_SECONDS = 60.0
STOP_SECONDS = 20.0

# For a machine that runs Airflow beside it: some 60 connections, bulk imports, many small transactions.
SERVER_SETTINGS = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",  # one way in, with a password
    "max_connections": "200",  # Airflow's processes and tasks hold pools; the order store's come on top
    "shared_buffers": "256MB",
    "work_mem": "16MB",
    "maintenance_work_mem": "128MB",
    "max_wal_size": "2GB",  # a bulk import of 100,000 consignments without a checkpoint in its middle
    "wal_compression": "on",
    "random_page_cost": "1.1",  # solid-state disks
    "max_parallel_workers_per_gather": "0",  # the cores belong to the tasks; containers give 64 MB of /dev/shm
    "jit": "off",  # our queries are shorter than compiling them
    "timezone": "UTC",
    "log_timezone": "UTC",
}
# For tests, whose data nobody needs after a power cut.
NOT_DURABLE = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


class EmbeddedPostgres:
    """A Postgres server with the databases `airflow` and `palletflow`.

    home: the folder of the house; data and password go to home/postgres, or below /var/lib/palletflow for root;
        the log goes to home/logs.
    port: 0 for any free one.
    durable: False gives up safety against power cuts for speed; for tests.

    Use start() and stop(), or the class as a context manager. After start() `port`, `dsn()` and `child` are valid.
    """

    def __init__(self, home: Path, port: int = 0, *, durable: bool = True) -> None:
        self.port = ports.choose(HOST, [port])[0]
        self._durable = durable
        self._account = unprivileged_account()
        home = home.resolve()
        self._in_home = home / "postgres"
        self.folder = self._in_home
        if self._account:
            self.folder = ROOT_DATA / hashlib.sha256(os.fsencode(home)).hexdigest()[:16]
        self._logs = home / "logs"
        self._data = self.folder / "data"
        self._password_file = self.folder / "password"
        self._child: Child | None = None

    @property
    def child(self) -> Child:
        """The running server, for a supervisor to adopt."""
        if self._child is None:
            raise RuntimeError("Postgres was not started")
        return self._child

    def dsn(self, database: str) -> str:
        """The libpq URI of a database; valid before the server runs."""
        return f"postgresql://{USER}:{quote(self._password())}@{HOST}:{self.port}/{database}"

    def start(self, mark: str = "") -> None:
        """Creates what is missing and starts the server; a server left running on the same data is ended first.

        mark: the mark of the supervisor that will adopt the server.
        Raises SandboxError when the port is taken or the server does not come up.
        """
        self._make_folders()
        self._end_leftover()
        ports.require_free(HOST, self.port, "the embedded Postgres", PORT_SETTING)
        binaries = reachable_installation(installation_in_wheel(), ROOT_DATA, self._account) / "bin"
        if not self._data.exists():
            self._initialise(binaries)
        self._require_our_version()
        settings = SERVER_SETTINGS | ({} if self._durable else NOT_DURABLE) | {"port": str(self.port)}
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        self._child = Child(
            ProcessSpec(
                name="postgres",
                command=[str(binaries / "postgres"), "-D", str(self._data), *options],
                environment=_ENVIRONMENT,
                folder=self._data,
                stop_signal=signal.SIGINT,  # "fast": ends connections, waits for nobody
                account=self._account,
            ),
            self._logs,
        )
        self._child.start(mark)
        try:
            self._wait_ready(self._child)
            create_databases(self.dsn("postgres"))
        except BaseException:
            self._child.stop(STOP_SECONDS)
            raise

    def stop(self) -> None:
        if self._child:
            self._child.stop(STOP_SECONDS)

    def remove(self) -> None:
        """Stops the server and deletes its data."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)
        if self._in_home.is_symlink():
            self._in_home.unlink()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _make_folders(self) -> None:
        if os.path.lexists(self._in_home) and self._in_home.lstat().st_uid != os.geteuid():
            raise SandboxError(
                f"{self._in_home} belongs to another user, who started the house before. "
                "Start it as that user again, or stand up another one with its own PALLETFLOW_HOME."
            )
        if self._account and self.folder.exists() and not self._in_home.is_symlink():
            self._end_leftover()
            shutil.rmtree(self.folder)
        for folder in (ROOT_DATA, self.folder) if self._account else (self.folder,):
            if not folder.exists():
                folder.mkdir(parents=True)
                # Whatever the umask, the server's account has to pass through; what is inside is closed to others.
                folder.chmod(0o755)
        if self._account and not self._in_home.is_symlink():
            self._in_home.parent.mkdir(parents=True, exist_ok=True)
            self._in_home.symlink_to(self.folder)
            # For whoever tidies up and wonders which project the data belongs to.
            (self.folder / "home").write_text(f"{self._in_home.parent}\n")

    def _password(self) -> str:
        """Read from the file, which is written at the first use."""
        self._make_folders()
        if not self._password_file.exists():
            with contextlib.suppress(FileExistsError), _private_file(self._password_file) as file:
                os.write(file, secrets.token_urlsafe(32).encode())
        return self._password_file.read_text()

    def _initialise(self, binaries: Path) -> None:
        """Makes the data folder; an interrupted attempt leaves nothing that looks like one."""
        unfinished = self.folder / "data.unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(0o700)
        handover = self.folder / "password.handover"
        handover.unlink(missing_ok=True)
        identity = {}
        try:
            with _private_file(handover) as file:
                os.write(file, self._password().encode())
            if self._account:
                for path in (unfinished, handover):
                    os.chown(path, self._account.uid, self._account.gid)
                identity = {"user": self._account.uid, "group": self._account.gid, "extra_groups": []}
            done = subprocess.run(  # noqa: S603 (the wheel's own program)
                [
                    *(binaries / "initdb", "-D", unfinished, "-U", USER, "--pwfile", handover),
                    # Byte order, the same on every machine and independent of the locales it has.
                    *("--encoding=UTF8", "--no-locale", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
                    *("--auth=scram-sha-256", "--no-instructions", *([] if self._durable else ["--no-sync"])),
                ],
                env=_ENVIRONMENT,
                cwd=unfinished,
                capture_output=True,
                text=True,
                check=False,
                **identity,  # type: ignore[call-overload]
            )
        finally:
            handover.unlink(missing_ok=True)
        if done.returncode:
            raise SandboxError(f"The data folder of Postgres could not be made in {self.folder}:\n{done.stderr}")
        unfinished.rename(self._data)

    def _require_our_version(self) -> None:
        found = (self._data / "PG_VERSION").read_text().strip()
        if found != MAJOR_VERSION:
            raise SandboxError(
                f"{self._data} was written by PostgreSQL {found}, this is PostgreSQL {MAJOR_VERSION}. "
                f"Move {self.folder} aside to start empty; keep it if its orders are still needed."
            )

    def _end_leftover(self) -> None:
        """Ends a server that still runs on our data because whoever started it was killed."""
        servers = {process for process in psutil.process_iter() if _works_in(process, self._data)}
        heads = {process for process in servers if process.ppid() not in {server.pid for server in servers}}
        process_tree.send(heads, signal.SIGINT)
        process_tree.end(process_tree.wait_until_gone(servers, STOP_SECONDS), 0.0)

    def _wait_ready(self, child: Child) -> None:
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                psycopg.connect(self.dsn("postgres"), connect_timeout=5).close()
            except psycopg.OperationalError as error:
                if not child.running() or time.monotonic() > deadline:
                    raise SandboxError(
                        f"Postgres did not start: {str(error).strip()}. The end of {child.log}:\n{child.last_lines()}"
                    ) from error
            else:
                return
            time.sleep(0.05)


# Nothing of ours concerns the server; messages are English whatever the machine's language.
_ENVIRONMENT = {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}


def create_databases(dsn: str) -> None:
    """Creates the two databases where they are missing. Raises SandboxError when the server refuses.

    dsn: a libpq URI of any database of the server, with a user who may create databases.
    """
    try:
        with psycopg.connect(dsn, autocommit=True, connect_timeout=10) as connection:
            for name in (AIRFLOW_DATABASE, ORDER_STORE_DATABASE):
                if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone():
                    connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    except psycopg.Error as error:
        raise SandboxError(f"The Postgres databases cannot be created: {str(error).strip()}") from error


def with_database(dsn: str, database: str) -> str:
    """The same libpq URI for another database of the server. Raises SandboxError when it is not a URI."""
    parts = urlsplit(dsn)
    if parts.scheme not in {"postgresql", "postgres"} or not parts.netloc:
        raise SandboxError(
            "PALLETFLOW_POSTGRES must be a URI like postgresql://user:password@host:5432/postgres "
            "whose user may create databases."
        )
    return urlunsplit(parts._replace(scheme="postgresql", path=f"/{database}"))


@contextlib.contextmanager
def _private_file(path: Path) -> Iterator[int]:
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        yield file
    finally:
        os.close(file)


def _works_in(process: psutil.Process, folder: Path) -> bool:
    """Whether this is a Postgres process of a data folder; the server and all its helpers work inside it."""
    with contextlib.suppress(psutil.Error, OSError):
        return bool(process.name().startswith("postgres") and Path(process.cwd()) == folder)
    return False
