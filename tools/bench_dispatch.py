"""The speed of dispatch in the running stack: from the dispatch task's completion to the last label attached.

`python tools/bench_dispatch.py` prints it; tools/bench.py prints it with all the others.
"""

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import requests

from figures import Figure, expect
from palletflow.networks.palletforce.simulator import ACCESS_KEYS
from palletflow.sandbox.house import House, running_house
from palletflow.sandbox.postgres import EmbeddedPostgres
from palletflow.sandbox.settings import from_environment
from palletflow.sandbox.terminal import Terminal
from palletflow.store.connection import connect

IN_BULK, ONE_BY_ONE = 1000, 60
# Longer than a drain lingers, so that each of these finds nothing running.
INTO_SILENCE, SILENCE_S = 5, 25.0
PROMISED_S = 3.0
PATIENCE_S = 600
PALLETS = ["F", "H"]
ANY_FREE_PORTS = dict.fromkeys(("PALLETFLOW_PORT", "PALLETFLOW_POSTGRES_PORT", "PALLETFLOW_SIMULATOR_PORT"), "0")
DELIVERY = {
    "name": "Receiver", "street": "2 High Street", "town": "Leeds", "postcode": "LS1 1AA", "phone": "0113 496 0001",
}  # fmt: skip
LABELLED = """
SELECT count(*) FILTER (WHERE labels = %(pallets)s), extract(epoch FROM max(last) - min(completed_at))::float8,
       (percentile_disc(0.95) WITHIN GROUP (ORDER BY extract(epoch FROM last - completed_at)))::float8
FROM (
    SELECT t.completed_at, count(d.id) AS labels, max(d.created_at) AS last
    FROM dispatch_tasks t JOIN documents d USING (consignment_id)
    WHERE t.trip LIKE %(trips)s AND d.kind = 'NETWORK_LABEL' GROUP BY t.consignment_id
) dispatched
"""


@contextmanager
def house() -> Iterator[House]:
    """A house of its own, thrown away afterwards."""
    home = Path(tempfile.mkdtemp(prefix="palletflow-bench-"))
    settings = replace(from_environment({**os.environ, **ANY_FREE_PORTS}), home=home)
    try:
        with running_house(settings, Terminal(sys.stderr)) as standing:
            standing.run_first()
            yield standing
    finally:
        EmbeddedPostgres(home).remove()
        shutil.rmtree(home, ignore_errors=True)


def order(key: str) -> dict[str, Any]:
    """An order of two pallets for the neighbouring depot."""
    consignment = {
        "network": "palletforce", "service": "A", "collection_date": f"{datetime.now(UTC):%Y-%m-%d}", "weight_kg": 850,
        "pallet_types": PALLETS, "delivery": DELIVERY,
    }  # fmt: skip
    return {"key": key, "customer": "ACME", "reference": key, "consignments": [consignment]}


def dispatch(standing: House, key: str) -> None:
    """Puts an order on a trip whose dispatch task completes itself."""
    standing.api.orders("PUT", f"orders/{key}/trip", {"trip": key, "resource": "PALLETFORCE_AUTO"})


def labelled(standing: House, run: str, count: int) -> tuple[float, float]:
    """Waits until every order of a run has its labels; seconds from first completion to last label, and the p95."""
    deadline = time.monotonic() + PATIENCE_S
    with connect(standing.order_store_dsn) as conn:
        while True:
            [(done, seconds, p95)] = conn.execute(LABELLED, {"pallets": len(PALLETS), "trips": f"{run}-%"}).fetchall()
            if done == count:
                break
            expect(time.monotonic() < deadline)
            time.sleep(0.2)
    held = requests.get(f"{standing.simulators['palletforce']}/_sim/consignments", timeout=60).json()["consignments"]
    sent = [one["customersUniqueReference"] for one in held if one["customersUniqueReference"].startswith(f"{run}-")]
    expect(len(sent) == len(set(sent)))
    return float(seconds), float(p95)


def in_bulk(standing: House) -> float:
    """Seconds from the first completed task of 1,000 orders to the last label."""
    orders = [order(f"BULK-{number}") for number in range(IN_BULK)]
    expect(standing.api.orders("POST", "bulk/orders", {"orders": orders}).json()["created"] == IN_BULK)
    with ThreadPoolExecutor(8) as callers:
        list(callers.map(lambda entered: dispatch(standing, entered["key"]), orders))
    return labelled(standing, "BULK", IN_BULK)[0]


