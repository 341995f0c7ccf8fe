"""How a ModelDeployment's Prometheus is reached: whether it may be, and with which credentials."""

from __future__ import annotations

from collections.abc import Callable

from evenkeel.adapters.access import Access, AccessError, Tls, basic, check_header
from evenkeel.adapters.address import Address, Allowed
from evenkeel.api.prometheus import Header, KeyOf, Prometheus, SecretOrConfigMap, TlsConfig
from evenkeel.kube.by_name import ByName, Named, Unreadable
from evenkeel.meta.resources import CONFIG_MAP, SECRET
from evenkeel.verdict.samples import Unobserved

OWN_FRESH = 5.0
"""Seconds until the operator's mounted files are read again."""
FIELD = "spec.analysis.prometheus"


class Accesses:
    """Ways to Prometheus.

    own: the operator's, which analyses that name no address use; raises AccessError. allowed: what
    they may name besides; without entries any address that a Prometheus may have.
    """

    def __init__(
        self,
        by_name: ByName,
        own: Callable[[], Access | None],
        allowed: Allowed,
        clock: Callable[[], float],
    ) -> None:
        self._by_name = by_name
        self._read_own = own
        self._allowed = allowed
        self._clock = clock
        self._own: Access | None = None
        self._own_until = float("-inf")

    async def of(self, namespace: str, spec: Prometheus) -> Access | Unobserved:
        """The access of an analysis in the namespace; reads Secrets there if it names some."""
        try:
            own = self._present_own()
            if spec.url is None:
                if own is None:
                    return Unobserved(
                        "PrometheusUnavailable",
                        f"no Prometheus is configured; set {FIELD}.url or the operator's",
                        unanswered=True,
                    )
                return await self._with(namespace, spec, own.url, own)
            address = Address.parse(spec.url)
            if own is not None and address == Address.parse(own.url):
                return await self._with(namespace, spec, own.url, own)
            if self._allowed.entries and not self._allowed.names(address, namespace):
                return _not_allowed(address, namespace)
            return await self._with(namespace, spec, str(address), None)
        except (AccessError, Unreadable) as error:
            return Unobserved("PrometheusAccessDenied", str(error), unanswered=True)
        except ValueError as error:
            return Unobserved("PrometheusNotAllowed", f"{FIELD}.url: {error}", unanswered=True)

    def _present_own(self) -> Access | None:
        now = self._clock()
        if now >= self._own_until:
            self._own = self._read_own()
            self._own_until = now + OWN_FRESH
        return self._own

    async def _with(self, namespace: str, spec: Prometheus, url: str, own: Access | None) -> Access:
        """The access with what the analysis shows. Raises AccessError and Unreadable.

        What it shows takes the place of all that the operator would: a tenant of its choice beside
        the operator's credentials would open other tenants' data to it.
        """
        shown = spec.headers or spec.basic_auth or spec.authorization or spec.tls
        if own is not None and not shown:
            return own
        trust = Tls() if own is None else Tls(ca=own.tls.ca)
        return Access(
            url,
            tuple([await self._header(namespace, one) for one in spec.headers]),
            await self._authorization(namespace, spec),
            trust if spec.tls is None else await self._tls(namespace, spec.tls),
            guarded=own is None and not self._allowed.entries,
        )

    async def _header(self, namespace: str, one: Header) -> tuple[str, str]:
        if one.value_from is None:
            value = one.value or ""
        else:
            value = await self._secret(namespace, one.value_from.secret_key_ref)
        check_header(one.name, value)
        return one.name, value

    async def _authorization(self, namespace: str, spec: Prometheus) -> str:
        if spec.basic_auth is not None:
            username = await self._secret(namespace, spec.basic_auth.username)
            return basic(username, await self._secret(namespace, spec.basic_auth.password))
        if spec.authorization is None:
            return ""
        token = await self._secret(namespace, spec.authorization.credentials)
        check_header("token", token)
        return f"{spec.authorization.type} {token}"

    async def _tls(self, namespace: str, spec: TlsConfig) -> Tls:
        key = "" if spec.key_secret is None else await self._secret(namespace, spec.key_secret)
        return Tls(
            await self._either(namespace, spec.ca),
            await self._either(namespace, spec.cert),
            key,
            spec.server_name or "",
            not spec.insecure_skip_verify,
        )

    async def _either(self, namespace: str, source: SecretOrConfigMap | None) -> str:
        if source is None:
            return ""
        if source.config_map is not None:
            found = source.config_map
            return await self._by_name.value(Named(CONFIG_MAP, namespace, found.name, found.key))
        assert source.secret is not None
        return await self._secret(namespace, source.secret)

    async def _secret(self, namespace: str, found: KeyOf) -> str:
        return await self._by_name.value(Named(SECRET, namespace, found.name, found.key))


def _not_allowed(address: Address, namespace: str) -> Unobserved:
    return Unobserved(
        "PrometheusNotAllowed",
        f"{address} is not among the addresses that namespace {namespace} may name; ask those who "
        "run the operator to add it (the chart's prometheus.allowed), or leave out "
        f"{FIELD}.url",
        unanswered=True,
    )
