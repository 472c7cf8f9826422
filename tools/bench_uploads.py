"""Speed of photo uploads over SFTP, on loopback and 20 ms away, beside OpenSSH's own `sftp` at the same server.

python tools/bench_uploads.py
"""

import asyncio
import contextlib
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from figures import Figure, expect, timed
from openssh import OpenSsh
from palletflow.transfer import placing, sftp
from palletflow.transfer.placing import Manner
from palletflow.transfer.pool import Sessions

PHOTO_BYTES = 60_000
ROUNDS = 3
# Photos of one round, and how many times as fast we promise to be: on loopback, and where every answer takes a while.
FILES, FASTER = 400, 1.5
FAR_FILES, FAR_FASTER = 100, 8.0
ROUND_TRIP_S = 0.02
AT_ONCE = sftp.CAPACITY


def upload(server: OpenSsh, port: int, photos: dict[str, bytes]) -> None:
    """The whole job: look for the name, temporary file, size check, rename that overwrites nothing, look again."""
    target = sftp.SftpServer(
        "bench",
        server.host,
        port,
        server.login,
        folder=str(server.files),
        host_key=server.host_key,
        private_key=server.private_key,
    )

    def place(photo: tuple[str, bytes]) -> None:
        with sessions.session() as session:
            placing.place(session, "bench", *photo, Manner())

    with Sessions(lambda: sftp.open_session(target), most=1) as sessions, ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(place, photos.items()))


def yardstick(server: OpenSsh, port: int, folder: Path, names: list[str]) -> None:
    """The same steps as a batch of `sftp`, which goes on after the looks that find nothing."""
    steps = "-ls -l {1}\nput {0}/{1} {1}.part\nls -l {1}.part\n-ls -l {1}\nrename {1}.part {1}\nls -l {1}\n"
    server.sftp("".join(steps.format(folder, name) for name in names), port=port)


def upload_figures() -> list[Figure]:
    """Uploads with rename and size check; the best of three rounds of each."""
    with tempfile.TemporaryDirectory() as home:
        Path(home).chmod(0o755)  # for the account that the server runs as
        with OpenSsh(Path(home) / "server", Path(home) / "cache") as server:
            near = _figure(server, server.port, Path(home), FILES, FASTER, "on loopback")
            with _distance(server.port) as port:
                far = _figure(server, port, Path(home), FAR_FILES, FAR_FASTER, f"{ROUND_TRIP_S * 1000:.0f} ms away")
    return [near, far]


def _figure(server: OpenSsh, port: int, home: Path, count: int, faster: float, where: str) -> Figure:
    photos = {
        f"{number}_1.jpg": random.randbytes(PHOTO_BYTES) for number in range(60_000_000_000, 60_000_000_000 + count)
    }
    folder = home / "photos"
    folder.mkdir(exist_ok=True)
    for name, data in photos.items():
        (folder / name).write_bytes(data)
    ours, theirs = [], []
    for round_number in range(ROUNDS):
        print(f"uploads {where}: round {round_number + 1} of {ROUNDS} ...", flush=True)
        theirs.append(timed(lambda: yardstick(server, port, folder, list(photos))))
        _empty(server, photos)
        ours.append(timed(lambda: upload(server, port, photos)))
        _empty(server, photos)
    name = f"upload of {count} photos of 60 kB, {where}"
    return Figure(name, min(ours), f"OpenSSH sftp, {faster:g} times as fast", min(theirs) / faster, 1)


def _empty(server: OpenSsh, photos: dict[str, bytes]) -> None:
    expect({path.name for path in server.files.iterdir()} == set(photos))
    for name, data in photos.items():
        expect((server.files / name).read_bytes() == data)
        (server.files / name).unlink()


@contextlib.contextmanager
def _distance(port: int) -> Iterator[int]:
    """The port of a proxy, in a process of its own, through which every answer takes ROUND_TRIP_S longer."""
    process = subprocess.Popen(
        [sys.executable, __file__, "proxy", str(port)], stdout=subprocess.PIPE, text=True, env=os.environ
    )
    try:
        assert process.stdout, "piped"
        yield int(process.stdout.readline())
    finally:
        process.terminate()
        process.wait()


async def _proxy(port: int) -> None:
    loop = asyncio.get_running_loop()

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Each piece arrives half a round trip after it came, however many are on their way."""
        with contextlib.suppress(OSError):
            while piece := await reader.read(1 << 16):
                loop.call_later(ROUND_TRIP_S / 2, writer.write, piece)
        loop.call_later(ROUND_TRIP_S / 2, writer.close)

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        other_reader, other_writer = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(carry(reader, other_writer), carry(other_reader, writer))

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    if sys.argv[1:2] == ["proxy"]:
        asyncio.run(_proxy(int(sys.argv[2])))
    else:
        for figure in upload_figures():
            print(f"{figure.name}: {figure.measured:.2f} s; {figure.yardstick}: {figure.yardstick_measured:.2f} s")
