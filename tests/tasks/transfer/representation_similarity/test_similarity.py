"""The stage: against the definition on all rows at once, groups of levels, batches, rows, nulls, what goes wrong."""

import math

import numpy as np
import pytest
import torch

from tasks.transfer.comparison.sides import open_here, open_pair, protein_batches
from tasks.transfer.representation_similarity import similarity
from tasks.transfer.representation_similarity.similarity import Work, groups
from tasks.transfer.representation_similarity.stages import METRICS
from tests.research_data import research_data
from tests.slow_cca import pwcca_on_rows
from tests.tasks.transfer.representation_similarity.conftest import values


def all_rows(planned):
    """States of both encoders [L + 1, N, H] at the positions of every protein, one protein at a time."""
    params, context = planned.jobs[0].params, planned.context()
    with torch.inference_mode():
        sides = open_pair(params, context)
        found: list[list[torch.Tensor]] = [[], []]
        for batch in protein_batches(params, context, 1):
            for states, side in zip(found, sides, strict=True):
                states.append(torch.stack([level[0] for level in side.states(batch)]))
    return [torch.cat(states, 1) for states in found]


def test_every_pair_of_levels_is_what_the_definition_gives_on_all_rows(planned):
    given = planned(ridge=1e-3)
    tables = given.run()
    x, y = all_rows(given)
    found = values(tables)
    assert set(found) == {(a, b, metric) for a in range(3) for b in range(4) for metric in METRICS}
    for a in range(3):
        for b in range(4):
            expected, mean = pwcca_on_rows(x[a], y[b], 1e-3)
            assert found[a, b, "pwcca"] == pytest.approx(expected, abs=1e-6)
            assert found[a, b, "mean_cca"] == pytest.approx(mean, abs=1e-6)
            assert found[a, b, "pwcca_reverse"] == pytest.approx(pwcca_on_rows(y[b], x[a], 1e-3)[0], abs=1e-6)
    (cost,) = tables["costs"]
    assert {row["n_rows"] for row in tables["similarity"]} == {cost["n_rows"]} == {x.shape[1]}
    assert {(row["dim_first"], row["dim_second"]) for row in tables["similarity"]} == {(16, 12)}
    # LayerNorms with gain 1, as both are drawn, leave a direction out.
    assert {row["rank_first"] for row in tables["similarity"]} == {15}
    assert cost["layer_passes"] == (2 + 3) * 9
    assert (cost["n_proteins"], cost["data_passes"], cost["level_pairs"]) == (9, 1, 12)


def test_batches_and_groups_of_levels_change_nothing(planned, monkeypatch):
    given = planned()
    expected = given.run()
    monkeypatch.setattr(similarity, "LARGEST_BATCH", 2)
    monkeypatch.setattr(similarity, "groups", lambda p, a, b, budget: groups(p, a, b, 1_550_000))
    tables = given.run()
    (cost,) = tables["costs"]
    assert cost["batch_size"] == 2
    assert cost["data_passes"] > 1
    assert cost["layer_passes"] == cost["data_passes"] * expected["costs"][0]["layer_passes"]
    assert cost["moment_bytes"] < expected["costs"][0]["moment_bytes"]
    for column in ("value", "null_mean", "null_max", "shuffled"):
        first, second = values(expected, column), values(tables, column)
        assert len(first) == 12 * len(METRICS)
        assert {key: pytest.approx(value, abs=1e-7) for key, value in first.items()} == second


def test_rows_stop_exactly_where_they_should(planned):
    for rows in (1, 30, 57):
        tables = planned(rows=rows, null_draws=0).run()
        assert {row["n_rows"] for row in tables["similarity"]} == {rows}
        assert tables["costs"][0]["n_proteins"] < 9
    whole = planned(null_draws=0).run()["costs"][0]["n_rows"]
    assert planned(rows=10**6, null_draws=0).run()["costs"][0]["n_rows"] == whole
    assert planned(special=False, null_draws=0).run()["costs"][0]["n_rows"] == whole - 2 * 9


def test_a_smaller_limit_of_rows_takes_the_first_of_them(planned):
    given = planned(rows=50, compare="last", null_draws=0)
    x, y = (states[-1, :50] for states in all_rows(given))
    assert values(given.run())[2, 3, "pwcca"] == pytest.approx(pwcca_on_rows(x, y, 1e-6)[0], abs=1e-4)


@pytest.mark.parametrize("special", [True, False])
def test_shuffled_rows_are_other_positions_of_the_same_protein(planned, special):
    given = planned(special=special, proteins=40)
    params, context = given.jobs[0].params, given.context()
    first, second = open_pair(params, context)
    longest = int(open_here(params, context).lengths.max()) + 2
    work = Work(params=params, first=first, second=second, device=torch.device("cpu"), longest=longest)
    seen: dict[int, list[int]] = {}
    for batch in protein_batches(params, context, 7):
        rows_BT, order_N = work.rows_of(batch, None)
        start = 0
        for b, length in enumerate(batch.lengths):
            n = int(length) - (0 if special else 2)
            assert int(rows_BT[b].sum()) == n
            assert bool(rows_BT[b, 0]) is special
            order = (order_N[start : start + n] - start).tolist()
            assert sorted(order) == list(range(n))
            assert order != list(range(n))
            assert seen.setdefault(n, order) == order  # one permutation for all proteins of a length
            start += n
        assert start == len(order_N)
    assert len(seen) < 40
    # Restricted to a shorter protein it is the same order of positions.
    shortest, longest = min(seen), max(seen)
    assert [at for at in seen[longest] if at < shortest] == seen[shortest]


