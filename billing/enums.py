from django.db import models


class InvoiceKind(models.TextChoices):
    MONTHLY = "monthly"


class LineKind(models.TextChoices):
    """What a line bills. ADJUSTMENT: late usage or a correction of an earlier month (B-08)."""

    FEE = "fee"
    USAGE = "usage"
    ADJUSTMENT = "adjustment"
    CREDIT_BROUGHT = "credit_brought"
    CREDIT_CARRIED = "credit_carried"


class MonthOutcome(models.TextChoices):
    INVOICED = "invoiced"
    NOTHING = "nothing"


class RunState(models.TextChoices):
    RUNNING = "running"
    DONE = "done"


class TaxCode(models.TextChoices):
    JP10 = "JP10"
    JP8R = "JP8R"
    OUT_OF_SCOPE = "OUT_OF_SCOPE"
