"""The handler of DISPATCH: creates a consignment on Nexus, exactly once (contract 6).

Number and digest of what is sent are committed before every POST; so whatever is interrupted, the next run knows
whether something may have been accepted. What may have been is searched for and never simply sent again.

| task | contract | run |
|---|---|---|
| waiting, nothing sent | `checked` comes first | all rules are checked, the number is saved, it is sent |
| waiting, sent | `number_saved` | the worker was killed in between: the outcome is unknown |
| unknown | `unknown` | searched for; adopted, or searched for later, sent again once, left to a person |
| completed | `created` | read back once; the label is work of its own, then it is `labelled`, `done` |
| failed | `failed_local` without `sent_at`, else `failed_remote` | a person completes the task again |
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from itertools import pairwise
from typing import NamedTuple

from palletflow.deployment import Deployment
from palletflow.network_errors import Misconfigured, NetworkError, NotFound, Rejected, UnknownOutcome
from palletflow.networks.nexus import form, payload, rules
from palletflow.networks.nexus.errors import NexusConflict, NexusNotOffered, UnknownName
from palletflow.networks.nexus.goods import odd_barcodes
from palletflow.networks.nexus.lookups import Name
from palletflow.networks.nexus.mapper import preview
from palletflow.networks.nexus.origin import ACCOUNTS
from palletflow.networks.nexus.payload import Body, Ids
from palletflow.networks.nexus.record import LOOKED_UP, Reply
from palletflow.networks.nexus.resting import Resting
from palletflow.networks.nexus.status_import import ROLES_OF_OURS
from palletflow.networks.nexus.wire import first_of, text
from palletflow.networks.nexus.work import ACTOR, CANCEL, LABEL, NETWORK, Access, Reach, asking_depot
from palletflow.orders.consignment import Address
from palletflow.orders.faults import Fault
from palletflow.store import (
    barcodes,
    consignment_numbers,
    consignments,
    dispatch,
    echoes,
    session_lock,
    tracking,
    work_items,
)
from palletflow.store.connection import Connection
from palletflow.store.consignments import ConsignmentFacts
from palletflow.store.dispatch import DispatchTask, RegisteredByOther
from palletflow.work.handling import Result, WorkItem

SOURCE = "nexus dispatch"
LEFT_TO_A_PERSON = (
    "Nexus may have accepted the consignment, but no search finds it. Choose 'look up now', or look for it in the "
    "portal; choose 'send again' to send it once more under the same number"
)
INTERRUPTED = "The sending was interrupted before its outcome was stored"
NO_ID = "Nexus accepted it, but its answer has no consignmentID"
# Kept among the task's warnings while it is searched for: without a match it was refused for good.
IN_USE = "Nexus answered that there is a consignment of this number already"
# Of a row of the countries.
ISO_CODE = "isoCode"
# The queue goes by the order store's clock, this module by its own.
SKEW_S = 1
# Somebody else is at the same consignment.
BUSY = timedelta(seconds=5)
# The label goes first.
READ_BACK_AFTER = timedelta(seconds=2)
# What Nexus shows so soon is what became of our sending; later somebody may have changed it there.
READ_BACK_WITHIN = timedelta(minutes=5)


class Created(NamedTuple):
    """A consignment that Nexus has: what its reply says of it, and what a person should know."""

    tracking_number: str
    barcodes: list[str]
    warnings: Sequence[str]


class _Case(NamedTuple):
    """One consignment on its way: the task and the facts as last read, and the access of its requesting depot."""

    task: DispatchTask
    facts: ConsignmentFacts
    access: Access


class _Found(NamedTuple):
    """What a search shows under our number: consignments that are ours, others, and what is cancelled there."""

    ours: list[Reply]
    others: list[Reply]
    cancelled: list[Reply]


class Dispatcher:
    """See the module. Threads may share one."""

    def __init__(self, plan: Deployment, reach: Reach, clock: Callable[[], datetime]) -> None:
        """Raises FileFault when the template is not usable."""
        self._plan, self._reach, self._clock = plan, reach, clock
        self._ours = plan.network(NETWORK).depots
        self._form = form.read_form(preview(plan).template)
        # What Nexus does not offer through a connection; that rests for the run of this handler.
        self._resting: dict[str, NetworkError] = {}

    def __call__(self, conn: Connection, item: WorkItem) -> Result:
        """Brings one consignment one step further, alone [NX-6-4].

        Raises NetworkError, FileFault, ConnectionFlagged.
        """
        with session_lock.alone(conn, f"{NETWORK} consignment {item.key}") as alone:
            if not alone:
                return Result(again_at=self._clock() + BUSY)
            return self._step(conn, int(item.key))

    def _step(self, conn: Connection, consignment_id: int) -> Result:
        task = dispatch.of_consignment(conn, consignment_id)
        if task is None or task.state not in ("waiting", "unknown", "completed"):
            return Result()
        facts = consignments.facts(conn, consignment_id)
        if task.state == "completed":
            return self._read_back(conn, task, facts)
        if facts.registered and (task.state == "unknown" or task.sent_at is not None):
            return self._created(task, facts, Created(facts.tracking_number, [], []))  # an import has found it
        if facts.registered:
            return self._take_over(conn, task, facts)
        facts = facts._replace(requesting_depot=self._requesting_depot(facts, task.resource))
        if task.state == "waiting" and task.sent_at is None:
            return self._check_and_send(conn, task, facts)
        case = _Case(task, facts, self._reach(conn, facts.requesting_depot))
        if task.state == "waiting":
            case = self._interrupted(conn, case)
        return self._look_up(conn, case)

    def _requesting_depot(self, facts: ConsignmentFacts, resource: str) -> str:
        """The depot that requests it: the order's, else the first of ours that is a member of the network."""
        network = rules.network_of(self._form, resource)
        members = [depot for depot in self._ours if rules.is_member(depot, network)]
        return facts.requesting_depot.upper() or next(iter([*members, *self._ours]))

    # Sending

    def _check_and_send(self, conn: Connection, task: DispatchTask, facts: ConsignmentFacts) -> Result:
        access, trouble = self._access(conn, facts.requesting_depot)
        faults = self._faults(conn, task, facts, access, trouble)
        if faults or access is None:
            return Result(partial(dispatch.fail, seen=task, faults=faults, now=self._clock(), actor=ACTOR))
        case = _Case(task, facts, access)
        number = facts.consignment_number
        if number and task.sends and task.attempt > 1:
            # Another attempt under a number that has been sent: Nexus may have it by now, or never was to have it.
            found = self._find(case)
            if len(found.ours) == 1:
                return self._adopted(case, found.ours[0])
            if found.ours or found.others or found.cancelled:
                number = ""
        return self._send(conn, case, number, by_itself=False)

    def _faults(
        self, conn: Connection, task: DispatchTask, facts: ConsignmentFacts, access: Access | None, trouble: str = ""
    ) -> list[Fault]:
        """Everything that keeps it from being sent. `trouble`: why its depot has no access [NX-4-7]."""
        return rules.preflight(
            facts,
            self._form,
            resource=task.resource,
            accounts=self._accounts(facts),
            company=dispatch.company(conn, task.consignment_id),
            connection_fault=trouble,
            cross_network=access is not None and access.client.settings.allow_cross_network,
            now=self._clock(),
        )

    def _access(self, conn: Connection, depot: str) -> tuple[Access | None, str]:
        """A depot's way to Nexus, or why it has none [NX-4-24]."""
        if depot not in self._ours:
            return None, f"the deployment file has only {', '.join(self._ours)}"
        try:
            return self._reach(conn, depot), ""
        except Misconfigured as error:
            return None, error.detail

    def _accounts(self, facts: ConsignmentFacts) -> dict[str, list[str]]:
        return {network: self._plan.accounts_of(of, facts.customer_code) for network, of in ACCOUNTS.items()}

    def _own_address(self, facts: ConsignmentFacts) -> Address | None:
        customer = self._plan.customers.get(facts.customer_code)
        return customer.collection if customer else None

    def _send(self, conn: Connection, case: _Case, number: str, *, by_itself: bool) -> Result:
        """Writes the sending down, sends, and says what came of it. `number` "" takes the next one."""
        connection = case.access.client.settings.connection
        if connection in self._resting:
            raise Resting(self._resting[connection])
        ids, faults = self._ids(conn, case)
        if faults:
            return Result(partial(self._store_refusal, case, faults))
        begun = self._begin(conn, case, ids, number, by_itself=by_itself)
        if begun is None:
            return Result(again_at=self._clock())  # somebody else moved or changed it: look anew
        if isinstance(begun, Fault):
            return Result(partial(self._store_refusal, case, [begun]))
        case, body = begun
        try:
            reply = case.access.mapper.reading.reply(case.access.client.create(body))
        except UnknownOutcome as error:
            return self._unknown(case, str(error))
        except NexusConflict as error:
            return self._unknown(case, str(error), in_use=True)
        except Rejected as error:
            return Result(partial(self._store_refusal, case, [_refusal(error)]))
        except NetworkError as error:
            dispatch.not_accepted(conn, case.task)
            if isinstance(error, NexusNotOffered | NotFound):
                self._resting[connection] = error
                raise Resting(error) from error
            raise
        if reply.consignment_id is None:
            return self._unknown(case, NO_ID)
        return self._created(case.task, case.facts, _created(reply, case.facts))

    def _ids(self, conn: Connection, case: _Case) -> tuple[Ids, list[Fault]]:
        """Every id the create needs, before anything is written; faults for names not there exactly once [NX-2.9-5].

        Raises what a look-up raises.
        """
        ids: dict[tuple[str, str], int] = {}
        faults = []
        for name in payload.names(case.facts, self._form, self._own_address(case.facts)):
            try:
                ids[name.lookup, name.code] = self._id(conn, case.access, name)
            except UnknownName as error:
                place = f"{error.lookup}.{error.local_code}"
                faults.append(Fault(error.code, place, error.detail, error.remedy))
        return ids, faults

    def _id(self, conn: Connection, access: Access, name: Name) -> int:
        """By name; that of a country by its ISO code, where Nexus shows one [NX-2.4-11]."""
        if name.lookup == payload.COUNTRIES and not self._form.forced_id(name.lookup, name.code):
            for row in access.lookups.rows(conn, name.lookup):
                found = access.client.wire.lookup_id(row)
                if found is not None and text(first_of(row, [ISO_CODE])).upper() == name.code:
                    return found
        return access.lookups.id_of(conn, *name)

    def _begin(
        self, conn: Connection, case: _Case, ids: Ids, number: str, *, by_itself: bool
    ) -> tuple[_Case, Body] | Fault | None:
        """Commits that a sending begins, and gives what is to be sent; None when it is no longer as read.

        A Fault when it may not be sent: the cut-off has passed meanwhile, or it is another than the one whose outcome
        is unknown.
        """
        task, facts, settings = case.task, case.facts, case.access.client.settings
        own_address = self._own_address(facts)
        with conn.transaction():
            now = consignments.facts(conn, task.consignment_id, locked=True)
            depot = (now.requesting_depot or facts.requesting_depot).upper()
            if now._replace(requesting_depot=depot) != facts:
                return None
            number = number or form.consignment_number(
                self._form.number_prefix, dispatch.next_consignment_number(conn, NETWORK, "", form.LAST_NUMBER)
            )
            customer_id = rules.customer_id(facts, self._accounts(facts)[rules.network_of(self._form, task.resource)])
            as_number = settings.customer_id_as == "integer" and customer_id.isdigit()
            body = payload.build(
                facts,
                self._form,
                ids,
                customer_id=int(customer_id) if as_number else customer_id,
                number=number,
                own_address=own_address,
            )
            digest = payload.digest(body)
            if task.state == "unknown" and digest != task.sent_digest:
                return CHANGED
            for fault in rules.behind_cutoff(facts.collection_date, self._form, self._clock()):
                return fault
            begun = dispatch.begin(
                conn,
                task,
                transaction_number=number,
                consignment_number=number,
                depot=depot,
                tracking_number="",
                opted_out=False,
                by_itself=by_itself,
                now=self._clock(),
                actor=ACTOR,
                digest=digest,
            )
            if begun is None:
                return None
            names = payload.names(facts, self._form, own_address)
            shown = case.access.mapper.translate(_as_given_back(body, names, ids))
            echoes.expect(conn, task.consignment_id, shown.consignment)
            facts = consignments.facts(conn, task.consignment_id)
        return _Case(begun, facts, case.access), body

    def _unknown(self, begun: _Case, reason: str, *, in_use: bool = False) -> Result:
        """Of a POST that may have been carried out: the first search comes at once [NX-6-9, NX-6-11, NX-6-12]."""
        now = self._clock()
        return Result(partial(self._store_unknown, begun.task, reason, in_use, now), again_at=now)

    # Searching

    def _interrupted(self, conn: Connection, case: _Case) -> _Case:
        """Writes down that the outcome of a sending, whose worker was killed, is unknown."""
        dispatch.outcome_unknown(
            conn,
            case.task,
            "outcome unknown",
            lookups=0,
            lookup_at=self._clock(),
            reason=INTERRUPTED,
            actor=ACTOR,
        )
        return case._replace(task=dispatch.of_consignment(conn, case.task.consignment_id) or case.task)

    def _look_up(self, conn: Connection, case: _Case) -> Result:
        """Searches once; ours is adopted. A search before its time, which a person asked for, does not count."""
        found = self._find(case)
        if len(found.ours) == 1:
            return self._adopted(case, found.ours[0])
        if found.ours or found.others:
            return Result(partial(self._store_refusal, case, [_number_taken(found)]))
        if found.cancelled:
            return Result(partial(self._store_refusal, case, [_cancelled_there(found)]))
        task, pauses = case.task, self._pauses(case)
        now = self._clock()
        due = task.lookup_at or now
        counted = now >= due - timedelta(seconds=SKEW_S)
        searches = min(task.lookups + counted, len(pauses))
        not_found = partial(
            dispatch.outcome_unknown,
            seen=task,
            kind="looked up and not found",
            lookups=searches,
            reason=f"Searched for and not found ({searches} of {len(pauses)})",
            actor=ACTOR,
        )
        if searches < len(pauses):
            again_at = now + timedelta(seconds=pauses[searches]) if counted else due
            return Result(partial(not_found, lookup_at=again_at), again_at=again_at)
        if IN_USE in task.warnings:
            return Result(partial(self._store_refusal, case, [NUMBER_IN_USE]))
        if case.facts.cancelled:
            return Result(partial(self._store_refusal, case, [CANCELLED]))
        if task.send_again or not task.resent:
            # What was changed meanwhile may have become what cannot be sent at all.
            faults = self._faults(conn, task, case.facts, case.access)
            if faults:
                return Result(partial(self._store_refusal, case, faults))
            return self._send(conn, case, case.facts.consignment_number, by_itself=not task.send_again)
        return Result(partial(not_found, lookup_at=None), parked=LEFT_TO_A_PERSON)

    def _pauses(self, case: _Case) -> list[float]:
        """The seconds before each search: the first is made at once."""
        moments = (0.0, 0.0, *case.access.client.settings.reconcile_delays)
        return [later - earlier for earlier, later in pairwise(moments)]

    def _find(self, case: _Case) -> _Found:
        """Searches for our number and reads whole whatever has exactly this one [NX-6-6]."""
        client, mapper = case.access.client, case.access.mapper
        reading, number = mapper.reading, case.facts.consignment_number
        found = _Found([], [], [])
        for row in map(reading.reply, client.search(number)):
            if row.number != number or row.consignment_id is None:
                continue
            try:
                whole = reading.reply(client.get(row.consignment_id))
            except NotFound:
                continue  # not visible to us
            if mapper.is_cancelled(whole):
                found.cancelled.append(whole)  # nobody will carry it
            else:
                (found.ours if self._is_ours(whole, case) else found.others).append(whole)
        return found

    def _is_ours(self, whole: Reply, case: _Case) -> bool:
        """Whether what has our number is what we sent [NX-6-7]; what Nexus does not show contradicts nothing."""
        facts = case.facts
        accounts = self._accounts(facts)[rules.network_of(self._form, case.task.resource)]
        customer, count = whole.text("account"), len(whole.pallets)
        return (
            customer in ("", rules.customer_id(facts, accounts))
            and _plain(whole.text("delivery_postcode")) == _plain(facts.delivery.postcode)
            and count in (0, len(facts.pallets))
        )

    def _adopted(self, case: _Case, whole: Reply) -> Result:
        return self._created(case.task, case.facts, _created(whole, case.facts))

    # What Nexus has

    def _take_over(self, conn: Connection, task: DispatchTask, facts: ConsignmentFacts) -> Result:
        """Nothing is sent: a consignment that came from Nexus goes on to its label [NX-6-5]."""
        depot = asking_depot(self._ours, facts.requesting_depot, facts.collecting_depot, facts.delivery_depot)
        settings = self._reach(conn, depot).client.settings
        faults = rules.adoptable(
            facts,
            self._form,
            resource=task.resource,
            company=dispatch.company(conn, task.consignment_id),
            cross_network=settings.allow_cross_network,
            refused=settings.dispatch_imported == "refuse",
        )
        if faults:
            return Result(partial(dispatch.fail, seen=task, faults=faults, now=self._clock(), actor=ACTOR))
        warning = "Nexus has this consignment already; nothing was sent"
        return self._created(task, facts, Created(facts.tracking_number, [], [warning]))

    def _created(self, task: DispatchTask, facts: ConsignmentFacts, created: Created) -> Result:
        return Result(partial(self._store_success, task, facts, created), again_at=self._clock() + READ_BACK_AFTER)

    def _read_back(self, conn: Connection, task: DispatchTask, facts: ConsignmentFacts) -> Result:
        """Reads what has become of the sending: missing barcodes, our roles, and what is no news from now on.

        Nexus may write what we sent in its own way and fill in what we left to it, such as the customer's address.
        """
        finished = task.finished_at
        if not facts.registered or finished is None or self._clock() - finished > READ_BACK_WITHIN:
            return Result()
        depot = asking_depot(self._ours, facts.requesting_depot, facts.collecting_depot, facts.delivery_depot)
        access = self._reach(conn, depot)
        raw = access.client.get(int(facts.tracking_number))
        return Result(partial(self._store_read_back, facts, access, raw))

    # Storing: each runs in the transaction that ends or moves the work item.

    def _store_success(self, task: DispatchTask, facts: ConsignmentFacts, created: Created, conn: Connection) -> None:
        now, number = self._clock(), created.tracking_number
        try:
            with conn.transaction():
                dispatch.succeed(conn, task, number, accepted=True, warnings=created.warnings, now=now, actor=ACTOR)
        except RegisteredByOther as other:
            remedy = "Compare both orders with the portal and cancel the one that is too many"
            fault = Fault("NX116", "tracking_number", f"Nexus answered that {other}", remedy)
            dispatch.fail(conn, task, [fault], now=now, actor=ACTOR, warnings=created.warnings)
            return
        _store_barcodes(conn, task.consignment_id, created.barcodes)
        current = consignments.facts(conn, task.consignment_id)
        if not (current.collecting_depot or current.delivery_depot) and set(current.our_roles) < set(ROLES_OF_OURS):
            tracking.take_roles(conn, task.consignment_id, ROLES_OF_OURS)
        work_items.enqueue(conn, NETWORK, LABEL, [task.consignment_id])
        if current.cancelled:  # while nobody knew
            work_items.enqueue(conn, NETWORK, CANCEL, [task.consignment_id])

    def _store_read_back(self, facts: ConsignmentFacts, access: Access, raw: Body, conn: Connection) -> None:
        created = _created(access.mapper.reading.reply(raw), facts)
        current = consignments.facts(conn, facts.id, locked=True)
        if (current.registered, current.tracking_number) != (True, facts.tracking_number):
            return  # cancelled meanwhile
        if not all(pallet.barcode for pallet in facts.pallets):
            _store_barcodes(conn, facts.id, created.barcodes)
        echoes.expect(conn, facts.id, access.mapper.translate(raw).consignment)

    def _store_unknown(
        self, task: DispatchTask, reason: str, in_use: bool, lookup_at: datetime, conn: Connection
    ) -> None:
        if in_use:
            dispatch.warn(conn, task, [IN_USE], ACTOR)
        dispatch.outcome_unknown(
            conn, task, "outcome unknown", lookups=0, lookup_at=lookup_at, reason=reason, actor=ACTOR
        )

    def _store_refusal(self, case: _Case, faults: Sequence[Fault], conn: Connection) -> None:
        """Failed, unless an import has meanwhile found that Nexus has the consignment after all."""
        number = dispatch.registered_number(conn, case.task)
        if number is not None:
            reasons = [fault.reason for fault in faults]
            self._store_success(case.task, case.facts, Created(number, [], reasons), conn)
            return
        dispatch.fail(conn, case.task, faults, now=self._clock(), actor=ACTOR)
        if NUMBER_IN_USE in faults:
            consignment_numbers.give_up(conn, case.task.consignment_id)


