"""Paid's operations: JSON in, HTTP 200 out, whatever came of it."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from gateway_sandbox.answers import Answer, of_json
from gateway_sandbox.paid import fields
from gateway_sandbox.rows import Member, Request, Trade
from gateway_sandbox.world import World, capitals

PREFIX = "/y/coop"
DEFAULT_LIMIT = 1_000_000
MOST_ITEMS = 100
MEMBER_CODES = {"reviewing": "1", "active": "2", "blocked": "3", "rejected": "4"}
_CREDIT_ID = r"[A-Za-z0-9._-]{1,20}"

# What is said of an item. Known are SUCCESS and NOT_FOUND; the others are ours (gateways.md 3.2).
WORDS = {
    "ok": "SUCCESS",
    "not_found": "NOT_FOUND",
    "duplicate": "DUPLICATED",
    "already_fixed": "ALREADY_FIXED",
    "already_cancelled": "ALREADY_CANCELLED",
    "over_limit": "CREDIT_OVER",
    "blocked": "MEMBER_BLOCKED",
    "invalid": "INVALID",
}
# What the portal calls them; of the rest it makes nothing.
_MEANINGS = {
    "ok": "ok",
    "not_found": "not_found",
    "duplicate": "duplicate",
    "already_fixed": "fixed",
    "already_cancelled": "cancelled",
    "over_limit": "declined",
    "blocked": "declined",
}
_STILL_OWED = {"registered", "fixed"}


def item_status(words: Mapping[str, str] = WORDS) -> str:
    """Return what the portal's PAID_ITEM_STATUS is to say of these words."""
    return ",".join(f"{words[name]}={meaning}" for name, meaning in _MEANINGS.items())


class _Refused(Exception):
    def __init__(self, status: str, *codes: str) -> None:
        super().__init__(*codes)
        self.status = status
        self.codes = codes


@dataclass(frozen=True, slots=True)
class _Operation:
    path: str
    work: Callable[[Any], dict[str, Any]]


