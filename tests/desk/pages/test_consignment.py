"""The page of a consignment: its story, why it is stuck, what is exchanged of it, and what people can do to it."""

import html
import re
from datetime import timedelta

from markupsafe import escape
from tests.desk.desk_orders import order
from tests.desk.pages import lively

from palletflow.orders.faults import Fault
from palletflow.store import activity, dispatch, photo_uploads, tracking, work_items

NUMBER = "9000010000555"
TRIP = {"trip": "T-1", "resource": "PALLETFORCE_OUT"}
SCRIPT = "<script>alert('x')</script>"


def text(answer) -> str:
    """What a person reads of a page."""
    plain = re.sub(r"<[^>]+>", " ", answer.text)
    return re.sub(r"\s+", " ", html.unescape(plain))


def said(answer) -> str:
    return answer.headers["Location"].rpartition("said=")[2]


def entered(api, key="SO-1", **more) -> int:
    api.post("/orders", order(key, **more), 201)
    return int(api.get(f"/orders/{key}")["consignments"][0]["id"])


def history(store, consignment_id, actor="clerk"):
    return [
        tuple(row)
        for row in store.execute(
            "SELECT kind, source FROM activity WHERE (consignment_id, actor) = (%s, %s) ORDER BY id",
            (consignment_id, actor),
        )
    ]


def test_a_palletforce_consignment_tells_its_story(store, desk):
    one = lively.palletforce(store)
    shown = text(desk.get(f"/consignment/{one}"))
    assert "exception: not delivered" in shown
    assert "Stuck: Fetching its label (pallet 2) is parked since" in shown
    assert "506901A900001000012301 → 506902A900001000012301" in shown
    assert "printed ones are stale" in shown
    for told in (
        "An import made it",
        "Palletforce: at hub (ARRH), all pallets, at depot HUB ring the bell twice",
        "Delivery depot arrived",
        "Delivery completed, not delivered, signed by ring the bell twice",
        "lifecycle status AT_DELIVERY_DEPOT → EXCEPTION",
        "Palletforce was told: exception (ARDL), pallet 1",
        "Palletforce refused: exception (ABRT), pallet 1, at depot 901, signed by ring the bell twice not taken",
        "Barcode replaced of pallet 1: 506901A900001000012301",
        "Labels printed so far are no longer good",
        "Label of the network, pallet 1: ring the bell twice.pdf",
    ):
        assert shown.count(told) == 1, told
    # What the reports, the documents and the statuses say themselves, the history does not say again.
    assert "Statuses sent" not in shown
    assert "Document added" not in shown
    assert "we deliver: they move the stops before the delivery" in shown


def test_a_nexus_consignment_tells_its_story(store, desk):
    shown = text(desk.get(f"/consignment/{lively.nexus(store)}"))
    assert "Stuck: It is an exception: refused. Nexus says 'Refused' (left with the neighbour)" in shown
    for told in (
        "Nexus: out for delivery, all pallets",
        "Nexus: exception (refused), all pallets, signed by left with the neighbour",
        "POD: left with the neighbour.png palletflow, nexus documents",
        "Could not be fetched from Nexus: Photo left with the neighbour it is no picture",
        "Nexus was told: ETA",
        "Nexus refused: ETA",
    ):
        assert shown.count(told) == 1, told
    assert "Documents to Nexus no we do not deliver it" in shown
    assert "ETAs to consignees no others deliver it" in shown


def test_a_palletways_consignment_tells_its_story(store, desk):
    one = lively.palletways(store)
    page = desk.get(f"/consignment/{one}")
    shown = text(page)
    assert "Uploading photos of its delivery failed 2 times; it is tried again" in shown
    for told in (
        "Palletways notes: Delivery Info, status 700, delivered",
        "Photos of the delivery were looked for in vain",
        "A file that Palletways gave for photos is none: malformed gate code at reception",
        "upload Photo gate code at reception.jpg is on the network's file server as 60000000017_1.jpg",
        "Photo refused",
        "Palletways is no longer asked for it",
    ):
        assert shown.count(told) == 1, told
    [photo, _] = [number for (number,) in store.execute("SELECT id FROM documents ORDER BY id")]
    assert f'src="/palletflow/desk/documents/{photo}/thumbnail"' in page.text
    assert f'href="/palletflow/desk/documents/{photo}/preview"' in page.text
    assert "Statuses from Palletways no nothing ended it in 60 days" in shown


