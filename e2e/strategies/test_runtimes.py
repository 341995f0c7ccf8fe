"""One conformance test, which every runtime that can be had here passes on a node.

Ready means loaded; what is counted is what was sent; answers are right and tell their revision; no
request is lost while pods come and go; a broken model never serves, and the condition says why.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml
from evenkeel.api.servingruntime import ServingRuntimeSpec

from dev.environment import interpreter
from dev.paths import ROOT
from dev.stack.install import Stack
from e2e.support import conformance, mounted
from e2e.support.conformance import Asker, Subject, request
from e2e.support.world import JSON, World, deployment, quiet_afterwards

pytestmark = pytest.mark.heavy
NAMESPACE = "runtimes"
MAKER = ROOT / "e2e" / "support" / "runtime_models.py"
LIBRARIES = "mlserver-runtimes"
TENSORFLOW = "mlserver-tensorflow"
THREE = [0.9, 0.8, 0.7, 0.2, 0.1, 0.1]
"""Two rows of one column too many."""
UNREAD = frozenset({"unreadable"})
MLSERVER = {"errors": UNREAD}
"""Its counters of the model begin where a body is read; those of REST do not."""

SUBJECTS = (
    Subject(
        "sklearn",
        "mlserver-sklearn",
        makes=LIBRARIES,
        broken="model.joblib",
        complaints=("IndexError: pop from empty list", "IsADirectoryError"),
        datatype="FP64",
        failing=request(THREE, 3, "x", "FP64"),
        uncounted=MLSERVER,
    ),
    Subject(
        "xgboost",
        "mlserver-xgboost",
        makes=LIBRARIES,
        mounts=LIBRARIES,
        broken="model.json",
        complaints=("Invalid model format", "Is a directory"),
        failing=request(THREE, 3, "x", "FP32"),
        uncounted=MLSERVER,
    ),
    Subject(
        "lightgbm",
        "mlserver-lightgbm",
        makes=LIBRARIES,
        mounts=LIBRARIES,
        broken="model.bst",
        complaints=("Unknown model format", "Unknown model format"),
        failing=request(THREE, 3, "x", "FP32"),
        uncounted=MLSERVER,
    ),
    Subject(
        "mlflow",
        "mlserver-mlflow",
        makes=LIBRARIES,
        mounts=LIBRARIES,
        broken="MLmodel",
        complaints=("has no attribute", "Could not find an"),
        failing=request(THREE, 3, "x", "FP32"),
        uncounted=MLSERVER,
    ),
    Subject(
        "tensorflow",
        "mlserver-tensorflow",
        makes=TENSORFLOW,
        image="mlserver-tensorflow",
        mounts=TENSORFLOW,
        file="examples/runtimes/tensorflow/runtime.yaml",
        broken="1/saved_model.pb",
        complaints=("Cannot parse file", "has neither a saved_model.pb"),
        failing=request(THREE, 3, "x", "FP32"),
        refused=request([0.9, 0.8], 2, "z", "FP32"),
        uncounted=MLSERVER,
    ),
    Subject(
        "onnx",
        "mlserver-onnx",
        makes=LIBRARIES,
        image="mlserver-onnx",
        file="examples/runtimes/onnx/runtime.yaml",
        broken="1/model.onnx",
        complaints=("Protobuf parsing failed", "has neither one .onnx file"),
        failing=request(THREE, 3, "x", "FP32"),
        refused=request([0.9, 0.8], 2, "z", "FP32"),
        uncounted=MLSERVER,
    ),
    Subject(
        "triton",
        "triton",
        makes=LIBRARIES,
        image="triton",
        broken="1/model.py",
        complaints=("name 'spoilt' is not defined", "Could not determine backend"),
        failing=request([2, 2], 2, "x", "FP32"),
        # An error that the model returns is counted as success, and what does not reach it nowhere.
        returned=request([-1, -1], 2, "x", "FP32"),
        mistaken=frozenset({"returned"}),
        refused=request([0.9, 0.8], 2, "z", "FP32"),
        uncounted={"errors": UNREAD | {"refused"}},
    ),
)
UNMETERED = ("sklearn", "triton")
CASES = [
    *((subject, True) for subject in SUBJECTS),
    *((subject, False) for subject in SUBJECTS if subject.name in UNMETERED),
]
BEFORE = 40
"""Answers, before anything else is asked."""
EACH = 5
"""Requests of each kind that must fail."""


class Served(NamedTuple):
    """A subject that is ready, and what the first who asked was answered."""

    world: World
    subject: Subject
    metered: bool
    name: str
    spec: ServingRuntimeSpec
    revision: str
    first: JSON


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of this machine."""
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="module")
def place(stack: Stack, models: Path) -> Iterator[World]:
    """A namespace with the models and packages to mount, the runtimes, and a desk."""
    assert stack.cluster.name == "builtin", "the node must see this machine's folders"
    stack.images([subject.image for subject in SUBJECTS if subject.image])
    stack.kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found", "--wait=true")
    stack.namespace(NAMESPACE)
    w = World(stack, NAMESPACE)
    folders = {"models": models}
    folders |= {n: mounted.packages(interpreter(n).absolute()) for n in (LIBRARIES, TENSORFLOW)}
    for name, folder in folders.items():
        stack.kubectl("delete", "pv", f"{NAMESPACE}-{name}", "--ignore-not-found", "--wait=true")
        stack.apply(yaml.safe_dump(mounted.volume(NAMESPACE, name, folder)))
        w.apply(mounted.claim(NAMESPACE, name))
    for file in (subject.file for subject in SUBJECTS if subject.file):
        w.apply(yaml.safe_load((ROOT / file).read_text()))
    w.apply(conformance.desk())
    w.kubectl("wait", "--for=condition=Ready", f"pod/{conformance.DESK}", "--timeout=180s")
    with quiet_afterwards(w):
        yield w
    stack.kubectl("delete", "namespace", NAMESPACE, "--wait=false")
    stack.kubectl("delete", "pv", *(f"{NAMESPACE}-{name}" for name in folders), "--wait=false")


