"""Keys: made once, shown once, rotated with an overlap, revoked at once."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network

import pytest

from credits import api_keys
from credits.api_keys import (
    AlreadyMade,
    AlreadyReplaced,
    AlreadyRevoked,
    KeyExpiresInThePast,
    KeyNotUsable,
    KeyRefused,
    KeyWithoutScope,
    NotANetwork,
    ScopeNeedsPerson,
    TooManyKeys,
    TooManyNetworks,
    UnknownScope,
)
from credits.companies import CompanyClosed
from credits.identifiers import new_id
from credits.models import ApiKey, AuditEvent, Integration, RequestTally
from tests.support import api, people
from tests.support.breaking import copy_refused_by, update_refused_by

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
def acme():
    return people.company()


def make(company, **more):
    given = {"name": "CRM", "scopes": ["balance:read"], "by": None, "now": NOW}
    return api_keys.create(company=company, **(given | more))


def opens(made, *, now=NOW, address="203.0.113.7") -> bool:
    try:
        found = api_keys.authenticate(text=made.text, address=address, now=now)
    except KeyRefused:
        return False
    return found.pk == made.key.pk


def test_only_the_digest_of_the_secret_is_kept(acme):
    made = make(acme)

    start, prefix, secret = made.text.split("_", 2)
    row = ApiKey.objects.get(pk=made.key.pk)
    assert (start, prefix, len(secret)) == ("tsk", row.prefix, 43)
    assert bytes(row.secret_sha256) == hashlib.sha256(secret.encode()).digest()
    assert secret not in repr(made) + str(ApiKey.objects.filter(pk=row.pk).values())


def test_no_two_keys_are_alike(acme):
    assert len({make(acme).text for _ in range(50)}) == 50


def test_a_key_works_until_it_expires_and_not_at_that_instant(acme):
    made = make(acme, expires_at=NOW + HOUR)

    assert opens(made, now=NOW + HOUR - timedelta(microseconds=1))
    assert not opens(made, now=NOW + HOUR)


def test_networks_are_kept_in_one_form(acme):
    made = make(acme, networks=["203.0.113.9/24", "2001:DB8::1"])

    assert made.key.networks == ["203.0.113.0/24", "2001:db8::1/128"]


def test_scopes_are_kept_in_one_order_and_once(acme):
    made = make(acme, scopes=["usage:read", "balance:read", "usage:read"])

    assert made.key.scopes == ["balance:read", "usage:read"]


@pytest.mark.parametrize(
    ("more", "error"),
    [
        ({"scopes": []}, KeyWithoutScope),
        ({"scopes": ["balance:read", "balance:write"]}, UnknownScope),
        ({"networks": ["office"]}, NotANetwork),
        ({"networks": ["203.0.113.0/33"]}, NotANetwork),
        ({"networks": [f"203.0.113.{n}" for n in range(21)]}, TooManyNetworks),
        ({"expires_at": NOW}, KeyExpiresInThePast),
        ({"scopes": ["purchases:request"]}, ScopeNeedsPerson),
        ({"scopes": ["trackers:read", "trackers:write"]}, ScopeNeedsPerson),
    ],
)
def test_what_makes_no_sense_makes_no_key(acme, more, error):
    with pytest.raises(error):
        make(acme, **more)

    assert not ApiKey.objects.exists()


def test_a_closed_company_gets_no_key(acme):
    acme.closed_at = NOW

    with pytest.raises(CompanyClosed):
        make(acme)


def test_a_company_has_at_most_a_hundred_keys_that_work(acme):
    keys = [make(acme) for _ in range(100)]

    with pytest.raises(TooManyKeys):
        make(acme)
    api_keys.revoke(key=keys[0].key, by=None, now=NOW)

    assert opens(make(acme))
    assert make(people.company("Globex")).key.pk


def test_one_id_makes_one_key(acme):
    key_id = new_id()
    make(acme, key_id=key_id)

    with pytest.raises(AlreadyMade):
        make(acme, key_id=key_id)

    assert ApiKey.objects.count() == 1


def test_a_revoked_key_is_refused_at_once_and_says_who_ended_it(acme):
    alice = people.alice(acme)
    made = make(acme)

    api_keys.revoke(key=made.key, by=alice, now=NOW)

    assert not opens(made)
    row = ApiKey.objects.get(pk=made.key.pk)
    assert (row.revoked_at, row.revoked_by) == (NOW, alice)
    with pytest.raises(AlreadyRevoked):
        api_keys.revoke(key=made.key, by=None, now=NOW + HOUR)
    assert ApiKey.objects.get(pk=made.key.pk).revoked_by == alice


def test_closing_a_company_ends_all_its_keys_and_no_others(acme):
    mine, too = make(acme), make(acme)
    other = make(people.company("Globex"))

    assert api_keys.revoke_all(company=acme, by=people.vera(), now=NOW) == 2

    assert [opens(made) for made in (mine, too, other)] == [False, False, True]


def test_rotating_gives_a_key_that_may_do_the_same_beside_the_old_one(acme):
    integration = Integration.objects.create(company=acme, name="CRM", kind="API")
    old = make(
        acme, integration=integration, networks=["203.0.113.0/24"], expires_at=NOW + 100 * HOUR
    )
    later = NOW + 50 * HOUR

    new = api_keys.rotate(key=old.key, by=None, now=later, overlap=2 * HOUR)

    assert opens(old, now=later + HOUR)
    assert opens(new, now=later + HOUR)
    assert not opens(old, now=later + 2 * HOUR)
    assert opens(new, now=later + 99 * HOUR)
    assert not opens(new, now=later + 100 * HOUR)
    same = ("company", "integration", "name", "scopes", "networks")
    assert [getattr(new.key, name) for name in same] == [getattr(old.key, name) for name in same]
    assert new.key.replaces == old.key


def test_an_overlap_never_lengthens_a_life(acme):
    old = make(acme, expires_at=NOW + HOUR)

    api_keys.rotate(key=old.key, by=None, now=NOW, overlap=24 * HOUR)

    assert ApiKey.objects.get(pk=old.key.pk).expires_at == NOW + HOUR


def test_without_an_overlap_the_old_key_ends_now(acme):
    old = make(acme)

    new = api_keys.rotate(key=old.key, by=None, now=NOW, overlap=timedelta(0))

    assert (opens(old), opens(new)) == (False, True)


def test_a_key_is_replaced_once(acme):
    old = make(acme)
    api_keys.rotate(key=old.key, by=None, now=NOW)

    with pytest.raises(AlreadyReplaced):
        api_keys.rotate(key=old.key, by=None, now=NOW)


@pytest.mark.parametrize("overlap", [timedelta(seconds=-1), timedelta(days=30, seconds=1)])
def test_an_overlap_has_bounds(acme, overlap):
    with pytest.raises(ValueError):
        api_keys.rotate(key=make(acme).key, by=None, now=NOW, overlap=overlap)


def test_a_key_that_ended_is_not_replaced(acme):
    ended = make(acme)
    api_keys.revoke(key=ended.key, by=None, now=NOW)

    for key, now in ((ended.key, NOW), (make(acme, expires_at=NOW + HOUR).key, NOW + HOUR)):
        with pytest.raises(KeyNotUsable):
            api_keys.rotate(key=key, by=None, now=now)

    assert ApiKey.objects.count() == 2


def test_the_database_holds_what_a_key_may_be(acme):
    key = make(acme, expires_at=NOW + HOUR).key
    alice = people.alice(acme)

    def refused(**changes):
        return update_refused_by(key, **changes)

    assert refused(scopes=[]) == "api_key_scopes_are_known_and_some"
    assert refused(scopes=["all"]) == "api_key_scopes_are_known_and_some"
    assert refused(expires_at=NOW - HOUR) == "api_key_expires_after_it_was_made"
    assert refused(revoked_by_id=alice.pk) == "api_key_names_who_revoked_it_only_when_revoked"
    assert copy_refused_by(key, id=new_id()) == "credits_apikey_prefix_key"


def test_a_key_names_rows_of_its_own_company_only(acme):
    key = make(acme).key
    globex = people.company("Globex")
    foreign = Integration.objects.create(company=globex, name="CRM", kind="API")
    foreign_key = make(globex).key

    assert (
        update_refused_by(key, integration_id=foreign.pk)
        == "credits_apikey_integration_id_same_company"
    )
    assert (
        update_refused_by(key, replaces_id=foreign_key.pk)
        == "credits_apikey_replaces_id_same_company"
    )


def test_a_request_tally_counts_from_one(acme):
    api.of(acme).get("/api/v1/balance")
    tally = RequestTally.objects.get(company=acme)

    assert update_refused_by(tally, day_count=0) == "request_tally_counts_from_one"


def test_the_trail_says_what_a_key_may_what_replaced_it_and_how_it_ended(acme):
    alice = people.alice(acme)
    made = make(acme, by=alice, networks=["203.0.113.0/24"], expires_at=NOW + 9 * HOUR)

    successor = api_keys.rotate(key=made.key, by=alice, now=NOW, overlap=HOUR)
    api_keys.revoke(key=made.key, by=alice, now=NOW)
    with pytest.raises(AlreadyRevoked):
        api_keys.revoke(key=made.key, by=alice, now=NOW)

    lines = AuditEvent.objects.select_related("text").order_by("pk")
    assert [(line.action, line.subject_id) for line in lines] == [
        ("ADDED", str(made.key.pk)),
        ("ADDED", str(successor.key.pk)),
        ("REPLACED", str(made.key.pk)),
        ("REVOKED", str(made.key.pk)),
    ]
    assert {(line.company, line.actor_ref) for line in lines} == {(acme, alice.public_id)}
    assert lines[0].text.changes == [
        {"field": "starts_with", "before": None, "after": f"tsk_{made.key.prefix}_…"},
        {"field": "scopes", "before": None, "after": "balance:read"},
        {"field": "networks", "before": None, "after": "203.0.113.0/24"},
        {"field": "works_until", "before": None, "after": "2026-03-02T21:00:00+00:00"},
    ]
    assert lines[2].text.changes == [
        {
            "field": "works_until",
            "before": "2026-03-02T21:00:00+00:00",
            "after": "2026-03-02T13:00:00+00:00",
        },
        {"field": "successor", "before": None, "after": f"tsk_{successor.key.prefix}_…"},
    ]


def test_closing_writes_down_each_key_that_it_ended(acme):
    alice, keys = people.alice(acme), [make(acme).key for _ in range(2)]
    api_keys.revoke(key=keys[0], by=None, now=NOW)
    before = set(AuditEvent.objects.values_list("pk", flat=True))

    api_keys.revoke_all(company=acme, by=alice, now=NOW)

    line = AuditEvent.objects.exclude(pk__in=before).get()
    assert (line.action, line.subject_id) == ("REVOKED", str(keys[1].pk))


def test_networks_count_the_address_that_one_s_own_proxy_tells(acme, settings):
    settings.TRUSTED_PROXIES = (ip_network("127.0.0.1"),)
    program = api.of(acme, networks=["203.0.113.0/24"])

    told = program.get("/api/v1/balance", headers={"x-forwarded-for": "203.0.113.7"})
    other = program.get("/api/v1/balance", headers={"x-forwarded-for": "198.51.100.7"})
    settings.TRUSTED_PROXIES = ()
    claimed = program.get("/api/v1/balance", headers={"x-forwarded-for": "203.0.113.7"})

    assert (told.status_code, other.status_code, claimed.status_code) == (200, 401, 401)
