"""Windows that bring code: nothing of it runs."""

import pickle

import pyarrow as pa
import pytest

from tasks.data.errors import DataError
from tasks.squad.questions.windows import open_windows
from tests.payload import Payload
from tests.tasks.squad.questions.conftest import GOOD


@pytest.mark.parametrize(
    ("part", "column"), [("windows", "start"), ("questions", "answers"), ("questions", "id"), ("paragraphs", "context")]
)
def test_a_column_of_pickles_is_refused(part, column, write_squad, bert_dir, cut, tmp_path):
    from ray.data._internal.object_extensions.arrow import ArrowPythonObjectType

    mark = tmp_path / "ran"
    directory = cut("squad_v2", write_squad(dev=GOOD), bert_dir)
    [path] = (directory / "dev" / part).glob("*.arrow")
    table = pa.ipc.open_stream(path.read_bytes()).read_all()
    raw = pa.array([pickle.dumps(Payload(mark))] * len(table), pa.large_binary())
    bomb = pa.ExtensionArray.from_storage(ArrowPythonObjectType(), raw)
    hostile = table.set_column(table.schema.names.index(column), column, bomb)
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_stream(file, hostile.schema) as writer:
        writer.write_table(hostile)
    with pytest.raises((DataError, ValueError, TypeError)):
        open_windows(directory, "dev")
    assert not mark.exists()
    assert len(open_windows(directory, "train")) == 1
