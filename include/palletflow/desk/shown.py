"""What the order API answers. The published OpenAPI is made from these classes."""

from datetime import date, datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class Answer(BaseModel):
    """Every field is always there."""

    model_config = ConfigDict(json_schema_serialization_defaults_required=True)


class Fault(Answer):
    """One thing that is wrong."""

    field: str = Field(description="Which field, e.g. consignments[0].delivery.postcode; empty: the whole.")
    rule: str = Field(description="Which rule it breaks: a code, or the id of a rule of the network's contract.")
    detail: str = Field(description="What is wrong and what to do.")


class Refusal(Answer):
    """Every answer that is not a success has this shape."""

    message: str
    errors: list[Fault]


class Address(Answer):
    """Where goods are fetched or brought."""

    name: str
    street: str
    locality: str
    town: str
    county: str
    postcode: str
    country: str
    phone: str
    contact: str


class Dispatch(Answer):
    """The task that hands a consignment to its network. How it stands is the consignment's dispatch_state."""

    trip: str
    resource: str
    auto_complete: bool
    completed_at: datetime | None
    completed_by: str | None
    attempt: int = Field(description="Rises when a person sends again after a definite refusal.")
    transaction_number: str
    sent_at: datetime | None = Field(description="Since when the network may have it; empty: nothing was accepted.")
    lookups: int = Field(description="How often it was looked up in the network and not found.")
    lookup_at: datetime | None = Field(description="When it is looked up next by itself; empty: never.")
    faults: list[dict[str, Any]] = Field(description="Why it cannot go, all together: code, field, reason, remedy.")
    warnings: list[str]
    finished_at: datetime | None


class Pallet(Answer):
    """One pallet with its barcodes."""

    number: int
    pallet_type: str
    barcode: str = Field(description="The current one; empty until number, service and delivery depot are known.")
    confirmed: bool = Field(description="The network has used that barcode itself.")
    earlier_barcodes: list[str] = Field(description="Replaced ones; a label that carries one is no longer good.")


class Stop(Answer):
    """One stop of a consignment's way."""

    stop: Literal["pickup", "collection_depot", "delivery_depot", "delivery"]
    depot: str
    planned_date: date | None
    route: str
    route_sequence: int | None
    eta_from: datetime | None
    eta_to: datetime | None
    started_at: datetime | None = Field(description="Under way to it.")
    arrived_at: datetime | None
    completed_at: datetime | None
    outcome: str | None
    reason: str
    signatory: str


class TrackingEvent(Answer):
    """A status as the network has it: read from it (imported) or told to it by us (exported)."""

    direction: Literal["imported", "exported"]
    pallet_number: int | None
    code: str = Field(description="The network's own code.")
    status: str
    occurred_at: datetime
    depot: str
    signatory: str
    note: str
    sent_at: datetime | None
    refusal: str | None


class WorkItem(Answer):
    """Something that is still to be done for a consignment, and why it waits."""

    id: int
    kind: str
    key: str = Field(description="The consignment's id; of work for one pallet <id>:<pallet number>.")
    due_at: datetime
    attempts: int
    in_progress: bool
    last_error: str | None
    parked_at: datetime | None = Field(description="Since when it waits for a person; empty: it goes on by itself.")


class FlaggedConnection(Answer):
    """A connection whose key or address the network refused: nothing goes through it until that is mended."""

    connection: str
    reason: str
    flagged_at: datetime


class Consignment(Answer):
    """A consignment as it stands now; what the network has filled in or changed is shown as the network has it."""

    id: int
    network: str
    tracking_number: str
    registered: bool = Field(description="The network has accepted the tracking number.")
    tracking_page: str = Field(description="Where anybody can follow it; empty until it is registered.")
    consignment_number: str
    requesting_depot: str
    collecting_depot: str
    delivery_depot: str
    our_roles: list[str]
    account: str
    service: str
    surcharges: list[str]
    collection_date: date | None
    delivery_date: date | None
    weight_kg: float | None
    pallet_spaces: float | None
    insurance_code: str
    hub_code: str
    carton_count: int | None
    amazon_reference: str
    notes: list[str]
    goods_description: str
    notification_email: str
    notification_sms: str
    notification_twitter: str
    northern_ireland: dict[str, str]
    additional_fields: dict[str, str]
    pallet_types: list[str]
    pallet_details: list[dict[str, Any]]
    pickup: Address
    delivery: Address
    dispatch_state: Literal["not_needed", "todo", "waiting", "completed", "failed", "unknown"] = Field(
        description="Could we create it in the network? not_needed: no dispatch task; unknown: it may have been "
        "accepted and is being looked up."
    )
    lifecycle_status: str = Field(description="Where the goods are.")
    exception_reason: str | None
    network_status: str
    dispatch: Dispatch | None
    pallets: list[Pallet]
    stops: list[Stop]
    tracking: list[TrackingEvent] = Field(description="The latest 50.")
    work: list[WorkItem]


