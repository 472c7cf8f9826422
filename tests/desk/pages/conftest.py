"""The order desk over a real Postgres through a real HTTP server, below the address it has in Airflow.

Who calls is taken as given by a header; Airflow is a record of what was triggered. Orders are made with the fixture
`api` (the order API over the same order store) or straight in the `store`.
"""

import html
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import requests
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.routing import Mount
from tests.desk.conftest import Served
from tests.desk.desk_orders import DEPLOYMENT

from palletflow.desk.gate import Caller
from palletflow.desk.pages.app import create_pages
from palletflow.desk.pages.forms import FIELD, FormTokens
from palletflow.desk.pipelines import CannotStart, Pipeline
from palletflow.store.connection import Connection, connect

BASE = "/palletflow/desk"
KEY = b"signs the forms of a test"
LOGIN = "X-Test-Login"
MAY_WRITE = {"clerk": True, "looker": False}
DAGS = sorted(file.stem for file in (Path(__file__).parents[3] / "dags").glob("*.py"))


async def by_header(request: Any, writes: bool) -> Caller:
    """Lets the clerk write and the looker look, as palletflow.desk.access does."""
    name = request.headers.get(LOGIN, "")
    if name not in MAY_WRITE:
        raise HTTPException(401, "Not authenticated", {"WWW-Authenticate": "Bearer"})
    if writes and not MAY_WRITE[name]:
        raise HTTPException(403, "This login may not trigger DAG runs, so it may not do this")
    return Caller(name, MAY_WRITE[name], by_cookie=True)


class Triggered(NamedTuple):
    """A run that a page asked for."""

    dag_id: str
    conf: dict[str, Any]
    by: str


class RecordedPipelines:
    """Airflow as the desk sees it: `held` are its DAGs, which a test may change, `runs` what was triggered."""

    def __init__(self) -> None:
        self.held = {dag_id: Pipeline(dag_id, False, None, "", None) for dag_id in DAGS}
        self.runs: list[Triggered] = []

    def listed(self) -> Mapping[str, Pipeline]:
        return self.held

    def trigger(self, dag_id: str, conf: Mapping[str, Any], by: str) -> str:
        if dag_id not in self.held:
            raise CannotStart(f"Airflow has no pipeline {dag_id}.")
        self.runs.append(Triggered(dag_id, dict(conf), by))
        return f"manual__{len(self.runs)}"


class Browser:
    """One login's look at the desk; addresses are below the desk's own. It follows no redirect."""

    def __init__(self, url: str, name: str | None) -> None:
        self.url, self.name = url, name
        self._session = requests.Session()
        if name:
            self._session.headers[LOGIN] = name

    def close(self) -> None:
        self._session.close()

    def get(self, path: str, status: int = 200, **more: Any) -> requests.Response:
        """A page; `more` goes to requests, e.g. params={"q": "..."}."""
        return self._answered("GET", path, status, **more)

    def post(self, path: str, /, on: str | None = None, status: int = 303, **fields: Any) -> requests.Response:
        """Sends a form. `on`: the page that must have this form, whose token is sent; without it one is made."""
        if on is None:
            token = FormTokens(KEY).make(self.name or "")
        else:
            form = re.search(
                rf'<form\b[^>]*action="{re.escape(html.escape(BASE + path))}".*?</form>', self.get(on).text, re.S
            )
            assert form, f"{on} has no form for {path}"
            token = re.search(rf'name="{FIELD}" value="([^"]+)"', form[0])[1]  # type: ignore[index]
        return self._answered("POST", path, status, data={FIELD: token, **fields})

    def _answered(self, method: str, path: str, status: int, **more: Any) -> requests.Response:
        answer = self._session.request(method, self.url + path, timeout=30, allow_redirects=False, **more)
        assert answer.status_code == status, answer.text
        return answer


@pytest.fixture
def store(conn: Connection) -> Connection:
    """The order store that the pages show."""
    return conn


@pytest.fixture
def pipelines() -> RecordedPipelines:
    return RecordedPipelines()


@pytest.fixture
def pages(
    dsn: str, pipelines: RecordedPipelines, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[Callable[[str | None], Browser]]:
    """Gives the browser of a login: "clerk", "looker", or None."""
    monkeypatch.setenv("PALLETFLOW_DEPLOYMENT", str(DEPLOYMENT))
    monkeypatch.setenv("PALLETFLOW_DOCUMENTS", str(tmp_path / "documents"))
    desk = create_pages(by_header, lambda: connect(dsn), KEY, pipelines)
    server = Served(Starlette(routes=[Mount(BASE, app=desk)]))
    opened: list[Browser] = []

    def browser(name: str | None) -> Browser:
        opened.append(Browser(server.url + BASE, name))
        return opened[-1]

    yield browser
    for one in opened:
        one.close()
    server.stop()


@pytest.fixture
def desk(pages: Callable[[str | None], Browser]) -> Browser:
    """Of somebody who may do everything."""
    return pages("clerk")


@pytest.fixture
def looker(pages: Callable[[str | None], Browser]) -> Browser:
    """Of somebody who may only look."""
    return pages("looker")


@pytest.fixture
def stranger(pages: Callable[[str | None], Browser]) -> Browser:
    """Of somebody who is not logged in."""
    return pages(None)
