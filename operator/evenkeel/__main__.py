"""`python -m evenkeel`: runs the operator until SIGTERM. Settings are in runtime/settings.py."""

from __future__ import annotations

import argparse
import logging
import sys
import threading
from typing import Any

import kopf
from kopf._core.engines.peering import Identity

from evenkeel import __version__
from evenkeel.controllers.identity import FIELD_MANAGER
from evenkeel.kube.client import Client
from evenkeel.process.operator import Operator
from evenkeel.process.settings import Settings, SettingsError


def main(argv: list[str] | None = None) -> int:
    """Exit status: 0 after SIGTERM or SIGINT, 1 after a lost leadership, 2 on wrong settings."""
    parser = argparse.ArgumentParser(prog="evenkeel", description="Runs the Evenkeel operator.")
    parser.add_argument("--version", action="version", version=f"evenkeel {__version__}")
    parser.parse_args(argv)
    try:
        settings = Settings.from_environment()
    except SettingsError as error:
        print(f"evenkeel: {error}", file=sys.stderr)
        return 2
    return _run(settings)


def _run(settings: Settings) -> int:
    registry = kopf.OperatorRegistry()
    running: list[Operator] = []
    lost: list[bool] = []

    @kopf.on.startup(registry=registry)
    async def start(settings: kopf.OperatorSettings, **_: object) -> None:
        # kopf is the process: credentials check, signals, orderly shutdown. Objects are watched
        # by observe/watcher.py, which pages, resumes and knows when a kind is complete.
        settings.peering.standalone = True
        settings.scanning.disabled = True
        settings.posting.enabled = False

        def on_lost() -> None:
            lost.append(True)
            stop.set()

        client = await Client.from_environment(field_manager=FIELD_MANAGER)
        operator = Operator(client, configured, on_lost)
        running.append(operator)
        await operator.start()

    @kopf.on.login(registry=registry)
    def login(**kwargs: Any) -> kopf.ConnectionInfo | None:
        return kopf.login_with_service_account(**kwargs) or kopf.login_via_client(**kwargs)

    @kopf.on.cleanup(registry=registry)
    async def stop_(**_: object) -> None:
        for operator in running:
            await operator.stop()
        # kopf waits for the flag in a thread, which would keep the process alive.
        stop.set()

    configured = settings
    stop = threading.Event()
    _configure_logging(settings)
    kopf.run(
        registry=registry,
        clusterwide=True,
        standalone=True,
        stop_flag=stop,
        # kopf would look up the user's name, which a container's user need not have.
        identity=Identity(settings.identity),
    )
    return 1 if lost else 0


def _configure_logging(settings: Settings) -> None:
    as_json = settings.log_format == "json"
    kopf.configure(
        debug=settings.log_level == "debug",
        log_format=kopf.LogFormat.JSON if as_json else kopf.LogFormat.FULL,
    )
    logging.getLogger().setLevel(settings.log_level.upper())
    for chatty in ("httpx", "httpcore", "aiohttp.access"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


if __name__ == "__main__":
    sys.exit(main())
