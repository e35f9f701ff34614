"""Many accounts from a file: checked whole, confirmed once, carried out row by row. Rule: R1, R3.

A row is registered and has its result in one transaction: who is killed goes on where it stopped.
"""

import time
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction

from accounts import services as organisations
from accounts.enums import Role
from core import audit
from seats import jobs
from seats.enums import ImportState, Problem, RowState
from seats.models import AccountImport, ImportRow
from seats.queries import accounts as known
from seats.queries import imports as queries
from seats.rules.import_rows import Row
from seats.services import accounts, groups, invitations

# So many rows are one transaction: the organisation's lock is not held for long.
AT_ONCE = 20
# After so many seconds other work gets its turn; far below a worker's lease.
SECONDS = 20.0
KEEP_CHECKED = timedelta(days=7)
# Of an organisation, so many files that nobody confirms are kept.
MOST_CHECKED = 20
KEEP_DONE = timedelta(days=90)


class NoSuchImport(Exception):
    """The organisation has no such import (any more)."""


class NothingToDo(Exception):
    """No row of the file is to be registered."""


@transaction.atomic
def check(
    *, organisation_id: int, operation: UUID, rows: Sequence[Row], user_id: int, now: datetime
) -> AccountImport:
    """Store the rows of a file with what would become of each; nobody is registered yet.

    The same form again brings back what it stored. Of those that nobody confirmed, the oldest make
    room. Raises `groups.TooMany`. Rule: R3.
    """
    organisation = organisations.lock(organisation_id)
    before = queries.sent_by(organisation, operation)
    if before is not None:
        return before
    groups.room_for(organisation_id, {name for row in rows for name in row.groups})
    checked = AccountImport.objects.filter(organisation=organisation, state=ImportState.CHECKED)
    too_many = list(checked.order_by("-pk").values_list("pk", flat=True)[MOST_CHECKED - 1 :])
    AccountImport.objects.filter(pk__in=too_many).delete()
    batch = AccountImport.objects.create(
        organisation=organisation, operation=operation, created_by_id=user_id, created_at=now
    )
    there = known.registered_among(organisation, [row.email for row in rows])
    ImportRow.objects.bulk_create([_stored(batch, row, there) for row in rows], batch_size=2_000)
    return batch


@transaction.atomic
def confirm(*, organisation_id: int, batch_id: int, actor: str, now: datetime) -> bool:
    """Have an import carried out; return whether that is new. Raises NoSuchImport, NothingToDo."""
    organisation = organisations.lock(organisation_id)
    batch = AccountImport.objects.filter(organisation=organisation, pk=batch_id).first()
    if batch is None:
        raise NoSuchImport
    if batch.state != ImportState.CHECKED:
        return False
    ready = queries.rows_of(batch, RowState.READY).count()
    if not ready:
        raise NothingToDo
    AccountImport.objects.filter(pk=batch.pk).update(state=ImportState.RUNNING, confirmed_at=now)
    audit.record(
        actor=actor,
        action="accounts.import_confirmed",
        subject=f"account_import:{batch.pk}",
        organisation_id=organisation.pk,
        at=now,
        details={"rows": ready},
    )
    _ask(batch.pk, organisation.pk, now)
    return True


def carry_out(*, batch_id: int, now: datetime, seconds: float = SECONDS) -> bool:
    """Register the rows that have no result yet, some at a time; return whether none is left.

    Each row is judged again: by what is registered, and which places are left, when its turn comes.
    """
    began = time.monotonic()
    while time.monotonic() - began < seconds:
        if not _some(batch_id, now):
            return True
    return False


@transaction.atomic
def take_up(now: datetime) -> None:
    """Ask for every import that is confirmed and not done. Rule: R1."""
    for batch in AccountImport.objects.filter(pk__in=queries.running()):
        _ask(batch.pk, batch.organisation_id, now)


def forget(now: datetime) -> None:
    """Delete what nobody confirmed, and what was done long ago: the rows hold addresses."""
    queries.forgotten(now - KEEP_CHECKED, now - KEEP_DONE).delete()


def _ask(batch_id: int, organisation_id: int, now: datetime) -> None:
    jobs.IMPORT_ACCOUNTS.enqueue(
        key=str(batch_id),
        due_at=now,
        payload={"batch_id": batch_id},
        organisation_id=organisation_id,
    )


@transaction.atomic
def _some(batch_id: int, now: datetime) -> bool:
    """Register a few rows under the organisation's lock; return False when none was left."""
    batch = AccountImport.objects.filter(pk=batch_id).first()
    if batch is None:
        return False
    organisations.lock(batch.organisation_id)
    # Two workers may hold the same import: the second one finds its rows settled.
    rows = list(queries.rows_of(batch, RowState.READY)[:AT_ONCE])
    if not rows:
        AccountImport.objects.filter(pk=batch_id, state=ImportState.RUNNING).update(
            state=ImportState.DONE, done_at=now
        )
        return False
    actor = f"user:{batch.created_by_id}"
    group_ids = groups.named(
        organisation_id=batch.organisation_id,
        names=_names(rows),
        actor=actor,
        now=now,
    )
    for row in rows:
        row.state = _register(batch, row, group_ids, actor, now)
    ImportRow.objects.bulk_update(rows, ["state", "problem"])
    return True


def _register(
    batch: AccountImport, row: ImportRow, group_ids: dict[str, int], actor: str, now: datetime
) -> RowState:
    """Register the person of a row; return its result, and note in the row what was wrong, if anything."""
    try:
        invitations.invite(
            organisation_id=batch.organisation_id,
            email=row.email,
            name=row.name,
            role=Role(row.role),
            group_ids=[group_ids[name.lower()] for name in row.groups],
            actor=actor,
            now=now,
        )
    except accounts.RegisteredBefore:
        return RowState.THERE
    except accounts.Full:
        return RowState.FULL
    except invitations.JustSent:
        row.problem = Problem.JUST_SENT
        return RowState.WRONG
    return RowState.REGISTERED


def _names(rows: Iterable[ImportRow]) -> list[str]:
    found: dict[str, str] = {}
    for row in rows:
        for name in row.groups:
            found.setdefault(name.lower(), name)
    return list(found.values())


def _stored(batch: AccountImport, row: Row, there: set[str]) -> ImportRow:
    state, problem = RowState.READY, row.problem
    if problem in {None, Problem.ROOT} and row.email in there:
        state, problem = RowState.THERE, None
    elif problem is not None:
        state = RowState.WRONG
    return ImportRow(
        batch=batch,
        line=row.line,
        email=row.email,
        name=row.name,
        role=row.role,
        groups=list(row.groups),
        state=state,
        problem=problem or "",
        about=row.about if problem else "",
    )
