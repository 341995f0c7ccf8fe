"""What the demonstration leaves: the causal record, a table of stages, build/demo.json."""

from __future__ import annotations

import json
import textwrap
import time
from pathlib import Path
from typing import Any

from demo import measures
from demo.observations import BAD
from demo.progress import Progress
from demo.view import clock
from demo.world import Snapshot

JSON = dict[str, Any]


def summary(progress: Progress) -> list[str]:
    """Lines for people, newest version's record last."""
    lines = ["", "What was observed"]
    for number, stage in enumerate(progress.stages):
        done = progress.done[number] if number < len(progress.done) else None
        if done is None:
            lines.append(f"  -      {stage.title}: not reached")
            continue
        mark = "yes" if done.observed else "NO "
        at = clock((done.ended or done.began) - progress.started)
        lines.append(f"  {mark} {at:>5} {stage.title}")
        lines += textwrap.wrap(
            done.evidence, 96, initial_indent=" " * 12, subsequent_indent=" " * 12
        )
    if progress.history:
        lines += ["", "The causal record, as each ModelVersion keeps it (kubectl describe mdv)"]
        versions = progress.history[-1].versions.values()
        for version in sorted(versions, key=lambda v: str(v["metadata"]["creationTimestamp"])):
            lines += record(version)
    return lines


def record(version: JSON) -> list[str]:
    """The record of one ModelVersion: cause, run, data, gates, approval, verdict."""
    spec, status = version["spec"], version.get("status") or {}
    cause = spec.get("cause") or {}
    entries = [("cause", _cause(cause)), ("run", f"TrainingRun {spec.get('trainingRun', '-')}")]
    entries.append(("data", str(spec.get("dataRevision") or "-")))
    for gate in status.get("gates") or ():
        word = "passed" if gate["passed"] else "FAILED"
        entries.append(("gate", f"{gate['name']} {word}: {gate['message']}"))
    approved = [c for c in status.get("conditions") or () if c["type"] == "Approved"]
    entries += [("approval", f"{c['reason']}: {c['message']}") for c in approved]
    for rollout in status.get("rollouts") or ():
        verdict = f"{rollout['outcome']} at {rollout['time']}: {rollout.get('message', '')}"
        entries.append(("verdict", verdict))
    lines = [f"  {version['metadata']['name']}"]
    for name, text in entries:
        lines += textwrap.wrap(
            text, 96, initial_indent=f"    {name:<9}", subsequent_indent=" " * 13
        )
    return lines


def _cause(cause: JSON) -> str:
    alerts = cause.get("alerts") or ()
    if cause.get("type") == "Alert" and alerts:
        name = alerts[0]["labels"].get("alertname", "?")
        count = cause.get("alertCount", len(alerts))
        plural = "" if count == 1 else "s"
        return f"alert {name} ({count} alert{plural}): {alerts[0].get('summary', '')}"
    why = (cause.get("champion") or {}).get("evidence") or cause.get("message", "")
    return f"{str(cause.get('type', '-')).lower()}: {why}"


def machine_readable(progress: Progress, provider: str) -> JSON:
    """The content of build/demo.json. Times in seconds; `at` since the start."""
    stages = []
    for number, stage in enumerate(progress.stages):
        done = progress.done[number] if number < len(progress.done) else None
        entry: JSON = {"key": stage.key, "title": stage.title, "observed": False}
        if done is not None and done.ended is not None:
            entry |= {
                "observed": done.observed,
                "seconds": round(done.ended - done.began, 1),
                "at": round(done.ended - progress.started, 1),
                "evidence": done.evidence,
            }
        stages.append(entry)
    last = progress.history[-1] if progress.history else Snapshot(progress.started)
    return {
        "observed": progress.complete,
        "provider": provider,
        "seconds": round(time.time() - progress.started, 1),
        "rollbackSeconds": _rollback_seconds(progress),
        "requests": {"total": last.figures.clients.total, "failed": last.figures.clients.bad},
        "lineage": [
            str((v.get("status") or {}).get("lineage", "")) for v in last.versions.values()
        ],
        "stages": stages,
    }


def write(progress: Progress, provider: str, path: Path) -> None:
    """Writes the file, with its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(machine_readable(progress, provider), indent=2) + "\n")


def _rollback_seconds(progress: Progress) -> float | None:
    if not progress.history:
        return None
    version = progress.history[-1].version_of(BAD)
    revision = progress.history[-1].outcome(version).get("revision", "") if version else ""
    times = measures.first_time(progress.history, revision) if revision else None
    return None if times is None else round(times[1] - times[0], 1)
