"""A release's checks and archives, on a small repository made here."""

from __future__ import annotations

import shutil
import subprocess
import tarfile
import zipfile
from pathlib import Path

import pytest

from dev import release
from dev.paths import ROOT

FILES = (
    "CHANGELOG.md",
    "LICENSE",
    "README.md",
    "pyproject.toml",
    "charts/evenkeel/Chart.yaml",
    "operator/evenkeel/__init__.py",
    "operator/evenkeel/py.typed",
    "operator/evenkeel/meta/__init__.py",
    "operator/evenkeel/meta/names.py",
    "deploy/install.yaml",
    "deploy/runtimes.yaml",
    "crds/trainingruns.yaml",
    "crds/modelversions.yaml",
)
VERSION = release.version(ROOT)


def git(root: Path, *arguments: str) -> None:
    identity = ("-c", "user.name=Ada", "-c", "user.email=ada@example.com")
    subprocess.run(["git", "-C", root, *identity, *arguments], check=True, capture_output=True)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A repository that is ready for its release."""
    made = tmp_path / "repository"
    for name in FILES:
        (made / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, made / name)
    replace(made / "CHANGELOG.md", f"[{VERSION}] - unreleased", f"[{VERSION}] - 2026-01-31")
    git(made, "init", "--quiet")
    git(made, "add", "--all")
    git(made, "commit", "--quiet", "--message=Begin", "--date=2026-01-31T00:00:00Z")
    return made


@pytest.fixture
def dist(tmp_path: Path) -> Path:
    made = tmp_path / "dist"
    made.mkdir()
    return made


def replace(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_this_repositorys_versions_agree() -> None:
    assert set(release.versions(ROOT).values()) == {VERSION}


@pytest.mark.parametrize(
    ("file", "before", "told"),
    [
        ("pyproject.toml", '\nversion = "', "pyproject.toml says"),
        ("charts/evenkeel/Chart.yaml", "\nversion: ", "Chart.yaml version says"),
        ("charts/evenkeel/Chart.yaml", "\nappVersion: ", "Chart.yaml appVersion says"),
        ("operator/evenkeel/__init__.py", '__version__ = "', "__init__.py says"),
    ],
)
def test_versions_that_differ_are_refused(root: Path, file: str, before: str, told: str) -> None:
    replace(root / file, f"{before}{VERSION}", f"{before}9.9.9")
    with pytest.raises(release.ReleaseError, match=f"{told} 9.9.9"):
        release.version(root)


def test_nothing_is_lacking(root: Path) -> None:
    assert release.lacking(root, VERSION) == []


def test_a_changelog_without_the_version_is_told(root: Path) -> None:
    assert "no section [9.9.9]" in release.lacking(root, "9.9.9")[0]


def test_a_changelog_without_the_day_and_a_dirty_tree_are_told(root: Path) -> None:
    replace(root / "CHANGELOG.md", "2026-01-31", "unreleased")
    (root / "other").touch()
    day, tree = release.lacking(root, VERSION)
    assert "'unreleased'" in day
    assert "dirty (M CHANGELOG.md and 1 more)" in tree


def test_a_final_release_refuses_what_a_dry_run_only_says(root: Path, dist: Path) -> None:
    (root / "other").touch()
    with pytest.raises(release.ReleaseError, match="dirty"):
        release.release(root, dist, final=True, with_image=False, say=lambda _: None)


def test_a_folder_with_something_else_is_left_alone(root: Path, dist: Path) -> None:
    (dist / "thesis.txt").touch()
    with pytest.raises(release.ReleaseError, match="something else"):
        release.release(root, dist, final=True, with_image=False, say=lambda _: None)
    assert (dist / "thesis.txt").exists()


def test_packages_are_complete_and_the_same_each_time(root: Path, tmp_path: Path) -> None:
    contents = []
    for attempt in ("one", "two"):
        folder = tmp_path / attempt
        folder.mkdir()
        (root / "operator/evenkeel/__pycache__").mkdir(exist_ok=True)
        release.packages(root, folder, 1_750_000_000)
        contents.append({path.name: path.read_bytes() for path in folder.iterdir()})
    assert contents[0] == contents[1]
    wheel, sdist = f"evenkeel-{VERSION}-py3-none-any.whl", f"evenkeel-{VERSION}.tar.gz"
    assert set(contents[0]) == {wheel, sdist}
    with zipfile.ZipFile(tmp_path / "one" / wheel) as archive:
        names = set(archive.namelist())
    sources = {name.removeprefix("operator/") for name in FILES if name.startswith("operator/")}
    assert sources <= names
    assert f"evenkeel-{VERSION}.dist-info/licenses/LICENSE" in names
    with tarfile.open(tmp_path / "one" / sdist) as archive:
        assert {(m.uid, m.uname, m.mtime) for m in archive} == {(0, "", 1_750_000_000)}
    assert not list(root.glob("**/*.egg-info"))


def test_crds_are_one_file(root: Path, dist: Path) -> None:
    release.manifests(root, dist)
    assert {path.name for path in dist.iterdir()} == {"install.yaml", "runtimes.yaml", "crds.yaml"}
    assert (dist / "crds.yaml").read_text().count("kind: CustomResourceDefinition") == 2


def test_sums_are_those_that_sha256sum_checks(dist: Path) -> None:
    (dist / "b").write_text("b")
    (dist / "a").write_text("a")
    (dist / release.SUMS).write_text(release.sums(dist))
    done = subprocess.run(
        ["sha256sum", "--check", "--strict", release.SUMS],
        cwd=dist,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "a: OK\nb: OK\n"
