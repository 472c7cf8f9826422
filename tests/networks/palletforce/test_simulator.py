"""The Palletforce simulator over real sockets: its control paths, switches, faults, rules and sample traffic."""

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
import uvicorn
from fastapi import FastAPI

from palletflow.networks.palletforce.simulator import ACCESS_KEYS, ACCOUNTS, DEPOTS, depot_for
from palletflow.networks.palletforce.simulator.app import create_app

NOW = datetime(2026, 7, 15, 9, 0, tzinfo=UTC)  # Wednesday, 10:00 in London
TODAY = ("2026-07-15T00:00:00", "2026-07-16T00:00:00")
NUMBER = "9050020000777"
DEADLINE_S = 20


@contextmanager
def serving(app: FastAPI, **config: Any) -> Iterator[str]:
    """Serve ``app`` on a free loopback port; yields its address, and fails when the server does not stop again."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", **config))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    wait_until(lambda: server.started)
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(DEADLINE_S)
        assert not thread.is_alive(), "the server did not stop"


def wait_until(true: Any) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not true():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.01)


class Network:
    """A served simulator as tests speak to it."""

    def __init__(self, address: str, base: str = "/api/ExternalScanning") -> None:
        self.address = address
        self.base = base
        self.session = requests.Session()

    def post(self, operation: str, body: Any, timeout: float = DEADLINE_S, **headers: str) -> requests.Response:
        url = f"{self.address}{self.base}/{operation}"
        return self.session.post(url, json=body, headers=headers, timeout=timeout)

    def call(self, operation: str, *, depot: str = "900", **body: Any) -> requests.Response:
        return self.post(operation, {"accessKey": ACCESS_KEYS[depot], **body})

    def control(self, path: str, **body: Any) -> Any:
        answer = self.session.post(f"{self.address}/_sim/{path}", json=body, timeout=DEADLINE_S)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def journal(self) -> list[dict[str, Any]]:
        requests_seen: list[dict[str, Any]] = self.session.get(f"{self.address}/_sim/journal").json()["requests"]
        return requests_seen

    def held(self, **query: str) -> list[dict[str, Any]]:
        """What the network holds."""
        answer = self.session.get(f"{self.address}/_sim/consignments", params=query, timeout=DEADLINE_S).json()
        assert answer["total"] == len(answer["consignments"])
        return list(answer["consignments"])

    def page(self, depot: str = "900", window: tuple[str, str] = TODAY, **more: str) -> Any:
        answer = self.pull(depot, window, **more)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def pull(self, depot: str = "900", window: tuple[str, str] = TODAY, **more: str) -> requests.Response:
        body = {"depot": depot, "fromDateTime": window[0], "toDateTime": window[1], **more}
        return self.post("DownloadManifest", {"accessKey": ACCESS_KEYS[depot], **body})

    def pull_all(self, depot: str = "900", window: tuple[str, str] = TODAY) -> list[Any]:
        first = self.page(depot, window)
        pages = [self.page(depot, window, pageNumber=str(n)) for n in range(2, int(first["totalPages"]) + 1)]
        return [manifest for page in [first, *pages] for manifest in page["manifests"]]

    def fetch(self, number: str, depot: str = "900") -> Any:
        manifests = self.call("DownloadManifest", depot=depot, trackingNumber=number).json()["manifests"]
        return manifests[0]["consignments"][0] if manifests else None

    def tracking(self, number: str, depot: str = "900") -> list[Any]:
        events: list[Any] = self.call("DownloadTracking", depot=depot, trackingNumber=number).json()["trackingData"]
        return events

    def make(self, **body: Any) -> str:
        """Create one consignment that depot 900 delivers for 905, and return its number."""
        fields = {"requestingDepot": "905", "collectingDepot": "905", "deliveryDepot": "900", "serviceName": "A"}
        order = {"trackingNumber": NUMBER, "role": "delivered", **body, "fields": {**fields, **body.get("fields", {})}}
        return str(self.control("consignments", **order)["trackingNumbers"][0])


@pytest.fixture(scope="module")
def quiet_server() -> Iterator[Network]:
    with serving(create_app(seed=1, now=NOW, traffic=False)) as address:
        yield Network(address)


@pytest.fixture
def quiet(quiet_server: Network) -> Network:
    """A network without sample traffic, its clock at NOW, as on its first day."""
    quiet_server.control("reset", now=NOW.isoformat())
    return quiet_server


@pytest.fixture(scope="module")
def busy() -> Iterator[Network]:
    """A network with sample traffic, its clock at NOW. Tests on it only read."""
    with serving(create_app(seed=1, now=NOW)) as address:
        yield Network(address)


def upload(**changes: Any) -> dict[str, Any]:
    """A good UploadManifest body of depot 900; ``changes`` are top-level, ``consignment__x`` and ``delivery__x``."""
    address = {"location": "", "county": "", "countryCode": "GB", "contactName": "Goods In"}
    body: dict[str, Any] = {
        "accessKey": ACCESS_KEYS["900"],
        "uniqueTransactionNumber": "T-1",
        "collectionAddress": {
            **address,
            "name": "Acme Widgets Ltd",
            "streetAddress": "1 Mill Road",
            "town": "Leicester",
            "postcode": "LE1 1AA",
            "phoneNumber": "0116 496 0101",
        },
        "deliveryAddress": {
            **address,
            "name": "Receiver",
            "streetAddress": "2 High Street",
            "town": "Leeds",
            "postcode": "LS1 1AA",
            "phoneNumber": "0113 496 0999",
        },
        "consignments": [
            {
                "requestingDepot": "900",
                "collectingDepot": "",
                "deliveryDepot": "",
                "trackingNumber": "",
                "consignmentNumber": "0000123",
                "CustomerAccountNumber": "acme 001",
                "datesAndTimes": [{"dateTimeType": "COLD", "value": "20260715"}],
                "pallets": [{"palletType": "F", "numberofPallets": "2"}],
                "palletSpaces": "2",
                "weight": "850",
                "serviceName": "A",
                "surcharges": "AM TL",
                "customersUniqueReference": "SO-123",
                "customersUniqueReference2": "",
                "notes": [{"noteName": "NOTE1", "value": "CALL FIRST"}],
                "insuranceCode": "01",
                "notifications": [],
                "cartonCount": "",
                "aSNFBABOLReferenceNumber": "",
                "additionalDetails": {"lines": []},
            }
        ],
    }
    for name, value in changes.items():
        where, _, inner = name.partition("__")
        target = {"consignment": body["consignments"][0], "delivery": body["deliveryAddress"]}.get(where, body)
        target[inner or name] = value
    return body


def status(number: str, code: str = "DELV", **changes: str) -> dict[str, str]:
    """A good element of UploadTracking for pallet 1 of a consignment depot 900 delivers."""
    return {
        "trackingNumber": number,
        "barcode": f"506900A{number}01",
        "eventCode": code,
        "eventDateTime": "2026-07-15T09:30:00",
        "depot": "900",
        "deliveryOrder": "1",
        "totalDeliveries": "4",
        "signatory": "J SMITH",
        "note": "",
        "latitude": "",
        "longitude": "",
        **changes,
    }


def reasons_of(answer: requests.Response) -> Any:
    """The failure texts wherever section 2.1 puts them."""
    body = answer.json()
    return (body["failedConsignments"][0] if body.get("failedConsignments") else body)["failureReasons "]


class TestWire:
    @pytest.mark.rule("PF-9-2")
    def test_every_base_path_serves_the_operations(self, quiet: Network) -> None:
        for base in ("", "/api", "/a/b/c"):
            other = Network(quiet.address, base)
            assert other.page()["manifests"] == []

    @pytest.mark.rule("PF-9-1")
    @pytest.mark.parametrize(
        "operation", ["UploadManifest", "DownloadLabel", "DownloadTracking", "DownloadManifest", "UploadTracking"]
    )
    def test_every_operation_is_served(self, quiet: Network, operation: str) -> None:
        answer = quiet.call(operation)
        assert answer.status_code == 400
        assert answer.json()["success"] is False
        assert quiet.journal()[0]["outcome"] == "REFUSED"

    @pytest.mark.parametrize("operation", ["Nonsense", "downloadmanifest"])
    def test_an_operation_not_served_is_the_gateways_404(self, quiet: Network, operation: str) -> None:
        answer = quiet.call(operation)
        assert answer.status_code == 404
        assert "success" not in answer.json()

    @pytest.mark.rule("PF-9-5", "PF-2.4-13")
    def test_a_depot_sees_what_it_requests_collects_or_delivers_and_nothing_else(self, quiet: Network) -> None:
        number = quiet.make(fields={"collectingDepot": "901"})
        assert quiet.fetch(number, "900")["trackingNumber"] == number
        assert quiet.fetch(number, "901")["trackingNumber"] == number
        assert quiet.fetch(number, "902") is None
        assert len(quiet.pull_all("901")) == 1
        assert quiet.pull_all("902") == []
        assert quiet.tracking(number, "902") == []

    def test_a_key_cannot_pull_another_depot(self, quiet: Network) -> None:
        answer = quiet.call("DownloadManifest", depot="900", **{"fromDateTime": TODAY[0], "toDateTime": TODAY[1]})
        assert reasons_of(answer) == ["Depot  is not recognised"]
        body = {"accessKey": ACCESS_KEYS["900"], "depot": "901", "fromDateTime": TODAY[0], "toDateTime": TODAY[1]}
        answer = quiet.post("DownloadManifest", body)
        assert answer.status_code == 400
        assert reasons_of(answer) == ["Depot 901 is not recognised"]

    @pytest.mark.parametrize(
        ("window", "reason"),
        [
            (("2026-07-08T00:00:00", "2026-07-15T00:00:00"), None),
            (("2026-07-08T00:00:00", "2026-07-15T00:00:01"), "toDateTime: must not be more than 7 days after"),
            (("2026-07-15T00:00:00", "2026-07-15T00:00:00"), "toDateTime: must be after fromDateTime"),
            (("2026-07-15", "2026-07-16T00:00:00"), "fromDateTime: must be YYYY-MM-DDTHH:MM:SS"),
            (("2026-07-15T00:00:00Z", "2026-07-16T00:00:00"), "fromDateTime: must be YYYY-MM-DDTHH:MM:SS"),
        ],
    )
    def test_window_limits(self, quiet: Network, window: tuple[str, str], reason: str | None) -> None:
        answer = quiet.pull(window=window)
        if reason is None:
            assert answer.json()["success"] is True
        else:
            assert answer.status_code == 400
            assert reasons_of(answer)[0].startswith(reason)

    def test_a_window_holds_its_start_and_not_its_end_in_london_time(self, quiet: Network) -> None:
        number = quiet.make(at="2026-07-15T08:30:00+00:00")
        assert quiet.fetch(number)["lastUpdated"] == "2026-07-15T09:30:00"
        assert len(quiet.pull_all(window=("2026-07-15T09:30:00", "2026-07-15T09:30:01"))) == 1
        assert quiet.pull_all(window=("2026-07-15T09:00:00", "2026-07-15T09:30:00")) == []

    def test_pages_hold_everything_once_in_order(self, quiet: Network) -> None:
        for count in (200, 50):  # the second lot falls among the first, in part on the same second
            quiet.control("consignments", count=count, depot="900")
        first = quiet.page(window=("2026-07-14T10:00:00", "2026-07-15T10:00:00"))
        assert (first["pageNumber"], first["totalPages"], first["totalRecords"]) == ("1", "3", "250")
        everything = quiet.pull_all(window=("2026-07-14T10:00:00", "2026-07-15T10:00:00"))
        keys = [(m["consignments"][0]["lastUpdated"], m["consignments"][0]["trackingNumber"]) for m in everything]
        assert len(set(keys)) == 250
        assert keys == sorted(keys)
        assert everything == quiet.pull_all(window=("2026-07-14T10:00:00", "2026-07-15T10:00:00"))

    def test_a_page_past_the_end_is_empty(self, quiet: Network) -> None:
        quiet.make()
        page = quiet.page(pageNumber="2")
        assert (page["totalRecords"], page["manifests"]) == ("1", [])

    @pytest.mark.parametrize(
        "asked", [{"pageSize": "101"}, {"pageSize": "0"}, {"pageNumber": "0"}, {"pageNumber": "x"}]
    )
    def test_page_numbers_and_sizes_out_of_bounds_are_refused(self, quiet: Network, asked: dict[str, str]) -> None:
        assert reasons_of(quiet.pull(**asked))[0].startswith(f"{next(iter(asked))}: must be a whole number from 1 to")

    def test_fetch_by_number_or_transaction_and_not_by_two_filters(self, quiet: Network) -> None:
        code = quiet.post("UploadManifest", upload()).json()["successfulTrackingCodes"][0]
        by_number = quiet.call("DownloadManifest", trackingNumber=code).json()
        by_transaction = quiet.call("DownloadManifest", uniqueTransactionNumber="T-1").json()
        assert by_number == by_transaction
        assert by_number["manifests"][0]["uniqueTransactionNumber"] == "T-1"
        assert quiet.call("DownloadManifest", uniqueTransactionNumber="T-1", depot="901").json()["success"] is True
        assert quiet.call("DownloadManifest", uniqueTransactionNumber="T-2").json()["manifests"] == []
        assert quiet.call("DownloadManifest", trackingNumber="9000019999999").json() == {
            "success": True,
            "pageNumber": "1",
            "totalPages": "0",
            "totalRecords": "0",
            "manifests": [],
        }
        both = quiet.call("DownloadManifest", trackingNumber=code, uniqueTransactionNumber="T-1")
        assert both.json()["success"] is False
        assert quiet.call("DownloadManifest").json()["success"] is False

    def test_a_pull_never_carries_barcodes_or_keys(self, busy: Network) -> None:
        text = json.dumps(busy.pull_all("900", ("2026-07-14T10:00:00", "2026-07-15T10:00:00")))
        assert "barcode" not in text.lower()
        assert "accessKey" not in text

    def test_a_body_that_is_not_an_object_is_refused(self, quiet: Network) -> None:
        for raw in (b"", b"{", b"[1]", b"\xff"):
            answer = requests.post(f"{quiet.address}/x/DownloadManifest", data=raw, timeout=DEADLINE_S)
            assert answer.json()["success"] is False


class TestUploadManifest:
    @pytest.mark.rule("PF-9-6", "PF-2.1-6")
    def test_a_good_consignment_is_registered_with_its_routing(self, quiet: Network) -> None:
        answer = quiet.post("UploadManifest", upload())
        assert answer.json() == {
            "success": True,
            "successfulTrackingCodes": ["9000010000123"],
            "failedConsignments": [],
        }
        found = quiet.fetch("9000010000123")
        assert (found["collectingDepot"], found["deliveryDepot"]) == ("900", "901")
        assert (found["consignmentStatus"], found["lastUpdated"]) == ("ACCEPTED", "2026-07-15T10:00:00")
        assert quiet.fetch("9000010000123", "901") == found

    def test_a_number_in_use_is_not_given_twice(self, quiet: Network) -> None:
        first = quiet.post("UploadManifest", upload()).json()
        second = quiet.post("UploadManifest", upload(uniqueTransactionNumber="T-2")).json()
        assert first["successfulTrackingCodes"] != second["successfulTrackingCodes"]

    @pytest.mark.rule("PF-9-6", "PF-2.1-27")
    @pytest.mark.parametrize(
        ("changes", "reason"),
        [
            ({"consignment__requestingDepot": "901"}, "Depot 901 is not recognised"),
            ({"consignment__requestingDepot": "999"}, "Depot 999 is not recognised"),
            ({"consignment__collectingDepot": "999"}, "Depot 999 is not recognised"),
            ({"consignment__deliveryDepot": "999"}, "Depot 999 is not recognised"),
            ({"delivery__postcode": "GY1 1AA"}, "No depot serves postcode GY1 1AA"),
            (
                {"consignment__trackingNumber": "9010010000001"},
                "Tracking number must be 13 digits and begin with the requesting depot code",
            ),
            (
                {"consignment__trackingNumber": "900001"},
                "Tracking number must be 13 digits and begin with the requesting depot code",
            ),
            (
                {
                    "consignment__CustomerAccountNumber": "LEI 002",
                    "consignment__notifications": [{"notificationType": "EMAIL", "value": "a@example.com"}],
                },
                "Customer does not have EMAIL notifications enabled",
            ),
            ({"consignment__CustomerAccountNumber": "LDS 001"}, "CustomerAccountNumber: unknown account"),
            ({"consignment__CustomerAccountNumber": "nobody 1"}, "CustomerAccountNumber: unknown account"),
            ({"consignment__CustomerAccountNumber": ""}, "CustomerAccountNumber: must not be blank"),
            ({"consignment__consignmentNumber": ""}, "consignmentNumber: must not be blank"),
            ({"consignment__consignmentNumber": "00000123"}, "consignmentNumber: must not be longer than 7 characters"),
            (
                {"consignment__notifications": [{"notificationType": "email", "value": "a@example.com"}]},
                "notifications: unknown type email",
            ),
            ({"consignment__insuranceCode": "1"}, "insuranceCode: must be two digits or empty"),
            ({"consignment__hubIdentifyingCode": "A1"}, "hubIdentifyingCode: must be two digits or empty"),
            ({"consignment__serviceName": "X"}, "serviceName: unknown service"),
            ({"consignment__serviceName": ""}, "serviceName: must not be blank"),
            ({"delivery__name": ""}, "deliveryAddress.name: must not be blank"),
            ({"delivery__phoneNumber": "00000 000000"}, "deliveryAddress.phoneNumber: must be neither blank"),
            ({"delivery__phoneNumber": ""}, "deliveryAddress.phoneNumber: must be neither blank"),
            ({"delivery__countryCode": "GBR"}, "deliveryAddress.countryCode: must not be longer than 2 characters"),
            ({"collectionAddress": ""}, "collectionAddress: must not be blank"),
            (
                {"consignment__customersUniqueReference": "x" * 36},
                "customersUniqueReference: must not be longer than 35 characters",
            ),
            ({"consignment__notes": [{"noteName": "NOTE1", "value": "x" * 37}]}, "notes: must not be longer than 36"),
            ({"consignment__pallets": []}, "pallets: at least one pallet is required"),
            (
                {"consignment__pallets": [{"palletType": "Z", "numberofPallets": "1"}]},
                "pallets: unknown pallet type Z",
            ),
            (
                {"consignment__pallets": [{"palletType": t, "numberofPallets": "50"} for t in "FH"]},
                "pallets: more than 99 pallets",
            ),
            (
                {"consignment__pallets": [{"palletType": "F", "numberofPallets": "0"}]},
                "pallets: numberofPallets must be a whole number from 1 to 99",
            ),
            ({"consignment__palletSpaces": "0"}, "palletSpaces: must be a whole number of at least 1"),
            ({"consignment__weight": "0"}, "weight: must be a whole number of kg from 1 to 9999"),
            ({"consignment__weight": "10000"}, "weight: must be a whole number of kg from 1 to 9999"),
            ({"consignment__weight": "850.5"}, "weight: must be a whole number of kg from 1 to 9999"),
            ({"consignment__datesAndTimes": []}, "datesAndTimes: COLD is required"),
            (
                {"consignment__datesAndTimes": [{"dateTimeType": "DELD", "value": "20260716"}]},
                "datesAndTimes: COLD is required",
            ),
            (
                {
                    "consignment__datesAndTimes": [
                        {"dateTimeType": "COLD", "value": "20260715"},
                        {"dateTimeType": "DELD", "value": "tomorrow"},
                    ]
                },
                "datesAndTimes: DELD must be a date YYYYMMDD",
            ),
            (
                {"consignment__datesAndTimes": [{"dateTimeType": "COLD", "value": "2026-07-15"}]},
                "datesAndTimes: COLD must be a date YYYYMMDD",
            ),
            ({"consignment__surcharges": "AZ"}, "cartonCount: required with surcharge AZ"),
            ({"consignment__surcharges": "TL AZ"}, "aSNFBABOLReferenceNumber: required with surcharge AZ"),
            ({"consignment__surcharges": "tail-lift"}, "surcharges: must be two-letter codes"),
            ({"consignment__acceptedStatus": "?"}, "acceptedStatus: must be Y or N"),
            ({"uniqueTransactionNumber": ""}, "uniqueTransactionNumber: must not be blank"),
            ({"consignment__weight": 850}, "weight: must be a string"),
        ],
    )
    def test_refusals(self, quiet: Network, changes: dict[str, Any], reason: str) -> None:
        answer = quiet.post("UploadManifest", upload(**changes))
        assert answer.status_code == 400
        assert answer.json()["success"] is False
        own_number = changes.get("consignment__consignmentNumber", "0000123")
        assert answer.json()["failedConsignments"][0]["consignmentNumber"] == own_number
        assert any(text.startswith(reason) for text in reasons_of(answer)), reasons_of(answer)
        assert quiet.held() == []
        assert quiet.journal()[0]["outcome"] == "REFUSED"

    @pytest.mark.rule("PF-2.1-27", "PF-6-8")
    def test_an_accepted_number_is_refused_and_an_unaccepted_one_taken_over(self, quiet: Network) -> None:
        number = "9000020000042"
        own = {"requestingDepot": "900", "deliveryDepot": "901"}
        quiet.make(trackingNumber=number, consignmentStatus="UNACCEPTED", fields=own)
        assert quiet.fetch(number)["consignmentStatus"] == "UNACCEPTED"
        sent = upload(consignment__trackingNumber=number)
        assert quiet.post("UploadManifest", sent).json()["successfulTrackingCodes"] == [number]
        taken = quiet.fetch(number)
        assert (taken["consignmentStatus"], taken["customersUniqueReference"]) == ("ACCEPTED", "SO-123")
        assert len(quiet.pull_all()) == 1
        again = quiet.post("UploadManifest", upload(consignment__trackingNumber=number, uniqueTransactionNumber="T-2"))
        assert reasons_of(again) == [f"Tracking number {number} is already registered"]

    @pytest.mark.rule("PF-6-8")
    def test_an_unaccepted_number_of_another_depot_is_refused_and_stays_as_it_is(self, quiet: Network) -> None:
        number = "9000020000042"
        quiet.make(trackingNumber=number, consignmentStatus="UNACCEPTED")  # requested by 905 all the same
        before = quiet.held(trackingNumber=number)
        taken = quiet.post("UploadManifest", upload(consignment__trackingNumber=number))
        assert reasons_of(taken) == [f"Tracking number {number} is already registered"]
        body = upload(
            accessKey=ACCESS_KEYS["901"],
            consignment__trackingNumber=number,
            consignment__requestingDepot="901",
            consignment__CustomerAccountNumber="LDS 001",
        )
        assert reasons_of(quiet.post("UploadManifest", body)) == [
            "Tracking number must be 13 digits and begin with the requesting depot code"
        ]
        assert quiet.held() == before
        assert before[0]["consignmentStatus"] == "UNACCEPTED"

    @pytest.mark.rule("PF-2.1-27", "PF-6-8")
    def test_a_cancelled_number_is_not_taken_over(self, quiet: Network) -> None:
        own = {"requestingDepot": "900", "deliveryDepot": "901"}
        quiet.make(trackingNumber="9000020000042", consignmentStatus="CANCELLED", fields=own)
        answer = quiet.post("UploadManifest", upload(consignment__trackingNumber="9000020000042"))
        assert reasons_of(answer) == ["Tracking number 9000020000042 is already registered"]
        assert [one["consignmentStatus"] for one in quiet.held()] == ["CANCELLED"]

    @pytest.mark.rule("PF-6-8", "PF-2.2-1")
    def test_what_was_taken_over_belongs_to_the_uploads_transaction(self, quiet: Network) -> None:
        number = "9000020000042"
        own = {"requestingDepot": "900", "deliveryDepot": "901", "uniqueTransactionNumber": "PORTAL-7"}
        quiet.make(trackingNumber=number, consignmentStatus="UNACCEPTED", fields=own)
        quiet.control("events", trackingNumber=number, eventCode="POC")
        events = quiet.tracking(number)
        quiet.post("UploadManifest", upload(consignment__trackingNumber=number))
        assert quiet.tracking(number) == events
        assert quiet.call("DownloadManifest", uniqueTransactionNumber="PORTAL-7").json()["manifests"] == []
        assert quiet.held(uniqueTransactionNumber="PORTAL-7") == []
        assert [one["trackingNumber"] for one in quiet.held(uniqueTransactionNumber="T-1")] == [number]
        asked = {"trackingNumber": number, "palletNumber": "2", "uniqueTransactionNumber": "T-1"}
        assert quiet.call("DownloadLabel", **asked).json()["labelImages"]

    @pytest.mark.rule("PF-2.1-23")
    def test_accepted_status_n_leaves_it_unaccepted(self, quiet: Network) -> None:
        code = quiet.post("UploadManifest", upload(consignment__acceptedStatus="N")).json()["successfulTrackingCodes"]
        assert quiet.fetch(code[0])["consignmentStatus"] == "UNACCEPTED"

    @pytest.mark.rule("PF-2.1-28", "PF-9-23")
    def test_a_repeated_transaction_is_replayed_and_another_body_refused(self, quiet: Network) -> None:
        first = quiet.post("UploadManifest", upload()).json()
        assert quiet.post("UploadManifest", upload()).json() == first
        assert len(quiet.pull_all()) == 1
        changed = quiet.post("UploadManifest", upload(consignment__weight="851"))
        assert reasons_of(changed) == ["Transaction number T-1 has already been used"]

    @pytest.mark.rule("PF-2.1-28")
    def test_a_refused_transaction_number_may_come_again(self, quiet: Network) -> None:
        quiet.post("UploadManifest", upload(consignment__weight="0"))
        assert quiet.post("UploadManifest", upload()).json()["success"] is True
        assert len(quiet.held(uniqueTransactionNumber="T-1")) == 1

    def test_of_several_consignments_the_good_ones_are_registered(self, quiet: Network) -> None:
        body = upload()
        body["consignments"].append({**body["consignments"][0], "weight": "0", "consignmentNumber": "0000124"})
        answer = quiet.post("UploadManifest", body).json()
        assert answer["success"] is False
        assert len(answer["successfulTrackingCodes"]) == 1
        assert [failed["consignmentNumber"] for failed in answer["failedConsignments"]] == ["0000124"]


class TestTracking:
    @pytest.mark.rule("PF-9-14", "PF-2.6-9")
    def test_uploaded_statuses_come_back_once(self, quiet: Network) -> None:
        number = quiet.make(fields={"collectingDepot": "901"})
        quiet.control("switches", progress="off")
        for _ in range(2):
            sent = {"uniqueTransactionNumber": "S-1", "trackingData": [status(number)]}
            assert quiet.call("UploadTracking", **sent).json() == {"success": True, "failedTracking": []}
        events = quiet.tracking(number)
        assert [(event["eventCode"], event["eventDateTime"]) for event in events] == [("DELV", "2026-07-15T09:30:00")]
        assert quiet.tracking(number, "901") == events
        assert quiet.fetch(number)["lastUpdated"] == "2026-07-15T10:00:00"

    @pytest.mark.rule("PF-2.6-2", "PF-2.6-3", "PF-2.6-4", "PF-2.6-5", "PF-2.6-6", "PF-2.6-7")
    @pytest.mark.parametrize(
        ("changes", "reason"),
        [
            ({"trackingNumber": "9050020000001"}, "Tracking number 9050020000001 is not known"),
            ({"barcode": f"506900B{NUMBER}01"}, f"barcode: 506900B{NUMBER}01 is not a valid barcode"),
            ({"eventCode": "XXXX"}, "eventCode: unknown code XXXX"),
            ({"eventDateTime": "15/07/2026"}, "eventDateTime: must be YYYY-MM-DDTHH:MM:SS"),
            ({"depot": "901"}, "Depot 901 is not recognised"),
            ({"deliveryOrder": ""}, "deliveryOrder: deliveryOrder and totalDeliveries are required with DELV"),
            ({"deliveryOrder": "5"}, "deliveryOrder: deliveryOrder and totalDeliveries are required with DELV"),
            ({"eventCode": "DMGD", "totalDeliveries": ""}, "deliveryOrder: deliveryOrder and totalDeliveries are requ"),
            ({"eventCode": "ARRD"}, "deliveryOrder: deliveryOrder and totalDeliveries must be empty with ARRD"),
            ({"eventDateTime": ""}, "eventDateTime: must be YYYY-MM-DDTHH:MM:SS"),
            ({"eventCode": "PODE", "signatory": "", "note": "short"}, "signatory: required with PODE"),
            ({"eventCode": "POD", "signatory": ""}, "signatory: required with POD"),
            ({"eventCode": "ABRT"}, "note: required with ABRT"),
            ({"eventCode": "ABRT", "note": "x" * 141}, "note: must not be longer than 140 characters"),
            ({"latitude": "north"}, "latitude: must be decimal degrees or empty"),
        ],
    )
    def test_a_bad_status_is_refused_and_the_good_one_beside_it_kept(
        self, quiet: Network, changes: dict[str, str], reason: str
    ) -> None:
        number = quiet.make()
        quiet.control("switches", progress="off")
        sent = [status(number, **changes), status(number, "POD")]
        answer = quiet.call("UploadTracking", uniqueTransactionNumber="S-1", trackingData=sent)
        assert answer.status_code == 400
        assert answer.json()["failedTracking"][0]["failureReasons "][0].startswith(reason)
        assert [event["eventCode"] for event in quiet.tracking(number)] == ["POD"]

    @pytest.mark.rule("PF-2.6-1")
    def test_more_than_a_hundred_statuses_are_refused_as_a_whole(self, quiet: Network) -> None:
        number = quiet.make()
        many = [status(number, "SRID", eventDateTime=f"2026-07-15T08:{i // 60:02d}:{i % 60:02d}") for i in range(101)]
        answer = quiet.call("UploadTracking", uniqueTransactionNumber="S-1", trackingData=many)
        assert answer.json()["success"] is False
        assert quiet.tracking(number) == []

    @pytest.mark.rule("PF-9-14")
    def test_consignments_move_with_the_clock_on_the_legs_of_others(self, quiet: Network) -> None:
        quiet.control("switches", unclean_share=0)
        quiet.make(fields={"pallets": [{"palletType": "F", "numberofPallets": "2"}]})
        assert quiet.tracking(NUMBER) == []
        quiet.control("clock", advance_s=7 * 86_400)
        events = quiet.tracking(NUMBER)
        # 905 collects, 900 is the client's and delivers: its codes come from the client, not from the network.
        assert [event["eventCode"] for event in events] == ["POC"] * 2 + ["SCOT"] * 2 + ["ARRH"] * 2
        assert {event["barcode"] for event in events} == {f"506900A{NUMBER}01", f"506900A{NUMBER}02"}
        assert [event["eventDateTime"] for event in events] == sorted(event["eventDateTime"] for event in events)
        quiet.control("switches", client_depots=["901"])
        codes = [event["eventCode"] for event in quiet.tracking(NUMBER)]
        expected = ["POC", "SCOT", "ARRH", "SRID", "ARRD", "DELV", "DONR", "ARDL", "POD"]
        assert codes == [code for code in expected for _ in range(2)]
        assert all(event["signatory"] for event in quiet.tracking(NUMBER) if event["eventCode"] == "POD")

    @pytest.mark.rule("PF-9-14")
    @pytest.mark.rule("PF-9-14")
    def test_a_pallet_has_no_status_before_it_is_scanned(self, quiet: Network) -> None:
        quiet.control("switches", client_depots=[], unclean_share=0)
        quiet.make(fields={"pallets": [{"palletType": "Q", "numberofPallets": "40"}]})
        quiet.control("clock", advance_s=7 * 86_400)
        everything = quiet.tracking(NUMBER)
        scans = [event for event in everything if event["eventCode"] == "SCOT"]
        assert len({event["eventDateTime"] for event in scans}) > 1
        half_way = scans[len(scans) // 2]["eventDateTime"]
        quiet.control("reset")
        quiet.control("switches", client_depots=[], unclean_share=0)
        quiet.make(fields={"pallets": [{"palletType": "Q", "numberofPallets": "40"}]})
        quiet.control("clock", now=half_way)
        assert quiet.tracking(NUMBER) == [event for event in everything if event["eventDateTime"] <= half_way]

    @pytest.mark.rule("PF-9-14")
    def test_what_has_been_reported_stays_when_routing_changes_later(self, quiet: Network) -> None:
        quiet.control("switches", client_depots=[], unclean_share=0)
        quiet.make(fields={"collectingDepot": "901"})
        quiet.control("clock", advance_s=86_400)
        before = quiet.tracking(NUMBER)
        assert "ARRD" in [event["eventCode"] for event in before]
        quiet.control("change", trackingNumber=NUMBER, deliveryDepot="901")
        assert quiet.tracking(NUMBER, "901") == before
        quiet.control("clock", advance_s=7 * 86_400)
        after = quiet.tracking(NUMBER, "901")
        assert after[: len(before)] == before
        assert [event["eventCode"] for event in after][-1] == "POD"

    def test_a_share_of_deliveries_is_not_clean(self, quiet: Network) -> None:
        quiet.control("switches", unclean_share=1, client_depots=[])
        numbers = quiet.control("consignments", count=60, depot="900")["trackingNumbers"]
        quiet.control("clock", advance_s=14 * 86_400)
        endings = {}
        for number in numbers:
            codes = [event["eventCode"] for event in quiet.tracking(number)]
            kind = next(code for code in codes if code in ("PODD", "PODE", "DMGD", "ABRT"))
            endings[kind] = codes
        assert set(endings) == {"PODD", "PODE", "DMGD", "ABRT"}
        after = endings["ABRT"][endings["ABRT"].index("ABRT") :]
        assert "DELV" in after
        assert after[-1] == "POD"

    @pytest.mark.rule("PF-9-14")
    def test_nothing_moves_before_acceptance_or_after_cancellation(self, quiet: Network) -> None:
        quiet.control("switches", client_depots=[])
        unaccepted = quiet.make(trackingNumber="9050020000001", consignmentStatus="UNACCEPTED")
        cancelled = quiet.make(trackingNumber="9050020000002")
        quiet.control("change", trackingNumber=cancelled, cancel=True)
        quiet.control("clock", advance_s=7 * 86_400)
        assert quiet.tracking(unaccepted) == []
        assert quiet.tracking(cancelled) == []
        quiet.control("change", trackingNumber=unaccepted, consignmentStatus="ACCEPTED")
        quiet.control("clock", advance_s=7 * 86_400)
        assert quiet.tracking(unaccepted)[-1]["eventCode"] in ("POD", "PODD", "PODE", "DMGD")

    @pytest.mark.rule("PF-2.3-2", "PF-2.3-3")
    def test_a_whole_depot_can_be_asked_by_window(self, busy: Network) -> None:
        window = {"fromDateTime": "2026-07-14T00:00:00", "toDateTime": "2026-07-15T00:00:00"}
        body = {"accessKey": ACCESS_KEYS["901"], "depot": "901", **window}
        events = busy.post("DownloadTracking", body).json()["trackingData"]
        times = [event["eventDateTime"] for event in events]
        assert len({event["trackingNumber"] for event in events}) > 50
        assert times == sorted(times)
        assert window["fromDateTime"] <= times[0] <= times[-1] < window["toDateTime"]
        one = events[0]["trackingNumber"]
        assert [event for event in events if event["trackingNumber"] == one] == [
            event
            for event in busy.tracking(one, "901")
            if window["fromDateTime"] <= event["eventDateTime"] < window["toDateTime"]
        ]


class TestSwitches:
    def test_success_type(self, quiet: Network) -> None:
        quiet.control("switches", success_type="string")
        assert quiet.page()["success"] == "true"
        assert quiet.call("DownloadTracking", trackingNumber=NUMBER).json()["success"] == "true"
        assert quiet.post("UploadManifest", upload()).json()["success"] == "true"
        assert quiet.pull(pageSize="0").json()["success"] == "false"

    @pytest.mark.parametrize("http", [400, 200, 500])
    def test_failure_http(self, quiet: Network, http: int) -> None:
        quiet.control("switches", failure_http=http)
        for answer in (quiet.pull(pageSize="0"), quiet.post("UploadManifest", upload(consignment__weight="0"))):
            assert answer.status_code == http
            assert answer.json()["success"] is False
        assert quiet.pull().status_code == 200

    def test_failure_key_and_reasons_type(self, quiet: Network) -> None:
        bad = upload(consignment__weight="0", consignment__palletSpaces="")
        assert isinstance(quiet.pull(pageSize="0").json()["failureReasons "], list)
        quiet.control("switches", failure_key="plain", failure_reasons_type="string")
        assert quiet.pull(pageSize="0").json()["failureReasons"] == "pageSize: must be a whole number from 1 to 100"
        refused = quiet.post("UploadManifest", bad).json()["failedConsignments"][0]
        assert "failureReasons " not in refused
        assert "; weight: must be" in refused["failureReasons"]

    def test_strict_strings(self, quiet: Network) -> None:
        assert reasons_of(quiet.pull(pageNumber=1)) == ["pageNumber: must be a string"]  # type: ignore[arg-type]
        quiet.control("switches", strict_strings="off")
        assert quiet.pull(pageNumber=1).json()["pageNumber"] == "1"  # type: ignore[arg-type]
        assert quiet.post("UploadManifest", upload(consignment__weight=850)).json()["success"] is True
        assert quiet.fetch("9000010000123")["weight"] == "850"

    def test_header_auth(self, quiet: Network) -> None:
        body = {"accessKey": ACCESS_KEYS["900"], "trackingNumber": NUMBER}
        assert quiet.post("DownloadManifest", body).status_code == 200
        quiet.control("switches", header_auth="required")
        assert quiet.post("DownloadManifest", body).status_code == 401
        assert quiet.post("DownloadManifest", body, **{"x-ibm-client-id": "wrong"}).status_code == 401
        right = quiet.post("DownloadManifest", body, **{"x-ibm-client-id": ACCESS_KEYS["900"]})
        assert right.json()["success"] is True

    def test_bad_key(self, quiet: Network) -> None:
        answer = quiet.post("DownloadManifest", {"accessKey": "wrong", "trackingNumber": NUMBER})
        assert answer.status_code == 401
        assert "success" not in answer.json()
        for http in ("200", "400"):
            quiet.control("switches", bad_key=http)
            answer = quiet.post("UploadManifest", upload(accessKey="wrong"))
            assert answer.status_code == int(http)
            assert (answer.json()["success"], reasons_of(answer)) == (False, ["Access key is not recognised"])
        assert quiet.pull_all() == []

    @pytest.mark.rule("PF-9-22")
    def test_tracking_success_field(self, quiet: Network) -> None:
        present = quiet.call("DownloadTracking", trackingNumber=NUMBER).json()
        assert present == {"success": True, "trackingData": []}
        quiet.control("switches", tracking_success_field="absent")
        assert quiet.call("DownloadTracking", trackingNumber=NUMBER).json() == {"trackingData": []}

    @pytest.mark.rule("PF-9-23")
    def test_transaction_replay_off(self, quiet: Network) -> None:
        quiet.control("switches", transaction_replay="off")
        quiet.post("UploadManifest", upload())
        again = quiet.post("UploadManifest", upload())
        assert reasons_of(again) == ["Transaction number T-1 has already been used"]
        assert len(quiet.pull_all()) == 1

    def test_page_size_max(self, quiet: Network) -> None:
        quiet.control("consignments", count=7, depot="900")
        quiet.control("switches", page_size_max=3)
        window = ("2026-07-14T10:00:00", "2026-07-15T10:00:00")
        assert quiet.page(window=window)["totalPages"] == "3"
        assert len(quiet.pull_all(window=window)) == 7
        assert quiet.pull(window=window, pageSize="4").status_code == 400

    @pytest.mark.rule("PF-9-14")
    def test_progress_off(self, quiet: Network) -> None:
        quiet.control("switches", progress="off", client_depots=[])
        quiet.make()
        quiet.control("clock", advance_s=7 * 86_400)
        assert quiet.tracking(NUMBER) == []

    @pytest.mark.rule("PF-9-7")
    def test_all_switches_are_set_or_none(self, quiet: Network) -> None:
        defaults = quiet.control("switches")
        refused = requests.post(
            f"{quiet.address}/_sim/switches", json={"success_type": "string", "bad_key": "403"}, timeout=DEADLINE_S
        )
        assert refused.status_code == 422
        assert refused.json() == {"error": "bad_key must be one of: 401, 200, 400"}
        assert quiet.control("switches") == defaults


class TestFaults:
    @pytest.mark.rule("PF-9-7")
    def test_a_fault_strikes_as_often_as_ordered_and_only_its_operation(self, quiet: Network) -> None:
        quiet.control("faults", operation="DownloadManifest", fault="http_401", count=2)
        assert quiet.call("DownloadTracking", trackingNumber=NUMBER).status_code == 200
        assert [quiet.pull().status_code for _ in range(3)] == [401, 401, 200]

    def test_a_fault_can_be_kept_to_one_tracking_number(self, quiet: Network) -> None:
        quiet.control("faults", operation="*", fault="http_502", trackingNumber=NUMBER)
        assert quiet.call("DownloadTracking", trackingNumber="9050020000001").status_code == 200
        assert quiet.call("DownloadTracking", trackingNumber=NUMBER).status_code == 502

    def test_faults_can_be_cleared(self, quiet: Network) -> None:
        assert len(quiet.control("faults", operation="*", fault="http_401")["waiting"]) == 1
        assert quiet.control("faults", clear=True) == {"waiting": []}
        assert quiet.pull().status_code == 200

    def test_gateway_answers(self, quiet: Network) -> None:
        for order, http, wait in (
            ({"fault": "http_401"}, 401, None),
            ({"fault": "http_429"}, 429, "2"),
            ({"fault": "http_503"}, 503, None),
            ({"fault": "http_503", "options": {"retry_after": 7}}, 503, "7"),
        ):
            quiet.control("faults", operation="UploadManifest", **order)
            answer = quiet.post("UploadManifest", upload())
            assert (answer.status_code, answer.headers.get("Retry-After")) == (http, wait)
            assert "success" not in answer.json()
        assert quiet.pull_all() == []

    @pytest.mark.parametrize(("fault", "http"), [("empty_body", 200), ("html_500", 500), ("http_502", 502)])
    @pytest.mark.parametrize("accept", [False, True])
    def test_unreadable_bodies(self, quiet: Network, fault: str, http: int, accept: bool) -> None:
        quiet.control("faults", operation="UploadManifest", fault=fault, options={"accept": accept})
        answer = quiet.post("UploadManifest", upload())
        assert answer.status_code == http
        with pytest.raises(requests.JSONDecodeError):
            answer.json()
        assert len(quiet.pull_all()) == accept

    def test_truncated_json(self, quiet: Network) -> None:
        whole = quiet.pull().text
        quiet.control("faults", operation="*", fault="truncated_json", count=2)
        cut = quiet.pull()
        assert cut.status_code == 200
        assert cut.text == whole[: len(whole) // 2]
        quiet.post("UploadManifest", upload())
        assert len(quiet.pull_all()) == 1

    def test_slow_answers_late_and_was_accepted_even_when_nobody_waits(self, quiet: Network) -> None:
        quiet.control("faults", operation="UploadManifest", fault="slow", options={"seconds": 0.2})
        assert quiet.post("UploadManifest", upload()).json()["success"] is True
        quiet.control("faults", operation="UploadManifest", fault="slow", options={"seconds": 60})
        with pytest.raises(requests.ReadTimeout):
            quiet.post("UploadManifest", upload(uniqueTransactionNumber="T-2"), timeout=0.5)
        assert len(quiet.pull_all()) == 2

    @pytest.mark.parametrize(("fault", "accepted"), [("timeout_before_accept", 0), ("timeout_after_accept", 1)])
    def test_timeouts_never_answer(self, quiet: Network, fault: str, accepted: int) -> None:
        quiet.control("faults", operation="UploadManifest", fault=fault)
        with pytest.raises(requests.ReadTimeout):
            quiet.post("UploadManifest", upload(), timeout=0.5)
        assert len(quiet.pull_all()) == accepted
        assert quiet.journal()[0]["status"] is None

    @pytest.mark.parametrize("http", ["h11", "httptools"])
    @pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
    @pytest.mark.parametrize("accept", [False, True])
    def test_reset_closes_the_socket_with_a_reset(self, http: str, loop: str, accept: bool) -> None:
        with serving(create_app(now=NOW, traffic=False), http=http, loop=loop) as address:
            network = Network(address)
            network.control("faults", operation="UploadManifest", fault="reset", options={"accept": accept})
            with socket.create_connection(_host(address), DEADLINE_S) as client:
                client.sendall(_http("UploadManifest", upload()))
                with pytest.raises(ConnectionResetError):
                    client.recv(1)
            assert len(network.pull_all()) == accept

    @pytest.mark.parametrize("http", ["h11", "httptools"])
    @pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
    @pytest.mark.parametrize("keep", ["keep-alive", "close"])
    @pytest.mark.parametrize("fault", ["timeout_after_accept", "slow"])
    def test_a_silent_request_does_not_hold_up_the_server(self, http: str, loop: str, keep: str, fault: str) -> None:
        options = {"seconds": 600} if fault == "slow" else {}
        with serving(create_app(now=NOW, traffic=False), http=http, loop=loop) as address:
            network = Network(address)
            network.control("faults", operation="*", fault=fault, options=options)
            client = socket.create_connection(_host(address), DEADLINE_S)
            client.sendall(_http("DownloadManifest", {"accessKey": ACCESS_KEYS["900"]}, keep))
            wait_until(network.journal)
            client.settimeout(0.3)
            with pytest.raises(TimeoutError):
                client.recv(1)
        # Leaving ``serving`` has stopped the server, although the request was never answered.
        assert client.recv(1) == b""
        client.close()

    @pytest.mark.rule("PF-9-31")
    def test_forced_refusals(self, quiet: Network) -> None:
        for fault, reason in (
            ("duplicate_tracking", "Tracking number 9000010000001 is already registered"),
            ("unknown_depot", "Depot 900 is not recognised"),
            ("notifications_off", "Customer does not have EMAIL notifications enabled"),
        ):
            quiet.control("faults", operation="UploadManifest", fault=fault)
            assert reasons_of(quiet.post("UploadManifest", upload())) == [reason]
            entry = quiet.journal()[-1]
            assert (entry["outcome"], entry["reasons"], entry["fault"]) == ("REFUSED", [reason], fault)
        assert quiet.held() == []
        assert quiet.post("UploadManifest", upload()).json()["success"] is True

    @pytest.mark.rule("PF-9-32")
    def test_partial_success_gives_code_and_reasons(self, quiet: Network) -> None:
        quiet.control("faults", operation="UploadManifest", fault="partial_success")
        answer = quiet.post("UploadManifest", upload())
        assert answer.json()["successfulTrackingCodes"] == ["9000010000123"]
        assert reasons_of(answer)
        assert [one["trackingNumber"] for one in quiet.held(uniqueTransactionNumber="T-1")] == ["9000010000123"]

    @pytest.mark.rule("PF-9-32")
    def test_success_without_code(self, quiet: Network) -> None:
        quiet.control("faults", operation="UploadManifest", fault="success_without_code")
        answer = quiet.post("UploadManifest", upload()).json()
        assert (answer["success"], answer["successfulTrackingCodes"]) == (True, [])
        assert [one["trackingNumber"] for one in quiet.held(uniqueTransactionNumber="T-1")] == ["9000010000123"]

    def _with_events(self, quiet: Network) -> list[Any]:
        quiet.control("switches", progress="off")
        quiet.make(fields={"pallets": [{"palletType": "F", "numberofPallets": "1"}]})
        for hour, code in ((1, "POC"), (2, "SCOT"), (3, "ARRH"), (4, "SRID")):
            quiet.control("events", trackingNumber=NUMBER, eventCode=code, at=f"2026-07-15T0{hour}:00:00")
        return quiet.tracking(NUMBER)

    @pytest.mark.rule("PF-9-34")
    def test_statuses_out_of_order_and_doubled(self, quiet: Network) -> None:
        usual = self._with_events(quiet)
        quiet.control("faults", operation="DownloadTracking", fault="events_reversed")
        assert quiet.tracking(NUMBER) == usual[::-1]
        quiet.control("faults", operation="DownloadTracking", fault="events_duplicated")
        doubled = quiet.tracking(NUMBER)
        assert len(doubled) == 8
        assert doubled[::2] == doubled[1::2] == usual
        quiet.control("faults", operation="DownloadTracking", fault="events_late")
        assert quiet.tracking(NUMBER) == usual[2:] + usual[:2]
        quiet.control("faults", operation="DownloadTracking", fault="events_late", options={"withhold": True})
        assert quiet.tracking(NUMBER) == usual[2:]
        assert quiet.tracking(NUMBER) == usual

    @pytest.mark.rule("PF-9-35")
    def test_statuses_with_missing_or_unknown_parts(self, quiet: Network) -> None:
        usual = self._with_events(quiet)
        quiet.control("faults", operation="DownloadTracking", fault="event_no_barcode")
        assert not any("barcode" in event for event in quiet.tracking(NUMBER))
        quiet.control("faults", operation="DownloadTracking", fault="event_no_time")
        assert not any("eventDateTime" in event for event in quiet.tracking(NUMBER))
        quiet.control("faults", operation="DownloadTracking", fault="event_unknown_code", options={"code": "NEWC"})
        events = quiet.tracking(NUMBER)
        assert events[:-1] == usual
        assert events[-1]["eventCode"] == "NEWC"
        quiet.control("faults", operation="DownloadTracking", fault="event_unknown_code")
        assert quiet.tracking(NUMBER)[-1]["eventCode"] == "ZZZZ"
        assert quiet.tracking(NUMBER) == usual

    @pytest.mark.rule("PF-9-36")
    def test_barcode_changed_shows_in_later_statuses_and_in_the_pull(self, quiet: Network) -> None:
        quiet.control("switches", client_depots=[])
        quiet.make()
        quiet.control("clock", now="2026-07-15T23:59:00+01:00")
        before = quiet.tracking(NUMBER)
        order = {"operation": "DownloadTracking", "fault": "barcode_changed", "options": {"serviceName": "B"}}
        quiet.control("faults", **order)
        assert quiet.tracking(NUMBER) == before
        found = quiet.fetch(NUMBER)
        assert (found["serviceName"], found["lastUpdated"]) == ("B", "2026-07-15T23:59:00")
        quiet.control("clock", advance_s=7 * 86_400)
        after = quiet.tracking(NUMBER)
        assert after[: len(before)] == before
        assert all(event["barcode"].startswith("506900A") for event in before)
        assert all(event["barcode"].startswith("506900B") for event in after[len(before) :])
        assert len(after) > len(before) > 0

    @pytest.mark.rule("PF-9-36")
    def test_barcode_changed_after_an_upload(self, quiet: Network) -> None:
        options = {"deliveryDepot": "927"}
        quiet.control("faults", operation="UploadManifest", fault="barcode_changed", options=options)
        code = quiet.post("UploadManifest", upload()).json()["successfulTrackingCodes"][0]
        assert quiet.fetch(code)["deliveryDepot"] == "927"
        assert quiet.held()[0]["barcodes"] == [f"506927A{code}01", f"506927A{code}02"]

    @pytest.mark.rule("PF-9-36")
    def test_barcode_changed_can_name_the_consignment_and_leave_the_rest_to_the_network(self, quiet: Network) -> None:
        number, other = quiet.make(), quiet.make(trackingNumber="9050020000001")
        quiet.control("faults", operation="*", fault="barcode_changed", trackingNumber=number)
        quiet.tracking(other)
        assert {one["trackingNumber"]: one["serviceName"] for one in quiet.held()} == {number: "B", other: "A"}

    def test_page_shift_changes_the_total_after_page_one(self, quiet: Network) -> None:
        quiet.control("consignments", count=150, depot="900")
        window = ("2026-07-14T10:00:00", "2026-07-15T10:00:00")
        quiet.control("faults", operation="DownloadManifest", fault="page_shift")
        totals = [quiet.page(window=window, pageNumber=n)["totalRecords"] for n in ("1", "2", "1", "2")]
        assert totals == ["150", "151", "150", "150"]

    def test_page_fails(self, quiet: Network) -> None:
        quiet.control("consignments", count=250, depot="900")
        window = ("2026-07-14T10:00:00", "2026-07-15T10:00:00")
        quiet.control("faults", operation="DownloadManifest", fault="page_fails")
        assert [quiet.pull(window=window, pageNumber=n).status_code for n in ("1", "3", "2", "2")] == [
            200,
            200,
            500,
            200,
        ]

    @pytest.mark.rule("PF-9-38")
    def test_tracking_upload_partial(self, quiet: Network) -> None:
        number = quiet.make()
        quiet.control("switches", progress="off")
        quiet.control("faults", operation="UploadTracking", fault="tracking_upload_partial")
        sent = [status(number), status(number, "POD")]
        answer = quiet.call("UploadTracking", uniqueTransactionNumber="S-1", trackingData=sent).json()
        assert [failed["eventCode"] for failed in answer["failedTracking"]] == ["DELV"]
        assert [event["eventCode"] for event in quiet.tracking(number)] == ["POD"]
        entry = quiet.journal()[0]
        assert (entry["outcome"], entry["fault"]) == ("REFUSED", "tracking_upload_partial")

    @pytest.mark.rule("PF-9-40", "PF-2.6-8")
    def test_tracking_upload_refused(self, quiet: Network) -> None:
        number = quiet.make()
        quiet.control("switches", progress="off")
        quiet.control("faults", operation="UploadTracking", fault="tracking_upload_refused")
        sent = {"uniqueTransactionNumber": "S-1", "trackingData": [status(number), status(number, "POD")]}
        answer = quiet.call("UploadTracking", **sent)
        assert (answer.status_code, answer.json()["success"], answer.json()["failedTracking"]) == (400, False, [])
        assert quiet.tracking(number) == []
        assert quiet.call("UploadTracking", **sent).json() == {"success": True, "failedTracking": []}
        assert len(quiet.tracking(number)) == 2


class TestControl:
    @pytest.mark.parametrize(
        ("path", "body", "sentence"),
        [
            ("faults", {"fault": "gremlins", "operation": "*"}, "There is no fault 'gremlins'"),
            (
                "faults",
                {"fault": "page_shift", "operation": "UploadManifest"},
                "page_shift can strike DownloadManifest",
            ),
            ("faults", {"fault": "http_401"}, "http_401 can strike"),
            ("faults", {"fault": "http_401", "operation": "*", "count": 0}, "count must be"),
            (
                "faults",
                {"fault": "http_401", "operation": "*", "options": {"x": 1}},
                "The options of http_401 are: none",
            ),
            ("faults", {"fault": "slow", "operation": "*", "options": {"seconds": "2"}}, "seconds must be"),
            ("switches", {"mood": "good"}, "There is no switch 'mood'"),
            ("switches", {"page_size_max": 0}, "page_size_max must be"),
            ("switches", {"client_depots": ["999"]}, "client_depots must be"),
            ("switches", {"unclean_share": 2}, "unclean_share must be"),
            ("clock", {"now": "yesterday"}, "now must be an ISO 8601 instant"),
            ("clock", {"now": "2026-07-15T08:59:59+00:00"}, "The clock only moves forward"),
            ("clock", {"advance_s": -1}, "advance_s must be"),
            ("clock", {"run": False}, "run must be true"),
            ("consignments", {"depot": "905"}, "depot must be one of: 900, 901, 902"),
            ("consignments", {"role": "watching"}, "role must be one of"),
            ("consignments", {"consignmentStatus": "LOST"}, "consignmentStatus must be one of"),
            ("consignments", {"trackingNumber": "12"}, "trackingNumber must be a text of 13 digits"),
            ("consignments", {"at": "2026-07-15T10:00:01"}, "A consignment cannot be created later"),
            ("consignments", {"count": 0}, "count must be"),
            ("consignments", {"count": 2, "from": "2026-07-15", "to": "2026-07-14"}, "to must be after from"),
            ("consignments", {"from": "2026-07-15"}, "from and to go with count"),
            ("consignments", {"fields": {"deliveryDepot": "999"}}, "deliveryDepot must be one of"),
            ("consignments", {"fields": {"lastUpdated": "x"}}, "fields: lastUpdated is set by at"),
            ("consignments", {"fields": {"pallets": "two"}}, "fields: pallets must be a list"),
            ("consignments", {"fields": {"datesAndTimes": ["today"]}}, "fields: datesAndTimes must be a list"),
            ("consignments", {"overrides": {"pallets.0": "x"}}, "pallets.0: there is no such place"),
            ("consignments", {"raw": 1, "count": 2}, "There is no key 'count' here"),
            ("change", {"trackingNumber": "9050020000001", "cancel": True}, "There is no consignment"),
            ("events", {"trackingNumber": "9050020000001", "eventCode": "POC"}, "There is no consignment"),
            ("events", {"trackingNumber": NUMBER}, "eventCode must be a text"),
            ("change", {"trackingNumber": NUMBER}, "Give one of deliveryDepot"),
            ("reset", {"seed": "one"}, "seed must be a whole number"),
            (
                "faults",
                {"fault": "label_missing", "operation": "UploadManifest"},
                "label_missing can strike DownloadLabel or *",
            ),
            ("faults", {"fault": "label_missing", "operation": "*", "options": {"empty": 1}}, "empty must be true or"),
            ("consignments", {"fields": {"deliveryAddress": "here"}}, "fields: deliveryAddress must be an object"),
        ],
    )
    def test_a_bad_request_is_a_422_with_a_sentence(
        self, quiet: Network, path: str, body: dict[str, Any], sentence: str
    ) -> None:
        quiet.make()
        answer = requests.post(f"{quiet.address}/_sim/{path}", json=body, timeout=DEADLINE_S)
        assert answer.status_code == 422
        assert answer.json()["error"].startswith(sentence)
        assert len(quiet.pull_all()) == 1

    def test_a_control_path_that_is_none_is_404_and_bad_json_422(self, quiet: Network) -> None:
        assert requests.post(f"{quiet.address}/_sim/nothing", timeout=DEADLINE_S).status_code == 404
        assert requests.post(f"{quiet.address}/_sim/clock", data="{", timeout=DEADLINE_S).status_code == 422
        assert requests.post(f"{quiet.address}/_sim/clock", data="[]", timeout=DEADLINE_S).status_code == 422

    def test_a_path_to_look_at_that_is_none_is_404_and_a_key_that_is_none_422(self, quiet: Network) -> None:
        assert requests.get(f"{quiet.address}/_sim/nothing", timeout=DEADLINE_S).status_code == 404
        for path in ("journal", "consignments"):
            answer = requests.get(f"{quiet.address}/_sim/{path}?depots=900", timeout=DEADLINE_S)
            assert answer.status_code == 422
            assert answer.json()["error"].startswith("There is no key 'depots' here; the keys are: ")

    @pytest.mark.rule("PF-9-39")
    def test_what_the_network_holds_can_be_counted(self, quiet: Network) -> None:
        assert quiet.held() == []
        quiet.post("UploadManifest", upload())
        quiet.post("UploadManifest", upload(uniqueTransactionNumber="T-2", consignment__consignmentNumber="0000124"))
        foreign = quiet.make(overrides={"serviceName": "?"})
        assert [one["trackingNumber"] for one in quiet.held()] == ["9000010000123", "9000010000124", foreign]
        assert quiet.held(uniqueTransactionNumber="T-1") == [
            {
                "trackingNumber": "9000010000123",
                "uniqueTransactionNumber": "T-1",
                "consignmentNumber": "0000123",
                "customersUniqueReference": "SO-123",
                "requestingDepot": "900",
                "collectingDepot": "900",
                "deliveryDepot": "901",
                "serviceName": "A",
                "consignmentStatus": "ACCEPTED",
                "lastUpdated": "2026-07-15T10:00:00",
                "barcodes": ["506901A900001000012301", "506901A900001000012302"],
            }
        ]
        assert len(quiet.held(customersUniqueReference="SO-123")) == 2
        assert len(quiet.held(customersUniqueReference="SO-123", consignmentNumber="0000124")) == 1
        assert [one["serviceName"] for one in quiet.held(trackingNumber=foreign)] == ["A"]
        assert quiet.held(trackingNumber="9000010000125") == []
        assert quiet.journal()[-1]["operation"] == "UploadManifest"  # looking is no request

    @pytest.mark.rule("PF-9-39")
    def test_many_consignments_are_all_counted_and_a_thousand_shown(self, quiet: Network) -> None:
        quiet.control("consignments", count=1200, depot="900")
        answer = requests.get(f"{quiet.address}/_sim/consignments", timeout=DEADLINE_S).json()
        assert (answer["total"], len(answer["consignments"])) == (1200, 1000)

    @pytest.mark.rule("PF-9-8")
    def test_the_clock_stands_moves_and_runs(self, quiet: Network) -> None:
        assert quiet.control("clock") == {"now": NOW.isoformat(), "frozen": True}
        assert quiet.control("clock", advance_s=90)["now"] == (NOW + timedelta(seconds=90)).isoformat()
        later = NOW + timedelta(hours=5)
        assert quiet.control("clock", now=later.isoformat()) == {"now": later.isoformat(), "frozen": True}
        running = quiet.control("clock", run=True)
        assert running["frozen"] is False
        wait_until(lambda: quiet.control("clock")["now"] > running["now"])
        ahead = quiet.control("clock", advance_s=3600)
        assert not ahead["frozen"]
        assert datetime.fromisoformat(ahead["now"]) >= later + timedelta(hours=1)

    def test_without_now_the_clock_runs_with_real_time(self) -> None:
        with serving(create_app(traffic=False)) as address:
            clock = Network(address).control("clock")
        assert not clock["frozen"]
        assert abs(datetime.fromisoformat(clock["now"]) - datetime.now(UTC)) < timedelta(minutes=5)

    def test_now_needs_an_offset(self) -> None:
        with pytest.raises(ValueError, match="offset"):
            create_app(now=datetime(2026, 7, 15))  # noqa: DTZ001

    def test_fields_are_facts_and_overrides_only_what_is_served(self, quiet: Network) -> None:
        quiet.make(
            fields={"deliveryAddress.postcode": "LE2 2AA", "weight": "77"},
            overrides={
                "weight": "heavy",
                "pallets": None,
                "deliveryAddress.town": None,
                "collectionAddress": 5,
                "deliveryDepot": "",
                "notes": [None, {"noteName": []}],
            },
        )
        manifest = quiet.pull_all()[0]
        served = manifest["consignments"][0]
        assert (served["weight"], served["deliveryDepot"], served["notes"]) == ("heavy", "", [None, {"noteName": []}])
        assert "pallets" not in served
        assert "town" not in manifest["deliveryAddress"]
        assert manifest["deliveryAddress"]["postcode"] == "LE2 2AA"
        assert manifest["collectionAddress"] == 5
        changed = quiet.control("change", trackingNumber=NUMBER, serviceName="B")
        assert changed["barcodes"][0] == f"506900B{NUMBER}01"
        assert quiet.pull_all()[0]["consignments"][0]["weight"] == "heavy"

    @pytest.mark.parametrize("value", [None, 7, "text", [], [[{}]], {"consignments": "none"}, {"\ud800": "é"}])
    def test_raw_is_served_as_it_is(self, quiet: Network, value: Any) -> None:
        quiet.make(at="2026-07-15T08:00:00")
        quiet.control("consignments", raw=value, depot="900", at="2026-07-15T09:00:00")
        page = quiet.page()
        assert page["totalRecords"] == "2"
        assert page["manifests"][1] == value

    @pytest.mark.rule("PF-9-9")
    def test_many_are_made_evenly_over_a_span_and_the_same_each_time(self, quiet: Network) -> None:
        order = {"count": 1000, "depot": "901", "from": "2026-07-13T06:00:00", "to": "2026-07-13T16:00:00"}
        made = quiet.control("consignments", **order)
        assert (made["created"], len(set(made["trackingNumbers"]))) == (1000, 1000)
        first = quiet.pull_all("901", ("2026-07-13T06:00:00", "2026-07-13T16:00:00"))
        assert len(first) == 1000
        assert quiet.page("901", ("2026-07-13T06:00:00", "2026-07-13T11:00:00"))["totalRecords"] == "500"
        quiet.control("reset")
        quiet.control("consignments", **order)
        assert quiet.pull_all("901", ("2026-07-13T06:00:00", "2026-07-13T16:00:00")) == first

    @pytest.mark.rule("PF-9-9")
    def test_cancelled_and_unaccepted_can_be_made(self, quiet: Network) -> None:
        for state in ("UNACCEPTED", "CANCELLED"):
            quiet.control("consignments", consignmentStatus=state, depot="902", role="requested")
        states = [manifest["consignments"][0]["consignmentStatus"] for manifest in quiet.pull_all("902")]
        assert sorted(states) == ["CANCELLED", "UNACCEPTED"]

    @pytest.mark.rule("PF-9-10")
    def test_a_change_moves_last_updated_and_who_sees_it(self, quiet: Network) -> None:
        quiet.make()
        quiet.control("clock", advance_s=600)
        changed = quiet.control("change", trackingNumber=NUMBER, deliveryDepot="902")
        assert changed["lastUpdated"] == "2026-07-15T10:10:00"
        assert quiet.fetch(NUMBER, "900") is None
        assert quiet.fetch(NUMBER, "902")["lastUpdated"] == "2026-07-15T10:10:00"
        assert quiet.pull_all("900") == []
        quiet.control("clock", advance_s=600)
        quiet.control("change", trackingNumber=NUMBER, cancel=True)
        assert quiet.fetch(NUMBER, "902")["consignmentStatus"] == "CANCELLED"
        assert len(quiet.pull_all("902", ("2026-07-15T10:20:00", "2026-07-15T10:20:01"))) == 1

    @pytest.mark.rule("PF-9-11")
    def test_events_are_injected_per_barcode_for_one_or_as_they_are(self, quiet: Network) -> None:
        quiet.make(fields={"pallets": [{"palletType": "H", "numberofPallets": "3"}]})
        quiet.control("switches", progress="off")
        for extra in ({"at": "2026-07-15T09:00:00"}, {"barcode": "", "note": "all"}):
            quiet.control("events", trackingNumber=NUMBER, eventCode="POC", **extra)
        quiet.control("events", trackingNumber=NUMBER, raw=["odd"])
        events = quiet.tracking(NUMBER)
        assert [event["barcode"] for event in events[:3]] == [f"506900A{NUMBER}{n:02d}" for n in (1, 2, 3)]
        assert events[3] == {
            "trackingNumber": NUMBER,
            "barcode": "",
            "eventCode": "POC",
            "eventDateTime": "2026-07-15T10:00:00",
            "note": "all",
        }
        assert events[4] == ["odd"]

    @pytest.mark.rule("PF-9-12")
    def test_reset_begins_again(self, quiet: Network) -> None:
        quiet.make()
        quiet.control("switches", success_type="string")
        quiet.control("faults", operation="*", fault="http_401")
        quiet.control("clock", advance_s=60)
        assert quiet.control("reset") == {"seed": 1, "now": NOW.isoformat(), "frozen": True}
        assert quiet.page() == {
            "success": True,
            "pageNumber": "1",
            "totalPages": "0",
            "totalRecords": "0",
            "manifests": [],
        }
        assert len(quiet.journal()) == 1

    @pytest.mark.rule("PF-9-13")
    def test_the_journal_tells_every_request_with_keys_masked(self, quiet: Network) -> None:
        quiet.make()
        quiet.pull()
        quiet.post("DownloadManifest", {"AccessKey ": "my-own-wrong-key", "note": [ACCESS_KEYS["901"]]})
        quiet.post("UploadManifest", upload(consignment__weight="0"))
        quiet.control("faults", operation="DownloadTracking", fault="html_500")
        quiet.call("DownloadTracking", trackingNumber=NUMBER)
        quiet.post("Nonsense", "no object")
        entries = quiet.journal()
        assert [(e["operation"], e["status"], e["outcome"], e["fault"]) for e in entries] == [
            ("DownloadManifest", 200, "OK", None),
            ("DownloadManifest", 401, "UNAUTHORISED", None),
            ("UploadManifest", 400, "REFUSED", None),
            ("DownloadTracking", 500, "FAULT", "html_500"),
            ("Nonsense", 404, "NOT_FOUND", None),
        ]
        assert entries[0]["body"]["depot"] == "900"
        assert entries[0]["body"]["accessKey"] == "***"
        assert entries[0]["time"] == NOW.isoformat()
        assert entries[0]["path"] == "/api/ExternalScanning/DownloadManifest"
        assert entries[2]["reasons"] == ["weight: must be a whole number of kg from 1 to 9999"]
        text = json.dumps(entries)
        assert "my-own-wrong-key" not in text
        assert not any(key in text for key in ACCESS_KEYS.values())


class TestTraffic:
    WINDOWS = tuple((f"2026-07-{day}T10:00:00", f"2026-07-{day + 1}T10:00:00") for day in (12, 13, 14))

    def _everything(self, network: Network, depot: str) -> list[Any]:
        return [manifest for window in self.WINDOWS for manifest in network.pull_all(depot, window)]

    @pytest.mark.rule("PF-9-3")
    def test_equal_seed_and_clock_give_equal_pages_however_the_clock_got_there(self, busy: Network) -> None:
        with serving(create_app(seed=1, now=NOW - timedelta(hours=30))) as address:
            slow = Network(address)
            slow.control("clock", advance_s=3600.5)
            slow.control("clock", now=NOW.isoformat())
            for depot in ACCESS_KEYS:
                expected = [busy.pull(depot, window).text for window in self.WINDOWS]
                assert [slow.pull(depot, window).text for window in self.WINDOWS] == expected
            one = json.loads(expected[0])["manifests"][0]["consignments"][0]["trackingNumber"]
            assert slow.tracking(one, "902") == busy.tracking(one, "902")

    def test_another_seed_gives_other_traffic(self, busy: Network, quiet: Network) -> None:
        with serving(create_app(seed=2, now=NOW)) as address:
            assert Network(address).pull().text != busy.pull().text

    @pytest.mark.parametrize("depot", ACCESS_KEYS)
    def test_every_half_hour_of_the_last_three_days_has_some(self, busy: Network, depot: str) -> None:
        start = datetime(2026, 7, 12, 10, 0)  # noqa: DTZ001  (London time, as on the wire)
        counts = []
        for half_hour in range(3 * 48):
            begin = start + half_hour * timedelta(minutes=30)
            window = (begin.isoformat(), (begin + timedelta(minutes=30)).isoformat())
            counts.append(int(busy.page(depot, window)["totalRecords"]))
        assert min(counts) >= 1
        assert max(counts) <= 60

    def test_a_working_hour_brings_twenty_to_forty_and_a_night_hour_a_few(self, busy: Network) -> None:
        for depot in ACCESS_KEYS:
            for hour, least, most in ((11, 20, 60), (15, 20, 60), (3, 2, 20)):
                window = (f"2026-07-14T{hour:02d}:00:00", f"2026-07-14T{hour + 1:02d}:00:00")
                assert least <= int(busy.page(depot, window)["totalRecords"]) <= most

    def test_the_freight_is_what_the_contract_allows(self, busy: Network) -> None:
        roles, states, services, kinds = set(), set(), set(), set()
        for depot in ACCESS_KEYS:
            for manifest in self._everything(busy, depot):
                one = manifest["consignments"][0]
                depots = [one["requestingDepot"], one["collectingDepot"], one["deliveryDepot"]]
                assert depot in depots
                assert set(depots) <= set(DEPOTS)
                assert one["trackingNumber"].startswith(one["requestingDepot"])
                assert len(one["trackingNumber"]) == 13
                assert depot_for(manifest["collectionAddress"]["postcode"]) == one["collectingDepot"]
                assert depot_for(manifest["deliveryAddress"]["postcode"]) is not None
                assert 1 <= int(one["weight"]) <= 9999
                assert len(manifest["deliveryAddress"]["name"]) <= 50
                assert all(len(note["value"]) <= 36 for note in one["notes"])
                if one["requestingDepot"] in ACCESS_KEYS:
                    account = ACCOUNTS[one["CustomerAccountNumber"]]
                    assert account["depot"] == one["requestingDepot"]
                    assert account["notifications"] or not one["notifications"]
                if "AZ" in one["surcharges"]:
                    assert one["cartonCount"]
                    assert one["aSNFBABOLReferenceNumber"]
                roles.add(depots.index(depot))
                states.add(one["consignmentStatus"])
                services.add(one["serviceName"])
                kinds |= {pallet["palletType"] for pallet in one["pallets"]}
        assert roles == {0, 1, 2}
        assert states == {"ACCEPTED", "UNACCEPTED", "CANCELLED"}
        assert services == set("ABCDR")
        assert kinds == set("FHQO")

    def test_time_brings_new_consignments_and_changes_old_ones(self) -> None:
        with serving(create_app(seed=1, now=NOW)) as address:
            network = Network(address)
            window = ("2026-07-15T00:00:00", "2026-07-15T14:00:00")

            def snapshot() -> dict[str, Any]:
                listed = [manifest["consignments"][0] for manifest in network.pull_all("900", window)]
                return {one["trackingNumber"]: one for one in listed}

            before = snapshot()
            network.control("clock", advance_s=3 * 3600)
            after = snapshot()
            assert len(after) > len(before) + 40
            changed = [number for number in before if number in after and before[number] != after[number]]
            assert changed
            for number in changed:
                assert "2026-07-15T10:00:00" <= after[number]["lastUpdated"] <= "2026-07-15T13:00:00"
                differing = {name for name in after[number] if after[number][name] != before[number][name]}
                assert differing <= {"lastUpdated", "consignmentStatus", "serviceName", "deliveryDepot"}
            assert max(one["lastUpdated"] for one in after.values()) <= "2026-07-15T13:00:00"

    def test_after_weeks_the_latest_days_are_there_and_old_ones_forgotten(self) -> None:
        with serving(create_app(seed=1, now=NOW)) as address:
            network = Network(address)
            network.control("clock", advance_s=20 * 86_400)
            assert int(network.page("900", ("2026-08-03T10:00:00", "2026-08-04T10:00:00"))["totalRecords"]) > 100
            assert network.pull_all("900", ("2026-07-13T10:00:00", "2026-07-20T10:00:00")) == []


def test_postcodes_across_the_country_find_a_depot() -> None:
    assert [depot_for(text) for text in ("LE1 1AA", "ls11aa", " BS37 5AA")] == ["900", "901", "902"]
    for text in ("EC1A 1BB", "AB12 3CD", "BT1 1AA", "ZE1 0AA", "W1A 1AA", "M1 1AE", "TR1 1AA", "IM1 1AA"):
        assert depot_for(text) in DEPOTS
    assert [depot_for(text) for text in ("GY1 1AA", "JE2 3AA", "QQ1 1AA", "", "12345")] == [None] * 5
    for depot in DEPOTS.values():
        assert {depot_for(f"{outward} 1AA") for _, outward in depot.places} == {depot.code}


def _host(address: str) -> tuple[str, int]:
    parts = urlsplit(address)
    assert parts.hostname is not None
    assert parts.port is not None
    return parts.hostname, parts.port


def _http(operation: str, body: Any, connection: str = "keep-alive") -> bytes:
    content = json.dumps(body).encode()
    head = (
        f"POST /x/{operation} HTTP/1.1\r\nHost: x\r\nConnection: {connection}\r\nContent-Length: {len(content)}\r\n\r\n"
    )
    return head.encode() + content
