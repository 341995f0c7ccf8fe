"""Requests by their headers and cookies, as Gateway API matches them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import permutations

from evenkeel.api.exposure import Match
from evenkeel.meta.objects import Manifest

DOT = r"\."
"""Nothing else that the API allows in a cookie has a meaning in expressions."""


def header_matches(matches: Iterable[Match]) -> list[Manifest]:
    """One entry a match; a request needs all headers of an entry, and one entry."""
    return [{"headers": _headers(match)} for match in matches]


def _headers(match: Match) -> list[Manifest]:
    found = [header.wire() for header in match.headers]
    if match.cookies:
        # A route knows a header once, so that all cookies are one expression.
        found.append(with_cookies({c.name: c.value for c in match.cookies}))
    return found


def with_cookies(cookies: Mapping[str, str]) -> Manifest:
    """A match of a request that has all of these cookies, in any order."""
    orders = (_in_order(order) for order in permutations(cookies.items()))
    return {"type": "RegularExpression", "name": "Cookie", "value": "|".join(orders)}


def _in_order(cookies: Iterable[tuple[str, str]]) -> str:
    """An expression for the whole header, since some gateways search and others match the whole.

    It has only what RE2, PCRE and Go read alike.
    """
    pairs = (f"{name}={value.replace('.', DOT)}" for name, value in cookies)
    return "^(.*; *)?" + "; *(.*; *)?".join(pairs) + "(;.*)?$"
