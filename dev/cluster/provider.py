"""Which cluster to use: an existing one, kind, or the built-in node."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from dev.cluster import binaries
from dev.cluster.errors import ClusterError
from dev.cluster.kubectl import kubectl
from dev.cluster.node import Node
from dev.cluster.paths import is_state, prepare, state_dir

Say = Callable[[str], None]
NAMES = ("kubeconfig", "kind", "builtin")
_KIND_CLUSTER = "evenkeel"


class Cluster(Protocol):
    """What every provider offers."""

    name: str
    kubeconfig: Path

    def up(self, say: Say) -> None:
        """Make or repair the cluster and wait until it can run pods."""

    def down(self, say: Say, *, purge: bool) -> None:
        """Stop it and remove what `up` made on this machine."""

    def status(self) -> int:
        """Print the state; 0 when healthy, else 1."""

    def load(self, archives: Sequence[Path], say: Say) -> None:
        """Make the images of docker-archive or OCI archives available to pods."""

    def log(self, component: str) -> Path:
        """The component's log file."""


@dataclass(frozen=True)
class Facts:
    """What the choice depends on."""

    kubeconfig: str | None
    docker_answers: bool
    has_kind: bool
    linux_root: bool


def pick(facts: Facts) -> str:
    """The provider for these facts; ClusterError where none fits."""
    if facts.kubeconfig:
        return "kubeconfig"
    if facts.docker_answers and facts.has_kind:
        return "kind"
    if facts.linux_root:
        return "builtin"
    missing = "kind is not installed" if facts.docker_answers else "no Docker engine answers"
    raise ClusterError(
        f"no cluster can be made here: KUBECONFIG is not set, {missing}, "
        "and the built-in node needs root on Linux",
        "set KUBECONFIG to a cluster's kubeconfig; or start Docker and install kind; "
        "or run this as root on Linux",
    )


def choose(wanted: str) -> Cluster:
    """The cluster for a --provider value; `auto` keeps the one that runs, else picks."""
    running = remembered()
    given = os.environ.get("KUBECONFIG")
    made = running if running is not None and running.name != "kubeconfig" else None
    if wanted == "auto":
        if made is not None and (not given or Path(given).resolve() == made.kubeconfig):
            return made
        wanted = pick(_facts(os.environ))
    if made is not None and made.name != wanted:
        raise ClusterError(
            f"a {made.name} cluster of this checkout is up", "take it down first: `down`"
        )
    if wanted == "kubeconfig" and not given:
        raise ClusterError("KUBECONFIG is not set", "set it to a cluster's kubeconfig")
    return _make(wanted, given)


def remembered() -> Cluster | None:
    """The cluster of the last `up` that no `down` followed."""
    try:
        record = json.loads(_record().read_text())
    except FileNotFoundError:
        return None
    return _make(record["provider"], record["kubeconfig"])


def current() -> Cluster:
    """The same; ClusterError where there is none."""
    cluster = remembered()
    if cluster is None:
        raise ClusterError(f"no cluster is up (state: {state_dir()})", "start one: `up`")
    return cluster


def remember(cluster: Cluster) -> None:
    """Let later commands find the cluster."""
    prepare(state_dir())
    record = {"provider": cluster.name, "kubeconfig": str(cluster.kubeconfig)}
    _record().write_text(json.dumps(record) + "\n")


def forget() -> None:
    """Undo `remember`."""
    _record().unlink(missing_ok=True)


def purge_state(say: Say) -> None:
    """Remove the state directory."""
    directory = state_dir()
    if is_state(directory):
        shutil.rmtree(directory)
        say(f"removed {directory}")


def gateway_crds(say: Say) -> None:
    """Apply the CRDs of the Gateway API's standard channel, at the locked version."""
    crds = binaries.module_file_dir("sigs.k8s.io/gateway-api") / "config" / "crd" / "standard"
    kubectl(current().kubeconfig, "apply", "--server-side", "-f", str(crds))
    say(f"Gateway API CRDs applied from {crds.parents[2].name}")


