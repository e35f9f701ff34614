from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from core import calls, clock, webhooks

ACTOR = "system:create-webhook"


class Command(BaseCommand):
    help = "Have events sent to an address, and show the secret that signs them, once."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("label", help="whose address it is")
        parser.add_argument("url", help="where events are sent")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            endpoint, secret = webhooks.create(
                label=options["label"], url=options["url"], actor=ACTOR, now=clock.now()
            )
        except calls.NotAllowed as refused:
            raise CommandError(f"Nothing can be sent there: {refused}.") from refused
        self.stderr.write(f"Webhook {endpoint.pk} is open. Its secret, shown this once:")
        self.stdout.write(secret)
