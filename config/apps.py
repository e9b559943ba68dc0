from django.apps import AppConfig
from django.contrib.admin.apps import AdminConfig as DjangoAdminConfig


class CompositionConfig(AppConfig):
    """The composition root: settings, queues, the demo. It has migrations but no models."""

    name = "config"
    verbose_name = "Composition"


class AdminConfig(DjangoAdminConfig):
    default_site = "config.admin_site.TallystickAdminSite"
