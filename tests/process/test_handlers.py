"""How the process ends by itself."""

from __future__ import annotations

import os
import signal
import threading

import pytest
from evenkeel.process import handlers


def test_a_process_that_lost_its_lease_ends_whatever_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    ended, status = threading.Event(), []

    def end(code: int) -> None:
        status.append(code)
        ended.set()

    signals: list[int] = []
    monkeypatch.setattr(signal, "raise_signal", signals.append)
    monkeypatch.setattr(os, "_exit", end)
    monkeypatch.setattr(handlers, "LOST_END_WITHIN", 0.01)
    handlers._end()
    assert signals == [signal.SIGTERM]
    assert ended.wait(10)
    assert status == [handlers.LOST]
