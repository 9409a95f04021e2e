"""What one forward and one backward pass of a DeepBert tell of signal propagation, measured by hooks.

Of the residual stream behind the embeddings and each layer, and of the loss's gradient there: variance and covariance
of two tokens. Of each layer's matrices: the norm of their gradient. Sums are taken on the device in float64 and come
back in one transfer at the end. A weight's gradient is measured and dropped as soon as it is there, so that no more
than a few of them exist at a time.

Dimensions: B sequences, T tokens, H width, L layers, I feed-forward width, A heads.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from models.deep_bert import DeepBert, DeepBertConfig

MATRICES = ("qk", "v", "out", "up", "down")
"""Weight matrices of a layer; qk are queries and keys together."""


@dataclass(frozen=True, kw_only=True)
class StreamMoments:
    """Over real tokens, sequences and features; [L + 1] float64: 0 the embeddings, n behind layer n."""

    second: Tensor
    """Mean square of an element."""
    var: Tensor
    """Unbiased variance of all elements about their common mean."""
    cov: Tensor
    """Mean of x_t x_t' over pairs of different tokens of a sequence, same feature, not centred; NaN without pairs."""


@dataclass(frozen=True, kw_only=True)
class Signals:
    """On the CPU, float64."""

    loss: float
    forward: StreamMoments
    gradient: StreamMoments
    """Moments of d loss / d stream."""
    weight_norms: dict[str, Tensor]
    """For each of `MATRICES` [L]: L2 norm of its gradient, not clipped."""
    total_norm: float
    """L2 norm of the gradient of all parameters of the model."""

    @property
    def layer_norms(self) -> Tensor:
        """[L]: of the five matrices of a layer together."""
        return torch.stack([norm.square() for norm in self.weight_norms.values()]).sum(0).sqrt()


def measure_signals(
    model: DeepBert,
    input_ids: Tensor,
    token_type_ids: Tensor | None,
    mask: Tensor | None,
    loss_of: Callable[[Tensor], Tensor],
    counted: Tensor | None = None,
) -> Signals:
    """One forward and one backward pass; the model's gradients are None before and after.

    Args:
        model: in the mode in which it is; dropout draws from torch's global stream.
        input_ids: [B, T].
        token_type_ids: [B, T] or None.
        mask: bool [B, T], True for tokens; None: nothing is padded. Padding is not counted.
        loss_of: the loss, a number, from the encoder's output [B, T, H].
        counted: bool [B, T]: the tokens that count, where they are others than those of `mask`.

    Raises:
        ValueError: no token counts, or a parameter has a gradient already.
    """
    if held := [name for name, p in model.named_parameters() if p.grad is not None]:
        raise ValueError(f"{held[0]} has a gradient already; set the model's gradients to None first")
    counts = mask if counted is None else counted
    if counts is not None and not bool(counts.any()):
        raise ValueError("the mask leaves no token; give a batch with tokens")
    depth = len(model.layers) + 1
    device = input_ids.device
    forward, gradient = (torch.full((depth, 3), torch.nan, dtype=torch.float64, device=device) for _ in range(2))
    norms = torch.zeros(depth - 1, len(MATRICES), dtype=torch.float64, device=device)
    total = torch.zeros((), dtype=torch.float64, device=device)
    handles = []

    def watch(number: int) -> Callable[..., None]:
        def hook(_module: object, _inputs: object, stream: Tensor) -> None:
            forward[number] = _sums(stream.detach(), counts)

            def back(grad: Tensor) -> None:
                gradient[number] = _sums(grad, counts)

            stream.register_hook(back)

        return hook

    for number, module in enumerate([model.embeddings, *model.layer_list]):
        handles.append(module.register_forward_hook(watch(number)))
    places = _places(model)

    def weigh(parameter: Tensor) -> None:
        assert parameter.grad is not None
        squares = parameter.grad.double().square()
        total.add_(squares.sum())
        for layer, column, rows in places.get(parameter, ()):
            norms[layer, column] = squares[rows].sum()
        parameter.grad = None

    try:
        for parameter in model.parameters():
            handles.append(parameter.register_post_accumulate_grad_hook(weigh))
        loss = loss_of(model.encode(input_ids, token_type_ids, mask))
        loss.backward()
    finally:
        for handle in handles:
            handle.remove()
    lengths = torch.full(input_ids.shape[:1], input_ids.shape[1], device=device) if counts is None else counts.sum(1)
    packed = [loss.detach().double(), total, (lengths * (lengths - 1)).sum().double(), lengths.sum().double()]
    flat = torch.cat([torch.stack(packed), forward.flatten(), gradient.flatten(), norms.flatten()]).cpu()
    value, total, pairs, tokens = flat[:4]
    forward, gradient = flat[4 : 4 + 6 * depth].view(2, depth, 3)
    squares = flat[4 + 6 * depth :].view(depth - 1, len(MATRICES))
    H = model.config.width
    return Signals(
        loss=float(value),
        forward=_moments(forward, tokens * H, pairs * H),
        gradient=_moments(gradient, tokens * H, pairs * H),
        weight_norms={name: squares[:, column].sqrt() for column, name in enumerate(MATRICES)},
        total_norm=float(total.sqrt()),
    )


