"""TCP ports on the loopback address: which are free, and who holds one."""

from __future__ import annotations

import json
import socket
from pathlib import Path

_LISTEN = "0A"


def is_free(port: int) -> bool:
    """Whether a listener on every address of this machine could take the port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("", port))
        except OSError:
            return False
    return True


def free_port() -> int:
    """A port that the kernel gives to nobody else for a minute; who knows it can listen there.

    As Yelp's ephemeral-port-reserve does it: whose side closes a connection first keeps its port in
    TIME_WAIT, where only a listener with SO_REUSEADDR, as servers have it, may take it.
    """
    with socket.socket() as listener, socket.socket() as client:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", 0))
        listener.listen(1)
        client.connect(listener.getsockname())
        listener.accept()[0].close()
        port: int = listener.getsockname()[1]
    return port


def holder(port: int) -> str:
    """The process that listens on the port, for a message; needs Linux and the right to look."""
    inodes = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            rows = [line.split() for line in Path(table).read_text().splitlines()[1:]]
        except OSError:
            continue
        inodes |= {
            r[9] for r in rows if r[3] == _LISTEN and int(r[1].rsplit(":", 1)[1], 16) == port
        }
    wanted = {f"socket:[{inode}]" for inode in inodes}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if any(str(fd.readlink()) in wanted for fd in (process / "fd").iterdir()):
                return f"{(process / 'comm').read_text().strip()} (process {process.name})"
        except OSError:
            continue
    return "a process that this user may not see"


class Ports:
    """Ports by name, kept in a file so that a restart finds the same ones."""

    def __init__(self, file: Path) -> None:
        self._file = file
        try:
            self._ports: dict[str, int] = json.loads(file.read_text())
        except FileNotFoundError:
            self._ports = {}

    def __getitem__(self, name: str) -> int:
        return self._ports[name]

    def __contains__(self, name: str) -> bool:
        return name in self._ports

    def reserve(self, name: str, preferred: int | None = None) -> int:
        """The kept port while it is free, else `preferred` if that is free, else any free one.

        Call it only while the component that uses the port is not running.
        """
        for port in (self._ports.get(name), preferred):
            if port is not None and is_free(port):
                return self.assign(name, port)
        return self.assign(name, free_port())

    def assign(self, name: str, port: int) -> int:
        """Keep this port under the name."""
        self._ports[name] = port
        self._file.parent.mkdir(parents=True, exist_ok=True)
        self._file.write_text(json.dumps(self._ports, indent=1) + "\n")
        return port
