"""Links for a new password: dead as soon as their reader has no account any more. Rule: F60.

A setting names this for allauth, which imports it in the midst of its own forms: import it nowhere else.
"""

from allauth.account.forms import EmailAwarePasswordResetTokenGenerator

from accounts.models import User
from core import clock
from seats.queries import access
from seats.services import guard


class ResetTokens(EmailAwarePasswordResetTokenGenerator):  # type: ignore[misc]  # allauth ships no types
    def check_token(self, user: User | None, token: str | None) -> bool:
        return (
            user is not None
            and bool(super().check_token(user, token))
            and guard.settle_for(user, clock.now())
            and access.may_enter(user)
        )
