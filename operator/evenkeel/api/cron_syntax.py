"""The syntax of cron expressions: five fields, as cronsim reads them, or a name for them."""

from __future__ import annotations

from evenkeel.meta.model import Rule

MACROS = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
"""Names and the five fields that they stand for."""

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

_FIELDS = rf"{_MINUTE}\s+{_HOUR}\s+{_DAY_OF_MONTH}\s+{_MONTH}\s+{_DAY_OF_WEEK}"

CRON = rf"(?i)^\s*({'|'.join(MACROS)}|{_FIELDS})\s*$"

REMEDIES = (
    Rule(
        "!self.matches(r'(?i)^\\s*@every')",
        "@every counts from an unknown start; write times, such as '*/30 * * * *' for every 30 "
        "minutes or '0 */6 * * *' for every 6 hours",
    ),
    Rule(
        "!self.matches(r'(?i)^\\s*@reboot')",
        "@reboot names no time; write one, or create a TrainingRun by hand",
    ),
    Rule(
        "!self.matches(r'(?i)^\\s*(CRON_)?TZ=')",
        "the time zone has a field of its own: timeZone",
    ),
)
"""What to write in place of what other schedulers know."""


def fields(expression: str) -> str:
    """The expression with a name replaced by its fields."""
    return MACROS.get(expression.strip().lower(), expression)


"""RE2 for an expression; a range that runs backwards is only found when it is evaluated."""
