"""What a Deployment's status tells of its pods."""

from __future__ import annotations

from evenkeel.serving.observed import deployment_pods


def test_pods_that_admission_refuses_are_told_with_a_remedy() -> None:
    words = 'pods "x" is forbidden: exceeded quota: q, requested: pods=1, used: pods=1'
    failure = {"type": "ReplicaFailure", "status": "True", "message": words}
    found = deployment_pods({"spec": {"replicas": 2}, "status": {"conditions": [failure]}})
    assert found.diagnosis.startswith(words)
    assert "free some of the quota" in found.diagnosis
    over = {**failure, "status": "False"}
    assert not deployment_pods({"spec": {}, "status": {"conditions": [over]}}).diagnosis
