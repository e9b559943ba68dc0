from django.apps import AppConfig


class BillingConfig(AppConfig):
    """What was bought, and for how many seats."""

    name = "billing"
    verbose_name = "Billing"
