"""The handler of DISPATCH: registers a consignment with Palletforce, exactly once (contract 7).

Before every call it is written down that the sending begins; so whatever is interrupted, the next run knows whether
something may have been accepted. What may have been is looked up and never simply sent again.

| task | run |
|---|---|
| waiting, nothing sent | all rules are checked, then it is sent |
| waiting, sent | the worker was killed in between: the outcome is unknown |
| unknown | looked up; adopted, or looked up later, sent again once, left to a person |
| else | somebody has finished it |
"""

import re
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from typing import Any, NamedTuple

from palletflow.deployment import Deployment
from palletflow.intake.folding import fold
from palletflow.network_errors import NetworkError, Rejected, UnknownOutcome
from palletflow.networks.palletforce import manifest, rules
from palletflow.networks.palletforce.imported_numbers import number_fault
from palletflow.networks.palletforce.manifest import Manifest
from palletflow.networks.palletforce.mapper import NETWORK, UNACCEPTED, preview
from palletflow.networks.palletforce.work import (
    ACTOR,
    NETWORK_LABELS,
    ROUTING,
    Access,
    Reach,
    label_key,
    requesting_depot,
)
from palletflow.orders.faults import Fault
from palletflow.store import consignments, dispatch, echoes, work_items
from palletflow.store.connection import Connection
from palletflow.store.consignments import ConsignmentFacts
from palletflow.store.dispatch import DispatchTask, RegisteredByOther
from palletflow.work.handling import Result, WorkItem

LEFT_TO_A_PERSON = (
    "Palletforce may have accepted the consignment, but no look-up finds it. Choose 'look up now', or look for it in "
    "the portal; choose 'send again' to send it once more under the same transaction number"
)
# The queue goes by the order store's clock, this module by its own.
SKEW_S = 5
INTERRUPTED = "The sending was interrupted before its outcome was stored"


