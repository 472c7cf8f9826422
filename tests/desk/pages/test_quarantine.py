"""Quarantined records on the desk: seen with what is wrong, corrected, tried, replayed, and taken out."""

import copy
import html
import io
import json
import re
import shutil
from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.desk.desk_orders import DEPLOYMENT
from tests.desk.pages.waiting import Refusing, ago, quarantined

from palletflow import deployment
from palletflow.desk import quarantined as editing
from palletflow.intake.file_import import import_file
from palletflow.intake.flow import Intake
from palletflow.intake.template import Fault
from palletflow.networks.nexus import mapper
from palletflow.networks.palletforce import csv_files
from palletflow.store import quarantine
from palletflow.store.imports import Batch

SCRIPT = "<script>alert(1)</script>"
SAMPLE = json.loads(mapper.SAMPLE.read_text("utf-8"))
CSV = (
    "orderReference,customerCode,collectionDate,deliveryName,deliveryStreetAddress,deliveryTown,deliveryPostcode,"
    "deliveryPhoneNumber,palletType,numberOfPallets,weight\n"
    "SO-1,ACME,13/07/2026,Receiver Ltd,2 High Street,Leeds,LS1 1AA,01632 960001,F,2,heavy\n"
    "SO-1,ACME,13/07/2026,Receiver Ltd,2 High Street,Leeds,LS1 1AA,01632 960001,H,1,100\n"
)


@pytest.fixture
def plan(monkeypatch):
    monkeypatch.setenv("PALLETFLOW_DEPLOYMENT", str(DEPLOYMENT))
    return deployment.load()


@pytest.fixture
def reject(store, plan):
    """Reads records of Nexus that the mapper refuses; their ids in quarantine."""

    def read(*changes):
        translator = mapper.preview(plan)
        intake = Intake(store, "nexus", translator)
        records = [copy.deepcopy(SAMPLE) | {"consignmentID": 700100 + n} | each for n, each in enumerate(changes)]
        intake.add(records, ago(hours=2))
        assert intake.store(Batch("nexus", "orders", "nexus_pgd302", "test", "tester", ago(hours=2))).rejected
        return [one.id for one in quarantine.listed(store)]

    return read


def shown(answer):
    return html.unescape(answer.text)


def textarea(answer):
    return html.unescape(re.search(r"<textarea[^>]*>\n(.*?)</textarea>", answer.text, re.S)[1])


def said(answer):
    return answer.headers["location"].rpartition("said=")[2]


def history(store, record_id):
    return store.execute(
        "SELECT kind, actor FROM activity WHERE subject = %s ORDER BY id", (f"quarantined record {record_id}",)
    ).fetchall()


def test_a_record_is_seen_corrected_tried_and_replayed(store, reject, desk):
    [one] = reject({"delAddressPostcode": None, "dueDate": "soon"})
    path = f"/quarantine/{one}"
    page = desk.get(path)
    assert "Enter the value, then replay" in shown(page)
    assert re.search(r"<mark>line \d+: &#34;delAddressPostcode&#34;: null", page.text)
    text = textarea(page)
    assert json.loads(text) == json.loads(quarantine.listed(store)[0].raw)
    half = text.replace('"delAddressPostcode": null', '"delAddressPostcode": "LS1 1AA"')

    tried = shown(desk.post(f"{path}/preview", status=200, record=half))
    assert "With your changes, not saved yet" in tried
    assert "It would be rejected" in tried
    assert "'soon' is no date" in tried
    assert quarantine.listed(store)[0].corrected is None

    assert said(desk.post(f"{path}/correct", on=path, record=half)) == "corrected"
    assert textarea(desk.get(path)) == half
    assert said(desk.post(f"{path}/replay", record=half)) == "still-rejected"
    assert "soon" in shown(desk.get(path))
    good = half.replace('"dueDate": "soon"', '"dueDate": "2030-01-08"')
    assert "Nothing in the record itself is wrong" in shown(desk.post(f"{path}/preview", status=200, record=good))
    assert said(desk.post(f"{path}/replay", record=good)) == "replayed"

    [(consignment,)] = store.execute("SELECT id FROM consignments").fetchall()
    after = shown(desk.get(path))
    assert f'/consignment/{consignment}"' in after
    assert "created by replay: clerk" in after
    assert "<textarea" not in after
    assert history(store, one) == [
        ("corrected", "clerk"), ("replayed", "clerk"), ("corrected", "clerk"), ("replayed", "clerk"),
    ]  # fmt: skip
    # Whoever still has the form open is told so.
    for action in ("preview", "correct", "replay"):
        assert "settled since" in shown(desk.post(f"{path}/{action}", status=409, record=half))


