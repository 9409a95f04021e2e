"""The pretraining of a tiny network: against a plain loop, broken off and gone on with, diverging, testing."""

import json
import logging
import math

import pytest
import torch
from safetensors.torch import load_file
from torch.nn import functional

from models.deep_bert_files import load_deep_bert
from orchestrator.experiment import Context
from tasks.deepscale.deep_bert.building import build
from tasks.deepscale.deep_bert.curves import Curves, pretrain_bert_report, status_of
from tasks.deepscale.deep_bert.pretraining import pretrain_bert
from tasks.deepscale.deep_bert.saved_state import STATE
from tasks.deepscale.deep_bert.steps import StepFacts, learning_rate
from tasks.deepscale.pretraining_text.batches import Batches
from tasks.deepscale.pretraining_text.documents import open_documents
from tasks.training.loop import TRAINING
from tasks.training.numerics import dropout_stream
from tests.tasks.deepscale.deep_bert.tiny import PARAMS, VOCAB, changed, context


def trained(params, documents, directory, **values):
    """Rows of the training as {(step, metric): value}, the outcome, the weights."""
    pretrain_bert(params, context(documents, directory, **values))
    rows = pretrain_bert_report(params, Context(needs={"model": directory}))
    training = {(row["step"], row["metric"]): row["value"] for row in rows["training"]}
    assert len(training) == len(rows["training"])
    return training, rows["outcomes"][0], load_file(directory / "model.safetensors")


@pytest.fixture(scope="module")
def run(documents, tmp_path_factory):
    return trained(PARAMS, documents, tmp_path_factory.mktemp("run") / "out")


def numbers(training):
    """All but the measured times."""
    return {key: value for key, value in training.items() if key[1] not in ("tokens_per_second", "flops_utilisation")}


def plain_losses(model, batch):
    """Cross entropies from the logits of all positions."""
    h = model.encode(batch.input_ids, batch.token_type_ids, batch.mask)
    logits = model.mlm_logits(h).flatten(0, 1)
    wanted = torch.full((len(logits),), -100)
    wanted[batch.positions] = batch.labels
    return functional.cross_entropy(logits, wanted), functional.cross_entropy(model.order_logits(h), batch.order)


def test_weights_and_losses_are_those_of_a_plain_loop(run, documents):
    train = open_documents(documents, "train")
    model = build(PARAMS, VOCAB, PARAMS.length, PARAMS.seed, train.meta["same_token"]).double()
    batches = Batches(train, length=32, global_batch=8, micro_batch=2, seed=1)
    named = dict(model.named_parameters())
    m, v = ({name: torch.zeros_like(p) for name, p in named.items()} for _ in range(2))
    losses, norms = [], []
    for step in range(PARAMS.steps):
        total, both = torch.zeros((), dtype=torch.float64), []
        for batch in batches.micro_batches(step):
            with dropout_stream(torch.device("cpu"), 1, "pretraining", step, batch.index):
                both.append(plain_losses(model, batch))
            total = total + sum(both[-1]) / 4
        gradients = dict(zip(named, torch.autograd.grad(total, list(named.values())), strict=True))
        norm = math.sqrt(sum(float(g.square().sum()) for g in gradients.values()))
        rate = learning_rate(1e-3, step, 6, 0.2)
        with torch.no_grad():
            for name, p in named.items():
                g = gradients[name] * min(1.0, 1.0 / (norm + 1e-6))
                m[name] = 0.9 * m[name] + 0.1 * g
                v[name] = 0.999 * v[name] + 0.001 * g**2
                if p.ndim > 1:
                    p *= 1 - rate * 0.01
                c1, c2 = 1 - 0.9 ** (step + 1), 1 - 0.999 ** (step + 1)
                p -= rate * (m[name] / c1) / ((v[name] / c2).sqrt() + 1e-8)
        losses.append([float(sum(x[i] for x in both)) / 4 for i in (0, 1)])
        norms.append(norm)
    training, outcome, weights = run
    for name, p in named.items():
        torch.testing.assert_close(weights[name], p.detach(), rtol=0, atol=1e-10)
    for point in range(3):  # of two steps each
        here, step = slice(2 * point, 2 * point + 2), 2 * point + 2
        assert training[step, "mlm_loss"] == pytest.approx(sum(x[0] for x in losses[here]) / 2, rel=1e-10)
        assert training[step, "order_loss"] == pytest.approx(sum(x[1] for x in losses[here]) / 2, rel=1e-10)
        assert training[step, "gradient_norm"] == pytest.approx(sum(norms[here]) / 2, rel=1e-10)
        assert training[step, "learning_rate"] == pytest.approx(learning_rate(1e-3, step - 1, 6, 0.2))
    assert outcome["step"] == 6
    assert outcome["n_parameters"] == sum(p.numel() for p in named.values())


