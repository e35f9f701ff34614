"""A catalogue file, read and checked as a whole: every problem is found in one go."""

import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from urllib.parse import urlsplit
from zoneinfo import available_timezones

from babel import Locale

from core.money import FractionOfMinorUnit, NotACurrency, Rounding, exponent, to_minor
from plans.enums import Aggregation, CancellationEnds, Category, TaxCategory
from plans.rules import registration
from plans.rules.catalogue import (
    DATA_KEPT_DAYS,
    CancellationTerms,
    Catalogue,
    CatalogueRefused,
    Meter,
    Plan,
    Problem,
    Terms,
    Usage,
    Vendor,
    Version,
)
from plans.rules.reading import Notes, Table
from plans.rules.terms import Tier, TiersOutOfOrder, check_tiers
from plans.rules.toml_lines import Lines

_CODE = re.compile(r"[a-z0-9]+(?:[-_][a-z0-9]+)*")
_EMAIL = re.compile(r"[^@\s]+@[^@\s.]+(?:\.[^@\s.]+)+")
_SYNTAX = re.compile(r"(?P<reason>.*) \(at line (?P<line>\d+), column \d+\)")
_LARGEST_NET = 10**15
_LONGEST_KEPT = 3_653


@dataclass(frozen=True, slots=True)
class Known:
    """What a file may refer to without saying it again: what was applied before."""

    currencies: tuple[str, ...] = ()
    meters: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Parsed:
    """A catalogue without a problem; `warnings` are for the operator to judge."""

    catalogue: Catalogue
    warnings: tuple[Problem, ...] = ()


def parse(text: str, known: Known) -> Parsed:
    """Return what a catalogue file says. Raises CatalogueRefused with every problem it has."""
    try:
        values = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise CatalogueRefused([_syntax(str(error), text)]) from error
    return _File(Table(values, (), Notes(Lines(text))), known).read()


