"""Print a link that signs one person in: ``manage.py sign_in_link``."""

from __future__ import annotations

import argparse
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django.utils import timezone

from credits import audit, origins, sign_in, signing
from credits.audit import Action
from credits.models import User


class Command(BaseCommand):
    help = (
        "Prints the path of a link that signs a person in, once and within 15 minutes. Put the\n"
        "site's own address before it.\n\n"
        "Exit code 0: printed. 2: nobody with this e-mail address may sign in.\n\n"
        "Examples:\n"
        "  manage.py sign_in_link dana@acme.example\n"
        "  echo https://credits.example.com$(manage.py sign_in_link dana@acme.example)"
    )

    def create_parser(self, *args: Any, **kwargs: Any) -> Any:
        kwargs["formatter_class"] = argparse.RawDescriptionHelpFormatter
        return super().create_parser(*args, **kwargs)

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("email", metavar="EMAIL", help="whom the link signs in")

    def handle(self, **options: Any) -> None:
        email = options["email"]
        try:
            user = User.objects.get_by_natural_key(email)
            with transaction.atomic(), origins.coming_from(origins.of_command("sign_in_link")):
                path = sign_in.new_link(user=user, now=timezone.now())
                audit.record(
                    action=Action.LINK_MADE, by=None, company=signing.company_of(user), subject=user
                )
        except User.DoesNotExist as error:
            raise CommandError(
                f"There is nobody with the e-mail address “{email}”.", returncode=2
            ) from error
        except sign_in.PersonInactive as error:
            raise CommandError(f"{email} may no longer sign in.", returncode=2) from error
        self.stdout.write(path)
