"""The stages of the demonstration: what each shows, and by what it counts as observed.

A stage looks at the history of snapshots and returns its evidence, or None while it has none. It
does no I/O and never trusts that something was asked for: only what the cluster and Prometheus say.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from demo import measures
from demo.data.elec2 import moment
from demo.world import Count, History, Snapshot, condition

FIRST, BAD = "first", "bad"
ALERT_THRESHOLD = 0.35
DRIFTED = 0.2
REQUESTS = 20.0
"""Requests per second below which the traffic does not count as flowing; it sends 30."""
LABEL_DELAY = 12.0
"""Seconds after which all labels that arrive are of predictions made after a moment."""
ENOUGH = 150
"""Labelled predictions from which an error rate is taken seriously."""
COMPARED = 500
"""Labelled predictions on which the new version is compared with the first."""
BETTER = 0.8
"""The new version's error as a share of what the first one's would be, at most."""
TOLERANCE = 0.12
"""Between a weight and the measured share; a gateway divides more evenly than chance."""
STEP_REQUESTS = 60
"""Requests at one weight from which a share is measured."""

Observe = Callable[[History], str | None]


@dataclass(frozen=True)
class Stage:
    """title: a few words. why: for someone new to this. limit: seconds it may take.

    begin: manifests applied when the stage begins. observe is None for the stages that set up.
    """

    key: str
    title: str
    why: str
    limit: float
    observe: Observe | None = None
    begin: tuple[str, ...] = ()


def trained(history: History) -> str | None:
    """The first version exists and has passed its gates."""
    return _gates_passed(history[-1], FIRST)


def serving(history: History) -> str | None:
    """The first version serves and has all of the gateway's weight."""
    now = history[-1]
    stable, version = now.stable, now.version_of(FIRST)
    ready = condition(now.deployment, "Ready").get("status") == "True"
    if not (ready and version and stable.get("version") == version):
        return None
    if now.route != {stable["revision"]: 100}:
        return None
    return f"{version} serves as revision {stable['revision']}, 100 % of the route"


def traffic(history: History) -> str | None:
    """Clients get answers, and labels come back."""
    now = history[-1]
    first, _ = measures.window(history, 5)
    made = now.figures.clients - first.figures.clients
    rate = measures.request_rate(history)
    error = now.figures.labelled.share
    if rate is None or rate < REQUESTS or made.bad or error is None:
        return None
    if now.figures.labelled.total < ENOUGH or error >= ALERT_THRESHOLD:
        return None
    return f"{rate:.0f} requests/s, all answered; {_percent(error)} of predictions wrong"


def drift(history: History) -> str | None:
    """The features' distribution has left that of the training data."""
    now = history[-1]
    watched = {f: now.figures.psi.get(f, 0.0) for f in ("vicprice", "vicdemand", "transfer")}
    feature = max(watched, key=lambda f: watched[f])
    if watched[feature] <= DRIFTED or now.figures.record is None:
        return None
    day = moment(now.figures.record).strftime("%-d %B %Y")
    return f"{day}: PSI of {feature} is {watched[feature]:.1f} (above {DRIFTED} is a shift)"


def alert(history: History) -> str | None:
    """The alert was pending and then fired."""
    firing = next((s for s in history if s.figures.alert == "firing"), None)
    if firing is None:
        return None
    error = firing.figures.error
    if error is None:
        return None
    pending = next((s.time for s in history if s.figures.alert), firing.time)
    day = moment(firing.figures.record or 0).strftime("%-d %B %Y")
    waited = firing.time - pending
    return f"{day}: {_percent(error)} wrong; the alert fires after {waited:.0f} s pending"


def retraining(history: History) -> str | None:
    """The alert has caused a TrainingRun."""
    now = history[-1]
    run = now.retraining()
    if not run:
        return None
    fired = next((s.time for s in history if s.figures.alert == "firing"), now.time)
    seen = next(s.time for s in history if s.retraining())
    cause = run["spec"]["cause"]
    count = cause.get("alertCount", 0)
    return (
        f"TrainingRun {run['metadata']['name']}, {max(0.0, seen - fired):.0f} s after the alert "
        f"({count} alert{'' if count == 1 else 's'}, trigger {cause.get('trigger', '?')})"
    )


