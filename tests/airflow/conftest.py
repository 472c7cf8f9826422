"""Where people are told: a real webhook, a real mail server; and the order store as Airflow's processes find it."""

import json
import socketserver
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest


@pytest.fixture
def order_store(conn, monkeypatch):
    """The order store as Airflow's processes find it."""
    given = conn.info.get_parameters()
    address = {"conn_type": "postgres", "host": given["host"], "port": int(given.get("port", 5432))}
    address |= {"login": given["user"], "password": conn.info.password, "schema": given["dbname"]}
    monkeypatch.setenv("AIRFLOW_CONN_ORDER_STORE", json.dumps(address))
    return conn


def serving(server):
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    return server


@pytest.fixture
def webhook(monkeypatch):
    received = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            refused = body["text"] == "refuse this"
            if not refused:
                received.append((self.headers["Authorization"], body))
            self.send_response(400 if refused else 200)
            self.end_headers()

        def log_message(self, *_):
            """Silence."""

    server = serving(HTTPServer(("127.0.0.1", 0), Handler))
    connection = {"conn_type": "http", "host": f"http://127.0.0.1:{server.server_port}/hook", "password": "hook-token"}
    monkeypatch.setenv("AIRFLOW_CONN_ALERT_WEBHOOK", json.dumps(connection))
    yield received
    server.shutdown()
    server.server_close()


@pytest.fixture
def mailbox(monkeypatch):
    received = []

    class Handler(socketserver.StreamRequestHandler):
        """As much SMTP as a mail needs."""

        def handle(self):
            self.say("220 here")
            for line in self.rfile:
                word = line.split()[0].upper()
                if word == b"DATA":
                    self.say("354 go on")
                    received.append(b"".join(iter(self.rfile.readline, b".\r\n")).decode())
                self.say("221 bye" if word == b"QUIT" else "250 fine")

        def say(self, text):
            self.wfile.write(f"{text}\r\n".encode())

    server = serving(socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler))
    connection = {
        "conn_type": "smtp",
        "host": "127.0.0.1",
        "port": server.server_address[1],
        "extra": {"from": "palletflow@example.com", "to": ["ops@example.com", "night@example.com"], "starttls": False},
    }
    monkeypatch.setenv("AIRFLOW_CONN_ALERT_MAIL", json.dumps(connection))
    yield received
    server.shutdown()
    server.server_close()
