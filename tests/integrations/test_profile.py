"""Profiles of what pandas, TFDV and MLflow really have; a JSON schema for a real validator."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from evenkeel.trainer.profile import FILE

from dev.environment import interpreter
from dev.paths import ROOT
from tests.integrations.conftest import Trained
from tests.support.profiles import WHOLE

HERE = Path(__file__).parent
HELPER = {"PYTHONPATH": str(ROOT / "operator")}


def run(requirements: str, script: str, folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        [interpreter(requirements), HERE / script, *arguments],
        env={"PATH": os.environ["PATH"], "HOME": str(folder), **HELPER},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=1200,
    )
    assert done.returncode == 0, done.stderr[-5000:]
    return done.stdout


@pytest.mark.parametrize("requirements", ["tfx", "mlflow"])
def test_pandas_types_are_told_apart(tmp_path: Path, requirements: str) -> None:
    """TFX has an old pandas on Python 3.10, MLflow a new one."""
    told = json.loads(run(requirements, "profile_with_pandas.py", tmp_path))
    columns = told["columns"]
    missing = {name: column["missing"] for name, column in columns.items()}
    assert missing.pop("nothing") == 300
    assert set(missing.values()) == {100}, missing
    numeric = {name for name, column in columns.items() if column["type"] == "numeric"}
    assert numeric == {"float", "Float64", "decimal", "nothing"}
    assert columns["float"]["counts"] == columns["Float64"]["counts"] == [20] * 10
    found: dict[tuple[str, ...], set[str]] = {}
    for name, column in columns.items():
        found.setdefault(tuple(column.get("categories", ())), set()).add(name)
    assert found[("1", "2")] == {
        *("float of codes", "Int64", "object of numbers", "category of numbers"),
    }
    assert found[("false", "true")] == {"boolean", "object of truths"}
    assert found[("a", "b")] == {"text", "object of texts", "string", "category"}
    moments = {"moment", "moment of a zone", "object of moments", "duration", "period"}
    assert found[()] == moments | numeric
    assert len(columns["category of many"]["categories"]) == 20
    assert (told["prediction"], told["chunks"], told["order"]) == ("answer", True, True)
    assert told["arrow"]
    assert told["numbers as names"] == ["0", "1"]
    assert "has the column 'a' twice" in told["same name"]
    assert "a column with the name ('a', 'b')" in told["two levels"]
    assert "features['embedding']: it has values of the type list" in told["lists"]
    assert "values of the type Interval" in told["interval"]


def test_tfdv_s_statistics_become_a_profile(tmp_path: Path) -> None:
    run("tfx", "profile_with_tfdv.py", tmp_path, str(tmp_path))
    told = json.loads((tmp_path / "told.json").read_text())
    assert told["alike"]
    assert told["pipeline"]
    assert "there are no statistics of the split train below" in told["elsewhere"]
    # TFDV's sketch of quantiles may be off by 0.01 of the rows.
    assert max(told["deviations"].values()) < 0.01, told["deviations"]
    assert max(told["single precision"].values()) < 0.01, told["single precision"]
    assert "'many' is left out: it has up to 2 values in an example" in told["left out"][0]
    columns = told["columns"]
    assert columns["normal"]["missing"] == columns["color"]["missing"] > 0
    assert len(columns["normal"]["counts"]) == 10
    assert columns["street"]["other"] > 0


def test_a_profile_is_logged_beside_the_model(mlflow: Trained) -> None:
    told = json.loads(
        mlflow.server.run(HERE / "profile_with_mlflow.py", more=HELPER).splitlines()[-1]
    )
    assert {FILE, "MLmodel"} <= set(told["logged"]["files"])
    assert told["logged"]["alike"]
    inferred: Any = {column["name"]: column for column in told["inferred"]}
    assert list(inferred) == ["double", "optional", "long", "text", "truth", "moment"]
    assert inferred["optional"]["missing"] == 1
    assert told["matrix"] == [[["0", 0], ["1", 1]], ["low", "high"]]


def test_the_schema_takes_what_the_checker_takes(tmp_path: Path) -> None:
    whole = tmp_path / "whole.json"
    whole.write_text(json.dumps(WHOLE))
    told = json.loads(run("tfx", "profile_with_jsonschema.py", tmp_path, str(whole)))
    assert told["schema refuses"] == []
    assert min(len(told["both take"]), len(told["both refuse"]), len(told["checker"])) > 50
    further = ("counts, one a bin", "rising", "finite", "rows in counts", "more than 256 bytes")
    further += ("a category twice", "the name of another", "tensor and column of another")
    strange = [words for words in told["checker"] if not any(rule in words for rule in further)]
    assert strange == []
