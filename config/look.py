"""How the admin looks: the settings of Unfold, its theme."""

from __future__ import annotations

from typing import Any

UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "Tallystick",
    "SITE_HEADER": "Tallystick",
    "SITE_SYMBOL": "toll",
    # The site is the admin: there is no other one to go back to.
    "SITE_URL": None,
    # Unfold's own 500 is the dark theme's text color and too dark to read there (3.9 : 1).
    "COLORS": {"primary": {"500": "oklch(71.4% .203 305.504)"}},
    "SITE_FAVICONS": [
        {"rel": "icon", "type": "image/svg+xml", "href": "config.navigation.icon"},
    ],
    "STYLES": ["config.navigation.stylesheet"],
    "SCRIPTS": ["config.navigation.script"],
    "ENVIRONMENT": "config.navigation.environment",
    "SIDEBAR": {"navigation": "config.navigation.sidebar"},
}
