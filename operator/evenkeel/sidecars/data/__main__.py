"""Brings the data, waits for such as are not there yet, and tells what was brought or why not.

Both are its last words: JSON with rev, digest, size and files, or one line for people. The trainer
finds the folder `content` of the volume; all else there is gone by then.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from evenkeel.sidecars.data.config import Certificates, Config, GitData, config, secrets, store_keys
from evenkeel.sidecars.data.dvc import Dvc
from evenkeel.sidecars.data.s3 import S3
from evenkeel.sidecars.data.words import Again, Failed, one_line

FIRST_PAUSE = 2.0
LONGEST_PAUSE = 60.0
"""Seconds until the next attempt; each is twice as long as the one before."""


def waited(
    once: Callable[[], Mapping[str, Any]],
    seconds: float,
    say: Callable[[str], None],
    pause: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> Mapping[str, Any]:
    """What an attempt gives, of as many as fit into the time. Raises Failed."""
    end, step = clock() + seconds, FIRST_PAUSE
    while True:
        try:
            return once()
        except Again as fault:
            left = end - clock()
            if left <= 0:
                raise Failed(f"{fault}; that is so for {seconds:g} s (waitSeconds)") from None
            say(f"{fault}; once more in {min(step, left):.0f} s")
            pause(min(step, left))
            step = min(2 * step, LONGEST_PAUSE)


def bring(found: Config, say: Callable[[str], None]) -> Mapping[str, Any]:
    """Fills the volume's folder `content`; what is told of it. Raises Failed."""
    folder = Path(found.folder)
    work, content = folder / "work", folder / "content"
    try:
        for old in (work, content):
            shutil.rmtree(old, ignore_errors=True)
        work.mkdir(mode=0o700)
        if found.store.ca:
            os.environ["AWS_CA_BUNDLE"] = _file(work / "store-ca.crt", found.store.ca)

        def once() -> Mapping[str, Any]:
            shutil.rmtree(content, ignore_errors=True)
            return source.once()

        if isinstance(found.source, GitData):
            source: Dvc | S3 = Dvc(found.source, work, content)
        else:
            source = S3(found.source, content, _shown(found.store, work))
        told = waited(once, found.wait, say)
        return {**told, **_measured(content)}
    except OSError as error:
        raise Failed(f"cannot write {folder}: {error.strerror}") from None
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _shown(store: Certificates, work: Path) -> tuple[str, str] | None:
    """The files of the certificate that the store is shown, and of its key."""
    if not (store.certificate and store.key):
        return None
    certificate = _file(work / "store-tls.crt", store.certificate)
    return certificate, _file(work / "store-tls.key", store.key)


def _file(place: Path, text: str) -> str:
    place.write_text(text)
    return str(place)


def _measured(content: Path) -> Mapping[str, int]:
    """Bytes and files, which all may read from here on, whoever the trainer runs as."""
    size = files = 0
    for place, _, names in os.walk(content):
        os.chmod(place, 0o755)
        for name in names:
            file = os.path.join(place, name)
            os.chmod(file, 0o644)
            size += os.path.getsize(file)
            files += 1
    return {"size": size, "files": files}


def main() -> None:
    """Brings the data, or ends with the reason as last words."""
    env, began = dict(os.environ), time.monotonic()
    for name in env:
        if name.startswith("DATA_GIT_"):
            del os.environ[name]
    os.environ.update(store_keys(env))
    hidden = secrets(env)

    def say(text: str) -> None:
        print(one_line(text, hidden), file=sys.stderr, flush=True)

    try:
        told = bring(config(env), say)
    except Failed as error:
        say(str(error))
        _last_words(one_line(str(error), hidden))
        raise SystemExit(1) from None
    except Exception as error:
        # What an unforeseen error says may be a credential.
        traceback.print_tb(error.__traceback__)
        _last_words(f"an unforeseen {type(error).__name__}; the container's log tells where")
        raise SystemExit(1) from None
    _last_words(json.dumps(told))
    say(f"{told['files']} files, {told['size']} bytes in {time.monotonic() - began:.1f} s: {told}")


def _last_words(text: str) -> None:
    with open(os.environ.get("DATA_LAST_WORDS", "/dev/termination-log"), "w") as file:
        file.write(text)


if __name__ == "__main__":
    main()
