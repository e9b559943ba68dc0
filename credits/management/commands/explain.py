"""Say where a number of the ledger comes from: ``manage.py explain``."""

from __future__ import annotations

import argparse
import json
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError

from credits import explained, explanations
from credits.api.explanations import data_of
from credits.explanations import Explanation
from credits.models import Company


class Command(BaseCommand):
    help = (
        "Explains a ledger entry, by its number, or a use, by its id: what it was for, its price,\n"
        "what was held, which lots paid how much, what was read with quotes, who and when.\n\n"
        "Exit code 0: explained, and all figures agree. 1: they do not; the last lines say where.\n"
        "2: there is no such company, entry or use.\n\n"
        "Examples:\n"
        "  manage.py explain 12 --company northwind\n"
        "  manage.py explain 01936f2e-7c4b-7d7e-9a57-0d5c8f0e6b12 --company northwind --json"
    )

    def create_parser(self, *args: Any, **kwargs: Any) -> Any:
        kwargs["formatter_class"] = argparse.RawDescriptionHelpFormatter
        return super().create_parser(*args, **kwargs)

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument(
            "what", metavar="ENTRY_OR_USAGE_ID", help="an entry's number, or a usage event's id"
        )
        parser.add_argument("--company", required=True, metavar="SLUG", help="whose ledger")
        parser.add_argument("--json", action="store_true", help="print what the API answers")

    def handle(self, **options: Any) -> None:
        found = _found(options["company"], options["what"])
        if options["json"]:
            self.stdout.write(json.dumps(data_of(found), indent=2, ensure_ascii=False))
        else:
            for line in explained.lines(found):
                self.stdout.write(line)
        if found.breaches():
            raise CommandError("These figures do not agree: " + "; ".join(found.breaches()))


def _found(slug: str, what: str) -> Explanation:
    company = Company.objects.filter(slug=slug).first()
    if company is None:
        raise CommandError(f"There is no company “{slug}”.", returncode=2)
    try:
        if what.lstrip("#").isdecimal():
            return explanations.entry(
                company=company, sequence=int(what.lstrip("#")), with_words=True
            )
        return explanations.usage(company=company, usage_id=UUID(what), with_words=True)
    except ValueError as error:
        raise CommandError(
            f"“{what}” is neither the number of an entry nor the id of a use.", returncode=2
        ) from error
    except (explanations.NoSuchEntry, explanations.NoSuchUsage) as error:
        raise CommandError(str(error), returncode=2) from error
