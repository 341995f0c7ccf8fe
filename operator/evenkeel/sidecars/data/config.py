"""What is brought, and by which credentials: the container's variables."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from evenkeel.sidecars.data.words import Failed

CONFIDENTIAL = ("PASSWORD", "TOKEN", "SECRET", "HEADERS", "KEY")
"""What is in the names of variables whose values are not told."""
SIGNING = {
    "accessKeyId": "AWS_ACCESS_KEY_ID",
    "secretAccessKey": "AWS_SECRET_ACCESS_KEY",
    "sessionToken": "AWS_SESSION_TOKEN",
}
"""Keys by which triggers know a store's credentials, and the variables of its clients."""


class Credentials(NamedTuple):
    """What a Git server is shown. headers: lines of NAME: VALUE. ca, certificate, key: PEM."""

    headers: tuple[str, ...] = ()
    ca: str = ""
    certificate: str = ""
    key: str = ""


class GitData(NamedTuple):
    """Data of a Git repository.

    rev: a commit, branch or tag; empty for the default branch. path: from the repository's root.
    remote: name of DVC's remote; empty for its default. secret: where the credentials are from.
    """

    repo: str
    rev: str
    path: str
    remote: str = ""
    secret: str = ""
    credentials: Credentials = Credentials()


class S3Data(NamedTuple):
    """An object, or all that are below it as a folder; without a key the whole bucket.

    named_in_path: whether the endpoint takes the bucket in the path.
    """

    bucket: str
    key: str
    endpoint: str = ""
    region: str = "us-east-1"
    named_in_path: bool = True

    @property
    def uri(self) -> str:
        return f"s3://{self.bucket}/{self.key}"


class Certificates(NamedTuple):
    """PEM that a store is trusted by, and is shown."""

    ca: str = ""
    certificate: str = ""
    key: str = ""


class Config(NamedTuple):
    """folder: the volume. wait: seconds in which faults may end. store: of the store's Secret."""

    folder: str
    wait: float
    source: GitData | S3Data
    store: Certificates = Certificates()


def config(env: Mapping[str, str]) -> Config:
    """From variables named DATA_. Raises Failed."""
    folder, wait = env["DATA_FOLDER"], float(env.get("DATA_WAIT_SECONDS", "600"))
    names = ("DATA_STORE_CA", "DATA_STORE_CERTIFICATE", "DATA_STORE_KEY")
    store = Certificates(*(env.get(name, "") for name in names))
    if uri := env.get("DATA_S3_URI"):
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        endpoint, region = env["DATA_S3_ENDPOINT"], env["DATA_S3_REGION"]
        in_path = env["DATA_S3_ADDRESSING"] == "Path"
        source = S3Data(bucket, key.rstrip("/"), endpoint, region, in_path)
        return Config(folder, wait, source, store)
    path, remote = env["DATA_PATH"], env.get("DATA_REMOTE", "")
    secret, rev = env.get("DATA_GIT_FROM", ""), env.get("DATA_REV", "")
    shown = _credentials(env, secret)
    return Config(folder, wait, GitData(env["DATA_REPO"], rev, path, remote, secret, shown), store)


def store_keys(env: Mapping[str, str]) -> Mapping[str, str]:
    """The variables of a store's clients, of a Secret that triggers and reports share."""
    return {name: env[key].strip() for key, name in SIGNING.items() if env.get(key)}


def secrets(env: Mapping[str, str]) -> list[str]:
    """Values that no message may hold, also line by line and as Git sends them."""
    # They are used without the line's end that files give them.
    found = [v.strip() for k, v in env.items() if any(word in k.upper() for word in CONFIDENTIAL)]
    found += [line.partition(":")[2].strip() for value in found for line in value.splitlines()]
    shown = _headers(env)
    found += [line.rpartition(" ")[2] for line in shown]
    return [value for value in found if len(value) > 3]


def _credentials(env: Mapping[str, str], secret: str) -> Credentials:
    found = Credentials(
        tuple(_headers(env)),
        env.get("DATA_GIT_CA", ""),
        env.get("DATA_GIT_CERTIFICATE", ""),
        env.get("DATA_GIT_KEY", ""),
    )
    if secret and not any(found):
        raise Failed(
            f"Secret {secret!r} is not there, or has none of the keys token, username and "
            "password, ca.crt, tls.crt and tls.key, headers; create or correct it"
        )
    return found


def _headers(env: Mapping[str, str]) -> Iterator[str]:
    if token := env.get("DATA_GIT_TOKEN", "").strip():
        yield f"Authorization: Bearer {token}"
    elif username := env.get("DATA_GIT_USERNAME", "").strip():
        both = f"{username}:{env.get('DATA_GIT_PASSWORD', '').strip()}"
        yield f"Authorization: Basic {base64.b64encode(both.encode()).decode()}"
    for line in env.get("DATA_GIT_HEADERS", "").splitlines():
        if line.strip():
            yield line.strip()
