"""Every fault and switch of section 11 does on the wire what the table says; what a client makes of it is not here."""

import json
import time
from datetime import timedelta
from email.utils import parsedate_to_datetime

import pytest
import requests
from tests.networks.nexus.simulated import START, create_body

GET = ("consignments/700001", "GET")


def status(sim, path="consignments", **more):
    return sim.call("GET", path, **more).status_code


def create(sim, number="QG0000123", *, timeout=30, **changes):
    return sim.call("POST", "consignments", json=create_body(sim, number, **changes), timeout=timeout)


def rules(sim):
    """The violations so far, which the test expects."""
    sim.expect_violations = True
    return [one["rule"] for one in sim.violations()]


# How faults are ordered (11.4)


@pytest.mark.rule("NX-11-10", "NX-11-12")
def test_faults_strike_in_order_after_some_requests_and_expire(nexus_sim):
    nexus_sim.fault("http_500", "consignments", times=2, after=1)
    nexus_sim.fault("http_403", "consignments", times=1)
    # The first request passes by the first fault and meets the second.
    assert [status(nexus_sim) for _ in range(5)] == [403, 500, 500, 200, 200]
    assert [one["fault"] for one in nexus_sim.requests("consignments")] == [
        "http_403",
        "http_500",
        "http_500",
        None,
        None,
    ]
    nexus_sim.fault("http_500", times=None)
    nexus_sim.control("faults", clear=True)
    assert nexus_sim.control("faults") == {"waiting": []}
    assert status(nexus_sim) == 200


@pytest.mark.rule("NX-11-12")
@pytest.mark.parametrize(
    ("path", "method", "struck"),
    [
        ("consignments", "*", {"GET consignments", "POST consignments"}),
        ("consignments/*", "GET", {"GET consignments/{one}"}),
        ("consignments/*/labels", "*", {"GET consignments/{one}/labels"}),
        ("consignments/{one}", "DELETE", {"DELETE consignments/{one}"}),
        ("consignments/**", "GET", {"GET consignments/{one}", "GET consignments/{one}/labels"}),
    ],
)
def test_a_fault_strikes_by_method_and_path(nexus_sim, path, method, struck):
    one = nexus_sim.add(role="requesting")
    nexus_sim.fault("http_500", path.format(one=one), method=method, times=None)
    calls = ("GET consignments", "POST consignments", "GET consignments/{one}", "GET consignments/{one}/labels",
             "DELETE consignments/{one}")  # fmt: skip
    assert {
        call for call in calls if nexus_sim.call(*call.format(one=one).split(), json={}).status_code == 500
    } == struck


# Tokens


@pytest.mark.rule("NX-11-13")
def test_refused_tokens_and_logins(nexus_sim):
    nexus_sim.fault("http_401", "consignments", times=2)
    assert [status(nexus_sim) for _ in range(3)] == [401, 401, 200]
    nexus_sim.fault("http_401", "account/login")
    login = {"username": "sim_pgd302", "password": "sim"}
    assert requests.post(f"{nexus_sim.base_url}Account/login/", json=login, timeout=30).status_code == 401
    tokens = requests.post(f"{nexus_sim.base_url}Account/login/", json=login, timeout=30).json()
    nexus_sim.control("options", not_offered={"refresh": 404}, token_ttl_s=10)
    refreshed = requests.post(
        f"{nexus_sim.base_url}Account/refresh", json={"refreshToken": tokens["refreshToken"]}, timeout=30
    )
    assert refreshed.status_code == 404
    headers = nexus_sim.login()
    nexus_sim.control("clock", advance_s=10)
    assert requests.get(f"{nexus_sim.base_url}consignments", headers=headers, timeout=30).status_code == 401


# Answers that say no, or do not come


