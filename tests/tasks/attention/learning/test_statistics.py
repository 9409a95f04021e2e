"""The stage of the statistics on made-up artifacts: rows, held-out choice, and whatever can be wrong with them."""

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from orchestrator.experiment import Context
from tasks.attention.learning.opened import best_step, delta_choice
from tasks.attention.learning.runs import Run, Runs
from tasks.attention.learning.scores import read_scores
from tasks.attention.learning.statistics import attention_statistics
from tasks.data.errors import DataError
from tests.tasks.attention.learning.fake import ITEMS, OPTIONS, RUNS, STEPS, jobs, write_all


@pytest.fixture(scope="module")
def needs(tmp_path_factory):
    return write_all(tmp_path_factory.mktemp("scores"))


@pytest.fixture(scope="module")
def rows(needs):
    return attention_statistics(jobs()[0].params, Context(needs=needs))


def changed(needs: dict[str, Path], name: str, directory: Path) -> dict[str, Path]:
    """The needs with a copy of one artifact, to be damaged."""
    return {**needs, name: Path(shutil.copytree(needs[name], directory / name))}


def one(rows, key, **where):
    found = [row for row in rows["statistics"] if row["key"] == key and all(row[k] == v for k, v in where.items())]
    assert len(found) == 1, found
    return found[0]


SAME = {"split": "val", "metric": "kendall", "performance": "accuracy", "selection": "same", "sign": "correct"}


def test_each_row_is_there_once(rows):
    job = jobs()[0]
    for name, spec in job.stage.tables.items():
        keys = [tuple(row[column] for column in spec.key) for row in rows[name]]
        assert keys
        assert len(set(keys)) == len(keys)
        assert all(set(row) == set(spec.schema.names) for row in rows[name])


def test_alpha_agreement_equals_a_loop(rows, needs):
    gold, other = (read_scores(needs[name]) for name in ("normal-20-100", "normal-13-50"))
    u, v, items = gold.quantity("alpha"), other.quantity("alpha"), other.rows("val", "a")
    expected = np.mean([np.asarray(stats.kendalltau(u[int(row)], v[int(row)]))[0] for row in items])
    where = {"split": "val", "part": "a", "metric": "kendall", "u": "alpha", "u_run": "normal-20", "u_step": 100}
    where |= {"v": "alpha", "v_run": "normal-13", "v_step": 50}
    (found,) = [row for row in rows["agreement"] if all(row[name] == value for name, value in where.items())]
    assert found["mean"] == pytest.approx(expected, abs=1e-12)
    assert (found["items"], found["undefined"]) == (len(items), 0)


def test_each_maximum_is_that_of_its_comparisons(rows):
    value = one(rows, "agr_px", **SAME)
    curve = {
        row["v_step"]: row["mean"]
        for row in rows["agreement"]
        if (row["split"], row["part"], row["metric"], row["u_run"]) == ("val", "all", "kendall", "px")
    }
    assert set(curve) == set(STEPS)
    assert value["value"] == max(curve.values()) == curve[value["step"]]
    assert one(rows, "best_perf", **SAME)["step"] == 100
    crossing = one(rows, "xi_unif", **SAME)
    corrs = [row for row in rows["statistics"] if row["key"] == "alpha_corrs" and SAME.items() <= row.items()]
    above = [row["step"] for row in corrs if row["value"] > one(rows, "agr_unif", **SAME)["value"]]
    assert crossing["step"] == (min(above) if above else None)


def test_held_out_is_chosen_on_one_half_and_judged_on_the_other(rows):
    held_out = {**SAME, "selection": "held_out"}
    best = one(rows, "best_perf", **held_out)
    assert best["step"] == 50  # best on half a alone
    assert best["value"] == pytest.approx(0.7 + 0.001 * (20 % 7))  # judged on half b
    value = one(rows, "agr_px", **held_out)
    by_part = {
        part: {
            row["v_step"]: row["mean"]
            for row in rows["agreement"]
            if (row["split"], row["part"], row["metric"], row["u_run"]) == ("val", part, "kendall", "px-heldout")
        }
        for part in ("a", "b")
    }
    chosen = max(by_part["a"], key=by_part["a"].__getitem__)
    assert (value["step"], value["value"]) == (chosen, by_part["b"][chosen])


