"""How alike a text encoder, its random twin and PLUS represent proteins: PWCCA, SVCCA and CKA of every pair of levels.

After Kao & Lee, Is BERT a Cross-Disciplinary Knowledge Learner? (2021), with the defects of the published code mended:
centred moments of as many rows as there are, no dropout, and the null of independent data beside every value. Nothing
enters this folder that another experiment needs.
"""

from orchestrator.experiment import Experiment
from tasks.data.blocks import BLOCKS
from tasks.encoders.small import PRETRAIN_REPORT, PRETRAIN_SMALL
from tasks.transfer.comparison.plan import PLUS_REPORT, PRETRAIN_PLUS
from tasks.transfer.proteins.stages import PROTEIN_DATA
from tasks.transfer.representation_similarity.config import PRESETS, Config
from tasks.transfer.representation_similarity.plan import plan
from tasks.transfer.representation_similarity.stages import SIMILARITY

EXPERIMENT = Experiment(
    name="representation_similarity",
    config=Config,
    presets=PRESETS,
    stages=(BLOCKS, PRETRAIN_SMALL, PRETRAIN_REPORT, PROTEIN_DATA, PRETRAIN_PLUS, PLUS_REPORT, SIMILARITY),
    plan=plan,
    reduce="tasks.transfer.representation_similarity.reduce:summarise",
)
