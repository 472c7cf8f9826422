"""What is exchanged with Palletways of one consignment, and why not, in words; what can be asked for by hand.

The rules are those of the poll (store.sweeps), of statuses.py, notes_out.py, photo_download.py and photo_upload.py.
"""

from palletflow.deployment import Deployment
from palletflow.networks.palletways.work import NETWORK, asking_depot
from palletflow.orders.consignment import Role, is_ours_throughout
from palletflow.orders.exchange import LOOP_GUARD, NO_PART, WE_DELIVER, ByHand, Facts, Flow

# Whether a person can take back that the network completed a delivery (status_import.reset).
REOPENS = True
SWITCH = f"networks.{NETWORK}.switches.{{}} is off in the deployment file"


def flows(facts: Facts, plan: Deployment) -> list[Flow]:
    """Each thing that is exchanged, in the order a person asks for them."""
    return [
        Flow("Statuses from Palletways", *_statuses_in(facts, plan)),
        Flow("What statuses do here", *_effect(facts)),
        Flow("Notes to Palletways", *_notes_out(facts, plan)),
        Flow("Photos from Palletways", *_photos_in(facts, plan)),
        Flow("Photos to Palletways", *_photos_out(facts, plan)),
    ]


def by_hand(facts: Facts, plan: Deployment) -> list[ByHand]:
    """What can be fetched now."""
    if not facts.tracking_number:
        return []
    params = {"tracking_id": facts.tracking_number, "depot": _asker(facts, plan)}
    return [
        ByHand("consignment", "Fetch it from Palletways now", "palletways_fetch", params),
        ByHand("photos", "Look for its photos now", "palletways_fetch_photos", {"tracking_ids": facts.tracking_number}),
    ]


def _asker(facts: Facts, plan: Deployment) -> str:
    ours = plan.network(NETWORK).depots
    return asking_depot(ours, facts.requesting_depot, facts.collecting_depot, facts.delivery_depot)


def _connection(facts: Facts, plan: Deployment) -> str:
    return plan.network(NETWORK).depots[_asker(facts, plan)]


def _statuses_in(facts: Facts, plan: Deployment) -> tuple[bool, str]:
    switches = plan.network(NETWORK).switches
    if not switches.imports:
        return False, SWITCH.format("import")
    if not switches.status_import:
        return False, SWITCH.format("status_import")
    if not facts.registered:
        return False, "Palletways has not shown it under a tracking ID yet"
    if facts.asked_instead is not None:
        return False, f"consignment {facts.asked_instead} stands for the same tracking ID and gets them"
    if facts.stale_since:
        return (
            False,
            "nothing ended it in 60 days after it was due, so nobody asks any more; a note of it is still read",
        )
    if facts.cancelled or facts.lifecycle_status == "CANCELLED":
        return False, "it is cancelled"
    if facts.ended_at:
        return False, "the delivery is complete; only a note that says something else makes us ask again"
    return True, f"depot {_asker(facts, plan)} asks whenever a note hints at it, else in turn by the poll"


def _effect(facts: Facts) -> tuple[bool, str]:
    if is_ours_throughout(facts.our_roles):
        return LOOP_GUARD
    if not facts.our_roles:
        return NO_PART
    if Role.DELIVERY in facts.our_roles:
        return WE_DELIVER
    return True, "others deliver: they move the delivery stop"


def _notes_out(facts: Facts, plan: Deployment) -> tuple[bool, str]:
    if not {Role.COLLECTING, Role.DELIVERY} & set(facts.our_roles):
        part = "only request it" if facts.our_roles else "have no part in it"
        return False, f"we {part}: its collecting and its delivering depot tell"
    if not plan.network(NETWORK).switches.status_export:
        return False, SWITCH.format("status_export")
    if not facts.registered:
        return False, "Palletways has not shown it under a tracking ID yet"
    return (
        True,
        f"what our people report, where the capabilities of connection {_connection(facts, plan)} list notes_out",
    )


def _photos_in(facts: Facts, plan: Deployment) -> tuple[bool, str]:
    if facts.cancelled:
        return False, "its order is cancelled"
    if not facts.tracking_number:
        return False, "it has no tracking ID yet, by which they are asked for"
    needs = f"where the capabilities of connection {_connection(facts, plan)} list photos_in"
    if Role.DELIVERY in facts.our_roles:
        needs += "; we deliver it, so not if skip_download_when_delivering is on there"
    return True, f"looked for from the moment the delivery is complete, {needs}"


def _photos_out(facts: Facts, plan: Deployment) -> tuple[bool, str]:
    if facts.cancelled:
        return False, "its order is cancelled"
    ours = plan.network(NETWORK).depots
    if facts.delivery_depot and facts.delivery_depot not in ours:
        return False, f"depot {facts.delivery_depot} delivers it, which is none of ours"
    if not facts.tracking_number:
        return False, "it has no tracking ID yet, by which they are named"
    if not facts.delivery_depot:
        return False, "Palletways is asked whether we deliver it"
    return True, (
        f"photos of the goods delivery go up through the connection palletways_upload_{facts.delivery_depot} if it "
        "exists, those added since it was switched on"
    )
