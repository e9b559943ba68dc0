"""The admin site: the main user interface, for vendor people and for companies' own."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils import timezone
from unfold.sites import UnfoldAdminSite

from credits import sign_in, signing
from credits.audit import Action
from credits.current_company import scope_of
from credits.models import User

# Every page carries the chooser; with more companies vendor people choose on the credits page.
CHOICES_MAX = 50


class TallystickAdminSite(UnfoldAdminSite):
    """Open to everybody who has a standing: a vendor's group or a membership."""

    site_header = "Tallystick"
    site_title = "Tallystick"
    logout_template = "credits/signed_out.html"

    def has_permission(self, request: HttpRequest) -> bool:
        return scope_of(request).standing is not None

    def extra_urls(self) -> list[URLPattern]:
        # Imported here and not above: the admin pages register themselves on this very site.
        from credits import views
        from credits.admin import entries, explaining, guide, overview
        from trackers.admin import waiting

        return [
            path("password/", self.admin_view(views.choose_password), name="choose_password"),
            path("credits/", self.admin_view(overview.credits_page), name="credits_page"),
            path("credits/guide/", self.admin_view(guide.guide_page), name="credits_guide"),
            path(
                "credits/first-steps/hide/",
                self.admin_view(overview.hide_first_steps),
                name="hide_first_steps",
            ),
            path(
                "credits/banner/hide/",
                self.admin_view(overview.hide_banner),
                name="hide_banner",
            ),
            # Unlike Django's, for people without a standing too: they are signed in as well.
            path("logout/", self.logout, name="logout"),
            path(
                "ledger/<slug:company_slug>/<int:sequence>/",
                self.admin_view(entries.permalink),
                name="ledger_entry",
            ),
            path(
                "ledger/<slug:company_slug>/<int:sequence>/explanation/",
                self.admin_view(explaining.entry_page),
                name="ledger_explanation",
            ),
            path(
                "trackers/waiting/",
                self.admin_view(waiting.waiting_page),
                name="trackers_waiting",
            ),
            path(
                "trackers/waiting/decide/",
                self.admin_view(waiting.decide_page),
                name="trackers_waiting_decide",
            ),
            path("company/", self.admin_view(overview.choose_company), name="choose_company"),
        ]

    def extra_context(self, context: dict[str, Any], request: HttpRequest) -> dict[str, Any]:
        scope = scope_of(request)
        choices = scope.choices
        if len(choices) > CHOICES_MAX:
            choices = (scope.company,) if scope.company else ()
        return context | {
            "company_scope": scope,
            "company_choices": choices,
            # Unfold shows this in place of its own sidebar: the same, with the company chooser.
            "templates": {"navigation": "credits/navigation.html"},
        }

    def index(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show the credits page: the first thing anybody wants to know."""
        from credits.admin import overview

        return overview.credits_page(request)

    def login(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Tell a person who is signed in and has no standing so; a form would not help them."""
        is_asked_again = request.method == "GET" and request.user.is_authenticated
        if is_asked_again and not self.has_permission(request):
            context = self.each_context(request) | {"title": "No company yet"}
            return TemplateResponse(request, "credits/no_standing.html", context, status=403)
        if request.method != "POST":
            return super().login(request, extra_context)
        with transaction.atomic():
            response = super().login(request, extra_context)
            if response.status_code == HTTPStatus.FOUND:
                signing.record_sign_in(request, Action.SIGNED_IN)
            else:
                signing.record_refusal(request, email=request.POST.get("username", ""))
        return response

    def logout(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        with transaction.atomic():
            if request.method == "POST" and request.user.is_authenticated:
                signing.record_own(request, Action.SIGNED_OUT)
            return super().logout(request, extra_context)

    def password_change(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        with transaction.atomic():
            response = super().password_change(request, extra_context)
            if request.method == "POST" and response.status_code == HTTPStatus.FOUND:
                assert isinstance(request.user, User)
                sign_in.end_links(user=request.user, now=timezone.now())
                signing.record_own(request, Action.PASSWORD_CHANGED)
        return response
