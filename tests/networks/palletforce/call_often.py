"""Asks Palletforce a dozen times from three threads, in a process of its own.

Arguments: order store DSN, base URL. The connection allows two calls in flight.
"""

import sys
from concurrent.futures import ThreadPoolExecutor

from palletflow.networks.palletforce import settings
from palletflow.networks.palletforce.client import PalletforceClient
from palletflow.store.connection import connect
from palletflow.work.budget import CallBudget

dsn, base_url = sys.argv[1:]
parsed = settings.parse("palletforce_900", base_url, "key", {"allow_http": True})
with (
    CallBudget(lambda: connect(dsn), parsed.connection, parsed.max_in_flight) as budget,
    PalletforceClient(parsed, {}, budget=budget) as client,
    ThreadPoolExecutor(3) as pool,
):
    for asked in [pool.submit(client.check) for _ in range(12)]:
        asked.result()
