"""A write is done once: the same key gives the first answer again, to the byte."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from config.demo.clock import seeded_clock
from credits import idempotency, tasks
from credits.api import writes
from credits.idempotency import Answer, AnswerExpired
from credits.identifiers import new_id
from credits.ledger import IdempotencyConflict, Key
from credits.models import IdempotencyRecord, JobRun
from tests.support import api, people

pytestmark = pytest.mark.django_db
URL = "/api/v1/purchases"
DAY = timedelta(days=1)
WORD = r"Zoë \ Vobcan"


@pytest.fixture(autouse=True)
def _many_requests(settings):
    settings.API_REQUESTS_PER_SECOND = 1000


@pytest.fixture
def acme():
    return people.company()


@pytest.fixture
def program(acme):
    return api.of(acme, by=api.admin(acme))


def ask(program, key="k-1", body='{"amount": "50", "note": "für EMEA"}', **headers):
    return program.post(URL, body, "application/json", headers={"idempotency-key": key} | headers)


def test_the_same_request_again_gives_the_first_answer_to_the_byte(program, acme):
    first = ask(program)
    acme.purchases.update(note="changed since")

    second = ask(program)

    assert (first.status_code, second.status_code) == (201, 201)
    assert second.content == first.content
    assert second["Location"] == first["Location"] == f"{URL}/{first.json()['id']}"
    assert ("Idempotent-Replayed" in first, second["Idempotent-Replayed"]) == (False, "true")
    assert first["Cache-Control"] == "no-store"
    assert acme.purchases.count() == 1


def test_a_request_waits_for_people_and_adds_nothing(program, acme):
    made = ask(program).json()

    assert (made["state"], made["number"], made["amount"]) == ("REQUESTED", 1, "50.0")
    assert made["note"] == "für EMEA"
    assert made["grant_id"] is made["remaining"] is made["approved_at"] is None
    purchase = acme.purchases.get()
    assert str(purchase.requested_by.public_id) == made["requested_by"]
    assert not acme.grants.exists()
    assert program.get(f"{URL}/{made['id']}").json() == made
    assert program.get(URL).json()["items"] == [made]
    assert program.get(URL, {"state": "FULFILLED"}).json()["items"] == []


def test_how_a_body_is_spaced_and_ordered_does_not_matter(program):
    first = ask(program, body='{"amount":"50","note":"x"}')

    assert ask(program, body=' {"note" : "x", "amount": "50"}\n').content == first.content


@pytest.mark.parametrize("body", ['{"amount": "51"}', '{"amount": "50", "note": "x"}'])
def test_another_body_with_the_key_is_refused(program, acme, body):
    ask(program, body='{"amount": "50"}')

    answer = ask(program, body=body)

    assert (answer.status_code, api.problem(answer)["code"]) == (422, "idempotency_key_reused")
    assert acme.purchases.count() == 1


def test_what_failed_is_not_remembered(program, acme):
    assert ask(program, body='{"amount": "0"}').status_code == 400
    assert not IdempotencyRecord.objects.exists()

    assert ask(program, body='{"amount": "50"}').status_code == 201
    assert acme.purchases.count() == 1


def test_a_new_key_is_a_new_request(program, acme):
    ask(program, "k-1")
    ask(program, "k-2")

    assert sorted(acme.purchases.values_list("number", flat=True)) == [1, 2]


def test_companies_do_not_share_keys(program, acme):
    globex = people.company("Globex")

    mine = ask(program)
    theirs = ask(api.of(globex, by=api.admin(globex)), body='{"amount": "7"}')

    assert (mine.status_code, theirs.status_code) == (201, 201)
    assert mine.content != theirs.content


@pytest.mark.parametrize(
    ("key", "code", "detail"),
    [
        ("", "idempotency_key_missing", "Send the header Idempotency-Key with 1 to 255"),
        (
            "x" * 256,
            "idempotency_key_invalid",
            "An Idempotency-Key has at most 255 characters; this one has 256.",
        ),
        ("a\tb", "idempotency_key_invalid", "An Idempotency-Key has printable characters only"),
        ("a\x7fb", "idempotency_key_invalid", "An Idempotency-Key has printable characters only"),
    ],
)
def test_a_write_needs_a_key(program, acme, key, code, detail):
    answer = ask(program, key)

    problem = api.problem(answer)
    assert (answer.status_code, problem["code"]) == (400, code)
    assert problem["detail"].startswith(detail)
    assert not acme.purchases.exists()


@pytest.mark.parametrize("amount", ["50", "50.0", "50.000", "050"])
def test_the_same_amount_written_otherwise_is_the_same_request(program, acme, amount):
    first = ask(program, body='{"amount": "50.00"}')

    again = ask(program, body=f'{{"amount": "{amount}"}}')
    other = ask(program, body='{"amount": "50.001"}')

    assert again.content == first.content
    assert other.status_code == 422
    assert acme.purchases.count() == 1


def test_a_write_without_the_header_needs_a_key(program):
    answer = program.post(URL, {"amount": "5"}, "application/json")

    assert api.problem(answer)["code"] == "idempotency_key_missing"


@pytest.mark.parametrize("key", ["x" * 255, "order 118/é", "'; --"])
def test_any_printable_text_is_a_key(program, key):
    assert ask(program, key).content == ask(program, key).content


def test_an_answer_is_forgotten_after_30_days_and_what_was_done_is_not(program, acme):
    made = ask(program).json()
    record = IdempotencyRecord.objects.get()

    assert idempotency.forget_answers(now=record.created_at + 30 * DAY - DAY / 2) == 0
    with seeded_clock(record.created_at + 30 * DAY) as clock:
        assert idempotency.forget_answers(now=clock()) == 1

    answer = ask(program)
    problem = api.problem(answer)
    assert (answer.status_code, problem["code"]) == (409, "idempotency_answer_expired")
    assert problem["result_id"] == made["id"]
    assert acme.purchases.count() == 1
    assert api.problem(ask(program, body='{"amount": "51"}'))["code"] == "idempotency_key_reused"


def test_answers_are_forgotten_in_batches(acme):
    now = timezone.now()
    for number in range(5):
        remember(acme, f"k-{number}", now - 31 * DAY)

    assert idempotency.forget_answers(now=now, batch_size=2) == 5


def test_the_hourly_job_forgets_and_says_how_many(acme):
    remember(acme, "old", timezone.now() - 31 * DAY)
    remember(acme, "new", timezone.now())

    tasks.forget_answers()

    assert JobRun.objects.get(name="forget_answers").summary == "1 answer forgotten"
    kept = IdempotencyRecord.objects.filter(answer__isnull=False)
    assert [record.key for record in kept] == ["new"]


def test_an_act_that_fails_leaves_neither_its_row_nor_its_key(acme):
    def act():
        people.company("Half-written")
        raise RuntimeError

    with pytest.raises(RuntimeError):
        idempotency.once(
            company=acme, operation="test", key=Key.of("k"), now=timezone.now(), act=act
        )

    assert not IdempotencyRecord.objects.exists()
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM credits_company WHERE name = 'Half-written'")
        assert cursor.fetchone() == (0,)


def test_one_key_may_be_used_for_each_operation(acme):
    now = timezone.now()
    remember(acme, "k", now)

    other = idempotency.once(
        company=acme, operation="other", key=Key.of("k"), now=now, act=lambda: told("2")
    )

    assert (other.text, other.is_replay) == ("2", False)


def test_a_record_without_an_answer_replays_nothing(acme):
    """As the ledger's own records are."""
    key = Key.of("k", amount="1")
    IdempotencyRecord.objects.create(
        company=acme,
        operation="test",
        key="k",
        body_sha256=key.body_sha256,
        result_ref=new_id(),
        created_at=timezone.now(),
    )

    with pytest.raises(AnswerExpired):
        remember(acme, "k", timezone.now(), amount="1")
    with pytest.raises(IdempotencyConflict):
        remember(acme, "k", timezone.now(), amount="2")


