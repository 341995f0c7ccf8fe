"""Nobody writes a line of his own into the log."""

from __future__ import annotations

import io
import json
import logging

import kopf
import pytest
from evenkeel.process.log_lines import LogLines, install

FORGED = "no data\n2026-01-31 [INFO] promoted\x1b[1A"


def written(record: logging.LogRecord, as_json: bool) -> str:
    """What kopf's handlers make of the record."""
    root = logging.getLogger()
    before = list(root.handlers)
    out = io.StringIO()
    try:
        kopf.configure(log_format=kopf.LogFormat.JSON if as_json else kopf.LogFormat.FULL)
        (added,) = (h for h in root.handlers if h not in before)
        assert added.formatter is not None
        handler = logging.StreamHandler(out)
        handler.setFormatter(added.formatter)
        handler.addFilter(LogLines())
        handler.handle(record)
    finally:
        for handler in [h for h in root.handlers if h not in before]:
            root.removeHandler(handler)
    return out.getvalue()


def record(*args: object, error: BaseException | None = None) -> logging.LogRecord:
    info = None if error is None else (type(error), error, error.__traceback__)
    return logging.LogRecord("evenkeel", logging.WARNING, "", 1, "run %s", args, info)


def test_a_record_is_one_line() -> None:
    (line,) = written(record(FORGED), as_json=False).splitlines()
    assert "run no data\\n2026-01-31 [INFO] promoted\\x1b[1A" in line


def test_the_lines_of_a_traceback_look_like_no_record() -> None:
    first, *rest = written(record("x", error=ValueError(FORGED)), as_json=False).splitlines()
    assert "run x" in first
    assert all(line.startswith("  ") for line in rest)
    assert "\x1b" not in "".join(rest)


@pytest.mark.parametrize("error", [None, ValueError(FORGED)])
def test_json_logs_stay_json(error: BaseException | None) -> None:
    (line,) = written(record(FORGED, error=error), as_json=True).splitlines()
    assert "2026-01-31 [INFO] promoted" in json.loads(line)["message"]


def test_handlers_are_filtered_once() -> None:
    root, handler = logging.getLogger(), logging.StreamHandler(io.StringIO())
    before = {h: list(h.filters) for h in root.handlers}
    root.addHandler(handler)
    try:
        install()
        install()
        assert [type(f) for f in handler.filters] == [LogLines]
    finally:
        root.removeHandler(handler)
        for known, filters in before.items():
            known.filters = filters
