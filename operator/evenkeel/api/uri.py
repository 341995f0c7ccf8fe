"""Which addresses of artefacts are taken: for the API server as CEL, for trainers' reports here.

Each rule is a pattern in what RE2 and Python's `re` have in common, so that both say the same.
"""

from __future__ import annotations

import re
from typing import Annotated, NamedTuple

from pydantic import Field

from evenkeel.meta.model import Rule, cel

_REGISTRY = "(models|runs|mlflow-artifacts):"


class _Fault(NamedTuple):
    """What an address must not look like (or must: `unless`), and what to write instead."""

    pattern: str
    message: str
    unless: bool = False

    def found(self, uri: str) -> bool:
        return (re.search(self.pattern, uri) is None) == self.unless

    def rule(self) -> Rule:
        sign = "" if self.unless else "!"
        return Rule(f"{sign}self.matches(r'{self.pattern}')", self.message)


_SCHEMES = "pvc|s3|gs|http|https|hf|oci|file"


def _known(schemes: str) -> _Fault:
    return _Fault(
        f"^(({schemes})://.|{_REGISTRY})",
        "uri must begin with pvc://, s3://, gs://, http://, https://, hf://, oci:// or file:// "
        "(baked into the runtime's image)",
        unless=True,
    )


_KNOWN = _known(_SCHEMES)
_FAULTS = (
    _Fault(
        f"^{_REGISTRY}",
        "models:/, runs:/ and mlflow-artifacts:/ are names that only an MLflow server knows: write "
        "the address behind them, such as s3://BUCKET/PATH; "
        "MlflowClient().get_model_version_download_uri(NAME, VERSION) tells it, or mount it as "
        "pvc://CLAIM/PATH",
    ),
    _KNOWN,
    _Fault(
        "^pvc://([^/]*$|/|[^/]+/$)",
        "write pvc://CLAIM/PATH, with the model's path within the claim",
    ),
    _Fault("^pvc://([^/]+/)+[.][.](/|$)", "write pvc://CLAIM/PATH without '..' in the path"),
    _Fault("^file://([^/]|/?$)", "write file:///PATH, an absolute path in the runtime's image"),
    _Fault(
        "^(pvc|s3|gs|http|https|hf|oci):(//.*:)?///",
        "uri needs a bucket's, host's, repository's or claim's name after the scheme",
    ),
    _Fault("[\\x00-\\x1f\\x7f]", "uri must have no line breaks, tabs or other control characters"),
    _Fault(
        "^[a-z0-9+]+://[^/]* |^oci://.* | $",
        "a blank may stand in a path only, not in a bucket's, host's, claim's or image's name and "
        "not at the end",
    ),
)

URI_RULES = tuple(fault.rule() for fault in _FAULTS)
_VERSION_RULES = (
    (_known(f"{_SCHEMES}|mlflow[+]https?") if fault is _KNOWN else fault).rule()
    for fault in _FAULTS
)


def uri_problem(uri: str) -> str | None:
    """What is wrong with the address of an artefact, in the API server's words; None if nothing."""
    return next((fault.message for fault in _FAULTS if fault.found(uri)), None)


ModelURI = Annotated[str, Field(min_length=1, max_length=2048, json_schema_extra=cel(*URI_RULES))]
"""The address of an artefact, which is handed on letter by letter."""

VersionURI = Annotated[
    str, Field(min_length=1, max_length=2048, json_schema_extra=cel(*_VERSION_RULES))
]
"""That of a version, which a tracking server of MLflow may hand out as well."""

PROXIED = "mlflow+"
"""Before the address of artefacts that a tracking server of MLflow hands out itself."""


def is_proxied(uri: str) -> bool:
    """Whether a tracking server hands the artefacts out itself."""
    return uri.startswith(PROXIED)
