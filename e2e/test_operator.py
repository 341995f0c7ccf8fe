"""The installed operator: its chart's own test, its metrics, and a standby that takes over."""

from __future__ import annotations

import json
import subprocess

from dev.cluster import binaries
from dev.stack.install import OPERATOR_NAMESPACE, Stack
from e2e.support.world import World


def test_the_charts_own_test_passes(stack: Stack) -> None:
    helm = binaries.client("helm", print)
    done = subprocess.run(
        [
            str(helm),
            "test",
            "evenkeel",
            f"--namespace={OPERATOR_NAMESPACE}",
            f"--kubeconfig={stack.kubeconfig}",
            "--timeout=2m",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_prometheus_scrapes_the_operator(world: World) -> None:
    world.until(
        "the leader is seen by Prometheus",
        lambda: [
            r
            for r in world.prometheus(f'evenkeel_leader{{namespace="{OPERATOR_NAMESPACE}"}}')
            if r["value"][1] == "1"
        ],
        60,
    )
    world.until(
        "the reconciles of the two training runs are counted",
        lambda: world.prometheus('sum(evenkeel_reconcile_total{kind="TrainingRun"}) > 0'),
        60,
    )


def test_a_standby_takes_over_from_a_killed_leader(world: World, stack: Stack) -> None:
    scale = ("-n", OPERATOR_NAMESPACE, "scale", "deployment/evenkeel")
    stack.kubectl(*scale, "--replicas=2")
    try:
        stack.rollout(OPERATOR_NAMESPACE, "evenkeel")
        leader = _holder(stack)
        stack.kubectl(
            "-n", OPERATOR_NAMESPACE, "delete", "pod", leader, "--grace-period=0", "--force"
        )
        world.until("another leads", lambda: _holder(stack) not in ("", leader), 60)
    finally:
        stack.kubectl(*scale, "--replicas=1")
        stack.rollout(OPERATOR_NAMESPACE, "evenkeel")


def _holder(stack: Stack) -> str:
    lease = stack.kubectl("-n", OPERATOR_NAMESPACE, "get", "lease", "evenkeel", "-o", "json")
    return str(json.loads(lease)["spec"].get("holderIdentity") or "")
