"""The letters of residues' ids, to compare what was read with what was written."""

import numpy as np

from tasks.transfer.proteins.tokens import RESIDUES


def decode(ids: np.ndarray) -> str:
    """The letters of ids 1-21; another id is an IndexError."""
    assert (ids >= 1).all()
    return "".join(RESIDUES[i - 1] for i in ids)
