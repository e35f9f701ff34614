from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from core import clock
from plans import services
from plans.rules.catalogue import CatalogueRefused


class Command(BaseCommand):
    help = (
        "Bring vendor, meters and plans to what a catalogue file says. What the file leaves out "
        "stays; a version that a customer has selected is never altered. docs/catalogue.md tells "
        "the file's keys."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, metavar="FILE", help="a TOML file")
        parser.add_argument(
            "--plan", action="store_true", help="show what would change, and change nothing"
        )

    def handle(self, *args: Any, file: Path, plan: bool, **options: Any) -> None:
        try:
            text = file.read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            raise CommandError(f"{file} cannot be read: {error}") from error
        try:
            outcome = (
                services.plan_catalogue(text, now=clock.now())
                if plan
                else services.apply_catalogue(text, actor="system:catalogue", now=clock.now())
            )
        except CatalogueRefused as refused:
            found = [f"{file}:{problem.line}: {problem.reason}" for problem in refused.problems]
            count = "1 problem" if len(found) == 1 else f"{len(found)} problems"
            raise CommandError("\n".join([*found, f"{count}; nothing was changed."])) from refused
        self._tell(file, outcome, plan=plan)

    def _tell(self, file: Path, outcome: services.Outcome, *, plan: bool) -> None:
        for warning in outcome.warnings:
            self.stdout.write(self.style.WARNING(f"{file}:{warning.line}: {warning.reason}"))
        for change in outcome.changes:
            self.stdout.write(f"{'+' if change.is_new else '~'} {change.entry}")
            for detail in change.details:
                self.stdout.write(f"    {detail}")
        if not outcome.changes:
            self.stdout.write("Nothing to change.")
        elif plan:
            self.stdout.write(
                f"{len(outcome.changes)} to change. Nothing was changed: --plan only shows."
            )
        else:
            self.stdout.write(self.style.SUCCESS(f"{len(outcome.changes)} changed."))
