"""The application of a simulated network: it can end connections in every way, and has control paths.

``/_sim/...`` is how a test or a demo steers the network; it is no part of the wire. Every path takes and gives a JSON
object; a POST without a body counts as ``{}``. A request that makes no sense is answered 422 ``{"error": sentence}``
and changes nothing, one for a path or a thing that is not there 404.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from fastapi import FastAPI
from fastapi import Request as HttpRequest
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from .sockets import CONNECTION, connection_of

S = TypeVar("S")
Body = dict[str, Any]
Query = dict[str, str]


class Application(FastAPI):
    """Remembers uvicorn's own connection object in the scope, before FastAPI wraps ``send`` out of reach."""

    def __init__(self, title: str, **more: Any) -> None:
        super().__init__(title=title, docs_url=None, redoc_url=None, openapi_url=None, **more)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope[CONNECTION] = connection_of(send)
        await super().__call__(scope, receive, send)


@dataclass(frozen=True)
class Paths(Generic[S]):
    """What stands behind ``/_sim/``, by path: functions of the simulation and the query or body.

    They raise ValueError for what makes no sense and LookupError for what is not there, each with a sentence.
    ``posts_of_one`` stand behind ``consignments/{id}/`` and get the consignment that ``find`` found, None = there is
    none.
    """

    gets: Mapping[str, Callable[[S, Query], Body]]
    posts: Mapping[str, Callable[[S, Body], Body]]
    posts_of_one: Mapping[str, Callable[[S, Body, Any], Body]] = field(default_factory=dict)
    find: Callable[[S, str], Any] = lambda simulation, number: None

    def get(self, simulation: S, path: str, query: Query) -> Body:
        """Answer a GET. Raises LookupError and ValueError."""
        if path not in self.gets:
            raise LookupError(f"There is no control path GET /_sim/{path}; there are: {', '.join(self.gets)}")
        return self.gets[path](simulation, query)

    def post(self, simulation: S, path: str, body: Any) -> Body:
        """Answer a POST. Raises LookupError and ValueError."""
        if not isinstance(body, dict):
            raise ValueError("The request body must be a JSON object")  # noqa: TRY004
        if path in self.posts:
            return self.posts[path](simulation, body)
        match path.split("/"):
            case ["consignments", number, name] if name in self.posts_of_one:
                one = self.find(simulation, number)
                if one is None:
                    raise LookupError(f"There is no consignment {number}")
                return self.posts_of_one[name](simulation, body, one)
        names = (*self.posts, *(f"consignments/{{id}}/{name}" for name in self.posts_of_one))
        raise LookupError(f"There is no control path POST /_sim/{path}; there are: {', '.join(names)}")


def add_control(app: FastAPI, simulation: S, paths: Paths[S]) -> None:
    """Give an application its control paths; call it before a route for all paths is added."""

    @app.api_route("/_sim/{path:path}", methods=["GET", "POST"])
    async def control(path: str, http: HttpRequest) -> Response:
        try:
            if http.method == "GET":
                return JSONResponse(paths.get(simulation, path, dict(http.query_params)))
            return JSONResponse(paths.post(simulation, path, _json(await http.body() or b"{}")))
        except LookupError as missing:
            return _error(404, str(missing.args[0]))
        except ValueError as problem:
            return _error(422, str(problem))


def _json(text: bytes) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError("The request body is not JSON") from None


def _error(status: int, sentence: str) -> Response:
    return JSONResponse({"error": sentence}, status)
