"""What the plans of the experiments on proteins share: a job a model, protein task, pair and seed, and the small PLUS.

Imports no torch.
"""

import functools
import hashlib
import itertools
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

from models.checkpoints import ModelError, directory_revision
from orchestrator.experiment import Job, Resources, Stage
from orchestrator.limits import shared
from tasks.data.tokenizers import locate_tokenizer
from tasks.encoders.params import JOB, SMALL
from tasks.encoders.plan import PlannedEncoder
from tasks.encoders.transformer_plan import encoder_of, layers_of, small_reports
from tasks.training.settings import SmallTraining, training_job, training_table
from tasks.transfer.comparison.options import PLUS_SIZES, RANDOM, PretrainPlusParams, ProteinOptions, Role
from tasks.transfer.proteins.stages import locate_proteins, planned_proteins, proteins_job
from tasks.transfer.proteins.tokens import read_table, table_revision

PLUS_LAYERS, PLUS_WIDTH = 12, 768
NO_PLUS = PlannedEncoder(params=dict.fromkeys(PLUS_SIZES))
"""In a pair without PLUS, and what a PLUS with sizes of its own begins with."""


# Two stages pretrain a small PLUS, as for the small ALBERT: the checkpoint (as `models.plus.save_plus` writes it, with
# training.json; jobs want it under the need name `plus`) serves every experiment of a results directory, and a job that
# only reads makes rows of its training for each.
PRETRAIN_PLUS = Stage(
    name="pretrain_plus",
    function="tasks.transfer.comparison.pretraining:pretrain_plus",
    params=PretrainPlusParams,
    resources=Resources(num_cpus=1, num_gpus=1),
    artifact=True,
)
PLUS_REPORT = Stage(
    name="plus_report",
    function="tasks.transfer.comparison.pretraining:plus_report",
    params=PretrainPlusParams,
    tables={
        "pretraining_plus": training_table(
            "small PLUS-TFM",
            per="masked residue",
            judged="on proteins kept aside: test_loss, test_accuracy (over masked residues), guess_accuracy (of always "
            "naming the most frequent residue), place_accuracy (of naming the most frequent residue of that place of "
            "the training proteins, which variants of one protein mostly have)",
        )
    },
)


def pair_jobs(
    options: ProteinOptions, stage: Stage, of_task: Callable[[str], Mapping[str, Any]] = lambda task: {}
) -> Iterator[Job]:
    """The reports of small models; then a job for all pairs of encoders, protein tasks and seeds, a model's together.

    Args:
        options: the experiment's config.
        stage: what compares a pair; its parameters are `PairParams` and groups of settings of the config.
        of_task: parameters that depend on the protein task.

    Raises:
        ValueError: data, tokenizer, model or the PLUS checkpoint are missing; one line that says what to give.
    """
    yield from _reports(options)
    table_fields, table_paths = _table(options)
    encoder_here = functools.cache(functools.partial(encoder_of, options))  # once each: reads a checkpoint for its hash
    for model, task in itertools.product(options.models, options.protein_tasks):
        ref = locate_tokenizer(options.tokenizer or model)
        proteins = _proteins(options, task, split=options.split, limit=options.proteins)
        n = planned_proteins(locate_proteins(task, options.data_dir), options.split, options.proteins)
        pluses = list(_pluses(options, task)) if any("plus" in pair for pair in options.pairs) else []
        for pair in options.pairs:
            first, second = sides = _roles(pair)
            seeds = options.encoder_seeds if "random" in sides else (None,)
            for seed, plus in itertools.product(seeds, pluses if "plus" in sides else (NO_PLUS,)):
                # The pretrained one has the same name, revision and place as its random twin.
                role, drawn = ("pretrained", 0) if "pretrained" in sides else ("random", seed or 0)
                encoder = encoder_here(model, role, drawn)
                fields = {
                    **shared(options, stage.params),
                    "first": first,
                    "second": second,
                    "protein_task": task,
                    **table_fields,
                    **{name: value for name, value in encoder.params.items() if name != "encoder"},
                    "encoder_seed": seed,
                    "tokenizer": ref.name,
                    "tokenizer_revision": ref.revision,
                    **plus.params,
                    **of_task(task),
                }
                plus_layers, own_layers = options.plus_layers or PLUS_LAYERS, layers_of(options, model)
                tokenizer = {} if ref.path is None else {"tokenizer": ref.path}
                yield Job(
                    stage=stage,
                    params=stage.params(**fields),
                    needs={**encoder.needs, "proteins": proteins, **plus.needs},
                    fingerprints=proteins.fingerprints,
                    paths={**encoder.paths, **tokenizer, **table_paths, **plus.paths},
                    passes=sum(plus_layers if side == "plus" else own_layers for side in sides) * n,
                )


