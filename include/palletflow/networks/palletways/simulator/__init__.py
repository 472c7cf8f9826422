"""The Palletways network itself, for demo and tests: web services, file servers, and faults to order.

Serve ``app.create_app()`` with uvicorn; API2 stands at ``/``, the portal at ``/api/``. The control paths are described
in ``control.py``. Nothing here imports the rest of Palletflow but ``palletflow.simulation``, so that client and
simulator can only agree through the wire contract.
"""

from .members import ACCOUNTS, DEPOTS, KEYS, OUR_DEPOTS, UPLOAD_PASSWORD, UPLOAD_USERS

__all__ = ["ACCOUNTS", "DEPOTS", "KEYS", "OUR_DEPOTS", "UPLOAD_PASSWORD", "UPLOAD_USERS"]