NOT_EXCHANGED = (
    ("palletforce", "{requesting,collecting,delivery}", ("900", "900", "901"), "loop guard keeps the network's"),
    ("palletforce", "{requesting}", ("900", "905", "906"), "we only request it: its collecting and its delivering"),
    ("nexus", "{requesting,collecting,delivery}", ("PGD302", "PGD302", "UKD101"), "no business of Nexus's"),
    ("nexus", "{delivery}", ("UKD115", "UKD115", "PGD302"), "we deliver it, so its documents are our own"),
    ("palletways", "{collecting,delivery}", ("456", "123", "124"), "loop guard keeps the network's"),
    ("palletways", "{requesting}", ("123", "456", "457"), "depot 457 delivers it, which is none of ours"),
)


def test_it_says_what_is_not_exchanged_and_by_which_rule(store, desk):
    imported = {network: lively.imported(store, network, lively.sample(network)) for network, *_ in NOT_EXCHANGED}
    for network, roles, depots, why in NOT_EXCHANGED:
        store.execute(
            "UPDATE consignments SET our_roles = %s, requesting_depot = %s, collecting_depot = %s, delivery_depot = %s"
            " WHERE network = %s", (roles, *depots, network),
        )  # fmt: skip
        assert why in text(desk.get(f"/consignment/{imported[network]}"))


def test_what_is_lost_on_the_way_to_the_network_is_said_first(store, api, desk):
    one = entered(api)
    assert "on no trip with a network's resource" in text(desk.get(f"/consignment/{one}"))
    api.put("/orders/SO-1/trip", TRIP)
    assert "Waiting: Its dispatch task is open" in text(desk.get(f"/consignment/{one}"))
    api.post("/orders/SO-1/dispatch/complete")
    task = dispatch.of_consignment(store, one)
    faults = [
        Fault("MISSING_VALUE", "delivery.phone", "it is required", "Give one"),
        Fault("TOO_LONG", "notes", "A note is too long", "Shorten it"),
    ]
    with store.transaction():
        dispatch.fail(store, task, faults, now=lively.NOW, actor="palletflow")
    store.execute("DELETE FROM work_items")
    shown = text(desk.get(f"/consignment/{one}"))
    assert "Stuck: Dispatch failed, it was never sent to Palletforce: delivery.phone: it is required (and 1" in shown
    assert "Shorten it" in shown
    desk.post(f"/consignment/{one}/dispatch/complete", on=f"/consignment/{one}")
    store.execute("UPDATE consignments SET dispatch_state = 'unknown'")
    store.execute("UPDATE dispatch_tasks SET sent_at = now(), lookups = 2")
    shown = text(desk.get(f"/consignment/{one}"))
    assert "Palletforce may have accepted it: the answer to the sending" in shown
    assert "2 look-ups found nothing" in shown
    for connection in ("palletforce_900", "palletforce_902"):
        store.execute("INSERT INTO connection_flags (connection, reason) VALUES (%s, 'HTTP 401')", (connection,))
    shown = text(desk.get(f"/consignment/{one}"))
    assert "Connection palletforce_900 is flagged" in shown
    assert "palletforce_902" not in shown


def test_a_restored_order_that_the_network_has_cancelled_says_that_it_is_to_be_sent_anew(store, api, desk):
    one = entered(api)
    api.put("/orders/SO-1/trip", TRIP)
    api.post("/orders/SO-1/dispatch/complete")
    with store.transaction():
        sent = dispatch.of_consignment(store, one)
        dispatch.submitted(store, sent, "R-1", warnings=[], now=lively.NOW, actor="palletflow")
    api.post("/orders/SO-1/cancel", {"reason": "customer rang"})
    api.post("/orders/SO-1/restore")
    with store.transaction():
        task = dispatch.of_consignment(store, one)
        dispatch.taken_back(store, task, next_number="", reason="deleted there", actor="palletflow")
    store.execute("DELETE FROM work_items")

    shown = text(desk.get(f"/consignment/{one}"))

    assert "Stuck: It was cancelled at Palletforce and its order restored since: Palletforce has nothing of it" in shown
    assert "Complete its dispatch task again; then it is sent anew within seconds" in shown
    desk.post(f"/consignment/{one}/dispatch/complete", on=f"/consignment/{one}")
    assert "restored since" not in text(desk.get(f"/consignment/{one}"))


