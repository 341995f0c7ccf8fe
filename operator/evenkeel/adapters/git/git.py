"""Asks a Git server which revision of some data a branch has, by its smart protocol over HTTP.

A poll costs one small request as long as the branch stays. When it has moved, one commit with its
folders is fetched, and of its files only those that tell of the data, where the server can leave
the others out (protocol version 2 with filters, as the large hosts have).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from typing import NamedTuple, TypeVar

from evenkeel.adapters.access import Access
from evenkeel.adapters.git import dvc, pack, packets
from evenkeel.adapters.git.pack import MOST, QUICK, Limits
from evenkeel.adapters.git.packets import Mark
from evenkeel.adapters.readers import SMALL, OwnReaders, Readers
from evenkeel.adapters.source import NotFound, NotUnderstood, SourceError, Unavailable
from evenkeel.adapters.web import Reply, Web, refusal
from evenkeel.adapters.words import one_line, without
from evenkeel.outside.git import GitQuestion, TrackedData

ADVERTISEMENT = 4 * 2**20
"""Bytes of a server's beginning; old ones tell all their branches and tags."""
PACK = 12 * 2**20
"""Bytes of a pack."""
FEW = 2**14
"""Bytes of packets that are read at once; millions of small ones would hold the loop up."""
HEADS = 32
"""Commits of a branch of which it is remembered what they have."""
AGENT = "agent=evenkeel"
T = TypeVar("T")
Objects = Mapping[str, tuple[int, bytes]]


class Git:
    """All repositories."""

    def __init__(self, web: Web) -> None:
        self._web = web
        self._readers = Readers("git")

    async def ask(
        self, question: GitQuestion, access: Access, last: TrackedData | None
    ) -> TrackedData:
        """The data's revision. Raises SourceError."""
        try:
            return await self._asked(question, access, last)
        except packets.Told as error:
            said = one_line(without(access.confidential, str(error)))
            raise Unavailable(f"{access.url}: {said}") from None
        except (packets.Malformed, pack.BadPack) as error:
            raise NotUnderstood(f"{access.url}: {error}") from None

    async def _asked(
        self, question: GitQuestion, access: Access, last: TrackedData | None
    ) -> TrackedData:
        repository = _Repository(self._web, access, self._readers.of(access.owner))
        server = await repository.advertisement()
        head = await repository.head(server, question.branch)
        if last is None:
            return await self._found(repository, server, head, question.path)
        if last.head == head:
            return last
        found = next((one for one in last.before if one.head == head), None)
        if found is None:
            found = await self._found(repository, server, head, question.path)
            found = replace(found, news=True)
        else:
            found = replace(found, news=False)
        if last.digest == found.digest and last.news:
            # Another commit, the same data. After one that had come back it is a revision of its
            # own: what came back may be settled, though other data were trained on since.
            found = replace(last, head=head)
        others = (one for one in (replace(last, before=()), *last.before) if one.head != head)
        return replace(found, before=tuple(islice(others, HEADS)))

    async def _found(
        self, repository: _Repository, server: packets.Advertisement, head: str, path: str
    ) -> TrackedData:
        where = f"{repository.access.url} at {head[:12]}"
        commit = await repository.commit(server, head, path)
        texts = dict(commit.texts)
        missing = set(commit.places.values()) - texts.keys()
        if missing and repository.filters(server):
            texts |= await repository.files(sorted(missing))
        for place, oid in commit.places.items():
            if oid not in texts:
                raise NotUnderstood(f"{where}: {place} is larger than {pack.LARGE // 1024} KiB")
            try:
                read, text = partial(dvc.output, place, path=path), texts[oid]
                large = len(text) > dvc.QUICK
                out = await repository.readers.read(read, text, large=large)
            except dvc.NotDvc as error:
                raise NotUnderstood(f"{where}: {place} is no file of DVC's: {error}") from None
            if out is not None:
                return TrackedData(head, out.digest, out.size, out.files, head)
        if commit.itself:
            return TrackedData(head, f"git:{commit.itself}", head=head)
        raise NotFound(
            f"{where} has no data {path}: neither {path}.dvc, nor an output of a dvc.lock, nor "
            "a file or folder in Git; write the path of the data from the repository's root"
        )


class _Commit(NamedTuple):
    """What a commit has of some data. places: names of the files that may tell of them. itself: the
    name of the data's own file or folder in Git; empty without one. texts: contents by name, of the
    files that came with the commit."""

    places: Mapping[str, str]
    itself: str
    texts: Mapping[str, bytes]


def _commit(head: str, path: str, body: bytes, limits: Limits = MOST) -> _Commit:
    """From the answer to a fetch. Raises Malformed, BadPack and Told."""
    objects = pack.objects(packets.pack(body), limits)
    folders = _Folders(objects, head, (path, *dvc.places(path)))
    places = {place: oid for place in dvc.places(path) if (oid := folders.find(place))}
    itself = folders.find(path, files_only=False)
    return _Commit(places, itself, _texts(objects, places.values()))


def _files(oids: Iterable[str], body: bytes, limits: Limits = MOST) -> dict[str, bytes]:
    """From the answer to a fetch. Raises Malformed, BadPack and Told."""
    return _texts(pack.objects(packets.pack(body), limits), oids)


def _texts(objects: Objects, oids: Iterable[str]) -> dict[str, bytes]:
    return {oid: objects[oid][1] for oid in oids if oid in objects and objects[oid][0] == pack.BLOB}


