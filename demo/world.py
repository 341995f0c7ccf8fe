"""What the demonstration sees: the cluster and Prometheus at one moment, as values."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

JSON = dict[str, Any]

NAMESPACE = "demo"
MODEL = "elec2"
FEEDBACK_KEYS = "elec2-keys"
"""Name of the Secret whose keys sign the tokens of answers."""
ALERT = "ModelErrorRateHigh"

QUERY = (
    f'{{__name__=~"demo_.+_total|demo_record|model:labelled_error:ratio_rate20s",'
    f'namespace="{NAMESPACE}"}} '
    f'or evenkeel_labels_total{{namespace="{NAMESPACE}",deployment="{MODEL}",slice=""}} '
    f'or ALERTS{{alertname="{ALERT}",namespace="{NAMESPACE}"}} '
    f'or traefik_service_requests_total{{service=~"httproute-{NAMESPACE}-{MODEL}-.+"}}'
)
"""All that Prometheus is asked for, as raw samples; rates and shares follow from two snapshots."""

_BACKEND = re.compile(rf"-svc-{NAMESPACE}-({MODEL}-[0-9a-f]+)-\d+@")


@dataclass(frozen=True)
class Count:
    """Cumulative number of events and of the bad ones among them."""

    total: int = 0
    bad: int = 0

    def __sub__(self, earlier: Count) -> Count:
        return Count(self.total - earlier.total, self.bad - earlier.bad)

    @property
    def share(self) -> float | None:
        """Bad events as a share of all, in 0..1; None without events."""
        return self.bad / self.total if self.total > 0 else None


@dataclass(frozen=True)
class Figures:
    """Samples of one moment.

    clients: requests, bad where the answer was not 200. labelled: labels that came back, bad where
    the prediction was wrong; baseline: the same requests as the first version would answer them.
    served: requests by revision as the gateway counts them. error: share of wrong predictions in
    the last 20 s, in 0..1. record: number of the half-hour replayed last.
    alert: "pending", "firing" or "".
    """

    clients: Count = Count()
    labelled: Count = Count()
    baseline: Count = Count()
    served: Mapping[str, Count] = field(default_factory=dict)
    error: float | None = None
    record: int | None = None
    alert: str = ""


def figures(result: Sequence[JSON]) -> Figures:
    """From the result vector of QUERY."""
    clients, labelled, baseline = Count(), Count(), Count()
    served: dict[str, Count] = {}
    error: float | None = None
    record: int | None = None
    alert = ""
    for sample in result:
        labels, value = sample["metric"], float(sample["value"][1])
        match labels["__name__"]:
            case "demo_requests_total":
                clients = _add(clients, value, bad=labels["code"] != "200")
            case "evenkeel_labels_total":
                labelled = _add(labelled, value, bad=labels["result"] == "bad")
            case "demo_baseline_labelled_total":
                baseline = _add(baseline, value, bad=labels["correct"] == "false")
            case "traefik_service_requests_total":
                if found := _BACKEND.search(labels["service"]):
                    known = served.get(found[1], Count())
                    served[found[1]] = _add(known, value, bad=not labels["code"].startswith("2"))
            case "model:labelled_error:ratio_rate20s":
                # 0/0 where no label came within the window.
                error = value if value == value else None
            case "demo_record":
                record = int(value)
            case "ALERTS":
                alert = labels["alertstate"]
    return Figures(clients, labelled, baseline, served, error, record, alert)


def _add(count: Count, value: float, *, bad: bool) -> Count:
    return Count(count.total + int(value), count.bad + (int(value) if bad else 0))


@dataclass(frozen=True)
class Event:
    """A Kubernetes event of one of Evenkeel's objects."""

    time: str
    kind: str
    name: str
    reason: str
    message: str
    warning: bool


@dataclass(frozen=True)
class Snapshot:
    """The world at `time`, in seconds since the epoch. Objects are as the API server gave them.

    route: weight in percent by revision, as the HTTPRoute has it; empty before there is one.
    """

    time: float
    figures: Figures = Figures()
    deployment: JSON | None = None
    route: Mapping[str, int] = field(default_factory=dict)
    runs: Mapping[str, JSON] = field(default_factory=dict)
    versions: Mapping[str, JSON] = field(default_factory=dict)
    schedule: JSON | None = None
    events: tuple[Event, ...] = ()

    @property
    def stable(self) -> JSON:
        """The revision that serves; empty before there is one."""
        return _status(self.deployment).get("stable") or {}

    @property
    def canary(self) -> JSON:
        """The revision on trial; empty without one."""
        return _status(self.deployment).get("canary") or {}

    @property
    def drifted(self) -> JSON:
        """The condition Drifted of what serves; empty before there is one."""
        return condition(self.deployment, "Drifted")

    @property
    def monitoring(self) -> JSON:
        """What the detectors know of what serves; empty before there is anything."""
        return _status(self.deployment).get("monitoring") or {}

    def group(self, name: str) -> JSON:
        """What the detectors know of a group, such as Data; empty before a block told anything."""
        groups = self.monitoring.get("groups") or ()
        return next((g for g in groups if g["name"] == name), {})

    def outcome(self, version: str) -> JSON:
        """How the version's rollout ended; empty before it has."""
        history = _status(self.deployment).get("history") or ()
        return next((o for o in history if o.get("version") == version), {})

    def version_of(self, run: str) -> str:
        """The ModelVersion that a TrainingRun made, or ""."""
        return str(_status(self.runs.get(run)).get("modelVersion") or "")

    def retraining(self) -> JSON:
        """The first TrainingRun that nobody asked for; empty before there is one."""
        caused = (r for r in self.runs.values() if r["spec"]["cause"].get("type") != "Manual")
        return min(caused, key=lambda r: str(r["metadata"]["creationTimestamp"]), default={})


History = Sequence[Snapshot]


def condition(resource: JSON | None, type_: str) -> JSON:
    """The condition of that type; empty if there is none."""
    conditions = _status(resource).get("conditions") or ()
    return next((c for c in conditions if c["type"] == type_), {})


def weights(route: JSON | None) -> dict[str, int]:
    """Weight in percent by backend of an HTTPRoute's first rule."""
    if route is None:
        return {}
    backends = route["spec"]["rules"][0].get("backendRefs") or ()
    total = sum(b.get("weight", 1) for b in backends) or 1
    return {b["name"]: round(100 * b.get("weight", 1) / total) for b in backends}


def _status(resource: JSON | None) -> JSON:
    return (resource or {}).get("status") or {}
