"""Real Prometheus servers, which find the simulated pods by the API server as they always do."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Sequence
from pathlib import Path

import httpx
import yaml

from dev.cluster.ports import free_port
from dev.cluster.processes import Daemon, Processes


class Prometheus:
    """One server with an empty store, scraping each `interval` seconds.

    Its name moves the moments of its scrapes, so that two of them are out of phase.
    """

    def __init__(self, processes: Processes, folder: Path, name: str, interval: int) -> None:
        self.name, self.interval = name, interval
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._processes = processes
        self._folder = folder / name

    async def start(
        self, program: Path, kubeconfig: Path, exporter: int, namespaces: Sequence[str]
    ) -> None:
        """Raises ClusterError when it does not come up within a minute."""
        self._folder.mkdir(parents=True, exist_ok=True)
        file = self._folder / "prometheus.yml"
        file.write_text(yaml.safe_dump(self._configuration(kubeconfig, exporter, namespaces)))
        self._daemon = Daemon(
            self.name,
            (
                str(program),
                f"--config.file={file}",
                f"--storage.tsdb.path={self._folder / 'data'}",
                f"--web.listen-address=127.0.0.1:{self.port}",
                "--log.level=warn",
            ),
            {"GOGC": "100"},
        )
        await self._up()

    async def empty(self) -> None:
        """Restarts it without all that it had stored."""
        await asyncio.to_thread(self._processes.stop, self.name, 2.0)
        await asyncio.to_thread(shutil.rmtree, self._folder / "data", ignore_errors=True)
        await self._up()

    async def _up(self) -> None:
        # Linux ends a daemon with the thread that began it, so it must be this one.
        self._processes.start(self._daemon)
        async with httpx.AsyncClient() as http, asyncio.timeout(60):
            while not await self._ready(http):  # noqa: ASYNC110 - it is another process
                await asyncio.sleep(0.1)

    async def _ready(self, http: httpx.AsyncClient) -> bool:
        try:
            return (await http.get(f"{self.url}/-/ready")).status_code == 200
        except httpx.HTTPError:
            return False

    def _configuration(
        self, kubeconfig: Path, exporter: int, namespaces: Sequence[str]
    ) -> dict[str, object]:
        def label(target: str, *sources: str, replacement: str = "$1") -> dict[str, object]:
            names = [f"__meta_kubernetes_{source}" for source in sources]
            return {"source_labels": names, "target_label": target, "replacement": replacement}

        relabel = [
            {
                "source_labels": ["__meta_kubernetes_pod_phase"],
                "regex": "Failed|Succeeded",
                "action": "drop",
            },
            {
                "source_labels": ["__meta_kubernetes_pod_container_port_name"],
                "regex": "metrics",
                "action": "keep",
            },
            label("namespace", "namespace"),
            label("pod", "pod_name"),
            label("container", "pod_container_name"),
            {
                **label("__metrics_path__", "namespace", "pod_name", replacement="/m/$1/$2"),
                "separator": "/",
                "regex": "(.+)/(.+)",
            },
            {"target_label": "__address__", "replacement": f"127.0.0.1:{exporter}"},
            label("instance", "pod_name", replacement="$1:8082"),
        ]
        discovery = {
            "role": "pod",
            "kubeconfig_file": str(kubeconfig),
            "namespaces": {"names": list(namespaces)},
        }
        interval = f"{self.interval}s"
        return {
            "global": {
                "scrape_interval": interval,
                "scrape_timeout": f"{min(self.interval, 10)}s",
                "external_labels": {"replica": self.name},
            },
            "scrape_configs": [
                {
                    "job_name": "models",
                    "kubernetes_sd_configs": [discovery],
                    "relabel_configs": relabel,
                }
            ],
        }
