"""Ctrl-C and SIGTERM while a sweep runs."""

import contextlib
import signal
import threading
from collections.abc import Iterator

from rich.console import Console


class Interrupts:
    """Ctrl-C and SIGTERM: the first asks the runner to finish what runs, the second stops now."""

    def __init__(self):
        self.count = 0

    @contextlib.contextmanager
    def caught(self, console: Console) -> Iterator[None]:
        """Count the signals while the block runs."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def handle(number: int, frame: object) -> None:
            self.count += 1
            if self.count > 1:
                raise KeyboardInterrupt
            console.print("no new jobs are started; what runs is finished (interrupt again to stop now)")

        before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
