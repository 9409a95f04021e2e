"""Operations of a training step, and what devices can do at most: model-FLOPs utilisation.

Counted are the products of the model as it is defined: forward 2 operations a weight of a matrix and token, and 4 T H a
token and layer for attention's two products; backward twice that. The heads count where they are needed: masked pieces,
first tokens. Padding, recomputed layers, lookups, LayerNorms, dropout and the optimiser do not count, so 100 % is out
of reach (Chowdhery et al. 2022, appendix B, says so for PaLM).

Dimensions: B sequences, T tokens, H width, I feed-forward width, L layers, V vocabulary, P masked pieces, S tokens of a
batch without padding.
"""

import time

import torch
from torch import Tensor

from models.deep_bert import DeepBertConfig

# Dense, without sparsity, in operations a second, as NVIDIA's data sheets say them. First match of the name counts.
_PEAKS = (
    ("B200", {"bf16": 2.25e15, "float32": 75e12, "float64": 37e12}),
    ("H200", {"bf16": 989e12, "float32": 67e12, "float64": 67e12}),
    ("H100 PCIe", {"bf16": 756e12, "float32": 51e12, "float64": 51e12}),
    ("H100", {"bf16": 989e12, "float32": 67e12, "float64": 67e12}),
    ("A100", {"bf16": 312e12, "float32": 19.5e12, "float64": 19.5e12}),
    ("A10", {"bf16": 125e12, "float32": 31.2e12}),
    ("L40S", {"bf16": 362e12, "float32": 91.6e12}),
    ("L4", {"bf16": 121e12, "float32": 30.3e12}),
)
_SIZE, _TRIES = 768, 5  # of the product that is timed on a CPU


def training_flops(config: DeepBertConfig, lengths_B: Tensor, pieces: int) -> float:
    """Operations of the forward and backward pass of one micro-batch.

    Args:
        config: of the network.
        lengths_B: tokens of each sequence without padding.
        pieces: P, how many positions the masked-language-model head sees.
    """
    H, inner = config.width, config.intermediate
    S, pairs = float(lengths_B.sum()), float(lengths_B.double().square().sum())
    layer = 2 * S * (4 * H * H + 2 * H * inner) + 4 * H * pairs
    heads = 2 * pieces * (H * H + H * config.vocab_size) + 2 * len(lengths_B) * (H * H + 2 * H)
    return 3 * (config.layers * layer + heads)


def peak_flops(device: torch.device, precision: str) -> float:
    """Operations a second that the device can do at most; NaN where it is not known.

    Of a GPU from the data sheet of its name. Of a CPU what a large product of matrices does, with the threads that
    torch has here, measured when asked for: others who use the machine make it smaller, and the utilisation larger.
    """
    if device.type == "cuda":
        name = torch.cuda.get_device_name(device)
        return next((peaks.get(precision, float("nan")) for known, peaks in _PEAKS if known in name), float("nan"))
    if device.type != "cpu":
        return float("nan")
    dtype = {"bf16": torch.bfloat16, "float32": torch.float32, "float64": torch.float64}[precision]
    a = torch.ones(_SIZE, _SIZE, dtype=dtype)
    best = float("inf")
    for _ in range(_TRIES):
        start = time.perf_counter()
        torch.mm(a, a)
        best = min(best, time.perf_counter() - start)
    return 2 * _SIZE**3 / best
