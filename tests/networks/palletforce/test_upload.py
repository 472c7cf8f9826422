"""UploadManifest and DownloadLabel through the real client (contract 1.3, 2.1 and 2.2)."""

import base64

import pytest
from tests.networks.palletforce.facts import facts
from tests.networks.palletforce.test_client import KEY, Server, answered

from palletflow.network_errors import AuthFailed, Misconfigured, NotSent, Rejected, Throttled, UnknownOutcome
from palletflow.networks.palletforce import manifest, settings
from palletflow.networks.palletforce.client import PalletforceClient, Upload
from palletflow.networks.palletforce.mapper import preview

NUMBER = "9000010000123"
CODE = {"successfulTrackingCodes": [NUMBER]}
JPEG = b"\xff\xd8\xff\xe0 not much of a picture"
REFUSED = {"consignmentNumber": "0000123", "trackingNumber": "", "failureReasons ": ["weight: must not be zero"]}


@pytest.fixture
def body(plan):
    form = manifest.form(preview(plan).template)
    return manifest.build(
        facts(), form, transaction="AF-51-1", account="acme 001", accepted_status="", opted_out=False
    ).body


@pytest.fixture
def answering():
    """Makes a client of a server that gives these answers, the last for ever."""
    opened = []

    def made(*answers, patient: bool = True, **extra) -> tuple[PalletforceClient, Server]:
        server = Server(*answers)
        parsed = settings.parse("palletforce_900", server.url, KEY, {"allow_http": True, "read_timeout_s": 2, **extra})
        pauses: list[float] = []
        client = PalletforceClient(parsed, {}, sleep=pauses.append, jitter=lambda: 1.0, patient=patient)
        client.pauses = pauses
        opened.extend((server, client))
        return client, server

    yield made
    for one in opened:
        one.close()


@pytest.mark.rule("PF-2.1-7", "PF-2.1-24")
def test_the_network_gives_the_number_of_what_it_takes(open_client, simulator, body):
    assert open_client().upload(body) == Upload(["9000010000123"], [])

    [request] = simulator.journal()
    assert request["body"] == {"accessKey": "***", **body}


@pytest.mark.rule("PF-2.1-24")
@pytest.mark.parametrize("status", [200, 400, 500])
@pytest.mark.parametrize("success", [{"success": True}, {"success": False}, {"success": "false"}, {}])
def test_a_tracking_code_means_created_whatever_else_is_said(answering, body, status, success):
    client, server = answering(answered(status, {**success, **CODE, "failedConsignments": [REFUSED]}))

    assert client.upload(body) == Upload([NUMBER], ["weight: must not be zero"])
    assert len(server.requests) == 1


@pytest.mark.rule("PF-2.1-24")
def test_partial_success_is_created_with_warnings(open_client, simulator, body):
    simulator.fault("partial_success", "UploadManifest")
    assert open_client().upload(body) == Upload([NUMBER], ["Registered, but the label is not ready yet"])


@pytest.mark.rule("PF-2.1-24")
def test_a_code_beside_a_text_of_the_key_is_still_created(answering, body):
    client, _ = answering(answered(200, {"success": False, **CODE, "message": "access key expires soon"}))
    assert client.upload(body).tracking_numbers == [NUMBER]


@pytest.mark.rule("PF-2.1-25", "PF-1.3-9", "PF-1.3-13")
@pytest.mark.parametrize(
    "reply",
    [
        {"success": True},
        {"success": "True", "successfulTrackingCodes": []},
        {"success": True, "successfulTrackingCodes": ["", None, " "]},
        {"successfulTrackingCodes": []},
        {"failedConsignments": [REFUSED]},
    ],
)
def test_success_without_a_code_is_an_unknown_outcome_and_not_sent_again(answering, body, reply):
    client, server = answering(answered(200, reply), answered(200, {"success": True, **CODE}))

    with pytest.raises(UnknownOutcome):
        client.upload(body)
    assert len(server.requests) == 1
    assert client.pauses == []


