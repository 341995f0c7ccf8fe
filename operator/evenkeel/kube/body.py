"""Bodies of requests: JSON that is YAML as well, as which the API server reads what is applied.

JSON escapes a character beyond the first 65,536 by two halves, which YAML takes for none; raw, YAML
takes it, but not control characters, or breaks lines at them.
"""

from __future__ import annotations

import json
import re
from typing import Any

_ESCAPED = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
_HALVES = re.compile("[\ud800-\udfff]")


def encoded(body: Any) -> bytes:
    """As UTF-8. Halves of characters, which no text has, become U+FFFD."""
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    text = _ESCAPED.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
    return _HALVES.sub("\ufffd", text).encode()