class Found(NamedTuple):
    """What a look-up shows of one consignment in the network."""

    tracking_number: str
    transaction_number: str
    consignment_number: str
    requesting_depot: str
    reference: str
    accepted: bool


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
        self._form = manifest.form(preview(plan).template)

    def __call__(self, conn: Connection, item: WorkItem) -> Result:
        """Brings one consignment one step further. Raises NetworkError, FileFault, ConnectionFlagged."""
        task = dispatch.of_consignment(conn, int(item.key))
        if task is None or task.state not in ("waiting", "unknown"):
            return Result()
        facts = consignments.facts(conn, task.consignment_id)
        if facts.registered:
            unsent = task.sent_at is None
            warnings = ["The network had registered this number already; nothing was sent"] if unsent else []
            return Result(partial(self._store_success, task, facts, facts.tracking_number, True, warnings))
        depot = requesting_depot(self._plan, self._reach, conn, facts.requesting_depot)
        facts = facts._replace(requesting_depot=depot)
        if task.state == "waiting" and task.sent_at is None:
            return self._check_and_send(conn, task, facts)
        case = _Case(task, facts, self._reach(conn, depot))
        if task.state == "waiting":
            case = self._interrupted(conn, case)
        return self._look_up(conn, case)

    # Sending

    def _check_and_send(self, conn: Connection, task: DispatchTask, facts: ConsignmentFacts) -> Result:
        access = self._reach(conn, facts.requesting_depot) if facts.requesting_depot in self._ours else None
        faults = rules.preflight(
            facts,
            self._form,
            ours=self._ours,
            accounts=self._plan.accounts_of(NETWORK, facts.customer_code),
            company=dispatch.company(conn, task.consignment_id),
            duplicate_is_blocked=access is None or access.client.settings.duplicate_precheck == "block",
        )
        if faults or access is None:
            return Result(partial(dispatch.fail, seen=task, faults=faults, now=self._clock(), actor=ACTOR))
        case = _Case(task, facts, access)
        # A number that was sent before is our own and not one that waits in the portal.
        if facts.tracking_number and not task.sends and access.client.settings.precreated_mode == "fetch":
            return self._adopt_precreated(case)
        return self._send(conn, case, by_itself=False, opted_out=task.opted_out)

    def _send(self, conn: Connection, case: _Case, *, by_itself: bool, opted_out: bool) -> Result:
        """Writes the sending down, sends, and says what came of it."""
        moved_on = self._begin(conn, case, by_itself=by_itself, opted_out=opted_out)
        if moved_on is None:
            return Result(again_at=self._clock())  # somebody else moved or changed it: look anew
        begun, built = moved_on
        try:
            upload = begun.access.client.upload(built.body)
        except UnknownOutcome as error:
            return self._unknown(begun, str(error))
        except Rejected as error:
            return self._refused(conn, begun, error, built.warnings)
        except NetworkError:
            dispatch.not_accepted(conn, begun.task)
            raise
        number, *others = upload.tracking_numbers
        warnings = [*built.warnings, *upload.warnings, *_number_warnings(begun.facts.tracking_number, number, others)]
        accepted = begun.access.client.settings.accepted_status != "N"
        return Result(partial(self._store_success, begun.task, begun.facts, number, accepted, warnings))

    def _begin(
        self, conn: Connection, case: _Case, *, by_itself: bool, opted_out: bool
    ) -> tuple[_Case, Manifest] | None:
        """Commits that a sending begins, and gives what is to be sent; None when it is no longer as read.

        Then the rules were checked, or the look-up was made, of an order that has been changed or cancelled since.
        """
        task, facts, settings = case.task, case.facts, case.access.client.settings
        depot = facts.requesting_depot
        with conn.transaction():
            now = consignments.facts(conn, task.consignment_id, locked=True)
            if now._replace(requesting_depot=now.requesting_depot or depot) != facts:
                return None
            number = facts.consignment_number or manifest.consignment_number(
                dispatch.next_consignment_number(conn, NETWORK, depot, manifest.LAST_CONSIGNMENT_NUMBER)
            )
            tracking_number = facts.tracking_number
            if settings.system_id and not tracking_number:
                tracking_number = manifest.own_tracking_number(depot, settings.system_id, number)
            begun = dispatch.begin(
                conn,
                task,
                transaction_number=manifest.transaction_number(
                    settings.transaction_prefix, task.order_id, task.attempt
                ),
                consignment_number=number,
                depot=depot,
                tracking_number=tracking_number,
                opted_out=opted_out,
                by_itself=by_itself,
                now=self._clock(),
                actor=ACTOR,
            )
            if begun is None:
                return None
            dispatch.group_pallets(conn, task.consignment_id)
            facts = consignments.facts(conn, task.consignment_id)
            built = manifest.build(
                facts,
                self._form,
                transaction=begun.transaction_number,
                account=rules.account(facts, self._form, self._plan.accounts_of(NETWORK, facts.customer_code)),
                accepted_status=settings.accepted_status,
                opted_out=opted_out,
            )
            echoes.expect(conn, task.consignment_id, case.access.mapper.translate(_as_given_back(built)).consignment)
        return _Case(begun, facts, case.access), built

    def _unknown(self, begun: _Case, reason: str) -> Result:
        """Of a call that may have been carried out: the first look-up comes after a while [PF-7-4]."""
        due = self._due(begun)
        return Result(
            partial(
                dispatch.outcome_unknown,
                seen=begun.task,
                kind="outcome unknown",
                lookups=0,
                lookup_at=due,
                reason=reason,
                actor=ACTOR,
            ),
            again_at=due,
        )

    def _refused(self, conn: Connection, begun: _Case, error: Rejected, warnings: Sequence[str]) -> Result:
        """Of a definite refusal: without notifications once more [PF-7-3], adopted [PF-7-9], or failed."""
        settings = begun.access.client.settings
        if (
            settings.notification_retry
            and not begun.task.opted_out
            and manifest.notifications(begun.facts)
            and _matches(settings.notification_error_pattern, error)
        ):
            warning = f"Sent again without notifications, as the network refused them: {error.detail}"
            dispatch.warn(conn, begun.task, [warning], ACTOR)
            return self._send(conn, begun, by_itself=False, opted_out=True)
        is_duplicate = _matches(settings.duplicate_error_pattern, error)
        if is_duplicate and begun.task.state == "unknown":
            claimed = self._find(begun, _is_claimed)
            if claimed is not None:
                return self._adopted(begun, claimed)
        remedy = (
            rules.CLEAR_ON_COPY
            if is_duplicate and begun.facts.tracking_number
            else ("Mend what the network names, then complete the task again")
        )
        return Result(
            partial(
                self._store_refusal,
                begun.task,
                begun.facts,
                Fault("REFUSED", "order", error.detail, remedy),
                warnings,
            )
        )

    # Looking up

    def _interrupted(self, conn: Connection, case: _Case) -> _Case:
        """Writes down that the outcome of a sending, whose worker was killed, is unknown."""
        dispatch.outcome_unknown(
            conn,
            case.task,
            "outcome unknown",
            lookups=0,
            lookup_at=self._due(case),
            reason=INTERRUPTED,
            actor=ACTOR,
        )
        return case._replace(task=dispatch.of_consignment(conn, case.task.consignment_id) or case.task)

    def _look_up(self, conn: Connection, case: _Case) -> Result:
        """Looks once; found is adopted. A look before its time, which a person asked for, does not count."""
        found = self._find(case, _is_ours)
        if found is not None:
            return self._adopted(case, found)
        task, settings = case.task, case.access.client.settings
        delays = settings.lookup_delays_s
        now, due = self._clock(), self._due(case)
        counted = now >= due - timedelta(seconds=SKEW_S)
        lookups = min(task.lookups + counted, len(delays))
        if task.send_again and not case.facts.cancelled:
            return self._send(conn, case, by_itself=False, opted_out=task.opted_out)
        again_at, parked = None, None
        if lookups < len(delays):
            again_at = now + timedelta(seconds=delays[lookups] - delays[lookups - 1]) if counted else due
        elif not task.resent and settings.resend_after_unknown == "once" and not case.facts.cancelled:
            return self._send(conn, case, by_itself=True, opted_out=task.opted_out)
        else:
            parked = LEFT_TO_A_PERSON
        return Result(
            partial(
                dispatch.outcome_unknown,
                seen=task,
                kind="looked up and not found",
                lookups=lookups,
                lookup_at=again_at,
                reason=parked or f"Looked up and not found ({lookups} of {len(delays)})",
                actor=ACTOR,
            ),
            again_at=again_at,
            parked=parked,
        )

    def _due(self, case: _Case) -> datetime:
        """When the next look-up that counts is due."""
        task, delays = case.task, case.access.client.settings.lookup_delays_s
        if task.lookup_at is not None:
            return task.lookup_at
        sent_at = task.sent_at or self._clock()
        return sent_at + timedelta(seconds=delays[min(task.lookups, len(delays) - 1)])

    def _find(self, case: _Case, fits: Callable[[Found, _Case], bool]) -> Found | None:
        """Asks the network for the consignment in the ways of 2.5; None when none of what it shows fits."""
        task, facts = case.task, case.facts
        records = case.access.client.find(
            depot=facts.requesting_depot,
            tracking_number=facts.tracking_number,
            transaction_number=task.transaction_number,
            consignment_number=facts.consignment_number,
            reference=facts.reference,
            around=task.sent_at,
        )
        return next((found for found in _shown(case.access, records) if fits(found, case)), None)

    def _adopt_precreated(self, case: _Case) -> Result:
        """Nothing is uploaded: the consignment made in the portal under the imported number is taken over [PF-6-8]."""
        facts = case.facts
        records = case.access.client.fetch_by("trackingNumber", facts.tracking_number)
        for found in _shown(case.access, records):
            if (found.tracking_number, found.requesting_depot) == (facts.tracking_number, facts.requesting_depot):
                return self._adopted(case, found)
        fault = Fault(
            "NOT_FOUND",
            "tracking_number",
            f"Palletforce has no consignment {facts.tracking_number} of depot {facts.requesting_depot}, and "
            "precreated_mode 'fetch' uploads none",
            "Make it in the portal, or clear the number, then complete the task again",
        )
        return Result(partial(dispatch.fail, seen=case.task, faults=[fault], now=self._clock(), actor=ACTOR))

    def _adopted(self, case: _Case, found: Found) -> Result:
        number = found.tracking_number
        warnings = [*_number_warnings(case.facts.tracking_number, number, ())]
        return Result(partial(self._store_success, case.task, case.facts, number, found.accepted, warnings))

    # Storing: each runs in the transaction that ends the work item.

    def _store_success(
        self,
        task: DispatchTask,
        facts: ConsignmentFacts,
        number: str,
        accepted: bool,
        warnings: Sequence[str],
        conn: Connection,
    ) -> None:
        now = self._clock()
        try:
            with conn.transaction():
                dispatch.succeed(conn, task, number, accepted=accepted, warnings=warnings, now=now, actor=ACTOR)
        except RegisteredByOther as other:
            remedy = f"Compare both orders with the portal. {rules.CLEAR_ON_COPY}"
            fault = Fault("ALREADY_REGISTERED", "tracking_number", f"The network answered that {other}", remedy)
            dispatch.fail(conn, task, [fault], now=now, actor=ACTOR, warnings=warnings)
            return
        work_items.enqueue(conn, NETWORK, ROUTING, [task.consignment_id])
        keys = [label_key(task.consignment_id, pallet.number) for pallet in facts.pallets]
        work_items.enqueue(conn, NETWORK, NETWORK_LABELS, keys)

    def _store_refusal(
        self, task: DispatchTask, facts: ConsignmentFacts, fault: Fault, warnings: Sequence[str], conn: Connection
    ) -> None:
        """Failed, unless an import has meanwhile found that the network has the consignment after all."""
        number = dispatch.registered_number(conn, task)
        if number is None:
            dispatch.fail(conn, task, [fault], now=self._clock(), actor=ACTOR, warnings=warnings)
        else:
            self._store_success(task, facts, number, True, [*warnings, fault.reason], conn)


