"""What Kubeflow Trainer v2 is given for a training: fields that all its releases know."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from evenkeel.api.base import ENVIRONMENT
from evenkeel.api.engine import EngineTemplate
from evenkeel.meta.model import ATOMIC, Model, OpenObject

Words = Annotated[
    tuple[Annotated[str, Field(max_length=32768)], ...],
    Field(max_length=256, json_schema_extra=ATOMIC),
]


class RuntimeRef(Model):
    """A TrainingRuntime of the namespace or a ClusterTrainingRuntime."""

    name: Annotated[str, Field(min_length=1, max_length=253, description="Name of the runtime.")]
    kind: Annotated[
        str,
        Field(
            min_length=1,
            max_length=63,
            description="Kind of the runtime: ClusterTrainingRuntime or TrainingRuntime.",
        ),
    ] = "ClusterTrainingRuntime"
    api_group: Annotated[
        str, Field(min_length=1, max_length=253, description="API group of the runtime.")
    ] = "trainer.kubeflow.org"


class Trainer(Model):
    """The container `node` on each training node, put over what the runtime says of it."""

    image: Annotated[str | None, Field(max_length=2048, description="Image.")] = None
    command: Annotated[Words | None, Field(description="Entry point.")] = None
    args: Annotated[Words | None, Field(description="Arguments of the entry point.")] = None
    env: Annotated[
        tuple[OpenObject, ...],
        Field(
            max_length=128,
            description="Environment, in addition to the runtime's; may refer to that of the run.",
            json_schema_extra=ENVIRONMENT,
        ),
    ] = ()
    num_nodes: Annotated[
        int | None, Field(ge=1, le=100000, description="Number of training nodes.")
    ] = None
    resources_per_node: Annotated[
        OpenObject | None, Field(description="Resources of the container on each node.")
    ] = None
    num_proc_per_node: Annotated[
        int | str | None,
        Field(
            description="Processes on each node: a number, or for torch also auto, cpu or gpu.",
            json_schema_extra={"x-int-or-string": True, "maxLength": 16},
        ),
    ] = None


class TrainJobTemplate(EngineTemplate):
    """A TrainJob of Kubeflow Trainer v2."""

    runtime_ref: Annotated[
        RuntimeRef, Field(description="The runtime that says how to train; it must exist.")
    ]
    trainer: Annotated[Trainer, Field(description="What this training is beside its runtime.")] = (
        Trainer()
    )
    initializer: Annotated[
        OpenObject | None,
        Field(description="spec.initializer of the TrainJob, for a runtime that has such steps."),
    ] = None
