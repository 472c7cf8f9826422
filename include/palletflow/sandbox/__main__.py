"""The commands of the sandbox; `make` offers them as up, login, psql, backup and restore."""

import argparse
import sys
from pathlib import Path

from palletflow.sandbox.errors import SandboxError


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m palletflow.sandbox", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("up", help="stand the house up and stay until Ctrl-C")
    commands.add_parser("demo", help="one round of every pipeline, then a table of what landed")
    commands.add_parser("login", help="set a new password for the login of Airflow's page and print it")
    commands.add_parser("psql", help="open the order store in psql, which gets the arguments", add_help=False)
    checked = commands.add_parser("check-connection", help="try one Airflow connection as the house has it")
    checked.add_argument("connection")
    for name, what in (("backup", "back the house up into a folder"), ("restore", "restore it from one")):
        commands.add_parser(name, help=what).add_argument("folder", type=Path)
    simulator = commands.add_parser("simulator", help="run one simulated network")
    simulator.add_argument("network")
    simulator.add_argument("--host", default="127.0.0.1", help="the address to listen on (%(default)s)")
    simulator.add_argument("--port", type=int, required=True)
    simulator.add_argument("--server", action="append", default=[], metavar="NAME=PORT", help="what it serves besides")
    given, more = parser.parse_known_args(arguments)
    if more and given.command != "psql":
        parser.error(f"unknown arguments: {' '.join(more)}")
    try:
        return _run(given, more)
    except SandboxError as error:
        print(error, file=sys.stderr)
        return 1


def _run(given: argparse.Namespace, more: list[str]) -> int:
    """Each command imports only what it needs; a simulator has no use for the supervisor."""
    if given.command == "up":
        from palletflow.sandbox import up

        return up.main()
    if given.command == "demo":
        from palletflow.sandbox import demo

        return demo.main()
    if given.command == "login":
        from palletflow.sandbox import login

        return login.main()
    if given.command == "psql":
        from palletflow.sandbox import psql

        return psql.main(more)
    if given.command == "check-connection":
        from palletflow.sandbox import check_connection

        return check_connection.main(given.connection)
    if given.command in ("backup", "restore"):
        from palletflow.sandbox import keeping

        return keeping.main(given.command, given.folder)
    from palletflow.sandbox import networks

    named = (server.partition("=") for server in given.server)
    networks.serve(given.network, given.host, given.port, {name: int(port) for name, _, port in named})
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
