import subprocess
import sys
from dataclasses import dataclass, fields
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator import options
from orchestrator.cli import main
from tasks import EXPERIMENTS

ROOT = Path(__file__).parents[2]


@given(st.lists(st.integers(0, 400), unique=True))
def test_ranges_are_read_as_they_are_written(numbers):
    if numbers:
        assert options.parse_range([options.write_range(numbers)]) == tuple(numbers)


@given(st.integers(0, 50), st.integers(0, 50))
def test_both_ends_of_a_range_are_in_it(first, more):
    assert options.parse_range([f"{first}-{first + more}"]) == tuple(range(first, first + more + 1))


def test_ranges():
    assert options.parse_range(["1-3,8", "2"]) == (1, 2, 3, 8)
    assert options.write_range((1, 2, 3, 8, 10, 11)) == "1-3,8,10,11"


@pytest.mark.parametrize("text", ["", "a", "1-", "-1", "1--2", "1.5", "3-1", "1 2", "{1..3}"])
def test_what_is_no_range_is_refused(text):
    with pytest.raises(ValueError):
        options.parse_range([text])


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["--experiment", "toi"], ["there is no experiment 'toi'", "did you mean 'toy'?"]),
        (["--experiment"], ["say which experiment"]),
        (["--preset", "quick"], ["say which experiment"]),
        (["--experiment", "toy", "--preset", "quik"], ["no preset 'quik'", "did you mean 'quick'?"]),
        (["--experiment", "toy", "--numbrs", "1"], ["no option --numbrs", "did you mean '--numbers'?"]),
        (["--experiment", "toy", "--numbers", "1-x"], ["--numbers", "'1-x'"]),
        (["--experiment", "toy", "--numbers", "4-1"], ["runs backwards", "1-4"]),
        (["--experiment", "toy", "--scale", "big"], ["--scale", "big"]),
        (["--experiment", "toy", "--backend", "rai"], ["'rai'", "did you mean 'ray'?"]),
        (["--experiment", "toy", "--attempts", "0"], ["attempts is 0"]),
        (["--experiment", "toy", "--max-worker-failures", "-1"], ["max-worker-failures is -1: give at least 0"]),
        (["--experiment", "toy", "--losses", "3"], ["the option --losses is called --max-worker-failures now"]),
        (["--experiment", "toy", "--job-timeout", "0"], ["job-timeout is 0"]),
        (["--experiment", "toy", "--num-cpus", "0"], ["num-cpus is 0"]),
        (["--experiment", "toy", "--gpus-per-job", "-1"], ["gpus-per-job"]),
    ],
)
def test_a_wrong_command_line_is_one_line_and_starts_nothing(arguments, parts, monkeypatch, capsys, tmp_path):
    monkeypatch.setitem(EXPERIMENTS, "toy", "tests.toy")
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.count("\n") == 1
    assert all(part in printed.err for part in parts), printed.err
    assert list(tmp_path.iterdir()) == []


def test_no_arguments_show_the_usage(capsys):
    assert main([]) == 2
    assert "--experiment NAME" in capsys.readouterr().err
    assert main(["--help"]) == 0
    assert "--experiment NAME" in capsys.readouterr().out


def test_help_of_an_experiment_shows_both_kinds_of_options(monkeypatch, capsys):
    monkeypatch.setitem(EXPERIMENTS, "toy", "tests.toy")
    with pytest.raises(SystemExit) as stop:
        main(["--experiment", "toy", "--preset", "quick", "--help"])
    assert stop.value.code == 0
    shown = capsys.readouterr().out
    assert "--numbers" in shown
    assert "--job-timeout" in shown
    assert "1,2" in shown  # the quick preset's default


def test_values_over_a_preset(monkeypatch):
    monkeypatch.setitem(EXPERIMENTS, "toy", "tests.toy")
    _, common, config = options.parse(["--experiment=toy", "--preset=quick", "--scale", "2", "--num-cpus=3", "--plan"])
    assert (config.numbers, config.scale, common.num_cpus, common.plan) == ((1, 2), 2.0, 3, True)
    _, _, config = options.parse(["--experiment", "toy", "--numbers", "1-3,8", "--wrong", "1", "2"])
    assert (config.numbers, config.wrong) == ((1, 2, 3, 8), (1, 2))


def test_a_switch_that_is_on_can_be_turned_off(monkeypatch):
    import tests.toy as toy
    from orchestrator.experiment import Experiment

    @dataclass(frozen=True, kw_only=True)
    class Switched(toy.Config):
        shuffle: bool = True

    experiment = Experiment(
        name="toy", config=Switched, presets={"paper": Switched()}, stages=(), plan=toy.plan, reduce=toy.reduce
    )
    monkeypatch.setitem(EXPERIMENTS, "toy", "tests.toy")
    monkeypatch.setattr(toy, "EXPERIMENT", experiment)
    assert options.parse(["--experiment", "toy", "--no-shuffle"])[2].shuffle is False


def test_no_option_is_a_word_of_ray_submit():
    from ray.scripts.scripts import submit

    theirs = {word for parameter in submit.params for word in getattr(parameter, "opts", []) if word.startswith("-")}
    theirs |= {w for p in submit.params for w in getattr(p, "secondary_opts", []) if w.startswith("-")}
    assert {"--start", "--stop", "--tmux", "--args", "-n", "-p", "-v"} <= theirs  # that we have read the right thing
    ours = {"--list", "--help"} | {"--" + field.name.replace("_", "-") for field in fields(options.Common)}
    for name in EXPERIMENTS:
        config = options.load_experiment(name).config
        ours |= {"--" + field.name.replace("_", "-") for field in fields(config)}
    assert ours & (theirs | {"--help"}) == {"--help"}
    assert not any(word.startswith("-") and not word.startswith("--") for word in ours)


def test_the_list_is_light():
    script = (
        "import sys; from orchestrator.cli import main; code = main(['--list']);"
        "print(*sorted({'torch', 'ray', 'pyarrow', 'pandas', 'tyro', 'rich'} & set(sys.modules)), file=sys.stderr);"
        "sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stderr.strip() == ""
    assert [line.split()[0] for line in done.stdout.splitlines()] == list(EXPERIMENTS)


def test_sweep_py_lists_from_another_directory(tmp_path):
    done = subprocess.run(
        [sys.executable, ROOT / "sweep.py", "--list"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert "glue_depth" in done.stdout


def test_a_copy_of_sweep_py_finds_the_project_in_the_home_directory(tmp_path):
    """`ray submit` copies sweep.py alone to the head node's home."""
    (tmp_path / "sweeps").symlink_to(ROOT)
    copy = tmp_path / "sweep.py"
    copy.write_bytes((ROOT / "sweep.py").read_bytes())
    environment = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
    done = subprocess.run([sys.executable, copy, "--list"], cwd="/", capture_output=True, text=True, env=environment)
    assert "glue_depth" in done.stdout, done.stderr
    (tmp_path / "sweeps").unlink()
    done = subprocess.run([sys.executable, copy, "--list"], cwd="/", capture_output=True, text=True, env=environment)
    assert "sweep.py finds no project" in done.stderr
    assert done.returncode == 1
