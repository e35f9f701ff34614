"""Signing in is for who has an account by date; settings name what is here. Rule: S2-20, F60.

Whoever gives the right password of an account that was deactivated reads what happened and whom to
ask; nobody else learns of it (ASVS 6.3.8).
"""

from typing import Any

from allauth.account.internal.stagekit import clear_login
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from accounts.adapter import AccountAdapter
from accounts.models import User
from core import clock
from seats.queries import access
from seats.services import guard


class SignInAdapter(AccountAdapter):
    """The adapter of the accounts room, with the door shut for who has no account any more."""

    def pre_login(self, request: HttpRequest, user: User, **how: Any) -> HttpResponse | None:
        answer: HttpResponse | None = super().pre_login(request, user, **how)
        if answer is not None or _may_enter(user):
            return answer
        clear_login(request)
        return render(
            request,
            "account/deactivated.html",
            {"places": access.places_left(user)},
            status=403,
        )

    def send_password_reset_mail(self, user: User, email: str, context: dict[str, Any]) -> None:
        """Send the link, or say why there is none to somebody who has no account any more."""
        if _may_enter(user):
            super().send_password_reset_mail(user, email, context)
        else:
            values = {**context, "places": access.places_left(user)}
            self.send_mail("account/email/deactivated", email, values)


def _may_enter(user: User) -> bool:
    return guard.settle_for(user, clock.now()) and access.may_enter(user)
