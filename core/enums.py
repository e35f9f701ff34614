from django.db import models


class WorkState(models.TextChoices):
    """due → done; due → parked; parked → due (staff released it); done → due (asked for again)."""

    DUE = "due"
    DONE = "done"
    PARKED = "parked"
