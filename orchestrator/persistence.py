"""Requests to object stores that fail for a reason that passes are made again, for half a minute.

The S3 client itself tries a request again for about six seconds. That covers a server that refuses every third request,
not one that restarts. What does not pass by waiting (no such bucket, no permission) is raised at once.
"""

import logging
import re
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from typing import TypeVar

log = logging.getLogger(__name__)
T = TypeVar("T")

PERSIST_SECONDS = 30.0  # no try begins later than this after the first; the last may take its six seconds more
FIRST_PAUSE = 1.0  # doubled after each try

# pyarrow knows no types for these: its message names the service's error code, or at least the status of the answer.
_FINAL = re.compile(
    r"AWS Error (ACCESS_DENIED|NO_SUCH_\w+|INVALID_\w+|SIGNATURE_DOES_NOT_MATCH|UNRECOGNIZED_CLIENT|EXPIRED_TOKEN"
    r"|MISSING_\w+|NOT_INITIALIZED|OPTIN_REQUIRED|VALIDATION|MALFORMED_\w+)"
    r"|HTTP status (400|401|403|404|405|409|411|412|413)"
    r"|(PERMISSION_DENIED|UNAUTHENTICATED|INVALID_ARGUMENT|NOT_FOUND|FAILED_PRECONDITION)"
)


class StorageError(OSError):
    """An object store refuses or does not answer; the message says what was wanted, where, and what it said."""


def persist(request: Callable[[], T], what: str) -> T:
    """The result of `request`, which is made again with growing pauses where it fails for a reason that passes.

    Args:
        what: what it does and where, for the error: `writing jobs.parquet in s3://bucket/sweeps`.

    Raises:
        StorageError: when the store refuses, or has not answered for half a minute.
        FileNotFoundError, and other errors with a number of their own: at once, as they are.
    """
    began, pause, tries = time.monotonic(), FIRST_PAUSE, 0
    while True:
        tries += 1
        try:
            return request()
        except OSError as problem:
            if problem.errno is not None:  # no such file, or something on this machine, such as a full disk
                raise
            if _FINAL.search(str(problem)) is not None:
                raise StorageError(f"{what} is refused: {problem}") from problem
            if time.monotonic() + pause - began > PERSIST_SECONDS:
                often = f"{tries} times in {time.monotonic() - began:.0f} s"
                raise StorageError(
                    f"{what} failed {often}: {problem}. Is the store up, and the address right?"
                ) from problem
            log.info("%s failed, it is tried again in %.0f s: %s", what, pause, problem)
        time.sleep(pause)
        pause *= 2


def uninterrupted(work: Callable[[], T]) -> T:
    """The result of `work`, which a signal does not end half way: a thread of its own makes it, and is waited for.

    Python raises KeyboardInterrupt in the main thread alone. One that comes before the work has begun cancels it.
    """
    result: Future[T] = Future()

    def body() -> None:
        if result.set_running_or_notify_cancel():
            try:
                result.set_result(work())
            except BaseException as problem:
                result.set_exception(problem)

    try:
        threading.Thread(target=body).start()
        return result.result()
    except BaseException:
        if not result.cancel():
            wait([result])
        raise
