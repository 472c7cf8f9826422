"""One box for every number a person may have in hand, and filters; with one hit straight to its consignment."""

import re
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request

from palletflow.desk.context import Context, InContext
from palletflow.desk.pages.render import back, page
from palletflow.desk.pages.telling import DISPATCHED, network_name
from palletflow.orders.consignment import Role
from palletflow.orders.lifecycle import Status
from palletflow.store import desk_search
from palletflow.store.desk_search import Filters, Found, TooLong
from palletflow.store.search_words import read

# What an address may say at most of a filter: more is no depot and no source of ours.
Choice = Annotated[str, Query(max_length=100)]
ID = re.compile("[0-9]{1,18}", re.ASCII)
ROLES = {
    Role.REQUESTING: ("requests", "we request"),
    Role.COLLECTING: ("collects", "we collect"),
    Role.DELIVERY: ("delivers", "we deliver"),
}
TONES = {Status.DELIVERED: "good", Status.EXCEPTION: "bad", Status.UNKNOWN: "warn"}
ORIGINS = {"api": "Order API"}
WHAT_CAN_BE_TYPED = (
    ("Tracking or consignment number", "9000010000123"),
    ("Order key or reference", "SO-1001"),
    ("Barcode of a pallet, also one that was replaced", "506901A900001000012301"),
    ("Postcode, or its first half", "LS1 1AA, ls11aa or LS1"),
    ("Customer, by code or a part of the name", "ACME, joinery"),
    ("Trip", "the name of a dispatch or delivery trip"),
)

router = APIRouter(include_in_schema=False)


@router.get("/find")
def show(
    request: Request,
    within: InContext,
    q: str = "",
    network: Choice = "",
    depot: Choice = "",
    role: Choice = "",
    status: Choice = "",
    origin: Choice = "",
    after: Choice = "",
) -> Any:
    """The newest consignments that fit; `after`: those older than the one with this id."""
    typed = read(q)
    given = Filters(*(read(value).text for value in (network, depot.upper(), role, status, origin)))
    origins = desk_search.origins(within.conn)
    unknown = _unknown(given, within, origins)
    older_than = int(after) if ID.fullmatch(after) else None
    try:
        found = Found([]) if unknown else desk_search.find(within.conn, typed, given, older_than)
    except TooLong:
        found = None
    if found and found.only and older_than is None:
        return back(request, f"/consignment/{found.only}")
    asked = {"q": typed.text, **given._asdict()}
    return page(
        request,
        "find.html",
        q=typed.text,
        given=given,
        filtered=any(given),
        quarantined=desk_search.quarantined(within.conn, typed) if found and not found.hits else [],
        found=found,
        unknown=unknown,
        is_first=older_than is None,
        networks={name: network_name(name) for name in within.networks.plan.networks},
        depots=_depots(within),
        roles=ROLES,
        statuses=list(Status),
        dispatched=DISPATCHED,
        tones=TONES,
        origins={origin: ORIGINS.get(origin, origin.capitalize()) for origin in origins},
        examples=WHAT_CAN_BE_TYPED,
        unfiltered=_address({"q": typed.text}),
        first=_address(asked),
        older=_address({**asked, "after": str(found.after)}) if found and found.after else "",
    )


def _depots(within: Context) -> list[tuple[str, str]]:
    """Ours: code, and where it is in which network."""
    return [
        (code, f"{ours.depot_names[code]}, {network_name(network)}")
        for network, ours in within.networks.plan.networks.items()
        for code in ours.depots
    ]


def _unknown(given: Filters, within: Context, origins: list[str]) -> list[str]:
    """The filters that name what there is not; a depot may be anybody's."""
    known: dict[str, set[str]] = {
        "network": set(within.networks.plan.networks),
        "role": set(Role),
        "status": {*Status, *desk_search.DISPATCH_STATES},
        "origin": set(origins),
    }
    return [
        f"There is no {field} “{value}”."
        for field, values in known.items()
        if (value := getattr(given, field)) and value not in values
    ]


def _address(asked: dict[str, str]) -> str:
    return "/find?" + urlencode({name: value for name, value in asked.items() if value})
