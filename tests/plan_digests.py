"""What identifies every experiment's results: the ids of its jobs and the columns of its tables, a digest of each.

Runs as a program of its own, `python tests/plan_digests.py > tests/golden_plans.json`, since it replaces the hub and
the text that ships with Python before anything reads them: the digests need no network and are the same on every
Python.
"""

import dataclasses
import hashlib
import json
import os
import sys
import tempfile
import types
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from models import hub
from orchestrator.experiment import Experiment
from orchestrator.options import EXPERIMENTS, load_experiment
from orchestrator.plan import make_plan
from tasks.attention.pairs.files import LANGUAGES


def replace_surroundings() -> None:
    """Each hub repository has a commit made of its name; the builtin text is a made one of a few thousand sentences."""
    hub.commit = lambda repo, kind: hashlib.sha1(f"{kind} {repo}".encode()).hexdigest()
    text = types.ModuleType("pydoc_data.topics")
    text.topics = {topic: made_text(topic) for topic in TOPICS}  # pyright: ignore
    sys.modules["pydoc_data.topics"] = text


def made_text(topic: str) -> str:
    """Paragraphs of three sentences whose words are drawn by a hash, which is the same on every Python."""
    draws = (hashlib.sha256(f"{topic} {i}".encode()).digest() for i in range(200))
    sentences = [" ".join(WORDS[byte % len(WORDS)] for byte in draw[:9]).capitalize() + "." for draw in draws]
    return "\n\n".join(" ".join(sentences[at : at + 3]) for at in range(0, len(sentences), 3))


def make_files() -> None:
    """Files of the data sets and the checkpoint that are on no hub, in this directory."""
    texts = dict.fromkeys(("IMDB", "Furd", "Yelp", "Amzn"), ("0", "1"))
    texts |= {"AG_News": ("1", "3"), "Newsgroups": ("rec.sport.baseball", "rec.sport.hockey"), "SMS": ("ham", "spam")}
    for name, classes in texts.items():
        write({f"{name}/{split}.csv": "".join(f"{c},bik\n" for c in classes * 9) for split in ("train", "test")})
    for name, languages in LANGUAGES.items():
        write({f"{name}/{split}.{ending}": "a\n" * 160_000 for split in ("train", "val") for ending in languages})
    for name in ("localization", "stability", "fluorescence"):
        label = "Nucleus" if name == "localization" else "1"
        write({f"{name}/{split}.fa": f">a {label}\nARN\n" * 9 for split in ("train", "dev", "test")})
    write({"PLUS-TFM.pt/config.json": "{}", "PLUS-TFM.pt/model.safetensors": "weights"})


def write(files: Mapping[str, str]) -> None:
    for name, content in files.items():
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_text(content)


LOCAL = ("attention_classification", "attention_matching", "attention_translation", "representation_similarity")
"""Experiments whose published data are on no hub."""
TOPICS = [*("assert", "await", "del", "import", "raise", "yield"), *("dict", "lists", "strings", "types", "typesseq")]
WORDS = [first + vowel + last for first in "bdfglmnprst" for vowel in "aeiou" for last in ("k", "len", "m", "rs", "t")]


def digest(values: Iterable[object]) -> str:
    return hashlib.sha256(json.dumps(list(values)).encode()).hexdigest()[:16]


def columns_of(experiment: Experiment) -> list[tuple[str, str, str]]:
    """(table, column, type) of all tables in order: declared columns, then parameters, stage by stage."""
    found = {}
    for table, spec in sorted(experiment.tables.items()):
        found |= {(table, field.name): str(field.type) for field in spec.schema}
        for stage in (stage for stage in experiment.stages if table in stage.tables):
            for field in stage.param_fields:
                found.setdefault((table, field.name), str(field.type))
    return [(*place, kind) for place, kind in found.items()]


def digests() -> Iterator[tuple[str, dict[str, object]]]:
    """For each experiment and preset the number of its jobs, a digest of their ids, and one of its tables' columns."""
    for name in EXPERIMENTS:
        experiment = load_experiment(name)
        for preset in sorted(experiment.presets):
            config = experiment.presets[preset]
            if name in LOCAL and preset != "quick":
                config = dataclasses.replace(config, data_dir=".")
            ids = sorted(make_plan(experiment.plan(config)).jobs)
            yield f"{name} {preset}", {"jobs": len(ids), "ids": digest(ids), "columns": digest(columns_of(experiment))}


if __name__ == "__main__":
    replace_surroundings()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        make_files()
        found = dict(digests())
    lines = (f"{json.dumps(name)}: {json.dumps(line)}" for name, line in found.items())
    sys.stdout.write("{\n" + ",\n".join(lines) + "\n}\n")
