"""The map of samples: which consecutive sentences of a document become one sequence, as published but for the order.

Sentences are added until their tokens reach a target: the longest that fits (the length without three special tokens),
or with a probability of 1/10 one drawn uniformly from 2 … longest. A sample is closed when the target is reached and it
has two sentences or more and more than one is left in the document; else it runs on to the document's end. So each
epoch uses each sentence once, and no sample has less than two.

As published, all epochs are enumerated one after another, each with its own targets. There all of them are shuffled
together; here each is shuffled in itself, so that one epoch is in memory at a time (12 bytes a sample, some 40 while it
is made) and no sample comes twice within an epoch. To go on at a later epoch those before it are counted, less than
a second for a million samples.

Letters: N samples.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tasks.deepscale.pretraining_text.documents import Documents
from tasks.training.seeds import stream_seed

SPECIALS = 3  # [CLS] A [SEP] B [SEP]
SHORT = 10  # one of so many targets is a short one
KEPT = 2  # epochs in memory: batches at the border of two need both


Bounds = tuple[np.ndarray, np.ndarray, np.ndarray]
"""First sentence, number behind the last one, and target of all samples of an epoch, whole numbers [N] each."""


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """Some samples. They are the same whatever was asked for before."""

    first: np.ndarray
    """int64 [N]: number of the first sentence."""
    stop: np.ndarray
    """int64 [N]: number behind the last sentence."""
    target: np.ndarray
    """int64 [N]: most tokens of text; what is more is cut off."""
    stream: np.ndarray
    """uint64 [N]: seed of each sample's own random numbers."""
    n_tokens: np.ndarray
    """int64 [N]: tokens of the sequence, special ones included."""

    def __len__(self) -> int:
        return len(self.first)

    def pick(self, at: np.ndarray) -> "Chosen":
        return Chosen(**{name: values[at] for name, values in vars(self).items()})

    @staticmethod
    def joined(parts: Sequence["Chosen"]) -> "Chosen":
        columns = {name: [vars(part)[name] for part in parts] for name in vars(parts[0])}
        return Chosen(**{name: np.concatenate(values) for name, values in columns.items()})


class Samples:
    """The samples of a part, in the order in which they are trained on."""

    def __init__(self, documents: Documents, *, length: int, seed: int, legacy_short: bool = False):
        """Count the first epoch.

        Args:
            length: of a sequence in tokens, special ones included.
            legacy_short: draw short targets as published, from the number that was found to be divisible by ten: when
                the longest is odd (as for 512 and 256 tokens) they are all even.
        """
        self.documents, self.length, self.seed, self.legacy_short = documents, length, seed, legacy_short
        self._epochs: dict[int, Bounds] = {}
        self._starts = [0]  # of each epoch among all samples
        self._grow()

    @property
    def epoch_size(self) -> int:
        """Samples of the first epoch; the others have nearly as many."""
        return self._starts[1]

    def take(self, first: int, count: int) -> Chosen:
        """The samples `first` … `first + count - 1` of all epochs end to end."""
        while self._starts[-1] < first + count:
            self._grow()
        epoch = int(np.searchsorted(self._starts, first, side="right")) - 1
        found = []
        while count > 0:
            begin = first - self._starts[epoch]
            found.append(self._chosen(epoch, slice(begin, begin + count)))
            first, count, epoch = first + len(found[-1]), count - len(found[-1]), epoch + 1
        return Chosen.joined(found)

    def _chosen(self, epoch: int, at: slice) -> Chosen:
        if epoch not in self._epochs:
            for old in sorted(self._epochs)[: len(self._epochs) - KEPT + 1]:
                del self._epochs[old]
            self._epochs[epoch] = self._ordered(epoch)
        first, stop, target = (column[at].astype(np.int64) for column in self._epochs[epoch])
        offsets = self.documents.sentences
        return Chosen(
            first=first,
            stop=stop,
            target=target,
            stream=numbered(stream_seed(self.seed, "pretraining", "samples", epoch), first),
            n_tokens=np.minimum(offsets[stop] - offsets[first], target) + SPECIALS,
        )

    def _ordered(self, epoch: int) -> Bounds:
        first, stop, target = self._bounds(epoch)
        order = np.argsort(numbered(stream_seed(self.seed, "pretraining", "order", epoch), first), kind="stable")
        return first[order], stop[order], target[order]

    def _grow(self) -> None:
        epoch = len(self._starts) - 1
        self._starts.append(self._starts[-1] + len(self._bounds(epoch)[0]))

    def _bounds(self, epoch: int) -> Bounds:
        """The samples of an epoch in any order. All documents go on together, a sample at a time."""
        seed = stream_seed(self.seed, "pretraining", "targets", epoch)
        offsets = self.documents.sentences
        kind = np.uint32 if len(offsets) <= 1 << 32 else np.int64
        at, end = self.documents.documents[:-1], self.documents.documents[1:]
        found = []
        while len(at):
            target = targets(numbered(seed, at), self.length - SPECIALS, self.legacy_short)
            reached = np.searchsorted(offsets, offsets[at] + target, side="left")
            stop = np.maximum(reached, at + 2)
            stop = np.where(end - stop > 1, stop, end)
            found.append((at.astype(kind), stop.astype(kind), target.astype(np.uint32)))
            going = stop < end
            at, end = stop[going], end[going]
        first, stop, target = (np.concatenate(column) for column in zip(*found, strict=True))
        return first, stop, target


