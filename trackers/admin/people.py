"""Who talks about what: teams, their members, accounts and deals, as imports named them."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import Count, QuerySet
from django.http import HttpRequest
from django.urls import URLPattern, reverse
from django.utils.html import format_html
from unfold.decorators import display

from credits import shown
from credits.admin import acting
from credits.admin.scoped import ReadOnlyAdmin, ScopedRelatedFilter
from credits.current_company import scope_of
from credits.roles import Act
from trackers import erasure_requests
from trackers.admin import erasing, reading
from trackers.models import (
    Contact,
    Conversation,
    CustomerAccount,
    Deal,
    EntityType,
    Team,
    TeamMember,
)


class DirectoryAdmin(ReadOnlyAdmin):
    """Rows that imports make; each leads to its conversations."""

    view_act = Act.VIEW_CONVERSATIONS
    ordering = ("name", "pk")
    sortable_by = ()
    paginator = reading.BoundedPaginator
    change_list_template = "admin/trackers/reading_list.html"
    readonly_fields: tuple[str, ...] = ("conversations",)
    conversations_lookup: str

    class Media:
        css: ClassVar = {"all": ("trackers/reading.css",)}

    @display(description="Conversations")
    def conversations(self, row: Team | TeamMember | CustomerAccount | Deal) -> str:
        lookup = {f"{self.conversations_lookup}__id__exact": row.pk}
        return shown.list_link(Conversation, "Show its conversations", **lookup)


@admin.register(Team)
class TeamAdmin(DirectoryAdmin):
    conversations_lookup = "team"
    list_display = ("name", "members")
    search_fields = ("name",)
    fields = ("name", "conversations")
    empty_words = "Teams appear here when imported conversations name them."

    def get_queryset(self, request: HttpRequest) -> QuerySet[Team]:
        return super().get_queryset(request).annotate(member_count=Count("members"))

    @display(description="Members")
    def members(self, team: Team) -> str:
        return shown.count(team.member_count, metric="members")  # type: ignore[attr-defined]


@admin.register(TeamMember)
class TeamMemberAdmin(DirectoryAdmin):
    conversations_lookup = "owner"
    list_display = ("email", "name_shown", "team_shown", "login")
    list_filter = (("team", ScopedRelatedFilter),)
    list_select_related = ("team", "user", "company")
    search_fields = ("email", "name")
    ordering = ("email", "pk")
    fields = ("email", "name", "team", "login", "conversations", "erasing")
    readonly_fields = ("login", "conversations", "erasing")
    empty_words = "Team members appear here when they own imported conversations."

    def get_urls(self) -> list[URLPattern]:
        pages = acting.pages_of_row({"erase": erasing.EraseMember})
        return [*self.pages_of_row("pk", pages), *super().get_urls()]

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        may = obj is not None and scope_of(request).may(
            Act.ERASE_CONVERSATIONS, company_id=obj.company_id
        )
        return self.fields if may else self.fields[:-1]

    @display(description="Erasing")
    def erasing(self, member: TeamMember) -> str:
        if erasure_requests.is_removed(member):
            return shown.NOTHING
        link = reverse("admin:trackers_teammember_erase", args=[member.pk])
        return format_html(
            '<a class="credits-link" href="{}">Erase them and their conversations</a>', link
        )

    @display(description="Name")
    def name_shown(self, member: TeamMember) -> str:
        return member.name or shown.NOTHING

    @display(description="Team")
    def team_shown(self, member: TeamMember) -> str:
        return str(member.team or shown.NOTHING)

    @display(description="Login")
    def login(self, member: TeamMember) -> str:
        return str(member.user or shown.NOTHING)


class AskedAdmin(DirectoryAdmin):
    """Rows that can be asked about."""

    readonly_fields = ("conversations", "asking")

    def entity_type(self, row: Any) -> EntityType:
        raise NotImplementedError

    @display(description="Ask")
    def asking(self, row: Any) -> str:
        address = reverse("admin:trackers_askrequest_ask")
        return format_html(
            '<a class="credits-link" href="{}?entity_type={}&entity={}">Ask anything</a>',
            address,
            self.entity_type(row).value,
            row.pk,
        )


@admin.register(CustomerAccount)
class CustomerAccountAdmin(AskedAdmin):
    conversations_lookup = "account"
    list_display = ("name", "type_shown")
    search_fields = ("name", "external_id")
    fields = ("name", "account_type", "external_id", "conversations", "asking")
    empty_words = "Accounts appear here when imported conversations name them."

    def entity_type(self, row: Any) -> EntityType:
        return EntityType.ACCOUNT

    @display(description="Account type")
    def type_shown(self, account: CustomerAccount) -> str:
        return account.account_type or shown.NOTHING


@admin.register(Deal)
class DealAdmin(AskedAdmin):
    conversations_lookup = "deal"
    list_display = ("name", "account_name", "stage_shown")
    list_select_related = ("account", "company")
    search_fields = ("name", "account__name", "external_id")
    fields = ("name", "account", "stage", "external_id", "conversations", "asking")
    empty_words = "Deals appear here when imported conversations name them."

    def entity_type(self, row: Any) -> EntityType:
        return EntityType.DEAL

    @display(description="Account")
    def account_name(self, deal: Deal) -> str:
        return deal.account.name

    @display(description="Stage")
    def stage_shown(self, deal: Deal) -> str:
        return deal.stage or shown.NOTHING


@admin.register(Contact)
class ContactAdmin(AskedAdmin):
    """The customers' people; one without an account is a lead."""

    conversations_lookup = "participants__contact"
    list_display = ("email", "name_shown", "account_shown")
    list_select_related = ("account", "company")
    search_fields = ("email", "name", "account__name", "external_id")
    ordering = ("email", "pk")
    fields = ("email", "name", "account", "external_id", "conversations", "asking")
    empty_words = "Contacts appear here when customers take part in imported conversations."

    def get_queryset(self, request: HttpRequest) -> QuerySet[Contact]:
        rows: QuerySet[Contact] = super().get_queryset(request)
        return rows.filter(removed_at=None)

    def entity_type(self, row: Any) -> EntityType:
        return EntityType.CONTACT if row.account_id else EntityType.LEAD

    @display(description="Name")
    def name_shown(self, contact: Contact) -> str:
        return contact.name or shown.NOTHING

    @display(description="Account")
    def account_shown(self, contact: Contact) -> str:
        return contact.account.name if contact.account else "Lead: no account"
