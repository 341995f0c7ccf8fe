"""Certificates, ports, images, paths and locks: what the cluster writes and reads."""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import socket
import tarfile
from pathlib import Path

import pytest
import yaml
from cryptography import x509
from cryptography.x509.oid import NameOID

from dev.cluster import binaries, host, paths
from dev.cluster.errors import ClusterError
from dev.cluster.images import names_in, write_archive
from dev.cluster.pki import Authority, signing_key
from dev.cluster.ports import Ports, free_port, holder, is_free


class TestCertificates:
    def test_user_and_groups_are_common_name_and_organizations(self, tmp_path: Path) -> None:
        pair = Authority(tmp_path).issue("alice", "alice", ["dev", "ops"])
        subject = x509.load_pem_x509_certificate(pair.cert.read_bytes()).subject
        organizations = subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
        assert [o.value for o in organizations] == ["dev", "ops"]
        assert subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value == "alice"

    def test_a_certificate_is_kept_until_its_hosts_change(self, tmp_path: Path) -> None:
        authority = Authority(tmp_path)
        first = authority.issue("server", "server", hosts=["localhost"]).cert.read_bytes()
        kept = Authority(tmp_path).issue("server", "server", hosts=["localhost"]).cert.read_bytes()
        hosts = ["localhost", "192.0.2.1"]
        changed = authority.issue("server", "server", hosts=hosts).cert.read_bytes()
        assert first == kept
        assert changed != first

    def test_a_new_authority_issues_anew(self, tmp_path: Path) -> None:
        old = Authority(tmp_path).issue("alice", "alice").cert.read_bytes()
        (tmp_path / "ca.key").unlink()
        authority = Authority(tmp_path)
        pair = authority.issue("alice", "alice")
        assert pair.cert.read_bytes() != old
        ca = x509.load_pem_x509_certificate(authority.pair.cert.read_bytes())
        x509.load_pem_x509_certificate(pair.cert.read_bytes()).verify_directly_issued_by(ca)

    def test_keys_and_kubeconfigs_are_private(self, tmp_path: Path) -> None:
        authority = Authority(tmp_path / "pki")
        pair = authority.issue("alice", "alice")
        file = authority.kubeconfig(tmp_path / "kubeconfig", "https://127.0.0.1:1", pair)
        accounts = signing_key(tmp_path / "pki", "sa")
        for secret in (pair.key, authority.pair.key, accounts.key, file):
            assert secret.stat().st_mode & 0o077 == 0
        assert yaml.safe_load(file.read_text())["clusters"][0]["cluster"]["server"].endswith(":1")


class TestPorts:
    def test_a_port_is_kept_by_name(self, tmp_path: Path) -> None:
        file = tmp_path / "ports.json"
        port = Ports(file).reserve("api")
        assert Ports(file).reserve("api") == port

    def test_a_taken_port_is_passed_over_and_its_holder_named(self, tmp_path: Path) -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            assert not is_free(port)
            assert Ports(tmp_path / "ports.json").reserve("api", port) != port
            if Path("/proc/net/tcp").exists():
                assert f"(process {os.getpid()})" in holder(port)

    def test_a_free_preferred_port_is_taken(self, tmp_path: Path) -> None:
        port = free_port()
        assert Ports(tmp_path / "ports.json").reserve("api", port) == port


