"""The configuration of the built-in node."""

from __future__ import annotations

import ipaddress
import json
import tomllib
from pathlib import Path

import yaml

from dev.cluster import components, network
from dev.cluster.addons import manifests
from dev.cluster.components import Layout
from dev.cluster.control_plane import SERVICE_CIDR
from dev.cluster.images import PAUSE_IMAGE

LAYOUT = Layout(Path('/a place/with "quotes"'))


def test_containerd_config_is_toml_with_every_path_below_the_state() -> None:
    text = components.containerd_config(LAYOUT, "native", Path("/plugins"))
    config = tomllib.loads(text)
    cri = config["plugins"]["io.containerd.grpc.v1.cri"]
    places = (config["root"], config["state"], config["grpc"]["address"])
    assert all(Path(place).is_relative_to(LAYOUT.root) for place in places)
    assert cri["sandbox_image"] == PAUSE_IMAGE
    assert cri["restrict_oom_score_adj"] is True
    assert cri["containerd"]["snapshotter"] == "native"
    assert cri["cni"]["bin_dir"] == "/plugins"


def test_pods_are_routed_not_bridged() -> None:
    config = json.loads(components.cni_config(LAYOUT))
    assert [plugin["type"] for plugin in config["plugins"]] == ["ptp", "portmap", "firewall"]
    assert config["name"] == network.CNI_NETWORK


def test_kubelet_serves_on_the_nodes_address_only_to_known_clients() -> None:
    text = components.kubelet_config(
        LAYOUT,
        port=10250,
        ca=Path("/ca"),
        cert=Path("/cert"),
        key=Path("/key"),
        resolv_conf=Path("/etc/resolv.conf"),
    )
    config = yaml.safe_load(text)
    assert config["address"] == network.NODE_ADDRESS
    assert config["authentication"]["anonymous"]["enabled"] is False
    assert config["containerRuntimeEndpoint"] == f"unix://{LAYOUT.containerd_socket}"
    assert config["failCgroupV1"] is False
    assert config["clusterDNS"] == [components.DNS_SERVICE_ADDRESS]


def test_proxy_leaves_connection_tracking_alone() -> None:
    text = components.proxy_config(Path("/kubeconfig"), health_port=1, metrics_port=2)
    config = yaml.safe_load(text)
    assert config["conntrack"]["maxPerCore"] == 0
    assert config["conntrack"]["min"] == 0
    assert config["clusterCIDR"] == network.POD_CIDR


def test_dns_forwards_only_where_there_is_a_server() -> None:
    known = components.corefile(Path("/k"), ready_port=1, resolv_conf="nameserver 192.0.2.53\n")
    alone = components.corefile(Path("/k"), ready_port=1, resolv_conf="# nameserver none\n")
    assert "forward . " in known
    assert "forward" not in alone
    assert known.count("{") == known.count("}")
    assert alone.count("{") == alone.count("}")


def test_address_ranges_do_not_overlap() -> None:
    ranges = [
        ipaddress.ip_network(cidr)
        for cidr in (network.POD_CIDR, SERVICE_CIDR, f"{network.NODE_ADDRESS}/32")
    ]
    assert not any(a.overlaps(b) for a in ranges for b in ranges if a is not b)
    assert ipaddress.ip_address(components.DNS_SERVICE_ADDRESS) in ipaddress.ip_network(
        SERVICE_CIDR
    )


def test_daemons_start_after_the_files_they_read() -> None:
    names = ("kube-scheduler", "kubelet", "kube-proxy", "coredns", "hostpath-provisioner")
    binaries = {name: Path(f"/bin/{name}") for name in names}
    daemons = components.daemons(LAYOUT, binaries, "/usr/bin/containerd", "/usr/sbin:/usr/bin")
    assert next(iter(daemons)) == "containerd"
    for daemon in daemons.values():
        assert daemon.inputs, f"{daemon.name} would not restart on a change of its configuration"
        assert all(file.is_relative_to(LAYOUT.root) for file in daemon.inputs)
        assert daemon.env["PATH"] == "/usr/sbin:/usr/bin"


def test_one_default_storage_class() -> None:
    classes = [m for m in manifests() if m["kind"] == "StorageClass"]
    assert len(classes) == 1
    metadata = classes[0]["metadata"]
    assert isinstance(metadata, dict)
    assert metadata["annotations"] == {"storageclass.kubernetes.io/is-default-class": "true"}


def test_dns_service_leads_to_the_host_process() -> None:
    by_kind = {str(m["kind"]): m for m in manifests()}
    slice_, service = by_kind["EndpointSlice"], by_kind["Service"]
    assert slice_["endpoints"] == [
        {"addresses": [network.NODE_ADDRESS], "conditions": {"ready": True}}
    ]
    spec, ports = service["spec"], slice_["ports"]
    assert isinstance(spec, dict)
    assert isinstance(ports, list)
    wanted = {(p["name"], p["targetPort"], p["protocol"]) for p in spec["ports"]}
    assert {(p["name"], p["port"], p["protocol"]) for p in ports} == wanted
