"""Memory of this process and of its machine: the peaks of a job, and what a job may plan with."""

import os
import resource
import sys
import time

Peaks = tuple[float, float | None]
"""Peak memory of a process, in MiB: resident, and of its GPU where it has one."""
_free: tuple[float, int] = (float("-inf"), 0)  # when it was looked up, bytes
_CORES = os.cpu_count() or 1


def peaks(device: str) -> Peaks:
    """The peaks of this process since `reset_peaks`."""
    torch = sys.modules.get("torch")
    if device == "cpu" or torch is None:
        return peak_memory_mb(), None
    return peak_memory_mb(), torch.cuda.max_memory_allocated(device) / 2**20


def reset_peaks() -> None:
    """Measure the peaks of what follows."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        torch.cuda.reset_peak_memory_stats()
    try:  # "5" resets the peak of this process, so that a warm worker reports the job's own
        file = os.open("/proc/self/clear_refs", os.O_WRONLY)
    except OSError:
        return
    try:
        os.write(file, b"5")
    except OSError:
        return
    finally:
        os.close(file)


def peak_memory_mb() -> float:
    """Peak resident memory of this process, in MiB."""
    try:
        with open("/proc/self/status", "rb", buffering=0) as file:
            text = file.read(4096)
        return int(text.partition(b"VmHWM:")[2].split(None, 1)[0]) / 1024
    except (OSError, IndexError, ValueError):  # no Linux
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def memory_share(threads: int) -> int:
    """Bytes that a job may plan with: 80 % of the free memory, divided as the cores are."""
    global _free
    if time.monotonic() - _free[0] > 1.0:  # a look takes as long as a short job
        import psutil

        _free = time.monotonic(), psutil.virtual_memory().available
    return int(_free[1] * 0.8 * min(1.0, threads / _CORES))
