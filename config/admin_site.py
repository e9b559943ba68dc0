"""The admin site: the main user interface, for vendor people and for companies' own."""

from __future__ import annotations

from django.http import HttpRequest
from unfold.sites import UnfoldAdminSite

from credits.current_company import scope_of


class TallystickAdminSite(UnfoldAdminSite):
    """Open to everybody who has a standing: a vendor's group or a membership."""

    site_header = "Tallystick"
    site_title = "Tallystick"

    def has_permission(self, request: HttpRequest) -> bool:
        return scope_of(request).standing is not None
