"""Looks at Prometheus beside the reconciles, with a Prometheus and a clock of the test's own."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from evenkeel.adapters.access import Access
from evenkeel.adapters.answer import Answer, QueryRefused, Sample, TooLarge, Unavailable
from evenkeel.api.modeldeployment import ModelDeployment
from evenkeel.api.monitoring import Monitoring
from evenkeel.api.prometheus import Prometheus
from evenkeel.api.servingruntime import MetricQuery
from evenkeel.controllers.looks.looks import ACCESS_FRESH, TICK, Looked, Looks
from evenkeel.controllers.looks.trial import GROWTH_IS_TOLD_AFTER
from evenkeel.controllers.looks.wanted import Asked, Wanted
from evenkeel.controllers.modeldeployment.wanted_looks import wanted_looks
from evenkeel.meta.objects import Key
from evenkeel.meta.refusal import Refused
from evenkeel.serving.runtime_selection import Selected
from evenkeel.verdict.judgement import assess
from evenkeel.verdict.samples import Unobserved
from evenkeel.verdict.tally import Tally

from tests.support.parts import parts
from tests.support.serving_examples import runtime_spec

JSON = dict[str, Any]
START = 1_700_000_000.0
HERE, THERE = Access("http://here:9090"), Access("http://there:9090")
METRICS = {
    "indicators": [
        {
            "name": "errors",
            "total": 'sum by (pod) (t{pod=~"{{pods}}"})',
            "good": 'sum by (pod) (g{pod=~"{{pods}}"})',
        }
    ]
}
PLATFORM = frozenset(MetricQuery.model_validate(m) for m in METRICS["indicators"])
REVISION = re.compile("[a-z0-9]+-(?:canary|stable)")
KIND = re.compile(r'\b(t|own|other|g|fine|evenkeel_model_requests_total)(?=\{|",)')
OWN = {"name": "errors", "total": "own{r='{{revision}}'}", "good": "fine{r='{{revision}}'}"}


def deployment(
    name: str = "fraud", namespace: str = "shop", *indicators: JSON, **canary: Any
) -> ModelDeployment:
    return ModelDeployment.model_validate(
        {
            "metadata": {"name": name, "namespace": namespace, "uid": f"uid-{namespace}-{name}"},
            "spec": {
                "model": {"uri": "s3://m/b", "format": {"name": "sklearn"}},
                "rollout": {"warmUpSeconds": 0},
                "analysis": {
                    "minRequests": 50,
                    "indicators": list(indicators) or [{"name": "errors"}],
                },
            },
            "status": {
                "stable": {"revision": f"{name}-stable"},
                "canary": {
                    "revision": f"{name}-canary",
                    "stage": "Stepping",
                    "startTime": "2023-11-14T22:00:00Z",
                    "stageTime": "2023-11-14T22:00:00Z",
                    **canary,
                },
            },
        }
    )


def wanted(md: ModelDeployment, platform: frozenset[MetricQuery] = PLATFORM) -> Wanted:
    spec = runtime_spec(metrics=METRICS)
    found = wanted_looks(md, Selected("ClusterServingRuntime", "sk", spec), platform)
    assert found is not None
    return found


class Field:
    """Counters that rise by `rate` a second and revision, and whoever asks for them.

    bad: share of bad requests by revision. answers: what a server does before it answers.
    """

    def __init__(self) -> None:
        self.now = 0.0
        self.rate = 100
        self.bad: dict[str, float] = {}
        self.access: Callable[[str], Access | Unobserved] = lambda namespace: HERE
        self.before: Callable[[Access, str], Any] = lambda access, query: None
        self.queries: list[tuple[Access, str, str]] = []
        self.told: list[tuple[str, bool]] = []
        self.gone: set[str] = set()
        self.looks = Looks(
            Looked(
                self.ask,
                self.reach,
                lambda key, revisions: {},
                lambda key, uid: key.name not in self.gone,
                lambda key, urgent: self.told.append((key.name, urgent)),
                wall=lambda: START + self.now,
                clock=lambda: self.now,
            )
        )

    async def reach(self, namespace: str, spec: Prometheus) -> Access | Unobserved:
        return self.access(namespace)

    async def ask(self, access: Access, query: str, *, tenant: str = "") -> Answer:
        self.queries.append((access, query, tenant))
        if (wait := self.before(access, query)) is not None:
            await wait
        samples = []
        for text, part in parts(query):
            revision, kind = REVISION.findall(text)[0], KIND.findall(text)[0]
            total = 1000 + round(self.rate * self.now)
            bad = round(total * self.bad.get(revision, 0.0))
            good = kind in ("g", "fine") or "code=~" in text
            value: float = total - bad if good else total
            if "timestamp" in text:
                value = START + self.now
            samples.append(Sample({"pod": f"{revision}-7d9f-aaaaa", "evenkeel_part": part}, value))
        return Answer(tuple(samples), START + self.now if samples else None)

    def want(self, md: ModelDeployment, platform: frozenset[MetricQuery] = PLATFORM) -> Any:
        return self.looks.want(key(md), wanted(md, platform))

    async def run(self, seconds: float) -> None:
        for _ in range(round(seconds / TICK)):
            self.looks.tick()
            for _ in range(30):
                await asyncio.sleep(0)
            self.now += TICK


def key(md: ModelDeployment) -> Key:
    return Key("ModelDeployment", md.metadata.namespace, md.metadata.name)


@pytest.fixture
def field() -> Field:
    return Field()


def requests(seen: Any, name: str = "errors") -> int:
    found = seen[name]
    assert isinstance(found, Tally), found
    return found.evidence.canary_total


async def test_a_new_division_is_known_before_the_next_reconcile(field: Field) -> None:
    field.want(deployment())
    await field.run(2)
    field.want(deployment())
    field.looks.divided(key(deployment()), 0.5)
    await field.run(2)
    shares = field.want(deployment())["errors"].shares
    assert shares.between(START + 2, START + 2.5).most == 0.5
    assert shares.between(START, START + 1) is None


async def test_a_reconcile_gets_at_once_what_is_known_so_far(field: Field) -> None:
    assert field.want(deployment()) == {}
    assert field.queries == []
    await field.run(10)
    assert requests(field.want(deployment())) > 500


async def test_it_is_looked_once_each_interval(field: Field) -> None:
    field.want(deployment())
    await field.run(10)
    assert 9 <= len(field.queries) <= 10


async def test_canaries_are_asked_about_together(field: Field) -> None:
    for number in range(50):
        field.want(deployment(f"m{number}", f"ns{number % 5}"))
    await field.run(5)
    assert len(field.queries) <= 6
    assert {len(parts(query)) for _, query, _ in field.queries} == {50 * 8}
    assert {tenant for _, _, tenant in field.queries} == {""}
    assert all(requests(field.want(deployment(f"m{n}", f"ns{n % 5}"))) > 0 for n in range(50))


@pytest.mark.parametrize("platform", [True, False])
async def test_tenants_queries_are_joined_in_their_namespace_only(
    field: Field, platform: bool
) -> None:
    """Their own, and those of a runtime of their namespace."""
    for number in range(6):
        own = [] if platform else [OWN]
        md = deployment(f"m{number}", f"ns{number % 2}", *own)
        field.want(md, PLATFORM if not platform else frozenset())
    await field.run(1)
    assert sorted(tenant for _, _, tenant in field.queries) == ["ns0", "ns1"]
    for _, query, tenant in field.queries:
        own, other = ("m1-", "m0-") if tenant == "ns1" else ("m0-", "m1-")
        assert own in query
        assert other not in query


async def test_ways_to_one_prometheus_are_not_mixed(field: Field) -> None:
    ways = {ns: Access(HERE.url, (("X-Scope-OrgID", ns),)) for ns in ("a", "b")}
    field.access = ways.__getitem__
    for namespace in ways:
        field.want(deployment("m", namespace))
    await field.run(1)
    assert {access for access, _, _ in field.queries} == set(ways.values())


async def test_what_is_no_promql_by_itself_is_asked_alone(field: Field) -> None:
    odd = {**OWN, "total": "WITH (x = '{{revision}}') own{r=x}"}
    field.want(deployment("m0", "shop", odd))
    field.want(deployment("m1", "shop", OWN))
    field.want(deployment("m2", "shop", OWN))
    await field.run(1)
    assert sorted(len(parts(query)) for _, query, _ in field.queries)[0] <= 8
    assert len(field.queries) == 2


async def test_a_prometheus_that_hangs_delays_its_own_canaries_only(field: Field) -> None:
    for number in range(20):
        field.want(deployment(f"m{number}", "stuck" if number % 2 else "shop"))
    field.access = lambda namespace: THERE if namespace == "stuck" else HERE
    never = asyncio.get_running_loop().create_future()
    field.before = lambda access, query: asyncio.shield(never) if access == THERE else None
    await field.run(10)
    for number in range(20):
        md = deployment(f"m{number}", "stuck" if number % 2 else "shop")
        if number % 2:
            assert field.want(md) == {}
        else:
            assert requests(field.want(md)) > 500
    never.set_result(None)
    await field.run(5)
    assert field.want(deployment("m1", "stuck"))["errors"].fault is None


async def test_whoever_cannot_be_reached_is_told_and_others_go_on(field: Field) -> None:
    denied = Unobserved("PrometheusAccessDenied", "there is no Secret s")
    field.access = lambda namespace: denied if namespace == "other" else HERE
    field.want(deployment())
    field.want(deployment("other", "other"))
    await field.run(3)
    assert field.want(deployment("other", "other"))["errors"].fault == denied
    assert ("other", False) in field.told
    assert requests(field.want(deployment())) > 0
    field.access = lambda namespace: HERE
    await field.run(ACCESS_FRESH + 2)
    assert field.want(deployment("other", "other"))["errors"].fault is None


@pytest.mark.parametrize("error", [QueryRefused("no such function"), TooLarge("3 MiB")])
async def test_a_refused_query_is_told_to_its_own_deployment(
    field: Field, error: Exception
) -> None:
    def refuse(access: Access, query: str) -> None:
        if "guilty" in query:
            raise error

    field.before = refuse
    for name in ("m0", "m1", "guilty", "m2", "m3"):
        field.want(deployment(name))
    await field.run(10)
    fault = field.want(deployment("guilty"))["errors"].fault
    assert fault.reason == type(error).reason  # type: ignore[attr-defined]
    assert fault.message == str(error)
    for name in ("m0", "m1", "m2", "m3"):
        assert field.want(deployment(name))["errors"].fault is None
        assert requests(field.want(deployment(name))) > 300


async def test_a_refused_query_is_asked_less_often_whatever_reconciles_there_are(
    field: Field,
) -> None:
    def refuse(access: Access, query: str) -> None:
        raise QueryRefused("no such function")

    field.before = refuse
    for _ in range(120):
        field.want(deployment())
        await field.run(1)
    assert 4 <= len(field.queries) <= 10


async def test_another_interval_holds_at_once(field: Field) -> None:
    md = deployment()
    assert md.spec.analysis is not None
    rare = md.spec.analysis.model_copy(update={"interval_seconds": 3600})
    spec = md.spec.model_copy(update={"analysis": rare})
    field.want(md.model_copy(update={"spec": spec}))
    await field.run(60)
    assert len(field.queries) == 1
    for _ in range(10):
        field.want(md)
        await field.run(1)
    assert len(field.queries) >= 10


async def test_all_are_told_of_a_prometheus_that_is_down(field: Field) -> None:
    def down(access: Access, query: str) -> None:
        raise Unavailable("connection refused")

    field.before = down
    for name in ("m0", "m1"):
        field.want(deployment(name))
    await field.run(3)
    for name in ("m0", "m1"):
        fault = field.want(deployment(name))["errors"].fault
        assert (fault.reason, fault.unanswered) == ("PrometheusUnavailable", True)
    assert len(field.queries) == 3


async def test_an_internal_error_stops_nothing(field: Field) -> None:
    def wrong(access: Access, query: str) -> None:
        raise RuntimeError("a bug")

    field.before = wrong
    field.want(deployment())
    await field.run(2)
    assert field.want(deployment())["errors"].fault.reason == "PrometheusUnavailable"
    field.before = lambda access, query: None
    await field.run(3)
    assert field.want(deployment())["errors"].fault is None


async def test_an_answer_that_nobody_understands_is_a_look(field: Field) -> None:
    def wrong(key: Key, revisions: tuple[str, str]) -> Any:
        raise RuntimeError("a bug")

    field.looks = Looks(replace(field.looks._looked, pods=wrong))
    field.want(deployment())
    await field.run(2)
    assert field.want(deployment())["errors"].fault.reason == "PrometheusUnavailable"


async def test_a_failure_is_told_at_once_and_growth_now_and_then(field: Field) -> None:
    field.want(deployment())
    await field.run(40)
    calm = [one for one in field.told if one == ("fraud", False)]
    assert 40 / GROWTH_IS_TOLD_AFTER <= len(calm) <= 8
    field.bad["fraud-canary"] = 0.5
    before = len(field.told)
    await field.run(5)
    assert ("fraud", True) in field.told[before:]
    md = deployment()
    judgement = assess(md.status.canary, md.spec.analysis, field.want(md))
    assert judgement is not None
    assert judgement.verdict.value == "Fail"


async def test_a_failure_on_a_dry_run_is_not_urgent(field: Field) -> None:
    md = deployment("fraud", "shop", {"name": "errors"}, {**OWN, "name": "own", "dryRun": True})
    field.bad["fraud-canary"] = 0.5
    field.want(deployment("fraud", "shop", {**OWN, "dryRun": True}))
    await field.run(20)
    assert ("fraud", False) in field.told
    assert ("fraud", True) not in field.told
    field.want(md)
    await field.run(20)
    assert ("fraud", True) in field.told


async def test_before_the_first_step_it_is_looked_but_nobody_told(field: Field) -> None:
    field.want(deployment(stage="WarmingUp"))
    await field.run(15)
    assert field.told == []
    assert isinstance(field.want(deployment(stage="WarmingUp"))["errors"], Tally)


async def test_what_is_gone_is_forgotten(field: Field) -> None:
    field.want(deployment())
    await field.run(2)
    field.gone.add("fraud")
    asked = len(field.queries)
    await field.run(3)
    assert len(field.queries) == asked
    field.gone.clear()
    assert field.want(deployment()) == {}


async def test_without_a_canary_nothing_is_asked(field: Field) -> None:
    field.want(deployment())
    await field.run(2)
    assert field.looks.want(key(deployment()), None) == {}
    asked = len(field.queries)
    await field.run(3)
    assert len(field.queries) == asked


async def test_another_trial_of_the_same_revision_begins_anew(field: Field) -> None:
    field.want(deployment())
    await field.run(5)
    assert field.want(deployment(startTime="2023-11-14T22:05:00Z")) == {}


async def test_an_edited_indicator_begins_anew_and_others_go_on(field: Field) -> None:
    first, second = {"name": "errors"}, {**OWN, "name": "own"}
    field.want(deployment("fraud", "shop", first, second))
    await field.run(5)
    edited = deployment("fraud", "shop", first, {**second, "tolerance": "0.5"})
    assert field.want(edited).keys() == {"errors"}
    await field.run(5)
    seen = field.want(edited)
    assert requests(seen) > requests(seen, "own") > 0


async def test_what_was_asked_before_an_edit_is_not_taken(field: Field) -> None:
    gate = asyncio.get_running_loop().create_future()
    field.before = lambda access, query: asyncio.shield(gate)
    field.want(deployment("fraud", "shop", OWN))
    await field.run(1)
    edited = {**OWN, "total": "other{r='{{revision}}'}"}
    field.want(deployment("fraud", "shop", edited))
    field.before = lambda access, query: asyncio.get_running_loop().create_future()
    gate.set_result(None)
    await field.run(1)
    assert field.want(deployment("fraud", "shop", edited)) == {}


async def test_a_new_leader_goes_on_from_the_status(field: Field) -> None:
    field.want(deployment())
    await field.run(10)
    md = deployment()
    judgement = assess(md.status.canary, md.spec.analysis, field.want(md))
    assert judgement is not None
    before = judgement.indicators[0]
    kept = deployment(indicators=[before.wire()])
    field.looks = Looks(field.looks._looked)
    field.want(kept)
    await field.run(5)
    judgement = assess(kept.status.canary, kept.spec.analysis, field.want(kept))
    assert judgement is not None
    assert judgement.indicators[0].evidence["canaryTotal"] > before.evidence["canaryTotal"]
    assert judgement.indicators[0].evidence["canaryTotal"] < 100 * 16


async def test_without_queries_there_is_a_reason(field: Field) -> None:
    md = deployment("fraud", "shop", {"name": "latency", "thresholdSeconds": "0.1"}, OWN)
    await field.run(1)
    found = field.want(md)["latency"]
    assert isinstance(found, Unobserved)
    assert found.reason == "InvalidIndicator"
    assert "for the canary, revision fraud-canary: the runtime has no indicator" in found.message
    await field.run(3)
    assert requests(field.want(md)) > 0


async def test_on_probation_the_canary_alone_has_to_have_what_counts(field: Field) -> None:
    metered = {"name": "errors", "source": "Meter", "maxRatio": "0.1"}
    on_trial = deployment("fraud", "shop", metered, meter=True)
    assert isinstance(field.want(on_trial)["errors"], Unobserved), (
        "there is nothing to compare with"
    )
    md = deployment("fraud", "shop", metered, meter=True, stage="Probation", weight=100)
    field.want(md)
    await field.run(3)
    assert requests(field.want(md)) > 0
    assert not any("fraud-stable" in query for _, query, _ in field.queries)
    md = deployment("fraud", "shop", metered, stage="Probation", weight=100)
    assert isinstance(field.want(md)["errors"], Unobserved)


async def test_the_loop_takes_looks_and_ends(field: Field) -> None:
    asked = asyncio.Event()
    field.before = lambda access, query: asked.set()
    field.want(deployment())
    loop = asyncio.create_task(field.looks.run())
    async with asyncio.timeout(10):
        await asked.wait()
    loop.cancel()
    with pytest.raises(asyncio.CancelledError):
        await loop


def test_nothing_is_wanted_without_canary_stable_or_analysis() -> None:
    runtime = Refused("RuntimeNotFound", "there is none")
    md = deployment()
    for field_ in ("canary", "stable"):
        status = md.status.model_copy(update={field_: None})
        without = md.model_copy(update={"status": status})
        assert wanted_looks(without, runtime, frozenset()) is None
    spec = md.spec.model_copy(update={"analysis": None})
    assert wanted_looks(md.model_copy(update={"spec": spec}), runtime, frozenset()) is None


async def test_idle_pods_change_nothing_in_the_status(field: Field) -> None:
    field.rate = 0
    field.want(deployment())
    await field.run(5)
    md = deployment()
    first = assess(md.status.canary, md.spec.analysis, field.want(md))
    assert first is not None
    assert first.indicators[0].processes
    kept = deployment(indicators=[first.indicators[0].wire()])
    await field.run(60)
    later = assess(kept.status.canary, kept.spec.analysis, field.want(kept))
    assert later is not None
    assert later.indicators == first.indicators


def metered(*with_meter: str, **indicator: str) -> Wanted:
    md = deployment("fraud", "shop", {"name": "errors", **indicator})
    status = {one: getattr(md.status, one).model_copy(update={"meter": True}) for one in with_meter}
    return wanted(md.model_copy(update={"status": md.status.model_copy(update=status)}))


@pytest.mark.parametrize(
    ("sides", "by_meter"), [(("canary", "stable"), True), (("canary",), False), ((), False)]
)
def test_both_sides_are_asked_by_the_meter_where_both_have_it(
    sides: tuple[str, ...], by_meter: bool
) -> None:
    asked = metered(*sides).asked["errors"]
    assert isinstance(asked, Asked)
    for side in (asked.canary, asked.stable):
        assert ("evenkeel_model_requests_total" in side.total) is by_meter
    assert not asked.own


def test_a_side_without_the_meter_that_is_asked_for_says_so() -> None:
    found = metered("canary", source="Meter").asked["errors"]
    assert isinstance(found, Unobserved)
    assert "for the stable, revision fraud-stable: " in found.message
    assert "has no meter; leave source out" in found.message


def test_labels_are_asked_of_their_server_also_beside_a_stable_without_the_meter() -> None:
    md = deployment("fraud", "shop", {"name": "labels", "source": "Meter", "maxRatio": "0.2"})
    found = wanted(md).asked["labels"]
    assert isinstance(found, Unobserved)
    assert "add spec.monitoring.feedback" in found.message
    monitoring = Monitoring.model_validate({"feedback": {"keys": {"secretName": "k"}}})
    spec = md.spec.model_copy(update={"monitoring": monitoring})
    asked = wanted(md.model_copy(update={"spec": spec})).asked["labels"]
    assert isinstance(asked, Asked)
    assert 'deployment="fraud",revision=~"|fraud-canary"' in asked.canary.total
    assert 'deployment="fraud",revision=~"|fraud-stable"' in asked.stable.total
    assert not asked.own
