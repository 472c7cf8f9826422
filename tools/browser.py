"""Makes sure that there is a Chromium for the tests that drive the desk in a browser; prints where.

One that is on the PATH is taken. Else, as root on Debian or Ubuntu, the distribution's package is installed; anybody
else is told what to do. Playwright's own download is not used: it comes from no package registry.
"""

import os
import shutil
import subprocess
import sys

NAMES = ("chromium", "chromium-browser", "google-chrome")
INSTALL = (
    ("apt-get", "update", "--quiet=2"),
    ("apt-get", "install", "--quiet=2", "--yes", "--no-install-recommends", "chromium"),
)


def found() -> str | None:
    """The path of an installed browser."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


def main() -> int:
    """0 with the path on stdout, 1 with what to do on stderr."""
    if not found() and shutil.which("apt-get") and os.geteuid() == 0:
        print("Installing Chromium for the tests ...", file=sys.stderr)
        for command in INSTALL:
            # What apt-get says goes where errors go: the path alone is our answer.
            subprocess.run(
                command, check=False, stdout=sys.stderr, env=os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
            )
    if path := found():
        print(path)
        return 0
    print("The tests need Chromium: install the package `chromium` of your system, then try again.", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
