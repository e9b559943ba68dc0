"""The results' pages: what was found, quoted and used, for the company's own people only."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from credits.current_company import SESSION_KEY
from tests.support import conversations, people
from tests.trackers.admin.conftest import (
    STARTED_AT,
    call,
    canary_of,
    published,
    scanned,
    signed_in,
    turns,
)
from trackers import publishing
from trackers.models import Scan

CANARIES = ("Canary title", "Canary tracker", "The canary is too expensive.")
LIST = reverse("admin:trackers_scan_changelist")


def page_of(scan):
    return reverse("admin:trackers_scan_change", args=[scan.pk])


def text_of(response) -> str:
    assert response.status_code == 200
    return response.content.decode()


def test_a_result_shows_verdict_quote_speaker_time_and_price(world):
    tracker = published(world.acme, world.alice)
    said = turns("Here is our proposal.", "c: That is too expensive for us.")
    scanned(world.acme, tracker, call("call-1", title="Robots for Globex", utterances=said))

    page = text_of(signed_in(world.vic).get(LIST))

    assert "Robots for Globex" in page
    assert 'data-status="YES">Found</span>' in page
    assert "<q>That is too expensive for us.</q>" in page
    assert "Carl Customer, 03:41" in page
    assert 'data-metric="credits-used" data-value="0.5">0.5</span>' in page
    assert "14 Jan 2026 12:30 CET" in page
    assert "Continuous" in page
    assert "High" in page


def test_the_account_and_the_deal_stand_with_the_conversation_they_are_of(world):
    tracker = published(world.acme, world.alice)
    record = call("call-1", title="Robots for Globex", utterances=turns("c: Expensive."))
    scan, no_deal, neither = scanned(
        world.acme,
        tracker,
        record,
        call("call-2", title="Racks", deal=None),
        call("call-3", title="Nobody", account=None, deal=None),
    )
    client = signed_in(world.vic)

    in_list = text_of(client.get(LIST))
    facts = {one: text_of(client.get(page_of(one))) for one in (scan, no_deal, neither)}

    assert '>Robots for Globex<span class="ts-of">Globex · Globex robots</span>' in in_list
    assert '>Racks<span class="ts-of">Globex</span>' in in_list
    assert ">Nobody</a>" in in_list
    assert "<dt>Account</dt><dd>Globex</dd>" in facts[scan]
    assert "<dt>Deal</dt><dd>Globex robots</dd>" in facts[scan]
    assert "<dt>Deal</dt><dd>–</dd>" in facts[no_deal]
    assert "<dt>Account</dt><dd>–</dd>" in facts[neither]


def test_a_result_s_page_is_headed_by_its_conversation_and_has_no_empty_history(world):
    tracker = published(world.acme, world.alice)
    scan = scanned(world.acme, tracker, call("call-1", title="Robots for Globex"))[0]

    page = text_of(signed_in(world.vic).get(page_of(scan)))

    title = page.split("<title>")[1].split("</title>")[0]
    assert title.split() == ["Robots", "for", "Globex", "|", "View", "result", "|", "Tallystick"]
    assert f"Result {scan.pk}" not in page
    assert reverse("admin:trackers_scan_history", args=[scan.pk]) not in page


def test_the_list_gives_the_best_quote_and_the_page_gives_all(world):
    tracker = published(world.acme, world.alice)
    said = turns("c: Too expensive.", "c: Far too expensive.", "c: So expensive.")
    scan = scanned(world.acme, tracker, call("call-1", utterances=said))[0]
    client = signed_in(world.vic)

    in_list = text_of(client.get(LIST))
    on_page = text_of(client.get(page_of(scan)))

    assert ("<q>Too expensive.</q>" in in_list, "So expensive." in in_list) == (True, False)
    assert "and 2 more" in in_list
    quoted = re.findall(r"<blockquote>(.*?)</blockquote>", on_page)
    assert quoted == ["Too expensive.", "Far too expensive.", "So expensive."]


def test_a_question_for_words_is_answered_in_words(world, analyzer):
    analyzer.answer = "The maintenance fee"
    tracker = conversations.tracker(world.acme, "What is too expensive?")
    tracker.versions.update(answer_type="TEXT")
    publishing.publish(
        tracker_id=tracker.pk,
        edit_number=tracker.edit_number,
        by=world.alice,
        now=STARTED_AT - timedelta(days=1),
    )
    tracker.refresh_from_db()
    scan = scanned(world.acme, tracker, call("call-1"))[0]
    client = signed_in(world.vic)

    assert "<li>The maintenance fee</li>" in text_of(client.get(LIST))
    assert "<dt>Answer</dt><dd>The maintenance fee</dd>" in text_of(client.get(page_of(scan)))


def test_a_call_of_more_than_an_hour_counts_minutes_on(world):
    tracker = published(world.acme, world.alice)
    late = [{"id": "u0", "speaker": "c", "start": 3754.2, "text": "Too expensive."}]
    scanned(world.acme, tracker, call("call-1", utterances=late))

    assert "Carl Customer, 62:34" in text_of(signed_in(world.vic).get(LIST))


def test_a_quote_s_page_shows_three_turns_before_and_after_it_and_no_more(world):
    tracker = published(world.acme, world.alice)
    said = [f"Turn number {n}." for n in range(9)]
    said[4] = "c: This is expensive."
    scan = scanned(world.acme, tracker, call("call-1", utterances=turns(*said)))[0]

    page = text_of(signed_in(world.vic).get(page_of(scan)))

    shown = [n for n in range(9) if f"Turn number {n}." in page]
    assert shown == [1, 2, 3, 5, 6, 7]
    assert page.count("<details>") == 1
    assert page.count("This is expensive.") == 2
    assert '<span class="ts-clock">03:53</span>' in page


def test_hostile_text_is_escaped_everywhere(world):
    hostile = "<script>alert('expensive')</script>"
    tracker = published(world.acme, world.alice, name=f"{hostile} tracker")
    scan = scanned(
        world.acme,
        tracker,
        call(
            "call-1",
            title=f"{hostile} title",
            utterances=turns("Hello.", f"c: {hostile} quote"),
            participants=[
                {"id": "r", "name": "Rita", "email": "rep@acme.example", "role": "internal"},
                {"id": "c", "name": f"{hostile} name", "role": "external"},
            ],
        ),
    )[0]
    client = signed_in(world.alice)

    for url in (LIST, page_of(scan)):
        page = text_of(client.get(url))
        assert "<script>alert(" not in page
        for where in ("tracker", "title", "quote", "name"):
            assert f"&lt;script&gt;alert(&#x27;expensive&#x27;)&lt;/script&gt; {where}" in page


def test_what_failed_gives_its_reason_and_has_used_nothing(world):
    tracker = published(world.acme, world.alice)
    scan = scanned(world.acme, tracker, call("call-1"), amount="0")[0]
    Scan.objects.filter(pk=scan.pk).update(
        state="FAILED",
        reason="The analyser failed: UnreadableConversation.",
        finished_at=STARTED_AT,
    )
    client = signed_in(world.vic)

    for page in (text_of(client.get(LIST)), text_of(client.get(page_of(scan)))):
        assert 'data-status="FAILED">Failed</span>' in page
        assert "The analyser failed: UnreadableConversation." in page
        assert 'data-metric="credits-used"' not in page


def test_what_waits_for_credits_says_so(world):
    tracker = published(world.acme, world.alice)
    scan = scanned(world.acme, tracker, call("call-1"), amount="0")[0]
    client = signed_in(world.vic)

    page = text_of(client.get(LIST))

    assert 'data-status="WAITING">Waiting for credits</span>' in page
    assert "The tracker has not read this conversation." in text_of(client.get(page_of(scan)))


def test_a_result_of_a_text_that_changed_since_is_marked(world):
    tracker = published(world.acme, world.alice)
    said = turns("Hello.", "c: Too expensive.")
    scan = scanned(world.acme, tracker, call("call-1", utterances=said))[0]
    client = signed_in(world.vic)
    assert "From an earlier text" not in text_of(client.get(LIST))

    conversations.ingest(world.acme, call("call-1", utterances=turns("Hello.", "c: Changed.")))

    assert "From an earlier text" in text_of(client.get(LIST))
    page = text_of(client.get(page_of(scan)))
    assert 'data-status="EARLIER_TEXT"' in page
    assert "Too expensive." in page
    assert "Changed." not in page


def test_nobody_sees_another_company_s_results(world):
    canary = canary_of(world)
    own = scanned(world.acme, published(world.acme, world.alice), call("call-1"))[0]
    client = signed_in(world.alice)

    everything = text_of(client.get(LIST)) + text_of(client.get(page_of(own)))
    for query in ("q=canary-external-id", f"tracker__id__exact={canary.tracker_id}"):
        everything += text_of(client.get(f"{LIST}?{query}"))

    assert [word for word in CANARIES if word in everything] == []
    assert "Call call-1" in everything
    assert client.get(page_of(canary)).status_code == 302
    gina = signed_in(world.gina)
    theirs = text_of(gina.get(LIST)) + text_of(gina.get(page_of(canary)))
    assert [word for word in CANARIES if word not in theirs] == []


def test_vendor_people_see_the_results_of_every_company_with_its_name(world):
    canary_of(world)
    scanned(world.acme, published(world.acme, world.alice), call("call-1"))

    page = text_of(signed_in(world.vera).get(LIST))

    assert "Canary title" in page
    assert "Call call-1" in page
    assert page.count("Globex") >= 1


def test_a_vendor_person_who_chose_a_company_sees_its_results_alone(world):
    canary_of(world)
    scanned(world.acme, published(world.acme, world.alice), call("call-1"))
    client = signed_in(world.vera)
    session = client.session
    session[SESSION_KEY] = world.acme.pk
    session.save()

    page = text_of(client.get(LIST))

    assert "Call call-1" in page
    assert [word for word in CANARIES if word in page] == []


def test_people_without_a_company_are_turned_away(world):
    canary = canary_of(world)
    stranger = signed_in(people.User.objects.create_user("stranger@nowhere.example", "x"))

    assert stranger.get(LIST).status_code in (302, 403)
    assert stranger.get(page_of(canary)).status_code in (302, 403)


@pytest.mark.parametrize("name", ["alice", "vera", "vic"])
def test_nobody_can_write_a_result(world, name):
    scan = scanned(world.acme, published(world.acme, world.alice), call("call-1"))[0]
    client = signed_in(getattr(world, name))

    assert client.post(page_of(scan), {"verdict": "NO"}).status_code == 403
    assert client.get(reverse("admin:trackers_scan_add")).status_code == 403
    delete = reverse("admin:trackers_scan_delete", args=[scan.pk])
    assert client.post(delete, {"post": "yes"}).status_code == 403
    scan.refresh_from_db()
    assert scan.verdict == "YES"


def test_a_viewer_is_given_no_link_to_the_conversation(world):
    scan = scanned(world.acme, published(world.acme, world.alice), call("call-1"))[0]
    link = reverse("admin:trackers_conversation_change", args=[scan.conversation_id])

    assert link not in text_of(signed_in(world.vic).get(page_of(scan)))
    assert link in text_of(signed_in(world.bob).get(page_of(scan)))


def test_results_are_found_by_title_external_id_tracker_verdict_state_and_day(world):
    tracker = published(world.acme, world.alice)
    other = published(world.acme, world.alice, "Other tracker", question="Was it expensive?")
    said = turns("c: Nothing of the kind.")
    no = call("plain-7", title="A quiet chat", utterances=said)
    scanned(world.acme, tracker, call("call-1", title="Loud"), no)
    client = signed_in(world.vic)

    def found(query):
        page = text_of(client.get(LIST + query))
        return [title for title in ("Loud", "A quiet chat") if f">{title}<" in page]

    assert found("") == ["Loud", "A quiet chat"]
    assert found("?q=quiet") == ["A quiet chat"]
    assert found("?q=plain-7") == ["A quiet chat"]
    assert found("?verdict__exact=YES") == ["Loud"]
    assert found(f"?tracker__id__exact={tracker.pk}&verdict__exact=NO") == ["A quiet chat"]
    assert found("?state__exact=FAILED") == []
    # Finished at 12:30 in Berlin on the 14th.
    assert found("?finished_at_from=2026-01-14&finished_at_to=2026-01-14") == [
        "Loud",
        "A quiet chat",
    ]
    assert found("?finished_at_from=2026-01-15") == []
    assert found("?finished_at_from=no-day") == ["Loud", "A quiet chat"]
    assert other.name in text_of(client.get(LIST))


def test_days_are_the_company_s_own(world):
    tracker = published(world.acme, world.alice)
    scan = scanned(world.acme, tracker, call("call-1"))[0]
    # 0:30 on the 15th in Berlin.
    Scan.objects.filter(pk=scan.pk).update(finished_at=STARTED_AT + timedelta(hours=13))
    client = signed_in(world.vic)

    on_the_14th = text_of(client.get(LIST + "?finished_at_to=2026-01-14"))
    on_the_15th = text_of(client.get(LIST + "?finished_at_from=2026-01-15"))

    assert "Nothing fits this search and these filters." in on_the_14th
    assert "15 Jan 2026 00:30 CET" in on_the_15th


def test_an_empty_list_says_what_will_come(world):
    page = text_of(signed_in(world.vic).get(LIST))

    assert 'data-status="EMPTY"' in page
    assert "Results appear here when a published tracker has read a conversation." in page


def test_the_list_takes_as_many_queries_for_many_rows_as_for_one(world):
    tracker = published(world.acme, world.alice)
    client = signed_in(world.vic)

    def queries():
        with CaptureQueriesContext(
            connection,
        ) as captured:
            text_of(client.get(LIST))
        return len(captured)

    scanned(world.acme, tracker, call("call-0", utterances=turns("c: Expensive, expensive.")))
    text_of(client.get(LIST))  # Content types are looked up once in a process.
    few = queries()
    many = [call(f"call-{n}", utterances=turns("c: So expensive.")) for n in range(1, 15)]
    scanned(world.acme, tracker, *many)

    assert queries() == few
    assert few <= 14
