from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from accounts.enums import Role
from accounts.models import Membership
from tests import make


def _register(*arguments: str) -> str:
    out = StringIO()
    call_command("register_member", *arguments, stdout=out)
    return out.getvalue()


@pytest.mark.django_db
def test_a_registered_person_signs_in_with_the_password_that_was_shown() -> None:
    make.organisation(name="Atlas Orion")

    printed = _register("--organisation-name", "Atlas Orion", "--email", "Ada@example.com")
    password = printed.partition("shown this once: ")[2].strip()
    answer = Client().post("/account/login/", {"login": "ada@example.com", "password": password})

    assert Membership.objects.get().role == Role.ROOT
    assert answer.status_code == 302
    assert answer.headers["Location"] == "/"


@pytest.mark.django_db
def test_the_second_person_has_the_role_that_was_asked() -> None:
    organisation = make.organisation(reference="atlas")
    make.member(organisation)

    _register("--organisation", "atlas", "--email", "bo@example.com", "--role", "manager")

    assert Membership.objects.get(user__email="bo@example.com").role == Role.MANAGER


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--organisation", "nobody", "--email", "a@example.com"], "0 organisations"),
        (["--organisation-name", "Twin", "--email", "a@example.com"], "2 organisations"),
        (["--organisation", "one", "--email", "no address"], "no e-mail address"),
        (["--organisation", "one", "--email", "here@example.com"], "registered with Twin already"),
    ],
)
def test_what_cannot_be_done_is_refused_in_words(arguments: list[str], words: str) -> None:
    one = make.organisation(reference="one", name="Twin")
    make.organisation(name="Twin")
    make.member(one, email="here@example.com")

    with pytest.raises(CommandError, match=words):
        _register(*arguments)

    assert Membership.objects.count() == 1
