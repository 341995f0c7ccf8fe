"""What is kept of a Workflow: of its nodes, which may be a mebibyte, what says how it stands."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from evenkeel.meta.times import parse
from evenkeel.training.main_object import identity

Json = Mapping[str, Any]
JSON = dict[str, Any]

NODES = "_nodes"
"""What is kept of the nodes. result: the report; failure: where and how it failed first; pending:
why a step has no pod; waits: a step that a person resumes; hidden: where Argo keeps the nodes."""
RESULT = "result"
"""The output parameter that is the report."""
REPORT_BYTES = 65536
"""What is longer is cut here, as the kubelet cuts termination messages."""
_SPEC = ("suspend", "activeDeadlineSeconds")
_WORDS_OF = ("phase", "message", "progress")
_TIMES = ("startedAt", "finishedAt")
_WORDS = 1000


def slim_workflow(workflow: JSON) -> JSON:
    """Identity, suspension, deadline, phase, and what the nodes say in few words.

    A CRD may leave the types open: what is not as Argo writes it is left out.
    """
    spec, status = _object(workflow.get("spec")), _object(workflow.get("status"))
    texts = {k: status[k][:_WORDS] for k in _WORDS_OF if isinstance(status.get(k), str)}
    times = {k: status[k] for k in _TIMES if _is_time(status.get(k))}
    try:
        nodes = _of_nodes(workflow["metadata"]["name"], status)
    except (AttributeError, TypeError):
        nodes = {}
    return {
        "metadata": identity(workflow),
        "spec": {key: spec[key] for key in _SPEC if type(spec.get(key)) in (bool, int)},
        "status": {**texts, **times},
        NODES: nodes,
    }


def _object(value: Any) -> Json:
    return value if isinstance(value, dict) else {}


def _is_time(value: Any) -> bool:
    try:
        parse(value)
    except (TypeError, ValueError):
        return False
    return True


def _of_nodes(name: str, status: Json) -> JSON:
    by_id = _object(status.get("nodes"))
    nodes = [by_id[key] for key in sorted(by_id)]
    failed = [n for n in nodes if _failed(n) and n.get("message") != status.get("message")]
    # The entrypoint's node has the Workflow's own name.
    report = _result(status.get("outputs")) or _result((by_id.get(name) or {}).get("outputs"))
    found = {
        "result": report.encode()[:REPORT_BYTES].decode(errors="ignore"),
        "failure": _said(sorted(failed, key=lambda n: n.get("finishedAt") or "~")),
        "pending": _first(n.get("message") for n in nodes if n.get("phase") == "Pending"),
        "waits": _first(
            n.get("displayName")
            for n in nodes
            if (n.get("type"), n.get("phase")) == ("Suspend", "Running")
        ),
        "hidden": _hidden(status),
    }
    return {key: value for key, value in found.items() if value}


def _result(outputs: Json | None) -> str:
    parameters = (outputs or {}).get("parameters") or ()
    return _first(p.get("value") for p in parameters if p.get("name") == RESULT)


def _failed(node: Json) -> bool:
    return node.get("type") == "Pod" and node.get("phase") in ("Failed", "Error")


def _said(failed: list[JSON]) -> str:
    texts = (f"{n.get('displayName')}: {n['message']}" for n in failed if n.get("message"))
    return _first(texts)[:_WORDS]


def _first(texts: Iterable[str | None]) -> str:
    return next(filter(None, texts), "")


def _hidden(status: Json) -> str:
    if status.get("offloadNodeStatusVersion"):
        return "in its database"
    return "compressed (compressedNodes)" if status.get("compressedNodes") else ""
