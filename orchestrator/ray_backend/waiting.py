"""Why jobs wait on a cluster that grows: what the autoscaler is starting, and what it could not start."""

import json
from collections import Counter
from collections.abc import Mapping
from typing import Any

from ray._private.ray_constants import DEBUG_AUTOSCALING_STATUS
from ray.autoscaler.v2.schema import ClusterStatus
from ray.autoscaler.v2.sdk import get_cluster_status
from ray.experimental.internal_kv import _internal_kv_get


def starting_nodes(address: str) -> str | None:
    """What is queued on the cluster at `address` and what its autoscaler does about it, in words.

    None where the autoscaler does nothing, or where there is none: then jobs wait for each other, as in every sweep.
    """
    status = get_cluster_status(address, timeout=5)
    legacy = _internal_kv_get(DEBUG_AUTOSCALING_STATUS)
    if legacy:
        coming, failed = _of_report(json.loads(legacy).get("autoscaler_report") or {})
    else:
        coming, failed = _of_status(status)
    if not coming and not failed:
        return None
    parts = [_queued(status)] if _queued(status) else []
    if coming:
        parts.append("the autoscaler starts " + ", ".join(f"{count} × {kind}" for kind, count in coming.items()))
    if failed:
        parts.append("it could not start " + "; ".join(failed))
    return ", ".join(parts)


def _queued(status: ClusterStatus) -> str:
    """What the tasks and actors that have no node yet ask for."""
    wanted = Counter[str]()
    for demand in status.resource_demands.ray_task_actor_demand:
        for bundle in demand.bundles_by_count:
            wanted[" + ".join(f"{amount:g} {name}" for name, amount in sorted(bundle.bundle.items()))] += bundle.count
    return "queued: " + ", ".join(f"{count} × ({bundle})" for bundle, count in wanted.items()) if wanted else ""


def _of_status(status: ClusterStatus) -> tuple[Counter[str], list[str]]:
    """Autoscaler version 2: nodes that come, by type and state, and launches that failed."""
    coming = Counter[str]()
    for launch in status.pending_launches:
        coming[f"{launch.ray_node_type_name} (asked for)"] += launch.count
    for node in status.pending_nodes:
        coming[f"{node.ray_node_type_name} ({(node.details or node.node_status or 'starting').lower()})"] += 1
    failed = [f"{launch.ray_node_type_name}: {launch.details}" for launch in status.failed_launches]
    return coming, failed


def _of_report(report: Mapping[str, Any]) -> tuple[Counter[str], list[str]]:
    """Autoscaler version 1, which clusters of `provider: local` have."""
    coming = Counter[str]()
    for kind, count in (report.get("pending_launches") or {}).items():
        coming[f"{kind} (asked for)"] += count
    for _, kind, state in report.get("pending_nodes") or []:
        coming[f"{kind} ({str(state).lower()})"] += 1
    availability = (report.get("node_availability_summary") or {}).get("node_availabilities") or {}
    failed = [
        f"{kind}: {(facts.get('unavailable_node_information') or {}).get('description')}"
        for kind, facts in availability.items()
        if facts.get("unavailable_node_information")
    ]
    return coming, failed
