"""The order desk as one ASGI application. Importing it costs no I/O; connections open at the first request."""

from collections.abc import Callable

from fastapi import FastAPI

from palletflow.desk.gate import Admit, Gate
from palletflow.desk.pages import attention, consignment, documents, failures, find, links, quarantine, render, today
from palletflow.desk.pages.forms import FormTokens
from palletflow.desk.pipelines import Pipelines
from palletflow.desk.plan import Plans
from palletflow.desk.pool import Pool
from palletflow.store.connection import Connection


def create_pages(admit: Admit, connect: Callable[[], Connection], signing_key: bytes, pipelines: Pipelines) -> Gate:
    """`admit` lets callers in (palletflow.desk.gate); `connect` opens the order store; `signing_key` signs forms."""
    app = FastAPI(title="Palletflow order desk", openapi_url=None, docs_url=None, redoc_url=None)
    app.state.pool = Pool(connect)
    app.state.plans = Plans()
    app.state.pipelines = pipelines
    app.state.form_tokens = tokens = FormTokens(signing_key)
    failures.install(app)
    for routes in (render, today, find, consignment, documents, links, attention, quarantine):
        app.include_router(routes.router)
    return Gate(app, admit, tokens.meant, failures.turned_away)
