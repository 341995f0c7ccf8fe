"""Error rates, power and speed of the canary verdict, by simulation of the shipped code.

    python -m bench.verdict [--runs 4000] [--seed 1] [--json FILE]

Needs numpy. Prints Markdown tables; exits with 1 if an error rate is above its bound by more than
three standard errors. About ten minutes on one core at the default 4,000 runs.
"""

import argparse
import json
import math
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from evenkeel.verdict.verdict import Block, Evidence, Indicator, Value, judge

LOOKS = 30
STRICT = Indicator("errors", tolerance=0.0, acceptable=0.0)
DEFAULT = Indicator("errors")


@dataclass(frozen=True)
class Scene:
    """Mean canary requests per look, canary weight, bad ratios of canary and stable."""

    per_look: float
    weight: float
    canary: float
    stable: float

    def looks(self, random: np.random.Generator, looks: int) -> list[list[int]]:
        """One rollout: (canary bad, canary total, stable bad, stable total) of every look."""
        canary = random.poisson(self.per_look, looks)
        stable = random.poisson(self.per_look * (1 - self.weight) / self.weight, looks)
        counts = (
            random.binomial(canary, self.canary),
            canary,
            random.binomial(stable, self.stable),
            stable,
        )
        return [list(row) for row in np.stack(counts, axis=1).tolist()]


@dataclass(frozen=True)
class Outcome:
    """Shares of the runs that failed and that passed, with the median look and requests."""

    failed: float
    passed: float
    look: float
    requests: float


def simulate(
    scene: Scene, indicator: Indicator, runs: int, seed: int, looks: int = LOOKS
) -> Outcome:
    """Runs until the first fail, which ends a rollout; a pass is noted and does not."""
    random = np.random.default_rng(seed)
    at: list[int] = []
    requests: list[int] = []
    passed = 0
    for _ in range(runs):
        evidence = Evidence(indicator)
        has_passed = False
        for look, counts in enumerate(scene.looks(random, looks), start=1):
            evidence = evidence.fold(Block(*counts))
            found = judge(evidence, min_requests=0, step_requests=evidence.canary_total)
            has_passed |= found.value is Value.PASS
            if found.value is Value.FAIL:
                at.append(look)
                requests.append(evidence.canary_total)
                break
        passed += has_passed
    middle = statistics.median(at) if at else math.nan
    return Outcome(
        len(at) / runs,
        passed / runs,
        middle,
        statistics.median(requests) if requests else math.nan,
    )


def holds(share: float, bound: float, runs: int) -> str:
    """Whether the share found is compatible with the bound, within three standard errors."""
    return "yes" if share <= bound + 3 * math.sqrt(bound * (1 - bound) / runs) else "NO"


def requests_until(
    value: Value, indicator: Indicator, bad: Callable[[int], int], limit: int, history: int = 0
) -> int | None:
    """Canary requests, one a block beside 9 on stable, until `value`; None beyond `limit`."""
    evidence = Evidence(indicator)
    for _ in range(history):
        evidence = evidence.fold(Block(0, 1, 0, 9))
    for request in range(1, limit + 1):
        evidence = evidence.fold(Block(bad(request), 1, 0, 9))
        if judge(evidence, min_requests=0, step_requests=request).value is value:
            return request
    return None


def false_aborts(runs: int, seed: int) -> list[dict[str, object]]:
    """No regression, tolerance 0 and no acceptable ratio: the hardest case for alpha 1 %."""
    rows: list[dict[str, object]] = []
    for weight in (0.01, 0.05, 0.1, 0.5):
        for per_minute in (20, 200, 2000):
            for ratio in (0.001, 0.01, 0.1):
                scene = Scene(per_minute, weight, ratio, ratio)
                found = simulate(scene, STRICT, runs, seed)
                rows.append(
                    {
                        "canary req/min": per_minute,
                        "weight": f"{weight:.0%}",
                        "bad ratio": f"{ratio:.1%}",
                        "false aborts": f"{found.failed:.2%}",
                        "bound": f"{STRICT.alpha:.0%}",
                        "holds": holds(found.failed, STRICT.alpha, runs),
                    }
                )
    return rows


