"""What callers of the order API give: orders, trips, movements. The published OpenAPI is made from these classes.

Only what no order can do without is required here. What a network wants before it takes a consignment is checked
when it is dispatched, all of it together, so that an order can be entered before everything about it is known.
"""

import re
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    StrictBool,
    StringConstraints,
    WithJsonSchema,
    field_serializer,
    model_validator,
)
from pydantic_core import PydanticCustomError

MOST_ORDERS = 1000
MOST_REPORTS = 500
MOST_CONSIGNMENTS = 20
NO_CONTROLS = r"^[^\x00-\x1f\x7f]*$"
# An order's own key is part of addresses, so it has no slash; "~51" means our id 51.
KEY = r"^[A-Za-z0-9][^/\x00-\x1f\x7f]{0,99}$"
KEY_OR_ID = r"^([A-Za-z0-9][^/\x00-\x1f\x7f]{0,99}|~[1-9][0-9]{0,17})$"


def text(most: int) -> Any:
    """Text of one line, trimmed, of at most so many characters."""
    return StringConstraints(strip_whitespace=True, max_length=most, pattern=NO_CONTROLS)


def written_as(pattern: str, means: str) -> BeforeValidator:
    """Takes nothing but text of this form; left alone, a number would be read as seconds since 1970."""

    def check(value: Any) -> Any:
        if not isinstance(value, str) or not re.fullmatch(pattern, value):
            raise PydanticCustomError("format", "is not {means}", {"means": means})
        return value

    return BeforeValidator(check)


def each(name: str) -> WithJsonSchema:
    """Published as that class. It is judged one by one, so that a wrong one stops no other."""
    return WithJsonSchema({"anyOf": [{"$ref": f"#/components/schemas/{name}"}, {"type": "object"}]})


