"""What a person says of single steps: it holds for one trial, as the step's number does.

What stood there before a trial began was said of another one, or of none.
"""

from __future__ import annotations

from typing import Literal

from evenkeel.api.modeldeploymentstatus import CanaryStatus
from evenkeel.api.rollout import Rollout
from evenkeel.api.steering import NamedStep
from evenkeel.rollout.exposure import step_number

Word = Literal["approve", "skip"]
WORDS: tuple[Word, ...] = ("approve", "skip")


def said(word: Word, rollout: Rollout, canary: CanaryStatus) -> bool:
    """Whether it is said of the present step of this trial."""
    named = _named(word, rollout)
    if named is None or (named.revision, named.step) != (
        canary.revision,
        step_number(rollout, canary),
    ):
        return False
    return not is_stale(word, rollout, canary)


def is_stale(word: Word, rollout: Rollout, canary: CanaryStatus) -> bool:
    """Whether it has stood there since before the trial."""
    named = _named(word, rollout)
    return named is not None and _text(word, named) in canary.stale


def stale(rollout: Rollout, revision: str) -> tuple[str, ...]:
    """What is said already where a trial of the revision begins."""
    found = ((word, _named(word, rollout)) for word in WORDS)
    return tuple(_text(w, n) for w, n in found if n is not None and n.revision == revision)


def renewed(canary: CanaryStatus, rollout: Rollout) -> CanaryStatus:
    """With what was taken away meanwhile, so that it may be said again."""
    kept = tuple(text for text in canary.stale if text in stale(rollout, canary.revision))
    restart = rollout.restart
    restarts = canary.restarts if restart and restart.revision == canary.revision else 0
    if (kept, restarts) == (canary.stale, canary.restarts):
        return canary
    return canary.model_copy(update={"stale": kept, "restarts": restarts})


def restarts_before(rollout: Rollout, revision: str) -> int:
    """Number of the restart that is asked for already where a trial of the revision begins."""
    restart = rollout.restart
    return restart.number if restart is not None and restart.revision == revision else 0


def _named(word: Word, rollout: Rollout) -> NamedStep | None:
    return {"approve": rollout.approve, "skip": rollout.skip}[word]


def _text(word: Word, named: NamedStep) -> str:
    return f"{word} {named.step}"
