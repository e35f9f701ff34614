"""The comparison of our books with the providers', by hand."""

import sys
from argparse import ArgumentTypeError
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import orjson
from django.core.management.base import BaseCommand, CommandError, CommandParser

from core import clock
from payments.gateways import registry
from payments.gateways.base import (
    AnswerLost,
    GatewayMisconfigured,
    GatewayUnreachable,
    NotTold,
)
from payments.queries.reconciling import Window
from payments.services import reconcile
from payments.services.reconcile import Reconciled
from plans import queries as plans

_ACTOR = "system:command-line"


class Command(BaseCommand):
    help = "Hold our captures and refunds against the providers' books; exit code 1 if any differ."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--gateway", help="only this one, as paypal; needed with --file")
        parser.add_argument("--since", type=_day, metavar="YYYY-MM-DD", help="from this day on")
        parser.add_argument(
            "--until", type=_day, metavar="YYYY-MM-DD", help="up to this day's begin"
        )
        parser.add_argument("--file", type=Path, help="a file that the provider handed out")
        parser.add_argument("--json", action="store_true", help="write what was found as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        now = clock.now()
        file: Path | None = options["file"]
        slugs = [options["gateway"]] if options["gateway"] else list(registry.gateways())
        if file is not None and not options["gateway"]:
            raise CommandError("Say whose file it is with --gateway.")
        done: list[Reconciled] = []
        for slug in slugs:
            try:
                done += self._one(slug, file, options, now)
            except registry.NoSuchGateway as unknown:
                raise CommandError(f"There is no gateway {slug}.") from unknown
            except (GatewayUnreachable, GatewayMisconfigured, AnswerLost) as fault:
                raise CommandError(f"{slug} tells nothing now: {fault!r}") from fault
        if options["json"]:
            self.stdout.write(_json(done))
        else:
            self._tell(done)
        if any(each.found for each in done):
            sys.exit(1)

    def _one(
        self, slug: str, file: Path | None, options: dict[str, Any], now: datetime
    ) -> list[Reconciled]:
        window = self._window(slug, options, now)
        try:
            if file is None:
                window = window or reconcile.default_window(slug, now)
                return [
                    reconcile.reconcile(
                        slug=slug, since=window.since, until=window.until, actor=_ACTOR, now=now
                    )
                ]
            return [
                reconcile.reconcile_file(
                    slug=slug,
                    name=file.name,
                    file=file.read_bytes(),
                    window=window,
                    actor=_ACTOR,
                    now=now,
                )
            ]
        except NotTold as silent:
            self.stderr.write(f"{slug}: {silent}")
        except reconcile.NothingToCompare:
            self.stderr.write(f"{slug}: nothing to compare yet.")
        except (ValueError, OSError) as fault:
            raise CommandError(f"The file cannot be read: {fault}") from fault
        return []

    def _window(self, slug: str, options: dict[str, Any], now: datetime) -> Window | None:
        since, until = options["since"], options["until"]
        if since is None and until is None:
            return None
        zone = plans.vendor_zone()
        usual = reconcile.default_window(slug, now)
        return Window(
            datetime.combine(since, datetime.min.time(), zone) if since else usual.since,
            datetime.combine(until, datetime.min.time(), zone) if until else usual.until,
        )

    def _tell(self, done: list[Reconciled]) -> None:
        zone = plans.vendor_zone()
        for each in done:
            run = each.run
            since, until = (
                f"{at.astimezone(zone):%Y-%m-%d %H:%M}" for at in (run.since, run.until)
            )
            self.stdout.write(
                f"{run.gateway}, {since} to {until} ({run.source}): {run.matched} agree,"
                f" {run.different} differ ({each.new} new), {each.resolved} settled by themselves,"
                f" {each.strangers} are none of ours."
            )
            for found in each.found:
                self.stdout.write(
                    f"  {found.pk} {found.kind} {found.reference} {found.detail.get('number', '')}"
                    f" (looked after by {found.owner})"
                )


def _json(done: list[Reconciled]) -> str:
    told = [
        {
            "gateway": each.run.gateway,
            "since": each.run.since.astimezone(UTC),
            "until": each.run.until.astimezone(UTC),
            "source": each.run.source,
            "matched": each.run.matched,
            "new": each.new,
            "resolved": each.resolved,
            "strangers": each.strangers,
            "differences": [
                {
                    "id": found.pk,
                    "kind": found.kind,
                    "reference": found.reference,
                    "organisation": found.organisation_id,
                    "owner": found.owner,
                    "detail": found.detail,
                }
                for found in each.found
            ],
        }
        for each in done
    ]
    return orjson.dumps(told, option=orjson.OPT_INDENT_2).decode()


def _day(written: str) -> date:
    try:
        return date.fromisoformat(written)
    except ValueError as fault:
        raise ArgumentTypeError(f"{written!r} is no day; write it as 2026-11-22.") from fault
