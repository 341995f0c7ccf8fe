"""What of a run reaches a flow. The flow itself runs in tests/integrations."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from evenkeel.trainer import this_run
from evenkeel.trainer.metaflow import FlowRun, begun, main, parameters, tags

from dev.paths import ROOT

TOLD = {
    "EVENKEEL_RUN": "elec-1a",
    "EVENKEEL_NAMESPACE": "ml",
    "EVENKEEL_MODEL": "elec",
    "EVENKEEL_CAUSE": '{"type":"Data","trigger":"new data"}',
    "EVENKEEL_PARAMETERS": '{"alpha":"-0.5","note":""}',
    "EVENKEEL_DATA_DIGEST": "md5:1",
}


def test_the_cause_becomes_tags_and_the_parameters_the_flow_s() -> None:
    run = this_run(TOLD)
    assert tags(run)[1::2] == [
        "evenkeel.dev/run:elec-1a",
        "evenkeel.dev/namespace:ml",
        "evenkeel.dev/model:elec",
        "evenkeel.dev/cause:Data",
        "evenkeel.dev/trigger:new data",
        "evenkeel.dev/data:md5:1",
    ]
    assert set(tags(run)[::2]) == {"--tag"}
    assert parameters(run) == ["--alpha=-0.5", "--note="]


def test_outside_a_run_there_are_none() -> None:
    assert (tags(this_run({})), parameters(this_run({}))) == ([], [])


def test_a_run_has_begun_once_all_of_the_file_is_there(tmp_path: Path) -> None:
    file = tmp_path / "run.json"
    assert begun(file) is None
    text = '{"run_id": "7", "flow_name": "Flow", "metadata": "local@/tmp"}'
    file.write_text(text[:20])
    assert begun(file) is None
    file.write_text(text)
    found = begun(file)
    assert found == FlowRun("Flow", "7", "local@/tmp")
    assert found.pathspec == "Flow/7"


def test_without_a_flow_its_use_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "usage: python -m evenkeel.trainer.metaflow FLOW.py" in capsys.readouterr().err


def trainer(folder: Path, flow: str) -> subprocess.Popen[str]:
    """With a program in the flow's place, outside a run, so that Metaflow is not needed."""
    program = folder / "flow.py"
    program.write_text(flow)
    environment = {k: v for k, v in os.environ.items() if not k.startswith("EVENKEEL_")}
    return subprocess.Popen(
        [sys.executable, "-m", "evenkeel.trainer.metaflow", str(program)],
        env={**environment, "PYTHONPATH": str(ROOT / "operator")},
        stdout=subprocess.PIPE,
        text=True,
    )


def test_the_flow_s_exit_code_is_the_trainer_s(tmp_path: Path) -> None:
    assert trainer(tmp_path, "import sys; sys.exit(3)").wait(60) == 3


def test_the_flow_is_told_to_end(tmp_path: Path) -> None:
    """It is the container's first process that the kubelet tells."""
    waits = "import signal; print('waits', flush=True); signal.pause()"
    started = trainer(tmp_path, waits)
    assert started.stdout is not None
    assert started.stdout.readline() == "waits\n"
    started.send_signal(signal.SIGTERM)
    assert started.wait(60) == 128 + signal.SIGTERM
    assert started.stdout.read() == ""
