"""People and their roles, kept by vendor staff. Nobody sees or sets a password here.

Vendor groups and superusers are made by the operator's commands only, so that no form, however
crafted, can raise a person above a company.
"""

from __future__ import annotations

from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin
from django.contrib.auth.models import Group
from django.core.exceptions import NON_FIELD_ERRORS, PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from unfold.admin import TabularInline
from unfold.decorators import display

from credits import removal, shown, sign_in
from credits.admin import acting, removing
from credits.admin.scoped import CompanyScopedAdmin
from credits.admin.shared import SharedAdmin
from credits.current_company import scope_of
from credits.invitations import AlreadyMember
from credits.models import Membership, User
from credits.roles import Act

# The two groups are fixed; importing auth's admin registered its page for them.
if isinstance(admin.site._registry.get(Group), GroupAdmin):
    admin.site.unregister(Group)


class PersonForm(forms.ModelForm[User]):
    """A person's own data. Log-in is by e-mail address, whatever its case."""

    class Meta:
        model = User
        fields = ("email", "name", "is_active")

    def clean_email(self) -> str:
        return str(self.cleaned_data["email"]).lower()


class MembershipForm(forms.ModelForm[Membership]):
    """Somebody's role in a company; they have one there."""

    class Meta:
        error_messages: ClassVar = {NON_FIELD_ERRORS: {"unique_together": AlreadyMember.__doc__}}


class MembershipInline(TabularInline):
    """The companies a person belongs to, with their role in each."""

    model = Membership
    fields = ("company", "role")
    extra = 0
    ordering = ("company__name", "pk")

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return scope_of(request).may(Act.VIEW_COMPANIES)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return scope_of(request).may(Act.EDIT_COMPANIES)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return scope_of(request).may(Act.EDIT_COMPANIES)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return scope_of(request).may(Act.EDIT_COMPANIES)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return ()


@admin.register(User)
class UserAdmin(SharedAdmin):
    """A person is added without a password, and deactivated instead of deleted."""

    empty_words = "People appear here when a company is opened or they are invited."
    view_act = Act.VIEW_COMPANIES
    change_act = Act.EDIT_COMPANIES
    form = PersonForm
    ordering = ("email",)
    sortable_by = ()
    list_display = ("email", "name", "state_label", "last_seen")
    list_filter = ("is_active",)
    search_fields = ("email", "name")
    inlines = (MembershipInline,)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.remove_view)
        return [
            path("<int:person_id>/remove/", view, name="credits_user_remove"),
            *super().get_urls(),
        ]

    def remove_view(self, request: HttpRequest, person_id: int) -> HttpResponse:
        person = get_object_or_404(self.get_queryset(request), pk=person_id)
        if not self.has_change_permission(request, person):
            raise PermissionDenied
        return acting.view(self, removing.Remove(request=request, person=person))

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None:
            return ("email", "name")
        stated = ("email", "name", "is_active", "public_id", "last_seen", "vendor_groups")
        return (*stated, "removing") if self.has_change_permission(request, obj) else stated

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        stated = ("public_id", "last_seen", "vendor_groups", "removing")
        # Nobody locks themselves out.
        return (*stated, "is_active") if obj is not None and obj == request.user else stated

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        may = super().has_change_permission(request, obj)
        is_above = obj is not None and obj.is_superuser
        return may and (not is_above or bool(getattr(request.user, "is_superuser", False)))

    def audit_label(self, row: User) -> str:
        return row.get_full_name()

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        if change:
            obj.save(update_fields=["email", "name", "is_active"])
            if not obj.is_active or "email" in form.changed_data:
                # What was sent stays in a mailbox that may be somebody else's.
                sign_in.end_links(user=obj, now=timezone.now())
            return
        obj.set_unusable_password()
        obj.save()

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        super().save_formset(request, form, formset, change)
        if formset.deleted_objects:
            sign_in.end_links(user=form.instance, now=timezone.now())

    @display(description="removing")
    def removing(self, user: User) -> str:
        if removal.is_removed(user):
            return shown.NOTHING
        link = reverse("admin:credits_user_remove", args=[user.pk])
        return format_html('<a class="credits-link" href="{}">Remove this person</a>', link)

    @display(description="state")
    def state_label(self, user: User) -> str:
        return shown.status("Active" if user.is_active else "Deactivated")

    @display(description="last signed in")
    def last_seen(self, user: User) -> str:
        return shown.utc(user.last_login)

    @display(description="vendor groups")
    def vendor_groups(self, user: User) -> str:
        if user.is_superuser:
            return "Superuser"
        return ", ".join(group.name for group in user.groups.order_by("name")) or shown.NOTHING


@admin.register(Membership)
class MembershipAdmin(CompanyScopedAdmin):
    """Who belongs to a company, in which role."""

    empty_words = "People appear here when they are invited into a company."
    view_act = Act.VIEW_COMPANIES
    change_act = Act.EDIT_COMPANIES
    form = MembershipForm
    ordering = ("company", "user")
    sortable_by = ()
    list_display = ("user", "role")
    list_select_related = ("user",)
    list_filter = ("role",)
    search_fields = ("user__email", "user__name")
    fields = ("user", "role")
    autocomplete_fields = ("user",)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return () if obj is None else ("user",)

    def audit_label(self, row: Membership) -> str:
        return f"{row.user.get_full_name()} in {row.company}"

    def audit_about(self, row: Membership) -> User:
        return row.user

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.has_change_permission(request, obj)

    def delete_model(self, request: HttpRequest, obj: Membership) -> None:
        super().delete_model(request, obj)
        sign_in.end_links(user=obj.user, now=timezone.now())
