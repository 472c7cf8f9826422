"""The unprivileged account Postgres runs under when the house is stood up by root, which Postgres refuses to be."""

import os
import pwd

from palletflow.sandbox.errors import SandboxError
from palletflow.sandbox.processes import Account

UNPRIVILEGED_USER = "nobody"


def unprivileged_account() -> Account | None:
    """None when we are not root and need no other account."""
    if os.geteuid() != 0:
        return None
    try:
        entry = pwd.getpwnam(UNPRIVILEGED_USER)
    except KeyError:
        raise SandboxError(
            f"Postgres does not run as root, and this machine has no user '{UNPRIVILEGED_USER}' to run it instead. "
            "Start the house as an ordinary user, or point PALLETFLOW_POSTGRES at a Postgres server."
        ) from None
    return Account(entry.pw_uid, entry.pw_gid)
