"""Checkpoints of translators: first weights of a seed, files with the updates they hold as name."""

from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from models.attention_translator import AttentionTranslator, TranslatorConfig
from tasks.data.errors import DataError
from tasks.training.seeds import stream_seed


def new_translator(config: TranslatorConfig, seed: int) -> AttentionTranslator:
    """First weights of a run, float32 on the CPU; those of a normal and a uniform run of one seed are equal."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(stream_seed(seed, "init"))
        return AttentionTranslator(config)


def save_checkpoint(path: Path, model: AttentionTranslator) -> None:
    """Write the weights under their names."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)  # a saved state may hold the same file under a second name
    save_file({name: x.detach().cpu().contiguous() for name, x in model.state_dict().items()}, path)


def load_checkpoint(path: Path, config: TranslatorConfig) -> AttentionTranslator:
    """The translator of a checkpoint.

    Raises:
        DataError: there is none, or it is of other sizes.
    """
    if not path.is_file():
        there = sorted((p.stem for p in path.parent.glob("*.safetensors")), key=lambda name: (len(name), name))
        raise DataError(
            f"{path}: no such checkpoint, only {', '.join(there) or 'none'}; run the training again with this step"
        )
    try:
        weights = load_file(path)
        with torch.device("meta"):  # no weights are drawn, only to be replaced
            model = AttentionTranslator(config)
        model.load_state_dict(weights, assign=True)
    except (SafetensorError, RuntimeError) as problem:
        raise DataError(f"{path}: {str(problem).splitlines()[0]}; run its training again") from problem
    return model
