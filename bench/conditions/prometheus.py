"""How Prometheus servers find the simulated pods: by the API server, as they always do."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path


def configuration(
    name: str, interval: int, kubeconfig: Path, exporter: int, namespaces: Sequence[str]
) -> dict[str, object]:
    """Of a server that scrapes each `interval` seconds what the exporter's port answers.

    Its name moves the moments of its scrapes, so that two of them are out of phase.
    """

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
    return {
        "global": {
            "scrape_interval": f"{interval}s",
            "scrape_timeout": f"{min(interval, 10)}s",
            "external_labels": {"replica": name},
        },
        "scrape_configs": [
            {
                "job_name": "models",
                "kubernetes_sd_configs": [discovery],
                "relabel_configs": relabel,
            }
        ],
    }
