"""Fixtures of tests with the whole operator."""

from __future__ import annotations

import pytest
from evenkeel.kube.lease import Lease


@pytest.fixture
def short_lease(monkeypatch: pytest.MonkeyPatch) -> None:
    defaults = Lease.__init__.__kwdefaults__
    assert defaults is not None
    for name, value in (("duration", 3.0), ("renew_deadline", 2.0), ("retry", 0.3)):
        monkeypatch.setitem(defaults, name, value)