def _as_given_back(built: Manifest) -> dict[str, Any]:
    """What a pull would show of a manifest, the network's own fields filled with something of their shape."""
    [sent] = built.body["consignments"]
    own = {"trackingNumber": "0" * 13, "collectingDepot": "000", "deliveryDepot": sent["requestingDepot"]}
    return {**built.body, "consignments": [{**sent, **own}]}


def _shown(access: Access, manifests: list[Any]) -> Iterable[Found]:
    """What a look-up shows, one consignment each; what is no consignment is passed over."""
    for record in access.mapper.records(manifests):
        folded = fold(record, access.mapper.template.aliases)
        with suppress(AttributeError, IndexError, KeyError, TypeError):
            [one] = folded["consignments"]
            yield Found(
                tracking_number=str(one["trackingnumber"]),
                transaction_number=str(folded.get("uniquetransactionnumber") or ""),
                consignment_number=str(one.get("consignmentnumber") or ""),
                requesting_depot=str(one.get("requestingdepot") or ""),
                reference=str(one.get("customersuniquereference") or ""),
                accepted=str(one.get("consignmentstatus") or "").upper() != UNACCEPTED,
            )


def _is_ours(found: Found, case: _Case) -> bool:
    """Whether it is what we sent: by transaction number; where none is shown, by our own number and reference."""
    if found.transaction_number:
        return found.transaction_number == case.task.transaction_number
    return _is_claimed(found, case) and found.consignment_number == case.facts.consignment_number


def _is_claimed(found: Found, case: _Case) -> bool:
    """Whether what the network says is registered already is ours: by reference, unless another sending made it.

    A copy has the reference of its original, so the transaction number speaks first [PF-7-9]. A draft of the portal
    that nobody has accepted is nobody's registration.
    """
    settings = case.access.client.settings
    return (
        found.reference == case.facts.reference
        and found.requesting_depot == case.facts.requesting_depot
        and found.transaction_number in ("", case.task.transaction_number)
        and (found.accepted or settings.accepted_status == "N")
    )


def _number_warnings(sent: str, number: str, others: Sequence[str]) -> Iterable[str]:
    """[PF-2.1-26]"""
    if sent and sent != number:
        yield f"The network registered it as {number}, not as {sent}, which we sent; its number is kept"
    if number_fault(number) is not None:
        yield f"The network's tracking number '{number}' does not have 13 digits; kept as it is"
    if others:
        yield f"The network gave further tracking numbers: {', '.join(others)}"


def _matches(pattern: str, error: Rejected) -> bool:
    return re.search(pattern, error.detail, re.IGNORECASE) is not None
