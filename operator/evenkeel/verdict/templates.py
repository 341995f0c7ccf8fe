"""From an indicator that names a template to one with queries and limits of its own.

Arguments are put in here, and nothing of the template is left: evidence is of what is counted and
of the limits, so that whatever changes either begins it anew, be it analysis or template.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, NamedTuple

from evenkeel.api.analysis import IndicatorSpec
from evenkeel.api.indicatortemplate import IndicatorTemplateSpec
from evenkeel.api.modeldeployment import ModelDeployment
from evenkeel.verdict.indicators import UnresolvedIndicator

LIMITS = ("threshold_seconds", "tolerance", "acceptable", "max_ratio", "burn_in_requests")
"""Fields that an indicator has of its template unless it has them itself."""

_ARGUMENT = re.compile(r"\{\{\s*args\.([A-Za-z0-9_.-]+)\s*\}\}")
_PIECES = re.compile(
    r"""(?P<double>"(?:[^"\\\n]|\\.)*")
    |(?P<single>'(?:[^'\\\n]|\\.)*')
    |(?P<raw>`[^`]*`)""",
    re.VERBOSE,
)
_BARE = re.compile(r"-?[0-9.]+(e[+-]?[0-9]+)?|[A-Za-z0-9_:.]+")
"""A name, a number or a duration, which ends nothing that is around it."""

Known = Callable[[IndicatorSpec], IndicatorTemplateSpec | None]
"""The template that an indicator names; None if it is not there."""


class Made(NamedTuple):
    """A ModelDeployment whose indicators have their templates' queries and limits. unmade: by
    indicator why it has none; it keeps its reference."""

    deployment: ModelDeployment
    unmade: Mapping[str, UnresolvedIndicator]


class _Unmade(Exception):
    """An indicator cannot be made of its template."""

    def __init__(self, reason: str, message: str) -> None:
        self.why = UnresolvedIndicator(reason, message)


def made_of_templates(md: ModelDeployment, known: Known) -> Made:
    """The object with all its indicators, those of a probation too, made of their templates."""
    unmade: dict[str, UnresolvedIndicator] = {}

    def made(part: Any) -> Any:
        indicators = []
        for indicator in part.indicators:
            found = instantiated(indicator, known)
            if isinstance(found, UnresolvedIndicator):
                unmade[indicator.name] = found
                found = indicator
            indicators.append(found)
        return part.model_copy(update={"indicators": tuple(indicators)})

    spec, rollout = md.spec, md.spec.rollout
    parts = [part for part in (spec.analysis, rollout.probation) if part is not None]
    if all(i.template_ref is None for part in parts for i in part.indicators):
        return Made(md, unmade)
    update: dict[str, object] = {}
    if spec.analysis is not None:
        update["analysis"] = made(spec.analysis)
    if rollout.probation is not None:
        probation = {"probation": made(rollout.probation)}
        update["rollout"] = rollout.model_copy(update=probation)
    return Made(md.model_copy(update={"spec": spec.model_copy(update=update)}), unmade)


def instantiated(indicator: IndicatorSpec, known: Known) -> IndicatorSpec | UnresolvedIndicator:
    """The indicator as its template makes it; itself if it names none."""
    if indicator.template_ref is None:
        return indicator
    try:
        return _made(indicator, known(indicator))
    except _Unmade as error:
        return error.why


def _made(indicator: IndicatorSpec, template: IndicatorTemplateSpec | None) -> IndicatorSpec:
    ref = indicator.template_ref
    assert ref is not None
    what = f"indicator {indicator.name!r} is of {ref.kind} {ref.name!r}"
    if template is None:
        where = "in this namespace " if ref.kind == "IndicatorTemplate" else ""
        raise _Unmade(
            "TemplateNotFound", f"{what}, which is not {where}there; create it, or name another"
        )
    values = _values(indicator, template, what)
    texts = {"total": template.total, "bad": template.bad, "good": template.good}
    filled = {name: _filled(text, values, what) for name, text in texts.items() if text is not None}
    given = {name: getattr(template, name) for name in LIMITS}
    limits = {
        name: value
        for name, value in given.items()
        if value is not None and name not in indicator.model_fields_set
    }
    made = indicator.model_copy(update={"template_ref": None, "args": (), **filled, **limits})
    _check(made, template, what)
    return made


def _values(indicator: IndicatorSpec, template: IndicatorTemplateSpec, what: str) -> dict[str, str]:
    """The arguments by name, and defaults where there is none."""
    given = {one.name: one.value for one in indicator.args}
    known = [one.name for one in template.parameters]
    if unknown := sorted(given.keys() - set(known)):
        names = ", ".join(known) or "none"
        raise _Unmade(
            "UnknownArgument",
            f"{what}, which has no parameter {unknown[0]!r} (it has: {names}); correct args",
        )
    values = {p.name: given.get(p.name, p.default) for p in template.parameters}
    if missing := [name for name, value in values.items() if value is None]:
        raise _Unmade(
            "MissingArgument",
            f"{what}, whose parameter {missing[0]!r} has no default; give it in args",
        )
    return {name: value for name, value in values.items() if value is not None}


def _filled(text: str, values: Mapping[str, str], what: str) -> str:
    """The query with its arguments, each written for the quotes that it stands in."""
    parts, at = [], 0
    for piece in _PIECES.finditer(text):
        parts.append(_put(text[at : piece.start()], values, what, ""))
        parts.append(_put(piece[0], values, what, piece.lastgroup or ""))
        at = piece.end()
    return "".join((*parts, _put(text[at:], values, what, "")))


def _put(text: str, values: Mapping[str, str], what: str, quotes: str) -> str:
    def value(match: re.Match[str]) -> str:
        if match[1] not in values:
            known = ", ".join(f"{{{{args.{name}}}}}" for name in values) or "none"
            raise _Unmade(
                "UnknownPlaceholder",
                f"{what}, whose queries have {{{{args.{match[1]}}}}} without a parameter of that "
                f"name (known are: {known}); add it to the template's parameters",
            )
        return _written(match[1], values[match[1]], what, quotes)

    return _ARGUMENT.sub(value, text)


def _written(name: str, value: str, what: str, quotes: str) -> str:
    if quotes in ("double", "single"):
        quote = '"' if quotes == "double" else "'"
        return value.replace("\\", "\\\\").replace(quote, f"\\{quote}")
    if quotes == "raw":
        if "`" in value:
            raise _Unmade(
                "InvalidArgument",
                f"{what}, which has the parameter {name!r} between backticks, where a value with a "
                "backtick cannot be written; change the value, or the template's quotes",
            )
        return value
    if _BARE.fullmatch(value) is None:
        raise _Unmade(
            "InvalidArgument",
            f"{what}, which has the parameter {name!r} outside of quotes, where only a name, a "
            f"number or a duration may stand, not {value!r}",
        )
    return value


def _check(made: IndicatorSpec, template: IndicatorTemplateSpec, what: str) -> None:
    """Raises _Unmade for limits that do not go together."""
    threshold, bounds = made.threshold_seconds, template.thresholds
    if threshold is not None and bounds and Decimal(threshold) not in map(Decimal, bounds):
        raise _Unmade(
            "UnknownThreshold",
            f"{what}, and thresholdSeconds {threshold} is not a bucket bound of its histogram; "
            f"take one of {', '.join(bounds)}",
        )
    if made.max_ratio is not None and Decimal(made.acceptable) > Decimal(made.max_ratio):
        raise _Unmade(
            "InvalidLimits",
            f"{what}, and with what both say acceptable ({made.acceptable}) exceeds maxRatio "
            f"({made.max_ratio}); set one of them in the indicator",
        )