def gates(history: History) -> str | None:
    """The retrained version exists and has passed its gates."""
    now = history[-1]
    run = now.retraining()
    return _gates_passed(now, run["metadata"]["name"]) if run else None


def canary(history: History) -> str | None:
    """Every weight of the rollout was in the route, and the gateway's counters agree."""
    now = history[-1]
    version = _retrained(now)
    revision = _revision(history, version)
    if not revision or now.deployment is None:
        return None
    wanted = [s["weight"] for s in now.deployment["spec"]["rollout"]["steps"]]
    seen = {
        s.weight: s
        for s in measures.step_shares(history, revision)
        if s.requests >= STEP_REQUESTS and abs(s.measured - s.weight / 100) <= TOLERANCE
    }
    if any(w not in seen for w in wanted):
        return None
    parts = [f"{w} % -> {_percent(seen[w].measured)} of {seen[w].requests}" for w in wanted]
    return "weight -> measured: " + ", ".join(parts) + " requests"


def promoted(history: History) -> str | None:
    """The verdict let the retrained version become the stable one."""
    now = history[-1]
    version = _retrained(now)
    outcome = now.outcome(version)
    if outcome.get("outcome") != "Promoted" or now.stable.get("version") != version:
        return None
    if now.route != {now.stable["revision"]: 100}:
        return None
    return f"{version}: {outcome['message']}"


def recovered(history: History) -> str | None:
    """The promoted version errs less than the first would on the very same requests."""
    version = _retrained(history[-1])
    start = next((s.time for s in history if version and s.stable.get("version") == version), None)
    if start is None:
        return None
    after = measures.since(history, start + LABEL_DELAY)
    if len(after) < 2:
        return None
    first, last = measures.window(after, 25)
    ours = last.figures.labelled - first.figures.labelled
    theirs = last.figures.baseline - first.figures.baseline
    if ours.total < COMPARED or theirs.total < COMPARED:
        return None
    error, would = ours.share, theirs.share
    if error is None or would is None or error > BETTER * would or error >= ALERT_THRESHOLD:
        return None
    peak = max((s.figures.error or 0 for s in history if s.time < start), default=0.0)
    return (
        f"{_percent(error)} wrong (peak {_percent(peak)}); the first version would have "
        f"{_percent(would)} on the same {ours.total} requests"
    )


def bad_passes(history: History) -> str | None:
    """The version with the mistake passed its gates."""
    return _gates_passed(history[-1], BAD)


def bad_fails(history: History) -> str | None:
    """The bad version has a part of the traffic and fails it."""
    revision = _revision(history, history[-1].version_of(BAD))
    for s in history:
        count = s.figures.served.get(revision, Count())
        if revision and count.bad > 0:
            others = [c for r, c in s.figures.served.items() if r != revision]
            return (
                f"{count.bad} of {count.total} requests to {revision} failed, "
                f"{sum(c.bad for c in others)} of {sum(c.total for c in others)} elsewhere"
            )
    return None


def rolled_back(history: History) -> str | None:
    """The verdict took the traffic away from the bad version."""
    now = history[-1]
    version = now.version_of(BAD)
    outcome = now.outcome(version)
    revision = _revision(history, version)
    times = measures.first_time(history, revision) if revision else None
    if outcome.get("outcome") != "RolledBack" or times is None or revision in now.route:
        return None
    failed, away = times
    return (
        f"traffic back {away - failed:.0f} s after the first failed request; "
        f"{outcome['reason']}: {outcome['message']}"
    )


def served_on(history: History) -> str | None:
    """The stable version answers everything, and the bad one isn't tried again."""
    now = history[-1]
    bad = now.version_of(BAD)
    start = next((s.time for s in history if s.outcome(bad).get("outcome") == "RolledBack"), None)
    if start is None or now.stable.get("version") != _retrained(now) or now.canary:
        return None
    # Requests that were under way when the weight fell still fail in the first seconds.
    after = measures.since(history, start + 4)
    if len(after) < 2 or after[-1].time - after[0].time < 10:
        return None
    if any(s.canary for s in after):
        return None
    made = after[-1].figures.clients - after[0].figures.clients
    if made.bad or made.total < 10 * REQUESTS:
        return None
    clients = now.figures.clients
    return (
        f"{made.total} requests since, none failed, {bad} not tried again; over everything "
        f"{clients.bad} of {clients.total} requests failed ({100 * (clients.share or 0):.2f} %)"
    )


