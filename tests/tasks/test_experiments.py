"""What holds of every experiment alike."""

import dataclasses
import importlib
import inspect
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from orchestrator.experiment import Experiment, Results
from orchestrator.limits import Limited
from orchestrator.options import EXPERIMENTS, load_experiment
from orchestrator.parts import JOBS_SPEC, full_schema

NAMES = sorted(EXPERIMENTS)
HEAVY = {"torch", "transformers", "datasets", "pandas", "matplotlib", "sklearn", "scipy", "ray"}
REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(params=NAMES)
def experiment(request) -> Experiment:
    return load_experiment(request.param)


@dataclasses.dataclass
class Nothing(Results):
    """The results of a sweep of which nothing is done yet: tables with their columns, without rows."""

    experiment: Experiment

    def table(self, name: str) -> pd.DataFrame:
        stages = [stage for stage in self.experiment.stages if name in stage.tables]
        return full_schema(self.experiment.tables[name], stages).empty_table().to_pandas()

    @property
    def jobs(self) -> pd.DataFrame:
        return JOBS_SPEC.schema.empty_table().to_pandas()


def test_functions_named_as_text_are_there_and_take_what_they_are_given(experiment):
    for stage in experiment.stages:
        assert list(inspect.signature(stage.load()).parameters) == ["params", "context"], stage.name
    assert list(inspect.signature(experiment.load_reduce()).parameters) == ["results", "config"]


def test_planning_the_quick_preset_needs_no_heavy_library():
    """One process for all of them: an import of any shows, whoever is to blame is named."""
    code = (
        "import sys\n"
        "from orchestrator.options import EXPERIMENTS, load_experiment\n"
        "for name in EXPERIMENTS:\n"
        "    experiment = load_experiment(name)\n"
        "    assert list(experiment.plan(experiment.presets['quick']))\n"
        f"    heavy = {HEAVY!r} & set(sys.modules)\n"
        "    assert not heavy, (name, heavy)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=REPOSITORY, check=False)
    assert done.returncode == 0, done.stderr


def test_without_rows_there_is_an_empty_summary(experiment):
    summary = experiment.load_reduce()(Nothing(experiment), experiment.presets["quick"])
    assert all(len(table) for table in summary.tables.values())
    assert not any(name for name in summary.figures)
    assert set(summary.captions) >= {*summary.tables, *summary.figures}


def test_every_table_and_column_is_described(experiment):
    for name, spec in experiment.tables.items():
        undescribed = [field.name for field in spec.schema if not (field.metadata or {}).get(b"doc")]
        assert not undescribed, (name, undescribed)
        assert spec.doc, name


def declaring_class(cls: type, name: str) -> type:
    """The class in whose body a field of `cls` is declared, or declared again."""
    return next(c for c in cls.__mro__ if name in inspect.get_annotations(c))


def declared_twice() -> set[tuple[str, str]]:
    """(class of parameters, field) of each field that stands in a Config and, declared again, in its parameters."""
    found = set()
    for name in EXPERIMENTS:
        experiment = load_experiment(name)
        options = {field.name for field in dataclasses.fields(experiment.config)}
        for stage in experiment.stages:
            for field in dataclasses.fields(stage.params):
                if field.name in options:
                    of_params = declaring_class(stage.params, field.name)
                    if of_params is not declaring_class(experiment.config, field.name):
                        found.add((f"{of_params.__module__}.{of_params.__qualname__}", field.name))
    return found


GIVEN = {"corpus", "dataset", "model", "tokenizer"}
"""In a Config what is given, a hub name or a directory; in parameters the name of what was found there."""
OWN_OPTIONS = {
    "tasks.encoders.small": "--pretrain-…: training of the model small",
    "tasks.training.settings": "--pretrain-… and --plus-…",
    "tasks.transfer.comparison.options._Network": "--plus-…",
    "tasks.transfer.comparison.options._Plus": "the checkpoint that was found under --plus",
    "tasks.transfer.comparison.options.PretrainPlusParams": "--plus-seeds",
    "tasks.transfer.proteins.parsing.Kept": "residues, where the option is tokens",
    "tasks.deepscale.bert_finetuning.stages._Training": "--finetune-…",
    "tasks.deepscale.bert_finetuning.stages._Seed": "--finetune-precision",
    "tasks.deepscale.component_moments.stages._Points": "the points and trials themselves, not their maximum number",
    "tasks.attention.learning.plan._Grid": "checkpoints, where the option is training steps",
    "tasks.attention.learning.runs.GoldRun": "checkpoints, where the option is training steps",
    "tasks.attention.learning.runs.ProxyTraining": "--proxy-…",
    "tasks.attention.multihead_copying.stages._Combinations": "one kind and its numbers, not all kinds and how many",
    "tasks.squad.stages._Optimisation": "of finetuning, where the options of squad_probes are those of probes",
    "tasks.transient_chaos.chaos.stages._Long": "--long-…",
}
"""Classes of parameters, or modules of them, whose fields are set by options of other names."""


def test_an_option_is_declared_once():
    """A few stand twice: the Config has another default or None, or a group would change the order of columns."""
    twice = {
        (cls, name)
        for cls, name in declared_twice()
        if name not in GIVEN and cls not in OWN_OPTIONS and cls.rpartition(".")[0] not in OWN_OPTIONS
    }
    assert len(twice) <= 40, sorted(twice)


def test_all_settings_are_checked_by_the_limits_in_their_types(experiment):
    for cls in (experiment.config, *(stage.params for stage in experiment.stages)):
        assert issubclass(cls, Limited), cls


@pytest.mark.parametrize("name", NAMES)
def test_an_experiments_folder_is_laid_out_as_all_are(name):
    """`__init__`, `config`, `stages`, `plan`, `reduce`: a reader finds the same thing in the same file."""
    package = importlib.import_module(EXPERIMENTS[name])
    folder = Path(package.__file__ or "").parent
    there = {file.stem for file in folder.glob("*.py")}
    assert {"__init__", "config", "plan", "reduce"} <= there, folder
