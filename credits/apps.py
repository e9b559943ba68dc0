from django.apps import AppConfig


class CreditsConfig(AppConfig):
    """What a company has and where it went: the ledger, its lots, prices and people."""

    name = "credits"
    verbose_name = "Credits"
