"""Print the reference of all settings: ``manage.py list_settings > docs/settings.md``."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from config import settings


class Command(BaseCommand):
    help = "Prints every setting with its default, as the Markdown of docs/settings.md."
    requires_system_checks = ()

    def handle(self, **options: Any) -> None:
        self.stdout.write(settings.env.reference(), ending="")
