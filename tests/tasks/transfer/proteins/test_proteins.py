"""Builtin families, finding files, and the artifact of a split."""

import dataclasses
import itertools
import json
import shutil

import numpy as np
import pytest

from orchestrator.experiment import Context, PlanError
from tasks.data.errors import DataError
from tasks.transfer.proteins import builtin
from tasks.transfer.proteins.artifact import open_proteins
from tasks.transfer.proteins.stages import (
    PROTEIN_DATA,
    ProteinDataParams,
    locate_proteins,
    planned_proteins,
    proteins_job,
)
from tasks.transfer.proteins.tasks import Split
from tests.research_data import research_data
from tests.tasks.transfer.proteins.letters import decode


def run(job, place):
    """The artifact of a job."""
    stage = PROTEIN_DATA.load()
    place.mkdir(parents=True, exist_ok=True)
    assert stage(job.params, Context(artifact=place, paths=job.paths, job_id=job.id)) == {}
    return open_proteins(place)


@pytest.fixture
def data_dir(tmp_path):
    """Made files of several tasks."""
    made = {
        "stability/Stability_train.fa": "".join(f">s{i} {i / 4}\n{'ARNDC'[: 1 + i % 5]}\n" for i in range(20)),
        "stability/Stability_test.fa": ">t 1\nARN\n",
        "Localization/Localization_test.fa": f">a Plastid-U\n{'AR' * 600}\n>b Nucleus\nAR\n",
        "homology/homology_test.fa": ">a a.1.2.3\nAR\n>b b.1.2.4\nARN\n",
        "secstr/secstr_test.fa": ">a:sequence\nARN\n>a:secstr\n017\n>b:sequence\nA\n>b:secstr\n5\n",
        "pfam/pfam_train.fa": ">a x PF;f1;\nAR\n>b x PF;f2;\nAR\n",
        "fluorescence/valid.json": json.dumps([{"primary": "ARN", "log_fluorescence": [3.5]}]),
    }
    for name, content in made.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content)
    return tmp_path


def test_builtin_families_are_families():
    train, labels = builtin.proteins("train")
    test, test_labels = builtin.proteins("test")
    assert (len(train), len(test)) == (600, 200)
    assert len({*train, *test}) == 800
    assert 20 <= min(map(len, train + test)) <= max(map(len, train + test)) <= 60
    assert len(set(map(len, train))) > 15
    assert set("".join(train)) == set("ARNDCQEGHILKMFPSTWYV")
    # Motifs stay: the stretches of five that most proteins share are in many of them, which chance would not do.
    stretches = [{text[i : i + 5] for i in range(len(text) - 4)} for text in train]
    counts: dict[str, int] = {}
    for stretch in itertools.chain.from_iterable(stretches):
        counts[stretch] = counts.get(stretch, 0) + 1
    assert sorted(counts.values())[-8] > 40
    for y in (labels, test_labels):
        assert 0 < min(y) < 0.5
        assert 3 < max(y) < 4
        assert np.std(y) > 0.5


def test_builtin_families_are_the_same_everywhere():
    assert builtin.fingerprint() == "1fe31595f8d6ab3f"
    with pytest.raises(ValueError, match="no split 'dev'; choose one of train, test"):
        builtin.proteins("dev")


def test_builtin_labels_follow_the_sites_that_were_lost():
    ancestor = builtin.Ancestor("ARND", (True, False, False, False), (2.0, 0.5, 0.0, 0.0))
    whole = [builtin.Site(letter, at) for at, letter in enumerate("ARND")]
    changed = [builtin.Site("C", 0), *whole[1:]]
    assert builtin._label(ancestor, whole) == pytest.approx(4 / (1 + np.exp(-2)), abs=1e-4)
    assert builtin._label(ancestor, changed) == pytest.approx(2.0, abs=1e-4)
    assert builtin._label(ancestor, changed[1:]) == builtin._label(ancestor, changed)  # a lost site is a changed one
    assert builtin._label(ancestor, [*whole, builtin.Site("A", None)]) == builtin._label(ancestor, whole)


def test_the_artifact_of_builtin_proteins(tmp_path):
    found = run(proteins_job("builtin", None, max_length=30), tmp_path)
    texts, labels = builtin.proteins("test")
    assert [decode(found.sequence(i)) for i in range(len(found))] == [text[:30] for text in texts]
    assert found.labels is not None
    assert found.labels.tolist() == list(labels)
    assert found.lengths.max() == 30
    assert found.meta["counts"]["truncated"] == sum(len(text) > 30 for text in texts)
    assert (found.meta["longest"], found.meta["n_outputs"]) == (30, 1)
    with pytest.raises(IndexError, match="protein 200; expected 0 to 199"):
        found.sequence(200)


def test_equal_jobs_write_equal_bytes(tmp_path):
    job = proteins_job("builtin", None, limit=9)
    for name in ("a", "b"):
        run(job, tmp_path / name)
    files = [sorted(p.relative_to(tmp_path / n) for p in (tmp_path / n).rglob("*.*")) for n in ("a", "b")]
    assert files[0] == files[1]
    assert all((tmp_path / "a" / p).read_bytes() == (tmp_path / "b" / p).read_bytes() for p in files[0])


def test_limits_are_nested_and_no_first_ones(tmp_path):
    whole, some, few = (run(proteins_job("builtin", None, limit=n), tmp_path / str(n)) for n in (None, 50, 20))
    texts = [[decode(part.sequence(i)) for i in range(len(part))] for part in (whole, some, few)]
    assert [len(t) for t in texts] == [200, 50, 20]
    assert set(texts[2]) < set(texts[1]) < set(texts[0])
    places = [texts[0].index(text) for text in texts[2]]
    assert places == sorted(places)
    assert places != list(range(20))
    assert few.meta["proteins_before_limit"] == 200
    assert planned_proteins(locate_proteins("builtin", None), "test", 20) == 20
    assert planned_proteins(locate_proteins("builtin", None), "train", 9999) == 600


