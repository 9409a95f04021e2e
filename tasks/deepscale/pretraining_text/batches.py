"""The micro-batches of any step: the same ones whatever came before and however many workers share them.

A step's global batch is a fixed row of micro-batches; worker w of W takes those with the numbers w, w + W, …

Buckets: the samples of some consecutive steps (a window of about 4,000 samples, never more than an epoch) are sorted
by length and cut into micro-batches, which go to the steps of the window in random order. So what is together is about
as long, little is padded, and each step has short and long samples. A step's micro-batches stand with the longest
first, so that workers with neighbouring numbers have about as much to do. Without buckets (published) samples are taken
as they come, and padded to the full length.

What this changes: a step's loss is the mean over micro-batches of means over masked tokens, so one in a bucket of short
samples counts for more than one among long samples, while sequences count about alike.

Letters: B micro-batch, T tokens, P masked tokens, K steps of a window, M micro-batches of a step.
"""

import itertools
from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from orchestrator.limits import require
from tasks.data.errors import DataError
from tasks.deepscale.pretraining_text.documents import Documents
from tasks.deepscale.pretraining_text.plan import check_batches
from tasks.deepscale.pretraining_text.samples import Chosen, Samples
from tasks.deepscale.pretraining_text.sequences import Hidden, Sequences, hide, sequences
from tasks.training.seeds import permutation

WINDOW = 4096  # samples
MULTIPLE = 8  # tokens: lengths that the kernels of GPUs are fast at


@dataclass(frozen=True, kw_only=True)
class MicroBatch:
    """What goes through the model at once, on the CPU until it is moved."""

    input_ids: Tensor
    """int64 [B, T]."""
    token_type_ids: Tensor
    """int64 [B, T]: 0 for A and padding, 1 for B."""
    mask: Tensor | None
    """bool [B, T]: True for a token, False for padding. None when nothing is padded."""
    positions: Tensor
    """int64 [P]: places of the masked tokens in the flattened B*T."""
    labels: Tensor
    """int64 [P]: what stood there."""
    order: Tensor
    """int64 [B]: 1 where the segments are swapped."""
    index: int
    """Number in its global batch."""
    n_tokens: int
    """Tokens without padding."""

    @staticmethod
    def of(given: Sequences, hidden: Hidden, index: int) -> "MicroBatch":
        """The tensors of sequences and of what is masked in them."""
        width = given.ids.shape[1]
        mask_BT = None if given.lengths.min() == width else np.arange(width) < given.lengths[:, None]
        return MicroBatch(
            input_ids=torch.from_numpy(hidden.ids),
            token_type_ids=torch.from_numpy(given.types),
            mask=None if mask_BT is None else torch.from_numpy(mask_BT),
            positions=torch.from_numpy(hidden.positions),
            labels=torch.from_numpy(hidden.labels),
            order=torch.from_numpy(given.swapped),
            index=index,
            n_tokens=int(given.lengths.sum()),
        )

    def to(self, device: str | torch.device) -> "MicroBatch":
        """A copy on a device."""
        tensors = {name: value for name, value in vars(self).items() if isinstance(value, Tensor)}
        return replace(self, **{name: value.to(device, non_blocking=True) for name, value in tensors.items()})


