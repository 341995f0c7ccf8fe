"""Sample data: deliveries, of which those that are far and in heavy traffic come late.

python deliveries.py FOLDER [SHIFT...]     # writes FOLDER/deliveries.csv
"""

import csv
import random
import sys
from pathlib import Path

SHIFTS = ("day", "night")
ROWS = 1500


def write(folder, shifts=SHIFTS):
    """The same for the same shifts."""
    chance = random.Random(1)
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "deliveries.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["distance", "traffic", "shift", "late"])
        for _ in range(ROWS):
            distance, traffic = chance.random(), chance.random()
            rows.writerow([distance, traffic, chance.choice(shifts), int(distance + traffic > 1)])


if __name__ == "__main__":
    write(sys.argv[1], tuple(sys.argv[2:]) or SHIFTS)
