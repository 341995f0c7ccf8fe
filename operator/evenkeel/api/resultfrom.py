"""Where a training's report is, if it is not its termination message."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from pydantic.alias_generators import to_camel

from evenkeel.api.base import Name
from evenkeel.api.objectstore import BUCKET, PLAIN, RUN, ObjectStore
from evenkeel.meta.model import Model, Rule, cel, exactly_one


class ResultObject(ObjectStore):
    """An object with the report."""

    uri: Annotated[
        str,
        Field(
            max_length=1024,
            description="s3://BUCKET/KEY with $(EVENKEEL_RUN) in the key, which becomes the run's "
            "name. The trainer gets it as EVENKEEL_RESULT_URI.",
            json_schema_extra=cel(
                Rule(
                    f"self.matches('^s3://{BUCKET}/.*[^/]$')",
                    "uri must be s3://BUCKET/KEY",
                ),
                Rule(
                    f"self.contains('{RUN}') && !self.replace('{RUN}', '').contains('$(')",
                    f"uri must have {RUN} in its key, so that each run has an object of its own, "
                    "and no other $(...)",
                ),
                PLAIN,
            ),
        ),
    ]


class ResultRun(Model):
    """What the trainer has logged to MLflow, which it may know nothing else of.

    Its run is found by a tag, which the clients of MLflow take from the environment.
    """

    registry: Annotated[
        Name,
        Field(
            description="Name of a ModelRegistry in this namespace, whose server the trainer logs "
            "to."
        ),
    ]
    experiment: Annotated[
        str,
        Field(
            max_length=256,
            description="Experiment that the run is in; the model's name if left out. The trainer "
            "gets it as MLFLOW_EXPERIMENT_NAME.",
        ),
    ] = ""
    model: Annotated[
        str,
        Field(
            max_length=256,
            description="Name under which the model is logged; needed where a run logs several.",
        ),
    ] = ""


class ResultFrom(Model):
    """Where the report is read once the training has succeeded."""

    object: Annotated[
        ResultObject | None,
        Field(description="An object with the JSON that the termination message would have."),
    ] = None
    mlflow: Annotated[
        ResultRun | None,
        Field(description="The run of MLflow that the trainer has logged."),
    ] = None

    @classmethod
    def validations(cls) -> tuple[Rule, ...]:
        """The rules, and that there is one place."""
        fields = [to_camel(name) for name in cls.model_fields]
        return (*cls.rules, exactly_one("resultFrom", fields))
