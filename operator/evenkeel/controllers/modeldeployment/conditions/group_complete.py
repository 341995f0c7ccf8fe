"""GroupComplete: whether the members of rollout.group are there and say the same of it."""

from __future__ import annotations

from evenkeel.controllers.modeldeployment.conditions.situation import Situation
from evenkeel.meta.conditions import Observation

TYPE = "GroupComplete"


def group_complete(situation: Situation) -> tuple[Observation, ...]:
    """False where nothing can be promoted for want of a member; absent without a group."""
    group = situation.md.spec.rollout.group
    if group is None:
        return ()
    if (apart := situation.apart) is not None:
        return (Observation(TYPE, "False", apart.reason, apart.message),)
    members = ", ".join(sorted(group.members))
    message = f"{members} are promoted together; {group.coordinator} decides"
    return (Observation(TYPE, "True", "MembersAgree", message),)
