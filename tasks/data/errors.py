"""The error of this room, and the one that all readers of text meet."""

from pathlib import Path


class DataError(ValueError):
    """Bad or missing data: the message names the file and line (1-based), what was expected and what to do."""


def decoded(content: bytes, path: Path, line: int = 1) -> str:
    """The text of bytes that begin in this line of a file.

    Raises:
        DataError: they are not UTF-8.
    """
    try:
        return content.decode()
    except UnicodeDecodeError as problem:
        line += content.count(b"\n", 0, problem.start)
        raise DataError(
            f"{path}:{line}: byte 0x{content[problem.start]:02x} is not UTF-8; "
            "convert the file to UTF-8 (for example with iconv)"
        ) from None
