"""The Nexus network itself, for demo and tests: a REST server with living sample traffic and faults to order.

Serve ``app.create_app()`` with uvicorn; the tree stands under ``/v1/``, Optimize under ``/optimize/``. The control
paths are described in ``control.py``. Nothing here imports the rest of Palletflow, so that client and simulator can
only agree through the wire contract.
"""

from .members import CUSTOMERS, DEPOTS, OPTIMIZE_KEY, OUR_DEPOTS, PASSWORD, USERS

__all__ = ["CUSTOMERS", "DEPOTS", "OPTIMIZE_KEY", "OUR_DEPOTS", "PASSWORD", "USERS"]
