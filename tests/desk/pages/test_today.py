"""Today: how far every network and depot is, and where a person is needed."""

import html
import re
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
import yaml
from tests.desk.desk_orders import DEPLOYMENT, order

from palletflow import deployment, syncs
from palletflow.desk.pages import plot
from palletflow.desk.pages.today import day_begins
from palletflow.desk.pipelines import Pipeline
from palletflow.store import connection_flags
from palletflow.store import syncs as stored

LONDON = ZoneInfo("Europe/London")
MINUTE = timedelta(minutes=1)
ATTENTION = "/palletflow/desk/attention"
TASK = """
INSERT INTO dispatch_tasks (consignment_id, trip, resource, auto_complete, finished_at)
VALUES (%s, 'T1', 'PALLETFORCE_OUT', false, now())
"""
SCRIPT = "<script>alert('x')</script>"


@pytest.fixture
def plan(monkeypatch):
    monkeypatch.setenv("PALLETFLOW_DEPLOYMENT", str(DEPLOYMENT))
    return deployment.load()


@pytest.fixture
def synced(store, plan):
    """Everything has just been read, but what is named, whose run is so long overdue."""

    def run(**overdue: timedelta) -> None:
        now = datetime.now(UTC)
        for network, sync in syncs.expected(plan):
            if not sync.once_run:
                due_at = now - overdue[sync.party] if sync.party in overdue else now + sync.every
                stored.succeeded(store, network, sync.stream, sync.party, at=due_at - sync.every, next_due_at=due_at)

    return run


@pytest.fixture
def made(api, store):
    """Makes a consignment of Palletforce that these depots request, collect and deliver; its id."""
    numbers = iter(range(1, 1000))

    def make(*depots: str, **columns) -> int:
        api.post("/orders", order(f"SO-{next(numbers)}"), status=201)
        requesting, collecting, delivery = depots
        [consignment] = store.execute(
            "UPDATE consignments SET requesting_depot = %s, collecting_depot = %s, delivery_depot = %s"
            " WHERE id = (SELECT max(id) FROM consignments) RETURNING id",
            (requesting, collecting, delivery),
        ).fetchone()
        for column, value in columns.items():
            store.execute(f"UPDATE consignments SET {column} = %s WHERE id = %s", (value, consignment))
        return int(consignment)

    return make


def text(page: str) -> str:
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page)).split())


def row(page: str, depot: str) -> dict[str, str]:
    """The cells of a depot, or of a whole network, by their labels."""
    [found] = [part for part in re.findall(r"<tr.*?</tr>", page, re.S) if f">{depot}<" in part]
    return {label: text(cell) for label, cell in re.findall(r'data-label="([^"]+)">(.*?)</td>', found, re.S)}


def first_words(page: str) -> str:
    return text(re.search(r'class="[^"]*verdict[^"]*">(.*?)</', page, re.S)[1])


def needs(page: str) -> list[tuple[str, str]]:
    """(what, where to) of each thing that needs a person."""
    found = re.search(r'<ul class="needs">(.*?)</ul>', page, re.S)
    return [(text(said), link) for link, said in re.findall(r'href="([^"]+)"[^>]*>(.*?)</a>', found[1], re.S)]


def test_a_new_house_says_that_nothing_was_synced_yet_and_when_the_first_run_is(desk, pipelines):
    at = datetime.now(UTC) + 5 * MINUTE
    pipelines.held["nexus_poll"] = Pipeline("nexus_poll", False, at, "", None)
    page = desk.get("/").text
    assert "Nothing has been synced yet: the first run is due at" in text(page)
    assert f"{at.astimezone(LONDON):%H:%M}" in text(page)
    assert "<svg" not in page
    assert first_words(page) == "Nothing needs a person"
    assert row(page, "900")["Last synced"] == "orders never statuses never"
    assert '<meta http-equiv="refresh" content="60">' in page