def _sums(x_BTH: Tensor, counts_BT: Tensor | None) -> Tensor:
    """[3]: the sum of x, of its squares, and of x_t x_t' over ordered pairs of different tokens of a sequence.

    (sum_t x)^2 - sum_t x^2 is the sum over pairs, so no T x T matrix is made.
    """
    x = x_BTH.double()
    if counts_BT is not None:
        x = x * counts_BT[..., None]
    over_tokens, squares = x.sum(1), x.square().sum()
    return torch.stack([over_tokens.sum(), squares, over_tokens.square().sum() - squares])


def _moments(sums: Tensor, n: Tensor, pairs: Tensor) -> StreamMoments:
    total, squares, products = sums.unbind(1)
    return StreamMoments(second=squares / n, var=(squares - total**2 / n) / (n - 1), cov=products / pairs)


def _places(model: DeepBert) -> dict[Tensor, list[tuple[int, int, slice]]]:
    """For each matrix of a layer: the layer, the column of `MATRICES`, and which of its rows belong there."""
    H, places = model.config.width, {}
    for number, layer in enumerate(model.layer_list):
        places[layer.qkv.weight] = [(number, 0, slice(0, 2 * H)), (number, 1, slice(2 * H, 3 * H))]
        for column, name in enumerate(MATRICES[2:], start=2):
            places[getattr(layer, name).weight] = [(number, column, slice(None))]
    return places


def pass_bytes(config: DeepBertConfig, sequences: int, tokens: int, predicted: int, recompute: bool) -> int:
    """About how much memory `measure_signals` takes beside the weights, in bytes, for float32.

    Args:
        config: of the model.
        sequences: B.
        tokens: T, padding included.
        predicted: masked positions, whose scores of the vocabulary are kept twice.
        recompute: whether the layers keep their inputs only.
    """
    H, I, A, N = config.width, config.intermediate, config.heads, config.layers  # noqa: E741
    stream = sequences * tokens * H
    # Inside a layer: 11 of the stream's size (both norms' outputs and inputs, q, k, v, the context, two branches) with
    # dropout's masks, the MLP before and behind its activation, and the probabilities before and behind dropout.
    layer = 13 * stream + 2 * sequences * tokens * I + 4 * sequences * A * tokens**2
    kept = N * stream + 2 * layer if recompute else (N + 1) * layer
    heads = 3 * predicted * config.vocab_size + 4 * stream
    largest = 3 * max(config.vocab_size * H, 3 * H * H, H * I)  # a gradient, and its squares in float64
    return 4 * (kept + heads + largest + 4 * stream)
