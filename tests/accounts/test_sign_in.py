import re

import pytest
from allauth.account import app_settings
from django.conf import settings
from django.contrib.auth.hashers import identify_hasher
from django.test import Client
from pytest_django import Settings

from accounts.models import User
from core.models import Mail
from tests import make
from tests.core.test_letters import Page

pytestmark = pytest.mark.django_db

EMAIL = "hanako@example.com"


@pytest.fixture
def root() -> User:
    make.vendor()
    return make.member(make.organisation(), email=EMAIL).user


@pytest.fixture
def _outbox(settings: Settings) -> None:
    """Send mail as the portal does: the test runner puts another backend in its place."""
    settings.EMAIL_BACKEND = "core.mail.OutboxBackend"


def _sign_in(client: Client, password: str = make.PASSWORD, **more: str) -> str:
    answer = client.post("/account/login/", {"login": EMAIL, "password": password, **more})
    return answer.headers.get("Location", "")


def test_the_right_password_signs_in_with_a_new_session(root: User) -> None:
    client = Client()
    client.get("/account/login/")
    client.session.save()
    before = client.cookies.get(settings.SESSION_COOKIE_NAME)

    assert _sign_in(client) == "/"

    after = client.cookies[settings.SESSION_COOKIE_NAME]
    assert before is None or before.value != after.value
    assert client.get("/").status_code == 302


def test_a_session_planted_before_is_not_the_one_after(root: User) -> None:
    client = Client()
    session = client.session
    session["planted"] = "yes"
    session.save()
    client.cookies[settings.SESSION_COOKIE_NAME] = session.session_key or ""

    _sign_in(client)

    assert client.cookies[settings.SESSION_COOKIE_NAME].value != session.session_key


@pytest.mark.parametrize("language", ["en", "ja"])
def test_a_wrong_password_and_an_unknown_address_look_alike(root: User, language: str) -> None:
    client = Client(headers={"accept-language": language})
    answers = [
        client.post("/account/login/", {"login": login, "password": "not the password"})
        for login in (EMAIL, "nobody@example.com")
    ]

    told = [
        re.sub(r'value="[^"]*"', "", answer.content.decode().partition("<main")[2])
        for answer in answers
    ]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert told[0] == told[1]
    assert 'role="alert"' in told[0]


