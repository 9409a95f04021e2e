"""Short calls go to a worker together: handing over a call costs about a millisecond, as long as a small job takes.

A stage's calls are bundled once enough of them have been seen to be short. Only first attempts are: where a bundle's
process dies, nobody knows which of its calls did it, so each runs again alone.
"""

import statistics
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from orchestrator.call import Call
from orchestrator.experiment import Resources

BUNDLE_SECONDS = 0.2  # of work in one bundle; what a dying process takes with it
LARGEST = 32  # calls in one bundle
SEEN = 20  # outcomes of a stage before its calls are bundled, and of which their median says how long calls take

Bundle = list[tuple[str, Call]]
"""Calls with their keys, in the order in which they run."""


@dataclass
class Bundles:
    """Collects calls until their bundle is full."""

    _seconds: dict[bytes, float] = field(default_factory=dict)
    _last: dict[bytes, deque[float]] = field(default_factory=dict)
    _open: dict[tuple[bytes, Resources], Bundle] = field(default_factory=dict)
    size: int = 1
    """Calls in the bundle that the last call went into."""

    def ended(self, stage: bytes, seconds: float) -> None:
        """A call of this stage took so long.

        The median of the last ones counts: the first call of each process imports what it needs, and a busy machine
        holds a call up now and then, which says nothing of the others.
        """
        last = self._last.setdefault(stage, deque(maxlen=SEEN))
        last.append(seconds)
        if len(last) == SEEN:
            self._seconds[stage] = statistics.median(last)

    def add(self, key: str, call: Call, wants: Resources) -> Bundle | None:
        """Take a call; returns a bundle that can go, with it in it, or None when more are waited for."""
        self.size = self._size(call)
        if self.size == 1:
            return [(key, call)]
        bundle = self._open.setdefault((call.stage, wants), [])
        bundle.append((key, call))
        if len(bundle) < self.size:
            return None
        return self._open.pop((call.stage, wants))

    def rest(self) -> Iterator[tuple[Resources, Bundle]]:
        """The bundles that are not full, with what they want; they are given away by this."""
        while self._open:
            (_, wants), bundle = self._open.popitem()
            yield wants, bundle

    def _size(self, call: Call) -> int:
        if call.attempt > 1 or call.gpus or call.stage not in self._seconds:
            return 1
        return max(1, min(LARGEST, int(BUNDLE_SECONDS / max(self._seconds[call.stage], 1e-6))))
