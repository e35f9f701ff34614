from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts import services
from accounts.models import Organisation
from core import clock

ACTOR = "system:create-api-key"


class Command(BaseCommand):
    help = "Create a key for the API and show it, once: only a hash of it is kept."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("label", help="what the key is for")
        parser.add_argument(
            "--organisation", help="reference of the one organisation that it may write for"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        organisation_id = None
        if options["organisation"] is not None:
            organisation = Organisation.objects.filter(reference=options["organisation"]).first()
            if organisation is None:
                raise CommandError(f"There is no organisation {options['organisation']}.")
            organisation_id = organisation.pk
        _, presented = services.create_api_key(
            label=options["label"], actor=ACTOR, now=clock.now(), organisation_id=organisation_id
        )
        self.stdout.write(presented)
