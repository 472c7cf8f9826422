"""The address that takes in what our own people did and plan: stops, scans, routes, ETAs."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from fastapi import APIRouter
from pydantic import ValidationError

from palletflow.desk import shown
from palletflow.desk.context import Context, InContext
from palletflow.desk.given import Eta, Given, Pointed, Reports, RouteStop, Scan, StopEvent
from palletflow.desk.refusals import Fault, Refused, documented, faults_of
from palletflow.store import movements, order_reading
from palletflow.store.consignments import NoSuchConsignment
from palletflow.store.movements import MovementRefused
from palletflow.work import follows

router = APIRouter(tags=["movements"])


class Kind(NamedTuple):
    """One kind of report: its class, and what takes it in; that gives whether it told anything new."""

    model: type[Given]
    take_in: Callable[[Context, Any], bool]


@router.post("/movements", responses=documented(400, 413))
def report(reports: Reports, within: InContext) -> shown.ReportOutcomes:
    """Takes in up to 500 reports of each kind, e.g. a driver's day. Each is judged by itself and told once: the same
    again is unchanged. Where we collect or deliver, the network is told at once."""
    outcomes = [_taken_in(within, of, index, raw) for of in KINDS for index, raw in enumerate(getattr(reports, of))]
    counts = {name: sum(one.outcome == name for one in outcomes) for name in ("recorded", "unchanged", "rejected")}
    return shown.ReportOutcomes(**counts, reports=outcomes)


def _taken_in(within: Context, of: Any, index: int, raw: Mapping[str, Any]) -> shown.Report:
    faults: list[Fault] = []
    told = False
    try:
        report = KINDS[of].model.model_validate(raw)
        with within.conn.transaction():
            told = KINDS[of].take_in(within, report)
    except ValidationError as error:
        faults = faults_of(error)
    except Refused as refused:
        faults = refused.faults
    except MovementRefused as refused:
        field, _, detail = str(refused).partition(": ")
        faults = [Fault(field, "refused", detail)]
    except NoSuchConsignment as missing:
        faults = [Fault("consignment_id", "unknown", str(missing))]
    outcome = "rejected" if faults else "recorded" if told else "unchanged"
    errors = [shown.Fault(**fault._asdict()) for fault in faults]
    return shown.Report(of=of, index=index, outcome=outcome, errors=errors)  # type: ignore[arg-type]


def _pointed_at(within: Context, report: Pointed) -> int:
    """The consignment's id. Raises Refused when none is meant, or several."""
    if report.consignment_id:
        return report.consignment_id
    if report.order:
        field, found = "order", order_reading.consignments_of_order(within.conn, within.order_id(report.order))
    else:
        number = report.tracking_number or ""
        field, found = "tracking_number", order_reading.consignments_of_number(within.conn, number)
    if len(found) != 1:
        detail = f"{len(found)} consignments are meant ({', '.join(map(str, found))}); name one by consignment_id"
        raise Refused(422, detail, [Fault(field, "ambiguous" if found else "unknown", detail)])
    return found[0]


def _stop(within: Context, report: StopEvent) -> bool:
    return movements.report_stop(
        within.conn,
        _pointed_at(within, report),
        stop=report.stop,
        event=report.event,
        at=report.at,
        outcome=report.outcome,
        reason=report.reason,
        signatory=report.signatory,
        latitude=report.latitude,
        longitude=report.longitude,
        actor=within.actor,
    )


def _scan(within: Context, report: Scan) -> bool:
    if report.pallet_number is not None and (report.consignment_id or report.tracking_number or report.order):
        consignment_id, pallet_number = _pointed_at(within, report), report.pallet_number
    else:
        found = movements.by_barcode(within.conn, report.barcode)
        if found is None:
            raise Refused(
                422, "", [Fault("barcode", "unknown", f"no pallet has or had the barcode '{report.barcode}'")]
            )
        consignment_id, pallet_number = found
    return movements.report_scan(
        within.conn,
        consignment_id,
        pallet_number=pallet_number,
        barcode=report.barcode,
        scan=report.scan,
        depot=report.depot,
        at=report.at,
        actor=within.actor,
    )


def _route(within: Context, report: RouteStop) -> bool:
    consignment_id = _pointed_at(within, report)
    told = movements.set_route(within.conn, consignment_id, report.stop, report.route, report.sequence, within.actor)
    return _expected(within, consignment_id) if told else False


def _eta(within: Context, report: Eta) -> bool:
    consignment_id = _pointed_at(within, report)
    told = movements.set_eta(within.conn, consignment_id, report.stop, report.eta_from, report.eta_to, within.actor)
    return _expected(within, consignment_id) if told else False


def _expected(within: Context, consignment_id: int) -> bool:
    within.follow(follows.EXPECTED, [consignment_id])
    return True


# Routes before stops: a delivery is told to the network with its place on the route.
KINDS: Mapping[str, Kind] = {
    "routes": Kind(RouteStop, _route),
    "etas": Kind(Eta, _eta),
    "scans": Kind(Scan, _scan),
    "stops": Kind(StopEvent, _stop),
}
