"""The Nexus simulator over real sockets: what the network does when nothing is wrong (sections 1 to 3 and 11)."""

import io
from datetime import datetime

import pypdfium2
import pytest
import requests
import zxingcpp
from pypdf import PdfReader
from tests.conftest import NOW
from tests.networks.nexus.simulated import SimulatedNexus, create_body

from palletflow.networks.nexus.simulator import USERS

LOOKUPS = (
    "consignmentStatuses", "consignmentTypes", "consignmentAttachmentTypes", "countries", "currencyTypes", "services",
    "palletTypes", "palletBases", "depots",
)  # fmt: skip
# Ids that public examples show.
SEEN_ELSEWHERE = {1, 2, 3, 5, 6, 7, 233}


def ids(rows):
    return [row["consignmentID"] for row in rows]


def errors(answer):
    assert answer.status_code == 400, answer.text
    return set(answer.json()["errors"])


# Login and form (1, 2.1)


@pytest.mark.rule("NX-1-1", "NX-2-2", "NX-2.1-1", "NX-11-2")
@pytest.mark.parametrize("user", USERS)
def test_each_user_logs_in_and_sees_the_consignments_of_its_own_depot(nexus_sim, user):
    own = nexus_sim.add(depot=USERS[user], role="delivery")
    nexus_sim.add(depot=next(depot for depot in USERS.values() if depot != USERS[user]), role="none")

    rows = requests.get(f"{nexus_sim.base_url}consignments/", headers=nexus_sim.login(user), timeout=30).json()

    assert ids(rows) == [own]


@pytest.mark.rule("NX-2.1-1")
def test_a_wrong_password_and_a_missing_one_are_told_apart(nexus_sim):
    url = f"{nexus_sim.base_url}Account/login/"
    assert requests.post(url, json={"username": "sim_pgd302", "password": "no"}, timeout=30).status_code == 401
    missing = requests.post(url, json={"username": "sim_pgd302"}, timeout=30)
    assert missing.status_code == 400
    assert missing.json()["errors"] == {"password": ["required"]}


@pytest.mark.rule("NX-1-8", "NX-2-3", "NX-2.1-2", "NX-11-3")
def test_a_bearer_ends_after_an_hour_and_a_refresh_token_after_a_day_of_its_clock(nexus_sim):
    url = f"{nexus_sim.base_url}consignments"
    login = requests.post(
        f"{nexus_sim.base_url}Account/login/", json={"username": "sim_pgd302", "password": "sim"}, timeout=30
    )
    bearer, refresh = login.json()["bearerToken"], {"refreshToken": login.json()["refreshToken"]}

    def listed(token):
        return requests.get(url, headers={"Authorization": f"Bearer {token}"}, timeout=30).status_code

    nexus_sim.control("clock", advance_s=3599)
    assert listed(bearer) == 200
    nexus_sim.control("clock", advance_s=1)
    assert listed(bearer) == 401
    renewed = requests.post(f"{nexus_sim.base_url}Account/refresh", json=refresh, timeout=30)
    assert listed(renewed.json()["bearerToken"]) == 200
    assert listed(renewed.json()["refreshToken"]) == 401
    nexus_sim.control("clock", advance_s=86_400)
    assert requests.post(f"{nexus_sim.base_url}Account/refresh", json=refresh, timeout=30).status_code == 401


@pytest.mark.rule("NX-1-4")
def test_paths_and_query_names_have_no_case_and_may_end_in_a_slash(nexus_sim):
    nexus_sim.add_many(count=3, role="delivery")
    for path in ("consignments", "Consignments/", "CONSIGNMENTS"):
        assert len(nexus_sim.get(path, LIMIT=2)) == 2
    assert nexus_sim.get("CONSIGNMENTSTATUSES/") == nexus_sim.get("consignmentStatuses")


def test_unknown_paths_and_wrong_methods_and_missing_bearers_are_refused(nexus_sim):
    assert nexus_sim.call("GET", "consignment").status_code == 404
    assert nexus_sim.call("PUT", "consignments/700001").status_code == 405
    assert requests.get(f"{nexus_sim.base_url}consignments", timeout=30).status_code == 401


# Lookups (2.9, 11.2)


