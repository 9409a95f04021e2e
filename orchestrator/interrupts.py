"""Ctrl-C, SIGTERM and a terminal that is closed: the first asks a run to finish what runs, the second stops it now."""

import contextlib
import os
import signal
import threading
from collections.abc import Iterator

from rich.console import Console


class Interrupts:
    """How often the run was interrupted."""

    def __init__(self):
        self.count = 0
        self._hung_up = False

    @contextlib.contextmanager
    def caught(self, console: Console) -> Iterator[None]:
        """Count the signals while the block runs. Where hang-ups are ignored (`nohup`), they stay so."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        terminals = [descriptor for descriptor in (1, 2) if os.isatty(descriptor)]

        def handle(number: int, frame: object) -> None:
            if number == signal.SIGHUP:
                _say_nothing_more(terminals)
                if self._hung_up:  # the shell and the kernel both say that the terminal has gone
                    return
                self._hung_up = True
            self.count += 1
            if self.count > 1:
                raise KeyboardInterrupt
            console.print("no new jobs are started; what runs is finished (interrupt again to stop now)")

        numbers = [signal.SIGINT, signal.SIGTERM]
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
            numbers.append(signal.SIGHUP)
        before = {number: signal.signal(number, handle) for number in numbers}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def _say_nothing_more(terminals: list[int]) -> None:
    """Writing to a terminal that is closed raises an error: what would go there goes nowhere instead."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for descriptor in terminals:
        os.dup2(nowhere, descriptor)
    os.close(nowhere)
