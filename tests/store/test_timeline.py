"""How a consignment stands and its story: each happening once, nothing of others, a bounded part at a time."""

from collections import Counter
from datetime import timedelta

import pytest
from tests.desk.pages import lively

from palletflow.store import activity, documents, standing, timeline, work_items
from palletflow.store.timeline import Place


@pytest.fixture(autouse=True)
def _storage(monkeypatch, tmp_path):
    monkeypatch.setenv("PALLETFLOW_DOCUMENTS", str(tmp_path / "documents"))


def test_each_happening_is_told_by_one_table(conn):
    one = lively.palletforce(conn)
    story, has_more = timeline.story(conn, one)
    assert not has_more
    assert Counter((entry.source, entry.kind) for entry in story) == {
        ("activity", "created"): 1,  # its record is the import's entry
        ("activity", "statuses read"): 1,  # it moved the lifecycle status
        ("activity", "labels became stale"): 1,
        ("barcode", "expected"): 2,
        ("barcode", "superseded"): 1,
        ("barcode", "foreign"): 1,
        ("document", "NETWORK_LABEL"): 1,
        ("event", "imported"): 1,
        ("event", "exported"): 2,
        ("movement", "arrived"): 1,
        ("movement", "completed"): 1,
        ("work", "network_labels"): 2,
        ("work", "own_labels"): 1,
        ("work", "status_export"): 1,
    }
    [made] = [entry for entry in story if (entry.source, entry.kind) == ("activity", "created")]
    assert made.data["import"]["record"] == timeline.records(conn, one)[0].id
    [delivered] = [entry for entry in story if entry.kind == "completed"]
    assert delivered.data["changes"]["lifecycle_status"] == ["AT_DELIVERY_DEPOT", "EXCEPTION"]


def test_a_label_that_was_made_again_keeps_its_first_making_in_the_story(conn):
    one = lively.imported(conn, "palletforce", lively.sample("palletforce"))
    made = {"pallet": 1, "barcode": "B1"}
    lively.document(conn, one, "LABEL", "label.pdf", "application/pdf", b"%PDF-1.4", **made)
    documents.mark_stale(conn, one, "LABEL")
    lively.document(conn, one, "LABEL", "label.pdf", "application/pdf", b"%PDF-1.4", **made)
    told = [(entry.source, entry.kind) for entry in timeline.story(conn, one)[0]]
    assert [entry for entry in told if "document" in entry[0] or "document" in entry[1]] == [
        ("document", "LABEL"),
        ("activity", "document added"),
    ]


def test_nothing_of_other_consignments_is_shown(conn):
    one, other = lively.palletforce(conn), lively.nexus(conn)
    work_items.enqueue(conn, "palletforce", "dispatch", [f"{one}1", f"1{one}:2"])
    work_items.enqueue(conn, "nexus", "status_export", [one])
    held = standing.standing(conn, one)
    assert {item["key"].partition(":")[0] for item in held["work"]} == {str(one)}
    assert "status_export" in {item["kind"] for item in held["work"]}
    assert len(held["work"]) == 4
    assert (held["twins"], held["siblings"], held["copies"]) == ([], [], [])
    assert {document["consignment_id"] for document in standing.standing(conn, other)["documents"]} == {other}
    assert standing.standing(conn, 99) is None
    assert timeline.story(conn, 99) == ([], False)


def test_the_story_goes_on_from_any_place_in_it(conn):
    one = lively.palletways(conn)
    whole, _ = timeline.story(conn, one)
    found = []
    place, has_more = timeline.END, True
    while has_more:
        part, has_more = timeline.story(conn, one, place, most=2)
        found += part
        place = Place(*part[-1][:3])
    assert found == whole
    assert [entry.at for entry in whole] == sorted((entry.at for entry in whole), reverse=True)


def test_what_was_asked_for_is_known_for_a_while(conn):
    one = lively.imported(conn, "nexus", lively.sample("nexus"))
    activity.record(conn, one, "fetch asked for", "sam", "order desk", {"asked": [None, "nexus_fetch"]})
    assert timeline.was_asked(conn, one, "fetch asked for", "nexus_fetch", 20)
    assert not timeline.was_asked(conn, one, "fetch asked for", "other", 20)
    conn.execute("UPDATE activity SET at = at - %s", (timedelta(minutes=1),))
    assert not timeline.was_asked(conn, one, "fetch asked for", "nexus_fetch", 20)
