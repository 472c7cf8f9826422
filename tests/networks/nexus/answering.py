"""A server that answers byte by byte as a test tells it: for what the simulator, which keeps to HTTP, cannot say."""

import contextlib
import json
import socket
import struct
import threading
from collections.abc import Callable
from typing import Any, NamedTuple

PASSWORD = "canary-password-of-tests"
BEARER, REFRESH = "canary-bearer-1", "canary-refresh-1"
# What no log, error or repr may hold.
CANARY = "canary"
DEADLINE_S = 10


class Request(NamedTuple):
    """One request as it stood on the wire; header names in lower case."""

    line: str
    headers: dict[str, str]
    raw: bytes

    @property
    def path(self) -> str:
        """With its query."""
        return self.line.split()[1]

    @property
    def body(self) -> Any:
        return json.loads(self.raw)

    @property
    def is_login(self) -> bool:
        return "Account/login" in self.line


Answer = bytes | Callable[[socket.socket, Request], None]


def answered(status: int, body: Any = b"", **headers: str) -> bytes:
    """A whole HTTP answer; what is neither text nor bytes goes as JSON."""
    if not isinstance(body, str | bytes):
        body = json.dumps(body)
    if isinstance(body, str):
        body = body.encode()
    lines = [f"HTTP/1.1 {status} x", f"Content-Length: {len(body)}", "Connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def tokens(number: int = 1) -> dict[str, str]:
    """What a login answers."""
    return {"bearerToken": f"canary-bearer-{number}", "refreshToken": f"canary-refresh-{number}"}


class Server:
    """Gives each request the next of `answers`, the last of them for ever. One request a connection.

    Logins are answered besides: with `logins` in turn, without them each with new tokens.
    """

    def __init__(self, *answers: Answer, logins: tuple[Answer, ...] = ()) -> None:
        self._answers, self._logins = answers, logins
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self.root = f"http://{self.address}"
        self.url = f"{self.root}/v1/"
        self.all_requests: list[Request] = []
        self._lock = threading.Lock()
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def requests(self) -> list[Request]:
        """Those that are no logins."""
        return [request for request in self.all_requests if not request.is_login]

    @property
    def logins(self) -> list[Request]:
        return [request for request in self.all_requests if request.is_login]

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # closing alone would let one more connection in
        self._listener.close()
        for connection in self._open:
            connection.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError):
            self._open.append(connection)
            request = _read(connection)
            if request is None:
                return
            answer = self._answer(request)
            if callable(answer):
                answer(connection, request)
            else:
                connection.sendall(answer)
            connection.close()

    def _answer(self, request: Request) -> Answer:
        with self._lock:
            self.all_requests.append(request)
            logins, others = len(self.logins), len(self.requests)
        if request.is_login:
            return self._logins[min(logins, len(self._logins)) - 1] if self._logins else answered(200, tokens(logins))
        return self._answers[min(others, len(self._answers)) - 1] if self._answers else answered(200, [])


def _read(connection: socket.socket) -> Request | None:
    received = b""
    while b"\r\n\r\n" not in received:
        part = connection.recv(65536)
        if not part:
            return None
        received += part
    head, _, body = received.partition(b"\r\n\r\n")
    line, *lines = head.decode().split("\r\n")
    headers = {name.lower(): value for name, value in (text.split(": ", 1) for text in lines)}
    while len(body) < int(headers.get("content-length", 0)):
        body += connection.recv(65536)
    return Request(line, headers, body)


def silent(connection: socket.socket, _: Request) -> None:
    """Never answers; ends when the client goes away."""
    connection.recv(1)


def reset(connection: socket.socket, _: Request) -> None:
    """Cuts the connection after reading the request."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def refused_address() -> str:
    """A base URL at which nobody listens."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{unused.getsockname()[1]}/v1/"
