"""Companies with their contract: one page opens one, another closes it.

Replaces the page of ``credits.admin.companies``, which knows nothing of contracts.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import path
from django.utils import timezone
from unfold.decorators import display

from billing.admin import company_panels, founding, zoning
from credits import shown
from credits.admin import acting
from credits.admin.companies import CompanyAdmin
from credits.current_company import scope_of
from credits.models import Company, Membership
from credits.roles import Act

admin.site.unregister(Company)


@admin.register(Company)
class ContractedCompanyAdmin(CompanyAdmin):
    """Opened whole, on one page; its page says how it stands; closed, never deleted."""

    list_display = (
        *("name", "slug", "time_zone", "state_label", "opened", "credits_left", "is_demo"),
    )
    list_filter = (("closed_at", admin.EmptyFieldListFilter),)
    change_form_template = "admin/billing/company_change_form.html"

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return ("name", "slug", "time_zone", "opened", "is_demo")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.get_fields(request, obj)[1:]

    def has_change_permission(self, request: HttpRequest, obj: Company | None = None) -> bool:
        is_open = obj is None or obj.closed_at is None
        return is_open and super().has_change_permission(request, obj)

    def get_urls(self) -> list[Any]:
        wrap = self.admin_site.admin_view
        own = [
            path(
                "<int:company_id>/close/",
                wrap(self.close_view),
                name="credits_company_close",
            ),
            path(
                "<int:company_id>/zone/",
                wrap(self.zone_view),
                name="credits_company_zone",
            ),
            path(
                "<int:company_id>/invite/<int:membership_id>/",
                wrap(partial(invite_again, self)),
                name="credits_company_invite",
            ),
        ]
        return [*own, *super().get_urls()]

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        return acting.view(self, founding.Open(request=request, company=None))

    def close_view(self, request: HttpRequest, company_id: int) -> HttpResponse:
        return acting.view(
            self, founding.Close(request=request, company=_found(self, request, company_id))
        )

    def zone_view(self, request: HttpRequest, company_id: int) -> HttpResponse:
        company = _found(self, request, company_id)
        return acting.view(self, zoning.ChangeZone(request=request, company=company))

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> Any:
        company: Company | None = context.get("original")
        if company is not None:
            context |= company_panels.of(request, company)
            # Another company is opened on a page of its own, and this one has one name to save.
            context |= {"show_save_and_add_another": False, "show_save_and_continue": False}
        return super().render_change_form(request, context, *args, **kwargs)

    @display(description="state")
    def state_label(self, company: Company) -> str:
        return shown.status("Closed" if company.closed_at else "Open")


def invite_again(
    page: ContractedCompanyAdmin, request: HttpRequest, company_id: int, membership_id: int
) -> HttpResponse:
    """Send a member who has never signed in another link."""
    company = _found(page, request, company_id)
    if not scope_of(request).may(Act.EDIT_COMPANIES):
        raise PermissionDenied
    member = Membership.objects.select_related("user").filter(
        company=company, pk=membership_id, user__last_login=None, user__is_active=True
    )
    if request.method != "POST" or (found := member.first()) is None:
        raise Http404("There is nobody to invite.")
    founding.send_invitation(request, company, found.user, timezone.now())
    return redirect("admin:credits_company_change", company.pk)


def _found(page: CompanyAdmin, request: HttpRequest, company_id: int) -> Company:
    found = page.get_queryset(request).filter(pk=company_id).first()
    if found is None:
        raise Http404("There is no such company.")
    return found
