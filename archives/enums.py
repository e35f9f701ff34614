from django.db import models
from django.utils.translation import gettext_lazy as _


class ArchiveState(models.TextChoices):
    """WAITING: asked for, and being made. READY: to be fetched. GONE: it was kept for its time."""

    WAITING = "waiting", _("being made")
    READY = "ready", _("ready")
    GONE = "gone", _("deleted")
