"""The command line: it reads the options, and hands over to a command. Light to import, since `--list` must be fast."""

import logging
import sys
from collections.abc import Sequence

USAGE = """usage: sweep.py --experiment NAME [--preset paper|quick] [options]

  --list                          the experiments
  --experiment NAME --help        all options of an experiment
  --experiment NAME --describe    its tables and columns
  --experiment NAME --plan        what would run and what it costs
  --experiment NAME --status      what the results directory holds"""


def main(arguments: Sequence[str]) -> int:
    """Run a command line; returns the exit code.

    0: all is well. 1: some jobs failed (the results of the others are there). 2: the command line, the data or the
    cluster is wrong, and nothing was started. 130: interrupted. A reader of the output that has seen enough (`| head`)
    is no error.
    """
    from orchestrator.streams import drop_output, readable_streams

    readable_streams()
    try:
        code = _main(arguments)
        sys.stdout.flush()
    except BrokenPipeError:
        drop_output()
        return 0
    return code


def _main(arguments: Sequence[str]) -> int:
    if "--list" in arguments:
        return _list()
    if not arguments or (("--help" in arguments or "-h" in arguments) and "--experiment" not in " ".join(arguments)):
        print(USAGE, file=sys.stdout if arguments else sys.stderr)
        return 0 if arguments else 2
    from orchestrator.options import UsageError, parse

    try:
        experiment, common, config = parse(arguments)
    except UsageError as problem:
        print(f"sweep.py: {problem}", file=sys.stderr)
        return 2
    from orchestrator import commands
    from orchestrator.printable import SafeFormatter, printable
    from orchestrator.secrets import redact

    handler = logging.StreamHandler()
    handler.setFormatter(SafeFormatter("%(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=common.log_level.upper(), handlers=[handler])

    try:
        return commands.run(experiment, common, config, arguments)
    except commands.EXPECTED as problem:
        if common.log_level == "debug":
            raise
        print(f"sweep.py: {printable(redact(str(problem)))}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("sweep.py: interrupted; the same command goes on from here", file=sys.stderr)
        return 130


def _list() -> int:
    """Print the experiments with the first line of their module's docstring, which is read without importing it."""
    import ast
    import importlib.util

    from tasks import EXPERIMENTS

    width = max(map(len, EXPERIMENTS), default=0)
    for name, module in EXPERIMENTS.items():
        spec = importlib.util.find_spec(module)
        origin = spec.origin if spec is not None else None
        if origin is None:
            raise ImportError(f"the registry names {module} for {name}, which does not exist")
        with open(origin, encoding="utf-8") as file:
            doc = ast.get_docstring(ast.parse(file.read())) or ""
        print(f"{name:<{width}}  {doc.splitlines()[0] if doc else ''}")
    return 0
