"""Evaluation, Delta and proxy of tiny translators: order of items, performance, chunks, the choice of checkpoints."""

import random

import numpy as np
import pytest
import torch

from models.attention_translator import AttentionTranslator
from models.translation_proxy import TranslationProxy
from models.translator_delta import batch_bytes, deltas
from models.translator_scores import contributions, read_batch
from orchestrator.experiment import Context
from tasks.attention.attention_translation import evaluation
from tasks.attention.attention_translation.evaluation import delta_chunks, evaluate_translator, translator_delta
from tasks.attention.attention_translation.items import sentences
from tasks.attention.attention_translation.proxy import translation_proxy
from tasks.attention.attention_translation.stages import PAIRS, TRAINING_JOB, DeltaParams, EvaluateParams, ProxyParams
from tasks.attention.learning.runs import Run
from tasks.attention.learning.scores import read_scores, train_sample
from tasks.attention.learning.trainer import load_checkpoint
from tasks.attention.pairs.stages import open_pairs
from tests.tasks.attention.attention_translation.conftest import SIZES, params, train

DATA = {"dataset": "rule_language", "source_language": "en", "target_language": "rule", **SIZES}


@pytest.fixture(scope="module")
def trained(pairs, tmp_path_factory):
    directory = tmp_path_factory.mktemp("trained")
    train(pairs, directory, runs=("normal-20", "uniform-12"))
    return directory


def evaluate(pairs, trained, artifact, **given):
    artifact.mkdir()
    asked = {"kind": "normal", "seed": 20, "step": 8, "quantities": ("alpha", "beta", "delta")} | given
    needs = {PAIRS: pairs, TRAINING_JOB: trained}
    tables = evaluate_translator(params(EvaluateParams, **asked), Context(artifact=artifact, needs=needs))
    return tables["performance"], read_scores(artifact)


def model_of(pairs, trained, step):
    config = evaluation.config_of(params(runs=("x",), saves=(0,)), open_pairs(pairs).vocab_size, Run("normal", 20))
    return load_checkpoint(trained, Run("normal", 20), step, lambda: AttentionTranslator(config))


def test_items_are_positions_of_val_and_then_of_the_published_sample(pairs, trained, tmp_path):
    rows, scores = evaluate(pairs, trained, tmp_path / "scores", beams=2, max_length=8)
    data = open_pairs(pairs)
    sample = random.Random(1).sample(range(50), 9)
    assert train_sample(50, 9).tolist() == sample
    assert sorted(train_sample(5, 9).tolist()) == list(range(5))
    both = [(data.val.source[i], data.val.target[i]) for i in range(9)]
    both += [(data.train.source[i], data.train.target[i]) for i in sample]
    assert scores.items == {"val": sum(len(t) - 1 for _, t in both[:9]), "train": sum(len(t) - 1 for _, t in both[9:])}
    assert scores.lengths.tolist() == [len(s) for s, t in both for _ in t[1:]]
    model = model_of(pairs, trained, 8)
    alpha, beta, delta, right, nll = [], [], [], [], []
    for source, target in both:  # one by one
        x, y = (torch.from_numpy(ids.astype(np.int64))[None] for ids in (source, target))
        read = read_batch(model, x, y)
        alpha.append(read.alpha_BTS.flatten())
        beta.append(contributions(model, read))
        delta.append(deltas(model, x, y).flatten())
        log_p = model(x, y).detach()[0]
        right.append((log_p.argmax(1) == y[0, 1:]).sum())
        nll.append(-log_p.gather(1, y[0, 1:, None]).sum())
    for name, values in (("alpha", alpha), ("beta", beta), ("delta", delta)):
        np.testing.assert_allclose(scores.values[name], torch.cat(values), atol=2e-5)
    n_val = scores.items["val"]
    told = {(row["split"], row["part"], row["metric"]): row["value"] for row in rows}
    assert told["val", "all", "accuracy"] == pytest.approx(100 * float(sum(right[:9])) / n_val)
    assert told["val", "all", "perplexity"] == pytest.approx(float(np.exp(float(sum(nll[:9])) / n_val)), rel=1e-5)
    assert len(told) == 2 * 3 * 3
    assert scores.performance["train"]["b"]["bleu"] == told["train", "b", "bleu"]
    # The halves of a split are disjoint, of whole sentences, and together the whole.
    halves = [set(scores.rows("val", part).tolist()) for part in ("all", "a", "b")]
    assert halves[1] | halves[2] == halves[0]
    assert not halves[1] & halves[2]


def test_only_what_is_asked_for_is_kept(pairs, trained, tmp_path):
    asked = {"kind": "uniform", "seed": 12, "quantities": ("beta",), "splits": ("val",)}
    rows, scores = evaluate(pairs, trained, tmp_path / "scores", **asked)
    assert list(scores.values) == ["beta"]
    assert list(scores.items) == ["val"]
    assert {row["metric"] for row in rows} == {"accuracy", "perplexity"}
    assert (scores.values["beta"] < 0).all()


