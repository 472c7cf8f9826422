"""A real OpenSSH server on loopback for tests and benchmarks, run without rights of its own and without installing it.

It is the machine's own sshd, or else Debian's package unpacked into a folder. Who runs it logs in with a key; root has
it run as another account, because sshd as root wants an installed system.
"""

import os
import pwd
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Self

PACKAGES = ("openssh-server", "libwrap0")
# With these an account has no shell and cannot log in.
NO_SHELLS = ("nologin", "false")
PATIENCE_S = 15.0
# As in the folders of the dynamic linker.
LIBRARIES = ("usr/lib/*-linux-gnu", "lib/*-linux-gnu", "usr/lib", "lib")


class NoServer(Exception):
    """There is no OpenSSH server here and none can be had."""


def program(cache: Path) -> Path:
    """The path of sshd; fetched once into `cache` where the machine has none. Raises NoServer."""
    installed = shutil.which("sshd", path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"]))
    if installed:
        return Path(installed)
    unpacked = cache / "root" / "usr" / "sbin" / "sshd"
    if not unpacked.is_file():
        _fetch(cache)
    return unpacked


def _fetch(cache: Path) -> None:
    if not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
        raise NoServer("sshd is neither on PATH nor in /usr/sbin, and this is no Debian to fetch it from")
    cache.mkdir(parents=True, exist_ok=True)
    fetched = subprocess.run(["apt-get", "download", *PACKAGES], cwd=cache, capture_output=True, text=True, check=False)
    if fetched.returncode:
        raise NoServer(f"sshd is not installed and its package cannot be fetched: {fetched.stderr.strip()[-300:]}")
    for package in cache.glob("*.deb"):
        subprocess.run(["dpkg-deb", "-x", package, cache / "root"], check=True)


def account() -> str:
    """Who the server runs as and who logs in: ourselves, or for root the first account that may. Raises NoServer."""
    if os.getuid() != 0:
        return pwd.getpwuid(os.getuid()).pw_name
    for entry in pwd.getpwall():
        if entry.pw_uid and Path(entry.pw_shell).name not in NO_SHELLS and os.access(entry.pw_shell, os.X_OK):
            return entry.pw_name
    raise NoServer("root cannot run sshd here as itself, and no other account has a shell")


class OpenSsh:
    """A running server over `folder`/files, which is where a login begins. Raises NoServer when it does not start."""

    host = "127.0.0.1"

    def __init__(self, folder: Path, cache: Path) -> None:
        """`folder` must be reachable by other accounts when root runs this."""
        sshd = program(cache)
        self.login, self.files = account(), folder / "files"
        self.files.mkdir(parents=True)
        self._folder = folder
        for name in ("host", "ours"):
            generate = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "test", "-f", str(folder / name)]
            try:
                subprocess.run(generate, check=True)
            except FileNotFoundError:
                raise NoServer("ssh-keygen is not installed") from None
        with socket.create_server((self.host, 0)) as free:
            self.port = int(free.getsockname()[1])
        self._write_configuration(cache / "root")
        identity = pwd.getpwnam(self.login)
        if os.getuid() == 0:
            for path in (folder, *folder.iterdir()):
                os.chown(path, identity.pw_uid, identity.pw_gid)
        libraries = [str(path) for pattern in LIBRARIES for path in (cache / "root").glob(pattern)]
        self._log = (folder / "log").open("w")
        self._process = subprocess.Popen(
            [sshd, "-D", "-e", "-f", folder / "config"],
            env={"PATH": "/usr/bin:/bin", "LD_LIBRARY_PATH": os.pathsep.join(libraries)},
            stderr=self._log,
            user=identity.pw_uid if os.getuid() == 0 else None,
            group=identity.pw_gid if os.getuid() == 0 else None,
            extra_groups=[] if os.getuid() == 0 else None,
        )
        self._await_start()

    @property
    def host_key(self) -> str:
        """Key type and base64, as known_hosts has it."""
        return " ".join((self._folder / "host.pub").read_text().split()[:2])

    @property
    def private_key(self) -> str:
        """The key to log in with."""
        return (self._folder / "ours").read_text()

    def sftp(self, batch: str, *, port: int | None = None) -> str:
        """Runs the `sftp` program with a batch of commands in the files' folder; what it printed."""
        known, key = self._folder / "known_hosts", self._folder / "own"
        known.write_text(f"[{self.host}]:{port or self.port} {self.host_key}\n")
        key.write_text(self.private_key)  # a copy: it must belong to who runs the program
        key.chmod(0o600)
        command = ["sftp", "-q", "-b", "-", "-P", str(port or self.port), "-i", str(key), "-o", "IdentitiesOnly=yes"]
        command += ["-F", "none", "-o", f"UserKnownHostsFile={known}", f"{self.login}@{self.host}:{self.files}"]
        return subprocess.run(command, input=batch, text=True, check=True, capture_output=True).stdout

    def stop(self) -> None:
        """Ends the server and the sessions it has begun."""
        self._process.terminate()
        self._process.wait()
        self._log.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _write_configuration(self, unpacked: Path) -> None:
        lines = [
            f"Port {self.port}",
            f"ListenAddress {self.host}",
            f"HostKey {self._folder / 'host'}",
            f"AuthorizedKeysFile {self._folder / 'ours.pub'}",
            "PidFile none",
            "UsePAM no",
            "StrictModes no",
            "PasswordAuthentication no",
            # A benchmark logs in often and all at once.
            "MaxStartups 100",
            "Subsystem sftp internal-sftp",
        ]
        # Since 9.8 and 10.0 parts of it are programs of their own.
        for setting, name in (("SshdSessionPath", "sshd-session"), ("SshdAuthPath", "sshd-auth")):
            path = unpacked / "usr" / "lib" / "openssh" / name
            if path.is_file():
                lines.append(f"{setting} {path}")
        (self._folder / "config").write_text("\n".join(lines) + "\n")

    def _await_start(self) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                socket.create_connection((self.host, self.port), 1).close()
            except OSError:
                time.sleep(0.02)
            else:
                return
        self.stop()
        raise NoServer(f"sshd does not start: {(self._folder / 'log').read_text().strip()[-300:]}")


if __name__ == "__main__":
    import tempfile

    # TemporaryDirectory's own folder is closed to others.
    with tempfile.TemporaryDirectory() as home:
        Path(home).chmod(0o755)
        with OpenSsh(Path(home) / "server", Path(home) / "cache") as server:
            sys.stdout.write(server.sftp("pwd\n"))
