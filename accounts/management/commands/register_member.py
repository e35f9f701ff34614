import secrets
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.core.validators import validate_email
from django.db import IntegrityError

from accounts import services
from accounts.enums import Role
from accounts.models import Organisation, User
from core import clock


class Command(BaseCommand):
    help = (
        "Register a person with an organisation. The first person of an organisation becomes its "
        "root account, whatever --role says."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        which = parser.add_mutually_exclusive_group(required=True)
        which.add_argument("--organisation", metavar="REFERENCE", help="what the product calls it")
        which.add_argument("--organisation-name", metavar="NAME", help="its name, in full")
        parser.add_argument("--email", required=True)
        parser.add_argument("--name", default="")
        parser.add_argument("--role", choices=Role.values, default=Role.MEMBER)
        parser.add_argument(
            "--no-password",
            action="store_true",
            help="print no password: the person sets one by “Forgot your password?”",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        organisation = self._organisation(options)
        email: str = options["email"].lower()
        try:
            validate_email(email)
        except ValidationError as error:
            raise CommandError(f"{email} is no e-mail address.") from error
        is_new = not User.objects.filter(email=email).exists()
        password = secrets.token_urlsafe(12) if is_new and not options["no_password"] else None
        try:
            membership = services.register(
                organisation_id=organisation.pk,
                email=email,
                name=options["name"],
                role=Role(options["role"]),
                password=password,
                actor="system:operator",
                now=clock.now(),
            )
        except IntegrityError as error:
            raise CommandError(
                f"{email} is registered with {organisation.name} already."
            ) from error
        self.stdout.write(f"{email} is {membership.role} of {organisation.name}.")
        if membership.role != options["role"]:
            self.stdout.write("The first person of an organisation is its root account.")
        if password:
            self.stdout.write(f"Password, shown this once: {password}")

    def _organisation(self, options: dict[str, Any]) -> Organisation:
        if options["organisation"]:
            found = Organisation.objects.filter(reference=options["organisation"])
        else:
            found = Organisation.objects.filter(name=options["organisation_name"])
        if len(found) != 1:
            raise CommandError(
                f"{len(found)} organisations are called that. `--organisation` takes the reference."
            )
        return found[0]
