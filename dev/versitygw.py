"""versitygw: a store that speaks S3, whose buckets are folders."""

from __future__ import annotations

from pathlib import Path

import httpx

from dev.cluster import binaries
from dev.cluster.ports import free_port
from dev.cluster.processes import Daemon, Processes

ACCESS_KEY, SECRET_KEY = "evenkeel", "a-stores-secret-key"
REGION = "eu-test-1"
SECONDS = 60.0


class Versitygw:
    """One store on the loopback address, over a folder of its own.

    A folder below `buckets` is a bucket, and a file in that an object, without an ETag if it was
    put there past the gateway.
    """

    def __init__(self, folder: Path, name: str = "versitygw", *, region: str = REGION) -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.region = region
        self.buckets = folder / name / "buckets"
        self._address = f"127.0.0.1:{port}"
        self._name = name
        self._processes = Processes(folder, die_with_parent=True)

    def start(self) -> None:
        """Builds it if it is not cached. Raises ClusterError where it does not come up."""
        program = binaries.ensure(["versitygw"], print)["versitygw"]
        self.buckets.mkdir(parents=True, exist_ok=True)
        daemon = Daemon(
            self._name,
            (
                *(str(program), "--port", self._address, "--region", self.region),
                *("posix", str(self.buckets)),
            ),
            {"ROOT_ACCESS_KEY": ACCESS_KEY, "ROOT_SECRET_KEY": SECRET_KEY},
        )
        self._processes.start(daemon)
        self._processes.wait_for(
            self._name, self._ready, SECONDS, "versitygw starts", "read its log"
        )

    def stop(self) -> None:
        """Ends it."""
        self._processes.stop(self._name)

    def bucket(self, name: str) -> Path:
        """A bucket of that name, made where there is none: its folder."""
        made = self.buckets / name
        made.mkdir(exist_ok=True)
        return made

    def environment(self) -> dict[str, str]:
        """What AWS' tools and libraries take to reach it."""
        return {
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_ENDPOINT_URL": self.url,
        }

    def _ready(self) -> bool:
        try:
            # Without credentials it answers 403.
            return httpx.get(self.url, timeout=5).status_code < 500
        except httpx.HTTPError:
            return False