CANCELLED = Fault(
    "CANCELLED",
    "order",
    "the order is cancelled, and no search finds it on Nexus",
    "Nothing is left to do; restore the order and complete the task again to send it after all",
)
CHANGED = Fault(
    "CHANGED",
    "order",
    "the order was changed after it was sent; no search finds it on Nexus, and only the very same may be sent again",
    "Complete the task again to send it as it is now; its number stays, so that Nexus makes no second one",
)
NUMBER_IN_USE = Fault(
    "number_taken",
    "consignment_number",
    "Nexus says that the number is in use, and shows no consignment of this number",
    "Look for the number in the portal; unless it is this order, complete the task again for a new number",
)


def _refusal(error: Rejected) -> Fault:
    """What Nexus names stands in the text of its answer."""
    return Fault("REFUSED", "order", error.detail, "Mend what Nexus names, then complete the task again")


def _number_taken(found: _Found) -> Fault:
    """[NX-6-8]"""
    ids = ", ".join(whole.key for whole in (*found.ours, *found.others))
    return Fault(
        "number_taken",
        "consignment_number",
        f"Nexus has consignment {ids} of this number, with another customer, delivery postcode or count of pallets",
        "Compare it in the portal. If it is this order, make the order the same; then complete the task again: an "
        "equal one is taken over, beside another it gets a new number",
    )