@pytest.mark.rule("NX-11-14")
def test_retry_after_as_seconds_as_a_date_and_absent(nexus_sim):
    nexus_sim.fault("http_429", retry_after=90_000, path="consignments")
    nexus_sim.fault("http_429", retry_after=30, retry_after_form="date", path="consignments")
    nexus_sim.fault("http_503", path="consignments")
    answers = [nexus_sim.call("GET", "consignments") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [429, 429, 503]
    assert answers[0].headers["Retry-After"] == "90000"
    assert parsedate_to_datetime(answers[1].headers["Retry-After"]) == START + timedelta(seconds=30)
    assert "Retry-After" not in answers[2].headers


@pytest.mark.rule("NX-11-14")
def test_slow_silent_and_dropped_answers(nexus_sim):
    nexus_sim.fault("slow", "consignments", seconds=0.2)
    began = time.monotonic()
    assert status(nexus_sim) == 200
    assert time.monotonic() - began >= 0.2
    nexus_sim.fault("timeout", "consignments")
    with pytest.raises(requests.ReadTimeout):
        status(nexus_sim, timeout=0.5)
    nexus_sim.fault("drop", "consignments")
    with pytest.raises(requests.ConnectionError):
        status(nexus_sim)
    assert [one["status"] for one in nexus_sim.requests("consignments")] == [200, None, None]


@pytest.mark.rule("NX-1-27", "NX-11-17")
def test_refusals_in_every_form(nexus_sim):
    bodies = {}
    for form in ("problem", "text", "errors", "meta", "empty"):
        nexus_sim.control("options", error_form=form)
        answer = create(nexus_sim, deliveryAddress__postcode=None)
        assert answer.status_code == 400
        bodies[form] = answer.text
    problem = json.loads(bodies["problem"])
    assert (problem["title"], problem["status"]) == ("Validation failed", 400)
    assert problem["errors"] == {"deliveryAddress.postcode": ["required"]}
    assert problem["traceId"].startswith("sim-")
    assert bodies["text"] == "deliveryAddress.postcode: required"
    assert json.loads(bodies["errors"]) == {"errors": "deliveryAddress.postcode: required"}
    assert json.loads(bodies["meta"]) == {"status": "error", "meta": ["deliveryAddress.postcode"]}
    assert bodies["empty"] == ""


# Create


@pytest.mark.rule("NX-11-15")
@pytest.mark.parametrize("effect", ["timeout", "drop", "http_500", "garbage"])
def test_a_create_that_is_stored_though_its_answer_is_lost(nexus_sim, effect):
    nexus_sim.fault(effect, "consignments", "POST", accept=True)
    try:
        answer = create(nexus_sim, timeout=1)
        assert (effect, answer.status_code) in (("http_500", 500), ("garbage", 200))
        assert "QG0000123" not in answer.text
    except requests.RequestException:
        assert effect in ("timeout", "drop")
    assert len(nexus_sim.held(consignmentNumber="QG0000123")) == 1


@pytest.mark.rule("NX-11-15")
@pytest.mark.parametrize("effect", ["timeout", "drop", "http_500"])
def test_a_create_that_is_lost_before_it_is_stored(nexus_sim, effect):
    nexus_sim.fault(effect, "consignments", "POST")
    try:
        assert create(nexus_sim, timeout=1).status_code == 500
    except requests.RequestException:
        assert effect in ("timeout", "drop")
    assert nexus_sim.held() == []


@pytest.mark.rule("NX-11-16")
def test_a_duplicate_of_an_own_a_foreign_and_an_invisible_consignment(nexus_sim):
    assert create(nexus_sim, "QG0000001").status_code == 201
    nexus_sim.add(role="delivery", consignmentNumber="QG0000002")
    nexus_sim.add(role="none", consignmentNumber="QG0000003")
    found = [len(nexus_sim.get("consignments", searchTerm=f"QG000000{n}")) for n in (1, 2, 3)]
    assert found == [1, 1, 0]
    assert [create(nexus_sim, f"QG000000{n}").status_code for n in (1, 2, 3)] == [409] * 3
    nexus_sim.fault("http_409", "consignments", "POST")
    assert create(nexus_sim, "QG0000004").status_code == 409


@pytest.mark.rule("NX-11-17")
def test_create_replies_without_id_without_barcodes_and_with_200(nexus_sim):
    nexus_sim.fault("without", "consignments", "POST", fields=["consignmentID"])
    nexus_sim.fault("without", "consignments", "POST", fields=["pallets.barcode"])
    nexus_sim.fault("with_status", "consignments", "POST", status=200)
    no_id, no_barcodes, ok = (create(nexus_sim, f"QG000000{n}") for n in range(3))
    assert (no_id.status_code, set(no_id.json())) == (201, {"consignmentNumber", "status", "pallets"})
    assert [set(pallet) for pallet in no_barcodes.json()["pallets"]] == [{"palletID"}, {"palletID"}]
    assert (ok.status_code, ok.json()["consignmentNumber"]) == (200, "QG0000002")


# Lists


@pytest.mark.rule("NX-2.2-9", "NX-11-18")
def test_a_list_bare_wrapped_and_with_two_arrays(nexus_sim):
    nexus_sim.add_many(count=2)
    bare = nexus_sim.get("consignments")
    nexus_sim.control("options", list_envelope="wrapped")
    assert nexus_sim.get("consignments") == {"total": len(bare), "items": bare}
    nexus_sim.control("options", list_envelope="two_arrays")
    both = nexus_sim.get("consignments")
    assert both["consignments"] == bare
    assert len([value for value in both.values() if isinstance(value, list)]) == 2


@pytest.mark.rule("NX-11-18", "NX-2.3-17")
def test_fields_under_other_names_null_and_absent(nexus_sim):
    one = nexus_sim.add(role="delivery", pallets=1)
    before = nexus_sim.get(f"consignments/{one}")
    nexus_sim.control("options", renamed_fields={"delAddressPostcode": "deliveryPostcode", "pallets.barcode": "code"},
                      null_fields=["customerReference"], absent_fields=["customerID", "status.id"])  # fmt: skip
    shown, [row] = nexus_sim.get(f"consignments/{one}"), nexus_sim.get("consignments")
    for served in (shown, row):
        assert served["deliveryPostcode"] == before["delAddressPostcode"]
        assert served["customerReference"] is None
        assert not {"delAddressPostcode", "customerID"} & set(served)
        assert served["status"] == {"name": "Booked"}
    assert shown["pallets"][0]["code"] == before["pallets"][0]["barcode"]


@pytest.mark.rule("NX-2-1")
def test_paths_and_parts_under_other_names(nexus_sim):
    one = nexus_sim.add(role="delivery")
    nexus_sim.control("options", endpoints={"labels": "consignments/{id}/printouts", "lookups": "lists/{lookup}"},
                      upload_parts={"file": "document"}, limits={"town": 3})  # fmt: skip
    assert status(nexus_sim, f"consignments/{one}/printouts") == 200
    assert status(nexus_sim, f"consignments/{one}/labels") == 404
    assert status(nexus_sim, "Lists/Services") == 200
    assert status(nexus_sim, "services") == 404
    [type_id] = [row["id"] for row in nexus_sim.get("lists/consignmentAttachmentTypes", searchTerm="MPODPHOTOE")]
    sent = {"data": {"attachmentTypeID": type_id}, "files": {"document": ("a.pdf", b"%PDF")}}
    assert nexus_sim.call("POST", f"consignments/{one}/attachments", **sent).status_code == 201


@pytest.mark.rule("NX-2.2-10", "NX-11-19")
def test_a_clamped_limit_and_an_order_that_shifts_by_up_to_five_rows(nexus_sim):
    made = nexus_sim.add_many(count=60, role="delivery")[::-1]
    nexus_sim.control("options", limit_max=20)
    assert len(nexus_sim.get("consignments", limit=100)) == 20
    nexus_sim.control("options", limit_max=100, list_order="shifting")
    orders = [[row["consignmentID"] for row in nexus_sim.get("consignments", limit=100)] for _ in range(3)]
    assert len({tuple(order) for order in orders}) == 3
    for order in orders:
        assert sorted(order) == sorted(made)
        assert all(abs(order.index(one) - made.index(one)) <= 5 for one in made)


@pytest.mark.rule("NX-11-19")
def test_a_row_on_two_pages_and_a_row_that_comes_in_between(nexus_sim):
    made = nexus_sim.add_many(count=9, role="delivery")[::-1]

    def page(offset):
        return [row["consignmentID"] for row in nexus_sim.get("consignments", limit=3, offset=offset)]

    nexus_sim.fault("repeat_row", "consignments", after=1)
    assert page(0) + page(3) == made[:3] + made[2:5]
    nexus_sim.fault("insert_row", "consignments", after=1)
    assert page(0) + page(3) + page(6) == made[:3] + made[2:8]
    assert len(nexus_sim.held()) == 10


@pytest.mark.rule("NX-2.2-2", "NX-11-19")
@pytest.mark.parametrize(
    ("style", "query", "found"),
    [
        ("repeat", "statusID={a}&statusID={b}", 2),
        ("repeat", "statusID[]={a}&statusID[]={b}", 3),
        ("comma", "statusID={a},{b}", 2),
        ("comma", "statusID={a}&statusID={b}", 1),
        ("brackets", "statusID[]={a}&statusID[]={b}", 2),
        ("brackets", "statusID={a}&statusID={b}", 3),
    ],
)
def test_only_one_way_to_write_several_statuses_is_understood(nexus_sim, style, query, found):
    nexus_sim.control("options", array_style=style)
    for name in ("Collected", "At Hub", "Delivered"):
        nexus_sim.add(role="delivery", status=name)
    number = {row["name"]: row["id"] for row in nexus_sim.get("consignmentStatuses")}
    asked = query.format(a=number["Collected"], b=number["At Hub"])
    assert len(nexus_sim.get(f"consignments?{asked}")) == found


# Labels


@pytest.mark.rule("NX-11-20", "NX-2.6-2", "NX-2.6-3", "NX-2.6-5")
def test_labels_late_empty_html_zpl_and_behind_a_url(nexus_sim):
    one = nexus_sim.add(role="requesting", pallets=1)
    path, barcode = f"consignments/{one}/labels", nexus_sim.one(one)["barcodes"][0]

    def label():
        return nexus_sim.call("GET", path)

    nexus_sim.fault("http_404", path, times=2)
    nexus_sim.fault("empty", path)
    nexus_sim.fault("html", path)
    answers = [label() for _ in range(5)]
    assert [answer.status_code for answer in answers] == [404, 404, 200, 200, 200]
    assert answers[2].content == b""
    assert answers[3].text.startswith("<html>")
    assert answers[4].content.startswith(b"%PDF")
    nexus_sim.control("options", label_form="zpl")
    assert label().content.startswith(b"^XA")
    assert barcode in label().text
    nexus_sim.control("options", label_form="url")
    url = label().json()["url"].removeprefix(nexus_sim.base_url)
    assert nexus_sim.call("GET", url).content == answers[4].content
    nexus_sim.control("options", label_form="base64")
    assert label().json()["content"].startswith("JVBERi")


# Files on another host


@pytest.mark.rule("NX-11-21", "NX-11-7", "NX-1-32")
def test_a_file_on_another_host_and_a_redirect_to_it(nexus_sim):
    one = nexus_sim.add(role="requesting")
    nexus_sim.attach(one, b"%PDF there", type="POD")
    nexus_sim.control("options", file_host="foreign")
    [there] = nexus_sim.get(f"consignments/{one}/attachments")
    assert there["url"].startswith(nexus_sim.foreign)
    nexus_sim.control("options", file_host="redirect")
    [here] = nexus_sim.get(f"consignments/{one}/attachments")
    led = nexus_sim.call("GET", here["url"].removeprefix(nexus_sim.base_url))
    assert (led.status_code, led.headers["Location"]) == (302, there["url"])

    assert requests.get(there["url"], timeout=30).content == b"%PDF there"
    assert nexus_sim.violations() == []
    for header in ("Authorization", "Cookie", "X-Custom"):
        assert requests.get(there["url"], headers={header: "secret"}, timeout=30).content == b"%PDF there"
    assert rules(nexus_sim) == ["bearer_on_foreign_host"] * 3
    assert requests.get(f"{nexus_sim.foreign}/v1/consignments", timeout=30).status_code == 404


@pytest.mark.rule("NX-11-21", "NX-1-31")
def test_a_redirect_within_the_host_and_one_to_anywhere(nexus_sim):
    one = nexus_sim.add(role="requesting")
    nexus_sim.attach(one, b"%PDF", type="POD")
    nexus_sim.control("options", file_host="redirect_own")
    [row] = nexus_sim.get(f"consignments/{one}/attachments")
    path = row["url"].removeprefix(nexus_sim.base_url)
    led = nexus_sim.call("GET", path)
    assert led.headers["Location"].startswith("/v1/files/")
    assert nexus_sim.call("GET", led.headers["Location"].removeprefix("/v1/")).content == b"%PDF"
    nexus_sim.fault("redirect", path, status=307, location="http://files.example.test/1")
    led = nexus_sim.call("GET", path)
    assert (led.status_code, led.headers["Location"]) == (307, "http://files.example.test/1")


@pytest.mark.rule("NX-11-21")
@pytest.mark.parametrize("announced", [True, False])
def test_an_oversize_file(nexus_sim, announced):
    one = nexus_sim.add(role="requesting")
    nexus_sim.attach(one, type="POD")
    nexus_sim.fault("oversize", "files/*", announced=announced)
    [row] = nexus_sim.get(f"consignments/{one}/attachments")
    answer = nexus_sim.call("GET", row["url"].removeprefix(nexus_sim.base_url))
    assert len(answer.content) == 26 * 1024 * 1024
    assert ("Content-Length" in answer.headers) is announced


@pytest.mark.rule("NX-11-21", "NX-2.7-4")
def test_files_that_are_no_document_or_break_off(nexus_sim):
    one = nexus_sim.add(role="requesting")
    nexus_sim.attach(one, type="POD")
    nexus_sim.attach(one, type="POD", media="broken")
    good, broken = (
        row["url"].removeprefix(nexus_sim.base_url) for row in nexus_sim.get(f"consignments/{one}/attachments")
    )
    nexus_sim.fault("broken", good)
    nexus_sim.fault("truncated", good)
    for url in (good, broken):
        answer = nexus_sim.call("GET", url)
        assert answer.status_code == 200
        assert answer.content.startswith(b"\x00")
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        nexus_sim.call("GET", good)
    assert nexus_sim.call("GET", good).content.startswith(b"\xff\xd8\xff")


# History, uploads, cancel


@pytest.mark.rule("NX-11-22", "NX-11-26")
@pytest.mark.parametrize("gone", [404, 405])
def test_calls_that_are_not_offered(nexus_sim, gone):
    one = nexus_sim.add(role="requesting")
    nexus_sim.control("options", not_offered={"history": gone, "cancel": gone, "upload": gone})
    assert status(nexus_sim, f"consignments/{one}/statuses") == gone
    assert nexus_sim.call("DELETE", f"consignments/{one}").status_code == gone
    assert nexus_sim.call("POST", f"consignments/{one}/attachments").status_code == gone
    assert nexus_sim.get(f"consignments/{one}")["status"]["name"] == "Booked"


@pytest.mark.rule("NX-11-24")
def test_an_upload_that_is_stored_though_its_answer_is_lost(nexus_sim):
    one = nexus_sim.add(role="delivery")
    nexus_sim.fault("timeout", "consignments/*/attachments", "POST", accept=True)
    pod = next(row["id"] for row in nexus_sim.get("consignmentAttachmentTypes") if row["name"] == "POD")
    sent = {"data": {"attachmentTypeID": pod}, "files": {"file": ("a.pdf", b"%PDF")}}
    with pytest.raises(requests.ReadTimeout):
        nexus_sim.call("POST", f"consignments/{one}/attachments", timeout=1, **sent)
    assert [row["fileName"] for row in nexus_sim.get(f"consignments/{one}/attachments")] == ["a.pdf"]
    for refused in (413, 415):
        nexus_sim.fault(f"http_{refused}", "consignments/*/attachments", "POST")
        assert nexus_sim.call("POST", f"consignments/{one}/attachments", **sent).status_code == refused
    assert len(nexus_sim.one(one)["attachments"]) == 1


@pytest.mark.rule("NX-11-25")
def test_international_pallets_and_a_network_that_cannot_be_known(nexus_sim):
    one = nexus_sim.add(role="delivery", pallets=["Euro Full"], overrides={"network": None}, absent=["customerID"])
    shown = nexus_sim.get(f"consignments/{one}")
    types = {row["id"]: row["isInternational"] for row in nexus_sim.get("palletTypes")}
    assert types[shown["pallets"][0]["palletType"]["id"]] is True
    assert shown["network"] is None
    assert "customerID" not in shown


# Violations (11.3)


@pytest.mark.rule("NX-11-7")
def test_a_second_create_without_a_search_is_a_violation_and_one_after_it_is_not(nexus_sim):
    nexus_sim.fault("http_500", "consignments", "POST")
    create(nexus_sim)
    nexus_sim.get("consignments", searchTerm="QG0000123")
    assert create(nexus_sim).status_code == 201
    assert nexus_sim.violations() == []
    assert create(nexus_sim).status_code == 409
    assert rules(nexus_sim) == ["blind_post"]


@pytest.mark.rule("NX-11-7")
@pytest.mark.parametrize("accept", [True, False])
def test_a_second_create_after_one_of_unknown_outcome_is_a_violation(nexus_sim, accept):
    nexus_sim.fault("http_502", "consignments", "POST", accept=accept)
    assert create(nexus_sim).status_code == 502
    # Another search is not a search for it.
    nexus_sim.get("consignments", searchTerm="QG0000124")
    assert create(nexus_sim).status_code == (409 if accept else 201)
    assert rules(nexus_sim) == ["blind_post"]


@pytest.mark.rule("NX-11-7")
def test_a_create_that_was_refused_may_be_sent_again_at_once(nexus_sim):
    assert create(nexus_sim, deliveryAddress__town=None).status_code == 400
    nexus_sim.fault("http_429", "consignments", "POST")
    assert create(nexus_sim).status_code == 429
    assert create(nexus_sim).status_code == 201


@pytest.mark.rule("NX-11-7")
def test_the_wrong_network_and_international_pallets_in_a_create_are_violations(nexus_sim):
    body = create_body(nexus_sim, general__customerID="30001")
    answer = nexus_sim.call("POST", "consignments", depot="UKD101", json=body)
    assert answer.json()["errors"] == {"general.customerID": ["not a customer of your network"]}
    euro = next(row["id"] for row in nexus_sim.get("palletTypes") if row["name"] == "Euro Full")
    assert create(nexus_sim, "QG0000124", pallets__0__palletTypeID=euro).status_code == 201
    assert rules(nexus_sim) == ["network_mismatch", "international_pallet"]


@pytest.mark.rule("NX-11-7")
def test_bytes_that_were_served_must_not_come_back(nexus_sim):
    one = nexus_sim.add(role="requesting", deliveryDepotCode="UKD101", network="PALLEX")
    pod = next(row["id"] for row in nexus_sim.get("consignmentAttachmentTypes") if row["name"] == "POD")

    def upload(depot):
        sent = {"data": {"attachmentTypeID": pod}, "files": {"file": ("other name.pdf", b"%PDF same")}}
        return nexus_sim.call("POST", f"consignments/{one}/attachments", depot=depot, **sent)

    url = upload("UKD101").json()["url"].removeprefix(nexus_sim.base_url)
    nexus_sim.call("GET", url)
    # Who uploaded it may do so again; who was given it may not.
    assert upload("UKD101").status_code == 201
    assert nexus_sim.violations() == []
    assert upload("PGD302").status_code == 201
    assert rules(nexus_sim) == ["echo_upload"]


@pytest.mark.rule("NX-11-7", "NX-1-28")
def test_more_than_two_requests_a_second_are_a_violation_unless_switched_off(nexus_sim):
    headers = nexus_sim.login()

    def burst():
        for _ in range(10):
            nexus_sim.session.get(f"{nexus_sim.base_url}countries", headers=headers, timeout=30)

    burst()
    assert nexus_sim.violations() == []
    nexus_sim.control("options", rate_check=True)
    burst()
    assert set(rules(nexus_sim)) == {"rate"}


# Optimize (10)


def push(sim, *numbers, key="sim-optimize", calculated="2026-07-13T09:00:00+00:00", start="2026-07-13T11:20:00+00:00"):
    etas = [
        {
            "consignmentNumber": number,
            "postcode": "le1 1aa",
            "etaStart": start,
            "etaEnd": "2026-07-13T12:20:00+00:00",
        }
        for number in numbers
    ]
    body = {"depotCode": "PGD302", "tripReference": "T-77", "calculatedAt": calculated, "etas": etas}
    return requests.post(f"{sim.root}/optimize/etas", json=body, headers={"X-Api-Key": key}, timeout=30)


@pytest.mark.rule("NX-11-27", "NX-10-2", "NX-10-3")
def test_accepted_etas_fill_the_consignment_and_the_last_calculation_wins(nexus_sim):
    one = nexus_sim.add(role="delivery", consignmentNumber="QG0000123", delAddress={"postcode": "LE1 1AA"})
    assert push(nexus_sim, "QG0000123").json() == {"accepted": 1, "rejected": []}
    older = push(nexus_sim, "QG0000123", calculated="2026-07-13T08:00:00+00:00", start="2026-07-13T08:30:00+00:00")
    assert older.status_code == 200
    shown = nexus_sim.get(f"consignments/{one}")
    assert (shown["estimatedDelDate"], shown["estimatedDelTime"]) == ("2026-07-13", "12:20")
    assert (shown["startWindow"], shown["endWindow"]) == ("12:20", "13:20")
    calls = nexus_sim.look("etas")["calls"]
    assert [(call["tripReference"], len(call["etas"])) for call in calls] == [("T-77", 1), ("T-77", 1)]


@pytest.mark.rule("NX-11-27")
def test_etas_are_rejected_one_by_one(nexus_sim):
    nexus_sim.add(role="delivery", consignmentNumber="QG0000001", delAddress={"postcode": "LE1 1AA"})
    nexus_sim.add(role="delivery", consignmentNumber="QG0000002", delAddress={"postcode": "LE1 1AA"})
    nexus_sim.add(role="requesting", consignmentNumber="QG0000003", delAddress={"postcode": "LE1 1AA"})
    nexus_sim.fault("reject_etas", "optimize/etas", numbers=["QG0000001"], reason="Window closed")
    answer = push(nexus_sim, "QG0000001", "QG0000002", "QG0000003", "QG0000004").json()
    elsewhere = "Not a consignment for this depot to deliver"
    assert answer["accepted"] == 1
    assert {one["consignmentNumber"]: one["reason"] for one in answer["rejected"]} == {
        "QG0000001": "Window closed",
        "QG0000003": elsewhere,
        "QG0000004": elsewhere,
    }


@pytest.mark.rule("NX-11-27")
def test_optimize_with_a_wrong_key_renamed_and_off(nexus_sim):
    nexus_sim.add(role="delivery", consignmentNumber="QG0000123", delAddress={"postcode": "LE1 1AA"})
    assert push(nexus_sim, "QG0000123", key="wrong").status_code == 401
    nexus_sim.fault("http_401", "optimize/etas")
    assert push(nexus_sim, "QG0000123").status_code == 401
    nexus_sim.control("options", optimize_key_header="Api-Key")
    assert push(nexus_sim, "QG0000123").status_code == 401
    nexus_sim.control("options", optimize="off")
    assert push(nexus_sim, "QG0000123").status_code == 404
