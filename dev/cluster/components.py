"""How each component of the built-in node is configured and started; no input or output."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from dev.cluster.images import PAUSE_IMAGE
from dev.cluster.network import CNI_NETWORK, NODE_ADDRESS, POD_CIDR
from dev.cluster.processes import Daemon

NODE_NAME = "evenkeel"
DNS_PORT = 10053
CLUSTER_DOMAIN = "cluster.local"
DNS_SERVICE_ADDRESS = "10.96.0.10"
PROVISIONER_NAME = "evenkeel.dev/hostpath"
# These idle most of the time: less heap is worth more than a little processor time.
_LEAN = {"GOGC": "50"}


@dataclass(frozen=True)
class Layout:
    """The paths of a node's state directory."""

    root: Path

    @property
    def config(self) -> Path:
        return self.root / "config"

    @property
    def containerd_socket(self) -> Path:
        return self.root / "containerd" / "containerd.sock"

    @property
    def cni_leases(self) -> Path:
        """One file per address of a pod that has not been torn down."""
        return self.root / "cni" / "leases"

    @property
    def kubelet(self) -> Path:
        return self.root / "kubelet"

    @property
    def volumes(self) -> Path:
        return self.root / "volumes"


def containerd_config(layout: Layout, snapshotter: str, cni_directory: Path) -> str:
    """containerd's TOML; JSON's strings are TOML's too."""
    quote = json.dumps
    return f"""\
version = 2
root = {quote(str(layout.root / "containerd" / "root"))}
state = {quote(str(layout.root / "containerd" / "state"))}
[grpc]
  address = {quote(str(layout.containerd_socket))}
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = {quote(PAUSE_IMAGE)}
  # Lowering an OOM score needs CAP_SYS_RESOURCE, which root in a sandbox may lack.
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = {quote(str(cni_directory))}
    conf_dir = {quote(str(layout.config / "cni"))}
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = {quote(snapshotter)}
"""


def cni_config(layout: Layout) -> str:
    """The pods' network.

    Each pod gets a routed link of its own: on a bridge, answers between two pods would bypass
    the Service translation unless the kernel module br_netfilter is loaded.
    """
    link = {
        "type": "ptp",
        "ipMasq": True,
        "ipam": {
            "type": "host-local",
            "dataDir": str(layout.cni_leases),
            "ranges": [[{"subnet": POD_CIDR}]],
            "routes": [{"dst": "0.0.0.0/0"}],
        },
    }
    ports = {"type": "portmap", "capabilities": {"portMappings": True}}
    # Lets pods' traffic pass where the machine's forward policy is to drop.
    firewall = {"type": "firewall", "backend": "iptables"}
    plugins = [link, ports, firewall]
    return json.dumps({"cniVersion": "1.0.0", "name": CNI_NETWORK, "plugins": plugins}, indent=1)


def kubelet_config(
    layout: Layout, *, port: int, ca: Path, cert: Path, key: Path, resolv_conf: Path
) -> str:
    """KubeletConfiguration, served on the node's own address."""
    return yaml.safe_dump(
        {
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "address": NODE_ADDRESS,
            "port": port,
            "healthzPort": 0,
            "authentication": {
                "anonymous": {"enabled": False},
                "webhook": {"enabled": True},
                "x509": {"clientCAFile": str(ca)},
            },
            "authorization": {"mode": "Webhook"},
            "tlsCertFile": str(cert),
            "tlsPrivateKeyFile": str(key),
            "containerRuntimeEndpoint": f"unix://{layout.containerd_socket}",
            "cgroupDriver": "cgroupfs",
            "failCgroupV1": False,
            "failSwapOn": False,
            "oomScoreAdj": 0,
            "makeIPTablesUtilChains": False,
            "clusterDNS": [DNS_SERVICE_ADDRESS],
            "clusterDomain": CLUSTER_DOMAIN,
            "resolvConf": str(resolv_conf),
            # A developer's disk is often nearly full, and images here can't be pulled again.
            "evictionHard": {
                "memory.available": "100Mi",
                "nodefs.available": "1%",
                "imagefs.available": "1%",
            },
            "imageGCHighThresholdPercent": 100,
            "serializeImagePulls": False,
            "maxPods": 200,
            "podLogsDir": str(layout.root / "pod-logs"),
            "volumePluginDir": str(layout.kubelet / "volume-plugins"),
        }
    )


