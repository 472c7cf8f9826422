"""The handler of DISPATCH: submits a consignment to Palletways, exactly once (contract 7.1).

Our key of it and a digest of what is sent are committed before the submission; so whatever is interrupted, the next run
knows whether something may have been stored. What may have been is looked for and never simply sent again.

| task | contract | run |
|---|---|---|
| waiting, nothing sent | pre-flight | all rules are checked, Palletways validates it, it is submitted |
| waiting, sent | `unknown_result` | the worker was killed in between: the outcome is unknown |
| unknown | `unknown_result` | looked for; adopted, sent again after two empty rounds, left to a person |
| completed without a number | stored | its tracking ID is work of its own (tracking_ids.py) |
| failed | never created | a person completes the task again |
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, timedelta
from functools import partial
from typing import NamedTuple

from palletflow.deployment import Deployment
from palletflow.network_errors import Misconfigured, NetworkError, Rejected, UnknownOutcome
from palletflow.networks.palletways import payload, record, rules
from palletflow.networks.palletways.errors import MethodRefused, MethodUnavailable, ValidationRefused
from palletflow.networks.palletways.form import LAST_NUMBER, Form, read_form
from palletflow.networks.palletways.mapper import Mapper, preview
from palletflow.networks.palletways.settings import DISPATCH as CAPABILITY
from palletflow.networks.palletways.tree import Tree, text
from palletflow.networks.palletways.work import ACTOR, CANCEL, LABEL, LOOK_UP, NETWORK, TRACKING_ID, Access, Reach
from palletflow.orders.faults import Fault
from palletflow.store import consignments, dispatch, echoes, session_lock, work_items
from palletflow.store.connection import Connection
from palletflow.store.consignments import ConsignmentFacts
from palletflow.store.dispatch import DispatchTask, RegisteredByOther
from palletflow.work.handling import Result, WorkItem

LEFT_TO_A_PERSON = (
    "Palletways may have stored the consignment, but does not show it. Choose 'look up now', or look for it in the "
    "portal; choose 'send again' to send it once more under the same reference"
)
NOTHING_SENT = "Palletways has this consignment already; nothing was sent"
INTERRUPTED = "The submission was interrupted before its outcome was stored"
# Two empty rounds so far apart are proof enough that nothing was stored [PW-7.1-7].
ROUNDS, ROUND = 2, timedelta(minutes=2)
# The queue goes by the order store's clock, this module by its own.
SKEW = timedelta(seconds=1)
# Somebody else is at the same consignment.
BUSY = timedelta(seconds=5)
# Until the first look for a tracking ID that did not come with the answer [PW-7.1-5].
FIRST_LOOK = timedelta(minutes=1)


class Stored(NamedTuple):
    """What Palletways says of a consignment it has: its tracking ID and the response ID, "" while unknown."""

    tracking_id: str
    response_id: str
    warnings: Sequence[str] = ()


class _Case(NamedTuple):
    """One consignment on its way: the task and the facts as last read, and the access of its requesting depot."""

    task: DispatchTask
    facts: ConsignmentFacts
    access: Access


class Dispatcher:
    """See the module. Threads may share one."""

    def __init__(self, plan: Deployment, reach: Reach, clock: Callable[[], datetime]) -> None:
        """Raises FileFault when the template is not usable."""
        self._plan, self._reach, self._clock = plan, reach, clock
        self._ours = plan.network(NETWORK).depots
        self._mapper = preview(plan)
        self._form = read_form(self._mapper.template)

    def __call__(self, conn: Connection, item: WorkItem) -> Result:
        """Brings one consignment one step further, alone. Raises NetworkError, FileFault, ConnectionFlagged."""
        with session_lock.alone(conn, f"{NETWORK} consignment {item.key}") as alone:
            if not alone:
                return Result(again_at=self._clock() + BUSY)
            return self._step(conn, int(item.key))

    def _step(self, conn: Connection, consignment_id: int) -> Result:
        task = dispatch.of_consignment(conn, consignment_id)
        if task is None or task.state not in ("waiting", "unknown"):
            return Result()
        facts = consignments.facts(conn, consignment_id)
        if facts.registered:  # an import has found it
            warnings = [] if task.sent_at else [NOTHING_SENT]
            return Result(partial(self._store_success, task, Stored(facts.tracking_number, "", warnings)))
        facts = facts._replace(requesting_depot=facts.requesting_depot or next(iter(self._ours)))
        if task.state == "waiting" and task.sent_at is None:
            return self._check_and_send(conn, task, facts)
        case = _Case(task, facts, self._reach(conn, facts.requesting_depot))
        if task.state == "waiting":
            case = self._interrupted(conn, case)
        return self._look_for(conn, case)

    # Sending

    def _check_and_send(self, conn: Connection, task: DispatchTask, facts: ConsignmentFacts) -> Result:
        access, trouble = self._access(conn, facts.requesting_depot)
        faults = self._faults(conn, facts, access, trouble)
        if faults or access is None:
            return Result(partial(dispatch.fail, seen=task, faults=faults, now=self._clock(), actor=ACTOR))
        return self._send(conn, _Case(task, facts, access), by_itself=False)

    def _access(self, conn: Connection, depot: str) -> tuple[Access | None, str]:
        """A depot's way to Palletways, or why it cannot dispatch."""
        if depot not in self._ours:
            return None, f"the deployment file has only {', '.join(self._ours)}"
        try:
            access = self._reach(conn, depot)
        except Misconfigured as error:
            return None, error.detail
        if not access.client.settings.can(CAPABILITY):
            return None, f"'{CAPABILITY}' is not among the capabilities of its connection"
        return access, ""

    def _faults(self, conn: Connection, facts: ConsignmentFacts, access: Access | None, trouble: str) -> list[Fault]:
        pattern = access.client.settings.tracking_id_pattern if access else record.TRACKING_ID
        return rules.preflight(
            facts,
            self._form,
            is_tracking_id=lambda number: record.is_tracking_id(number, pattern),
            accounts=self._accounts(facts),
            company=dispatch.company(conn, facts.id),
            trouble=trouble,
        )

    def _accounts(self, facts: ConsignmentFacts) -> list[str]:
        return self._plan.accounts_of(NETWORK, facts.customer_code)

    def _send(self, conn: Connection, case: _Case, *, by_itself: bool) -> Result:
        """Has it validated, writes the submission down, submits, and says what came of it."""
        client = case.access.client
        number = case.facts.consignment_number or self._next_number(conn)
        manifest = self._manifest(case, number)
        try:
            if client.settings.preflight:
                client.create(manifest, commit=False)
        except Rejected as error:
            return Result(partial(self._store_refusal, case, _refusals(error, self._form)))
        begun = self._begin(conn, case, number, manifest, by_itself=by_itself)
        if begun is None:
            return Result(again_at=self._clock())  # somebody else moved or changed it: look anew
        if isinstance(begun, Fault):
            return Result(partial(self._store_refusal, case, [begun]))
        try:
            detail = client.create(manifest, commit=True)
        except Rejected as error:
            return Result(partial(self._store_refusal, begun, _refusals(error, self._form)))
        except UnknownOutcome as error:
            now = self._clock()
            unknown = partial(
                dispatch.outcome_unknown,
                seen=begun.task,
                kind="outcome unknown",
                lookups=0,
                lookup_at=now,
                reason=str(error),
                actor=ACTOR,
            )
            return Result(unknown, again_at=now)
        except NetworkError:
            dispatch.not_accepted(conn, begun.task)
            raise
        return Result(partial(self._store_success, begun.task, _stored(detail, case.access.mapper)))

    def _next_number(self, conn: Connection) -> str:
        with conn.transaction():
            number = dispatch.next_consignment_number(conn, NETWORK, "", LAST_NUMBER)
        return f"{self._form.number_prefix}{number:07}"

    def _manifest(self, case: _Case, number: str) -> str:
        facts = case.facts
        return payload.manifest(
            facts,
            self._form,
            account=rules.account(facts, self._accounts(facts)),
            number=number,
            reference=self._own_key(case),
            depot_node=case.access.client.settings.manifest_depot_node,
            depot=facts.requesting_depot,
        )

    def _own_key(self, case: _Case) -> str:
        """Our key of it: what it was sent with, else what it is to be sent with."""
        return case.task.transaction_number or self._form.own_key(case.facts, case.task.attempt)

    def _begin(
        self, conn: Connection, case: _Case, number: str, manifest: str, *, by_itself: bool
    ) -> _Case | Fault | None:
        """Commits that a submission begins; None when it is no longer as read.

        A Fault when it may not be sent, as it is another than the one whose outcome is unknown.
        """
        task, facts = case.task, case.facts
        digest = hashlib.sha256(manifest.encode()).digest()
        with conn.transaction():
            now = consignments.facts(conn, task.consignment_id, locked=True)
            if now._replace(requesting_depot=now.requesting_depot or facts.requesting_depot) != facts:
                return None
            if task.state == "unknown" and digest != task.sent_digest:
                return CHANGED
            begun = dispatch.begin(
                conn,
                task,
                transaction_number=self._own_key(case),
                consignment_number=number,
                depot=facts.requesting_depot,
                tracking_number="",
                opted_out=False,
                by_itself=by_itself,
                now=self._clock(),
                actor=ACTOR,
                digest=digest,
            )
            if begun is None:
                return None
            # It will show what we sent, and less of the order than we know.
            shown = self._mapper.for_ours.translate(payload.given_back(manifest, facts.requesting_depot))
            echoes.expect(conn, task.consignment_id, shown.consignment)
            facts = consignments.facts(conn, task.consignment_id)
        return _Case(begun, facts, case.access)

    # Looking for what may have been stored

    def _interrupted(self, conn: Connection, case: _Case) -> _Case:
        """Writes down that the outcome of a submission, whose worker was killed, is unknown."""
        dispatch.outcome_unknown(
            conn, case.task, "outcome unknown", lookups=0, lookup_at=self._clock(), reason=INTERRUPTED, actor=ACTOR
        )
        return case._replace(task=dispatch.of_consignment(conn, case.task.consignment_id) or case.task)

    def _look_for(self, conn: Connection, case: _Case) -> Result:
        """One round; what is ours is adopted. A round before its time, which a person asked for, does not count."""
        found = self._found(case)
        if found is not None:
            return Result(partial(self._store_success, case.task, found))
        task, now = case.task, self._clock()
        due = task.lookup_at or now
        counted = now >= due - SKEW
        rounds = min(task.lookups + counted, ROUNDS)
        not_found = partial(
            dispatch.outcome_unknown,
            seen=task,
            kind="looked up and not found",
            lookups=rounds,
            reason=f"Looked for and not found ({rounds} of {ROUNDS})",
            actor=ACTOR,
        )
        if rounds < ROUNDS:
            again_at = now + ROUND if counted else due
            return Result(partial(not_found, lookup_at=again_at), again_at=again_at)
        if case.facts.cancelled:
            return Result(partial(self._store_refusal, case, [CANCELLED]))
        if task.send_again or not task.resent:
            _, trouble = self._access(conn, case.facts.requesting_depot)
            faults = self._faults(conn, case.facts, case.access, trouble)
            if faults:
                return Result(partial(self._store_refusal, case, faults))
            return self._send(conn, case, by_itself=not task.send_again)
        return Result(partial(not_found, lookup_at=None), parked=LEFT_TO_A_PERSON)

    def _found(self, case: _Case) -> Stored | None:
        """What Palletways shows with our reference and account, wherever it shows it [PW-7.1-7].

        A look that is not open to our key is left out. Raises MethodUnavailable or MethodRefused when none is open.
        """
        client, key = case.access.client, self._own_key(case)
        account = rules.account(case.facts, self._accounts(case.facts))
        looks = (
            partial(client.basics_by_reference, key),
            partial(client.basics_by_number, case.facts.consignment_number),
            *(partial(client.entered, day) for day in self._days(case)),
        )
        closed: list[Rejected] = []
        for look in looks:
            try:
                shown = look()
            except (MethodUnavailable, MethodRefused) as error:
                closed.append(error)
                continue
            for basics in shown:
                if is_ours(basics, key, account):
                    return Stored(record.entered_id(basics, client.settings.tracking_id_pattern), "")
        if len(closed) == len(looks):
            raise closed[0]
        return None

    def _days(self, case: _Case) -> list[date]:
        """The days on which it may have been entered: that of the submission, and today."""
        moments = (case.task.sent_at, self._clock())
        zone = case.access.client.settings.zone
        return sorted({moment.astimezone(zone).date() for moment in moments if moment})

    # Storing: each runs in the transaction that ends or moves the work item.

    def _store_success(self, task: DispatchTask, stored: Stored, conn: Connection) -> None:
        store_number(conn, task, stored, self._clock())

    def _store_refusal(self, case: _Case, faults: Sequence[Fault], conn: Connection) -> None:
        """Failed, unless an import has meanwhile found that Palletways has the consignment after all."""
        number = dispatch.registered_number(conn, case.task)
        if number is not None:
            self._store_success(case.task, Stored(number, "", [fault.reason for fault in faults]), conn)
            return
        dispatch.fail(conn, case.task, faults, now=self._clock(), actor=ACTOR)