@pytest.mark.rule("NX-2-13", "NX-2-14", "NX-2.9-1")
def test_lookups_have_names_and_what_else_the_page_says(nexus_sim):
    for lookup in LOOKUPS:
        rows = nexus_sim.get(lookup, limit=100)
        assert rows
        assert all({"id", "name"} <= set(row) for row in rows)
    assert {row["code"] for row in nexus_sim.get("depots")} >= set(USERS.values())
    assert {row["name"]: row["isoCode"] for row in nexus_sim.get("countries")}["United Kingdom"] == "GB"
    assert [row["name"] for row in nexus_sim.get("palletTypes") if row["isInternational"]] == ["Euro Full", "Euro Half"]
    assert [row["name"] for row in nexus_sim.get("services", searchTerm="economy", limit=2, offset=1)] == [
        "Economy AM",
        "Economy Timed",
    ]


@pytest.mark.rule("NX-11-2")
def test_there_are_two_customers_a_network_and_each_depot_sees_those_of_its_networks(nexus_sim):
    def customers(depot):
        return {(row["customerID"], row["network"]) for row in nexus_sim.get("customers", depot=depot)}

    pallex, fortec = {(20001, "PALLEX"), (20002, "PALLEX")}, {(30001, "FORTEC"), (30002, "FORTEC")}
    assert customers("PGD302") == pallex | fortec
    assert customers("UKD101") == pallex
    assert customers("FTD201") == fortec


@pytest.mark.rule("NX-11-5", "NX-11-6")
def test_no_id_is_one_seen_elsewhere_and_a_switch_moves_them_all(nexus_sim):
    def ids_by_name():
        return {(name, row["name"]): row["id"] for name in LOOKUPS for row in nexus_sim.get(name, limit=100)}

    one = nexus_sim.add()
    before, status = ids_by_name(), nexus_sim.get(f"consignments/{one}")["status"]
    assert not set(before.values()) & SEEN_ELSEWHERE
    nexus_sim.control("options", shift_ids=1000)
    assert ids_by_name() == {name: id_ + 1000 for name, id_ in before.items()}
    assert nexus_sim.get(f"consignments/{one}")["status"] == {"id": status["id"] + 1000, "name": "Booked"}
    assert nexus_sim.get("consignments")[0]["status"]["id"] == status["id"] + 1000


# List (2.2)


@pytest.mark.rule("NX-2-4", "NX-2.2-3", "NX-2.2-8", "NX-11-3")
def test_created_windows_hold_both_ends_in_london_days(nexus_sim):
    # Half past midnight in London summer time is still the day before in UTC.
    made = [
        nexus_sim.add(role="delivery", at=at)
        for at in ("2026-07-09T22:59:00+00:00", "2026-07-09T23:30:00+00:00", "2026-07-11T22:59:00+00:00")
    ]
    assert ids(nexus_sim.get("consignments", minCreatedDate="2026-07-10", maxCreatedDate="2026-07-11")) == made[:0:-1]
    assert ids(nexus_sim.get("consignments", maxCreatedDate="2026-07-09")) == made[:1]


@pytest.mark.rule("NX-2.2-3", "NX-2.2-4", "NX-2.2-5")
def test_every_window_speaks_of_its_own_day(nexus_sim):
    one = nexus_sim.add(role="delivery", at="2026-07-06T10:00:00", collectionDate="2026-07-08", dueDate="2026-07-10")
    nexus_sim.add(role="delivery", at="2026-07-01T10:00:00", collectionDate="2026-07-02", dueDate="2026-07-03")
    nexus_sim.scan(one, "Manifested", dateTime="2026-07-07T10:00:00")
    nexus_sim.scan(one, "Collected", dateTime="2026-07-09T10:00:00")
    nexus_sim.scan(one, "Delivered", dateTime="2026-07-11T10:00:00")
    days = {
        "Created": "2026-07-06", "Manifest": "2026-07-07", "EstimatedCollection": "2026-07-08",
        "Collection": "2026-07-09", "EstimatedDelivery": "2026-07-10", "Delivery": "2026-07-11",
    }  # fmt: skip
    for kind, day in days.items():
        assert ids(nexus_sim.get("consignments", **{f"min{kind}Date": day, f"max{kind}Date": day})) == [one]


@pytest.mark.rule("NX-2.2-1", "NX-2.2-2", "NX-2.2-8")
def test_filters_combine(nexus_sim):
    ours = nexus_sim.add(role="requesting", network="PALLEX", customerID=20001, status="Collected")
    other = nexus_sim.add(role="requesting", network="PALLEX", customerID=20002, status="At Hub")
    nexus_sim.add(role="requesting", network="PALLEX", customerID=20002)
    status = {row["name"]: row["id"] for row in nexus_sim.get("consignmentStatuses")}
    wanted = [status["Collected"], status["At Hub"]]

    assert ids(nexus_sim.get("consignments", statusID=wanted)) == [other, ours]
    assert ids(nexus_sim.get("consignments", statusID=wanted, customerID=20001)) == [ours]
    assert nexus_sim.get("consignments", statusID=wanted, minCreatedDate="2026-07-14") == []


