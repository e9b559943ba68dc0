"""The base of admin pages whose rows belong to no company: rate cards, people, jobs."""

from __future__ import annotations

from typing import Any, ClassVar

from django.http import HttpRequest

from credits.admin.audited import AuditedAdmin
from credits.current_company import scope_of
from credits.roles import Act


class SharedAdmin(AuditedAdmin):
    """Asks for an act, never for Django's own permissions; nothing is ever deleted here."""

    view_act: ClassVar[Act]
    change_act: ClassVar[Act | None] = None
    show_full_result_count = False
    actions = None
    list_per_page = 50
    compressed_fields = True

    def has_module_permission(self, request: HttpRequest) -> bool:
        return scope_of(request).may(self.view_act)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return scope_of(request).may(self.view_act)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self._may_change(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._may_change(request)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def _may_change(self, request: HttpRequest) -> bool:
        return self.change_act is not None and scope_of(request).may(self.change_act)
