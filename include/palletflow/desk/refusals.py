"""What the order API says when it cannot do what was asked: one shape, {"message", "errors": [{field, rule, detail}]}.

400 not readable as JSON, 401 not logged in, 403 not allowed, 404 not there, 409 the state does not allow it,
413 too large, 422 the content breaks a rule, 503 try again later. A stack trace is never shown.
"""

import difflib
import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.routing import Match

from palletflow.desk import shown, unavailable
from palletflow.desk.given import KNOWN_FIELDS
from palletflow.documents.storage import DocumentLost

# pydantic's words for what a caller calls otherwise.
RULES = {"missing": "required", "extra_forbidden": "unknown_field"}
# The first part of pydantic's place says where the value came from, and is no field of the caller's.
ORIGINS = ("body", "path", "query", "header")
MESSAGES = {400: "The request cannot be read", 404: "There is nothing here", 405: "This address knows no such method"}

log = logging.getLogger(__name__)


class Fault(NamedTuple):
    """One thing that is wrong. `rule`: a code, or the id of a contract's rule."""

    field: str
    rule: str
    detail: str


class Refused(Exception):
    """Ends a request with `status` and its faults."""

    def __init__(self, status: int, message: str, faults: Sequence[Fault] = ()) -> None:
        super().__init__(message)
        self.status, self.message, self.faults = status, message, list(faults)


def unknown(what: str, field: str, value: object) -> Refused:
    """404 for something that is not there."""
    return Refused(404, f"There is no {what} '{value}'", [Fault(field, "unknown", f"no {what} has this {field}")])


def conflict(rule: str, detail: str, field: str = "") -> Refused:
    """409: what is there already does not allow it."""
    return Refused(409, detail, [Fault(field, rule, detail)])


def of_content(faults: Sequence[Fault]) -> Refused:
    """422 with everything that is wrong."""
    return Refused(422, f"{len(faults)} thing{'s' * (len(faults) > 1)} to mend", faults)


def faults_of(error: ValidationError | RequestValidationError, under: str = "") -> list[Fault]:
    """What a model did not accept, field by field. `under`: the field that held the content."""
    return [
        Fault(_place(under, entry["loc"]), RULES.get(entry["type"], entry["type"]), _detail(entry))
        for entry in error.errors()
    ]


def _place(under: str, parts: Iterable[Any]) -> str:
    place = under
    for number, part in enumerate(parts):
        if number == 0 and part in ORIGINS:
            continue
        place += f"[{part}]" if isinstance(part, int) else f".{part}" if place else str(part)
    return place


def _detail(entry: Mapping[str, Any]) -> str:
    if entry["type"] == "extra_forbidden":
        near = difflib.get_close_matches(str(entry["loc"][-1]), KNOWN_FIELDS, n=1)
        return f"there is no such field; did you mean '{near[0]}'?" if near else "there is no such field"
    pattern = entry.get("ctx", {}).get("pattern")
    if pattern is not None and entry["type"] == "string_pattern_mismatch":
        return f"holds a character that may not be here (allowed: {pattern})"
    return str(entry["msg"])


def answer(status: int, message: str, faults: Iterable[Fault] = (), headers: Mapping[str, str] | None = None) -> Any:
    """The one shape."""
    errors = [fault._asdict() for fault in faults]
    return JSONResponse({"message": message, "errors": errors}, status, dict(headers or {}))


def turned_away(_: Request, error: HTTPException) -> Any:
    """What the gate answers to somebody it does not let in."""
    return answer(error.status_code, str(error.detail), [_fault_of(error)], error.headers)


def _fault_of(error: HTTPException) -> Fault:
    return Fault("", f"http_{error.status_code}", str(error.detail))


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """These statuses and those that any request may get, for the published OpenAPI."""
    return {status: {"model": shown.Refusal} for status in sorted({*statuses, 401, 403, 422, 503})}


def _methods(request: Request) -> list[str]:
    """What the address does know; each of its methods is a route of its own."""
    routes = (route for route in request.app.routes if route.matches(request.scope)[0] is not Match.NONE)
    return sorted({method for route in routes for method in route.methods})


def install(app: FastAPI) -> None:
    """Lets the application answer every refusal and failure in the one shape."""

    @app.exception_handler(Refused)
    async def refused(_: Request, error: Refused) -> Any:
        return answer(error.status, error.message, error.faults)

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> Any:
        if any(entry["type"] == "json_invalid" for entry in error.errors()):
            return answer(400, MESSAGES[400], [Fault("", "json", "the body is not JSON")])
        made = of_content(faults_of(error))
        return answer(made.status, made.message, made.faults)

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> Any:
        if error.status_code == 405:
            error.headers = {"Allow": ", ".join(_methods(request))}
        message = MESSAGES.get(error.status_code, str(error.detail))
        return answer(error.status_code, message, [_fault_of(error)], error.headers)

    async def away(request: Request, error: Exception) -> Any:
        log.warning("%s %s: %s", request.method, request.url.path, error)
        fault = Fault("", "unavailable", unavailable.reason(error))
        return answer(503, "Not available just now", [fault], {"Retry-After": "5"})

    unavailable.install(app, away)

    @app.exception_handler(DocumentLost)
    async def lost(_: Request, error: DocumentLost) -> Any:
        return answer(404, "The document's bytes are gone", [Fault("id", "lost", str(error))])

    @app.exception_handler(Exception)
    async def failed(_: Request, _error: Exception) -> Any:
        fault = Fault("", "failed", "the reason is in the web server's log")
        return answer(500, "This went wrong on our side", [fault])
