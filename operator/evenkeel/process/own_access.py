"""The operator's own Prometheus, as its settings and mounted files describe it."""

from __future__ import annotations

from pathlib import Path

from evenkeel.adapters.access import Access, AccessError, Tls, basic, header
from evenkeel.process.settings import Settings, SettingsError, variable

FILES = ("username", "password", "ca.crt", "tls.crt", "tls.key", "headers")
"""What may be in the folder; the names are those of Kubernetes' types of Secrets."""


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
    files = _files(settings.prometheus_access_dir)
    _together(files, folder, "username", "password")
    _together(files, folder, "tls.crt", "tls.key")
    if token and "username" in files:
        raise AccessError(
            f"{variable('prometheus_token_file')} and username in {folder} exclude each other; "
            "remove one"
        )
    authorization = f"Bearer {token}" if token else ""
    if "username" in files:
        authorization = basic(files["username"], files["password"])
    headers = [header(entry, "=") for entry in settings.prometheus_headers]
    headers += [header(line, ":") for line in files.get("headers", "").splitlines() if line.strip()]
    tls = Tls(files.get("ca.crt", ""), files.get("tls.crt", ""), files.get("tls.key", ""))
    return Access(settings.prometheus_url, tuple(headers), authorization, tls, guarded=False)


def _files(folder: str) -> dict[str, str]:
    """The texts by name."""
    if not folder:
        return {}
    found: dict[str, str] = {}
    if not Path(folder).is_dir():
        raise AccessError(
            f"there is no folder {folder}; mount it, or unset {variable('prometheus_access_dir')}"
        )
    for name in FILES:
        file = Path(folder, name)
        try:
            if file.exists():
                found[name] = file.read_text().strip()
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or "it is no text"
            raise AccessError(f"cannot read {file}: {why}; correct it") from None
    return found


def _together(files: dict[str, str], folder: str, one: str, other: str) -> None:
    if (one in files) != (other in files):
        raise AccessError(f"{one} and {other} go together in {folder}; give both or none")
