"""`python -m evenkeel`: runs the operator until SIGTERM. Settings are in process/settings.py."""

from __future__ import annotations

import argparse
import logging
import os
import sys

import kopf

from evenkeel import __version__
from evenkeel.process import handlers
from evenkeel.process.settings import Settings, SettingsError


def main(argv: list[str] | None = None) -> int:
    """Exit status: 0 after SIGTERM or SIGINT, 1 after a lost leadership or an unforeseen error,
    2 on a start that a person has to correct; stderr then says what is wrong."""
    parser = argparse.ArgumentParser(prog="evenkeel", description="Runs the Evenkeel operator.")
    parser.add_argument("--version", action="version", version=f"evenkeel {__version__}")
    parser.parse_args(argv)
    try:
        settings = Settings.from_environment()
    except SettingsError as error:
        print(f"evenkeel: {error}", file=sys.stderr)
        return handlers.WRONG_START
    _configure_logging(settings)
    # kopf would look up the user's name, which a container's user need not have.
    os.environ.setdefault("POD_ID", settings.identity)
    try:
        kopf.run(clusterwide=True, standalone=True)
    except Exception:
        # kopf has logged it.
        return handlers.LOST
    return 0


def _configure_logging(settings: Settings) -> None:
    as_json = settings.log_format == "json"
    kopf.configure(
        debug=settings.log_level == "debug",
        log_format=kopf.LogFormat.JSON if as_json else kopf.LogFormat.FULL,
    )
    logging.getLogger().setLevel(settings.log_level.upper())


if __name__ == "__main__":
    sys.exit(main())
