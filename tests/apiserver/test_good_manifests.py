"""What the API server makes of good manifests: defaults, immutability, status, columns, help."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from evenkeel.api import KINDS, Resource

from tests.support.api_server import ApiServer
from tests.support.manifests import CANARY, MINIMAL, manifest

JSON = dict[str, Any]

DEFAULTS = {
    "ModelDeployment": """
        replicas: 1
        model: {storage: {}}
        traffic: {}
        rollout:
          warmUpSeconds: 0
          scaleDownDelaySeconds: 30
          paused: false
          onStableUnavailable: Hold
          stopFirst: false
    """,
    "RetrainSchedule": """
        suspend: false
        cooldownSeconds: 3600
        concurrencyPolicy: Forbid
        approval: Automatic
        failurePolicy:
          backoffSeconds: 60
          maxBackoffSeconds: 3600
          maxConsecutiveFailures: 5
          circuitResetSeconds: 86400
        history: {succeeded: 3, failed: 3}
        training: {suspend: false, timeoutSeconds: 3600, retries: 2, ttlSecondsAfterFinished: 86400}
    """,
    "TrainingRun": """
        approval: Automatic
        cause: {type: Manual, alertCount: 0}
        training: {suspend: false, timeoutSeconds: 3600, retries: 2, ttlSecondsAfterFinished: 86400}
    """,
    "ModelVersion": "approval: {mode: Automatic}",
    "ServingRuntime": "{disabled: false, modelMountPath: /mnt/models}",
    "ClusterServingRuntime": "{disabled: false, modelMountPath: /mnt/models}",
    "IndicatorTemplate": "{}",
    "ClusterIndicatorTemplate": "{}",
    "ModelRegistry": "{intervalSeconds: 30, writeTags: false}",
}

GOOD = [
    (
        "ModelRegistry",
        """
        mlflow: {url: 'https://mlflow.example:8443/base/', workspace: team-a}
        secretName: mlflow.credentials
        intervalSeconds: 5
        """,
    ),
    (
        "ModelDeployment",
        "model: {registry: {registry: mlflow, name: Fraud model v2.1, alias: champion_EU-1}}",
    ),
    (
        "ModelDeployment",
        """
        model: {registry: {registry: mlflow, name: fraud, version: '12'}, format: {name: sklearn}}
        """,
    ),
    ("ModelDeployment", CANARY),
    (
        "ModelDeployment",
        """
        model: {uri: 'hf://example/chat', format: {name: huggingface}}
        traffic:
          gateway:
            parentRefs: [{name: public}]
            inferencePool:
              endpointPickerRef: {name: any-pool, port: {number: 9002}, failureMode: FailOpen}
              sharedPicker: true
        """,
    ),
    (
        "ModelDeployment",
        """
        model: {uri: 'pvc://models/fraud/1', format: {name: sklearn, version: '1'}}
        autoscaling: {minReplicas: 2, maxReplicas: 5}
        disruptionBudget: {maxUnavailable: 25%}
        resources: {requests: {cpu: 500m, memory: 1Gi}}
        env: [{name: A, value: '1'}, {name: B, valueFrom: {secretKeyRef: {name: s, key: k}}}]
        traffic: {gateway: {parentRefs: [{name: public}], hostnames: ['*.models.example.com']}}
        rollout: {steps: [{weight: 5, pauseSeconds: 60}, {weight: 5}, {weight: 50}]}
        analysis:
          onUndecided: Hold
          prometheus: {url: 'http://prometheus.monitoring:9090/prom'}
          indicators:
          - {name: errors, source: Istio, maxRatio: '0.05'}
          - {name: latency, thresholdSeconds: '0.25', tolerance: '0'}
          - {name: class-share, total: sum by (pod) (p), bad: sum by (pod) (q), acceptable: '0.9'}
        """,
    ),
    (
        "ModelDeployment",
        """
        traffic: {gateway: {parentRefs: [{name: public}]}}
        rollout:
          approve: {revision: fraud-0123456789, step: 2}
          skip: {revision: fraud-0123456789, step: 1}
          restart: {revision: fraud-0123456789, number: 2}
          rollbackWindow: {revisions: 3, seconds: 86400}
          steps:
          - preview: {}
            replicas: 1
            job:
              backoffLimit: 1
              activeDeadlineSeconds: 60
              podTemplate:
                metadata: {labels: {team: risk}}
                spec: {restartPolicy: Never, containers: [{name: smoke, image: smoke}]}
          - {weight: 5, replicas: 2, approval: true, deadlineSeconds: 86400}
          - {weight: 25, replicas: 25%, analysis: false}
          - weight: 50
            webhook:
              url: https://gate.example/confirm?team=risk
              secretName: gate.key
              timeoutSeconds: 20
              intervalSeconds: 60
        analysis: {indicators: [{name: errors}]}
        """,
    ),
    (
        "ModelDeployment",
        """
        rollout: {steps: [{weight: 50}]}
        analysis:
          prometheus:
            url: https://mimir.example:8443/select/0:0/prometheus
            headers:
            - {name: X-Scope-OrgID, value: team-a|team-b}
            - {name: X-Key, valueFrom: {secretKeyRef: {name: mimir, key: key}}}
            basicAuth: {username: {name: mimir, key: username}, password: {name: mimir, key: p.w}}
            tls:
              ca: {configMap: {name: corporate-ca, key: ca.crt}}
              cert: {secret: {name: client, key: tls.crt}}
              keySecret: {name: client, key: tls.key}
              serverName: mimir
          indicators: [{name: errors}]
        """,
    ),
    (
        "ModelDeployment",
        """
        rollout: {steps: [{weight: 50}]}
        analysis:
          prometheus:
            url: http://[fd00::1]:9090/
            authorization: {credentials: {name: token, key: token}}
            tls: {insecureSkipVerify: true}
          indicators: [{name: errors}]
        """,
    ),
    ("ModelDeployment", "rollout: {steps: [{weight: 50, analysis: false, pauseSeconds: 300}]}"),
    ("ModelDeployment", "rollout: {stopFirst: true, steps: [], retry: fraud-0123456789}"),
    ("ModelDeployment", "{model: {uri: 'file:///opt/model'}, runtime: {name: custom}}"),
    ("ModelDeployment", "rollout: {group: {name: g, members: [other, example]}}"),
    ("ModelDeployment", "rollout: {group: {name: g, members: [a-1, example], release: v1.2+a}}"),
    ("ModelDeployment", "rollout: {maxSurge: 0, maxUnavailable: 1}"),
    ("ModelDeployment", "warmUp: {}"),
    ("ModelDeployment", "warmUp: {path: '/v1/models/m:predict?a=b', body: '{}', requests: 3}"),
    ("ModelDeployment", "warmUp: {bodyFile: in/warm-up.bin, contentType: a/b; charset=utf-8}"),
    ("ModelDeployment", "{warmUp: {}, performance: {latency: {seconds: '2'}}}"),
    (
        "ModelDeployment",
        """
        performance:
          latency: {quantile: '0.9', seconds: '0.05'}
          body: '{}'
          path: /invocations
          maxRate: '200'
          durationSeconds: 60
          peakRate: '12.5'
          costPerHour: '0.4'
          fastEnough: {minRate: '200'}
        """,
    ),
    ("ModelDeployment", "monitoring: {}"),
    (
        "ModelDeployment",
        "{monitoring: {}, analysis: {indicators: [{name: errors, source: Meter}]}}",
    ),
    (
        "ModelDeployment",
        "monitoring: {feedback: {keys: {secretName: k}, maxAgeSeconds: 60, slices: [region, "
        "'a b'], loss: {threshold: '0'}, claimName: c, resources: {}}, risk: {maxRatio: '0.2'}}",
    ),
    (
        "ModelDeployment",
        "{monitoring: {feedback: {keys: {secretName: k}}}, analysis: {indicators: [{name: "
        "errors}]}, rollout: {probation: {seconds: 60, indicators: "
        "[{name: labels, source: Meter, acceptable: '0', maxRatio: '0.2'}]}}}",
    ),
    ("ModelDeployment", "monitoring: {detection: {blockSeconds: 3600, tolerance: '0.1'}}"),
    ("ModelDeployment", "monitoring: {detection: {blockSeconds: 10}}"),
    ("ModelDeployment", "monitoring: {profile: {file: a/p.json}, spacingMilliseconds: 0}"),
    ("ModelDeployment", "monitoring: {profile: {learn: {rows: 0}}}"),
    ("ModelDeployment", "monitoring: {profile: {learn: {rows: 500, seconds: 3600}}}"),
    ("ModelDeployment", "monitoring: {profile: {learn: {seconds: 3600}}}"),
    ("ModelDeployment", "rollout: {maxUnavailable: 30%}"),
    (
        "ModelDeployment",
        """
        rollout:
          steps:
          - {weight: 5, pauseSeconds: 86400}
          - {weight: 6, pauseSeconds: 60, deadlineSeconds: 61}
          - {weight: 7, pauseSeconds: 60, deadlineSeconds: 5, analysis: false}
        analysis: {indicators: [{name: errors}]}
        """,
    ),
    (
        "ModelDeployment",
        """
        podTemplate:
          remove:
          - spec.containers[name=model].livenessProbe
          - spec.nodeSelector[cloud.example.com/pool]
          - metadata.labels
        """,
    ),
    (
        "RetrainSchedule",
        """
        triggers:
        - {name: drift, alert: {matchers: [{name: alertname, value: Drift},
            {name: severity, operator: '!=', value: info}]}}
        - name: data
          gitData:
            {repo: 'https://git.example/ml/data', branch: team/next, path: a/b.csv, secretName: git}
        - {name: workdays, cron: {schedule: '*/30 8-18 * * MON-FRI', timeZone: Europe/Berlin}}
        - {name: monthly, cron: {schedule: '@monthly', timeZone: Europe/Berlin}}
        - {name: aged, versionAge: {maxAgeDays: 30}}
        - name: worse
          metricDecay:
            {prometheus: {url: 'http://prom:9090', headers: [{name: X-Scope-OrgID, value: a}]},
            total: 'all{a="b"}', good: good, maxRatio: '0.05', windowSeconds: 86400}
        - name: uploaded
          cloudEvent: {type: com.example.uploaded, source: /ml, subject: 'a b',
            matchers: [{name: tier, operator: '=~', value: gold|silver}]}
        - {name: last-friday, cron: {schedule: 0 3 * jan-mar 5L, timeZone: Etc/GMT+5}}
        budget: {runs: 4}
        concurrencyPolicy: Queue
        gates:
        - {name: accuracy, metric: accuracy, min: '0.8', champion: {maxRegression: '-0.01'}}
        - {name: fair, metric: accuracy, slice: '*', minSamples: 100, min: '0.7', max: '0.7'}
        approval: Manual
        """,
    ),
    (
        "RetrainSchedule",
        """
        training:
          podTemplate: {spec: {containers: [{name: trainer, image: t}]}}
          data:
          - name: train
            mountPath: /data/train
            dvc: {repo: 'https://git.example/ml/data', path: data/train, secretName: git}
          - name: test
            mountPath: /data/test
            dvc:
              {repo: 'https://git.example/ml/data', path: data/test, rev: team/next, remote: prod,
               remoteSecretName: store}
            waitSeconds: 0
            resources: {limits: {memory: 2Gi}}
          - name: labels
            mountPath: /data/labels
            s3: {uri: 's3://labels/2026/a b', endpoint: 'http://s3:9000', secretName: store}
          - name: bucket
            mountPath: /data/bucket
            s3: {uri: 's3://labels/', endpoint: 'http://s3', addressing: VirtualHost, region: eu-1}
        """,
    ),
    ("ModelVersion", f"digest: 'sha256:{'a' * 64}'"),
    ("ModelVersion", "data: [{name: train, repo: r, rev: c, path: p}, {name: l, uri: 's3://l/1'}]"),
    ("ModelVersion", "uri: 'oci://models.example.com/fraud:1'"),
    (
        "ServingRuntime",
        """
        supportedModelFormats: [{name: sklearn, version: '1', autoSelect: true, priority: 1}]
        protocolVersions: [v2]
        containers: [{name: model, image: mlserver, ports: [{containerPort: 8080, name: http}]}]
        metrics:
          indicators:
          - {name: latency, total: t, good: 'g{le="{{threshold}}"}', thresholds: ['0.1', '1']}
        """,
    ),
    (
        "IndicatorTemplate",
        """
        description: Slow answers of one route.
        parameters:
        - {name: route, description: The path.}
        - {name: job-name, default: gateway}
        total: 't{route="{{args.route}}",job="{{args.job-name}}"}'
        good: 'g{route="{{args.route}}",le=~"{{le}}"}'
        thresholds: ['0.1', '1']
        thresholdSeconds: '0.1'
        acceptable: '0.001'
        maxRatio: '0.003'
        tolerance: '0.5'
        burnInRequests: 0
        """,
    ),
    (
        "ModelDeployment",
        """
        analysis:
          indicators:
          - {name: latency, templateRef: {name: slow}, maxRatio: '0.002', dryRun: true}
          - name: errors
            templateRef: {kind: ClusterIndicatorTemplate, name: slow}
            args: [{name: route, value: /v1/"predict"}, {name: empty, value: ''}]
            thresholdSeconds: '0.1'
          - {name: slow, web: {url: 'http://h:8080/{{namespace}}/c?r={{revision}}&k=1'}}
          - name: refunds
            web: {url: 'https://h', total: '/{{revision}}/n', bad: /a~1b/0/c, secretName: s.t}
        """,
    ),
    (
        "ClusterIndicatorTemplate",
        """
        parameters: [{name: of}]
        total: null
        good: null
        web: {url: 'https://h/{{args.of}}'}
        """,
    ),
]


@pytest.mark.parametrize(("kind", "spec"), GOOD)
def test_accepted(api_server: ApiServer, kind: str, spec: str) -> None:
    answer = api_server.create(manifest(kind, spec), "default", dry_run=True)
    assert answer.status_code == 201, answer.text


def _without(full: JSON, given: JSON) -> JSON:
    """The fields of `full` that are not in `given`, at any depth of objects."""
    left: JSON = {}
    for key, value in full.items():
        if key not in given:
            left[key] = value
        elif isinstance(value, dict) and (inner := _without(value, given[key])):
            left[key] = inner
    return left


@pytest.mark.parametrize("kind", MINIMAL)
def test_defaults(api_server: ApiServer, kind: str) -> None:
    given = manifest(kind)
    answer = api_server.create(given, "default", dry_run=True).json()
    added = _without(answer["spec"], given["spec"])
    if kind == "RetrainSchedule":  # a list: not looked into by _without
        cron = answer["spec"]["triggers"][0]["cron"]
        assert cron == {
            "schedule": "0 3 * * *",
            "timeZone": "Etc/UTC",
            "startingDeadlineSeconds": 3600,
        }
    assert added == yaml.safe_load(DEFAULTS[kind])


def test_defaults_of_a_canary(api_server: ApiServer) -> None:
    spec = api_server.create(manifest("ModelDeployment", CANARY), "default", dry_run=True).json()[
        "spec"
    ]
    assert spec["rollout"]["steps"][0] == {
        "weight": 10,
        "pauseSeconds": 0,
        "analysis": True,
        "approval": False,
        "baseline": False,
    }
    assert spec["analysis"] == {
        "prometheus": {},
        "intervalSeconds": 1,
        "minRequests": 50,
        "confirmations": 1,
        "onUndecided": "Rollback",
        "indicators": [{"name": "errors", "dryRun": False}],
    }


def test_the_operator_reads_the_same_defaults(api_server: ApiServer) -> None:
    for kind in KINDS:
        given = manifest(kind.kind)
        answered = api_server.create(given, "default", dry_run=True).json()
        ours = kind.model_validate(given)
        assert ours.model_dump(include={"spec"}) == kind.model_validate(answered).model_dump(
            include={"spec"}
        )


VERSION = """
    model: fraud
    uri: s3://models/fraud/1
    format: {name: sklearn}
    data: [{name: train, repo: r, rev: c, path: p}]
    dataRevision: d1
    codeRevision: c1
    parameters: {depth: '3'}
    metrics: [{name: accuracy, value: '0.9'}]
    slices: [{name: eu, samples: 5, metrics: [{name: accuracy, value: '0.8'}]}]
    trainingRun: fraud-1
    cause: {type: Alert, alerts: [{fingerprint: a, startsAt: b, labels: {x: '1'}}]}
    gates: [{name: g, metric: accuracy, min: '0.8'}]
