"""A pipeline of Kubeflow Pipelines that trains for Evenkeel: train, evaluate, report.

Evenkeel gives it the parameters that it declares: those of the training, and of the run's facts
evenkeel_run and evenkeel_result_uri. Its last step writes the result there.

    pipeline.py compile pipeline.yaml
    pipeline.py local FOLDER [C]      runs it here, without Kubeflow
"""

import sys
from pathlib import Path

from kfp import compiler, dsl, kubernetes, local

IMAGE = "python:3.11-slim"
# Here what is installed is used. In Kubeflow an image that has all of it starts sooner.
HERE = sys.argv[1:2] == ["local"]
PACKAGES = [] if HERE else ["scikit-learn==1.9.1", "boto3==1.44.8"]


@dsl.component(base_image=IMAGE, packages_to_install=PACKAGES)
def train(c: float, model: dsl.Output[dsl.Model], held_out: dsl.Output[dsl.Dataset]) -> None:
    """Classes of irises by their measures; a third of the flowers is held out."""
    import json
    from pathlib import Path

    import joblib
    from sklearn.datasets import load_iris
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import train_test_split

    features, classes = load_iris(return_X_y=True)
    x, x_out, y, y_out = train_test_split(
        features, classes, test_size=1 / 3, random_state=0, stratify=classes
    )
    fitted = LogisticRegression(C=c, max_iter=1000).fit(x, y)
    Path(model.path).mkdir(parents=True, exist_ok=True)
    joblib.dump(fitted, Path(model.path) / "model.joblib")
    Path(held_out.path).write_text(json.dumps([x_out.tolist(), y_out.tolist()]))


@dsl.component(base_image=IMAGE, packages_to_install=PACKAGES)
def evaluate(
    model: dsl.Input[dsl.Model], held_out: dsl.Input[dsl.Dataset], metrics: dsl.Output[dsl.Metrics]
) -> dict:
    """Accuracy over all that was held out, and of each class."""
    import json
    from pathlib import Path

    import joblib

    features, classes = json.loads(Path(held_out.path).read_text())
    found = joblib.load(Path(model.path) / "model.joblib").predict(features)
    right = [int(one) == int(other) for one, other in zip(found, classes, strict=True)]
    accuracy = sum(right) / len(right)
    metrics.log_metric("accuracy", accuracy)
    slices = []
    for kind, name in enumerate(("setosa", "versicolor", "virginica")):
        of_kind = [r for r, k in zip(right, classes, strict=True) if k == kind]
        share = {"accuracy": sum(of_kind) / len(of_kind)}
        slices.append({"name": name, "samples": len(of_kind), "metrics": share})
    return {"metrics": {"accuracy": accuracy}, "slices": slices}


@dsl.component(base_image=IMAGE, packages_to_install=PACKAGES)
def report(
    model: dsl.Input[dsl.Model], evaluation: dict, run: str, result_uri: str, pipeline_run: str
) -> str:
    """Writes the result where Evenkeel reads it: the model's address, format and figures."""
    import json
    from pathlib import Path

    # The place is the run's own, so that no other run's result can be taken for it.
    if run not in result_uri:
        raise ValueError(f"{result_uri} is none of run {run}'s")
    uri = model.uri if "://" in model.uri else f"file://{model.uri}"
    text = json.dumps(
        {
            "uri": uri.replace("minio://", "s3://"),
            "format": {"name": "sklearn"},
            **evaluation,
            "codeRevision": pipeline_run,
        }
    )
    if result_uri.startswith("s3://"):
        import os

        import boto3

        bucket, key = result_uri.removeprefix("s3://").split("/", 1)
        store = boto3.client("s3", endpoint_url=os.environ.get("AWS_ENDPOINT_URL"))
        store.put_object(Bucket=bucket, Key=key, Body=text.encode())
    else:
        Path(result_uri).write_text(text)
    return text


@dsl.pipeline(name="iris-train")
def pipeline(evenkeel_run: str, evenkeel_result_uri: str, c: float = 0.5) -> str:
    """c: the strength of the regularization, inverse."""
    trained = train(c=c)
    evaluated = evaluate(model=trained.outputs["model"], held_out=trained.outputs["held_out"])
    # Never answered from the cache: each run has its own result to write.
    reported = report(
        model=trained.outputs["model"],
        evaluation=evaluated.outputs["Output"],
        run=evenkeel_run,
        result_uri=evenkeel_result_uri,
        pipeline_run=dsl.PIPELINE_JOB_ID_PLACEHOLDER,
    ).set_caching_options(False)
    keys = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_ENDPOINT_URL")
    kubernetes.use_secret_as_env(reported, "results", {key: key for key in keys})
    return reported.output


def main() -> None:
    """As the module says."""
    match sys.argv[1:]:
        case ["compile", target]:
            compiler.Compiler().compile(pipeline, target)
        case ["local", folder, *more]:
            result = Path(folder).absolute() / "iris-local.json"
            local.init(
                runner=local.SubprocessRunner(use_venv=False),
                pipeline_root=str(Path(folder).absolute() / "artifacts"),
            )
            c = float(more[0]) if more else 0.5
            pipeline(evenkeel_run="iris-local", evenkeel_result_uri=str(result), c=c)
            print(result.read_text())
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main()
