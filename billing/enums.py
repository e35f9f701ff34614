from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy


class InvoiceKind(models.TextChoices):
    """Each kind has numbers of its own (B-09).

    SPOT: bills a spot order, once it is paid (B-13). CREDIT_NOTE: gives back what an invoice billed (B-11).
    """

    MONTHLY = "monthly", _("invoice")
    SPOT = "spot", _("spot invoice")
    CREDIT_NOTE = "credit_note", _("credit note")


class LineKind(models.TextChoices):
    """What a line bills. ADJUSTMENT: late usage or a correction of an earlier month (B-08).

    CREDIT: what a credit note gives back, in positive amounts (B-11). SPOT: a month of a spot contract.
    """

    FEE = "fee"
    SPOT = "spot"
    USAGE = "usage"
    ADJUSTMENT = "adjustment"
    CREDIT_BROUGHT = "credit_brought"
    CREDIT_CARRIED = "credit_carried"
    CREDIT = "credit"


class MonthOutcome(models.TextChoices):
    INVOICED = "invoiced"
    NOTHING = "nothing"


class MonthState(models.TextChoices):
    """What is shown of a month: a bill that can still change, or the one that was issued (S1-10)."""

    PROVISIONAL = "provisional"
    FINAL = "final"


class Phase(models.TextChoices):
    """How far a month is. OVER: not billed yet, late usage is waited for; FINAL: it is billed."""

    FINAL = "final"
    OVER = "over"
    RUNNING = "running"
    AHEAD = "ahead"


class BasisKind(models.TextChoices):
    """What the rest of a month's usage is estimated by. The labels take `days`.

    GIVEN: by nothing; somebody said what the usage is to be.
    """

    AVERAGE = (
        "average",
        ngettext_lazy(
            "average of the last %(days)d full day",
            "average of the last %(days)d full days",
            "days",
        ),
    )
    HIGHEST = (
        "highest",
        ngettext_lazy(
            "highest of the last %(days)d day", "highest of the last %(days)d days", "days"
        ),
    )
    LATEST = (
        "latest",
        ngettext_lazy(
            "latest value of the last %(days)d day",
            "latest value of the last %(days)d days",
            "days",
        ),
    )
    UNUSED = (
        "unused",
        ngettext_lazy(
            "no usage in the last %(days)d day", "no usage in the last %(days)d days", "days"
        ),
    )
    TOO_NEW = "too_new", _("no full day of usage yet")
    GIVEN = "given", _("usage as entered")


class DocumentState(models.TextChoices):
    """How far an invoice's PDF is. STUCK: its work is parked; ABSENT: nobody asked for it by itself."""

    MADE = "made"
    WAITING = "waiting"
    STUCK = "stuck"
    ABSENT = "absent"


class RunState(models.TextChoices):
    RUNNING = "running"
    DONE = "done"


class TaxCode(models.TextChoices):
    JP10 = "JP10"
    JP8R = "JP8R"
    OUT_OF_SCOPE = "OUT_OF_SCOPE"


class ParkReason(models.TextChoices):
    """Why an organisation's month waits for a person. Rule: R11, R12."""

    FAILED = "failed", _("It could not be billed.")
    NEGATIVE = "negative", _("The bill would be below zero.")
    FAR_ABOVE_USUAL = "far_above_usual", _("The bill is far above the usual.")
