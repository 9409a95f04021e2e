"""The command line of the sweeps: `python sweep.py --experiment glue_depth --preset quick`.

`ray submit` copies this file alone to a head node's home directory, so it finds the project beside itself, else in
`~/sweeps`, where the cluster file mounts it.
"""

import sys
from pathlib import Path

for place in (Path(__file__).resolve().parent, Path.home() / "sweeps"):
    if (place / "orchestrator" / "cli.py").exists():
        sys.path.insert(0, str(place))
        break
else:
    sys.exit(f"sweep.py finds no project: neither {Path(__file__).resolve().parent} nor ~/sweeps holds orchestrator/")

from orchestrator.cli import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
