"""What people decide about briefs."""

from __future__ import annotations

from typing import Any

from tests.security.acting import World, act, agreed, seen, url
from tests.support import briefs
from trackers.models import CustomerAccount

FORM = {
    "name": "Renewal review",
    "description": "",
    "entity_type": "ACCOUNT",
    "sections-TOTAL_FORMS": "1",
    "sections-INITIAL_FORMS": "0",
    "sections-MIN_NUM_FORMS": "0",
    "sections-MAX_NUM_FORMS": "12",
    "sections-0-position": "1",
    "sections-0-kind": "CONVERSATIONS",
    "sections-0-title": "Open risks",
    "sections-0-question": "What are the open risks?",
    "sections-0-tracker": "",
}


@act("admin:trackers_brief_add", "ADDED")
def add_brief(world: World, _nothing: Any) -> Any:
    return world.as_alice.post(url("trackers_brief_add"), FORM)


def _unpublished(world: World) -> Any:
    world.calls()
    return briefs.brief(world.acme, world.alice, published=False)


def _published(world: World) -> Any:
    world.calls()
    return briefs.brief(world.acme, world.alice)


@act("admin:trackers_brief_change", "CHANGED", prepare=_unpublished)
def change_brief(world: World, brief: Any) -> Any:
    form = FORM | {"edit_number": str(brief.edit_number)}
    return world.as_alice.post(url("trackers_brief_change", brief.pk), form)


@act("admin:trackers_brief_publish", "PUBLISHED", prepare=_unpublished)
def publish_brief(world: World, brief: Any) -> Any:
    return seen(world.as_alice, url("trackers_brief_publish", brief.pk))


@act("admin:trackers_brief_unpublish", "UNPUBLISHED", prepare=_published)
def unpublish_brief(world: World, brief: Any) -> Any:
    return seen(world.as_alice, url("trackers_brief_unpublish", brief.pk))


@act("admin:trackers_brief_discard", "DELETED", prepare=_unpublished)
def discard_brief(world: World, brief: Any) -> Any:
    return seen(world.as_alice, url("trackers_brief_discard", brief.pk))


@act("admin:trackers_brief_run", "STARTED", prepare=_unpublished)
def run_brief(world: World, brief: Any) -> Any:
    account = CustomerAccount.objects.get(company=world.acme)
    form = {"entity": str(account.pk), "period": "ALL_CONVERSATIONS"}
    return agreed(world.as_alice, url("trackers_brief_run", brief.pk), **form)
