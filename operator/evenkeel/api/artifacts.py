"""From where a pod fetches the artefacts of a registered version."""

from __future__ import annotations

import re

from evenkeel.api.common import ModelFormat
from evenkeel.api.uri import PROXIED, uri_problem
from evenkeel.meta.refusal import Refused

SERVED_AS = ModelFormat(name="mlflow")
"""Of each model with the flavor python_function, whatever it was saved as beside it."""
BY_SERVER = "mlflow-artifacts:"
PROXY = "/api/2.0/mlflow-artifacts/artifacts"
"""Where a tracking server hands out artefacts that it stores itself."""
LONGEST = 2048

_SERVED = ("s3", "gs", "pvc", "http", "https", "hf", "oci")
_SEGMENT = re.compile(r"^[A-Za-z0-9._~@+=,-]+$")


def handed_out(url: str) -> str:
    """What the addresses begin with that the tracking server at `url` hands out itself."""
    return f"{PROXIED}{url.rstrip('/')}{PROXY}/"


def fetched_from(uri: str, url: str) -> str | Refused:
    """The address of artefacts, as storage takes it.

    Those that the tracking server at `url` hands out itself become mlflow+https://..., which is
    their address there. uri: as the registry tells it.
    """
    scheme = uri.partition(":")[0]
    if uri.startswith(BY_SERVER):
        return _proxied(uri, url)
    if scheme == "file" or uri.startswith("/"):
        return _refused(
            f"its artefacts are on the tracking server's own disk ({_short(uri)}), where no pod "
            "reads them; start the server with --artifacts-destination, and log the model again"
        )
    if scheme not in _SERVED:
        return _refused(
            f"nothing fetches artefacts from {_short(uri)}; store them in S3, in Google Cloud "
            "Storage or behind the tracking server, and log the model again"
        )
    if (problem := uri_problem(uri)) is not None:
        return _refused(f"its address {_short(uri)} cannot be used: {problem}")
    return uri


def _proxied(uri: str, url: str) -> str | Refused:
    """mlflow-artifacts:/PATH is of the registry's own server; with a host it is of that one."""
    path = uri.removeprefix(BY_SERVER)
    if path.startswith("//"):
        return _refused(
            f"its artefacts are behind another server ({_short(uri)}), for which the registry's "
            "Secret is not meant; log the model by the registry's own"
        )
    segments = path.strip("/").split("/")
    if not all(_SEGMENT.match(one) and one.strip(".") for one in segments):
        return _refused(f"the path of its artefacts cannot be used ({_short(uri)})")
    found = f"{handed_out(url)}{'/'.join(segments)}"
    if len(found) > LONGEST:
        return _refused("the address of its artefacts is too long; shorten the registry's URL")
    return found


def _short(uri: str) -> str:
    return uri if len(uri) <= 200 else f"{uri[:200]}..."


def _refused(message: str) -> Refused:
    return Refused("ArtifactNotServable", message)
