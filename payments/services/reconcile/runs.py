"""When our books and a provider's are compared, and over which time. Rule: I08."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta

from django.db import transaction

from core import work
from payments import jobs
from payments.enums import ChargeState
from payments.gateways import registry
from payments.gateways.base import Gateway, NotTold, Record
from payments.models import Charge
from payments.queries import reconciling as queries
from payments.queries.reconciling import API, Window
from payments.rules import matching
from payments.rules.matching import Entry
from payments.services.reconcile.differences import store
from payments.services.reconcile.facts import (
    ACTOR,
    REPORTS_LATE,
    Compared,
    NothingToCompare,
    Reconciled,
)
from payments.services.reconcile.settling import settle
from plans import queries as plans

# The provider's clock, and its day, are not ours.
_AROUND = timedelta(days=1)


def reconcile(
    *, slug: str, since: datetime, until: datetime, actor: str = ACTOR, now: datetime
) -> Reconciled:
    """Compare what was decided in [since, until) with what the provider tells by its API.

    Raises NoSuchGateway, NothingToCompare, NotTold, GatewayUnreachable, GatewayMisconfigured,
    AnswerLost; nothing is stored then.
    """
    gateway = registry.gateway(slug)
    window = Window(since, min(until, now - REPORTS_LATE))
    if window.since >= window.until:
        raise NothingToCompare
    first = queries.first_intent(slug, gateway.account, window) - _AROUND
    last = min(window.until + _AROUND, now)
    records = list(gateway.records(first, last))
    return _reconcile(gateway, records, window, window, API, actor, now)


def reconcile_file(
    *,
    slug: str,
    name: str,
    file: bytes,
    window: Window | None = None,
    actor: str = ACTOR,
    now: datetime,
) -> Reconciled:
    """Compare a file that the provider handed out; what it says was paid out is noted.

    `window`: when what the file has to hold was decided; None: only what it holds is judged.
    Raises NoSuchGateway, NotTold, ValueError (the file cannot be read), NothingToCompare.
    """
    gateway = registry.gateway(slug)
    records = list(gateway.records_in(file))
    if not records and window is None:
        raise NothingToCompare
    span = window or Window(
        min(each.at for each in records), max(each.at for each in records) + _AROUND
    )
    done = _reconcile(gateway, records, span, window, name[:200], actor, now)
    _note_paid_out(gateway, records)
    return done


def reconcile_days(*, slug: str, since: date, until: date, now: datetime) -> Reconciled | None:
    """Compare whole days of the billing zone, the last not included; None where nothing is told.

    Raises NoSuchGateway, GatewayUnreachable, GatewayMisconfigured, AnswerLost.
    """
    zone = plans.vendor_zone()
    begin, end = (datetime.combine(day, datetime.min.time(), zone) for day in (since, until))
    try:
        return reconcile(slug=slug, since=begin, until=end, now=now)
    except (NotTold, NothingToCompare):
        return None


def default_window(slug: str, now: datetime) -> Window:
    """Return from where the last comparison ended to what the provider's report shows by now."""
    account = registry.gateway(slug).account
    until = now - REPORTS_LATE
    since = (
        queries.reconciled_until(slug, account)
        or queries.first_charge_at(slug, account)
        or until - timedelta(days=1)
    )
    return Window(since, until)


def plan(now: datetime) -> None:
    """Ask for the nightly comparison of each provider that tells: whole days, back to the last.

    A night that was missed, or in which the provider could not be asked, is made up for.
    """
    try:
        zone = plans.vendor_zone()
    except plans.NoVendor:
        return
    # Of the last day that is over and that reports show.
    until_on = (now - REPORTS_LATE).astimezone(zone).date()
    until = datetime.combine(until_on, datetime.min.time(), zone)
    for slug, gateway in registry.gateways().items():
        last = queries.reconciled_until(slug, gateway.account)
        since = last or queries.first_charge_at(slug, gateway.account)
        key = f"{slug}:{until_on}"
        if since is None or since >= until or work.was_asked(jobs.RECONCILE, key):
            continue
        with transaction.atomic():
            jobs.RECONCILE.enqueue(
                key=key,
                due_at=now,
                payload={
                    "gateway": slug,
                    "since": since.astimezone(zone).date().isoformat(),
                    "until": until_on.isoformat(),
                },
            )


def _reconcile(
    gateway: Gateway,
    records: Sequence[Record],
    span: Window,
    window: Window | None,
    source: str,
    actor: str,
    now: datetime,
) -> Reconciled:
    told = queries.theirs(records)
    prefix = plans.vendor().invoice_prefix
    compared = _compare(gateway, told, window, prefix)
    if settle(gateway, compared, now):
        compared = _compare(gateway, told, window, prefix)
    return store(gateway, compared, span, source, actor, now)


def _compare(
    gateway: Gateway, told: Sequence[Entry], window: Window | None, prefix: str
) -> Compared:
    rows = queries.ours(gateway.slug, gateway.account, told, window)
    return Compared(rows, matching.compare(rows.entries, told, prefix=prefix))


@transaction.atomic
def _note_paid_out(gateway: Gateway, records: Sequence[Record]) -> None:
    """Note on which day the provider paid out what it had bought."""
    for record in records:
        if record.paid_out_on is not None and record.key:
            Charge.objects.filter(
                gateway=gateway.slug,
                environment=gateway.account.environment,
                merchant=gateway.account.merchant,
                key=record.key,
                state=ChargeState.SUCCEEDED,
                settled_on=None,
            ).update(settled_on=record.paid_out_on)
