"""The syntax of cron expressions: five fields, as cronsim reads them."""

from __future__ import annotations

_MONTHS = "JAN|FEB|MAR|APR|MAY|JUN|JUL|AUG|SEP|OCT|NOV|DEC"
_DAYS = "SUN|MON|TUE|WED|THU|FRI|SAT"
_STEP = "(/0*[1-9][0-9]*)?"


def _field(value: str, alone: str = "") -> str:
    """A comma list of values, ranges and stars with steps; `alone` are values without ranges."""
    term = rf"(\*|({value})(-({value}))?){_STEP}"
    if alone:
        term = rf"({term}|{alone})"
    return f"{term}(,{term})*"


_MINUTE = _field("0*[1-5]?[0-9]")
_HOUR = _field("0*(1?[0-9]|2[0-3])")
_DAY_OF_MONTH = _field("0*([1-9]|[12][0-9]|3[01])", alone="LW?")
_MONTH = _field(f"0*([1-9]|1[0-2])|{_MONTHS}")
_DAY_OF_WEEK = _field(f"0*[0-7]|{_DAYS}", alone=f"0*[0-7]L|(0*[0-7]|{_DAYS})#0*[1-5]")

CRON = rf"(?i)^\s*{_MINUTE}\s+{_HOUR}\s+{_DAY_OF_MONTH}\s+{_MONTH}\s+{_DAY_OF_WEEK}\s*$"
"""RE2 for an expression; a range that runs backwards is only found when it is evaluated."""
