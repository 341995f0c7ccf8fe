"""By what each stage of the demonstration counts as observed.

An observation looks at the history of snapshots and returns its evidence, or None while it has
none. It does no I/O and never trusts that something was asked for: only what the cluster and
Prometheus say.
"""

from __future__ import annotations

from demo import measures
from demo.data.elec2 import MARKET_CHANGE, moment
from demo.world import JSON, Count, History, Snapshot, condition

FIRST, BAD = "first", "bad"
ALERT_THRESHOLD = 0.35
WIDENED = ("vicprice", "vicdemand", "transfer")
"""Features that are constant until the market is widened."""
REQUESTS = 20.0
"""Requests per second below which the traffic does not count as flowing; it sends 30."""
LABEL_DELAY = 12.0
"""Seconds after which all labels that arrive are of predictions made after a moment."""
ENOUGH = 150
"""Labels from which an error rate is taken seriously."""
COMPARED = 100
"""Labels on which the new version is compared with the first."""
BETTER = 0.8
"""The new version's error as a share of what the first one's would be, at most."""
TOLERANCE = 0.12
"""Between a weight and the measured share; a gateway divides more evenly than chance."""
STEP_REQUESTS = 40
"""Requests at one weight from which a share is measured."""


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
    """The detectors have found that the data moved, by what did, and were quiet before that."""
    found = next((s for s in history if s.drifted.get("reason") == "Data"), None)
    quiet = next((s for s in history if s.drifted.get("reason") == "NoDrift"), None)
    if found is None or quiet is None or quiet.time > found.time:
        return None
    group, blocks = found.group("Data"), found.monitoring
    worst = [f for f in group.get("features") or () if f["name"] in WIDENED]
    if not worst:
        return None
    told = blocks["blocks"] - blocks["void"]
    return (
        f"{_day(found)}: {'; '.join(map(_moved, worst))}; evidence {group['statistic']}, "
        f"{group['threshold']} is drift, after {told} blocks; quiet before"
    )


def _moved(feature: JSON) -> str:
    """A feature with the bins that lost and gained most."""
    bins = sorted(feature["bins"], key=lambda b: float(b["now"]) - float(b["before"]))
    parts = (
        f"{b['range']} {_percent(float(b['before']))} -> {_percent(float(b['now']))}"
        for b in (bins[0], bins[-1])
    )
    return f"{feature['name']}: {', '.join(parts)}"


def alert(history: History) -> str | None:
    """The alert was pending and then fired."""
    firing = next((s for s in history if s.figures.alert == "firing"), None)
    if firing is None:
        return None
    error = firing.figures.error
    if error is None:
        return None
    pending = next((s.time for s in history if s.figures.alert), firing.time)
    waited = firing.time - pending
    return f"{_day(firing)}: {_percent(error)} wrong; the alert fires after {waited:.0f} s pending"


def retraining(history: History) -> str | None:
    """The trigger has caused a TrainingRun."""
    run = history[-1].retraining()
    if not run:
        return None
    seen = next(s for s in history if s.retraining())
    cause = run["spec"]["cause"]
    if cause["type"] == "Alert":
        begun = next((s.time for s in history if s.figures.alert == "firing"), seen.time)
        count = cause.get("alertCount", 0)
        why = f"{count} alert{'' if count == 1 else 's'}"
    else:
        begun = next((s.time for s in history if s.drifted.get("status") == "True"), seen.time)
        why = (cause.get("champion") or {}).get("evidence") or "?"
    return (
        f"TrainingRun {run['metadata']['name']}, {max(0.0, seen.time - begun):.0f} s after the "
        f"{cause['type'].lower()}, trigger {cause.get('trigger', '?')}: {why}"
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


def probation(history: History) -> str | None:
    """The retrained version has all requests, and the former one's pods are still there."""
    now = history[-1]
    canary, stable = now.canary, now.stable
    if canary.get("stage") != "Probation" or canary.get("version") != _retrained(now):
        return None
    if now.route != {canary["revision"]: 100} or not stable.get("readyReplicas"):
        return None
    assert now.deployment is not None
    seconds = now.deployment["spec"]["rollout"]["probation"]["seconds"]
    return (
        f"{canary['revision']} has 100 % of the route; {stable['readyReplicas']} pod of "
        f"{stable['revision']} stays for {seconds} s"
    )


def promoted(history: History) -> str | None:
    """Nothing was shown against the retrained version until its probation was over."""
    now = history[-1]
    version = _retrained(now)
    outcome = now.outcome(version)
    if outcome.get("outcome") != "Promoted" or now.stable.get("version") != version:
        return None
    if now.route != {now.stable["revision"]: 100}:
        return None
    return f"{version}: {outcome['reason']}: {outcome['message']}"


def recovered(history: History) -> str | None:
    """The promoted version errs less than the first would on the very same requests."""
    revision = _revision(history, _retrained(history[-1]))
    if not revision or history[-1].stable.get("revision") != revision:
        return None
    start = next((s.time for s in history if s.route == {revision: 100}), history[-1].time)
    after = measures.since(history, start + LABEL_DELAY)
    if len(after) < 2:
        return None
    first, last = measures.window(after, 30)
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
        f"{_percent(would)} on the same {ours.total} half-hours"
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
    """The stable version answers everything and fits its own profile; the bad one isn't tried
    again."""
    now = history[-1]
    bad = now.version_of(BAD)
    start = next((s.time for s in history if s.outcome(bad).get("outcome") == "RolledBack"), None)
    if start is None or now.stable.get("version") != _retrained(now) or now.canary:
        return None
    # Requests that were under way when the weight fell still fail in the first seconds.
    after = measures.since(history, start + 4)
    if len(after) < 2 or after[-1].time - after[0].time < 10:
        return None
    if any(s.canary for s in after) or now.drifted.get("status") != "False":
        return None
    made = after[-1].figures.clients - after[0].figures.clients
    if made.bad or made.total < 10 * REQUESTS:
        return None
    clients = now.figures.clients
    return (
        f"{made.total} requests since, none failed, {bad} not tried again; no drift from the new "
        f"version's own profile in {now.monitoring['blocks']} blocks; over everything "
        f"{clients.bad} of {clients.total} requests failed ({100 * (clients.share or 0):.2f} %)"
    )


def trouble(history: History) -> str | None:
    """A reason to give up at once: a training that has failed for good, or a false alarm."""
    for name, run in history[-1].runs.items():
        ready = condition(run, "Ready")
        if ready.get("status") == "False":
            return f"TrainingRun {name}: {ready.get('reason')}: {ready.get('message')}"
    for name, version in history[-1].versions.items():
        validated = condition(version, "Validated")
        if validated.get("status") == "False":
            return f"ModelVersion {name}: {validated.get('reason')}: {validated.get('message')}"
    record, drifted = history[-1].figures.record, history[-1].drifted
    if record is not None and record < MARKET_CHANGE and drifted.get("status") == "True":
        return f"a false alarm before the market changed: {drifted.get('message')}"
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


def _day(now: Snapshot) -> str:
    """The day that is replayed."""
    return moment(now.figures.record or 0).strftime("%-d %B %Y")


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"
