"""What the pages say when something cannot be shown or done: what happened, and what to do."""

import logging
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from palletflow.desk import unavailable
from palletflow.desk.pages.render import page
from palletflow.desk.refusals import Refused
from palletflow.documents.storage import DocumentLost

TITLES = {
    400: "This cannot be read",
    401: "You are not logged in",
    403: "You may not do this",
    404: "There is nothing here",
    405: "There is nothing here",
    409: "Not as things stand",
    413: "That is too large",
    422: "Something is to be mended first",
    500: "This went wrong on our side",
    503: "Not available just now",
}

log = logging.getLogger(__name__)


def turned_away(request: Request, error: HTTPException) -> Any:
    """What the gate answers to somebody it does not let in."""
    return _failure(request, error.status_code, str(error.detail))


def _failure(request: Request, status: int, message: str, details: list[str] | None = None) -> Any:
    title = TITLES.get(status, TITLES[500])
    return page(request, "failure.html", status, code=status, title=title, message=message, details=details or [])


def install(app: FastAPI) -> None:
    """Lets the application answer every refusal and failure with a page."""

    @app.exception_handler(Refused)
    async def refused(request: Request, error: Refused) -> Any:
        return _failure(request, error.status, error.message, [fault.detail for fault in error.faults])

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Any:
        details = [f"{'.'.join(str(part) for part in entry['loc'][1:])}: {entry['msg']}" for entry in error.errors()]
        return _failure(request, 422, "What was sent does not fit this address.", details)

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> Any:
        return _failure(request, error.status_code, str(error.detail))

    async def away(request: Request, error: Exception) -> Any:
        log.warning("%s %s: %s", request.method, request.url.path, error)
        return _failure(request, 503, f"{unavailable.reason(error)} Nothing was lost. Try again in a moment.")

    unavailable.install(app, away)

    @app.exception_handler(DocumentLost)
    async def lost(request: Request, error: DocumentLost) -> Any:
        return _failure(request, 404, f"The document's bytes are gone: {error}")

    @app.exception_handler(Exception)
    async def failed(request: Request, _error: Exception) -> Any:
        return _failure(request, 500, "The reason is in the web server's log.")
