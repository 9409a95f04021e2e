"""The README stays true: its example runs, its table names the experiments, its options exist."""

import re
import sys
import types
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import tasks
from orchestrator.cli import main

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
EXAMPLE = next(
    block for block in re.findall(r"```python\n(.*?)```", README, re.S) if "EXPERIMENT = Experiment(" in block
)


@pytest.fixture
def example(monkeypatch):
    """The README's experiment, registered as the README says."""
    module = types.ModuleType("tasks.random_walk")
    monkeypatch.setitem(sys.modules, "tasks.random_walk", module)
    monkeypatch.setitem(tasks.EXPERIMENTS, "random_walk", "tasks.random_walk")
    exec(EXAMPLE, module.__dict__)


def test_example_is_short():
    assert len(EXAMPLE.splitlines()) <= 60


def test_example_runs_as_the_readme_says(example, tmp_path, capsys):
    command = ["--experiment", "random_walk", "--steps", "10,100", "--seeds", "0-9"]
    assert main([*command, "--out", str(tmp_path), "--backend", "inline"]) == 0
    walks = pd.read_parquet(tmp_path / "random_walk/walks.parquet")
    assert len(walks) == 20
    # The mean square of the distance is the number of steps; ten walks tell 10 from 100.
    means = {steps: np.mean(walks.loc[walks["steps"] == steps, "distance"].to_numpy() ** 2) for steps in (10, 100)}
    assert means[10] < 40 < means[100]
    assert (tmp_path / "random_walk/figures/distance.png").exists()
    assert main([*command, "--out", str(tmp_path), "--backend", "inline"]) == 0
    assert "0 jobs to run, 20 already there" in capsys.readouterr().out


def test_every_experiment_is_in_the_table():
    named = set(re.findall(r"^\| `(\w+)` \|", README, re.M))
    assert set(tasks.EXPERIMENTS) <= named


def test_commands_of_the_readme_can_be_parsed():
    from orchestrator.options import parse

    lines = re.findall(r"sweep\.py (--experiment \w+[^\n#`]*)", README.replace("\\\n", " "))
    named = [line for line in lines if line.split()[1] in tasks.EXPERIMENTS]
    assert {line.split()[1] for line in named} == set(tasks.EXPERIMENTS)
    for line in named:
        experiment, _, _ = parse(line.split())
        assert experiment.name == line.split()[1]