@pytest.mark.rule("NX-2.2-6")
def test_the_search_term_finds_numbers_references_barcodes_and_ids(nexus_sim):
    one = nexus_sim.add(role="requesting", consignmentNumber="QG0000123", customerReference="PO-77")
    nexus_sim.add_many(count=2, role="requesting")
    barcode = nexus_sim.one(one)["barcodes"][0]
    for term in ("QG00", "0123", "qg0000123", "PO-77", barcode, one):
        assert ids(nexus_sim.get("consignments", searchTerm=term)) == [one], term
    for term in ("G000012", "PO-7", barcode[:-1]):
        assert nexus_sim.get("consignments", searchTerm=term) == [], term


@pytest.mark.rule("NX-2.2-7", "NX-2.2-10")
def test_pages_of_twenty_unless_asked_for_more(nexus_sim):
    made = nexus_sim.add_many(count=120, role="delivery")
    assert ids(nexus_sim.get("consignments")) == made[:99:-1]
    assert ids(nexus_sim.get("consignments", limit=100, offset=100)) == made[19::-1]
    assert len(nexus_sim.get("consignments", limit=500)) == 100
    assert nexus_sim.get("consignments", limit=10, offset=120) == []


def test_what_cannot_be_read_in_a_filter_is_named(nexus_sim):
    answer = nexus_sim.call("GET", "consignments", params={"minCreatedDate": "13/07/2026", "limit": "ten"})
    assert errors(answer) == {"mincreateddate", "limit"}


@pytest.mark.rule("NX-2.3-16")
def test_a_row_of_a_list_is_part_of_what_get_shows(nexus_sim):
    one = nexus_sim.add(role="delivery")
    [row] = nexus_sim.get("consignments")
    shown = nexus_sim.get(f"consignments/{one}")
    assert row.items() <= shown.items()
    assert set(row) == {
        "consignmentID", "consignmentNumber", "customerReference", "status", "estimatedDelDate", "estimatedDelTime",
        "startWindow", "endWindow", "delAddressLine1", "delAddressTown", "delAddressPostcode", "colDate",
        "delDateTime", "customerID", "originatingDepotCode", "collectingDepotCode", "deliveryDepotCode", "createdDate",
    }  # fmt: skip


# Get (2.3)


@pytest.mark.rule("NX-2-5", "NX-2.3-1", "NX-2.3-8")
def test_route_details_come_only_when_asked_for(nexus_sim):
    one = nexus_sim.add(role="delivery", pallets=3)
    assert "routeDetails" not in nexus_sim.get(f"consignments/{one}")
    [collection, delivery] = nexus_sim.get(f"consignments/{one}", include="routedetails")["routeDetails"]
    assert set(collection) == {"type", "routeDate", "regNo", "round", "status", "palletCount"}
    assert (delivery["type"], delivery["palletCount"]) == ("Delivery", 3)


@pytest.mark.rule("NX-2.3-2", "NX-11-3", "NX-11-25")
@pytest.mark.parametrize(("role", "seen"), [("requesting", 200), ("collecting", 200), ("delivery", 200), ("none", 404)])
def test_a_consignment_is_seen_by_the_depots_that_have_a_role_on_it(nexus_sim, role, seen):
    one = nexus_sim.add(depot="UKD101", role=role)
    assert nexus_sim.call("GET", f"consignments/{one}", depot="UKD101").status_code == seen
    assert nexus_sim.call("GET", f"consignments/{one}", depot="FTD201").status_code == 404
    for path in ("labels", "attachments", "statuses"):
        assert nexus_sim.call("GET", f"consignments/{one}/{path}", depot="UKD101").status_code == seen


