"""Runs one of Airflow's components, its imports done while the databases are still being made.

    python -m palletflow.sandbox.airflow_process api-server --host 127.0.0.1

Airflow needs seconds to import and may not look at its database before that is migrated. So this imports first,
then waits for one line on standard input, and only then becomes `airflow api-server ...`.
"""

import importlib
import logging
import os
import sys

# What the component imports anyway. Nothing here may touch the database.
IMPORTED_EARLY = {
    "api-server": (
        "airflow.cli.cli_parser",
        "airflow.cli.commands.api_server_command",
        "airflow.api_fastapi.app",
        "airflow.api_fastapi.core_api.app",
        "airflow.api_fastapi.core_api.routes.public",
        "airflow.api_fastapi.core_api.routes.ui",
        "airflow.api_fastapi.execution_api.app",
        "airflow.api_fastapi.execution_api.routes",
        "airflow.providers.fab.auth_manager.fab_auth_manager",
        "airflow.providers.fab.www.app",
    ),
}


def main(arguments: list[str]) -> None:
    for module in IMPORTED_EARLY[arguments[0]]:
        importlib.import_module(module)
    if not sys.stdin.readline():
        return  # the supervisor is gone
    from airflow.__main__ import main as airflow

    sys.argv = ["airflow", *arguments]
    try:
        airflow()
    except SystemExit as end:
        if end.code:
            raise
    # Taking all of Airflow's objects apart one by one would keep whoever stops the house waiting for seconds.
    logging.shutdown()
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1:])
