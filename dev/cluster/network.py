"""The node's own address, and the removal of what networking leaves on the machine."""

from __future__ import annotations

import ipaddress
import json
import shlex
import subprocess
from pathlib import Path

from dev.cluster.control_plane import SERVICE_CIDR
from dev.cluster.errors import ClusterError
from dev.cluster.host import program

BRIDGE = "ek-node"
NODE_ADDRESS = "10.200.0.1"
POD_CIDR = "10.244.0.0/24"
CNI_NETWORK = "evenkeel"
_CHAIN_PREFIXES = ("KUBE-", "CNI-")
# Where the CNI library keeps the result of each pod's network until the pod is torn down.
_CNI_RESULTS = Path("/var/lib/cni/results")
_FAMILIES = ("iptables", "ip6tables")


def add_node_address() -> None:
    """Give the node an address of its own, on a bridge without ports.

    Raises ClusterError where the cluster's address ranges are in use on this machine.
    """
    if _ip("link", "show", BRIDGE, check=False).returncode == 0:
        return
    clash = _clashing_route()
    if clash:
        raise ClusterError(
            f"the cluster's addresses overlap this machine's route to {clash}",
            "stop what uses that route, or use kind or KUBECONFIG instead",
        )
    _ip("link", "add", BRIDGE, "type", "bridge")
    _ip("address", "add", f"{NODE_ADDRESS}/32", "dev", BRIDGE)
    _ip("link", "set", BRIDGE, "up")


def remove_node_address() -> None:
    """Undo `add_node_address`."""
    _ip("link", "delete", BRIDGE, check=False)


def save_chains(file: Path) -> None:
    """Note which packet filter chains others made, unless they are noted already."""
    if not file.exists():
        file.write_text(json.dumps({family: _chains(family) for family in _FAMILIES}) + "\n")


def remove_chains(file: Path) -> None:
    """Remove the chains of Kubernetes and CNI that were not there before, with their rules."""
    if not file.exists():
        return
    before = json.loads(file.read_text())
    for family in _FAMILIES:
        known = {tuple(chain) for chain in before[family]}
        ours = [c for c in _chains(family) if c not in known and c[1].startswith(_CHAIN_PREFIXES)]
        for table, rule in _rules(family):
            target = rule[rule.index("-j") + 1] if "-j" in rule else ""
            if (table, target) in ours and (table, rule[1]) not in ours:
                _filter(family, table, "-D", *rule[1:])
        for table, chain in ours:
            _filter(family, table, "-F", chain)
        for table, chain in ours:
            _filter(family, table, "-X", chain)
    file.unlink()


def remove_namespaces() -> None:
    """Remove the network namespaces of pods that were not torn down, and with them their links."""
    results = {file: file.read_text() for file in _CNI_RESULTS.glob("*")}
    for file, text in results.items():
        if not file.name.startswith(f"{CNI_NETWORK}-"):
            continue
        for interface in json.loads(text)["result"].get("interfaces", []):
            if sandbox := interface.get("sandbox"):
                subprocess.run([program("umount"), "-l", sandbox], capture_output=True, check=False)
                Path(sandbox).unlink(missing_ok=True)
                # The pod's loopback device has a result of its own.
                for other in [f for f, t in results.items() if sandbox in t]:
                    other.unlink(missing_ok=True)


def _chains(family: str) -> list[tuple[str, str]]:
    """Every chain as (table, chain)."""
    return [(table, line[1:].split()[0]) for table, line in _saved(family) if line[0] == ":"]


def _rules(family: str) -> list[tuple[str, list[str]]]:
    """Every rule as (table, arguments of iptables)."""
    return [(table, shlex.split(line)) for table, line in _saved(family) if line[:2] == "-A"]


def _saved(family: str) -> list[tuple[str, str]]:
    done = subprocess.run([program(f"{family}-save")], capture_output=True, text=True, check=False)
    table, lines = "", []
    for line in done.stdout.splitlines():
        if line.startswith("*"):
            table = line[1:]
        elif line.startswith((":", "-A")):
            lines.append((table, line))
    return lines


def _filter(family: str, table: str, *arguments: str) -> None:
    command = [program(family), "-w", "5", "-t", table, *arguments]
    subprocess.run(command, capture_output=True, check=False)


def _clashing_route() -> str | None:
    wanted = [ipaddress.ip_network(c) for c in (f"{NODE_ADDRESS}/32", POD_CIDR, SERVICE_CIDR)]
    for route in json.loads(_ip("-json", "-4", "route", "show").stdout or "[]"):
        if route["dst"] == "default":
            continue
        network = ipaddress.ip_network(route["dst"])
        if any(network.overlaps(w) for w in wanted):
            return f"{route['dst']} by {route.get('dev', '?')}"
    return None


def _ip(*arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    done = subprocess.run([program("ip"), *arguments], capture_output=True, text=True, check=False)
    if check and done.returncode != 0:
        raise ClusterError(
            f"ip {' '.join(arguments)} failed: {done.stderr.strip()}",
            "run it as root with CAP_NET_ADMIN (in a container: privileged)",
        )
    return done
