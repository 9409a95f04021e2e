"""Tables, figures and sentences of `attention_translation`: those that it shares with classification."""

from orchestrator.experiment import Results, Summary
from tasks.attention.labels import Labels
from tasks.attention.reduce import summarise as summarise_attention
from tasks.attention_translation.config import Config
from tasks.attention_translation.plan import planned_grids


def summarise(results: Results, config: Config) -> Summary:
    """What came out, whatever part of the sweep is done."""
    steps = planned_grids(config)
    labels = Labels(
        item="target position",
        performance={"accuracy": "accuracy of the next word (%)", "bleu": "BLEU (0-100)"},
        unit={"accuracy": " %", "bleu": " BLEU"},
        datasets=tuple(steps),
        runs=config.runs,
        steps=steps,
    )
    return summarise_attention(results, config, labels)
