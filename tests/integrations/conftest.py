"""The systems that teams bring, as they are."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
from evenkeel.adapters import sigv4

from dev.mlflow import Mlflow
from dev.versitygw import ACCESS_KEY, REGION, SECRET_KEY, Versitygw

TRAINER = Path(__file__).with_name("train_with_mlflow.py")


class Trained(NamedTuple):
    """A server, and what the trainer's client told of the versions of its model iris."""

    server: Mlflow
    versions: list[dict[str, Any]]


@pytest.fixture(scope="session", params=[False, True], ids=["open", "auth"])
def mlflow(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Trained]:
    """Servers of MLflow with trained models: one for all, one with basic auth."""
    server = Mlflow(tmp_path_factory.mktemp("mlflow"), auth=request.param)
    server.start()
    try:
        yield Trained(server, json.loads(server.run(TRAINER, "iris").splitlines()[-1]))
    finally:
        server.stop()


@pytest.fixture(scope="session")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Versitygw]:
    """A store that speaks S3."""
    made = Versitygw(tmp_path_factory.mktemp("s3"))
    made.start()
    try:
        yield made
    finally:
        made.stop()


def signed(gateway: Versitygw, method: str, uri: str, body: bytes = b"") -> bytes:
    """A request as clients of S3 sign it; the answer. Raises HTTPStatusError."""
    path = sigv4.encoded(uri.removeprefix("s3:/"), "/")
    digest = hashlib.sha256(body).hexdigest()
    scope = sigv4.Scope(REGION, "s3", datetime.now(UTC))
    headers = {
        "host": gateway.url.removeprefix("http://"),
        "x-amz-date": scope.stamp,
        "x-amz-content-sha256": digest,
    }
    keys = sigv4.Keys(ACCESS_KEY, SECRET_KEY)
    given = sigv4.authorization(keys, scope, method, path, "", headers, digest)
    headers["Authorization"] = given
    answer = httpx.request(method, f"{gateway.url}{path}", content=body, headers=headers)
    return answer.raise_for_status().content