def test_image_archive_has_matching_digests(tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_bytes(b"\x7fELF")
    archive = tmp_path / "image.tar"
    write_archive(archive, "localhost/some:1", {"bin/program": program}, ["/bin/program"])
    with tarfile.open(archive) as tar:

        def read(name: str) -> bytes:
            member = tar.extractfile(name)
            assert member is not None
            return member.read()

        (image,) = json.loads(read("manifest.json"))
        config = json.loads(read(image["Config"]))
        layer = read(image["Layers"][0])
    assert image["RepoTags"] == ["localhost/some:1"]
    assert config["rootfs"]["diff_ids"] == [f"sha256:{hashlib.sha256(layer).hexdigest()}"]
    assert config["config"]["Cmd"] == ["/bin/program"]


class TestImageNames:
    def archive(self, directory: Path, name: str, content: object) -> Path:
        data = json.dumps(content).encode()
        with tarfile.open(directory / "image.tar", "w") as tar:
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
        return directory / "image.tar"

    def test_docker_archive(self, tmp_path: Path) -> None:
        archive = self.archive(tmp_path, "manifest.json", [{"RepoTags": ["localhost/a:1"]}])
        assert names_in(archive) == ["localhost/a:1"]

    def test_oci(self, tmp_path: Path) -> None:
        annotations = {"org.opencontainers.image.ref.name": "localhost/a:1"}
        index = {"manifests": [{"annotations": annotations}]}
        assert names_in(self.archive(tmp_path, "index.json", index)) == ["localhost/a:1"]

    @pytest.mark.parametrize("tags", [None, []])
    def test_an_image_without_a_name_is_refused(self, tmp_path: Path, tags: object) -> None:
        archive = self.archive(tmp_path, "manifest.json", [{"RepoTags": tags}])
        with pytest.raises(ClusterError, match="names no image"):
            names_in(archive)

    def test_another_file_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "image.tar").write_text("no tar")
        with pytest.raises(ClusterError, match="cannot be read"):
            names_in(tmp_path / "image.tar")


class TestFootprint:
    def test_only_what_was_absent_and_stays_unused_is_removed(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        used, old, fresh = (tmp_path / name for name in ("used", "old", "fresh"))
        monkeypatch.setattr(host, "_FOOTPRINT", tuple(map(str, (used, old, fresh))))
        old.mkdir()
        note = tmp_path / "absent.json"
        host.save_absent(note)
        (fresh / "device-plugins").mkdir(parents=True)
        (fresh / "device-plugins" / "kubelet.sock").touch()
        used.mkdir()
        (used / "somebody's").touch()
        host.remove_absent(note)
        assert not fresh.exists()
        assert old.is_dir()
        assert (used / "somebody's").exists()
        assert not note.exists()


class TestState:
    def test_a_directory_with_other_files_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "thesis.txt").write_text("years of work")
        with pytest.raises(ClusterError, match="not a cluster's state"):
            paths.prepare(tmp_path)
        assert not paths.is_state(tmp_path)

    def test_a_prepared_directory_is_known_again(self, tmp_path: Path) -> None:
        state = paths.prepare(tmp_path / "state")
        (state / "etcd").mkdir()
        assert paths.prepare(state) == state
        assert paths.is_state(state)

    def test_a_path_too_long_for_sockets_is_refused(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("EVENKEEL_CLUSTER_DIR", "/" + "long/" * 20)
        with pytest.raises(ClusterError, match="EVENKEEL_CLUSTER_DIR"):
            paths.state_dir()


class TestBinaries:
    def test_a_changed_lock_asks_for_other_binaries(self, tmp_path: Path) -> None:
        (tmp_path / "go.mod").write_text("module a\n")
        (tmp_path / "go.sum").write_text("")
        before = binaries.module_hash(tmp_path)
        assert binaries.module_hash(tmp_path) == before
        (tmp_path / "go.sum").write_text("changed\n")
        assert binaries.module_hash(tmp_path) != before

    def test_every_binary_has_a_source_in_its_module(self) -> None:
        for source in binaries.SOURCES.values():
            module = paths.PACKAGE / source.module
            tools = re.findall(r"^(?:tool|\t)\s*(\S+)$", (module / "go.mod").read_text(), re.M)
            local = source.package.removeprefix("evenkeel.dev/cluster-tools-extra/")
            assert source.package in tools or (module / local / "main.go").is_file()

    def test_an_installed_client_spares_the_build(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        installed = tmp_path / "kubectl"
        installed.write_text("#!/bin/sh\n")
        installed.chmod(0o755)
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
        monkeypatch.setenv("PATH", str(tmp_path))
        assert binaries.client("kubectl", lambda _line: None) == installed

    def test_without_go_the_remedy_is_named(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
        monkeypatch.setenv("PATH", str(tmp_path))
        with pytest.raises(ClusterError, match="install Go"):
            binaries.ensure(["pause"], lambda _line: None)
