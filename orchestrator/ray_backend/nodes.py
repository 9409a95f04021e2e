"""Every node of a joined cluster is asked, before the first job, whether it can do its part.

A node that does not share the results directory, may not write there, or runs other code than the driver would let
every job on it fail, or worse, leave its artifacts where nobody looks.
"""

import logging
import os
import re
import socket
from typing import Any

import ray
from ray import exceptions
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from orchestrator.backend import CannotRun
from orchestrator.capacity import autoscaled_nodes
from orchestrator.code import code_digest
from orchestrator.shared import REMEDY, Mark, check_mark, check_writable
from orchestrator.storage import Storage

log = logging.getLogger(__name__)

ANSWER_SECONDS = 120.0  # a busy machine takes its time to start a process; one that has died is known sooner


def check_nodes(mark: Mark, artifacts: str, seconds: float = ANSWER_SECONDS) -> str | None:
    """Look from every node of more than one for the mark, and write where artifacts go.

    Args:
        mark: a file that the driver has written into the results.
        artifacts: address of the storage that workers write into.
        seconds: how long to wait for the answers.

    Returns:
        What to tell the user: about nodes that have not answered (their jobs look for themselves), or where this one is
        alone as yet, about results that the others will not see. None when all is well.

    Raises:
        CannotRun: with the name of each node that cannot take part, what is wrong there and what to do.
    """
    nodes = [node for node in ray.nodes() if node["Alive"]]
    if len(nodes) < 2:  # this machine alone, which has written the mark
        return _on_own_disk(mark) if autoscaled_nodes() else None
    asked = {_ask(node["NodeID"], mark, artifacts): node for node in nodes}
    answered, silent = ray.wait(list(asked), num_returns=len(asked), timeout=seconds)
    for ref in silent:
        ray.cancel(ref, force=True)
    problems = []
    for ref in answered:
        try:
            problems += _answer(ref, asked[ref])
        except exceptions.RayError as error:  # its process was killed there, for want of memory perhaps
            log.info("%s has not answered: %s", _name(asked[ref]), error)
            silent.append(ref)
    if problems:
        raise CannotRun("; ".join(sorted(problems)))
    if silent:
        names = ", ".join(sorted(_name(asked[ref]) for ref in silent))
        return f"no answer from {names} within {seconds:g} s; whether the results are shared is seen by the jobs there"
    return None


def _on_own_disk(mark: Mark) -> str | None:
    storage = Storage.at(mark[0])
    if not storage.is_local or _device(storage.root) != _device("/"):
        return None
    return (
        f"{storage.root} is on this machine's own disk: unless it serves that to others, jobs on workers that join "
        f"later will fail. {REMEDY}"
    )


def _device(path: str) -> int:
    return os.stat(path).st_dev


def _ask(node_id: str, mark: Mark, artifacts: str) -> Any:
    there = NodeAffinitySchedulingStrategy(node_id, soft=False)
    return _look.options(scheduling_strategy=there).remote(mark, artifacts, f".from-{node_id[:16]}", code_digest())


@ray.remote(num_cpus=0, max_retries=0)
def _look(mark: Mark, artifacts: str, name: str, code: str) -> str | None:
    """Runs on a node: what is wrong there, in words; None when nothing is."""
    here = code_digest()
    if here != code:
        return f"the code on {socket.gethostname()} has digest {here}, the driver's {code}: sync the project there"
    try:
        check_mark(mark)
        check_writable(artifacts, name)
    except OSError as problem:
        return str(problem)
    return None


def _answer(ref: Any, node: dict[str, Any]) -> list[str]:
    """What is wrong on a node, in words.

    Raises:
        RayError: when it could not be asked, for a reason that may pass.
    """
    try:
        problem = ray.get(ref)
    except exceptions.NodeDiedError:
        return []  # it left the cluster meanwhile, and no job will go there
    except exceptions.RuntimeEnvSetupError as error:
        text = re.sub(r"\x1b\[\d+m", "", str(error)).strip()
        return [f"nothing runs on {_name(node)}: {text.splitlines()[-1]}"]
    return [] if problem is None else [str(problem)]


def _name(node: dict[str, Any]) -> str:
    return f"{node['NodeManagerHostname']} ({node['NodeManagerAddress']})"
