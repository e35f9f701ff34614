"""Log lines as JSON: one line an event, whatever a text holds (ASVS 16.4.1)."""

import json
import logging
from datetime import UTC, datetime

_STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}
_LEFT_OUT = frozenset({"request", "data", "args", "kwargs"})


class JsonFormatter(logging.Formatter):
    """Write a record and its extra fields as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        extra = record.__dict__.keys() - _STANDARD - _LEFT_OUT
        line |= {name: str(record.__dict__[name]) for name in sorted(extra)}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        # Half a surrogate pair, which broken input may bring along, is no text that can be written.
        return json.dumps(line, ensure_ascii=False).encode("utf-8", "backslashreplace").decode()
