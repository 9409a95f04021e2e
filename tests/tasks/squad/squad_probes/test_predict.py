"""The stages `probe_predict` and `probe_evaluate` as plain functions, on the artifact of a real windows job."""

import numpy as np
import pytest
import torch

from models.transformer import hidden_states
from orchestrator.experiment import Context
from tasks.encoders.transformer_loading import load_transformer_here
from tasks.squad.questions.windows import open_windows
from tasks.squad.squad_probes.artifacts import read_predictions, read_probes, write_probes
from tasks.squad.squad_probes.converged import train_lbfgs
from tasks.squad.squad_probes.predict import evaluate, predict
from tasks.squad.squad_probes.stages import AdamParams, LbfgsParams, PredictParams
from tasks.squad.squad_probes.training import train_adam
from tests.tasks.squad.squad_probes.conftest import ENCODER


def read_all(directory):
    return {tuple(lead.values()): (ids, found) for lead, ids, found in read_predictions(directory)}


ADAM = AdamParams(**ENCODER, learning_rates=(1e-2, 1e-1), seeds=(0, 1), epochs=2, batch_size=8)
LBFGS = LbfgsParams(**ENCODER, l2=(1e-2,), converged_windows=20)
PARAMS = PredictParams(**ENCODER, converged_windows=20)


@pytest.fixture(scope="session")
def trained(windows, tmp_path_factory):
    """Artifacts of both solvers on a tiny encoder."""
    places = {name: tmp_path_factory.mktemp(name) for name in ("adam", "lbfgs")}
    train_adam(ADAM, Context(needs={"windows": windows}, artifact=places["adam"]))
    train_lbfgs(LBFGS, Context(needs={"windows": windows}, artifact=places["lbfgs"]))
    return places


def run(needs, place, **more):
    place.mkdir()
    return predict(PARAMS, Context(needs=needs, artifact=place, **more)), place


def test_predictions_are_those_of_a_plain_pass_over_each_window(windows, trained, tmp_path):
    tables, place = run({**trained, "windows": windows}, tmp_path / "all")
    dev = open_windows(windows, "dev")
    found = read_all(place)
    weights, _ = read_probes(trained["adam"])
    model = load_transformer_here(
        PARAMS, Context(), vocab_size=dev.meta["vocab_size"], pad_token_id=dev.meta["pad_token_id"], longest=80
    )
    lead = next(key for key in found if key[1] == "adam" and key[0] == 1 and key[-1] == "proper")
    g = [key for key in found if key[0] == 1 and key[1] == "adam" and key[-1] == "proper"].index(lead)
    ids, own = found[lead]
    assert own.best_text is not None
    assert own.null_odds is not None
    assert ids == dev.questions.ids
    best = np.full(len(ids), -np.inf)
    null = np.full(len(ids), np.inf)
    texts = [""] * len(ids)
    for n in range(len(dev)):
        batch = dev.batch([n])
        with torch.no_grad():
            h = hidden_states(model, batch.input_ids, batch.token_type_ids, batch.attention_mask)[1][0]
        start, end = (h @ weights[1, g, head].to(h) for head in (0, 1))
        q = int(dev.question[n])
        null[q] = min(null[q], float(start[0] + end[0]))
        for a in range(int(dev.context_start[n]), int(dev.context_end[n])):
            if not batch.max_context[0, a]:
                continue
            for b in range(a, min(a + PARAMS.max_answer_length, int(dev.context_end[n]))):
                score = float(start[a] + end[b])
                if score > best[q] + 1e-6:
                    best[q], texts[q] = score, dev.text(n, a, b)
    np.testing.assert_allclose(own.null_odds, null - best, atol=1e-4)
    same = [a == b for a, b in zip(own.best_text, texts, strict=True)]
    assert np.mean(same) > 0.95  # the others are ties up to rounding
    assert own.text == ["" if odds > 0 else text for odds, text in zip(own.null_odds, own.best_text, strict=True)]
    (cost,) = tables["costs"]
    assert cost["layer_passes"] == len(dev) * (cost["n_levels"] - 1)


def test_little_memory_changes_nothing_but_the_number_of_passes(windows, trained, tmp_path, monkeypatch):
    needs = {**trained, "windows": windows}
    plenty, one = run(needs, tmp_path / "plenty")
    monkeypatch.setattr("tasks.squad.squad_probes.predict.KEPT_BYTES", 20_000)  # a few probes at a time
    scarce, two = run(needs, tmp_path / "scarce", memory_bytes=8_000_000)
    first, second = read_all(one), read_all(two)
    assert set(first) == set(second)
    for key, (_, found) in first.items():
        assert found.text == second[key][1].text
    assert scarce["costs"][0]["layer_passes"] > plenty["costs"][0]["layer_passes"]


def test_scores_are_of_all_probes_and_carry_the_loss(windows, trained, tmp_path):
    _, place = run({**trained, "windows": windows}, tmp_path / "all")
    tables = evaluate(PARAMS, Context(needs={"predictions": place, "windows": windows}))
    key = ("level", "solver", "learning_rate", "l2", "seed", "epoch", "decoder", "part", "metric")
    seen = [tuple(row[name] for name in key) for row in tables["scores"]]
    assert len(set(seen)) == len(seen)
    losses = [row for row in tables["scores"] if row["metric"] == "loss"]
    assert len(losses) == len(read_all(place)) / 2
    assert all(row["value"] > 0 for row in losses)
    null = next(row["value"] for row in tables["baselines"] if row["metric"] == "always_null" and row["part"] == "all")
    dev = open_windows(windows, "dev")
    assert null == pytest.approx(100 * np.mean(~dev.questions.has_answer))


def test_what_does_not_fit_is_said(windows, trained, tmp_path):
    with pytest.raises(ValueError, match="neither"):
        run({"windows": windows}, tmp_path / "no-probes")
    with pytest.raises(ValueError, match="windows"):
        run({**trained}, tmp_path / "no-windows")
    weights, probes = read_probes(trained["adam"])
    (wrong := tmp_path / "wrong").mkdir()
    write_probes(wrong, weights[:-1], probes, {"n_levels": 2, "width": 16})
    with pytest.raises(ValueError, match="for 2 levels of width 16, scratch has 3"):
        run({"adam": wrong, "windows": windows}, tmp_path / "few-levels")
    with pytest.raises(ValueError, match="predictions"):
        evaluate(PARAMS, Context(needs={"windows": windows}))
    with pytest.raises(ValueError, match=r"losses\.json: no such file"):
        evaluate(PARAMS, Context(needs={"windows": windows, "predictions": tmp_path}))
