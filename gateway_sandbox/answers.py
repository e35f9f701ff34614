"""What is answered to a request, before a fault may change it."""

import dataclasses
import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from gateway_sandbox.rows import Request


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)

    def with_headers(self, headers: dict[str, str]) -> "Answer":
        """Return the answer with these headers too."""
        return dataclasses.replace(self, headers=self.headers | headers)


def of_json(status: int, value: Any) -> Answer:
    """Return a value as JSON."""
    body = json.dumps(value, ensure_ascii=False).encode()
    return Answer(status, body, {"Content-Type": "application/json;charset=UTF-8"})


def of_page(status: int, html: str) -> Answer:
    """Return a page that may load nothing but its own style sheet."""
    return Answer(
        status,
        html.encode(),
        {
            "Content-Type": "text/html; charset=utf-8",
            "Cache-Control": "no-store",
            # No form-action: browsers hold it against the redirect back to the merchant too.
            "Content-Security-Policy": (
                "default-src 'none'; style-src 'self'; base-uri 'none'; frame-ancestors 'none'"
            ),
            "Referrer-Policy": "same-origin",
            "X-Content-Type-Options": "nosniff",
            "X-Frame-Options": "DENY",
        },
    )


def see_other(url: str) -> Answer:
    """Return a redirect that is followed by GET."""
    return Answer(303, b"", {"Location": url, "Cache-Control": "no-store"})


def json_in(request: Request) -> Any:
    """Return the body's JSON. Raises ValueError."""
    return json.loads(request.body or b"null")


def form_in(request: Request) -> dict[str, str]:
    """Return the fields of a form that a browser sent."""
    return dict(parse_qsl(request.body.decode(), keep_blank_values=True))


def query_in(request: Request) -> dict[str, str]:
    """Return the query of the address."""
    return dict(parse_qsl(request.query, keep_blank_values=True))


def origin_of(url: str) -> str:
    """Return scheme and host of an address."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
