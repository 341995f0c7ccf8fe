"""`python -m bench scale`: the operator's bounds where there is very much of everything.

Each group has an API server of its own on this machine. Bounds on time are of what an operator
does alone on two cores; a crowded machine misses some of them.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

from bench import (
    scale_children,
    scale_leadership,
    scale_models,
    scale_namespaces,
    scale_versions,
    storm,
)
from bench.process import Row

GROUPS: dict[str, Callable[[bool], list[Row]]] = {
    "versions": scale_versions.measure,
    "models": scale_models.measure,
    "children": scale_children.measure,
    "namespaces": scale_namespaces.measure,
    "leadership": scale_leadership.measure,
    "alerts": lambda short: storm.rows(),
}


def main(argv: list[str]) -> int:
    """Exit status 1 if a bound is missed."""
    parser = argparse.ArgumentParser(prog="python -m bench scale", description=__doc__)
    parser.add_argument("--short", action="store_true", help="a tenth of everything, in minutes")
    parser.add_argument("--only", action="append", choices=GROUPS, help="a group, or several")
    options = parser.parse_args(argv)
    tried: list[Row] = []
    for name in options.only or GROUPS:
        started = time.monotonic()
        rows = GROUPS[name](options.short)
        print(f"\n{name} ({time.monotonic() - started:.0f} s)", flush=True)
        for row in rows:
            mark = "" if row.met else "   MISSED"
            print(f"  {row.name:<58}{row.value:>14}{row.target:>14}{mark}", flush=True)
        tried += [row for row in rows if row.target]
    held = sum(row.met for row in tried)
    print(f"\nbounds held: {held} of {len(tried)} tried")
    return 0 if held == len(tried) else 1
