"""A process of ours beside Airflow's own, such as the watch or a command at the terminal."""

import os


def become_part_of_the_server() -> None:
    """Lets this process look up connections in Airflow's database, which only parts of the server do.

    Airflow's own commands say it this way too.
    """
    os.environ["_AIRFLOW_PROCESS_CONTEXT"] = "server"
