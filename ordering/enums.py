from django.db import models


class ReviewState(models.TextChoices):
    """What became of what a root was shown. REPLACED: it no longer held when it was to be saved."""

    OPEN = "open"
    SAVED = "saved"
    REPLACED = "replaced"