def test_one_customer_is_added_and_all_of_his_records_are_replayed(store, reject, desk, tmp_path, monkeypatch):
    reject({"customerID": 20777}, {"customerID": 20777}, {"customerID": 20888}, {"delAddressPostcode": None})
    page = shown(desk.get("/attention/quarantine"))
    assert page.count('class="card group"') == 3
    group = page.split("Replay all 2")[0].rpartition('name="group" value="')[2][:16]
    assert said(desk.post("/attention/quarantine/replay", group=group)) == "none-replayed"

    for file in DEPLOYMENT.parent.glob("*.yaml"):
        shutil.copy(file, tmp_path)
    ours = tmp_path / DEPLOYMENT.name
    ours.write_text(ours.read_text() + "  - {code: NEW, name: New Customer Ltd, accounts: {pallex: ['20777']}}\n")
    monkeypatch.setenv("PALLETFLOW_DEPLOYMENT", str(ours))
    assert said(desk.post("/attention/quarantine/replay", on="/attention/quarantine", group=group)) == "all-replayed"

    assert store.execute(
        "SELECT count(*) FROM orders JOIN customers c ON c.id = customer_id WHERE c.code = 'NEW'"
    ).fetchone() == (2,)
    assert {one.reason_code for one in quarantine.listed(store)} == {"UNKNOWN_CUSTOMER", "MISSING_VALUE"}
    # Somebody else had the same idea.
    assert said(desk.post("/attention/quarantine/replay", group=group)) == "done-meanwhile"


def test_a_record_whose_connection_is_gone_stays_and_the_page_says_which(store, desk):
    one = quarantined(
        store, {"weight": "heavy"}, Fault("BAD_FORMAT", "weight", "weight: 'heavy' is no number"),
        network="palletforce", stream="depot_pull", party="900",
    )  # fmt: skip
    before = quarantine.kept(store, one)
    group = shown(desk.get("/attention/quarantine")).split('name="group" value="')[1][:16]

    answers = [
        desk.post(f"/quarantine/{one}/replay", status=409),
        desk.post("/attention/quarantine/replay", status=409, group=group),
    ]

    for answer in answers:
        assert "connection 'palletforce_900': there is no Airflow connection of this id. Its records stay" in shown(
            answer
        )
        assert "Make or correct the connection (Admin, Connections), then replay them" in shown(answer)
    assert quarantine.kept(store, one) == before
    assert history(store, one) == []


def test_many_are_left_to_the_pipeline(store, desk, pipelines):
    intake = Intake(store, "nexus", Refusing(Fault("BAD_FORMAT", "dueDate", "dueDate: 'x' is no date"), "700001"))
    intake.add([{"n": n} for n in range(201)], ago(hours=1))
    intake.store(Batch("nexus", "orders", "nexus_pgd302", "test", "tester", ago(hours=1)))
    ids = [one.id for one in quarantine.listed(store)]
    group = shown(desk.get("/attention/quarantine")).split('name="group" value="')[1][:16]

    assert said(desk.post("/attention/quarantine/replay", group=group)) == "replay-begun"

    # Pressed once more, before the pipeline has come to anything.
    assert said(desk.post("/attention/quarantine/replay", group=group)) == "replay-begun"
    [run] = pipelines.runs
    assert (run.dag_id, run.conf, run.by) == ("quarantine_replay", {"record_ids": ids}, "clerk")
    store.execute("UPDATE activity SET at = at - interval '1 minute'")
    desk.post("/attention/quarantine/replay", group=group)
    assert len(pipelines.runs) == 2


