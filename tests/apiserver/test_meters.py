"""What a real Prometheus tells of the meters of a revision."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

import yaml
from evenkeel.adapters.access import Access
from evenkeel.adapters.meters import Meters, uncounted
from evenkeel.adapters.prometheus import Prometheus
from evenkeel.api.analysis import IndicatorSpec
from evenkeel.outside.meters import BlockCounts, BlockQuestion, MeterQuestion, MeterSeen
from evenkeel.verdict.indicators import Queries, Side, pods, resolve
from evenkeel.verdict.queries import Moment, Question, by_part, seen
from evenkeel.verdict.samples import Look

from dev.paths import ROOT
from tests.support.operating import until
from tests.support.real_prometheus import RealPrometheus, prometheus

PODS = ("fraud-1-7d9f-abcde", "fraud-1-7d9f-bcdef")
OTHER = "fraud-2-7d9f-abcde"
BINS = [str(n) for n in range(12)] + ["missing"]
LONG = [*map(str, range(10, 16)), "other"]


def exposed(rows: int, state: str = "Used", digest: str = "d1") -> str:
    """As the meter writes it: of 12 bins and the missing ones all rows are in bin 11."""
    lines = [f'evenkeel_model_profile_info{{digest="{digest}",state="{state}",why="so"}} 1']
    lines += [
        f'evenkeel_model_bodies_total{{result="{result}"}} {number}'
        for result, number in (("counted", rows), ("mismatched", 0))
    ]
    for label in BINS:
        of = f'kind="feature",name="x",bin="{label}"'
        count = rows if label == "11" else 0
        lines.append(f"evenkeel_model_values_total{{{of}}} {count}")
        lines.append(f'evenkeel_model_reference_values{{{of},range="to {label}"}} 7')
    return "\n".join(lines) + "\n"


def labelled(process: str, good: float, bad: float, revision: str = "fraud-1") -> str:
    """As the server for labels writes it, with the slices of the revision and what others have."""
    lines = []
    for of, slice_, parts in (
        ("", "", (0.0, 0.0)),
        (revision, "", (good, bad)),
        (revision, "region=north", (good, bad)),
        ("fraud-9", "", (7e6, 7e6)),
    ):
        for result, number in zip(("good", "bad"), parts, strict=True):
            labels = f'process="{process}",revision="{of}",slice="{slice_}",result="{result}"'
            lines.append(f'evenkeel_labels_total{{deployment="fraud",{labels}}} {number}')
    return "\n".join(lines) + "\n"


async def scraped(server: RealPrometheus, adapter: Prometheus, text: str, mark: str) -> None:
    """Exposes it at the first revision's pods, until they have been scraped twice."""
    server.targets = dict.fromkeys(PODS, text) | {OTHER: exposed(1_000_000, digest="d9")}
    began, deadline = time.time(), time.time() + 30
    while True:
        found = await adapter.ask(Access(server.url, guarded=False), f"timestamp({mark})")
        mine = [s for s in found.samples if s.labels["pod"] in PODS and s.value > began + 1]
        if len(mine) == len(PODS):
            return
        assert time.time() < deadline


