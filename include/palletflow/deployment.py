"""The deployment file: this haulier's depots, customers and switches. No secrets; those live in Airflow connections.

Its path is in the environment variable PALLETFLOW_DEPLOYMENT, its schema beside this module. PALLETFLOW_FILES names the
folder in which the watched folders of networks lie; without it they lie where this file does.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from palletflow import checked_yaml
from palletflow.checked_yaml import FileFault
from palletflow.discovery import network_names, network_part
from palletflow.orders.consignment import Address

SCHEMA = Path(__file__).with_name("deployment.schema.json")
VARIABLE = "PALLETFLOW_DEPLOYMENT"
FILES = "PALLETFLOW_FILES"


@dataclass(frozen=True)
class Resource:
    """A subcontractor resource on trips that stands for a network.

    `depot`: our depot that requests what goes through it, "" for the connection's first. `customers` and `services`
    name whose dispatch tasks complete themselves, None meaning all; `auto_complete` False means nobody's.
    """

    code: str
    network: str
    depot: str
    auto_complete: bool
    customers: frozenset[str] | None
    services: frozenset[str] | None

    def completes_itself(self, customer: str, service: str) -> bool:
        """Whether the dispatch task of such a consignment needs no person (contract 7 item 1)."""
        return (
            self.auto_complete
            and (self.customers is None or customer in self.customers)
            and (self.services is None or service in self.services)
        )


@dataclass(frozen=True)
class Switches:
    """What a network is used for here. Pulls; imported tracking IDs; its statuses to us; ours to it."""

    imports: bool
    imported_tracking_id: bool
    status_import: bool
    status_export: bool


@dataclass(frozen=True)
class NetworkDeployment:
    """What this deployment does with one network.

    `depots`: depot code to Airflow connection id; `depot_names`: to what people call it. `customer`: code of the
    customer who stands for the network itself (orders that other members' depots request). `template`: the file laid
    over the network's import template, if any. `folder` and `sftp`: the watched folder and the connection id of the
    SFTP drop, if any.
    """

    depots: Mapping[str, str]
    depot_names: Mapping[str, str]
    customer: str
    template: Path | None
    switches: Switches
    folder: Path | None
    sftp: str | None


@dataclass(frozen=True)
class Customer:
    """A customer. `collection`: where his goods are fetched when an order does not say."""

    code: str
    name: str
    collection: Address | None


@dataclass(frozen=True)
class Desk:
    """After how many hours a person is needed: for a delivery without POD or photo, for pallets manifested and not
    scanned since."""

    pod_missing_h: int = 48
    photo_missing_h: int = 48
    unscanned_h: int = 24


@dataclass(frozen=True)
class Retention:
    """For how many days something is kept, 0 for ever: raw records that are settled, the history of finished
    consignments, parked work, Airflow's own records of its runs."""

    raw_records_d: int = 180
    activity_d: int = 0
    parked_work_d: int = 0
    airflow_d: int = 90


@dataclass(frozen=True)
class Alerts:
    """After how many hours people are told again of what lasts; how many records that are quarantined within an hour,
    of one network and for one reason, are to be told of."""

    again_h: float = 12
    quarantined: int = 10


@dataclass(frozen=True)
class Deployment:
    """The whole file, by code. `accounts`: (network, account) to customer code. `customer_view_d`: for how many days a
    link opens a page for customers, None when there are no such pages."""

    networks: Mapping[str, NetworkDeployment]
    resources: Mapping[str, Resource]
    customers: Mapping[str, Customer]
    accounts: Mapping[tuple[str, str], str]
    desk: Desk
    retention: Retention
    alerts: Alerts
    customer_view_d: int | None

    def accounts_of(self, network: str, customer: str) -> list[str]:
        """A customer's accounts with a network, in the order of the file."""
        return [account for (of, account), code in self.accounts.items() if (of, code) == (network, customer)]

    def only_account(self, network: str, customer: str) -> str:
        """The account of a customer who has just one with a network; "" when somebody has to choose."""
        accounts = self.accounts_of(network, customer)
        return accounts[0] if len(accounts) == 1 else ""

    def customer_names(self) -> dict[str, str]:
        """Code to name of every customer."""
        return {code: customer.name for code, customer in self.customers.items()}

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

    def depot_connection(self, network: str, depot: str) -> str:
        """The connection of one of our depots. Raises FileFault when the file does not list it."""
        depots = self.network(network).depots
        if depot not in depots:
            listed = ", ".join(depots)
            raise FileFault(path(), [f"networks.{network}.depots: {depot} is not listed (listed: {listed})"])
        return depots[depot]


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
    customers = {entry["code"]: _customer(entry) for entry in content["customers"]}
    faults = [
        *_doubled(content["customers"]),
        *_unknown_customers(content["networks"], customers),
        *_wrong_resources(content["networks"], customers),
    ]
    if faults:
        raise FileFault(file, faults)
    return Deployment(
        networks={name: _network(entry, file.parent) for name, entry in content["networks"].items()},
        resources={
            code: _resource(code, name, resource)
            for name, entry in content["networks"].items()
            for code, resource in entry.get("resources", {}).items()
        },
        customers=customers,
        accounts={
            (network, account): customer["code"]
            for customer in content["customers"]
            for network, accounts in customer.get("accounts", {}).items()
            for account in accounts
        },
        desk=Desk(**_whole_numbers(content.get("desk", {}))),
        retention=Retention(**_whole_numbers(content.get("retention", {}))),
        alerts=_alerts(content.get("alerts", {})),
        customer_view_d=_whole_numbers(content.get("customer_view", {})).get("days"),
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


def _whole_numbers(entry: Mapping[str, str]) -> dict[str, int]:
    """Settings whose texts the schema allows to be nothing but whole numbers."""
    return {name: int(text) for name, text in entry.items()}


def _alerts(entry: Mapping[str, str]) -> Alerts:
    shipped = Alerts()
    return Alerts(
        again_h=float(entry.get("again_h", shipped.again_h)),
        quarantined=int(entry.get("quarantined", shipped.quarantined)),
    )


def _network(entry: Mapping[str, Any], folder: Path) -> NetworkDeployment:
    files = entry.get("files", {})
    return NetworkDeployment(
        depots={code: depot["connection"] for code, depot in entry["depots"].items()},
        depot_names={code: depot["name"] for code, depot in entry["depots"].items()},
        customer=entry["customer"],
        template=folder / entry["template"] if "template" in entry else None,
        switches=Switches(
            imports=entry["switches"]["import"],
            imported_tracking_id=entry["switches"].get("imported_tracking_id", True),
            status_import=entry["switches"].get("status_import", True),
            status_export=entry["switches"].get("status_export", True),
        ),
        folder=Path(os.environ.get(FILES) or folder) / files["folder"] if "folder" in files else None,
        sftp=files.get("sftp"),
    )


def _resource(code: str, network: str, entry: Mapping[str, Any]) -> Resource:
    rule = entry["auto_complete"]
    of_whom = rule if isinstance(rule, dict) else {}
    return Resource(
        code=code,
        network=network,
        depot=entry.get("depot", ""),
        auto_complete=bool(rule),
        customers=frozenset(of_whom["customers"]) if "customers" in of_whom else None,
        services=frozenset(of_whom["services"]) if "services" in of_whom else None,
    )


def _customer(entry: Mapping[str, Any]) -> Customer:
    place = entry.get("collection")
    collection = Address(**{**dict.fromkeys(Address._fields, ""), "country": "GB", **place}) if place else None
    return Customer(entry["code"], entry["name"], collection)


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


def _wrong_resources(networks: Mapping[str, Any], customers: Mapping[str, Customer]) -> list[str]:
    faults = []
    holders: dict[str, str] = {}
    for name, entry in networks.items():
        for code, resource in entry.get("resources", {}).items():
            place = f"networks.{name}.resources.{code}"
            if holders.setdefault(code, name) != name:
                faults.append(f"{place}: stands under {holders[code]} too; a resource belongs to one network")
            if resource.get("depot") not in (None, *entry["depots"]):
                faults.append(f"{place}.depot: {resource['depot']} is not one of our depots")
            rule = resource["auto_complete"]
            for customer in rule.get("customers", ()) if isinstance(rule, dict) else ():
                if customer not in customers:
                    faults.append(f"{place}.auto_complete: no customer has the code '{customer}'")
    return faults


def _unknown_customers(networks: Mapping[str, Any], customers: Mapping[str, Customer]) -> list[str]:
    return [
        f"networks.{name}.customer: no customer has the code '{entry['customer']}'"
        for name, entry in networks.items()
        if entry["customer"] not in customers
    ]
