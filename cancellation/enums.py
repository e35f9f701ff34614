from django.db import models
from django.utils.translation import gettext_lazy as _


class ReviewState(models.TextChoices):
    """What became of what a root was shown. REPLACED: it no longer held when it was to be confirmed."""

    OPEN = "open"
    CONFIRMED = "confirmed"
    REPLACED = "replaced"


class Reason(models.TextChoices):
    """Why a customer leaves, if they say so."""

    PRICE = "price", _("It costs too much.")
    FEATURES = "features", _("It lacks something that we need.")
    USE = "use", _("We do not use it enough.")
    OTHER_PRODUCT = "other_product", _("We move to another product.")
    QUALITY = "quality", _("We were not satisfied with it, or with Support.")
    END = "end", _("Our project or business ends.")
    OTHER = "other", _("Another reason")


class Wait(models.TextChoices):
    """What keeps the payment methods of a customer who left. Rule: F62."""

    LAST_BILL = "last_bill", _("The last month is not billed yet.")
    UNDECIDED = "undecided", _("A payment, a refund or a visit to a provider is not decided yet.")
    REFUND = "refund", _("More was collected than is owed, and is to be given back.")
    STAFF = "staff", _("Staff look into an invoice.")
    COLLECTION = "collection", _("An invoice is still being collected.")
