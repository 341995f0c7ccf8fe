"""The model store: one folder per version, written once."""

import hashlib
import json
import os
import shutil
from pathlib import Path

import joblib
from evenkeel.trainer.profile import Profile

from demo.trainer.model import Classifier

MODEL_FILE = "model.joblib"


def save(model: Classifier, profile: Profile, name: str, version: str, store: Path) -> Path:
    """Writes store/name/version with model, profile and MLServer's settings; returns the folder.

    The folder appears complete or not at all. A repeated run of the same version replaces it.
    """
    folder = store / name / version
    part = store / name / f".{version}.part"
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    joblib.dump(model, part / MODEL_FILE)  # type: ignore[no-untyped-call]
    profile.save(part)
    # No name: the one that the serving pod's MLSERVER_MODEL_NAME gives would lose against it.
    served = {
        "implementation": "mlserver_sklearn.SKLearnModel",
        "parameters": {"uri": f"./{MODEL_FILE}", "version": version},
    }
    (part / "model-settings.json").write_text(json.dumps(served, indent=2) + "\n")
    shutil.rmtree(folder, ignore_errors=True)
    os.replace(part, folder)
    return folder


def load(folder: Path) -> Classifier:
    """The model of a version's folder; raises FileNotFoundError when there is none."""
    model: Classifier = joblib.load(folder / MODEL_FILE)  # type: ignore[no-untyped-call]
    return model


def digest(folder: Path) -> str:
    """sha256:HEX over the names and contents of the folder's files, in the order of names."""
    total = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        total.update(f"{content}  {path.name}\n".encode())
    return f"sha256:{total.hexdigest()}"