Text20 = Annotated[str, text(20)]
Text50 = Annotated[str, text(50)]
Text100 = Annotated[str, text(100)]
Text200 = Annotated[str, text(200)]
# An order file has 140 characters for each of 99 lines, and what it brought may be sent back.
Goods = Annotated[str, text(15_000)]
Required = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100, pattern=NO_CONTROLS)]
Key = Annotated[
    str,
    StringConstraints(strip_whitespace=True, pattern=KEY),
    Field(description="The caller's own key of the order, unique for ever: the same key is the same order."),
]
Code = Annotated[str, StringConstraints(strip_whitespace=True, max_length=10, pattern=r"^[A-Za-z0-9_-]*$")]
Quantity = Annotated[
    Decimal,
    Field(gt=0, le=Decimal("999999.99"), decimal_places=2),
    PlainSerializer(float, return_type=float, when_used="json"),
]
Centimetres = Annotated[int, Field(ge=1, le=1000, strict=True)]
Day = Annotated[
    date,
    Field(ge=date(2000, 1, 1), le=date(2100, 12, 31)),
    written_as(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", "a date of the form 2026-07-13"),
]
Moment = Annotated[
    AwareDatetime,
    written_as(
        r"2[0-9]{3}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?([Zz]|[+-][0-9]{2}:[0-9]{2})",
        "a time of this millennium with its offset, as 2026-07-13T09:30:00Z",
    ),
]
RowId = Annotated[int, Field(ge=1, le=9_000_000_000_000_000_000, strict=True)]
PalletNumber = Annotated[int, Field(ge=1, le=99, strict=True)]
Degrees = Field(strict=True, allow_inf_nan=False)
StopName = Literal["pickup", "collection_depot", "delivery_depot", "delivery"]


class Given(BaseModel):
    """Refuses fields it does not know."""

    model_config = ConfigDict(extra="forbid")


class Shown(Given):
    """Something that is shown with more fields than may be given; those are left aside when it comes back."""

    @model_validator(mode="before")
    @classmethod
    def _leave_aside(cls, data: Any) -> Any:
        if isinstance(data, dict):
            return {name: value for name, value in data.items() if name not in READ_ONLY[cls.__name__]}
        return data


class AddressContent(Given):
    """Where goods are fetched or brought."""

    name: Required
    street: Text100 = ""
    locality: Text100 = Field("", description="Second line of the street, or the part of town.")
    town: Text100 = ""
    county: Text100 = ""
    postcode: Annotated[str, StringConstraints(strip_whitespace=True, min_length=2, max_length=12, pattern=NO_CONTROLS)]
    country: Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")] = Field("GB", description="ISO 3166, 2 letters.")
    phone: Text50 = ""
    contact: Text100 = ""


class PalletDetails(Given):
    """What is known of one pallet by itself."""

    length_cm: Centimetres | None = None
    width_cm: Centimetres | None = None
    height_cm: Centimetres | None = None
    weight_kg: Quantity | None = None
    base: Code = Field("", description="What it stands on, by the network's template, e.g. CHEP.")
    do_not_stack: StrictBool = False
    limited_quantity_kg: Quantity | None = Field(None, description="Dangerous goods in limited quantities on it, kg.")


class ConsignmentContent(Shown):
    """What goes through one network from one place to another."""

    id: RowId | None = Field(
        None,
        description="Only in changes: which consignment of the order is meant. Without any id the first given is the "
        "first of the order, and so on.",
    )
    network: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,49}$")] = Field(
        description="The network's name in the deployment file.", examples=["palletforce"]
    )
    tracking_number: Text50 = Field(
        "",
        description="Imported tracking ID: the number when it is known before dispatch (contract 6). Empty: the "
        "network gives one. Read-only once the network has registered it.",
    )
    requesting_depot: Code = Field("", description="Our depot that requests it; empty: that of the trip's resource.")
    collecting_depot: Code = Field("", description="Empty: the network allocates by postcode.")
    delivery_depot: Code = Field("", description="Empty: the network allocates by postcode.")
    account: Text20 = Field("", description="The customer's account; empty: the one in the deployment file.")
    service: Code = Field("", description="The network's service code.", examples=["A"])
    surcharges: list[Code] = Field([], max_length=20)
    collection_date: Day | None = None
    delivery_date: Day | None = Field(None, description="Empty: the collection date and the service's lead time.")
    weight_kg: Quantity | None = Field(None, description="Of all pallets together, kg.", examples=[850])
    pallet_spaces: Quantity | None = None
    insurance_code: Code = ""
    hub_code: Code = ""
    carton_count: Annotated[int, Field(ge=0, le=999_999, strict=True)] | None = None
    amazon_reference: Text50 = ""
    notes: list[Text200] = Field([], max_length=10)
    goods_description: Goods = ""
    notification_email: Text100 = ""
    notification_sms: Text50 = ""
    notification_twitter: Text50 = ""
    northern_ireland: dict[Annotated[str, StringConstraints(pattern=r"^[a-z_]{1,40}$")], Text100] = Field(
        {}, max_length=20, description="Customs data by the network's field names, e.g. ni_gbeori."
    )
    additional_fields: dict[Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,39}$")], Text100] = Field(
        {},
        max_length=30,
        description="What this network alone asks for, by the field names of its contract, e.g. nexus_origin.",
    )
    pallet_types: list[Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,10}$")]] = Field(
        min_length=1,
        max_length=99,
        description="One type a pallet; the first is pallet 1, and so on.",
        examples=[["F", "F"]],
    )
    pallet_details: list[PalletDetails] = Field(
        [], max_length=99, description="Details of the first pallet, of the second, and so on; not more than pallets."
    )
    pickup: AddressContent | None = Field(None, description="Empty: the customer's collection address.")
    delivery: AddressContent

    @model_validator(mode="after")
    def _details_of_pallets(self) -> Self:
        if len(self.pallet_details) > len(self.pallet_types):
            raise PydanticCustomError("too_many", "pallet_details: there are more than pallets")
        return self

    @field_serializer("pallet_details")
    def _what_is_known(self, details: list[PalletDetails]) -> list[dict[str, Any]]:
        return [one.model_dump(mode="json", exclude_defaults=True) for one in details]


class OrderContent(Shown):
    """An order as its caller wants it."""

    customer: Required = Field(description="The customer's code in the deployment file.", examples=["ACME"])
    reference: Text100 = Field("", description="The customer's own reference.")
    reference_2: Text100 = ""
    consignments: list[ConsignmentContent] = Field(min_length=1, max_length=MOST_CONSIGNMENTS)

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        ids = [consignment.id for consignment in self.consignments if consignment.id]
        if len(ids) != len(set(ids)):
            raise PydanticCustomError("doubled", "consignments: the same id stands twice")
        return self


class NewOrder(OrderContent):
    """An order to make."""

    key: Key


# Fields of answers that a caller may leave in what he sends back; see palletflow.desk.shown.
OF_ORDERS = frozenset(
    {
        "id", "source", "review_reason", "cancelled_at", "copied_from", "created_at", "updated_at",
        "flagged_connections",
    }
)  # fmt: skip
OF_CONSIGNMENTS = frozenset(
    {
        "registered", "tracking_page", "consignment_number", "our_roles", "dispatch_state", "lifecycle_status",
        "exception_reason", "network_status", "dispatch", "pallets", "stops", "tracking", "work",
    }
)  # fmt: skip
READ_ONLY = {"OrderContent": OF_ORDERS | {"key"}, "NewOrder": OF_ORDERS, "ConsignmentContent": OF_CONSIGNMENTS}


