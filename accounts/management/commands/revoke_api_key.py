from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts import services
from core import clock


class Command(BaseCommand):
    help = "Revoke a key for the API, at once and for good."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("prefix", help="what stands before the point of the key")
        parser.add_argument("--reason", required=True, help="why; kept for ever")

    def handle(self, *args: Any, **options: Any) -> None:
        # Whoever pastes the whole key has its secret neither looked up nor logged.
        prefix = options["prefix"].partition(".")[0]
        if not services.revoke_api_key(
            prefix=prefix,
            actor="system:operator",
            reason=options["reason"],
            now=clock.now(),
        ):
            raise CommandError(f"There is no live key that begins with {prefix}.")
        self.stdout.write(f"{prefix} is revoked.")
