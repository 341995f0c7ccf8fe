"""What the released client of Kubeflow Pipelines makes of a server: ask_with_kfp.py URL STEP ...

Prints one line of JSON. Whatever the client cannot read it raises an error for.
"""

import json
import sys
import warnings

import kfp
import kfp_server_api

warnings.simplefilter("ignore")
RUN = ("run_id", "display_name", "state", "experiment_id", "service_account", "description")


def described(run: kfp_server_api.V2beta1Run) -> dict:
    """The run as the client has read it."""
    assert isinstance(run, kfp_server_api.V2beta1Run)
    reference = run.pipeline_version_reference
    return {
        **{name: getattr(run, name) for name in RUN},
        "version": reference.pipeline_version_id,
        "parameters": run.runtime_config.parameters,
        "root": run.runtime_config.pipeline_root,
        "created": run.created_at.isoformat(),
        "history": [entry.state for entry in run.state_history],
    }


def error(call, *arguments, **more) -> dict:
    """How the client is refused."""
    try:
        call(*arguments, **more)
    except kfp_server_api.ApiException as refused:
        return {"status": refused.status, **json.loads(refused.body)}
    raise AssertionError("it was not refused")


def main() -> None:
    """As the module says."""
    url, step, *rest = sys.argv[1:]
    client = kfp.Client(host=url)
    match step, rest:
        case "upload", [package, name]:
            pipeline = client.upload_pipeline(package, name)
            client.upload_pipeline_version(package, "second", pipeline_id=pipeline.pipeline_id)
            experiment = client.create_experiment("nightly")
            versions = client.list_pipeline_versions(pipeline.pipeline_id).pipeline_versions
            told = {
                "pipeline": client.get_pipeline_id(name),
                "versions": [version.display_name for version in versions],
                "experiment": experiment.experiment_id,
            }
        case "read", [run_id]:
            named = {"key": "display_name", "operation": "EQUALS"}
            run = client.get_run(run_id)
            named["stringValue"] = run.display_name
            listed = client.list_runs(filter=json.dumps({"predicates": [named]}))
            told = {
                "run": described(run),
                "listed": [described(one) for one in listed.runs],
                "total": listed.total_size,
                "gone": error(client.get_run, "not-there"),
            }
        case "run", [experiment, pipeline, version, parameters]:
            asked = {"pipeline_id": pipeline, "version_id": version}
            asked["params"] = json.loads(parameters)
            run = client.run_pipeline(experiment, "by hand", **asked)
            wrong = {**asked, "params": {**asked["params"], "colour": "red"}}
            told = {
                "run": described(run),
                "refused": error(client.run_pipeline, experiment, "by hand", **wrong),
            }
        case "terminate", [run_id]:
            client.terminate_run(run_id)
            told = {"run": described(client.get_run(run_id))}
            told["again"] = error(client.terminate_run, run_id)
        case "wait", [run_id]:
            told = described(client.wait_for_run_completion(run_id, 60))
    print("\n" + json.dumps(told))


if __name__ == "__main__":
    main()