def test_the_published_sign_stands_beside_the_correct_one(rows, needs):
    legacy = {row["key"] for row in rows["statistics"] if row["sign"] == "legacy"}
    assert legacy == {"agr_grad", "xi_grad", "baseline_grad"}
    assert one(rows, "agr_grad", **SAME)["value"] > 0.1 > one(rows, "agr_grad", **{**SAME, "sign": "legacy"})["value"]
    plain = attention_statistics(jobs(legacy_sign=False)[0].params, Context(needs=needs))
    assert {row["sign"] for row in plain["statistics"]} == {"correct"}
    assert plain["statistics"] == [row for row in rows["statistics"] if row["sign"] == "correct"]


def test_memory_changes_no_number(rows, needs):
    small = attention_statistics(jobs()[0].params, Context(needs=needs, memory_bytes=20_000))
    for name in rows:
        for ours, theirs in zip(small[name], rows[name], strict=True):
            assert set(ours) == set(theirs)
            for column, value in ours.items():  # sums over blocks may differ in the last digit
                expected = theirs[column]
                assert value == (pytest.approx(expected, abs=1e-14) if isinstance(expected, float) else expected)


def test_delta_is_chosen_on_all_items_and_on_half_a(needs):
    assert delta_choice(needs, RUNS.gold, STEPS, ("val", "train"), ("accuracy",)) == (50, 100)
    assert best_step({10: 0.5, 0: 0.5, 20: np.nan}, "run") == 0
    with pytest.raises(ValueError, match="run: performance is NaN at all of 2 checkpoints"):
        best_step({0: np.nan, 10: np.nan}, "run")
    with pytest.raises(ValueError, match="normal-20-0: no chrf"):
        delta_choice(needs, RUNS.gold, STEPS, ("val",), ("chrf",))


def test_attention_that_is_all_equal_is_recorded(needs, tmp_path):
    even = changed(needs, "normal-13-0", tmp_path)
    path = even["normal-13-0"] / "alpha.npy"
    np.save(path, np.full_like(np.load(path), 0.1))
    rows = attention_statistics(jobs()[0].params, Context(needs=even))
    found = [row for row in rows["agreement"] if (row["v"], row["v_run"], row["v_step"]) == ("alpha", "normal-13", 0)]
    assert len(found) == 2 * 2 * 3 * 2  # splits, metrics, parts, two i*
    for row in found:
        total = ITEMS[row["split"]] if row["part"] == "all" else ITEMS[row["split"]] // 2
        if row["metric"] == "kendall":
            assert (row["items"], row["undefined"]) == (0, total)
            assert np.isnan(row["mean"])
        else:
            assert (row["items"], row["mean"], row["baseline"]) == (total, 1.0, 1.0)  # ties help, as published
    first = [row for row in rows["statistics"] if row["key"] == "alpha_corrs" and row["step"] == 0]
    assert {row["metric"] for row in first if np.isnan(row["value"])} == {"kendall"}
    assert all(
        row["value"] is None or np.isfinite(row["value"]) for row in rows["statistics"] if row["key"] == "agr_px"
    )


def test_numbers_that_are_nan_are_counted(needs, tmp_path):
    broken = changed(needs, "uniform-12-10", tmp_path)
    path = broken["uniform-12-10"] / "beta.npy"
    values = np.load(path)
    values[0] = np.nan
    np.save(path, values)
    rows = attention_statistics(jobs()[0].params, Context(needs=broken))
    of_val = [row for row in rows["agreement"] if row["split"] == "val" and row["part"] == "all"]
    found = [row for row in of_val if (row["v_run"], row["v_step"]) == ("uniform-12", 10)]
    assert found
    assert all(row["undefined"] == 1 for row in found)
    assert {row["metric"]: row["items"] for row in found} == {"top5": 30, "kendall": 29}