@torch.no_grad()
def test_the_test_part_counts_each_sequence_once(run, documents):
    training, outcome, weights = run
    test = open_documents(documents, "test")
    model = build(PARAMS, VOCAB, PARAMS.length, PARAMS.seed, 0.1).double().eval()
    model.load_state_dict(weights)
    alone = Batches(test, length=32, global_batch=1, micro_batch=1, seed=1)  # one sequence a step
    n = alone.samples.epoch_size
    found = [(batch, *plain_losses(model, batch)) for i in range(n) for batch in alone.micro_batches(i)]
    pieces = sum(len(batch.labels) for batch, _, _ in found)
    assert (outcome["n_sequences"], outcome["n_pieces"]) == (n, pieces)
    assert n % PARAMS.micro_batch, "the last micro-batch should be a smaller one"
    mlm = sum(len(batch.labels) * float(loss) for batch, loss, _ in found) / pieces
    assert training[6, "test_mlm_loss"] == pytest.approx(mlm, rel=1e-10)
    assert training[6, "test_order_loss"] == pytest.approx(sum(float(x) for _, _, x in found) / n, rel=1e-10)
    share = (test.counts + 1) / (test.counts + 1).sum()
    cost = -sum(math.log(share[token]) for batch, _, _ in found for token in batch.labels.tolist()) / pieces
    assert outcome["unigram_loss"] == pytest.approx(cost, rel=1e-10)
    seen = test.counts / test.counts.sum()
    assert outcome["unigram_entropy"] == pytest.approx(-sum(p * math.log(p) for p in seen if p), rel=1e-10)


def test_the_test_part_has_a_limit(documents, tmp_path):
    outcome = trained(changed(steps=1, points=1, test_samples=3), documents, tmp_path / "limited")[1]
    assert outcome["n_sequences"] == 3


class Killed(Exception):
    pass


def killed_after(context, saves):
    """A context whose checkpoints end the process, in a way, after so many of them."""

    class Deadly:
        def __init__(self):
            self.left = saves

        def save(self, step, directory):
            context.checkpoints.save(step, directory)
            self.left -= 1
            if not self.left:
                raise Killed

        def latest(self):
            return context.checkpoints.latest()

    return Context(needs=context.needs, artifact=context.artifact, paths=context.paths, checkpoints=Deadly())


def test_a_run_that_was_broken_off_ends_as_one_that_was_not(run, documents, tmp_path):
    for attempt in range(2):  # after the second step, and after the fourth
        with pytest.raises(Killed):
            pretrain_bert(PARAMS, killed_after(context(documents, tmp_path / f"dead{attempt}", tmp_path / "saved"), 1))
    training, outcome, weights = trained(PARAMS, documents, tmp_path / "alive", saved=tmp_path / "saved")
    assert numbers(training) == numbers(run[0])
    assert outcome == run[1]
    assert all(torch.equal(weights[name], run[2][name]) for name in weights)


def test_a_damaged_state_is_passed_over_for_the_one_before_and_another_configuration_is_not_used(
    run, documents, tmp_path, caplog
):
    saved = tmp_path / "saved"
    with pytest.raises(Killed):
        pretrain_bert(PARAMS, killed_after(context(documents, tmp_path / "dead", saved), 2))
    newest = context(documents, tmp_path, saved).checkpoints.latest()  # type: ignore[union-attr]
    assert newest is not None
    assert newest[0] == 4
    (newest[1] / "model.safetensors").write_bytes(b"half")
    with caplog.at_level(logging.WARNING):
        weights = trained(PARAMS, documents, tmp_path / "alive", saved=saved)[2]
    assert "passed over" in caplog.text
    assert all(torch.equal(weights[name], run[2][name]) for name in weights)
    caplog.clear()
    with caplog.at_level(logging.WARNING):  # the states that are left there are of other parameters
        other = changed(learning_rate=2e-3)
        there = trained(other, documents, tmp_path / "other", saved=saved)[2]
    assert "another configuration" in caplog.text
    fresh = trained(other, documents, tmp_path / "fresh")[2]
    assert all(torch.equal(there[name], fresh[name]) for name in there)


