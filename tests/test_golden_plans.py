"""No change of the code changes a job id or a table's columns unless it is meant to: then a line of the golden file
changes with it, and the commit says why.
"""

import json
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent


def test_ids_of_jobs_and_columns_of_tables_are_those_of_the_golden_file():
    made = subprocess.run([sys.executable, HERE / "plan_digests.py"], check=True, capture_output=True, text=True)
    assert json.loads(made.stdout) == json.loads((HERE / "golden_plans.json").read_text())
