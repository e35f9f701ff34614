"""PayPal's own books, by its Transaction Search. Rule: I08.

It shows a movement up to three hours late, tells at most 31 days at once, ends counted, and knows neither our
key nor our number as a filter. See developer.paypal.com, Transaction Search and T-codes.
"""

import urllib.parse
from collections.abc import Iterator
from datetime import datetime, timedelta

from payments.gateways.base import AnswerLost, Record, RecordKind, RecordState
from payments.gateways.paypal import codes
from payments.gateways.paypal.answers import Unreadable, at, instant, items, money_in, text
from payments.gateways.paypal.api import PayPalApi

LONGEST_SPAN = timedelta(days=30)
PAGE = 500
# A span that fills more pages than PayPal hands out is asked for in halves.
MOST_PAGES = 20


def records(api: PayPalApi, since: datetime, until: datetime) -> Iterator[Record]:
    """Yield the movements of [since, until). Raises AnswerLost, Refusal."""
    while since < until:
        end = min(since + LONGEST_SPAN, until)
        yield from _span(api, since, end)
        since = end


def capture_of(
    api: PayPalApi, *, key: str, number: str, since: datetime, until: datetime
) -> Record | None:
    """Return the capture of a key, else one of the number, the latest spans first.

    Raises AnswerLost, Refusal.
    """
    while since < until:
        begin = max(since, until - LONGEST_SPAN)
        captures = [
            each
            for each in records(api, begin, until)
            if each.kind is RecordKind.CAPTURE and each.state is not RecordState.REFUSED
        ]
        by_key = [each for each in captures if each.key == key]
        by_number = [each for each in captures if each.number == number]
        if by_key or by_number:
            return (by_key or by_number)[0]
        until = begin
    return None


def _span(api: PayPalApi, since: datetime, until: datetime) -> Iterator[Record]:
    page, pages = 1, 1
    while page <= pages:
        told = _page(api, since, until, page)
        count = at(told, "total_pages")
        pages = count if isinstance(count, int) else page
        if page == 1 and pages > MOST_PAGES and until - since > timedelta(hours=1):
            middle = since + (until - since) / 2
            yield from _span(api, since, middle)
            yield from _span(api, middle, until)
            return
        for each in items(told, "transaction_details"):
            record = _record(at(each, "transaction_info"))
            if record is not None and since <= record.at < until:
                yield record
        page += 1


def _page(api: PayPalApi, since: datetime, until: datetime, page: int) -> object:
    query = urllib.parse.urlencode(
        {
            "start_date": f"{since:%Y-%m-%dT%H:%M:%S%z}",
            # Included there, and in whole seconds: what is too much is left out on arrival.
            "end_date": f"{until + timedelta(microseconds=999_999):%Y-%m-%dT%H:%M:%S%z}",
            "fields": "transaction_info",
            "page_size": PAGE,
            "page": page,
        }
    )
    return api.get(f"/v1/reporting/transactions?{query}").body


def _record(told: object) -> Record | None:
    """Return a movement as ours, or None if it is none of a charge. Raises AnswerLost."""
    kind = codes.EVENT_KINDS.get(text(told, "transaction_event_code"))
    state = codes.EVENT_STATES.get(text(told, "transaction_status"))
    if kind is None or state is None:
        return None
    try:
        moved = money_in(at(told, "transaction_amount"))
        began = instant(told, "transaction_initiation_date")
    except Unreadable:
        raise AnswerLost("unreadable_answer") from None
    is_ours = moved.amount >= 0 if kind is RecordKind.CAPTURE else moved.amount <= 0
    if not is_ours:  # the account's own payments to others carry the same codes
        return None
    return Record(
        kind=kind,
        state=state,
        reference=text(told, "transaction_id"),
        amount=abs(moved.amount),
        currency=moved.currency,
        at=began,
        key=text(told, "custom_field"),
        number=text(told, "invoice_id"),
        parent="" if kind is RecordKind.CAPTURE else text(told, "paypal_reference_id"),
    )
