"""A network's status of a pallet, and what statuses do to the stops of a consignment."""

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from palletflow.orders.lifecycle import Outcome, Reason, Status


class Event(NamedTuple):
    """One status as a network has it.

    `code` is the network's own, `status` and `reason` what it means here. `pallet` is None when the barcode belongs to
    none of ours; `barcode` "" speaks of all pallets. `estimated`: it came without a time, `at` is when it was read.
    `echo`: it was us who told the network. `raw`: the texts it came as, None for one of ours.
    """

    code: str
    status: Status
    reason: Reason | None
    barcode: str
    pallet: int | None
    at: datetime
    estimated: bool
    depot: str
    signatory: str
    note: str
    latitude: str
    longitude: str
    echo: bool
    raw: Mapping[str, str] | None


class StopEffect(NamedTuple):
    """What a network's statuses say of one stop; None where they say nothing. `started_at`: under way to it.

    `outcome` None beside a `completed_at` means that how it ended is open again. `reason` is in the network's words.
    """

    arrived_at: datetime | None
    completed_at: datetime | None
    outcome: Outcome | None
    reason: str
    signatory: str
    started_at: datetime | None = None
