"""Settings come from the environment only; this reads them and says how to mend a wrong one."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass

from django.core.exceptions import ImproperlyConfigured

PREFIX = "TALLYSTICK_"
TRUE = {"1", "true", "yes", "on"}
FALSE = {"0", "false", "no", "off"}


@dataclass(frozen=True)
class Setting:
    """One variable the product reads, for the reference in docs/settings.md."""

    name: str
    default: str
    purpose: str


class Environment:
    """Read the variables a settings file declares, and refuse those nobody declared."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        self.variables = variables
        self.declared: dict[str, Setting] = {}

    def text(self, name: str, default: str, purpose: str) -> str:
        """Return the variable's text, or the default when it is missing or empty."""
        self.declared[name] = Setting(name, default, purpose)
        return self.variables.get(name) or default

    def boolean(self, name: str, default: bool, purpose: str) -> bool:
        """Return true for 1, true, yes or on, false for 0, false, no or off.

        :raises ImproperlyConfigured: for any other text.
        """
        text = self.text(name, "true" if default else "false", purpose).lower()
        if text not in TRUE | FALSE:
            raise ImproperlyConfigured(f"{name} is “{text}”; write true or false.")
        return text in TRUE

    def number(self, name: str, default: int, purpose: str) -> int:
        """Return a whole number of at least 0.

        :raises ImproperlyConfigured: for any other text.
        """
        text = self.text(name, str(default), purpose)
        if not text.isdecimal():
            raise ImproperlyConfigured(f"{name} is “{text}”; write a whole number, such as 10.")
        return int(text)

    def refuse_unknown(self) -> None:
        """Check that every variable with our prefix is one that was read.

        :raises ImproperlyConfigured: names the nearest setting there is.
        """
        for name in self.variables:
            if not name.startswith(PREFIX) or name in self.declared:
                continue
            nearest = difflib.get_close_matches(name, self.declared, n=1)
            hint = f" Did you mean {nearest[0]}?" if nearest else ""
            known = ", ".join(sorted(self.declared))
            raise ImproperlyConfigured(
                f"There is no setting {name}.{hint} Remove it, or use one of: {known}."
            )
