"""Standard output and error of any encoding, with a reader or without one. Light, since `--list` must be fast."""

import codecs
import io
import os
import re
import sys
import unicodedata

_ASCII = {"…": "...", "–": "-", "—": "-", "−": "-", "×": "x", "·": ".", "→": "->", "≥": ">=", "≤": "<=", "√": "sqrt"}
_ASCII |= dict.fromkeys("‘’‚", "'") | dict.fromkeys("“”„", '"') | dict.fromkeys("─━╌", "-") | dict.fromkeys("│┃", "|")


def _in_ascii(problem: UnicodeError) -> tuple[str, int]:
    """What an error handler of `codecs` gives: the characters that cannot be encoded, in ASCII, and where they end."""
    if not isinstance(problem, UnicodeEncodeError):
        raise problem
    written = []
    for character in problem.object[problem.start : problem.end]:
        plain = unicodedata.normalize("NFKD", character).encode("ascii", "ignore").decode()
        name = re.fullmatch(r"GREEK (?:SMALL|CAPITAL) LETTER (\w+)", unicodedata.name(character, ""))
        written.append(_ASCII.get(character) or plain or (name[1].lower() if name else "?"))
    return "".join(written), problem.end


def readable_streams() -> None:
    """Let standard output and error write every text, whatever their encoding is."""
    codecs.register_error("in_ascii", _in_ascii)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a notebook's streams take any text
            stream.reconfigure(errors="in_ascii")


def drop_output() -> None:
    """Write no more to a standard output that nobody reads (`| head`)."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
