"""What the acts of ``tests.security.acts`` are made of: the world they are done in, and how."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.test import Client
from django.urls import reverse
from django.utils import timezone

from credits.models import Company, Membership, User
from tests.support import conversations, people
from tests.support.conversations import record
from trackers import backfills


@dataclass
class World:
    """A company with people, credits and some calls, and vendor staff who work in it."""

    acme: Company
    alice: User
    vera: User
    as_alice: Client
    as_vera: Client

    def calls(self, *, credits: str = "20") -> None:
        people.credits_for(self.acme, credits)
        conversations.ingest(self.acme, *(record(f"{number}") for number in range(4)))

    def tracker(self, **settings: Any) -> Any:
        self.calls()
        return conversations.published(self.acme, self.alice, **settings)

    def backfill(self) -> Any:
        now = timezone.now()
        return backfills.launch(
            tracker_id=self.tracker().pk,
            from_at=now - timedelta(days=60),
            to_at=now,
            ceiling=None,
            rates=people.rates(),
            by=self.alice,
            now=now,
        )

    def membership(self) -> Membership:
        return Membership.objects.get(user=self.alice)


@dataclass(frozen=True)
class Act:
    """Prepare a row (not watched), do the act on it (watched), and what the trail then says."""

    actions: tuple[str, ...]
    do: Callable[[World, Any], Any]
    prepare: Callable[[World], Any]
    # Taking figures out, or leaving, changes no row of ours.
    changes_rows: bool = True
    door: str = "ADMIN"


ACTS: dict[str, Act] = {}


def act(
    route: str,
    *actions: str,
    prepare: Callable[[World], Any] = lambda world: None,
    changes_rows: bool = True,
    door: str = "ADMIN",
) -> Callable[[Callable[[World, Any], Any]], Callable[[World, Any], Any]]:
    """Register what is done at a route; the function returns the last answer."""

    def register(do: Callable[[World, Any], Any]) -> Callable[[World, Any], Any]:
        ACTS[route] = Act(actions, do, prepare, changes_rows, door)
        return do

    return register


def url(name: str, *args: Any) -> str:
    return reverse(f"admin:{name}", args=args)


def hidden(page: Any) -> dict[str, str]:
    """Return what a page would send back unseen."""
    found = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page.content.decode())
    return {name: given for name, given in found if name != "csrfmiddlewaretoken"}


def confirmed(client: Client, address: str, **changes: str) -> Any:
    """Open a confirmation page of a tracker and send it as it was shown."""
    shown = client.get(address)
    offer = (shown.context or {}).get("offer")
    days = (
        {}
        if offer is None
        else {name: str(offer.form[name].value()) for name in ("from_day", "to_day")}
    )
    return client.post(address, hidden(shown) | days | {"accepted": "on"} | changes)


def seen(client: Client, address: str) -> Any:
    """Confirm an act without a form as it was shown; one that is refused answers at once."""
    page = client.get(address)
    form = (page.context or {}).get("form")
    if form is None:
        return client.post(address, {"step": "confirm"})
    sent = {field.name: str(field.value()) for field in form.hidden_fields()}
    return client.post(address, sent | {"step": "confirm", "seen": page.context["seen"]})


def corrected(world: World, address: str, **form: str) -> Any:
    """Fill in a correction's form, look at what it will do, and confirm it."""
    key = world.as_vera.get(address).context["form"]["key"].value()
    filled = {"reason": "Granted by mistake", "key": str(key)} | form
    seen = world.as_vera.post(address, filled).context["seen"]
    return world.as_vera.post(address, filled | {"step": "confirm", "seen": seen})


def agreed(client: Client, address: str, **form: Any) -> Any:
    """Fill in a form of billing, look at what it will do, and confirm it."""
    filled = {"key": str(uuid.uuid4())} | form
    seen = client.post(address, filled).context["seen"]
    return client.post(address, filled | {"step": "confirm", "seen": seen})