class Paid:
    """The API. One object serves many threads."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.words = dict(WORDS)
        self._failing = ""
        self._operations = {
            f"{PREFIX}{operation.path}/ver1.0/p.json": operation
            for operation in (
                _Operation("/member/register", self._register_member),
                _Operation("/member/check", self._check_members),
                _Operation("/member/creditCheck", self._check_credit),
                _Operation("/Register/b2bMemberId", self._batch(self._register)),
                _Operation("/Fix/b2bCreditId", self._batch(self._fix)),
                _Operation("/Cancel/b2bCreditId", self._batch(self._cancel)),
            )
        }

    def answer(self, request: Request, *, failing: str = "") -> Answer:
        """Do what is asked. `failing`: have each item of a batch fail with this word instead."""
        operation = self._operations.get(request.path)
        if operation is None or request.method != "POST":
            return Answer(404 if operation is None else 405)
        with self._world.ledger.change():
            self._failing = failing
            self.review_due()
            try:
                body = operation.work(self._authorised(request))
            except _Refused as refused:
                status, body = refused.status, {"result": {"error": list(refused.codes)}}
            else:
                status = body.pop("status", "SUCCESS")
        return of_json(200, {"header": {"status": status, "path": operation.path}, "body": body})

    def _authorised(self, request: Request) -> Any:
        try:
            message = json.loads(request.body)
        except ValueError:
            raise _Refused("CLIENT_ERROR", "A01") from None
        if not isinstance(message, dict) or not isinstance(message.get("header"), dict):
            raise _Refused("CLIENT_ERROR", "A01")
        if message["header"].get("apiAuthCode") != self._world.accounts.paid_auth_code:
            raise _Refused("CLIENT_ERROR", "A02")
        if not message.get("body"):
            raise _Refused("CLIENT_ERROR", "A03")
        return message["body"]

    # --- members ---

    def _register_member(self, body: Any) -> dict[str, Any]:
        data = body.get("memberData") if isinstance(body, dict) else None
        if not isinstance(data, dict) or not data:
            raise _Refused("CLIENT_ERROR", "A03")
        if codes := list(fields.faults(data)):
            raise _Refused("ERROR", *codes)
        ledger = self._world.ledger
        member_id = data["b2bMemberId"]
        if ledger.find(Member, member_id) is not None:
            raise _Refused("ERROR", "C01")
        if any(row.data["email"] == data["email"] for row in ledger.every(Member)):
            raise _Refused("ERROR", fields.EMAIL_TAKEN)
        member = Member(
            id=member_id,
            paid_id=f"P{capitals(9)}",
            status="reviewing",
            limit=0,
            data={name: str(value) for name, value in data.items()},
            registered_at=self._world.now(),
        )
        ledger.put(member)
        return {"result": {"paidId": member.paid_id, "b2bMemberId": member.id}}

    def _check_members(self, body: Any) -> dict[str, Any]:
        asked = body.get("b2bMemberIds") if isinstance(body, dict) else None
        successes, errors = [], []
        for member_id in _items(asked):
            member = self._world.ledger.find(Member, str(member_id))
            if member is None:
                errors.append({"b2bMemberId": member_id, "error": ["C02"]})
            else:
                code = MEMBER_CODES[member.status]
                successes.append({"b2bMemberId": member.id, "memberStatusCode": code})
        return {
            "status": "SUCCESS" if successes else "ERROR",
            "results": {"successes": successes, "errors": errors},
        }

    def _check_credit(self, body: Any) -> dict[str, Any]:
        asked = body.get("credit") if isinstance(body, dict) else None
        if not isinstance(asked, dict):
            raise _Refused("CLIENT_ERROR", "A03")
        member = self._world.ledger.find(Member, str(asked.get("b2bMemberId")))
        if member is None:
            return {
                "status": "ERROR",
                "result": {"error": ["C02"], "message": "会員が存在しません"},
            }
        price = _price(asked.get("price"))
        return {
            "result": {
                "creditAvailable": price is not None
                and member.status == "active"
                and price <= self.available(member),
                "memberStatusCode": MEMBER_CODES[member.status],
            }
        }

    def available(self, member: Member) -> int:
        """Return how much more a member may buy for, in yen."""
        trades = self._world.ledger.of(Trade, member.id)
        owed = [row.price for row in trades if row.status in _STILL_OWED and row.settled_on is None]
        return member.limit - sum(owed)

    def review_due(self) -> None:
        """Approve the members who have waited as long as a review by itself takes."""
        world = self._world
        if world.tricks.review_after is None:
            return
        with world.ledger.change():
            now = world.now()
            for member in world.ledger.every(Member):
                waited = now - member.registered_at
                if member.status == "reviewing" and waited >= world.tricks.review_after:
                    member.status, member.limit, member.decided_at = "active", DEFAULT_LIMIT, now
                    world.ledger.put(member)

    # --- transactions, item by item ---

    def _batch(self, judge: Callable[[dict[str, Any]], str]) -> Callable[[Any], dict[str, Any]]:
        def work(body: Any) -> dict[str, Any]:
            credits_ = body.get("credits") if isinstance(body, dict) else None
            items = _items(credits_.get("credit") if isinstance(credits_, dict) else None)
            results = []
            for item in items:
                known = item if isinstance(item, dict) else {}
                word = self._failing or self.words[judge(known)]
                results.append({"status": word})
            return {"detailResults": {"detailResult": results}}

        return work

    def _register(self, item: dict[str, Any]) -> str:
        ledger = self._world.ledger
        credit_id, price = str(item.get("b2bCreditId") or ""), _price(item.get("price"))
        member = ledger.find(Member, str(item.get("b2bMemberId")))
        if not re.fullmatch(_CREDIT_ID, credit_id) or price is None:
            return "invalid"
        if ledger.find(Trade, credit_id) is not None:
            return "duplicate"
        if member is None:
            return "not_found"
        if member.status != "active":
            return "blocked"
        if price > self.available(member):
            return "over_limit"
        ledger.put(
            Trade(
                id=credit_id,
                member=member.id,
                price=price,
                contents=str(item.get("contents", "")),
                code=str(item.get("code", "")),
                status="registered",
                registered_at=self._world.now(),
            )
        )
        return "ok"

    def _fix(self, item: dict[str, Any]) -> str:
        trade = self._trade(item)
        if trade is None:
            return "not_found"
        if trade.status == "fixed":
            return "already_fixed"
        if trade.status == "cancelled":
            return "already_cancelled"
        member = self._world.ledger.find(Member, trade.member)
        if member is None or member.status != "active":
            return "blocked"
        fixed_on = _day(item.get("fixedAt"))
        asked_price = item.get("price")
        if (asked_price is None and fixed_on is None) or (
            asked_price is not None and _price(asked_price) != trade.price
        ):
            return "invalid"
        now: datetime = self._world.now()
        trade.status, trade.fixed_at, trade.fixed_on = "fixed", now, fixed_on or now.date()
        self._world.ledger.put(trade)
        return "ok"

    def _cancel(self, item: dict[str, Any]) -> str:
        trade = self._trade(item)
        if trade is None:
            return "not_found"
        if trade.status == "fixed":
            return "already_fixed"
        if trade.status == "cancelled":
            return "already_cancelled"
        trade.status = "cancelled"
        self._world.ledger.put(trade)
        return "ok"

    def _trade(self, item: dict[str, Any]) -> Trade | None:
        trade = self._world.ledger.find(Trade, str(item.get("b2bCreditId")))
        return trade if trade and trade.member == item.get("b2bMemberId") else None


def _items(asked: Any) -> list[Any]:
    if not isinstance(asked, list) or not asked:
        raise _Refused("CLIENT_ERROR", "A03")
    if len(asked) > MOST_ITEMS:
        raise _Refused("CLIENT_ERROR", "A04")
    return asked


def _price(value: Any) -> int | None:
    """Return whole yen above zero, given as number or digits."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        return None
    text = str(value)
    return int(text) if text.isascii() and text.isdigit() and int(text) > 0 else None


def _day(value: Any) -> date | None:
    try:
        return datetime.strptime(str(value), "%Y/%m/%d").replace(tzinfo=UTC).date()
    except ValueError:
        return None
