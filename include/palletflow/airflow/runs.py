"""What a DAG run was asked for: by the clock, by a backfill, or by a person with a window."""

from datetime import UTC, datetime
from typing import Any

from airflow.sdk import Context, Param

BACKFILL = "backfill"
# The fields of the trigger form, the same for every pull.
WINDOW_PARAMS = {
    "from": Param(
        None,
        type=["null", "string"],
        format="date-time",
        title="From",
        description="Read changes from this moment on. Leave both empty to read what is due since the watermark.",
    ),
    "to": Param(
        None,
        type=["null", "string"],
        format="date-time",
        title="To",
        description="... and before this moment. The watermark stays where it is.",
    ),
}


class BadForm(ValueError):
    """A run was asked for what makes no sense; only another run, asked for otherwise, can help."""


class BadWindow(BadForm):
    """The trigger form's window cannot be read."""


def asked_window(context: Context) -> tuple[datetime, datetime] | None:
    """The window a person or a backfill asks for; None means: what is due since the watermark. Raises BadWindow."""
    params = context["params"]
    start, end = params.get("from"), params.get("to")
    if start or end:
        if not (start and end):
            raise BadWindow("Give both 'from' and 'to', or neither.")
        window = _moment("from", start), _moment("to", end)
        if window[0] >= window[1]:
            raise BadWindow(f"'from' ({start}) must lie before 'to' ({end}).")
        return window
    run = context["dag_run"]
    if run.run_type == BACKFILL:
        return _utc(run.data_interval_start), _utc(run.data_interval_end)
    return None


def next_due_at(context: Context) -> datetime | None:
    """When the clock starts the next run: the first tick of the DAG's cron, in UTC, after this one began.

    None when this one was asked for a window, which keeps no schedule, and when the DAG has none. Raises BadWindow.
    """
    cron = getattr(context["dag"].timetable, "expression", None)
    if cron is None or asked_window(context):
        return None
    from croniter import croniter  # which reading a DAG file must not pay

    began = (context["dag_run"].start_date or datetime.now(UTC)).astimezone(UTC)
    tick: datetime = croniter(cron, began).get_next(datetime)
    return tick


def name(context: Context) -> str:
    """What the batch's `run` says: DAG and run id."""
    run = context["dag_run"]
    return f"{run.dag_id} {run.run_id}"


def actor(context: Context) -> str:
    """Who is behind the run, for the activity history."""
    run = context["dag_run"]
    return getattr(run, "triggering_user_name", None) or str(run.run_type)


def _moment(field: str, text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise BadWindow(f"'{field}' is not a time: {text}") from None
    if moment.tzinfo is None:
        raise BadWindow(f"'{field}' needs a time zone, e.g. {text}Z")
    return moment.astimezone(UTC)


def _utc(moment: Any) -> datetime:
    assert isinstance(moment, datetime)  # a backfill run always has its interval
    return moment.astimezone(UTC)
