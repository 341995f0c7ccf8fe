"""The demonstration without a terminal: a line whenever something happens."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from demo import measures
from demo.progress import Progress
from demo.view import clock, event_line, moved
from demo.world import Event

FIGURES_EVERY = 10.0


class Plain:
    """Prints what is new in the progress at each call of `update`."""

    def __init__(self, progress: Progress, write: Callable[[str], None]) -> None:
        self._progress = progress
        self._write = write
        self._begun = self._ended = self._said = 0
        self._events: set[Event] = set()
        self._figures = 0.0

    def update(self, now: float) -> None:
        """`now` in seconds since the epoch."""
        for moment, text in sorted(self._news(now), key=lambda news: news[0]):
            self._write(f"[{clock(moment - self._progress.started)}] {text}")

    def _news(self, now: float) -> Iterator[tuple[float, str]]:
        progress = self._progress
        for moment, line in progress.log[self._said :]:
            yield moment, f"  {line}"
        self._said = len(progress.log)
        for index, done in enumerate(progress.done):
            if index >= self._begun:
                self._begun = index + 1
                yield done.began, f"{index + 1}/{len(progress.stages)} {done.stage.title}"
            if done.ended is not None and index >= self._ended:
                self._ended = index + 1
                word = "observed" if done.observed else "NOT OBSERVED"
                seconds = done.ended - done.began
                yield done.ended, f"  {word} after {seconds:.0f} s: {done.evidence}"
        if progress.history:
            for event in progress.history[-1].events:
                if event not in self._events:
                    self._events.add(event)
                    yield progress.history[-1].time, f"  {event_line(event)}"
            if now - self._figures >= FIGURES_EVERY:
                self._figures = now
                yield now, f"  {figures_line(progress)}"


def figures_line(progress: Progress) -> str:
    """The live figures in one line."""
    history = progress.history
    f = history[-1].figures
    rate = measures.request_rate(history)
    error = "-" if f.error is None else f"{100 * f.error:.0f} %"
    route = ", ".join(f"{name} {weight} %" for name, weight in history[-1].route.items())
    return (
        f"{rate or 0:.1f} requests/s, {f.clients.bad} failed; wrong {error}; {moved(history[-1])}; "
        f"alert {f.alert or 'quiet'}; route {route or '-'}"
    )
