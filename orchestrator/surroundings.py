"""What a process has around it, changed for a while and put back: signal handlers, PYTHONPATH; and who answers."""

import contextlib
import os
import signal
import socket
import threading
from collections.abc import Iterator
from pathlib import Path


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


def answers(address: str) -> bool:
    """Whether anything listens at `host:port`. Addresses of other forms are taken to be good."""
    host, _, port = address.rpartition(":")
    if not port.isdigit() or "/" in host:
        return True
    try:
        socket.create_connection((host, int(port)), timeout=10).close()
    except OSError:
        return False
    return True
