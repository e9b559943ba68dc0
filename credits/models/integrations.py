"""Clients of the product that are not people."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q

from credits.identifiers import new_id
from credits.tenancy import CompanyKey, target_of_composite_keys


class IntegrationKind(models.TextChoices):
    API = "API", "API"
    MCP = "MCP", "MCP"


class Integration(models.Model):
    """A client that spends credits; its name fills the usage report's Integration column."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    company = CompanyKey(related_name="integrations")
    name = models.CharField(max_length=200)
    kind = models.CharField(max_length=10, choices=IntegrationKind.choices)
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
        ]

    def __str__(self) -> str:
        return self.name
