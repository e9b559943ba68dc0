"""Rate cards, companies, people and jobs: what vendor staff decide, and what nobody can."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.contrib.auth.models import Group
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from credits import rating
from credits.models import JobRun, Membership, RateCard, Role, User
from tests.support import people
from tests.support.browsing import signed_in, text_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def acme():
    return people.company()


@pytest.fixture
def vera():
    return people.vera()


@pytest.fixture
def client(vera, acme):
    return signed_in(vera, acme)


def card(**changes) -> dict[str, str]:
    return {
        "effective_at_0": "2190-01-01",
        "effective_at_1": "00:00:00",
        "note": "Calls cost less",
        "EMAIL": "0.125",
        "CALL_LONG": "0.9",
        "CALL_SHORT": "0",
        "WEB_SEARCH": "5",
    } | changes


def person(**changes) -> dict[str, str]:
    return {
        "email": "Dana@Acme.example",
        "name": "Dana",
        "memberships-TOTAL_FORMS": "0",
        "memberships-INITIAL_FORMS": "0",
    } | changes


def test_a_new_rate_card_prices_work_from_its_start_and_not_before(client, vera):
    answer = client.post(reverse("admin:credits_ratecard_add"), card())

    start = datetime(2190, 1, 1, tzinfo=UTC)
    assert answer.status_code == 302
    assert rating.rates_at(start).amounts == {
        "EMAIL": Decimal("0.125"),
        "CALL_LONG": Decimal("0.9"),
        "CALL_SHORT": Decimal(0),
        "WEB_SEARCH": Decimal(5),
    }
    assert rating.rates_at(start - timedelta(microseconds=1)).of("CALL_LONG") == Decimal(1)
    assert RateCard.objects.get(effective_at=start).created_by == vera
    shown = text_of(client.get(reverse("admin:credits_ratecard_changelist")))
    assert shown.index('data-status="scheduled"') < shown.index('data-status="in-force"')
    assert 'data-metric="rate-email" data-value="0.125"' in shown


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"effective_at_0": "2026-01-01"},
            "A rate card starts in the future: work already done keeps its price.",
        ),
        ({"EMAIL": "0.0001"}, "Credits have at most three decimal places; 0.0001 has more."),
        ({"EMAIL": "-1"}, "Enter from 0 to 1,000,000.0 credits."),
        ({"EMAIL": "1e30"}, "Enter from 0 to 1,000,000.0 credits."),
        ({"EMAIL": "NaN"}, "Enter a number, such as 1 or 0.5."),
        ({"EMAIL": ""}, "This field is required."),
        ({"effective_at_0": "9999-12-31"}, "Enter a day up to the year 2199."),
    ],
)
def test_a_rate_card_that_makes_no_sense_is_refused_in_one_sentence(client, changes, sentence):
    answer = client.post(reverse("admin:credits_ratecard_add"), card() | changes)

    errors = answer.context["adminform"].form.errors
    assert [error for messages in errors.values() for error in messages] == [sentence]
    assert RateCard.objects.count() == 1


def test_two_cards_never_start_at_the_same_instant(client):
    client.post(reverse("admin:credits_ratecard_add"), card())

    answer = client.post(reverse("admin:credits_ratecard_add"), card(EMAIL="9"))

    assert "Another rate card starts at this very instant; choose another." in text_of(answer)
    assert RateCard.objects.count() == 2


def test_a_rate_card_is_never_edited(client):
    first = RateCard.objects.get()

    page = client.get(reverse("admin:credits_ratecard_change", args=[first.pk]))
    answer = client.post(reverse("admin:credits_ratecard_change", args=[first.pk]), card())

    assert page.status_code == 200
    assert answer.status_code == 403
    assert rating.rates_at(timezone.now()).of("EMAIL") == Decimal("0.1")


def test_a_company_s_name_can_change_and_nothing_else(acme, client):
    slug = acme.slug
    form = {"name": "Acme Corp", "slug": "stolen", "time_zone": "UTC", "is_demo": "on"}

    client.post(reverse("admin:credits_company_change", args=[acme.pk]), form)

    acme.refresh_from_db()
    assert (acme.name, acme.slug, acme.time_zone, acme.is_demo) == (
        "Acme Corp",
        slug,
        "Europe/Berlin",
        False,
    )


def test_a_person_is_added_with_a_role_and_without_a_password(acme, client):
    form = person(
        **{
            "memberships-TOTAL_FORMS": "1",
            "memberships-0-company": str(acme.pk),
            "memberships-0-role": "VIEWER",
        }
    )

    answer = client.post(reverse("admin:credits_user_add"), form)

    dana = User.objects.get(email="dana@acme.example")
    assert answer.status_code == 302
    assert not dana.has_usable_password()
    assert Membership.objects.get(user=dana).role == Role.VIEWER


def test_an_address_is_one_person_whatever_its_case(client):
    client.post(reverse("admin:credits_user_add"), person())

    answer = client.post(reverse("admin:credits_user_add"), person(email="DANA@acme.example"))

    assert "Person with this E-mail address already exists." in text_of(answer)
    assert User.objects.filter(email__iexact="dana@acme.example").count() == 1


def test_a_crafted_form_raises_nobody(acme, vera, client):
    alice = people.alice(acme)
    group = Group.objects.get(name="Vendor staff")
    crafted = {
        "is_superuser": "on",
        "is_staff": "on",
        "groups": str(group.pk),
        "user_permissions": "1",
        "password": "known",
        "is_active": "on",
    }

    client.post(reverse("admin:credits_user_add"), person(**crafted))
    for user in (alice, vera):
        url = reverse("admin:credits_user_change", args=[user.pk])
        client.post(url, person(email=user.email, **crafted))

    for user in (alice, vera, User.objects.get(email="dana@acme.example")):
        before = user.password
        user.refresh_from_db()
        assert not user.is_superuser
        assert user.password == before
    assert set(User.objects.filter(groups=group)) == {vera}


def test_a_deactivated_person_is_signed_out(acme, client):
    alice = people.alice(acme)
    hers = signed_in(alice)
    url = reverse("admin:credits_user_change", args=[alice.pk])

    client.post(url, person(email=alice.email))

    alice.refresh_from_db()
    assert not alice.is_active
    assert hers.get(reverse("admin:credits_ledgerentry_changelist")).status_code == 302


def test_staff_deactivate_neither_themselves_nor_a_superuser(vera, client):
    root = User.objects.create_superuser("root@vendor.example", people.PASSWORD)

    for user in (vera, root):
        url = reverse("admin:credits_user_change", args=[user.pk])
        client.post(url, person(email=user.email))

    assert User.objects.filter(pk__in=[vera.pk, root.pk], is_active=True).count() == 2


def test_no_page_shows_a_password(acme, client):
    alice = people.alice(acme)

    shown = text_of(client.get(reverse("admin:credits_user_change", args=[alice.pk])))

    assert alice.password not in shown
    assert "password" not in shown.split('id="user_form"')[1].split("</form>")[0].lower()


def test_a_role_can_be_changed_and_taken_away(acme, client):
    membership = Membership.objects.get(user=people.vic(acme))

    client.post(
        reverse("admin:credits_membership_change", args=[membership.pk]), {"role": "TECH_ADMIN"}
    )
    changed = Membership.objects.get(pk=membership.pk).role
    client.post(reverse("admin:credits_membership_delete", args=[membership.pk]), {"post": "yes"})

    assert changed == Role.TECH_ADMIN
    assert not Membership.objects.filter(pk=membership.pk).exists()


@pytest.mark.parametrize("name", ["company", "user", "membership", "ratecard"])
def test_an_auditor_changes_nothing(acme, name):
    alice = people.alice(acme)
    rows = {
        "company": acme.pk,
        "user": alice.pk,
        "membership": Membership.objects.get().pk,
        "ratecard": RateCard.objects.get().pk,
    }
    client = signed_in(people.audrey(), acme)

    answers = [
        client.post(reverse(f"admin:credits_{name}_add"), {}).status_code,
        client.post(reverse(f"admin:credits_{name}_change", args=[rows[name]]), {}).status_code,
        client.post(reverse(f"admin:credits_{name}_delete", args=[rows[name]]), {}).status_code,
    ]

    assert answers == [403, 403, 403]


def test_the_schedule_shows_each_job_and_its_last_success(client):
    JobRun.objects.create(
        name="settle",
        period=datetime(2026, 11, 24, 10, 31, tzinfo=UTC),
        succeeded_at=datetime(2026, 11, 24, 10, 31, 2, tzinfo=UTC),
        summary="3 companies settled",
    )

    shown = text_of(client.get(reverse("admin:credits_jobrun_changelist")))

    assert "credits.tasks.settle" in shown
    assert "every minute" in shown
    assert "24 Nov 2026 10:31 UTC" in shown
    assert "3 companies settled" in shown
    assert 'data-status="never-ran"' in shown


@pytest.mark.parametrize("name", ["company", "user", "membership", "ratecard", "jobrun"])
def test_a_list_takes_as_many_queries_for_many_rows_as_for_few(acme, client, name):
    def more(number: int) -> None:
        people.member(acme, Role.VIEWER, f"Vic{number}")
        people.company(f"Beta {number}")
        start = {"effective_at_0": f"219{number}-01-01"}
        client.post(reverse("admin:credits_ratecard_add"), card(**start))
        JobRun.objects.create(name=f"job {number}", period=timezone.now())

    url = reverse(f"admin:credits_{name}_changelist")
    more(0)
    client.get(url)
    with CaptureQueriesContext(connection) as few:
        client.get(url)
    for number in range(1, 6):
        more(number)

    with CaptureQueriesContext(connection) as many:
        response = client.get(url)

    assert response.status_code == 200
    assert len(many) == len(few)


def test_a_member_is_not_made_a_member_again(acme, client):
    vic = people.vic(acme)

    answer = client.post("/admin/credits/membership/add/", {"user": vic.pk, "role": "TECH_ADMIN"})

    assert (
        "This person belongs to the company already; change their role there instead."
        in text_of(answer)
    )
    assert Membership.objects.get(user=vic).role == Role.VIEWER


def test_a_member_of_another_company_is_made_one_here_too(acme, client):
    vic = people.vic(people.company("Globex"))

    answer = client.post("/admin/credits/membership/add/", {"user": vic.pk, "role": "TECH_ADMIN"})

    assert answer.status_code == 302
    assert Membership.objects.get(user=vic, company=acme).role == Role.TECH_ADMIN


@pytest.mark.parametrize("typed", ["a\x00b", "abc", "9" * 30, "1.5", ""])
def test_what_is_no_person_becomes_no_member(client, typed):
    answer = client.post("/admin/credits/membership/add/", {"user": typed, "role": "VIEWER"})

    assert answer.status_code == 200
    assert answer.context["adminform"].errors["user"][0] in (
        "Select a valid choice. That choice is not one of the available choices.",
        "Null characters are not allowed.",
        "This field is required.",
    )
    assert not Membership.objects.exists()