def proxy_config(kubeconfig: Path, *, health_port: int, metrics_port: int) -> str:
    """KubeProxyConfiguration that leaves the machine's connection tracking as it is."""
    return yaml.safe_dump(
        {
            "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
            "kind": "KubeProxyConfiguration",
            "mode": "iptables",
            "clientConnection": {"kubeconfig": str(kubeconfig)},
            "clusterCIDR": POD_CIDR,
            "hostnameOverride": NODE_NAME,
            "healthzBindAddress": f"127.0.0.1:{health_port}",
            "metricsBindAddress": f"127.0.0.1:{metrics_port}",
            "conntrack": {
                "maxPerCore": 0,
                "min": 0,
                "tcpEstablishedTimeout": "0s",
                "tcpCloseWaitTimeout": "0s",
            },
            "iptables": {"localhostNodePorts": False},
            "oomScoreAdj": 0,
        }
    )


def corefile(kubeconfig: Path, *, ready_port: int, resolv_conf: str) -> str:
    """CoreDNS's configuration; other names are forwarded where `resolv_conf` has a server."""
    servers = [line for line in resolv_conf.splitlines() if line.split()[:1] == ["nameserver"]]
    forward = "    forward . /etc/resolv.conf\n" if servers else ""
    return f"""\
.:{DNS_PORT} {{
    bind {NODE_ADDRESS}
    ready 127.0.0.1:{ready_port}
    errors
    cache 5
    kubernetes {CLUSTER_DOMAIN} in-addr.arpa ip6.arpa {{
        kubeconfig {kubeconfig}
        pods insecure
        fallthrough in-addr.arpa ip6.arpa
        ttl 5
    }}
{forward}}}
"""


def daemons(
    layout: Layout, binaries: Mapping[str, Path], containerd: str, search_path: str
) -> dict[str, Daemon]:
    """The node's daemons, by name, in the order to start them."""
    config = layout.config
    kubelet_kubeconfig = layout.root / f"system-node-{NODE_NAME}.kubeconfig"
    scheduler_kubeconfig = layout.root / "system-kube-scheduler.kubeconfig"
    provisioner_kubeconfig = layout.root / "evenkeel-hostpath-provisioner.kubeconfig"
    lean = {**_LEAN, "PATH": search_path}
    return {
        "containerd": Daemon(
            "containerd",
            (containerd, "--config", str(config / "containerd.toml")),
            lean,
            (config / "containerd.toml",),
        ),
        "kube-scheduler": Daemon(
            "kube-scheduler",
            (
                str(binaries["kube-scheduler"]),
                f"--kubeconfig={scheduler_kubeconfig}",
                "--leader-elect=false",
                "--secure-port=0",
            ),
            lean,
            (scheduler_kubeconfig,),
        ),
        "kubelet": Daemon(
            "kubelet",
            (
                str(binaries["kubelet"]),
                f"--config={config / 'kubelet.yaml'}",
                f"--kubeconfig={kubelet_kubeconfig}",
                f"--hostname-override={NODE_NAME}",
                f"--node-ip={NODE_ADDRESS}",
                f"--root-dir={layout.kubelet}",
                f"--cert-dir={layout.kubelet / 'pki'}",
            ),
            lean,
            (config / "kubelet.yaml", kubelet_kubeconfig),
        ),
        "kube-proxy": Daemon(
            "kube-proxy",
            (str(binaries["kube-proxy"]), f"--config={config / 'kube-proxy.yaml'}"),
            lean,
            (config / "kube-proxy.yaml", layout.root / "system-kube-proxy.kubeconfig"),
        ),
        "coredns": Daemon(
            "coredns",
            (str(binaries["coredns"]), "-conf", str(config / "Corefile")),
            lean,
            (config / "Corefile", layout.root / "evenkeel-coredns.kubeconfig"),
        ),
        "hostpath-provisioner": Daemon(
            "hostpath-provisioner",
            (
                str(binaries["hostpath-provisioner"]),
                f"--root={layout.volumes}",
                f"--name={PROVISIONER_NAME}",
                f"--kubeconfig={provisioner_kubeconfig}",
            ),
            lean,
            (provisioner_kubeconfig,),
        ),
    }
