"""The script of faults: what goes wrong, on which requests, how often."""

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from gateway_sandbox.answers import Answer, of_json
from gateway_sandbox.fault_kinds import (
    WRONG_SHAPES,
    Canned,
    Changed,
    Fault,
    Hold,
    Limit,
    Lost,
    Mocked,
    NoticesFirst,
    Slow,
)
from gateway_sandbox.paypal.errors import refusal
from gateway_sandbox.rows import Request


class Faults:
    """The faults that are in force. The package's docstring says what each does."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: list[Fault] = []

    def _add(self, fault: Fault, name: str, *, combines: bool = False) -> None:
        fault.name, fault.combines = name, combines
        with self._lock:
            self._faults = [each for each in self._faults if not each.is_over]
            self._faults.append(fault)

    def clear(self) -> None:
        """Let everything through from now on."""
        with self._lock:
            for fault in self._faults:
                fault.remove()
                if isinstance(fault, Hold):
                    fault.release()
            self._faults = []

    def in_force(self) -> list[Fault]:
        """Return the faults that may still meet a request."""
        with self._lock:
            return [fault for fault in self._faults if not fault.is_over]

    def meeting(self, request: Request) -> list[Fault]:
        """Return the faults that meet this request: one that answers, and all that combine."""
        met: list[Fault] = []
        with self._lock:
            for fault in self._faults:
                is_taken = any(not each.combines for each in met)
                if (fault.combines or not is_taken) and fault.meets(request):
                    met.append(fault)
        # A limit is asked first and a held answer last.
        return sorted(
            met, key=lambda fault: (not isinstance(fault, Limit), isinstance(fault, Hold))
        )

    # --- connections ---

    def lose_reply(self, pattern: str, *, times: int | None = 1, after: int = 0) -> Fault:
        """Do the work, then close without a word. Rule: F01."""
        fault = Lost(pattern, times, after)
        self._add(fault, "lose_reply")
        return fault

    def lose_request(self, pattern: str, *, times: int | None = 1, after: int = 0) -> Fault:
        """Close before anything is done."""
        fault = Lost(pattern, times, after, works=False)
        self._add(fault, "lose_request")
        return fault

    def cut_reply(
        self, pattern: str, *, at: int = 90, times: int | None = 1, after: int = 0
    ) -> Fault:
        """Do the work, and close after so many bytes of the answer. Rule: F02."""
        fault = Lost(pattern, times, after, sent=at)
        self._add(fault, "cut_reply")
        return fault

    def blackhole(self, pattern: str, *, times: int | None = 1, after: int = 0) -> Fault:
        """Accept, and never answer; nothing is done. Rule: F03."""
        fault = Slow(pattern, times, after)
        self._add(fault, "blackhole")
        return fault

    def delay(
        self,
        pattern: str,
        seconds: float,
        *,
        before: bool = False,
        times: int | None = 1,
        after: int = 0,
    ) -> Fault:
        """Answer late; with `before`, the work is late too."""
        fault = Slow(pattern, times, after, seconds=seconds, works_first=not before)
        self._add(fault, "delay", combines=True)
        return fault

    def hold(self, pattern: str, *, times: int | None = 1, after: int = 0) -> Hold:
        """Do the work and keep the answer back until it is released."""
        fault = Hold(pattern, times, after)
        self._add(fault, "hold", combines=True)
        return fault

    # --- answers ---

    def html_error(
        self,
        pattern: str,
        *,
        status: int = 502,
        works: bool = True,
        times: int | None = 1,
        after: int = 0,
    ) -> Fault:
        """Do the work (or not), and answer a page of HTML. Rule: F02."""
        page = b"<html><head><title>Bad Gateway</title></head><body>Bad Gateway</body></html>"
        answer = Answer(status, page, {"Content-Type": "text/html"})
        fault = Canned(pattern, times, after, answer=answer, works=works)
        self._add(fault, "html_error")
        return fault

    def empty_200(self, pattern: str, *, times: int | None = 1, after: int = 0) -> Fault:
        """Do the work, and answer 200 with no body. Rule: F02."""
        fault = Canned(pattern, times, after, answer=Answer(200), works=True)
        self._add(fault, "empty_200")
        return fault

    def invalid_json(self, pattern: str, *, times: int | None = 1, after: int = 0) -> Fault:
        """Do the work, and answer half of a JSON text as if it were whole. Rule: F02."""
        answer = Answer(200, b'{"id": "5O190127TN3647', {"Content-Type": "application/json"})
        fault = Canned(pattern, times, after, answer=answer, works=True)
        self._add(fault, "invalid_json")
        return fault

    def status(
        self,
        pattern: str,
        status: int,
        *,
        headers: Mapping[str, str] | None = None,
        issue: str = "",
        times: int | None = 1,
        after: int = 0,
    ) -> Fault:
        """Refuse with a status, nothing being done. Rule: F07."""
        answer = refusal(status, issue).with_headers(dict(headers or {}))
        fault = Canned(pattern, times, after, answer=answer)
        self._add(fault, f"status {status}")
        return fault

    def answer(
        self,
        pattern: str,
        status: int,
        value: Any = None,
        *,
        headers: Mapping[str, str] | None = None,
        works: bool = False,
        times: int | None = 1,
        after: int = 0,
    ) -> Fault:
        """Answer these bytes, or this value as JSON, nothing being done."""
        made = Answer(status, value) if isinstance(value, bytes) else of_json(status, value)
        answer = made.with_headers(dict(headers or {}))
        fault = Canned(pattern, times, after, answer=answer, works=works)
        self._add(fault, "answer")
        return fault

    def change(
        self,
        pattern: str,
        function: Callable[[Any], Any],
        *,
        times: int | None = 1,
        after: int = 0,
    ) -> Fault:
        """Do the work, and answer what the function makes of the JSON."""
        fault = Changed(pattern, times, after, function=function)
        self._add(fault, "change")
        return fault

    def limit(self, pattern: str = "*", *, per_minute: int = 30) -> Limit:
        """Refuse what is too much with 429 and Retry-After. Rule: F07."""
        fault = Limit(pattern, None, 0, per_minute=per_minute)
        self._add(fault, "limit", combines=True)
        return fault

    def notices_first(self, pattern: str, *, times: int | None = 1, after: int = 0) -> Fault:
        """Deliver the notices of the call before its answer. Rule: F13."""
        fault = NoticesFirst(pattern, times, after)
        self._add(fault, "notices_first", combines=True)
        return fault

    def mock(self, pattern: str, issue: str, *, times: int | None = 1, after: int = 0) -> Fault:
        """Have PayPal refuse with this issue, nothing being done."""
        fault = Mocked(pattern, times, after, issue=issue)
        self._add(fault, f"mock {issue}")
        return fault

    # --- Paid ---

    def fail_items(
        self, pattern: str, word: str = "ERROR", *, times: int | None = 1, after: int = 0
    ) -> Fault:
        """Have each item fail with this word inside an answer of SUCCESS. Rule: F64."""
        fault = Mocked(pattern, times, after, failing=word)
        self._add(fault, f"fail_items {word}")
        return fault

    def paid_error(
        self,
        pattern: str,
        status: str = "ERROR",
        codes: Sequence[str] = ("D01",),
        *,
        times: int | None = 1,
        after: int = 0,
    ) -> Fault:
        """Answer HTTP 200 that says ERROR, nothing being done. Rule: F65."""
        value = {"header": {"status": status}, "body": {"result": {"error": list(codes)}}}
        fault = Canned(pattern, times, after, answer=of_json(200, value))
        self._add(fault, f"paid_error {status}")
        return fault

    def wrong_types(
        self, pattern: str, shape: int = 0, *, times: int | None = 1, after: int = 0
    ) -> Fault:
        """Do the work, and answer JSON of one of six wrong shapes. Rule: F65."""
        fault = Changed(pattern, times, after, function=WRONG_SHAPES[shape])
        self._add(fault, "wrong_types")
        return fault
