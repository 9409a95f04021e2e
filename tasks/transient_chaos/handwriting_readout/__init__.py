"""Two letters read out of the states of all windows of ALBERT layers by least squares: the reconstruction error.

After Inoue et al., Transient Chaos in BERT (2022): an encoder that keeps its inputs apart for many layers can write a
letter that the input's label chooses. All windows of an encoder share one pass and the sums over its layers. Nothing
enters this folder that another experiment needs.
"""

from typing import Any

from orchestrator.experiment import Experiment, Results, Summary
from tasks.data.blocks import BLOCKS
from tasks.data.plan import TOKENS
from tasks.encoders.small import PRETRAIN_REPORT, PRETRAIN_SMALL
from tasks.transient_chaos.handwriting_readout.config import PRESETS, Config
from tasks.transient_chaos.handwriting_readout.params import HANDWRITING
from tasks.transient_chaos.handwriting_readout.plan import plan


def reduce(results: Results, config: Any) -> Summary:
    """Tables, figures and sentences from the rows; imported when needed, since pandas and matplotlib take a second."""
    from tasks.transient_chaos.handwriting_readout.reduce import summarise

    return summarise(results, config)


EXPERIMENT = Experiment(
    name="handwriting_readout",
    config=Config,
    presets=PRESETS,
    stages=(TOKENS, BLOCKS, PRETRAIN_SMALL, PRETRAIN_REPORT, HANDWRITING),
    plan=plan,
    reduce=reduce,
)
