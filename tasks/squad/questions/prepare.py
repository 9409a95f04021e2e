"""The stages `squad_windows`, which cuts questions into windows, and `squad_data`, which counts what they are of.

On disk, per split: `<artifact>/<split>/{paragraphs,questions,windows}/` are `datasets` Arrow data sets. A window is a
row of numbers; its tokens are those of its question and a slice of its paragraph's, each stored once. `tokenizer.json`
reads the pieces, `problems.json` names what was wrong in the data, `meta.json` says how all was made.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasks.data.artifacts import read_meta, write_meta, write_table
from tasks.data.places import place_here
from tasks.data.tokenizers import TokenizerRef, load_tokenizer
from tasks.squad.questions import sources
from tasks.squad.questions.cutting import cut_split
from tasks.squad.questions.examples import Paragraph, count
from tasks.squad.questions.pairs import joining, pair_template
from tasks.squad.questions.plan import PROBLEM, SPLITS, DataParams, WindowsParams, check_room
from tasks.training.seeds import permutation

if TYPE_CHECKING:
    from orchestrator.experiment import Context


def squad_windows(params: WindowsParams, context: "Context") -> dict[str, Any]:
    """Cut both splits into windows, into `context.artifact`; returns no rows.

    `context.paths` is as `tasks.data.places.places` makes it.

    Raises:
        ValueError: when the lengths leave no room for context beside this tokenizer's special tokens.
        DataError: when questions or tokenizer on this machine are missing, unusable or not the planned ones.
    """
    if context.artifact is None:
        raise ValueError("the squad_windows stage writes an artifact: give context.artifact, an empty directory")
    place = place_here(params.dataset, context.paths, sources.fingerprint)
    ref = TokenizerRef(name=params.tokenizer, revision=params.tokenizer_revision, path=context.paths.get("tokenizer"))
    tokenizer = load_tokenizer(ref)
    template = pair_template(tokenizer, ref.path or ref.name)
    check_room(params, template.n_specials)
    backend = _plain_backend(tokenizer)
    counts, problems = {}, []
    for split in SPLITS:
        found = sources.read(split, place)
        paragraphs = limited(found.paragraphs, params.limit(split), params.dataset, split)
        tables = cut_split(paragraphs, tokenizer, template, params, found.problems)
        for name in ("paragraphs", "questions", "windows"):
            where = context.artifact / split / name
            write_table(getattr(tables, name), where, f"{context.job_id}-{split}-{name}")
        counts[split] = {**tables.counts, **{PROBLEM + kind: n for kind, n in found.problems.counts.items()}}
        problems += [[split, p.kind, p.question_id, p.where, p.said] for p in found.problems.kept]
    (context.artifact / "tokenizer.json").write_text(backend.to_str(), "utf-8")
    (context.artifact / "problems.json").write_text(json.dumps(problems, indent=0) + "\n", "utf-8")
    meta = {
        "stage": "squad_windows",
        "dataset": params.dataset,
        "max_length": params.max_length,
        "doc_stride": params.doc_stride,
        "max_query_length": params.max_query_length,
        "vocab_size": len(tokenizer),
        "pad_token_id": tokenizer.pad_token_id,
        "cls_token_id": tokenizer.cls_token_id,
        "sep_token_id": tokenizer.sep_token_id,
        "template": template.as_dict(),
        "joining": joining(backend),
        "sizes": {split: {name: counts[split][name] for name in ("questions", "windows")} for split in SPLITS},
        "counts": counts,
    }
    write_meta(context.artifact, meta)
    return {}


def squad_data(params: DataParams, context: "Context") -> dict[str, Any]:
    """The rows of the tables `data` and `data_problems`, from the artifact `context.needs["windows"]`.

    Raises:
        DataError: when that is no artifact of the squad_windows stage.
    """
    directory = Path(context.needs["windows"])
    counts = read_meta(directory, "squad_windows")["counts"]
    names = ("split", "kind", "question_id", "place", "said")
    problems = json.loads((directory / "problems.json").read_text("utf-8"))
    return {
        "data": [
            {"split": split, "metric": metric, "value": float(value)}
            for split in SPLITS
            for metric, value in counts[split].items()
        ],
        "data_problems": [dict(zip(names, problem, strict=True)) for problem in problems],
    }


def limited(paragraphs: Sequence[Paragraph], limit: int | None, dataset: str, split: str) -> list[Paragraph]:
    """Paragraphs with at most `limit` questions together, in their own order; a smaller limit's are among a larger's.

    They are drawn in an order that is the same for all sweeps, until the limit is reached; of the last one drawn, the
    first questions are taken. Whole paragraphs, since their contexts are tokenised and asked about together.
    """
    if limit is None or limit >= count(paragraphs):
        return list(paragraphs)
    chosen: dict[int, Paragraph] = {}
    for at in permutation(len(paragraphs), 0, "limit", dataset, split).tolist():
        paragraph = paragraphs[at]
        kept = paragraph.questions[:limit]
        chosen[at] = Paragraph(paragraph.article, paragraph.context, kept)
        limit -= len(kept)
        if not limit:
            break
    return [chosen[at] for at in sorted(chosen)]


def _plain_backend(tokenizer: Any) -> Any:
    """A copy of the tokenizer's core without the truncation and padding that an earlier call may have left in it."""
    from tokenizers import Tokenizer

    backend = Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
    backend.no_truncation()
    backend.no_padding()
    return backend
