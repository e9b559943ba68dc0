"""Briefs are written, published and deleted; a tracker that one shows stays published."""

from __future__ import annotations

import pytest
from django.utils import timezone

from credits.models import AuditEvent
from tests.support import briefs as support
from tests.support import conversations, people
from tests.support.briefs import PRICES, RISKS
from trackers import briefs, discarding, publishing
from trackers.models import Brief, Tracker

pytestmark = pytest.mark.django_db


@pytest.fixture
def acme():
    return people.company("Acme")


def save(brief, template, by):
    return briefs.save(
        company=brief.company,
        brief_id=brief.pk,
        edit_number=brief.edit_number,
        template=template,
        by=by,
        now=timezone.now(),
    )


def trail(brief):
    """Return what the audit trail says of a brief: action, and fields from → to."""
    rows = AuditEvent.objects.filter(subject_id=str(brief.pk)).order_by("pk")
    return [
        (row.action, {one["field"]: (one["before"], one["after"]) for one in row.text.changes})
        for row in rows.select_related("text")
    ]


def test_a_change_is_on_the_trail_section_by_section(acme, alice):
    brief = support.brief(acme, alice, RISKS, published=False)

    save(brief, support.template(RISKS, PRICES, name="Renewal review"), alice)

    assert trail(brief)[-1] == (
        "CHANGED",
        {
            "name": ("Account review", "Renewal review"),
            "section 2": (None, "Prices (Calls and e-mails): What is too expensive?"),
        },
    )


def test_sections_change_places_and_keep_who_they_are(acme, alice):
    brief = support.brief(acme, alice, RISKS, PRICES)
    before = briefs.template_of(brief)

    save(brief, support.template(*reversed(before.sections)), alice)

    assert [one.title for one in briefs.sections_of(brief)] == ["Prices", "Open risks"]
    assert {one.id for one in briefs.template_of(brief).sections} == {
        one.id for one in before.sections
    }


def test_saving_what_is_there_changes_nothing(acme, alice):
    brief = support.brief(acme, alice)
    lines = len(trail(brief))

    saved = save(brief, briefs.template_of(brief), alice)

    assert saved.edit_number == brief.edit_number
    assert len(trail(brief)) == lines


def test_a_form_older_than_anothers_change_is_refused(acme, alice):
    brief = support.brief(acme, alice)
    save(brief, support.template(RISKS, name="Other"), people.bob(acme))

    with pytest.raises(briefs.NotSaved, match=r"^Not saved: Bob changed this at "):
        save(brief, support.template(PRICES), alice)

    assert Brief.objects.get().name == "Other"


WRONG = {
    "a name": (support.template(RISKS, name=" "), "name", "give the brief a name"),
    "a title": (
        support.template(support.Section(RISKS.kind, " ", "What?")),
        "sections",
        "give each section a title",
    ),
    "a question": (
        support.template(support.Section(RISKS.kind, "Risks", " ")),
        "sections",
        "give “Risks” a question",
    ),
    "a tracker": (
        support.template(support.Section(support.SectionKind.TRACKER, "Objections")),
        "sections",
        "choose the tracker of “Objections”",
    ),
    "fewer sections": (support.template(*[RISKS] * 13), "sections", "at most 12 sections"),
    "a shorter name": (support.template(RISKS, name="n" * 201), "name", "200 characters"),
}


@pytest.mark.parametrize("lack", WRONG)
def test_what_is_missing_is_said_and_nothing_is_saved(acme, alice, lack):
    template, field, words = WRONG[lack]

    with pytest.raises(briefs.NotSaved, match=words) as refusal:
        support.brief(acme, alice, *template.sections, published=False, name=template.name)

    assert refusal.value.field == field
    assert not Brief.objects.exists()


def test_two_briefs_of_a_company_have_two_names(acme, alice):
    support.brief(acme, alice)

    with pytest.raises(briefs.NotSaved, match="another brief named “Account review”"):
        support.brief(acme, alice)


def test_another_company_s_tracker_cannot_be_shown(acme, alice):
    other = people.company("Globex")
    foreign = conversations.published(other, people.alice(other))

    with pytest.raises(briefs.NotSaved, match="the company has no such tracker"):
        support.brief(acme, alice, support.of_tracker(foreign))


def test_a_published_brief_has_sections_and_published_trackers(acme, alice):
    draft = conversations.tracker(acme)
    brief = support.brief(acme, alice, support.of_tracker(draft), published=False)

    with pytest.raises(briefs.NotPublishable, match="“Pricing objection”, which is not published"):
        briefs.publish(
            brief_id=brief.pk, edit_number=brief.edit_number, by=alice, now=timezone.now()
        )

    published = support.brief(acme, alice, RISKS, name="Other")
    with pytest.raises(briefs.NotSaved, match="a published brief needs a section"):
        save(published, support.template(name="Other"), alice)


def test_a_tracker_that_a_published_brief_shows_is_not_unpublished(acme, alice):
    tracker = conversations.published(acme, alice)
    shown = support.of_tracker(tracker)
    brief = support.brief(acme, alice, shown)
    support.brief(acme, alice, shown, name="Deal review")

    with pytest.raises(publishing.UsedByBriefs) as refusal:
        publishing.unpublish(
            tracker_id=tracker.pk, edit_number=tracker.edit_number, by=alice, now=timezone.now()
        )

    assert str(refusal.value) == (
        "Not unpublished: the briefs “Account review” and “Deal review” show its results. Take it "
        "out of them, or unpublish them first."
    )
    assert refusal.value.briefs[0] == brief
    assert Tracker.objects.get().state == "PUBLISHED"


def test_a_tracker_of_an_unpublished_brief_may_be_unpublished(acme, alice):
    tracker = conversations.published(acme, alice)
    brief = support.brief(acme, alice, support.of_tracker(tracker))
    briefs.unpublish(brief_id=brief.pk, edit_number=brief.edit_number, by=alice, now=timezone.now())

    publishing.unpublish(
        tracker_id=tracker.pk, edit_number=tracker.edit_number, by=alice, now=timezone.now()
    )

    assert Tracker.objects.get().state == "UNPUBLISHED"


def test_a_draft_tracker_of_a_brief_is_not_deleted(acme, alice):
    draft = conversations.tracker(acme)
    support.brief(acme, alice, support.of_tracker(draft), published=False)

    with pytest.raises(discarding.NotDiscarded, match="the brief “Account review” would show"):
        discarding.discard(
            tracker_id=draft.pk, edit_number=draft.edit_number, by=alice, now=timezone.now()
        )

    assert Tracker.objects.exists()


def test_a_brief_is_deleted_until_it_was_run(acme, alice):
    conversations.ingest(acme, conversations.record("one"))
    used = support.brief(acme, alice, published=False)
    support.run(support.by_hand(alice, acme), used)
    unused = support.brief(acme, alice, published=False, name="Other")

    briefs.discard(brief_id=unused.pk, edit_number=unused.edit_number, by=alice)
    with pytest.raises(briefs.NotDiscarded, match="this brief was run"):
        briefs.discard(brief_id=used.pk, edit_number=used.edit_number, by=alice)

    assert list(Brief.objects.all()) == [used]
