"""Lists of Nexus: how they are asked for, wrapped and paged (contract 2.2)."""

from datetime import date
from urllib.parse import parse_qsl, urlsplit

import pytest
from tests.networks.nexus.answering import answered

from palletflow.networks.nexus.errors import NexusProtocolError
from palletflow.networks.nexus.paging import MOST_PAGES


def ids(pages):
    return [row["consignmentID"] for page in pages for row in page]


def rows(*numbers):
    return [{"consignmentID": number} for number in numbers]


def query(request):
    return parse_qsl(urlsplit(request.path).query)


def many(held):
    """A server of a list, which gives the rows that lie there when it is asked, at most `clamp` a page."""

    def answer(connection, request):
        asked = dict(query(request))
        offset, limit = int(asked["offset"]), int(asked["limit"])
        listed = held(offset) if callable(held) else held
        connection.sendall(answered(200, listed[offset : offset + limit]))

    return answer


# What is asked


@pytest.mark.rule("NX-1-3", "NX-1-5", "NX-2-4", "NX-2.2-1", "NX-2.2-3", "NX-2.2-7", "NX-2.2-10")
def test_filters_go_out_by_nexus_names(serve, client_of):
    server = serve()

    assert list(client_of(server.url).listed({"customerID": 20001, "minCreatedDate": date(2030, 1, 5)})) == []

    [request] = server.requests
    assert request.line == (
        "GET /v1/consignments/?customerID=20001&minCreatedDate=2030-01-05&limit=100&offset=0 HTTP/1.1"
    )
    assert request.headers["accept"] == "application/json"


@pytest.mark.rule("NX-1-5")
def test_a_day_goes_out_in_the_templates_form(serve, client_of):
    server = serve()
    client = client_of(server.url, sections={"formats": {"date": "%d/%m/%Y", "time": "%H:%M", "datetime": "iso"}})

    list(client.listed({"minCreatedDate": date(2030, 1, 5)}))

    assert query(server.requests[0])[0] == ("minCreatedDate", "05/01/2030")


@pytest.mark.rule("NX-2.2-2", "NX-11-19")
@pytest.mark.parametrize(
    ("style", "sent"),
    [
        ("repeat", "statusID=9002&statusID=9004"),
        ("comma", "statusID=9002%2C9004"),
        ("brackets", "statusID%5B%5D=9002&statusID%5B%5D=9004"),
    ],
)
def test_several_statuses_are_sent_as_the_connection_says(serve, client_of, nexus_sim, nexus_client, style, sent):
    server = serve()
    list(client_of(server.url, array_style=style).listed({"statusID": [9002, 9004]}))
    assert server.requests[0].path == f"/v1/consignments/?{sent}&limit=100&offset=0"

    nexus_sim.control("options", array_style=style)
    made = {status: nexus_sim.add(status=status) for status in ("Booked", "Manifested", "At Hub")}
    client = nexus_client(array_style=style)
    wanted = {row["name"]: row["id"] for row in client.lookup("consignmentStatuses")}
    found = client.listed({"statusID": [wanted["Manifested"], wanted["At Hub"]]})
    assert set(ids(found)) == {made["Manifested"], made["At Hub"]}


@pytest.mark.rule("NX-2.2-1", "NX-2.2-3", "NX-2.2-4", "NX-2.2-5", "NX-2.2-8")
def test_filters_hold_together_and_a_window_holds_both_its_days(nexus_sim, nexus_client):
    made = {
        day: nexus_sim.add(at=f"2026-07-{day:02d}T12:00:00", customerID=20001, role="requesting") for day in (8, 9, 10)
    }
    other = nexus_sim.add(at="2026-07-09T12:00:00", customerID=20002, role="requesting")
    client = nexus_client()

    def found(**filters):
        return set(ids(client.listed(filters)))

    window = {"minCreatedDate": date(2026, 7, 8), "maxCreatedDate": date(2026, 7, 9)}
    assert found(**window) == {made[8], made[9], other}
    assert found(**window, customerID=20001) == {made[8], made[9]}
    assert found(**window, minDeliveryDate=date(2026, 7, 1)) == set()


@pytest.mark.rule("NX-2.2-6")
def test_a_search_finds_by_number_reference_barcode_and_id(nexus_sim, nexus_client):
    consignment = nexus_sim.add(consignmentNumber="QG0000123", customerReference="PO-1")
    nexus_sim.add(consignmentNumber="QG0000456", customerReference="PO-2")
    barcode = nexus_sim.one(consignment)["barcodes"][0]
    client = nexus_client()

    for term in ("QG0000123", "0123", "PO-1", barcode, str(consignment)):
        assert [row["consignmentID"] for row in client.search(term)] == [consignment], term
    assert client.search("PO") == []


@pytest.mark.rule("NX-2.3-2")
def test_what_our_user_takes_no_part_in_is_not_shown(nexus_sim, nexus_client):
    nexus_sim.add(depot="UKD101", role="requesting", collectingDepotCode="UKD101", deliveryDepotCode="UKD115")

    assert list(nexus_client("PGD302").listed({})) == []
    assert len(ids(nexus_client("UKD101").listed({}))) == 1


# How it is wrapped


@pytest.mark.rule("NX-2.2-9", "NX-11-18")
@pytest.mark.parametrize(
    ("wrap", "sections"),
    [
        (lambda listed: listed, {}),
        (lambda listed: listed, {"list": {"member": "rows"}}),
        (lambda listed: {"data": listed, "total": 2, "paging": {"next": None}}, {}),
        (lambda listed: {"data": listed}, {"list": {"member": "rows"}}),
        (lambda listed: {"data": listed, "warnings": []}, {"list": {"member": "data"}}),
    ],
)
def test_a_list_may_be_wrapped(serve, client_of, wrap, sections):
    server = serve(answered(200, wrap(rows(1, 2))), answered(200, wrap([])))

    assert ids(client_of(server.url, sections=sections).listed({})) == [1, 2]


