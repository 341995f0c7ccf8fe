"""The result that the operator reads from the container's termination message."""

import json
from collections.abc import Sequence

from demo.trainer.model import Evaluation

# The kubelet cuts a termination message off at 4096 bytes.
LIMIT = 4096


def result(
    *,
    uri: str,
    sklearn_version: str,
    digest: str,
    evaluation: Evaluation,
    baseline: Evaluation | None,
    data_revision: str,
    code_revision: str,
) -> str:
    """JSON text below LIMIT bytes; raises ValueError when it would be longer."""
    metrics = [
        _metric("accuracy", evaluation.accuracy),
        _metric("log_loss", evaluation.log_loss),
    ]
    if evaluation.roc_auc is not None:
        metrics.append(_metric("roc_auc", evaluation.roc_auc))
    if baseline is not None:
        metrics.append(_metric("baseline_accuracy", baseline.accuracy))
    document = {
        "uri": uri,
        "format": {"name": "sklearn", "version": sklearn_version},
        "digest": digest,
        "metrics": metrics,
        "slices": [
            {
                "name": part.name,
                "samples": part.samples,
                "metrics": [_metric("accuracy", part.accuracy)],
            }
            for part in evaluation.slices
        ],
        "dataRevision": data_revision,
        "codeRevision": code_revision,
    }
    text = json.dumps(document, separators=(",", ":"))
    if (size := len(text.encode())) >= LIMIT:
        raise ValueError(f"the result has {size} bytes; a termination message is cut at {LIMIT}")
    return text


def summary(metrics: Sequence[dict[str, str]]) -> str:
    """One line for the log."""
    return " ".join(f"{metric['name']}={metric['value']}" for metric in metrics)


def _metric(name: str, value: float) -> dict[str, str]:
    return {"name": name, "value": f"{value:.4f}"}