def test_two_who_replay_the_same_record_make_one_order(store, reject, pages):
    [one] = reject({"delAddressPostcode": None})
    text = json.dumps(json.loads(quarantine.listed(store)[0].raw) | {"delAddressPostcode": "LS1 1AA"})
    browsers = [pages("clerk") for _ in range(4)]
    with ThreadPoolExecutor(4) as threads:
        tries = [threads.submit(_replay, browser, one, text) for browser in browsers]
        codes = {each.result() for each in tries}

    assert codes <= {303, 409}
    assert store.execute("SELECT count(*) FROM orders").fetchone() == (1,)
    kept = quarantine.kept(store, one)
    assert kept.consignment_id is not None
    assert "by replay: clerk" in kept.settled_by


def _replay(browser, record_id, text):
    try:
        return browser.post(f"/quarantine/{record_id}/replay", record=text).status_code
    except AssertionError:
        return browser.post(f"/quarantine/{record_id}/replay", status=409, record=text).status_code


def test_a_row_of_a_file_is_corrected_cell_by_cell_with_the_rows_it_belongs_to(store, plan, desk):
    import_file(
        store, "palletforce", csv_files.kinds(plan), plan, io.BytesIO(CSV.encode()), f"{SCRIPT}.csv",
        asked=None, now=ago(hours=1), run="test", actor="tester",
    )  # fmt: skip
    bad, with_it = quarantine.listed(store)
    page = desk.get(f"/quarantine/{bad.id}")
    assert SCRIPT not in page.text
    assert re.search(r'class="failing"><span>weight</span><input name="cell:weight" value="heavy"', page.text)
    # A column that the file lacks can be filled as well.
    assert 'name="cell:goodsDescription" value=""' in page.text
    cells = {f"cell:{heading}": cell for heading, cell in json.loads(bad.raw).items()} | {"cell:note1": ""}
    assert "'light'" in shown(
        desk.post(f"/quarantine/{bad.id}/preview", status=200, **cells | {"cell:weight": "light"})
    )
    assert "Nothing in the record itself is wrong" in shown(
        desk.post(f"/quarantine/{bad.id}/preview", status=200, **cells | {"cell:weight": "850"})
    )

    assert said(desk.post(f"/quarantine/{bad.id}/replay", **cells | {"cell:weight": "850"})) == "replayed"

    assert quarantine.listed(store) == []
    assert store.execute("SELECT count(*) FROM pallets").fetchone() == (3,)
    assert quarantine.kept(store, with_it.id).consignment_id == quarantine.kept(store, bad.id).consignment_id


def test_what_is_no_order_says_so_and_can_only_be_taken_out(store, desk):
    note = quarantined(
        store, {"SysNote": "x"}, Fault("BAD_NOTE_NUMBER", "SysNote", "SysNote 'x' is no whole number"),
        network="palletways", stream="notes",
    )  # fmt: skip
    page = shown(desk.get(f"/quarantine/{note}"))
    assert "cannot be replayed. It is a note about a consignment" in page
    assert "Save" not in page
    assert "It is a note about a consignment" in shown(desk.get("/attention/quarantine"))
    desk.post(f"/quarantine/{note}/replay", status=409, record="{}")
    group = shown(desk.get("/attention/quarantine")).partition("group=")[2][:16]
    if group:
        desk.post("/attention/quarantine/replay", group=group)
    assert quarantine.kept(store, note).record.reason == "SysNote 'x' is no whole number"

    assert said(desk.post(f"/quarantine/{note}/take-out", on=f"/quarantine/{note}")) == "taken-out"
    assert quarantine.listed(store) == []
    assert history(store, note)[-1] == ("taken out of quarantine", "clerk")
    assert "taken out by clerk" in shown(desk.get(f"/quarantine/{note}"))