def edges(runs: int, seed: int) -> list[dict[str, object]]:
    """At the edge of each null hypothesis; the errors must stay below alpha or beta."""
    cases = [
        ("fail", "1.5 times stable's 20 %, tolerance 0.5", Scene(200, 0.1, 0.3, 0.2),
         Indicator("errors", tolerance=0.5, acceptable=0.0)),
        ("fail", "acceptable 0.5 %, stable faultless", Scene(2000, 0.1, 0.005, 0.0),
         Indicator("errors", tolerance=0.0, acceptable=0.005)),
        ("fail", "at maxRatio 2 %, as stable", Scene(2000, 0.1, 0.02, 0.02),
         Indicator("errors", acceptable=0.0, max_ratio=0.02)),
        ("pass", "at both limits: 1.5 times stable's 1 %, acceptable 1.5 %",
         Scene(2000, 0.1, 0.015, 0.01), Indicator("errors", tolerance=0.5, acceptable=0.015)),
        ("pass", "twice stable's 1 %, defaults", Scene(2000, 0.1, 0.02, 0.01), DEFAULT),
    ]  # fmt: skip
    rows: list[dict[str, object]] = []
    for error, what, scene, indicator in cases:
        found = simulate(scene, indicator, runs, seed)
        share = found.failed if error == "fail" else found.passed
        bound = indicator.alpha if error == "fail" else indicator.beta
        rows.append(
            {
                "false": error,
                "canary": what,
                "found": f"{share:.2%}",
                "bound": f"{bound:.0%}",
                "holds": holds(share, bound, runs),
            }
        )
    return rows


def power(runs: int, seed: int) -> list[dict[str, object]]:
    """How often and how soon a regression fails."""
    rows: list[dict[str, object]] = []
    for name, indicator in (("strict", STRICT), ("defaults", DEFAULT)):
        for weight in (0.01, 0.05, 0.1, 0.5):
            for per_minute in (20, 200, 2000):
                found = simulate(Scene(per_minute, weight, 0.03, 0.01), indicator, runs, seed)
                rows.append(
                    {
                        "limits": name,
                        "weight": f"{weight:.0%}",
                        "canary req/min": per_minute,
                        "failed": f"{found.failed:.1%}",
                        "median look": f"{found.look:.0f}",
                        "median canary requests": f"{found.requests:.0f}",
                    }
                )
    return rows


def one_second_looks(runs: int, seed: int) -> list[dict[str, object]]:
    """3,600 looks, one a second, at 10 % weight."""
    rows: list[dict[str, object]] = []
    for per_minute in (20, 200, 2000):
        for canary, stable in ((0.01, 0.01), (0.1, 0.1), (0.03, 0.01)):
            scene = Scene(per_minute / 60, 0.1, canary, stable)
            found = simulate(scene, STRICT, runs, seed, looks=3600)
            rows.append(
                {
                    "canary req/min": per_minute,
                    "canary, stable": f"{canary:.0%}, {stable:.0%}",
                    "failed": f"{found.failed:.2%}",
                    "median second": f"{found.look:.0f}",
                    "runs": runs,
                }
            )
    return rows


