"""Makes calls within a minute budget, in a process of its own.

Arguments: order store DSN, rate group, calls a minute, background calls a minute, seconds a minute has, threads, calls
a thread makes, "background" or "foreground".
"""

import sys
import threading

from palletflow.store import call_windows
from palletflow.store.connection import connect
from palletflow.work.minute_budget import MinuteBudget

dsn, group, most, background_most, minute_s, threads, calls, lane = sys.argv[1:]
call_windows.WINDOW_S = float(minute_s)


def work() -> None:
    for _ in range(int(calls)):
        with ours.call():
            pass


with MinuteBudget(lambda: connect(dsn), group, int(most), int(background_most)) as budget:
    ours = budget.lane("palletways_123", lambda: True, background=lane == "background")
    working = [threading.Thread(target=work) for _ in range(int(threads))]
    for thread in working:
        thread.start()
    for thread in working:
        thread.join()
