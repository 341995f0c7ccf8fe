"""One commit of a repository, by Git itself. Credentials are in its environment alone."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

from evenkeel.sidecars.data.config import GitData
from evenkeel.sidecars.data.words import Again, Failed, one_line

COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
STALLED = 60
"""Seconds without a byte."""
DENIED = ("authentication failed", "could not read username", "could not read password")
LASTING = ("error: 30", "error: 40", "not found", "certificate", "ssl", "not valid", "support")
"""What Git says of faults that another attempt would not change."""


class Checkout:
    """A folder with the files of one commit. work: for files beside it."""

    def __init__(self, source: GitData, work: Path) -> None:
        self._source = source
        self.folder = work / "checkout"
        self._env = _environment(source, work)

    def make(self) -> str:
        """Fetches the files; the commit that they are of. Raises Failed and Again."""
        commit = self._resolved()
        if not self.folder.exists():
            self._git("init", "--quiet", str(self.folder), where=self.folder.parent)
        self._fetch(commit)
        self._git("checkout", "--quiet", "--force", "--detach", commit)
        return commit

    def object_at(self, path: str) -> str:
        """The name of what is at the path in Git; empty if nothing is."""
        try:
            return self._git("rev-parse", "--verify", "--quiet", f"HEAD:{path}").strip()
        except (Again, Failed):
            return ""

    def _resolved(self) -> str:
        repo, rev = self._source.repo, self._source.rev
        if COMMIT.fullmatch(rev):
            return rev
        wanted = (f"refs/heads/{rev}", f"refs/tags/{rev}^{{}}", f"refs/tags/{rev}")
        names = wanted if rev else ("HEAD",)
        listed = self._git("ls-remote", repo, *names, where=self.folder.parent)
        pairs = (line.split("\t") for line in listed.splitlines())
        found = {name: commit for commit, name in pairs}
        for name in names:
            if name in found:
                return found[name]
        if not rev:
            raise Failed(f"{repo} has no commit yet")
        raise Failed(f"{repo} has no branch and no tag {rev}; a commit is written with all digits")

    def _fetch(self, commit: str) -> None:
        repo, quiet = self._source.repo, ("fetch", "--quiet", "--no-tags")
        try:
            self._git(*quiet, "--depth=1", repo, commit)
        except (Again, Failed) as error:
            said = str(error)
            if "not our ref" in said:
                raise Failed(f"{repo} has no commit {commit[:12]} (any more): {said}") from None
            if "unadvertised" not in said:
                raise
            # Old servers hand out branches and tags alone.
            self._git(*quiet, repo, "+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*")
            if not self.object_exists(commit):
                raise Failed(f"{repo} has no branch or tag with commit {commit[:12]}") from None

    def object_exists(self, commit: str) -> bool:
        """Whether the commit is there."""
        try:
            self._git("cat-file", "-e", f"{commit}^{{commit}}")
        except (Again, Failed):
            return False
        return True

    def _git(self, *arguments: str, where: Path | None = None) -> str:
        try:
            done = subprocess.run(
                ["git", *arguments],
                cwd=where or self.folder,
                env=self._env,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                check=False,
            )
        except OSError as error:
            raise Failed(f"git does not start: {error.strerror}") from None
        if done.returncode == 0:
            return done.stdout
        raise self._fault(one_line(done.stderr) or f"git ended with {done.returncode}")

    def _fault(self, said: str) -> Exception:
        repo, secret = self._source.repo, self._source.secret
        lower = said.replace(repo, "").lower()
        if any(word in lower for word in DENIED):
            remedy = f"correct Secret {secret!r}" if secret else "name a Secret in dvc.secretName"
            return Failed(f"{repo} refuses the credentials: {said}; {remedy}")
        if any(word in lower for word in LASTING):
            return Failed(f"{repo}: {said}; correct repo, or what its Secret's user may read")
        return Again(f"{repo}: {said}")


def _environment(source: GitData, work: Path) -> Mapping[str, str]:
    """Nobody's settings but these. Redirects are not followed: credentials are for one server."""
    shown = source.credentials
    settings = [
        ("http.followRedirects", "false"),
        ("http.lowSpeedLimit", "1"),
        ("http.lowSpeedTime", str(STALLED)),
        ("core.symlinks", "false"),
        ("core.hooksPath", "/dev/null"),
        ("safe.directory", "*"),
        ("gc.auto", "0"),
        *(("http.extraHeader", line) for line in shown.headers),
    ]
    for name, setting, text in (
        ("ca.crt", "http.sslCAInfo", shown.ca),
        ("tls.crt", "http.sslCert", shown.certificate),
        ("tls.key", "http.sslKey", shown.key),
    ):
        if text:
            file = work / name
            file.touch(mode=0o600)
            file.write_text(text)
            settings.append((setting, str(file)))
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(work),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ALLOW_PROTOCOL": "https:http",
        "GIT_CONFIG_COUNT": str(len(settings)),
        **{f"GIT_CONFIG_KEY_{n}": name for n, (name, _) in enumerate(settings)},
        **{f"GIT_CONFIG_VALUE_{n}": value for n, (_, value) in enumerate(settings)},
    }
