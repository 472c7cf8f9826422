"""A hook that can be tried with Airflow's Test button."""

from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

from airflow.sdk import BaseHook
from airflow.sdk.exceptions import AirflowNotFoundException

from palletflow.checked_yaml import FileFault
from palletflow.network_errors import Misconfigured, NetworkError

T = TypeVar("T")
NOT_THERE = "there is no Airflow connection of this id"


class CheckedHook(BaseHook):
    """A hook whose client can ask the other side something without effect. `works`: what an answer to that shows."""

    works = ""

    def check(self) -> None:
        """Asks, which changes nothing there. Raises NetworkError, FileFault, AirflowNotFoundException."""
        with self.get_conn() as client:
            client.check()

    def test_connection(self) -> tuple[bool, str]:
        """Airflow's Test button: check(), put into words."""
        try:
            self.check()
        except (NetworkError, FileFault) as error:
            return False, str(error)
        return True, self.works


def needed(name: str, read: Callable[[], T]) -> T:
    """The settings of a connection that has to be there. Raises Misconfigured."""
    try:
        return read()
    except AirflowNotFoundException as error:
        raise Misconfigured(name, "Settings", NOT_THERE) from error


def usable(
    readers: Mapping[str, Callable[[], T]], wrong: dict[str, str], not_there: str = NOT_THERE
) -> Iterator[tuple[str, T]]:
    """The settings of each connection that can be used, by the readers' keys; `wrong` is told why of the others."""
    for key, read in readers.items():
        try:
            found = read()
        except Misconfigured as error:
            wrong[key] = error.detail
        except AirflowNotFoundException:
            wrong[key] = not_there
        else:
            yield key, found
