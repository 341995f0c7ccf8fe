"""What a user can get wrong is refused by the API server, with a message that says what to do."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from tests.support.api_server import ApiServer
from tests.support.manifests import MINIMAL, manifest


class Bad(NamedTuple):
    """Fields put over the smallest valid manifest, and what the refusal must say."""

    what: str
    kind: str
    spec: str
    message: str
    name: str = "example"


MD, RS, TR, MV, SR, CSR, IT, CIT, MR = MINIMAL
STEPS = "analysis: {indicators: [{name: errors}]}\nrollout: "
ROUTED = "traffic: {gateway: {parentRefs: [{name: public}]}}\n"
GATE = "gates: [{name: g, metric: accuracy, %s}]"
PROMETHEUS = "analysis: {prometheus: {%s}, indicators: [{name: errors}]}"
GROUPED = "rollout: {group: {name: g, %s}}"
HEADER = PROMETHEUS % "headers: [{%s}]"
FEEDBACK = "monitoring: {feedback: {keys: {secretName: k}, %s}}"
LATE = (
    "{analysis: {indicators: [{name: errors}]}, rollout: {probation: {seconds: 60, "
    "indicators: [{name: late, maxRatio: '0.2', %s}]}}}"
)
MATCH = (
    "{traffic: {gateway: {parentRefs: [{name: g}]}}, "
    "rollout: {steps: [{analysis: false, match: [{%s}]}]}}"
)
THREE_COOKIES = "cookies: [{name: a, value: a}, {name: b, value: b}, {name: c, value: c}]"
POOL = "traffic: {gateway: {parentRefs: [{name: g}], inferencePool: {endpointPickerRef: {%s}}}}"
INDICATOR = "analysis: {indicators: [{name: errors, %s}]}"
PIPELINE = (
    "training: {pipelineRun: {url: 'http://kfp:8888', %s}, "
    "resultFrom: {object: {uri: 's3://bucket/$(EVENKEEL_RUN)'}}}"
)
PAIRS = (
    "{monitoring: {}, rollout: {steps: [{mirror: {percent: 5}}]}, "
    "analysis: {indicators: [{source: Pairs, %s}]}}"
)
ENGINES = "exactly one of podTemplate, trainJob, workflow, rayJob or pipelineRun"
CRON = "triggers: [{name: t, cron: {schedule: '%s'}}]"
GIT_DATA = "triggers: [{name: t, gitData: {%s}}]"
OBJECTS = "triggers: [{name: t, objects: {%s}}]"
RESULT = "training: {podTemplate: {spec: {containers: [{name: t, image: t}]}}, resultFrom: {%s}}"
RESULT_OBJECT = RESULT % "object: {%s}"
HEAD = "{headGroupSpec: {template: {spec: {containers: [{name: ray}]}}}}"
VERSION_AGE = "triggers: [{name: t, versionAge: {%s}}]"
DATA = "{name: train, mountPath: /data, %s}"
DECAY = "triggers: [{name: t, metricDecay: {total: all, %s}}]"
EVENT = "triggers: [{name: t, cloudEvent: {%s}}]"
MATCHER = "triggers: [{name: t, alert: {matchers: [{name: alertname, %s}]}}]"

REGISTERED = "model: {registry: {registry: mlflow, name: fraud, %s}}"
PERFORMANCE = "performance: {%s}"
CHILD = "childMetadata: {service: {%s}}"
CHILDREN = ("deployment", "service", "route", "autoscaler", "disruptionBudget")

BAD = [
    # Names
    Bad("name too long for labels", MD, "", "at most 63 characters", name="a" * 64),
    Bad("name with dots", MD, "", "lower-case letters, digits and hyphens", name="fraud.v2"),
    Bad("name too long for labels", RS, "", "at most 63 characters", name="a" * 64),
    Bad("name too long for labels", TR, "", "at most 63 characters", name="a" * 64),
    Bad("name too long for labels", MV, "", "at most 63 characters", name="a" * 64),
    Bad("name too long for labels", SR, "", "at most 63 characters", name="a" * 64),
    Bad("name with dots", CSR, "", "lower-case letters, digits and hyphens", name="mls.v2"),
    # Labels and annotations of children
    *(
        Bad("own label", MD, f"{where}: {{labels: {{{label}: x}}}}}}", "the operator's own labels")
        for where in (
            *(f"childMetadata: {{{kind}" for kind in CHILDREN),
            "podTemplate: {metadata",
        )
        for label in (
            "evenkeel.dev/deployment",
            "app.kubernetes.io/managed-by",
            "app.kubernetes.io/name",
        )
    ),
    Bad("own annotation", MD, CHILD % "annotations: {evenkeel.dev/x: y}", "operator's own"),
    Bad(
        "another's annotation",
        MD,
        CHILD % "annotations: {deployment.kubernetes.io/revision: '7'}",
        "those of others",
    ),
    Bad("no label name", MD, CHILD % "labels: {a/b/c: x}", "a DNS name and / before it"),
    Bad("no label value", MD, CHILD % "labels: {a: 'x y'}", "its value the same without /"),
    Bad("no annotation name", MD, CHILD % "annotations: {'a b': x}", "an annotation's name"),
    # Typing errors
    Bad("unknown field", MD, "replica: 2", 'unknown field "spec.replica"'),
    Bad("unknown nested field", MD, STEPS + "{stepz: []}", 'unknown field "spec.rollout.stepz"'),
    Bad("unknown field", RS, "cooldown: 5", 'unknown field "spec.cooldown"'),
    Bad("unknown field", MV, "sha: x", 'unknown field "spec.sha"'),
    Bad("no spec field", RS, "training: null", "spec.training: Required value"),
    Bad("unknown enum value", RS, "concurrencyPolicy: Allow", '"Forbid", "Queue", "Replace"'),
    Bad("unknown enum value", TR, "approval: Yes please", '"Automatic", "Manual"'),
    Bad(
        "unknown enum value",
        MD,
        "analysis: {onUndecided: Abort, indicators: [{name: errors}]}",
        '"Hold", "Promote", "Rollback"',
    ),
    Bad("number for a word", MD, "model: {follow: 7}", "must be of type string"),
    # Model source
    Bad("no source", MD, "model: {}", "one of uri, version (a ModelVersion), follow (a"),
    Bad("two sources", MD, "model: {follow: a, version: b}", "exactly one of uri, version"),
    Bad(
        "no scheme",
        MD,
        "model: {uri: models/x, format: {name: onnx}}",
        "uri must begin with",
    ),
    Bad("scheme", MD, "model: {uri: 'ftp://h/x', format: {name: onnx}}", "s3://, gs://, http"),
    Bad("claim only", MD, "model: {uri: 'pvc://claim', format: {name: onnx}}", "pvc://CLAIM/PATH"),
    Bad("claim, no path", MV, "uri: pvc://claim/", "pvc://CLAIM/PATH"),
    Bad("relative file", MV, "uri: file://models/x", "file:///PATH"),
    Bad("bucket missing", MV, "uri: s3:///x", "name after the scheme"),
    Bad("blank in a bucket", MV, "uri: 's3://mo dels/a'", "a blank may stand in a path only"),
    Bad("blank at the end", MV, "uri: 's3://models/a '", "a blank may stand in a path only"),
    Bad("line break in uri", MV, 'uri: "s3://models/a\\nb"', "no line breaks"),
    Bad("above a claim", MV, "uri: pvc://claim/../x", "without '..'"),
    Bad("a registry's name", MV, "uri: models:/elec/7", "get_model_version_download_uri"),
    Bad(
        "a run's name",
        MD,
        "model: {uri: 'runs:/0a1b/model', format: {name: mlflow}}",
        "only an MLflow server knows",
    ),
    Bad("schedule that is no name", TR, "schedule: A b", "write a RetrainSchedule's name"),
    Bad("neither alias nor version", MD, REGISTERED % "", "exactly one of alias or version"),
    Bad("alias and version", MD, REGISTERED % "alias: a, version: '1'", "exactly one of alias"),
    Bad("number for a version", MD, REGISTERED % "version: 3", "must be of type string"),
    Bad("version 0", MD, REGISTERED % "version: '0'", "write the version's number in quotes"),
    Bad("reserved alias", MD, REGISTERED % "alias: Latest", "MLflow's own words"),
    Bad("version as alias", MD, REGISTERED % "alias: v7", "name the number as version"),
    Bad("alias with a slash", MD, REGISTERED % "alias: a/b", "letters, digits, _ and -"),
    Bad(
        "registry's URI for a name",
        MD,
        "model: {registry: {registry: mlflow, name: 'models:/fraud', alias: a}}",
        "without / and :",
    ),
    Bad(
        "registry and follow",
        MD,
        "model: {follow: a, registry: {registry: mlflow, name: fraud, alias: a}}",
        "follow (a model name) or registry",
    ),
    # Registry
    Bad("no registry", MR, "mlflow: null", "spec.mlflow: Required value"),
    Bad("no URL", MR, "mlflow: {url: mlflow:5000}", "url must begin with http:// or https://"),
    Bad(
        "password in the URL",
        MR,
        "mlflow: {url: 'http://ada:geheim@mlflow'}",
        "url must have no user or password; name a Secret in secretName",
    ),
    Bad("query in the URL", MR, "mlflow: {url: 'http://mlflow/?a=b'}", "without ? and #"),
    Bad("too often", MR, "intervalSeconds: 1", "greater than or equal to 5"),
    Bad("no name of a Secret", MR, "secretName: A b", "lower-case letters, digits, hyphens"),
    Bad("no workspace", MR, "mlflow: {url: 'http://mlflow', workspace: A}", "lower-case"),
    Bad("name too long for labels", MR, "", "at most 63 characters", name="a" * 64),
    Bad("no format", MD, "model: {uri: 's3://m/x'}", "model.uri needs model.format or a runtime"),
    Bad("format of a version", MD, "model: {version: a, format: {name: onnx}}", "format goes with"),
    Bad(
        "upper case model",
        MD,
        "model: {follow: Fraud}",
        "needs lower-case letters, digits and hyphens",
    ),
    # Replicas
    Bad("negative replicas", MD, "replicas: -1", "greater than or equal to 0"),
    Bad("min > max", MD, "autoscaling: {minReplicas: 3, maxReplicas: 2}", "must not exceed"),
    Bad("no max", MD, "autoscaling: {minReplicas: 3}", "maxReplicas: Required value"),
    Bad("replicas 0 with HPA", MD, "replicas: 0\nautoscaling: {maxReplicas: 2}", "remove replicas"),
    Bad(
        "both bounds of disruption",
        MD,
        "disruptionBudget: {minAvailable: 1, maxUnavailable: 1}",
        "give either minAvailable or maxUnavailable",
    ),
    Bad("empty disruption budget", MD, "disruptionBudget: {}", "give either minAvailable or"),
    Bad("not a percentage", MD, "disruptionBudget: {minAvailable: half}", "such as 1 or 50%"),
    Bad("negative pods", MD, "disruptionBudget: {maxUnavailable: -1}", "such as 1 or 50%"),
    Bad("no path", MD, "podTemplate: {remove: ['containers[name=m]']}", "write a path such as"),
    Bad("pointer", MD, "podTemplate: {remove: [/spec/nodeSelector]}", "write a path such as"),
    Bad(
        "twice the same path",
        MD,
        "podTemplate: {remove: [spec.affinity, spec.affinity]}",
        "Duplicate value",
    ),
    Bad("two bodies", MD, "warmUp: {body: a, bodyFile: b}", "at most one of body or bodyFile"),
    Bad("escaping", MD, "warmUp: {bodyFile: ../x}", "stays in it"),
    Bad("absolute file", MD, "warmUp: {bodyFile: /x}", "stays in it"),
    Bad("path with a space", MD, "warmUp: {path: '/a b'}", "begins with / and has no spaces"),
    Bad("header in a type", MD, 'warmUp: {contentType: "a\\nb"}', "write a media type"),
    Bad("no requests", MD, "warmUp: {requests: 0}", "greater than or equal to 1"),
    Bad("unknown policy", MD, "warmUp: {failurePolicy: Retry}", '"Fail", "Ignore"'),
    Bad("path with a space", SR, "warmUp: {path: '/a b'}", "begins with / and has no spaces"),
    Bad("profile elsewhere", MD, "monitoring: {profile: {file: ../p}}", "stays in it"),
    Bad("profile of the root", MD, "monitoring: {profile: {file: /p}}", "stays in it"),
    Bad(
        "few rows to learn",
        MD,
        "monitoring: {profile: {learn: {rows: 50}}}",
        "fewer rows are no reference",
    ),
    Bad("short blocks", MD, "monitoring: {detection: {blockSeconds: 9}}", "or equal to 10"),
    Bad(
        "no tolerance", MD, "monitoring: {detection: {tolerance: '0'}}", "write a share above 0 and"
    ),
    Bad(
        "no false alarms",
        MD,
        "monitoring: {detection: {falseAlarmsPerYear: '0'}}",
        "greater than 0",
    ),
    Bad(
        "risk without labels",
        MD,
        "monitoring: {risk: {maxRatio: '0.2'}}",
        "add monitoring.feedback with its keys",
    ),
    Bad("labels without keys", MD, "monitoring: {feedback: {}}", "keys: Required value"),
    Bad("two slices in one", MD, FEEDBACK % "slices: ['a,b']", "without commas"),
    Bad("a slice with a space", MD, FEEDBACK % "slices: [' a']", "without commas"),
    Bad("five slices", MD, FEEDBACK % "slices: [a, b, c, d, e]", "at most 4 items"),
    Bad("negative loss", MD, FEEDBACK % "loss: {threshold: '-1'}", "at least 0, in quotes"),
    Bad(
        "labels without feedback",
        MD,
        "{monitoring: {}, analysis: {indicators: [{name: labels, source: Meter}]}}",
        "the indicator labels needs monitoring.feedback",
    ),
    Bad(
        "late labels without feedback",
        MD,
        "{monitoring: {}, analysis: {indicators: [{name: errors}]}, rollout: {probation: {seconds: "
        "60, indicators: [{name: labels, source: Meter, maxRatio: '0.2'}]}}}",
        "the indicator labels needs monitoring.feedback",
    ),
    Bad(
        "claim of no name", MD, FEEDBACK % "claimName: 'A B'", "the name of a PersistentVolumeClaim"
    ),
    Bad("late indicator of no meter", MD, LATE % "source: Meter", "add monitoring: {}"),
    Bad("late indicator of no gateway", MD, LATE % "source: Istio", "need traffic.gateway"),
    Bad("no ratio is above", MD, INDICATOR % "maxRatio: '1.0'", "a share below 1"),
    Bad("all is acceptable", MD, INDICATOR % "acceptable: '1'", "a share below 1"),
    Bad("spacing", MD, "monitoring: {spacingMilliseconds: -1}", "greater than or equal to 0"),
    Bad("twice the same variable", MD, "env: [{name: A}, {name: A}]", "Duplicate value"),
    Bad("no gateway", MD, "traffic: {gateway: {parentRefs: []}}", "at least 1 items"),
    Bad(
        "host name",
        MD,
        "traffic: {gateway: {parentRefs: [{name: g}], hostnames: ['https://a.example']}}",
        "without scheme, port and path",
    ),
    Bad("one picker for all pools", MD, POOL % "name: epp, port: {number: 9002}", "{{revision}}"),
    Bad("picker without a port", MD, POOL % "name: '{{revision}}-epp'", "port: Required value"),
    Bad(
        "picker of no name",
        MD,
        POOL % "name: '{{canary}}-epp', port: {number: 9002}",
        "such as {{revision}}-epp",
    ),
    Bad(
        "picker on the model server's port",
        MD,
        POOL % "name: '{{revision}}', port: {number: 80}",
        "listen on another port",
    ),
    # Rollout
    Bad("falling weights", MD, STEPS + "{steps: [{weight: 50}, {weight: 10}]}", "must not fall"),
    Bad("nothing exposed", MD, STEPS + "{steps: [{analysis: false}]}", "exactly one of"),
    Bad(
        "weight and preview",
        MD,
        STEPS + "{steps: [{weight: 5, preview: {}, analysis: false}]}",
        "exactly one of",
    ),
    Bad(
        "preview after a weight",
        MD,
        STEPS + "{steps: [{weight: 5}, {preview: {}}]}",
        "steps without one come before",
    ),
    Bad("mirror without meter", MD, STEPS + "{steps: [{mirror: {percent: 20}}]}", "monitoring: {}"),
    Bad("no such pairs", MD, PAIRS % "name: wrong", "take one of these names"),
    Bad("pairs by a query", MD, PAIRS % "name: errors, total: a, bad: b", "takes no queries"),
    Bad("disagreement without limit", MD, PAIRS % "name: disagreement", "needs it"),
    Bad("ceiling of pairs", MD, PAIRS % "name: errors, maxRatio: '0.1'", "without maxRatio"),
    Bad("slow pairs without bound", MD, PAIRS % "name: paired-latency", "needs thresholdSeconds"),
    Bad(
        "pairs without mirror",
        MD,
        "{monitoring: {}, analysis: {indicators: [{name: errors}, "
        "{name: paired-errors, source: Pairs}]}, rollout: {steps: [{weight: 5}]}}",
        "needs a step with mirror",
    ),
    Bad(
        "only pairs, and a step without",
        MD,
        "{monitoring: {}, analysis: {indicators: [{name: errors, source: Pairs}]}, "
        "rollout: {steps: [{mirror: {percent: 5}}, {weight: 5}]}}",
        "set their analysis to false",
    ),
    Bad(
        "pairs in probation",
        MD,
        "{monitoring: {}, analysis: {indicators: [{name: errors}]}, rollout: {probation: {seconds: "
        "9, indicators: [{name: disagreement, source: Pairs, maxRatio: '0.1'}]}}}",
        "no request is copied in probation",
    ),
    Bad(
        "header without meter",
        MD,
        "traffic: {affinity: {header: {name: X-User-Id}}}",
        "add monitoring: {}",
    ),
    Bad(
        "match without gateway",
        MD,
        STEPS + "{steps: [{match: [{headers: [{name: X-Beta, value: a}]}]}]}",
        "add traffic.gateway",
    ),
    Bad(
        "cookies as a header",
        MD,
        MATCH % "headers: [{name: cookie, value: a}], cookies: [{name: a, value: b}]",
        "write all cookies under cookies",
    ),
    Bad("name of a cookie", MD, MATCH % "cookies: [{name: 'a b', value: b}]", "a cookie's name"),
    Bad(
        "value of a cookie", MD, MATCH % "cookies: [{name: a, value: '(b|c)'}]", "a cookie's value"
    ),
    Bad("three cookies", MD, MATCH % THREE_COOKIES, "at most 2 items"),
    Bad("name of a header", MD, MATCH % "headers: [{name: 'X Beta', value: a}]", "a header's name"),
    Bad(
        "preview by host name without a gateway",
        MD,
        STEPS + "{steps: [{preview: {hostnames: [beta.example]}}]}",
        "hostnames of a preview need traffic.gateway",
    ),
    Bad(
        "preview where clients come",
        MD,
        "traffic: {gateway: {parentRefs: [{name: g}], hostnames: [a.example]}}\n"
        + STEPS
        + "{steps: [{preview: {hostnames: [a.example]}}]}",
        "choose another",
    ),
    Bad(
        "name too long for a preview",
        MD,
        STEPS + "{steps: [{preview: {}}]}",
        "may have 55 characters",
        name="a" * 56,
    ),
    Bad("no way back", MD, "rollout: {probation: {seconds: 60, replicas: 0}}", "no way back"),
    Bad("0% stay", MD, "rollout: {probation: {seconds: 60, replicas: 0%}}", "no way back"),
    Bad("more than all", MD, "rollout: {probation: {seconds: 60, replicas: 101%}}", "such as 1"),
    Bad(
        "whose a pod is",
        MD,
        "rollout: {podMetadata: {canary: {labels: {pod-template-hash: a}}}}",
        "pod-template-hash tells whose a pod is",
    ),
    Bad(
        "operator's label by role",
        MD,
        "rollout: {podMetadata: {stable: {labels: {evenkeel.dev/revision: a}}}}",
        "the operator's own labels",
    ),
    Bad("no affinity", MD, "traffic: {affinity: {}}", "exactly one of cookie or header"),
    Bad("cookie without a gateway", MD, "traffic: {affinity: {cookie: {}}}", "add traffic.gateway"),
    Bad(
        "replicas without gateway",
        MD,
        STEPS + "{steps: [{weight: 5, replicas: 2}]}",
        "numbers of pods are what divides requests",
    ),
    Bad(
        "baseline with more than half",
        MD,
        STEPS + "{steps: [{weight: 50, baseline: true}]}",
        "a weight of 49 at most",
    ),
    Bad(
        "baseline without weight",
        MD,
        STEPS + "{steps: [{preview: {}, baseline: true}]}",
        "a weight of 49 at most",
    ),
    Bad(
        "baseline and division by a header",
        MD,
        "monitoring: {}\ntraffic: {affinity: {header: {name: X-User}}}\n"
        + STEPS
        + "{steps: [{weight: 10, baseline: true}]}",
        "remove traffic.affinity.header",
    ),
    Bad(
        "baseline and pools",
        MD,
        POOL % "name: '{{revision}}-epp', port: {number: 9002}"
        + "\n"
        + STEPS
        + "{steps: [{weight: 10, baseline: true}]}",
        "remove traffic.gateway.inferencePool",
    ),
    Bad("no pods", MD, STEPS + "{steps: [{preview: {}, replicas: 0}]}", "give 1 at least"),
    Bad("no percent of pods", MD, STEPS + "{steps: [{preview: {}, replicas: 0%}]}", "at least"),
    Bad(
        "too few percent of pods",
        MD,
        ROUTED + STEPS + "{steps: [{weight: 50, replicas: 20%}]}",
        "carry less than its weight",
    ),
    Bad("job without pod", MD, STEPS + "{steps: [{weight: 5, job: {}}]}", "Required value"),
    Bad(
        "job without containers",
        MD,
        STEPS + "{steps: [{weight: 5, job: {podTemplate: {spec: {}}}}]}",
        "containers: Required value",
    ),
    Bad(
        "job that restarts",
        MD,
        STEPS + "{steps: [{weight: 5, job: {podTemplate: {spec: {restartPolicy: Always, "
        "containers: [{name: a}]}}}}]}",
        'supported values: "Never"',
    ),
    Bad(
        "gate without scheme",
        MD,
        STEPS + "{steps: [{weight: 5, webhook: {url: gate.example}}]}",
        "begin with http:// or https://",
    ),
    Bad(
        "gate with password",
        MD,
        STEPS + "{steps: [{weight: 5, webhook: {url: 'https://a:b@gate.example'}}]}",
        "name a Secret in secretName",
    ),
    Bad(
        "gate that takes long",
        MD,
        STEPS + "{steps: [{weight: 5, webhook: {url: 'https://g', timeoutSeconds: 60}}]}",
        "less than or equal to 20",
    ),
    Bad("step 0", MD, STEPS + "{approve: {revision: a, step: 0}}", "greater than or equal to 1"),
    Bad("approved step left out", MD, STEPS + "{approve: {revision: a}}", "Required value"),
    Bad("restart without revision", MD, STEPS + "{restart: {number: 1}}", "Required value"),
    Bad("empty window", MD, STEPS + "{rollbackWindow: {}}", "revisions, seconds or both"),
    Bad("empty match", MD, STEPS + "{steps: [{match: [{}]}]}", "all requests match an empty one"),
    Bad("weight 100", MD, STEPS + "{steps: [{weight: 100}]}", "less than or equal to 99"),
    Bad("weight 0", MD, STEPS + "{steps: [{weight: 0}]}", "greater than or equal to 1"),
    Bad("percentage", MD, STEPS + "{steps: [{weight: 10%}]}", "must be of type integer"),
    Bad("negative pause", MD, STEPS + "{steps: [{weight: 5, pauseSeconds: -1}]}", "equal to 0"),
    Bad("duration", MD, STEPS + "{steps: [{weight: 5, pauseSeconds: 5m}]}", "type integer"),
    Bad(
        "deadline in the pause",
        MD,
        STEPS + "{steps: [{weight: 5, pauseSeconds: 60, deadlineSeconds: 60}]}",
        "longer than pauseSeconds",
    ),
    Bad("no pod could go", MD, "rollout: {maxSurge: 0, maxUnavailable: 0%}", "are both 0"),
    Bad("no pod may go by default", MD, "rollout: {maxSurge: 0%}", "set maxUnavailable to 1"),
    Bad("negative surge", MD, "rollout: {maxSurge: -1}", "such as 1 or 50%"),
    Bad("group of one", MD, GROUPED % "members: [example]", "at least 2 items"),
    Bad("group without itself", MD, GROUPED % "members: [a, b]", "name the ModelDeployment itself"),
    Bad("member named twice", MD, GROUPED % "members: [example, example]", "Duplicate value"),
    Bad("group without members", MD, GROUPED % "release: v1", "Required value"),
    Bad(
        "group in an outage",
        MD,
        "rollout: {stopFirst: true, group: {name: g, members: [example, b]}}",
        "remove stopFirst or group",
    ),
    Bad("promote and abort", MD, "rollout: {promote: r1, abort: r1}", "remove one"),
    Bad(
        "stop first",
        MD,
        "rollout: {stopFirst: true, steps: [{weight: 5, analysis: false}]}",
        "remove steps or stopFirst",
    ),
    Bad("stable away", MD, "rollout: {onStableUnavailable: Rollback}", 'supported values: "Hold"'),
    Bad("no analysis", MD, "rollout: {steps: [{weight: 5}]}", "add it or set analysis: false"),
    # Performance
    Bad("no body", MD, PERFORMANCE % "latency: {seconds: '1'}", "give performance.body, or warmUp"),
    Bad("no bound", MD, PERFORMANCE % "body: ''", "latency: Required value"),
    Bad(
        "quantile",
        MD,
        PERFORMANCE % "body: '', latency: {seconds: '1', quantile: '99'}",
        "write a quantile from 0.5 to 0.9999",
    ),
    Bad(
        "rate",
        MD,
        PERFORMANCE % "body: '', latency: {seconds: '1'}, maxRate: '100001'",
        "100000 requests a second at most",
    ),
    Bad(
        "gate above the rates that are tried",
        MD,
        PERFORMANCE % "body: '', latency: {seconds: '1'}, fastEnough: {minRate: '1001'}",
        "raise maxRate",
    ),
    Bad(
        "no room for one more pod",
        MD,
        PERFORMANCE % "body: '', latency: {seconds: '1'}" + "\nrollout: {stopFirst: true}",
        "performance loads one more pod",
    ),
    # Analysis
    *(
        Bad("two ways", MD, INDICATOR % ("templateRef: {name: t}, " + other), "has at most one of")
        for other in ("source: Meter", "total: a, good: b")
    ),
    *(
        Bad("web", MD, INDICATOR % f"web: {{{web}}}", says)
        for web, says in (
            ("url: 'https://h/c'", "url or total needs {{revision}}"),
            ("url: 'https://{{revision}}.h/c'", "not in its host"),
            ("url: 'https://u:p@h/{{revision}}'", "name a Secret in secretName"),
            ("url: 'h/{{revision}}'", "begin with http:// or https://"),
            ("url: 'https://h/{{revision}}#a'", "url must have no #"),
            ("url: 'https://h/{{ revision }}'", "plain path, without spaces"),
            ("url: 'https://h/{{revision}}', total: total", "a JSON pointer (RFC 6901)"),
            ("url: 'https://h/{{revision}}', good: /a~2", "a JSON pointer (RFC 6901)"),
            ("url: 'https://h/{{revision}}', good: /a, bad: /b", "give either bad or good"),
            ("url: 'https://h/{{revision}}', secretName: A", "lower-case letters"),
        )
    ),
    Bad(
        "web with a bucket",
        MD,
        INDICATOR % "thresholdSeconds: '1', web: {url: 'https://h/{{revision}}'}",
        "a web API itself tells",
    ),
    *(
        Bad(
            "two ways",
            MD,
            INDICATOR % f"web: {{url: 'https://h/{{{{revision}}}}'}}, {o}",
            "at most",
        )
        for o in ("total: a, good: b", "source: Runtime", "templateRef: {name: t}")
    ),
    Bad("args of nothing", MD, INDICATOR % "args: [{name: a, value: b}]", "add templateRef"),
    Bad("no template", MD, INDICATOR % "templateRef: {name: A/b}", "lower-case letters"),
    Bad(
        "of what kind", MD, INDICATOR % "templateRef: {kind: Service, name: a}", "supported values"
    ),
    *(
        Bad("no name", MD, INDICATOR % f"templateRef: {{name: t}}, args: [{{{arg}}}]", says)
        for arg, says in (
            ("name: a.b, value: ''", "a parameter's name needs letters"),
            (r'name: a, value: "b\nc"', "a value is one line of text"),
        )
    ),
    Bad("limits", MD, INDICATOR % "maxRatio: '0.001'", "acceptable must not exceed maxRatio"),
    Bad(
        "limits of its own",
        MD,
        INDICATOR % "templateRef: {name: t}, acceptable: '0.2', maxRatio: '0.1'",
        "acceptable must not exceed maxRatio",
    ),
    *(
        bad
        for kind in (IT, CIT)
        for bad in (
            Bad("neither", kind, "good: null", "give either good or bad"),
            Bad("both", kind, "bad: b", "give either good or bad"),
            Bad("no total", kind, "total: null", "exactly one of total or web"),
            Bad(
                "both", kind, "web: {url: 'https://h/{{revision}}'}", "exactly one of total or web"
            ),
            Bad(
                "good beside web",
                kind,
                "total: null\nweb: {url: 'https://h/{{revision}}'}",
                "give either good or bad beside total",
            ),
            Bad("limits", kind, "maxRatio: '0.001'", "lower acceptable (0.005 by default)"),
            Bad("twice", kind, "parameters: [{name: a}, {name: a}]", "Duplicate value"),
            Bad("dots", kind, "parameters: [{name: a.b}]", "letters, digits, - and _"),
        )
    ),
    Bad(
        "nothing decides",
        MD,
        "analysis: {indicators: [{name: errors, dryRun: true}]}\nrollout: {steps: [{weight: 5}]}",
        "a step with analysis needs an indicator that decides",
    ),
    Bad("no indicator", MD, "analysis: {indicators: []}", "at least 1 items"),
    Bad(
        "url",
        MD,
        "analysis: {prometheus: {url: 'prom:9090'}, indicators: [{name: errors}]}",
        "http:// or https://",
    ),
    # Access to Prometheus
    Bad("password in url", MD, PROMETHEUS % "url: 'http://u:pw@p'", "name a Secret in basicAuth"),
    Bad("query in url", MD, PROMETHEUS % "url: 'http://p/?a=b'", "without ? and #"),
    Bad("fragment in url", MD, PROMETHEUS % "url: 'http://p/#a'", "without ? and #"),
    Bad("path upwards", MD, PROMETHEUS % "url: 'http://p/a/../b'", "a plain path"),
    Bad("path upwards, in code", MD, PROMETHEUS % "url: 'http://p/%2e%2e'", "a plain path"),
    Bad("space in url", MD, PROMETHEUS % "url: 'http://p/a b'", "a plain path"),
    Bad("backslash in url", MD, PROMETHEUS % "url: 'http://p\\x'", "a plain path"),
    Bad("header without value", MD, HEADER % "name: A", "exactly one of value or valueFrom"),
    Bad(
        "header with two values",
        MD,
        HEADER % "name: A, value: b, valueFrom: {secretKeyRef: {name: s, key: k}}",
        "exactly one of value or valueFrom",
    ),
    Bad("same header twice", MD, HEADER % "name: A, value: b}, {name: A, value: c", "Duplicate"),
    Bad(
        "credentials", MD, HEADER % "name: authorization, value: x", "as basicAuth or authorization"
    ),
    Bad("host", MD, HEADER % "name: Host, value: x", "belongs to the transport; leave it out"),
    Bad("length", MD, HEADER % "name: Content-Length, value: x", "belongs to the transport"),
    Bad("header's name", MD, HEADER % "name: 'A b', value: x", "letters, digits and hyphens"),
    Bad("line end", MD, HEADER % 'name: A, value: "x\\r\\nB: c"', "printable ASCII"),
    Bad("empty value", MD, HEADER % "name: A, value: ''", "printable ASCII"),
    Bad(
        "two credentials",
        MD,
        PROMETHEUS % "basicAuth: {username: {name: s, key: u}, password: {name: s, key: p}}, "
        "authorization: {credentials: {name: s, key: t}}",
        "at most one of basicAuth or authorization",
    ),
    Bad(
        "password in clear",
        MD,
        PROMETHEUS % "basicAuth: {username: u, password: p}",
        "must be of type object",
    ),
    Bad(
        "basic as a token",
        MD,
        PROMETHEUS % "authorization: {type: Basic, credentials: {name: s, key: t}}",
        "write basicAuth instead",
    ),
    Bad(
        "certificate without key",
        MD,
        PROMETHEUS % "tls: {cert: {secret: {name: s, key: c}}}",
        "cert and keySecret go together",
    ),
    Bad("no source", MD, PROMETHEUS % "tls: {ca: {}}", "exactly one of secret or configMap"),
    Bad(
        "name of a Secret",
        MD,
        PROMETHEUS % "authorization: {credentials: {name: ../s, key: t}}",
        "lower-case letters, digits, hyphens and dots",
    ),
    Bad(
        "key of a Secret",
        MD,
        PROMETHEUS % "authorization: {credentials: {name: s, key: a/b}}",
        "a key needs letters, digits",
    ),
    Bad("same twice", MD, "analysis: {indicators: [{name: a}, {name: a}]}", "Duplicate value"),
    Bad("ratio above 1", MD, INDICATOR % "maxRatio: '1.5'", "a share from 0 to 1 in quotes"),
    Bad("a float", MD, INDICATOR % "maxRatio: 0.05", "must be of type string"),
    Bad("percentage", MD, INDICATOR % "acceptable: 5%", "a share from 0 to 1 in quotes"),
    Bad("negative tolerance", MD, INDICATOR % "tolerance: '-0.1'", "at least 0, in quotes"),
    Bad(
        "acceptable above max",
        MD,
        INDICATOR % "acceptable: '0.1', maxRatio: '0.05'",
        "acceptable must not exceed maxRatio",
    ),
    Bad(
        "threshold of errors",
        MD,
        INDICATOR % "thresholdSeconds: '0.5'",
        "thresholdSeconds belongs to latency",
    ),
    Bad(
        "threshold of errors in streams",
        MD,
        "analysis: {indicators: [{name: stream-errors, thresholdSeconds: '0.5'}]}",
        "errors has none",
    ),
    *(
        Bad(
            "time without threshold",
            MD,
            f"analysis: {{indicators: [{{name: {name}}}]}}",
            "needs thresholdSeconds, the slowest acceptable one",
        )
        for name in ("time-to-first-token", "time-per-output-token", "inter-token-latency")
    ),
    Bad(
        "latency without threshold",
        MD,
        "analysis: {indicators: [{name: latency}]}",
        "latency needs thresholdSeconds",
    ),
    Bad(
        "zero threshold",
        MD,
        "analysis: {indicators: [{name: latency, thresholdSeconds: '0'}]}",
        "greater than 0",
    ),
    Bad("total alone", MD, INDICATOR % "total: sum(x)", "needs total and one of bad or good"),
    Bad("bad alone", MD, INDICATOR % "bad: sum(x)", "needs total and one of bad or good"),
    Bad("bad and good", MD, INDICATOR % "total: a, bad: b, good: c", "either bad or good"),
    Bad(
        "gateway metrics without gateway",
        MD,
        INDICATOR % "source: Istio",
        "indicators from a gateway need traffic.gateway",
    ),
    Bad("meter without one", MD, INDICATOR % "source: Meter", "add monitoring: {}"),
    # Runs of Kubeflow Pipelines
    *(
        Bad(f"pipelineRun {name}", TR, PIPELINE % fields, message)
        for name, fields, message in (
            ("without a pipeline", "secretName: s", "exactly one of pipelineId or pipelineName"),
            ("of two", "pipelineId: a, pipelineName: b", "exactly one of pipelineId or"),
            ("version without ID", "pipelineName: a, pipelineVersionId: v", "goes with pipelineId"),
            ("version by name", "pipelineId: a, versionName: v", "goes with pipelineName"),
            (
                "in two experiments",
                "pipelineId: a, experimentId: e, experimentName: n",
                "at most one of experimentId or experimentName",
            ),
            ("page", "pipelineId: a, uiUrl: 'https://me@host/'", "write http(s)://HOST/PATH"),
        )
    ),
    Bad(
        "pipelineRun without a result",
        TR,
        "training: {pipelineRun: {url: 'http://kfp', pipelineId: a}}",
        "name in resultFrom where its last step writes the report",
    ),
    Bad(
        "pipelineRun suspended",
        TR,
        (PIPELINE % "pipelineId: a").replace("resultFrom", "suspend: true, resultFrom"),
        "leave suspend out",
    ),
    Bad(
        "pipelineRun with metadata",
        RS,
        (PIPELINE % "pipelineId: a").replace(
            "resultFrom", "metadata: {labels: {a: b}}, resultFrom"
        ),
        "has no object in the cluster to carry metadata",
    ),
    # Triggers
    Bad("no triggers", RS, "triggers: []", "at least 1 items"),
    # Reports in object stores
    Bad("no place", TR, RESULT % "", "resultFrom needs exactly one of object or mlflow"),
    *(
        Bad("address", kind, RESULT_OBJECT % f"uri: '{uri}'", message)
        for kind in (RS, TR)
        for uri, message in (
            ("https://b/$(EVENKEEL_RUN)", "uri must be s3://BUCKET/KEY"),
            ("s3://$(EVENKEEL_RUN)", "uri must be s3://BUCKET/KEY"),
            ("s3://bucket/$(EVENKEEL_RUN)/", "uri must be s3://BUCKET/KEY"),
            ("s3://bucket/key", "must have $(EVENKEEL_RUN) in its key"),
            ("s3://bucket/$(HOME)/$(EVENKEEL_RUN)", "and no other $(...)"),
            ("s3://bucket/../$(EVENKEEL_RUN)", "uri must be plain"),
            ("s3://bucket//$(EVENKEEL_RUN)", "uri must be plain"),
        )
    ),
    *(
        Bad("store", TR, RESULT_OBJECT % f"uri: 's3://b1b/$(EVENKEEL_RUN)', {field}", message)
        for field, message in (
            ("endpoint: 'ftp://x'", "must begin with http:// or https://"),
            ("endpoint: 'https://u:p@x'", "name a Secret in secretName"),
            ("region: 'EU West'", "a region needs lower-case letters"),
            ("addressing: Host", "Unsupported value"),
        )
    ),
    # Data in object stores
    *(
        Bad("address", RS, OBJECTS % f"uri: '{uri}'", "uri must be s3://BUCKET/PREFIX")
        for uri in ("https://b/p", "s3://", "s3://b1b", "s3:///p", "s3://b1b/$(EVENKEEL_RUN)")
    ),
    Bad("address", RS, OBJECTS % "uri: 's3://b1b/a/../b'", "uri must be plain"),
    Bad("folders", RS, OBJECTS % "uri: 's3://b1b/p', marker: _OK", "uri must end with /"),
    Bad("marker", RS, OBJECTS % "uri: 's3://b1b/p/', marker: a/b", "without /"),
    Bad("interval", RS, OBJECTS % "uri: 's3://b1b/p/', intervalSeconds: 1", "to 10"),
    # Data in Git
    *(
        Bad("address", RS, GIT_DATA % f"repo: '{repo}', path: data", message)
        for repo, message in (
            ("git@git.example:ml/data.git", "repo must begin with https:// or http://; ssh"),
            ("ssh://git@git.example/data.git", "ssh, git and file addresses are not supported"),
            ("file:///etc", "ssh, git and file addresses are not supported"),
            ("https://u:pw@git.example/r", "name a Secret with them in secretName"),
            ("https://git.example/r?token=x", "repo must end with its path"),
            ("https://git.example/../r", "repo must end with its path"),
        )
    ),
    *(
        Bad("path", RS, GIT_DATA % f"repo: 'https://g/r', path: '{path}'", message)
        for path, message in (
            ("/data", "path must be plain, from the repository's root"),
            ("data/../x", "path must be plain"),
            ("data/train.dvc", "leave .dvc out"),
        )
    ),
    Bad(
        "branch",
        RS,
        GIT_DATA % "repo: 'https://g/r', path: d, branch: 'a b'",
        "branch must be a branch's name",
    ),
    Bad(
        "interval",
        RS,
        GIT_DATA % "repo: 'https://g/r', path: d, intervalSeconds: 1",
        "greater than or equal to 10",
    ),
    Bad("six fields", RS, CRON % "0 0 3 * * *", "schedule needs five fields"),
    Bad("unknown macro", RS, CRON % "@fortnightly", "or @hourly, @daily, @weekly"),
    Bad("every so often", RS, CRON % "@every 30m", "write times, such as '*/30 * * * *'"),
    Bad("at the start", RS, CRON % "@reboot", "create a TrainingRun by hand"),
    Bad("zone within", RS, CRON % "CRON_TZ=UTC 0 3 * * *", "field of its own: timeZone"),
    Bad("not a cron", RS, CRON % "61 o * * *", "minute (0-59), hour (0-23)"),
    Bad(
        "time zone",
        RS,
        "triggers: [{name: t, cron: {schedule: 0 3 * * *, timeZone: +01:00}}]",
        "IANA time zone such as Europe/Berlin",
    ),
    Bad(
        "alert and cron",
        RS,
        "triggers: [{name: t, cron: {schedule: 0 3 * * *}, "
        "alert: {matchers: [{name: alertname, value: Drift}]}}]",
        "exactly one of alert, cron,",
    ),
    Bad("no type of event", RS, EVENT % "source: /ml", "type: Required value"),
    Bad(
        "matcher without expression",
        RS,
        EVENT % "type: a, matchers: [{name: tier, operator: '=~', value: ''}]",
        "a regular expression matcher needs a value",
    ),
    Bad("decay without counts", RS, DECAY % "maxRatio: '0.1'", "exactly one of good or bad"),
    Bad("ratio of one", RS, DECAY % "good: g, maxRatio: '1'", "a share above 0 and below 1"),
    Bad("alpha of zero", RS, DECAY % "good: g, maxRatio: '0.1', alpha: '0'", "a share above 0"),
    Bad("no age", RS, VERSION_AGE % "", "an age needs exactly one of maxAgeDays or maxAgeSeconds"),
    Bad("two ages", RS, VERSION_AGE % "maxAgeDays: 1, maxAgeSeconds: 60", "exactly one of"),
    Bad("empty trigger", RS, "triggers: [{name: t}]", "exactly one of alert, cron,"),
    Bad(
        "same name twice",
        RS,
        "triggers: [{name: t, cron: &c {schedule: 0 3 * * *}}, {name: t, cron: *c}]",
        "Duplicate value",
    ),
    Bad("no matchers", RS, "triggers: [{name: t, alert: {matchers: []}}]", "at least 1 items"),
    Bad("only empty matchers", RS, MATCHER % "value: ''", "matches every alert"),
    Bad("only negative matchers", RS, MATCHER % "operator: '!=', value: A", "matches every alert"),
    Bad("regex without value", RS, MATCHER % "operator: '=~', value: ''", "needs a value"),
    Bad("operator", RS, MATCHER % "operator: '==', value: A", '"=", "!=", "=~", "!~"'),
    Bad(
        "label name",
        RS,
        "triggers: [{name: t, alert: {matchers: [{name: alert-name, value: A}]}}]",
        "matchers[0].name",
    ),
    # Limits
    Bad("negative cooldown", RS, "cooldownSeconds: -5", "greater than or equal to 0"),
    Bad("no runs", RS, "budget: {runs: 0}", "greater than or equal to 1"),
    Bad("short window", RS, "budget: {runs: 1, perSeconds: 5}", "greater than or equal to 60"),
    Bad(
        "back-off",
        RS,
        "failurePolicy: {backoffSeconds: 60, maxBackoffSeconds: 5}",
        "backoffSeconds must not exceed maxBackoffSeconds",
    ),
    # Training
    Bad("no engine", TR, "training: {retries: 1}", ENGINES),
    Bad("no engine of a schedule", RS, "training: {}", ENGINES),
    *(
        Bad(
            f"workflow: {message}",
            TR,
            f"training: {{workflow: {{spec: {spec}}}}}",
            message,
        )
        for spec, message in (
            ("{entrypoint: a}", "needs exactly one of templates or workflowTemplateRef"),
            ("{templates: [{name: a}]}", "templates need entrypoint"),
            ("{entrypoint: a, templates: [{}]}", "templates[0].name: Required value"),
            (
                "{workflowTemplateRef: {name: a}, activeDeadlineSeconds: 5}",
                "write training.timeoutSeconds in place of activeDeadlineSeconds",
            ),
            (
                "{workflowTemplateRef: {name: a}, suspend: true}",
                "write training.suspend in place of suspend",
            ),
            (
                "{workflowTemplateRef: {name: a}, podMetadata: {labels: {a: 1}}}",
                "podMetadata.labels.a: Invalid value",
            ),
        )
    ),
    *(
        Bad(
            f"rayJob: {message}",
            TR,
            f"training: {{resultFrom: {{object: {{uri: s3://abc/$(EVENKEEL_RUN)}}}}, rayJob: "
            f"{{spec: {spec}}}}}",
            message,
        )
        for spec, message in (
            ("{rayClusterSpec: " + HEAD + "}", "rayJob.spec.entrypoint: Required value"),
            ("{entrypoint: a}", "rayJob.spec.rayClusterSpec: Required value"),
            ("{entrypoint: a, rayClusterSpec: {}}", "headGroupSpec: Required value"),
            (
                "{entrypoint: a, rayClusterSpec: {headGroupSpec: {template: {spec: {}}}}}",
                "template.spec.containers: Required value",
            ),
            (
                "{entrypoint: a, backoffLimit: 1, rayClusterSpec: " + HEAD + "}",
                "write training.retries in place of backoffLimit",
            ),
            (
                "{entrypoint: a, clusterSelector: {a: b}, rayClusterSpec: " + HEAD + "}",
                "a Ray cluster and a Ray job of its own",
            ),
            (
                "{entrypoint: a, submissionMode: InteractiveMode, rayClusterSpec: " + HEAD + "}",
                "supported values",
            ),
        )
    ),
    Bad(
        "rayJob without resultFrom",
        TR,
        "training: {rayJob: {spec: {entrypoint: a, rayClusterSpec: " + HEAD + "}}}",
        "rayJob needs resultFrom, since Ray leaves no termination message",
    ),
    Bad(
        "data for another engine",
        TR,
        "training: {podTemplate: null, trainJob: {runtimeRef: {name: r}}, data: [%s]}"
        % (DATA % "dvc: {repo: 'https://g/r', path: p}"),
        "data goes with podTemplate",
    ),
    *(
        Bad(what, TR, "training: {data: [%s]}" % (DATA % source), message)
        for what, source, message in (
            ("no source", "waitSeconds: 1", "exactly one of dvc or s3"),
            ("ssh", "dvc: {repo: 'git@g:r', path: p}", "must begin with https:// or http://"),
            ("path", "dvc: {repo: 'https://g/r', path: ../p}", "path must be plain"),
            ("rev", "dvc: {repo: 'https://g/r', path: p, rev: -x}", "rev is a whole commit"),
            ("bucket alone", "s3: {uri: 's3://b1b'}", "uri must be s3://BUCKET/PATH"),
            ("variable", "s3: {uri: 's3://b1b/$(HOME)'}", "uri must be s3://BUCKET/PATH"),
            ("folders", "s3: {uri: 's3://b1b/a/../p'}", "uri must be plain"),
            ("endpoint", "s3: {uri: 's3://b1b/p', endpoint: 's3:9000'}", "must begin with http"),
            ("user", "s3: {uri: 's3://b1b/p', endpoint: 'http://u@s3'}", "Secret in secretName"),
            ("region", "s3: {uri: 's3://b1b/p', region: 'EU west'}", "a region needs lower-case"),
            ("addressing", "s3: {uri: 's3://b1b/p', addressing: path}", "VirtualHost"),
        )
    ),
    Bad(
        "two data in one place",
        TR,
        "training: {data: [&d %s, {<<: *d, name: other}]}"
        % (DATA % "dvc: {repo: 'https://g/r', path: p}"),
        "a mountPath of its own",
    ),
    Bad(
        "no container", TR, "training: {podTemplate: {spec: {containers: []}}}", "at least 1 items"
    ),
    Bad(
        "nameless container",
        TR,
        "training: {podTemplate: {spec: {containers: [{image: a}]}}}",
        "containers[0].name: Required value",
    ),
    Bad(
        "no time",
        TR,
        "training: {timeoutSeconds: 0, podTemplate: {spec: {containers: [{name: a}]}}}",
        "greater than or equal to 1",
    ),
    Bad(
        "parameter name",
        TR,
        "training: {parameters: {learning rate: '1'}, "
        "podTemplate: {spec: {containers: [{name: a}]}}}",
        "letters, digits, ",
    ),
    Bad(
        "restart policy",
        TR,
        "training: {podTemplate: {spec: {restartPolicy: Always, containers: [{name: a}]}}}",
        "restartPolicy",
    ),
    # Gates
    Bad("no bound", RS, GATE % "slice: a", "at least one of min, max or champion"),
    Bad("min above max", MV, GATE % "min: '0.9', max: '0.5'", "min must not exceed max"),
    Bad("float bound", TR, GATE % "min: 0.9", "must be of type string"),
    Bad("comma", RS, GATE % "min: '0,9'", "a decimal number in quotes"),
    Bad(
        "samples without slice", RS, GATE % "min: '0', minSamples: 5", "minSamples goes with slice"
    ),
    Bad(
        "same gate twice",
        RS,
        "gates: [{name: g, metric: a, min: '1'}, {name: g, metric: b, min: '1'}]",
        "Duplicate value",
    ),
    # Versions
    Bad("short digest", MV, "digest: 'sha256:abc'", "sha256: and 64 hexadecimal digits"),
    Bad("bare digest", MV, f"digest: {'a' * 64}", "sha256: and 64 hexadecimal digits"),
    Bad("float metric", MV, "metrics: [{name: accuracy, value: 0.9}]", "must be of type string"),
    Bad(
        "same metric twice",
        MV,
        "metrics: [{name: a, value: '1'}, {name: a, value: '2'}]",
        "Duplicate value",
    ),
    Bad("no format", MV, "format: null", "spec.format: Required value"),
    Bad("format without name", MV, "format: {version: '1'}", "spec.format.name: Required value"),
    # Runtimes
    Bad("no container", SR, "containers: []", "at least 1 items"),
    Bad("no container", CSR, "containers: null", "spec.containers: Required value"),
    Bad("same container twice", SR, "containers: [{name: a}, {name: a}]", "Duplicate value"),
    Bad("relative mount", SR, "modelMountPath: models", "a path begins with /"),
    Bad(
        "good and bad",
        SR,
        "metrics: {indicators: [{name: e, total: a, good: b, bad: c}]}",
        "give either good or bad",
    ),
    Bad("neither", CSR, "metrics: {indicators: [{name: e, total: a}]}", "give either good or bad"),
    Bad(
        "bucket bound",
        CSR,
        "metrics: {indicators: [{name: e, total: a, bad: b, thresholds: [100ms]}]}",
        "seconds, greater than 0, in quotes",
    ),
    Bad("format without name", SR, "supportedModelFormats: [{version: '1'}]", "Required value"),
    Bad("metrics path", SR, "metrics: {path: metrics}", "a path begins with /"),
]


@pytest.mark.parametrize(
    "bad", BAD, ids=[f"{bad.kind}-{bad.what}".replace(" ", "-") for bad in BAD]
)
def test_refused_with_a_remedy(api_server: ApiServer, bad: Bad) -> None:
    answer = api_server.create(
        manifest(bad.kind, bad.spec, bad.name), namespace="default", dry_run=True
    )
    assert answer.status_code in (400, 422), answer.text
    assert bad.message in answer.json()["message"]


def test_every_kind_is_tried() -> None:
    assert {bad.kind for bad in BAD} == set(MINIMAL)


@pytest.mark.parametrize("kind", MINIMAL)
def test_the_manifest_that_is_changed_is_good(api_server: ApiServer, kind: str) -> None:
    answer = api_server.create(manifest(kind), namespace="default", dry_run=True)
    assert answer.status_code == 201, answer.text
