"""The table of settings in docs/operations.md, from the settings themselves.

`python -m evenkeel.process.settings_table docs/operations.md` renews it; a test holds it current.
"""

from __future__ import annotations

import sys
from pathlib import Path

from evenkeel.process.settings import Settings, allowed, variable

BEGIN, END = "<!-- settings: generated -->\n", "<!-- settings: end -->"


def table() -> str:
    """A Markdown table: variable, values, default, meaning."""
    lines = ["| variable | values | default | meaning |", "|---|---|---|---|"]
    for name, field in Settings.model_fields.items():
        told = allowed(name)
        default = told.default or _shown(field.default)
        lines.append(f"| `{variable(name)}` | {told.values} | {default} | {field.description} |")
    return "".join(f"{line}\n" for line in lines)


def renewed(text: str) -> str:
    """The page with the current table between its marks. Raises ValueError without marks."""
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    return f"{before}{BEGIN}{table()}{END}{after}"


def _shown(default: object) -> str:
    return str(default).lower() if isinstance(default, bool) else str(default)


if __name__ == "__main__":
    page = Path(sys.argv[1])
    page.write_text(renewed(page.read_text()))
