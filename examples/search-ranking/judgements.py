"""Writes judged search results as CSV, as raters would give them; replace it by your own data."""

import csv
import random
import sys
from pathlib import Path

FEATURES = ("text_match", "popularity", "freshness", "price_rank")
TASTE = {"1": (1.6, 0.5, 0.2, -0.4), "2": (1.2, 0.9, 0.8, -0.2)}
"""What raters look for; it changes from one round of judgements to the next."""
QUERIES = 300
RESULTS = 10


def main(round_: str, folder: Path) -> None:
    draw = random.Random(round_)
    folder.mkdir(parents=True, exist_ok=True)
    for market in ("de", "fr"):
        with (folder / f"{market}.csv").open("w", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(["query", *FEATURES, "relevance"])
            for query in range(QUERIES):
                for _ in range(RESULTS):
                    result = [draw.gauss(0, 1) for _ in FEATURES]
                    wish = sum(w * f for w, f in zip(TASTE[round_], result, strict=True))
                    relevance = sum(wish + draw.gauss(0, 0.5) > bound for bound in (-1, 0, 1, 2))
                    rows.writerow([query, *(round(f, 4) for f in result), relevance])


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
