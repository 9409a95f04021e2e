"""What no module may do, looked up in the syntax trees of all packages; every finding says where it is."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("orchestrator", "tasks", "models", "metrics")

ALLOWED = {
    ("orchestrator/worker.py", "_attempt", "pickle.loads"),  # a Call's stage: the driver's bytes, from Ray
    ("orchestrator/ray_backend/remote.py", "_run", "pickle.loads"),  # the Calls themselves
    ("orchestrator/ray_backend/remote.py", "outcomes_of", "pickle.loads"),  # a worker's Outcomes, from Ray
    ("orchestrator/ray_backend/backend.py", "_results", "pickle.loads"),  # the same
}
UNPICKLERS = {"pickle", "cloudpickle", "dill", "joblib", "marshal", "shelve", "_pickle", "jsonpickle"}
NEVER = {"eval", "exec", "compile", "__import__", "os.system", "os.popen", "yaml.load", "yaml.unsafe_load"}
NEVER |= {
    "yaml.full_load",
    "pd.read_pickle",
    "pandas.read_pickle",
    "torch.jit.load",
    "torch.hub.load",
    "runpy.run_path",
}


def findings(source: str, where: str) -> Iterator[str]:
    """`file:line: what` for each call that could run what it reads."""
    tree = ast.parse(source)
    names: dict[str, str] = {}  # what a name was imported as
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {(alias.asname or alias.name): alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {(alias.asname or alias.name): f"{node.module}.{alias.name}" for alias in node.names}
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        first, *rest = ast.unparse(node.func).split(".")
        name = ".".join([names.get(first, first), *rest])
        given = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
        inside = [f.name for f in functions if f.lineno <= node.lineno <= (f.end_lineno or 0)]
        wrong = None
        if name in NEVER:
            wrong = f"{name} runs what it reads"
        elif name.split(".")[0] in UNPICKLERS and name.split(".")[-1] in ("load", "loads", "Unpickler", "open"):
            if not any((where, function, name) in ALLOWED for function in inside):
                wrong = f"{name} outside of the places where the driver's own bytes arrive"
        elif name == "torch.load" and given.get("weights_only") != "True":
            wrong = "torch.load without weights_only=True"
        elif name.endswith(".load") and given.get("allow_pickle", "False") != "False":
            wrong = "allow_pickle"
        elif given.get("shell", "False") != "False":
            wrong = "shell=True"
        elif given.get("trust_remote_code", "False") != "False":
            wrong = "trust_remote_code"
        elif (
            name.startswith("transformers.Auto")
            and rest[-1:] == ["from_pretrained"]
            and "trust_remote_code" not in given
        ):
            wrong = f"{name} without trust_remote_code=False asks on the terminal whether to run a model's code"
        elif name.endswith("jinja2.Environment") and given.get("autoescape") != "True":
            wrong = "jinja2 without autoescape=True"
        elif name.endswith("Markup"):
            wrong = "text that is taken for HTML as it is"
        if wrong:
            yield f"{where}:{node.lineno}: {wrong}"


def test_nothing_reads_what_could_run():
    files = [path for package in PACKAGES for path in (ROOT / package).rglob("*.py")] + [ROOT / "sweep.py"]
    assert len(files) > 50
    found = [x for path in files for x in findings(path.read_text("utf-8"), path.relative_to(ROOT).as_posix())]
    assert not found, "\n".join(found)


def test_every_exception_is_in_use():
    """An entry of ALLOWED whose call has gone would let another one in unseen."""
    for where, function, name in ALLOWED:
        tree = ast.parse((ROOT / where).read_text("utf-8"))
        bodies = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef) and n.name == function]
        assert any(f"{name}(" in ast.unparse(body) for body in bodies), (where, function, name)


def test_the_page_marks_nothing_as_safe():
    page = (ROOT / "orchestrator" / "report.html.j2").read_text("utf-8")
    assert not re.search(r"\|\s*safe", page)
    assert "<script" not in page
    assert "autoescape false" not in page


@pytest.mark.parametrize(
    "source",
    [
        "import pickle\npickle.loads(b'')",
        "import pickle as p\np.load(open('x', 'rb'))",
        "from pickle import loads\nloads(b'')",
        "import cloudpickle\ncloudpickle.loads(b'')",
        "import torch\ntorch.load('x')",
        "import torch\ntorch.load('x', weights_only=False)",
        "import numpy as np\nnp.load('x', allow_pickle=True)",
        "import yaml\nyaml.load('x')",
        "import pandas as pd\npd.read_pickle('x')",
        "eval('1')",
        "import subprocess\nsubprocess.run('ls', shell=True)",
        "from transformers import AutoTokenizer\nAutoTokenizer.from_pretrained('x')",
        "from transformers import AutoConfig\nAutoConfig.from_pretrained('x', trust_remote_code=True)",
        "import jinja2\njinja2.Environment()",
        "def run_call(x):\n    import pickle\n    pickle.loads(x)",  # the right function in another file
    ],
)
def test_the_check_finds(source):
    [found] = findings(source, "models/x.py")
    assert found.startswith("models/x.py:")


@pytest.mark.parametrize(
    "source",
    [
        "import torch\ntorch.load('x', weights_only=True)",
        "import numpy as np\nnp.load('x')",
        "import yaml\nyaml.safe_load('x')",
        "import json\njson.loads('1')",
        "import re\nre.compile('x')",
        "class X:\n    def eval(self): ...\nX().eval()",
    ],
)
def test_the_check_lets_be(source):
    assert list(findings(source, "models/x.py")) == []