class Order(Answer):
    """One order whole. It may be sent back with PUT as it is: what cannot be given is left aside."""

    id: int = Field(description="Our id; ~<id> stands for the key in addresses, for orders that have no key of yours.")
    source: str = Field(description="api: made here. Else the network or file it came from.")
    key: str
    customer: str
    reference: str
    reference_2: str
    review_reason: str | None = Field(description="Why a person should look at it, e.g. change it in the portal.")
    cancelled_at: datetime | None
    copied_from: int | None
    created_at: datetime
    updated_at: datetime
    consignments: list[Consignment]
    flagged_connections: list[FlaggedConnection]


class FoundConsignment(Answer):
    """Of a consignment what tells it apart."""

    id: int
    network: str
    tracking_number: str
    registered: bool
    dispatch_state: str
    lifecycle_status: str
    exception_reason: str | None


class Found(Answer):
    """Of an order what tells it apart."""

    id: int
    source: str
    key: str
    customer: str
    reference: str
    reference_2: str
    cancelled_at: datetime | None
    review_reason: str | None
    consignments: list[FoundConsignment]


class FoundOrders(Answer):
    """The newest 100 that meet all criteria."""

    orders: list[Found]


class Outcome(Answer):
    """What became of one order."""

    key: str
    id: int | None = Field(description="Our id; empty when it was rejected and is not held.")
    outcome: Literal["created", "updated", "unchanged", "rejected"]
    warnings: list[str]
    errors: list[Fault]


class Outcomes(Answer):
    """What became of each order, in the order given."""

    created: int
    updated: int
    unchanged: int
    rejected: int
    orders: list[Outcome]


class ChangedOrder(Answer):
    """Which order a change is of."""

    id: int
    source: str
    key: str


class Change(Answer):
    """One entry of the history."""

    cursor: str = Field(description="Go on from here with ?after=")
    order: ChangedOrder
    consignment_id: int
    kind: str = Field(description="created, updated, cancelled, dispatched, ...")
    actor: str
    source: str
    at: datetime
    changes: dict[str, Any] | None = Field(description="Field to [before, after].")
    warnings: list[str]


class Changes(Answer):
    """A page of the feed."""

    changes: list[Change]
    next: str = Field(description="Where to go on; the one given when nothing is new.")
    more: bool = Field(description="There is more now; ask again at once.")


class Report(Answer):
    """What became of one report."""

    of: Literal["stops", "scans", "routes", "etas"] = Field(description="In which list it stood.")
    index: int
    outcome: Literal["recorded", "unchanged", "rejected"]
    errors: list[Fault]


class ReportOutcomes(Answer):
    """What became of each report, in the order given."""

    recorded: int
    unchanged: int
    rejected: int
    reports: list[Report]


class Document(Answer):
    """A document; its bytes are at /documents/<id>."""

    id: int
    consignment_id: int | None
    pallet_number: int | None
    kind: str
    name: str
    media_type: str
    size: int = Field(description="Bytes.")
    sha256: str = Field(description="Hexadecimal.")
    stale_at: datetime | None = Field(description="Since when a label is no longer good.")
    provisional: bool
    source: str
    actor: str
    customer_visible: bool
    created_at: datetime


class Upload(Answer):
    """How far a photo of a delivery has come on its way to a network's file server."""

    document_id: int
    consignment_id: int | None = Field(description="Empty while nobody has said of which consignment it is.")
    state: str = Field(
        description="waiting, refused, numbered, transferring, renaming, uploaded, failed or config_error."
    )
    name: str | None = Field(description="Its name on the server.")
    code: str | None = Field(description="Why it was refused: UNSUPPORTED_FORMAT, UNREADABLE_FILE, ENCRYPTED_PDF, ...")
    reason: str | None
    next_try_at: datetime | None
    uploaded_at: datetime | None


class Documents(Answer):
    """The documents of an order, oldest first, and the uploads of its photos."""

    documents: list[Document]
    uploads: list[Upload]
