"""Issued invoices, rated once more from the facts that they were made from. Rule: design.md 6.3."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import orjson
from django.db import connection

from billing.queries.audit import seals
from billing.queries.stored import Reader, stored_lines, stored_taxes
from billing.rules import rating
from billing.rules.facts import Facts, Line, NotFacts, TaxLine, facts_from_json
from billing.rules.tax import NoTaxRate
from core import canonical
from core.books import BEGINNING
from core.months import BillingMonth
from plans.rules import Meter


@dataclass(frozen=True, slots=True)
class Difference:
    """What an issued document says, and what its facts come to."""

    organisation_id: int
    month: BillingMonth
    number: int | None
    what: str
    issued: str
    rated: str
    document: str = "invoice"

    def __str__(self) -> str:
        numbered = self.number is not None
        named = f"{self.document} {self.number}" if numbered else "nothing to bill"
        return (
            f"organisation {self.organisation_id}, {self.month}, {named}: {self.what}:"
            f" issued {self.issued}, rated {self.rated}"
        )


@dataclass(frozen=True, slots=True)
class Verified:
    """A billed month, spot invoice or credit note, made again; without differences it is right."""

    differences: tuple[Difference, ...]


@dataclass(frozen=True, slots=True)
class _Issued:
    """What was stored. `invoice`: its row, as seals.INVOICE_COLUMNS; None where nothing was billed."""

    facts: Mapping[str, Any]
    is_facts_intact: bool
    credit: Mapping[str, int]
    settled: "_Settled | None"
    invoice: tuple[Any, ...] | None


@dataclass(frozen=True, slots=True)
class _Settled:
    """Quantities up to which late usage has been billed, and what the month has cost, by meter code."""

    quantities: Mapping[str, str]
    nets: Mapping[str, int]


# What a month has cost by now: its own usage lines, and every adjustment of it since (B-08).
_NETS = """
    (SELECT COALESCE(jsonb_object_agg(n.code, n.net), '{}') FROM (
        SELECT m.code, sum(l.net) AS net
        FROM billing_invoice v
        JOIN billing_invoiceline l ON l.invoice_id = v.id AND l.month = b.month
            AND l.kind IN ('usage', 'adjustment')
        JOIN plans_meter m ON m.id = l.meter_id
        WHERE v.organisation_id = b.organisation_id AND v.month >= b.month AND v.kind = 'monthly'
        GROUP BY m.code) n)
"""


def count(*, month: BillingMonth | None = None, since: BillingMonth | None = None) -> int:
    """Return how many billed months there are to verify."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM billing_billedmonth b {_OF}", of(month, since))  # noqa: S608
        (number,) = cursor.fetchone()
        return int(number)


def verified(
    *, month: BillingMonth | None = None, since: BillingMonth | None = None
) -> Iterator[Verified]:
    """Yield every billed month, rated again: lines, taxes, totals, credit and digests compared.

    Of a month whose usage came in late, what it has cost by now is compared too.

    Names of plans and meters may have been corrected since; the digest covers them.
    """
    reader = Reader.fresh()
    statement = f"""
        SELECT b.organisation_id, b.month, b.facts::text, b.facts_digest, b.credit::text,
               r.quantities::text,
               CASE WHEN r.month IS NOT NULL THEN {_NETS} END::text,
               {seals.INVOICE_COLUMNS}
        FROM billing_billedmonth b LEFT JOIN billing_invoice i ON i.id = b.invoice_id
        LEFT JOIN billing_ratedrevision r
            ON r.organisation_id = b.organisation_id AND r.month = b.month
        {_OF} ORDER BY b.month, b.organisation_id
    """  # noqa: S608
    for organisation_id, first_day, facts, digest, credit, late, nets, *invoice in seals.stream(
        statement, of(month, since)
    ):
        stored = orjson.loads(facts)
        issued = _Issued(
            facts=stored,
            is_facts_intact=canonical.digest(stored) == bytes(digest),
            credit=orjson.loads(credit),
            settled=_Settled(orjson.loads(late), orjson.loads(nets)) if late else None,
            invoice=tuple(invoice) if invoice[0] is not None else None,
        )
        of_month = BillingMonth.of_day(first_day)
        number = issued.invoice[1] if issued.invoice else None
        yield Verified(
            tuple(
                Difference(organisation_id, of_month, number, what, before, now)
                for what, before, now in _differences(issued, reader)
            )
        )


