"""The base of every admin page that shows a company's rows (DESIGN §7).

``get_queryset`` alone leaks: drop-downs, list filters and autocomplete ask the related model, and
a POST can name a row of another company. Everything here goes through the request's scope.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, ClassVar

from django import forms
from django.contrib.admin import RelatedFieldListFilter
from django.core.exceptions import (
    FieldDoesNotExist,
    ImproperlyConfigured,
    PermissionDenied,
    ValidationError,
)
from django.db import models
from django.http import HttpRequest
from django.urls import path
from unfold.admin import TabularInline

from credits import shown
from credits.admin.audited import AuditedAdmin
from credits.current_company import company_of, scope_of
from credits.models import Company
from credits.roles import Act


class ScopedRelatedFilter(RelatedFieldListFilter):
    """A list filter by a related row, offering those of the companies in scope only."""

    def field_choices(self, field: Any, request: HttpRequest, model_admin: Any) -> list[Any]:
        rows = limited(field.remote_field.model, request)
        return [(row.pk, str(row)) for row in rows.order_by("pk")[:200]]


class RowField(forms.ModelChoiceField[Any]):
    """A choice of one row. What is no key at all is refused like a row that is not there.

    Django's searching drop-down asks the database for whatever was sent, to show it again.
    """

    def prepare_value(self, value: Any) -> Any:
        prepared = super().prepare_value(value)
        try:
            assert self.queryset is not None
            self.queryset.model._meta.pk.to_python(prepared)
        except ValidationError:
            return None
        return prepared


class OfCompany(forms.ModelForm[Any]):
    """A form for a new row of one company, which is no field of it.

    The row knows its company before it is validated, so that what is unique within a company is
    refused on the form.
    """

    of_company: ClassVar[Company]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.instance.company = self.of_company

    def _get_validation_exclusions(self) -> set[str]:
        excluded: set[str] = super()._get_validation_exclusions()  # type: ignore[misc]
        return excluded - {"company"}


class CompanyScopedAdmin(AuditedAdmin):
    """Shows and changes rows of the companies in scope; read-only unless ``change_act`` is set.

    ``company_path`` leads from a row to its company. Lists show the company only to people who
    see several.
    """

    view_act: ClassVar[Act]
    change_act: ClassVar[Act | None] = None
    company_path: ClassVar[str] = "company"
    show_full_result_count = False
    actions = None
    list_per_page = 50
    compressed_fields = True

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Any]:
        return scope_of(request).limit(super().get_queryset(request), self.company_path)

    def get_list_display(self, request: HttpRequest) -> Any:
        columns = tuple(super().get_list_display(request))
        sees_several = scope_of(request).company is None and self.company_path == "company"
        return (*columns, "company") if sees_several and "company" not in columns else columns

    def get_list_select_related(self, request: HttpRequest) -> Any:
        """Join the company too: most columns need its zone, and some lists show its name."""
        related = super().get_list_select_related(request)
        if related is True or self.company_path != "company":
            return related
        if related is False:
            # Django's default joins what the columns name, but not what they only reach for.
            keys = {field.name for field in self.model._meta.fields if field.is_relation}
            related = [column for column in self.get_list_display(request) if column in keys]
        return (*related, "company")

    def name_of(self, row: Any) -> str:
        """Return what the row is called at the head of its page."""
        return str(row)

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> Any:
        row = context.get("original")
        if row is not None:
            name = self.name_of(row)
            context |= {"subtitle": name, "original": shown.Named(row, name)}
        return super().render_change_form(request, context, *args, **kwargs)

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, *args: Any, **kwargs: Any
    ) -> Any:
        """Show or save a row; a refusal says so when it is that the row's company is closed."""
        try:
            return super().changeform_view(request, object_id, *args, **kwargs)
        except PermissionDenied as refusal:
            if self.change_act is None:
                raise
            row = None if object_id is None else self.get_object(request, object_id)
            company_id = None if row is None else company_of(row, self.company_path)
            raise scope_of(request).refusal(self.change_act, company_id=company_id) from refusal

    def get_list_filter(self, request: HttpRequest) -> Any:
        filters = super().get_list_filter(request)
        for entry in filters:
            if isinstance(entry, str) and _is_relation(self.model, entry):
                raise ImproperlyConfigured(
                    f"{type(self).__name__}.list_filter: write ({entry!r}, ScopedRelatedFilter), "
                    "or the filter lists rows of every company."
                )
        return filters

    def get_form(
        self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any
    ) -> Any:
        form = super().get_form(request, obj, change=change, **kwargs)
        company = scope_of(request).company
        if change or company is None or self.company_path != "company":
            return form
        return type(form.__name__, (OfCompany, form), {"of_company": company})

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        kwargs["queryset"] = limited(db_field.remote_field.model, request)
        kwargs.setdefault("form_class", RowField)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        kwargs["queryset"] = limited(db_field.remote_field.model, request)
        return super().formfield_for_manytomany(db_field, request, **kwargs)

    def pages_of_row(self, row_id: str, pages: Mapping[str, Callable[..., Any]]) -> list[Any]:
        """Return the addresses of a row's own pages by name.

        Each is called with this admin, the request and the row's key, which is named ``row_id``.
        """
        model = f"{self.opts.app_label}_{self.opts.model_name}"
        return [
            path(
                f"<uuid:{row_id}>/{name}/",
                self.admin_site.admin_view(partial(page, self)),
                name=f"{model}_{name}",
            )
            for name, page in pages.items()
        ]

    def audit_company(self, row: Any) -> int | None:
        return company_of(row, self.company_path)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return scope_of(request).may(self.view_act)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._allows(request, self.view_act, obj)

    def has_add_permission(self, request: HttpRequest) -> bool:
        # A new row belongs to the current company; vendor people choose one first.
        return scope_of(request).company is not None and self._allows(request, self.change_act)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._allows(request, self.change_act, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def _allows(self, request: HttpRequest, act: Act | None, obj: Any = None) -> bool:
        scope = scope_of(request)
        company_id = None if obj is None else company_of(obj, self.company_path)
        if act is None or not scope.may(act, company_id=company_id):
            return False
        return obj is None or scope.covers(company_id)


class ReadOnlyAdmin(CompanyScopedAdmin):
    """What the system states: nobody changes it here, superusers included."""

    change_act = None

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> Any:
        # Django's log of changes is always empty where nobody changes anything.
        context["show_history"] = False
        return super().render_change_form(request, context, *args, **kwargs)


class StatedInline(TabularInline):
    """Rows stated beside another: nobody adds, changes or removes one there."""

    view_act: ClassVar[Act]
    extra = 0
    can_delete = False
    ordering = ("pk",)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return scope_of(request).may(self.view_act)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


def limited(model: type[models.Model], request: HttpRequest) -> models.QuerySet[Any]:
    """Return the rows of a model that the request may choose from.

    Rows of a company are limited to the scope; a row without a company is not offered to anyone
    but vendor people.
    """
    scope = scope_of(request)
    try:
        model._meta.get_field("company")
    except FieldDoesNotExist:
        rows = model._default_manager.all()
        return rows if scope.is_vendor else rows.none()
    return scope.limit(model._default_manager.all())


def _is_relation(model: type[models.Model], path: str) -> bool:
    field: Any = None
    for step in path.split("__"):
        field = model._meta.get_field(step)
        if field.is_relation:
            model = field.related_model
    return bool(field.is_relation)