class Batches:
    """The global batches of one part, by the number of the step."""

    def __init__(
        self,
        documents: Documents,
        *,
        length: int,
        global_batch: int,
        micro_batch: int,
        seed: int,
        buckets: bool = True,
        legacy_short: bool = False,
    ):
        """Count an epoch.

        Args:
            length: most tokens of a sequence, special ones included.
            global_batch: sequences a step.
            micro_batch: sequences that go through the model at once.
            buckets: put sequences of about the same length together; else all are padded to `length`.
            legacy_short: short samples as published (README 4): of even length, some with nothing masked.

        Raises:
            ValueError: numbers that do not go together.
            DataError: a corpus that is shorter than one global batch.
        """
        check_batches(length=length, global_batch=global_batch, micro_batch=micro_batch)
        self.documents, self.length, self.seed = documents, length, seed
        self.global_batch, self.micro_batch = global_batch, micro_batch
        self.buckets, self.legacy_short = buckets, legacy_short
        self.samples = Samples(documents, length=length, seed=seed, legacy_short=legacy_short)
        if self.samples.epoch_size < global_batch:
            raise DataError(
                f"corpus {documents.meta['corpus']}: {len(documents.tokens):,} tokens are {self.samples.epoch_size} "
                f"sequences of up to {length}, fewer than one batch of {global_batch}; give a larger corpus, a smaller "
                "global batch, or shorter sequences"
            )
        self.n_micro = global_batch // micro_batch
        self.window = max(1, min(WINDOW, self.samples.epoch_size) // global_batch)
        self._kept: tuple[int, Chosen, np.ndarray] | None = None

    def micro_batches(self, step: int, rank: int = 0, workers: int = 1) -> Iterator[MicroBatch]:
        """The micro-batches of a step (from 0) for one worker, each made when it is asked for.

        Raises:
            ValueError: workers that do not divide the number of micro-batches, or a rank that is none of theirs.
        """
        check_batches(length=self.length, global_batch=self.global_batch, micro_batch=self.micro_batch, workers=workers)
        if not 0 <= rank < workers or step < 0:
            raise ValueError(f"step {step} of rank {rank} of {workers} workers; expected numbers from 0, below workers")
        window, at = divmod(step, self.window)
        chosen, plan_KMB = self._planned(window)
        return (self.micro_batch_of(chosen.pick(plan_KMB[at, m]), m) for m in range(rank, self.n_micro, workers))

    def _planned(self, window: int) -> tuple[Chosen, np.ndarray]:
        """The samples of a window and which of them each micro-batch has, int64 [K, M, B]."""
        if self._kept is None or self._kept[0] != window:
            size = self.window * self.global_batch
            chosen = self.samples.take(window * size, size)
            plain = np.arange(size).reshape(self.window, self.n_micro, self.micro_batch)
            self._kept = window, chosen, self._bucketed(chosen, window) if self.buckets else plain
        return self._kept[1:]

    def _bucketed(self, chosen: Chosen, window: int) -> np.ndarray:
        by_length = np.argsort(-chosen.n_tokens, kind="stable").reshape(-1, self.micro_batch)
        mixed = permutation(len(by_length), self.seed, "pretraining", "buckets", window)
        return by_length[np.sort(mixed.reshape(self.window, self.n_micro), axis=1)]

    def _width(self, longest: int) -> int:
        if not self.buckets:
            return self.length
        return min(self.length, -(-longest // MULTIPLE) * MULTIPLE)

    def micro_batch_of(self, chosen: Chosen, index: int) -> MicroBatch:
        """The micro-batch of these sequences, with a number."""
        documents = self.documents
        given = sequences(documents, chosen, self._width(int(chosen.n_tokens.max())))
        hidden = hide(
            given,
            chosen.target,
            chosen.stream,
            continues=documents.continues,
            mask_id=documents.meta["mask_token_id"],
            legacy_none=self.legacy_short,
        )
        return MicroBatch.of(given, hidden, index)

    def once(self, size: int, limit: int | None = None) -> list[Chosen]:
        """The first epoch's sequences for evaluation, each once, at most `limit` of them, the longest first.

        They are in micro-batches of `size`, the last may have fewer; `micro_batch_of` makes one.
        """
        count = self.samples.epoch_size if limit is None else min(limit, self.samples.epoch_size)
        chosen = self.samples.take(0, count)
        by_length = np.argsort(-chosen.n_tokens, kind="stable")
        return [chosen.pick(by_length[at : at + size]) for at in range(0, count, size)]


def prefetched(
    batches: Batches, first: int, stop: int, *, rank: int = 0, workers: int = 1, ahead: int = 2
) -> Generator[tuple[int, list[MicroBatch]], None, None]:
    """Each step from `first` to `stop - 1` with its micro-batches for one worker; a thread makes those to come.

    The next `ahead + 1` steps are in memory. The thread ends with the iterator: at the last step, when it is closed or
    forgotten, and at an error, which is raised where the step would have come. Nothing else may use `batches`
    meanwhile.

    Raises:
        ValueError: less than one step ahead; as `Batches.micro_batches`.
    """
    require(ahead >= 1, "ahead", ahead, "at least 1 step")
    pool, steps = ThreadPoolExecutor(1), iter(range(first, stop))
    coming: deque[tuple[int, Future[list[MicroBatch]]]] = deque()

    def begin(count: int) -> None:
        for step in itertools.islice(steps, count):
            coming.append((step, pool.submit(lambda at: list(batches.micro_batches(at, rank, workers)), step)))

    try:
        begin(ahead + 1)
        while coming:
            step, made = coming.popleft()
            begin(1)
            yield step, made.result()
    finally:
        pool.shutdown(cancel_futures=True)
