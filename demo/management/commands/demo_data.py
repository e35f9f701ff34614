import logging
import os
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from accounts.models import Organisation
from core import clock
from demo import services
from demo.services import SignIn, Size


class Command(BaseCommand):
    help = (
        "Fill an empty portal with a made-up vendor, its customers, their usage and their invoices. "
        "The same seed gives the same data and the same passwords; never in production."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        usual = Size()
        parser.add_argument(
            "--if-empty",
            action="store_true",
            help="do nothing where there are organisations already",
        )
        parser.add_argument(
            "--months",
            type=int,
            default=usual.months,
            help="months of usage, this one included (%(default)s)",
        )
        parser.add_argument(
            "--seed", type=int, default=usual.seed, help="another number, other data (%(default)s)"
        )
        parser.add_argument(
            "--large-events",
            type=int,
            default=usual.large_events,
            metavar="N",
            help="how many events the large customer sends for its API calls (%(default)s)",
        )
        parser.add_argument(
            "--team",
            type=int,
            default=usual.team,
            metavar="N",
            help="how many more accounts each customer has, while its plan has places (%(default)s)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if settings.PRODUCTION:
            raise CommandError(
                "Demo data are never made in production: their passwords can be worked out."
            )
        if options["if_empty"] and Organisation.objects.exists():
            self.stdout.write("There are organisations already: no demo data made.")
            return
        size = Size(
            months=options["months"],
            large_events=options["large_events"],
            team=options["team"],
            seed=options["seed"],
        )
        # A year of payments would bury what this command tells.
        logging.disable(logging.WARNING)
        try:
            sign_ins, key = services.make(size, now=clock.now(), tell=self._tell)
        except services.NotEmpty as refused:
            raise CommandError(
                "There are organisations already. Demo data are made only in an empty portal."
            ) from refused
        except (services.WentWrong, ValueError) as refused:
            raise CommandError(str(refused)) from refused
        finally:
            logging.disable(logging.NOTSET)
        self._hand_over(sign_ins, key)

    def _tell(self, sentence: str) -> None:
        self.stdout.write(sentence)
        self.stdout.flush()

    def _hand_over(self, sign_ins: list[SignIn], key: str) -> None:
        """Leave who can sign in where DEMO_SIGNINS_FILE says, or print it."""
        widest = max(len(sign_in.email) for sign_in in sign_ins)
        longest = max(len(sign_in.password) for sign_in in sign_ins)
        lines = [
            f"{sign_in.role:8}  {sign_in.email:{widest}}  {sign_in.password:{longest}}  "
            f"{sign_in.organisation}"
            for sign_in in sign_ins
        ]
        lines.append(f"{'API key':8}  {key}")
        told = "\n".join(lines)
        if file := os.environ.get("DEMO_SIGNINS_FILE"):
            path = Path(file)
            path.touch(mode=0o600)
            path.write_text(told + "\n", encoding="utf-8")
            self.stdout.write(f"Who can sign in is in {path}.")
        else:
            self.stdout.write(f"\n{told}")
