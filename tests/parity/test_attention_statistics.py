"""The published statistics on made-up lists: pairs of rankings, and whole dictionaries."""

import json
from pathlib import Path

import numpy as np
import pytest

from metrics.agreement import Metric, agreements
from metrics.kendall import kendall_tau
from metrics.top_match import largest, top_match
from tasks.attention.learning.opened import Opened
from tasks.attention.learning.plan import StatisticsParams
from tasks.attention.learning.runs import Run
from tasks.attention.learning.scores import Scores
from tasks.attention.learning.statistics import tables

HERE = Path(__file__).parent
METRICS = {"top 5% match": "top5", "kendall tau": "kendall"}
SPLITS = {"val": "test_acc", "train": "train_acc"}


def numbers(values):
    return np.array([float(value) for value in values])


def pairs():
    return json.loads((HERE / "agreement_pairs.json").read_text())


def test_every_pair_has_the_published_values():
    for pair in pairs()["pairs"]:
        u, v = numbers(pair["alpha"])[None, None], numbers(pair["beta"])[None, None]
        tau = kendall_tau(u, v).item()
        assert tau == pytest.approx(float(pair["kendall"]), abs=1e-12, nan_ok=True), pair["kind"]
        for name, k in {"top1": 1, "top3": 3, "top5": 5, "top10pct": largest(pair["n"], 10)}.items():
            assert top_match(u, v, k)[0].item() == bool(pair[name]), (pair["kind"], pair["n"], name)
        assert largest(pair["n"]) == pair["k_for_5pct"]
        match, baseline = top_match(u, v, pair["k_for_5pct"])
        assert match.item() == bool(pair["top5pct"])
        if "expected_top5pct_under_shuffle_of_beta" in pair:
            assert baseline.item() == pytest.approx(pair["expected_top5pct_under_shuffle_of_beta"], abs=1e-15)


def test_means_over_pairs_leave_out_what_the_published_ones_do():
    told = pairs()
    kept = [pair for pair in told["pairs"] if not pair["kind"].startswith("nan")]
    lengths = np.array([pair["n"] for pair in kept])
    u, v = (np.concatenate([numbers(pair[name]) for pair in kept]) for name in ("alpha", "beta"))
    expected = told["aggregate_over_pairs_without_nan"]
    names: dict[Metric, str] = {"top5": "top5pct", "kendall": "kendall"}
    for metric, name in names.items():
        found = agreements([u], [v], lengths, np.ones((1, len(kept)), dtype=bool), metric)
        assert found.mean.item() == pytest.approx(expected[name]["correlation"], abs=1e-12)
        assert found.items.item() == expected[name]["n_counted"]
        if metric == "kendall":
            assert found.undefined.item() == expected[name]["n_skipped_nan"]
        else:
            assert found.baseline.item() == pytest.approx(expected["_expected_baseline_top5pct"], abs=1e-12)


@pytest.fixture(scope="module")
def computed():
    """Rows of `statistics` for the made-up runs, in float64."""
    data = dict(np.load(HERE / "stats_synth_clf_cut.npz"))
    lengths, steps = data["lengths"].astype(np.int64), [int(step) for step in data["iterations"]]
    sign = np.repeat(2 * data["labels"] - 1, lengths)
    first = int(data["n_val"])
    half = np.arange(len(lengths)) % 2
    gold, *others, uniform = (Run("normal", n) for n in range(1, 6))
    uniform = Run("uniform", uniform.seed)

    def scores(run, i, values):
        told = {
            split: {part: {"accuracy": float(data[name][run, i])} for part in ("all", "a", "b")}
            for split, name in SPLITS.items()
        }
        items = {"val": first, "train": len(lengths) - first}
        return Scores(items=items, lengths=lengths, half=half, values=values, performance=told)

    evaluations = {}
    for i, step in enumerate(steps):
        alpha = data["alpha_A_last"] if i == len(steps) - 1 else np.full_like(data["alpha_A_last"], np.nan)
        evaluations[gold, step] = scores(0, i, {"alpha": alpha})  # those before i* must not matter
        for r, run in enumerate(others):
            evaluations[run, step] = scores(r + 1, i, {"alpha": data["alpha_comparison"][r, i]})
        evaluations[uniform, step] = scores(4, i, {"beta": data["beta_uniform"][i] * sign})
        evaluations[others[0], step].values["beta"] = data["beta_B"][i] * sign
    proxies = {}
    for name, array in (("px", "proxy_embed"), ("logistic", "proxy_logistic")):
        beta = data[array][data["tokens"]] * sign
        proxies[name] = scores(0, 0, {"beta": beta, "beta-heldout": beta})
    opened = Opened(
        evaluations=evaluations, delta=scores(0, 0, {f"delta-{steps[-1]}": data["grad_A_last"]}), proxies=proxies
    )
    params = StatisticsParams(
        dataset="TOY",
        inputs="0",
        seeds=(1, 2, 3, 4),
        uniform_seed=5,
        steps=tuple(steps),
        proxies=("logistic", "px"),
        signs=("correct", "legacy"),
    )
    return tables(opened, params, 1 << 28)


@pytest.mark.parametrize("split", SPLITS)
@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("variant", ["head", "correct_grad_sign"])
def test_dictionaries_are_the_published_ones(computed, variant, metric, split):
    expected = json.loads((HERE / "stats_synth_clf.json").read_text())[f"{variant}|{metric}|{split}|{SPLITS[split]}"]
    rows = [
        row
        for row in computed["statistics"]
        if (row["split"], row["metric"], row["selection"]) == (split, METRICS[metric], "same")
    ]
    found: dict = {}
    for row in rows:
        if row["sign"] == "correct" or variant == "head":  # legacy rows follow the correct ones
            found.setdefault((row["key"], row["sign"]), []).append(row["value"])
    steps = [row["step"] for row in rows if row["key"] == "alpha_corrs"]
    assert steps == expected["iterations"]
    for key, value in expected.items():
        sign = "legacy" if variant == "head" and key.endswith("_grad") else "correct"
        if key in ("alpha_corrs", "alpha_perfs"):
            assert found[key, sign] == pytest.approx(value, abs=1e-12)
        elif key == "baseline":  # one random shuffle there: only near
            assert found[key, sign] == [pytest.approx(value, abs=0.06)]
        elif key == "baseline_expected":
            assert found["baseline", sign] == [pytest.approx(value, abs=1e-12)]
        elif key != "iterations":
            assert found[key, sign] == [pytest.approx(value, abs=1e-12) if value is not None else None], key


def test_held_out_rows_stand_beside_the_published_ones(computed):
    keys = {
        selection: {
            (row["key"], row["step"] is None) for row in computed["statistics"] if row["selection"] == selection
        }
        for selection in ("same", "held_out")
    }
    assert {key for key, _ in keys["same"]} == {key for key, _ in keys["held_out"]}
