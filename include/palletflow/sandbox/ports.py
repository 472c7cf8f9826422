"""Ports on this machine: which are free, and a clear word about those that are not."""

import socket
from collections.abc import Iterable
from contextlib import ExitStack

from palletflow.sandbox.errors import SandboxError


def require_free(host: str, port: int, wanted_for: str, setting: str) -> None:
    """Raises SandboxError, naming port and setting, when something else listens on the port."""
    try:
        _bind(host, port).close()
    except OSError as error:
        raise SandboxError(
            f"Port {port} on {host} is wanted for {wanted_for} and cannot be had ({error.strerror}). "
            f"Stop what uses it, or choose another port with {setting}."
        ) from error


def free_ports(host: str, count: int) -> list[int]:
    """Finds that many different free ports."""
    with ExitStack() as held:
        return [held.enter_context(_bind(host, 0)).getsockname()[1] for _ in range(count)]


def choose(host: str, ports: Iterable[int]) -> list[int]:
    """Replaces every port 0 by a free one."""
    wanted = list(ports)
    found = iter(free_ports(host, wanted.count(0)))
    return [port or next(found) for port in wanted]


def _bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        # Connections of an earlier house in TIME_WAIT do not stop servers from binding, so they do not count here.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(1)
    except OSError:
        listener.close()
        raise
    return listener
