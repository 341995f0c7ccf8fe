"""The operator's own Prometheus, as its settings and mounted files describe it."""

from __future__ import annotations

from pathlib import Path

from evenkeel.adapters.access import SHOWN, Access, AccessError, header, shown
from evenkeel.process.settings import Settings, SettingsError, variable


def own_access(settings: Settings) -> Access | None:
    """The access, read anew since mounted files rotate; None where no address is set.

    Raises AccessError.
    """
    if not settings.prometheus_url:
        return None
    try:
        token = settings.read_token(settings.prometheus_token_file)
    except SettingsError as error:
        raise AccessError(str(error)) from error
    folder = variable("prometheus_access_dir")
    headers, authorization, tls = shown(_files(settings.prometheus_access_dir), folder)
    if token and authorization:
        raise AccessError(
            f"{variable('prometheus_token_file')} and username in {folder} exclude each other; "
            "remove one"
        )
    if token:
        authorization = f"Bearer {token}"
    own = tuple(header(entry, "=") for entry in settings.prometheus_headers)
    return Access(settings.prometheus_url, own + headers, authorization, tls, guarded=False)


def _files(folder: str) -> dict[str, str]:
    """The texts by name."""
    if not folder:
        return {}
    found: dict[str, str] = {}
    if not Path(folder).is_dir():
        raise AccessError(
            f"there is no folder {folder}; mount it, or unset {variable('prometheus_access_dir')}"
        )
    for name in SHOWN:
        file = Path(folder, name)
        try:
            if file.exists():
                found[name] = file.read_text().strip()
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or "it is no text"
            raise AccessError(f"cannot read {file}: {why}; correct it") from None
    return found
