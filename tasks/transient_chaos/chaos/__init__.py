"""ALBERT as an iterated map: Lyapunov spectrum, chaos length, token synchronisation, effective dimension.

After Inoue et al., Transient Chaos in BERT (2022): pretrained against random networks, one pass over the sentences for
everything that is measured. Nothing enters this folder that another experiment needs.
"""

from typing import Any

from orchestrator.experiment import Experiment, Results, Summary
from tasks.data.blocks import BLOCKS
from tasks.encoders.small import PRETRAIN_REPORT, PRETRAIN_SMALL
from tasks.transient_chaos.chaos.config import PRESETS, Config
from tasks.transient_chaos.chaos.params import CHAOS_LONG, CHAOS_SWEEP
from tasks.transient_chaos.chaos.plan import plan
from tasks.transient_chaos.sentences import SENTENCES


def reduce(results: Results, config: Any) -> Summary:
    """Tables, figures and sentences from the rows; imported when needed, since pandas and matplotlib take a second."""
    from tasks.transient_chaos.chaos.reduce import summarise

    return summarise(results, config)


EXPERIMENT = Experiment(
    name="chaos",
    config=Config,
    presets=PRESETS,
    stages=(SENTENCES, BLOCKS, PRETRAIN_SMALL, PRETRAIN_REPORT, CHAOS_SWEEP, CHAOS_LONG),
    plan=plan,
    reduce=reduce,
)
"""Its tables: windows, spectrum, chaos_lengths, offsets, layers and more; see `tables`."""
