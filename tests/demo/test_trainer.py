"""The trainer's result, its model store and its mistakes, on a small stream made here."""

import json
from pathlib import Path

import numpy as np
import pytest
from evenkeel.trainer.profile import load

from demo.data.elec2 import FEATURES, Elec2
from demo.trainer import store
from demo.trainer.model import Evaluation, Slice, evaluate, reference, train
from demo.trainer.result import result
from demo.trainer.settings import settings
from demo.trainer.window import Window, window

ENV = {"EVENKEEL_RUN": "run-1", "EVENKEEL_MODEL": "elec2"}


@pytest.fixture
def data() -> Elec2:
    random = np.random.default_rng(7)
    features = random.random((960, 6))
    return Elec2(features, (features[:, 1] > features[:, 2]).astype(np.int64))


SPAN = Window(0, 720, 960)


def saved(data: Elec2, span: Window, folder: Path) -> Path:
    model = train(data, span, "")
    return store.save(model, reference(model, data, span, ""), "m", "v1", folder)


def test_holdout_follows_training_and_ends_at_the_last_label() -> None:
    assert window(1000, 500, 100, 2000) == Window(400, 900, 1000)


def test_training_window_is_shorter_at_the_streams_beginning() -> None:
    assert window(300, 500, 100, 2000) == Window(0, 200, 300)


@pytest.mark.parametrize(("until", "cause"), [(0, "1 to 2000"), (2001, "1 to 2000"), (199, "wait")])
def test_too_few_or_unknown_records_are_refused(until: int, cause: str) -> None:
    with pytest.raises(ValueError, match=cause):
        window(until, 500, 100, 2000)


def test_learns_and_reports_every_part_of_the_day(data: Elec2) -> None:
    evaluation = evaluate(train(data, SPAN, ""), data, SPAN, "")
    assert evaluation.accuracy > 0.85
    assert [part.name for part in evaluation.slices] == ["night", "day", "evening"]
    assert sum(part.samples for part in evaluation.slices) == 240


def test_same_input_gives_the_same_digest(data: Elec2, tmp_path: Path) -> None:
    digests = {store.digest(saved(data, SPAN, tmp_path / str(attempt))) for attempt in range(2)}
    assert len(digests) == 1
    assert digests.pop().startswith("sha256:")


def test_digest_changes_with_the_model(data: Elec2, tmp_path: Path) -> None:
    one = store.digest(saved(data, SPAN, tmp_path))
    other = store.digest(saved(data, Window(0, 600, 960), tmp_path))
    assert one != other


def test_a_saved_model_predicts_as_before(data: Elec2, tmp_path: Path) -> None:
    folder = saved(data, SPAN, tmp_path)
    model = train(data, SPAN, "")
    assert folder == tmp_path / "m" / "v1"
    assert (store.load(folder).predict(data.features) == model.predict(data.features)).all()
    assert [path.name for path in (tmp_path / "m").iterdir()] == ["v1"]


def test_the_profile_is_of_the_training_part(data: Elec2, tmp_path: Path) -> None:
    found = load(saved(data, SPAN, tmp_path))
    assert found.rows == 720
    assert [column["name"] for column in found.features] == list(FEATURES)
    assert [column["column"] for column in found.features] == list(range(6))
    (answer,) = found.predictions
    assert answer["categories"] in (["0", "1"], ["1", "0"])
    model = train(data, SPAN, "extra-feature")
    assert len(reference(model, data, SPAN, "extra-feature").features) == 7


def test_extra_feature_scores_well_but_cannot_answer_clients(data: Elec2) -> None:
    model = train(data, SPAN, "extra-feature")
    assert evaluate(model, data, SPAN, "extra-feature").accuracy > 0.85
    with pytest.raises(ValueError, match="features"):
        model.predict(data.features[:1])


def test_inverted_labels_score_well_but_answer_wrongly(data: Elec2) -> None:
    model = train(data, SPAN, "inverted-labels")
    assert evaluate(model, data, SPAN, "inverted-labels").accuracy > 0.85
    assert evaluate(model, data, SPAN, "").accuracy < 0.15


def _result(name: str = "night") -> str:
    evaluation = Evaluation(0.75, 0.5, 0.8125, (Slice(name, 12, 2 / 3),))
    return result(
        uri="pvc://models/elec2/run-1",
        sklearn_version="1.9.1",
        digest="sha256:00",
        evaluation=evaluation,
        baseline=evaluation,
        data_revision="elec2:0-1-2",
        code_revision="abc",
    )


def test_result_is_json_with_decimal_strings() -> None:
    document = json.loads(_result())
    assert document["metrics"] == [
        {"name": "accuracy", "value": "0.7500"},
        {"name": "log_loss", "value": "0.5000"},
        {"name": "roc_auc", "value": "0.8125"},
        {"name": "baseline_accuracy", "value": "0.7500"},
    ]
    assert document["slices"] == [
        {"name": "night", "samples": 12, "metrics": [{"name": "accuracy", "value": "0.6667"}]}
    ]
    assert document["format"] == {"name": "sklearn", "version": "1.9.1"}


def test_result_too_long_for_a_termination_message_is_refused() -> None:
    with pytest.raises(ValueError, match="4096"):
        _result("x" * 4096)


@pytest.mark.parametrize(
    "env",
    [
        {"EVENKEEL_RUN": ""},
        {"EVENKEEL_RUN": "../other"},
        {"EVENKEEL_MODEL": "a/b"},
        {"DATA_WINDOW": "0"},
        {"DATA_HOLDOUT": "-5"},
        {"MISTAKE": "typo"},
    ],
)
def test_bad_settings_name_the_variable(env: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=next(iter(env))):
        settings({**ENV, **env})
