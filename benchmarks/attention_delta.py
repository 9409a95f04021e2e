"""Delta of a translator as built against a backward pass for each target word. Part of `benchmarks/attention.py`.

The plain way: a batch passes once, and for each target position its log-probabilities go back through the graph that is
kept, by `backward()`, which computes gradients of the weights too. Beside it the same with frozen weights. All ways
must give equal results. Seconds are of the processor, so that a busy machine changes them little; width and vocabulary
are the published ones.

Letters: B batch, S source positions, T target positions.
"""

import time

import torch
from torch import Tensor

from models.attention_translator import BOS, EOS, AttentionTranslator, TranslatorConfig
from models.translator_delta import deltas

Row = tuple[str, float, float, float]


def measure(
    batch: int = 16, source: int = 18, target: int = 18, hidden: int = 256, vocab_size: int = 8000
) -> list[Row]:
    """What, plain seconds, seconds as built, largest difference: of one batch of sentences of different lengths."""
    torch.manual_seed(0)
    config = TranslatorConfig(vocab_size=vocab_size, hidden=hidden, dropout=0.0)
    model = AttentionTranslator(config)
    deltas(model, sentences(2, 4, vocab_size), sentences(2, 4, vocab_size))  # what the first call sets up
    source_BS, target_BT1 = sentences(batch, source, vocab_size), sentences(batch, target + 1, vocab_size)
    rows = []
    for frozen in (False, True):
        model.requires_grad_(not frozen)
        before = time.process_time()
        wanted = plain(model, source_BS, target_BT1)
        between = time.process_time()
        found = deltas(model, source_BS, target_BT1)
        after = time.process_time()
        apart = float((wanted - found).abs().max() / wanted.abs().max())
        what = (
            f"Delta, {batch} x {source} x {target} positions, plain with {'frozen weights' if frozen else 'backward()'}"
        )
        rows.append((what, between - before, after - between, apart))
    return rows


def sentences(batch: int, longest: int, vocab_size: int) -> Tensor:
    """Rows bos … eos of half to all of the length, padded at the end."""
    generator = torch.Generator().manual_seed(longest)
    rows = torch.zeros(batch, longest, dtype=torch.long)
    for number, row in enumerate(rows):
        length = longest - number * (longest // 2) // batch
        row[:length] = torch.randint(4, vocab_size, (length,), generator=generator)
        row[0], row[length - 1] = BOS, EOS
    return rows


def plain(model: AttentionTranslator, source_BS: Tensor, target_BT1: Tensor) -> Tensor:
    """Delta [B, T, S] by T backward passes through one graph."""
    scaled = Scaled(model.embedding.weight, source_BS)
    table, model.embedding = model.embedding, scaled  # pyright: ignore[reportAttributeAccessIssue]
    try:
        log_BTV = model(source_BS, target_BT1)
    finally:
        model.embedding = table
    wanted_BT = target_BT1[:, 1:]
    log_BT = log_BTV.gather(2, wanted_BT[..., None])[..., 0] * (wanted_BT != 0)
    rows = [
        torch.autograd.grad(log_BT[:, t].sum(), scaled.scale_BS, retain_graph=True)[0]
        for t in range(wanted_BT.shape[1])
    ]
    return torch.stack(rows, dim=1)


class Scaled(torch.nn.Module):
    """The embedding, whose source words are multiplied by a scale of ones."""

    def __init__(self, weight: Tensor, source_BS: Tensor):
        super().__init__()
        self.weight, self._source = weight, source_BS
        self.scale_BS = torch.ones(source_BS.shape, dtype=weight.dtype, device=weight.device, requires_grad=True)

    def forward(self, ids: Tensor) -> Tensor:
        x = torch.nn.functional.embedding(ids, self.weight)
        return x * self.scale_BS[..., None] if ids is self._source else x


if __name__ == "__main__":
    from benchmarks.side_by_side import report

    report(str(__doc__).splitlines()[0], {"delta": "benchmarks.attention_delta"}, 1e-4)
