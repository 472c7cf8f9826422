"""Nexus's ids by its names, and the other way round (contract 2.9): no id of Nexus stands in code."""

import re
import threading
import unicodedata
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from palletflow.networks.nexus.client import NexusClient
from palletflow.networks.nexus.errors import UnknownName
from palletflow.store import lookup_cache
from palletflow.store.connection import Connection
from palletflow.store.lookup_cache import Kept

Row = dict[str, Any]
CANDIDATES_SHOWN = 20
APART = re.compile(r"[\W_]+")


class Name(NamedTuple):
    """A name of the template's: the look-up it belongs to, our code, Nexus's name."""

    lookup: str
    code: str
    name: str


class Lookups:
    """The look-ups of one connection, kept in the order store for lookup_ttl_h. Threads may share it.

    A method that has to ask Nexus raises what the client raises; call it with no transaction open.
    """

    def __init__(
        self, client: NexusClient, ids: Mapping[str, Mapping[str, str]], clock: Callable[[], datetime]
    ) -> None:
        """`ids`: the template's section of that name, ids that it forces by look-up and code."""
        self._client, self._ids, self._clock = client, ids, clock
        self._lock = threading.Lock()
        self._held: dict[str, Kept] = {}
        self._missed: set[tuple[str, str | int]] = set()

    def rows(self, conn: Connection, lookup: str) -> list[Row]:
        """A whole look-up, by the name it has in contract 2."""
        with self._lock:
            held = self._held.get(lookup)
            if held is None or self._is_old(held):
                held = lookup_cache.read(conn, self._client.settings.connection, lookup)
            if held is not None and not self._is_old(held):
                self._held[lookup] = held
                return held.rows
            held = self._asked_for(lookup)
        self._keep(conn, lookup, held)
        return held.rows

    def id_of(self, conn: Connection, lookup: str, code: str, name: str) -> int:
        """The id of what the template calls `code` and Nexus `name`. Raises UnknownName."""
        forced = self._ids.get(lookup, {}).get(code)
        if forced is not None:
            return int(forced)
        wanted = folded(name)
        ids = self._ids_named(self.rows(conn, lookup), wanted)
        if len(ids) != 1 and wanted and self._misses(lookup, wanted):
            ids = self._ids_named(self._read_anew(conn, lookup), wanted)
        if len(ids) == 1:
            return ids.pop()
        wire = self._client.wire
        names = sorted({wire.lookup_name(row) for row in self.rows(conn, lookup)} - {""})
        if ids:
            names = [f"{one} = {id_}" for one in names if folded(one) == wanted for id_ in sorted(ids)]
        raise UnknownName(self._client.settings.connection, lookup, code, name, names[:CANDIDATES_SHOWN])

    def name_of(self, conn: Connection, lookup: str, id_: int) -> str:
        """Nexus's name of an id; the look-up is read anew once for an id it does not hold. "" if it stays unknown."""
        name = self._name(self.rows(conn, lookup), id_)
        if not name and self._misses(lookup, id_):
            name = self._name(self._read_anew(conn, lookup), id_)
        return name

    def _read_anew(self, conn: Connection, lookup: str) -> list[Row]:
        with self._lock:
            held = self._asked_for(lookup)
        self._keep(conn, lookup, held)
        return held.rows

    def _asked_for(self, lookup: str) -> Kept:
        """The caller holds the lock."""
        self._held[lookup] = Kept(_storable(self._client.lookup(lookup)), self._clock())
        return self._held[lookup]

    def _keep(self, conn: Connection, lookup: str, held: Kept) -> None:
        # Without the lock: another thread may have to read on before the database lets this one write.
        lookup_cache.write(conn, self._client.settings.connection, lookup, held)

    def _is_old(self, held: Kept) -> bool:
        return self._clock() - held.read_at >= timedelta(hours=self._client.settings.lookup_ttl_h)

    def _misses(self, lookup: str, what: str | int) -> bool:
        """Whether this is the first time that the look-up turns out not to hold it."""
        with self._lock:
            first = (lookup, what) not in self._missed
            self._missed.add((lookup, what))
            return first

    def _ids_named(self, rows: list[Row], wanted: str) -> set[int]:
        wire = self._client.wire
        ids = {wire.lookup_id(row) for row in rows if wanted and folded(wire.lookup_name(row)) == wanted}
        return {id_ for id_ in ids if id_ is not None}

    def _name(self, rows: list[Row], id_: int) -> str:
        wire = self._client.wire
        return next((wire.lookup_name(row) for row in rows if wire.lookup_id(row) == id_), "")


def folded(name: str) -> str:
    """A name for comparing: trimmed, without case, every run of blanks and punctuation one blank [NX-2.9-4]."""
    return APART.sub(" ", unicodedata.normalize("NFKC", name).casefold()).strip()


def _storable(value: Any) -> Any:
    """Without what Postgres does not take as text: NUL, half of a surrogate pair."""
    if isinstance(value, str):
        return value.replace("\0", "").encode(errors="replace").decode()
    if isinstance(value, dict):
        return {_storable(key): _storable(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_storable(element) for element in value]
    return value
