"""The command line's options: the common ones, and those of the experiment, which are the fields of its Config.

`ray submit` re-reads arguments through a shell and owns some words, so options here are long, none of its own, and
their values need no blanks: ranges are written `1-4,8,12`.
"""

import contextlib
import dataclasses
import difflib
import importlib
import io
import os
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import tyro

from orchestrator.experiment import Experiment
from orchestrator.limits import AboveZero, Limited, NotNegative, Positive, ZeroOrMore
from orchestrator.surroundings import ray_job
from tasks import EXPERIMENTS


class UsageError(ValueError):
    """A wrong name or value on the command line: one line, with the nearest right one."""


def parse_range(texts: Sequence[str]) -> tuple[int, ...]:
    """`1-4,8` is (1, 2, 3, 4, 8): both ends are included, repeated numbers count once, order is kept.

    Raises:
        ValueError: with the part that is no range.
    """
    numbers: list[int] = []
    for part in ",".join(texts).split(","):
        match = re.fullmatch(r"(\d+)(?:-(\d+))?", part.strip())
        if match is None:
            raise ValueError(f"{part!r} is no number and no range like 1-4,8")
        first, last = int(match[1]), int(match[2] or match[1])
        if last < first:
            raise ValueError(f"{part!r} runs backwards; write {last}-{first}")
        numbers += range(first, last + 1)
    return tuple(dict.fromkeys(numbers))


def write_range(numbers: Sequence[int]) -> str:
    """The shortest text that `parse_range` reads as `numbers`: (1, 2, 3, 8) is `1-3,8`."""
    parts: list[list[int]] = []
    for number in numbers:
        if parts and number == parts[-1][-1] + 1:
            parts[-1].append(number)
        else:
            parts.append([number])
    return ",".join(f"{p[0]}-{p[-1]}" if len(p) > 2 else ",".join(map(str, p)) for p in parts)


Ints = Annotated[
    tuple[int, ...],
    tyro.constructors.PrimitiveConstructorSpec(
        nargs="*",
        metavar="1-4,8",
        instance_from_str=lambda texts: parse_range(texts),
        is_instance=lambda value: isinstance(value, tuple),
        str_from_instance=lambda value: [write_range(value)],
    ),
]
"""A Config field of whole numbers, written as inclusive ranges on the command line."""


@dataclass(frozen=True, kw_only=True)
class Common(Limited):
    """Options that every experiment has."""

    experiment: str = ""
    """Name of the experiment; --list shows them."""
    preset: str = "paper"
    """paper: the published setting. quick: a minute or two on two CPU cores, no network."""
    out: str = dataclasses.field(default_factory=lambda: os.environ.get("SWEEP_OUT") or "results")
    """Results directory, or an s3:// or gs:// address that all nodes can reach; SWEEP_OUT names another default."""
    address: str = "auto"
    """Ray cluster: auto joins a running one or starts one here, local starts one here, else an address."""
    backend: Literal["ray", "inline"] = "ray"
    """inline runs one job at a time in this process, without Ray."""
    num_cpus: Positive | None = None
    """CPU slots of a cluster started here; None: all cores."""
    gpus_per_job: ZeroOrMore | None = None
    """GPUs, or a fraction of one, per job instead of what the stages ask for; 0 keeps jobs off GPUs."""
    attempts: Positive = 2
    """Maximum number of attempts of a job that raises."""
    max_worker_failures: NotNegative = 10
    """Maximum number of retries of a job whose worker died or whose node was lost."""
    job_timeout: AboveZero | None = None
    """Timeout of a job in seconds."""
    dashboard: bool = False
    """Start Ray's dashboard with a cluster that is started here (800 MB of memory); one that is joined has its own."""
    plan: bool = False
    """Show what would run and what it costs; run nothing."""
    status: bool = False
    """Show what the results directory holds of this sweep; run nothing."""
    reduce_only: bool = False
    """Rebuild tables, figures and the report from the rows that are there."""
    gc: bool = False
    """Delete artifacts and checkpoints that no sweep under --out needs any more."""
    rerun_drifted: bool = False
    """Rerun jobs whose rows were written by other code."""
    describe: bool = False
    """Show the experiment's tables and columns."""
    tracker: Literal["none", "mlflow"] = "none"
    """mlflow: log each job as a run to the server that MLFLOW_TRACKING_URI names (needs mlflow-skinny)."""
    log_level: Literal["debug", "info", "warning", "error"] = "warning"
    """Log level of the terminal; the run's log file always has everything from info on."""


RENAMED = {"--losses": "--max-worker-failures"}
"""Options by their old names, which are refused with the new one."""


def nearest(word: str, words: Sequence[str]) -> str:
    """` (did you mean 'x'?)`, or nothing when no word is near."""
    folded = {w.lower(): w for w in words}
    close = difflib.get_close_matches(word.lower(), folded, n=1, cutoff=0.5)
    return f" (did you mean {folded[close[0]]!r}?)" if close else ""


