"""Base, heads, training data and evaluation set, each from a stream of its own (README 5).

One base is the same for every model; a head is the same in whatever model it is, alone or in a combination. Nothing is
handed on from job to job: heads are drawn again from their streams.

Dimensions: G stacked models, M heads, B sequences of an update, N of the evaluation set, L symbols, T target positions.
"""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from metrics.copying import attention_accuracy, copy_accuracy
from models.multihead_copying import AttentionHead, MultiHeadConfig, MultiHeadCopyModel, StackedMultiHead
from tasks.attention.copying.training import draw_sequences, drawn, framed
from tasks.attention.multihead_copying.stages import MultiHeadParams
from tasks.training.seeds import torch_stream

Kind = Literal["candidate", "random"]
"""Heads that are screened, and heads that are not; each kind has streams of its own."""
STREAM = "multihead_copying"


def models_of(params: MultiHeadParams, heads: Sequence[Sequence[int]], kind: Kind) -> list[MultiHeadCopyModel]:
    """A model on the base for each tuple of heads; all have the same number.

    Args:
        heads: Numbers of the heads of each model.
        kind: Of all of them.
    """
    config = MultiHeadConfig(symbols=params.symbols, hidden=params.hidden, heads=len(heads[0]))
    alone = MultiHeadConfig(symbols=params.symbols, hidden=params.hidden, heads=1)
    base = drawn(lambda: MultiHeadCopyModel(alone), params.base_seed, STREAM, "base").state_dict()
    shared = {name: weight for name, weight in base.items() if not name.startswith("heads.")}
    drawn_heads = {
        number: drawn(lambda: AttentionHead(params.hidden), params.base_seed, STREAM, kind, number).state_dict()
        for number in {number for numbers in heads for number in numbers}
    }
    found = []
    for numbers in heads:
        weights = dict(shared)
        for place, number in enumerate(numbers):
            weights |= {f"heads.{place}.{name}": weight for name, weight in drawn_heads[number].items()}
        with torch.device("meta"):  # so that no random numbers are drawn for weights that are replaced
            model = MultiHeadCopyModel(config)
        model.load_state_dict({name: weight.clone() for name, weight in weights.items()}, assign=True)
        found.append(model)
    return found


class TrainingData:
    """The batches of several data seeds, step by step; models with one data seed see the same sequences."""

    def __init__(self, params: MultiHeadParams, seeds: Sequence[int]):
        self._params = params
        self._streams = {seed: torch_stream(seed, STREAM, "training") for seed in seeds}

    def next(self, seeds: Sequence[int], device: torch.device) -> tuple[Tensor, Tensor]:
        """(source [G, B, L + 1], target [G, B, L + 2]) for each model's data seed; [1, ...] where it is one for all."""
        params = self._params
        fresh = {
            seed: draw_sequences(params, params.length, params.batch, stream) for seed, stream in self._streams.items()
        }
        chosen = seeds if len(set(seeds)) > 1 else seeds[:1]
        return framed(torch.stack([fresh[seed] for seed in chosen]).to(device), params.symbols)


def evaluation_set(params: MultiHeadParams, device: torch.device) -> tuple[Tensor, Tensor]:
    """The sequences that every model is evaluated on: source [1, N, L + 1], target [1, N, L + 2]."""
    stream = torch_stream(params.base_seed, STREAM, "evaluation")
    set_NL = draw_sequences(params, params.length, params.evaluation_sequences, stream)
    return framed(set_NL[None].to(device), params.symbols)


def measure(
    stack: StackedMultiHead, source: Tensor, target: Tensor
) -> tuple[list[float], list[list[float]], list[list[float]]]:
    """(accuracy [G], attention accuracy of each head [G][M], the same one position late [G][M])."""
    predicted, attended_GMNT = stack.predict(source, target[..., :-1])
    exact, late = (attention_accuracy(attended_GMNT, shift, with_end=False).tolist() for shift in (0, 1))
    return copy_accuracy(predicted, target[..., 1:]).tolist(), exact, late