def is_ours(basics: Tree, key: str, account: str) -> bool:
    """Whether what Palletways shows is ours: it has our key of it as its reference, and our customer's account."""
    return text(basics, "c_cusref") == key and text(basics, "c_account").casefold() == account.casefold()


def store_number(conn: Connection, task: DispatchTask, stored: Stored, now: datetime) -> None:
    """Palletways has it. With its tracking ID roles, barcodes and labels are fetched; without, the ID is looked for."""
    ids = [task.consignment_id]
    if stored.tracking_id:
        try:
            with conn.transaction():
                if stored.response_id:
                    dispatch.submitted(conn, task, stored.response_id, warnings=stored.warnings, now=now, actor=ACTOR)
                    dispatch.numbered(conn, task._replace(state="completed"), stored.tracking_id, ACTOR)
                else:
                    dispatch.succeed(
                        conn, task, stored.tracking_id, accepted=True, warnings=stored.warnings, now=now, actor=ACTOR
                    )
        except RegisteredByOther as other:
            fault = of_another(other)
            dispatch.fail(conn, task, [fault], now=now, actor=ACTOR, warnings=stored.warnings)
            return
        work_items.enqueue(conn, NETWORK, LOOK_UP, ids)
    else:
        dispatch.submitted(conn, task, stored.response_id, warnings=stored.warnings, now=now, actor=ACTOR)
        work_items.enqueue(conn, NETWORK, TRACKING_ID, ids, now + FIRST_LOOK)
    work_items.enqueue(conn, NETWORK, LABEL, ids)
    if consignments.facts(conn, task.consignment_id).cancelled:  # while nobody knew
        work_items.enqueue(conn, NETWORK, CANCEL, ids)


