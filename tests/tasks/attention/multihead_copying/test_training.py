"""Screening and combining tiny heads: rows, streams, retiring, blocks that are not needed, too few heads."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from models.multihead_copying import MultiHeadConfig, MultiHeadCopyModel
from orchestrator.experiment import Context
from tasks.attention.multihead_copying.models import TrainingData, evaluation_set, models_of
from tasks.attention.multihead_copying.stages import VERDICTS, CombineHeadsParams, ScreenHeadsParams
from tasks.attention.multihead_copying.training import (
    combinations,
    combine_heads,
    read_verdicts,
    screen_heads,
    verdict_of,
)

MODEL = {
    "kind": "permutation",
    "symbols": 4,
    "length": 4,
    "hidden": 8,
    "batch": 4,
    "steps": 8,
    "evaluate_every": 3,
    "evaluation_sequences": 6,
    "wanted": 3,
}
SCREEN = ScreenHeadsParams(heads=(0, 1, 2), data_seeds=(0, 1), **MODEL)
COMBINE = CombineHeadsParams(combined="bad", combinations=(0, 1), size=2, random_heads=4, **MODEL)


def block(directory: Path, verdicts: dict[int, str]) -> Path:
    directory.mkdir()
    (directory / VERDICTS).write_text(json.dumps({str(head): found for head, found in verdicts.items()}))
    return directory


@pytest.fixture
def screened(tmp_path) -> dict[str, Path]:
    first = block(tmp_path / "a", {0: "bad", 1: "good", 2: "neither", 3: "bad"})
    return {"block-0000": first, "block-0001": block(tmp_path / "b", {4: "bad", 5: "good", 6: "bad"})}


def curves(params: ScreenHeadsParams) -> dict[tuple[int, int, int], float]:
    return {(r["head"], r["data_seed"], r["step"]): r["accuracy"] for r in screen_heads(params, Context())["screening"]}


def test_every_training_and_evaluation_is_one_row_and_evaluations_stand_before_updates():
    tables = screen_heads(SCREEN, Context())
    rows = {(r["head"], r["data_seed"], r["step"]): r for r in tables["screening"]}
    assert sorted(rows) == [(head, seed, step) for head in (0, 1, 2) for seed in (0, 1) for step in (0, 3, 6)]
    # Nothing is trained before step 0: the same model, whatever data come.
    for head in (0, 1, 2):
        assert rows[head, 0, 0]["accuracy"] == rows[head, 1, 0]["accuracy"]
    assert [(r["head"], r["data_seed"]) for r in tables["heads"]] == [(h, s) for h in (0, 1, 2) for s in (0, 1)]
    assert {r["decided"] for r in tables["heads"]} == {6}
    assert tables["head_blocks"][0]["needed"]


def test_a_head_is_the_same_in_any_block_and_with_any_seeds_beside_it():
    whole = curves(SCREEN)
    for other in (replace(SCREEN, heads=(2,)), replace(SCREEN, heads=(2, 1), data_seeds=(1,))):
        part = curves(other)
        assert part == {key: whole[key] for key in part}
    often = curves(replace(SCREEN, evaluate_every=1))
    assert {key: often[key] for key in whole} == whole


def test_a_training_that_is_good_stops_at_once_and_the_others_go_on_unchanged():
    whole = curves(SCREEN)
    # A bar between the accuracies at step 3 makes some trainings good there.
    reached = sorted({accuracy for (_, _, step), accuracy in whole.items() if step == 3})
    assert len(reached) > 1
    bar = reached[-1] - 1e-9
    if any(whole[head, seed, 0] > bar for head, seed, _ in whole):
        pytest.fail("the bar is reached before training: choose other sizes")
    tables = screen_heads(replace(SCREEN, good_above=bar, bad_below=0.0), Context())
    found = {(r["head"], r["data_seed"]): r for r in tables["heads"]}
    stopped = [run for run, row in found.items() if row["decided"] == 3]
    assert stopped
    assert len(stopped) < len(found)
    for run in stopped:
        assert found[run]["outcome"] == "good"
        assert found[run]["accuracy"] == whole[*run, 3]
    left = {(r["head"], r["data_seed"], r["step"]): r["accuracy"] for r in tables["screening"]}
    assert left == {key: whole[key] for key in whole if key[2] <= found[key[0], key[1]]["decided"]}


def test_a_head_is_good_or_bad_where_all_seeds_say_so():
    assert verdict_of(["good", "good"]) == "good"
    assert verdict_of(["bad", "bad", "bad"]) == "bad"
    assert verdict_of(["good", "bad"]) == "neither"
    assert verdict_of(["undecided", "undecided"]) == "neither"
    assert verdict_of(["bad", "undecided"]) == "neither"


def test_bad_is_below_the_bar_at_the_last_evaluation():
    tables = screen_heads(replace(SCREEN, good_above=0.99, bad_below=0.99), Context())
    assert {r["outcome"] for r in tables["heads"]} == {"bad"}
    tables = screen_heads(replace(SCREEN, good_above=0.99, bad_below=0.0), Context())
    assert {r["outcome"] for r in tables["heads"]} == {"undecided"}
    assert {r["verdict"] for r in tables["heads"]} == {"neither"}


def test_a_block_does_nothing_when_those_before_hold_enough_and_says_so(screened, tmp_path):
    artifact = tmp_path / "artifact"
    artifact.mkdir()
    needed = screen_heads(SCREEN, Context(needs=screened, artifact=artifact))
    assert needed["head_blocks"][0]["needed"]  # 4 bad, but 2 good of 3
    assert list(read_verdicts({"x": artifact})) == [0, 1, 2]
    idle = screen_heads(replace(SCREEN, wanted=2), Context(needs=screened, artifact=artifact))
    found = idle["head_blocks"][0]
    assert (found["needed"], found["good_before"], found["bad_before"]) == (False, 2, 4)
    assert not idle["heads"]
    assert not idle["screening"]
    assert read_verdicts({"x": artifact}) == {}


def test_combinations_are_of_the_first_heads_by_number_and_every_head_has_its_row(screened):
    for kind in ("bad", "good"):
        tables = combine_heads(replace(COMBINE, combined=kind), Context(needs=screened))
        # The bad ones are 0, 3, 4, 6, of which three are wanted; the good ones 1 and 5.
        scheduled = combinations([0, 3, 4], [1, 5], range(4), count=2, size=2)[kind]
        heads = {(r["combination"], r["place"]): r["head"] for r in tables["attention"]}
        assert heads == {(n, p): head for n, chosen in enumerate(scheduled) for p, head in enumerate(chosen)}
        assert [(r["combination"], r["step"]) for r in tables["combinations"]] == [
            (n, step) for step in (0, 3, 6) for n in (0, 1)
        ]
        assert len(tables["attention"]) == 2 * 2 * 3
        stock = tables["combination_blocks"][0]
        assert (stock["enough"], stock["good_found"], stock["bad_found"]) == (True, 2, 3)


def test_a_combination_is_the_same_in_any_block(screened):
    whole = combine_heads(COMBINE, Context(needs=screened))
    one = combine_heads(replace(COMBINE, combinations=(1,)), Context(needs=screened))
    for table in ("combinations", "attention"):
        assert one[table] == [row for row in whole[table] if row["combination"] == 1]


def test_random_combinations_need_no_screening():
    tables = combine_heads(replace(COMBINE, combined="random"), Context())
    assert {r["head"] for r in tables["attention"]} <= {0, 1, 2, 3}
    assert len(tables["combinations"]) == 6


@pytest.mark.parametrize("kind", ["bad", "good"])
def test_too_few_heads_are_said_and_nothing_is_trained(kind, tmp_path):
    needs = {"block-0000": block(tmp_path / "a", {0: "bad", 1: "neither"})}
    tables = combine_heads(replace(COMBINE, combined=kind), Context(needs=needs))
    assert not tables["combinations"]
    assert not tables["attention"]
    stock = tables["combination_blocks"][0]
    assert (stock["enough"], stock["good_found"], stock["bad_found"]) == (False, 0, 1)


def test_one_base_for_all_and_a_head_is_the_same_wherever_it_is():
    pair, other = models_of(SCREEN, [(3, 5), (5, 7)], "candidate")
    (single,) = models_of(SCREEN, [(5,)], "candidate")
    (drawn,) = models_of(SCREEN, [(5,)], "random")
    states = [model.state_dict() for model in (pair, other, single, drawn)]
    for name, weight in states[2].items():
        if not name.startswith("heads."):
            assert all(torch.equal(weight, state[name]) for state in states)
            continue
        rest = name.removeprefix("heads.0.")
        assert torch.equal(weight, states[0][f"heads.1.{rest}"])
        assert torch.equal(weight, states[1][f"heads.0.{rest}"])
        assert not torch.equal(weight, states[3][name])
        assert not torch.equal(weight, states[0][f"heads.0.{rest}"])
    assert not any(parameter.is_meta for parameter in pair.parameters())


def test_the_published_size():
    params = replace(SCREEN, symbols=40, length=40, hidden=256)
    (model,) = models_of(params, [tuple(range(8))], "candidate")
    heads = sum(parameter.numel() for parameter in model.heads.parameters())
    assert heads == 8 * 131_584
    assert sum(parameter.numel() for parameter in model.parameters()) - heads == 953_130
    assert isinstance(model, MultiHeadCopyModel)
    assert model.config == MultiHeadConfig(symbols=40, hidden=256, heads=8)


def test_data_seeds_have_streams_of_their_own_and_the_evaluation_set_is_one():
    device = torch.device("cpu")
    both = TrainingData(SCREEN, (0, 1))
    source, target = both.next([0, 1, 1], device)
    assert source.shape == (3, 4, 5)
    assert torch.equal(source[1], source[2])
    assert not torch.equal(source[0], source[1])
    assert torch.equal(target[..., 1:], source)
    alone = TrainingData(SCREEN, (1,))
    assert torch.equal(alone.next([1, 1], device)[0], source[1:2])  # one for all
    assert torch.equal(alone.next([1], device)[0][0], both.next([0, 1], device)[0][1])
    (some, _), (again, _) = (evaluation_set(params, device) for params in (SCREEN, replace(SCREEN, heads=(7,))))
    assert torch.equal(some, again)
    assert some.shape == (1, 6, 5)


def test_memory_that_is_too_small_is_said():
    with pytest.raises(ValueError, match=r"6 models of .* weights with Adam's state"):
        screen_heads(SCREEN, Context(memory_bytes=1000))


@pytest.mark.parametrize(
    ("params", "changes", "message"),
    [
        (SCREEN, {"heads": ()}, "heads is empty"),
        (SCREEN, {"data_seeds": (1, 1)}, "data-seeds has 1 twice"),
        (SCREEN, {"bad_below": 0.97}, "bad-below is 0.97"),
        (SCREEN, {"wanted": 0}, "wanted is 0"),
        (COMBINE, {"combinations": (-1,)}, "combinations is -1: give at least 0"),
        (COMBINE, {"size": 1}, "size is 1"),
    ],
)
def test_bad_parameters(params, changes, message):
    with pytest.raises(ValueError, match=message):
        replace(params, **changes)
