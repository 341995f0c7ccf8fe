"""`python -m demo.trainer`: one training run, set up by environment variables."""

import json
import os
import re
import sys
import urllib.error
import urllib.request
from pathlib import Path

import sklearn

from demo.data import elec2
from demo.trainer import store
from demo.trainer.model import evaluate, reference, train
from demo.trainer.result import result, summary
from demo.trainer.settings import Settings, settings
from demo.trainer.window import window


def main() -> None:
    chosen = settings(os.environ)
    data = elec2.load(chosen.data)
    span = window(labelled(chosen.until), chosen.window, chosen.holdout, len(data))
    print(
        f"training {chosen.model} on {span.split - span.start} records from "
        f"{elec2.moment(span.start)} to {elec2.moment(span.split)}, "
        f"judged on the {span.until - span.split} after them",
        flush=True,
    )
    model = train(data, span, chosen.mistake)
    evaluation = evaluate(model, data, span, chosen.mistake)
    baseline = None
    if chosen.baseline:
        baseline = evaluate(store.load(folder(chosen)), data, span, "")
    profile = reference(model, data, span, chosen.mistake)
    path = store.save(model, profile, chosen.model, chosen.run, chosen.store)
    text = result(
        uri=f"{chosen.store_uri}/{chosen.model}/{chosen.run}",
        sklearn_version=sklearn.__version__,
        digest=store.digest(path),
        evaluation=evaluation,
        baseline=baseline,
        data_revision=span.revision,
        code_revision=chosen.code_revision,
    )
    chosen.result.write_text(text)
    print(summary(json.loads(text)["metrics"]))


def labelled(until: str) -> int:
    """The number of labelled records: given as such, or asked of the service that knows it.

    Raises ValueError when the answer is not a number, OSError when the service does not answer.
    """
    text = until
    if re.match(r"https?://", until):
        try:
            with urllib.request.urlopen(until, timeout=10) as answer:
                text = answer.read(64).decode().strip()
        except urllib.error.URLError as error:
            raise OSError(f"DATA_UNTIL={until}: {error}") from error
    if not text.isdecimal():
        raise ValueError(f"DATA_UNTIL={until}: {text!r} is not a number of records")
    return int(text)


def folder(chosen: Settings) -> Path:
    """The baseline's folder in the mounted store; raises ValueError for a URI outside the store."""
    prefix = f"{chosen.store_uri}/"
    uri = chosen.baseline or ""
    if not uri.startswith(prefix) or ".." in uri:
        raise ValueError(f"BASELINE_URI={uri}: only models below {prefix} can be judged here")
    return chosen.store / uri.removeprefix(prefix)


if __name__ == "__main__":
    try:
        main()
    except (ValueError, OSError) as error:
        sys.exit(f"training failed: {error}")
