from typing import Any

from django.core.management.base import BaseCommand

from core import clock, work


class Command(BaseCommand):
    help = "Find what is due and do it here and now, without Celery and without a broker."

    def handle(self, *args: Any, **options: Any) -> None:
        work.plan(clock.now())
        done = 0
        while count := work.run_due(limit=50):
            done += count
            self.stdout.write(f"{done} pieces of work done")
        self.stdout.write(self.style.SUCCESS(f"Nothing is due. {done} done."))
