"""The traffic's environment as one frozen value."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from demo.data.elec2 import MARKET_CHANGE, RECORDS, RECORDS_PER_DAY, RECORDS_PER_WEEK


@dataclass(frozen=True)
class Settings:
    """What to replay, and how fast.

    host: Host header, for a gateway that routes by name; the URL's without it.
    start: first record sent; records, seconds: the replay ends at whichever bound comes first.
    rate: requests per second; clients: how many ask about each record from record `busy_from` on,
    which slows the stream down under the same load; before, one does.
    delay: records between a prediction and its label. feedback: where labels are posted, or None.
    baseline: folder of a model that is asked about the same records beside the served one, for
    comparison only, or None.
    """

    url: str
    host: str | None
    model: str
    data: Path
    start: int
    records: int
    seconds: float
    rate: float
    clients: int
    busy_from: int
    delay: int
    feedback: str | None
    baseline: Path | None
    port: int


def settings(env: Mapping[str, str]) -> Settings:
    """Reads the settings; raises ValueError naming the variable and the remedy."""
    url, model = env.get("SERVICE_URL", "").rstrip("/"), env.get("MODEL_NAME", "")
    if not url.startswith(("http://", "https://")) or not model:
        raise ValueError("set SERVICE_URL (http://HOST:PORT) and MODEL_NAME of the served model")
    start = int(_number(env, "START", MARKET_CHANGE - RECORDS_PER_WEEK))
    records = int(_number(env, "RECORDS", 12 * RECORDS_PER_WEEK))
    rate = _number(env, "RATE", 20)
    seconds = _number(env, "DURATION_SECONDS", 600)
    if rate == 0 or rate > 200:
        raise ValueError(f"RATE={rate:g}: give 1 to 200 requests per second")
    clients = int(_number(env, "CLIENTS", 1))
    if not 1 <= clients <= 100:
        raise ValueError(f"CLIENTS={clients}: give 1 to 100 requests for each record")
    if not 0 < start < RECORDS:
        raise ValueError(f"START={start}: the data set has records 1 to {RECORDS - 1} to start at")
    return Settings(
        url=url,
        host=env.get("HOST_HEADER") or None,
        model=model,
        data=Path(env.get("DATA_FILE", "/opt/demo/elec2.csv.gz")),
        start=start,
        records=min(records, RECORDS - start),
        seconds=seconds,
        rate=rate,
        clients=clients,
        busy_from=int(_number(env, "BUSY_FROM", 0)),
        delay=int(_number(env, "LABEL_DELAY", RECORDS_PER_DAY)),
        feedback=env.get("FEEDBACK_URL") or None,
        baseline=Path(env["BASELINE_DIR"]) if env.get("BASELINE_DIR") else None,
        port=int(_number(env, "METRICS_PORT", 9100)),
    )


def _number(env: Mapping[str, str], variable: str, default: float) -> float:
    text = env.get(variable, str(default))
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf"):
        raise ValueError(f"{variable}={text!r}: give a number of at least 0")
    return value
