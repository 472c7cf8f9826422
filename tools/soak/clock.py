"""One clock for the whole house, ahead of (or behind) this machine's by an amount that the night moves.

Python's processes follow a file of eight bytes, so that all of them are moved at once, those in the middle of something
too. The order store's sessions follow a row: functions of these names in `public`, which its search path has in front
of `pg_catalog`, stand for Postgres's own, in queries, defaults and triggers alike. No code of the house knows of it.
"""

import mmap
import struct
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import time_machine

from palletflow.store.connection import Connection

_AHEAD = struct.Struct("<q")
# `now` and `statement_timestamp` must be stable, as Postgres's are: indexes are read with them.
MOVED = """
CREATE TABLE soak_clock (ahead interval NOT NULL);
INSERT INTO soak_clock VALUES (interval '0');
CREATE FUNCTION now() RETURNS timestamptz LANGUAGE sql STABLE AS
    'SELECT pg_catalog.now() + ahead FROM public.soak_clock';
CREATE FUNCTION transaction_timestamp() RETURNS timestamptz LANGUAGE sql STABLE AS
    'SELECT pg_catalog.now() + ahead FROM public.soak_clock';
CREATE FUNCTION statement_timestamp() RETURNS timestamptz LANGUAGE sql STABLE AS
    'SELECT pg_catalog.statement_timestamp() + ahead FROM public.soak_clock';
CREATE FUNCTION clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE AS
    'SELECT pg_catalog.clock_timestamp() + ahead FROM public.soak_clock';
DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET search_path = public, pg_catalog', current_database()); END $$;
"""
# A default that was made of Postgres's own clock would not be moved. Shown with the path's names left out.
UNMOVED = """
SELECT attrelid::regclass::text || '.' || attname FROM pg_attrdef
JOIN pg_attribute ON (attrelid, attnum) = (adrelid, adnum)
WHERE pg_get_expr(adbin, adrelid) ~ '(now|_timestamp)\\(|CURRENT_'
  AND pg_get_expr(adbin, adrelid) !~ 'public\\.(now|\\w+_timestamp)\\('
"""


class Clock:
    """The night's clock. The one who keeps the night moves it; whoever follows only looks."""

    def __init__(self, file: Path) -> None:
        """Opens the clock, or makes one that goes with this machine's."""
        if not file.exists():
            file.write_bytes(_AHEAD.pack(0))
        self.file = file
        with file.open("r+b") as opened:
            self._shared = mmap.mmap(opened.fileno(), _AHEAD.size)

    @property
    def ahead_ns(self) -> int:
        """How far it is ahead of this machine's clock."""
        ahead: int = _AHEAD.unpack_from(self._shared)[0]
        return ahead

    @property
    def ahead(self) -> timedelta:
        """The same, to the microsecond."""
        return timedelta(microseconds=self.ahead_ns // 1000)

    def now(self) -> datetime:
        """The night's time, in a process that does not follow it."""
        return datetime.now(UTC) + self.ahead

    def move(self, to: datetime) -> None:
        """Lets it go on from there, for everyone who follows."""
        _AHEAD.pack_into(self._shared, 0, (to - datetime.now(UTC)) // timedelta(microseconds=1) * 1000)

    def follow(self) -> None:
        """Makes this clock the one of this process, for all of its life."""
        traveller = time_machine.travel(self.now(), tick=True).start()
        real_ns = time_machine.escape_hatch.time.time_ns
        # Asked at every look, so that a process in the middle of something is moved with all others.
        traveller.time_ns = lambda: real_ns() + self.ahead_ns  # type: ignore[method-assign]
        if abs(time.time_ns() - real_ns() - self.ahead_ns) > 10**9:
            raise RuntimeError("time-machine does not ask the clock that it is given")


def install(conn: Connection) -> None:
    """Lets a database follow; before its migrations, whose defaults are to be moved too. For new sessions."""
    conn.execute(MOVED.encode())


def unmoved_defaults(conn: Connection) -> list[str]:
    """Columns whose default is still Postgres's own clock; there must be none."""
    with conn.transaction():
        conn.execute("SET LOCAL search_path = pg_catalog")
        return [name for (name,) in conn.execute(UNMOVED.encode())]


def tell(conn: Connection, ahead: timedelta) -> None:
    """Moves the order store's clock to where the file's is."""
    conn.execute("UPDATE public.soak_clock SET ahead = %s", (ahead,))