@pytest.mark.rule(
    "NX-2.3-3", "NX-2.3-4", "NX-2.3-5", "NX-2.3-6", "NX-2.3-7", "NX-2.3-9", "NX-2.3-10", "NX-2.3-11", "NX-2.3-12",
    "NX-2.3-13", "NX-2.3-14", "NX-2.3-15", "NX-11-4", "NX-11-9",
)  # fmt: skip
def test_get_shows_everything(nexus_sim):
    one = nexus_sim.add(
        depot="FTD201", role="requesting", network="FORTEC", customerID=30002, customerReference="PO-9", notes="Gate 2",
        deliveryService="Economy Timed", dueDate="2026-07-15", startWindow="10:00", endWindow="11:00",
        descriptionOfGoods="Tiles", limitedQuantities=True, delAddress={"postcode": "G33 1AA", "contact": "Goods In"},
        pallets=[{"palletType": "Half", "palletBase": "Euro", "height": 90, "weight": 210, "doNotStack": True}],
    )  # fmt: skip
    nexus_sim.scan(one, "Manifested", dateTime="2026-07-13T08:50:00+01:00")
    nexus_sim.scan(one, "Collected", dateTime="2026-07-13T09:00:00+01:00")

    shown = nexus_sim.get(f"consignments/{one}", depot="FTD201")

    assert (shown["consignmentID"], shown["customerReference"], shown["network"]) == (one, "PO-9", "FORTEC")
    assert (shown["status"]["name"], shown["consignmentType"]["name"]) == ("Collected", "Domestic")
    assert (shown["customerID"], shown["createdDate"], shown["manifestDate"]) == (30002, "2026-07-13", "2026-07-13")
    assert shown["originatingDepotCode"] == shown["collectingDepotCode"] == "FTD201" != shown["deliveryDepotCode"]
    assert (shown["colDate"], shown["delDateTime"], shown["estimatedDelDate"]) == ("2026-07-13", None, None)
    assert (shown["startWindow"], shown["endWindow"], shown["dueDate"]) == ("10:00", "11:00", "2026-07-15")
    assert (shown["delAddressPostcode"], shown["delAddressContact"]) == ("G33 1AA", "Goods In")
    assert (shown["descriptionOfGoods"], shown["limitedQuantities"], shown["notes"]) == ("Tiles", True, "Gate 2")
    for place in ("col", "del"):
        for part in ("Name", "Line1", "Line2", "Town", "Postcode", "CountryID", "Contact", "Telephone", "Email"):
            assert f"{place}Address{part}" in shown
    [pallet] = shown["pallets"]
    assert (pallet["palletType"]["name"], pallet["palletBase"]["name"]) == ("Half", "Euro")
    assert (pallet["height"], pallet["weight"], pallet["doNotStack"]) == (90, 210, True)
    assert pallet["barcode"].startswith("1044")
    assert len(pallet["barcode"]) == 16


# Create (2.4)


@pytest.mark.rule("NX-2-6", "NX-2.4-16", "NX-2.4-17", "NX-11-4")
def test_a_created_consignment_is_routed_by_customer_and_postcode(nexus_sim):
    answer = nexus_sim.call("POST", "consignments", json=create_body(nexus_sim))

    assert answer.status_code == 201
    made = answer.json()
    assert (made["consignmentNumber"], made["status"]["name"]) == ("QG0000123", "Booked")
    assert [len(pallet["barcode"]) for pallet in made["pallets"]] == [16, 16]
    shown = nexus_sim.get(f"consignments/{made['consignmentID']}")
    assert (shown["network"], shown["customerID"], shown["deliveryDepotCode"]) == ("PALLEX", 20001, "UKD101")
    assert (shown["originatingDepotCode"], shown["collectingDepotCode"]) == ("PGD302", "PGD302")
    assert [pallet["doNotStack"] for pallet in shown["pallets"]] == [False, True]
    fortec = create_body(nexus_sim, "QG0000124", general__customerID="30001")
    other = nexus_sim.call("POST", "consignments", json=fortec).json()["consignmentID"]
    # Leeds is a Pall-Ex depot: on the other network its area falls to another.
    assert nexus_sim.get(f"consignments/{other}")["deliveryDepotCode"] == "PGD310"


@pytest.mark.rule("NX-2.4-12")
def test_goods_fetched_elsewhere_are_collected_by_the_depot_of_that_place(nexus_sim):
    body = create_body(nexus_sim)
    body["collectionAddress"] = {**body["deliveryAddress"], "postcode": "M17 1AA"}
    made = nexus_sim.call("POST", "consignments", json=body).json()["consignmentID"]
    assert nexus_sim.get(f"consignments/{made}")["collectingDepotCode"] == "UKD115"


