"""A provider for an autoscaler whose nodes are all on this machine; Ray's processes import it by PYTHONPATH."""

from unittest.mock import patch
from uuid import uuid4

from ray._private import ray_constants
from ray.autoscaler._private.fake_multi_node.node_provider import FakeMultiNodeProvider


class OwnFolders(FakeMultiNodeProvider):
    """Ray's fake provider, but each node unpacks the driver's code into a folder of its own, as a machine would.

    A node that joins unpacks it anew (Ray 2.60: `download_and_unpack_package(overwrite=True)`), so with one folder for
    all it deletes the modules that another node's worker is about to import.
    """

    def _create_node_with_resources_and_labels(self, *arguments) -> None:
        with patch.object(ray_constants, "DEFAULT_RUNTIME_ENV_DIR_NAME", f"resources-{uuid4().hex[:8]}"):
            super()._create_node_with_resources_and_labels(*arguments)