async def test_a_block_is_that_of_one_revision_and_stays_as_it_was(tmp_path: Path) -> None:
    adapter = Prometheus()
    async with prometheus(tmp_path, *PODS, OTHER) as server:
        meters, access = Meters(adapter), Access(server.url, guarded=False)
        now = MeterQuestion(None, "shop", pods("fraud-1"))
        assert await meters.seen(now, access, None) == MeterSeen()
        began = int(time.time())
        for rows in (0, 100):
            mark = f'evenkeel_model_values_total{{bin="11"}} == {rows}'
            await scraped(server, adapter, exposed(rows), mark)
        end = int(time.time()) + 1
        await until(lambda: time.time() > end)
        assert await meters.seen(now, access, None) == MeterSeen("Used", "d1", "so", counted=True)
        question = BlockQuestion(None, "shop", pods("fraud-1"), end - began, end)
        found = await meters.block(question, access, None)
        assert (found.void, found.digest, found.end) == ("", "d1", end)
        reference = {cell[2]: (reads, rows) for cell, reads, rows in found.reference}
        assert reference == {label: (f"to {label}", 7) for label in BINS}
        rows_of = {cell[2]: rows for cell, rows in found.rows}
        # 100 of each pod, drawn out to the ends of the block.
        assert 200 <= rows_of.pop("11") <= 400
        assert set(rows_of.values()) == {0}
        server.targets = {}
        gone = int(time.time()) + 6
        await until(lambda: time.time() > gone)
        idle = BlockQuestion(None, "shop", pods("fraud-1"), gone - began, gone)
        whole = await meters.block(idle, access, None)
        assert (whole.void, len(whole.reference)) == ("", len(BINS)), "no pod ran at its end"
        assert sum(rows for _, rows in whole.rows) >= 200
        broken = exposed(100, "Broken", "")
        await scraped(server, adapter, broken, 'evenkeel_model_profile_info{state="Broken"}')
        assert await meters.block(question, access, None) == found, "the past stays as it was"
        assert (await meters.seen(now, access, None)).state == "Broken"
        later = int(time.time()) + 1
        await until(lambda: time.time() > later)
        after = BlockQuestion(None, "shop", pods("fraud-1"), 60, later)
        assert (await meters.block(after, access, None)).void == "the profile was broken: so"
        future = BlockQuestion(None, "shop", pods("fraud-1"), 60, end + 100_000)
        assert (await meters.block(future, access, None)).void == "no meter was scraped"
    await adapter.close()


async def test_a_profile_of_many_long_names_is_read_from_a_tenants_server(tmp_path: Path) -> None:
    """It takes more than an answer of a server that nobody vouches for may have."""
    adapter, pod = Prometheus(), PODS[0]
    cells = [(f"{n:03}" + "x" * 200, label) for n in range(256) for label in LONG]
    lines = ['evenkeel_model_profile_info{digest="d1",state="Used",why=""} 1']
    for name, label in cells:
        of = f'kind="feature",name="{name}",bin="{label}"'
        lines.append(f"evenkeel_model_values_total{{{of}}} 3")
        lines.append(f'evenkeel_model_reference_values{{{of},range="{"r" * 200}"}} 7')
    async with prometheus(tmp_path, pod) as server:
        server.targets = {pod: "\n".join(lines) + "\n"}
        meters, access = Meters(adapter), Access(server.url, guarded=True)
        now = MeterQuestion(None, "shop", pods("fraud-1"))
        deadline = time.time() + 60
        while not (await meters.seen(now, access, None)).state:
            assert time.time() < deadline
        question = BlockQuestion(None, "shop", pods("fraud-1"), 60, int(time.time()) + 1)
        found = await meters.block(question, access, None)
        assert {(cell[1], cell[2]) for cell, _, _ in found.reference} == set(cells)
    await adapter.close()


RESULTS = ("counted", "skipped", "too_large", "unreadable", "unknown", "mismatched")
BODIES: list[dict[str, int]] = [
    {},
    {"counted": 1, "skipped": 900},
    {"counted": 60, "mismatched": 70, "skipped": 9000},
    {"counted": 60, "mismatched": 50, "skipped": 9000},
    {"counted": 60, "too_large": 90, "skipped": 9000},
    {"counted": 60, "too_large": 9000, "skipped": 900},
    {"unknown": 3, "unreadable": 2},
    {"skipped": 5, "unknown": 4},
    {"skipped": 9},
]


def bodies(deployment: str, numbers: Mapping[str, int], state: str) -> str:
    of = f'deployment="{deployment}"'
    lines = [f'evenkeel_model_profile_info{{{of},state="{state}"}} 1']
    for result in RESULTS:
        count = numbers.get(result, 0)
        lines.append(f'evenkeel_model_bodies_total{{{of},result="{result}"}} {count}')
    return "\n".join(lines) + "\n"