@pytest.mark.rule("NX-1-25", "NX-2.2-9")
@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"data": [], "warnings": []}, r"could be any of its arrays \(data, warnings\); name it under list\.member"),
        ({"total": 0}, r"could be any of its arrays \(none\)"),
        ({"data": None}, r"could be any of its arrays \(none\)"),
        ("7", "no list"),
        ("null", "no list"),
        ([1, 2], "something else than objects"),
        ([[]], "something else than objects"),
        ([None], "something else than objects"),
    ],
)
def test_what_is_no_list_is_no_empty_list(serve, client_of, body, said):
    server = serve(answered(200, body))
    client = client_of(server.url)

    with pytest.raises(NexusProtocolError, match=said):
        list(client.listed({}))

    assert len(server.requests) == 6


@pytest.mark.rule("NX-2.2-9", "NX-11-18")
@pytest.mark.parametrize(
    ("envelope", "sections"), [("bare", {}), ("wrapped", {}), ("two_arrays", {"list": {"member": "consignments"}})]
)
def test_the_simulators_wrappings_give_the_same(nexus_sim, nexus_client, envelope, sections):
    made = set(nexus_sim.add_many(count=7))
    nexus_sim.control("options", list_envelope=envelope)

    assert set(ids(nexus_client(sections=sections).listed({}))) == made


# Pages


@pytest.mark.rule("NX-2.2-7", "NX-2.2-10", "NX-2.2-11")
def test_pages_overlap_and_each_row_comes_once(serve, client_of):
    server = serve(many(rows(*range(250))))

    pages = list(client_of(server.url).listed({}))

    assert [len(page) for page in pages] == [100, 95, 55]
    assert ids(pages) == list(range(250))
    assert [dict(query(request))["offset"] for request in server.requests] == ["0", "95", "190", "245"]
    assert {dict(query(request))["limit"] for request in server.requests} == {"100"}


@pytest.mark.rule("NX-2.2-11", "NX-2.2-13")
@pytest.mark.parametrize("most", [1, 3, 5, 6, 20])
def test_a_page_shorter_than_asked_for_is_not_the_end(serve, client_of, most):
    def answer(connection, request):
        offset = int(dict(query(request))["offset"])
        connection.sendall(answered(200, rows(*range(60))[offset : offset + most]))

    server = serve(answer)

    assert ids(client_of(server.url).listed({})) == list(range(60))


@pytest.mark.rule("NX-2.2-11")
def test_a_page_without_a_new_row_is_the_end(serve, client_of):
    server = serve(answered(200, rows(1, 2, 3)))

    assert ids(client_of(server.url).listed({})) == [1, 2, 3]

    assert len(server.requests) == 2


@pytest.mark.rule("NX-2.2-11", "NX-2.3-18")
def test_a_row_without_an_id_is_passed_on_once(serve, client_of):
    listed = [{"name": "a"}, {"consignmentID": None, "name": "b"}, {"consignmentID": 7}, {"name": "a"}]
    server = serve(many(listed * 40))

    assert [row for page in client_of(server.url).listed({}) for row in page] == listed[:3]


@pytest.mark.rule("NX-2.2-11")
def test_an_id_as_text_in_any_spelling_is_the_same_row(serve, client_of):
    server = serve(answered(200, [{"ConsignmentId": "7", "x": 1}, {"consignmentID": 7, "x": 2}]))

    assert [row for page in client_of(server.url).listed({}) for row in page] == [{"ConsignmentId": "7", "x": 1}]


@pytest.mark.rule("NX-2.2-12")
def test_a_list_that_does_not_end_is_given_up_after_500_pages(serve, client_of):
    def answer(connection, request):
        offset = int(dict(query(request))["offset"])
        connection.sendall(answered(200, rows(*range(offset, offset + 10))))

    server = serve(answer)

    with pytest.raises(NexusProtocolError, match="the list does not end within 500 pages"):
        list(client_of(server.url).listed({}))

    assert len(server.requests) == MOST_PAGES


@pytest.mark.rule("NX-2.2-10", "NX-2.2-11", "NX-11-19")
@pytest.mark.parametrize("habit", ["clamped", "shifting", "repeat_row", "insert_row"])
def test_no_row_of_the_simulator_is_lost_however_its_pages_move(nexus_sim, nexus_client, habit):
    made = set(nexus_sim.add_many(count=230))
    match habit:
        case "clamped":
            nexus_sim.control("options", limit_max=20)
        case "shifting":
            nexus_sim.control("options", list_order="shifting")
        case _:
            nexus_sim.fault(habit, "consignments", method="GET", times=None, after=1)

    found = []
    for _ in range(2):  # as two polls
        seen = ids(nexus_client().listed({}))
        assert len(seen) == len(set(seen))
        found += seen

    assert made <= set(found)


def test_pages_come_as_they_are_read(serve, client_of):
    server = serve(many(rows(*range(300))))

    pages = client_of(server.url).listed({})
    assert server.requests == []
    next(pages)

    assert len(server.requests) == 1


@pytest.mark.rule("NX-2.9-1")
def test_a_lookup_is_paged_like_any_list(serve, client_of):
    held = [{"id": number, "name": f"Service {number}"} for number in range(120)]
    server = serve(many(held))

    assert client_of(server.url).lookup("services") == held

    assert server.requests[0].path == "/v1/services?limit=100&offset=0"
