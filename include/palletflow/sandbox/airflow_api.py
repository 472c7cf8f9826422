"""As much of Airflow's REST API and of our order API as the sandbox, the demo and the end-to-end tests need."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import requests

PAGE = 100
SHOWN = 500


@dataclass(frozen=True)
class AirflowApi:
    """Airflow's REST API, and the order API mounted beside it, as the login `ops`.

    `base_url`: http://host:port. `token`: valid for a day.
    """

    base_url: str
    token: str = field(repr=False)
    timeout_seconds: float = 20.0

    def get(self, path: str, **parameters: Any) -> Any:
        """GET below /api/v2, e.g. get("dags", tags="first-run"). Raises requests.RequestException."""
        return self._call("GET", path, params=parameters)

    def post(self, path: str, body: Any) -> Any:
        """POST JSON below /api/v2. Raises requests.RequestException."""
        return self._call("POST", path, json=body)

    def all(self, path: str, key: str, **parameters: Any) -> Iterator[dict[str, Any]]:
        """Every entry of a list that comes in pages; `key` is the field of the answer with the entries."""
        offset = 0
        while entries := self.get(path, limit=PAGE, offset=offset, **parameters)[key]:
            yield from entries
            offset += len(entries)

    def trigger(self, dag_id: str, conf: dict[str, Any] | None = None, note: str | None = None) -> str:
        """Starts a run now and returns its run id."""
        body = {"logical_date": None, "conf": conf or {}, "note": note}
        return str(self.post(f"dags/{dag_id}/dagRuns", body)["dag_run_id"])

    def has_runs_under_way(self, dag_id: str) -> bool:
        """Whether a run of the DAG is queued or running. Raises requests.RequestException."""
        return bool(self.get(f"dags/{dag_id}/dagRuns", state=["queued", "running"], limit=1)["total_entries"])

    def orders(self, method: str, path: str, body: Any = None, **parameters: Any) -> requests.Response:
        """A call of the order API, e.g. orders("PUT", "orders/SO-1/trip", {...}). Raises requests.RequestException.

        A body of bytes, as of a document, goes as it is; any other as JSON.
        """
        content = {"data": body} if isinstance(body, bytes) else {"json": body}
        return self._ask(method, f"palletflow/api/v1/{path}", params=parameters, **content)

    def _call(self, method: str, path: str, **arguments: Any) -> Any:
        return self._ask(method, f"api/v2/{path}", **arguments).json()

    def _ask(self, method: str, path: str, **arguments: Any) -> requests.Response:
        with requests.Session() as session:
            # A proxy of the environment has no part in talking to this machine.
            session.trust_env = False
            answer = session.request(
                method,
                f"{self.base_url}/{path}",
                headers={"Authorization": f"Bearer {self.token}"},
                timeout=self.timeout_seconds,
                **arguments,
            )
        if not answer.ok:
            said = f"{method} {path}: HTTP {answer.status_code}: {answer.text[:SHOWN]}"
            raise requests.HTTPError(said, response=answer)
        return answer