def test_a_script_in_every_field_from_outside_is_shown_and_not_run(store, desk, api):
    for make in (lively.palletforce, lively.nexus, lively.palletways):
        one = make(store, SCRIPT)
        for page in (f"/consignment/{one}", f"/consignment/{one}/raw"):
            shown = desk.get(page).text
            assert "<script" not in shown
            assert str(escape(SCRIPT)) in shown
    sent = order("SO-9", reference=SCRIPT, goods_description=SCRIPT, notes=[SCRIPT[:20]])
    api.post("/orders", sent, 201)
    [one] = api.get("/orders/SO-9")["consignments"]
    api.put("/orders/SO-9/trip", {**TRIP, "trip": SCRIPT})
    activity.record(store, one["id"], SCRIPT + "{x}", SCRIPT, SCRIPT, {SCRIPT: [SCRIPT, {"a": [SCRIPT]}]}, [SCRIPT])
    store.execute(
        "UPDATE dispatch_tasks SET warnings = %s, faults = jsonb_build_array(jsonb_build_object('code', %s::text,"
        " 'field', %s::text, 'reason', %s::text, 'remedy', %s::text))", ([SCRIPT], *[SCRIPT] * 4),
    )  # fmt: skip
    shown = desk.get(f"/consignment/{one['id']}").text
    assert "<script" not in shown
    assert str(escape(SCRIPT)) in shown


def test_what_is_not_there_is_a_page_that_says_so(desk, looker, stranger):
    assert "There is no consignment" in text(desk.get("/consignment/99", 404))
    desk.get("/consignment/99/raw", 404)
    desk.get("/consignment/99/labels", 404)
    desk.get("/consignment/0", 422)
    desk.get("/consignment/x", 422)
    looker.get("/consignment/99", 404)
    stranger.get("/consignment/99", 401)
    stranger.get("/consignment/99/raw", 401)


ACTIONS = ["work/1/retry", "fetch/consignment", "dispatch/complete", "dispatch/look-up", "dispatch/send-again",
           "clear-number", "reopen", "photo"]  # fmt: skip


def test_nobody_does_anything_without_login_permission_and_token(store, pages, pipelines):
    one = lively.palletforce(store)
    before = store.execute("SELECT count(*) FROM activity").fetchone()
    for name, status in ((None, 401), ("looker", 403)):
        browser = pages(name)
        for action in ACTIONS:
            browser.post(f"/consignment/{one}/{action}", status=status, document_id="1")
    for action in ACTIONS:
        pages("clerk").post(f"/consignment/{one}/{action}", status=403, form_token="", document_id="1")
        pages("clerk").post(f"/consignment/99/{action}", status=404, document_id="1")
    assert store.execute("SELECT count(*) FROM activity").fetchone() == before
    assert pipelines.runs == []
    assert "<form method" not in pages("looker").get(f"/consignment/{one}").text


def test_parked_work_is_tried_again_once(store, desk):
    one, other = lively.palletforce(store), lively.nexus(store)
    [(item,)] = store.execute("SELECT id FROM work_items WHERE parked_at IS NOT NULL").fetchall()
    for _ in range(2):
        desk.post(f"/consignment/{other}/work/{item}/retry", status=404)
    for _ in range(2):
        answer = desk.post(f"/consignment/{one}/work/{item}/retry", on=f"/consignment/{one}")
        assert said(answer) == "retried"
    held = work_items.one(store, item)
    assert (held.parked_at, held.attempts) == (None, 0)
    assert history(store, one) == [("retry asked for", "order desk")]
    assert "It is tried again now" in text(desk.get(f"/consignment/{one}?said=retried"))
    store.execute("DELETE FROM work_items WHERE id = %s", (item,))
    assert said(desk.post(f"/consignment/{one}/work/{item}/retry")) == "done-meanwhile"


def test_waiting_work_comes_due_at_once(store, desk):
    one = lively.palletways(store)
    [(item,)] = store.execute("SELECT id FROM work_items WHERE kind = 'photo_upload'").fetchall()
    desk.post(f"/consignment/{one}/work/{item}/retry", on=f"/consignment/{one}")
    assert work_items.one(store, item).due_at <= lively.NOW + timedelta(minutes=5)


def test_it_is_fetched_now_and_once(store, desk, pipelines):
    runs = {
        lively.palletforce: [
            ("consignment", "palletforce_fetch", {"tracking_number": "9000010000123", "depot": "900"}),
            ("statuses", "palletforce_statuses", {"tracking_number": "9000010000123"}),
        ],
        lively.nexus: [("consignment", "nexus_fetch", {"consignment": "700001", "depot": "PGD302"})],
        lively.palletways: [
            ("consignment", "palletways_fetch", {"tracking_id": "60000000017", "depot": "123"}),
            ("photos", "palletways_fetch_photos", {"tracking_ids": "60000000017"}),
        ],
    }
    for make, wanted in runs.items():
        one = make(store)
        for name, dag_id, params in wanted:
            for _ in range(2):
                assert said(desk.post(f"/consignment/{one}/fetch/{name}", on=f"/consignment/{one}")) == "fetching"
            assert pipelines.runs.pop() == (dag_id, params, "clerk")
            assert pipelines.runs == []
        assert history(store, one) == [("fetch asked for", "order desk")] * len(wanted)


