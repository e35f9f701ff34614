"""The sandbox's own page: what was taken, who pays, and every switch, for a person in the demo."""

import re
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from gateway_sandbox.answers import Answer, form_in, of_page, query_in, see_other
from gateway_sandbox.faults import Faults
from gateway_sandbox.pages import tables
from gateway_sandbox.pages.layout import page, plain_page
from gateway_sandbox.paid.api import Paid
from gateway_sandbox.paid.control import PaidStaff
from gateway_sandbox.paypal.control import PayPalStaff
from gateway_sandbox.paypal.errors import refusal
from gateway_sandbox.rows import Key, Member, Request, SetupToken
from gateway_sandbox.world import World

HOME = "/sandbox/"
SETTLEMENT = "/sandbox/paid/settlement.csv"
Form = Mapping[str, str]
_BUSY = {"Retry-After": "7"}


class Console:
    """GET shows, POST acts and shows again."""

    def __init__(self, world: World, faults: Faults, paid: Paid) -> None:
        self._world = world
        self._faults = faults
        self._paid = paid
        self._paypal_staff = PayPalStaff(world)
        self._paid_staff = PaidStaff(world, paid)
        self._acts = self._all_acts()
        self._faults_by_name = self._all_faults()

    def answer(self, request: Request) -> Answer:
        """Return a page, a file, or the way back to the page."""
        if request.path == "/":
            return see_other(HOME)
        if request.path == SETTLEMENT:
            return self._settlement(request)
        if request.path != HOME:
            return of_page(404, plain_page("404", "There is nothing here."))
        if request.method == "GET":
            with self._world.ledger.change():
                self._paid.review_due()
            return of_page(200, self._page())
        origin = request.headers.get("origin", "")
        if origin and origin != f"http://{request.headers.get('host', '')}":
            return refusal(403, "PERMISSION_DENIED")
        return self._act(form_in(request))

    def _act(self, form: Form) -> Answer:
        try:
            self._acts[form["act"]](form)
        except (KeyError, ValueError) as error:
            return of_page(400, plain_page("This could not be done", repr(error)))
        return see_other(f"{HOME}#{form.get('section', '')}")

    def _settlement(self, request: Request) -> Answer:
        month = query_in(request).get("month", "")
        if not re.fullmatch(r"[0-9]{4}-[0-9]{2}", month):
            return Answer(400, b"?month=YYYY-MM", {"Content-Type": "text/plain"})
        name = f'attachment; filename="settlement-{month}.csv"'
        headers = {"Content-Type": "text/csv; charset=utf-8", "Content-Disposition": name}
        return Answer(200, self._paid_staff.settlement_csv(month), headers)

    def _all_acts(self) -> dict[str, Callable[[Form], object]]:
        paypal, paid, world = self._paypal_staff, self._paid_staff, self._world
        return {
            "age": self._age,
            "charges": lambda form: paypal.decline(form["id"], form.get("issue", "")),
            "delete_agreement": lambda form: paypal.delete_agreement(form["id"]),
            "date_capture": lambda form: paypal.date(
                form["id"], datetime.fromisoformat(form["at"])
            ),
            "complete": lambda form: paypal.complete(form["id"]),
            "deny": lambda form: paypal.deny(form["id"]),
            "reverse": lambda form: paypal.reverse(form["id"]),
            "chargeback": lambda form: paypal.chargeback(form["id"]),
            "complete_refund": lambda form: paypal.complete_refund(form["id"]),
            "fail_refund": lambda form: paypal.fail_refund(form["id"]),
            "next_capture": self._next_capture,
            "forget_keys": lambda _form: paypal.forget_keys(),
            "approve_member": lambda form: paid.approve(form["id"]),
            "reject_member": lambda form: paid.reject(form["id"]),
            "block_member": lambda form: paid.block(form["id"]),
            "settle": lambda _form: paid.settle(on=world.now().date()),
            "review": self._review,
            "fault": self._fault,
            "clear_faults": lambda _form: self._faults.clear(),
            "hold_notices": lambda _form: world.notices.hold(),
            "send_held": lambda _form: world.notices.release(),
            "send_notice": lambda form: world.notices.send_again(world.ledger, form["id"]),
        }

    def _age(self, form: Form) -> None:
        """Make what ends by itself older; the clock stays.

        Moved, it would date notices ahead of the portal's own clock, which then refuses them.
        """
        by, ledger = timedelta(hours=float(form["hours"])), self._world.ledger
        with ledger.change():
            for key in ledger.every(Key):
                key.created_at -= by
                ledger.put(key)
            for visit in ledger.every(SetupToken):
                visit.created_at -= by
                ledger.put(visit)
            for member in ledger.every(Member):
                member.registered_at -= by
                ledger.put(member)

    def _next_capture(self, form: Form) -> None:
        paypal = self._paypal_staff
        what: dict[str, Callable[[], None]] = {
            "pending": paypal.pending,
            "declined": paypal.declined_captures,
            "wrong amount": paypal.wrong_amount,
            "wrong currency": paypal.wrong_currency,
            "other merchant": paypal.other_merchant,
            "other key": paypal.other_custom_id,
            "pending refund": paypal.pending_refunds,
        }
        what[form["what"]]()

    def _review(self, form: Form) -> None:
        seconds = form.get("seconds", "")
        self._paid_staff.review_after = timedelta(seconds=float(seconds)) if seconds else None

    def _all_faults(self) -> dict[str, Callable[[str, int | None], object]]:
        add = self._faults
        return {
            "lose the reply": lambda path, times: add.lose_reply(path, times=times),
            "lose the request": lambda path, times: add.lose_request(path, times=times),
            "cut the reply": lambda path, times: add.cut_reply(path, times=times),
            "never answer": lambda path, times: add.blackhole(path, times=times),
            "answer after 30 s": lambda path, times: add.delay(path, 30, times=times),
            "HTML error 502": lambda path, times: add.html_error(path, times=times),
            "empty 200": lambda path, times: add.empty_200(path, times=times),
            "invalid JSON": lambda path, times: add.invalid_json(path, times=times),
            "status 401": lambda path, times: add.status(path, 401, times=times),
            "status 409": lambda path, times: add.status(
                path, 409, issue="PREVIOUS_REQUEST_IN_PROGRESS", times=times
            ),
            "status 429": lambda path, times: add.status(path, 429, headers=_BUSY, times=times),
            "status 500": lambda path, times: add.status(path, 500, times=times),
            "status 503": lambda path, times: add.status(path, 503, headers=_BUSY, times=times),
            "notices first": lambda path, times: add.notices_first(path, times=times),
            "30 a minute": lambda path, _times: add.limit(path),
            "PayPal: instrument declined": lambda path, times: add.mock(
                path, "INSTRUMENT_DECLINED", times=times
            ),
            "Paid: items fail": lambda path, times: add.fail_items(path, times=times),
            "Paid: error D01": lambda path, times: add.paid_error(path, times=times),
            "Paid: unknown code": lambda path, times: add.paid_error(
                path, codes=["Z99"], times=times
            ),
            "Paid: wrong types": lambda path, times: add.wrong_types(path, times=times),
        }

    def _fault(self, form: Form) -> None:
        times = form.get("times", "1")
        pattern = form.get("pattern", "").strip() or "*"
        self._faults_by_name[form["kind"]](pattern, int(times) if times else None)

    def _page(self) -> str:
        world = self._world
        ledger = world.ledger
        is_automatic = world.tricks.review_after is not None
        body = "".join(
            (
                tables.clock(world.now()),
                tables.faults(self._faults.in_force(), list(self._faults_by_name)),
                tables.payers(ledger.payers),
                tables.agreements(ledger.payment_tokens),
                tables.captures(ledger.captures),
                tables.refunds(ledger.refunds),
                tables.members(ledger.members, is_automatic=is_automatic),
                tables.trades(ledger.trades, f"{SETTLEMENT}?month={world.now():%Y-%m}"),
                tables.notices(world.notices.every(ledger)),
                tables.requests(ledger.requests),
            )
        )
        banner = "Sandbox: PayPal and Paid are stood in for here, and no money moves."
        return page("Gateway sandbox", body, banner=banner, is_wide=True)
