"""What is exchanged with Palletforce of one consignment, and why not, in words; what can be asked for by hand.

The rules are those of the poll (store.tracking.DUE), of statuses.py and of status_export.py.
"""

from palletflow.deployment import Deployment
from palletflow.networks.palletforce.mapper import NETWORK
from palletflow.orders.consignment import Role, is_ours_throughout
from palletflow.orders.exchange import LOOP_GUARD, WE_DELIVER, ByHand, Facts, Flow

# Whether a person can take back that the network completed a delivery.
REOPENS = False
SWITCH = f"networks.{NETWORK}.switches.{{}} is off in the deployment file"


def flows(facts: Facts, plan: Deployment) -> list[Flow]:
    """Each thing that is exchanged, in the order a person asks for them."""
    return [
        Flow("Statuses from Palletforce", *_statuses_in(facts, plan)),
        Flow("What statuses do here", *_effect(facts)),
        Flow("Statuses to Palletforce", *_statuses_out(facts, plan)),
        Flow("Documents and ETAs", False, "Palletforce has no call for them; PODs and photos stay here"),
    ]


def by_hand(facts: Facts, plan: Deployment) -> list[ByHand]:
    """What can be fetched now."""
    depot = _asker(facts, plan)
    if not facts.tracking_number or depot is None:
        return []
    params = {"tracking_number": facts.tracking_number, "depot": depot}
    statuses = {"tracking_number": facts.tracking_number}
    found = [ByHand("consignment", "Fetch it from Palletforce now", "palletforce_fetch", params)]
    if plan.network(NETWORK).switches.status_import:
        found.append(ByHand("statuses", "Read its statuses now", "palletforce_statuses", statuses))
    return found


def _asker(facts: Facts, plan: Deployment) -> str | None:
    """The depot of ours that asks for it: the first that takes part, or that its number begins with."""
    parts = (facts.requesting_depot, facts.collecting_depot, facts.delivery_depot, facts.tracking_number[:3])
    ours = plan.network(NETWORK).depots
    return next((depot for depot in parts if depot in ours), None)


def _statuses_in(facts: Facts, plan: Deployment) -> tuple[bool, str]:
    depot = _asker(facts, plan)
    if not plan.network(NETWORK).switches.status_import:
        return False, SWITCH.format("status_import")
    if not facts.tracking_number:
        return False, "it has no tracking number yet, by which they are asked for"
    if facts.asked_instead is not None:
        return False, f"consignment {facts.asked_instead} stands for the same tracking number and gets them"
    if depot is None:
        return False, "none of its depots is ours, and Palletforce shows a depot only its own consignments"
    if facts.cancelled and not facts.registered:
        return False, "its order is cancelled and Palletforce never had it"
    if facts.ended_at:
        return True, "every pallet has ended; they are read for some days more in case something is added, then no more"
    return True, f"depot {depot} asks for them every 30 minutes, for some weeks after the collection"


def _effect(facts: Facts) -> tuple[bool, str]:
    if is_ours_throughout(facts.our_roles):
        return LOOP_GUARD
    if Role.DELIVERY in facts.our_roles:
        return WE_DELIVER
    if Role.COLLECTING in facts.our_roles:
        return True, "we collect: they move the stops after the collection, once every pallet has the status"
    return True, "neither leg is ours: they move collection and delivery, once every pallet has the status"


def _statuses_out(facts: Facts, plan: Deployment) -> tuple[bool, str]:
    roles = {Role.COLLECTING, Role.DELIVERY} & set(facts.our_roles)
    if not roles:
        part = "only request it" if facts.our_roles else "have no part in it"
        return False, f"we {part}: its collecting and its delivering depot tell"
    if not plan.network(NETWORK).switches.status_export:
        return (
            False,
            f"{SWITCH.format('status_export')}; what our people report waits and is looked at every 15 minutes",
        )
    if facts.is_coming:
        return False, "Palletforce does not have it yet; what our people report waits until it has"
    if not facts.registered:
        return False, "Palletforce does not have it, and it is not being dispatched"
    return True, "everything our people report of " + " and ".join(
        {Role.COLLECTING: "the collection", Role.DELIVERY: "the delivery"}[role] for role in sorted(roles)
    )
