"""The Palletforce network itself, for demo and tests: an HTTP server with living sample traffic and faults to order.

Serve ``app.create_app()`` with uvicorn. Any base path will do: ``POST {anything}/DownloadManifest``. The control paths
are described in ``control.py``. Nothing here imports the rest of Palletflow, so that client and simulator can only
agree through the wire contract.
"""

from .gazetteer import DEPOTS, depot_for
from .members import ACCESS_KEYS, ACCOUNTS, OUR_DEPOTS

__all__ = ["ACCESS_KEYS", "ACCOUNTS", "DEPOTS", "OUR_DEPOTS", "depot_for"]
