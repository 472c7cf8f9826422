"""Brings the order store's schema up or down with Alembic."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from palletflow.store.connection import Connection, DatabaseUnavailable

# Two services that start at once must not migrate at once; any fixed number serves.
MIGRATION_LOCK = 7_200_501


def upgrade(dsn: str, revision: str = "head") -> None:
    """Migrates the database behind a libpq URI up to a revision; waits for another migration under way.

    Raises DatabaseUnavailable if it cannot be reached.
    """
    _run(dsn, command.upgrade, revision)


def downgrade(dsn: str, revision: str = "base") -> None:
    """Migrates down to a revision; "base" leaves no table of ours. Rows of dropped tables are lost."""
    _run(dsn, command.downgrade, revision)


def revisions() -> list[str]:
    """Every revision of the schema that this Palletflow knows, the oldest first."""
    scripts = ScriptDirectory.from_config(_config())
    return [script.revision for script in reversed(list(scripts.walk_revisions()))]


def held_revision(conn: Connection) -> str:
    """The revision that an order store's schema is at, "" for a database without one."""
    [(is_there,)] = conn.execute("SELECT to_regclass('alembic_version') IS NOT NULL").fetchall()
    held = conn.execute("SELECT version_num FROM alembic_version").fetchone() if is_there else None
    return str(held[0]) if held else ""


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return config


def _run(dsn: str, move, revision: str) -> None:  # type: ignore[no-untyped-def]
    config = _config()
    url = dsn.replace("postgresql://", "postgresql+psycopg://", 1).replace("postgres://", "postgresql+psycopg://", 1)
    engine = create_engine(url, poolclass=NullPool, connect_args={"connect_timeout": 10})
    try:
        connection = engine.connect()
    except Exception as error:
        raise DatabaseUnavailable(str(error)) from error
    with connection:
        connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": MIGRATION_LOCK})
        connection.commit()
        config.attributes["connection"] = connection
        move(config, revision)
