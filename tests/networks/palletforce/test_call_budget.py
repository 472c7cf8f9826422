"""What all processes together send to Palletforce (contract 1.1 and 1.3)."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from palletflow.network_errors import Throttled
from palletflow.networks.palletforce import settings
from palletflow.networks.palletforce.client import PalletforceClient
from palletflow.networks.palletforce.simulator import ACCESS_KEYS
from palletflow.store.connection import connect
from palletflow.work.budget import CallBudget

PATIENCE_S = 30
ALLOWED = 2


class Counting:
    """A network that knows nothing and counts how many ask it at once."""

    def __init__(self) -> None:
        self.busy = self.highest = self.answered = 0
        self.change = threading.Condition()
        counting = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                self.rfile.read(int(self.headers["Content-Length"]))
                with counting.change:
                    counting.busy += 1
                    counting.highest = max(counting.highest, counting.busy)
                    counting.change.notify_all()
                    # Answers once as many are here as are allowed, and gives one more the time to come.
                    counting.change.wait_for(lambda: counting.highest >= ALLOWED, timeout=PATIENCE_S)
                    counting.change.wait_for(lambda: counting.busy > ALLOWED, timeout=0.03)
                    counting.busy -= 1
                    counting.answered += 1
                body = b'{"success": true, "totalRecords": "0", "manifests": []}'
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                """Silence."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/api"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def counting() -> Iterator[Counting]:
    served = Counting()
    yield served
    served.server.shutdown()
    served.server.server_close()


@pytest.mark.rule("PF-1.1-11")
def test_two_processes_together_have_no_more_calls_in_flight_than_the_connection_allows(dsn, counting):
    script = Path(__file__).with_name("call_often.py")
    processes = [subprocess.Popen([sys.executable, str(script), dsn, counting.url]) for _ in range(2)]
    for process in processes:
        assert process.wait(PATIENCE_S) == 0
    assert (counting.answered, counting.highest) == (24, ALLOWED)


@pytest.mark.rule("PF-1.3-11")
def test_when_the_network_asks_one_client_for_a_pause_all_keep_it(dsn, conn, simulator):
    simulator.fault("http_429", retry_after=50)
    parsed = settings.parse("palletforce_900", simulator.base_url, ACCESS_KEYS["900"], {"allow_http": True})
    pauses: list[float] = []

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        conn.execute("UPDATE call_budgets SET paused_until = now()")  # as if it were over

    def paused(_: float) -> None:
        raise AssertionError

    with (
        CallBudget(lambda: connect(dsn), parsed.connection, 2) as first,
        CallBudget(lambda: connect(dsn), parsed.connection, 2) as second,
    ):
        with (
            PalletforceClient(parsed, {}, budget=first, sleep=paused) as struck,
            pytest.raises(AssertionError),
        ):
            struck.check()
        with pytest.raises(Throttled) as told, second.call():
            raise AssertionError("called during the pause")
        assert 40 < told.value.retry_after <= 50
        with PalletforceClient(parsed, {}, budget=second, sleep=pause) as other:
            other.check()

    assert 40 < pauses[0] <= 50
    assert len(pauses) == 1
    assert [entry["status"] for entry in simulator.journal()] == [429, 200]