def test_a_sentence_beyond_memory_is_named(pairs, trained, tmp_path):
    given = sentences(pairs, ("val",))
    with pytest.raises(ValueError, match=r"sentence .* source and .* target positions want .* take the sentence out"):
        evaluation.check_memory(given, Context(memory_bytes=1000))


def test_chunks_of_delta_hold_every_sentence_once_within_the_limit(pairs, trained):
    model = model_of(pairs, trained, 0)
    sources, targets = np.array([5, 3, 40, 3, 9]), np.array([4, 7, 50, 2, 9])
    limit = batch_bytes(model, 9, 9) * 2
    seen = []
    for rows, together in delta_chunks(model, sources, targets, limit):
        seen += rows.tolist()
        assert len(rows) == 1 or len(rows) * batch_bytes(model, sources[rows].max(), targets[rows].max()) <= limit
        assert batch_bytes(model, sources[rows].max(), together) <= limit or together == 1
    assert sorted(seen) == list(range(5))


def test_delta_is_that_of_the_checkpoints_that_do_best(pairs, trained, tmp_path):
    needs = {PAIRS: pairs, TRAINING_JOB: trained}
    whole = {}
    for step in (0, 3, 8):
        _, whole[step] = evaluate(pairs, trained, tmp_path / str(step), step=step)
        needs[f"normal-20-{step}"] = tmp_path / str(step)
    (tmp_path / "delta").mkdir()
    asked = params(DeltaParams, seed=20, steps=(0, 3, 8), performances=("accuracy",))
    translator_delta(asked, Context(artifact=tmp_path / "delta", needs=needs))
    found = read_scores(tmp_path / "delta")
    best = set()
    for split in ("val", "train"):
        for part in ("all", "a"):
            accuracy = {step: s.performance[split][part]["accuracy"] for step, s in whole.items()}
            best.add(max(accuracy, key=lambda step: accuracy[step]))
    assert set(found.values) == {f"delta-{step}" for step in best}
    for step in best:
        np.testing.assert_array_equal(found.values[f"delta-{step}"], whole[step].values["delta"])
    assert found.performance == {}


def proxy_scores(pairs, artifact, **given):
    artifact.mkdir()
    asked = ProxyParams(**DATA, width=6, epochs=4, batch_size=8, learning_rate=0.02, **given)
    return translation_proxy(asked, Context(artifact=artifact, needs={PAIRS: pairs}))["proxies"], read_scores(artifact)


def test_the_proxy_translates_each_word_of_each_item(pairs, trained, tmp_path):
    rows, scores = proxy_scores(pairs, tmp_path / "proxy")
    _, others = evaluate(pairs, trained, tmp_path / "scores")
    assert scores.items == others.items
    np.testing.assert_array_equal(scores.lengths, others.lengths)
    assert set(scores.values) == {"beta", "beta-heldout"}
    assert (scores.values["beta"] > 0).all()
    assert (scores.values["beta"] < 1).all()
    for part in ("all", "a"):
        loss = {row["epoch"]: row["loss"] for row in rows if row["part"] == part}
        assert [row["epoch"] for row in rows if row["chosen"] and row["part"] == part] == [
            min(loss, key=loss.__getitem__)
        ]
    assert not any(row["chosen"] for row in rows if row["part"] == "b")
    # The published loss counts padding, so that it learns another table.
    _, legacy = proxy_scores(pairs, tmp_path / "legacy", legacy_proxy_loss=True)
    assert np.abs(legacy.values["beta"] - scores.values["beta"]).max() > 1e-4


def test_the_table_of_word_translations_is_a_softmax_of_products():
    torch.manual_seed(0)
    proxy = TranslationProxy(11, 4).double()
    table = torch.softmax(proxy.embedding.weight @ proxy.output.weight.T, dim=1)
    source, target = torch.randint(11, (2, 50))
    torch.testing.assert_close(proxy.translations(source, target, rows=3), table[source, target])


def test_the_proxys_loss_leaves_bos_and_padding_out_unless_asked():
    torch.manual_seed(0)
    proxy = TranslationProxy(11, 4).double()
    source, target = torch.tensor([[1, 5, 2, 0], [1, 6, 7, 2]]), torch.tensor([[1, 8, 2, 0, 0], [1, 9, 9, 10, 2]])
    mean = torch.stack([proxy.embedding.weight[[1, 5, 2]].mean(0), proxy.embedding.weight[[1, 6, 7, 2]].mean(0)])
    log_q = torch.log_softmax(mean @ proxy.output.weight.T + proxy.output.bias, dim=1)
    torch.testing.assert_close(proxy(source), log_q)
    wanted = torch.stack([-log_q[0, [8, 2]].sum(), -log_q[1, [9, 9, 10, 2]].sum()])
    torch.testing.assert_close(proxy.loss(source, target), wanted)
    all_of_it = torch.stack([-log_q[0, [1, 8, 2, 0, 0]].sum(), -log_q[1, [1, 9, 9, 10, 2]].sum()])
    torch.testing.assert_close(proxy.loss(source, target, legacy=True), all_of_it)
