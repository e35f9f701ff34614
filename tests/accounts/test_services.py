import hashlib
import threading
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, transaction

from accounts import queries, services
from accounts.enums import PaymentTerms, Role
from accounts.models import ApiKey, Membership, Organisation
from core.models import AuditEntry
from tests import make


@pytest.mark.django_db
def test_register_makes_the_first_person_root_whatever_was_asked() -> None:
    organisation = make.organisation()

    first = make.member(organisation, role=Role.MEMBER)
    second = make.member(organisation, role=Role.MANAGER)

    assert (first.role, second.role) == (Role.ROOT, Role.MANAGER)
    assert queries.root_of(organisation) == first.user


@pytest.mark.django_db
def test_register_again_is_refused_and_changes_nothing() -> None:
    organisation = make.organisation()
    member = make.member(organisation)

    with pytest.raises(IntegrityError), transaction.atomic():
        make.member(organisation, email=member.user.email)

    assert organisation.memberships.count() == 1
    assert AuditEntry.objects.filter(action="membership.registered").count() == 1


@pytest.mark.django_db
def test_a_person_may_belong_to_two_organisations() -> None:
    first, second = make.organisation(), make.organisation()
    member = make.member(first)

    other = make.member(second, email=member.user.email.upper())

    assert other.user == member.user
    assert [m.organisation for m in queries.memberships_of(member.user)] == [first, second]


@pytest.mark.django_db
def test_the_database_keeps_a_second_root_out() -> None:
    organisation = make.organisation()
    make.member(organisation)
    second = make.member(organisation)

    with pytest.raises(IntegrityError, match="membership_one_root"), transaction.atomic():
        Membership.objects.filter(pk=second.pk).update(role=Role.ROOT)


@pytest.mark.django_db
def test_without_its_index_a_second_root_could_come_in() -> None:
    organisation = make.organisation()
    make.member(organisation)
    second = make.member(organisation)
    with connection.cursor() as cursor:
        cursor.execute("DROP INDEX membership_one_root")

        Membership.objects.filter(pk=second.pk).update(role=Role.ROOT)

    assert organisation.memberships.filter(role=Role.ROOT).count() == 2


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("act", ["demote", "delete", "join without a root"])
def test_members_always_have_a_root(act: str) -> None:
    organisation = make.organisation()
    root = make.member(organisation)
    make.member(organisation)
    empty = make.organisation()

    def break_it() -> None:
        if act == "demote":
            Membership.objects.filter(pk=root.pk).update(role=Role.MEMBER)
        elif act == "delete":
            Membership.objects.filter(pk=root.pk).delete()
        else:
            Membership.objects.create(
                organisation=empty, user=root.user, role=Role.MEMBER, registered_at=make.NOW
            )

    with pytest.raises(IntegrityError, match="no root account"), transaction.atomic():
        break_it()

    assert queries.root_of(organisation) == root.user
    assert not empty.memberships.exists()


@pytest.mark.django_db(transaction=True)
def test_of_two_people_who_register_first_at_once_one_becomes_root() -> None:
    organisation = make.organisation()
    start = threading.Barrier(2)

    def register() -> None:
        start.wait()
        make.member(organisation)
        connection.close()

    threads = [threading.Thread(target=register) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    roles = organisation.memberships.values_list("role", flat=True)
    assert sorted(roles) == [Role.MEMBER, Role.ROOT]


@pytest.mark.django_db
def test_the_root_is_never_deactivated() -> None:
    root = make.member(make.organisation())

    with pytest.raises(IntegrityError, match="membership_root_is_active"), transaction.atomic():
        Membership.objects.filter(pk=root.pk).update(deactivated_at=make.NOW)


@pytest.mark.django_db
def test_an_organisation_with_members_cannot_be_deleted() -> None:
    organisation = make.organisation()
    make.member(organisation)

    with pytest.raises(IntegrityError):
        organisation.delete()

    assert Organisation.objects.filter(pk=organisation.pk).exists()


@pytest.mark.django_db
def test_membership_ends_with_deactivation() -> None:
    organisation = make.organisation()
    make.member(organisation)
    member = make.member(organisation)
    assert queries.membership(member.user, organisation.public_id) == member

    Membership.objects.filter(pk=member.pk).update(deactivated_at=make.NOW)

    assert queries.membership(member.user, organisation.public_id) is None


@pytest.mark.django_db
def test_an_api_key_is_kept_as_a_hash_and_found_by_what_its_holder_presents() -> None:
    key, presented = services.create_api_key(label="product", actor=make.ACTOR, now=make.NOW)

    secret = presented.partition(".")[2]
    stored = ApiKey.objects.get()
    assert bytes(stored.secret_digest) == hashlib.sha256(secret.encode()).digest()
    assert queries.api_key(presented) == key


@pytest.mark.django_db
def test_a_wrong_or_revoked_api_key_is_nobody() -> None:
    key, presented = services.create_api_key(label="product", actor=make.ACTOR, now=make.NOW)

    for wrong in ["", ".", presented[:-1], presented + "x", f"{key.prefix}.", f"x{presented}"]:
        assert queries.api_key(wrong) is None

    ApiKey.objects.update(revoked_at=make.NOW)
    assert queries.api_key(presented) is None


@pytest.mark.django_db
def test_a_key_is_revoked_at_once_and_the_trail_says_why() -> None:
    key, presented = services.create_api_key(label="product", actor=make.ACTOR, now=make.NOW)

    call_command("revoke_api_key", presented, "--reason", "leaked", stdout=StringIO())

    assert queries.api_key(presented) is None
    entry = AuditEntry.objects.get(action="api_key.revoked")
    assert entry.details == {"prefix": key.prefix, "label": "product", "reason": "leaked"}
    with pytest.raises(CommandError, match="no live key"):
        call_command("revoke_api_key", key.prefix, "--reason", "again")


@pytest.mark.django_db
def test_payment_terms_are_set_once_and_the_trail_says_by_whom() -> None:
    organisation = make.organisation()

    changed = [
        services.set_payment_terms(
            organisation_id=organisation.pk,
            terms=PaymentTerms.PAYPAL,
            actor="user:7",
            now=make.NOW,
        )
        for _ in range(2)
    ]

    organisation.refresh_from_db()
    assert (changed, organisation.payment_terms) == ([True, False], "paypal")
    entry = AuditEntry.objects.get(action="organisation.payment_terms")
    assert (entry.actor, entry.details) == ("user:7", {"before": "none", "after": "paypal"})
