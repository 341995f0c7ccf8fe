"""Keys of Secrets as variables of containers."""

from __future__ import annotations

from evenkeel.pods.secret_variables import KEYS, secret_variables


def test_each_key_may_be_left_out() -> None:
    found = secret_variables("GIT_", "git")
    assert [one["name"] for one in found] == [f"GIT_{name}" for name in KEYS]
    for variable, key in zip(found, KEYS.values(), strict=True):
        reference = {"name": "git", "key": key, "optional": True}
        assert variable["valueFrom"] == {"secretKeyRef": reference}


def test_without_a_secret_nothing_is_shown() -> None:
    assert secret_variables("GIT_", None) == secret_variables("GIT_", "") == []
