"""Triggers of a RetrainSchedule: what makes it start a run, one field a kind of trigger."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import Field
from pydantic.alias_generators import to_camel, to_pascal

from evenkeel.api.base import Name, Share
from evenkeel.api.cron_syntax import CRON, REMEDIES
from evenkeel.api.objectstore import ObjectsTrigger
from evenkeel.api.prometheus import ObjectName, Prometheus
from evenkeel.meta.model import ATOMIC, SET, Model, Rule, cel, exactly_one, says


class Matcher(Model):
    """An Alertmanager label matcher; a missing label counts as empty."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "!(self.operator in ['=~', '!~']) || size(self.value) > 0",
            "a regular expression matcher needs a value",
        ),
    )
    name: Annotated[
        str,
        Field(pattern=r"^[a-zA-Z_][a-zA-Z0-9_]*$", max_length=128, description="Label name."),
    ]
    operator: Annotated[
        Literal["=", "!=", "=~", "!~"],
        Field(description="Comparison; regular expressions are anchored."),
    ] = "="
    value: Annotated[str, Field(max_length=512, description="Label value or RE2 expression.")]


class AlertTrigger(Model):
    """Fires on a firing alert that matches all matchers."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "self.matchers.exists(m, m.operator in ['=', '=~'] && size(m.value) > 0)",
            "a trigger without a matcher of operator = or =~ and a value matches every alert; "
            "add one, such as alertname",
        ),
    )
    matchers: Annotated[
        tuple[Matcher, ...],
        Field(
            min_length=1,
            max_length=16,
            description="All must match.",
            json_schema_extra=ATOMIC,
        ),
    ]


class CronTrigger(Model):
    """Fires at the times of a cron expression."""

    schedule: Annotated[
        str,
        Field(
            min_length=1,
            max_length=128,
            description="Cron expression with five fields, such as 0 3 * * *, or one of @hourly, "
            "@daily, @midnight, @weekly, @monthly, @yearly, @annually.",
            pattern=CRON,
            json_schema_extra={
                **says(
                    "schedule needs five fields: minute (0-59), hour (0-23), day of month (1-31), "
                    "month (1-12 or JAN-DEC), day of week (0-7 or SUN-SAT), such as '0 3 * * *'; "
                    "or @hourly, @daily, @weekly, @monthly or @yearly"
                ),
                **cel(*REMEDIES),
            },
        ),
    ]
    time_zone: Annotated[
        str,
        Field(
            min_length=1,
            max_length=64,
            pattern=r"^[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)*$",
            description="IANA time zone.",
            json_schema_extra=says("timeZone must be an IANA time zone such as Europe/Berlin"),
        ),
    ] = "Etc/UTC"
    starting_deadline_seconds: Annotated[
        int,
        Field(ge=10, le=31536000, description="A missed time is made up for within this time."),
    ] = 3600


class CloudEventTrigger(Model):
    """Fires on a CloudEvent that is of the type and all else that is given."""

    type: Annotated[
        str, Field(min_length=1, max_length=256, description="Attribute type of the event.")
    ]
    source: Annotated[
        str | None,
        Field(min_length=1, max_length=1024, description="Attribute source; any without it."),
    ] = None
    subject: Annotated[
        str | None,
        Field(min_length=1, max_length=1024, description="Attribute subject; any without it."),
    ] = None
    matchers: Annotated[
        tuple[Matcher, ...],
        Field(
            max_length=16,
            description="All must match, as those of alerts do; the names are of attributes.",
            json_schema_extra=ATOMIC,
        ),
    ] = ()


REPO_RULES = (
    Rule(
        "self.matches('^https?://[^/]')",
        "repo must begin with https:// or http://; ssh, git and file addresses are not supported: "
        "name a Secret with a token or a password in secretName",
    ),
    Rule(
        "!self.matches('^[^/]*//[^/]*@')",
        "repo must have no user or password; name a Secret with them in secretName",
    ),
    Rule(
        r"!self.matches('[?#%[:space:]\\\\]') && !self.matches('/[.]{1,2}(/|$)')",
        "repo must end with its path, without ?, #, %, spaces, backslashes, . and ..",
    ),
)

PATH_RULES = (
    Rule(
        "!self.startsWith('/') && !self.endsWith('/') && !self.contains('//') && "
        "!self.matches('(^|/)[.]{1,2}(/|$)')",
        "path must be plain, from the repository's root, such as data/train",
    ),
    Rule("!self.endsWith('.dvc')", "path must be that of the data: leave .dvc out"),
)

Repo = Annotated[str, Field(min_length=1, max_length=2048, json_schema_extra=cel(*REPO_RULES))]
"""Address of a Git repository."""

DataPath = Annotated[
    str,
    Field(
        min_length=1,
        max_length=512,
        description="Path of the data from the repository's root, without .dvc.",
        json_schema_extra=cel(*PATH_RULES),
    ),
]
"""Where a repository has data."""


class GitDataTrigger(Model):
    """Fires when data change that a branch of a Git repository tracks, by DVC or itself."""

    repo: Annotated[Repo, Field(description="Address of the repository, https:// or http://.")]
    branch: Annotated[
        str,
        Field(
            min_length=1,
            max_length=244,
            pattern=r"^[^\s~^:?*\[\\]+$",
            description="The branch.",
            json_schema_extra=says(
                "branch must be a branch's name such as main or team/next, without refs/heads/"
            ),
        ),
    ] = "main"
    path: DataPath
    secret_name: Annotated[
        ObjectName | None,
        Field(
            description="Secret with username and password or token, ca.crt, tls.crt and tls.key; "
            "the operator needs to be granted it by name."
        ),
    ] = None
    interval_seconds: Annotated[
        int, Field(ge=10, le=86400, description="How often the branch is looked at.")
    ] = 60


class VersionAgeTrigger(Model):
    """Fires when the version in production was trained longer ago than this."""

    rules: ClassVar[tuple[Rule, ...]] = (exactly_one("an age", ("maxAgeDays", "maxAgeSeconds")),)
    max_age_days: Annotated[
        int | None, Field(ge=1, le=3650, description="How old the version may become, in days.")
    ] = None
    max_age_seconds: Annotated[
        int | None,
        Field(ge=60, le=315360000, description="How old the version may become, in seconds."),
    ] = None


class MetricDecayTrigger(Model):
    """Fires when a metric of the version in production is shown to have decayed."""

    rules: ClassVar[tuple[Rule, ...]] = (exactly_one("a decay", ("good", "bad")),)
    prometheus: Annotated[Prometheus, Field(description="Where the counters are read.")] = (
        Prometheus()
    )
    total: Annotated[
        str,
        Field(
            min_length=1,
            max_length=1024,
            description="PromQL selector of counters of all events, without a range.",
        ),
    ]
    good: Annotated[
        str | None,
        Field(min_length=1, max_length=1024, description="The same of the good events."),
    ] = None
    bad: Annotated[
        str | None,
        Field(min_length=1, max_length=1024, description="The same of the bad events."),
    ] = None
    max_ratio: Annotated[
        Share, Field(description="Ratio of bad events up to which the version is not decayed.")
    ]
    alpha: Annotated[
        Share,
        Field(description="Greatest probability that a version within it ever fires."),
    ] = "0.01"
    window_seconds: Annotated[
        int,
        Field(ge=60, le=86400, description="Length of the windows, each of which counts as one."),
    ] = 3600
    min_requests: Annotated[
        int, Field(ge=1, le=1000000000, description="Windows with fewer events tell nothing.")
    ] = 100


class DriftTrigger(Model):
    """Fires when the version in production is shown to drift where it serves."""

    reasons: Annotated[
        tuple[Literal["Data", "Prediction", "Missing", "Unseen", "Risk"], ...],
        Field(
            min_length=1,
            max_length=5,
            description="Groups of status.monitoring of the ModelDeployments, any of which fires.",
            json_schema_extra=SET,
        ),
    ] = ("Data", "Prediction")


class Trigger(Model):
    """One reason to retrain."""

    name: Annotated[Name, Field(description="Name of the trigger.")]
    alert: Annotated[AlertTrigger | None, Field(description="Fires on alerts.")] = None
    cron: Annotated[CronTrigger | None, Field(description="Fires at times.")] = None
    git_data: Annotated[
        GitDataTrigger | None, Field(description="Fires when data in a Git repository change.")
    ] = None
    objects: Annotated[
        ObjectsTrigger | None, Field(description="Fires when objects of a store change.")
    ] = None
    cloud_event: Annotated[CloudEventTrigger | None, Field(description="Fires on CloudEvents.")] = (
        None
    )
    version_age: Annotated[
        VersionAgeTrigger | None,
        Field(description="Fires when the version in production has become too old."),
    ] = None

    metric_decay: Annotated[
        MetricDecayTrigger | None,
        Field(description="Fires when a metric of the version in production has decayed."),
    ] = None
    drift: Annotated[
        DriftTrigger | None,
        Field(description="Fires when the requests of the version in production have drifted."),
    ] = None

    @classmethod
    def kinds(cls) -> tuple[str, ...]:
        """The fields of which exactly one is set: every field but the name."""
        return tuple(field for field in cls.model_fields if field != "name")

    @classmethod
    def validations(cls) -> tuple[Rule, ...]:
        """The rules, and that a trigger is of one kind."""
        return (*cls.rules, exactly_one("a trigger", [to_camel(field) for field in cls.kinds()]))


SHARED_CAUSES: Mapping[str, str] = {"git_data": "Data", "objects": "Data"}
"""Types of causes that are not called as the kind of trigger, since several may give them."""


def cause_type(field: str) -> str:
    """The type of the causes that a kind of trigger gives, such as Alert for `alert`."""
    return SHARED_CAUSES.get(field) or to_pascal(field)


def cause_types(trigger: type[Trigger]) -> tuple[str, ...]:
    """All types of causes: those of the trigger's kinds, and Manual for a run without a trigger."""
    return (*dict.fromkeys(cause_type(field) for field in trigger.kinds()), "Manual")
