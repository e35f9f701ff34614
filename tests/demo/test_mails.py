"""Staff read the portal's mails in the browser, where there is no mail server."""

import runpy
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries
from pytest_django.fixtures import Settings

from accounts.models import User
from billing_portal import urls
from core import mail
from core.enums import WorkState
from core.models import Mail, Work
from tests import make

pytestmark = pytest.mark.django_db

EVIL = "<script>alert(1)</script>"


def staff() -> Client:
    make.vendor()
    user = User.objects.create_superuser("staff@example.com", make.PASSWORD, registered_at=make.NOW)
    client = Client()
    client.force_login(user)
    return client


def posted(count: int = 1, *, html: str = "<p>Said</p>", text: str = "Said") -> list[Mail]:
    """Store mails whose subjects are numbered, a minute apart; return them in their order."""
    for number in range(count):
        mail.post(
            [
                mail.Message(
                    to=("root@example.com",),
                    subject=f"Mail {number} {EVIL}",
                    text=text,
                    html=html,
                    reply_to="support@example.com",
                )
            ],
            make.NOW + timedelta(minutes=number),
        )
    return list(Mail.objects.order_by("pk"))


def test_the_list_shows_the_newest_first_and_how_far_each_is() -> None:
    client = staff()
    first, second, third = posted(3)
    Mail.objects.filter(pk=first.pk).update(sent_at=make.NOW)
    Work.objects.filter(key=str(second.pk)).update(
        state=WorkState.PARKED, ended_at=make.NOW, reason="550", owner="operations"
    )

    page = client.get(reverse("mails")).content.decode()

    places = [page.index(f"Mail {number}") for number in (2, 1, 0)]
    assert places == sorted(places)
    states = [page.index(state) for state in ("waits to be sent", "not sent", ">sent<")]
    assert states == sorted(states)
    assert "22 November 2026, 14:02 JST" in page
    assert f'href="{reverse("mail", args=[third.pk])}"' in page
    assert EVIL not in page


@pytest.mark.parametrize("count", [1, 3])
def test_the_list_asks_as_often_for_three_as_for_one(
    count: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    client = staff()
    posted(count)
    client.get(reverse("mails"))

    # Session, user; how many mails, the mails, their work.
    with django_assert_num_queries(5):
        client.get(reverse("mails"))


def test_the_list_goes_on_after_fifty() -> None:
    client = staff()
    posted(51)

    first, second = (client.get(reverse("mails"), {"page": page}) for page in (1, 2))

    assert first.content.decode().count("Mail ") == 50
    assert second.content.decode().count("Mail ") == 1


def test_without_mails_the_list_says_how_to_get_one() -> None:
    page = staff().get(reverse("mails")).content.decode()

    assert "No mails yet" in page
    assert "<table" not in page


def test_a_mail_is_shown_as_its_text_says_it() -> None:
    client = staff()
    (one,) = posted(text=f"Line\n{EVIL}\nhttp://localhost:8000/x/")

    page = client.get(reverse("mail", args=[one.pk])).content.decode()

    assert "Line<br>&lt;script&gt;alert(1)&lt;/script&gt;<br>" in page
    assert '<a href="http://localhost:8000/x/"' in page
    assert "support@example.com" in page
    assert f'href="{reverse("mail_html", args=[one.pk])}"' in page
    assert EVIL not in page


def test_the_html_of_a_mail_is_a_page_that_can_only_style_itself() -> None:
    client = staff()
    (one,) = posted(html="<p style='color: red'>Said</p>")

    answer = client.get(reverse("mail_html", args=[one.pk]))

    assert answer.content.decode() == "<p style='color: red'>Said</p>"
    assert answer.headers["Content-Security-Policy"] == (
        "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; sandbox"
    )
    assert answer.headers["X-Frame-Options"] == "DENY"
    assert answer.headers["Cache-Control"] == "no-store, private"


def test_a_mail_without_html_has_no_such_page() -> None:
    client = staff()
    (one,) = posted(html="")

    assert client.get(reverse("mail_html", args=[one.pk])).status_code == 404
    assert "mail_html" not in client.get(reverse("mail", args=[one.pk])).content.decode()


@pytest.mark.parametrize("name", ["mails", "mail", "mail_html"])
def test_mails_are_for_staff_alone(name: str) -> None:
    organisation = make.organisation()
    make.vendor()
    client = Client()
    client.force_login(make.member(organisation).user)
    (one,) = posted()
    url = reverse(name, args=[] if name == "mails" else [one.pk])

    assert client.get(url).status_code == 403
    assert Client().get(url).headers["Location"] == f"/account/login/?next={url}"


def test_staff_find_the_mails_in_their_menu_except_in_production(settings: Settings) -> None:
    client = staff()

    shown = []
    for settings.PRODUCTION in (False, True):
        page = client.get(reverse("components")).content.decode()
        shown.append(f'href="{reverse("mails")}"' in page)

    assert shown == [True, False]


def test_in_production_no_mail_is_routed(settings: Settings) -> None:
    routed = []
    for settings.PRODUCTION in (False, True):
        patterns = runpy.run_path(urls.__file__)["urlpatterns"]
        included = [getattr(each, "urlconf_name", None) for each in patterns]
        routed.append("demo.urls" in [getattr(each, "__name__", "") for each in included])

    assert routed == [True, False]
