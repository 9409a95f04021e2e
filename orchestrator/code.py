"""What code is running: a digest of the project's packages, and the versions of the libraries that shape numbers."""

import datetime
import functools
import hashlib
import importlib.metadata
import json
import platform
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("orchestrator", "tasks", "models", "metrics")
_LIBRARIES = ("torch", "transformers", "datasets", "numpy", "scipy", "scikit-learn", "ray", "pyarrow")


@functools.cache
def code_digest() -> str:
    """First 12 hex digits of SHA-256 over the project's Python files; two machines with one digest run one code."""
    digest = hashlib.sha256()
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            digest.update(path.relative_to(ROOT).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:12]


def last_changed() -> datetime.datetime:
    """When a Python file of the project last came to this disk: a sync, a checkout or an edit.

    That is the time of change (ctime), since syncing tools keep the time of modification of the machine they copy from.
    """
    paths = [path for package in PACKAGES for path in (ROOT / package).rglob("*.py")]
    return datetime.datetime.fromtimestamp(max(path.stat().st_ctime for path in paths), datetime.UTC)


@functools.cache
def library_versions() -> str:
    """JSON object of Python's and the libraries' versions."""
    versions = {"python": platform.python_version()}
    for name in _LIBRARIES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return json.dumps(versions)
