"""The one error of the sandbox whose text is meant for the person at the terminal."""


class SandboxError(Exception):
    """Standing the house up failed; the text says what, where and what to do, and needs no traceback."""
