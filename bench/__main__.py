"""`make bench`: the operator's figures on one real API server, against the design's table.

`python -m bench scale` has other figures: those of very many objects (bench/scale.py).

Everything runs on this machine at once, so the times to compare are the ratios: what the operator
needs against what the bare writes of the same children need.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path

from bench import alerts, deployments, looks, pairs, scale
from bench.cluster import cluster
from bench.process import Row


def run(count: int) -> list[Row]:
    """All figures."""
    seen = [*looks.measure(), *pairs.measure()]
    with cluster() as made:
        raw = asyncio.run(deployments.raw_writes(count))
        with made.operator() as operator:
            rows = asyncio.run(deployments.measure(operator, count, raw))
            return rows + asyncio.run(alerts.measure(operator)) + seen


def main() -> int:
    if sys.argv[1:2] == ["scale"]:
        return scale.main(sys.argv[2:])
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 500
    started = time.monotonic()
    rows = run(count)
    print(f"\n{'figure':<52}{'measured':>14}{'target':>14}")
    for row in rows:
        mark = "" if row.met else "   MISSED"
        print(f"{row.name:<52}{row.value:>14}{row.target:>14}{mark}")
    Path("build").mkdir(exist_ok=True)
    Path("build/bench.json").write_text(json.dumps([row._asdict() for row in rows], indent=1))
    print(f"\n{time.monotonic() - started:.0f} s in all")
    return 0 if all(row.met for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
