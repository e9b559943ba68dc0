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
    """One variable the product reads; ``default`` says in words what depends on the machine."""

    name: str
    default: str
    purpose: str


class Environment:
    """Read the variables a settings file declares, and refuse those nobody declared."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        self.variables = variables
        self.declared: dict[str, Setting] = {}

    def text(self, name: str, default: str, purpose: str, *, default_is: str = "") -> str:
        """Return the variable's text, or the default when it is missing, empty or blank.

        ``default_is`` describes a default that differs between machines, for the reference.
        """
        described = default_is or (f"`{default}`" if default else "")
        self.declared[name] = Setting(name, described, purpose)
        return self.variables.get(name, "").strip() or default

    def choice(self, name: str, default: str, options: tuple[str, ...], purpose: str) -> str:
        """Return one of the options, which are upper case; the variable may be lower case.

        :raises ImproperlyConfigured: for any other text.
        """
        text = self.text(name, default, purpose)
        if text.upper() not in options:
            known = ", ".join(options)
            raise ImproperlyConfigured(f"{name} is “{text}”; write one of: {known}.")
        return text.upper()

    def boolean(self, name: str, default: bool, purpose: str, *, default_is: str = "") -> bool:
        """Return true for 1, true, yes or on, false for 0, false, no or off.

        :raises ImproperlyConfigured: for any other text.
        """
        text = self.text(name, "true" if default else "false", purpose, default_is=default_is)
        if text.lower() not in TRUE | FALSE:
            raise ImproperlyConfigured(f"{name} is “{text}”; write true or false.")
        return text.lower() in TRUE

    def number(self, name: str, default: int, purpose: str, *, maximum: int) -> int:
        """Return a whole number from 0 to the maximum.

        :raises ImproperlyConfigured: for any other text.
        """
        text = self.text(name, str(default), purpose)
        # The length first: Python refuses to read numbers of thousands of digits.
        is_short = len(text) <= len(str(maximum))
        if not (is_short and text.isdecimal() and int(text) <= maximum):
            raise ImproperlyConfigured(
                f"{name} is “{text}”; write a whole number from 0 to {maximum}."
            )
        return int(text)

    def refuse_unknown(self) -> None:
        """Check that every variable with our prefix is one that was read.

        :raises ImproperlyConfigured: names the nearest setting there is.
        """
        for name in self.variables:
            if not name.startswith(PREFIX) or name in self.declared:
                continue
            # The prefix they all share would make any two of them near.
            by_rest = {known.removeprefix(PREFIX): known for known in self.declared}
            nearest = difflib.get_close_matches(name.removeprefix(PREFIX), by_rest, n=1)
            hint = f" Did you mean {by_rest[nearest[0]]}?" if nearest else ""
            known = ", ".join(sorted(self.declared))
            raise ImproperlyConfigured(
                f"There is no setting {name}.{hint} Remove it, or use one of: {known}."
            )

    def reference(self) -> str:
        """Return docs/settings.md: every variable in the order in which it is read."""
        rows = "".join(
            f"| `{one.name}` | {one.default or 'none'} | {one.purpose} |\n"
            for one in self.declared.values()
        )
        return (
            "# Settings\n\n"
            "All settings are environment variables. An empty one counts as missing; one that\n"
            f"is wrong, or starts with `{PREFIX}` and is not in this table, stops the start\n"
            "with a sentence that says how to mend it. Written by\n"
            "`python manage.py list_settings`.\n\n"
            "| variable | default | what it is |\n"
            "|---|---|---|\n" + rows
        )
