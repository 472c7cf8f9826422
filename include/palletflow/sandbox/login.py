"""`make login`: gives the login of Airflow's page a new password, whether the house is running or not."""

from contextlib import ExitStack

from palletflow.sandbox.airflow_prepare import AirflowPreparation
from palletflow.sandbox.airflow_setup import USERNAME
from palletflow.sandbox.house_lock import HouseRuns, house_lock
from palletflow.sandbox.postgres import EmbeddedPostgres, create_databases
from palletflow.sandbox.settings import environment, from_environment
from palletflow.sandbox.terminal import Terminal


def main() -> int:
    """Prints the new password. Raises SandboxError."""
    terminal = Terminal()
    settings = from_environment()
    with ExitStack() as stack, terminal.step("Setting a new password"):
        embedded = None if settings.postgres else EmbeddedPostgres(settings.home, settings.postgres_port)
        server = settings.postgres or (embedded.dsn("postgres") if embedded else "")
        try:
            stack.enter_context(house_lock(settings.home))
            if embedded:
                stack.enter_context(embedded)
            else:
                create_databases(server)
        except HouseRuns:
            pass  # then its Postgres runs too
        preparation = AirflowPreparation(environment(settings, server), settings.home / "logs", mark="login")
        with preparation:
            login = preparation.migrate(reset_login=True)
    terminal.say(f"  {settings.page}: {USERNAME} / {login.password}")
    return 0
