"""What the pages of accounts say: states, causes, refusals."""

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext

from accounts.models import Organisation
from core import clock
from core.months import last_day
from core.templatetags.writing import day
from plans import queries as plans
from seats.enums import Cause, Status
from seats.models import Deactivation
from seats.services import accounts

# Why nobody is registered whose account was deleted minutes after it had been invited.
JUST_SENT = gettext_lazy(
    "An invitation was sent to this address some minutes ago. Wait five minutes, then register it again."
)


@dataclass(frozen=True, slots=True)
class Way:
    """A link to what helps."""

    label: str
    url: str


@dataclass(frozen=True, slots=True)
class Refused:
    """What was not done, why, and where to go on."""

    text: str
    ways: tuple[Way, ...] = ()


def badge(status: Status) -> tuple[str, str]:
    """Return a status in words, and the kind of its badge."""
    match status:
        case Status.ACTIVE:
            return pgettext("account", "active"), "good"
        case Status.INVITED:
            return _("invited"), "accent"
        case Status.DEACTIVATED:
            return _("deactivated"), ""


def on(at: datetime | None, zone: ZoneInfo) -> str:
    """Return the day of an instant in the vendor's zone; empty where there is none."""
    return day(at.astimezone(zone).date()) if at else ""


def cause(deactivation: Deactivation, zone: ZoneInfo) -> str:
    """Say which end of a contract it was, and which contract. Rule: S2-11."""
    match Cause(deactivation.cause):
        case Cause.SPOT_END if deactivation.spot_order:
            return _("spot order %(number)s ended") % {"number": deactivation.spot_order.number}
        case Cause.SPOT_END:
            return _("a spot contract ended")
        case Cause.CONTRACT_END:
            end = deactivation.due_at.astimezone(zone).date()
            return _("the main contract ended on %(day)s") % {"day": day(last_day(end))}
        case _:
            return _("the contract with us ended")


def full(organisation: Organisation, refusal: accounts.Full, wanted: int = 1) -> Refused:
    """Say how many places there are, and how to have more. Rule: S2-19."""
    free = max(0, refusal.allowed - refusal.in_use)
    told = _(
        "Accounts in use: %(in_use)s of %(allowed)s. Places free: %(free)s; needed: %(wanted)s."
    ) % {
        "in_use": refusal.in_use,
        "allowed": refusal.allowed,
        "free": free,
        "wanted": wanted,
    }
    return Refused(f"{told} {_what_helps(organisation)}", more_places(organisation))


def _what_helps(organisation: Organisation) -> str:
    if _is_over(organisation):
        return _("Your contract has ended: the root account alone is left, until you come back.")
    if organisation.closed_on is not None:
        return _(
            "Your contract is cancelled, so nothing can be added. Deactivate accounts that are not"
            " needed, or withdraw the cancellation first."
        )
    return _("Deactivate accounts that are not needed, or raise the number:")


def _is_over(organisation: Organisation) -> bool:
    closed_on = organisation.closed_on
    return closed_on is not None and closed_on <= clock.today(plans.zone_for_pages())


def more_places(organisation: Organisation) -> tuple[Way, ...]:
    """Return the ways to more accounts that the portal has; who cancels, or has left, orders nothing."""
    if _is_over(organisation):
        return ways(organisation, ("cancellation_reopen", _("Come back")))
    if organisation.closed_on is not None:
        return ways(organisation, ("cancellation_withdraw", _("Withdraw the cancellation")))
    return ways(
        organisation,
        ("order_spot", _("Add spot")),
        ("order_licences", _("Add licences")),
    )


def ways(organisation: Organisation, *named: tuple[str, str]) -> tuple[Way, ...]:
    """Return links to pages of other rooms, which are known by name alone; what is not there is left out."""
    found = []
    for name, label in named:
        try:
            url = reverse(name, kwargs={"organisation": organisation.public_id})
        except NoReverseMatch:
            continue
        found.append(Way(label, url))
    return tuple(found)
