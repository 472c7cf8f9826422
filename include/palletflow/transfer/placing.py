"""The way of one file: nothing under its name, a temporary file of the right size, then the file itself.

Whoever is interrupted between two steps starts again with the last one it told of, and ends with one whole file or with
the news that the name is somebody else's.
"""

from collections.abc import Callable
from contextlib import suppress
from enum import Enum
from typing import NamedTuple

from palletflow.network_errors import Misconfigured, NetworkError
from palletflow.transfer.errors import NameTaken, NotNow, Refused
from palletflow.transfer.session import Found, Session


class Step(Enum):
    """What is about to be done; a step that was told may have been done."""

    WRITING = "writing"
    RENAMING = "renaming"


class Manner(NamedTuple):
    """How files are placed. `temp_suffix`: of the temporary name; "" writes under the name itself.

    `needs_size`: the server must be able to tell a file's size.
    """

    temp_suffix: str = ".part"
    needs_size: bool = True


def _nothing(_: Step) -> None:
    pass


def place(
    session: Session,
    connection: str,
    name: str,
    data: bytes,
    manner: Manner,
    *,
    told: Callable[[Step], None] = _nothing,
    last: Step | None = None,
) -> None:
    """Puts a file on the server under a name that nobody has, whole or not at all.

    `told` is called before each step; `last` is the last step an earlier attempt told of. Raises NameTaken, which
    leaves nothing of ours behind, Misconfigured for a server that tells no sizes, what sessions raise, and what `told`
    raises.
    """
    _Placing(session, connection, name, data, manner).run(told, last)


class _Placing:
    def __init__(self, session: Session, connection: str, name: str, data: bytes, manner: Manner) -> None:
        self._session, self._connection, self._name, self._data = session, connection, name, data
        self._temporary, self._needs_size = name + manner.temp_suffix, manner.needs_size

    def run(self, told: Callable[[Step], None], last: Step | None) -> None:
        direct = self._temporary == self._name
        found = self._session.look(self._name)
        if found is not None and last is None:
            raise self._taken()
        if found is not None and direct:
            if self._fits(found):  # its end was not told
                return
        elif found is not None:
            # The answer to our renaming was lost, unless the temporary file shows that it was not done.
            left = self._session.look(self._temporary) is not None
            if last is Step.RENAMING and not left and self._fits(found):
                return
            raise self._taken(delete=left)
        told(Step.WRITING)
        self._write()
        if direct:
            return
        told(Step.RENAMING)
        if self._session.look(self._name) is not None:
            raise self._taken(delete=True)
        found = self._rename()
        # The server may have taken it away already.
        if found is not None and not self._fits(found):
            self._session.delete(self._name)
            raise self._not_now(f"{self._name} has {found.size} bytes after renaming, not {len(self._data)}")

    def _write(self) -> None:
        try:
            found = self._session.write(self._temporary, self._data)
            if found is None:
                raise self._not_now(f"{self._temporary} is not there after writing")
            if found.size is None and self._needs_size:
                detail = "the server tells no file's size; size_check best_effort does without"
                raise Misconfigured(self._connection, "Upload", detail)
            if not self._fits(found):
                raise self._not_now(f"{self._temporary} has {found.size} bytes after writing, not {len(self._data)}")
        except NetworkError:
            self._delete_temporary()
            raise

    def _rename(self) -> Found | None:
        try:
            return self._session.rename(self._temporary, self._name)
        except (Refused, NotNow) as error:
            found = self._session.look(self._name)
            left = self._session.look(self._temporary) is not None
            if found is not None and not left and self._fits(found):
                return found  # done, whatever it says
            self._delete_temporary()
            raise self._taken() if found is not None else self._not_now(error.detail) from error

    def _fits(self, found: Found) -> bool:
        return found.size == len(self._data) or (found.size is None and not self._needs_size)

    def _taken(self, *, delete: bool = False) -> NameTaken:
        if delete:
            self._delete_temporary()
        return NameTaken(self._connection, "Upload", f"{self._name} stands there already")

    def _not_now(self, detail: str) -> NotNow:
        return NotNow(self._connection, "Upload", detail)

    def _delete_temporary(self) -> None:
        """As well as it can be done: the next attempt replaces what is left."""
        if not self._session.broken:
            with suppress(NetworkError):
                self._session.delete(self._temporary)
