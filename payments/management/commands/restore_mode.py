from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from core import clock
from core.work import ReasonMissing
from payments.services import restoring

_ACTOR = "system:command-line"


class Command(BaseCommand):
    help = "After a restore: stop all automatic charging until the books agree with the providers'."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("mode", choices=["on", "off"])
        parser.add_argument("--reason", default="", help="why; kept for ever")
        parser.add_argument(
            "--force", action="store_true", help="off although the books were not compared"
        )

    def handle(self, *args: Any, mode: str, reason: str, force: bool, **options: Any) -> None:
        now = clock.now()
        try:
            if mode == "on":
                restoring.enter(reason=reason, actor=_ACTOR, now=now)
                self.stdout.write(
                    "Nothing is charged automatically. Now compare: manage.py reconcile"
                )
            elif restoring.leave(reason=reason, actor=_ACTOR, now=now, force=force):
                self.stdout.write("Charging goes on.")
            else:
                self.stdout.write("Charging was not stopped.")
        except ReasonMissing as refused:
            raise CommandError("Say why with --reason.") from refused
        except restoring.NotReconciled as refused:
            raise CommandError(
                f"Charging stays stopped. Not compared since, or with differences: {refused}."
                " Run manage.py reconcile and settle what it finds."
            ) from refused
