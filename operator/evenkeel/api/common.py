"""Types that several kinds share: formats, metrics, causes, training templates, gates."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal, get_args

from pydantic import Field
from pydantic.alias_generators import to_camel

from evenkeel.api.base import Annotations, Decimal, Labels, Name
from evenkeel.api.engine import EngineTemplate
from evenkeel.api.pipelinerun import PipelineRunTemplate
from evenkeel.api.rayjob import RayJobTemplate
from evenkeel.api.resultfrom import ResultFrom
from evenkeel.api.trainingdata import DataList
from evenkeel.api.trainjob import TrainJobTemplate
from evenkeel.api.workflow import WorkflowTemplate
from evenkeel.meta.model import Model, OpenObject, Rule, cel, exactly_one, map_list

CONTAINER = {
    "type": "object",
    "x-kubernetes-preserve-unknown-fields": True,
    "required": ["name"],
    "properties": {
        "name": {
            "type": "string",
            "minLength": 1,
            "maxLength": 63,
            "description": "Name of the container.",
        }
    },
}
"""Schema of a core/v1 Container, of which only the name is looked at before the pod exists."""


class ModelFormat(Model):
    """Format of the model artefact, matched against a runtime's supportedModelFormats."""

    name: Annotated[
        str, Field(min_length=1, max_length=63, description="Format, such as sklearn or onnx.")
    ]
    version: Annotated[
        str | None, Field(max_length=63, description="Major version of the format.")
    ] = None


class Metric(Model):
    """One measured figure of a model."""

    name: Annotated[str, Field(min_length=1, max_length=128, description="Name, e.g. accuracy.")]
    value: Annotated[Decimal, Field(description="Value as a decimal string.")]


Metrics = Annotated[
    tuple[Metric, ...],
    Field(max_length=64, description="Measured figures.", json_schema_extra=map_list("name")),
]


class Slice(Model):
    """Figures of a part of the evaluation data (a region, a group of people, an hour)."""

    name: Annotated[str, Field(min_length=1, max_length=128, description="Name of the slice.")]
    samples: Annotated[int, Field(ge=0, description="Evaluated records in the slice.")] = 0
    metrics: Metrics = ()


Slices = Annotated[
    tuple[Slice, ...],
    Field(
        max_length=64,
        description="Figures by slice of the data.",
        json_schema_extra=map_list("name"),
    ),
]


class ChampionComparison(Model):
    """Compares a metric with that of the version now in production."""

    better: Annotated[
        Literal["Higher", "Lower"], Field(description="Which direction of the metric is better.")
    ] = "Higher"
    reported_as: Annotated[
        str | None,
        Field(
            max_length=128,
            description="Metric under which the training itself reports the champion's figure on "
            "the same data (it gets EVENKEEL_CHAMPION_URI). Without it, the figure that the "
            "champion was validated with is taken, which drift may have made obsolete.",
        ),
    ] = None
    max_regression: Annotated[
        Decimal,
        Field(
            description="How much worse than the champion the candidate may be, absolute; "
            "a negative number demands an improvement."
        ),
    ] = "0"


