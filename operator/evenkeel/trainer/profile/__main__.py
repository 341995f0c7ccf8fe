"""Checks a profile, or prints the JSON schema of all.

python -m evenkeel.trainer.profile FOLDER    # of a model, or the file itself
python -m evenkeel.trainer.profile --schema
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence

from evenkeel.trainer.profile.document import InvalidProfile, load
from evenkeel.trainer.profile.schema import SCHEMA


def main(arguments: Sequence[str]) -> int:
    """1 where the profile cannot be used, 2 where the arguments cannot."""
    if list(arguments) == ["--schema"]:
        print(json.dumps(SCHEMA, indent=2))
        return 0
    if len(arguments) != 1 or arguments[0].startswith("-"):
        print("usage: python -m evenkeel.trainer.profile FOLDER | --schema", file=sys.stderr)
        return 2
    try:
        found = load(arguments[0])
    except (InvalidProfile, OSError) as problem:
        print(problem, file=sys.stderr)
        return 1
    features, predictions = len(found.features), len(found.predictions)
    print(f"{found.rows} rows, {features} features, {predictions} predictions")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
