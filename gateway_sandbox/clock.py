"""The sandbox's own time, which tests and the demo may move."""

import threading
from datetime import UTC, datetime, timedelta


class Clock:
    """The machine's time plus an offset."""

    def __init__(self, offset: timedelta = timedelta()) -> None:
        self._lock = threading.Lock()
        self._offset = offset

    def now(self) -> datetime:
        """Return the sandbox's present moment, in UTC."""
        with self._lock:
            return datetime.now(UTC) + self._offset

    @property
    def offset(self) -> timedelta:
        """How far it is moved."""
        with self._lock:
            return self._offset

    def advance(self, by: timedelta) -> None:
        """Let time pass at once."""
        with self._lock:
            self._offset += by

    def set(self, at: datetime) -> None:
        """Make it `at` now; it goes on from there."""
        with self._lock:
            self._offset = at - datetime.now(UTC)
