"""BLEU of a whole split, by sacrebleu."""

from collections.abc import Sequence

from sacrebleu.metrics.bleu import BLEU


def corpus_bleu(hypotheses: Sequence[str], references: Sequence[str]) -> float:
    """sacreBLEU's corpus BLEU with its defaults (13a tokens, exponential smoothing), 0 to 100.

    Source: Post (2018); tasks/attention/README.md 2.

    Raises:
        ValueError: not one reference a hypothesis, or none at all.
    """
    if len(hypotheses) != len(references):
        raise ValueError(f"{len(hypotheses)} hypotheses and {len(references)} references; expected one each")
    if not hypotheses:
        raise ValueError("BLEU of no sentences; give one at least")
    # `force` changes no number: it spares a warning an evaluation for texts that are published tokenised (Multi30k).
    return float(BLEU(force=True).corpus_score(list(hypotheses), [list(references)]).score)
