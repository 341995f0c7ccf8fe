"""`make conditions`: the real operator under the conditions of real clusters.

The operator's process, etcd, kube-apiserver and Prometheus are the real ones; pods, model servers
and requests are simulated. The last line says how many conditions held; the exit status is 1 if
one misses its bound or could not be tried.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from bench.conditions import cluster, evidence, hostile, rollouts
from bench.conditions.condition import Condition
from bench.conditions.run import attempt
from bench.conditions.verdict import HEADING, Finding, rows, summary
from bench.conditions.world import World, running
from dev.paths import ROOT

CONDITIONS: tuple[Condition, ...] = (
    *evidence.CONDITIONS,
    *rollouts.CONDITIONS,
    *cluster.CONDITIONS,
    *hostile.CONDITIONS,
)
SHORT = ("clean-good", "clean-bad-10", "crashes-bad", "stable-blinks-bad", "half-capacity-bad")
"""What the short form tries: controls, and the gravest faults of a kind each."""
SHORT_ROLLOUTS = 6
PAGE = "docs/conditions.md"
BELOW = "<!-- python -m bench.conditions --write: below -->"


async def tried(conditions: Sequence[Condition], rollouts: int, beside: int) -> list[Finding]:
    """Findings in the order in which the conditions were given."""
    folder = Path(tempfile.mkdtemp(prefix="evenkeel-conditions-"))
    slots = asyncio.Semaphore(beside)
    findings: dict[str, Finding] = {}

    async def one(world: World, condition: Condition) -> None:
        async with slots:
            findings[condition.name] = finding = await attempt(world, condition, rollouts)
            print("\n".join(rows(finding)), flush=True)

    try:
        async with running(folder, conditions, seed=1) as world:
            print(HEADING, flush=True)
            # The quick ones last, so that no slot stays empty for long.
            order = sorted(conditions, key=lambda c: -c.seconds)
            await asyncio.gather(*(one(world, c) for c in order if not c.alone))
            for condition in (c for c in conditions if c.alone):
                await one(world, condition)
            memory = f"{world.most_memory} MiB at most"
            print(f"\nthe operator's memory: {memory}; it ended {world.restarts} times")
            if world.restarts:
                print(world.tail())
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return [findings[c.name] for c in conditions if c.name in findings]


def table() -> str:
    """All conditions as a Markdown table."""
    lines = ["| condition | what happens | must not happen, of all rollouts |", "|---|---|---|"]
    for condition in CONDITIONS:
        bounds = (f"{b.what}: {f'{b.share:.0%}' if b.share else 'none'}" for b in condition.bounds)
        lines.append(f"| `{condition.name}` | {condition.about} | {', '.join(bounds)} |")
    return "\n".join(lines)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make conditions", description=__doc__)
    parser.add_argument("--only", action="append", default=[], metavar="NAME", help="repeatable")
    parser.add_argument("--rollouts", type=int, help="of each condition (50; short: 6)")
    parser.add_argument("--beside", type=int, help="conditions at once (3; short: all)")
    parser.add_argument("--short", action="store_true", help=", ".join(SHORT))
    parser.add_argument("--list", action="store_true", help="what the conditions are")
    parser.add_argument("--write", action="store_true", help=f"the list into {PAGE}")
    chosen = parser.parse_args()
    known = {c.name for c in CONDITIONS}
    for name in chosen.only:
        if name not in known:
            parser.error(f"there is no condition {name!r}; --list names them")
    return chosen


def main() -> int:
    chosen = arguments()
    names = chosen.only or (SHORT if chosen.short else [c.name for c in CONDITIONS])
    compared = {c.after for c in CONDITIONS if c.name in names}
    conditions = [c for c in CONDITIONS if c.name in compared.union(names)]
    if chosen.write:
        page = ROOT / PAGE
        head, mark, _ = page.read_text().partition(BELOW)
        page.write_text(f"{head}{mark}\n\n{table()}\n")
        return 0
    if chosen.list:
        for condition in conditions:
            print(f"{condition.name:<26}{condition.about}")
        return 0
    rollouts = chosen.rollouts or (SHORT_ROLLOUTS if chosen.short else 50)
    os.chdir(ROOT)
    started = time.monotonic()
    # SIGTERM unwinds as Ctrl-C does, so that every process is ended.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    beside = chosen.beside or (len(SHORT) if chosen.short else 3)
    try:
        findings = asyncio.run(tried(conditions, rollouts, beside))
    except KeyboardInterrupt:
        return 130
    Path("build").mkdir(exist_ok=True)
    found = "\n".join(line for f in findings for line in rows(f))
    Path("build/conditions.txt").write_text(f"{HEADING}\n{found}\n{summary(findings)}\n")
    Path("build/conditions.json").write_text(
        json.dumps({f.name: {"held": f.held, "broken": f.broken} for f in findings}, indent=1)
    )
    print(f"{time.monotonic() - started:.0f} s in all")
    print(summary(findings))
    return 0 if all(f.held for f in findings) and findings else 1


if __name__ == "__main__":
    sys.exit(main())
