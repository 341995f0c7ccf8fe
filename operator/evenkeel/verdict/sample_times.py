"""From a query of counters to the query of the times at which its samples were scraped.

Prometheus answers with the newest sample of each series, however old it is, and does not say when
that was taken. `timestamp` does, for plain selectors only, so they are looked for in the query.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import NamedTuple

import promql_parser as promql

MOST_NAMES = 8
"""Metric names that a regular expression for the name may stand for."""

_SELECTOR = "evenkeel_selector"
_LITERAL = "evenkeel_literal_"
_TEXTS = re.compile(
    r"""(?P<comment>\#[^\n]*)
    |"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`[^`]*`""",
    re.VERBOSE,
)
_PLAIN_NAME = re.compile(r"[A-Za-z_:][A-Za-z0-9_:]*")
_OPERATORS = (
    (promql.MatchOp.Equal, "="),
    (promql.MatchOp.NotEqual, "!="),
    (promql.MatchOp.Re, "=~"),
    (promql.MatchOp.NotRe, "!~"),
)


@lru_cache(maxsize=4096)
def sample_times(query: str) -> str | None:
    """PromQL of the times (Unix seconds) of the samples that `query` reads, by its own labels; the
    oldest where it sums several. None where its form does not allow to tell.

    Forms that do: selectors, sums of selectors, and sums of such with the same grouping.
    """
    parsed = _parsed(query)
    found = None if parsed is None else _form(parsed.tree)
    if parsed is None or found is None:
        return None
    grouping, selectors = found
    named = [list(parsed.selectors(one)) for one in selectors]
    texts = [text for some in named for text in some]
    if not all(named) or len(texts) > MOST_NAMES:
        return None
    if len(texts) == 1:
        times = f"timestamp({texts[0]})"
        return times if grouping is None else f"min {grouping.text(parsed)} ({times})"
    grouping = grouping or Grouping("without", ())
    marked = (
        f'label_replace(timestamp({text}), "{_SELECTOR}", "{number}", "", "")'
        for number, text in enumerate(texts)
    )
    return f"min {grouping.text(parsed, also=_SELECTOR)} ({' or '.join(marked)})"


@lru_cache(maxsize=4096)
def well_formed(query: str) -> bool:
    """Whether the query is whole by itself, so that nothing in it can end the one around it."""
    return _parsed(query) is not None


class Grouping(NamedTuple):
    """by or without, and the labels."""

    how: str
    labels: tuple[str, ...]

    def text(self, parsed: _Query, also: str = "") -> str:
        """As PromQL; also: a label to be lost besides."""
        labels = [parsed.text(label) for label in self.labels]
        if also and self.how == "without":
            labels.append(also)
        return f"{self.how} ({', '.join(labels)})"


class _Query(NamedTuple):
    """A query's tree, in which numbered words stand for the texts in quotes.

    The parser would compile regular expressions, which can be made to take half a second, and
    write texts anew otherwise than they were.
    """

    tree: promql.Expr
    literals: tuple[str, ...]

    def text(self, word: str) -> str:
        """The word, or what it stands for."""
        if word.startswith(_LITERAL):
            return self.literals[int(word.removeprefix(_LITERAL))]
        return word

    def selectors(self, selector: promql.VectorSelector) -> Iterator[str]:
        """The selector, once for each metric name that it stands for: `timestamp` takes the name
        away, and two series must not look the same then. Nothing if that cannot be told."""
        found = selector.matchers
        if found.or_matchers or selector.offset is not None or selector.at is not None:
            return
        rest: list[str] = []
        names: tuple[str, ...] = () if selector.name is None else (self.text(selector.name),)
        for matcher in found.matchers:
            value = self.text(matcher.value)
            operator = next(text for op, text in _OPERATORS if op == matcher.op)
            if self.text(matcher.name).strip("\"'`") == "__name__":
                names = _names(operator, value)
            else:
                rest.append(f"{self.text(matcher.name)}{operator}{value}")
        for name in names:
            yield "{" + ",".join((f"__name__={_quoted(name)}", *rest)) + "}"


