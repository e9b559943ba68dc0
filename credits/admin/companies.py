"""Companies: vendor staff open them and correct their names."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from unfold.decorators import display

from credits import companies, shown
from credits.admin.shared import SharedAdmin
from credits.models import Company
from credits.roles import Act


@admin.register(Company)
class CompanyAdmin(SharedAdmin):
    """The slug stays as opened, as links depend on it; the zone changes by an act of billing's."""

    view_act = Act.VIEW_COMPANIES
    change_act = Act.EDIT_COMPANIES
    ordering = ("name", "pk")
    sortable_by = ()
    list_display: tuple[str, ...] = (
        *("name", "slug", "time_zone", "opened", "credits_left", "is_demo"),
    )
    list_select_related = ("pool",)
    search_fields = ("name", "slug")

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return ("name", "slug", "time_zone") if obj is None else self.list_display

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return () if obj is None else self.list_display[1:]

    def audit_company(self, row: Company) -> int | None:
        return row.pk

    def save_model(
        self, request: HttpRequest, obj: Company, form: forms.ModelForm[Company], change: bool
    ) -> None:
        if change:
            obj.save(update_fields=["name"])
            return
        opened = companies.open_company(name=obj.name, slug=obj.slug, time_zone=obj.time_zone)
        obj.pk = opened.pk

    @display(description="opened")
    def opened(self, company: Company) -> str:
        return shown.instant(company.created_at, company)

    @display(description="credits remaining")
    def credits_left(self, company: Company) -> str:
        return shown.amount(company.pool.balance, metric="remaining")