def _cancelled_there(found: _Found) -> Fault:
    ids = ", ".join(whole.key for whole in found.cancelled)
    return Fault(
        "number_taken",
        "consignment_number",
        f"Nexus has consignment {ids} of this number, and it is cancelled there",
        "If the goods are to go, complete the task again for a new number; if not, cancel the order",
    )


def _as_given_back(body: Body, names: Sequence[Name], ids: Ids) -> Body:
    """What Nexus would show of a body if it wrote everything as we do."""
    looked_up: dict[str, dict[str, str]] = {}
    for lookup, code, name in names:
        looked_up.setdefault(lookup, {})[str(ids[lookup, code])] = code if lookup == payload.COUNTRIES else name
    return {**body, "consignmentID": 1, LOOKED_UP: looked_up}


def _created(reply: Reply, facts: ConsignmentFacts) -> Created:
    """What a reply says of the consignment that Nexus has."""
    codes = [code for code in reply.barcodes if code]
    warnings = odd_barcodes(codes)
    if reply.number and reply.number != facts.consignment_number:
        warnings.append(f"Nexus calls it {reply.number}, and not {facts.consignment_number} as we do")
    if codes and len(codes) != len(facts.pallets):
        warnings.append(f"Nexus gave {len(codes)} barcodes for {len(facts.pallets)} pallets; none is kept")
        codes = []
    return Created(reply.key, codes, warnings)


def _store_barcodes(conn: Connection, consignment_id: int, codes: Sequence[str]) -> None:
    """Makes them the barcodes of the pallets, one each, unless there are other pallets by now."""
    pallets = consignments.facts(conn, consignment_id).pallets
    if len(codes) == len(pallets):
        rows = [(consignment_id, pallet.number, code) for pallet, code in zip(pallets, codes, strict=True)]
        barcodes.expect(conn, rows, ACTOR, SOURCE)
        barcodes.confirm(conn, consignment_id, codes)


def _plain(postcode: str) -> str:
    return "".join(postcode.split()).upper()
