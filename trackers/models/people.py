"""Who talks about what: the company's team, its customers' accounts and deals."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models

from credits.identifiers import new_id
from credits.tenancy import CompanyKey, TenantKey, target_of_composite_keys


class Team(models.Model):
    """A team of the company's own people, such as “EMEA Sales”."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    company = CompanyKey(related_name="teams")
    name = models.CharField(max_length=200)

    class Meta:
        constraints: ClassVar = [
            target_of_composite_keys("trackers_team"),
            models.UniqueConstraint(
                fields=["company", "name"], name="team_name_is_unique_in_a_company"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class TeamMember(models.Model):
    """One of the company's people in conversations, known by e-mail address, never by name."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    company = CompanyKey(related_name="team_members")
    email = models.EmailField("e-mail address")
    name = models.CharField(max_length=200, blank=True)
    team = TenantKey(Team, null=True, blank=True, related_name="members")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="team_members",
        verbose_name="login",
    )

    class Meta:
        constraints: ClassVar = [
            target_of_composite_keys("trackers_teammember"),
            models.UniqueConstraint(
                fields=["company", "email"], name="team_member_email_is_unique_in_a_company"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} <{self.email}>" if self.name else self.email


class CustomerAccount(models.Model):
    """An organization the company talks to; ``external_id`` is the CRM's, empty if not known."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    company = CompanyKey(related_name="accounts")
    external_id = models.CharField("CRM id", max_length=200, blank=True)
    name = models.CharField(max_length=200)
    account_type = models.CharField(max_length=100, blank=True)

    class Meta:
        verbose_name = "account"
        constraints: ClassVar = [
            target_of_composite_keys("trackers_customeraccount"),
            models.UniqueConstraint(
                fields=["company", "name"], name="account_name_is_unique_in_a_company"
            ),
            models.UniqueConstraint(
                fields=["company", "external_id"],
                condition=~models.Q(external_id=""),
                name="account_external_id_is_unique_in_a_company",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Deal(models.Model):
    """An opportunity of one account; ``stage`` is that of its newest conversation.

    ``external_id`` is the CRM's, empty if not known.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    company = CompanyKey(related_name="deals")
    account = TenantKey(CustomerAccount, related_name="deals")
    external_id = models.CharField("CRM id", max_length=200, blank=True)
    name = models.CharField(max_length=200)
    stage = models.CharField(max_length=100, blank=True)
    stage_as_of = models.DateTimeField(null=True, editable=False)

    class Meta:
        constraints: ClassVar = [
            target_of_composite_keys("trackers_deal"),
            models.UniqueConstraint(
                fields=["account", "name"], name="deal_name_is_unique_in_an_account"
            ),
            models.UniqueConstraint(
                fields=["company", "external_id"],
                condition=~models.Q(external_id=""),
                name="deal_external_id_is_unique_in_a_company",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Contact(models.Model):
    """Somebody of the customers' side of conversations, known by e-mail address.

    ``name`` and ``account`` are those of the first conversation that said them; without an
    account it is a lead. Addresses are lower case. ``external_id`` is the CRM's, of a contact or
    lead, empty if not known. A removed one keeps its row and no words.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    company = CompanyKey(related_name="contacts")
    external_id = models.CharField("CRM id", max_length=200, blank=True)
    email = models.EmailField("e-mail address")
    name = models.CharField(max_length=200, blank=True)
    account = TenantKey(CustomerAccount, null=True, blank=True, related_name="contacts")
    removed_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        constraints: ClassVar = [
            target_of_composite_keys("trackers_contact"),
            models.UniqueConstraint(
                fields=["company", "email"], name="contact_email_is_unique_in_a_company"
            ),
            models.UniqueConstraint(
                fields=["company", "external_id"],
                condition=~models.Q(external_id=""),
                name="contact_external_id_is_unique_in_a_company",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} <{self.email}>" if self.name else self.email
