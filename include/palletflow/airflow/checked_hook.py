"""A hook that can be tried with Airflow's Test button."""

from airflow.sdk import BaseHook

from palletflow.checked_yaml import FileFault
from palletflow.network_errors import NetworkError


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
