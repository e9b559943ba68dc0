"""Which conversations a tracker reads, and how that is said (SPEC §5)."""

from __future__ import annotations

import pytest

from tests.support import conversations, people
from tests.support.conversations import record
from trackers import filters
from trackers.models import Team, TeamMember, Tracker, TrackerFilter

pytestmark = pytest.mark.django_db

PEOPLE = [
    {"id": "r", "name": "Rita Rep", "email": "rep@acme.example", "role": "internal"},
    {"id": "c", "name": "Carl Customer", "email": "carl@globex.example", "role": "external"},
]


@pytest.fixture
def acme():
    company = people.company()
    conversations.ingest(
        company,
        record("emea"),
        record("support", team="Support", account={"name": "Initech", "type": "customer"}),
        record("mail", kind="email", duration_seconds=0),
    )
    return company


@pytest.fixture
def tracker(acme):
    return conversations.tracker(acme)


def add(tracker, field, value, *, is_excluded=False):
    column = {"TEAM": "team", "USER": "member"}.get(field, "text")
    TrackerFilter.objects.create(
        company=tracker.company,
        tracker=tracker,
        field=field,
        is_excluded=is_excluded,
        **{column: value},
    )


def team(company, name):
    return Team.objects.get(company=company, name=name)


def matched(tracker) -> list[str]:
    return sorted(filters.matching(tracker).values_list("external_id", flat=True))


def test_any_value_of_one_field_and_between_fields(acme, tracker):
    add(tracker, "TEAM", team(acme, "EMEA Sales"))
    add(tracker, "TEAM", team(acme, "Support"))
    assert matched(tracker) == ["emea", "support"]

    add(tracker, "ACCOUNT_TYPE", "customer")
    assert matched(tracker) == ["support"]


def test_an_excluded_value_never_passes(acme, tracker):
    add(tracker, "TEAM", team(acme, "Support"), is_excluded=True)

    assert matched(tracker) == ["emea"]


def person(company, email):
    return TeamMember.objects.get(company=company, email=email)


def test_the_user_filter_means_who_owns_it_and_who_took_part(acme, tracker):
    guest = {"id": "g", "name": "Gia", "email": "gia@acme.example", "role": "internal"}
    both = [*PEOPLE, guest]
    conversations.ingest(acme, record("of-gia", owner="gia@acme.example"))
    conversations.ingest(acme, record("with-gia", participants=both))

    add(tracker, "USER", person(acme, "gia@acme.example"))

    assert matched(tracker) == ["of-gia", "with-gia"]


def test_the_deal_stage_is_the_one_the_conversation_arrived_with(acme, tracker):
    deal = {"name": "Globex robots", "stage": "won"}
    conversations.ingest(acme, record("won", deal=deal))

    add(tracker, "DEAL_STAGE", "won")

    # The same deal's earlier calls were in its earlier stage.
    assert matched(tracker) == ["won"]


@pytest.mark.parametrize(
    ("field", "value", "left"),
    [("ACCOUNT_TYPE", "customer", ["emea"]), ("DEAL_STAGE", "evaluation", [])],
)
def test_any_field_can_be_excluded(acme, tracker, field, value, left):
    add(tracker, field, value, is_excluded=True)

    assert matched(tracker) == left


def test_filters_are_said_in_words(acme, tracker):
    assert filters.in_words(Tracker.objects.get(pk=tracker.pk)) == "all conversations"

    add(tracker, "TEAM", team(acme, "Support"))
    add(tracker, "TEAM", team(acme, "EMEA Sales"))
    add(tracker, "USER", TeamMember.objects.get(company=acme, email="rep@acme.example"))
    add(tracker, "DEAL_STAGE", "closed", is_excluded=True)

    assert filters.in_words(Tracker.objects.get(pk=tracker.pk)) == (
        "team is EMEA Sales or Support and user is rep@acme.example and deal stage is not closed"
    )


def test_filters_are_said_with_one_query_for_any_number_of_trackers(
    acme, tracker, django_assert_num_queries
):
    for name in ("Second", "Third"):
        conversations.tracker(acme, name)
    for one in Tracker.objects.all():
        add(one, "TEAM", team(acme, "Support"))
        add(one, "ACCOUNT_TYPE", "customer")

    with django_assert_num_queries(1):
        filters.in_words(tracker)
    with django_assert_num_queries(2):
        said = {filters.in_words(one) for one in Tracker.objects.prefetch_related(filters.NAMED)}

    assert said == {"team is Support and account type is customer"}


def test_filters_pass_nothing_only_where_there_is_something_to_pass(acme, tracker):
    assert filters.pass_nothing(tracker) is False

    add(tracker, "ACCOUNT_TYPE", "nobody")
    assert filters.pass_nothing(tracker) is True

    empty = conversations.tracker(people.company("Globex"))
    add(empty, "ACCOUNT_TYPE", "nobody")
    assert filters.pass_nothing(empty) is False