def load_experiment(name: str) -> Experiment:
    """Import the module of an experiment and return its EXPERIMENT.

    Raises:
        UsageError: for a name that is not registered.
    """
    if name not in EXPERIMENTS:
        raise UsageError(
            f"there is no experiment {name!r}{nearest(name, list(EXPERIMENTS))}; there are: {', '.join(EXPERIMENTS)}"
        )
    return importlib.import_module(EXPERIMENTS[name]).EXPERIMENT


def value_of(flag: str, arguments: Sequence[str]) -> str | None:
    """The value given for `--flag`, as `--flag value` or `--flag=value`; the last one counts."""
    found = None
    for i, argument in enumerate(arguments):
        if argument == flag and i + 1 < len(arguments):
            found = arguments[i + 1]
        elif argument.startswith(flag + "="):
            found = argument.partition("=")[2]
    return found


def parse(arguments: Sequence[str]) -> tuple[Experiment, Common, Any]:
    """Read a command line: the experiment, the common options, and the experiment's Config over its preset.

    Raises:
        UsageError: one line that names what was wrong and the nearest right one.
        SystemExit: after printing help for `--help`.
    """
    name = value_of("--experiment", arguments)
    if name is None:
        raise UsageError(f"say which experiment: --experiment NAME, one of: {', '.join(EXPERIMENTS)}")
    experiment = load_experiment(name)
    preset = value_of("--preset", arguments) or "paper"
    if preset not in experiment.presets:
        raise UsageError(
            f"{name} has no preset {preset!r}{nearest(preset, list(experiment.presets))}; "
            f"it has: {', '.join(experiment.presets)}"
        )
    common, config = _parse_fields(experiment, preset, arguments)
    _refuse_temporary(common.out)
    return experiment, common, config


def _refuse_temporary(out: str) -> None:
    """`ray job submit` runs the driver in a snapshot of its working directory, which Ray deletes after the job."""
    if ray_job() is not None and "://" not in out and not os.path.isabs(os.path.expanduser(out)):
        raise UsageError(
            f"--out {out} would lie in the temporary folder of this Ray job and go with it: give --out, or set "
            "SWEEP_OUT on the cluster, to an absolute path that all nodes share or an s3:// address"
        )


def _parse_fields(experiment: Experiment, preset: str, arguments: Sequence[str]) -> tuple[Common, Any]:
    defaults = experiment.presets[preset]
    both = dataclasses.make_dataclass(
        "Sweep",
        [
            ("common", Common, dataclasses.field(default_factory=Common)),
            (experiment.name, experiment.config, dataclasses.field(default_factory=lambda: defaults)),
        ],
    )
    flags = {
        "--" + field.name.replace("_", "-"): field
        for cls in (Common, experiment.config)
        for field in dataclasses.fields(cls)
    }
    flags |= {"--no-" + flag[2:]: field for flag, field in flags.items() if field.type in (bool, "bool")}
    wants_help = "--help" in arguments or "-h" in arguments
    for argument in arguments:
        flag = argument.partition("=")[0].replace("_", "-")
        if flag in RENAMED:
            raise UsageError(f"the option {flag} is called {RENAMED[flag]} now")
        if flag.startswith("--") and flag not in flags and not wants_help:
            raise UsageError(f"there is no option {flag}{nearest(flag, list(flags))}; --help shows them all")
    errors = io.StringIO()
    try:
        with contextlib.nullcontext() if wants_help else contextlib.redirect_stderr(errors):
            parsed = tyro.cli(
                both,
                prog="sweep.py",
                description=f"{experiment.name}, defaults of the preset {preset}.",
                args=list(arguments),
                config=(tyro.conf.OmitArgPrefixes, tyro.conf.FlagCreatePairsOff),
            )
    except SystemExit as stop:
        if stop.code in (0, None):
            raise
        raise UsageError(_one_line(errors.getvalue())) from None
    return parsed.common, getattr(parsed, experiment.name)


def _one_line(boxed: str) -> str:
    """The message inside tyro's frame, on one line, with the nearest of the choices it lists."""
    inside: list[str] = []
    for line in boxed.splitlines()[1:]:
        text = line.strip("│╭╮╰╯ \t")
        if text and not set(text) <= {"─", "-"}:
            inside.append(text)
        elif inside:  # the rule below the message; where the frame is of ASCII, there is one above it too
            break
    message = re.sub(r"^Error parsing (?:(--\S+: )|\S+: )", r"\1", " ".join(inside))
    message = message or "the command line cannot be read"
    wrong = re.search(r"invalid choice '([^']*)'", message)
    choices = re.findall(r"'([^']*)'", message.partition("Expected one of")[2])
    if wrong and choices:
        argument = re.search(r"argument '([^']*)'", message)
        where = argument[1] if argument else "an option"
        return f"{where}: there is no {wrong[1]!r}{nearest(wrong[1], choices)}; there are: {', '.join(choices)}"
    return message


def command_text(arguments: Sequence[str]) -> str:
    """The command as the user can type it again."""
    import shlex

    program = os.path.basename(sys.argv[0]) if sys.argv and sys.argv[0].endswith(".py") else "sweep.py"
    return shlex.join(["python", program, *arguments])
