"""kopf's handlers: how the process logs in, starts, ends and tells how it is.

`python -m evenkeel` and `kopf run -m evenkeel.process.handlers -A --standalone` run these same
handlers. kopf brings the process: signals, the order of start and end, its liveness endpoint.
Objects are watched by kube/watcher.py, for the reasons in
docs/decisions/0001-kopf-hosts-the-process.md.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import os
import signal
import sys
import threading
from collections.abc import Iterator
from typing import Any

import kopf

from evenkeel.adapters.access import AccessError
from evenkeel.controllers.identity import FIELD_MANAGER
from evenkeel.kube.client import Client, ConfigurationError
from evenkeel.process import log_lines
from evenkeel.process.operator import Operator, StartError
from evenkeel.process.own_access import own_access
from evenkeel.process.settings import Settings, SettingsError

WRONG_START = 2
"""Exit status of a start that a person has to correct."""
LOST = 1
"""Exit status after a lost leadership or an unforeseen error."""
END_WITHIN = 28.0
"""Seconds from SIGTERM to the end whatever hangs: within the 30 s that Kubernetes grants."""
LOST_END_WITHIN = 12.0
"""Seconds from a lost leadership to the end, whatever hangs: another may lead by then."""
BACKOFFS = (1.0, 5.0, 30.0)


class EndlessBackoffs:
    """Seconds between the tries of a request of kopf's own; none of its failures is the last."""

    def __iter__(self) -> Iterator[float]:
        return itertools.chain(BACKOFFS, itertools.repeat(60.0))


@kopf.on.startup(errors=kopf.ErrorsMode.PERMANENT)
async def start(settings: kopf.OperatorSettings, memo: kopf.Memo, **_: Any) -> None:
    """Starts the operator, or ends the process with one line that says what is wrong."""
    settings.peering.standalone = True
    settings.scanning.disabled = True
    settings.posting.enabled = False
    settings.networking.error_backoffs = EndlessBackoffs()
    settings.networking.request_timeout = 30.0
    settings.networking.connect_timeout = 10.0
    settings.process.ultimate_exiting_timeout = END_WITHIN
    logging.getLogger("aiohttp.access").setLevel(logging.WARNING)
    log_lines.install()
    try:
        configured = Settings.from_environment()
        configured.check_token_files()
        own_access(configured)
        client = await Client.from_environment(field_manager=FIELD_MANAGER)
        operator = Operator(client, configured, _end)
        await operator.start()
    except (SettingsError, AccessError, ConfigurationError, StartError) as error:
        # kopf's other tasks have to have begun before they can be ended without a warning.
        await asyncio.sleep(0)
        print(f"evenkeel: {error}", file=sys.stderr)
        raise SystemExit(WRONG_START) from error
    memo["operator"] = operator


@kopf.on.login()
async def login(memo: kopf.Memo, **_: Any) -> kopf.ConnectionInfo:
    """The operator's own address and credentials, once the API server has accepted them.

    kopf looks through the kinds of the cluster once and would end the process if it were refused.
    """
    client: Client = memo["operator"].client
    await client.answered.wait()
    configuration = client.configuration
    scheme, token = (*(await client.authorization()).split(" ", 1), "", "")[:2]
    return kopf.ConnectionInfo(
        server=configuration.host,
        ca_path=configuration.ssl_ca_cert,
        insecure=not configuration.verify_ssl,
        scheme=scheme or None,
        token=token or None,
        certificate_path=configuration.cert_file,
        private_key_path=configuration.key_file,
        proxy_url=client.proxy,
    )


@kopf.on.probe(id="evenkeel", errors=kopf.ErrorsMode.PERMANENT)
async def probe(memo: kopf.Memo, **_: Any) -> dict[str, Any]:
    """What `/healthz` and `/readyz` say, for kopf's `--liveness`; fails as `/healthz` does."""
    health = memo["operator"].health()
    if not health.alive:
        raise kopf.PermanentError(health.stalled)
    return {"ready": not health.unready, "diagnoses": [*health.unready, *health.impaired]}


@kopf.on.cleanup(errors=kopf.ErrorsMode.PERMANENT)
async def stop(memo: kopf.Memo, **_: Any) -> None:
    """Ends the operator in order."""
    operator: Operator = memo["operator"]
    await operator.stop()
    if operator.lost:
        raise SystemExit(LOST)


def _end() -> None:
    killer = threading.Timer(LOST_END_WITHIN, os._exit, (LOST,))
    killer.daemon = True
    killer.start()
    # kopf ends the same way from within as from without.
    signal.raise_signal(signal.SIGTERM)
