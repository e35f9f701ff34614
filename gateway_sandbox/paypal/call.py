"""One call of PayPal's API, and what is read out of it."""

from dataclasses import dataclass
from typing import Any

from gateway_sandbox.paypal.errors import Refused
from gateway_sandbox.rows import WHOLE_CURRENCIES, Request, amount_in, amount_out


@dataclass(frozen=True, slots=True)
class Call:
    """A request with the id in its path and its JSON."""

    request: Request
    id: str
    body: Any

    @property
    def key(self) -> str:
        """The PayPal-Request-Id."""
        return self.request.headers.get("paypal-request-id", "")

    @property
    def wants_all(self) -> bool:
        """Whether the caller prefers the whole resource to its id and state."""
        return "return=representation" in self.request.headers.get("prefer", "")

    def at(self, *names: str | int) -> Any:
        """Return what stands at a place in the body, or None."""
        value = self.body
        for name in names:
            if isinstance(name, int):
                value = value[name] if isinstance(value, list) and len(value) > name else None
            else:
                value = value.get(name) if isinstance(value, dict) else None
        return value

    def text(self, *names: str | int, longest: int = 0) -> str:
        """Return a text in the body, or "". Raises Refused for what is no text, or too long."""
        value = self.at(*names)
        where = "/" + "/".join(map(str, names))
        if value is None:
            return ""
        if not isinstance(value, str):
            raise Refused("INVALID_PARAMETER_SYNTAX", where=where)
        if longest and len(value) > longest:
            raise Refused("INVALID_STRING_LENGTH", where=where, value=value)
        return value

    def needed(self, *names: str | int, longest: int = 0) -> str:
        """Return a text in the body. Raises Refused also if there is none."""
        value = self.text(*names, longest=longest)
        if not value:
            raise Refused("MISSING_REQUIRED_PARAMETER", where="/" + "/".join(map(str, names)))
        return value

    def money(self, *names: str | int) -> tuple[int, str]:
        """Return minor units and currency. Raises Refused."""
        currency = self.needed(*names, "currency_code", longest=3)
        value = self.needed(*names, "value", longest=32)
        where = "/" + "/".join(map(str, (*names, "value")))
        if len(currency) != 3 or not currency.isupper():
            raise Refused("INVALID_CURRENCY_CODE", where=where, status=422)
        try:
            amount = amount_in(currency, value)
        except ValueError:
            if value.replace(".", "", 1).lstrip("-").isdigit():
                issue = (
                    "DECIMALS_NOT_SUPPORTED"
                    if currency in WHOLE_CURRENCIES
                    else "DECIMAL_PRECISION"
                )
                raise Refused(issue, where=where, value=value) from None
            raise Refused("INVALID_PARAMETER_SYNTAX", where=where, value=value) from None
        if amount <= 0:
            raise Refused("CANNOT_BE_ZERO_OR_NEGATIVE", where=where, value=value)
        return amount, currency


@dataclass(frozen=True, slots=True)
class Result:
    """What a call brought about. `made`: the id that its key stands for from now on."""

    status: int
    body: Any = None
    made: str = ""


def money_out(amount: int, currency: str) -> dict[str, str]:
    """Return an amount as PayPal writes it."""
    return {"currency_code": currency, "value": amount_out(currency, amount)}


def link(rel: str, href: str, method: str = "GET") -> dict[str, str]:
    """Return one of the links of a resource."""
    return {"href": href, "rel": rel, "method": method}