def test_a_checkpoint_that_is_missing_is_named(needs, tmp_path):
    job = jobs()[0]
    without = {name: path for name, path in needs.items() if name != "normal-13-50"}
    with pytest.raises(DataError, match="the scores normal-13-50 are missing: a checkpoint of the grid"):
        attention_statistics(job.params, Context(needs=without))
    damaged = changed(needs, "normal-13-50", tmp_path)
    (damaged["normal-13-50"] / "alpha.npy").unlink()
    with pytest.raises(DataError, match=r"the scores normal-13-50: .*alpha.npy: no such file"):
        attention_statistics(job.params, Context(needs=damaged))


def test_scores_of_other_items_are_named(needs, tmp_path):
    other = changed(needs, "proxy-px", tmp_path)
    path = other["proxy-px"] / "lengths.npy"
    lengths = np.load(path)
    lengths[[0, 1]] += [1, -1]
    np.save(path, lengths)
    with pytest.raises(DataError, match=r"made: the scores proxy-px list .* all must be of the same items"):
        attention_statistics(jobs()[0].params, Context(needs=other))


def test_a_quantity_that_does_not_fit_is_named(needs, tmp_path):
    short = changed(needs, "delta", tmp_path)
    path = short["delta"] / "delta-100.npy"
    np.save(path, np.load(path)[:-1])
    with pytest.raises(DataError, match="offsets"):
        attention_statistics(jobs()[0].params, Context(needs=short))
    lacking = changed(needs, "normal-20-100", tmp_path)
    told = json.loads((lacking["normal-20-100"] / "scores.json").read_text())
    (lacking["normal-20-100"] / "scores.json").write_text(json.dumps({**told, "quantities": []}))
    with pytest.raises(DataError, match="no alpha among the scores"):
        attention_statistics(jobs()[0].params, Context(needs=lacking))


def test_the_plan_wants_the_whole_grid():
    job, evaluations = jobs()
    lacking = {key: value for key, value in evaluations.items() if key != (Run("normal", 14), 50)}
    with pytest.raises(ValueError, match="made: no evaluation of normal-14 at step 50; all runs share one grid"):
        jobs(evaluations=lacking)
    with pytest.raises(TypeError, match="'perplexity'; choose one of 'accuracy', 'bleu'"):
        jobs(performances=("perplexity",))
    with pytest.raises(TypeError, match="'bow'; choose one of 'px', 'logistic'"):
        jobs(proxies={"bow": job})
    with pytest.raises(ValueError, match="seeds is 20: give at least 2"):
        Runs(seeds=(20,), uniform_seed=12)
    with pytest.raises(ValueError, match="steps is empty: give at least one"):
        jobs(evaluations={})


def test_another_training_is_another_set_of_statistics():
    job, evaluations = jobs()
    key = (Run("normal", 20), 0)
    changed_job = dataclasses.replace(evaluations[key].params, dataset="other")
    other = {**evaluations, key: type(job)(stage=evaluations[key].stage, params=changed_job)}
    assert jobs(evaluations=other)[0].params.inputs != job.params.inputs
    assert jobs()[0].id == job.id


def test_a_split_without_items_is_named(needs, tmp_path):
    moved = {name: Path(shutil.copytree(path, tmp_path / name)) for name, path in needs.items()}
    for directory in moved.values():
        told = json.loads((directory / "scores.json").read_text())
        told["items"] = {"val": sum(ITEMS.values()), "train": 0}
        (directory / "scores.json").write_text(json.dumps(told))
    with pytest.raises(DataError, match="made: the split train has no items"):
        attention_statistics(jobs()[0].params, Context(needs=moved))
    only_val = attention_statistics(jobs(dataclasses.replace(OPTIONS, splits=("val",)))[0].params, Context(needs=moved))
    assert {row["split"] for row in only_val["statistics"]} == {"val"}
