import uuid

from django.db import models
from django.db.models import Q

from accounts.models import Organisation, User
from archives.enums import ArchiveState


class Archive(models.Model):
    """All data of an organisation in one file, made for its root. Rule: S1-29, design.md 6.6.

    `done` of `total` files are in it so far; `size` in bytes. It is kept until `expires_at`.
    """

    organisation = models.ForeignKey(
        Organisation, on_delete=models.PROTECT, related_name="archives"
    )
    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    state = models.CharField(max_length=8, choices=ArchiveState, default=ArchiveState.WAITING)
    asked_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    asked_at = models.DateTimeField()
    done = models.PositiveIntegerField(default=0)
    total = models.PositiveIntegerField(default=0)
    size = models.BigIntegerField(default=0)
    sha256 = models.BinaryField(max_length=32, blank=True)
    made_at = models.DateTimeField(null=True, blank=True)
    expires_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organisation"],
                condition=Q(state=ArchiveState.WAITING),
                name="archive_one_waiting",
            ),
            models.UniqueConstraint(fields=["organisation", "id"], name="archive_of_organisation"),
            models.CheckConstraint(
                condition=Q(state=ArchiveState.WAITING, made_at=None, expires_at=None)
                | (
                    ~Q(state=ArchiveState.WAITING)
                    & Q(made_at__isnull=False, expires_at__isnull=False, size__gt=0)
                ),
                name="archive_made_at_iff_made",
            ),
        ]
        indexes = [
            models.Index(fields=["organisation", "-asked_at"], name="archive_newest"),
            models.Index(
                fields=["expires_at"],
                condition=Q(state=ArchiveState.READY),
                name="archive_to_delete",
            ),
        ]

    def __str__(self) -> str:
        return f"archive {self.pk} of organisation {self.organisation_id}"


class ArchivePart(models.Model):
    """A piece of the file, so that neither making nor sending holds all of it in memory."""

    archive = models.ForeignKey(Archive, on_delete=models.CASCADE, related_name="parts")
    position = models.PositiveIntegerField()
    content = models.BinaryField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["archive", "position"], name="archive_part_once"),
        ]

    def __str__(self) -> str:
        return f"{self.archive_id}/{self.position}"