def test_a_consignment_counts_for_each_depot_that_takes_part_and_once_for_its_network(desk, synced, made, store):
    synced()
    made("900", "900", "901")
    made("902", "777", "900", lifecycle_status="DELIVERED")
    before = made("901", "777", "778", lifecycle_status="DELIVERED")
    last_night = datetime.combine(datetime.now(LONDON), time(), LONDON) - timedelta(hours=1)
    for column in ("created_at", "delivered_at"):
        store.execute(f"UPDATE consignments SET {column} = %s WHERE id = %s", (last_night, before))
    sent = made("901", "901", "777", dispatch_state="completed")
    made("901", "901", "777", dispatch_state="waiting")
    store.execute(TASK, (sent,))

    page = desk.get("/").text

    assert first_words(page) == "All well"
    figures = {depot: row(page, depot) for depot in ("900", "901", "902", "Palletforce in all", "123")}
    of = {
        depot: [cells[label] for label in ("Arrived", "Dispatched", "Delivered", "Waiting", "Failed", "Parked")]
        for depot, cells in figures.items()
    }
    assert of == {
        "900": ["2 0", "0 0", "1 0", "0", "0", "0"],
        "901": ["3 1", "1 0", "0 1", "1", "0", "0"],
        "902": ["1 0", "0 0", "1 0", "0", "0", "0"],
        "Palletforce in all": ["4 1", "1 0", "1 1", "1", "0", "0"],
        "123": ["0 0", "0 0", "0 0", "0", "0", "0"],
    }
    assert figures["900"]["Last synced"] == "orders under a minute ago statuses under a minute ago"
    said = html.unescape(re.search(r'<svg[^>]*role="img".*?<title[^>]*>(.*?)</title>', page, re.S)[1])
    assert said == (
        "Consignments of the last 48 hours, hour by hour: 5 arrived, at most 4 in an hour, "
        "1 dispatched, at most 1 in an hour, 2 delivered, at most 1 in an hour."
    )


def test_what_needs_a_person_is_counted_named_and_leads_to_where_it_is_mended(desk, synced, made, store, pipelines):
    synced(**{"902": 45 * MINUTE, "124": 20 * MINUTE, "nexus_ukd101": timedelta(days=1), "901": 29 * MINUTE})
    failed = made("900", "900", "777", dispatch_state="failed")
    store.execute(TASK, (failed,))
    parked = made("901", "901", "777")
    store.execute(
        "INSERT INTO work_items (network, kind, key, due_at, parked_at, last_error)"
        " VALUES ('palletforce', 'network_labels', %s, now(), now(), 'refused'),"
        " ('palletforce', 'odd', 'trip 7', now(), now(), 'refused')",
        (f"{parked}:2",),
    )
    store.execute(
        "WITH batch AS (INSERT INTO inbound_batches (network, stream, party, run, pages, records, created, updated,"
        " unchanged, rejected, ignored, fetched_at)"
        " VALUES ('nexus', 'orders', 'nexus_pgd302', 'r', 1, 1, 0, 0, 0, 1, 0, now()) RETURNING id)"
        " INSERT INTO inbound_records (batch_id, network, stream, record_key, raw, raw_digest, read_at, outcome,"
        " reason_code, reason, warnings) SELECT id, 'nexus', 'orders', '1', '{}', '\\x00', now(), 'rejected', 'X',"
        " 'why', '{}' FROM batch"
    )
    connection_flags.raise_flag(store, "nexus_ukd101", f"the password is refused {SCRIPT}")
    pipelines.held["palletways_poll"] = Pipeline("palletways_poll", True, None, "", None)

    page = desk.get("/").text

    assert first_words(page) == "7 things need a person now"
    # What is late because of a paused pipeline or a flagged connection is told by these.
    assert needs(page) == [
        ("The pipeline palletways_poll is paused: unpause it in Airflow", "/dags/palletways_poll"),
        (f"nexus_ukd101: the password is refused {SCRIPT}", f"{ATTENTION}/connections"),
        ("Palletforce: orders of 902 should have been read 45 min ago", f"{ATTENTION}/syncs"),
        ("Palletforce: statuses of 902 should have been read 45 min ago", f"{ATTENTION}/syncs"),
        ("Not dispatched: 1 (Palletforce)", f"{ATTENTION}/dispatch"),
        ("Records in quarantine: 1 (Nexus)", f"{ATTENTION}/quarantine"),
        ("Parked work: 2 (Palletforce)", f"{ATTENTION}/parked"),
    ]
    assert SCRIPT not in page
    assert (row(page, "900")["Failed"], row(page, "901")["Parked"]) == ("1", "1")
    assert row(page, "Palletforce in all")["Parked"] == "2"
    assert row(page, "902")["Behind by"] == "orders 45 min statuses 45 min"
    assert row(page, "124") | {"Next run": "paused", "Behind by": "20 min"} == row(page, "124")