class Existing:
    """A cluster that somebody else made."""

    name = "kubeconfig"

    def __init__(self, kubeconfig: Path) -> None:
        self.kubeconfig = kubeconfig

    def up(self, say: Say) -> None:
        if not self.kubeconfig.is_file():
            raise ClusterError(
                f"KUBECONFIG names {self.kubeconfig}, which is not a file",
                "set KUBECONFIG to one kubeconfig file, or unset it to get a cluster of its own",
            )
        binaries.client("kubectl", say)
        try:
            kubectl(self.kubeconfig, "get", "--raw=/readyz", "--request-timeout=10s")
        except ClusterError as error:
            raise ClusterError(
                f"the cluster of {self.kubeconfig} does not answer: {error.cause}",
                "start that cluster, or unset KUBECONFIG to get a cluster of its own",
            ) from error
        say("the cluster answers")

    def down(self, say: Say, *, purge: bool) -> None:
        say(f"{self.kubeconfig} is somebody else's cluster: left as it is")

    def status(self) -> int:
        print(kubectl(self.kubeconfig, "get", "nodes", "-o", "wide"), end="")
        return 0

    def load(self, archives: Sequence[Path], say: Say) -> None:
        raise ClusterError(
            "images cannot be loaded into a cluster that is reached by KUBECONFIG only",
            "push them to a registry that the cluster can pull from",
        )

    def log(self, component: str) -> Path:
        raise ClusterError(
            f"{component} runs in somebody else's cluster",
            "use `kubectl logs -n kube-system` there",
        )


class Kind:
    """A cluster of kind, in a container of the Docker engine."""

    name = "kind"

    def __init__(self) -> None:
        self.kubeconfig = state_dir() / "kind.kubeconfig"

    def up(self, say: Say) -> None:
        if _KIND_CLUSTER not in _run_kind("get", "clusters").split():
            prepare(state_dir())
            say(f"creating the kind cluster {_KIND_CLUSTER} (a minute or two)")
            _run_kind(
                *("create", "cluster", "--name", _KIND_CLUSTER, "--wait", "180s"),
                *("--kubeconfig", str(self.kubeconfig)),
            )
        _run_kind(
            *("export", "kubeconfig", "--name", _KIND_CLUSTER),
            *("--kubeconfig", str(self.kubeconfig)),
        )

    def down(self, say: Say, *, purge: bool) -> None:
        _run_kind("delete", "cluster", "--name", _KIND_CLUSTER)
        self.kubeconfig.unlink(missing_ok=True)
        say("kind cluster deleted")

    def status(self) -> int:
        return Existing(self.kubeconfig).status()

    def load(self, archives: Sequence[Path], say: Say) -> None:
        for archive in archives:
            _run_kind("load", "image-archive", str(archive), "--name", _KIND_CLUSTER)
            say(f"loaded {archive}")

    def log(self, component: str) -> Path:
        raise ClusterError(
            f"kind keeps the log of {component} in its container",
            f"use `kind export logs --name {_KIND_CLUSTER}`",
        )


def _run_kind(*arguments: str) -> str:
    kind = shutil.which("kind")
    if kind is None:
        raise ClusterError("there is no `kind` on PATH", "install it, or use another --provider")
    done = subprocess.run([kind, *arguments], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        tail = "\n".join(done.stderr.strip().splitlines()[-15:])
        raise ClusterError(
            f"kind {' '.join(arguments[:2])} failed:\n{tail}",
            "check that the Docker engine answers (`docker info`) and can pull kind's node image",
        )
    return done.stdout


def _make(name: str, kubeconfig: str | None) -> Cluster:
    if name == "kind":
        return Kind()
    if name == "builtin":
        return Node(state_dir())
    return Existing(Path(kubeconfig or "").resolve())


def _facts(environment: Mapping[str, str]) -> Facts:
    return Facts(
        kubeconfig=environment.get("KUBECONFIG"),
        docker_answers=_docker_answers(),
        has_kind=shutil.which("kind") is not None,
        linux_root=sys.platform.startswith("linux") and os.geteuid() == 0,
    )


def _docker_answers() -> bool:
    docker = shutil.which("docker")
    if docker is None:
        return False
    try:
        done = subprocess.run(
            [docker, "version", "--format", "{{.Server.Version}}"],
            capture_output=True,
            timeout=15,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


def _record() -> Path:
    return state_dir() / "provider.json"
