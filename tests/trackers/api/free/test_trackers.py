"""Trackers by key: drafted, changed by nobody unseen, published at a known price (SPEC §5, §8)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from credits.models import ApiKey, AuditEvent, Membership, Role, Scope
from tests.support import api, briefs, conversations, people
from tests.support.conversations import record
from trackers.models import Scan, Tracker

ASKED = {
    "name": "Pricing objection",
    "question": "Did the customer object to the price?",
    "side": "CUSTOMER",
    "examples": ["That is too expensive."],
}


def test_a_tracker_is_drafted_in_the_name_of_who_made_the_key(program, acme, tess):
    answer = program.post("trackers", ASKED)

    assert answer.status_code == 201
    made = Tracker.objects.get()
    assert answer["Location"] == f"/api/v1/trackers/{made.pk}"
    assert answer["ETag"] == '"1"'
    shown = answer.json()
    assert (shown["state"], shown["version"]) == ("DRAFT", None)
    assert shown["draft"]["question"] == "Did the customer object to the price?"
    assert made.created_by == tess
    line = AuditEvent.objects.get(subject_id=str(made.pk))
    assert (line.action, line.actor_kind, line.door) == ("ADDED", "API_KEY", "API")


def test_a_repeated_draft_is_the_first_one_again(program):
    first = program.post("trackers", ASKED, key="once")
    again = program.post("trackers", ASKED, key="once")

    assert again.content == first.content
    assert (again["Idempotent-Replayed"], again["ETag"]) == ("true", '"1"')
    assert Tracker.objects.count() == 1


@pytest.mark.parametrize(
    ("changes", "names", "word"),
    [
        ({"name": " "}, "name", "name"),
        ({"question": ""}, "question", "question"),
        ({"terms": ["price"]}, "terms", "kind"),
        ({"colour": "red"}, "colour", "no such field"),
        ({"examples": "one"}, "examples", "list"),
        ({"examples": [7]}, "examples", "text"),
        ({"filters": [{"field": "TEAM"}]}, "filters", "value"),
        ({"filters": [{"field": "TEAM", "value": "EMEA"}]}, "filters", "id"),
        ({"filters": [{"field": "CITY", "value": "Rome"}]}, "filters", "TEAM"),
        ({"filters": [{"field": "DEAL_STAGE", "value": "no such"}]}, "filters", "no deal stage"),
        ({"filters": [{"fields": "DEAL_STAGE", "value": "x"}]}, "filters", "Did you mean"),
        ({"filters": ["x"]}, "filters", "objects"),
        ({"language": "xx"}, "language", "language"),
        ({"campaign_end_date": "soon"}, "campaign_end_date", "2026-12-01"),
        ({"kind": "MAGIC"}, "kind", "QUESTION"),
    ],
)
def test_what_is_wrong_with_a_draft_is_said_by_name(program, acme, changes, names, word):
    conversations.ingest(acme, record("one"))

    answer = program.post("trackers", ASKED | changes)

    problem = api.problem(answer)
    assert answer.status_code == 400
    assert problem["errors"][0]["name"] == names
    assert word in problem["errors"][0]["detail"]
    assert not Tracker.objects.exists()


def test_another_company_s_team_is_no_filter(program, acme):
    beta = people.company("Beta")
    theirs = conversations.conversation(beta, "theirs").team

    answer = program.post(
        "trackers", ASKED | {"filters": [{"field": "TEAM", "value": str(theirs.pk)}]}
    )

    assert answer.status_code == 400
    assert theirs.name not in answer.content.decode()


def test_a_keyword_tracker_has_terms_and_is_free(program, history):
    answer = program.post("trackers", {"name": "Words", "kind": "KEYWORD", "terms": ["expensive"]})

    assert answer.status_code == 201
    assert answer.json()["draft"]["terms"] == ["expensive"]
    assert answer.json()["month"]["credits"] == "0.0"
    assert answer.json()["month"]["calls"] == 6


def test_a_change_names_the_state_it_was_decided_on(program, tracker):
    path, state = f"trackers/{tracker.pk}", f'"{tracker.edit_number}"'

    unsaid = program.send("PATCH", path, {"name": "Prices"})
    changed = program.send("PATCH", path, {"name": "Prices"}, if_match=state)
    stale = program.send("PATCH", path, {"name": "Costs"}, if_match=state)
    endless = program.send("PATCH", path, {"name": "Costs"}, if_match="9" * 5000)
    nonsense = program.send("PATCH", path, {"name": "Costs"}, if_match='"newest"')
    whatever = program.send("PATCH", path, {"description": "On prices"}, if_match="*")

    assert api.problem(unsaid)["code"] == "precondition_required"
    assert changed.status_code == 200
    assert changed["ETag"] == f'"{tracker.edit_number + 1}"'
    assert api.problem(stale)["code"] == "precondition_failed"
    assert "changed this at" in api.problem(stale)["detail"]
    assert (nonsense.status_code, endless.status_code) == (412, 412)
    assert (whatever.json()["name"], whatever.json()["description"]) == ("Prices", "On prices")
    assert program.get(path)["ETag"] == whatever["ETag"]


def test_a_campaign_s_last_day_is_set_and_taken_away(program, tracker):
    path = f"trackers/{tracker.pk}"

    named = program.send("PATCH", path, {"campaign_end_date": "2027-06-30"}, if_match="*")
    other = program.send("PATCH", path, {"name": "Prices"}, if_match="*")
    none = program.send("PATCH", path, {"campaign_end_date": None}, if_match="*")

    days = [answer.json()["campaign_end_date"] for answer in (named, other, none)]
    assert days == ["2027-06-30", "2027-06-30", None]


def test_a_change_leaves_what_it_does_not_name(program, tracker):
    path = f"trackers/{tracker.pk}"
    before = program.get(path).json()

    after = program.send("PATCH", path, {"include_emails": True}, if_match="*").json()

    assert after["include_emails"] is True
    assert {name for name in before if before[name] != after[name]} <= {
        *("include_emails", "edit_number", "month"),
    }


def test_another_question_is_drafted_beside_the_version_in_force(program, tracker):
    answer = program.send(
        "PATCH", f"trackers/{tracker.pk}", {"question": "Did they haggle?"}, if_match="*"
    )

    shown = answer.json()
    assert shown["version"]["question"] == "Did the customer object to the price?"
    assert (shown["draft"]["number"], shown["draft"]["question"]) == (2, "Did they haggle?")
    assert shown["month"]["version_number"] == 2


def test_one_retry_key_changes_one_tracker_only(program, tracker):
    other = conversations.tracker(tracker.company, "Other")
    body = {"description": "New"}

    first = program.send("PATCH", f"trackers/{tracker.pk}", body, key="k", if_match="*")
    second = program.send("PATCH", f"trackers/{other.pk}", body, key="k", if_match="*")

    assert first.status_code == 200
    assert api.problem(second)["code"] == "idempotency_key_reused"
    other.refresh_from_db()
    assert other.description == ""


@pytest.fixture
def busy(acme):
    """A company with 18 calls more."""
    conversations.ingest(acme, *(record(f"x{n}", started_at=days_ago(n + 1)) for n in range(18)))
    return acme


def days_ago(count: float):
    return timezone.now() - timedelta(days=count)


def test_publishing_above_a_tenth_of_what_is_left_is_accepted_first(program, busy, history):
    """24 short calls in 30 days are 12.0 credits a month, of 100.0 available."""
    path = f"trackers/{program.post('trackers', ASKED).json()['id']}/publish"

    priced = program.client.post(
        f"/api/v1/{path}", {"dry_run": True}, "application/json", headers={"if-match": "*"}
    )
    refused = program.post(path, if_match="*")
    still_a_draft = Tracker.objects.get().state
    accepted = program.post(path, {"accept_share": True}, if_match="*")

    shown = priced.json()
    assert (shown["dry_run"], shown["needs_acceptance"]) == (True, True)
    assert (shown["month"]["credits"], shown["available"]) == ("12.0", "100.0")
    problem = api.problem(refused)
    assert (refused.status_code, problem["code"]) == (409, "acceptance_required")
    assert (problem["estimate"], problem["available"]) == ("12.0", "100.0")
    assert still_a_draft == "DRAFT"
    assert accepted.status_code == 200
    assert accepted.json()["tracker"]["state"] == "PUBLISHED"
    assert accepted["ETag"] == '"2"'
    assert Tracker.objects.get().state == "PUBLISHED"


def test_publishing_within_a_tenth_needs_no_word(program, history):
    path = f"trackers/{program.post('trackers', ASKED).json()['id']}/publish"

    answer = program.post(path, if_match='"1"')

    assert answer.status_code == 200
    assert answer.json()["needs_acceptance"] is False
    line = AuditEvent.objects.get(action="PUBLISHED")
    assert (line.actor_kind, line.door) == ("API_KEY", "API")
    again = program.post(path, if_match="*")
    assert api.problem(again)["code"] == "wrong_state"


def test_a_dry_run_refuses_what_the_act_would_refuse(program, tracker):
    answer = program.post(f"trackers/{tracker.pk}/publish", {"dry_run": True}, if_match="*")

    assert (answer.status_code, api.problem(answer)["code"]) == (409, "wrong_state")


def test_a_new_version_says_what_it_takes_over(program, acme, tracker):
    now = timezone.now()
    conversations.ingest(acme, record("new", started_at=now), now=now)
    path = f"trackers/{tracker.pk}"
    program.send("PATCH", path, {"question": "Did they haggle?"}, if_match="*")

    answer = program.post(f"{path}/publish", if_match="*")

    shown = answer.json()
    assert shown["taken_over"] == {"conversations": 1, "credits": "0.5"}
    assert shown["tracker"]["version"]["number"] == 2
    assert Scan.objects.get(state="PENDING").version.number == 2


def test_unpublishing_ends_what_waits(program, acme, tracker):
    now = timezone.now()
    conversations.ingest(acme, record("new", started_at=now), now=now)
    path = f"trackers/{tracker.pk}/unpublish"

    answer = program.post(path, if_match="*")
    again = program.post(path, if_match="*")

    assert answer.json()["state"] == "UNPUBLISHED"
    assert Scan.objects.get().state == "SKIPPED"
    assert api.problem(again)["detail"] == "This tracker is not published."


def test_a_tracker_that_a_published_brief_shows_stays_published(program, acme, tess, tracker):
    briefs.brief(acme, tess, briefs.of_tracker(tracker), name="Account review")

    answer = program.post(f"trackers/{tracker.pk}/unpublish", if_match="*")

    assert (answer.status_code, answer.json()["code"]) == (409, "wrong_state")
    assert "the brief “Account review” shows its results" in answer.json()["detail"]
    tracker.refresh_from_db()
    assert tracker.state == "PUBLISHED"


def test_only_a_draft_is_deleted(program, tracker):
    draft = conversations.tracker(tracker.company, "Draft")

    unseen = program.send("DELETE", f"trackers/{draft.pk}", if_match='"9"')
    gone = program.send("DELETE", f"trackers/{draft.pk}", key="k", if_match='"1"')
    again = program.send("DELETE", f"trackers/{draft.pk}", key="k", if_match='"1"')
    kept = program.send("DELETE", f"trackers/{tracker.pk}", if_match="*")

    assert unseen.status_code == 412
    assert (gone.status_code, gone.content) == (204, b"")
    assert (again.status_code, again["Idempotent-Replayed"]) == (204, "true")
    assert api.problem(kept)["code"] == "wrong_state"
    assert list(Tracker.objects.all()) == [tracker]


def test_what_waits_for_credits_is_said(program, acme, tracker):
    now = timezone.now()
    conversations.ingest(acme, record("new", started_at=now), now=now)
    Scan.objects.update(state="WAITING", price="0.5")

    shown = program.get(f"trackers/{tracker.pk}").json()

    assert shown["waiting"] == {"conversations": 1, "credits": "0.5"}


def test_a_month_is_priced(program, tracker):
    shown = program.get(f"trackers/{tracker.pk}/estimate").json()

    assert (shown["conversations"], shown["credits"]) == (6, "3.0")
    assert float(shown["low"]) <= 3 <= float(shown["high"])
    assert (shown["available"], shown["needs_acceptance"]) == ("100.0", False)


def test_a_backfill_is_priced_exactly(program, tracker):
    path = f"trackers/{tracker.pk}/backfill-estimate"
    third = tracker.company.conversations.order_by("started_at")[2].started_at

    whole = program.get(path).json()
    later = program.get(path, from_at=third.isoformat()).json()

    assert (whole["conversations"], whole["credits"]) == (6, "3.0")
    assert (whole["available_before"], whole["available_after"]) == ("100.0", "97.0")
    assert (later["conversations"], later["credits"]) == (4, "2.0")


def test_the_list_is_narrowed(program, acme, tracker):
    conversations.tracker(acme, "Draft")

    def names(**query):
        return [item["name"] for item in program.get("trackers", **query).json()["items"]]

    assert names() == ["Draft", "Pricing objection"]
    assert names(state="PUBLISHED") == ["Pricing objection"]
    assert names(kind="KEYWORD") == []


def test_a_key_without_a_person_changes_nothing(acme, tracker):
    client = api.of(acme, Scope.TRACKERS_WRITE, by=api.admin(acme))
    # As keys were made before they had to name a person.
    ApiKey.objects.update(created_by=None)

    answer = client.post(
        f"/api/v1/trackers/{tracker.pk}/unpublish",
        {},
        "application/json",
        headers={"idempotency-key": "k", "if-match": "*"},
    )

    assert (answer.status_code, api.problem(answer)["code"]) == (403, "missing_scope")
    tracker.refresh_from_db()
    assert tracker.state == "PUBLISHED"


def test_a_person_who_may_no_longer_change_trackers_does_not_by_key(program, acme, tess):
    Membership.objects.filter(user=tess).update(role=Role.VIEWER)

    assert api.problem(program.post("trackers", ASKED))["code"] == "missing_scope"
    assert not Tracker.objects.exists()


def test_another_company_s_tracker_is_not_there(program, tess):
    beta = people.company("Beta")
    theirs = conversations.published(beta, people.alice(beta))
    path = f"trackers/{theirs.pk}"

    answers = [
        program.get(path),
        program.get(f"{path}/estimate"),
        program.get(f"{path}/backfill-estimate"),
        program.send("PATCH", path, {"name": "Mine"}, if_match="*"),
        program.send("DELETE", path, if_match="*"),
        program.post(f"{path}/publish", if_match="*"),
        program.post(f"{path}/publish", {"dry_run": True}, if_match="*"),
        program.post(f"{path}/unpublish", if_match="*"),
        program.post("backfills", {"tracker": str(theirs.pk)}),
        program.post("backfills", {"tracker": str(theirs.pk), "dry_run": True}),
    ]

    assert [answer.status_code for answer in answers] == [404] * 10
    assert {api.problem(answer)["detail"] for answer in answers} == {
        "There is no such tracker in your company."
    }
    theirs.refresh_from_db()
    assert (theirs.state, theirs.name) == ("PUBLISHED", "Pricing objection")
