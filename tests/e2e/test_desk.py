"""The order desk in the running house, driven in a real Chromium by somebody who logs in on Airflow's page."""

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from playwright.sync_api import Browser, Frame, Page, expect, sync_playwright
from tests.e2e.logins import Login
from tests.e2e.test_order_api import BASE, ORDER
from tests.e2e.waiting import PATIENCE_S, until

from palletflow.desk.pages.app import create_pages
from palletflow.sandbox.demo_imports import SPOILT_WEIGHT, made_in_network
from palletflow.sandbox.house import House
from palletflow.store.connection import Connection

DESK = "/palletflow/desk"
PHONE = {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    # The one that `make test` finds or installs.
    found = subprocess.run([sys.executable, "tools/browser.py"], capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=found.stdout.strip(), args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture
def logged_in(browser: Browser, house: House) -> Iterator[Page]:
    context = browser.new_context(base_url=house.api.base_url)
    context.set_default_timeout(PATIENCE_S * 1000)
    page = context.new_page()
    page.goto("/")
    page.fill("input[name=username]", "ops")
    page.fill("input[name=password]", house.login.password or "")
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="Order desk")).to_be_visible(timeout=PATIENCE_S * 1000)
    yield page
    context.close()


def every_page() -> list[tuple[str, str]]:
    async def nobody(_request: Any, _writes: bool) -> Any:
        raise AssertionError("no request is made")

    app: Any = create_pages(nobody, lambda: None, b"key", None).application  # type: ignore[arg-type,return-value]
    routes = [(method, route.path) for route in app.routes for method in sorted(route.methods)]
    assert len(routes) > 25
    return [(method, DESK + path.replace("{", "").replace("}", "").replace(":path", "")) for method, path in routes]


def test_every_page_turns_strangers_away(house):
    for method, path in every_page():
        answer = Login(house, None)(method, path, allow_redirects=False)
        assert (method, path, answer.status_code) == (method, path, 401)


def test_who_may_only_look_cannot_write(viewer):
    for method, path in every_page():
        if method not in ("GET", "HEAD"):
            assert (method, path, viewer(method, path).status_code) == (method, path, 403)
    for path in ("/", "/find", "/attention"):
        assert viewer("GET", DESK + path).status_code == 200


def test_no_form_is_taken_that_did_not_come_from_a_page(admin, house):
    """Another site's page can make a browser that is logged in send what it likes, with its cookie."""
    token = admin("GET", f"{DESK}/").request.headers["Authorization"].removeprefix("Bearer ")
    for method, path in every_page():
        if method not in ("GET", "HEAD"):
            for more in ({"cookies": {"_token": token}}, {"headers": {"Authorization": f"Bearer {token}"}}):
                answer = requests.request(
                    method, house.api.base_url + path, data={"form_token": "9999999999.0"}, timeout=30, **more
                )
                assert (method, path, answer.status_code) == (method, path, 403)


def test_a_parked_label_is_found_by_its_barcode_and_tried_again_and_a_quarantined_record_replayed(
    house: House,
    store: Connection,
    admin: Login,
    logged_in: Page,
):
    """Login, Today, find by barcode, the consignment, its parked label; then a record that needs a person."""
    barcode = parked_label(house, store, admin)
    [record] = quarantined(house, store)

    logged_in.get_by_role("link", name="Order desk").click()
    desk = frame_of(logged_in)
    expect(desk.get_by_role("heading", name="Today")).to_be_visible()
    desk.get_by_role("searchbox").first.fill(barcode)
    desk.get_by_role("searchbox").first.press("Enter")
    expect(desk.get_by_text("Stuck:")).to_be_visible()
    parked = desk.get_by_role("row").filter(has_text="parked")
    parked.get_by_role("button", name="Try again now").click()
    expect(desk.get_by_role("status")).to_be_visible()
    labels = "SELECT count(*) FROM documents WHERE kind = 'NETWORK_LABEL' AND barcode = %s"
    until(lambda: store.execute(labels, (barcode,)).fetchone()[0])

    desk.get_by_role("link", name="Needs attention").click()
    desk.get_by_role("link", name="Records in quarantine").first.click()
    desk.goto(f"{DESK}/quarantine/{record}")
    text = desk.get_by_role("textbox", name="The record as the network sent it")
    text.fill(text.input_value().replace(SPOILT_WEIGHT, "850"))
    desk.get_by_role("button", name="Save and replay").click()
    expect(desk.get_by_role("status")).to_be_visible()
    [(consignment,)] = store.execute("SELECT consignment_id FROM inbound_records WHERE id = %s", (record,)).fetchall()
    assert consignment

    done = store.execute("SELECT DISTINCT kind FROM activity WHERE actor = 'ops' AND source = 'order desk'").fetchall()
    assert len(done) >= 2


