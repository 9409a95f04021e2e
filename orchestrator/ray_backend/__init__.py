"""The one room that imports Ray: calls become Ray tasks, or calls of warm actors.

`connect` joins or starts a cluster, `nodes` sees that its nodes can take part, `remote` is what runs on the workers,
`backend` keeps the calls that are in flight, `head` and `waiting` know how the cluster
does, `metrics` exports the sweep's own.
"""

import os
import sys
from pathlib import Path

# A node that is cut off silently is noticed after 47 s with these, after 7 minutes without. Set before ray is imported.
os.environ.setdefault("RAY_grpc_client_keepalive_time_ms", "10000")
os.environ.setdefault("RAY_grpc_client_keepalive_timeout_ms", "20000")
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
# The first `ray.init` on a machine leaves a token, and a cluster that is started there later asks for it, while a
# driver that joins does not send it by itself. A cluster that wants no token takes no offence at one.
if (Path.home() / ".ray" / "auth_token").exists():
    os.environ.setdefault("RAY_AUTH_MODE", "token")
if "ray" in sys.modules:  # a notebook, say, has imported it: it has read the environment as it was, and reads it again
    import ray
    from ray._raylet import Config  # pyright: ignore[reportAttributeAccessIssue]

    if not ray.is_initialized():
        Config.initialize("")
