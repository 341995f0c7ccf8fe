"""Which addresses of artefacts Evenkeel takes: the same rules as `evenkeel.api.uri`.

A trainer's image has no operator to ask, so they stand here again, and a test holds both together.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_REGISTRY = "(models|runs|mlflow-artifacts):"


class Fault(NamedTuple):
    """What an address must not look like (or must: `unless`), and what to write instead."""

    pattern: str
    message: str
    unless: bool = False


FAULTS = (
    Fault(
        f"^{_REGISTRY}",
        "models:/, runs:/ and mlflow-artifacts:/ are names that only an MLflow server knows: write "
        "the address behind them, such as s3://BUCKET/PATH; "
        "MlflowClient().get_model_version_download_uri(NAME, VERSION) tells it, or mount it as "
        "pvc://CLAIM/PATH",
    ),
    Fault(
        f"^((pvc|s3|gs|http|https|hf|oci|file)://.|{_REGISTRY})",
        "uri must begin with pvc://, s3://, gs://, http://, https://, hf://, oci:// or file:// "
        "(baked into the runtime's image)",
        unless=True,
    ),
    Fault(
        "^pvc://([^/]*$|/|[^/]+/$)",
        "write pvc://CLAIM/PATH, with the model's path within the claim",
    ),
    Fault("^pvc://([^/]+/)+[.][.](/|$)", "write pvc://CLAIM/PATH without '..' in the path"),
    Fault("^file://([^/]|/?$)", "write file:///PATH, an absolute path in the runtime's image"),
    Fault(
        "^(pvc|s3|gs|http|https|hf|oci):(//.*:)?///",
        "uri needs a bucket's, host's, repository's or claim's name after the scheme",
    ),
    Fault("[\\x00-\\x1f\\x7f]", "uri must have no line breaks, tabs or other control characters"),
    Fault(
        "^[a-z0-9+]+://[^/]* |^oci://.* | $",
        "a blank may stand in a path only, not in a bucket's, host's, claim's or image's name and "
        "not at the end",
    ),
)


def address_problem(uri: str) -> str | None:
    """What is wrong with the address of an artefact; None if nothing."""
    for fault in FAULTS:
        if (re.search(fault.pattern, uri) is None) == fault.unless:
            return fault.message
    return None