def test_shuffled_is_what_other_rows_give(planned):
    given = planned(compare="last", null_draws=0)
    x, y = (states[-1] for states in all_rows(given))
    params, context = given.jobs[0].params, given.context()
    first, second = open_pair(params, context)
    longest = int(open_here(params, context).lengths.max()) + 2
    work = Work(params=params, first=first, second=second, device=torch.device("cpu"), longest=longest)
    (batch,) = protein_batches(params, context, 9)
    order = work.rows_of(batch, None)[1]
    expected = pwcca_on_rows(x, y[order], 1e-6)[0]
    tables = given.run()
    assert values(tables, "shuffled")[2, 3, "pwcca"] == pytest.approx(expected, abs=1e-4)
    assert all(math.isnan(row["null_mean"]) for row in tables["similarity"])  # no draws were asked for


def test_which_levels_are_compared(planned):
    def pairs(**options):
        return {key[:2] for key in values(planned(null_draws=0, **options).run())}

    assert pairs(compare="last") == {(2, 3)}
    assert pairs(compare="equal") == {(0, 0), (1, 1), (2, 2)}
    assert pairs(levels=(3, 1)) == {(1, 1), (1, 3)}
    equal, every = planned(compare="equal").run(), planned().run()
    for key, value in values(equal).items():
        assert value == pytest.approx(values(every)[key], abs=1e-9)


def test_with_fewer_rows_than_features_everything_is_alike_and_the_null_says_so(planned):
    tables = planned(rows=12, compare="last").run()
    for row in tables["similarity"]:
        assert (row["rank_first"], row["rank_second"]) == (11, 11)
        if row["metric"] == "pwcca":
            assert row["value"] > 0.999
            assert row["null_mean"] > 0.99
            assert row["shuffled"] > 0.999


def test_states_that_are_not_finite_are_rows_too(planned, monkeypatch):
    given = planned(compare="equal")

    def poisoned(params, context):
        first, second = open_pair(params, context)
        with torch.no_grad():
            list(first.model.parameters())[-1][0] = math.nan
        return first, second

    monkeypatch.setattr(similarity, "open_pair", poisoned)
    found = values(given.run())
    assert all(math.isfinite(value) for (a, _, _), value in found.items() if a < 2)
    assert all(math.isnan(value) for (a, _, _), value in found.items() if a == 2)


def test_random_positions_of_two_random_encoders_are_not_alike(planned):
    """Values, and draws of the null, lie where they should: both read the same residues, so more than independent."""
    tables = planned(proteins=60, compare="last").run()
    row = next(row for row in tables["similarity"] if row["metric"] == "pwcca_mean")
    assert 0 < row["shuffled"] < row["value"] < 1
    assert 0 < row["null_mean"] <= row["null_max"] < row["value"]
    assert row["null_sd"] > 0


def test_the_published_form_is_not_centred_and_has_dropout_that_repeats(planned):
    given = planned(legacy_uncentred=True, compare="last", null_draws=1)
    x, y = (states[-1] for states in all_rows(given))
    ridge = given.jobs[0].params.ridge
    assert ridge == 1e-3  # the builtin task has none of its own
    expected = pwcca_on_rows(x, y, ridge, legacy=True)[0]
    assert values(given.run())[2, 3, "pwcca"] == pytest.approx(expected, abs=1e-6)
    dropout = planned(legacy_dropout=True, compare="last", null_draws=0)
    state = torch.random.get_rng_state()
    first, again = values(dropout.run()), values(dropout.run())
    assert first == again
    assert torch.equal(state, torch.random.get_rng_state())
    without = values(planned(compare="last", null_draws=0).run())
    assert abs(first[2, 3, "pwcca"] - without[2, 3, "pwcca"]) > 1e-3


def test_what_does_not_fit_is_refused(planned):
    given = planned()
    with pytest.raises(ValueError, match=r"moments of one level with 4 others take .* MiB.*--compare equal"):
        given.run(memory_bytes=1 << 20)
    with pytest.raises(ValueError, match=r"states of one protein of \d+ tokens take .* smaller --max-length"):
        planned(compare="last").run(memory_bytes=1 << 10)
    with pytest.raises(ValueError, match=r"random has the levels 0 to 2, none of \(3,\)"):
        planned(levels=(3,)).run()


def test_equal_jobs_give_equal_numbers(planned):
    given = planned()
    assert values(given.run(), "null_mean") == values(given.run(), "null_mean")
    other = planned(seed=1).run()
    assert values(other) == pytest.approx(values(given.run()))
    assert values(other, "null_mean") != values(given.run(), "null_mean")
    assert np.isfinite(list(values(other, "shuffled").values())).all()


@pytest.mark.real_data
def test_variants_of_one_protein_are_alike_at_shuffled_positions_too(planned):
    """Rows of 60 variants of one protein are nearly 62 different ones: independent rows do not see that."""
    given = {"compare": "last", "proteins": 60, "max_length": 64}
    tables = planned(protein_tasks=("fluorescence",), data_dir=str(research_data("protein")), **given).run()
    families = planned(**given).run()
    (variants,), (others,) = (
        [row for row in found["similarity"] if row["metric"] == "pwcca_mean"] for found in (tables, families)
    )
    assert variants["n_rows"] == 60 * 64
    assert variants["null_mean"] < 0.15
    assert variants["shuffled"] > others["shuffled"] + 0.2
    assert variants["value"] > variants["shuffled"]
