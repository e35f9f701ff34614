"""What a payer, or PayPal itself, does: the levers that tests and the sandbox's pages pull."""

from datetime import datetime, timedelta
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from gateway_sandbox.paypal import vault
from gateway_sandbox.paypal.call import link, money_out
from gateway_sandbox.paypal.payers import payer_of
from gateway_sandbox.paypal.payments import capture_json, tell_refunded
from gateway_sandbox.rows import (
    Capture,
    Key,
    Order,
    PaymentToken,
    Refund,
    Reversal,
    Row,
    SetupToken,
)
from gateway_sandbox.world import World, capitals, moment

R = TypeVar("R", bound=Row)

DEFAULT_EMAIL = "payer@example.com"
_APPROVABLE = {"CREATED", "PAYER_ACTION_REQUIRED"}


class NotApprovable(Exception):
    """The visit is unknown, or has ended."""


class PayPalStaff:
    """PayPal's side of the counter, and the payers'."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._ledger = world.ledger

    # --- a payer at the approval page ---

    def visit(self, name: str) -> SetupToken | Order:
        """Return what waits for a payer, by its id or its address. Raises NotApprovable."""
        row_id = urlsplit(name).path.rstrip("/").rpartition("/")[2]
        row: SetupToken | Order | None = self._ledger.find(SetupToken, row_id)
        row = row or self._ledger.find(Order, row_id)
        if row is None or row.status not in _APPROVABLE or row.is_cancelled:
            raise NotApprovable(row_id)
        if self._world.now() - row.created_at >= vault.SETUP_TOKEN_LIFE:
            raise NotApprovable(row_id)
        return row

    def approve(self, name: str, *, email: str = DEFAULT_EMAIL, declines: bool = False) -> str:
        """Approve; return the address that the payer is sent back to. Raises NotApprovable."""
        with self._ledger.change():
            row = self.visit(name)
            payer = payer_of(self._world, email)
            payer.declines = "INSTRUMENT_DECLINED" if declines else ""
            self._ledger.put(payer)
            row.status, row.email = "APPROVED", email
            self._ledger.put(row)
            if isinstance(row, SetupToken):
                added = {"approval_token_id": row.id, "approval_session_id": row.id}
            else:
                row.updated_at = self._world.now()
                added = {"token": row.id, "PayerID": payer.payer_id}
            return _with_query(row.return_url, added)

    def cancel(self, name: str) -> str:
        """Turn back; return the address that the payer is sent back to. Raises NotApprovable."""
        with self._ledger.change():
            row = self.visit(name)
            row.is_cancelled = True
            self._ledger.put(row)
            name = "approval_token_id" if isinstance(row, SetupToken) else "token"
            return _with_query(row.cancel_url, {name: row.id})

    # --- a payer's account ---

    def decline(self, email: str = DEFAULT_EMAIL, issue: str = "INSTRUMENT_DECLINED") -> None:
        """Have the payer's charges refused with this issue, until `accept`."""
        with self._ledger.change():
            payer = payer_of(self._world, email)
            payer.declines = issue
            self._ledger.put(payer)

    def accept(self, email: str = DEFAULT_EMAIL) -> None:
        """Have the payer's charges go through."""
        self.decline(email, "")

    def delete_agreement(self, payment_token: str | PaymentToken) -> None:
        """Have the payer take back that the merchant may charge. Rule: F11."""
        with self._ledger.change():
            vault.end_agreement(self._world, _id(payment_token))

    # --- what the next captures do ---

    def pending(self, times: int = 1) -> None:
        """Have the next captures stay PENDING. Rule: F08."""
        self._world.tricks.pending = times

    def declined_captures(self, times: int = 1) -> None:
        """Have the next captures be DECLINED inside a completed order."""
        self._world.tricks.declined = times

    def pending_refunds(self, times: int = 1) -> None:
        """Have the next refunds stay PENDING."""
        self._world.tricks.pending_refunds = times

    def wrong_amount(self, by: int = -1) -> None:
        """Have the next capture take another amount. Rule: F09."""
        self._world.tricks.changes.append({"by": by})

    def wrong_currency(self, currency: str = "USD") -> None:
        """Have the next capture be in another currency. Rule: F09."""
        self._world.tricks.changes.append({"currency": currency})

    def other_merchant(self, merchant: str = "OTHERMERCHANT") -> None:
        """Have the next capture pay somebody else. Rule: F09."""
        self._world.tricks.changes.append({"merchant": merchant})

    def other_custom_id(self, custom_id: str = "somebody-elses") -> None:
        """Have the next capture name another key of ours. Rule: F09."""
        self._world.tricks.changes.append({"custom_id": custom_id})

    # --- PayPal decides ---

    def complete(self, capture: str | Capture) -> None:
        """Let a pending capture's money in."""
        self._decide(capture, "COMPLETED", "PAYMENT.CAPTURE.COMPLETED")

    def deny(self, capture: str | Capture, *, kind: str = "PAYMENT.CAPTURE.DENIED") -> None:
        """Refuse a pending capture; PayPal's pages call the notice DENIED and DECLINED."""
        self._decide(capture, "DECLINED", kind)

    def _decide(self, capture: str | Capture, status: str, kind: str) -> None:
        with self._ledger.change():
            row = self._row(Capture, capture)
            row.status, row.reason, row.updated_at = status, "", self._world.now()
            self._ledger.put(row)
            self._tell(kind, row.id, capture_json(self._world, row))

    def date(self, capture: str | Capture, at: datetime) -> None:
        """Have a capture be of another day: the demo's past is told in a minute."""
        with self._ledger.change():
            row = self._row(Capture, capture)
            row.created_at = row.updated_at = at
            self._ledger.put(row)

    def complete_refund(self, refund: str | Refund) -> None:
        """Let a pending refund go out."""
        with self._ledger.change():
            row = self._row(Refund, refund)
            row.status, row.updated_at = "COMPLETED", self._world.now()
            self._ledger.put(row)
            tell_refunded(self._world, row)

    def fail_refund(self, refund: str | Refund) -> None:
        """Have a pending refund fail."""
        with self._ledger.change():
            row = self._row(Refund, refund)
            row.status, row.updated_at = "FAILED", self._world.now()
            self._ledger.put(row)

    def reverse(self, capture: str | Capture, amount: int | None = None) -> Reversal:
        """Take a capture back from the merchant, whole or in part. Rule: F19."""
        return self._take_back(capture, amount, is_chargeback=False)

    def chargeback(self, capture: str | Capture) -> Reversal:
        """Have the payer dispute a capture, and take it back. Rule: F19."""
        with self._ledger.change():
            row = self._row(Capture, capture)
            dispute: dict[str, Any] = {
                "dispute_id": f"PP-D-{capitals(6)}",
                "reason": "UNAUTHORISED",
                "status": "OPEN",
                "dispute_life_cycle_stage": "CHARGEBACK",
                "dispute_amount": money_out(row.amount, row.currency),
                "disputed_transactions": [
                    {"seller_transaction_id": row.id, "invoice_number": row.invoice_id}
                ],
                "create_time": moment(self._world.now()),
            }
            self._tell("CUSTOMER.DISPUTE.CREATED", row.id, dispute)
            return self._take_back(capture, None, is_chargeback=True)

    def _take_back(
        self, capture: str | Capture, amount: int | None, *, is_chargeback: bool
    ) -> Reversal:
        world, now = self._world, self._world.now()
        with self._ledger.change():
            row = self._row(Capture, capture)
            taken = row.amount if amount is None else amount
            back = Reversal(capitals(), row.id, taken, row.currency, is_chargeback, now)
            self._ledger.put(back)
            row.status = "REFUNDED" if taken >= row.amount else "PARTIALLY_REFUNDED"
            row.reason, row.updated_at = "CHARGEBACK" if is_chargeback else "REFUNDED", now
            self._ledger.put(row)
            body: dict[str, Any] = {
                "id": back.id,
                "status": "COMPLETED",
                "amount": money_out(-taken, row.currency),
                "invoice_id": row.invoice_id,
                "custom_id": row.custom_id,
                "note_to_payer": "Payment reversed",
                "create_time": moment(now),
                "update_time": moment(now),
                "links": [
                    link("self", f"{world.url}/v2/payments/refunds/{back.id}"),
                    link("up", f"{world.url}/v2/payments/captures/{row.id}"),
                ],
            }
            self._tell("PAYMENT.CAPTURE.REVERSED", back.id, body)
            return back

    def forget_keys(self) -> None:
        """Forget every PayPal-Request-Id at once. Rule: F05."""
        with self._ledger.change():
            for key in self._ledger.every(Key):
                self._ledger.drop(Key, key.id)

    @property
    def reporting_delay(self) -> timedelta:
        """How far the transaction search lags behind."""
        return self._world.tricks.reporting_delay

    @reporting_delay.setter
    def reporting_delay(self, delay: timedelta) -> None:
        self._world.tricks.reporting_delay = delay

    def _tell(self, kind: str, resource: str, body: dict[str, Any]) -> None:
        self._world.notices.tell(self._ledger, kind, resource, body, self._world.now())

    def _row(self, kind: type[R], row: str | Row) -> R:
        found = self._ledger.find(kind, _id(row))
        if found is None:
            raise KeyError(_id(row))
        return found


def _id(row: str | Row) -> str:
    return row if isinstance(row, str) else row.id


def _with_query(url: str, added: dict[str, str]) -> str:
    parts = urlsplit(url)
    query = urlencode([*parse_qsl(parts.query, keep_blank_values=True), *added.items()])
    return urlunsplit(parts._replace(query=query))
