"""The command line: `python -m dev.cluster VERB`."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

from dev.cluster import binaries, provider
from dev.cluster.control_plane import ControlPlane
from dev.cluster.errors import ClusterError
from dev.cluster.paths import prepare

_DESCRIPTION = """\
A Kubernetes cluster for tests and demonstrations.

`up` uses the cluster that $KUBECONFIG names; without one it makes a kind cluster where a Docker
engine answers and `kind` is installed; else, as root on Linux, it runs a single node of its own
from binaries built from Go modules (minutes the first time, seconds afterwards).

environment:
  EVENKEEL_CLUSTER_DIR  the cluster's state (default: .cluster in the repository)
  XDG_CACHE_HOME        the parent of the binaries' cache (default: ~/.cache)
"""


def say_since_start() -> Callable[[str], None]:
    """A printer of progress lines, each headed by the seconds since this call."""
    began = time.monotonic()

    def say(line: str) -> None:
        print(f"[{time.monotonic() - began:6.1f} s] {line}", flush=True)

    return say


def main(arguments: list[str] | None = None) -> int:
    """Run one verb; the exit status is 0, 1 for a failure told to the user, 2 for bad usage."""
    parser = _parser()
    # These verbs hand everything that follows to another program, options included.
    given = sys.argv[1:] if arguments is None else arguments
    options, rest = parser.parse_known_args(given)
    if rest and options.verb not in ("kubectl", "helm"):
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    options.rest = given[given.index(options.verb) + 1 :]
    try:
        result: int | None = options.run(options)
    except ClusterError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return result or 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m dev.cluster",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")

    up = verbs.add_parser("up", help="make or repair the cluster; safe to run again")
    up.add_argument("--provider", choices=("auto", *provider.NAMES), default="auto")
    up.set_defaults(run=_up)

    down = verbs.add_parser("down", help="stop the cluster and remove what it made on this machine")
    down.add_argument("--purge", action="store_true", help="remove the state as well")
    down.add_argument("--purge-cache", action="store_true", help="remove the cached binaries")
    down.set_defaults(run=_down)

    status = verbs.add_parser("status", help="show the components; exit status 1 if one is down")
    status.set_defaults(run=lambda _: provider.current().status())

    show = verbs.add_parser("kubeconfig", help="print the path of the kubeconfig")
    show.set_defaults(run=lambda _: print(provider.current().kubeconfig))

    for tool in ("kubectl", "helm"):
        run = verbs.add_parser(tool, help=f"run {tool} on the cluster", add_help=False)
        run.set_defaults(run=_tool)

    logs = verbs.add_parser("logs", help="show a component's log")
    logs.add_argument("component")
    logs.add_argument("-f", "--follow", action="store_true")
    logs.add_argument("-n", "--lines", type=int, default=100)
    logs.set_defaults(run=_logs)

    load = verbs.add_parser(
        "load", help="load image archives (docker-archive or OCI) into the node"
    )
    load.add_argument("archive", type=Path, nargs="+")
    load.set_defaults(run=_load)

    crds = verbs.add_parser("gateway-crds", help="install the Gateway API's standard CRDs")
    crds.set_defaults(run=lambda _: provider.gateway_crds(say_since_start()))

    build = verbs.add_parser("build", help="build binaries into the cache (default: all)")
    build.add_argument("name", nargs="*", metavar="NAME", help=", ".join(binaries.SOURCES))
    build.set_defaults(run=_build)

    plane = verbs.add_parser("control-plane", help="etcd and kube-apiserver only, for tests")
    plane.add_argument("action", choices=("up", "down"), nargs="?", default="up")
    plane.add_argument("--dir", type=Path, required=True, help="its state; one per control plane")
    plane.add_argument("--port", type=int, help="the API server's port (default: a free one)")
    plane.add_argument(
        "--controllers", action="store_true", help="run kube-controller-manager as well"
    )
    plane.set_defaults(run=_control_plane)
    return parser


def _up(options: argparse.Namespace) -> None:
    say = say_since_start()
    cluster = provider.choose(options.provider)
    say(f"provider: {cluster.name}")
    if cluster.name != "kubeconfig":
        provider.remember(cluster)  # before, so that `down` finds what a failure leaves
    cluster.up(say)
    provider.remember(cluster)
    say(f"ready; export KUBECONFIG={cluster.kubeconfig}")


def _down(options: argparse.Namespace) -> None:
    say = say_since_start()
    cluster = provider.remembered()
    if cluster is None:
        say("there is no cluster to stop")
    else:
        cluster.down(say, purge=options.purge)
        provider.forget()
    if options.purge:
        provider.purge_state(say)
    if options.purge_cache:
        binaries.purge(say)


def _tool(options: argparse.Namespace) -> None:
    cluster = provider.current()
    tool = binaries.client(options.verb, lambda line: print(line, file=sys.stderr))
    environment = {**os.environ, "KUBECONFIG": str(cluster.kubeconfig)}
    os.execve(tool, [options.verb, *options.rest], environment)


def _logs(options: argparse.Namespace) -> None:
    file = provider.current().log(options.component)
    os.execvp(
        "tail", ["tail", f"-n{options.lines}", *(["-F"] if options.follow else []), str(file)]
    )


def _load(options: argparse.Namespace) -> None:
    say = say_since_start()
    for archive in options.archive:
        if not archive.is_file():
            raise ClusterError(f"there is no file {archive}", "give the path of an image archive")
    provider.current().load(options.archive, say)


def _build(options: argparse.Namespace) -> None:
    unknown = sorted(set(options.name) - set(binaries.SOURCES))
    if unknown:
        known = ", ".join(binaries.SOURCES)
        raise ClusterError(f"unknown binaries: {', '.join(unknown)}", f"choose from {known}")
    for path in binaries.ensure(options.name or binaries.SOURCES, say_since_start()).values():
        print(path)


def _control_plane(options: argparse.Namespace) -> None:
    say = say_since_start()
    plane = ControlPlane(
        prepare(options.dir.resolve()), port=options.port, controllers=options.controllers, say=say
    )
    if options.action == "down":
        plane.stop()
        say("stopped")
    else:
        kubeconfig = plane.start()
        say(f"ready at {plane.server}; export KUBECONFIG={kubeconfig}")


if __name__ == "__main__":
    sys.exit(main())
