from datetime import date, datetime

from django.http import HttpRequest, HttpResponse
from django.urls import path

from accounts.access import API_KEY, Access
from billing_portal import access, urls
from core import clock, statements
from core.months import BillingMonth
from ordering.queries import entitlements
from plans import queries as plans

_KEY = "SELECT * FROM accounts_apikey WHERE prefix = %s AND revoked_at IS NULL"


def bare(request: HttpRequest, reference: str) -> HttpResponse:
    """Run the statements of the entitlements view, and say nothing of what they find."""
    prefix = request.headers["Authorization"].removeprefix("Bearer ").partition(".")[0]
    with statements.prepared() as cursor:
        cursor.execute(_KEY, [prefix])
        cursor.fetchone()
        cursor.execute(entitlements.STATEMENT, _values(reference, clock.now()))
        row = cursor.fetchone()
    return HttpResponse(b"" if row else b"none")


def _values(reference: str, now: datetime) -> dict[str, str | date | None]:
    zone = plans.zone_for_pages()
    month = BillingMonth.containing(now, zone)
    return {
        "reference": reference,
        "organisation_id": None,
        "now": now,
        "today": now.astimezone(zone).date(),
        "begins_at": month.starts_at(zone),
        "first_day": month.first_day,
        "end": month.next.first_day,
    }


urlpatterns = [
    path("api/v1/organisations/<path:reference>/bare", bare, name="bare"),
    *urls.urlpatterns,
]
ACCESS: dict[str, Access] = access.ACCESS | {"bare": API_KEY}