@pytest.mark.rule("PF-1.3-13")
@pytest.mark.parametrize(
    ("fault", "options"),
    [
        ("timeout_before_accept", {}),
        ("timeout_after_accept", {}),
        ("reset", {"accept": False}),
        ("reset", {"accept": True}),
        ("truncated_json", {}),
        ("empty_body", {"accept": True}),
        ("html_500", {"accept": True}),
        ("http_502", {"accept": False}),
        ("http_503", {}),
        ("success_without_code", {}),
    ],
)
def test_what_may_have_been_taken_is_never_sent_again_by_the_client(open_client, simulator, body, fault, options):
    simulator.fault(fault, "UploadManifest", count=1, **options)
    client = open_client(read_timeout_s=0.4)

    with pytest.raises(UnknownOutcome):
        client.upload(body)
    assert len(simulator.journal()) == 1
    assert client.pauses == []


@pytest.mark.rule("PF-1.3-10")
def test_what_was_not_sent_is_sent_again_three_times(body):
    parsed = settings.parse("palletforce_900", "http://127.0.0.1:9/api", KEY, {"allow_http": True})
    pauses = []
    with (
        PalletforceClient(parsed, {}, sleep=pauses.append, jitter=lambda: 1.0) as client,
        pytest.raises(NotSent),
    ):
        client.upload(body)
    assert pauses == [2, 4, 8]


@pytest.mark.rule("PF-1.3-11")
def test_a_pause_the_network_asks_for_is_waited_out(open_client, simulator, body):
    simulator.fault("http_429", "UploadManifest", count=3, retry_after=7)
    client = open_client()

    assert client.upload(body).tracking_numbers == [NUMBER]
    assert client.pauses == [7, 7, 7]


@pytest.mark.rule("PF-1.3-11")
def test_a_client_of_the_queue_leaves_the_waiting_to_it(answering, body):
    client, server = answering(answered(429, "slow down", **{"Retry-After": "9"}), patient=False)

    with pytest.raises(Throttled) as throttled:
        client.upload(body)
    assert throttled.value.retry_after == 9
    assert (len(server.requests), client.pauses) == (1, [])


@pytest.mark.rule("PF-1.3-15", "PF-2.1-27")
@pytest.mark.parametrize("http", ["400", "200", "500"])
@pytest.mark.parametrize("key", ["trailing space", "plain"])
@pytest.mark.parametrize("kind", ["list", "string"])
def test_a_refusal_is_not_retried_and_its_reasons_are_shown(open_client, simulator, body, http, key, kind):
    simulator.control("switches", failure_http=http, failure_key=key, failure_reasons_type=kind)
    body["consignments"][0]["weight"] = "0"
    client = open_client()

    with pytest.raises(Rejected, match="weight: must be a whole number of kg from 1 to 9999"):
        client.upload(body)
    assert len(simulator.journal()) == 1
    assert client.pauses == []


@pytest.mark.rule("PF-1.3-16")
@pytest.mark.parametrize(("status", "error"), [(401, AuthFailed), (404, Misconfigured)])
def test_a_refused_key_and_a_wrong_address_are_not_retried(answering, body, status, error):
    client, server = answering(answered(status, "no"))

    with pytest.raises(error):
        client.upload(body)
    assert len(server.requests) == 1


@pytest.mark.rule("PF-1.1-14")
def test_neither_refusals_nor_warnings_show_the_access_key(answering, body):
    said = {"failedConsignments": [{"failureReasons ": [f"the request was {{accessKey: {KEY}}}"]}]}
    client, _ = answering(answered(200, {"success": False, **said}), answered(200, {**CODE, **said}))

    with pytest.raises(Rejected) as refused:
        client.upload(body)
    assert KEY not in str(refused.value)
    assert client.upload(body).warnings == ["the request was {accessKey: ***}"]


# DownloadLabel


@pytest.mark.rule("PF-2.2-1", "PF-2.2-2", "PF-2.2-3")
def test_each_pallet_has_a_label_of_its_own(open_client, simulator, body):
    client = open_client()
    [number] = client.upload(body).tracking_numbers
    images = [client.label(number, pallet, "AF-51-1") for pallet in (1, 2)]

    assert all(image.startswith(b"\xff\xd8\xff") for image in images)
    assert images[0] != images[1]
    assert [one["body"] for one in simulator.journal()[1:]] == [
        {
            "accessKey": "***",
            "trackingNumber": number,
            "palletNumber": str(pallet),
            "uniqueTransactionNumber": "AF-51-1",
        }
        for pallet in (1, 2)
    ]


