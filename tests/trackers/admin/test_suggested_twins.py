"""Of two trackers that repeat each other, one stays switched on, whatever is applied (SPEC §6)."""

from __future__ import annotations

import pytest
from django.utils import timezone

from tests.support import conversations, pages
from tests.support.browsing import signed_in
from tests.trackers.admin import test_suggestions
from tests.trackers.admin.test_suggestions import apply_url, suggest
from trackers import advice, narrowing, publishing

pytestmark = pytest.mark.django_db

acme, alice, tracker = test_suggestions.acme, test_suggestions.alice, test_suggestions.tracker


@pytest.mark.parametrize("became", ["unpublished", "changed"])
def test_of_two_that_repeat_each_other_one_stays_switched_on(acme, alice, tracker, became):
    client = signed_in(alice, acme)
    twin = conversations.published(acme, alice, name="Price talks", include_emails=True)
    number = twin.edit_number
    suggestion = suggest(tracker, "DUPLICATE", twin=twin, twin_edit_number=number)
    shown = client.get(apply_url(suggestion))
    sent = {field.name: str(field.value()) for field in shown.context["form"].hidden_fields()}
    seen_before = {"step": "confirm", "seen": shown.context["seen"]}
    if became == "unpublished":
        publishing.unpublish(
            tracker_id=twin.pk, edit_number=twin.edit_number, by=alice, now=timezone.now()
        )
    else:
        narrowing.save(
            tracker=twin,
            edit_number=twin.edit_number,
            reads=narrowing.of(twin).without_emails(),
            by=alice,
            now=timezone.now(),
        )

    answer = client.post(apply_url(suggestion), sent | seen_before)

    assert "This tracker was changed since" in pages.read(answer).text
    tracker.refresh_from_db()
    assert tracker.state == "PUBLISHED"
    assert suggestion not in advice.standing()
