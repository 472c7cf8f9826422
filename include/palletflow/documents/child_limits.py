"""What a child process that opens files of strangers allows itself."""

import math
import resource


def limit(memory: int, seconds: float) -> None:
    """Limits this process: bytes of memory, seconds of CPU; it writes no file and leaves no core."""
    for what, most in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_DATA, memory),
        (resource.RLIMIT_CPU, math.ceil(seconds)),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        _, hard = resource.getrlimit(what)
        lower = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(what, (lower, lower))
