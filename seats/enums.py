from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy


class Cause(models.TextChoices):
    """Which end deactivated accounts by itself. Rule: S2-10, S2-11."""

    SPOT_END = "spot_end", _("a spot contract ended")
    CONTRACT_END = "contract_end", _("the main contract ended")
    CLOSED = "closed", _("the contract with us ended")


class Status(models.TextChoices):
    """How an account stands; INVITED: it may sign in and has not yet since it was registered."""

    ACTIVE = "active", pgettext_lazy("account", "active")
    INVITED = "invited", _("invited, not signed in yet")
    DEACTIVATED = "deactivated", _("deactivated")


class Sort(models.TextChoices):
    """In which order a list of accounts stands."""

    NEWEST = "newest", _("newest first")
    OLDEST = "oldest", _("oldest first")
    NAME = "name", _("by name")
    SIGN_IN = "sign_in", _("last sign-in first")
    LONG_AGO = "long_ago", _("longest without sign-in first")


class Act(models.TextChoices):
    """What a root may do with several accounts at once."""

    DEACTIVATE = "deactivate", _("Deactivate")
    REACTIVATE = "reactivate", _("Reactivate")
    DELETE = "delete", _("Delete")
    GROUP = "group", _("Add to a group")


class ImportState(models.TextChoices):
    """CHECKED: shown and not confirmed. RUNNING: confirmed. DONE: every row has its result."""

    CHECKED = "checked", _("checked, not confirmed yet")
    RUNNING = "running", _("being registered")
    DONE = "done", _("done")


class RowState(models.TextChoices):
    """What becomes, or became, of a row of an import."""

    READY = "ready", _("will be registered")
    REGISTERED = "registered", _("registered")
    THERE = "there", _("has an account already")
    WRONG = "wrong", _("wrong")
    FULL = "full", _("no place was left")


class Problem(models.TextChoices):
    """What is wrong with a row of an import; in words in seats.views.imports."""

    NO_ADDRESS = "no_address"
    BAD_ADDRESS = "bad_address"
    TWICE = "twice"
    LONG_NAME = "long_name"
    BAD_ROLE = "bad_role"
    ROOT = "root"
    BAD_GROUP = "bad_group"
    COLUMNS = "columns"
    JUST_SENT = "just_sent"