class Gate(Model):
    """A check that a new model version must pass. A missing metric fails the gate."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "has(self.min) || has(self.max) || has(self.champion)",
            "a gate needs at least one of min, max or champion",
        ),
        Rule(
            "!has(self.min) || !has(self.max) || double(self.min) <= double(self.max)",
            "min must not exceed max",
        ),
        Rule("self.minSamples == 0 || has(self.slice)", "minSamples goes with slice; add slice"),
    )
    name: Annotated[Name, Field(description="Name of the gate.")]
    metric: Annotated[
        str, Field(min_length=1, max_length=128, description="Metric that the gate reads.")
    ]
    slice: Annotated[
        str | None,
        Field(max_length=128, description='Slice whose metric is read; "*" means every slice.'),
    ] = None
    min_samples: Annotated[
        int, Field(ge=0, description="Slices with fewer records than this are not judged.")
    ] = 0
    min: Annotated[Decimal | None, Field(description="Smallest acceptable value.")] = None
    max: Annotated[Decimal | None, Field(description="Largest acceptable value.")] = None
    champion: Annotated[
        ChampionComparison | None,
        Field(description="Comparison with the version now in production; passes if none is."),
    ] = None


Gates = Annotated[
    tuple[Gate, ...],
    Field(
        max_length=32,
        description="Checks that the new model version must pass.",
        json_schema_extra=map_list("name"),
    ),
]

Approval = Literal["Automatic", "Manual"]


class TrainingTemplate(Model):
    """How the model is trained: by the engine whose field is given."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "!has(self.rayJob) || has(self.resultFrom)",
            "rayJob needs resultFrom, since Ray leaves no termination message",
        ),
        Rule(
            "!has(self.pipelineRun) || !self.suspend",
            "a pipelineRun has no object in the cluster that could be let go again: leave suspend "
            "out, and let the schedule's trigger wait instead",
        ),
        Rule(
            "!has(self.pipelineRun) || !has(self.metadata)",
            "a pipelineRun has no object in the cluster to carry metadata; leave it out",
        ),
        Rule(
            "!has(self.pipelineRun) || has(self.resultFrom)",
            "a pipelineRun leaves no termination message; name in resultFrom where its last step "
            "writes the report",
        ),
        Rule(
            "!has(self.data) || size(self.data) == 0 || has(self.podTemplate)",
            "data goes with podTemplate; other engines bring data by their own means, such as "
            "trainJob.initializer",
        ),
    )
    pod_template: Annotated[
        TrainingPodTemplate | None,
        Field(description="Pod of a training Job. The first container is the trainer."),
    ] = None
    train_job: Annotated[
        TrainJobTemplate | None,
        Field(
            description="A TrainJob of Kubeflow Trainer v2; needs the integration trainJob. Its "
            "runtime says how often it is tried again; retries does not concern it."
        ),
    ] = None
    workflow: Annotated[
        WorkflowTemplate | None,
        Field(
            description="A Workflow of Argo Workflows; needs the integration workflow. Its "
            "templates say how often they are tried again; retries does not concern it."
        ),
    ] = None
    ray_job: Annotated[
        RayJobTemplate | None,
        Field(
            description="A RayJob of KubeRay; needs the integration rayJob, and resultFrom, since "
            "the trainer has no termination message."
        ),
    ] = None
    pipeline_run: Annotated[
        PipelineRunTemplate | None,
        Field(
            description="A run of Kubeflow Pipelines, outside the cluster or in it. parameters "
            "become the pipeline's; retries does not concern it."
        ),
    ] = None
    result_from: Annotated[
        ResultFrom | None,
        Field(
            description="Where the trainer's report is read once the training has succeeded; "
            "without it, from the termination message."
        ),
    ] = None
    parameters: Annotated[
        dict[str, Annotated[str, Field(max_length=4096)]],
        Field(
            max_length=64,
            description="Handed to the trainer as environment variables of the same name and "
            "together as JSON in EVENKEEL_PARAMETERS.",
            json_schema_extra=cel(
                Rule(
                    "self.all(name, name.matches('^[-._a-zA-Z][-._a-zA-Z0-9]*$'))",
                    "a parameter becomes an environment variable: its name needs letters, digits, "
                    "hyphens, dots and underscores, no digit first",
                )
            ),
        ),
    ] = Field(default_factory=dict)
    data: DataList = ()
    metadata: Annotated[
        ChildMetadata | None,
        Field(
            description="Labels and annotations of the Job itself, or of the object in its "
            "place, such as kueue.x-k8s.io/queue-name. Those of a Job's pods are "
            "podTemplate.metadata's. It is made once: changes concern later runs."
        ),
    ] = None
    suspend: Annotated[
        bool,
        Field(
            description="The Job, or the object in its place, starts suspended, until a queue or a "
            "person sets its spec.suspend to false."
        ),
    ] = False
    timeout_seconds: Annotated[
        int,
        Field(
            ge=1,
            le=2592000,
            description="The run fails when it takes longer; the time stands still while the "
            "training is suspended.",
        ),
    ] = 3600
    retries: Annotated[
        int,
        Field(
            ge=0,
            le=10,
            description="Further attempts: of a Job's failed pod, or of a RayJob with a new "
            "cluster.",
        ),
    ] = 2
    ttl_seconds_after_finished: Annotated[
        int,
        Field(
            ge=0,
            description="The finished Job, or the object in its place, is deleted after this time.",
        ),
    ] = 86400

    @classmethod
    def engines(cls) -> tuple[str, ...]:
        """The fields of which exactly one is set: those that hold an engine's template."""
        return tuple(name for name, f in cls.model_fields.items() if _selects(f.annotation))

    @classmethod
    def validations(cls) -> tuple[Rule, ...]:
        """The rules, and that there is one engine."""
        return (*cls.rules, exactly_one("training", [to_camel(name) for name in cls.engines()]))