@pytest.mark.parametrize(
    "said",
    [
        'About "Zoë \\ Vobcan".',
        "ZOË \\ vobcan\nasked",
        "Ask Zoë\n\\\t Vobcan",
        "zoë \\  Vobcan-Meyer",
    ],
)
def test_an_answer_that_says_the_erased_goes_and_its_act_is_not_done_again(acme, said):
    now = timezone.now()
    globex = people.company("Globex")
    text = writes.text_of({"items": [{"reason": said}]})
    first = remember(acme, "says", now, text=text)
    remember(acme, "says not", now, text='"Zita and Vobcan"')
    remember(globex, "elsewhere", now, text=text)

    count = idempotency.forget_answers_saying(company=acme, words=["x@y.example", WORD])

    assert count == 1
    with pytest.raises(AnswerExpired) as refused:
        remember(acme, "says", now, text="again")
    assert refused.value.result_ref == first.result_ref
    assert remember(acme, "says not", now).text == '"Zita and Vobcan"'
    assert remember(globex, "elsewhere", now).text == text


def test_any_number_of_words_of_any_length_is_looked_for(acme):
    """As subjects of calls are: 500 characters each, in any writing."""
    now = timezone.now()
    long = ["".join(chr(0x4E00 + (at * step) % 20_000) for at in range(500)) for step in range(997)]
    remember(acme, "k", now, text=writes.text_of({"name": f"{long[-1]} (a+)+$"}))

    assert idempotency.forget_answers_saying(company=acme, words=[*long[:-1], "(b+)+$"]) == 0
    assert idempotency.forget_answers_saying(company=acme, words=long) == 1


def test_answers_of_every_company_are_searched_where_none_is_given(acme):
    now = timezone.now()
    for one in (acme, people.company("Globex")):
        remember(one, "k", now, text='"Ask word-119."')

    assert idempotency.forget_answers_saying(company=None, words=["", " ", "word-118"]) == 0
    assert idempotency.forget_answers_saying(company=None, words=[" ", "word-119"]) == 2


def told(text: str) -> Answer:
    return Answer(status=201, text=text, location="/", result_ref=new_id())


def remember(company, key: str, now, *, text: str = "1", **body) -> Answer:
    return idempotency.once(
        company=company,
        operation="test",
        key=Key.of(key, **body),
        now=now,
        act=lambda: told(text),
    )
