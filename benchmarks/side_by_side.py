"""One table of what is computed in the plain way and as built: seconds, and how far the results are apart."""

import argparse
import importlib
import sys
from collections.abc import Mapping

import torch
from rich.console import Console
from rich.table import Table


def report(description: str, parts: Mapping[str, str], largest_difference: float) -> None:
    """Run the parts that the command line names (all without) and print the table.

    Args:
        parts: names to modules with `measure() -> [(what, plain seconds, seconds as built, largest difference)]`.
        largest_difference: of results; a larger one ends the program with a message.
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--only", nargs="+", choices=parts, default=list(parts))
    parser.add_argument("--threads", type=int, default=1, help="threads of torch")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    table = Table(title=f"{arguments.threads} thread(s), torch {torch.__version__}")
    for name in ("what", "plain, s", "as built, s", "times faster", "largest difference"):
        table.add_column(name, justify="left" if name == "what" else "right")
    for part in arguments.only:
        for what, plain, ours, apart in importlib.import_module(parts[part]).measure():
            if not apart < largest_difference:
                sys.exit(f"{what}: the results differ by {apart:.1e}")
            table.add_row(what, f"{plain:.4g}", f"{ours:.4g}", f"{plain / ours:.1f}", f"{apart:.1e}")
    Console(width=200).print(table)
