"""The embedded Postgres with real servers: as root and as an ordinary user, killed, moved, refused."""

import os
import pwd
import shutil
import socket
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest
from tests.sandbox.waiting import lives, until

from palletflow.sandbox.account import unprivileged_account
from palletflow.sandbox.errors import SandboxError
from palletflow.sandbox.postgres import EmbeddedPostgres, create_databases, with_database
from palletflow.sandbox.postgres_binaries import installation_in_wheel, reachable_installation

INCLUDE = Path(__file__).parents[2] / "include"
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="what only root does")

# Starts a server and stays; prints where the data is, once the order store's database holds a table.
HOLDER = """
import sys, time, psycopg
from pathlib import Path
from palletflow.sandbox.postgres import EmbeddedPostgres
server = EmbeddedPostgres(Path(sys.argv[1]), durable=False)
server.start()
with psycopg.connect(server.dsn("palletflow")) as connection:
    connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
print(server.folder, flush=True)
sys.stdin.read()
server.stop()
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[EmbeddedPostgres]:
    server = EmbeddedPostgres(tmp_path, durable=False)
    yield server
    server.remove()


def answer(dsn: str, query: str) -> object:
    with psycopg.connect(dsn, connect_timeout=5) as connection:
        row = connection.execute(query).fetchone()  # type: ignore[call-overload]
        return row[0] if row else None


def permissions_above(path: Path) -> dict[Path, tuple[int, int, int]]:
    return {
        folder: (folder.stat().st_mode, folder.stat().st_uid, folder.stat().st_gid)
        for folder in (path, *path.parents)
        if folder.exists()
    }


def test_a_first_start_makes_both_databases_and_later_starts_keep_them(server: EmbeddedPostgres) -> None:
    server.start()
    assert answer(server.dsn("airflow"), "SELECT current_database()") == "airflow"
    with psycopg.connect(server.dsn("palletflow")) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    server.stop()

    server.start()

    assert answer(server.dsn("palletflow"), "SELECT answer FROM kept") == 42


def test_only_who_knows_the_password_gets_in(server: EmbeddedPostgres) -> None:
    server.start()
    password = server.folder / "password"

    assert password.stat().st_mode & 0o777 == 0o600
    assert password.stat().st_uid == os.geteuid()
    assert len(password.read_text()) >= 32
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        answer(server.dsn("palletflow").replace(password.read_text(), "wrong"), "SELECT 1")
    with psycopg.connect(server.dsn("palletflow")) as connection:
        rules = connection.execute("SELECT DISTINCT auth_method FROM pg_hba_file_rules").fetchall()
    assert rules == [("scram-sha-256",)]


def test_it_listens_on_loopback_and_nowhere_else(server: EmbeddedPostgres) -> None:
    server.start()

    assert answer(server.dsn("palletflow"), "SHOW listen_addresses") == "127.0.0.1"
    assert answer(server.dsn("palletflow"), "SHOW unix_socket_directories") == ""


def test_it_is_safe_against_power_cuts_unless_a_test_says_otherwise(tmp_path: Path) -> None:
    server = EmbeddedPostgres(tmp_path)
    try:
        server.start()
        for setting in ("fsync", "synchronous_commit", "full_page_writes"):
            assert answer(server.dsn("palletflow"), f"SHOW {setting}") == "on"
    finally:
        server.remove()


@as_root
def test_root_runs_it_as_nobody_and_changes_no_folder_of_others(tmp_path: Path) -> None:
    # A project below a closed folder, as /root is, and with a umask that closes what is made.
    closed = tmp_path / "closed"
    closed.mkdir(0o700)
    before = permissions_above(closed) | permissions_above(installation_in_wheel())
    umask = os.umask(0o077)
    server = EmbeddedPostgres(closed / "project" / ".palletflow", durable=False)
    try:
        server.start()

        assert psutil.Process(server.child.pid).username() == "nobody"
        assert (server.folder / "data").owner() == "nobody"
        assert (server.folder / "data").stat().st_mode & 0o777 == 0o700
        assert permissions_above(closed) | permissions_above(installation_in_wheel()) == before
    finally:
        os.umask(umask)
        server.remove()


def test_an_ordinary_user_needs_nothing_outside_the_project() -> None:
    # Not tmp_path, whose parents are closed to other users.
    project = Path(tempfile.mkdtemp(prefix="palletflow-project-"))
    try:
        home = project / ".palletflow"
        as_user: dict[str, object] = {}
        if os.geteuid() == 0:
            user = pwd.getpwnam("daemon")
            os.chown(project, user.pw_uid, user.pw_gid)
            as_user = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
        before = permissions_above(project) | permissions_above(installation_in_wheel())

        holder = start_holder(home, **as_user)
        folder = Path(read_line(holder))
        holder.communicate(timeout=60)

        assert holder.returncode == 0
        assert folder == home / "postgres"
        assert (folder / "password").stat().st_mode & 0o777 == 0o600
        assert {path.stat().st_uid for path in folder.rglob("*")} == {project.stat().st_uid}
        assert permissions_above(project) | permissions_above(installation_in_wheel()) == before
    finally:
        shutil.rmtree(project)


def test_a_server_left_by_a_killed_parent_is_replaced_and_its_data_kept(tmp_path: Path) -> None:
    holder = start_holder(tmp_path)
    data = Path(read_line(holder)) / "data"
    left = [process for process in psutil.process_iter(["name"]) if works_in(process, data)]
    assert left
    holder.kill()
    holder.communicate()

    server = EmbeddedPostgres(tmp_path, durable=False)
    try:
        server.start()

        assert not any(lives(process.pid) for process in left)
        assert answer(server.dsn("palletflow"), "SELECT answer FROM kept") == 42
    finally:
        server.remove()


def test_a_crashed_server_starts_again_on_its_data(tmp_path: Path) -> None:
    server = EmbeddedPostgres(tmp_path)
    try:
        server.start()
        with psycopg.connect(server.dsn("palletflow")) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
        psutil.Process(server.child.pid).kill()
        until("the server is dead", lambda: not server.child.running())

        server.start()

        assert answer(server.dsn("palletflow"), "SELECT answer FROM kept") == 42
    finally:
        server.remove()


def test_a_port_taken_by_something_else_is_named_with_its_setting(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        server = EmbeddedPostgres(tmp_path, port, durable=False)
        try:
            with pytest.raises(SandboxError, match=rf"Port {port} .*PALLETFLOW_POSTGRES_PORT"):
                server.start()
        finally:
            server.remove()


def test_data_of_another_postgres_version_is_not_touched(server: EmbeddedPostgres) -> None:
    server.start()
    server.stop()
    (server.folder / "data" / "PG_VERSION").write_text("17\n")

    with pytest.raises(SandboxError, match="was written by PostgreSQL 17"):
        server.start()


@as_root
def test_throwing_the_home_away_throws_the_data_away(tmp_path: Path) -> None:
    home = tmp_path / "home"
    first = EmbeddedPostgres(home, durable=False)
    first.start()
    with psycopg.connect(first.dsn("palletflow")) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    first.stop()
    shutil.rmtree(home)

    second = EmbeddedPostgres(home, durable=False)
    try:
        second.start()

        assert second.folder == first.folder
        assert answer(second.dsn("palletflow"), "SELECT to_regclass('kept')") is None
    finally:
        second.remove()


@as_root
def test_a_house_of_another_user_is_refused(tmp_path: Path) -> None:
    (tmp_path / "postgres").mkdir()
    os.chown(tmp_path / "postgres", pwd.getpwnam("daemon").pw_uid, -1)

    with pytest.raises(SandboxError, match="belongs to another user"):
        EmbeddedPostgres(tmp_path).start()


@as_root
def test_programs_out_of_reach_are_copied_once_and_run(tmp_path: Path) -> None:
    account = unprivileged_account()
    closed = tmp_path / "closed"
    wheel = installation_in_wheel().parent
    shutil.copytree(wheel, closed / wheel.name, symlinks=True, copy_function=os.link)
    shutil.copytree(f"{wheel}.libs", closed / f"{wheel.name}.libs", copy_function=os.link)
    closed.chmod(0o700)
    with tempfile.TemporaryDirectory() as open_folder:
        Path(open_folder).chmod(0o755)

        umask = os.umask(0o077)
        copy = reachable_installation(closed / wheel.name / "pginstall18", Path(open_folder), account)
        os.umask(umask)
        again = reachable_installation(closed / wheel.name / "pginstall18", Path(open_folder), account)

        assert copy.is_relative_to(open_folder)
        assert again == copy
        assert account
        subprocess.run([copy / "bin" / "postgres", "--version"], user=account.uid, extra_groups=[], check=True)
        assert closed.stat().st_mode & 0o777 == 0o700


def test_a_server_of_ones_own_gets_the_two_databases(server: EmbeddedPostgres) -> None:
    server.start()
    with psycopg.connect(server.dsn("postgres"), autocommit=True) as connection:
        connection.execute("DROP DATABASE airflow")

    create_databases(server.dsn("postgres"))
    create_databases(server.dsn("postgres"))

    assert answer(server.dsn("airflow"), "SELECT current_database()") == "airflow"


def test_a_server_that_cannot_be_reached_is_said_without_its_password() -> None:
    with pytest.raises(SandboxError, match="cannot be created") as refusal:
        create_databases("postgresql://someone:s3cret@127.0.0.1:1/postgres")

    assert "s3cret" not in str(refusal.value)


def test_addresses_keep_their_parameters() -> None:
    address = with_database("postgres://u:p%40@db.example.com:5432/postgres?sslmode=require", "airflow")

    assert address == "postgresql://u:p%40@db.example.com:5432/airflow?sslmode=require"


@pytest.mark.parametrize("address", ["host=db dbname=x", "mysql://db/x", "postgresql:///x", "db.example.com"])
def test_what_is_not_an_address_is_refused_with_an_example(address: str) -> None:
    with pytest.raises(SandboxError, match="PALLETFLOW_POSTGRES must be a URI like postgresql://"):
        with_database(address, "airflow")


def start_holder(home: Path, **as_user: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [interpreter(bool(as_user)), "-c", HOLDER, str(home)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd="/",
        env={"PATH": os.defpath, "PYTHONPATH": f"{INCLUDE}:{sysconfig.get_path('purelib')}"},
        **as_user,  # type: ignore[call-overload]
    )


def read_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout
    line = process.stdout.readline().strip()
    assert line, "the process ended before it said anything"
    return line


def interpreter(for_other_user: bool) -> str:
    """A Python another user can run: ours, or one of the same version when ours lies in a closed folder."""
    if not for_other_user or all(folder.stat().st_mode & 0o001 for folder in Path(sys.executable).resolve().parents):
        return sys.executable
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    found = shutil.which(version, path="/usr/local/bin:/usr/bin")
    if not found:
        pytest.skip(f"no {version} that an ordinary user can run")
    return found


def works_in(process: psutil.Process, folder: Path) -> bool:
    try:
        return process.info["name"].startswith("postgres") and Path(process.cwd()) == folder
    except psutil.Error:
        return False
