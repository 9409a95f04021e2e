"""Which encoders of the BERT family a sweep works on, each ready for a job. Imports no torch."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from models.checkpoints import ModelRef, resolve_model
from orchestrator.experiment import Job
from tasks.encoders.params import JOB, SCRATCH, SMALL, Encoder
from tasks.encoders.plan import NO_SIZES, PlannedEncoder, model_paths, small_job
from tasks.encoders.small import report_job
from tasks.encoders.transformer import SIZES, TransformerOptions, TransformerOrSmallOptions

LAYERS, WIDTH = 12, 768  # of the model scratch where nothing is said; the layers of a hub model, to estimate costs


def given_encoder(options: TransformerOptions, model: str, finetuned: str | None = None) -> PlannedEncoder:
    """The encoder with the weights of the checkpoint `model`; with those of `finetuned`, a checkpoint trained from it.

    Raises:
        ValueError: the checkpoint is missing, or the model is scratch, which has none.
    """
    if model == SCRATCH:
        raise ValueError("the model scratch has no weights to read: give a checkpoint, or train it first")
    label, ref = _ref(options, model), _ref(options, finetuned or model)
    fields: dict[str, Any] = NO_SIZES | {
        "model": label.name,
        "revision": ref.revision,
        "encoder": "finetuned" if finetuned else "pretrained",
    }
    if finetuned and ref.name != label.name:
        fields["checkpoint"] = ref.name
    return PlannedEncoder(params=fields, paths=model_paths(ref))


def random_encoder(options: TransformerOptions, model: str, seed: int) -> PlannedEncoder:
    """The encoder with weights drawn from a seed, for the checkpoint's architecture or the sizes of scratch."""
    drawn: dict[str, Any] = NO_SIZES | {"encoder": "random", "encoder_seed": seed}
    if model == SCRATCH:
        return PlannedEncoder(params={**drawn, **scratch_fields(options)})
    ref = _ref(options, model)
    return PlannedEncoder(params={**drawn, "model": ref.name, "revision": ref.revision}, paths=model_paths(ref))


def encoder_of(options: TransformerOrSmallOptions, model: str, encoder: Encoder, seed: int) -> PlannedEncoder:
    """The pretrained encoder of a model, or its random twin of a seed; the model small is pretrained by a job.

    Raises:
        ValueError: the checkpoint is missing, or the model is scratch and should be pretrained.
    """
    if model != SMALL:
        return given_encoder(options, model) if encoder == "pretrained" else random_encoder(options, model, seed)
    job = small_job(options, "builtin")
    fields: dict[str, Any] = NO_SIZES | {"model": SMALL, "revision": JOB + job.id, "encoder": encoder}
    if encoder == "random":
        fields["encoder_seed"] = seed
    return PlannedEncoder(params=fields, needs={"model": job})


def small_reports(options: TransformerOrSmallOptions) -> Iterator[Job]:
    """The job that reports how the model small was pretrained, where it is among the models."""
    if SMALL in options.models:
        yield report_job(small_job(options, "builtin"))


def layers_of(options: TransformerOptions, model: str) -> int:
    """Layers of a model, for the cost of a plan: a directory's are read; of a hub model nothing is fetched for it."""
    if model == SCRATCH:
        return options.layers or LAYERS
    if model == SMALL and isinstance(options, TransformerOrSmallOptions):
        return options.pretrain_depth
    usual = LAYERS // 2 if "distil" in model else LAYERS
    return _read_size(model, ("num_hidden_layers", "n_layers"), usual)


def width_of(options: TransformerOptions, model: str) -> int:
    """Hidden size of a model, for the cost of a plan; as `layers_of`."""
    if model in (SCRATCH, SMALL):
        return options.width or WIDTH
    return _read_size(model, ("hidden_size", "dim"), WIDTH)


def _read_size(model: str, names: tuple[str, ...], usual: int) -> int:
    """A size from a directory's config.json; the usual one of a hub model."""
    config = Path(model).expanduser() / "config.json"
    if not config.is_file():
        return usual
    try:
        read = json.loads(config.read_bytes())
        return int(next(read[name] for name in names if read.get(name)))
    except (ValueError, TypeError, AttributeError, StopIteration):
        return usual  # the job that loads the model says what is wrong with its configuration


def _ref(options: TransformerOptions, model: str) -> ModelRef:
    return resolve_model(model, options.pickled_weights)


def scratch_fields(options: TransformerOptions) -> dict[str, Any]:
    """The fields of `TransformerParams` that describe the model scratch."""
    sizes = {name: getattr(options, name) for name in SIZES}
    sizes |= {"layers": options.layers or LAYERS, "width": options.width or WIDTH}
    return {"model": SCRATCH, "revision": "", **sizes}
