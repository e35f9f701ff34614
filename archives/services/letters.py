"""Who asked for an archive is told that it is there."""

from datetime import datetime

from django.conf import settings
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext

from archives.models import Archive
from core import letters
from core.letters import Letter, Sender
from plans import queries as plans


def ready(archive: Archive, now: datetime) -> None:
    """Tell who asked, in the organisation's language; the mail leads to a page, never to the file."""
    vendor = plans.vendor()
    organisation = archive.organisation
    page = reverse("archive", kwargs={"organisation": organisation.public_id})
    with translation.override(organisation.language):
        why = gettext("You get this mail because you asked for the archive.")
    letters.post(
        [
            Letter(
                template="archives/mail/ready.txt",
                to=(archive.asked_by.email,),
                language=organisation.language,
                sender=Sender(
                    vendor.name_ja if organisation.language == "ja" else vendor.name_en,
                    vendor.support_url,
                    vendor.support_email,
                ),
                values={
                    "url": f"{settings.PORTAL_ORIGIN}{page}",
                    "until": archive.expires_at.astimezone(plans.vendor_zone()).date()
                    if archive.expires_at
                    else None,
                },
                addressee=organisation.name,
                why=why,
            )
        ],
        now,
    )
