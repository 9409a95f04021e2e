"""Documents that the tests of pretraining share."""

from pathlib import Path

import pytest

from tests.tasks.deepscale.deep_bert.tiny import write_documents


@pytest.fixture(scope="session")
def documents(tmp_path_factory) -> Path:
    return write_documents(tmp_path_factory.mktemp("documents") / "made")
