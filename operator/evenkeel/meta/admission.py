"""What to do about an answer of the API server's admission, which says only what it refuses.

Such answers reach people by conditions: of a write of the operator's, and of Deployments and Jobs
whose pods cannot be created.
"""

from __future__ import annotations

import re

_REMEDIES = (
    (
        r"exceeded quota",
        "free some of the quota or have it raised; it is tried again by itself",
    ),
    (
        r"failed quota: .*must specify",
        "give the containers these resources, or the namespace a LimitRange with defaults",
    ),
    (
        r"violates PodSecurity",
        "set what it names in the pod template's securityContext, or have the namespace allow it",
    ),
    (
        r"(minimum|maximum) \S+ usage per|max limit to request ratio per",
        "change the container's resources, or have the namespace's LimitRange changed",
    ),
    (
        r"admission webhook .* denied the request|ValidatingAdmissionPolicy",
        "do as it says, or ask those who set it up",
    ),
)


def explained(message: str) -> str:
    """The API server's words, and the remedy where it is known."""
    remedies = (remedy for pattern, remedy in _REMEDIES if re.search(pattern, message))
    return "; ".join((message, *list(remedies)[:1]))
