"""Running, drawing, reading and writing a PLUS-TFM (`models.plus_network`).

On disk it is a directory with `config.json` and `model.safetensors`, under the names of the published checkpoint. That
one, `PLUS-TFM.pt`, is a pickle: its tensors alone are read, and only where pickles are allowed.

Dimensions: B batch, T tokens, H hidden, L layers, A heads, V = 25 words, C outputs.
"""

import json
from dataclasses import asdict, fields
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional

from models.plus_network import EXTRA_POSITIONS, HIDDEN_KEY, WORDS, Plus, PlusConfig
from models.weights import few, first_line

__all__ = [
    "WORDS",
    "Plus",
    "PlusConfig",
    "load_plus",
    "plus_attention_maps",
    "plus_levels",
    "random_plus",
    "read_plus_config",
    "save_plus",
]

HEAD_WIDTH = 64  # of the published model: a checkpoint of tensors alone does not say its number of heads
KIND = "plus_tfm"
CONFIG, WEIGHTS = "config.json", "model.safetensors"
POSITIONS = "transformer.embed.pos_embed"


def plus_levels(model: Plus, tokens_BT: Tensor, segments_BT: Tensor | None, mask_BT: Tensor) -> tuple[Tensor, ...]:
    """The states [B, T, H] of the levels 0 … L, from one pass; the mask is 1 (or True) at tokens, 0 at padding.

    Raises:
        ValueError: sequences longer than the model takes.
    """
    h, bias = _start(model, tokens_BT, segments_BT, mask_BT)
    states = [h]
    for block in model.transformer.blocks:
        states.append(block(states[-1], bias))
    return tuple(states)


def plus_attention_maps(
    model: Plus, tokens_BT: Tensor, segments_BT: Tensor | None, mask_BT: Tensor
) -> tuple[Tensor, ...]:
    """The attention probabilities [B, A, T, T] (query, key) of each layer.

    In training mode dropout is on them, as on those that the published module keeps: rows no longer sum to 1. (The
    masks are not those of the pass itself, which never holds the maps.)

    Raises:
        ValueError: sequences longer than the model takes.
    """
    h, bias = _start(model, tokens_BT, segments_BT, mask_BT)
    maps = []
    for block in model.transformer.blocks:
        kept: Any = block.attn
        maps.append(functional.dropout(kept.probabilities(h, bias), kept.dropout, model.training))
        h = block(h, bias)
    return tuple(maps)


def _start(model: Plus, tokens_BT: Tensor, segments_BT: Tensor | None, mask_BT: Tensor) -> tuple[Tensor, Tensor]:
    """Level 0 [B, T, H], and what is added to the scores [B, 1, 1, T]."""
    if tokens_BT.shape[1] > model.config.max_length:
        raise ValueError(
            f"sequences of {tokens_BT.shape[1]} tokens; the model takes {model.config.max_length}: cut them shorter"
        )
    segments_BT = torch.zeros_like(tokens_BT) if segments_BT is None else segments_BT
    h = model.transformer.embed(tokens_BT, segments_BT)
    return h, (1.0 - mask_BT[:, None, None, :].to(h)) * HIDDEN_KEY


@torch.no_grad()
def random_plus(config: PlusConfig, seed: int, dtype: torch.dtype = torch.float32) -> Plus:
    """A model whose weights depend on (config, seed) alone, in evaluation mode: the framework's defaults.

    In the order of `named_parameters`: tables N(0, 1), padding's row too; weights and biases of a Linear of n inputs
    U(+-1/sqrt(n)); gains 1, other shifts 0. Drawn in float32 on the CPU, then cast; the global random state is left as
    it was.
    """
    with torch.random.fork_rng(devices=[]):  # the constructor draws weights of its own, which are overwritten below
        model = Plus(config)
    generator = torch.Generator().manual_seed(seed)
    inputs = {f"{name}.": part.in_features for name, part in model.named_modules() if isinstance(part, nn.Linear)}
    for name, parameter in model.named_parameters():
        owner = name[: name.rindex(".") + 1] if "." in name else ""
        if "_embed." in name:  # the decoder's table is the same tensor and comes only once
            parameter.normal_(generator=generator)
        elif owner in inputs:
            limit = inputs[owner] ** -0.5
            parameter.uniform_(-limit, limit, generator=generator)
    return model.eval().to(dtype)


def save_plus(model: Plus, directory: str | Path) -> None:
    """Write `config.json` and `model.safetensors` into an existing directory."""
    place = Path(directory)
    config = {"model_type": KIND, **asdict(model.config)}
    (place / CONFIG).write_text(json.dumps(config, indent=1) + "\n", "utf-8")
    # Copies: safetensors refuses two names of one memory, which the tied table has.
    state = {name: value.detach().to("cpu", copy=True).contiguous() for name, value in model.state_dict().items()}
    save_file(state, place / WEIGHTS)


