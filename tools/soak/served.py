"""The servers of the night's house, each a process that follows its clock: a simulated network, or the order API.

python -m soak.served <home> palletways <port> [ftp=<port> ...]
python -m soak.served <home> api <port>
"""

import os
import sys
from pathlib import Path
from typing import Any

from soak.clock import Clock

HOST = "127.0.0.1"
API = "api"


def main(home: Path, what: str, port: int, more: dict[str, int]) -> None:
    """Serves until it is told to end, or killed."""
    import uvicorn

    Clock(home / "clock").follow()
    app = _order_api() if what == API else _network(what, more)
    uvicorn.run(app, host=HOST, port=port, log_level="warning", timeout_graceful_shutdown=2)


def _network(name: str, ports: dict[str, int]) -> Any:
    """A network whose sample traffic the seed decides. Palletforce's is made by the night, as its own is too much."""
    from palletflow.discovery import network_part

    seed = int(os.environ["SOAK_SEED"])
    return network_part(name, "simulator.app").create_app(seed=seed, traffic=name != "palletforce", **ports)


def _order_api() -> Any:
    """As the plugin makes it, but that everybody is let in, as the night has no Airflow to log in to."""
    from palletflow.airflow import order_store
    from palletflow.desk.app import create_app
    from palletflow.desk.gate import Caller

    async def admit(_request: Any, _writes: bool) -> Caller:
        return Caller("night", may_write=True, by_cookie=False)

    return create_app(admit, order_store.connect)


if __name__ == "__main__":
    named = (given.partition("=") for given in sys.argv[4:])
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), {name: int(port) for name, _, port in named})
