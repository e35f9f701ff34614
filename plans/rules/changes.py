"""What a catalogue file would change of what is stored: shown by --plan, and carried out as shown."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import date
from typing import TypeAlias

from core.money import quantity_written, unit_price_written, written
from plans.rules.catalogue import (
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
from plans.rules.price_changes import NOTICE

Entry: TypeAlias = "Vendor | Terms | CancellationTerms | Meter | Plan | Version"


@dataclass(frozen=True, slots=True)
class Change:
    """One entry that is new or differs; `details` tell how, for a person to read.

    `position`: the place of a meter or plan among all of its kind.
    """

    entry: Entry
    is_new: bool
    details: tuple[str, ...]
    position: int = 0


@dataclass(frozen=True, slots=True)
class Stored:
    """The catalogue as it stands.

    `meter_positions`, `plan_positions`: by code. `used`: plan versions that a selection uses or that
    customers were told of, by plan code and number; `withdrawn`: those of which they were told that
    they do not come for everybody after all.
    """

    catalogue: Catalogue
    meter_positions: Mapping[str, int]
    plan_positions: Mapping[str, int]
    used: frozenset[tuple[str, int]]
    withdrawn: frozenset[tuple[str, int]] = frozenset()


def changes(stored: Stored, wanted: Catalogue, today: date) -> list[Change]:
    """Return what has to change, in the order in which it can be done.

    What the file leaves out stays as it is. `today`: in the billing time zone. Raises
    CatalogueRefused where the file would alter what customers have agreed to or were told, or what
    their usage was counted by. Rule: B-02.
    """
    wanted = replace(wanted, versions=tuple(_as_announced(stored, wanted)))
    problems = [*_refused(stored, wanted), *_refused_announcements(stored, wanted, today)]
    if problems:
        raise CatalogueRefused(sorted(problems))
    return [
        *_vendor_change(stored, wanted),
        *_terms_changes(stored, wanted),
        *_meter_changes(stored, wanted),
        *_plan_changes(stored, wanted),
        *_version_changes(stored, wanted),
    ]


def _refused(stored: Stored, wanted: Catalogue) -> Iterator[Problem]:
    yield from _refused_vendor(stored, wanted)
    yield from _refused_terms(stored, wanted)
    yield from _refused_meters(stored, wanted)
    yield from _refused_plans(stored, wanted)
    yield from _refused_versions(stored, wanted)


def _refused_vendor(stored: Stored, wanted: Catalogue) -> Iterator[Problem]:
    before, after = stored.catalogue.vendor, wanted.vendor
    if before and after and stored.used and before.time_zone != after.time_zone:
        yield Problem(
            after.line,
            f"vendor.time_zone: stays {before.time_zone}; customers' days and months are counted in it",
        )


def _refused_terms(stored: Stored, wanted: Catalogue) -> Iterator[Problem]:
    yield from _refused_texts(stored.catalogue.terms, wanted.terms)
    yield from _refused_texts(stored.catalogue.cancellation_terms, wanted.cancellation_terms)


def _refused_texts(
    published: Sequence[Terms] | Sequence[CancellationTerms],
    texts: Sequence[Terms] | Sequence[CancellationTerms],
) -> Iterator[Problem]:
    before = {entry.number: entry for entry in published}
    for entry in texts:
        if entry.number in before and entry != before[entry.number]:
            yield Problem(
                entry.line,
                f"{entry} were published with another text; give the new text number "
                f"{max(before) + 1}",
            )
        elif entry.number not in before and before and entry.number < max(before):
            yield Problem(
                entry.line, f"{entry}: number {max(before)} is published already; go on from there"
            )


def _refused_meters(stored: Stored, wanted: Catalogue) -> Iterator[Problem]:
    before = {entry.code: entry for entry in stored.catalogue.meters}
    units = {entry.consumed_unit: entry.code for entry in before.values() if entry.consumed_unit}
    for entry in wanted.meters:
        old = before.get(entry.code)
        if old and old.aggregation != entry.aggregation:
            yield Problem(
                entry.line,
                f"{entry}: its aggregation stays {old.aggregation}; make a new meter with a code "
                "of its own",
            )
        owner = units.get(entry.consumed_unit or "", entry.code)
        if owner != entry.code:
            yield Problem(
                entry.line, f"{entry}: meter {owner} takes in {entry.consumed_unit!r} already"
            )


def _refused_plans(stored: Stored, wanted: Catalogue) -> Iterator[Problem]:
    before = {entry.code: entry for entry in stored.catalogue.plans}
    in_use = {code for code, _ in stored.used}
    for entry in wanted.plans:
        old = before.get(entry.code)
        if old is None or entry.code not in in_use:
            continue
        if replace(entry, name_ja=old.name_ja, name_en=old.name_en) != old:
            yield Problem(
                entry.line,
                f"{entry} is in use: its category, free and tax stay; make a plan with a code of "
                "its own",
            )


def _refused_versions(stored: Stored, wanted: Catalogue) -> Iterator[Problem]:
    before = _versions(stored.catalogue)
    for entry in wanted.versions:
        key = entry.plan_code, entry.number
        old = before.get(key)
        if old is None or key not in stored.used:
            continue
        fixed = replace(
            entry,
            on_sale_until=old.on_sale_until,
            applies_to_everyone_from=old.applies_to_everyone_from,
        )
        if fixed != old:
            newest = max(number for code, number in before if code == entry.plan_code)
            told = "; ".join(_differences(old, fixed))
            yield Problem(
                entry.line,
                f"{entry} is in use and stays as it is ({told}); give the new terms version "
                f"number {newest + 1}",
            )


def _as_announced(stored: Stored, wanted: Catalogue) -> Iterator[Version]:
    """Yield the versions wanted; what was announced stays announced where the file is silent."""
    before = _versions(stored.catalogue)
    for entry in wanted.versions:
        old = before.get((entry.plan_code, entry.number))
        if entry.applies_to_everyone_from is None and old is not None:
            yield replace(entry, applies_to_everyone_from=old.applies_to_everyone_from)
        else:
            yield entry


def _refused_announcements(stored: Stored, wanted: Catalogue, today: date) -> Iterator[Problem]:
    """Yield why a version cannot be announced to everybody as the file says. Rule: B-02."""
    before = _versions(stored.catalogue)
    known = before | _versions(wanted)
    for entry in wanted.versions:
        key = entry.plan_code, entry.number
        old = before.get(key)
        announced = old.applies_to_everyone_from if old else None
        day = entry.applies_to_everyone_from
        if day is None or day == announced:
            continue
        for reason in _against(entry, day, announced, key in stored.withdrawn, known, today):
            yield Problem(entry.line, f"{entry}: applies_to_everyone_from: {reason}")


def _against(
    entry: Version,
    day: date,
    announced: date | None,
    is_withdrawn: bool,
    known: Mapping[tuple[str, int], Version],
    today: date,
) -> Iterator[str]:
    if is_withdrawn:
        yield "it was announced and withdrawn; announce a version with a number of its own"
        return
    if announced is not None:
        yield f"{announced} is announced already; withdraw it in the back office first"
        return
    if day < today + NOTICE:
        yield (
            f"{day} is too soon; customers have at least {NOTICE.days} days, that is until "
            f"{today + NOTICE}"
        )
    older = [
        each
        for (code, number), each in known.items()
        if code == entry.plan_code and number < entry.number
    ]
    if not older:
        yield "there is no older version that anybody could have"
    missing = {currency for each in older for currency in each.prices} - entry.prices.keys()
    if missing:
        yield f"needs a price in {', '.join(sorted(missing))}, as older versions have"
    most = max((each.accounts_per_step or 0 for each in older), default=0)
    if (entry.accounts_per_step or 0) < most:
        yield f"its steps have fewer accounts than {most}, which customers may have in use"


def _vendor_change(stored: Stored, wanted: Catalogue) -> Iterator[Change]:
    before, after = stored.catalogue.vendor, wanted.vendor
    if after is not None and after != before:
        details = _differences(before, after) if before else (after.name_en,)
        yield Change(after, before is None, details)


def _terms_changes(stored: Stored, wanted: Catalogue) -> Iterator[Change]:
    before = {entry.number for entry in stored.catalogue.terms}
    for entry in wanted.terms:
        if entry.number not in before:
            size = f"{len(entry.text_ja)} characters in Japanese, {len(entry.text_en)} in English"
            yield Change(entry, True, (size,))
    agreed = {entry.number for entry in stored.catalogue.cancellation_terms}
    for new in wanted.cancellation_terms:
        if new.number not in agreed:
            yield Change(new, True, (f"{new.title_en}, {len(new.boxes)} to agree to",))


def _meter_changes(stored: Stored, wanted: Catalogue) -> Iterator[Change]:
    before = {entry.code: entry for entry in stored.catalogue.meters}
    positions = _positions([entry.code for entry in wanted.meters], stored.meter_positions)
    for entry in wanted.meters:
        position = positions[entry.code]
        moved = _moved(stored.meter_positions.get(entry.code), position)
        old = before.get(entry.code)
        if old is None:
            yield Change(entry, True, (f"{entry.name_en}, {entry.aggregation}",), position)
        elif old != entry or moved:
            yield Change(entry, False, (*_differences(old, entry), *moved), position)


def _plan_changes(stored: Stored, wanted: Catalogue) -> Iterator[Change]:
    before = {entry.code: entry for entry in stored.catalogue.plans}
    positions = _positions([entry.code for entry in wanted.plans], stored.plan_positions)
    for entry in wanted.plans:
        position = positions[entry.code]
        moved = _moved(stored.plan_positions.get(entry.code), position)
        old = before.get(entry.code)
        if old is None:
            yield Change(entry, True, (f"{entry.name_en}, {entry.category}",), position)
        elif old != entry or moved:
            yield Change(entry, False, (*_differences(old, entry), *moved), position)


def _version_changes(stored: Stored, wanted: Catalogue) -> Iterator[Change]:
    before = _versions(stored.catalogue)
    for entry in wanted.versions:
        old = before.get((entry.plan_code, entry.number))
        if old is None:
            yield Change(entry, True, tuple(f"{name}: {text}" for name, text in _facts(entry)))
        elif old != entry:
            yield Change(entry, False, _differences(old, entry))


def _versions(catalogue: Catalogue) -> dict[tuple[str, int], Version]:
    return {(entry.plan_code, entry.number): entry for entry in catalogue.versions}


def _positions(codes: Sequence[str], stored: Mapping[str, int]) -> dict[str, int]:
    """Return places in the file's order; what it leaves out keeps its place, what is new comes last."""
    kept = sorted(stored[code] for code in codes if code in stored)
    last = max(stored.values(), default=0)
    added = range(last + 1, last + 1 + len(codes) - len(kept))
    return dict(zip(codes, [*kept, *added], strict=True))