@pytest.fixture(
    scope="module", params=CASES, ids=lambda c: f"{c[0].name}-{'meter' if c[1] else 'plain'}"
)
def served(place: World, models: Path, request: pytest.FixtureRequest) -> Iterator[Served]:
    """Two pods of the subject, which somebody has asked since before there was one."""
    subject, metered = request.param
    make(subject, models)
    name = subject.name if metered else f"{subject.name}-plain"
    asker = Asker(place, f"{name}-first", name, subject.good, count=BEFORE)
    place.until("somebody asks", asker.said)
    monitoring: JSON = {"monitoring": {}} if metered else {}
    place.apply(model(subject, name, f"pvc://models/{subject.name}", replicas=2, **monitoring))
    status = place.ready(name, 400)["status"]
    spec = ServingRuntimeSpec.model_validate(place.get(kind(subject), subject.runtime)["spec"])
    yield Served(place, subject, metered, name, spec, status["stable"]["revision"], asker.end())
    place.kubectl("delete", "mdep", name, "--wait=true")
    place.until("its pods are gone", lambda: not pods(place, name))


def test_the_first_answer_and_all_after_it_are_right_and_tell_their_revision(
    served: Served,
) -> None:
    first = served.first
    assert (first["wrong"], first["right"]) == (0, BEFORE), first
    assert first["unanswered"] > 0, "it was asked before it was ready"
    assert first["revisions"] == [served.revision if served.metered else None]


def test_each_indicator_counts_exactly_what_was_sent(served: Served) -> None:
    world, subject = served.world, served.subject
    for bad, body in subject.bad().items():
        codes = conformance.send(world, served.name, [body] * EACH)
        assert all(code >= 400 for code in codes), (bad, codes)
    side = conformance.stable(
        served.name, world.deployment(served.name), NAMESPACE, metered=served.metered
    )
    for indicator in conformance.catalogue(served.spec, served.metered):
        left_out = subject.uncounted.get(indicator.name, frozenset())
        counted = subject.bad().keys() - (left_out if indicator.source == "Runtime" else ())
        total = BEFORE + EACH * len(counted)
        taken = subject.mistaken if indicator.source == "Runtime" else ()
        good = total if indicator.threshold_seconds else BEFORE + EACH * len(taken)
        count = partial(conformance.counts, world, indicator, served.spec, side)
        what = f"{indicator.source}'s {indicator.name} of {served.name}"
        found = world.until(f"{what} counts {total}", partial(sees, count, total), 60)
        assert found == (total, good), what


