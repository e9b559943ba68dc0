"""List, rotate and revoke API keys: ``manage.py api_keys list|rotate|revoke``."""

from __future__ import annotations

import argparse
import contextlib
import json
import re
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError
from django.db.models import Q
from django.utils import timezone

from credits import api_keys, audit, origins
from credits.companies import CompanyClosed
from credits.models import ApiKey, AuditActor, Company
from credits.models.api_keys import PREFIX_LENGTH

REFUSALS = (
    api_keys.AlreadyReplaced,
    api_keys.AlreadyRevoked,
    api_keys.KeyNotUsable,
    api_keys.MakerRefused,
    api_keys.ScopeNeedsPerson,
    api_keys.TooManyKeys,
    CompanyClosed,
)
# A key by its beginning; what follows that, the secret too, says no more.
NAMED = re.compile(rf"(?:tsk_)?([a-z2-7]{{{PREFIX_LENGTH}}})(?:_.*|…)?", re.ASCII | re.DOTALL)
SHOWN_LENGTH_MAX = len("tsk_") + PREFIX_LENGTH


class Command(BaseCommand):
    help = (
        "Lists a company's API keys, replaces one, or ends one.\n\n"
        "  list    the keys that work, with what they may do and when they were last used;\n"
        "          --all lists those that are revoked or expired too\n"
        "  rotate  make a key that may do the same and print it, this once; the old one works on\n"
        "          for --overlap-hours, so that its program can be changed over\n"
        "  revoke  end a key at once: its next request is refused\n\n"
        "A key is named with --key: by its id, by the beginning that the list shows, or whole.\n"
        "“create_api_key” makes a new one.\n\n"
        "Exit code 0: done, or told with --dry-run. 2: not done, with the reason.\n\n"
        "Examples:\n"
        "  manage.py api_keys list --company acme --json\n"
        "  KEY=$(manage.py api_keys rotate --company acme --key tsk_abcdefgh)\n"
        "  manage.py api_keys revoke --company acme --key tsk_abcdefgh --dry-run"
    )

    def create_parser(self, *args: Any, **kwargs: Any) -> Any:
        kwargs["formatter_class"] = argparse.RawDescriptionHelpFormatter
        return super().create_parser(*args, **kwargs)

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("act", choices=["list", "rotate", "revoke"])
        parser.add_argument("--company", metavar="SLUG", required=True, help="whose keys")
        parser.add_argument("--key", metavar="KEY", help="rotate, revoke: which one")
        parser.add_argument("--all", action="store_true", help="list: also what works no more")
        parser.add_argument(
            "--overlap-hours",
            type=int,
            metavar="N",
            default=api_keys.OVERLAP_DEFAULT // timedelta(hours=1),
            help="rotate: how long the old one works on (%(default)s)",
        )
        parser.add_argument("--dry-run", action="store_true", help="say it, and change nothing")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, **options: Any) -> None:
        company = Company.objects.filter(slug=options["company"]).first()
        if company is None:
            raise CommandError(f"There is no company “{options['company']}”.", returncode=2)
        acts = {"list": self._list, "rotate": self._rotate, "revoke": self._revoke}
        try:
            with origins.coming_from(origins.of_command("api_keys")):
                acts[options["act"]](company, options, timezone.now())
        except REFUSALS as refusal:
            raise CommandError(str(refusal), returncode=2) from refusal

    def _list(self, company: Company, options: dict[str, Any], now: datetime) -> None:
        rows = ApiKey.objects.filter(company=company)
        if not options["all"]:
            rows = api_keys.live(company=company, now=now)
        found = list(rows.select_related("integration").order_by("-created_at", "pk"))
        if options["json"]:
            self.stdout.write(json.dumps({"keys": [_facts(key, now) for key in found]}))
            return
        for key in found:
            self.stdout.write(_in_words(key, now))
        if not found:
            self.stdout.write("No key works.")

    def _rotate(self, company: Company, options: dict[str, Any], now: datetime) -> None:
        key, hours = _key(company, options["key"]), options["overlap_hours"]
        overlap = timedelta(hours=min(max(hours, -1), 10**6))
        if not timedelta(0) <= overlap <= api_keys.OVERLAP_MAX:
            hours_max = api_keys.OVERLAP_MAX // timedelta(hours=1)
            raise CommandError(
                f"Two keys overlap for 0 to {hours_max} hours, not {hours}.", returncode=2
            )
        if options["dry_run"]:
            api_keys.refuse_rotation(key=key, now=now)
            self._say_dry(key, f"would be replaced, and work on for {hours} hours", options)
            return
        if key.created_by is not None:
            # It goes on acting in that person's name, if they may still make it.
            api_keys.refuse_maker(company=company, by=key.created_by)
        made = api_keys.rotate(
            key=key,
            by=key.created_by,
            now=now,
            overlap=overlap,
            through=audit.Actor(AuditActor.SYSTEM, name=origins.of_command("api_keys").who),
        )
        key.refresh_from_db()
        if options["json"]:
            facts = {"key": made.text, "old": _facts(key, now), "new": _facts(made.key, now)}
            self.stdout.write(json.dumps(facts))
        else:
            self.stdout.write(made.text)

    def _revoke(self, company: Company, options: dict[str, Any], now: datetime) -> None:
        key = _key(company, options["key"])
        if options["dry_run"]:
            if key.revoked_at is not None:
                raise api_keys.AlreadyRevoked(api_keys.AlreadyRevoked.__doc__)
            self._say_dry(key, "would be revoked", options)
            return
        key = api_keys.revoke(key=key, by=None, now=now)
        if options["json"]:
            self.stdout.write(json.dumps(_facts(key, now)))
        else:
            self.stdout.write(f"Revoked: {api_keys.start_of(key)} “{key.name}”.")

    def _say_dry(self, key: ApiKey, what: str, options: dict[str, Any]) -> None:
        if options["json"]:
            self.stdout.write(json.dumps({"dry_run": True, "id": str(key.pk), "would": what}))
        else:
            self.stdout.write(f"{api_keys.start_of(key)} “{key.name}” {what}. Nothing was changed.")


