"""What the plans of the experiments on proteins share: a job a model, protein task, pair and seed. Imports no torch."""

import functools
import hashlib
import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.checkpoints import ModelError, directory_revision
from orchestrator.experiment import Job
from tasks.data.tokenizers import locate_tokenizer
from tasks.encoders.params import JOB, SMALL
from tasks.encoders.transformer_plan import encoder_of, layers_of, small_reports
from tasks.transfer.comparison.options import RANDOM, ProteinOptions
from tasks.transfer.comparison.params import Role
from tasks.transfer.comparison.small_plus import plus_report_job, pretrain_plus_job
from tasks.transfer.proteins.plan import planned_proteins, proteins_job
from tasks.transfer.proteins.sources import locate_proteins
from tasks.transfer.proteins.token_tables import read_table, table_revision

PLUS_LAYERS, PLUS_WIDTH = 12, 768


@dataclass(frozen=True, kw_only=True)
class PlannedPair:
    """Two encoders on the proteins of one task, ready to become a job."""

    fields: dict[str, Any]
    """The fields of `PairParams`."""
    needs: Mapping[str, Job]
    paths: Mapping[str, str]
    layers: int
    """Of both encoders together, for the cost of a plan."""
    proteins: int
    """How many are read."""

    def job(self, stage: Any, params: Any, passes: float) -> Job:
        """The job of a stage with these parameters; `passes` are layer applications to one protein."""
        fingerprints = self.needs["proteins"].fingerprints
        return Job(
            stage=stage, params=params, needs=self.needs, fingerprints=fingerprints, paths=self.paths, passes=passes
        )


@dataclass(frozen=True, kw_only=True)
class PlannedTable:
    """The table of the text encoder's token ids."""

    fields: dict[str, Any]
    paths: dict[str, str]


@dataclass(frozen=True, kw_only=True)
class PlannedPlus:
    """PLUS as the plan of one pair sees it."""

    fields: dict[str, Any]
    needs: dict[str, Job]
    paths: dict[str, str]
    layers: int


def planned_pairs(options: ProteinOptions) -> Iterator[PlannedPair]:
    """All pairs of encoders, protein tasks and seeds, those of a model together.

    Raises:
        ValueError: data, tokenizer, model or the PLUS checkpoint are missing; one line that says what to give.
    """
    table = _table(options)
    for model in options.models:
        ref = locate_tokenizer(options.tokenizer or model)
        # Once each: a checkpoint is read for its hash.
        encoder_here = functools.cache(functools.partial(encoder_of, options, model))
        for task in options.protein_tasks:
            proteins = proteins_job(
                task,
                options.data_dir,
                split=options.split,
                limit=options.proteins,
                max_length=options.max_length - 2,
            )
            n = planned_proteins(locate_proteins(task, options.data_dir), options.split, options.proteins)
            pluses = list(_plus(options, task)) if any("plus" in pair for pair in options.pairs) else []
            for pair in options.pairs:
                first, second = (_role(name) for name in pair.split("-"))
                sides = {first, second}
                seeds = options.encoder_seeds if "random" in sides else (None,)
                for seed, plus in itertools.product(seeds, pluses if "plus" in sides else (None,)):
                    # The pretrained one has the same name, revision and place as its random twin.
                    pretrained = "pretrained" in sides
                    encoder = encoder_here("pretrained", 0) if pretrained else encoder_here("random", seed or 0)
                    fields = {
                        "first": first,
                        "second": second,
                        "protein_task": task,
                        "split": options.split,
                        "proteins": options.proteins,
                        "max_length": options.max_length,
                        **table.fields,
                        **{name: value for name, value in encoder.params.items() if name != "encoder"},
                        "encoder_seed": seed,
                        "tokenizer": ref.name,
                        "tokenizer_revision": ref.revision,
                        "dtype": options.dtype,
                        "legacy_dropout": options.legacy_dropout,
                        **({} if plus is None else plus.fields),
                    }
                    needs = {**encoder.needs, "proteins": proteins, **({} if plus is None else plus.needs)}
                    paths = {**encoder.paths, **({} if ref.path is None else {"tokenizer": ref.path})}
                    paths |= {**table.paths, **({} if plus is None else plus.paths)}
                    text_sides = len(sides - {"plus"})
                    layers = layers_of(options, model) * text_sides + (0 if plus is None else plus.layers)
                    yield PlannedPair(fields=fields, needs=needs, paths=paths, layers=layers, proteins=n)


