"""What a hostile pickle would run, made harmless: it leaves a mark."""

import os
from pathlib import Path


class Payload:
    """Makes the directory `mark` when it is unpickled."""

    def __init__(self, mark: Path):
        self.mark = mark

    def __reduce__(self):
        return os.makedirs, (str(self.mark), 0o777, True)
