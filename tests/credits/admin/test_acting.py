"""What all acts in two steps have in common: amounts as people type them, and twins (SPEC §9)."""

from __future__ import annotations

import uuid
from decimal import Decimal

import pytest
from django.core.exceptions import ValidationError

from credits.admin import granting
from credits.admin.acting import amount_field
from credits.models import AuditEvent, CreditGrant
from tests.support import people
from tests.support.browsing import signed_in, text_of

GRANT = "/admin/credits/creditgrant/add/"
RANGE = "Enter an amount above 0 and at most 1,000,000,000 credits."
NO_NUMBER = "Enter a number, such as 50000 or 12.5."


@pytest.mark.parametrize(
    ("rule", "typed", "amount"),
    [
        ({}, "12.5", "12.500"),
        ({}, " 1e3 ", "1000.000"),
        ({}, "1000000000", "1000000000.000"),
        ({"is_signed": True}, "-0.001", "-0.001"),
        ({"may_be_zero": True}, "0.00", "0.000"),
    ],
)
def test_an_amount_is_read_as_it_is_typed(rule, typed, amount):
    assert str(amount_field(**rule).clean(typed)) == amount


def test_an_amount_that_may_be_left_out_is_none():
    assert amount_field(required=False).clean(" ") is None


@pytest.mark.parametrize(
    ("rule", "typed", "sentence"),
    [
        ({}, "", "This field is required."),
        ({}, "many", NO_NUMBER),
        ({}, "NaN", NO_NUMBER),
        ({}, "-Infinity", NO_NUMBER),
        ({}, "0", RANGE),
        ({}, "-1", RANGE),
        ({}, "1000000000.001", RANGE),
        ({"is_signed": True}, "0.000", RANGE),
        ({"is_signed": True}, "-1e10", RANGE),
        ({"may_be_zero": True}, "-1", RANGE),
        ({}, "0.0001", "Credits have at most three decimal places; 0.0001 has more."),
    ],
)
def test_what_is_no_amount_is_said_in_one_sentence(rule, typed, sentence):
    with pytest.raises(ValidationError) as refused:
        amount_field(**rule).clean(typed)

    assert refused.value.messages == [sentence]


@pytest.mark.django_db
def test_a_submit_that_its_twin_overtakes_leads_to_the_twin_s_grant(monkeypatch):
    """The figures moved, but by the very act that was confirmed: it is not asked for again."""
    acme, vera = people.company(), people.vera()
    first, second = signed_in(vera, acme), signed_in(vera, acme)
    form = {"source": "ADJUSTMENT", "amount": "50", "reason": "Goodwill", "key": str(uuid.uuid4())}
    confirm = form | {"step": "confirm", "seen": first.post(GRANT, form).context["seen"]}
    plan, answers = granting.Grant.plan, []

    def overtaken(act, filled):
        monkeypatch.setattr(granting.Grant, "plan", plan)
        answers.append(first.post(GRANT, confirm))
        return plan(act, filled)

    monkeypatch.setattr(granting.Grant, "plan", overtaken)
    answers.append(second.post(GRANT, confirm))

    assert answers[0]["Location"] == answers[1]["Location"]
    assert CreditGrant.objects.get().amount == Decimal(50)
    assert AuditEvent.objects.count() == 1


@pytest.mark.django_db
def test_an_adjustment_looked_at_in_another_company_says_where_one_works_now():
    acme, beta, vera = people.company(), people.company("Beta"), people.vera()
    people.credits_for(acme, "10")
    adjust = "/admin/credits/creditgrant/adjust/"
    form = {"amount": "5", "reason": "Goodwill after the outage", "key": str(uuid.uuid4())}
    seen = signed_in(vera, acme).post(adjust, form).context["seen"]

    answer = signed_in(vera, beta).post(adjust, form | {"step": "confirm", "seen": seen})

    assert "You are working in Beta now. Nothing was done yet; look again." in text_of(answer)
    assert CreditGrant.objects.count() == 1
