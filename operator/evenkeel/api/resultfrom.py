"""Where a training's report is, if it is not its termination message."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from pydantic.alias_generators import to_camel

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


class ResultFrom(Model):
    """Where the report is read once the training has succeeded."""

    object: Annotated[
        ResultObject | None,
        Field(description="An object with the JSON that the termination message would have."),
    ] = None

    @classmethod
    def validations(cls) -> tuple[Rule, ...]:
        """The rules, and that there is one place."""
        fields = [to_camel(name) for name in cls.model_fields]
        return (*cls.rules, exactly_one("resultFrom", fields))