def _key(company: Company, text: str | None) -> ApiKey:
    """Return the key of an id, or of its beginning: as the list shows it, or the whole key.

    :raises CommandError: the company has none; the sentence repeats no secret.
    """
    text = (text or "").strip()
    found = NAMED.fullmatch(text)
    named = Q(prefix=found[1] if found else "")
    with contextlib.suppress(ValueError):
        named |= Q(pk=UUID(text))
    rows = ApiKey.objects.filter(named, company=company)
    key = rows.select_related("company", "created_by").first()
    if key is None:
        raise CommandError(
            f"{company} has no key “{_shortened(text)}”; “api_keys list --all” prints them.",
            returncode=2,
        )
    return key


def _shortened(text: str) -> str:
    """Return a name that names nothing, too short to hold a secret."""
    return text if len(text) <= SHOWN_LENGTH_MAX else f"{text[:SHOWN_LENGTH_MAX]}…"


def _state(key: ApiKey, now: datetime) -> str:
    if key.revoked_at is not None:
        return "revoked"
    return "works" if api_keys.is_usable(key, now=now) else "expired"


def _in_words(key: ApiKey, now: datetime) -> str:
    ends = "" if key.expires_at is None else f" until {_text(key.expires_at)}"
    return (
        f"{api_keys.start_of(key)}  {key.name}: {_state(key, now)}{ends}; "
        f"may {', '.join(key.scopes)}; last used {_text(key.last_used_at) or 'never'}"
    )


def _facts(key: ApiKey, now: datetime) -> dict[str, Any]:
    return {
        "id": str(key.pk),
        "start": api_keys.start_of(key),
        "name": key.name,
        "state": _state(key, now),
        "scopes": key.scopes,
        "networks": key.networks,
        "integration": key.integration and key.integration.name,
        "created_at": _text(key.created_at),
        "expires_at": _text(key.expires_at),
        "last_used_at": _text(key.last_used_at),
        "revoked_at": _text(key.revoked_at),
        "replaces": key.replaces_id and str(key.replaces_id),
    }


def _text(instant: datetime | None) -> str | None:
    return None if instant is None else instant.isoformat(timespec="seconds")
