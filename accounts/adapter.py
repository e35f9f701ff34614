from allauth.account.adapter import DefaultAccountAdapter
from django.http import HttpRequest


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]  # allauth ships no types
    """How allauth behaves here: accounts come by invitation, never by sign-up."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False
