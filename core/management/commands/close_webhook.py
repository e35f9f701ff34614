from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from core import clock, webhooks


class Command(BaseCommand):
    help = "Send nothing to a webhook's address any more, nor what still waits for it."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("webhook", type=int, help="its number, as create_webhook showed it")
        parser.add_argument("--reason", required=True, help="why; kept for ever")

    def handle(self, *args: Any, **options: Any) -> None:
        if not webhooks.close(
            endpoint_id=options["webhook"],
            actor="system:operator",
            reason=options["reason"],
            now=clock.now(),
        ):
            raise CommandError(f"There is no open webhook {options['webhook']}.")
        self.stdout.write(f"Webhook {options['webhook']} is closed.")
