"""etcd and kube-apiserver: a whole API for tests, without nodes and controllers."""

from __future__ import annotations

import http.client
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from dev.cluster import binaries
from dev.cluster.errors import ClusterError
from dev.cluster.pki import Authority, KeyPair, signing_key
from dev.cluster.ports import Ports, holder, is_free
from dev.cluster.processes import Daemon, Processes

SERVICE_CIDR = "10.96.0.0/16"
_SERVICE_ADDRESS = "10.96.0.1"
# An address set aside for documentation: kube-apiserver wants one that is not loopback, and
# without nodes nothing ever connects to it.
_NOWHERE = "192.0.2.1"
_ATTEMPTS = 3
# Open watches hold the API server's orderly end up; nothing is lost by force, since every
# answered write is in etcd.
_APISERVER_GRACE_S = 2.0


@dataclass(frozen=True)
class NodeAccess:
    """What the API server needs beyond itself when a node exists: the node's own address."""

    address: str


class ControlPlane:
    """etcd and kube-apiserver below one directory, on ports of their own.

    Several can run at once in different directories. As a pytest fixture::

        with ControlPlane(tmp_path_factory.mktemp("control-plane"), die_with_parent=True) as plane:
            yield plane.kubeconfig
    """

    def __init__(
        self,
        directory: Path | str,
        *,
        port: int | None = None,
        preferred_port: int | None = None,
        controllers: bool = False,
        die_with_parent: bool = False,
        node: NodeAccess | None = None,
        say: Callable[[str], None] = lambda _line: None,
    ) -> None:
        """`port` is required to be free, `preferred_port` is used if it is free; else any port.

        `controllers` adds kube-controller-manager (garbage collection, Deployments, Jobs...).
        `die_with_parent`: no daemon outlives the calling thread, whatever ends it.
        """
        self.directory = Path(directory).resolve()
        self.kubeconfig = self.directory / "kubeconfig"
        self.processes = Processes(self.directory, die_with_parent=die_with_parent)
        self._port = port
        self._preferred_port = preferred_port
        self._controllers = controllers
        self._node = node
        self._say = say
        self.ports = Ports(self.directory / "ports.json")

    @property
    def server(self) -> str:
        """The API server's URL; KeyError before the first start."""
        return f"https://127.0.0.1:{self.ports['kube-apiserver']}"

    @property
    def authority(self) -> Authority:
        """The authority whose clients the API server trusts; common name and organizations
        become user and groups."""
        return Authority(self.directory / "pki")

    def start(self) -> Path:
        """Start what does not run yet, wait until the API answers; give the admin kubeconfig.

        Raises ClusterError, with the log's tail, when a component does not come up.
        """
        names = (*binaries.CONTROL_PLANE, *_controller_names(self._controllers))
        paths = binaries.ensure(names, self._say)
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                self._start_etcd(paths["etcd"])
                self._start_apiserver(paths["kube-apiserver"])
                break
            except ClusterError as error:
                self.stop()
                # A port that was free when it was chosen can be taken before it is used.
                if "address already in use" not in error.cause or attempt == _ATTEMPTS:
                    raise
        self.authority.kubeconfig(self.kubeconfig, self.server, self.admin())
        if self._controllers:
            self.start_controllers(paths["kube-controller-manager"])
        return self.kubeconfig

    def stop(self) -> None:
        """Stop the components, the API server before its store; the directory stays."""
        for name in ("kube-controller-manager", "kube-apiserver", "etcd"):
            self.processes.stop(name, grace_s=_APISERVER_GRACE_S if "api" in name else 5.0)

    def __enter__(self) -> ControlPlane:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def ready(self) -> bool:
        """Whether the API server says that it is ready."""
        client = self.admin()
        try:
            context = ssl.create_default_context(cafile=str(self.authority.pair.cert))
            context.load_cert_chain(client.cert, client.key)
            connection = http.client.HTTPSConnection(
                "127.0.0.1", self.ports["kube-apiserver"], timeout=2, context=context
            )
            connection.request("GET", "/readyz")
            return connection.getresponse().status == http.HTTPStatus.OK
        except (OSError, http.client.HTTPException, KeyError):
            return False

    def admin(self) -> KeyPair:
        """The certificate of a member of system:masters, whom every access is allowed."""
        return self.authority.issue("admin", "evenkeel-admin", ["system:masters"])

    def kubeconfig_for(self, user: str, groups: Sequence[str] = ()) -> Path:
        """A kubeconfig for a user whose rights are RBAC's; groups get RBAC's bindings too."""
        name = user.replace(":", "-").replace("/", "-")
        client = self.authority.issue(name, user, groups)
        return self.authority.kubeconfig(self.directory / f"{name}.kubeconfig", self.server, client)

    def start_controllers(self, binary: Path) -> None:
        """Start kube-controller-manager, which needs an API server that is ready."""
        pki = self.directory / "pki"
        kubeconfig = self.kubeconfig_for("system:kube-controller-manager")
        self.processes.ensure(
            Daemon(
                "kube-controller-manager",
                (
                    str(binary),
                    f"--kubeconfig={kubeconfig}",
                    "--leader-elect=false",
                    "--secure-port=0",
                    "--use-service-account-credentials",
                    f"--root-ca-file={self.authority.pair.cert}",
                    f"--service-account-private-key-file={pki / 'sa.key'}",
                    f"--cluster-signing-cert-file={self.authority.pair.cert}",
                    f"--cluster-signing-key-file={self.authority.pair.key}",
                ),
                {"GOGC": "50"},
                (kubeconfig,),
            )
        )

    def _start_etcd(self, binary: Path) -> None:
        if self.processes.pid("etcd") is None:
            self.ports.reserve("etcd")
            self.ports.reserve("etcd-peer")
        client = f"http://127.0.0.1:{self.ports['etcd']}"
        peer = f"http://127.0.0.1:{self.ports['etcd-peer']}"
        argv = (
            str(binary),
            "--name=evenkeel",
            f"--data-dir={self.directory / 'etcd'}",
            f"--listen-client-urls={client}",
            f"--advertise-client-urls={client}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=evenkeel={peer}",
            "--unsafe-no-fsync",
            "--log-level=warn",
        )
        if self.processes.ensure(Daemon("etcd", argv)):
            self._say("etcd started")

    def _start_apiserver(self, binary: Path) -> None:
        running = self.processes.pid("kube-apiserver") is not None
        if running and self._port not in (None, self.ports["kube-apiserver"]):
            self.processes.stop("kube-apiserver", grace_s=_APISERVER_GRACE_S)
            running = False
        if not running:
            self._reserve_api_port()
        if self.processes.ensure(self._apiserver(binary)):
            self._say("kube-apiserver started")
        self.processes.wait_for(
            "kube-apiserver",
            self._ready_with_store,
            60,
            "waiting for the API server to be ready",
            "read the log; `down --purge` and then `up` begins with an empty store",
        )

    def _ready_with_store(self) -> bool:
        """`ready`; raises when etcd has ended, for which the API server would wait in vain."""
        if self.processes.pid("etcd") is None:
            raise ClusterError(
                f"etcd ended.\n{self.processes.tail('etcd')}",
                f"read the log; removing {self.directory / 'etcd'} begins with an empty store",
            )
        return self.ready()

    def _reserve_api_port(self) -> None:
        if self._port is not None and not is_free(self._port):
            raise ClusterError(
                f"port {self._port} is held by {holder(self._port)}",
                "end that process, or leave --port out to get a free port",
            )
        if self._port is not None:
            self.ports.assign("kube-apiserver", self._port)
            return
        wanted = self._preferred_port
        port = self.ports.reserve("kube-apiserver", wanted)
        if wanted is not None and port != wanted and not is_free(wanted):
            self._say(f"port {wanted} is held by {holder(wanted)}; using {port}")

    def _apiserver(self, binary: Path) -> Daemon:
        pki = self.directory / "pki"
        authority = self.authority
        # The aggregation layer's client must not be one of the API's own clients.
        front = Authority(pki, "front-proxy-ca")
        proxy = front.issue("front-proxy-client", "front-proxy-client")
        accounts = signing_key(pki, "sa")
        address = self._node.address if self._node else _NOWHERE
        hosts = [
            "kubernetes",
            "kubernetes.default",
            "kubernetes.default.svc",
            "kubernetes.default.svc.cluster.local",
            "localhost",
            "127.0.0.1",
            _SERVICE_ADDRESS,
            address,
        ]
        serving = authority.issue("kube-apiserver", "kube-apiserver", hosts=hosts)
        arguments = [
            f"--etcd-servers=http://127.0.0.1:{self.ports['etcd']}",
            f"--secure-port={self.ports['kube-apiserver']}",
            f"--bind-address={'0.0.0.0' if self._node else '127.0.0.1'}",
            f"--advertise-address={address}",
            f"--service-cluster-ip-range={SERVICE_CIDR}",
            f"--client-ca-file={authority.pair.cert}",
            f"--tls-cert-file={serving.cert}",
            f"--tls-private-key-file={serving.key}",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={accounts.cert}",
            f"--service-account-signing-key-file={accounts.key}",
            "--authorization-mode=Node,RBAC",
            "--enable-admission-plugins=NodeRestriction",
            "--allow-privileged",
            "--profiling=false",
            f"--requestheader-client-ca-file={front.pair.cert}",
            "--requestheader-allowed-names=front-proxy-client",
            "--requestheader-username-headers=X-Remote-User",
            "--requestheader-group-headers=X-Remote-Group",
            "--requestheader-extra-headers-prefix=X-Remote-Extra-",
            f"--proxy-client-cert-file={proxy.cert}",
            f"--proxy-client-key-file={proxy.key}",
        ]
        if self._node:
            admin = self.admin()
            arguments += [
                f"--kubelet-certificate-authority={authority.pair.cert}",
                f"--kubelet-client-certificate={admin.cert}",
                f"--kubelet-client-key={admin.key}",
                # The node's name is in no DNS.
                "--kubelet-preferred-address-types=InternalIP",
            ]
        else:
            arguments.append("--endpoint-reconciler-type=none")
            if not self._controllers:
                # Nothing makes the default service account that this plugin asks of a pod.
                arguments.append("--disable-admission-plugins=ServiceAccount")
        inputs = (authority.pair.cert, serving.cert, proxy.cert, accounts.cert)
        return Daemon("kube-apiserver", (str(binary), *arguments), inputs=inputs)


def _controller_names(wanted: bool) -> tuple[str, ...]:
    return ("kube-controller-manager",) if wanted else ()
