"""Reviews become examples and a threshold, when somebody asks for that (SPEC §5, MODEL)."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from billing import closing
from credits import reconciliation
from credits.companies import CompanyClosed
from credits.models import AuditEvent, UsageEvent
from tests.support import conversations, people
from tests.support.conversations import record
from trackers import analyzers, calibrating, estimates, previewing, reviewing, scanning, teaching
from trackers.analyzers.base import Calibration, Confidence, Evidence, Finding, Verdict
from trackers.models import Review, Scan, Tracker, TrackerVersion
from trackers.publishing import StaleForm
from trackers.teaching import NothingToLearn, ReviewsChanged

pytestmark = pytest.mark.django_db

NOW = timezone.now()


class ScoringAnalyzer:
    """Scores a call by the number in its text, and far higher when that text is an example.

    Where ``phrases_help``, phrases of others move what is there up and the rest down.
    """

    name = "scoring"
    version = "1"
    generative = False

    def __init__(self):
        self.phrases_help = True
        self.on_calibrate = lambda: None
        self.asked = []

    def score(self, said, question):
        # As many places as scores have.
        score = int(said.split()[-1]) / 100 + 0.000321
        if said in question.examples:
            return 0.999
        if self.phrases_help and question.counter_examples and score < 0.9:
            score /= 5 if len(question.examples) > 2 else 1.5
        return score

    def calibrate(self, questions, sample):
        self.on_calibrate()
        self.asked.append(questions)
        return Calibration(analyzer=self.name, analyzer_version=self.version)

    def evaluate(self, conversation, questions, calibration):
        said = conversation.utterances[-1]
        quote = Evidence(said.id, 0, len(said.text), said.text)
        found = []
        for question in questions:
            own = self.score(said.text, question)
            limit = 0.5 if question.threshold is None else question.threshold
            verdict = Verdict.YES if own >= limit else Verdict.NO
            found.append(
                Finding(question.id, verdict, own, Confidence.HIGH, verdict.value, (quote,))
            )
        return found


@pytest.fixture(autouse=True)
def analyzer(monkeypatch):
    scoring = ScoringAnalyzer()
    monkeypatch.setattr(analyzers, "in_use", lambda: scoring)
    return scoring


@pytest.fixture
def acme():
    company = people.company()
    people.credits_for(company, "50")
    return company


@pytest.fixture
def tracker(acme, alice):
    """A published tracker that reads too eagerly: only what scores 90 or more is there."""
    return conversations.published(acme, alice, now=NOW - timedelta(days=60))


def read(acme, tracker, *scores):
    """Read one new call for each score; return the results by score."""
    incoming = []
    for score in scores:
        said = [
            {"id": "u0", "speaker": "r", "start": 0.0, "text": "Here is our proposal."},
            {"id": "u1", "speaker": "c", "start": 4.0, "text": f"That price scores {score}"},
        ]
        incoming.append(record(f"call-{score:02}", started_at=NOW, utterances=said))
    conversations.ingest(acme, *incoming, now=NOW)
    scanning.run_batch(version_id=tracker.current_version_id, backfill_id=None, clock=timezone.now)
    return {
        int(scan.conversation.external_id.removeprefix("call-")): scan
        for scan in Scan.objects.filter(tracker=tracker).select_related(
            "tracker", "version", "conversation"
        )
    }


def review(scans, alice, *, there):
    """Say of each result whether it is there."""
    for score, scan in scans.items():
        is_right = (scan.verdict == "YES") == there(score)
        reviewing.judge(scan=scan, is_right=is_right, by=alice, now=NOW)


SCORES = (5, 10, 15, 51, 53, 55, 57, 59, 61, 92, 94, 96, 97, 98)


@pytest.fixture
def reviewed(acme, tracker, alice):
    """Fourteen reviews: six of what is found are not there."""
    scans = read(acme, tracker, *SCORES)
    review(scans, alice, there=lambda score: score >= 90)
    return scans


def learn(tracker, alice, **changes):
    tracker.refresh_from_db()
    given = {"tracker_id": tracker.pk, "edit_number": tracker.edit_number, "by": alice, "now": NOW}
    return teaching.learn(**(given | changes))


def test_what_was_confirmed_becomes_an_example_and_what_was_rejected_a_counter_example(
    tracker, alice, reviewed
):
    learned = learn(tracker, alice)

    question = calibrating.question_of(learned, learned.version_in_force)
    assert set(question.examples) == {
        "That is too expensive.",
        "We have no budget for this.",
        *(f"That price scores {score}" for score in (92, 94, 96, 97, 98)),
    }
    assert set(question.counter_examples) == {
        f"That price scores {score}" for score in (51, 53, 55, 57, 59, 61)
    }


def test_the_threshold_divides_what_is_there_from_what_is_not(tracker, alice, reviewed):
    learned = learn(tracker, alice)

    assert Decimal("0.61") < learned.threshold <= Decimal("0.920321")


def test_the_threshold_comes_from_scores_without_a_conversation_s_own_phrase(
    tracker, alice, reviewed, analyzer
):
    """With its own phrase each example would score 99.9, and the threshold go far too high."""
    learn(tracker, alice)

    with_both = analyzer.asked[-1][12:]
    said = {f"That price scores {score}" for score in (92, 94, 96, 97, 98)}
    missing = [said - set(question.examples) for question in with_both]
    assert len(missing) == 6
    assert set().union(*missing[:5]) == said
    assert sum(len(one) for one in missing[:5]) == 5
    assert missing[5] == set()


def test_phrases_that_tell_nothing_more_are_left_out(tracker, alice, reviewed, analyzer):
    analyzer.phrases_help = False

    learned = learn(tracker, alice)

    assert teaching.learned(learned) == teaching.Learned(0, 0, learned.threshold)
    assert Decimal("0.61") < learned.threshold <= Decimal("0.920321")


def test_the_effect_is_told_before_anything_changes(tracker, alice, reviewed):
    lesson = teaching.prepare(version=tracker.version_in_force)

    assert (len(lesson.review_ids), lesson.right_before, lesson.right_after) == (14, 8, 14)
    assert (len(lesson.example_ids), len(lesson.counter_example_ids)) == (5, 6)
    tracker.refresh_from_db()
    assert (tracker.threshold, Review.objects.filter(is_learned=True).count()) == (None, 0)


def test_what_was_learned_holds_for_what_is_read_from_then_on(acme, tracker, alice, reviewed):
    learn(tracker, alice)

    scans = read(acme, tracker, 60, 93)

    assert (scans[60].verdict, scans[93].verdict) == ("NO", "YES")
    assert scans[51].verdict == "YES"


def test_learning_makes_nothing_payable_again(acme, tracker, alice, reviewed):
    def price():
        return estimates.backfill(
            tracker=Tracker.objects.get(),
            version=tracker.version_in_force,
            from_at=NOW - timedelta(days=1),
            to_at=NOW + timedelta(days=1),
            rates=people.rates(),
        ).credits

    before = (price(), UsageEvent.objects.count(), Scan.objects.count())

    learn(tracker, alice)

    assert before[0] == Decimal(0)
    assert (price(), UsageEvent.objects.count(), Scan.objects.count()) == before
    assert reconciliation.check() == []


def test_who_learned_what_is_in_the_history_and_the_trail_without_what_was_said(
    tracker, alice, reviewed
):
    learned = learn(tracker, alice)

    row = learned.history.latest("history_id")
    assert (row.history_user, row.threshold) == (alice, learned.threshold)
    assert row.history_change_reason == (
        "Learned from 14 reviews: 5 examples, 6 counter-examples, a threshold."
    )
    event = AuditEvent.objects.get(action="CHANGED")
    assert event.changed_fields == ["threshold", "reviews"]
    assert "scores" not in str(event.text.changes)
    assert "That price" not in str(learned.examples) + str(row.examples)


def test_what_was_learned_can_be_taken_back_and_learned_again(tracker, alice, reviewed):
    first = learn(tracker, alice)

    back = teaching.forget(tracker_id=tracker.pk, edit_number=first.edit_number, by=alice, now=NOW)

    assert (back.threshold, bool(teaching.learned(back))) == (None, False)
    assert calibrating.question_of(back, back.version_in_force).counter_examples == ()
    assert learn(tracker, alice).threshold == first.threshold


def test_where_nothing_was_learned_nothing_is_taken_back(tracker, alice):
    with pytest.raises(NothingToLearn, match="learned nothing"):
        teaching.forget(tracker_id=tracker.pk, edit_number=tracker.edit_number, by=alice, now=NOW)


def test_a_word_taken_back_no_longer_teaches(tracker, alice, reviewed):
    learn(tracker, alice)
    reviewing.judge(scan=reviewed[98], is_right=False, by=alice, now=NOW)

    learned = learn(tracker, alice)

    question = calibrating.question_of(learned, learned.version_in_force)
    assert "That price scores 98" in question.counter_examples
    assert "That price scores 98" not in question.examples


def test_nine_reviews_teach_nothing_yet(acme, tracker, alice):
    review(read(acme, tracker, *SCORES[-9:]), alice, there=lambda score: score >= 90)

    with pytest.raises(NothingToLearn, match="from 10 reviews or more; of this question there are"):
        learn(tracker, alice)


def test_reviews_that_all_say_the_same_teach_nothing(tracker, acme, alice):
    review(read(acme, tracker, *SCORES), alice, there=lambda score: True)

    with pytest.raises(NothingToLearn, match="All reviews say the same"):
        learn(tracker, alice)


def test_a_choice_of_answers_learns_nothing_from_reviews(tracker, alice, reviewed):
    TrackerVersion.objects.update(answer_type="CATEGORY", choices=["price", "time"])

    with pytest.raises(NothingToLearn, match="one of several choices learns nothing"):
        learn(tracker, alice)


def test_an_older_form_teaches_nothing(tracker, alice, reviewed):
    with pytest.raises(StaleForm):
        learn(tracker, alice, edit_number=tracker.edit_number - 1)

    assert Review.objects.filter(is_learned=True).count() == 0


def test_a_review_made_meanwhile_asks_for_another_look(tracker, alice, reviewed, analyzer):
    analyzer.on_calibrate = lambda: reviewing.judge(
        scan=reviewed[5], is_right=False, by=alice, now=NOW
    )

    with pytest.raises(ReviewsChanged):
        learn(tracker, alice)

    tracker.refresh_from_db()
    assert tracker.threshold is None


def test_a_closed_company_s_trackers_learn_nothing(acme, tracker, alice, reviewed):
    closing.close(company=acme, by=people.vera(), reason="The contract has ended", now=NOW)

    with pytest.raises(CompanyClosed):
        learn(tracker, alice)


def test_reviews_of_previews_teach_as_those_of_results_do(acme, alice):
    draft = conversations.tracker(acme)
    scans = read(acme, conversations.published(acme, alice, "Another"), *SCORES[-10:])
    assert len(scans) == 0
    preview = previewing.run(tracker_id=draft.pk, count=10, by=alice, clock=lambda: NOW)
    for result in preview.results.select_related("preview__tracker", "preview__version"):
        is_right = result.score >= Decimal("0.9")
        reviewing.judge_preview(result=result, is_right=is_right, by=alice, now=NOW)

    learned = learn(draft, alice)

    assert Decimal("0.61") < learned.threshold <= Decimal("0.920321")


def test_keywords_learn_nothing_from_reviews(acme):
    tracker = Tracker.objects.create(company=acme, name="Words", kind="KEYWORD")
    version = TrackerVersion.objects.create(
        company=acme, tracker=tracker, number=1, kind="KEYWORD", question="price", terms=["price"]
    )

    with pytest.raises(NothingToLearn, match="Change the words instead"):
        teaching.prepare(version=version)
