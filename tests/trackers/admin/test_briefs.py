"""The pages of briefs: writing one with its sections, running it, and reading what it said."""

from __future__ import annotations

import pytest
from django.urls import reverse

from tests.security.acting import agreed
from tests.security.acts_of_briefs import FORM
from tests.support import briefs as support
from tests.support import conversations, people
from tests.support.browsing import signed_in
from tests.support.pages import Page
from trackers import analyzers
from trackers.models import Brief, BriefRun, CustomerAccount

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def analyzer(monkeypatch):
    """The product's own, where the other pages' tests use one that is told what to find."""
    built_in = analyzers.import_string(analyzers.OFFLINE)()
    monkeypatch.setattr(analyzers, "in_use", lambda: built_in)


@pytest.fixture
def acme():
    company = people.company("Acme")
    conversations.ingest(company, conversations.record("one", title="Renewal call"))
    return company


@pytest.fixture
def bob(acme):
    return people.bob(acme)


def url(name, *args):
    return reverse(f"admin:trackers_{name}", args=args)


def page(client, address) -> Page:
    answer = client.get(address)
    assert answer.status_code == 200
    found = Page()
    found.feed(answer.content.decode())
    return found


def sections(*rows: dict[str, str], brief=None) -> dict[str, str]:
    form = {
        "sections-TOTAL_FORMS": str(len(rows)),
        "sections-INITIAL_FORMS": str(sum("id" in row for row in rows)),
        "sections-MIN_NUM_FORMS": "0",
        "sections-MAX_NUM_FORMS": "12",
    }
    for number, row in enumerate(rows):
        form |= {f"sections-{number}-{name}": value for name, value in row.items()}
        if brief is not None:
            form[f"sections-{number}-brief"] = str(brief.pk)
    return form


def of(section, place: str) -> dict[str, str]:
    return {
        "id": str(section.pk),
        "position": place,
        "kind": section.kind,
        "title": section.title,
        "question": section.question,
        "tracker": str(section.tracker_id or ""),
    }


def test_a_business_admin_writes_a_brief(acme, bob):
    answer = signed_in(bob, acme).post(url("brief_add"), FORM)

    brief = Brief.objects.get()
    assert answer.headers["Location"] == url("brief_change", brief.pk)
    assert (brief.company, brief.name, brief.is_published) == (acme, "Renewal review", False)
    assert [one.question for one in brief.sections.all()] == ["What are the open risks?"]


def test_sections_change_places_by_their_numbers(acme, bob):
    brief = support.brief(acme, bob, support.RISKS, support.PRICES)
    first, second = brief.sections.order_by("position")
    form = FORM | sections(of(first, "2"), of(second, "1"), brief=brief)

    signed_in(bob, acme).post(
        url("brief_change", brief.pk), form | {"edit_number": str(brief.edit_number)}
    )

    assert [one.pk for one in brief.sections.order_by("position")] == [second.pk, first.pk]


def test_a_refusal_keeps_what_was_typed(acme, bob):
    form = FORM | {"sections-0-question": ""}

    answer = signed_in(bob, acme).post(url("brief_add"), form)

    assert answer.status_code == 200
    text = answer.content.decode()
    assert "Not saved: give “Open risks” a question." in text
    assert 'value="Renewal review"' in text
    assert not Brief.objects.exists()


def test_a_brief_is_run_after_its_page_said_what_it_reads(acme, bob):
    brief = support.brief(acme, bob, support.PRICES, published=False)
    account = CustomerAccount.objects.get()
    client = signed_in(bob, acme)
    form = {"entity": str(account.pk), "period": "ALL_CONVERSATIONS"}

    done = agreed(client, url("brief_run", brief.pk), **form)

    run = BriefRun.objects.get()
    assert done.headers["Location"] == url("briefrun_change", run.pk)
    assert (run.action, run.started_by, run.credits) == ("MANUAL", bob, 0)
    shown = page(client, done.headers["Location"])
    assert "That is too expensive for us." in shown.text
    assert "Read: 1 call and 0 e-mails." in shown.text
    (link,) = [
        one
        for one in shown.elements
        if "/trackers/conversation/" in one.get("href", "") and "turn" in one["href"]
    ]
    assert client.get(link["href"].partition("#")[0]).status_code == 200


def test_the_confirmation_says_what_a_program_would_pay(acme, bob):
    brief = support.brief(acme, bob, support.RISKS, support.PRICES, published=False)
    account = CustomerAccount.objects.get()
    client = signed_in(bob, acme)
    key = client.get(url("brief_run", brief.pk)).context["form"]["key"].value()

    answer = client.post(
        url("brief_run", brief.pk),
        {"entity": str(account.pk), "period": "ALL_CONVERSATIONS", "key": str(key)},
    )

    found = Page()
    found.feed(answer.content.decode())
    assert found.figure("run-credits") == "0.0"
    assert found.figure("run-credits-by-api") == "1.0"
    assert "You have 20 of 20 runs left today." in found.text
    assert not BriefRun.objects.exists()


def test_another_company_s_account_is_no_choice(acme, bob):
    other = people.company("Globex")
    conversations.ingest(other, conversations.record("foreign"))
    brief = support.brief(acme, bob, support.PRICES)
    foreign = CustomerAccount.objects.get(company=other)

    answer = signed_in(bob, acme).post(
        url("brief_run", brief.pk),
        {"entity": str(foreign.pk), "period": "ALL_CONVERSATIONS", "key": "x"},
    )

    assert "Choose one of your company’s" in answer.content.decode() or (
        "Choose one of your company&#x27;s accounts." in answer.content.decode()
    )
    assert not BriefRun.objects.exists()


def test_a_viewer_sees_none_of_it(acme, bob):
    brief = support.brief(acme, bob, support.PRICES)
    run = support.run(support.by_hand(bob, acme), brief)
    client = signed_in(people.vic(acme), acme)

    for name, row in (("briefrun", run), ("brief", brief)):
        assert client.get(url(f"{name}_changelist")).status_code == 403
        assert client.get(url(f"{name}_change", row.pk)).status_code == 403


def test_an_auditor_reads_and_changes_nothing(acme, bob):
    brief = support.brief(acme, bob, support.PRICES)
    run = support.run(support.by_hand(bob, acme), brief)
    client = signed_in(people.audrey(), acme)

    assert "That is too expensive for us." in page(client, url("briefrun_change", run.pk)).text
    assert "Open risks" not in page(client, url("brief_change", brief.pk)).text
    for name in ("brief_run", "brief_publish", "brief_unpublish", "brief_discard"):
        assert client.post(url(name, brief.pk), {}).status_code == 403
    assert client.post(url("brief_change", brief.pk), FORM).status_code == 403
    assert client.post(url("brief_add"), FORM).status_code == 403


def test_the_tracker_s_page_lists_the_briefs_that_keep_it_published(acme, bob):
    tracker = conversations.published(acme, bob)
    brief = support.brief(acme, bob, support.of_tracker(tracker))
    client = signed_in(bob, acme)

    shown = page(client, url("tracker_unpublish", tracker.pk))
    client.post(url("tracker_unpublish", tracker.pk), {"edit_number": tracker.edit_number})

    tracker.refresh_from_db()
    assert tracker.state == "PUBLISHED"
    assert shown.all(href=url("brief_change", brief.pk))
