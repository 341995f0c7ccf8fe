"""Which Prometheus an analysis reaches, and what that one is shown."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import pytest
import yaml
from evenkeel.adapters.access import Access, AccessError, Tls, basic
from evenkeel.adapters.address import Allowed
from evenkeel.api.prometheus import Prometheus
from evenkeel.controllers.access import OWN_FRESH, Accesses
from evenkeel.kube.by_name import ByName, Named, Unreadable
from evenkeel.verdict.samples import Unobserved
from evenkeel.verdict.verdict import NO_EVIDENCE

OWN = Access(
    "http://own:9090",
    (("X-Scope-OrgID", "platform"),),
    "Bearer own-token",
    Tls("own-ca", "own-cert", "own-key"),
    guarded=False,
)


class Secrets:
    """Answers with what was asked for, so that a test sees where each value is from."""

    def __init__(self) -> None:
        self.wrong = ""

    async def value(self, named: Named) -> str:
        if self.wrong:
            raise Unreadable(self.wrong)
        return f"{named.type.kind}/{named.namespace}/{named.name}/{named.key}"


async def of(
    text: str,
    *,
    namespace: str = "team-a",
    own: Callable[[], Access | None] = lambda: OWN,
    allowed: tuple[str, ...] = (),
    secrets: Any = None,
) -> Access | Unobserved:
    accesses = Accesses(
        cast(ByName, secrets or Secrets()), own, Allowed.parse(allowed), lambda: 0.0
    )
    return await accesses.of(namespace, Prometheus.model_validate(yaml.safe_load(text)))


@pytest.mark.parametrize("text", ["{}", "{url: 'http://own:9090'}", "{url: 'HTTP://OWN:9090/'}"])
async def test_the_operators_own_with_its_credentials(text: str) -> None:
    assert await of(text) == OWN
    assert await of(text, allowed=("http://other",)) == OWN


async def test_another_is_not_shown_the_operators_credentials() -> None:
    assert await of("{url: 'http://other'}") == Access("http://other")


@pytest.mark.parametrize("text", ["{%s}", "{url: 'http://own:9090', %s}"])
async def test_a_tenant_of_ones_choice_goes_without_the_operators_credentials(text: str) -> None:
    """Or whoever may write a ModelDeployment could read every tenant's data by them."""
    found = await of(text % "headers: [{name: X-Scope-OrgID, value: team-b}]")
    assert found == Access(
        "http://own:9090", (("X-Scope-OrgID", "team-b"),), "", Tls("own-ca"), guarded=False
    )


async def test_everything_from_secrets_of_the_same_namespace() -> None:
    found = await of(
        """
        url: https://mimir.example/prom/
        headers:
        - {name: X-Scope-OrgID, valueFrom: {secretKeyRef: {name: mimir, key: tenant}}}
        - {name: X-Plain, value: plain}
        basicAuth: {username: {name: mimir, key: user}, password: {name: mimir, key: pass}}
        tls:
          ca: {configMap: {name: ca, key: ca.crt}}
          cert: {secret: {name: tls, key: tls.crt}}
          keySecret: {name: tls, key: tls.key}
          serverName: mimir
          insecureSkipVerify: true
        """
    )
    assert found == Access(
        "https://mimir.example/prom",
        (("X-Scope-OrgID", "Secret/team-a/mimir/tenant"), ("X-Plain", "plain")),
        basic("Secret/team-a/mimir/user", "Secret/team-a/mimir/pass"),
        Tls(
            "ConfigMap/team-a/ca/ca.crt",
            "Secret/team-a/tls/tls.crt",
            "Secret/team-a/tls/tls.key",
            "mimir",
            verify=False,
        ),
    )


async def test_a_token() -> None:
    found = await of(
        "{url: 'http://p', authorization: {type: Token, credentials: {name: s, key: k}}}"
    )
    assert found == Access("http://p", authorization="Token Secret/team-a/s/k")


@pytest.mark.parametrize(
    ("text", "reason", "says"),
    [
        ("{url: 'http://u:pw@p'}", "PrometheusNotAllowed", "no user or password"),
        ("{url: 'http://p/a?token=pw'}", "PrometheusNotAllowed", "without ? and #"),
        ("{url: 'http://p/../x'}", "PrometheusNotAllowed", "plain"),
        ("{url: 'http://elsewhere'}", "PrometheusNotAllowed", "namespace team-a may name; ask"),
        ("{url: 'http://b'}", "PrometheusNotAllowed", "prometheus.allowed"),
    ],
)
async def test_addresses_that_may_not_be_named(text: str, reason: str, says: str) -> None:
    found = await of(text, allowed=("https://mimir.example", "team-b=http://b"))
    assert isinstance(found, Unobserved)
    assert found.reason == reason
    assert "pw" not in found.message
    assert says in found.message


async def test_listed_addresses_may_be_anywhere() -> None:
    """Who runs the operator has looked at them; an address that nobody has listed is guarded."""
    found = await of("{url: 'http://b/x'}", namespace="team-b", allowed=("team-b=http://b",))
    assert found == Access("http://b/x", guarded=False)


async def test_without_any_prometheus() -> None:
    found = await of("{}", own=lambda: None)
    assert isinstance(found, Unobserved)
    assert found.reason == "PrometheusUnavailable"
    assert "spec.analysis.prometheus.url" in found.message


async def test_missing_secrets_and_files_are_no_evidence() -> None:
    secrets = Secrets()
    secrets.wrong = "there is no Secret"
    text = "{authorization: {credentials: {name: s, key: k}}}"
    assert await of(text, secrets=secrets) == Unobserved(
        "PrometheusAccessDenied", "there is no Secret", unanswered=True
    )

    def unreadable() -> Access:
        raise AccessError("cannot read the token file")

    found = await of("{}", own=unreadable)
    assert found == Unobserved(
        "PrometheusAccessDenied", "cannot read the token file", unanswered=True
    )


async def test_secrets_that_cannot_be_sent_are_refused() -> None:
    class Odd(Secrets):
        async def value(self, named: Named) -> str:
            return "pw\r\nHost: evil"

    for text in (
        "{headers: [{name: A, valueFrom: {secretKeyRef: {name: s, key: k}}}]}",
        "{authorization: {credentials: {name: s, key: k}}}",
    ):
        found = await of(text, secrets=Odd())
        assert isinstance(found, Unobserved)
        assert found.reason == "PrometheusAccessDenied"
        assert "pw" not in found.message


def test_every_reason_is_no_evidence() -> None:
    assert {
        "PrometheusUnavailable",
        "PrometheusAccessDenied",
        "PrometheusNotAllowed",
        "QueryRefused",
    } <= NO_EVIDENCE


async def test_the_operators_files_are_read_again_after_a_while() -> None:
    now, reads = [0.0], [0]

    def own() -> Access:
        reads[0] += 1
        return OWN

    accesses = Accesses(cast(ByName, Secrets()), own, Allowed(), lambda: now[0])
    for moment in (0.0, OWN_FRESH - 1, OWN_FRESH, OWN_FRESH + 1):
        now[0] = moment
        await accesses.of("a", Prometheus())
    assert reads == [2]