def delays(runs: int, seed: int) -> list[dict[str, object]]:
    """Canary requests, at 10 % weight with stable faultless, until the verdict."""

    def median(value: Value, bad_ratio: float, limit: int, history: int, times: int) -> str:
        random = np.random.default_rng(seed)
        found = []
        for _ in range(times):
            bad = (random.random(limit + 1) < bad_ratio).astype(int).tolist()
            found.append(requests_until(value, DEFAULT, bad.__getitem__, limit, history))
        known = sorted(limit if one is None else one for one in found)
        middle, late = known[len(known) // 2], known[int(len(known) * 0.99)]
        return f"{middle} ({late})"

    few = max(20, runs // 40)
    return [
        {"case": "50 % errors from the start: fail", "requests, median (p99)":
         median(Value.FAIL, 0.5, 500, 0, runs)},
        {"case": "100 % errors from the start: fail", "requests, median (p99)":
         median(Value.FAIL, 1.0, 500, 0, few)},
        {"case": "50 % errors after 3,600 faultless requests: fail", "requests, median (p99)":
         median(Value.FAIL, 0.5, 500, 3600, few)},
        {"case": "faultless, acceptable 0.5 %: pass", "requests, median (p99)":
         median(Value.PASS, 0.0, 5000, 0, 20)},
        {"case": "0.1 % errors, acceptable 0.5 %: pass", "requests, median (p99)":
         median(Value.PASS, 0.001, 20_000, 0, few)},
    ]  # fmt: skip


def shared_incident(runs: int, seed: int) -> list[dict[str, object]]:
    """A minute of errors on both sides alike, scraped out of step, at 10 % weight."""
    rows: list[dict[str, object]] = []
    for interval in (15, 5, 2, 1):
        for rate in (10, 100):
            shares = {}
            for confirmations in (1, 2):
                random = np.random.default_rng(seed)
                limits = Indicator("errors", confirmations=confirmations)
                failed = sum(_incident_fails(random, limits, interval, rate) for _ in range(runs))
                shares[f"{confirmations} confirmation{'s' * (confirmations > 1)}"] = (
                    f"{failed / runs:.1%}"
                )
            rows.append({"scrape interval": f"{interval} s", "req/s": rate, **shares})
    return rows


def _incident_fails(
    random: np.random.Generator, limits: Indicator, interval: int, rate: int
) -> bool:
    seconds, start = 240, int(random.integers(100, 115))
    begins = int(random.integers(0, interval)), int(random.integers(0, interval))
    sides = [random.poisson(rate * share, seconds) for share in (0.1, 0.9)]
    incident = np.zeros(seconds, int)
    incident[start : start + 60] = 1
    evidence, last = Evidence(limits), [0, 0]
    for second in range(seconds):
        counts = [0, 0, 0, 0]
        for side, total in enumerate(sides):
            if second % interval == begins[side]:
                window = slice(last[side], second)
                counts[2 * side] = int((total * incident)[window].sum())
                counts[2 * side + 1] = int(total[window].sum())
                last[side] = second
        evidence = evidence.fold(Block(*counts))
        found = judge(evidence, min_requests=0, step_requests=evidence.canary_total)
        if found.value is Value.FAIL:
            return True
    return False


def speed() -> list[dict[str, object]]:
    """Best of seven timings of fold and judge, and the size of an indicator in status."""
    rows: list[dict[str, object]] = []
    for name, indicator in (("defaults", DEFAULT), ("maxRatio", Indicator("e", max_ratio=0.2))):
        evidence = Evidence(indicator)
        block, best, turns = Block(0, 33, 3, 330), math.inf, 2000
        for _ in range(7):
            start = time.perf_counter()
            for _ in range(turns):
                evidence = evidence.fold(block)
                judge(evidence, min_requests=10, step_requests=50)
            best = min(best, (time.perf_counter() - start) / turns)
        size = len(json.dumps(evidence.to_status(), separators=(",", ":")))
        rows.append(
            {"indicator": name, "fold + judge": f"{best * 1e6:.0f} µs", "status": f"{size} bytes"}
        )
    return rows


def main() -> int:
    """Prints every table; 1 if a bound does not hold, else 0."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--runs", type=int, default=4000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    runs, seed = options.runs, options.seed
    tables: dict[str, list[dict[str, object]]] = {}
    tasks: tuple[tuple[str, Callable[[], list[dict[str, object]]]], ...] = (
        (f"False aborts, {LOOKS} looks, {runs} runs", lambda: false_aborts(runs, seed)),
        (f"At the edge of the null hypotheses, {runs} runs", lambda: edges(runs, seed)),
        (f"Canary 3 % against 1 %, {LOOKS} looks, {runs} runs", lambda: power(runs, seed)),
        ("3,600 looks, one a second", lambda: one_second_looks(max(20, runs // 20), seed)),
        ("Canary requests until the verdict", lambda: delays(runs // 4, seed)),
        (
            "Good canaries failed in a shared incident, scrapes out of step",
            lambda: shared_incident(max(20, runs // 10), seed),
        ),
        ("Speed", speed),
    )
    for title, table in tasks:
        tables[title] = rows = table()
        print(f"\n{title}\n\n| " + " | ".join(rows[0]) + " |\n|" + "---|" * len(rows[0]))
        for row in rows:
            print("| " + " | ".join(map(str, row.values())) + " |")
        sys.stdout.flush()
    if options.json:
        options.json.write_text(json.dumps(tables, indent=2) + "\n")
    return int(any(row.get("holds") == "NO" for rows in tables.values() for row in rows))


if __name__ == "__main__":
    sys.exit(main())