class _File:
    def __init__(self, root: Table, known: Known) -> None:
        self._root = root
        self._notes = root.notes
        self._known = known
        self._currencies = known.currencies
        self._meters = set(known.meters)
        self._warnings: list[Problem] = []

    def read(self) -> Parsed:
        vendor = self._vendor() if self._root.has("vendor") else None
        if vendor is None and not self._known.currencies:
            self._notes.problems.append(
                Problem(1, "vendor: is missing, and none was applied before")
            )
        terms = tuple(self._terms(table) for table in self._root.tables("terms_of_use"))
        agreed = self._root.tables("cancellation_terms")
        cancellation_terms = tuple(self._cancellation_terms(table) for table in agreed)
        meters = tuple(self._meter(table) for table in self._root.tables("meter"))
        tables = self._root.tables("plan")
        plans = tuple(self._plan(table) for table in tables)
        versions = tuple(
            self._version(table, plan)
            for plan, above in zip(plans, tables, strict=True)
            for table in above.tables("version")
        )
        for table in tables:
            table.finish()
        self._root.finish()

        self._unique("terms_of_use", ((entry.number, entry.line) for entry in terms))
        self._unique(
            "cancellation_terms", ((entry.number, entry.line) for entry in cancellation_terms)
        )
        self._unique("meter", ((entry.code, entry.line) for entry in meters))
        self._unique(
            "consumed_unit",
            ((entry.consumed_unit, entry.line) for entry in meters if entry.consumed_unit),
        )
        self._unique("plan", ((entry.code, entry.line) for entry in plans))
        self._unique("version", ((str(entry), entry.line) for entry in versions))
        if self._notes.problems:
            raise CatalogueRefused(sorted(self._notes.problems))
        return Parsed(
            Catalogue(vendor, terms, cancellation_terms, meters, plans, versions),
            tuple(sorted(self._warnings)),
        )

    def _vendor(self) -> Vendor:
        table = self._root.table("vendor")
        names, addresses = table.both("name", 200), table.both("address", 400)
        self._currencies = self._read_currencies(table)
        vendor = Vendor(
            name_ja=names[0],
            name_en=names[1],
            postal_code=table.text("postal_code", 20),
            address_ja=addresses[0],
            address_en=addresses[1],
            country=table.matching("country", 2, _is_country, "a country of ISO 3166 such as JP"),
            registration_number=self._registration_number(table),
            time_zone=table.matching(
                "time_zone", 60, lambda zone: zone in available_timezones(), "a known time zone"
            ),
            tax_rounding=table.choice("tax_rounding", Rounding, default=Rounding.DOWN),
            currencies=self._currencies,
            support_email=table.matching(
                "support_email", 254, lambda mail: bool(_EMAIL.fullmatch(mail)), "an e-mail address"
            ),
            support_url=table.matching("support_url", 200, _is_url, "a web address", default=""),
            plan_page_url=table.matching(
                "plan_page_url", 200, _is_url, "a web address", default=""
            ),
            invoice_prefix=table.text("invoice_prefix", 12, default=""),
            spot_may_span_renewal=table.truth("spot_may_span_renewal", default=True),
            cancellation_ends=table.choice(
                "cancellation_ends", CancellationEnds, default=CancellationEnds.MONTH
            ),
            data_kept_days=self._data_kept_days(table),
            line=table.line,
        )
        table.finish()
        return vendor

    def _read_currencies(self, table: Table) -> tuple[str, ...]:
        currencies = table.texts("currencies")
        for currency in currencies:
            if not _is_currency(currency):
                table.wrong("currencies", f"{currency!r} is not a currency of ISO 4217 such as JPY")
        if len(set(currencies)) < len(currencies):
            table.wrong("currencies", "names a currency twice")
        return tuple(currencies)

    def _registration_number(self, table: Table) -> str:
        sole_trader = table.truth("sole_trader")
        number = table.text("registration_number", 20, default="")
        if number and not registration.has_form(number):
            table.wrong("registration_number", f"{number!r} is not T and thirteen digits")
        elif number and not registration.is_company(number):
            expected = registration.check_digit(number[2:])
            if sole_trader:
                line = self._notes.line((*table.path, "registration_number"))
                self._warnings.append(
                    Problem(
                        line, "vendor.registration_number: only its form was checked (sole trader)"
                    )
                )
            else:
                table.wrong(
                    "registration_number",
                    f"the check digit of {number} is {number[1]} and would be {expected}; "
                    "a sole trader, whose number has none, writes sole_trader = true",
                )
        return number

    def _terms(self, table: Table) -> Terms:
        number = table.whole("number", least=1)
        japanese, english = table.both("text", 200_000)
        table.finish()
        return Terms(number, japanese.strip(), english.strip(), line=table.line)

    def _data_kept_days(self, table: Table) -> int:
        days = table.whole_or_none("data_kept_days", least=0)
        if days is None:
            return DATA_KEPT_DAYS
        if days > _LONGEST_KEPT:
            table.wrong("data_kept_days", f"{days} is more than {_LONGEST_KEPT}, ten years")
            return DATA_KEPT_DAYS
        return days

    def _cancellation_terms(self, table: Table) -> CancellationTerms:
        number = table.whole("number", least=1)
        title = table.both("title", 200)
        intro = table.both("intro", 4_000, optional=True)
        boxes = []
        for box in table.tables("box"):
            boxes.append((box.text("ja", 1_000).strip(), box.text("en", 1_000).strip()))
            box.finish()
        if not boxes:
            table.wrong("box", "needs at least one text to agree to")
        table.finish()
        return CancellationTerms(
            number=number,
            title_ja=title[0].strip(),
            title_en=title[1].strip(),
            intro_ja=intro[0].strip(),
            intro_en=intro[1].strip(),
            boxes=tuple(boxes),
            line=table.line,
        )

    def _meter(self, table: Table) -> Meter:
        code = _code(table)
        names, units = table.both("name", 120), table.both("unit", 40, optional=True)
        aggregation = table.choice("aggregation", Aggregation, default=Aggregation.SUM)
        consumed_unit = table.text("consumed_unit", 120, default="")
        table.finish()
        self._meters.add(code)
        return Meter(
            code=code,
            name_ja=names[0],
            name_en=names[1],
            unit_ja=units[0],
            unit_en=units[1],
            aggregation=aggregation,
            consumed_unit=consumed_unit or None,
            line=table.line,
        )

    def _plan(self, table: Table) -> Plan:
        names = table.both("name", 120)
        return Plan(
            code=_code(table),
            category=table.choice("category", Category),
            name_ja=names[0],
            name_en=names[1],
            is_free=table.truth("free"),
            tax_category=table.choice("tax", TaxCategory, default=TaxCategory.STANDARD),
            line=table.line,
        )

    def _version(self, table: Table, plan: Plan) -> Version:
        number = table.whole("number", least=1)
        on_sale_from, on_sale_until = table.day("on_sale_from"), table.day_or_none("on_sale_until")
        if on_sale_until is not None and on_sale_until <= on_sale_from:
            table.wrong("on_sale_until", f"is not after on_sale_from, {on_sale_from}")
        prices = self._net_prices(table.table("price"), plan)
        steps: int | None = None
        usage: dict[tuple[str, str], Usage] = {}
        if plan.category == Category.LICENCE:
            steps = table.whole("accounts_per_step", least=1)
            usage = self._usage(table, tuple(prices))
        applies_from = self._applies_from(table, on_sale_from, on_sale_until)
        table.finish()
        return Version(
            plan_code=plan.code,
            number=number,
            on_sale_from=on_sale_from,
            on_sale_until=on_sale_until,
            accounts_per_step=steps,
            prices=prices,
            usage=usage,
            applies_to_everyone_from=applies_from,
            line=table.line,
        )

    def _applies_from(self, table: Table, since: date, until: date | None) -> date | None:
        """Return the month from which everybody gets the version. Rule: B-02."""
        day = table.day_or_none("applies_to_everyone_from")
        if day is None:
            return None
        if day.day != 1:
            table.wrong(
                "applies_to_everyone_from",
                f"{day} is not the first day of a month, and a fee is that of a whole month",
            )
        if day < since or (until is not None and day >= until):
            table.wrong(
                "applies_to_everyone_from",
                f"the version is not on sale on {day}, so that new customers would get another",
            )
        return day

    def _net_prices(self, table: Table, plan: Plan) -> dict[str, int]:
        prices: dict[str, int] = {}
        for currency in table.names:
            amount = table.number(currency)
            if currency not in self._currencies:
                table.wrong(currency, f"the vendor has only {', '.join(self._currencies)}")
                continue
            try:
                net = to_minor(amount, currency)
            except FractionOfMinorUnit:
                table.wrong(currency, f"{amount} has more decimals than {currency} has")
                continue
            except NotACurrency:
                continue
            if net > _LARGEST_NET:
                table.wrong(currency, f"{amount} is too large")
            if plan.is_free and net:
                table.wrong(currency, f"{amount}, but the plan is free")
            prices[currency] = net
        if not table.names:
            self._notes.add(
                table.path, "needs a price in at least one currency; a free plan costs 0"
            )
        return prices

    def _usage(self, table: Table, currencies: tuple[str, ...]) -> dict[tuple[str, str], Usage]:
        usage: dict[tuple[str, str], Usage] = {}
        for priced in table.tables("meter"):
            code = priced.text("code", 60)
            if code and code not in self._meters:
                priced.wrong("code", f"no meter has the code {code!r}")
            if any((code, currency) in usage for currency in currencies):
                priced.wrong("code", f"{code!r} stands in this version already")
            included = priced.number("included")
            tiers = self._tiers(priced, currencies)
            priced.finish()
            for currency in currencies:
                usage[code, currency] = Usage(included, tiers[currency])
        return usage

    def _tiers(self, table: Table, currencies: tuple[str, ...]) -> dict[str, tuple[Tier, ...]]:
        tiers: dict[str, list[Tier]] = {currency: [] for currency in currencies}
        ends: list[Tier] = []
        for row in table.tables("tiers"):
            last_unit = row.number_or_none("last_unit")
            ends.append(Tier(last_unit, Decimal(0)))
            prices = row.table("price")
            for currency in currencies:
                amount = prices.number(currency)
                if _is_currency(currency):
                    price = amount.scaleb(exponent(currency))
                    tiers[currency].append(Tier(last_unit, price))
            for currency in prices.names:
                if currency not in currencies:
                    prices.wrong(currency, "the version has no monthly price in this currency")
            row.finish()
        try:
            check_tiers(ends)
        except TiersOutOfOrder as error:
            table.wrong("tiers", str(error))
        return {currency: tuple(found) for currency, found in tiers.items()}

    def _unique(self, what: str, found: Iterable[tuple[object, int]]) -> None:
        first: dict[object, int] = {}
        for key, line in found:
            if key in first:
                reason = f"{what}: {key} stands on line {first[key]} already"
                self._notes.problems.append(Problem(line, reason))
            first.setdefault(key, line)


def _code(table: Table) -> str:
    return table.matching(
        "code",
        60,
        lambda code: bool(_CODE.fullmatch(code)),
        "a code: small letters, digits, and single - or _ between them",
    )


def _is_country(code: str) -> bool:
    return len(code) == 2 and code.isalpha() and code in Locale("en").territories


def _is_currency(code: str) -> bool:
    try:
        exponent(code)
    except NotACurrency:
        return False
    return True


def _is_url(text: str) -> bool:
    parts = urlsplit(text)
    return parts.scheme in {"http", "https"} and bool(parts.hostname)


def _syntax(message: str, text: str) -> Problem:
    match = _SYNTAX.fullmatch(message)
    if match is None:
        return Problem(text.count("\n") + 1, f"not TOML: {message}")
    return Problem(int(match["line"]), f"not TOML: {match['reason']}")
