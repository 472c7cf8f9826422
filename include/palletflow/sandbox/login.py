"""`make login`: gives the login of Airflow's page a new password, whether the house is running or not."""

from palletflow.sandbox.airflow_prepare import AirflowPreparation
from palletflow.sandbox.airflow_setup import USERNAME
from palletflow.sandbox.house_postgres import house_postgres
from palletflow.sandbox.settings import environment, from_environment
from palletflow.sandbox.terminal import Terminal


def main() -> int:
    """Prints the new password. Raises SandboxError."""
    terminal = Terminal()
    settings = from_environment()
    with terminal.step("Setting a new password"), house_postgres(settings, may_run=True) as server:
        preparation = AirflowPreparation(environment(settings, server), settings.home / "logs", mark="login")
        with preparation:
            login = preparation.migrate(reset_login=True)
    terminal.say(f"  {settings.page}: {USERNAME} / {login.password}")
    return 0