def targets(draws: np.ndarray, longest: int, legacy_short: bool = False) -> np.ndarray:
    """Targets of samples in tokens of text, int64 [N], of independent draws uint64 [N]."""
    if legacy_short:  # the published 32-bit number serves twice
        number = (draws >> np.uint64(32)).astype(np.int64)
        return np.where(number % SHORT == 0, 2 + number % (longest - 1), longest)
    u = unit(draws)
    # What u has left over after the first choice is again uniform.
    return np.where(u * SHORT < 1, 2 + (u * SHORT * (longest - 1)).astype(np.int64), longest)


# Random numbers that are drawn by number instead of by turn: those of sample i cost nothing of the samples before it.
# They are those of SplitMix64 (Steele, Lea and Flood 2014), whose n-th number is a function of seed and n. A NumPy
# generator a sample would take longer to make than the sample.
_STEP = np.uint64(0x9E3779B97F4A7C15)
_ONE, _TWO = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_S30, _S27, _S31, _S11 = (np.uint64(n) for n in (30, 27, 31, 11))


def numbered(seed: int, numbers: np.ndarray) -> np.ndarray:
    """The draws of these numbers (whole, 0 or more) of the stream `seed`, uint64 of the same shape.

    Each may be the seed of a stream of its own.
    """
    return _mixed(np.uint64(seed) + (numbers.astype(np.uint64) + np.uint64(1)) * _STEP)


def streams(seed_B: np.ndarray, purpose: int, count: int) -> np.ndarray:
    """The first `count` draws of each seed for one purpose, uint64 [B, count]; other purposes give others."""
    own_B = _mixed(seed_B ^ _mixed(np.array([purpose + 1], np.uint64) * _STEP))
    return _mixed(own_B[:, None] + np.arange(1, count + 1, dtype=np.uint64) * _STEP)


def unit(draws: np.ndarray) -> np.ndarray:
    """Draws as float64 in [0, 1), with all of their 53 bits."""
    return (draws >> _S11) * 2.0**-53


def below(draws: np.ndarray, limit: np.ndarray | int) -> np.ndarray:
    """Draws as int64 in 0 … limit - 1."""
    return (unit(draws) * limit).astype(np.int64)


def _mixed(x: np.ndarray) -> np.ndarray:
    x = (x ^ (x >> _S30)) * _ONE
    x = (x ^ (x >> _S27)) * _TWO
    return x ^ (x >> _S31)