def test_a_state_that_means_nothing_is_not_used(run, documents, tmp_path, caplog):
    place = context(documents, tmp_path, tmp_path / "saved")
    (tmp_path / "made").mkdir()
    (tmp_path / "made" / STATE).write_text(json.dumps({"step": 4}))
    place.checkpoints.save(4, tmp_path / "made")  # type: ignore[union-attr]
    with caplog.at_level(logging.WARNING):
        weights = trained(PARAMS, documents, tmp_path / "alive", saved=tmp_path / "saved")[2]
    assert "begins again" in caplog.text
    assert all(torch.equal(weights[name], run[2][name]) for name in weights)


def test_recomputed_layers_change_no_number(run, documents, tmp_path):
    paths = {"recompute": "on"}
    training, _, weights = trained(PARAMS, documents, tmp_path / "again", paths=paths)
    for name in weights:
        torch.testing.assert_close(weights[name], run[2][name], rtol=0, atol=1e-12)
    assert numbers(training) == pytest.approx(numbers(run[0]), rel=1e-12)


def test_padding_and_throughput_are_told(run):
    training, outcome, _ = run
    assert all(training[step, name] > 0 for step in (2, 4, 6) for name in ("tokens_per_second", "flops_utilisation"))
    assert 0 < outcome["padding"] < 0.5
    assert outcome["n_tokens"] == pytest.approx(sum(2 * training[step, "tokens"] for step in (2, 4, 6)))


def test_a_run_that_diverges_is_an_outcome_with_its_step(documents, tmp_path):
    # Weights of 1e30 after one step: their squares in LayerNorms and products are more than float32 holds.
    params = changed(norm="pre", learning_rate=1e30, precision="float32", steps=40, points=2, warmup=0.0)
    training, outcome, weights = trained(params, documents, tmp_path / "out", saved=tmp_path / "saved")
    assert (outcome["status"], outcome["step"]) == ("diverged", 2)
    assert math.isfinite(outcome["mlm_loss"])
    assert math.isnan(outcome["test_mlm_loss"])
    assert all(x.isfinite().all() for x in weights.values())  # those before the step that was not finite
    assert load_deep_bert(tmp_path / "out").config.layers == 3
    assert math.isfinite(training[1, "loss"])
    both = training[2, "loss"], training[2, "gradient_norm"]
    assert not all(map(math.isfinite, both))
    assert max(step for step, _ in training) == 2


def test_a_run_that_does_not_use_the_context_is_not_training(documents, tmp_path):
    outcome = trained(changed(learning_rate=1e-9, steps=2), documents, tmp_path / "out")[1]
    assert outcome["status"] == "not_training"
    assert json.loads((tmp_path / "out" / TRAINING).read_text())["outcomes"] == [outcome]
    assert status_of(False, 3.0, 3.04) == "not_training"
    assert status_of(False, 3.0, 3.06) == "trained"
    assert status_of(False, math.nan, 3.0) == "diverged"


def test_curves_do_not_depend_on_when_the_host_looks():
    facts = [StepFacts(mlm_loss=i, order_loss=1, tokens=10, positions=12, flops=1, gradient_norm=i) for i in range(6)]
    whole, pieces = Curves(), Curves()
    assert whole.add(0, facts, 0.0, PARAMS, 1.0) == 6
    for i in range(6):
        pieces.add(i, facts[i : i + 1], 0.0, PARAMS, 1.0)
        pieces = Curves(**json.loads(json.dumps(vars(pieces))))  # as a checkpoint keeps them
    assert whole == pieces
    assert [row["value"] for row in whole.rows if row["metric"] == "mlm_loss"] == [0.5, 2.5, 4.5]
