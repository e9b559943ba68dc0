"""The test page: try a tracker for nothing, say what was right (UX §1c, C2–C3)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from credits.models import LedgerEntry, UsageEvent
from tests.support import conversations, pages
from tests.trackers.admin.conftest import call, canary_call, published, scanned, signed_in, turns
from trackers import previewing
from trackers.models import Preview, PreviewResult, Review, Scan, TrackerVersion

pytestmark = pytest.mark.django_db


def url(name, tracker):
    return reverse(f"admin:trackers_tracker_{name}", args=[tracker.pk])


def calls(company, count):
    started = timezone.now() - timedelta(days=3)
    said = turns("Here is our proposal.", "c: That is too expensive for us.")
    silent = turns("Here is our proposal.", "c: Thank you.")
    conversations.ingest(
        company,
        *(
            call(
                f"call-{n:02}",
                title=f"Robots {n}",
                started_at=started + timedelta(minutes=n),
                utterances=said if n % 2 else silent,
            )
            for n in range(count)
        ),
    )


def tried(world, count=10):
    draft = conversations.tracker(world.acme)
    client = signed_in(world.alice)
    client.post(url("test", draft), {"count": str(count)})
    return draft, client


def test_a_draft_is_tested_from_its_page_for_nothing(world):
    calls(world.acme, 12)
    draft, client = tried(world)

    page = pages.read(client.get(url("test", draft)))

    assert page.figure("left_today") == "0"
    assert (len(page.all(data_status="YES")), len(page.all(data_status="NO"))) == (5, 5)
    assert "That is too expensive for us. Carl Customer, 03:41" in page.text
    assert "Confidence: High" in page.text
    assert "call-11" not in page.text
    assert "Robots 11" in page.text
    assert (UsageEvent.objects.get().action, LedgerEntry.objects.count()) == ("PREVIEW", 0)


def test_the_tracker_s_page_leads_to_its_test(world):
    draft = conversations.tracker(world.acme)

    page = pages.read(
        signed_in(world.alice).get(reverse("admin:trackers_tracker_change", args=[draft.pk]))
    )

    assert url("test", draft) in page.links()


def test_at_the_day_s_limit_the_page_says_so_and_offers_no_test(world):
    calls(world.acme, 11)
    draft, client = tried(world)

    page = client.get(url("test", draft))
    refused = client.post(url("test", draft), {"count": "3"})

    assert 'name="count"' not in page.content.decode()
    assert "tested on 10 conversations today" in pages.read(refused).text
    assert PreviewResult.objects.count() == 10


@pytest.mark.parametrize("count", ["0", "11", "", "many"])
def test_a_count_that_is_none_is_refused_in_one_sentence(world, count):
    calls(world.acme, 2)
    draft, client = tried(world, count)

    answer = client.post(url("test", draft), {"count": count})

    assert "Choose between 1 and 10 conversations." in pages.read(answer).text
    assert Preview.objects.count() == 0


def test_thumbs_are_kept_and_counted(world):
    calls(world.acme, 5)
    draft, client = tried(world, 5)
    results = list(PreviewResult.objects.order_by("conversation__external_id"))

    for place, result in enumerate(results):
        word = "no" if place == 0 else "yes"
        answer = client.post(url("judge", draft), {"result": str(result.pk), "is_right": word})
        assert answer["Location"] == f"{url('test', draft)}#result-{result.pk}"

    page = pages.read(client.get(url("test", draft)))
    assert "4 of 5 as you expected" in page.text
    assert page.figure("as_expected") == "4"
    assert (len(page.all(data_status="CONFIRMED")), len(page.all(data_status="REJECTED"))) == (4, 1)
    assert [button["aria-pressed"] for button in page.all(name="is_right")].count("true") == 5
    assert Review.objects.filter(judged_by=world.alice).count() == 5


def test_of_an_unsure_result_the_thumbs_ask_whether_it_is_there(world):
    calls(world.acme, 1)
    draft, client = tried(world, 1)
    PreviewResult.objects.update(verdict="UNSURE")

    page = pages.read(client.get(url("test", draft)))

    assert len(page.all(data_status="UNSURE")) == 1
    assert "It is there" in page.text
    assert "It is not there" in page.text


def test_a_result_of_a_question_changed_since_cannot_be_judged(world):
    calls(world.acme, 1)
    draft, client = tried(world, 1)
    TrackerVersion.objects.update(question="Something else?")

    answer = client.post(
        url("judge", draft),
        {"result": str(PreviewResult.objects.get().pk), "is_right": "yes"},
        follow=True,
    )

    assert "The question has changed since this test; test it again." in pages.read(answer).text
    assert Review.objects.count() == 0


def test_who_may_only_read_trackers_sees_tests_and_makes_none(world):
    calls(world.acme, 2)
    draft, _ = tried(world, 1)
    result = PreviewResult.objects.get()
    vendor = signed_in(world.vera)

    page = vendor.get(url("test", draft)).content.decode()

    assert "Robots 1" in page
    assert 'name="count"' not in page
    assert 'name="is_right"' not in page
    assert vendor.post(url("test", draft), {"count": "1"}).status_code == 403
    judged = vendor.post(url("judge", draft), {"result": str(result.pk), "is_right": "yes"})
    assert judged.status_code == 403
    assert (Preview.objects.count(), Review.objects.count()) == (1, 0)


def test_nobody_sees_or_judges_a_test_of_another_company(world):
    conversations.ingest(world.globex, canary_call())
    theirs = conversations.tracker(world.globex, "Canary tracker")
    previewing.run(tracker_id=theirs.pk, count=1, by=world.gina, clock=timezone.now)
    ours, client = tried(world, 1)
    result = str(PreviewResult.objects.get().pk)

    assert client.get(url("test", theirs)).status_code == 404
    for tracker in (ours, theirs):
        answer = client.post(url("judge", tracker), {"result": result, "is_right": "yes"})
        assert answer.status_code == 404
    assert Review.objects.count() == 0


@pytest.mark.parametrize("result", ["", "nonsense", "01a2165e-97cd-7238-8309-9beda2865d27"])
def test_a_result_there_is_not_is_not_found(world, result):
    draft, client = tried(world, 1)

    answer = client.post(url("judge", draft), {"result": result, "is_right": "yes"})

    assert answer.status_code == 404


def test_the_page_asks_a_bounded_number_of_questions(world, django_assert_max_num_queries):
    calls(world.acme, 10)
    draft, client = tried(world)

    with django_assert_max_num_queries(22):
        client.get(url("test", draft))


def test_a_real_result_is_confirmed_and_rejected_on_its_page(world):
    tracker = published(world.acme, world.alice)
    (scan,) = scanned(world.acme, tracker, call("call-1"))
    client, address = signed_in(world.alice), reverse("admin:trackers_scan_judge", args=[scan.pk])
    page = reverse("admin:trackers_scan_change", args=[scan.pk])
    assert len(pages.read(client.get(page)).all(data_status="NOT_REVIEWED")) == 1

    answer = client.post(address, {"is_right": "no"})

    assert answer["Location"] == page
    assert len(pages.read(client.get(page)).all(data_status="REJECTED")) == 1
    assert Review.objects.get().is_yes is False


def test_a_viewer_reads_a_result_and_does_not_judge_it(world):
    tracker = published(world.acme, world.alice)
    (scan,) = scanned(world.acme, tracker, call("call-1"))
    client = signed_in(world.vic)

    page = client.get(reverse("admin:trackers_scan_change", args=[scan.pk]))
    answer = client.post(reverse("admin:trackers_scan_judge", args=[scan.pk]), {"is_right": "yes"})

    assert 'name="is_right"' not in page.content.decode()
    assert (answer.status_code, Review.objects.count()) == (403, 0)


def test_a_result_that_waits_has_no_thumbs(world):
    tracker = published(world.acme, world.alice)
    (scan,) = scanned(world.acme, tracker, call("call-1"), amount="0")
    assert Scan.objects.get().state == "WAITING"

    page = signed_in(world.alice).get(reverse("admin:trackers_scan_change", args=[scan.pk]))

    assert 'name="is_right"' not in page.content.decode()


def test_unsure_results_are_listed_filtered_and_counted_as_their_own(world):
    tracker = published(world.acme, world.alice)
    first, second = scanned(world.acme, tracker, call("call-1"), call("call-2"))
    Scan.objects.filter(pk=first.pk).update(
        verdict="UNSURE", confidence="LOW", finished_at=timezone.now()
    )
    Scan.objects.filter(pk=second.pk).update(finished_at=timezone.now())
    client = signed_in(world.alice)

    listed = client.get(reverse("admin:trackers_scan_changelist"), {"verdict__exact": "UNSURE"})
    trackers = pages.read(client.get(reverse("admin:trackers_tracker_changelist")))

    assert [row.pk for row in listed.context["cl"].result_list] == [first.pk]
    assert len(pages.read(listed).all(data_status="UNSURE")) == 1
    assert trackers.figure("results_30_days") == "2"
    assert trackers.figure("unsure_30_days") == "1"
