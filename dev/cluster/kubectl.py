"""kubectl as a function."""

from __future__ import annotations

import subprocess
from pathlib import Path

from dev.cluster import binaries
from dev.cluster.errors import ClusterError


def kubectl(kubeconfig: Path, *arguments: str, stdin: str | None = None) -> str:
    """Run kubectl with the text on its standard input; its output.

    Raises ClusterError with what kubectl said when it fails.
    """
    tool = binaries.client("kubectl", lambda _line: None)
    done = subprocess.run(
        [tool, f"--kubeconfig={kubeconfig}", *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        verb = next(a for a in arguments if not a.startswith("-"))
        raise ClusterError(
            f"kubectl {verb} failed: {done.stderr.strip()}",
            "check that the cluster is healthy: `status`",
        )
    return done.stdout
