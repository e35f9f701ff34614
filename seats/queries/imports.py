from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Count, QuerySet

from accounts.models import Organisation
from seats.enums import ImportState, RowState
from seats.models import AccountImport, ImportRow


@dataclass(frozen=True, slots=True)
class Progress:
    """How many rows of an import stand how."""

    ready: int = 0
    registered: int = 0
    there: int = 0
    wrong: int = 0
    full: int = 0

    @property
    def total(self) -> int:
        return self.ready + self.registered + self.there + self.wrong + self.full

    @property
    def settled(self) -> int:
        """How many rows have their result."""
        return self.total - self.ready


def of(organisation: Organisation, public_id: UUID) -> AccountImport | None:
    """Return an import of the organisation; None where it has no such one."""
    return AccountImport.objects.filter(organisation=organisation, public_id=public_id).first()


def sent_by(organisation: Organisation, operation: UUID) -> AccountImport | None:
    """Return what a form has brought about, if it was sent before. Rule: R3."""
    return AccountImport.objects.filter(organisation=organisation, operation=operation).first()


def latest(organisation: Organisation, number: int = 5) -> list[AccountImport]:
    """Return the last imports of an organisation, newest first, with `size`, how many rows each has."""
    rows = AccountImport.objects.filter(organisation=organisation).annotate(size=Count("rows"))
    return list(rows.order_by("-created_at", "-pk")[:number])


def progress(batch: AccountImport) -> Progress:
    """Return how far an import is."""
    rows = batch.rows.order_by().values_list("state").annotate(number=Count("pk"))
    return Progress(**{RowState(state).value: number for state, number in rows})


def rows_of(batch: AccountImport, state: RowState | None = None) -> QuerySet[ImportRow]:
    """Return the rows of an import in the order of the file, all or those that stand so."""
    rows = ImportRow.objects.filter(batch=batch).order_by("line")
    return rows.filter(state=state) if state else rows


def running() -> list[int]:
    """Return the imports that are confirmed and not done."""
    rows = AccountImport.objects.filter(state=ImportState.RUNNING).order_by("pk")
    return list(rows.values_list("pk", flat=True))


def forgotten(before_checked: datetime, before_done: datetime) -> QuerySet[AccountImport]:
    """Return imports that were never confirmed, or are done, since long ago."""
    return AccountImport.objects.filter(
        state=ImportState.CHECKED, created_at__lt=before_checked
    ) | AccountImport.objects.filter(state=ImportState.DONE, done_at__lt=before_done)
