"""What admission refuses comes with a remedy, in the words that Kubernetes writes."""

from __future__ import annotations

import pytest
from evenkeel.meta.admission import explained


@pytest.mark.parametrize(
    ("message", "remedy"),
    [
        (
            'pods "x" is forbidden: exceeded quota: q, requested: pods=1, used: pods=2, limited: '
            "pods=2",
            "free some of the quota",
        ),
        (
            'pods "x" is forbidden: failed quota: q: must specify limits.cpu for: model',
            "give the containers these resources",
        ),
        (
            'pods "x" is forbidden: violates PodSecurity "restricted:latest": runAsNonRoot != true',
            "securityContext",
        ),
        (
            'pods "x" is forbidden: maximum memory usage per Container is 1Gi, but limit is 2Gi',
            "LimitRange",
        ),
        (
            'pods "x" is forbidden: cpu max limit to request ratio per Container is 2, but '
            "provided ratio is 4.000000",
            "LimitRange",
        ),
        ('admission webhook "a.example" denied the request: no', "ask those who set it up"),
        ("ValidatingAdmissionPolicy 'p' with binding 'b' denied request: no", "ask those"),
    ],
)
def test_the_remedy_follows_the_api_server_s_words(message: str, remedy: str) -> None:
    assert explained(message).startswith(f"{message}; ")
    assert remedy in explained(message)


def test_other_words_stay_as_they_are() -> None:
    assert explained("spec.containers[0].image: Required value") == (
        "spec.containers[0].image: Required value"
    )
