"""ALBERT as an iterated map: h_0 from the embeddings, h_{t+1} = F(h_t) with one shared layer F, a pooled first token.

The weights are Hugging Face's `AlbertModel`; what is here takes it apart, so that one pass to depth N yields the states
of every depth n <= N. That is the same computation as N separate passes iff the weights are frozen, the encoder is
deterministic and there is one hidden group with one inner layer (transient_chaos 3.7, conditions i, ii, vii).
`load_albert` refuses checkpoints that break the last two.

Dimensions: B batch, T tokens, E embedding, H hidden.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, Literal

import torch
from torch import Tensor, nn
from transformers import AlbertConfig, AlbertModel, AutoConfig
from transformers.masking_utils import create_bidirectional_mask

Layer = Callable[[Tensor, Tensor | None], Tensor]
"""F: (h [B, T, H], mask) -> h [B, T, H]."""
Observer = Callable[[int, Tensor], None]
"""Called with (t, h_t [B, T, H]) on the device; a state that it does not keep is freed."""
InitStyle = Literal["hf_default", "glue_legacy"]
Attention = Literal["sdpa", "eager"]


def scratch_config(
    hidden_size: int,
    heads: int | None = None,
    intermediate_size: int | None = None,
    embedding_size: int = 128,
    vocab_size: int = 30000,
    max_position: int = 512,
    pad_token_id: int = 0,
    attention: Attention = "sdpa",
) -> AlbertConfig:
    """The configuration of an ALBERT with the v2 settings: gelu_new, LayerNorm eps 1e-12, no encoder dropout.

    Heads default to H/64 (at least 1), the feed-forward width to 4H: 768, 1024, 4096 are the published base, large,
    xxlarge; xlarge is 2048 with 16 heads (transient_chaos 1.1). The number of layers is left at 1: depth is an
    argument of `iterate`, no property of the weights.

    Raises:
        ValueError: when the heads do not divide the width.
    """
    heads = heads or max(1, hidden_size // 64)
    if hidden_size % heads:
        raise ValueError(f"width {hidden_size} is no multiple of {heads} heads; give heads that divide it")
    config = AlbertConfig(
        vocab_size=vocab_size,
        embedding_size=embedding_size,
        hidden_size=hidden_size,
        num_hidden_layers=1,
        num_hidden_groups=1,
        inner_group_num=1,
        num_attention_heads=heads,
        intermediate_size=intermediate_size or 4 * hidden_size,
        hidden_act="gelu_new",
        layer_norm_eps=1e-12,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        classifier_dropout_prob=0.1,
        max_position_embeddings=max_position,
        pad_token_id=pad_token_id,
    )
    config._attn_implementation = attention  # what the keyword does, which the typed signature does not name
    return config


def check_iterated(config: Any, name: str = "the model") -> None:
    """Refuse what is no deterministic iterated map of one layer (transient_chaos 3.7, conditions ii and vii).

    The frozen encoder runs in evaluation mode, where dropout is off anyway. Yet a checkpoint that was published with
    dropout (ALBERT v1, which also has another activation) gives other numbers than the v2 one that the experiments are
    about, and a trained encoder would use it; so it is refused for both.

    Raises:
        ValueError: no ALBERT, several hidden groups or inner layers, or encoder dropout.
    """
    kind = getattr(config, "model_type", None)
    if kind != "albert":
        raise ValueError(f"{name} is of model type {kind!r}; give an ALBERT checkpoint, e.g. albert/albert-large-v2")
    for field in ("num_hidden_groups", "inner_group_num"):
        if getattr(config, field) != 1:
            raise ValueError(f"{name} has {field} = {getattr(config, field)}; depth needs one shared layer, so 1")
    for field in ("hidden_dropout_prob", "attention_probs_dropout_prob"):
        if getattr(config, field) != 0:
            raise ValueError(
                f"{name} has {field} = {getattr(config, field)}; give a v2 checkpoint, or set it to 0 in config.json"
            )


def load_config(path_or_name: str | Path, revision: str | None = None) -> AlbertConfig:
    """The checked configuration of a local directory or of a hub model at `revision`.

    Raises:
        ValueError: it cannot be read, or is no iterated map (`check_iterated`).
    """
    try:
        # Without this argument the library asks on the terminal whether to run a model's own code.
        config: Any = AutoConfig.from_pretrained(str(path_or_name), revision=revision, trust_remote_code=False)
    except (OSError, ValueError) as problem:
        if "trust_remote_code" in str(problem):
            raise ValueError(
                f"{path_or_name} wants to run Python code of its own (auto_map in its config.json), which is never "
                "done here; give an ALBERT checkpoint, e.g. albert/albert-large-v2"
            ) from problem
        raise ValueError(f"cannot read the configuration of {path_or_name}: {_first_line(problem)}") from problem
    check_iterated(config, str(path_or_name))
    return config


def load_albert(
    path_or_name: str | Path,
    revision: str | None = None,
    dtype: torch.dtype = torch.float32,
    attention: Attention = "sdpa",
    pickled: bool = False,
    pooler: bool = True,
) -> AlbertModel:
    """Load pretrained weights from a local directory or from the hub at `revision`, in evaluation mode.

    Only safetensors are read, since a pickle can run code; with `pickled`, where there are none, pytorch_model.bin too,
    of which torch then takes tensors alone. Every weight must be in the checkpoint: a missing one would be drawn at
    random in silence. Without `pooler` the model has none and its weights may be missing.

    Raises:
        ValueError: unreadable, no iterated map (`check_iterated`), or weights missing.
    """
    config = load_config(path_or_name, revision)
    config._attn_implementation = attention

    def read(safetensors: bool) -> Any:
        given: dict[str, Any] = {"config": config, "revision": revision or "main", "dtype": dtype}
        given |= {"use_safetensors": safetensors, "weights_only": True, "output_loading_info": True}
        given |= {"add_pooling_layer": pooler}
        return AlbertModel.from_pretrained(str(path_or_name), **given)

    try:
        try:
            model, report = read(safetensors=True)
        except OSError:
            if not pickled:
                raise
            model, report = read(safetensors=False)
    except OSError as problem:
        allow = "" if pickled else "; --pickled-weights allows those of pytorch_model.bin"
        raise ValueError(f"cannot load the weights of {path_or_name}: {_first_line(problem)}{allow}") from problem
    except UnpicklingError as problem:
        raise ValueError(
            f"{path_or_name}: the pickle holds more than tensors, and could run code: refused"
        ) from problem
    if missing := sorted(report["missing_keys"]):
        raise ValueError(
            f"{path_or_name} lacks the weights {', '.join(missing)}; save the whole AlbertModel, pooler included"
        )
    return model.eval()


def random_albert(
    config: AlbertConfig, init_style: InitStyle, seed: int, dtype: torch.dtype = torch.float32
) -> AlbertModel:
    """An AlbertModel whose weights depend on (config, init_style, seed) alone, in evaluation mode.

    Drawn in float32 on the CPU from an own generator in the order of `named_parameters`, then cast: float64 and float32
    models share their weights, and the global random state is left as it was.

    `hf_default`: normal with sd `initializer_range`, padding row of the word table 0, biases 0, LayerNorm gains 1.
    `glue_legacy`: normal with sd 0.02 cut at 2 sd (so sd 0.0176) on every name that ends in "weight", biases 0. The
    LayerNorm gains end in "weight" too: that is the published bug which collapses the states (transient_chaos 1.7).

    Raises:
        ValueError: another style, or a configuration that is no iterated map.
    """
    if init_style not in ("hf_default", "glue_legacy"):
        raise ValueError(f"init_style is {init_style!r}; choose hf_default or glue_legacy")
    check_iterated(config)
    with torch.random.fork_rng(devices=[]):  # the constructor draws weights of its own, which are overwritten below
        model = AlbertModel(config)
    generator = torch.Generator().manual_seed(seed)
    gains = {id(module.weight) for module in model.modules() if isinstance(module, nn.LayerNorm)}
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if not name.endswith("weight"):
                parameter.zero_()
            elif init_style == "glue_legacy":
                nn.init.trunc_normal_(parameter, std=0.02, a=-0.04, b=0.04, generator=generator)
            elif id(parameter) in gains:
                parameter.fill_(1.0)
            else:
                parameter.normal_(std=config.initializer_range, generator=generator)
        if init_style == "hf_default" and config.pad_token_id is not None:
            model.embeddings.word_embeddings.weight[config.pad_token_id].zero_()
    return model.eval().to(dtype)  # pyright: ignore[reportArgumentType]  # the decorated method loses its `self`


def shared_layer(model: AlbertModel) -> Layer:
    """F, the one encoder layer (transient_chaos 1.3)."""
    groups: Any = model.encoder.albert_layer_groups
    return groups[0].albert_layers[0]


def embed(model: AlbertModel, input_ids: Tensor, token_type_ids: Tensor | None = None) -> Tensor:
    """h_0 [B, T, H] of `input_ids` [B, T] and `token_type_ids` [B, T]: embeddings, LayerNorm, projection to H (1.2)."""
    e_BTE = model.embeddings(input_ids, token_type_ids=token_type_ids)
    return model.encoder.embedding_hidden_mapping_in(e_BTE)


def padding_mask(model: AlbertModel, attention_mask: Tensor | None, h: Tensor) -> Tensor | None:
    """The mask that the layer wants for `attention_mask` [B, T] (1 a token, 0 padding) and states like `h` [B, T, H].

    None (nothing is masked) when there is no padding or `attention_mask` is None. The kind follows the model's
    attention: boolean [B, 1, T, T] for sdpa, additive for eager. Padding positions still ask, they only are not asked
    (transient_chaos 1.4).
    """
    return create_bidirectional_mask(config=model.config, inputs_embeds=h, attention_mask=attention_mask)


def iterate(
    layer: Layer, h: Tensor, steps: int, mask: Tensor | None = None, observers: Sequence[Observer] = (), start: int = 0
) -> Tensor:
    """Apply the layer `steps` times to `h` = h_start [B, T, H] and return h_{start+steps} [B, T, H].

    Observers see every state: h_0 too, but not h_start of a pass that goes on from `start` > 0, which the earlier part
    has shown already. No state is kept here.

    Raises:
        ValueError: a negative number of steps.
    """
    if steps < 0:
        raise ValueError(f"steps is {steps}; give 0 or more")
    if start == 0:
        for observe in observers:
            observe(0, h)
    for t in range(start + 1, start + steps + 1):
        h = layer(h, mask)
        for observe in observers:
            observe(t, h)
    return h


def pool(model: AlbertModel, h: Tensor) -> Tensor:
    """z [B, H] = tanh(W h[:, 0] + b): ALBERT's pooler on the first token of `h` [B, T, H] (transient_chaos 3.3)."""
    assert model.pooler is not None  # `load_albert` and `random_albert` always make one
    return torch.tanh(model.pooler(h[:, 0]))


def _first_line(problem: BaseException) -> str:
    return str(problem).strip().splitlines()[0] if str(problem).strip() else type(problem).__name__
