"""What an organisation and its people may use now, as the vendor's product asks for it.

By date, whatever is still to be carried out. Rule: S1-25, S2-20, design.md 1.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import orjson

from accounts.models import Organisation
from billing.rules.facts import written
from core import canonical, statements
from core.canonical import Json
from core.months import BillingMonth, last_day, start_of_day
from plans import queries as plans
from seats.queries import access

# Asked by the vendor's product at every turn: all of it is one statement, prepared once a connection.
STATEMENT = """
    SELECT o.id, o.reference, o.customer_since, o.closed_on,
        (SELECT count(*) FROM accounts_membership a
            WHERE a.organisation_id = o.id AND a.deactivated_at IS NULL),
        COALESCE(o.closed_on <= %(today)s, false) AND o.accounts_ended_on IS DISTINCT FROM o.closed_on
            OR EXISTS (SELECT FROM spot_orders_spotorder x
                WHERE x.organisation_id = o.id AND x.state = 'paid' AND x.ended_at IS NULL
                    AND COALESCE(x.cut_on, x.end_on) <= %(today)s)
            OR EXISTS (SELECT FROM plans_maincontract x
                WHERE x.organisation_id = o.id AND x.withdrawn_at IS NULL AND x.ended_at IS NULL
                    AND COALESCE(x.cut_on, x.end_on) <= %(today)s),
        EXISTS (SELECT FROM payments_payable p
            WHERE p.organisation_id = o.id AND p.state = 'open' AND p.overdue_at IS NOT NULL),
        (SELECT COALESCE(sum(x.accounts), 0) FROM spot_orders_spotorder x
            WHERE x.organisation_id = o.id AND x.state = 'paid' AND x.first_on <= %(today)s
                AND COALESCE(x.cut_on, x.end_on) > %(today)s),
        (SELECT jsonb_object_agg(s.category, jsonb_build_object('plan', p.code, 'version', v.number,
                'steps', s.steps, 'until_at', s.until_at, 'accounts', v.accounts_per_step))
            FROM plans_selection s JOIN plans_planversion v ON v.id = s.plan_version_id
                JOIN plans_plan p ON p.id = v.plan_id
            WHERE s.organisation_id = o.id AND s.from_at <= %(now)s
                AND (s.until_at IS NULL OR s.until_at > %(now)s)),
        (SELECT jsonb_build_object('first_on', c.first_on, 'end_on', c.end_on, 'renews',
                c.renews OR EXISTS (SELECT FROM plans_maincontract n
                    WHERE n.organisation_id = o.id AND n.withdrawn_at IS NULL
                        AND n.first_on = c.end_on))
            FROM plans_maincontract c
            WHERE c.organisation_id = o.id AND c.withdrawn_at IS NULL
                AND c.first_on <= %(today)s AND COALESCE(c.cut_on, c.end_on) > %(today)s),
        (SELECT jsonb_agg(jsonb_build_object('code', m.code, 'unit', m.unit_en,
                'included', present.included::text, 'priced', present.tiers <> '[]',
                'included_this_month', billed.included::text, 'used',
                CASE m.aggregation WHEN 'sum' THEN d.sum WHEN 'max' THEN d.max ELSE d.last END::text
                ) ORDER BY m.position, m.id)
            FROM plans_meter m
            LEFT JOIN plans_meterprice present ON present.meter_id = m.id
                AND present.currency = o.currency AND present.version_id = (
                    SELECT s.plan_version_id FROM plans_selection s
                    WHERE s.organisation_id = o.id AND s.category = 'licence'
                        AND s.from_at <= %(now)s AND (s.until_at IS NULL OR s.until_at > %(now)s))
            LEFT JOIN plans_meterprice billed ON billed.meter_id = m.id
                AND billed.currency = o.currency AND billed.version_id = (
                    SELECT s.plan_version_id FROM plans_selection s
                    WHERE s.organisation_id = o.id AND s.category = 'licence'
                        AND s.from_at < %(begins_at)s
                        AND (s.until_at IS NULL OR s.until_at > %(begins_at)s
                            OR s.until_at = %(begins_at)s AND EXISTS (
                                SELECT FROM plans_selection n
                                WHERE n.organisation_id = o.id AND n.category = 'licence'
                                    AND n.from_at = %(begins_at)s)))
            LEFT JOIN (
                SELECT u.meter_id, sum(u.quantity) AS sum, max(u.quantity) AS max,
                    (array_agg(u.quantity ORDER BY u.day DESC))[1] AS last
                FROM usage_dailyusage u
                WHERE u.organisation_id = o.id AND u.day >= %(first_day)s AND u.day < %(end)s
                GROUP BY u.meter_id) d ON d.meter_id = m.id)
    FROM accounts_organisation o
    WHERE o.reference = %(reference)s
        AND (%(organisation_id)s::bigint IS NULL OR o.id = %(organisation_id)s)
