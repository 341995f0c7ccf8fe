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
from evenkeel.api.webcounters import WebCounters
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
_SEGMENT = re.compile(r"(\{\{\w+\}\}|[A-Za-z0-9._~-])+")
_RESERVED = re.compile(r"[^A-Za-z0-9._~{}-]")
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
    filled: dict[str, object] = {
        name: _filled(text, values, what) for name, text in texts.items() if text is not None
    }
    if template.web is not None:
        filled = {"web": _web(template.web, values, what)}
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
        parts.append(_put(text[at : piece.start()], values, what, _bare))
        parts.append(_put(piece[0], values, what, _QUOTED[piece.lastgroup or ""]))
        at = piece.end()
    return "".join((*parts, _put(text[at:], values, what, _bare)))


def _web(web: WebCounters, values: Mapping[str, str], what: str) -> WebCounters:
    """The web API with its arguments."""
    path, mark, query = web.url.partition("?")
    url = _put(path, values, what, _of_path) + mark + _put(query, values, what, _of_query)
    pointers = {
        name: _put(text, values, what, _of_pointer)
        for name in ("total", "good", "bad")
        if (text := getattr(web, name)) is not None
    }
    return web.model_copy(update={"url": url, **pointers})


Write = Callable[[str], str | None]
"""How a value is written at a place; None where it cannot stand there."""


def _put(text: str, values: Mapping[str, str], what: str, write: Write) -> str:
    def written(match: re.Match[str]) -> str:
        name = match[1]
        if name not in values:
            known = ", ".join(f"{{{{args.{name}}}}}" for name in values) or "none"
            raise _Unmade(
                "UnknownPlaceholder",
                f"{what}, which has {{{{args.{name}}}}} without a parameter of that "
                f"name (known are: {known}); add it to the template's parameters",
            )
        found = write(values[name])
        if found is None:
            raise _Unmade(
                "InvalidArgument",
                f"{what}, which has the parameter {name!r} {_PLACES[write]}, not {values[name]!r}",
            )
        return found

    return _ARGUMENT.sub(written, text)


def _double(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"')


def _single(value: str) -> str:
    return value.replace("\\", "\\\\").replace("'", "\\'")


def _raw(value: str) -> str | None:
    return None if "`" in value else value


def _bare(value: str) -> str | None:
    return value if _BARE.fullmatch(value) else None


def _of_path(value: str) -> str | None:
    return value if _SEGMENT.fullmatch(value) and value.strip(".") else None


def _of_query(value: str) -> str:
    return _RESERVED.sub(lambda c: "".join(f"%{octet:02X}" for octet in c[0].encode()), value)


def _of_pointer(value: str) -> str:
    return value.replace("~", "~0").replace("/", "~1")


_QUOTED: Mapping[str, Write] = {"double": _double, "single": _single, "raw": _raw}
_PLACES: Mapping[Write, str] = {
    _bare: "outside of quotes, where only a name, a number or a duration may stand",
    _raw: "between backticks, where no backtick can be written; change the value, or the "
    "template's quotes",
    _of_path: "in the path of its url, where only letters, digits and -._~ may stand",
}


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
