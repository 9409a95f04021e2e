"""A network on the test part: each sequence exactly once, shared among the workers.

Dimensions: B sequences, P masked tokens, V vocabulary.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tasks.deepscale.deep_bert.arrangement import Arrangement, Workers
from tasks.deepscale.deep_bert.stages import PretrainParams
from tasks.deepscale.deep_bert.steps import losses
from tasks.deepscale.pretraining_text.batches import Batches, MicroBatch
from tasks.deepscale.pretraining_text.documents import Documents
from tasks.deepscale.pretraining_text.samples import Chosen


@dataclass(frozen=True, kw_only=True)
class TestScores:
    """Means over all masked tokens, and over all sequences, of the test part; losses in nats. By default untested."""

    __test__ = False  # of pytest: this is no test

    mlm_loss: float = math.nan
    mlm_accuracy: float = math.nan
    order_loss: float = math.nan
    order_accuracy: float = math.nan
    unigram_loss: float = math.nan
    """What naming tokens by their frequencies in the training part costs."""
    n_pieces: int = 0
    n_sequences: int = 0

    def rows(self) -> dict[str, float]:
        """Values of the table `training`."""
        names = ("mlm_loss", "mlm_accuracy", "order_loss", "order_accuracy")
        return {"test_loss": self.mlm_loss + self.order_loss, **{f"test_{n}": getattr(self, n) for n in names}}


def batches_of(documents: Documents, params: PretrainParams, **changed: Any) -> Batches:
    """The batches of a job, with changed settings."""
    names = ("length", "global_batch", "micro_batch", "seed", "buckets", "legacy_short")
    return Batches(documents, **{name: getattr(params, name) for name in names} | changed)


class Testing:
    """The test part of a run, ready to be gone through."""

    __test__ = False

    def __init__(self, test: Documents, params: PretrainParams, workers: Workers):
        self._batches = batches_of(test, params, global_batch=1, micro_batch=1)
        self._parts = self._batches.once(params.micro_batch, params.test_samples)
        # One more of each token, so that no cost is infinite.
        self._cost_V = torch.from_numpy(-np.log((test.counts + 1.0) / (test.counts + 1.0).sum()))
        share = test.counts[test.counts > 0] / test.counts.sum()
        self.unigram_entropy = float(-(share * np.log(share)).sum())
        self._params, self._workers = params, workers

    @torch.no_grad()
    def scores(self, arrangement: Arrangement) -> TestScores:
        """Go through it, without dropout. All workers must ask at once, and get the same."""
        model, workers = arrangement.model, self._workers
        sums = torch.zeros(7, dtype=torch.float64, device=workers.device)
        model.eval()
        # Each worker makes the same number of passes, since weights in parts are gathered in each.
        for at in range(0, len(self._parts), workers.count):
            own = at + workers.rank
            chosen = self._parts[own] if own < len(self._parts) else self._parts[0]
            found = self._pass(arrangement, chosen, at)
            sums += found if own < len(self._parts) else 0 * found.nan_to_num()
        model.train()
        loss, right, order, ordered, unigram, pieces, sequences = workers.total(sums).tolist()
        return TestScores(
            mlm_loss=loss / max(1, pieces),
            mlm_accuracy=right / max(1, pieces),
            order_loss=order / sequences,
            order_accuracy=ordered / sequences,
            unigram_loss=unigram / max(1, pieces),
            n_pieces=int(pieces),
            n_sequences=int(sequences),
        )

    def _pass(self, arrangement: Arrangement, chosen: Chosen, index: int) -> Tensor:
        """Sums over one micro-batch, float64 [7]."""
        batch: MicroBatch = self._batches.micro_batch_of(chosen, index)
        device = self._workers.device
        counts = [float(self._cost_V[batch.labels].sum()), len(batch.labels), len(batch.order)]
        here = batch.to(device)
        with torch.autocast(device.type, torch.bfloat16, enabled=self._params.precision == "bf16"):
            # The model itself, not its wrapper: no gradient is exchanged.
            logits_PV, logits_B2 = arrangement.model(here.input_ids, here.token_type_ids, here.mask, here.positions)
            mlm, order = losses(logits_PV, logits_B2, here)
        found = [
            mlm.double() * len(here.labels),
            (logits_PV.argmax(dim=-1) == here.labels).sum().double(),
            order.double() * len(here.order),
            (logits_B2.argmax(dim=-1) == here.order).sum().double(),
        ]
        return torch.cat([torch.stack(found), torch.tensor(counts, dtype=torch.float64, device=device)])
