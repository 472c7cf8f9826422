"""What is exchanged with Nexus of one consignment, and why not, in words; what can be asked for by hand.

The rules are those of status_import.py, status_export.py, documents.py and etas.py.
"""

from palletflow.deployment import Deployment
from palletflow.networks.nexus import documents, reports
from palletflow.networks.nexus.work import NETWORK, asking_depot
from palletflow.orders.consignment import Role, is_ours_throughout
from palletflow.orders.exchange import LOOP_GUARD, NO_PART, WE_DELIVER, ByHand, Facts, Flow

# Whether a person can take back that the network completed a delivery.
REOPENS = False
SWITCH = f"networks.{NETWORK}.switches.{{}} is off in the deployment file"
OURS_THROUGHOUT = "both legs are ours, so {} no business of Nexus's"


def flows(facts: Facts, plan: Deployment) -> list[Flow]:
    """Each thing that is exchanged, in the order a person asks for them."""
    return [
        Flow("Statuses from Nexus", *_statuses_in(facts, plan)),
        Flow("What statuses do here", *_effect(facts)),
        Flow("Statuses to Nexus", *_statuses_out(facts, plan)),
        Flow("Documents from Nexus", *_documents_in(facts)),
        Flow("Documents to Nexus", *_documents_out(facts)),
        Flow("ETAs to consignees", *_etas(facts, plan)),
    ]


def by_hand(facts: Facts, plan: Deployment) -> list[ByHand]:
    """What can be fetched now."""
    if not facts.tracking_number:
        return []
    depot = asking_depot(
        plan.network(NETWORK).depots, facts.requesting_depot, facts.collecting_depot, facts.delivery_depot
    )
    params = {"consignment": facts.tracking_number, "depot": depot}
    return [ByHand("consignment", "Fetch it, its statuses and documents from Nexus now", "nexus_fetch", params)]


def _statuses_in(facts: Facts, plan: Deployment) -> tuple[bool, str]:
    switches = plan.network(NETWORK).switches
    if not switches.imports:
        return False, SWITCH.format("import")
    if not switches.status_import:
        return False, SWITCH.format("status_import")
    if not facts.tracking_number:
        return False, "Nexus does not have it yet"
    if facts.asked_instead is not None:
        return False, f"consignment {facts.asked_instead} stands for the same number and gets them"
    if facts.ended_at:
        return True, "nothing more is waited for; what Nexus lists as changed is read all the same"
    return True, "the poll reads it every 3 minutes whenever its row in Nexus's lists has changed"


def _effect(facts: Facts) -> tuple[bool, str]:
    if is_ours_throughout(facts.our_roles):
        return LOOP_GUARD
    if not facts.our_roles:
        return NO_PART
    if Role.DELIVERY in facts.our_roles:
        return WE_DELIVER
    return True, "others deliver: they move the delivery stop, once every pallet has the status"


def _statuses_out(facts: Facts, plan: Deployment) -> tuple[bool, str]:
    if reports.telling_role(facts.our_roles) is None:
        if is_ours_throughout(facts.our_roles):
            return False, OURS_THROUGHOUT.format("statuses are")
        return False, f"we {_part(facts)}: its collecting and its delivering depot tell"
    if not plan.network(NETWORK).switches.status_export:
        return False, f"{SWITCH.format('status_export')}; what our people report is kept for 48 hours"
    if facts.is_coming:
        return False, "Nexus does not have it yet; what our people report waits until it has"
    if not facts.registered:
        return False, "Nexus does not have it, and it is not being dispatched"
    if facts.held:
        return False, f"{facts.held}; it is kept for 48 hours"
    return True, 'what our people report, where the connection\'s Extra says "status_export": true'


def _documents_in(facts: Facts) -> tuple[bool, str]:
    if not documents.fetches(facts.our_roles):
        if Role.DELIVERY in facts.our_roles:
            return False, "we deliver it, so its documents are our own"
        return False, "none of its depots is ours"
    if not facts.registered:
        return False, "Nexus does not have it yet"
    if facts.cancelled:
        return False, "its order is cancelled"
    return True, "others deliver for us: signature, POD and photos are looked for from the delivery on, for two weeks"


def _documents_out(facts: Facts) -> tuple[bool, str]:
    if not documents.sends(facts.our_roles):
        if is_ours_throughout(facts.our_roles):
            return False, OURS_THROUGHOUT.format("its documents are")
        return False, "we do not deliver it"
    if facts.cancelled:
        return False, "its order is cancelled"
    if facts.is_coming:
        return False, "Nexus does not have it yet"
    if not facts.registered:
        return False, "Nexus does not have it, and it is not being dispatched"
    return True, "we deliver it for others: signatures, PODs and photos go once the delivery is told"


def _etas(facts: Facts, plan: Deployment) -> tuple[bool, str]:
    if Role.DELIVERY not in facts.our_roles:
        if documents.fetches(facts.our_roles):
            return False, "others deliver it; when they expect to be there is read from Nexus"
        return False, "we do not deliver it"
    if facts.delivery_depot not in plan.network(NETWORK).depots:
        return False, "its delivery depot is none of ours in the deployment file"
    if not facts.registered:
        return False, "Nexus does not have it"
    if facts.cancelled or facts.lifecycle_status in ("DELIVERED", "CANCELLED"):
        return False, "there is nothing to expect any more"
    return (
        True,
        "as soon as its delivery is on a route with an ETA, through the connection nexus_optimize if there is one",
    )


def _part(facts: Facts) -> str:
    return "only request it" if facts.our_roles else "have no part in it"