def test_labels_of_every_kind(data_dir, tmp_path):
    def found(task, split: Split = "test"):
        place = tmp_path / "out" / f"{task}-{split}"
        return run(proteins_job(task, str(data_dir), split=split), place)

    both = found("localization")
    assert both.labels is not None
    assert both.labels.tolist() == [9, 7]
    assert both.lengths.tolist() == [1000, 2]  # the published cut, unless another is asked for
    assert both.meta["label_names"][9] == "Plastid"
    scop = found("homology").labels
    assert scop is not None
    assert scop.tolist() == [[0, 1, 2, 3], [1, 1, 2, 4]]
    structure = found("secstr")
    assert structure.labels is not None
    assert structure.labels.tolist() == [0, 1, 7, 5]
    assert structure.offsets.tolist() == [0, 3, 4]
    family = found("pfam", split="train")
    assert (family.meta["label_names"], family.meta["n_outputs"]) == (["f1", "f2"], 2)
    dev = found("fluorescence", split="dev").labels  # TAPE calls it valid
    assert dev is not None
    assert dev.tolist() == [3.5]


def test_a_job_is_known_by_what_is_read(data_dir, tmp_path):
    job = proteins_job("stability", str(data_dir), split="train")
    assert job.params == ProteinDataParams(task="stability", split="train")
    moved = tmp_path / "elsewhere"
    shutil.copytree(data_dir / "stability", moved / "STABILITY")
    assert proteins_job("stability", str(moved), split="train").id == job.id
    others = [proteins_job("stability", str(data_dir), split="train", limit=3)]
    others.append(proteins_job("stability", str(data_dir), split="train", min_length=3))
    others.append(proteins_job("stability", str(data_dir), split="train", max_length=3))
    others.append(proteins_job("stability", str(data_dir), split="test"))
    (moved / "STABILITY" / "Stability_train.fa").write_text(">x 1\nAR\n")
    others.append(proteins_job("stability", str(moved), split="train"))
    assert len({job.id, *(other.id for other in others)}) == 6
    with pytest.raises(DataError, match="the data have changed, or another machine has other data"):
        run(dataclasses.replace(job, paths={**job.paths, "data": str(moved)}), tmp_path / "artifact")


def test_what_is_missing_is_said(data_dir, tmp_path):
    with pytest.raises(DataError, match=r"stability needs --data-dir with stability/Stability_\{train,dev,test\}\.fa"):
        locate_proteins("stability", None)
    with pytest.raises(DataError, match="no such directory; give --data-dir"):
        locate_proteins("stability", str(tmp_path / "absent"))
    with pytest.raises(DataError, match=r"solubility: no such folder; folders that are there: .*stability"):
        locate_proteins("solubility", str(data_dir))
    with pytest.raises(PlanError, match=r"stability has no split dev in .*; choose train, test"):
        proteins_job("stability", str(data_dir), split="dev")
    with pytest.raises(PlanError, match="builtin has no split dev in builtin; choose train, test"):
        proteins_job("builtin", None, split="dev")
    (data_dir / "stability" / "test.tsv").write_text("label\tsequence\n1\tAR\n")
    with pytest.raises(DataError, match=r"Stability_test\.fa and test\.tsv are both test of stability; keep one"):
        locate_proteins("stability", str(data_dir))
    (data_dir / "transmembrane").mkdir()
    (data_dir / "transmembrane" / "test.fa").write_text("")
    with pytest.raises(DataError, match=r"no proteins, it has test\.fa; give it \{train,dev,test\}\.3line"):
        locate_proteins("transmembrane", str(data_dir))
    with pytest.raises(DataError, match="expected an artifact of the protein_data stage"):
        open_proteins(tmp_path)
    job = proteins_job("builtin", None)
    with pytest.raises(ValueError, match="an empty directory"):
        PROTEIN_DATA.load()(job.params, Context(paths=job.paths))
    with pytest.raises(ValueError, match="lacks kind, fingerprint"):
        PROTEIN_DATA.load()(job.params, Context(artifact=tmp_path))
    with pytest.raises(DataError, match="builtin proteins have 20 to 60 residues"):
        run(proteins_job("builtin", None, min_length=61), tmp_path / "none")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"task": "taste"}, "no protein task is called 'taste'"),
        ({"split": "valid"}, "split is 'valid': give one of train, dev, test"),
        ({"limit": 0}, "limit is 0: give at least 1"),
        ({"max_length": 0}, "max-length is 0"),
        ({"min_length": 0}, "min-length is 0"),
        ({"min_length": 5, "drop_longer": 4}, "drop-longer is 4: give at least the min-length, 5"),
    ],
)
def test_parameters_that_cannot_be(change, message):
    with pytest.raises(ValueError, match=message):
        ProteinDataParams(**{"task": "builtin", **change})


@pytest.mark.real_data
def test_the_variants_of_gfp_become_an_artifact(tmp_path):
    place = research_data("protein", "fluorescence").parent
    source = locate_proteins("fluorescence", str(place))
    assert source.sizes == {"train": 3000, "test": 600}
    found = run(proteins_job("fluorescence", str(place), limit=100), tmp_path)
    assert len(found) == 100
    assert set(found.lengths.tolist()) == {237}
    assert decode(found.sequence(0)).startswith("SKGEELF")
