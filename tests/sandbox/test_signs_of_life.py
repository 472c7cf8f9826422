"""Whether a component of Airflow lives, as its page says."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from palletflow.sandbox.signs_of_life import is_well


@pytest.fixture
def told() -> dict[str, Any]:
    """What the page says; a text for what is no JSON."""
    return {"metadatabase": {"status": "healthy"}, "scheduler": {"status": "healthy"}}


@pytest.fixture
def page(told: dict[str, Any]) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/api/v2/monitor/health" else 404)
            self.end_headers()
            self.wfile.write(json.dumps(told).encode() if told else b"<html>")

        def log_message(self, *_: object) -> None:
            """Silence."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_only_a_page_that_knows_says_whether_a_component_lives(page: str, told: dict[str, Any]) -> None:
    assert is_well(page, "scheduler") is True
    told["scheduler"]["status"] = "unhealthy"
    assert is_well(page, "scheduler") is False
    assert is_well(page, "triggerer") is None
    told["metadatabase"]["status"] = "unhealthy"
    assert is_well(page, "scheduler") is None
    told.clear()
    assert is_well(page, "scheduler") is None
    assert is_well("http://127.0.0.1:1", "scheduler") is None
