"""The order API as one ASGI application. Importing it costs no I/O; connections open at the first request."""

from collections.abc import Callable
from typing import Any

from fastapi import FastAPI, Request
from fastapi.params import Depends
from fastapi.security import HTTPBearer
from starlette.exceptions import HTTPException

from palletflow.desk import dispatch_routes, document_routes, given, movement_routes, order_routes, refusals
from palletflow.desk.contents import HEAD
from palletflow.desk.gate import Admit, Caller, Gate
from palletflow.desk.plan import Plans
from palletflow.desk.pool import Pool
from palletflow.store.connection import Connection

PREFIX = "/api/v1"
DESCRIPTION = """
Orders of a haulier and their way through the pallet networks.

**Login.** `POST /auth/token` with `{"username", "password"}` gives a token; send it as `Authorization: Bearer ...`.
Reading needs what a Viewer may do, everything else what it takes to trigger DAG runs (User and above). The cookie of
Airflow's page is enough for reading alone.

**Safe to repeat.** An order is known by its caller's own key; the same content again changes nothing.

**Errors** have one shape: `{"message", "errors": [{"field", "rule", "detail"}]}`. A rule like PF-6-2 is one of the
network's contract in docs/contracts. 409 means that the state of things does not allow it, 422 that the content is
wrong, 503 that it is worth trying again.

**Following changes.** `GET /changes` is a feed without gaps: keep `next` and go on from there.
"""
# Judged one by one and so not part of any address's own schema; published beside it.
JUDGED_SINGLY = (given.NewOrder, given.StopEvent, given.Scan, given.RouteStop, given.Eta)


def create_app(admit: Admit, connect: Callable[[], Connection]) -> Gate:
    """`admit` lets callers in (palletflow.desk.gate); `connect` opens the order store."""
    app = FastAPI(
        title="Palletflow order API",
        version="1",
        description=DESCRIPTION,
        openapi_url=f"{PREFIX}/openapi.json",
        docs_url=None,
        redoc_url=None,
        # Only said in the published OpenAPI: the gate has asked for it by then.
        dependencies=[Depends(HTTPBearer(auto_error=False, description="From POST /auth/token."))],
    )
    app.state.pool = Pool(connect)
    app.state.plans = Plans()
    refusals.install(app)
    for routes in (order_routes, dispatch_routes, movement_routes, document_routes):
        app.include_router(routes.router, prefix=PREFIX)
    published = app.openapi
    app.openapi = lambda: _with_more_schemas(published())  # type: ignore[method-assign]
    return Gate(app, admit, _meant, refusals.turned_away)


def _meant(_: Request, caller: Caller, _body: bytes) -> None:
    """Another site's page can make a browser call, and the browser brings its cookie; a header it cannot make it bring.

    Raises HTTPException.
    """
    if caller.by_cookie:
        raise HTTPException(403, "Whoever writes shows his token in a header, Authorization: Bearer ...; see the login")


def _with_more_schemas(published: dict[str, Any]) -> dict[str, Any]:
    schemas = published["components"]["schemas"]
    for model in JUDGED_SINGLY:
        schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas |= {**schema.pop("$defs", {}), model.__name__: schema}
    content = schemas["OrderContent"]
    properties = content["properties"]
    schemas["OrderChange"] = {
        "type": "object",
        "title": "OrderChange",
        "description": "Any fields of OrderContent, of its consignments and their addresses; null empties one.",
        "examples": [{"consignments": [{"delivery": {"phone": "0113 496 0123"}}]}],
        "additionalProperties": False,
        "properties": {
            **{name: {"anyOf": [properties[name], {"type": "null"}]} for name in HEAD},
            "consignments": {"type": "array", "items": {"type": "object"}},
        },
    }
    return published
