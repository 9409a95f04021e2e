"""Text that may go to a terminal, a log or a page: no escape sequences, no markup, nothing that reorders a line."""

import logging
import re
from typing import Any

from rich.console import Console
from rich.text import Text

from orchestrator.secrets import redact, redactor
from orchestrator.streams import drop_output

# C0 without tab and newline, C1, and the marks that make text run backwards or hide it.
_CONTROL = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb\ud800-\udfff]"
)


def printable(text: str) -> str:
    """`text` with control characters written out (`\\x1b`), so that a message of a job cannot steer a terminal."""
    text = text.replace("\r\n", "\n")
    return _CONTROL.sub(lambda match: _escaped(match[0]), text)


def _escaped(character: str) -> str:
    code = ord(character)
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"


class Terminal(Console):
    """A console that takes text as it is: no markup, no emoji codes, no escape sequences but its own, no secrets."""

    def __init__(self, *, stderr: bool = False, soft_wrap: bool = True):
        super().__init__(stderr=stderr, soft_wrap=soft_wrap, highlight=False, markup=False, emoji=False)

    def on_broken_pipe(self) -> None:
        """A reader that has seen enough ends no sweep."""
        self.quiet = True
        drop_output()

    def render_str(self, text: str, **options: Any) -> Text:  # every text comes through here, a table's cells too
        return super().render_str(printable(redact(text)), **options)


class SafeFormatter(logging.Formatter):
    """Log lines without control characters and without the secrets that the environment had when it was made."""

    def __init__(self, pattern: str):
        super().__init__(pattern)
        self._redact = redactor()

    def format(self, record: logging.LogRecord) -> str:
        return printable(self._redact(super().format(record)))
