"""A sentence on each kind of fault that the questions have, for reports."""

import pandas as pd

PREFIX = "problem_"
KINDS = {
    "answer_moved": "answers not at their offset, taken from the nearest place",
    "answer_missing": "answers that are not in their context: scored, not trained on",
    "answer_untokened": "answers without a token of their own: scored, not trained on",
    "duplicate_id": "questions with an id that another one has, left out",
    "contradiction": "questions whose answers contradict is_impossible: the answers decide",
    "malformed": "malformed questions or paragraphs, left out",
    "empty_context": "empty contexts, left out with their questions",
}


def fault_notes(data: pd.DataFrame) -> list[str]:
    """From the rows of `data`; `data_problems` names the questions."""
    rows = data.drop_duplicates(["split", "metric"])
    found = []
    for split, metric, value in rows[["split", "metric", "value"]].itertuples(index=False):
        if metric.startswith(PREFIX) and value:
            kind = metric.removeprefix(PREFIX)
            found.append(f"{split}: {value:,.0f} {KINDS.get(kind, kind)} (table data_problems, kind {kind}).")
    return found
