"""The deployment file: what is wrong with it is said, all at once, by place and name."""

from pathlib import Path

import pytest

from palletflow import deployment
from palletflow.checked_yaml import FileFault

GOOD = """
networks:
  palletforce:
    customer: NET
    depots:
      "900": {name: Leicester, connection: palletforce_900}
    resources:
      OUT: {auto_complete: false}
      AUTO: {depot: "900", auto_complete: {customers: [ACME], services: [A]}}
    switches: {import: true}
customers:
  - {code: NET, name: Network}
  - {code: ACME, name: Acme, accounts: {palletforce: [acme 001]}}
"""


def written(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "deployment.yaml"
    file.write_text(text)
    return file


def test_a_good_file_is_read(tmp_path):
    plan = deployment.load(written(tmp_path, GOOD))
    assert plan.network("palletforce").depots == {"900": "palletforce_900"}
    assert plan.accounts == {("palletforce", "acme 001"): "ACME"}


def test_depot_codes_keep_their_leading_zeros_even_unquoted(tmp_path):
    plan = deployment.load(written(tmp_path, GOOD.replace('"900"', "012")))
    assert list(plan.network("palletforce").depots) == ["012"]


def test_numbers_of_hours_and_days_are_numbers(tmp_path):
    more = """
desk: {pod_missing_h: 24}
retention: {activity_d: 0, airflow_d: 30}
alerts: {again_h: 0.5, quarantined: 3}
customer_view: {days: 14}
"""
    plan = deployment.load(written(tmp_path, GOOD + more))
    assert (plan.desk.pod_missing_h, plan.desk.unscanned_h) == (24, 24)
    assert (plan.retention.activity_d, plan.retention.airflow_d) == (0, 30)
    assert (plan.alerts.again_h, plan.alerts.quarantined, plan.customer_view_d) == (0.5, 3, 14)
    assert deployment.load(written(tmp_path, GOOD)).customer_view_d is None
    for wrong in ("customer_view: {days: 0}", "customer_view: {days: 400}", "desk: {unscanned_h: 1.5}"):
        with pytest.raises(FileFault, match="does not match"):
            deployment.load(written(tmp_path, GOOD + wrong + "\n"))


@pytest.mark.parametrize(
    ("good", "bad", "said"),
    [
        ("    customer: NET", "    custommer: NET", "networks.palletforce: unknown key 'custommer'; known here: "),
        ("    customer: NET", "    customer: GONE", "networks.palletforce.customer: no customer has the code 'GONE'"),
        ("import: true", "import: perhaps", "networks.palletforce.switches.import: 'perhaps' is not of type"),
        (", connection: palletforce_900", "", "networks.palletforce.depots.900: 'connection' is a required property"),
        ("code: ACME", "code: NET", "customers: code 'NET' stands twice"),
        (
            "name: Network}",
            "name: Network, accounts: {palletforce: [acme 001]}}",
            "palletforce account 'acme 001' belongs to both NET and ACME",
        ),
        ("customers:", "customers: [", "is not YAML"),
        (
            'depot: "900", auto',
            'depot: "990", auto',
            "networks.palletforce.resources.AUTO.depot: 990 is not one of our",
        ),
        ("[ACME]", "[GONE]", "networks.palletforce.resources.AUTO.auto_complete: no customer has the code 'GONE'"),
        ('"900": {', '"900": {}\n      "900": {', "'900' stands twice"),
    ],
)
def test_a_wrong_file_names_place_and_fault(tmp_path, good, bad, said):
    assert good in GOOD
    with pytest.raises(FileFault) as caught:
        deployment.load(written(tmp_path, GOOD.replace(good, bad)))
    assert said in str(caught.value)
    assert "deployment.yaml" in str(caught.value)


@pytest.mark.rule("PF-7-1")
def test_dispatch_tasks_complete_themselves_by_the_resources_rule(tmp_path):
    resources = deployment.load(written(tmp_path, GOOD)).resources
    assert not resources["OUT"].completes_itself("ACME", "A")
    assert resources["AUTO"].completes_itself("ACME", "A")
    assert not resources["AUTO"].completes_itself("NET", "A")
    assert not resources["AUTO"].completes_itself("ACME", "B")
    always = deployment.load(written(tmp_path, GOOD.replace("auto_complete: false", "auto_complete: true"))).resources
    assert always["OUT"].completes_itself("NET", "R")


def test_an_account_is_taken_for_granted_only_where_there_is_just_one(tmp_path):
    plan = deployment.load(written(tmp_path, GOOD))
    assert plan.only_account("palletforce", "ACME") == "acme 001"
    assert plan.only_account("palletforce", "NET") == ""
    two = deployment.load(written(tmp_path, GOOD.replace("[acme 001]", "[acme 001, acme 002]")))
    assert two.accounts_of("palletforce", "ACME") == ["acme 001", "acme 002"]
    assert two.only_account("palletforce", "ACME") == ""


def test_every_fault_is_listed_at_once(tmp_path):
    wrong = GOOD.replace("customer: NET", "custommer: NET").replace("import: true", "import: perhaps")
    with pytest.raises(FileFault) as caught:
        deployment.load(written(tmp_path, wrong))
    assert len(caught.value.faults) == 3


def test_a_missing_file_or_variable_is_said(tmp_path, monkeypatch):
    with pytest.raises(FileFault, match="cannot be read"):
        deployment.load(tmp_path / "none.yaml")
    monkeypatch.delenv(deployment.VARIABLE, raising=False)
    with pytest.raises(FileFault, match="set PALLETFLOW_DEPLOYMENT"):
        deployment.load()


def test_an_unlisted_network_is_said(tmp_path, monkeypatch):
    file = written(tmp_path, GOOD)
    monkeypatch.setenv(deployment.VARIABLE, str(file))
    with pytest.raises(FileFault, match="'nexus' is not listed"):
        deployment.load().network("nexus")
