"""One trial that is looked at: its tallies, and whether what they say is news."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum

from evenkeel.adapters.access import Access
from evenkeel.api.modeldeploymentstatus import IndicatorStatus
from evenkeel.controllers.looks.pacing import Inquiry
from evenkeel.controllers.looks.wanted import Asked, Wanted
from evenkeel.verdict.judgement import JUDGED, Observations, verdict_of
from evenkeel.verdict.queries import Question
from evenkeel.verdict.sample_times import well_formed
from evenkeel.verdict.samples import Look, Unobserved
from evenkeel.verdict.tally import Tally, deciding
from evenkeel.verdict.verdict import Value

GROWTH_IS_TOLD_AFTER = 10.0
"""Seconds after which more evidence is told although it says the same."""
CHANGE_IS_TOLD_AFTER = 1.0
"""Seconds between two reconciles for changes other than a failure."""


class News(Enum):
    """Whether the ModelDeployment is to be reconciled for what was seen."""

    NONE = "None"
    CALM = "Calm"
    URGENT = "Urgent"


@dataclass(slots=True, eq=False)
class Asking:
    """One indicator's question and how it is asked."""

    name: str
    asked: Asked
    question: Question
    inquiry: Inquiry


@dataclass(slots=True, eq=False)
class Trial:
    """What is known of one trial.

    access: how Prometheus is reached, or why it is not; None until that is known. looked: the
    indicators that have been looked at since this process leads.
    """

    wanted: Wanted
    access: Access | Unobserved | None = None
    access_until: float = float("-inf")
    access_in_hand: bool = False
    tallies: dict[str, Tally] = field(default_factory=dict)
    unresolved: dict[str, Unobserved] = field(default_factory=dict)
    asking: dict[str, Asking] = field(default_factory=dict)
    looked: set[str] = field(default_factory=set)
    _told: object = None
    _told_at: float = float("-inf")
    _grown: int = 0

    def want(self, wanted: Wanted, ids: Iterator[str], now: float, wall: float) -> None:
        """Takes over what is wanted; what stays the same goes on. wall: Unix seconds."""
        before, self.wanted = self.wanted, wanted
        analysis = wanted.analysis
        if before.analysis.prometheus != analysis.prometheus:
            self.access_until = float("-inf")
        same_limits = before.analysis.confirmations == analysis.confirmations and deciding(
            before.analysis
        ) == deciding(analysis)
        kept = {i.name: i for i in wanted.canary.indicators}
        tallies: dict[str, Tally] = {}
        asking: dict[str, Asking] = {}
        told: dict[str, Look | Unobserved] = {}
        self.unresolved = {}
        for spec in analysis.indicators:
            asked = wanted.asked[spec.name]
            if isinstance(asked, Unobserved):
                self.unresolved[spec.name] = asked
                continue
            known = self.tallies.get(spec.name)
            try:
                if known is not None and known.spec == spec and same_limits:
                    tallies[spec.name] = known.since(wanted.begins, alone=wanted.alone)
                else:
                    tallies[spec.name] = Tally.resume(
                        spec, analysis, kept.get(spec.name), wanted.begins, alone=wanted.alone
                    )
                    self.looked.discard(spec.name)
            except ValueError as error:
                self.unresolved[spec.name] = Unobserved("InvalidIndicator", str(error))
                continue
            if isinstance(asked, Asked):
                asking[spec.name] = self._asking(spec.name, asked, ids, now)
            elif asked.seen is not None:
                told[spec.name] = asked.seen
        self.tallies, self.asking = tallies, asking
        self.looked &= tallies.keys()
        self.divided(wanted.share, wall, wanted.changed)
        for name, seen in told.items():
            self.take(name, seen)

    def divided(self, share: float, wall: float, since: float) -> None:
        """Requests are divided so from now on. wall: Unix seconds; since: as of Shares."""
        for name, tally in self.tallies.items():
            self.tallies[name] = tally.divided(share, wall, since)

    def _asking(self, name: str, asked: Asked, ids: Iterator[str], now: float) -> Asking:
        interval = float(self.wanted.analysis.interval_seconds)
        known = self.asking.get(name)
        if known is not None and known.asked == asked:
            if known.inquiry.interval != interval:
                known.inquiry.interval, known.inquiry.due = interval, now
            return known
        question = Question(next(ids), asked.canary, asked.stable, asked.own)
        # Tenants' queries stay among themselves: one could break or fake what others get.
        tenant = self.wanted.key.namespace if asked.own else ""
        inquiry = Inquiry(tenant, question.text(), question.text(times=False), interval, due=now)
        if asked.own and not all(
            well_formed(query) for side in question.sides for query in (side.total, side.counted)
        ):
            inquiry.alone, inquiry.company = True, 1
        return Asking(name, asked, question, inquiry)

    def seen(self) -> Observations:
        """What is known of the indicators; without those that have not been looked at yet."""
        found: dict[str, Tally | Unobserved] = dict(self.unresolved)
        found |= {name: self.tallies[name] for name in self.looked}
        return found

    def take(self, name: str, seen: Look | Unobserved) -> None:
        """One more look at an indicator, if that is still wanted."""
        if name not in self.tallies:
            return
        self.tallies[name] = self.tallies[name].take(seen)
        self.looked.add(name)

    def news(self, now: float) -> News:
        """Whether a reconcile is due; it is taken as told then."""
        if self.wanted.canary.stage not in JUDGED:
            return News.NONE
        kept = {i.name: i for i in self.wanted.canary.indicators}
        verdicts = {
            name: verdict_of(
                self.tallies[name],
                kept.get(name, IndicatorStatus(name=name)),
                self.wanted.analysis.min_requests,
            )
            for name in sorted(self.looked)
        }
        says = {name: (verdict.value, verdict.reason) for name, verdict in verdicts.items()}
        fails = any(
            verdict.value is Value.FAIL and not self.tallies[name].spec.dry_run
            for name, verdict in verdicts.items()
        )
        grown = sum(
            t.evidence.canary_total + t.evidence.stable_total for t in self.tallies.values()
        )
        since = now - self._told_at
        if says != self._told and (fails or since >= CHANGE_IS_TOLD_AFTER):
            news = News.URGENT if fails else News.CALM
        elif grown != self._grown and since >= GROWTH_IS_TOLD_AFTER:
            news = News.CALM
        else:
            return News.NONE
        self._told, self._told_at, self._grown = says, now, grown
        return news
