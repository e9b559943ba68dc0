from django.apps import AppConfig
from django.contrib.admin.apps import AdminConfig as DjangoAdminConfig


class CompositionConfig(AppConfig):
    """The composition root: settings, queues, the demo. It has migrations but no models."""

    name = "config"
    verbose_name = "Composition"


class AdminConfig(DjangoAdminConfig):
    default_site = "config.admin_site.TallystickAdminSite"

    def ready(self) -> None:
        super().ready()
        # What a group may do is data in credits/roles.py; Django's own page would show vendor
        # groups to nobody's use, and asks for permissions on every page of everybody else.
        from django.contrib import admin
        from django.contrib.auth.models import Group

        if admin.site.is_registered(Group):
            admin.site.unregister(Group)
