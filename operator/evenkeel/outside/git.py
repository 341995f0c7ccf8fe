"""Data that a Git repository tells of: where it is told, and which revision of it."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class GitQuestion:
    """Which revision of the data at `path` the branch has. path: of the data, from the root."""

    branch: str
    path: str


@dataclass(frozen=True, slots=True)
class TrackedData:
    """A revision of data.

    rev: the commit at which it was found. digest: the algorithm and the data's hash, such as
    `md5:d41d8cd98f00b204e9800998ecf8427e.dir`; `git:` is that of a file or folder in Git itself.
    size: bytes. files: how many, of a folder. head: the branch's newest commit, which may well
    have the same data. news: whether the branch was seen to come to that commit for the first time;
    at a first look it may just as well have come back to it. before: what was found at other heads
    of late, the newest first; mirrors that lag behind and forced pushes show them again.
    """

    rev: str
    digest: str
    size: int | None = None
    files: int | None = None
    head: str = field(default="", compare=False)
    news: bool = field(default=False, compare=False)
    before: tuple[TrackedData, ...] = field(default=(), compare=False, repr=False)
