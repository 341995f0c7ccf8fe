"""Random lives of a group: whoever fails, dies or reads late at whatever moment, it is never half.

One release in three members. A member reads the others as they were a while ago, though never
earlier than it has read them before.
"""

from __future__ import annotations

import contextlib
from itertools import permutations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tests.support.group_world import GOOD, NAMES, Groups
from tests.support.rollout_lives import LIVES
from tests.support.rollout_world import Crash

members = st.sampled_from(NAMES)


class Life(RuleBasedStateMachine):
    """A release that some members may spoil."""

    def __init__(self) -> None:
        super().__init__()
        self.g = Groups()

    @initialize(edited=st.permutations(NAMES), apart=st.booleans())
    def release(self, edited: list[str], apart: bool) -> None:
        """apart: whether all have passed, and each knows no more of the others than their votes."""
        for name in edited:
            self.g.show(name, "2")
        if apart:
            self.all_read_late()
            for name in (*NAMES, *NAMES):
                self.go_on(name)
            assert [self.g.standing(name) for name in NAMES] == ["Ready"] * 3
            self.all_read_late()

    def all_read_late(self) -> None:
        self.g.late.clear()
        for reader, of in permutations(NAMES, 2):
            self.g.keep_late(reader, of)

    @rule(name=members, crash=st.none() | st.integers(0, 3))
    def reconcile(self, name: str, crash: int | None) -> None:
        with contextlib.suppress(Crash):
            self.g[name].reconcile(crash_after=crash)

    @rule(name=members)
    def go_on(self, name: str) -> None:
        """Pods come up, are looked at and answer requests, as often as a step takes."""
        for _ in range(4):
            self.g[name].pods_ready()
            self.g[name].pass_time(10)
            self.g[name].settle()

    @rule(reader=members, of=members)
    def read_late(self, reader: str, of: str) -> None:
        self.g.keep_late(reader, of)

    @rule(reader=members, of=members)
    def catch_up(self, reader: str, of: str) -> None:
        self.g.late.pop((reader, of), None)

    @rule(name=members)
    def abort(self, name: str) -> None:
        if (canary := self.g[name].md.status.canary) is not None:
            self.g[name].edit_rollout(abort=canary.revision)

    @rule(name=members)
    def get_worse(self, name: str) -> None:
        self.g[name].quality[GOOD] = 0.5

    @rule(name=members)
    def lose_pods(self, name: str) -> None:
        self.g[name].pods_ready(ready=False)

    @invariant()
    def never_half(self) -> None:
        ends = [w.md.status.history[0].outcome for w in self.g.living() if w.md.status.history]
        assert len(set(ends)) <= 1, "some are promoted, others taken back"
        decided = {(d.name, d.trial, d.outcome) for d in self.g.decided()}
        assert len({d[:2] for d in decided}) == len(decided), "decided twice"

    def teardown(self) -> None:
        self.g.late.clear()
        self.g.run(200, 20)
        self.never_half()
        serving = {self.g.serves(name) for name in NAMES}
        assert len(serving) == 1, "all or none"


TestLife = Life.TestCase
TestLife.settings = settings(LIVES, max_examples=25)
