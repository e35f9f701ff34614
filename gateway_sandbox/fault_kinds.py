"""What can go wrong with a request, before and after its work."""

import fnmatch
import json
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from gateway_sandbox.answers import Answer, of_json
from gateway_sandbox.paypal.errors import refusal
from gateway_sandbox.rows import Request

_PAGES = ("/sandbox", "/approve", "/style.css")
_MINUTE = timedelta(minutes=1)


class HangUp(Exception):
    """The connection ends here; `sent` is all that the caller gets."""

    def __init__(self, sent: bytes = b"") -> None:
        super().__init__()
        self.sent = sent


@dataclass(slots=True)
class Passage:
    """A request on its way through: what a fault may use."""

    request: Request
    now: datetime
    closing: threading.Event
    send_notices: Callable[[], None]
    mock: str = ""
    failing: str = ""


@dataclass(slots=True)
class Fault:
    """One thing that goes wrong. `hits`: the requests that it met."""

    pattern: str
    times: int | None
    after: int
    hits: int = 0
    seen: int = 0
    is_removed: bool = False
    combines: bool = False  # with others that meet the same request
    name: str = ""

    def remove(self) -> None:
        """Let everything through from now on."""
        self.is_removed = True

    def meets(self, request: Request) -> bool:
        """Return whether this request is met, and count it."""
        method, _, path = self.pattern.rpartition(" ")
        if (
            self.is_removed
            or method not in {"", request.method}
            or not fnmatch.fnmatchcase(request.path, path)
            or (request.path.startswith(_PAGES) and not path.startswith(_PAGES))
        ):
            return False
        self.seen += 1
        if self.seen <= self.after or (self.times is not None and self.hits >= self.times):
            return False
        self.hits += 1
        return True

    @property
    def is_over(self) -> bool:
        """Whether it will meet nothing any more."""
        return self.is_removed or (self.times is not None and self.hits >= self.times)

    def before(self, passage: Passage) -> Answer | None:
        """Act before the work; an answer means that there is none."""
        return None

    def finish(self, passage: Passage, answer: Answer) -> Answer:
        """Act after the work; return what is answered."""
        return answer


@dataclass(slots=True)
class Canned(Fault):
    answer: Answer = field(default_factory=lambda: Answer(500))
    works: bool = False

    def before(self, passage: Passage) -> Answer | None:
        return None if self.works else self.answer

    def finish(self, passage: Passage, answer: Answer) -> Answer:
        return self.answer if self.works else answer


@dataclass(slots=True)
class Lost(Fault):
    works: bool = True
    sent: int = 0

    def before(self, passage: Passage) -> Answer | None:
        if not self.works:
            raise HangUp
        return None

    def finish(self, passage: Passage, answer: Answer) -> Answer:
        head = f"HTTP/1.1 {answer.status} OK\r\nContent-Length: {len(answer.body)}\r\n"
        kind = answer.headers.get("Content-Type", "application/json")
        whole = f"{head}Content-Type: {kind}\r\n\r\n".encode() + answer.body
        raise HangUp(whole[: min(self.sent, len(whole) - 1)])


@dataclass(slots=True)
class Slow(Fault):
    seconds: float | None = None  # None: for ever
    works_first: bool = False

    def before(self, passage: Passage) -> Answer | None:
        if not self.works_first:
            self._wait(passage)
        return None

    def finish(self, passage: Passage, answer: Answer) -> Answer:
        if self.works_first:
            self._wait(passage)
        return answer

    def _wait(self, passage: Passage) -> None:
        if passage.closing.wait(self.seconds) or self.seconds is None:
            raise HangUp


@dataclass(slots=True)
class Changed(Fault):
    function: Callable[[Any], Any] = lambda value: value

    def finish(self, passage: Passage, answer: Answer) -> Answer:
        value = self.function(json.loads(answer.body or b"null"))
        return of_json(answer.status, value).with_headers(
            {k: v for k, v in answer.headers.items() if k != "Content-Type"}
        )


@dataclass(slots=True)
class Hold(Fault):
    """An answer held back, the work being done. `reached` is set when a request waits."""

    reached: threading.Event = field(default_factory=threading.Event)
    _released: threading.Event = field(default_factory=threading.Event)

    def release(self) -> None:
        """Answer now."""
        self._released.set()

    def finish(self, passage: Passage, answer: Answer) -> Answer:
        self.reached.set()
        while not self._released.wait(0.02):
            if passage.closing.is_set():
                raise HangUp
        return answer


@dataclass(slots=True)
class NoticesFirst(Fault):
    def finish(self, passage: Passage, answer: Answer) -> Answer:
        passage.send_notices()
        return answer


@dataclass(slots=True)
class Limit(Fault):
    """At most so many requests a minute of the sandbox's clock; `refused` counts the others."""

    per_minute: int = 30
    refused: int = 0
    _lately: deque[datetime] = field(default_factory=deque)

    _lock: threading.Lock = field(default_factory=threading.Lock)

    def before(self, passage: Passage) -> Answer | None:
        with self._lock:
            while self._lately and passage.now - self._lately[0] >= _MINUTE:
                self._lately.popleft()
            if len(self._lately) < self.per_minute:
                self._lately.append(passage.now)
                return None
            self.refused += 1
            rest = (self._lately[0] + _MINUTE - passage.now).total_seconds()
        wait = {"Retry-After": str(max(1, int(rest) + 1))}
        return refusal(429, "RATE_LIMIT_REACHED").with_headers(wait)


@dataclass(slots=True)
class Mocked(Fault):
    issue: str = ""
    failing: str = ""

    def before(self, passage: Passage) -> Answer | None:
        passage.mock, passage.failing = self.issue, self.failing
        return None


WRONG_SHAPES: tuple[Callable[[Any], Any], ...] = (
    lambda value: {"header": {"status": ["SUCCESS"]}, "body": value.get("body")},
    lambda _value: {"header": "SUCCESS", "body": "SUCCESS"},
    lambda value: [value],
    lambda value: {"header": value.get("header"), "body": []},
    lambda value: {
        "header": value.get("header"),
        "body": {"result": 1, "results": [], "detailResults": {"detailResult": "SUCCESS"}},
    },
    lambda _value: None,
)