@pytest.mark.rule(
    "NX-2.4-1", "NX-2.4-2", "NX-2.4-3", "NX-2.4-4", "NX-2.4-5", "NX-2.4-6", "NX-2.4-7", "NX-2.4-8", "NX-2.4-9",
    "NX-2.4-10", "NX-2.4-11", "NX-2.4-13", "NX-2.4-14", "NX-11-3",
)  # fmt: skip
@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("general.consignmentTypeID", None),
        ("general.consignmentTypeID", 1),
        ("general.customerID", None),
        ("general.customerID", 20001),
        ("general.customerID", "20901"),
        ("general.customerReference", "x" * 51),
        ("general.consignmentNumber", None),
        ("general.consignmentNumber", "qg-1"),
        ("general.descriptionOfGoods", "x" * 101),
        ("general.limitedQuantities", "no"),
        ("general.notes", "x" * 251),
        ("collectionInfo.serviceID", 1),
        ("collectionInfo.dueDate", None),
        ("collectionInfo.dueDate", "2026-07-12"),
        ("deliveryInfo.serviceID", None),
        ("deliveryInfo.email", "x" * 101),
        ("deliveryInfo.dueDate", "15/07/2026"),
        ("deliveryInfo.startWindow", "25:00"),
        ("deliveryAddress.countryID", None),
        ("deliveryAddress.name", None),
        ("deliveryAddress.line1", "x" * 51),
        ("deliveryAddress.town", "x" * 36),
        ("deliveryAddress.postcode", "x" * 11),
        ("deliveryAddress.telephone", "0" * 21),
        ("pallets.0.palletTypeID", 2),
        ("pallets.1.palletBaseID", None),
        ("pallets.0.weight", 0),
        ("pallets.0.height", "tall"),
        ("pallets.0.doNotStack", "no"),
    ],
)
def test_what_is_wrong_in_a_create_is_named_by_its_path(nexus_sim, path, value):
    body = create_body(nexus_sim, **{path.replace(".", "__"): value})
    assert errors(nexus_sim.call("POST", "consignments", json=body)) == {path}
    assert nexus_sim.held() == []


@pytest.mark.rule("NX-2.4-9", "NX-2.4-10", "NX-2.4-13")
def test_dated_and_timed_services_need_date_and_times_and_there_must_be_pallets(nexus_sim):
    service = {row["name"]: row["id"] for row in nexus_sim.get("services")}
    body = create_body(nexus_sim, deliveryInfo__serviceID=service["Specific Day Timed"], pallets=[])
    paths = {"deliveryInfo.dueDate", "deliveryInfo.startWindow", "deliveryInfo.endWindow", "pallets"}
    assert errors(nexus_sim.call("POST", "consignments", json=body)) == paths


@pytest.mark.rule("NX-2.4-4", "NX-11-3")
def test_a_number_is_taken_only_once_even_by_a_consignment_nobody_sees(nexus_sim):
    nexus_sim.add(role="none", consignmentNumber="QG0000123")
    answer = nexus_sim.call("POST", "consignments", json=create_body(nexus_sim))
    assert answer.status_code == 409
    assert list(answer.json()["errors"]) == ["general.consignmentNumber"]
    assert nexus_sim.get("consignments", searchTerm="QG0000123") == []


@pytest.mark.rule("NX-11-26")
@pytest.mark.parametrize(
    ("now", "collected", "status"),
    [
        ("2026-07-16T11:59:59+01:00", "2026-07-16", 201),
        ("2026-07-16T12:00:00+01:00", "2026-07-16", 400),
        ("2026-07-16T12:00:00+01:00", "2026-07-17", 400),
        ("2026-07-16T12:00:00+01:00", "2026-07-20", 201),
        ("2026-07-17T12:00:00+01:00", "2026-07-20", 400),  # Friday: the next day is Monday
        ("2026-12-16T11:59:59+00:00", "2026-12-16", 201),
        ("2026-12-16T12:00:00+00:00", "2026-12-16", 400),
    ],
)
def test_from_noon_in_london_on_neither_today_nor_tomorrow_can_be_collected(nexus_sim, now, collected, status):
    nexus_sim.control("clock", now=now)
    body = create_body(nexus_sim, collectionInfo__dueDate=collected)
    assert nexus_sim.call("POST", "consignments", json=body).status_code == status


# Cancel (2.5)


@pytest.mark.rule("NX-2-7", "NX-2.5-1", "NX-2.5-2", "NX-2.5-3", "NX-11-26")
def test_cancel_once_until_collected(nexus_sim):
    one, collected = nexus_sim.add(role="requesting"), nexus_sim.add(role="requesting", status="Collected")
    assert nexus_sim.call("DELETE", f"consignments/{one}").status_code == 204
    assert nexus_sim.call("DELETE", f"consignments/{one}").status_code == 404
    assert nexus_sim.get(f"consignments/{one}")["status"]["name"] == "Cancelled"
    assert nexus_sim.call("DELETE", f"consignments/{collected}").status_code == 409
    assert nexus_sim.get(f"consignments/{collected}")["status"]["name"] == "Collected"