async def test_the_alert_sees_what_the_condition_tells(tmp_path: Path) -> None:
    rules = yaml.safe_load((ROOT / "docs" / "monitoring-rules.yaml").read_text())
    known = (rule for group in rules["groups"] for rule in group["rules"])
    alert = next(rule["expr"] for rule in known if rule["alert"] == "ModelBodiesUncounted")
    adapter = Prometheus()
    cases = {f"m{n}": one for n, one in enumerate(BODIES)} | {"none": {"skipped": 9}}
    async with prometheus(tmp_path, *cases) as server:
        access = Access(server.url, guarded=False)

        async def scraped(cases: Mapping[str, Mapping[str, int]]) -> None:
            of = {
                n: bodies(n, one, "Absent" if n == "none" else "Used") for n, one in cases.items()
            }
            server.targets = dict(of)
            began, deadline = time.time(), time.time() + 30
            while True:
                found = await adapter.ask(access, "timestamp(evenkeel_model_profile_info)")
                if len([s for s in found.samples if s.value > began + 1]) == len(cases):
                    return
                assert time.time() < deadline

        await scraped({key: {} for key in cases})
        await scraped(cases)
        found = await adapter.ask(access, alert)
    await adapter.close()
    told = {name for name, one in cases.items() if name != "none" and uncounted(one)}
    assert {sample.labels["deployment"] for sample in found.samples} == told


async def test_labels_of_a_block_are_counted_exactly_whatever_restarts(tmp_path: Path) -> None:
    """First labels, parts of labels, a server that begins anew, and no meter at all."""
    adapter, pod, renamed = Prometheus(), "fraud-feedback-7d9f-abcde", "fraud-feedback"
    async with prometheus(tmp_path, pod, renamed) as server:
        meters, access = Meters(adapter), Access(server.url, guarded=False)

        async def shown(text: str, pod: str = pod) -> int:
            """Exposes it until it was scraped; then a time after that."""
            server.targets = {pod: text}
            began = time.time()
            while True:
                asked = f'max(timestamp(evenkeel_labels_total{{pod="{pod}"}}))'
                found = await adapter.ask(access, asked)
                if found.samples and found.samples[0].value > began + 1:
                    return int(time.time()) + 1
                assert time.time() < began + 30

        async def block(begin: int, end: int) -> BlockCounts:
            await until(lambda: time.time() > end)
            of = ("fraud", "fraud-1")
            asked = BlockQuestion(None, "shop", pods("fraud-1"), end - begin, end, of)
            return await meters.block(asked, access, None)

        started = await shown(labelled("p1", 0, 0, "fraud-0"))
        first = await shown(labelled("p1", 90.25, 9.75))
        second = await shown(labelled("p1", 100.5, 19.5))
        await shown(labelled("p1", 101.5, 19.5))
        third = await shown(labelled("p2", 3, 2))
        found = await block(started, first)
        assert (found.labels, found.void) == ((9, 100), "no meter was scraped")
        assert (await block(first, second)).labels == (9, 20)
        assert (await block(second, third)).labels == (2, 6)
        assert (await block(started, third)).labels == (21, 126)
        assert (await block(started - 60, started)).labels is None
        fourth = await shown(labelled("p2", 7, 2), renamed)
        assert (await block(third, fourth)).labels == (0, 4), "the same counters by other labels"
        unasked = BlockQuestion(None, "shop", pods("fraud-1"), third - started, third)
        assert (await meters.block(unasked, access, None)).labels is None
    await adapter.close()


async def test_the_indicator_of_labels_sees_every_label_of_its_revision(tmp_path: Path) -> None:
    adapter, pod = Prometheus(), "fraud-feedback-7d9f-abcde"
    spec = IndicatorSpec.model_validate({"name": "labels", "source": "Meter", "maxRatio": "0.2"})
    sides = [resolve(spec, None, Side("shop", "fraud", r, labels=True)) for r in ("fraud-1", "x")]
    assert all(isinstance(one, Queries) for one in sides)
    question = Question("q", *sides)
    async with prometheus(tmp_path, pod) as server:
        access = Access(server.url, guarded=False)
        for text, counts in (
            (labelled("p1", 0, 0, "fraud-0"), (0, 0)),
            (labelled("p1", 90.25, 9.75), (100, 91)),
        ):
            server.targets = {pod: text}
            deadline = time.time() + 30
            while True:
                answer = await adapter.ask(access, question.text())
                look = seen(question, by_part(answer.samples), Moment(time.time()), {})
                if isinstance(look, Look):
                    (reading,) = look.canary.values()
                    if (reading.total, reading.counted) == counts:
                        break
                assert time.time() < deadline, look
            assert [*look.canary] == ["process=p1"]
            assert reading.time is not None
            assert reading.time == reading.counted_time
    await adapter.close()
