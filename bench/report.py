"""What a benchmark finds: the lines of a page, and the bounds that were tried."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


class Report:
    """Lines of the page as they are found, and the bounds that were tried."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.tried: list[bool] = []

    def say(self, line: str) -> None:
        self.lines.append(line)
        print(line, flush=True)

    def table(self, head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        self.say(f"\n| {' | '.join(head)} |\n|{'---|' * len(head)}")
        for row in rows:
            self.say(f"| {' | '.join(row)} |")
        self.say("")

    def bound(self, held: bool) -> str:
        """What stands beside a figure that is claimed."""
        self.tried.append(held)
        return "" if held else " **MISSED**"
