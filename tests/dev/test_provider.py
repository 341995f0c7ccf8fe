"""Which cluster `up` takes."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from dev.cluster import provider
from dev.cluster.errors import ClusterError

NOTHING = provider.Facts(kubeconfig=None, docker_answers=False, has_kind=False, linux_root=False)
EVERYTHING = provider.Facts(
    kubeconfig="/a/kubeconfig", docker_answers=True, has_kind=True, linux_root=True
)


def test_a_given_kubeconfig_wins() -> None:
    assert provider.pick(EVERYTHING) == "kubeconfig"


def test_kind_wins_over_the_builtin_node() -> None:
    assert provider.pick(dataclasses.replace(EVERYTHING, kubeconfig=None)) == "kind"


@pytest.mark.parametrize(("docker", "kind"), [(True, False), (False, True), (False, False)])
def test_the_builtin_node_needs_only_root_on_linux(docker: bool, kind: bool) -> None:
    facts = dataclasses.replace(NOTHING, docker_answers=docker, has_kind=kind, linux_root=True)
    assert provider.pick(facts) == "builtin"


@pytest.mark.parametrize(
    ("docker", "named"), [(True, "kind is not installed"), (False, "no Docker engine answers")]
)
def test_no_provider_names_what_is_missing(docker: bool, named: str) -> None:
    with pytest.raises(ClusterError, match=named):
        provider.pick(dataclasses.replace(NOTHING, docker_answers=docker))


class TestChoose:
    @pytest.fixture(autouse=True)
    def state(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        monkeypatch.setenv("EVENKEEL_CLUSTER_DIR", str(tmp_path / "state"))
        monkeypatch.delenv("KUBECONFIG", raising=False)
        return tmp_path / "state"

    def test_a_made_cluster_is_found_again(self) -> None:
        provider.remember(provider.choose("builtin"))
        assert provider.choose("auto").name == "builtin"

    def test_the_made_clusters_own_kubeconfig_means_that_cluster(
        self, state: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        provider.remember(provider.choose("builtin"))
        monkeypatch.setenv("KUBECONFIG", str(state / "kubeconfig"))
        assert provider.choose("auto").name == "builtin"

    def test_a_made_cluster_is_not_forgotten_for_another(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        provider.remember(provider.choose("builtin"))
        monkeypatch.setenv("KUBECONFIG", "/another/kubeconfig")
        with pytest.raises(ClusterError, match="down"):
            provider.choose("auto")

    def test_an_existing_cluster_needs_a_kubeconfig(self) -> None:
        with pytest.raises(ClusterError, match="KUBECONFIG is not set"):
            provider.choose("kubeconfig")

    def test_a_missing_kubeconfig_file_is_named(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("KUBECONFIG", "/no/such/kubeconfig")
        with pytest.raises(ClusterError, match="/no/such/kubeconfig"):
            provider.choose("auto").up(lambda _line: None)

    def test_without_a_cluster_commands_say_so(self) -> None:
        with pytest.raises(ClusterError, match="no cluster is up"):
            provider.current()

    def test_forgetting_ends_it(self) -> None:
        provider.remember(provider.choose("builtin"))
        provider.forget()
        assert provider.remembered() is None
