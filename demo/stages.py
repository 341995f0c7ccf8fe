"""The stages of the demonstration: what each shows, why, and how long it may take."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from demo import observations
from demo.world import History

Observe = Callable[[History], str | None]
TriggerKind = Literal["drift", "alert"]
"""What begins the retraining: drift that the detectors find, or an alert of Prometheus."""


@dataclass(frozen=True)
class Stage:
    """title: a few words. why: for someone new to this. limit: seconds it may take.

    begin: manifests applied when the stage begins. observe: its evidence once it is observed; None
    for the stages that set up.
    """

    key: str
    title: str
    why: str
    limit: float
    observe: Observe | None = None
    begin: tuple[str, ...] = ()


_STAGES = (
    Stage(
        "cluster",
        "A Kubernetes cluster",
        "Yours if KUBECONFIG is set, else kind, else a node built from Go modules.",
        1800,
    ),
    Stage(
        "stack",
        "Images, Prometheus, gateway, operator",
        "Evenkeel itself is one Helm chart. Prometheus, Alertmanager and a Gateway API gateway are "
        "what most clusters have already. Building takes minutes the first time.",
        1800,
    ),
    Stage(
        "train",
        "The first version is trained and passes its gates",
        "A TrainingRun is a Job with a cause. Its report becomes a ModelVersion, an immutable "
        "record, and gates decide whether it may be served.",
        180,
        observations.trained,
        ("store.yaml", "first.yaml"),
    ),
    Stage(
        "serve",
        "The model serves behind the gateway",
        "A ModelDeployment follows the model: it serves the newest version that passed.",
        180,
        observations.serving,
        ("model.yaml", "schedule.yaml"),
    ),
    Stage(
        "traffic",
        "Clients ask, labels come back later",
        "A replay of an electricity market: will the price rise? The truth is known a day later, "
        "so errors are counted on delayed labels.",
        90,
        observations.traffic,
        ("traffic.yaml",),
    ),
    Stage(
        "drift",
        "The detectors find that the data drift",
        "In May 1997 the market was widened. Each ten days of requests are held against the "
        "model's own profile, with a bound on false alarms: two blocks at least show a drift.",
        180,
        observations.drift,
    ),
    Stage(
        "alert",
        "Predictions get worse: Prometheus alerts",
        "A plain alerting rule on the error rate, weeks after the drift. It is pending first, then "
        "fires, and Alertmanager tells Evenkeel's webhook.",
        180,
        observations.alert,
    ),
    Stage(
        "retrain",
        "A training begins by itself",
        "A RetrainSchedule has a trigger for it, minds cooldown and budget, and creates one "
        "TrainingRun, however often the cause is told again.",
        60,
        observations.retraining,
    ),
    Stage(
        "gates",
        "The new version passes its gates",
        "It learns from the last weeks. The training judges the version in production on the same "
        "data: old figures, from before the drift, would be unbeatable.",
        180,
        observations.gates,
    ),
    Stage(
        "canary",
        "It gets 20, 50, 80 % of the requests",
        "Weights in the HTTPRoute, checked here against the gateway's own counters. Each step "
        "waits for a verdict: is the canary shown to be good enough?",
        240,
        observations.canary,
    ),
    Stage(
        "probation",
        "It serves everybody, on probation",
        "A sequential test: it may be asked every second without false alarms adding up. What "
        "shows late is still watched: the former version's pod stays, and would take over at once.",
        120,
        observations.probation,
    ),
    Stage(
        "promote",
        "Its probation is over: promoted",
        "Nothing was shown against it. Promotion shifts no request, and nothing is loaded again.",
        120,
        observations.promoted,
    ),
    Stage(
        "recover",
        "Predictions are better again",
        "Weeks differ in difficulty, so the first version is asked beside, on the same requests.",
        180,
        observations.recovered,
    ),
    Stage(
        "mistake",
        "A bad version passes its gates",
        "Trained on a column that clients do not send. Its hold-out figures are fine: gates alone "
        "do not find such mistakes.",
        180,
        observations.bad_passes,
        ("bad.yaml",),
    ),
    Stage(
        "errors",
        "Its canary fails requests",
        "One request in five meets it; all the others are answered by the stable version.",
        180,
        observations.bad_fails,
    ),
    Stage(
        "rollback",
        "The verdict rolls it back",
        "A handful of failures is evidence enough. The weight goes to zero at once.",
        60,
        observations.rolled_back,
    ),
    Stage(
        "steady",
        "The stable version serves on",
        "A version that was rolled back is not tried again by itself. The verdict stays on record.",
        90,
        observations.served_on,
    ),
)


def stages(trigger: TriggerKind) -> tuple[Stage, ...]:
    """Those of a demonstration whose retraining that begins."""
    if trigger == "drift":
        return tuple(stage for stage in _STAGES if stage.key != "alert")
    by_alert = ("model.yaml", "schedule-alert.yaml")
    return tuple(replace(s, begin=by_alert) if s.key == "serve" else s for s in _STAGES)
