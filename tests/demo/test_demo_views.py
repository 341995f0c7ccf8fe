"""The views say what happened, fit the terminal, and the report says the truth about each stage."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest
from rich.console import Console

from demo import report
from demo.plain import Plain
from demo.progress import Done, Progress
from demo.stages import stages
from demo.view import View, clock, sparkline
from demo.world import Count, Event, Figures, Snapshot

STAGES = stages("alert")
EVENT = Event("2026-01-01T10:00:00Z", "ModelDeployment", "elec2", "Promoted", "all pass", False)
SNAPSHOT = Snapshot(
    time=10.0,
    figures=Figures(Count(100, 2), error=0.4, record=17424, alert="firing"),
    route={"elec2-01": 80, "elec2-02": 20},
    deployment={
        "status": {
            "canary": {"revision": "elec2-02", "message": "0/9 bad"},
            "monitoring": {
                "groups": [{"name": "Data", "features": [{"name": "vicprice", "distance": "0.81"}]}]
            },
        }
    },
    events=(EVENT,),
)
VERSION = {
    "metadata": {"name": "v2", "creationTimestamp": "2026-01-01T00:00:00Z"},
    "spec": {
        "trainingRun": "again",
        "dataRevision": "elec2:1-2-3",
        "cause": {
            "type": "Alert",
            "alertCount": 2,
            "alerts": [{"labels": {"alertname": "High"}, "summary": "40 % wrong"}],
        },
    },
    "status": {
        "lineage": "alert High -> v2",
        "gates": [{"name": "accurate", "passed": False, "message": "0.4 < 0.5"}],
        "conditions": [
            {"type": "Approved", "status": "False", "reason": "GatesFailed", "message": "no"}
        ],
        "rollouts": [{"outcome": "RolledBack", "time": "T", "message": "6/6 bad"}],
    },
}


def progress(stages: int, *, failed: bool = False) -> Progress:
    now = time.time()
    made = Progress(STAGES, now - 100)
    for stage in STAGES[:stages]:
        made.done.append(Done(stage, now - 50, now - 40, True, "evidence of " + stage.key))
    if failed:
        made.done[-1].observed = False
    return made


@pytest.mark.parametrize(("width", "height"), [(100, 30), (80, 24)])
@pytest.mark.parametrize("stages", [0, 4, 9, 15])
def test_the_view_fits_the_terminal_and_shows_the_stage_under_way(
    width: int, height: int, stages: int
) -> None:
    state = progress(stages)
    state.done.append(Done(STAGES[stages], time.time()))
    state.history.append(SNAPSHOT)
    console = Console(width=width, height=height, force_terminal=True, color_system=None)
    with console.capture() as captured:
        console.print(View(state))
    lines = captured.get().splitlines()
    assert len(lines) < height
    assert all(len(line) <= width for line in lines)
    text = "\n".join(lines)
    assert STAGES[stages].title in text
    assert "alert firing" in text
    assert "weight 20 %" in text
    assert "0/9 bad" in text


def test_a_sparkline_shows_the_newest_values_within_its_width() -> None:
    assert sparkline([0, 0.35, 0.7, 2.0], 10, 0.7) == "▁▅██"
    assert len(sparkline([0.1] * 500, 40, 0.7)) <= 40
    assert sparkline([0.0] * 99 + [0.7], 10, 0.7)[-1] == "█"
    assert sparkline([], 10, 0.7) == ""


def test_the_clock_counts_minutes() -> None:
    assert clock(61.9) == "1:01"


def test_plain_lines_come_once_and_in_the_order_of_time() -> None:
    written: list[str] = []
    state = Progress(STAGES, 0.0)
    plain = Plain(state, written.append)
    state.done.append(Done(STAGES[0], 1.0))
    state.log.append((2.0, "building"))
    state.done[0].ended, state.done[0].observed, state.done[0].evidence = 3.0, True, "up"
    state.done.append(Done(STAGES[1], 3.5))
    plain.update(4.0)
    assert written == [
        f"[0:01] 1/{len(STAGES)} {STAGES[0].title}",
        "[0:02]   building",
        "[0:03]   observed after 2 s: up",
        f"[0:03] 2/{len(STAGES)} {STAGES[1].title}",
    ]
    plain.update(5.0)
    assert len(written) == 4
    state.history.append(SNAPSHOT)
    plain.update(11.0)
    assert "deployment elec2: Promoted: all pass" in written[4]
    assert "2 failed; wrong 40 %; moved 81 %; alert firing" in written[5]
    plain.update(12.0)
    assert len(written) == 6


def test_the_report_tells_observed_failed_and_unreached_stages_apart() -> None:
    state = progress(3, failed=True)
    state.history.append(replace(SNAPSHOT, versions={"v2": VERSION}))
    found = report.machine_readable(state, "builtin")
    assert [s["observed"] for s in found["stages"][:4]] == [True, True, False, False]
    assert len(found["stages"]) == len(STAGES)
    assert found["observed"] is False
    assert found["requests"] == {"total": 100, "failed": 2}
    assert found["lineage"] == ["alert High -> v2"]
    assert report.machine_readable(progress(len(STAGES)), "kind")["observed"] is True
    text = "\n".join(report.summary(state))
    assert f"NO   1:00 {STAGES[2].title}" in text
    assert f"{STAGES[3].title}: not reached" in text


def test_a_version_record_runs_from_cause_to_verdict() -> None:
    assert report.record(VERSION) == [
        "  v2",
        "    cause    alert High (2 alerts): 40 % wrong",
        "    run      TrainingRun again",
        "    data     elec2:1-2-3",
        "    gate     accurate FAILED: 0.4 < 0.5",
        "    approval GatesFailed: no",
        "    verdict  RolledBack at T: 6/6 bad",
    ]


def test_a_record_tells_the_drift_that_caused_it() -> None:
    champion = {"name": "v1", "evidence": "Data since noon"}
    spec = {"trainingRun": "again", "cause": {"type": "Drift", "champion": champion}}
    lines = report.record({"metadata": {"name": "v2"}, "spec": spec})
    assert lines[1] == "    cause    drift: Data since noon"
