"""Archives that were asked for."""

from collections.abc import Iterator
from datetime import datetime
from uuid import UUID

from django.db.models import QuerySet

from accounts.models import Organisation
from archives import jobs
from archives.enums import ArchiveState
from archives.models import Archive, ArchivePart
from core.enums import WorkState
from core.models import Work


def archives_of(organisation: Organisation) -> QuerySet[Archive]:
    """Return an organisation's archives, the newest first."""
    return Archive.objects.filter(organisation=organisation).order_by("-asked_at", "-pk")


def to_fetch(organisation: Organisation, archive: UUID, now: datetime) -> Archive | None:
    """Return the archive with this public id, if it can be fetched now."""
    return (
        archives_of(organisation)
        .filter(public_id=archive, state=ArchiveState.READY, expires_at__gt=now)
        .first()
    )


def is_stuck(archive: Archive) -> bool:
    """Return whether making it waits for staff."""
    return Work.objects.filter(
        kind=jobs.MAKE.kind, key=str(archive.pk), state=WorkState.PARKED
    ).exists()


def content(archive: Archive) -> Iterator[bytes]:
    """Yield the file, a piece at a time."""
    for part in (
        ArchivePart.objects.filter(archive=archive).order_by("position").iterator(chunk_size=1)
    ):
        yield bytes(part.content)
