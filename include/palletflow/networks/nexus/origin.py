"""Which of its networks a Nexus consignment belongs to, and whose it is (contract 4). Pure."""

import re
from collections.abc import Callable, Mapping, Sequence

from palletflow.deployment import Deployment

PALLEX, FORTEC = "PALLEX", "FORTEC"
# Network: how the deployment file calls its customer IDs.
ACCOUNTS = {PALLEX: "pallex", FORTEC: "fortec"}
# First letters of depots that are members of one network only [NX-4-3].
MEMBERS = {"UKD": PALLEX, "FTD": FORTEC}


class Origins:
    """Finds network and customer from what a record says and whom we know."""

    def __init__(self, plan: Deployment, rules: Sequence[str]) -> None:
        """`rules`: the template's `import.network_rules`, in their order."""
        self._customers = {
            network: {account: code for (of, account), code in plan.accounts.items() if of == called}
            for network, called in ACCOUNTS.items()
        }
        self._rules = [RULES[rule] for rule in rules]

    def network(self, named: str, account: str, depots: Sequence[str]) -> str:
        """PALLEX or FORTEC: the first rule that says one [NX-4-5]; "" when none does [NX-4-6].

        `named`: the record's own word for it, `account` its customer ID, `depots` the codes of its depots.
        """
        return next((found for rule in self._rules if (found := rule(self._customers, named, account, depots))), "")

    def customer(self, network: str, account: str) -> str:
        """The code of our customer with this ID on the network, while that is unknown on either; "" for none."""
        known = {
            customers[account]
            for of, customers in self._customers.items()
            if account in customers and network in (of, "")
        }
        return known.pop() if len(known) == 1 else ""


Customers = Mapping[str, Mapping[str, str]]


def _by_name(_customers: Customers, named: str, _account: str, _depots: Sequence[str]) -> str:
    plain = re.sub("[^A-Z]", "", named.upper())
    return plain if plain in ACCOUNTS else ""


def _by_customer(customers: Customers, _named: str, account: str, _depots: Sequence[str]) -> str:
    return _only([network for network, known in customers.items() if account in known])


def _by_depot(_customers: Customers, _named: str, _account: str, depots: Sequence[str]) -> str:
    return _only(list({MEMBERS[depot[:3]] for depot in depots if depot[:3] in MEMBERS}))


def _only(found: list[str]) -> str:
    """What says both contradicts itself."""
    return found[0] if len(found) == 1 else ""


RULES: Mapping[str, Callable[[Customers, str, str, Sequence[str]], str]] = {
    "network": _by_name,
    "customer": _by_customer,
    "depot": _by_depot,
}