def reports(options: ProteinOptions) -> Iterator[Job]:
    """The jobs that report how the small models were pretrained, where they are asked for."""
    if any(pair != "random-plus" for pair in options.pairs):
        yield from small_reports(options)
    if options.plus == SMALL and any("plus" in pair for pair in options.pairs):
        for task in options.protein_tasks:
            for plus in _plus(options, task):
                yield plus_report_job(plus.needs["plus"])


def _role(name: str) -> Role:
    roles: dict[str, Role] = {"pretrained": "pretrained", "random": "random", "plus": "plus"}
    return roles[name]


def _table(options: ProteinOptions) -> PlannedTable:
    if options.table is None:
        return PlannedTable(fields={"table_seed": options.table_seed}, paths={})
    place = Path(options.table).expanduser().absolute()
    revision = table_revision(read_table(place))
    return PlannedTable(fields={"table_seed": None, "table_revision": revision}, paths={"table": str(place)})


def _plus(options: ProteinOptions, task: str) -> Iterator[PlannedPlus]:
    """PLUS for the proteins of a task: the checkpoint, or one of each seed that is random or pretrained here."""
    layers, width = options.plus_layers or PLUS_LAYERS, options.plus_width or PLUS_WIDTH
    sizes = {
        "layers": layers,
        "width": width,
        "heads": options.plus_heads or max(1, width // 64),
        "intermediate": options.plus_intermediate or 4 * width,
    }
    if options.plus == SMALL:
        train = proteins_job(task, options.data_dir, split="train", max_length=options.max_length - 2)
        for seed in options.plus_seeds:
            job = pretrain_plus_job(
                train,
                **sizes,
                max_length=options.max_length,
                steps=options.plus_steps,
                batch_size=options.plus_batch,
                learning_rate=options.plus_learning_rate,
                seed=seed,
            )
            fields = {"plus": SMALL, "plus_revision": JOB + job.id, "plus_seed": seed}
            yield PlannedPlus(fields=fields, needs={"plus": job}, paths={}, layers=layers)
    elif options.plus == RANDOM:
        for seed in options.plus_seeds:
            fields = {"plus": RANDOM, "plus_seed": seed, **{f"plus_{name}": value for name, value in sizes.items()}}
            yield PlannedPlus(fields=fields, needs={}, paths={}, layers=layers)
    else:
        place = Path(options.plus).expanduser().absolute()
        fields = {"plus": place.name, "plus_revision": plus_revision(place, options.pickled_weights)}
        paths = {"plus": str(place)} | ({"pickled_weights": "allowed"} if options.pickled_weights else {})
        yield PlannedPlus(fields=fields, needs={}, paths=paths, layers=PLUS_LAYERS)


def plus_revision(place: Path, pickled: bool) -> str:
    """Content hash of a PLUS checkpoint: a directory, or the published file.

    Raises:
        ModelError: it is not there, or a pickle that was not allowed.
    """
    if place.is_dir():
        return directory_revision(place, pickled)
    if not place.is_file():
        raise ModelError(
            f"{place}: no such PLUS checkpoint; give --plus FILE (the published PLUS-TFM.pt) or DIR, --plus small, "
            "which the sweep pretrains, or --plus random"
        )
    if not pickled:
        raise ModelError(f"{place} is a pickle; --pickled-weights allows it to be read (only tensors are taken out)")
    with place.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]