@pytest.mark.parametrize("path", ["/", "/find?q=leeds", "/attention"])
def test_pages_fit_a_phone(house: House, browser: Browser, admin: Login, path: str):
    token = admin("GET", f"{DESK}/").request.headers["Authorization"].removeprefix("Bearer ")
    context = browser.new_context(base_url=house.api.base_url, viewport=PHONE)  # type: ignore[arg-type]
    context.add_cookies([{"name": "_token", "value": token, "url": house.api.base_url}])
    page = context.new_page()
    page.goto(DESK + path)
    expect(page.get_by_role("heading").first).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    context.close()


def frame_of(page: Page) -> Frame:
    """The desk within Airflow's page."""
    within = page.locator("iframe").element_handle().content_frame()
    assert within
    within.wait_for_url(f"**{DESK}/")
    return within


def parked_label(house: House, store: Connection, admin: Login) -> str:
    """An order whose label its network has not given for so long that nobody asks for it any more; its barcode."""
    faults = f"{house.simulators['palletforce']}/_sim/faults"
    fault = {"operation": "DownloadLabel", "fault": "label_missing", "count": 1000}
    requests.post(faults, json=fault, timeout=10).raise_for_status()
    [entered] = ORDER["consignments"]
    delivery = {**entered["delivery"], "phone": "0113 496 0001", "contact": "Goods In"}
    consignment = {**entered, "pallet_types": ["F"], "collection_date": today(store), "delivery": delivery}
    order = {**ORDER, "key": "DESK-1", "reference": "DESK-1", "consignments": [consignment]}
    assert admin("POST", f"{BASE}/orders", json=order).status_code == 201
    trip = {"trip": "T-DESK", "resource": "PALLETFORCE_AUTO"}
    assert admin("PUT", f"{BASE}/orders/DESK-1/trip", json=trip).ok
    # Hours go by: the next attempt is the last.
    hours = "UPDATE work_items SET attempts = 1000, due_at = now() WHERE kind = 'network_labels' AND attempts > 0"
    until(lambda: store.execute(hours).rowcount)
    stuck = """
        SELECT b.barcode FROM work_items w
        JOIN pallet_barcodes b ON w.key = b.consignment_id || ':' || b.pallet_number
        WHERE w.kind = 'network_labels' AND w.parked_at IS NOT NULL
    """
    [(barcode,)] = until(lambda: store.execute(stuck).fetchall())
    requests.post(faults, json={"clear": True}, timeout=10).raise_for_status()
    return str(barcode)


def today(store: Connection) -> str:
    [(day,)] = store.execute("SELECT (now() AT TIME ZONE 'Europe/London')::date").fetchall()
    return str(day)


def quarantined(house: House, store: Connection) -> list[int]:
    """A consignment of the network with a weight that is none; the record of it."""
    made_in_network(house, {"overrides": {"weight": SPOILT_WEIGHT}})
    house.api.trigger("palletforce_import")
    spoilt = "SELECT id FROM inbound_records WHERE outcome = 'rejected' AND settled_at IS NULL AND strpos(raw, %s) > 0"
    return [number for (number,) in until(lambda: store.execute(spoilt.encode(), (SPOILT_WEIGHT,)).fetchall())]