def read_plus_config(directory: str | Path) -> PlusConfig:
    """The sizes in a directory's `config.json`.

    Raises:
        ValueError: missing, unreadable, of another type, or with fields that are unknown or impossible (named).
    """
    path = Path(directory) / CONFIG
    try:
        given = json.loads(path.read_text("utf-8"))
    except OSError as problem:
        raise ValueError(f"{path}: {first_line(problem)}; give a directory that save_plus wrote") from problem
    except ValueError as problem:
        raise ValueError(f"{path}: no JSON ({first_line(problem)}); give a directory that save_plus wrote") from problem
    kind = given.get("model_type") if isinstance(given, dict) else None
    if kind != KIND:
        raise ValueError(f"{path}: model_type is {kind!r}, not {KIND!r}; give a PLUS-TFM that save_plus wrote")
    known = {f.name: type(f.default) for f in fields(PlusConfig)}
    unknown = sorted(set(given) - set(known) - {"model_type"})
    if unknown:
        raise ValueError(f"{path}: unknown fields {few(unknown)}; a PLUS-TFM has {', '.join(known)}")
    for name, kind in known.items():
        if name in given and type(given[name]) is not kind and not (kind is float and type(given[name]) is int):
            raise ValueError(f"{path}: {name} is {given[name]!r}, expected {kind.__name__}")
    try:
        return PlusConfig(**{name: given[name] for name in known if name in given})
    except ValueError as problem:
        raise ValueError(f"{path}: {problem}") from problem


def load_plus(
    path: str | Path, dtype: torch.dtype = torch.float32, pickled: bool = False, heads: int | None = None
) -> Plus:
    """A checkpoint in evaluation mode: a directory that `save_plus` wrote, or a pickle of tensors with `pickled`.

    The sizes of a pickle are read off the shapes; its `heads` are as many as are 64 wide unless given. Every weight but
    those of the class head must be there in its shape and no other may be; the original skipped wrong shapes in
    silence, and went on with random weights. A class head of another form is left out, and zero in its place.

    Raises:
        ValueError: unreadable; a pickle that is not allowed or holds more than tensors; weights missing, left over or
            of wrong shapes (named).
    """
    place = Path(path)
    if place.is_dir():
        config, state = read_plus_config(place), _safetensors(place / WEIGHTS)
    else:
        state = _pickle(place, pickled)
        config = _sizes(state, heads, str(place))
    with torch.random.fork_rng(devices=[]):
        model = Plus(config)
    wanted = model.state_dict()
    missing = sorted(name for name in wanted if name not in state and not _is_class_head(name))
    if missing:
        raise ValueError(f"{place} lacks the weights {few(missing)}; save the whole model")
    extra = sorted(name for name in state if name not in wanted and not _is_class_head(name))
    if extra:
        raise ValueError(f"{place} has weights that a PLUS-TFM of these sizes has no place for: {few(extra)}")
    wrong = [
        f"{name} {list(state[name].shape)} instead of {list(value.shape)}"
        for name, value in wanted.items()
        if not _is_class_head(name) and state[name].shape != value.shape
    ]
    if wrong:
        raise ValueError(f"{place} has weights of wrong shapes: {few(sorted(wrong))}; give the right config.json")
    table = "transformer.embed.tok_embed.weight"
    if not torch.equal(state["decoder.weight"], state[table]):
        raise ValueError(f"{place}: decoder.weight and {table} differ, but are one table in a PLUS-TFM")
    head = {name: value for name, value in wanted.items() if _is_class_head(name)}
    fits = all(name in state and state[name].shape == value.shape for name, value in head.items())
    given = {name: state[name] if fits or name not in head else torch.zeros_like(head[name]) for name in wanted}
    model.load_state_dict(given)
    return model.eval().to(dtype)


def _is_class_head(name: str) -> bool:
    return name.startswith("cls")


def _safetensors(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except (OSError, SafetensorError) as problem:
        raise ValueError(f"{path}: {first_line(problem)}; give a directory that save_plus wrote") from problem


def _pickle(path: Path, pickled: bool) -> dict[str, Tensor]:
    """The tensors of the published form, without the prefix that training on several GPUs puts before every name."""
    if not path.is_file():
        raise ValueError(f"{path}: no such file or directory; give a PLUS-TFM checkpoint")
    if not pickled:
        raise ValueError(f"{path} is a pickle, which could run code; --pickled-weights allows its tensors alone")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except UnpicklingError as problem:
        raise ValueError(f"{path}: the pickle holds more than tensors, and could run code: refused") from problem
    except (RuntimeError, EOFError, OSError) as problem:
        raise ValueError(f"{path}: no checkpoint of torch ({first_line(problem)})") from problem
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise ValueError(f"{path}: not a plain table of tensors by name; give the state dict of a PLUS-TFM")
    return {str(name).removeprefix("module."): value for name, value in state.items()}


def _sizes(state: dict[str, Tensor], heads: int | None, name: str) -> PlusConfig:
    """The configuration that the shapes tell."""
    words, inner = "transformer.embed.tok_embed.weight", "transformer.blocks.0.pwff.fc1.weight"
    learned = f"{POSITIONS}.weight" in state
    rows = f"{POSITIONS}.weight" if learned else f"{POSITIONS}.pe"
    missing = [key for key in (words, inner, rows) if key not in state]
    if missing:
        raise ValueError(f"{name} lacks the weights {few(missing)}; give the state dict of a PLUS-TFM")
    numbers = [key.split(".")[2] for key in state if key.startswith("transformer.blocks.")]
    width, head = state[words].shape[-1], state.get("cls.weight")
    if heads is None and width % HEAD_WIDTH:
        raise ValueError(f"{name} is {width} wide, which is not a number of heads {HEAD_WIDTH} wide; say how many")
    return PlusConfig(
        layers=1 + max(int(number) for number in numbers if number.isdecimal()),
        width=width,
        heads=heads or width // HEAD_WIDTH,
        intermediate=len(state[inner]),
        max_length=state[rows].shape[-2] - EXTRA_POSITIONS,
        learned_positions=learned,
        outputs=len(head) if head is not None and head.ndim == 2 else 1,
    )