_OF = """
    WHERE b.month >= %(since)s AND (%(month)s::date IS NULL OR b.month = %(month)s)
"""


def of(month: BillingMonth | None, since: BillingMonth | None) -> dict[str, Any]:
    """Return which months are looked at, as the statements want them."""
    return {
        "month": month.first_day if month else None,
        "since": since.first_day if since else BEGINNING,
    }


Found = tuple[str, str, str]


def _differences(issued: _Issued, reader: Reader) -> Iterator[Found]:
    if not issued.is_facts_intact:
        yield "digest of the facts", "altered", "as billed"
    try:
        facts = facts_from_json(issued.facts, reader.catalogue)
        bill = rating.rate(facts)
    except (NotFacts, NoTaxRate, rating.MixedCurrencies) as fault:
        yield "facts", "rated once", f"cannot be rated: {fault}"
        return
    credit = {code.value: net for code, net in bill.credit_carried.items()}
    yield from differ("credit left over", dict(issued.credit), credit)
    if issued.settled is not None:
        now = _nets(facts, issued.settled.quantities)
        before = {code: net for code, net in issued.settled.nets.items() if net}
        yield from differ("usage that came late", before, now)
    if issued.invoice is None:
        yield from differ("nothing to bill", True, bill.is_nothing)
        return
    if not seals.is_intact(issued.invoice):
        yield "digest of the invoice", "altered", "as issued"
    header = dict(zip(("net", "tax", "gross"), issued.invoice[12:15], strict=True))
    yield from differ("net", header["net"], bill.net)
    yield from differ("tax", header["tax"], bill.tax)
    yield from differ("gross", header["gross"], bill.gross)
    lines = stored_lines(orjson.loads(issued.invoice[seals.INVOICE_LINES]), reader)
    taxes = stored_taxes(orjson.loads(issued.invoice[seals.INVOICE_TAXES]))
    yield from lines_differ(lines, bill.lines)
    yield from differ("taxes", taxes_of(taxes), taxes_of(bill.taxes))


def _nets(facts: Facts, quantities: Mapping[str, str]) -> dict[str, int]:
    """Return what a month costs, by meter code, with the usage that is known of it now."""
    promised = facts.licence.terms.meters if facts.licence else ()
    nets = {
        each.meter.code: rating.usage_price(Decimal(quantities.get(each.meter.code, "0")), each).net
        for each in promised
    }
    return {code: net for code, net in nets.items() if net}


def lines_differ(issued: Sequence[Line], made: Sequence[Line]) -> Iterator[Found]:
    """Yield what differs of lines but their names, which are what the catalogue said then."""
    yield from differ("number of lines", len(issued), len(made))
    for position, (before, now) in enumerate(zip(issued, made, strict=False), 1):
        for name in _COMPARED:
            was, is_now = getattr(before, name), getattr(now, name)
            yield from differ(f"line {position}: {name}", _plain(was), _plain(is_now))


_COMPARED = (
    "kind",
    "month",
    "plan_version_id",
    "meter",
    "quantity",
    "net",
    "tax_code",
    "explanation",
)


def _plain(value: object) -> object:
    return value.code if isinstance(value, Meter) else value


def taxes_of(taxes: Sequence[TaxLine]) -> list[tuple[str, str, int, int]]:
    """Return taxes so that they can be compared."""
    return sorted((tax.code.value, f"{tax.rate:.4f}", tax.net, tax.tax) for tax in taxes)


def differ(what: str, issued: object, rated: object) -> Iterator[Found]:
    """Yield what differs, if it does: its name, as issued and as made again."""
    if issued != rated:
        yield what, str(issued), str(rated)