def _moved(before: int | None, after: int) -> tuple[str, ...]:
    return () if before is None or before == after else (f"place: {before} → {after}",)


def _differences(before: Entry, after: Entry) -> tuple[str, ...]:
    old, new = dict(_facts(before)), dict(_facts(after))
    return tuple(
        f"{name}: {old.get(name, 'none')} → {new.get(name, 'none')}"
        for name in [*old, *(name for name in new if name not in old)]
        if old.get(name) != new.get(name)
    )


def _facts(entry: Entry) -> list[tuple[str, str]]:
    """Return what an entry says, each by its name in the file."""
    if not isinstance(entry, Version):
        return [
            (field.name, _shown(getattr(entry, field.name)))
            for field in fields(entry)
            if field.name != "line"
        ]
    facts = [
        ("on_sale_from", _shown(entry.on_sale_from)),
        ("on_sale_until", _shown(entry.on_sale_until)),
        ("accounts_per_step", _shown(entry.accounts_per_step)),
        *_announced(entry),
    ]
    facts += [
        (f"price.{currency}", written(net, currency)) for currency, net in entry.prices.items()
    ]
    facts += [
        (f"meter {code} in {currency}", _usage_shown(usage, currency))
        for (code, currency), usage in entry.usage.items()
    ]
    return facts


def _announced(entry: Version) -> list[tuple[str, str]]:
    """Return what is said of everybody, if anything is."""
    day = entry.applies_to_everyone_from
    return [] if day is None else [("applies_to_everyone_from", str(day))]


def _usage_shown(usage: Usage, currency: str) -> str:
    parts = [f"{quantity_written(usage.included)} included"]
    for tier in usage.tiers:
        price = unit_price_written(tier.unit_price, currency)
        upto = "" if tier.last_unit is None else f" up to {quantity_written(tier.last_unit)} over"
        parts.append(f"{price} each{upto}")
    return ", then ".join(parts)


def _shown(value: object) -> str:
    if value is None or value == "":
        return "none"
    return ", ".join(value) if isinstance(value, tuple) else str(value)