def test_no_request_is_lost_while_pods_come_and_go(served: Served) -> None:
    world, name = served.world, served.name
    asker = Asker(world, f"{name}-steady", name, served.subject.good)
    world.until("it is answered", lambda: asker.said().get("right", 0) > 20)
    gone = pods(world, name)[0]["metadata"]["name"]
    world.kubectl("delete", "pod", gone, "--wait=false")

    def replaced() -> bool:
        names = [p["metadata"]["name"] for p in pods(world, name)]
        return gone not in names and ready_pods(world, name) == 2

    world.until("another pod is ready, and the first one gone", replaced, 400)
    world.patch("mdep", name, {"replicas": 1})
    world.until("one pod is left", lambda: len(pods(world, name)) == 1, 120)
    before = asker.said()["right"]
    world.until("it answers still", lambda: asker.said()["right"] > before + 20)
    said = asker.stop()
    assert (said["wrong"], said["unanswered"]) == (0, 0), said


@pytest.mark.parametrize("subject", SUBJECTS, ids=lambda s: s.name)
def test_a_broken_model_never_serves_and_the_condition_says_why(
    place: World, models: Path, subject: Subject
) -> None:
    make(subject, models)
    spoilt, missing = f"{subject.name}-spoilt", f"{subject.name}-missing"
    complaints = dict(zip((spoilt, missing), subject.complaints, strict=True))
    askers = [Asker(place, f"{name}-first", name, subject.good, count=1) for name in complaints]
    for name in complaints:
        place.apply(model(subject, name, f"pvc://models/{name}", replicas=1))

    def told(name: str) -> bool:
        condition = place.condition("mdep", name, "Ready")
        assert condition.get("status") != "True", condition
        return complaints[name] in condition.get("message", "")

    for name in complaints:
        place.until(f"{name} says why", partial(told, name), 300)
    for asker in askers:
        said = asker.stop()
        assert (said["right"], said["wrong"]) == (0, 0), said
        assert said["unanswered"] > 0
    place.kubectl("delete", "mdep", *complaints, "--wait=true")


def model(subject: Subject, name: str, uri: str, **spec: object) -> JSON:
    """A ModelDeployment for a small node, with what its pods mount."""
    container: JSON = {"name": "model"}
    template: JSON = {"containers": [container]}
    if subject.mounts:
        container["command"] = mounted.MLSERVER
        mounted.mount(template, container, subject.mounts, mounted.SITE)
    return deployment(
        name,
        {"uri": uri, "format": {"name": subject.name}},
        runtime={"kind": kind(subject), "name": subject.runtime},
        resources={"requests": {"cpu": "50m", "memory": "256Mi"}},
        podTemplate={"spec": template},
        **spec,
    )


def kind(subject: Subject) -> str:
    """Of its runtime."""
    return "ServingRuntime" if subject.file else "ClusterServingRuntime"


def make(subject: Subject, models: Path) -> None:
    """Its model, and the same one spoilt, on the first use."""
    folder, spoilt = models / subject.name, models / f"{subject.name}-spoilt"
    if spoilt.exists():
        return
    subprocess.run([interpreter(subject.makes), MAKER, subject.name, folder], check=True)
    shutil.copytree(folder, spoilt)
    (spoilt / subject.broken).write_text("spoilt")
    for path in (models, *models.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)


def pods(world: World, name: str) -> list[JSON]:
    return world.objects("pods", f"evenkeel.dev/deployment={name}")


def ready_pods(world: World, name: str) -> int:
    conditions = [p["status"].get("conditions", []) for p in pods(world, name)]
    return sum(("Ready", "True") in [(c["type"], c["status"]) for c in one] for one in conditions)


def sees(count: Callable[[], tuple[float, float]], total: int) -> tuple[float, float] | None:
    """The counts once there are as many as were sent."""
    found = count()
    return found if found[0] >= total else None
