"""Airflow's own records of its runs, and the logs of its tasks: deleted after a while.

A task may not use Airflow's database, and its process does not know where it is: Airflow 3 takes the address out of the
environment of every task, under LocalExecutor and on Celery workers alike. So the connection `airflow_metadata` says
it, and Airflow's own command does the work in a process of its own. Without the connection nothing is done.
"""

import logging
import os
import re
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from airflow.sdk import BaseHook
from airflow.sdk.configuration import conf
from airflow.sdk.exceptions import AirflowNotFoundException

from palletflow import deployment
from palletflow.airflow.maintenance import skip

CONNECTION = "airflow_metadata"
ADDRESS = "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"
# What Airflow puts into the environment of a task, so that nothing in it finds the database.
OF_TASKS = ("AIRFLOW__CORE__SQL_ALCHEMY_CONN", "_AIRFLOW_PROCESS_CONTEXT")
BATCH = 10_000
BUDGET_S = 900.0
# What tasks and the DAG processor write there; a folder that is not theirs is left alone.
LOGS = ("dag_id=*", "dag_processor")
CHECKED, FOUND = re.compile(r"Checking table (\w+)"), re.compile(r"Found (\d+) rows meeting deletion criteria")

log = logging.getLogger(__name__)


def clean_airflow() -> dict[str, int]:
    """Deletes records of runs after `retention.airflow_d` days with `airflow db clean`: table to how many rows.

    Raises AirflowSkipException, CleaningFailed.
    """
    days = _days()
    try:
        connection = BaseHook.get_connection(CONNECTION)
    except AirflowNotFoundException:
        skip(
            f"Airflow's records are kept: there is no connection '{CONNECTION}' (AIRFLOW_CONN_{CONNECTION.upper()}) "
            "with the address of Airflow's database, postgresql://user:password@host/database"
        )
    address = connection.get_uri().replace("postgres://", "postgresql+psycopg2://", 1)
    address = address.replace("postgresql://", "postgresql+psycopg2://", 1)
    deleted = _clean(address, datetime.now(UTC) - timedelta(days=days))
    for table, rows in deleted.items():
        log.info("%s: %s rows deleted", table, f"{rows:,}")
    return deleted


def delete_logs() -> dict[str, int]:
    """Deletes log files that nobody has written to for `retention.airflow_d` days, and the folders left empty.

    Logs that Airflow sends elsewhere (remote logging) end by the rules of that place.
    """
    before = time.time() - timedelta(days=_days()).total_seconds()
    base = Path(conf.get("logging", "base_log_folder"))
    gone = 0
    emptied: set[Path] = set()
    for top in sorted(place for pattern in LOGS for place in base.glob(pattern)):
        # Folders after what is in them. One that is empty and not by our doing may have just been made.
        for name, _, files in os.walk(top, topdown=False):
            folder = Path(name)
            deleted = sum(_delete_old(folder / file, before) for file in files)
            gone += deleted
            if (deleted or folder in emptied) and not any(folder.iterdir()):
                folder.rmdir()
                emptied.add(folder.parent)
    log.info("%s log files deleted in %s", f"{gone:,}", base)
    return {"log files": gone}


class CleaningFailed(Exception):
    """`airflow db clean` did not come to its end; what it deleted is deleted."""


def _days() -> int:
    days = deployment.load().retention.airflow_d
    if not days:
        skip("The deployment file says that Airflow's own records are kept for ever")
    return days


def _clean(address: str, before: datetime) -> dict[str, int]:
    environment = {name: value for name, value in os.environ.items() if name not in OF_TASKS}
    words = ("db", "clean", "--clean-before-timestamp", before.isoformat(), "--yes", "--skip-archive")
    command = [sys.executable, "-m", "airflow", *words, "--batch-size", str(BATCH), "--error-on-cleanup-failure"]
    ended = subprocess.run(  # noqa: S603 (Airflow's own command)
        command,
        env={**environment, ADDRESS: address},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        timeout=BUDGET_S,
        check=False,
    )
    if ended.returncode:
        log.error("airflow db clean:\n%s", ended.stdout.replace(address, "***"))
        raise CleaningFailed(
            f"`airflow db clean` ended with {ended.returncode}; its words stand above. "
            f"Check that the connection '{CONNECTION}' leads to Airflow's own database."
        )
    deleted: dict[str, int] = {}
    table = ""
    for line in ended.stdout.splitlines():
        if checked := CHECKED.search(line):
            table = checked[1]
        elif (found := FOUND.search(line)) and table and int(found[1]):
            deleted[table] = int(found[1])
    return deleted


def _delete_old(file: Path, before: float) -> bool:
    if file.lstat().st_mtime >= before:
        return False
    file.unlink(missing_ok=True)
    return True
