"""One record is one line of the log, whatever text from outside is in it."""

from __future__ import annotations

import logging
import traceback

from evenkeel.meta.text import one_line, printable


class LogLines(logging.Filter):
    """Escapes line breaks and control characters of messages; tracebacks are indented."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = one_line(record.getMessage()), None
        if record.exc_info and not record.exc_text:
            lines = "".join(traceback.format_exception(*record.exc_info)).splitlines()
            record.exc_text = "\n".join(f"  {printable(line)}" for line in lines)
        return True


def install() -> None:
    """Filters what the root logger's handlers write, whoever has set them up."""
    for handler in logging.getLogger().handlers:
        if not any(isinstance(known, LogLines) for known in handler.filters):
            handler.addFilter(LogLines())
