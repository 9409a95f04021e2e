"""The definitions of a "random network" that published work uses, side by side (`tasks/transient_chaos/README.md 2`).

`hf_default`: normal with sd `initializer_range`, biases 0, LayerNorm gains 1, padding rows of tables 0.
`keras`: the dynamics scripts. Normal with sd `initializer_range` cut at 2 sd (so 0.88 of it), biases 0, gains 1; word
and segment tables U(+-0.05); projection Glorot-uniform, +-sqrt(6/(E + H)), and its bias U(+-sqrt(3/H)). The pooler,
which those scripts do not have, is drawn like the layer.
`glue_legacy`: normal with sd 0.02 cut at 2 sd on every name that ends in "weight", biases 0. LayerNorm gains end in
"weight" too: that is the published bug which collapses the states.
`mlm_legacy`: U(+-1/sqrt(last dimension)) on every tensor, gains and biases too: the same bug, worse.
`dump_legacy`: orthogonal where a tensor is 2-D, U(+-1/sqrt(length)) elsewhere, gains and biases too.

The first two are sound; the three of legacy are there for comparison with numbers that were reported.
"""

from typing import Literal, get_args

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

InitStyle = Literal["hf_default", "keras", "glue_legacy", "mlm_legacy", "dump_legacy"]
INIT_STYLES: tuple[InitStyle, ...] = get_args(InitStyle)


@torch.no_grad()
def draw_weights(model: PreTrainedModel, init_style: InitStyle, generator: torch.Generator) -> None:
    """Overwrite every parameter of `model`, in the order of `named_parameters`, from `generator` alone.

    Raises:
        ValueError: another style.
    """
    if init_style not in INIT_STYLES:
        raise ValueError(f"init_style is {init_style!r}; choose {', '.join(INIT_STYLES[:-1])} or {INIT_STYLES[-1]}")
    gains = {id(module.weight) for module in model.modules() if isinstance(module, nn.LayerNorm)}
    spread = model.config.initializer_range
    for name, parameter in model.named_parameters():
        if init_style == "mlm_legacy":
            _uniform(parameter, parameter.shape[-1] ** -0.5, generator)
        elif init_style == "dump_legacy" and parameter.ndim == 2:
            nn.init.orthogonal_(parameter, generator=generator)
        elif init_style == "dump_legacy":
            _uniform(parameter, len(parameter) ** -0.5, generator)
        elif init_style == "keras" and "embedding_hidden_mapping_in" in name:
            fans = sum(parameter.shape) if parameter.ndim == 2 else 2 * len(parameter)  # Keras' fans of a vector
            _uniform(parameter, (6 / fans) ** 0.5, generator)
        elif not name.endswith("weight"):
            parameter.zero_()
        elif init_style == "glue_legacy":
            nn.init.trunc_normal_(parameter, std=0.02, a=-0.04, b=0.04, generator=generator)
        elif id(parameter) in gains:
            parameter.fill_(1.0)
        elif init_style == "hf_default":
            parameter.normal_(std=spread, generator=generator)
        elif name.endswith(("word_embeddings.weight", "token_type_embeddings.weight")):
            _uniform(parameter, 0.05, generator)
        else:
            nn.init.trunc_normal_(parameter, std=spread, a=-2 * spread, b=2 * spread, generator=generator)
    if init_style == "hf_default":
        for module in model.modules():
            if isinstance(module, nn.Embedding) and module.padding_idx is not None:  # RoBERTa's positions have one too
                module.weight[module.padding_idx].zero_()


def _uniform(parameter: Tensor, limit: float, generator: torch.Generator) -> None:
    parameter.uniform_(-limit, limit, generator=generator)
