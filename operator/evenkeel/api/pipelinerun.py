"""What Kubeflow Pipelines is given for a training: which server, which pipeline, where it runs."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from evenkeel.api.base import Name
from evenkeel.api.engine import EngineTemplate
from evenkeel.api.prometheus import ObjectName, url_rules
from evenkeel.meta.model import Rule, at_most_one, cel, exactly_one

ID = Annotated[str, Field(min_length=1, max_length=191)]
ShownName = Annotated[str, Field(min_length=1, max_length=128)]


class PipelineRunTemplate(EngineTemplate):
    """A run of Kubeflow Pipelines, by its REST API v2beta1."""

    rules: ClassVar[tuple[Rule, ...]] = (
        exactly_one("pipelineRun", ("pipelineId", "pipelineName")),
        Rule(
            "!has(self.pipelineVersionId) || has(self.pipelineId)",
            "pipelineVersionId goes with pipelineId; add it",
        ),
        Rule(
            "!has(self.versionName) || has(self.pipelineName)",
            "versionName goes with pipelineName; write pipelineVersionId beside pipelineId",
        ),
        *at_most_one("pipelineRun", ("experimentId", "experimentName")),
    )
    url: Annotated[
        str,
        Field(
            min_length=1,
            max_length=2048,
            description="Base URL of the server, before /apis/v2beta1, such as "
            "http://ml-pipeline.kubeflow:8888.",
            json_schema_extra=cel(*url_rules("secretName")),
        ),
    ]
    ui_url: Annotated[
        str | None,
        Field(
            min_length=1,
            max_length=1024,
            description="Base URL of its pages, for links to runs; without it url.",
            json_schema_extra=cel(
                Rule("self.matches('^https?://[^/@?#]+(/[^?#]*)?$')", "write http(s)://HOST/PATH")
            ),
        ),
    ] = None
    secret_name: Annotated[
        ObjectName | None,
        Field(
            description="Secret with what the server is shown: `token`, or `username` and "
            "`password`; `ca.crt` to trust; `tls.crt` and `tls.key` of the client; `headers`, "
            "lines of NAME: VALUE."
        ),
    ] = None
    pipeline_id: Annotated[ID | None, Field(description="ID of the pipeline.")] = None
    pipeline_version_id: Annotated[
        ID | None, Field(description="ID of its version; without it the newest.")
    ] = None
    pipeline_name: Annotated[
        ShownName | None, Field(description="The pipeline's display name, in place of its ID.")
    ] = None
    version_name: Annotated[
        ShownName | None,
        Field(description="The version's display name; without it the newest version."),
    ] = None
    namespace: Annotated[
        Name | None,
        Field(
            description="Profile in which names and runs are looked up, where the server has "
            "several users."
        ),
    ] = None
    experiment_id: Annotated[
        ID | None,
        Field(description="Experiment of the run; without one the server's default experiment."),
    ] = None
    experiment_name: Annotated[
        ShownName | None, Field(description="The experiment's display name, in place of its ID.")
    ] = None
    pipeline_root: Annotated[
        str | None,
        Field(max_length=2048, description="Where the run's artefacts go; else the server's."),
    ] = None
    service_account: Annotated[
        ObjectName | None,
        Field(description="ServiceAccount of the run's pods; else the server's."),
    ] = None
    interval_seconds: Annotated[
        int, Field(ge=5, le=3600, description="Seconds between two looks at the run.")
    ] = 15