@pytest.mark.parametrize(
    "text", ['{"a": ', "[" * 100_000, "\0", "{'a': 1}", '{"a": ' + "9" * 5000 + "}"],
    ids=["cut off", "deep", "NUL", "quotes", "endless number"],
)  # fmt: skip
def test_what_is_no_json_is_not_kept(store, reject, desk, text):
    [one] = reject({"delAddressPostcode": None})
    assert "is no JSON" in shown(desk.post(f"/quarantine/{one}/correct", status=422, record=text))
    assert quarantine.listed(store)[0].corrected is None


def test_what_is_saved_unchanged_is_no_correction(store, reject, desk):
    [one] = reject({"delAddressPostcode": None})
    text = textarea(desk.get(f"/quarantine/{one}")).replace("\n", "\r\n")
    desk.post(f"/quarantine/{one}/correct", record=text)
    assert quarantine.listed(store)[0].corrected is None
    assert history(store, one) == []


def test_a_large_record_does_not_break_the_page(store, reject, desk):
    [one] = reject({"delAddressPostcode": None, "notes": "x" * 2_000_000})
    page = desk.get(f"/quarantine/{one}")
    assert len(page.text) < 100_000
    assert "too large to be corrected here" in page.text
    whole = desk.get(f"/quarantine/{one}/record.json")
    assert whole.headers["content-disposition"].startswith("attachment")
    assert len(whole.json()["notes"]) == 2_000_000
    assert said(desk.post(f"/quarantine/{one}/replay")) == "still-rejected"


def test_what_networks_and_files_say_is_escaped(store, desk, reject):
    [one] = reject({"delAddressPostcode": None, "customerReference": SCRIPT, SCRIPT: SCRIPT + "\ud800"})
    other = quarantined(store, SCRIPT, Fault(SCRIPT, SCRIPT, SCRIPT), stream=SCRIPT, key=SCRIPT)
    pages = [desk.get(f"/quarantine/{number}").text for number in (one, other)]
    pages.append(desk.post(f"/quarantine/{other}/preview", status=200, record=json.dumps({SCRIPT: SCRIPT})).text)
    pages.append(desk.post(f"/quarantine/{other}/correct", status=422, record=SCRIPT).text)
    assert [SCRIPT in page for page in pages] == [False] * 4
    assert html.escape(SCRIPT) in pages[0]


def test_strangers_see_nothing_and_lookers_change_nothing(store, reject, desk, looker, stranger):
    [one] = reject({"delAddressPostcode": None})
    path = f"/quarantine/{one}"
    seen = shown(looker.get(path))
    assert "delAddressPostcode" in seen
    assert "<textarea" not in seen
    assert 'method="post"' not in seen
    stranger.get(path, status=401)
    stranger.get(f"{path}/record.json", status=401)
    for action in ("preview", "correct", "replay", "take-out"):
        looker.post(f"{path}/{action}", status=403, record="{}")
        stranger.post(f"{path}/{action}", status=401, record="{}")
        desk.post(f"{path}/{action}", status=403, record="{}", form_token="1.forged")
    looker.post("/attention/quarantine/replay", status=403, group="0" * 16)
    assert quarantine.listed(store)[0].corrected is None
    desk.get("/quarantine/999999", status=404)
    desk.get("/quarantine/x", status=422)


@pytest.mark.parametrize(
    "text",
    [
        '{"a":[],"b":{},"c":[1.10,1e400,{"d":"x, y: {z}"}],"a":"\\u0000\\"","e":[[]]}',
        '"only text"',
        "[]",
        "null",
        "-0.0",
    ],
)
def test_a_record_is_laid_out_without_changing_what_stands_in_it(text):
    laid_out = editing.pretty(text)
    assert editing.compact(laid_out) == text
    assert editing.pretty(laid_out) == laid_out


def test_a_record_has_one_value_a_line():
    assert editing.pretty('{"a":[1,{}],"b":"x"}') == '{\n  "a": [\n    1,\n    {}\n  ],\n  "b": "x"\n}'
