"""Makes the two lock files from pyproject.toml, or checks that they still fit it.

requirements.txt is what runs in production; requirements-dev.txt adds the sandbox and the tools, at equal versions.
Both hold for Python 3.11 to 3.13. Making them keeps versions that still fit; delete a line to have it resolved anew.
"""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

PROJECT = Path(__file__).parents[1]
UV = Path(sys.executable).with_name("uv")
OPTIONS = ("--universal", "--python-version", "3.11", "--no-header", "--annotation-style", "line", "--quiet")
LOCKS: dict[str, tuple[str, ...]] = {
    "requirements.txt": (),
    "requirements-dev.txt": ("--all-extras", "--constraint", "requirements.txt"),
}


def compile_lock(name: str, target: Path) -> None:
    """Resolves one lock into `target`, which already holds the versions to keep."""
    subprocess.run(
        [UV, "pip", "compile", "pyproject.toml", *OPTIONS, *LOCKS[name], "--output-file", target],
        cwd=PROJECT,
        check=True,
    )


def pins(text: str) -> set[str]:
    """The pinned requirements of a lock, without comments."""
    return {re.sub(r"\s+", " ", line.split("#")[0]).strip() for line in text.splitlines()} - {""}


def main() -> int:
    """Returns the exit status."""
    if "--check" not in sys.argv:
        for name in LOCKS:
            compile_lock(name, PROJECT / name)
        return 0
    status = 0
    for name in LOCKS:
        kept = (PROJECT / name).read_text()
        with tempfile.TemporaryDirectory() as folder:
            target = Path(folder) / name
            target.write_text(kept)
            compile_lock(name, target)
            moved = pins(kept) ^ pins(target.read_text())
        if moved:
            print(f"{name} does not fit pyproject.toml ({', '.join(sorted(moved)[:5])} ...); run `make lock`")
            status = 1
    return status


if __name__ == "__main__":
    sys.exit(main())