def test_texts_of_the_deployment_file_are_texts(desk, tmp_path, monkeypatch, synced):
    named = DEPLOYMENT.read_text().replace(
        "{name: Leicester, connection: palletforce_900}", f'{{name: "{SCRIPT}", connection: palletforce_900}}'
    )
    (tmp_path / "deployment.yaml").write_text(named.replace("template: ", "# template: "))
    monkeypatch.setenv("PALLETFLOW_DEPLOYMENT", str(tmp_path / "deployment.yaml"))
    page = desk.get("/").text
    assert SCRIPT in html.unescape(page)
    assert SCRIPT not in page


def test_who_may_only_look_sees_it_and_a_stranger_does_not(looker, stranger, synced):
    synced()
    assert first_words(looker.get("/").text) == "All well"
    assert "Palletforce" not in stranger.get("/", 401).text


def test_pipelines_of_networks_that_are_not_used_may_be_paused(desk, pipelines, synced, monkeypatch, tmp_path):
    content = yaml.safe_load(DEPLOYMENT.read_text())
    del content["networks"]["palletways"], content["networks"]["palletforce"]["template"]
    for customer in content["customers"]:
        customer.get("accounts", {}).pop("palletways", None)
    (tmp_path / "deployment.yaml").write_text(yaml.safe_dump(content))
    monkeypatch.setenv("PALLETFLOW_DEPLOYMENT", str(tmp_path / "deployment.yaml"))
    synced()
    for dag_id in ("palletways_poll", "palletways_files"):
        pipelines.held[dag_id] = Pipeline(dag_id, True, None, "", None)
    page = desk.get("/").text
    assert first_words(page) == "All well"
    assert "Palletways" not in page


def test_the_plot_ends_with_this_hour_and_has_one_bar_an_hour_also_when_the_clocks_go_back():
    now = datetime(2026, 10, 25, 20, 40, tzinfo=UTC)
    first = plot.first_hour(now)
    hours = {(first + timedelta(hours=number), "arrived"): number + 1 for number in range(48)}
    drawn = plot.drawn(hours, ["arrived", "delivered"], now, width=1000, every=6)
    arrived, delivered = drawn.strips
    assert (len(arrived.bars), arrived.total, arrived.most, delivered.bars) == (48, 48 * 49 // 2, 48, [])
    assert arrived.bars[-1].said == "Sun 25 Oct 20:00: 48 arrived"
    assert arrived.bars[-1].height == arrived.base - arrived.top
    assert [tick.label for tick in drawn.ticks] == [
        "Sat 24",
        "06:00",
        "12:00",
        "18:00",
        "Sun 25",
        "06:00",
        "12:00",
        "18:00",
    ]


@pytest.mark.parametrize(
    ("now", "began", "before"),
    [
        (
            datetime(2026, 7, 13, 22, 59, tzinfo=UTC),
            datetime(2026, 7, 12, 23, tzinfo=UTC),
            datetime(2026, 7, 11, 23, tzinfo=UTC),
        ),
        (
            datetime(2026, 7, 13, 23, 1, tzinfo=UTC),
            datetime(2026, 7, 13, 23, tzinfo=UTC),
            datetime(2026, 7, 12, 23, tzinfo=UTC),
        ),
        (
            datetime(2026, 10, 25, 12, tzinfo=UTC),
            datetime(2026, 10, 24, 23, tzinfo=UTC),
            datetime(2026, 10, 23, 23, tzinfo=UTC),
        ),
        (
            datetime(2026, 10, 26, 12, tzinfo=UTC),
            datetime(2026, 10, 26, 0, tzinfo=UTC),
            datetime(2026, 10, 24, 23, tzinfo=UTC),
        ),
    ],
)
def test_days_are_those_of_london(now, began, before):
    assert (day_begins(now), day_begins(now, days_ago=1)) == (began, before)
