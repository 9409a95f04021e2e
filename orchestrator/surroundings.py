"""What a process has around it: signal handlers and PYTHONPATH, changed for a while; a Ray job; and who answers."""

import contextlib
import json
import os
import signal
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any


@contextlib.contextmanager
def sigterm_kept() -> Iterator[None]:
    """Keep this process's SIGTERM handler, which `ray.init` replaces."""
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, before)


@contextlib.contextmanager
def hangups_ignored() -> Iterator[None]:
    """Processes started meanwhile stay when the terminal is closed; whoever started them ends them."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGHUP, before)


@contextlib.contextmanager
def python_path(first: Path) -> Iterator[None]:
    """Processes started meanwhile look for modules in `first` before anywhere else."""
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (str(first), before)))
    try:
        yield
    finally:
        if before is None:
            del os.environ["PYTHONPATH"]
        else:
            os.environ["PYTHONPATH"] = before


def ray_job() -> dict[str, Any] | None:
    """The runtime environment of the Ray job whose entrypoint this process is; None where it is no such thing."""
    described = os.environ.get("RAY_JOB_CONFIG_JSON_ENV_VAR")  # Ray sets it for what `ray job submit` starts
    return None if described is None else json.loads(described).get("runtime_env") or {}


def answers(address: str, seconds: float = 10.0) -> bool:
    """Whether anything listens at `host:port`. Addresses of other forms are taken to be good."""
    host, _, port = address.rpartition(":")
    if not port.isdigit() or "/" in host:
        return True
    try:
        socket.create_connection((host, int(port)), timeout=seconds).close()
    except OSError:
        return False
    return True