def trouble(history: History) -> str | None:
    """A reason to give up at once: a training that has failed for good."""
    for name, run in history[-1].runs.items():
        ready = condition(run, "Ready")
        if ready.get("status") == "False":
            return f"TrainingRun {name}: {ready.get('reason')}: {ready.get('message')}"
    for name, version in history[-1].versions.items():
        validated = condition(version, "Validated")
        if validated.get("status") == "False":
            return f"ModelVersion {name}: {validated.get('reason')}: {validated.get('message')}"
    return None


def _gates_passed(now: Snapshot, run: str) -> str | None:
    name = now.version_of(run)
    version = now.versions.get(name)
    if version is None or condition(version, "Approved").get("status") != "True":
        return None
    results = version["status"].get("gates") or ()
    if not results or not all(g["passed"] for g in results):
        return None
    return f"{name}: " + "; ".join(g["message"] for g in results)


def _retrained(now: Snapshot) -> str:
    run = now.retraining()
    return now.version_of(run["metadata"]["name"]) if run else ""


def _revision(history: History, version: str) -> str:
    """The revision that serves, or served, that version; "" if none was seen."""
    if not version:
        return ""
    for s in reversed(history):
        for part in (s.canary, s.stable, s.outcome(version)):
            if part.get("version") == version:
                return str(part["revision"])
    return ""


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


STAGES = (
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
        trained,
        ("store.yaml", "first.yaml"),
    ),
    Stage(
        "serve",
        "The model serves behind the gateway",
        "A ModelDeployment follows the model: it serves the newest version that passed.",
        180,
        serving,
        ("model.yaml", "schedule.yaml"),
    ),
    Stage(
        "traffic",
        "Clients ask, labels come back later",
        "A replay of an electricity market: will the price rise? The truth is known a day later, "
        "so errors are counted on delayed labels.",
        90,
        traffic,
        ("traffic.yaml",),
    ),
    Stage(
        "drift",
        "The data drift",
        "In May 1997 the market was widened. Inputs look different at once (PSI, the population "
        "stability index); errors follow weeks later, when prices change their habits.",
        120,
        drift,
    ),
    Stage(
        "alert",
        "Predictions get worse: Prometheus alerts",
        "A plain alerting rule on the error rate. It is pending first, then fires, and "
        "Alertmanager tells Evenkeel's webhook.",
        180,
        alert,
    ),
    Stage(
        "retrain",
        "The alert starts a training",
        "A RetrainSchedule matches the alert, minds cooldown and budget, and creates one "
        "TrainingRun for it, however often the alert is repeated.",
        60,
        retraining,
    ),
    Stage(
        "gates",
        "The new version passes its gates",
        "The training judges the version in production on the same data: old figures, from before "
        "the drift, would be unbeatable.",
        180,
        gates,
    ),
    Stage(
        "canary",
        "It gets 20, 50, 80 % of the requests",
        "Weights in the HTTPRoute, checked here against the gateway's own counters. Each step "
        "waits for a verdict: is the canary shown to be good enough?",
        240,
        canary,
    ),
    Stage(
        "promote",
        "The verdict promotes it",
        "A sequential test: it may be asked every second without false alarms adding up. Promotion "
        "shifts weights; nothing is loaded again.",
        120,
        promoted,
    ),
    Stage(
        "recover",
        "Predictions are better again",
        "Weeks differ in difficulty, so the first version is asked beside, on the same requests.",
        180,
        recovered,
    ),
    Stage(
        "mistake",
        "A bad version passes its gates",
        "Trained on a column that clients do not send. Its hold-out figures are fine: gates alone "
        "do not find such mistakes.",
        180,
        bad_passes,
        ("bad.yaml",),
    ),
    Stage(
        "errors",
        "Its canary fails requests",
        "One request in five meets it; all the others are answered by the stable version.",
        180,
        bad_fails,
    ),
    Stage(
        "rollback",
        "The verdict rolls it back",
        "A handful of failures is evidence enough. The weight goes to zero at once.",
        60,
        rolled_back,
    ),
    Stage(
        "steady",
        "The stable version serves on",
        "A version that was rolled back is not tried again by itself. The verdict stays on record.",
        90,
        served_on,
    ),
)