def test_only_the_originating_depot_cancels(nexus_sim):
    one = nexus_sim.add(role="delivery")
    assert nexus_sim.call("DELETE", f"consignments/{one}").status_code == 403


# Labels (2.6)


@pytest.mark.rule("NX-2-8", "NX-2.6-1", "NX-11-4")
def test_a_label_is_a_pdf_with_a_page_a_pallet_whose_barcode_can_be_read(nexus_sim):
    one = nexus_sim.add(role="requesting", pallets=2)
    answer = nexus_sim.call("GET", f"consignments/{one}/labels")

    assert answer.headers["content-type"] == "application/pdf"
    barcodes = nexus_sim.one(one)["barcodes"]
    pages = pypdfium2.PdfDocument(answer.content)
    read = [zxingcpp.read_barcodes(page.render(scale=4).to_pil()) for page in pages]
    assert [[(found.text, found.format) for found in page] for page in read] == [
        [(barcode, zxingcpp.BarcodeFormat.Code128)] for barcode in barcodes
    ]
    texts = [page.extract_text() for page in PdfReader(io.BytesIO(answer.content)).pages]
    assert all(barcode in text for barcode, text in zip(barcodes, texts, strict=True))
    assert nexus_sim.one(one)["labelsFetched"] == 1


@pytest.mark.rule("NX-2.6-4")
def test_a_label_may_take_its_time_and_there_is_none_after_a_cancel(nexus_sim):
    nexus_sim.control("options", label_delay_s=60)
    one = nexus_sim.add(role="requesting")
    assert nexus_sim.call("GET", f"consignments/{one}/labels").status_code == 404
    nexus_sim.control("clock", advance_s=60)
    assert nexus_sim.call("GET", f"consignments/{one}/labels").status_code == 200
    nexus_sim.call("DELETE", f"consignments/{one}")
    assert nexus_sim.call("GET", f"consignments/{one}/labels").status_code == 404


# Attachments (2.7)


def upload(sim: SimulatedNexus, one, content, *, type_name="POD", **more):
    [type_id] = [row["id"] for row in sim.get("consignmentAttachmentTypes") if row["name"] == type_name]
    parts = {"data": {"attachmentTypeID": str(type_id)}, "files": {"file": ("a.jpg", content)}}
    return sim.call("POST", f"consignments/{one}/attachments", **{**parts, **more})


@pytest.mark.rule("NX-2-9", "NX-2-10", "NX-2.7-1", "NX-2.7-2")
def test_an_uploaded_file_is_listed_and_can_be_fetched_by_those_who_see_the_consignment(nexus_sim):
    one = nexus_sim.add(role="requesting", deliveryDepotCode="UKD101", network="PALLEX")
    made = upload(nexus_sim, one, b"\xff\xd8\xffphoto", type_name="MPODPHOTOE")

    assert made.status_code == 201
    assert [made.json()] == nexus_sim.get(f"consignments/{one}/attachments")
    assert (made.json()["attachmentType"]["name"], made.json()["fileName"]) == ("MPODPHOTOE", "a.jpg")
    url = made.json()["url"].removeprefix(nexus_sim.base_url)
    assert nexus_sim.call("GET", url, depot="UKD101").content == b"\xff\xd8\xffphoto"
    assert nexus_sim.call("GET", url, depot="FTD201").status_code == 404
    assert requests.get(made.json()["url"], timeout=30).status_code == 401


@pytest.mark.rule("NX-2.7-3", "NX-11-3", "NX-11-24")
@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"%PDF-1.7", 201),
        (b"\xff\xd8\xff", 201),
        (b"\x89PNG\r\n\x1a\n", 201),
        (b"II*\x00", 201),
        (b"MM\x00*", 201),
        (b"GIF89a", 415),
        (b"<html>", 415),
        (b"", 415),
        (b"%PDF".ljust(10 * 1024 * 1024, b"x"), 201),
        (b"%PDF".ljust(10 * 1024 * 1024 + 1, b"x"), 413),
    ],
    ids=["pdf", "jpeg", "png", "tiff", "tiff big-endian", "gif", "html", "empty", "10 MB", "more than 10 MB"],
)
def test_uploads_are_judged_by_type_and_size(nexus_sim, content, status):
    one = nexus_sim.add(role="delivery")
    assert upload(nexus_sim, one, content).status_code == status
    assert len(nexus_sim.one(one)["attachments"]) == (status == 201)