class ManyOrders(Given):
    """Orders to make in one call. Each is judged by itself."""

    orders: list[Annotated[dict[str, Any], each("NewOrder")]] = Field(
        min_length=1, max_length=MOST_ORDERS, description="Each as in POST /orders; one that is wrong stops no other."
    )
    update: StrictBool = Field(
        False, description="What to do with a known key and other content: false rejects it, true updates the order."
    )


class Reason(Given):
    """Why something was done."""

    reason: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500, pattern=NO_CONTROLS)]


class NewKey(Given):
    """The own key of a copy."""

    key: Key


class Trip(Given):
    """The trip that takes an order's consignment to a network."""

    trip: Required
    resource: Required = Field(
        description="Code of the subcontractor resource in the deployment file; it names network and depot.",
        examples=["PALLETFORCE_OUT"],
    )
    auto_complete: StrictBool | None = Field(
        None, description="Whether the dispatch task completes itself; left out: as the deployment file says."
    )


class Pointed(Given):
    """Which consignment is meant: by its id, its tracking number, or its order when that has just one."""

    consignment_id: RowId | None = None
    tracking_number: Text50 | None = None
    order: Annotated[str, StringConstraints(pattern=KEY_OR_ID)] | None = Field(
        None, description="The order's own key, or ~ and our id of it."
    )

    def _pointers(self) -> list[str]:
        return [name for name in ("consignment_id", "tracking_number", "order") if getattr(self, name)]

    @model_validator(mode="after")
    def _one_pointer(self) -> Self:
        if len(self._pointers()) != 1:
            raise PydanticCustomError(
                "one_of", "say which consignment: exactly one of consignment_id, tracking_number, order"
            )
        return self


class StopEvent(Pointed):
    """Our own driver arrived at a stop or completed it."""

    stop: StopName
    event: Literal["arrived", "completed"]
    at: Moment
    outcome: Literal["CLEAN", "DAMAGED", "EXCEPTION", "NOT_DELIVERED"] | None = Field(
        None, description="Only of a completed delivery; left out: CLEAN."
    )
    reason: Text200 = ""
    signatory: Text100 = ""
    latitude: Annotated[float, Field(ge=-90, le=90), Degrees] | None = None
    longitude: Annotated[float, Field(ge=-180, le=180), Degrees] | None = None


class Scan(Pointed):
    """Our own people scanned a pallet. A barcode is enough, also one that another has replaced."""

    barcode: Text100 = ""
    pallet_number: PalletNumber | None = None
    scan: Literal["onto_trunk", "receipt", "trunk_arrival", "onto_delivery_vehicle"]
    depot: Code
    at: Moment

    @model_validator(mode="after")
    def _one_pointer(self) -> Self:
        if not self.barcode and (self.pallet_number is None or len(self._pointers()) != 1):
            raise PydanticCustomError(
                "one_of",
                "say which pallet: its barcode, or pallet_number with one of consignment_id, tracking_number, order",
            )
        return self


class RouteStop(Pointed):
    """The place of a stop on a route."""

    stop: StopName
    route: Text100 = Field(description="Empty takes the stop off its route.")
    sequence: Annotated[int, Field(ge=1, le=9999, strict=True)] | None = Field(
        None, description="Delivery order; consignments of one stop share it."
    )

    @model_validator(mode="after")
    def _both_or_none(self) -> Self:
        if bool(self.route) != (self.sequence is not None):
            raise PydanticCustomError("together", "route and sequence are given together, or route is empty")
        return self


class Eta(Pointed):
    """When a stop will be reached."""

    stop: StopName
    eta_from: Moment | None
    eta_to: Moment | None

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.eta_from and self.eta_to and self.eta_from > self.eta_to:
            raise PydanticCustomError("order", "eta_from is after eta_to")
        return self


Reported: Any = Field([], max_length=MOST_REPORTS)


class Reports(Given):
    """What our own people did and plan, e.g. a driver's day. Each is judged by itself; telling it again is safe."""

    stops: list[Annotated[dict[str, Any], each("StopEvent")]] = Reported
    scans: list[Annotated[dict[str, Any], each("Scan")]] = Reported
    routes: list[Annotated[dict[str, Any], each("RouteStop")]] = Reported
    etas: list[Annotated[dict[str, Any], each("Eta")]] = Reported


class Labels(Given):
    """Whose labels to print, in this order."""

    orders: list[Annotated[str, StringConstraints(pattern=KEY_OR_ID)]] = Field([], max_length=200)
    consignments: list[RowId] = Field([], max_length=200)
    format: Literal["pdf", "zpl"] = "pdf"


KNOWN_FIELDS = sorted(
    {
        name
        for model in (
            NewOrder, ConsignmentContent, PalletDetails, AddressContent, ManyOrders, Reason, NewKey, Trip, StopEvent,
            Scan, RouteStop, Eta, Reports, Labels,
        )
        for name in model.model_fields
    }
)  # fmt: skip
