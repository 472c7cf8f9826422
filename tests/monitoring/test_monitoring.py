"""The files for Prometheus and Grafana speak of metrics that are really emitted, by labels that they really have."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml

from palletflow.airflow.metrics import COUNTER, GAUGE, METRICS, of_airflow, of_store, of_syncs
from palletflow.store.figures import COUNTED, Budget, Figures, Quarantine, Window, Work
from palletflow.syncs import SyncState

FOLDER = Path(__file__).parents[2] / "include" / "monitoring"
PACKAGE = FOLDER.parent / "palletflow"
DASHBOARD = json.loads((FOLDER / "dashboard.json").read_text())
RULES = [
    rule for group in yaml.safe_load((FOLDER / "alert-rules.yaml").read_text())["groups"] for rule in group["rules"]
]
MAPPINGS = yaml.safe_load((FOLDER / "statsd-mapping.yaml").read_text())["mappings"]
TARGETS = [target for panel in DASHBOARD["panels"] for target in panel.get("targets", [])]
EXPRESSIONS = [*(rule["expr"] for rule in RULES), *(target["expr"] for target in TARGETS)]

FUNCTIONS = {"absent": 1, "increase": 1, "delta": 1, "rate": 1, "vector": 1}
TOKEN = re.compile(
    r"\s+|(?P<number>\d+(\.\d+)?)|(?P<range>\[\d+[smhd]\])|(?P<text>\"[^\"]*\")|(?P<name>[a-zA-Z_]\w*)"
    r"|(?P<operator>==|!=|>=|<=|=~|!~|[-+*/<>=(){},])"
)


def tokens(expression: str) -> list[tuple[str, str]]:
    found, at = [], 0
    while at < len(expression):
        match = TOKEN.match(expression, at)
        assert match, f"{expression[at:]!r} is no PromQL"
        at = match.end()
        if match.lastgroup:
            found.append((match.lastgroup, match[0]))
    return found


class Parser:
    """As much of PromQL as these files use; what it meets of metrics and labels it keeps."""

    def __init__(self, expression: str) -> None:
        self.left = [*tokens(expression), ("end", "")]
        self.used: list[tuple[str, set[str], bool]] = []  # metric, labels, whether over a range
        self.vector()
        assert self.left == [("end", "")], f"{expression}: {self.left[0][1]!r} is one too many"

    def take(self, *wanted: str) -> str:
        kind, value = self.left.pop(0)
        assert not wanted or value in wanted or kind in wanted, f"{value!r} where {wanted} should be"
        return value

    def vector(self, by: frozenset[str] = frozenset()) -> None:
        self.operand(by)
        while self.left[0][1] in ("and", "or", "==", "!=", ">", ">=", "<", "<=", "+", "-", "*", "/"):
            self.take()
            self.operand(by)

    def operand(self, by: frozenset[str]) -> None:
        kind, value = self.left.pop(0)
        if kind == "number":
            return
        if value == "(":
            self.vector(by)
            self.take(")")
        elif value == "sum":
            grouped = frozenset(self.names("(", ")")) if self.left[0][1] == "by" and self.take("by") else by
            self.take("(")
            self.vector(grouped)
            self.take(")")
        elif value in FUNCTIONS:
            self.take("(")
            self.vector(by)
            self.take(")")
        else:
            assert kind == "name", f"{value!r} is no metric"
            labels = set(by)
            if self.left[0][1] == "{":
                labels |= set(self.names("{", "}"))
            over_a_range = self.left[0][0] == "range" and bool(self.take("range"))
            self.used.append((value, labels, over_a_range))

    def names(self, opening: str, closing: str) -> Iterator[str]:
        self.take(opening)
        while True:
            yield self.take("name")
            if self.left[0][1] in ("=", "!="):
                self.take()
                self.take("text")
            if self.take(",", closing) == closing:
                return


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_an_expression_reads_and_speaks_of_what_is_emitted(expression: str) -> None:
    for name, labels, over_a_range in Parser(expression).used:
        if not name.startswith("palletflow_"):
            assert name in airflows_own(), name
            continue
        metric = METRICS[name.removeprefix("palletflow_")]
        assert labels <= set(metric.labels), name
        # Only what counts up is asked for how much it grew, or it would mean nothing.
        assert over_a_range == (metric.kind == COUNTER) or "delta(" in expression or "absent(" in expression, name


@pytest.mark.parametrize("wrong", ["sum by (network (x)", "increase(x[1h)", "x == ", "x{a=1}", "sum(x) y", "x > 1 #"])
def test_what_does_not_read_is_found(wrong: str) -> None:
    with pytest.raises(AssertionError):
        Parser(wrong)


def airflows_own() -> set[str]:
    from airflow._shared.observability.metrics.metrics_registry import MetricsRegistry

    return {f"airflow_{name.replace('.', '_')}" for name in MetricsRegistry()._metrics}


def test_every_metric_is_emitted() -> None:
    now = datetime.now(UTC)
    sync = SyncState("nexus", "orders", "p", "orders", ("D",), "nexus_poll", None, None, None, timedelta(0), False)
    levels = Figures(
        work=[Work("nexus", "dispatch", 1, 1, 1, now, now, 1, "reason")],
        quarantine=[Quarantine("nexus", "UNKNOWN_CUSTOMER", 1, 1)],
        flagged=[],
        lost_documents=0,
        dispatches={"unknown": 1},
        quarantined_files={"palletways": 1},
        windows=[Window("group", 1, 1, False, False)],
        budgets=[Budget("connection", 1, False)],
        standing={"runs": 1},
    )
    readings = [*of_store(levels, now), *of_syncs([sync]), *of_airflow({"scheduler": True})]
    emitted = {reading.name for reading in readings}
    # What the watch counts itself, beside what the history tells.
    counted = {name for name, _ in COUNTED.values()} | {"imported", "alerts_told", "looks"}

    assert emitted == {name for name, metric in METRICS.items() if metric.kind == GAUGE}
    assert counted == {name for name, metric in METRICS.items() if metric.kind == COUNTER}


def test_what_is_counted_is_what_the_history_calls_it() -> None:
    figures = PACKAGE / "store" / "figures.py"
    sources = "".join(file.read_text() for file in PACKAGE.rglob("*.py") if file != figures)

    assert [kind for kind in COUNTED if f'"{kind}"' not in sources] == []


def test_every_metric_is_shown_on_the_dashboard() -> None:
    shown = {name for target in TARGETS for name, _, _ in Parser(target["expr"]).used}

    assert {f"palletflow_{name}" for name in METRICS} <= shown


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target["expr"])
def test_a_legend_names_labels_that_there_are(target: dict[str, str]) -> None:
    named = set(re.findall(r"{{(\w+)}}", target["legendFormat"]))
    [(name, by, _), *_] = Parser(target["expr"]).used
    its_own = METRICS[name.removeprefix("palletflow_")].labels if name.startswith("palletflow_") else ()

    assert named <= (by or set(its_own))


def test_every_rule_says_what_it_means_and_where_the_runbook_helps() -> None:
    assert len({rule["alert"] for rule in RULES}) == len(RULES)
    for rule in RULES:
        assert rule["labels"]["severity"] in ("critical", "warning")
        assert rule["annotations"]["summary"]
        assert re.fullmatch(r"docs/runbook\.md#[a-z-]+", rule["annotations"]["runbook"])
        labels = set(re.findall(r"\$labels\.(\w+)", rule["annotations"]["summary"]))
        [(name, by, _), *_] = Parser(rule["expr"]).used
        assert labels <= (set(METRICS[name.removeprefix("palletflow_")].labels) if "by" not in rule["expr"] else by)


@pytest.mark.parametrize("name", METRICS)
def test_statsd_exporter_gives_every_metric_its_name(name: str) -> None:
    kind = METRICS[name].kind
    [mapping] = [mapping for mapping in MAPPINGS if mapping["match_metric_type"] == kind]
    match = re.fullmatch(mapping["match"], f"airflow.palletflow.{name}")

    assert match
    assert mapping["name"].replace("$1", match[1]) == f"palletflow_{name}"
    # A counter that was forgotten would begin anew, and its growth be lost.
    assert ("ttl" in mapping) == (kind == GAUGE)


def test_the_dashboard_is_one_that_grafana_imports() -> None:
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(ids) == len(set(ids))
    taken = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert not cells & taken, panel["title"]
        assert place["x"] + place["w"] <= 24
        taken |= cells
    assert {target["datasource"]["uid"] for target in TARGETS} == {"${datasource}"}
    assert [variable["name"] for variable in DASHBOARD["templating"]["list"]] == ["datasource"]
