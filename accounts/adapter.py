from allauth.account.adapter import DefaultAccountAdapter
from allauth.core import context as allauth_context
from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme

from core import letters

_FOOT = "\n-- \n"


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]  # allauth ships no types
    """How allauth behaves here: accounts come by invitation, never by sign-up.

    Links in its mails are made from the settings, never from a request's host. Rule: F76.
    """

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def is_safe_url(self, url: str) -> bool:
        """Return whether `url` is a path of this portal: no host, not even our own. Rule: F76."""
        return url.startswith("/") and url_has_allowed_host_and_scheme(url, allowed_hosts=None)

    def render_mail(
        self,
        template_prefix: str,
        email: str | list[str],
        context: dict[str, object],
        headers: dict[str, str] | None = None,
    ) -> EmailMultiAlternatives:
        """Return allauth's mail with an HTML part that says the same, in the design of all mails."""
        message: EmailMultiAlternatives = super().render_mail(
            template_prefix, email, context, headers
        )
        said = str(message.body).partition(_FOOT)[0]
        values = {
            "subject": message.subject,
            "parts": letters.parts_of(said, label=str(message.subject)),
        }
        html = render_to_string("account/email/frame.html", values, allauth_context.request)
        message.attach_alternative(html, "text/html")
        return message

    def get_reset_password_from_key_url(self, key: str) -> str:
        # allauth's keys are "<user>-<token>"; the route takes the two apart.
        user, _, token = key.partition("-")
        path = reverse("account_reset_password_from_key", kwargs={"uidb36": user, "key": token})
        return f"{settings.PORTAL_ORIGIN}{path}"

    def get_email_confirmation_url(self, request: HttpRequest, emailconfirmation: object) -> str:
        key = getattr(emailconfirmation, "key", "")
        return f"{settings.PORTAL_ORIGIN}{reverse('account_confirm_email', args=[key])}"