@pytest.mark.parametrize(
    ("target", "leads_to"),
    [
        ("/account/email/", "/account/email/"),
        ("//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("https:evil.example", "/"),
        ("https://evil.example/", "/"),
        ("http://testserver/account/email/", "/"),
        ("javascript:alert(1)", "/"),
        ("/\t/evil.example", "/"),
    ],
)
def test_next_leads_to_own_paths_alone(root: User, target: str, leads_to: str) -> None:
    assert _sign_in(Client(), next=target) == leads_to


@pytest.mark.parametrize("target", ["//evil.example", "https://evil.example/", "/\\evil.example"])
def test_the_language_switch_leads_to_own_paths_alone(target: str) -> None:
    answer = Client().post("/language/", {"language": "ja", "next": target})

    assert answer.headers["Location"] == "/"


def test_signing_out_takes_a_post_and_ends_the_session_on_the_server(root: User) -> None:
    client = Client()
    _sign_in(client)
    kept = client.cookies[settings.SESSION_COOKIE_NAME].value

    assert client.get("/account/logout/").status_code == 200
    assert client.get("/").headers["Location"].startswith("/o/")
    client.post("/account/logout/")

    client.cookies[settings.SESSION_COOKIE_NAME] = kept
    assert client.get("/").headers["Location"] == "/account/login/?next=/"


def test_an_unsafe_request_without_a_token_is_refused(root: User) -> None:
    client = Client(enforce_csrf_checks=True)

    answer = client.post("/account/login/", {"login": EMAIL, "password": make.PASSWORD})

    assert answer.status_code == 403
    assert "The form was not sent" in answer.content.decode()


def test_limits_are_those_that_keep_guessing_slow(settings: Settings) -> None:
    settings.ACCOUNT_RATE_LIMITS = {}

    limits = app_settings.RATE_LIMITS

    assert limits["login_failed"] == "10/m/ip,5/300s/key"
    assert limits["login"] == "30/m/ip"
    assert limits["reset_password"] == "20/m/ip,5/m/key"


def test_the_right_password_is_refused_after_five_wrong_ones(
    root: User, settings: Settings
) -> None:
    settings.ACCOUNT_RATE_LIMITS = {}
    client = Client()

    for _attempt in range(5):
        assert _sign_in(client, password="not the password") == ""

    assert _sign_in(client) == ""
    assert client.get("/").status_code == 302


def test_a_claimed_address_does_not_escape_the_limit(root: User, settings: Settings) -> None:
    settings.ACCOUNT_RATE_LIMITS = {"login": "2/m/ip"}
    answers = [
        Client().post(
            "/account/login/",
            {"login": EMAIL, "password": "x"},
            headers={"X-Forwarded-For": f"203.0.113.{number}"},
        )
        for number in range(3)
    ]

    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert "Too many attempts" in answers[-1].content.decode()


def test_there_is_no_registration() -> None:
    page = Client().get("/account/signup/").content.decode()
    answer = Client().post(
        "/account/signup/",
        {"email": "new@example.com", "password1": make.PASSWORD, "password2": make.PASSWORD},
    )

    assert "There is no registration here" in page
    assert answer.status_code == 200
    assert not User.objects.exists()


@pytest.mark.usefixtures("_outbox")
def test_a_forgotten_password_is_set_anew_by_a_link_in_a_mail(root: User) -> None:
    client = Client(headers={"accept-language": "en"})
    client.post("/account/password/reset/", {"email": EMAIL}, headers={"host": "localhost"})
    mail = Mail.objects.get()
    link = re.search(rf"{settings.PORTAL_ORIGIN}(/account/password/reset/key/\S+)", mail.text)

    assert mail.to == [EMAIL]
    assert mail.subject == "Set a new password"
    assert link is not None
    form = client.get(link[1]).headers["Location"]
    new = "a wholly different secret"
    client.post(form, {"password1": new, "password2": new})
    assert _sign_in(Client(), password=new) == "/"
    assert _sign_in(Client()) == ""


@pytest.mark.usefixtures("_outbox")
def test_a_mail_says_in_html_what_it_says_in_text(root: User) -> None:
    Client().post(
        "/account/password/reset/",
        {"email": EMAIL},
        headers={"host": "localhost", "accept-language": "ja"},
    )

    mail = Mail.objects.get()
    page = Page(mail.html)
    link = re.search(r"\S+/account/password/reset/key/\S+", mail.text)
    assert link
    assert mail.subject == "パスワードの再設定"
    assert page.forbidden == []
    assert page.links == [link[0], "https://support.example.com/"]
    for said in (*page.seen[2:-1], *page.links):
        assert said in mail.text or said == mail.subject
    assert page.seen[:2] == ["カモメ・コネクト株式会社", "パスワードの再設定"]


@pytest.mark.usefixtures("_outbox")
def test_a_mails_link_does_not_follow_the_requests_host(root: User) -> None:
    Client().post(
        "/account/password/reset/",
        {"email": EMAIL},
        headers={"host": "127.0.0.1", "X-Forwarded-Host": "evil.example"},
    )

    text = Mail.objects.get().text
    assert "evil.example" not in text
    assert "127.0.0.1" not in text
    assert settings.PORTAL_ORIGIN in text


def test_a_foreign_host_is_refused() -> None:
    assert Client().get("/account/login/", headers={"host": "evil.example"}).status_code == 400


def test_a_short_common_or_similar_password_is_refused(root: User) -> None:
    client = Client()
    client.force_login(root)
    for new in ("short", "qwerty123456", "hanako@example"):
        answer = client.post(
            "/account/password/change/",
            {"oldpassword": make.PASSWORD, "password1": new, "password2": new},
        )
        assert answer.status_code == 200

    assert _sign_in(Client()) == "/"


@pytest.mark.usefixtures("_outbox")
def test_a_changed_password_ends_every_session(root: User) -> None:
    here, elsewhere = Client(), Client()
    _sign_in(here)
    _sign_in(elsewhere)
    new = "a wholly different secret"

    here.post(
        "/account/password/change/",
        {"oldpassword": make.PASSWORD, "password1": new, "password2": new},
    )

    assert elsewhere.get("/").headers["Location"] == "/account/login/?next=/"
    assert here.get("/").headers["Location"] == "/account/login/?next=/"
    assert Mail.objects.filter(to=[EMAIL]).count() == 1


def test_passwords_are_kept_with_argon2(root: User) -> None:
    assert identify_hasher(root.password).algorithm == "argon2"


@pytest.mark.parametrize("language", ["en", "ja"])
@pytest.mark.parametrize(
    "path",
    [
        "/account/login/",
        "/account/logout/",
        "/account/signup/",
        "/account/inactive/",
        "/account/password/reset/",
        "/account/password/reset/done/",
        "/account/password/reset/key/done/",
        "/account/password/reset/key/1-bad/",
        "/account/confirm-email/",
        "/account/confirm-email/bad/",
        "/account/password/change/",
        "/account/email/",
        "/account/reauthenticate/",
    ],
)
def test_every_page_of_sign_in_wears_the_portals_frame(
    root: User, path: str, language: str
) -> None:
    client = Client(headers={"accept-language": language})
    if path in {"/account/password/change/", "/account/email/", "/account/reauthenticate/"}:
        _sign_in(client)
    if path == "/account/logout/":
        client.force_login(root)

    page = client.get(path).content.decode()

    assert page.count("<h1>") == 1
    assert 'class="header__brand"' in page
    assert f'<html lang="{language}">' in page
    assert "style=" not in page
    assert "<script>" not in page


@pytest.mark.usefixtures("_outbox")
def test_a_change_of_addresses_asks_for_the_password_again(root: User) -> None:
    client = Client()
    client.force_login(root)
    new = {"action_add": "", "email": "other@example.com"}

    refused = client.post("/account/email/", new)
    client.post("/account/reauthenticate/", {"password": make.PASSWORD})
    client.post("/account/email/", new)

    assert refused.headers["Location"].startswith("/account/reauthenticate/")
    assert Mail.objects.get().to == ["other@example.com"]
