"""Runs a Metaflow flow as a trainer, and reports what it made.

    python -m evenkeel.trainer.metaflow flow.py [OPTIONS OF THE FLOW]

The parameters of the run become the flow's, its cause tags; a further attempt resumes the run that
the one before left, and the artifact `evenkeel_result`, the keywords of `evenkeel.trainer.report`,
becomes the report. Metaflow is configured as always, by METAFLOW_*.
"""

from __future__ import annotations

import inspect
import io
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from evenkeel.trainer.result import InvalidReport, report, report_text
from evenkeel.trainer.run import Run, this_run

ARTIFACT = "evenkeel_result"
DEFAULTS = {
    # Metaflow itself refuses root without a name.
    "METAFLOW_USER": "evenkeel",
    # Its own 20 tries of a refused call take more than an hour, in silence; these 15 seconds.
    "METAFLOW_S3_RETRY_COUNT": "3",
    "METAFLOW_S3_TRANSIENT_RETRY_COUNT": "3",
    "METAFLOW_S3_LOG_TRANSIENT_RETRIES": "true",
    "METAFLOW_S3_CLIENT_RETRY_CONFIG": '{"max_attempts": 3, "mode": "standard"}',
}
_KEYWORDS = set(inspect.signature(report_text).parameters)
LOOK = 0.5
"""Seconds between two looks whether Metaflow has begun its run."""


class FlowRun(NamedTuple):
    """A run of Metaflow's. metadata: where its client finds it."""

    flow: str
    id: str
    metadata: str

    @property
    def pathspec(self) -> str:
        return f"{self.flow}/{self.id}"


class Unreadable(Exception):
    """Metaflow's datastore does not answer; the message has its words."""


class Attempts:
    """What survives an attempt: the run's id, beside Metaflow's own data in its datastore.

    A pod's disk is empty, and there need be no metadata service.
    """

    def __init__(self, run: Run) -> None:
        self._key = f"_evenkeel/{run.uid}" if run.uid else ""

    def last(self) -> str:
        """The id of the run that the attempt before left; empty if there is none.

        Raises Unreadable.
        """
        if not self._key:
            return ""
        from metaflow.exception import MetaflowException

        try:
            with _storage().load_bytes([self._key]) as found:
                ((_, file, _),) = found
                return Path(file).read_text() if file else ""
        except MetaflowException as problem:
            raise Unreadable(f"{problem.headline}: {problem}") from None

    def keep(self, flow_run: FlowRun) -> None:
        """A training is not given up because a further attempt could not resume it."""
        if not self._key:
            return
        from metaflow.exception import MetaflowException

        try:
            _storage().save_bytes([(self._key, io.BytesIO(flow_run.id.encode()))], overwrite=True)
        except (MetaflowException, OSError) as problem:
            told = f"a further attempt cannot resume {flow_run.pathspec}: {problem}"
            print(told, file=sys.stderr)


def main(arguments: Sequence[str]) -> int:
    """Metaflow's exit code, or 1 where what the flow made cannot be reported."""
    if not arguments:
        print("usage: python -m evenkeel.trainer.metaflow FLOW.py [OPTIONS]", file=sys.stderr)
        return 2
    for name, value in DEFAULTS.items():
        os.environ.setdefault(name, value)
    run = this_run()
    attempts = Attempts(run)
    flow_run, code = None, 1
    if last := attempts.last():
        resume = ["resume", "--origin-run-id", last]
        flow_run, code = _execute([*arguments, *resume, *tags(run)], attempts)
        if flow_run is None:
            print(f"run {last} cannot be resumed, so the flow starts anew", file=sys.stderr)
    if flow_run is None:
        command = [*arguments, "run", *tags(run), *parameters(run)]
        flow_run, code = _execute(command, attempts)
    if code or flow_run is None:
        return code or 1
    print(report(**_told(flow_run)))
    return 0


def _execute(command: Sequence[str], attempts: Attempts) -> tuple[FlowRun | None, int]:
    """The run, None if it never began, and the exit code of Metaflow."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "run.json")
        child = subprocess.Popen([sys.executable, *command, "--runner-attribute-file", str(file)])
        # As the container's first process it alone is told to end.
        signal.signal(signal.SIGTERM, lambda *_: child.terminate())
        ended, flow_run = False, None
        while flow_run is None and not ended:
            ended = _ends(child, LOOK)
            flow_run = begun(file)
        if flow_run is not None:
            attempts.keep(flow_run)
        code = child.wait()
        return flow_run, code if code >= 0 else 128 - code


def _ends(child: subprocess.Popen[bytes], seconds: float) -> bool:
    try:
        child.wait(seconds)
    except subprocess.TimeoutExpired:
        return False
    return True


def begun(file: Path) -> FlowRun | None:
    """Metaflow writes the file once the run is in its datastore, and so can be resumed."""
    try:
        written = json.loads(file.read_text())
    except (OSError, ValueError):
        return None
    return FlowRun(written["flow_name"], written["run_id"], written["metadata"])


def tags(run: Run) -> list[str]:
    facts = {
        "run": run.name,
        "namespace": run.namespace,
        "model": run.model,
        "cause": run.cause.get("type", ""),
        "trigger": run.cause.get("trigger", ""),
        "data": run.data.digest if run.data else "",
    }
    given = [f"evenkeel.dev/{name}:{value}" for name, value in facts.items() if value]
    return [word for tag in given for word in ("--tag", tag)]


def parameters(run: Run) -> list[str]:
    """Metaflow refuses those that the flow does not have."""
    return [f"--{name}={value}" for name, value in run.parameters.items()]


def _told(flow_run: FlowRun) -> dict[str, Any]:
    """The flow's artifact as the keywords of `report`. Raises InvalidReport."""
    from metaflow import Run as Client
    from metaflow import metadata, namespace

    metadata(flow_run.metadata)
    namespace(None)
    told = getattr(Client(flow_run.pathspec).data, ARTIFACT, None)
    if not isinstance(told, Mapping):
        raise InvalidReport(
            f"the run {flow_run.pathspec} has no artifact {ARTIFACT} with a report: set "
            f"self.{ARTIFACT} = dict(uri=..., format=..., metrics=...) in the step end"
        )
    if unknown := sorted(set(told) - _KEYWORDS):
        raise InvalidReport(
            f"{ARTIFACT} of {flow_run.pathspec} has the unknown keyword {unknown[0]!r:.80}; "
            f"it may have {', '.join(sorted(_KEYWORDS))}"
        )
    return {"code_revision": flow_run.pathspec, **told}


def _storage() -> Any:
    from metaflow import metaflow_config
    from metaflow.plugins import DATASTORES

    (kind,) = (kind for kind in DATASTORES if kind.TYPE == metaflow_config.DEFAULT_DATASTORE)
    return kind(kind.get_datastore_root_from_config(print))


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except InvalidReport as problem:
        sys.exit(f"the flow succeeded, but its report cannot be used: {problem}")
    except Unreadable as problem:
        sys.exit(f"Metaflow's datastore cannot be read: {problem}")
