"""People confirm or reject results; that changes no setting and no price (SPEC §5)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from billing import closing
from credits import reconciliation
from credits.companies import CompanyClosed
from credits.models import AuditEvent, UsageEvent
from tests.support import conversations, people
from tests.support.conversations import record
from trackers import estimates, reviewing, scanning
from trackers.models import Review, Scan, Tracker, TrackerVersion

pytestmark = pytest.mark.django_db

NOW = timezone.now()


@pytest.fixture
def acme():
    company = people.company()
    people.credits_for(company, "10")
    return company


@pytest.fixture
def tracker(acme, alice):
    return conversations.published(acme, alice, now=NOW - timedelta(days=60))


@pytest.fixture
def scan(acme, tracker, analyzer):
    """A call that was read, found and charged."""
    conversations.ingest(acme, record("call-1", started_at=NOW), now=NOW)
    scanning.run_batch(version_id=tracker.current_version_id, backfill_id=None, clock=timezone.now)
    return Scan.objects.get(company=acme)


def judge(scan, alice, *, is_right=True, later=0):
    now = NOW + timedelta(seconds=later)
    return reviewing.judge(scan=scan, is_right=is_right, by=alice, now=now)


def unsure(scan):
    Scan.objects.filter(pk=scan.pk).update(verdict="UNSURE")
    scan.refresh_from_db()
    return scan


def test_a_confirmed_result_keeps_who_said_so_and_the_passage(scan, alice):
    judge(scan, alice)

    review = Review.objects.get()
    assert (review.is_yes, review.is_right, review.verdict) == (True, True, "YES")
    assert (review.judged_by, review.judged_at) == (alice, NOW)
    assert review.utterance.text[review.start : review.end] == "Here is our proposal."
    assert review.is_learned is False


def test_a_rejected_result_says_that_it_is_not_there(scan, alice):
    review = judge(scan, alice, is_right=False)

    assert (review.is_yes, review.is_right) == (False, False)


@pytest.mark.parametrize(("is_right", "is_yes"), [(True, False), (False, True)])
def test_a_result_that_found_nothing_is_confirmed_or_was_missed(scan, alice, is_right, is_yes):
    Scan.objects.filter(pk=scan.pk).update(verdict="NO")
    scan.refresh_from_db()

    review = judge(scan, alice, is_right=is_right)

    assert (review.is_yes, review.is_right) == (is_yes, is_right)


@pytest.mark.parametrize("is_right", [True, False])
def test_an_unsure_result_is_never_as_expected_whatever_is_there(scan, alice, is_right):
    review = judge(unsure(scan), alice, is_right=is_right)

    assert (review.is_yes, review.is_right) == (is_right, False)


def test_the_same_word_again_changes_nothing(scan, alice):
    first = judge(scan, alice)

    again = judge(scan, alice, later=60)

    assert again == first
    assert Review.objects.count() == 1


def test_another_word_replaces_the_first_and_both_are_kept(scan, alice):
    judge(scan, alice)
    judge(scan, alice, is_right=False, later=60)

    rows = Review.objects.order_by("judged_at").values_list("is_yes", "replaced_at")
    assert list(rows) == [(True, NOW + timedelta(seconds=60)), (False, None)]
    assert [one.is_yes for one in reviewing.in_force(version=scan.version)] == [False]


def test_every_word_is_in_the_audit_trail(scan, alice):
    judge(scan, alice)

    event = AuditEvent.objects.get(subject_type="trackers.review")
    assert (event.action, event.actor_ref) == ("ADDED", alice.public_id)
    assert event.text.changes == [
        {"field": "result", "before": None, "after": "Found"},
        {"field": "person_says", "before": None, "after": "Found"},
    ]


def test_what_is_not_read_yet_cannot_be_judged(scan, alice):
    queued = Scan(state="PENDING")

    with pytest.raises(reviewing.NotReviewable, match="wait until it is done"):
        judge(queued, alice)


def test_in_a_closed_company_nobody_judges(acme, scan, alice):
    closing.close(company=acme, by=people.vera(), reason="The contract has ended", now=NOW)

    with pytest.raises(CompanyClosed):
        judge(scan, alice)

    assert Review.objects.count() == 0


def test_a_review_is_of_the_question_that_was_asked(scan, alice, tracker):
    judge(scan, alice)
    other = TrackerVersion.objects.create(
        company=tracker.company, tracker=tracker, number=2, question="Did they ask for a discount?"
    )

    assert reviewing.in_force(version=other) == []
    assert len(reviewing.in_force(version=scan.version)) == 1


def test_the_score_counts_what_was_as_expected(acme, tracker, scan, alice):
    conversations.ingest(acme, record("call-2", started_at=NOW), now=NOW)
    scanning.run_batch(version_id=tracker.current_version_id, backfill_id=None, clock=timezone.now)
    first, second = Scan.objects.order_by("conversation__external_id")
    judge(first, alice)
    judge(second, alice, is_right=False)

    reviews = reviewing.in_force(version=scan.version)

    assert str(reviewing.agreement(reviews)) == "1 of 2 as you expected"


def test_the_reviews_of_several_results_come_with_one_query(
    acme, tracker, scan, alice, django_assert_num_queries
):
    review = judge(scan, alice)
    scans = list(Scan.objects.select_related("version"))

    with django_assert_num_queries(1):
        found = reviewing.of_scans(scans)

    assert found == {scan.pk: review}


def test_no_word_makes_anything_payable_again(acme, tracker, scan, alice):
    def backfill():
        return estimates.backfill(
            tracker=Tracker.objects.get(),
            version=scan.version,
            from_at=NOW - timedelta(days=1),
            to_at=NOW + timedelta(days=1),
            rates=people.rates(),
        ).credits

    before = (backfill(), UsageEvent.objects.count())

    judge(scan, alice)
    judge(scan, alice, is_right=False, later=60)

    assert (backfill(), UsageEvent.objects.count()) == before
    assert reconciliation.check() == []