@pytest.mark.rule("PF-2.2-1")
def test_a_label_of_an_upload_that_was_not_ours_has_no_transaction_number(answering):
    client, server = answering(answered(200, {"labelImages": [{"imageData": base64.b64encode(JPEG).decode()}]}))

    assert client.label(NUMBER, 1, "") == JPEG
    assert server.requests[0].body["uniqueTransactionNumber"] == ""


@pytest.mark.rule("PF-2.2-3")
@pytest.mark.parametrize(
    "reply",
    [
        {"success": True},
        {"success": True, "labelImages": []},
        {"success": True, "labelImages": "none"},
        {"success": True, "labelImages": ["text"]},
        {"success": True, "labelImages": [{"imageData": ""}]},
        {"success": True, "labelImages": [{"imageData": None}]},
        {"success": True, "labelImages": [{"imageData": "not base64!"}]},
        {"success": True, "labelImages": [{"imageData": base64.b64encode(JPEG).decode() + "\n*"}]},
        {"success": True, "labelImages": [{"imageData": base64.b64encode(JPEG).decode()[:-1]}]},
        {"success": True, "labelImages": [{"imageData": base64.b64encode(b"%PDF-1.7").decode()}]},
    ],
)
def test_anything_but_a_jpeg_in_base64_is_a_failed_label(answering, reply):
    client, _ = answering(answered(200, reply))

    with pytest.raises(UnknownOutcome, match="pallet 1"):
        client.label(NUMBER, 1, "AF-51-1")


@pytest.mark.rule("PF-2.2-4")
@pytest.mark.parametrize(("number", "pallet"), [(NUMBER, 3), (NUMBER, 0), ("9000019999999", 1)])
def test_a_number_or_pallet_the_network_does_not_know_is_refused(open_client, body, number, pallet):
    client = open_client()
    client.upload(body)

    with pytest.raises(Rejected):
        client.label(number, pallet, "")


# Settings of dispatch


def test_the_settings_of_dispatch_have_the_defaults_of_the_contract(open_client):
    found = open_client().settings

    assert found.lookup_delays_s == (60, 120, 300)
    assert (found.resend_after_unknown, found.duplicate_precheck, found.precreated_mode) == ("once", "block", "upload")
    assert (found.notification_retry, found.accepted_status, found.transaction_prefix) == (True, "", "AF")


@pytest.mark.parametrize(
    ("extra", "field", "value"),
    [
        ({"lookup_delays_s": "30, 60"}, "lookup_delays_s", (30, 60)),
        ({"lookup_delays_s": [5]}, "lookup_delays_s", (5,)),
        ({"resend_after_unknown": "never"}, "resend_after_unknown", "never"),
        ({"accepted_status": "N"}, "accepted_status", "N"),
        ({"accepted_status": ""}, "accepted_status", ""),
        ({"system_id": "005"}, "system_id", "005"),
        ({"notification_retry": "false"}, "notification_retry", False),
    ],
)
def test_settings_of_dispatch_are_read(open_client, extra, field, value):
    assert getattr(open_client(**extra).settings, field) == value


@pytest.mark.parametrize(
    "extra",
    [
        {"lookup_delays_s": []},
        {"lookup_delays_s": "60, 30"},
        {"lookup_delays_s": "soon"},
        {"lookup_delays_s": 60},
        {"resend_after_unknown": "twice"},
        {"duplicate_precheck": "yes"},
        {"precreated_mode": "adopt"},
        {"accepted_status": "X"},
        {"transaction_prefix": "A-F"},
        {"system_id": "5"},
        {"duplicate_error_pattern": "("},
    ],
)
def test_settings_of_dispatch_that_make_no_sense_are_refused(open_client, extra):
    with pytest.raises(Misconfigured, match=next(iter(extra))):
        open_client(**extra)
