"""Two purposes share one watch of a type."""

from __future__ import annotations

import pytest
from evenkeel.meta.resources import JOB, POD, READ, Watch, distinct


def test_a_type_is_watched_once_with_what_both_need() -> None:
    pods = Watch(POD, kept=("nodeName",), selector="a", verbs=READ, optional=True)
    more = Watch(POD, kept=("nodeName", "hostname"), selector="a", verbs=(*READ, "delete"))
    assert distinct([pods, Watch(JOB), more]) == (
        Watch(POD, ("nodeName", "hostname"), "a", (*READ, "delete")),
        Watch(JOB),
    )


def test_what_is_always_watched_needs_no_integration() -> None:
    jobs, of_a, of_b = Watch(JOB), Watch(JOB, integrations=("a",)), Watch(JOB, integrations=("b",))
    assert jobs.wanted(())
    assert [of_a.wanted(on) for on in ((), ("b",), ("a", "b"))] == [False, False, True]
    assert distinct([of_a, jobs]) == (jobs,)
    assert distinct([of_a, of_b, of_a]) == (Watch(JOB, integrations=("a", "b")),)


def test_two_selectors_of_a_type_are_refused() -> None:
    with pytest.raises(ValueError, match="pods are watched by two selectors"):
        distinct([Watch(POD, selector="a"), Watch(POD, selector="b")])