"""


@pytest.mark.parametrize(
    "change",
    [
        "{model: other}",
        "{uri: 's3://models/fraud/2'}",
        "{format: {name: onnx}}",
        f"{{digest: 'sha256:{'a' * 64}'}}",
        "{data: [{name: train, repo: r, rev: d, path: p}]}",
        "{data: null}",
        "{dataRevision: d2}",
        "{codeRevision: null}",
        "{parameters: {depth: '4'}}",
        "{parameters: {width: '4'}}",
        "{metrics: [{name: accuracy, value: '0.99'}]}",
        "{metrics: null}",
        "{slices: [{name: eu, samples: 5, metrics: [{name: accuracy, value: '0.99'}]}]}",
        "{trainingRun: fraud-2}",
        "{cause: {type: Manual}}",
        "{cause: {alerts: [{fingerprint: a, startsAt: b, labels: {x: '2'}}]}}",
        "{gates: [{name: g, metric: accuracy, min: '0.1'}]}",
    ],
)
def test_a_model_version_does_not_change(
    api_server: ApiServer, namespace: str, change: str
) -> None:
    api_server.create(manifest("ModelVersion", VERSION), namespace).raise_for_status()
    answer = api_server.patch(
        "ModelVersion", namespace, "example", {"spec": yaml.safe_load(change)}
    )
    assert answer.status_code == 422, answer.text
    assert "immutable except for approval; create another" in answer.json()["message"]


def test_a_model_version_is_approved_by_a_change(api_server: ApiServer, namespace: str) -> None:
    api_server.create(manifest("ModelVersion", VERSION), namespace).raise_for_status()
    for decision in ("Approved", "Denied"):
        approval = {"mode": "Manual", "decision": decision, "by": "ada", "comment": "seen"}
        answer = api_server.patch(
            "ModelVersion", namespace, "example", {"spec": {"approval": approval}}
        )
        assert answer.json()["spec"]["approval"] == approval


@pytest.mark.parametrize(
    "change",
    [
        "{model: other}",
        "{approval: Manual}",
        "{training: {retries: 9}}",
        "{training: {podTemplate: {spec: {containers: [{name: trainer, image: other}]}}}}",
        "{training: {podTemplate: {spec: {nodeSelector: {gpu: 'true'}}}}}",
    ],
)
def test_a_training_run_does_not_change(api_server: ApiServer, namespace: str, change: str) -> None:
    api_server.create(manifest("TrainingRun"), namespace).raise_for_status()
    answer = api_server.patch("TrainingRun", namespace, "example", {"spec": yaml.safe_load(change)})
    assert answer.status_code == 422, answer.text
    assert "immutable; create another TrainingRun" in answer.json()["message"]


WITH_STATUS = [kind for kind in KINDS if kind.has_status]


@pytest.mark.parametrize("kind", WITH_STATUS)
def test_status_is_written_apart_from_spec(
    api_server: ApiServer, namespace: str, kind: type[Resource]
) -> None:
    given = manifest(kind.kind) | {"status": {"observedGeneration": 7}}
    created = api_server.create(given, namespace).json()
    assert "status" not in created

    condition = {
        "type": "Ready",
        "status": "True",
        "reason": "Tested",
        "message": "All is well.",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }
    body = {"status": {"conditions": [condition]}, "spec": {"model": "ignored"}}
    answer = api_server.patch(kind.kind, namespace, "example", body, subresource="status").json()
    assert answer["status"]["conditions"] == [condition]
    assert answer["spec"] == created["spec"]
    assert answer["metadata"]["generation"] == 1


@pytest.mark.parametrize("kind", KINDS)
def test_printer_columns(api_server: ApiServer, namespace: str, kind: type[Resource]) -> None:
    where = ["-n", namespace] if kind.namespaced else []
    text = json.dumps(manifest(kind.kind, name=namespace))
    api_server.kubectl("create", *where, "-f", "-", stdin=text)
    for short in (kind.plural, kind.kind.lower(), *kind.short_names):
        header, row = api_server.kubectl("get", *where, short, namespace).stdout.splitlines()
        shown = [column.name.upper() for column in kind.columns if not column.wide]
        assert header.split(None, 1)[0] == "NAME"
        assert " ".join(header.split()) == " ".join(["NAME", *shown])
        assert row.startswith(namespace)


def test_one_category_lists_all_kinds(api_server: ApiServer) -> None:
    names = api_server.kubectl("api-resources", "--categories=evenkeel", "-o", "name").stdout
    assert set(names.split()) == {f"{kind.plural}.evenkeel.dev" for kind in KINDS}


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("modeldeployment", "The desired serving of one model."),
        ("modeldeployment.spec.rollout.steps.weight", "Share of requests for the canary"),
        ("modeldeployment.status.conditions.reason", "CamelCase reason."),
        ("retrainschedule.spec.concurrencyPolicy", "Queue starts one more afterwards"),
        ("trainingrun.spec.cause.alerts", "alertCount counts all"),
        ("modelversion.spec.approval.decision", "Denied also overrules Automatic"),
        ("servingruntime.spec.containers", "readiness probe"),
        ("clusterservingruntime.spec.metrics.indicators.bad", "the bad events, as counters"),
    ],
)
def test_kubectl_explains(api_server: ApiServer, path: str, words: str) -> None:
    text = " ".join(api_server.kubectl("explain", path).stdout.split())
    assert words in text