def _parsed(query: str) -> _Query | None:
    literals: list[str] = []

    def stored(match: re.Match[str]) -> str:
        if match["comment"] is not None:
            return ""
        literals.append(match[0])
        return f'"{_LITERAL}{len(literals) - 1}"'

    if _LITERAL in query:
        return None
    try:
        return _Query(promql.parse(_TEXTS.sub(stored, query)), tuple(literals))
    except Exception:
        return None
    except BaseException as error:
        # A bug of the parser must not end the operator for the sake of one query.
        if type(error).__name__ != "PanicException":
            raise
        return None


def _form(tree: promql.Expr) -> tuple[Grouping | None, list[promql.VectorSelector]] | None:
    """The grouping that all sums of the query have, and all its selectors; None for other forms."""
    groupings: set[Grouping | None] = set()
    selectors: list[promql.VectorSelector] = []
    left = [tree]
    while left:
        one = left.pop()
        match one:
            case promql.ParenExpr():
                left.append(one.expr)
            case promql.BinaryExpr() if str(one.op) in ("+", "-", "or") and _by_all_labels(one):
                left += (one.lhs, one.rhs)
            case promql.VectorSelector():
                groupings.add(None)
                selectors.append(one)
            case promql.AggregateExpr() if str(one.op) == "sum" and one.param is None:
                groupings.add(_grouping(one))
                for found in _alternatives(one.expr):
                    if not isinstance(found, promql.VectorSelector):
                        return None
                    selectors.append(found)
            case _:
                return None
    return (groupings.pop(), selectors) if len(groupings) == 1 else None


def _by_all_labels(binary: promql.BinaryExpr) -> bool:
    modifier = binary.modifier
    return modifier is None or (modifier.matching is None and not modifier.return_bool)


def _grouping(sum_: promql.AggregateExpr) -> Grouping:
    if sum_.modifier is None:
        return Grouping("by", ())
    by = sum_.modifier.type == promql.AggModifierType.By
    return Grouping("by" if by else "without", tuple(sum_.modifier.labels))


def _alternatives(tree: promql.Expr) -> Iterator[promql.Expr]:
    left = [tree]
    while left:
        one = left.pop()
        if isinstance(one, promql.ParenExpr):
            left.append(one.expr)
        elif isinstance(one, promql.BinaryExpr) and str(one.op) == "or" and _by_all_labels(one):
            left += (one.lhs, one.rhs)
        else:
            yield one


def _quoted(name: str) -> str:
    return name if name[:1] in "\"'`" else f'"{name}"'


def _names(operator: str, value: str) -> tuple[str, ...]:
    if operator == "=":
        return (value,)
    if operator != "=~" or "\\" in value:
        return ()
    return tuple(alternatives(value[1:-1]) or ())


def alternatives(pattern: str) -> list[str] | None:
    """The metric names that a regular expression of words, groups, | and ? stands for; None for
    any other, and for more than MOST_NAMES."""
    reader = _Pattern(pattern)
    try:
        found = reader.choice()
    except ValueError:
        return None
    return found if reader.rest == "" and all(map(_PLAIN_NAME.fullmatch, found)) else None


class _Pattern:
    """Reads a pattern from left to right. Raises ValueError for what it does not know."""

    def __init__(self, rest: str) -> None:
        self.rest = rest

    def choice(self) -> list[str]:
        found = self._sequence()
        while self._skipped("|"):
            found = _few([*found, *self._sequence()])
        return found

    def _sequence(self) -> list[str]:
        found = [""]
        while self.rest and self.rest[0] not in "|)":
            ends = self._atom()
            if self._skipped("?"):
                ends = ["", *ends]
            found = _few([start + end for start in found for end in ends])
        return found

    def _atom(self) -> list[str]:
        if self._skipped("(?:") or self._skipped("("):
            found = self.choice()
            if not self._skipped(")"):
                raise ValueError
            return found
        first, self.rest = self.rest[0], self.rest[1:]
        if not re.fullmatch("[A-Za-z0-9_:]", first):
            raise ValueError
        return [first]

    def _skipped(self, text: str) -> bool:
        there = self.rest.startswith(text)
        if there:
            self.rest = self.rest[len(text) :]
        return there


def _few(names: Iterable[str]) -> list[str]:
    found = list(dict.fromkeys(names))
    if len(found) > MOST_NAMES:
        raise ValueError
    return found
