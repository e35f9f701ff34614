"""An archive is put together file by file, and told to who asked for it. Rule: S1-29."""

import hashlib
import logging
import tempfile
import zipfile
from datetime import datetime, timedelta
from typing import IO

import orjson
from django.db import transaction

from accounts import services as accounts
from accounts.models import Organisation
from archives import jobs
from archives.documents import entries
from archives.documents.entries import Entry
from archives.enums import ArchiveState
from archives.models import Archive, ArchivePart
from archives.services import letters
from billing.services import documents
from core import audit

log = logging.getLogger(__name__)

KEPT_FOR = timedelta(days=7)
# Somebody who asks again so soon gets the one that is there.
SAME_WITHIN = timedelta(minutes=10)
_PIECE = 1024 * 1024
_IN_MEMORY = 8 * 1024 * 1024


@transaction.atomic
def ask(*, organisation_id: int, user_id: int, now: datetime) -> Archive:
    """Ask for an archive of all data; return the one that is being made, or was just made, if any."""
    organisation = accounts.lock(organisation_id)
    latest = Archive.objects.filter(organisation=organisation).order_by("-asked_at", "-pk").first()
    if latest is not None and (
        latest.state == ArchiveState.WAITING
        or (latest.state == ArchiveState.READY and latest.asked_at > now - SAME_WITHIN)
    ):
        return latest
    archive = Archive.objects.create(organisation=organisation, asked_by_id=user_id, asked_at=now)
    jobs.MAKE.enqueue(
        key=str(archive.pk),
        due_at=now,
        payload={"archive_id": archive.pk},
        organisation_id=organisation.pk,
    )
    audit.record(
        actor=f"user:{user_id}",
        action="archive.asked",
        subject=f"archive:{archive.pk}",
        organisation_id=organisation.pk,
        at=now,
    )
    return archive


def make(*, archive_id: int, now: datetime) -> None:
    """Put an archive together and store it; one that is made already stays as it is.

    Whoever is stopped in between begins anew. Holds no transaction while it works.
    """
    archive = Archive.objects.select_related("organisation").get(pk=archive_id)
    if archive.state != ArchiveState.WAITING:
        return
    with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY) as file:
        _write(file, archive.organisation, archive.pk, now)
        _store(archive.pk, file, now)


@transaction.atomic
def forget(*, now: datetime) -> int:
    """Delete the content of archives that were kept for their time; return how many."""
    due = list(
        Archive.objects.select_for_update(skip_locked=True)
        .filter(state=ArchiveState.READY, expires_at__lte=now)
        .values_list("pk", flat=True)[:100]
    )
    ArchivePart.objects.filter(archive__in=due).delete()
    Archive.objects.filter(pk__in=due).update(state=ArchiveState.GONE)
    return len(due)


def _write(file: IO[bytes], organisation: Organisation, archive_id: int, now: datetime) -> None:
    wanted = entries.entries(organisation)
    listed: list[dict[str, object]] = []
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for position, entry in enumerate(wanted, start=1):
            for name, content in _made(entry, now):
                archive.writestr(name, content)
                listed.append(
                    {
                        "name": name,
                        "bytes": len(content),
                        "sha256": hashlib.sha256(content).hexdigest(),
                    }
                )
            Archive.objects.filter(pk=archive_id).update(done=position, total=len(wanted))
        manifest = {
            "organisation": organisation.reference,
            "made_at": now.isoformat(),
            "files": listed,
        }
        archive.writestr("manifest.json", orjson.dumps(manifest, option=orjson.OPT_INDENT_2))


def _made(entry: Entry, now: datetime) -> list[tuple[str, bytes]]:
    if entry.invoice_id is None:
        return [(entry.name, entry.make())] if entry.make else []
    pdf = bytes(documents.make_document(invoice_id=entry.invoice_id, now=now).pdf)
    return list(entries.document(entries.sheet(entry.invoice_id), pdf))


@transaction.atomic
def _store(archive_id: int, file: IO[bytes], now: datetime) -> None:
    archive = Archive.objects.select_for_update().get(pk=archive_id)
    if archive.state != ArchiveState.WAITING:
        return
    digest, size, position = hashlib.sha256(), 0, 0
    file.seek(0)
    while piece := file.read(_PIECE):
        ArchivePart.objects.create(archive=archive, position=position, content=piece)
        digest.update(piece)
        size, position = size + len(piece), position + 1
    archive.state, archive.made_at, archive.expires_at = ArchiveState.READY, now, now + KEPT_FOR
    archive.size, archive.sha256 = size, digest.digest()
    archive.save(update_fields=["state", "made_at", "expires_at", "size", "sha256"])
    _replace_older(archive)
    letters.ready(archive, now)


def _replace_older(archive: Archive) -> None:
    """Delete the content of the archives before: who asks every ten minutes fills no disk."""
    older = list(
        Archive.objects.select_for_update()
        .filter(organisation=archive.organisation_id, state=ArchiveState.READY)
        .exclude(pk=archive.pk)
        .order_by("pk")
        .values_list("pk", flat=True)
    )
    ArchivePart.objects.filter(archive__in=older).delete()
    Archive.objects.filter(pk__in=older).update(state=ArchiveState.GONE)
