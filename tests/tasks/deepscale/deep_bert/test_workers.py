"""Two workers against one: the same weights and rows, with whole weights in each and with parts of them."""

import contextlib
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from safetensors.torch import load_file
from torch.multiprocessing.spawn import spawn

from orchestrator.experiment import Context
from tasks.deepscale.deep_bert.curves import pretrain_bert_report
from tasks.deepscale.deep_bert.pretraining import pretrain_bert
from tests.tasks.deepscale.deep_bert.tiny import PARAMS, changed, context

DIVERGING = changed(norm="pre", learning_rate=1e30, precision="float32", steps=8, points=2, warmup=0.0)
WAYS = ("ddp", "fsdp")


class Killed(Exception):
    pass


class Deadly:
    """Ends this process, in a way, when the first state is saved, or would be by another worker."""

    def __init__(self, checkpoints):
        self._own = checkpoints

    def save(self, step, directory):
        self._own.save(step, directory)
        raise Killed

    def latest(self):
        return self._own.latest()


def of_two(rank: int, root: Path, documents: Path) -> None:
    """All runs of one worker of two."""
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{root / 'meeting'}", rank=rank, world_size=2)
    try:
        for way in WAYS:
            for name, params in (("equal", PARAMS), ("diverging", DIVERGING), ("resumed", PARAMS)):
                given = {"rank": rank, "workers": 2, "paths": {"sharding": way, "checkpoint_seconds": "0"}}
                saved = root / f"{way}-saved" if name == "resumed" else None
                artifact = root / f"{way}-{name}" if rank == 0 else None
                pretrain_bert(params, context(documents, artifact, saved, **given))
    finally:
        dist.destroy_process_group()


def rows_of(directory: Path):
    tables = pretrain_bert_report(PARAMS, Context(needs={"model": directory}))
    timed = ("tokens_per_second", "flops_utilisation")
    training = {(r["step"], r["metric"]): r["value"] for r in tables["training"] if r["metric"] not in timed}
    return training, tables["outcomes"][0]


@pytest.mark.slow
def test_two_workers_train_as_one_does(documents, tmp_path):
    alone = tmp_path / "alone"
    pretrain_bert(PARAMS, context(documents, alone))
    for way in WAYS:  # one worker saves and dies; two go on from there
        place = context(documents, tmp_path / f"{way}-dead", tmp_path / f"{way}-saved")
        with contextlib.suppress(Killed):
            pretrain_bert(PARAMS, Context(needs=place.needs, artifact=place.artifact, paths=place.paths,
                                          checkpoints=Deadly(place.checkpoints)))  # fmt: skip
        assert place.checkpoints is not None
        newest = place.checkpoints.latest()
        assert newest is not None
        assert newest[0] == 2
    spawn(of_two, args=(tmp_path, documents), nprocs=2)
    weights, (training, outcome) = load_file(alone / "model.safetensors"), rows_of(alone)
    for way in WAYS:
        for name in ("equal", "resumed"):
            directory = tmp_path / f"{way}-{name}"
            theirs = load_file(directory / "model.safetensors")
            assert theirs.keys() == weights.keys()
            for tensor in weights:
                torch.testing.assert_close(theirs[tensor], weights[tensor], rtol=0, atol=1e-10)
            rows, found = rows_of(directory)
            assert rows == pytest.approx(training, rel=1e-10)
            assert found.pop("status") == outcome["status"]
            assert found == pytest.approx({k: v for k, v in outcome.items() if k != "status"}, rel=1e-10)
        last = tmp_path / f"{way}-saved"
        newest = context(documents, None, last).checkpoints.latest()  # type: ignore[union-attr]
        assert newest is not None
        assert newest[0] == 4  # saved by two workers
        found = rows_of(tmp_path / f"{way}-diverging")[1]
        assert (found["status"], found["step"]) == ("diverged", 2)
        finite = load_file(tmp_path / f"{way}-diverging" / "model.safetensors")
        assert all(x.isfinite().all() for x in finite.values())
    # What two workers have saved, one can go on from.
    pretrain_bert(PARAMS, context(documents, tmp_path / "back", tmp_path / "fsdp-saved"))
    back = load_file(tmp_path / "back" / "model.safetensors")
    assert all(torch.allclose(back[name], weights[name], rtol=0, atol=1e-10) for name in weights)
