"""No secret of the environment leaves a process: `redact` puts `***` where one stands in a text.

Secret is the value of an environment variable whose name says so (AWS_SECRET_ACCESS_KEY, HF_TOKEN, …), and of every URL
the user name with its password and the parameters that sign or open something. Values under 8 characters, existing
paths and, for keys and tokens, plain words and numbers are left alone: they would be cut out of innocent text.
"""

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, quote_plus

MASK = "***"
SHORTEST = 8  # characters; shorter values stand in innocent text by chance
_LINE = 16  # characters of a line of a secret with several lines (a private key), which tracebacks show one by one

_HARD = ("PASSWORD", "PASSWD", "PASSPHRASE", "SECRET", "CREDENTIAL")
_SOFT = ("KEY", "TOKEN", "AUTH", "SIGNATURE")
_INNOCENT = re.compile(r"[A-Za-z]+([ _.:/-][A-Za-z]+)*|[\d.,:/ _-]+")
# The counts bound the time that a long text without an end of an address can take.
_USER = re.compile(  # a single slash is left of an address that went through pathlib
    r"(\b[A-Za-z][A-Za-z0-9+.-]{0,30}:(?://?(?=[^\s/@'\"<>?#]{0,256}:)|//))"
    r"(?:[^\s/@'\"<>?#]{0,256}?:[^\s/'\"<>?#]{1,1024}|[^\s/@:'\"<>?#]{16,1024})@"
)
_PARAMETER = re.compile(
    r"([?&;](?:[^=&;?\s'\"]{0,64}(?:secret|token|passw|signature|credential|access_?key|api_?key)[^=&;?\s'\"]{0,64}"
    r"|sig|key)=)[^&;#\s'\"<>]+",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Redactor:
    """The secrets of one environment. Cheap to call: 100,000 lines of a log take about a second."""

    values: tuple[str, ...]
    """Longest first, so that one that holds another goes whole."""

    def __call__(self, text: str) -> str:
        for value in self.values:
            if value in text:
                text = text.replace(value, MASK)
        if "@" in text:
            text = _USER.sub(rf"\1{MASK}@", text)
        if "=" in text:
            text = _PARAMETER.sub(rf"\1{MASK}", text)
        return text

    def tree(self, value: Any) -> Any:
        """JSON data with every text in it redacted."""
        if isinstance(value, str):
            return self(value)
        if isinstance(value, Mapping):
            return {key: self.tree(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.tree(item) for item in value]
        return value


def redactor(environment: Mapping[str, str] | None = None) -> Redactor:
    """The redactor of an environment; None: of this process as it is now."""
    environment = os.environ if environment is None else environment
    found: set[str] = set()
    for name, value in environment.items():
        if _is_secret(name, value.strip()):
            lines = [line.strip() for line in value.splitlines()]
            for text in (value.strip(), *(line for line in lines if len(line) >= _LINE)):
                found |= _written(text)
    return Redactor(tuple(sorted(found, key=lambda value: (-len(value), value))))


def redact(text: str) -> str:
    """`text` without the secrets of this process's environment and without those in URLs."""
    return redactor()(text)


def _is_secret(name: str, value: str) -> bool:
    if len(value) < SHORTEST or (value[0] in "/~." and os.path.exists(os.path.expanduser(value))):
        return False
    words = [word for part in name.upper().split("_") for word in (part, part.removesuffix("S"))]
    if any(word.endswith(_HARD) or word in ("PASS", "PWD") for word in words):
        return True
    return any(word.endswith(_SOFT) for word in words) and not _INNOCENT.fullmatch(value)


def _written(value: str) -> set[str]:
    """The forms that a value takes in messages: as it is, in a repr, in JSON, in a URL."""
    forms = {value, repr(value)[1:-1], json.dumps(value)[1:-1], quote(value, safe=""), quote(value), quote_plus(value)}
    return {form for form in forms if len(form) >= SHORTEST}