def of_another(other: RegisteredByOther) -> Fault:
    """A tracking ID that another order of ours has."""
    remedy = "Compare both orders with the portal and cancel the one that is too many"
    return Fault("PW-3-1", "tracking_number", f"Palletways answered that {other}", remedy)


CANCELLED = Fault(
    "CANCELLED",
    "order",
    "the order is cancelled, and Palletways shows nothing of it",
    "Nothing is left to do; restore the order and complete the task again to send it after all",
)
CHANGED = Fault(
    "CHANGED",
    "order",
    "the order was changed after it was sent; Palletways does not show it, and only the very same may be sent again",
    "Look for it in the portal; if it is not there, complete the task again to send it as it is now",
)


def _stored(detail: Tree, mapper: Mapper) -> Stored:
    """[PW-2.2-15, PW-2.2-16] What is no tracking ID counts as none."""
    tracking_id = text(detail, "ImportDetail", "TrackingID")
    return Stored(tracking_id if mapper.is_tracking_id(tracking_id) else "", text(detail, "ImportDetail", "ResponseID"))


def _refusals(error: Rejected, form: Form) -> list[Fault]:
    """What Palletways found wrong, by the fields of ours its codes stand for; an unknown code is shown [PW-2.2-18]."""
    return [
        Fault(
            found.code or "ERROR_VALIDATION",
            _field(found.code, form.error_fields),
            f"Palletways refuses it: {found.code or 'no code'}"
            + (f" ({found.description})" if found.description else ""),
            "Correct the field, then complete the task again",
        )
        for found in (error.errors if isinstance(error, ValidationRefused) else ())
    ] or [Fault("REFUSED", "order", error.detail, "Mend what Palletways names, then complete the task again")]


def _field(code: str, fields: Mapping[str, str]) -> str:
    """ERROR_<NODE>_<FIELD>_<KIND> to a field of ours; the longest name that stands in it."""
    known = [name for name in fields if name in code.upper()]
    return fields[max(known, key=len)] if known else "order"
