"""Named streams: what depends on them must never change, since it is no part of any job's identity but their seed."""

from tasks.training.seeds import permutation


def test_a_permutation_is_that_of_its_stream_for_ever():
    assert permutation(8, 3, "limit", "RTE").tolist() == [6, 3, 4, 2, 5, 0, 7, 1]
    assert sorted(permutation(1000, 3, "limit", "RTE").tolist()) == list(range(1000))
    assert permutation(0, 3).tolist() == []


def test_other_seeds_and_names_give_other_permutations():
    drawn = [permutation(50, seed, *names).tolist() for seed, names in ((3, "a"), (4, "a"), (3, "b"), (3, ("a", 1)))]
    assert len(set(map(tuple, drawn))) == 4
