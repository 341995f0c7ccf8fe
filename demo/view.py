"""The demonstration in a terminal: stages, live figures, why it happens, what was last said."""

from __future__ import annotations

import time
from collections.abc import Sequence

from rich.console import Console, ConsoleOptions, RenderResult
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from demo import measures
from demo.data.elec2 import moment
from demo.observations import ALERT_THRESHOLD
from demo.progress import Done, Progress
from demo.world import Event, Snapshot

_BLOCKS = "▁▂▃▄▅▆▇█"
_SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
SAID = 2
"""Lines of what was last said for which stages make room."""


class View:
    """Renders the progress as it is at the moment of drawing, cut to the terminal's height."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        progress, width, height = self._progress, options.max_width, options.size.height
        yield _header(progress)
        figures = _figures(progress, width)
        why = _why(progress.current, width)
        # The header, two rules, and the last line, which some terminals need empty.
        room = height - 4 - len(why) - (len(figures) + 1 if figures else 0)
        stages = _stages(progress, width, room - 1 - SAID)
        left = room - len(stages) - 1
        yield from _titled("", stages)
        if figures:
            yield from _titled("live", figures)
        yield from _titled("what and why", why)
        if left > 0 and (said := _said(progress, width, left)):
            yield from _titled("last said", said)


def _titled(title: str, lines: Sequence[Text | Table]) -> RenderResult:
    yield Rule(title, style="dim", align="left")
    yield from lines


def _header(progress: Progress) -> Table:
    row = Table.grid(expand=True)
    row.add_column()
    row.add_column(justify="right")
    row.add_row(
        Text("Evenkeel: serve, drift, retrain, canary, probation, roll back", style="bold"),
        Text(clock(time.time() - progress.started), style="bold"),
    )
    return row


def _stages(progress: Progress, width: int, room: int) -> list[Text | Table]:
    """One line each; where there is no room for all, the last done and the next remain."""
    lines: list[Text | Table] = []
    for number, stage in enumerate(progress.stages):
        done = progress.done[number] if number < len(progress.done) else None
        lines.append(_stage_line(stage.title, done, width))
    room = max(room, 3)
    if len(lines) <= room:
        return lines
    first = min(max(0, len(progress.done) - room // 2), len(lines) - room)
    shown = lines[first : first + room]
    if first > 0:
        shown[0] = Text(f"  ✔ {first + 1} stages before", style="green")
    if (rest := len(lines) - first - room) > 0:
        shown[-1] = Text(f"  · {rest + 1} more stages", style="dim")
    return shown


def _stage_line(title: str, done: Done | None, width: int) -> Text:
    line = Text(no_wrap=True, overflow="ellipsis")
    if done is None:
        return line.append(f"  · {title}", style="dim")
    seconds = (done.ended or time.time()) - done.began
    if done.ended is None:
        line.append(f"  {_SPINNER[int(time.time() * 5) % len(_SPINNER)]} ", style="bold yellow")
        line.append(f"{title} ", style="bold")
        return line.append(f"{seconds:.0f} s", style="yellow")
    mark, style = ("✔", "green") if done.observed else ("✘", "bold red")
    line.append(f"  {mark} ", style=style)
    line.append(f"{title} ")
    line.append(f"{seconds:.0f} s  ", style="cyan")
    line.append(done.evidence, style="dim" if done.observed else "red")
    line.truncate(width, overflow="ellipsis")
    return line


def _figures(progress: Progress, width: int) -> list[Text | Table]:
    history = progress.history
    if not history or history[-1].figures.record is None:
        return []
    now, recent = history[-1], history[-40:]
    f = now.figures
    top = Text(no_wrap=True, overflow="ellipsis")
    top.append(moment(f.record or 0).strftime("%a %-d %b %Y"), style="bold")
    rate = measures.request_rate(recent)
    top.append(f"   {rate or 0:4.1f} requests/s, failed so far {f.clients.bad}")
    top.append(f"   {moved(now)}", style="yellow" if now.drifted.get("status") == "True" else "")
    alert = f.alert or "quiet"
    colour = {"firing": "bold red", "pending": "yellow"}.get(alert, "green")
    top.append("   alert ").append(alert, style=colour)

    errors = [s.figures.error for s in history if s.figures.error is not None]
    wrong = Text("wrong    ", no_wrap=True)
    last = errors[-1] if errors else 0.0
    style = "red" if last > ALERT_THRESHOLD else "green"
    wrong.append(f"{100 * last:3.0f} % ", style=f"bold {style}")
    wrong.append(sparkline(errors, max(10, width - 30), 0.7), style=style)
    wrong.append(f" alert: {100 * ALERT_THRESHOLD:.0f} %", style="dim")

    parts = measures.shares(recent) or {}
    canary = now.canary.get("revision", "")
    measured = parts.get(canary, 0.0)
    weight = now.route.get(canary, 0)
    bar = Text("traffic  ", no_wrap=True, overflow="ellipsis")
    cells = max(10, width - 50)
    theirs = round(measured * cells)
    bar.append("█" * (cells - theirs), style="blue").append("░" * theirs, style="magenta")
    if canary:
        bar.append(f" canary {100 * measured:3.0f} % (weight {weight} %)", style="magenta")
    else:
        bar.append(" stable 100 %", style="blue")
    lines: list[Text | Table] = [top, wrong, bar]
    if message := now.canary.get("message"):
        verdict = Text(f"verdict  {now.canary.get('reason', '')}: {message}", style="magenta")
        verdict.truncate(width, overflow="ellipsis")
        lines.append(verdict)
    return lines


def _why(current: Done | None, width: int) -> list[Text | Table]:
    if current is None:
        return []
    text = Text(current.stage.why)
    console = Console(width=max(20, width - 2))
    return list(text.wrap(console, max(20, width - 2)))


def _said(progress: Progress, width: int, lines: int) -> list[Text | Table]:
    if progress.history and progress.history[-1].events:
        texts = [event_line(e) for e in progress.history[-1].events]
    else:
        texts = [line for _, line in progress.log]
    found: list[Text | Table] = []
    for line in texts[-lines:]:
        text = Text(line, style="dim", no_wrap=True, overflow="ellipsis")
        text.truncate(width, overflow="ellipsis")
        found.append(text)
    return found


def moved(now: Snapshot) -> str:
    """How many rows of the feature with the most evidence of drift have moved."""
    features = now.group("Data").get("features")
    if not features:
        return "moved -"
    return f"moved {100 * float(features[0]['distance']):.0f} %"


def event_line(event: Event) -> str:
    """One line: time of day, object, reason, message."""
    kind = event.kind.removeprefix("Model").lower()
    return f"{event.time[11:19]} {kind} {event.name}: {event.reason}: {event.message}"


def sparkline(values: Sequence[float], width: int, top: float) -> str:
    """At most `width` characters for the newest values, from 0 to `top`."""
    if not values:
        return ""
    step = max(1, -(-len(values) // width))
    # Groups are counted from the newest value, so that old ones do not flicker.
    chosen = list(values)[::-1][::step][::-1]
    scale = len(_BLOCKS) - 1
    return "".join(_BLOCKS[round(min(max(v, 0.0), top) / top * scale)] for v in chosen)


def clock(seconds: float) -> str:
    """m:ss."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"