"""
# The column that says whether an end that has come waits to be carried out.
_IS_DUE = 5


@dataclass(frozen=True, slots=True)
class Entitlements:
    """What is told, as canonical JSON, and the strong validator of exactly that."""

    body: bytes
    etag: str


def entitlements(
    reference: str, *, organisation_id: int | None, now: datetime
) -> Entitlements | None:
    """Return what an organisation may use at `now`; None where there is none.

    With an `organisation_id`, where it is another one too. It is one statement, and some more while an
    end waits to be carried out. Days and months are counted in the billing time zone, which is at most
    five seconds old. Raises NoVendor.
    Rule: S1-25 (a change holds at once), S2-20, B-02, B-03, B-05, B-14.
    """
    if "\0" in reference:  # which no database can be asked
        return None
    zone = plans.zone_for_pages()
    month = BillingMonth.containing(now, zone)
    today = now.astimezone(zone).date()
    with statements.prepared() as cursor:
        cursor.execute(
            STATEMENT,
            {
                "reference": reference,
                "organisation_id": organisation_id,
                "now": now,
                "today": today,
                "begins_at": month.starts_at(zone),
                "first_day": month.first_day,
                "end": month.next.first_day,
            },
        )
        row = cursor.fetchone()
    if row is None:
        return None
    told = _told(row, today, month, zone)
    if row[_IS_DUE]:
        # An end that has come waits to be carried out: who leaves by it uses nothing any more.
        in_use = access.in_use(Organisation.objects.get(pk=row[0]), now)
        told["accounts"] = {**told["accounts"], "in_use": in_use}
    return answer(told)


def answer(told: dict[str, Json]) -> Entitlements:
    """Return what is told as it is sent."""
    body = canonical.dumps(told)
    return Entitlements(body, f'"{hashlib.sha256(body).hexdigest()}"')


def _told(row: tuple[Any, ...], today: date, month: BillingMonth, zone: ZoneInfo) -> dict[str, Any]:
    _, reference, customer_since, closed_on, in_use, _, is_overdue, added, *pieces = row
    # A cursor of Django's leaves JSON as it comes.
    selected, contract, meters = (orjson.loads(piece) if piece else None for piece in pieces)
    is_customer = customer_since <= today and (closed_on is None or today < closed_on)
    held: Mapping[str, Mapping[str, Any]] = (selected or {}) if is_customer else {}
    licence = held.get("licence")
    return {
        "organisation": reference,
        "as_of": today.isoformat(),
        "month": str(month),
        "licence": _plan(licence, closed_on, zone),
        "support": _plan(held.get("support"), closed_on, zone),
        "accounts": {"allowed": _allowed(licence, int(added)), "in_use": in_use},
        "meters": [_meter(meter, has_licence=licence is not None) for meter in meters or ()],
        "contract": _contract(contract, closed_on) if contract and is_customer else None,
        "overdue": is_overdue,
        "closed_on": closed_on.isoformat() if closed_on else None,
    }


def _plan(held: Mapping[str, Any] | None, closed_on: date | None, zone: ZoneInfo) -> Json:
    if held is None:
        return None
    ends = [datetime.fromisoformat(held["until_at"])] if held["until_at"] else []
    if closed_on is not None:
        ends.append(start_of_day(closed_on, zone).astimezone(UTC))
    return {
        "plan": held["plan"],
        "version": held["version"],
        "steps": held["steps"],
        "until": min(ends).isoformat() if ends else None,
    }


def _allowed(licence: Mapping[str, Any] | None, added: int) -> int | None:
    """Return how many accounts may be active: a licence's and the running spot contracts'.

    0 without a licence, None where it sets no limit. Rule: domain.md 3.5.
    """
    if licence is None:
        return 0
    per_step: int | None = licence["accounts"]
    return None if per_step is None else per_step * int(licence["steps"]) + added


def _meter(meter: Mapping[str, Any], *, has_licence: bool) -> Json:
    return {
        "code": meter["code"],
        "unit": meter["unit"],
        "included": _quantity(meter["included"]) if has_licence else None,
        "included_this_month": _quantity(meter["included_this_month"]),
        "used": _quantity(meter["used"]) or "0",
        "priced": has_licence and bool(meter["priced"]),
    }


def _quantity(stored: str | None) -> str | None:
    return None if stored is None else written(Decimal(stored))


def _contract(contract: Mapping[str, Any], closed_on: date | None) -> Json:
    end_on = date.fromisoformat(contract["end_on"])
    is_cancelled = closed_on is not None and closed_on <= end_on
    return {
        "first_on": contract["first_on"],
        "last_on": last_day(closed_on if closed_on and is_cancelled else end_on).isoformat(),
        "renews": contract["renews"] and not is_cancelled,
    }