@pytest.mark.rule("NX-2.7-2")
def test_an_upload_without_its_parts_is_refused(nexus_sim):
    one = nexus_sim.add(role="delivery")
    nothing = nexus_sim.call("POST", f"consignments/{one}/attachments", json={})
    assert errors(nothing) == {"attachmentTypeID", "file"}
    assert errors(upload(nexus_sim, one, b"%PDF", data={"attachmentTypeID": "2"})) == {"attachmentTypeID"}


@pytest.mark.rule("NX-11-9", "NX-11-24")
def test_files_can_be_many_and_come_days_later(nexus_sim):
    one = nexus_sim.add(role="requesting")
    nexus_sim.attach(one, type="MPODPHOTOE", count=3)
    nexus_sim.attach(one, type="POD", media="pdf", at="2026-07-15T10:00:00+01:00")

    listed = nexus_sim.get(f"consignments/{one}/attachments")
    assert [row["attachmentType"]["name"] for row in listed] == ["MPODPHOTOE"] * 3
    assert len({file["sha256"] for file in nexus_sim.one(one)["attachments"]}) == 4
    nexus_sim.control("clock", now="2026-07-15T10:00:00+01:00")
    last = nexus_sim.get(f"consignments/{one}/attachments")[-1]
    assert (last["fileName"][-11:], last["createdDate"]) == ("_POD_01.pdf", "2026-07-15T09:00:00Z")


# Statuses (2.8)


@pytest.mark.rule("NX-2-11", "NX-2-12", "NX-2.8-3")
def test_a_posted_status_is_part_of_the_history(nexus_sim):
    one = nexus_sim.add(role="delivery", pallets=1)
    status = {row["name"]: row["id"] for row in nexus_sim.get("consignmentStatuses")}
    body = {"statusID": status["Delivered"], "dateTime": "2026-07-13T10:15:00+01:00", "depotCode": "PGD302",
            "signatory": "A Person", "notes": None}  # fmt: skip
    stored = nexus_sim.call("POST", f"consignments/{one}/statuses", json=body)

    assert stored.status_code == 201
    assert stored.json() == nexus_sim.get(f"consignments/{one}/statuses")[-1]
    assert {**stored.json(), "id": 0} == {
        "id": 0, "status": {"id": status["Delivered"], "name": "Delivered"}, "dateTime": "2026-07-13T09:15:00+00:00",
        "depotCode": "PGD302", "barcode": None, "signatory": "A Person", "notes": None,
    }  # fmt: skip
    assert nexus_sim.get(f"consignments/{one}")["delDateTime"] == "2026-07-13T09:15:00+00:00"
    wrong = {**body, "statusID": 2, "dateTime": "now", "depotCode": "UKD101"}
    answer = nexus_sim.call("POST", f"consignments/{one}/statuses", json=wrong)
    assert errors(answer) == {"statusID", "dateTime", "depotCode"}


@pytest.mark.rule("NX-11-23")
def test_a_status_counts_once_all_pallets_have_it_by_time_and_not_by_arrival(nexus_sim):
    one = nexus_sim.add(role="requesting", pallets=2)

    def status():
        return nexus_sim.get(f"consignments/{one}")["status"]["name"]

    nexus_sim.scan(one, "At Hub", pallet=1, dateTime="2026-07-13T08:00:00Z")
    assert status() == "Booked"
    nexus_sim.scan(one, "At Hub", pallet=2, dateTime="2026-07-13T09:30:00Z")
    assert status() == "At Hub"
    late = nexus_sim.scan(one, "Collected", dateTime="2026-07-13T07:00:00Z")
    assert status() == "At Hub"
    again = nexus_sim.scan(one, "Collected", dateTime="2026-07-13T07:00:00Z")
    assert [{**event, "id": 0} for event in late] == [{**event, "id": 0} for event in again]
    nexus_sim.scan(one, "Delivered", dateTime="2026-07-13T10:00:00Z", barcode=None)
    nexus_sim.scan(one, "Out for Delivery", dateTime="2026-07-13T09:40:00Z")
    assert status() == "Delivered"
    assert [event["status"]["name"] for event in nexus_sim.get(f"consignments/{one}/statuses")][-3:] == [
        "Delivered",
        "Out for Delivery",
        "Out for Delivery",
    ]


