"""The deployment file: this haulier's depots, customers and switches. No secrets; those live in Airflow connections.

Its path is in the environment variable PALLETFLOW_DEPLOYMENT, its schema beside this module.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from palletflow import checked_yaml
from palletflow.checked_yaml import FileFault
from palletflow.discovery import network_names, network_part

SCHEMA = Path(__file__).with_name("deployment.schema.json")
VARIABLE = "PALLETFLOW_DEPLOYMENT"


@dataclass(frozen=True)
class NetworkDeployment:
    """What this deployment does with one network.

    `depots`: depot code to Airflow connection id. `customer`: code of the customer who stands for the network itself
    (orders that other members' depots request). `template`: the file laid over the network's import template, if any.
    `imports`: whether scheduled pulls run.
    """

    depots: Mapping[str, str]
    customer: str
    template: Path | None
    imports: bool


@dataclass(frozen=True)
class Deployment:
    """The whole file. `customers`: code to name. `accounts`: (network, account) to customer code."""

    networks: Mapping[str, NetworkDeployment]
    customers: Mapping[str, str]
    accounts: Mapping[tuple[str, str], str]

    def account_rows(self) -> list[tuple[str, str, str]]:
        """(network, account, customer code) of every account."""
        return [(*key, code) for key, code in self.accounts.items()]

    def network(self, name: str) -> NetworkDeployment:
        """Raises FileFault when the file does not list the network."""
        try:
            return self.networks[name]
        except KeyError:
            listed = ", ".join(self.networks) or "none"
            raise FileFault(path(), [f"networks: '{name}' is not listed (listed: {listed})"]) from None


def path() -> Path:
    """Where the deployment file is. Raises FileFault when PALLETFLOW_DEPLOYMENT is not set."""
    try:
        return Path(os.environ[VARIABLE])
    except KeyError:
        raise FileFault(Path("deployment file"), [f"set {VARIABLE} to its path"]) from None


def load(file: Path | None = None) -> Deployment:
    """Reads and checks the deployment file. Raises FileFault, listing every fault."""
    file = file or path()
    content = checked_yaml.load(file, SCHEMA)
    customers = {customer["code"]: customer["name"] for customer in content["customers"]}
    faults = _doubled(content["customers"]) + _unknown_customers(content["networks"], customers)
    if faults:
        raise FileFault(file, faults)
    return Deployment(
        networks={name: _network(entry, file.parent) for name, entry in content["networks"].items()},
        customers=customers,
        accounts={
            (network, account): customer["code"]
            for customer in content["customers"]
            for network, accounts in customer.get("accounts", {}).items()
            for account in accounts
        },
    )


def check(file: Path | None = None) -> Deployment:
    """As load(), and makes sure that every network it lists exists and can use its import template.

    Raises FileFault.
    """
    plan = load(file)
    for network in plan.networks:
        if network not in network_names():
            known = ", ".join(network_names())
            raise FileFault(file or path(), [f"networks: there is no network '{network}' (there are: {known})"])
        network_part(network, "mapper").preview(plan)
    return plan


def _network(entry: Mapping[str, Any], folder: Path) -> NetworkDeployment:
    return NetworkDeployment(
        depots={code: depot["connection"] for code, depot in entry["depots"].items()},
        customer=entry["customer"],
        template=folder / entry["template"] if "template" in entry else None,
        imports=entry["switches"]["import"],
    )


def _doubled(customers: list[Mapping[str, Any]]) -> list[str]:
    faults = []
    holders: dict[tuple[str, str], str] = {}
    codes: set[str] = set()
    for customer in customers:
        if customer["code"] in codes:
            faults.append(f"customers: code '{customer['code']}' stands twice")
        codes.add(customer["code"])
        for network, accounts in customer.get("accounts", {}).items():
            for account in accounts:
                holder = holders.setdefault((network, account), customer["code"])
                if holder != customer["code"]:
                    faults.append(
                        f"customers: {network} account '{account}' belongs to both {holder} and {customer['code']}"
                    )
    return faults


def _unknown_customers(networks: Mapping[str, Any], customers: Mapping[str, str]) -> list[str]:
    return [
        f"networks.{name}.customer: no customer has the code '{entry['customer']}'"
        for name, entry in networks.items()
        if entry["customer"] not in customers
    ]
