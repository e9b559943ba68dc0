"""Clients of the product that are not people."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q

from credits.identifiers import new_id
from credits.models.people import User
from credits.tenancy import CompanyKey, target_of_composite_keys


class IntegrationKind(models.TextChoices):
    API = "API", "API"
    MCP = "MCP", "MCP"


class IntegrationContext(models.TextChoices):
    """Whose conversations an integration may read."""

    SHARED = "SHARED", "All conversations of the company"
    PERSONAL = "PERSONAL", "Only those of one person and their team"


class Integration(models.Model):
    """A client that spends credits; its name fills the usage report's Integration column.

    Of a personal one, ``person`` is whose conversations it may read. Kind, context and person are
    fixed: a client that was allowed little never comes to be allowed more.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    company = CompanyKey(related_name="integrations")
    name = models.CharField(max_length=200)
    kind = models.CharField(max_length=10, choices=IntegrationKind.choices)
    context = models.CharField(
        max_length=10, choices=IntegrationContext.choices, default=IntegrationContext.SHARED
    )
    person = models.ForeignKey(
        User, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints: ClassVar = [
            target_of_composite_keys("credits_integration"),
            models.UniqueConstraint(
                fields=["company", "name"], name="integration_name_is_unique_in_a_company"
            ),
            models.CheckConstraint(
                condition=Q(kind__in=IntegrationKind.values), name="integration_kind_is_known"
            ),
            models.CheckConstraint(
                condition=Q(context=IntegrationContext.SHARED, person=None)
                | Q(
                    context=IntegrationContext.PERSONAL,
                    kind=IntegrationKind.MCP,
                    person__isnull=False,
                ),
                name="integration_names_a_person_exactly_when_personal",
            ),
        ]

    def __str__(self) -> str:
        return self.name
