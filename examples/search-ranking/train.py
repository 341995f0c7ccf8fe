"""Trains a ranking model on the judgements that DVC tracks, and reports how well it ranks."""

import json
import os
from pathlib import Path

import joblib
import numpy as np
from evenkeel.trainer.profile import profile
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.metrics import ndcg_score

DATA = Path("/data/judgements")
FEATURES = ("text_match", "popularity", "freshness", "price_rank")
HELD_OUT = 0.25
"""Share of each market's queries that are judged and not learned."""


def judged(market: Path) -> tuple[np.ndarray, np.ndarray]:
    """The rows of a market to learn from, and those to judge by: query, features, relevance."""
    rows = np.loadtxt(market, delimiter=",", skiprows=1)
    held = rows[:, 0] >= rows[:, 0].max() * (1 - HELD_OUT)
    return rows[~held], rows[held]


def ndcg(model: HistGradientBoostingRegressor, rows: np.ndarray) -> list[float]:
    """How well each query's results are ranked: NDCG at 5."""
    queries = (rows[rows[:, 0] == number] for number in np.unique(rows[:, 0]))
    return [float(ndcg_score([q[:, -1]], [model.predict(q[:, 1:-1])], k=5)) for q in queries]


def main() -> None:
    markets = {file.stem: judged(file) for file in sorted(DATA.glob("*.csv"))}
    learned = np.concatenate([rows for rows, _ in markets.values()])
    model = HistGradientBoostingRegressor(max_iter=int(os.environ["TREES"]), random_state=0)
    model.fit(learned[:, 1:-1], learned[:, -1])
    run = os.environ["EVENKEEL_RUN"]
    folder = Path("/models/search-ranking") / run
    folder.mkdir(parents=True, exist_ok=True)
    joblib.dump(model, folder / "model.joblib")
    profile(learned[:, 1:-1], model.predict(learned[:, 1:-1]), names=FEATURES).save(folder)
    report(run, {market: ndcg(model, rows) for market, (_, rows) in markets.items()})


def report(run: str, markets: dict[str, list[float]]) -> None:
    def mean(values: list[float]) -> dict[str, float]:
        return {"ndcg_at_5": round(sum(values) / len(values), 4)}

    result = {
        "uri": f"pvc://models/search-ranking/{run}",
        "format": {"name": "sklearn"},
        "metrics": mean([value for each in markets.values() for value in each]),
        "slices": [
            {"name": f"market:{name}", "samples": len(values), "metrics": mean(values)}
            for name, values in markets.items()
        ],
    }
    Path("/dev/termination-log").write_text(json.dumps(result))


if __name__ == "__main__":
    main()