def test_what_airflow_does_not_know_is_not_noted_as_asked_for(store, desk, pipelines):
    one = lively.nexus(store)
    del pipelines.held["nexus_fetch"]
    assert "Airflow has no pipeline nexus_fetch" in text(desk.post(f"/consignment/{one}/fetch/consignment", status=409))
    desk.post(f"/consignment/{one}/fetch/photos", status=404)
    assert history(store, one) == []


def test_what_may_have_been_accepted_is_looked_up_and_sent_again(store, api, desk):
    one = entered(api)
    page = f"/consignment/{one}"
    assert "assign one first" in text(desk.post(f"{page}/dispatch/complete", status=409))
    assert "PF" not in text(desk.post(f"{page}/dispatch/look-up", status=409))
    api.put("/orders/SO-1/trip", TRIP)
    for _ in range(2):
        assert said(desk.post(f"{page}/dispatch/complete")) == "task-completed"
    store.execute("UPDATE consignments SET dispatch_state = 'unknown'")
    store.execute("UPDATE dispatch_tasks SET sent_at = now()")
    for action, word in (("look-up", "looking-up"), ("send-again", "sent-again")):
        for _ in range(2):
            assert said(desk.post(f"{page}/dispatch/{action}", on=page)) == word
    assert [kind for kind, _ in history(store, one)] == [
        "dispatch task completed", "look-up asked for", "sending again asked for",
    ]  # fmt: skip
    # What the network refused goes as another attempt.
    with store.transaction():
        faults = [Fault("X", "", "Depot 999 is unknown", "")]
        dispatch.fail(store, dispatch.of_consignment(store, one), faults, now=lively.NOW, actor="palletflow")
    assert "Palletforce refused it: Depot 999 is unknown" in text(desk.get(page))
    for _ in range(2):
        assert said(desk.post(f"{page}/dispatch/send-again", on=page if _ == 0 else None)) == "sent-again"
    assert dispatch.of_consignment(store, one).attempt == 2


def test_the_number_of_a_copy_is_cleared_and_of_the_original_stays(store, api, desk):
    one = entered(api, tracking_number=NUMBER, delivery_depot="901")
    api.post("/orders/SO-1/copy", {"key": "SO-2"}, 201)
    [copy] = api.get("/orders/SO-2")["consignments"]
    page = f"/consignment/{copy['id']}"
    shown = text(desk.get(page))
    assert "With the same tracking number" in shown
    assert "its barcodes and the labels printed so far are void" in shown
    for _ in range(2):
        assert said(desk.post(f"{page}/clear-number")) == "number-cleared"
    assert api.get("/orders/SO-2")["consignments"][0]["tracking_number"] == ""
    assert api.get("/orders/SO-1")["consignments"][0]["tracking_number"] == NUMBER
    assert history(store, copy["id"]) == [("updated", "order desk"), ("barcodes withdrawn", "entry")]
    assert "it was copied from order SO-1" in text(desk.get(page))
    store.execute("UPDATE consignments SET registered = true WHERE id = %s", (one,))
    assert "can no longer be changed" in text(desk.post(f"/consignment/{one}/clear-number", status=409))
    foreign = lively.nexus(store)
    assert "it is changed there" in text(desk.post(f"/consignment/{foreign}/clear-number", status=409))


def test_labels_are_drawn_for_whoever_may_write_and_printed_for_everybody(store, api, desk, looker):
    one = entered(api, tracking_number=NUMBER, delivery_depot="901")
    assert "somebody else prints them" in text(looker.get(f"/consignment/{one}/labels", 403))
    assert "Print label" not in text(looker.get(f"/consignment/{one}"))
    assert store.execute("SELECT count(*) FROM documents").fetchone() == (0,)
    assert desk.get(f"/consignment/{one}/labels").content.startswith(b"%PDF")
    assert desk.get(f"/consignment/{one}/labels?format=zpl").content.count(b"^XA") == 2
    assert looker.get(f"/consignment/{one}/labels").content.startswith(b"%PDF")
    assert "Print labels" in text(looker.get(f"/consignment/{one}"))
    without = entered(api, "SO-2")
    assert "its number comes with dispatch" in text(desk.get(f"/consignment/{without}/labels", 409))