def one_at_a_time(standing: House, run: str, count: int, pause_s: float) -> float:
    """The p95 of seconds from completion to the last label, when orders come with pauses."""
    for number in range(count):
        key = f"{run}-{number}"
        standing.api.orders("POST", "orders", order(key))
        dispatch(standing, key)
        time.sleep(pause_s)
    return labelled(standing, run, count)[1]


def calls_alone(base_url: str) -> float:
    """The yardstick: the calls that 1,000 dispatches make, two at a time, and nothing else; seconds."""
    key = ACCESS_KEYS["900"]
    place = {
        "name": "Acme Widgets Ltd", "streetAddress": "1 Mill Road", "location": "", "town": "Leicester", "county": "",
        "postcode": "LE1 1AA", "countryCode": "GB", "phoneNumber": "0116 496 0101", "contactName": "Despatch",
    }  # fmt: skip
    to = {**place, "town": "Leeds", "postcode": "LS1 1AA"}
    blank = dict.fromkeys(
        (
            "collectingDepot", "deliveryDepot", "trackingNumber", "surcharges", "customersUniqueReference2",
            "insuranceCode", "customerCharge", "deliveryVehicleCode", "consignmentType", "hubIdentifyingCode",
            "cartonCount", "aSNFBABOLReferenceNumber",
        ),
        "",
    )  # fmt: skip

    def one(number: int) -> None:
        transaction = f"YARDSTICK-{number}"
        consignment = {
            **blank, "requestingDepot": "900", "consignmentNumber": f"{number:07d}",
            "CustomerAccountNumber": "acme 001",
            "datesAndTimes": [{"dateTimeType": "COLD", "value": f"{datetime.now(UTC):%Y%m%d}"}],
            "pallets": [{"palletType": kind, "numberofPallets": "1"} for kind in PALLETS],
            "palletSpaces": "2", "weight": "850", "serviceName": "A", "customersUniqueReference": transaction,
            "notes": [{"noteName": "", "value": ""}], "nonPalletforceConsignment": "N", "notifications": [],
            "additionalDetails": {"lines": []},
        }  # fmt: skip
        registered = call(
            "UploadManifest",
            uniqueTransactionNumber=transaction,
            collectionAddress=place,
            deliveryAddress=to,
            consignments=[consignment],
        )
        [tracking_number] = registered["successfulTrackingCodes"]
        call("DownloadManifest", trackingNumber=tracking_number)
        for pallet in range(1, len(PALLETS) + 1):
            call(
                "DownloadLabel",
                trackingNumber=tracking_number,
                palletNumber=str(pallet),
                uniqueTransactionNumber=transaction,
            )

    with requests.Session() as session, ThreadPoolExecutor(2) as callers:

        def call(operation: str, **fields: Any) -> Any:
            answer = session.post(f"{base_url}/{operation}", json={"accessKey": key, **fields}, timeout=60)
            answer.raise_for_status()
            return answer.json()

        start = time.perf_counter()
        list(callers.map(one, range(9_000_000, 9_000_000 + IN_BULK)))
        return time.perf_counter() - start


def dispatch_figures() -> list[Figure]:
    """1,000 orders in bulk, a stream of single ones, and single ones into an idle house."""
    with house() as standing:
        print(f"dispatch: {IN_BULK:,} orders in bulk ...", flush=True)
        bulk = in_bulk(standing)
        alone = calls_alone(f"{standing.simulators['palletforce']}/api/ExternalScanning")
        print(f"dispatch: {ONE_BY_ONE} orders one by one ...", flush=True)
        stream = one_at_a_time(standing, "STREAM", ONE_BY_ONE, 0.5)
        print(f"dispatch: {INTO_SILENCE} orders into silence ...", flush=True)
        time.sleep(SILENCE_S)
        silence = one_at_a_time(standing, "SILENCE", INTO_SILENCE, SILENCE_S)
    return [
        Figure(f"{IN_BULK:,} orders in bulk, all labelled", bulk, "the same calls alone, two at a time", alone, 3),
        Figure("task completed to labels, p95, stream", stream, "promised", PROMISED_S, 1),
        Figure("... into an idle house, longest", silence, "promised", PROMISED_S, 1),
    ]


if __name__ == "__main__":
    for figure in dispatch_figures():
        print(f"{figure.name}: {figure.measured:.2f} s; {figure.yardstick}: {figure.yardstick_measured:.2f} s")
