"""The Job's environment as one frozen value."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from demo.data.elec2 import RECORDS, RECORDS_PER_WEEK

MISTAKES = ("", "extra-feature", "inverted-labels")


@dataclass(frozen=True)
class Settings:
    """What to train on, in records, and where the model goes.

    until: number of labelled records known, or a URL that answers it in plain text.
    window: records to train on, ending where the hold-out begins; holdout: the last records known.
    mistake: a training mistake to make on purpose (one of MISTAKES), for the rollback scene.
    baseline: folder of a served model to judge on the same hold-out, or None.
    """

    run: str
    model: str
    data: Path
    store: Path
    store_uri: str
    until: str
    window: int
    holdout: int
    mistake: str
    baseline: str | None
    code_revision: str
    result: Path


def settings(env: Mapping[str, str]) -> Settings:
    """Reads the settings; raises ValueError naming the variable and the remedy."""
    mistake = env.get("MISTAKE", "")
    if mistake not in MISTAKES:
        raise ValueError(f"MISTAKE={mistake!r}: use one of {', '.join(MISTAKES[1:])}, or none")
    return Settings(
        run=_name(env, "EVENKEEL_RUN"),
        model=_name(env, "EVENKEEL_MODEL"),
        data=Path(env.get("DATA_FILE", "/opt/demo/elec2.csv.gz")),
        store=Path(env.get("STORE_DIR", "/models")),
        store_uri=env.get("STORE_URI", "pvc://models").rstrip("/"),
        until=env.get("DATA_UNTIL", str(RECORDS)),
        window=_count(env, "DATA_WINDOW", 12 * RECORDS_PER_WEEK),
        holdout=_count(env, "DATA_HOLDOUT", RECORDS_PER_WEEK),
        mistake=mistake,
        baseline=env.get("BASELINE_URI") or env.get("EVENKEEL_CHAMPION_URI") or None,
        code_revision=env.get("CODE_REVISION", ""),
        result=Path(env.get("RESULT_FILE", "/dev/termination-log")),
    )


def _name(env: Mapping[str, str], variable: str) -> str:
    value = env.get(variable, "")
    if not value or "/" in value or value.startswith("."):
        raise ValueError(f"{variable}={value!r}: it names a folder of the model store; set it")
    return value


def _count(env: Mapping[str, str], variable: str, default: int) -> int:
    value = env.get(variable, str(default))
    if not value.isdecimal() or int(value) == 0:
        raise ValueError(f"{variable}={value!r}: give a positive number of records")
    return int(value)
