"""Whether the cluster holds approvals to their rules: the admission policy and its binding."""

from __future__ import annotations

import asyncio
import logging

from evenkeel.kube.client import ApiError, Client
from evenkeel.kube.diagnosis import Repeated
from evenkeel.meta.resources import ResourceType
from evenkeel.process import metrics

log = logging.getLogger(__name__)

GROUP = "admissionregistration.k8s.io"
POLICY = ResourceType(
    GROUP, "v1", "validatingadmissionpolicies", "ValidatingAdmissionPolicy", namespaced=False
)
BINDING = ResourceType(
    GROUP,
    "v1",
    "validatingadmissionpolicybindings",
    "ValidatingAdmissionPolicyBinding",
    namespaced=False,
)
EVERY = 60.0
"""Seconds between two looks."""
SO = "so who may edit ModelVersions can approve them under any name"


class ApprovalPolicy:
    """Looks for the policy again and again. missing: what lacks, for people; empty if nothing does.

    name: of the policy and of its binding; empty if none is expected.
    """

    def __init__(self, client: Client, name: str) -> None:
        self._client = client
        self._name = name
        self._said = Repeated(log)
        self.missing = ""

    async def run(self) -> None:
        """Looks until cancelled; says once if there is nothing to look for."""
        if not self._name:
            log.warning("approvals are not enforced (approvals.enforced is false), %s", SO)
        while self._name:
            self.missing = await self.look()
            metrics.APPROVALS_ENFORCED.set(int(not self.missing))
            if self.missing:
                self._said.warn(self.missing)
            await asyncio.sleep(EVERY)

    async def look(self) -> str:
        """What lacks now, in a sentence; empty if nothing does."""
        try:
            await self._client.get(POLICY, "", self._name)
            binding = await self._client.get(BINDING, "", self._name)
        except ApiError as error:
            return self._why(error)
        spec = binding["spec"]
        denies = "Deny" in spec.get("validationActions", ())
        if spec["policyName"] != self._name or not denies or spec.get("matchResources"):
            return (
                f"the {BINDING.kind} {self._name} does not deny everywhere, {SO}; "
                "install it as it is shipped"
            )
        return ""

    def _why(self, error: ApiError) -> str:
        if error.status == 403:
            return f"cannot tell whether approvals are held to their rules: {error.message}"
        if error.status != 404:
            return self.missing
        if self._name not in error.message:
            return (
                f"the API server serves no ValidatingAdmissionPolicy, {SO}; use Kubernetes 1.30 or "
                "newer, or restrict who may edit ModelVersions"
            )
        kind = BINDING.kind if BINDING.plural in error.message else POLICY.kind
        return f"there is no {kind} {self._name}, {SO}; install it (approvals.enforced)"