def _selects(annotation: Any) -> bool:
    return any(
        isinstance(part, type) and issubclass(part, EngineTemplate) for part in get_args(annotation)
    )


def job_pod(containers: str, replaced: str, marks: dict[str, Any]) -> dict[str, Any]:
    """Schema of the PodSpec of a Job.

    containers: their description. replaced: the field that says how often a failed pod is replaced.
    marks: how server-side apply merges the containers.
    """
    return {
        "required": ["containers"],
        "properties": {
            "containers": {
                "type": "array",
                "minItems": 1,
                "maxItems": 16,
                "items": CONTAINER,
                "description": containers,
                **marks,
            },
            "restartPolicy": {
                "type": "string",
                "enum": ["Never"],
                "description": f"A failed pod is replaced by a new one; see {replaced}.",
            },
        },
    }


class TrainingPodTemplate(EngineTemplate):
    """A pod template whose spec the API server validates when the Job is created."""

    metadata: Annotated[
        ChildMetadata | None, Field(description="Labels and annotations of the pod.")
    ] = None
    spec: Annotated[
        OpenObject,
        Field(
            description="A core/v1 PodSpec with at least one container.",
            json_schema_extra=job_pod(
                "Containers; the first is the trainer.", "retries", map_list("name")
            ),
        ),
    ]


_NAME = "[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
_KEY = rf"^([a-z0-9]([-a-z0-9.]{{0,251}}[a-z0-9])?/)?{_NAME}$"
_OWN = "key.startsWith('evenkeel.dev/')"
_OWN_LABELS = "['app.kubernetes.io/name', 'app.kubernetes.io/managed-by']"
_OTHERS = (
    "(key == 'kubectl.kubernetes.io/last-applied-configuration' "
    "|| key.startsWith('deployment.kubernetes.io/'))"
)
"""Annotations that kubectl and the Deployment controller write."""


class ChildMetadata(Model):
    """Labels and annotations for an object that the operator makes, or for its pods.

    What was given and is taken out again goes from the object, too.
    """

    labels: Annotated[
        Labels,
        Field(
            description="Labels; the operator's own are not among them.",
            json_schema_extra=cel(
                Rule(
                    f"self.all(key, key.matches('{_KEY}') && self[key].matches('^({_NAME})?$'))",
                    "a label's name is letters, digits, - _ . with a DNS name and / before it if "
                    "need be, its value the same without /, at most 63 characters",
                ),
                Rule(
                    f"self.all(key, !{_OWN} && !(key in {_OWN_LABELS}))",
                    "evenkeel.dev/..., app.kubernetes.io/name and app.kubernetes.io/managed-by are "
                    "the operator's own labels; take them out",
                ),
            ),
        ),
    ] = Field(default_factory=dict)
    annotations: Annotated[
        Annotations,
        Field(
            description="Annotations; the operator's own are not among them.",
            json_schema_extra=cel(
                Rule(
                    f"self.all(key, key.matches('{_KEY}'))",
                    "an annotation's name is letters, digits, - _ . with a DNS name and / before "
                    "it if need be",
                ),
                Rule(
                    f"self.all(key, !{_OWN} && !{_OTHERS})",
                    "evenkeel.dev/... are the operator's own annotations, "
                    "kubectl.kubernetes.io/last-applied-configuration and "
                    "deployment.kubernetes.io/... those of others; take them out",
                ),
            ),
        ),
    ] = Field(default_factory=dict)


TrainingTemplate.model_rebuild()
TrainingPodTemplate.model_rebuild()
