"""From an indicator of a web API to the question about each revision."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from evenkeel.api.analysis import IndicatorSpec
from evenkeel.api.indicatortemplate import IndicatorTemplateSpec
from evenkeel.outside.counters import CountersQuestion
from evenkeel.verdict.indicators import Side, UnresolvedIndicator
from evenkeel.verdict.templates import instantiated
from evenkeel.verdict.web_counters import WebQuestion, web_question
from hypothesis import given
from hypothesis import strategies as st

SIDE = Side("shop", "fraud", "fraud-0123456789")
LINE = st.text(st.characters(exclude_categories=("Cc", "Cs")), max_size=40)


def asked(**web: Any) -> WebQuestion | UnresolvedIndicator:
    spec = IndicatorSpec.model_validate({"name": "refunds", "web": web})
    return web_question(spec, SIDE)


def templated(web: dict[str, Any], **args: str) -> IndicatorSpec | UnresolvedIndicator:
    template = {"web": web, "parameters": [{"name": name} for name in args]}
    given_args = [{"name": name, "value": value} for name, value in args.items()]
    spec = {"name": "refunds", "templateRef": {"name": "t"}, "args": given_args}
    known = IndicatorTemplateSpec.model_validate(template)
    return instantiated(IndicatorSpec.model_validate(spec), lambda _: known)


def test_each_side_has_its_own_address() -> None:
    assert asked(url="https://h/{{namespace}}/{{revision}}") == WebQuestion(
        "https://h/shop/fraud-0123456789", CountersQuestion("", "/total", "/good")
    )


def test_parameters_and_pointers_may_have_placeholders() -> None:
    found = asked(
        url="https://h/counts?of={{deployment}}&x=1", total="/{{revision}}/n", bad="/{{revision}}/b"
    )
    pointers = ("/fraud-0123456789/n", "/fraud-0123456789/b")
    assert found == WebQuestion("https://h/counts", CountersQuestion("of=fraud&x=1", *pointers))


def test_what_is_no_name_is_no_placeholder_here() -> None:
    found = asked(url="https://h/{{revision}}?pods={{pods}}")
    assert isinstance(found, UnresolvedIndicator)
    assert found.reason == "UnknownPlaceholder"
    assert "{{pods}} in web; known there are {{deployment}}, {{namespace}}" in found.message


@given(LINE)
def test_arguments_stay_what_they_are_after_the_question_mark(value: str) -> None:
    made = templated({"url": "https://h/c?a={{args.x}}&r={{revision}}"}, x=value)
    assert isinstance(made, IndicatorSpec)
    assert made.web is not None
    query = urlsplit(made.web.url).query
    wanted = {} if not value else {"a": [value]}
    assert parse_qs(query) == {**wanted, "r": ["{{revision}}"]}


@pytest.mark.parametrize("value", ["", ".", "..", "a/b", "a?b", "a#b", "a b", "%2e%2e", "ä"])
def test_arguments_in_the_path_are_plain(value: str) -> None:
    made = templated({"url": "https://h/{{args.x}}/{{revision}}"}, x=value)
    assert isinstance(made, UnresolvedIndicator)
    assert made.reason == "InvalidArgument"
    assert "in the path of its url" in made.message


def test_arguments_in_path_and_pointers() -> None:
    web = {"url": "https://h/{{args.x}}", "total": "/n/{{args.y}}", "good": "/g/{{args.y}}"}
    made = templated(web, x="{{revision}}", y="a/b~c")
    assert isinstance(made, IndicatorSpec)
    found = web_question(made, SIDE)
    pointers = ("/n/a~1b~0c", "/g/a~1b~0c")
    assert found == WebQuestion("https://h/fraud-0123456789", CountersQuestion("", *pointers))