def _reports(options: ProteinOptions) -> Iterator[Job]:
    """The jobs that report how the small models were pretrained, where they are asked for."""
    if any(pair != "random-plus" for pair in options.pairs):
        yield from small_reports(options)
    if options.plus == SMALL and any("plus" in pair for pair in options.pairs):
        for task in options.protein_tasks:
            for plus in _pluses(options, task):
                yield plus_report_job(plus.needs["plus"])


def _roles(pair: str) -> tuple[Role, Role]:
    first, second = (role for name in pair.split("-") for role in get_args(Role) if role == name)
    return first, second


def _table(options: ProteinOptions) -> tuple[dict[str, Any], dict[str, str]]:
    """Fields and place of a table of token ids from a file; of no file none."""
    if options.table is None:
        return {}, {}
    place = Path(options.table).expanduser().absolute()
    return {"table_seed": None, "table_revision": table_revision(read_table(place))}, {"table": str(place)}


def _proteins(options: ProteinOptions, task: str, **fields: Any) -> Job:
    """The job of the proteins; what is beyond the encoders' length is not kept."""
    return proteins_job(task, options.data_dir, max_length=options.max_length - 2, **fields)


def _pluses(options: ProteinOptions, task: str) -> Iterator[PlannedEncoder]:
    """PLUS for the proteins of a task: the checkpoint, or one of each seed that is random or pretrained here."""
    width = options.plus_width or PLUS_WIDTH
    sizes = {
        "layers": options.plus_layers or PLUS_LAYERS,
        "width": width,
        "heads": options.plus_heads or max(1, width // 64),
        "intermediate": options.plus_intermediate or 4 * width,
    }
    if options.plus == RANDOM:
        named = {f"plus_{name}": value for name, value in sizes.items()}
        for seed in options.plus_seeds:
            yield PlannedEncoder(params={**named, "plus": RANDOM, "plus_seed": seed})
    elif options.plus == SMALL:
        train = _proteins(options, task, split="train")
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
            made = {"plus": SMALL, "plus_revision": JOB + job.id, "plus_seed": seed}
            yield PlannedEncoder(params={**NO_PLUS.params, **made}, needs={"plus": job})
    else:
        place = Path(options.plus).expanduser().absolute()
        given = {"plus": place.name, "plus_revision": plus_revision(place, options.pickled_weights)}
        paths = {"plus": str(place)} | ({"pickled_weights": "allowed"} if options.pickled_weights else {})
        yield PlannedEncoder(params={**NO_PLUS.params, **given}, paths=paths)


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


def pretrain_plus_job(proteins: Job, *, steps: int = PretrainPlusParams.steps, **settings: Any) -> Job:
    """The job that pretrains a small PLUS-TFM on `proteins`, a job of the stage `protein_data` (`proteins_job`).

    Args:
        proteins: the job of the data.
        steps: training steps.
        settings: further fields of `PretrainPlusParams`.

    Raises:
        ValueError: for a size or setting that cannot be.
    """
    warmup = SmallTraining.usual_warmup(steps)
    params = PretrainPlusParams(protein_task=proteins.params.task, steps=steps, warmup=warmup, **settings)
    return training_job(PRETRAIN_PLUS, params, layers=params.layers, proteins=proteins)


def plus_report_job(plus: Job) -> Job:
    """The job that makes rows of what `pretrain_plus` wrote about its training."""
    return Job(stage=PLUS_REPORT, params=plus.params, needs={"plus": plus}, fingerprints=plus.fingerprints)
