"""Which short calls go to a worker together."""

import pytest

from orchestrator.bundles import BUNDLE_SECONDS, LARGEST, SEEN, Bundles
from orchestrator.call import Call
from orchestrator.deadlines import Deadlines
from orchestrator.experiment import Resources

CPU = Resources()


def call(stage: bytes = b"stage", attempt: int = 1, gpus: float = 0.0) -> Call:
    return Call(
        job_id="0" * 16,
        stage=stage,
        params=None,
        needs={},
        paths={},
        artifacts="",
        gpus=gpus,
        threads=1,
        memory_bytes=None,
        code=None,
        attempt=attempt,
    )


def seen(seconds: float, times: int = SEEN) -> Bundles:
    bundles = Bundles()
    for _ in range(times):
        bundles.ended(b"stage", seconds)
    return bundles


def sizes(bundles: Bundles, calls: list[Call]) -> list[int]:
    """How many calls go at once, in the order in which they go; those that wait go last."""
    gone = [bundle for i, each in enumerate(calls) if (bundle := bundles.add(str(i), each, CPU)) is not None]
    gone += [bundle for _, bundle in bundles.rest()]
    keys = [key for bundle in gone for key, _ in bundle]
    assert sorted(keys, key=int) == [str(i) for i in range(len(calls))]  # each call once
    return [len(bundle) for bundle in gone]


@pytest.mark.parametrize(
    ("seconds", "size"), [(0.0, LARGEST), (0.001, LARGEST), (0.05, 4), (0.11, 1), (BUNDLE_SECONDS, 1), (60.0, 1)]
)
def test_a_bundle_holds_so_many_short_calls_and_long_ones_go_alone(seconds, size):
    bundles = seen(seconds)
    assert sizes(bundles, [call()] * (2 * size + 1)) == [size, size, 1]
    assert bundles.size == size


def test_calls_go_alone_until_enough_were_short_when_tried_again_and_on_gpus():
    assert sizes(seen(0.001, SEEN - 1), [call()] * 3) == [1, 1, 1]
    assert sizes(seen(0.001), [call(attempt=2)] * 3) == [1, 1, 1]
    assert sizes(seen(0.001), [call(gpus=0.5)] * 3) == [1, 1, 1]
    assert sizes(seen(0.001), [call(b"another")] * 3) == [1, 1, 1]


def test_stages_that_become_slow_are_bundled_no_more():
    bundles = seen(0.001)
    for _ in range(SEEN // 2 + 1):
        bundles.ended(b"stage", 60.0)
    assert sizes(bundles, [call()] * 2) == [1, 1]


def test_a_few_calls_that_were_held_up_change_nothing():
    bundles = seen(0.001)
    for _ in range(SEEN // 2 - 1):
        bundles.ended(b"stage", 60.0)
    assert sizes(bundles, [call()] * LARGEST) == [LARGEST]


def test_stages_and_resources_do_not_mix():
    bundles = seen(0.001)
    for _ in range(SEEN):
        bundles.ended(b"other", 0.001)
    more = Resources(num_cpus=2)
    for i, (stage, wants) in enumerate([(b"stage", CPU), (b"other", CPU), (b"stage", more)] * 2):
        assert bundles.add(str(i), call(stage), wants) is None
    rest = {(wants, bundle[0][1].stage): [key for key, _ in bundle] for wants, bundle in bundles.rest()}
    assert rest == {(CPU, b"stage"): ["0", "3"], (CPU, b"other"): ["1", "4"], (more, b"stage"): ["2", "5"]}
    assert not list(bundles.rest())


def test_a_call_that_has_ended_in_its_bundle_is_never_overdue(monkeypatch):
    clock = [0.0]
    monkeypatch.setattr("orchestrator.deadlines.time.monotonic", lambda: clock[0])
    deadlines = Deadlines(10.0)
    deadlines.started(["a"])
    clock[0] = 8.0
    deadlines.forget(["a", "b", "c"])
    deadlines.started(["b"])
    clock[0] = 15.0
    assert deadlines.overdue() == []
    clock[0] = 19.0
    assert deadlines.overdue() == ["b"]
