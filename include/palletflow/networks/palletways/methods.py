"""The methods that we call, and which hosts offer them, the first one first (the table of contract 2.0)."""

from palletflow.networks.palletways.settings import API2, PORTAL

HOSTS: dict[str, tuple[str, ...]] = {
    "keytest": (API2, PORTAL),
    "createConsignment": (API2,),
    "getConsignment": (API2,),
    "conStatusByTrackingId": (API2, PORTAL),
    "conStatusById": (API2, PORTAL),
    "conStatusByConNo": (API2, PORTAL),
    "conStatusByCustRef": (PORTAL,),
    "getDynConStatus": (PORTAL,),
    "getDynConStatusByConNo": (API2, PORTAL),
    "getNotes": (API2,),
    "createSystemNote": (API2,),
    "podimages": (PORTAL,),
    "getPodByTrackingId": (API2, PORTAL),
    "getLabelsByTID": (API2, PORTAL),
    "getLabelsById": (API2, PORTAL),
    "consEntered": (API2, PORTAL),
    "manifestConsignment": (API2,),
    "deletePCConsignment": (API2,),
}
# The guide's sample spells it otherwise (contract 2.8).
OTHER_SPELLINGS = {"podimages": "rpodimages"}
FILES = frozenset({"podimages", "rpodimages", "getPodByTrackingId", "getLabelsByTID", "getLabelsById"})

# A method at a host, as it is called.
Way = tuple[str, str]


def ways(method: str) -> list[Way]:
    """The ways to call a method in the order they are tried; `method@host` tries that host first."""
    name, _, first = method.partition("@")
    hosts = HOSTS[name]
    found = [(name, host) for host in dict.fromkeys((first, *hosts) if first else hosts)]
    if name in OTHER_SPELLINGS:
        found += [(OTHER_SPELLINGS[name], host) for _, host in found]
    return found