@dataclass(frozen=True, slots=True)
class _Repository:
    """One repository as it is asked. Each method raises SourceError, Malformed and Told."""

    web: Web
    access: Access
    readers: OwnReaders

    async def advertisement(self) -> packets.Advertisement:
        reply = await self.web.request(
            self.access,
            "GET",
            "/info/refs",
            params={"service": "git-upload-pack"},
            headers={"Git-Protocol": "version=2"},
            limit=ADVERTISEMENT,
        )
        self._check(reply, "application/x-git-upload-pack-advertisement")
        found = await self._listed(packets.advertisement, reply.body)
        if found.capabilities.get("object-format", "sha1") != "sha1":
            raise packets.Malformed("repositories with SHA-256 are not supported")
        return found

    async def head(self, server: packets.Advertisement, branch: str) -> str:
        """The branch's newest commit."""
        name = f"refs/heads/{branch}"
        refs = server.refs
        if server.version == 2:
            body = await self._post("ls-refs", [f"ref-prefix {name}"])
            refs = await self._listed(packets.refs, body)
        if name not in refs:
            raise NotFound(f"{self.access.url} has no branch {branch}; correct the name")
        return refs[name]

    @staticmethod
    def filters(server: packets.Advertisement) -> bool:
        """Whether files can be left out and fetched one by one."""
        fetch = server.capabilities.get("fetch", "").split()
        return server.version == 2 and "filter" in fetch

    async def commit(self, server: packets.Advertisement, commit: str, path: str) -> _Commit:
        """The commit with its folders and, unless they can be left out, its files."""
        try:
            if server.version == 2:
                less = ["filter blob:none"] if self.filters(server) else []
                body = await self._fetch([*less, "deepen 1", f"want {commit}"])
            else:
                wants = f"want {commit} no-progress ofs-delta side-band-64k shallow {AGENT}"
                asked = packets.joined(wants, "deepen 1", Mark.FLUSH, "done")
                body = await self._send(asked, version=0)
        except NotUnderstood as error:
            raise NotUnderstood(
                f"{error}; let the server leave files out (uploadpack.allowFilter), or keep the "
                "data's .dvc files in a smaller repository"
            ) from None
        return await self._unpacked(partial(_commit, commit, path), body)

    async def files(self, oids: Sequence[str]) -> dict[str, bytes]:
        """Contents of the files by name, of those that are not too large."""
        body = await self._fetch([f"want {oid}" for oid in oids])
        return await self._unpacked(partial(_files, oids), body)

    async def _unpacked(self, read: Callable[..., T], body: bytes) -> T:
        """A few bytes may unpack to a lot: nobody waits for that who has a repository of little."""
        with suppress(pack.TooMuch):
            if len(body) <= SMALL:
                return await self.readers.read(partial(read, limits=QUICK), body)
        return await self.readers.read(read, body, large=True)

    async def _listed(self, read: Callable[[bytes], T], body: bytes) -> T:
        return read(body) if len(body) <= FEW else await self.readers.read(read, body)

    async def _fetch(self, lines: Iterable[str]) -> bytes:
        return await self._post("fetch", ["no-progress", "ofs-delta", *lines, "done"], limit=PACK)

    async def _post(self, command: str, lines: Iterable[str], limit: int = ADVERTISEMENT) -> bytes:
        head = (f"command={command}", AGENT, "object-format=sha1", Mark.DELIMITER)
        return await self._send(packets.joined(*head, *lines, Mark.FLUSH), limit=limit)

    async def _send(self, body: bytes, *, version: int = 2, limit: int = PACK) -> bytes:
        reply = await self.web.request(
            self.access,
            "POST",
            "/git-upload-pack",
            headers={
                "Content-Type": "application/x-git-upload-pack-request",
                "Accept": "application/x-git-upload-pack-result",
                **({"Git-Protocol": "version=2"} if version == 2 else {}),
            },
            data=body,
            limit=limit,
        )
        self._check(reply, "application/x-git-upload-pack-result")
        return reply.body

    def _check(self, reply: Reply, media_type: str) -> None:
        if reply.status != 200:
            raise self._refusal(reply)
        if reply.media_type != media_type:
            raise NotUnderstood(
                f"{self.access.url} is no repository of a Git server that speaks the smart "
                f"protocol: it answered with {one_line(reply.media_type, 60) or 'no type'}"
            )

    def _refusal(self, reply: Reply) -> SourceError:
        error = refusal(reply, self.access)
        if isinstance(error, NotFound):
            return NotFound(f"{error}; correct the repository's address")
        return error


class _Folders:
    """The folders of a commit, by path; of what is in them, as much as paths lead to."""

    def __init__(self, objects: Objects, commit: str, paths: Iterable[str]) -> None:
        self._objects = objects
        self._names = {name for path in paths for name in path.split("/")}
        self._read: dict[str, dict[str, pack.Entry]] = {}
        self._root = pack.tree_of(self._content(commit, pack.COMMIT))

    def find(self, path: str, *, files_only: bool = True) -> str:
        """The name of what is at the path; empty if nothing is."""
        oid = self._root
        *folders, last = path.split("/")
        for folder in folders:
            entry = self._entries(oid).get(folder)
            if entry is None or not entry.folder:
                return ""
            oid = entry.oid
        entry = self._entries(oid).get(last)
        return "" if entry is None or (files_only and entry.folder) else entry.oid

    def _entries(self, oid: str) -> dict[str, pack.Entry]:
        if oid not in self._read:
            tree = pack.entries(self._content(oid, pack.TREE), self._names)
            self._read[oid] = {entry.name: entry for entry in tree}
        return self._read[oid]

    def _content(self, oid: str, kind: int) -> bytes:
        found = self._objects.get(oid)
        if found is None or found[0] != kind:
            raise pack.BadPack(f"it lacks the object {oid[:12]}")
        return found[1]