@pytest.mark.rule("NX-11-22")
def test_a_new_status_joins_the_lookup_and_an_old_one_can_have_a_new_id(nexus_sim):
    one = nexus_sim.add(role="delivery")
    [event, *_] = nexus_sim.scan(one, "Held at Customs")
    assert event["status"] in nexus_sim.get("consignmentStatuses", limit=100)
    nexus_sim.scan(one, "At Hub", statusID=987654, dateTime="2026-07-13T12:00:00Z")
    assert nexus_sim.get(f"consignments/{one}")["status"] == {"id": 987654, "name": "At Hub"}


@pytest.mark.rule("NX-1-5", "NX-1-6", "NX-11-26")
def test_times_can_be_served_as_london_wall_time_in_the_hour_that_comes_twice(nexus_sim):
    nexus_sim.reset(now="2026-10-25T03:00:00+00:00")
    nexus_sim.control("options", datetimes="wall")
    one = nexus_sim.add(role="delivery")
    # Half past one, first in summer time, then an hour later in winter time.
    times = [
        nexus_sim.scan(one, "At Hub", dateTime=at)[0]["dateTime"] for at in ("2026-10-25T00:30Z", "2026-10-25T01:30Z")
    ]
    assert times == ["2026-10-25T01:30:00", "2026-10-25T01:30:00"]
    # Without an offset the earlier of the two is meant.
    nexus_sim.scan(one, "Delivered", dateTime="2026-10-25T01:30:00")
    assert nexus_sim.one(one)["statuses"][-1]["dateTime"] == "2026-10-25T00:30:00+00:00"


# Determinism and reset (11.1, 11.4)


@pytest.mark.rule("NX-11-1", "NX-11-8")
def test_equal_seed_clock_and_requests_give_equal_answers_and_reset_begins_again(nexus_sim):
    def shown(seed):
        nexus_sim.reset(seed=seed)
        made = nexus_sim.add_many(count=5)
        nexus_sim.attach(made[0], type="POD")
        return nexus_sim.held(), nexus_sim.call("GET", f"consignments/{made[0]}/labels").content

    first, again, other = shown(7), shown(7), shown(8)
    assert first == again
    assert first[0] != other[0]
    nexus_sim.reset(seed=1)
    assert nexus_sim.held() == []


@pytest.mark.rule("NX-11-8")
def test_the_clock_stands_moves_on_and_runs(nexus_sim):
    start = datetime.fromisoformat(nexus_sim.control("clock")["now"])
    assert (NOW - start).total_seconds() == 60
    assert nexus_sim.control("clock", advance_s=60) == {"now": NOW.isoformat(), "frozen": True}
    assert nexus_sim.control("clock", run=True)["frozen"] is False
    assert nexus_sim.control("clock", now="2026-08-01T10:00:00")["now"] == "2026-08-01T09:00:00+00:00"


@pytest.mark.rule("NX-11-11")
def test_the_journal_names_every_request_and_holds_no_secret(nexus_sim):
    nexus_sim.get("Consignments/", limit=5)
    login, listing = nexus_sim.requests()
    assert (login["method"], login["path"], login["status"], login["user"]) == ("POST", "/account/login", 200, "")
    assert (listing["method"], listing["path"], listing["query"]) == ("GET", "/consignments", {"limit": "5"})
    assert (listing["status"], listing["user"], listing["time"]) == (200, "sim_pgd302", "2026-07-13T09:29:00+00:00")
    assert "authorization" in listing["headers"]
    shown = str(nexus_sim.look("requests"))
    assert "sim-b-" not in shown
    assert "'sim'" not in shown


def test_a_control_request_that_makes_no_sense_says_why_and_changes_nothing(nexus_sim):
    for path, body, said in (
        ("consignments", {"role": "owner"}, "role must be one of"),
        ("consignments", {"depot": "UKD101", "network": "FORTEC"}, "not a member"),
        ("consignments", {"at": "2027-01-01"}, "later than the simulator's clock"),
        ("faults", {"effect": "earthquake"}, "There is no effect"),
        ("options", {"limit_max": "many"}, "limit_max must be"),
        ("clock", {"now": "2020-01-01"}, "only moves forward"),
    ):
        answer = requests.post(f"{nexus_sim.root}/_sim/{path}", json=body, timeout=30)
        assert answer.status_code == 422
        assert said in answer.json()["error"]
    assert requests.post(f"{nexus_sim.root}/_sim/nothing", json={}, timeout=30).status_code == 404
    assert nexus_sim.held() == []
