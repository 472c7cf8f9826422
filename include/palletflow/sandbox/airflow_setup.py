"""Prepares Airflow's database in one process: migrations, roles, the login, and a token for the house itself.

Each start of the `airflow` command costs seconds, so the steps of `airflow db migrate` and `airflow users create` are
called here one after the other. The parent (airflow_prepare) speaks to this process in JSON: one line in, one out.
"""

import json
import os
import sys
from typing import Any

USERNAME = "ops"
ROLE = "Admin"


def prepare(password: str, *, reset: bool) -> dict[str, Any]:
    """Migrates, makes the login where it is missing (`reset`: gives it the password in any case).

    Returns {"password_set": bool, "token": a token of the login for Airflow's API, valid for a day}.
    """
    from airflow.api_fastapi.app import create_auth_manager
    from airflow.configuration import write_default_airflow_configuration_if_needed
    from airflow.providers.fab.auth_manager.cli_commands.utils import get_application_builder
    from airflow.utils import db

    write_default_airflow_configuration_if_needed()
    # Brings the login manager's tables along; its provider says that it has some.
    db.upgradedb()
    with get_application_builder() as builder:
        users = builder.sm
        user = users.find_user(USERNAME)
        password_set = user is None or reset
        if user is None:
            role = users.find_role(ROLE)
            user = users.add_user(USERNAME, "Pallet", "Operations", "ops@example.com", role, password)
            if not user:
                raise RuntimeError(f"The login manager refused to make the user '{USERNAME}'")
        elif reset:
            users.reset_password(user.id, password)
        return {"password_set": password_set, "token": create_auth_manager().generate_jwt(user)}


def main() -> None:
    # Airflow prints and logs to standard output, which here belongs to the answer alone.
    answer = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    # Before the database exists, because this alone takes seconds.
    from airflow.utils.providers_configuration_loader import providers_configuration_loaded

    request = sys.stdin.readline()
    if request:
        json.dump(providers_configuration_loaded(prepare)(**json.loads(request)), answer)
        answer.close()


if __name__ == "__main__":
    main()
