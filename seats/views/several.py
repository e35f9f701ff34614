"""One act on one or several accounts: asked for by its names, then done. Rule: S1-12, S2-11, F59, F60."""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods

from accounts.access import PortalRequest
from accounts.enums import Role
from accounts.models import Membership, Organisation
from core import clock
from seats.enums import Act
from seats.models import Group
from seats.queries import accounts as queries
from seats.queries import groups as group_queries
from seats.services import accounts, groups, invitations
from seats.views import shown, words
from seats.views.words import Refused

# No list shows more of them at once.
MOST = queries.PAGE


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be done with whom. `others`: of those chosen, whom it does not concern, and why."""

    act: Act
    accounts: tuple[Membership, ...]
    others: tuple[str, ...] = ()

    @property
    def ids(self) -> list[int]:
        return [each.pk for each in self.accounts]


@require_http_methods(["GET", "HEAD", "POST"])
def several(request: PortalRequest) -> HttpResponse:
    """Ask, by its own words and names, whether an act is meant; by POST, do it."""
    given = request.POST if request.method == "POST" else request.GET
    asked = _asked(request.organisation, given)
    if asked is None:
        return render(request, "seats/nobody.html", {"organisation": request.organisation})
    if request.method != "POST" or not asked.accounts:
        return _page(request, asked)
    try:
        done = _do(request, asked, given)
    except accounts.Full as refusal:
        told = words.full(request.organisation, refusal, len(asked.accounts))
        return _page(request, asked, told, status=409)
    except accounts.OfTheRoot:
        return _page(request, asked, Refused(_("The root account stays as it is.")), status=409)
    except groups.NoSuchGroup:
        return _page(request, asked, Refused(_("Choose a group.")), status=400)
    messages.success(request, done)
    return _onwards(request, asked)


def url_of(organisation: Organisation, act: Act, accounts: Sequence[Membership]) -> str:
    """Return the page that asks for an act on accounts."""
    chosen = [("act", act.value), *(("account", str(each.public_id)) for each in accounts)]
    path = reverse("accounts_several", kwargs={"organisation": organisation.public_id})
    return f"{path}?{urlencode(chosen)}"


def _asked(organisation: Organisation, given: QueryDict) -> Asked | None:
    """Return what is asked for; None where it is nothing, or about nobody."""
    act = given.get("act", "")
    chosen = queries.several(organisation, _ids(given.getlist("account")[:MOST]))
    if act not in Act.values or not chosen:
        return None
    wanted = Act(act)
    why_not = {each.pk: _why_not(wanted, each) for each in chosen}
    return Asked(
        act=wanted,
        accounts=tuple(each for each in chosen if not why_not[each.pk]),
        others=tuple(
            f"{each.user.email}: {why_not[each.pk]}" for each in chosen if why_not[each.pk]
        ),
    )


def _why_not(act: Act, account: Membership) -> str:
    is_active = account.deactivated_at is None
    match act:
        case Act.DEACTIVATE | Act.DELETE if account.role == Role.ROOT:
            return _("the root account always stays")
        case Act.DEACTIVATE if not is_active:
            return _("is deactivated already")
        case Act.REACTIVATE if is_active:
            return _("is active already")
        case _:
            return ""


def _ids(written: Sequence[str]) -> list[UUID]:
    found = []
    for each in written:
        try:
            found.append(UUID(each))
        except ValueError:
            continue
    return found


def _do(request: PortalRequest, asked: Asked, given: QueryDict) -> str | SafeString:
    """Do it, and say what was done."""
    organisation, now, actor = request.organisation, clock.now(), str(request.user)
    of = {"organisation_id": organisation.pk}
    match asked.act:
        case Act.DEACTIVATE:
            number = accounts.deactivate(
                organisation_id=organisation.pk, membership_ids=asked.ids, actor=actor, now=now
            )
            return _deactivated(organisation, asked, number)
        case Act.REACTIVATE:
            number = accounts.reactivate(
                organisation_id=organisation.pk, membership_ids=asked.ids, actor=actor, now=now
            )
            late = [each for each in asked.accounts if not _invite_anew(organisation, each, actor)]
            if late:
                messages.info(request, _not_invited(len(late)))
            return ngettext(
                "%(number)s account is active again.",
                "%(number)s accounts are active again.",
                number,
            ) % {"number": number}
        case Act.DELETE:
            number = accounts.delete(
                organisation_id=organisation.pk, membership_ids=asked.ids, actor=actor, now=now
            )
            return ngettext(
                "%(number)s account is deleted.", "%(number)s accounts are deleted.", number
            ) % {"number": number}
        case _:
            group = _group(organisation, given)
            number = groups.put_in(
                group_id=group.pk, membership_ids=asked.ids, actor=actor, now=now, **of
            )
            return ngettext(
                "%(number)s account is new in the group “%(group)s”.",
                "%(number)s accounts are new in the group “%(group)s”.",
                number,
            ) % {"number": number, "group": group.name}


def _deactivated(organisation: Organisation, asked: Asked, number: int) -> SafeString:
    told = ngettext(
        "%(number)s account is deactivated; its sessions have ended.",
        "%(number)s accounts are deactivated; their sessions have ended.",
        number,
    ) % {"number": number}
    back = url_of(organisation, Act.REACTIVATE, asked.accounts)
    return format_html('{} <a href="{}">{}</a>', told, back, _("Undo: reactivate"))


def _not_invited(number: int) -> str:
    return ngettext(
        "%(number)s account was invited some minutes ago: the link in that mail works again.",
        "%(number)s accounts were invited some minutes ago: the links in those mails work again.",
        number,
    ) % {"number": number}


def _invite_anew(organisation: Organisation, account: Membership, actor: str) -> bool:
    """Write anew to who never signed in; return False where they were written to minutes ago."""
    try:
        invitations.send_again(
            organisation_id=organisation.pk,
            membership_id=account.pk,
            actor=actor,
            now=clock.now(),
        )
    except invitations.NotWaiting:
        return True
    except invitations.JustSent:
        return False
    return True


def _group(organisation: Organisation, given: QueryDict) -> Group:
    """Raises NoSuchGroup."""
    chosen = _ids([given.get("group", "")])
    group = group_queries.group(organisation, chosen[0]) if chosen else None
    if group is None:
        raise groups.NoSuchGroup
    return group


def _page(
    request: PortalRequest, asked: Asked, refused: Refused | None = None, status: int = 200
) -> HttpResponse:
    organisation, number = request.organisation, len(asked.accounts)
    context = {
        "organisation": organisation,
        "asked": asked,
        "title": _title(asked.act, number),
        "consequences": _consequences(asked.act),
        "label": _label(asked.act, number),
        "names": shown.called(asked.accounts),
        "groups": list(group_queries.groups_of(organisation)) if asked.act is Act.GROUP else [],
        "refused": refused,
        "back": _back(organisation, asked.accounts),
    }
    return render(request, "seats/several.html", context, status=status)


def _title(act: Act, number: int) -> str:
    match act:
        case Act.DEACTIVATE:
            said = ngettext(
                "Deactivate %(number)s account?", "Deactivate %(number)s accounts?", number
            )
        case Act.REACTIVATE:
            said = ngettext(
                "Reactivate %(number)s account?", "Reactivate %(number)s accounts?", number
            )
        case Act.DELETE:
            said = ngettext("Delete %(number)s account?", "Delete %(number)s accounts?", number)
        case _:
            said = ngettext(
                "Add %(number)s account to a group", "Add %(number)s accounts to a group", number
            )
    return said % {"number": number}


def _label(act: Act, number: int) -> str:
    match act:
        case Act.DEACTIVATE:
            said = ngettext(
                "Deactivate %(number)s account", "Deactivate %(number)s accounts", number
            )
        case Act.REACTIVATE:
            said = ngettext(
                "Reactivate %(number)s account", "Reactivate %(number)s accounts", number
            )
        case Act.DELETE:
            said = ngettext("Delete %(number)s account", "Delete %(number)s accounts", number)
        case _:
            return _("Add to the group")
    return said % {"number": number}


def _consequences(act: Act) -> list[str]:
    match act:
        case Act.DEACTIVATE:
            return [
                _("They are signed out at once and cannot sign in to your organisation any more."),
                _("Their places become free. Data, groups and role stay."),
                _("You can reactivate them at any time while there are places."),
            ]
        case Act.REACTIVATE:
            return [
                _("They can sign in again at once, and each takes a place."),
                _(
                    "They leave the group “Auto Deactivation”; other groups and the role are as before."
                ),
            ]
        case Act.DELETE:
            return [
                _(
                    "They are signed out at once, and leave your list and all its groups. This"
                    " cannot be undone."
                ),
                _("Their places become free."),
                _("What stays: invoices, orders and usage, and the record of who did what."),
                _("Who belongs to other organisations too goes on signing in there."),
            ]
        case _:
            return [_("They stay in the groups that they are in already.")]


def _back(organisation: Organisation, accounts: Sequence[Membership]) -> str:
    if len(accounts) == 1:
        return _account(organisation, accounts[0])
    return reverse("accounts", kwargs={"organisation": organisation.public_id})


def _account(organisation: Organisation, account: Membership) -> str:
    return reverse(
        "account", kwargs={"organisation": organisation.public_id, "account": account.public_id}
    )


def _onwards(request: PortalRequest, asked: Asked) -> HttpResponse:
    if len(asked.accounts) == 1 and asked.act is not Act.DELETE:
        return redirect(_account(request.organisation, asked.accounts[0]))
    return redirect("accounts", organisation=request.organisation.public_id)
