"""What no answer can do without and is away just now: the order store, the documents' storage, a settings file."""

from collections.abc import Callable
from typing import Any

from fastapi import FastAPI, Request

from palletflow.checked_yaml import FileFault
from palletflow.documents.storage import StorageUnavailable
from palletflow.store.connection import ConnectionLost, DatabaseUnavailable

OF_STORE = (DatabaseUnavailable, ConnectionLost)


def install(app: FastAPI, answer: Callable[[Request, Exception], Any]) -> None:
    """Lets `answer`, a coroutine function, answer every request that ends so."""
    for kind in (*OF_STORE, StorageUnavailable, FileFault):
        app.add_exception_handler(kind, answer)


def reason(error: Exception) -> str:
    """What is told of it."""
    # The texts of our own errors are for people and hold no secret; what Postgres says may hold address and user.
    if isinstance(error, OF_STORE):
        return "The order store does not answer; the web server's log says why."
    return str(error)
