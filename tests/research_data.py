"""Where the research data lie that tests marked `real_data` read: SWEEP_TEST_DATA, else beside the project."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def research_data(*names: str) -> Path:
    """The directory or file of that name in the research data; the test is skipped where it is not."""
    root = Path(os.environ.get("SWEEP_TEST_DATA", ROOT.parent / "shared" / "data"))
    place = root.joinpath(*names)
    if not place.exists():
        pytest.skip(f"no {'/'.join(names)} in {root}; set SWEEP_TEST_DATA")
    return place
