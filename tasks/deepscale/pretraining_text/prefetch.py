"""Batches of the next steps, made in a thread while a step is computed."""

import queue
import threading
from collections.abc import Generator

from tasks.deepscale.pretraining_text.batches import Batches, MicroBatch

_LOOK = 0.1  # seconds after which a full queue is looked at again


def prefetched(
    batches: Batches, first: int, stop: int, *, rank: int = 0, workers: int = 1, ahead: int = 2
) -> Generator[tuple[int, list[MicroBatch]], None, None]:
    """Each step from `first` to `stop - 1` with its micro-batches for one worker, `ahead` steps of them in memory.

    The thread ends with the iterator: at the last step, when it is closed or forgotten, and at an error, which is
    raised where the step would have come. Nothing else may use `batches` meanwhile.

    Raises:
        ValueError: less than one step ahead; as `Batches.micro_batches`.
    """
    if ahead < 1:
        raise ValueError(f"ahead is {ahead}; expected at least 1 step")
    made: queue.Queue[tuple[int, list[MicroBatch]] | BaseException | None] = queue.Queue(ahead)
    ended = threading.Event()
    thread = threading.Thread(target=_make, args=(batches, range(first, stop), rank, workers, made, ended), daemon=True)
    thread.start()
    try:
        while (item := made.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        ended.set()
        thread.join()


def _make(batches: Batches, steps: range, rank: int, workers: int, made: "queue.Queue", ended: threading.Event) -> None:
    try:
        for step in steps:
            if not _put(made, (step, list(batches.micro_batches(step, rank, workers))), ended):
                return
        _put(made, None, ended)
    except BaseException as problem:  # it is raised in the thread that waits for the batch
        _put(made, problem, ended)


def _put(made: "queue.Queue", item: object, ended: threading.Event) -> bool:
    """Whether somebody still wants it."""
    while not ended.is_set():
        try:
            made.put(item, timeout=_LOOK)
            return True
        except queue.Full:
            continue
    return False