def test_a_delivery_that_palletways_completed_is_opened_again(store, desk):
    one = lively.imported(store, "palletways", lively.sample("palletways"))
    with store.transaction():
        lively.read(store, one, ("900", lively.Status.DELIVERED, 3))
        tracking.polled(store, one, lively.NOW, lively.NOW)
        store.execute("INSERT INTO network_deliveries VALUES (%s, now(), now(), 'status', '')", (one,))
    page = f"/consignment/{one}"
    assert "What people reported" not in text(desk.get(page))
    assert said(desk.post(f"{page}/reopen", on=page)) == "reopened"
    assert said(desk.post(f"{page}/reopen")) == "done-meanwhile"
    assert store.execute("SELECT lifecycle_status FROM consignments WHERE id = %s", (one,)).fetchone() == ("CREATED",)
    assert history(store, one) == [("delivery taken back", "operator")]
    other = lively.nexus(store)
    desk.post(f"/consignment/{other}/reopen", status=409)


def test_somebody_says_of_which_consignment_an_orders_photo_is(store, api, desk):
    whole = order(network="palletways", service="PRE", pallet_types=["FULL"])
    api.post("/orders", whole | {"consignments": whole["consignments"] * 2}, 201)
    first, second = (one["id"] for one in api.get("/orders/SO-1")["consignments"])
    photo = lively.photo(store, first, "pallets.jpg", of_order=True)
    photo_uploads.wait(store, photo, None, "say of which")
    page = f"/consignment/{second}"
    assert "of the order waits until somebody says of which consignment it is" in text(desk.get(page))
    for _ in range(2):
        answer = desk.post(f"{page}/photo", on=page if _ == 0 else None, document_id=str(photo))
        assert said(answer) == "photo-chosen"
    assert store.execute("SELECT consignment_id FROM photo_uploads").fetchall() == [(second,)]
    assert history(store, second) == [("photo chosen for it", "order desk")]
    foreign = lively.palletways(store)
    desk.post(f"/consignment/{foreign}/photo", status=409, document_id=str(photo))


def test_a_long_story_is_read_page_by_page_and_none_of_it_is_left_out(store, desk):
    one = lively.imported(store, "palletforce", lively.sample("palletforce"))
    with store.transaction():  # all of one moment
        for number in range(620):
            activity.record(store, one, f"happened {number}", "somebody", "test")
    path, found = f"/consignment/{one}", []
    while path:
        page = desk.get(path)
        found += re.findall(r"Happened (\d+)", page.text)
        older = re.search(r'href="/palletflow/desk([^"]*older=[^"]*)"', page.text)
        path = html.unescape(older[1]) if older else None
    assert [int(number) for number in found] == list(range(619, -1, -1))
    desk.get(f"/consignment/{one}", 422, params={"older": "yesterday"})


def test_the_raw_records_say_what_became_of_each(store, desk):
    one = lively.palletforce(store)
    bad = lively.sample("palletforce")
    bad["consignments"][0] |= {"pallets": [], "weight": "heavy"}
    lively.imported(store, "palletforce", bad)
    page = f"/consignment/{one}"
    [(record,)] = store.execute("SELECT id FROM inbound_records WHERE outcome = 'rejected'").fetchall()
    shown = desk.get(page)
    assert "waits in quarantine" in text(shown)
    assert f"/palletflow/desk/quarantine/{record}" in shown.text
    raw = desk.get(f"{page}/raw")
    assert f'id="record-{record}"' in raw.text
    assert '  "trackingNumber": "9000010000123"' in html.unescape(raw.text)
    assert text(raw).index("rejected") < text(raw).index("created")
    store.execute(
        "UPDATE inbound_records SET raw = %s, row_number = 7 WHERE id = %s", ('{"Ref": "A1", "Town": "Leeds"}', record)
    )
    assert "Ref A1 Town Leeds" in text(desk.get(f"{page}/raw"))
    store.execute("UPDATE inbound_records SET raw = %s, row_number = NULL", ("<a><b c='1'>x</b><d/></a>",))
    assert "<a>\n  <b c='1'>x</b>\n  <d/>\n</a>" in html.unescape(desk.get(f"{page}/raw").text)
    store.execute("UPDATE inbound_records SET raw = ''")
    assert "no longer kept" in text(desk.get(f"{page}/raw"))
