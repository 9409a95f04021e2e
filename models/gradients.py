"""The gradient of a classifier's loss with respect to all of its parameters, as one vector.

Rows of the word-embedding table that no text reads have a gradient of exactly zero, so they need no room: of a batch's
gradient only the rows of the ids that any batch reads are kept.

Dimensions: B batch, T tokens, C outputs, V vocabulary, W ids that are read, P parameters, S of them that are kept.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import PreTrainedModel

from models.transformer import model_inputs

Inputs = tuple[Tensor, Tensor | None, Tensor]
"""input_ids, token_type_ids and attention_mask, [B, T] each."""


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Where the gradient of each parameter stands in the vector [S]: in the order of `named_parameters`."""

    names: tuple[str, ...]
    parameters: tuple[nn.Parameter, ...]
    sizes: tuple[int, ...]
    """Kept entries of each."""
    word_table: str | None
    """The parameter of which only some rows are kept; None: all parameters are kept whole."""
    word_rows: Tensor
    """[W]: these rows, ascending."""

    @property
    def total(self) -> int:
        """P."""
        return sum(parameter.numel() for parameter in self.parameters)

    @property
    def kept(self) -> int:
        """S."""
        return sum(self.sizes)


def gradient_layout(model: PreTrainedModel, ids: Iterable[Tensor]) -> Layout:
    """The layout for texts with these token ids, which must be all that the model will read."""
    parameters = {name: p for name, p in model.named_parameters() if p.requires_grad}
    table = model.get_input_embeddings().weight
    assert isinstance(table, nn.Parameter)  # of an embedding
    read = torch.zeros(len(table), dtype=torch.bool)
    for batch in ids:
        read[batch.flatten().cpu()] = True
    users = [module for module in model.modules() if any(p is table for p in module.parameters(recurse=False))]
    # A table that is also something else, such as the weights of a readout, has gradients in all of its rows.
    alone = len(users) == 1 and isinstance(users[0], nn.Embedding)
    word_table = next((name for name, p in parameters.items() if p is table), None) if alone else None
    rows = read.nonzero()[:, 0].to(table.device)
    sizes = (len(rows) * p[0].numel() if name == word_table else p.numel() for name, p in parameters.items())
    return Layout(
        names=tuple(parameters),
        parameters=tuple(parameters.values()),
        sizes=tuple(sizes),
        word_table=word_table,
        word_rows=rows,
    )


def classifier_loss(model: PreTrainedModel, inputs: Inputs, labels: Tensor) -> Tensor:
    """Mean over the batch: cross-entropy (nats) for classes, squared error for scores (labels that are floats), [].

    Raises:
        ValueError: scores for a model of several outputs.
    """
    logits_BC = model(**model_inputs(model, *inputs)).logits
    if not labels.is_floating_point():
        return functional.cross_entropy(logits_BC, labels)
    if logits_BC.shape[-1] != 1:
        raise ValueError(f"scores go with one output, the model has {logits_BC.shape[-1]}")
    return functional.mse_loss(logits_BC[:, 0], labels.to(logits_BC.dtype))


def add_gradient(
    model: PreTrainedModel, layout: Layout, inputs: Inputs, labels: Tensor, share: float, into: Tensor
) -> float:
    """Add `share` times the gradient of `classifier_loss` to the vector `into` [S]; returns the loss.

    The mean over micro-batches of equal size is the gradient of the whole batch: give each the same share. A parameter
    that the loss does not depend on has the gradient zero.
    """
    loss = classifier_loss(model, inputs, labels)
    found = torch.autograd.grad(loss, layout.parameters, allow_unused=True)
    for name, gradient, part in zip(layout.names, found, into.split(layout.sizes), strict=True):
        if gradient is not None:
            kept = gradient[layout.word_rows] if name == layout.word_table else gradient
            part.add_(kept.flatten(), alpha=share)
    return float(loss.detach())
