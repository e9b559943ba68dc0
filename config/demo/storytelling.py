"""Tell what was said between a company and its accounts: conversations without a date yet.

Deterministic: the same seed tells the same stories. An account hears an exchange again only when
it has heard all others of the kind.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby
from random import Random
from typing import Any

from config.demo import phrases, talks
from config.demo.phrases import DATA, Exchange
from config.demo.talks import Talk

EMAIL_SHARE = 0.33
LONG_SHARE = 0.5
VOICEMAIL_SHARE = 0.03
MAIN_REP_SHARE = 0.8
# How often an account of a kind is talked with, against the others.
WEIGHTS = {"prospect": 10, "customer": 12, "partner": 9}
NO_FAIR = (1.0, 1.0)
# Whom nobody has made an account for: the people there are leads, and have no deal.
LEADS = frozenset({"Caldwell Workwear", "Papeterie Ruckstuhl", "Cheviot Climbing"})
RIVALS = ("Grabwell", "Lumenpick", "Ostra Motion", "Liftbot")
SIGN_OFFS = ("Best regards", "Kind regards", "Best", "Thanks", "Many thanks", "Regards")
PACES = (0.45, 0.9)  # Words a second, over a whole call, with what is shown in silence.
ROBOT_PRICE = 38  # Thousand, with its share of everything else.


@dataclass(frozen=True, slots=True)
class Account:
    """Whom a company talks with, and what is special there."""

    name: str
    kind: str
    team: str
    site: str
    domain: str
    contacts: tuple[str, str]
    goods: str
    item: str
    lines: int
    system: str


@dataclass(slots=True)
class Thread:
    """One account's story so far: who owns it, what was said already, how far its deal is."""

    account: Account
    owner: dict[str, str]
    colleagues: Sequence[dict[str, str]]
    rival: str
    robots: int
    total: int
    won: bool
    told: int = 0
    heard: Counter[Exchange] = field(default_factory=Counter)

    @property
    def progress(self) -> float:
        """Say how far along its deal is, from 0 to 1."""
        return self.told / self.total


def accounts(slug: str) -> list[Account]:
    """Return the accounts that a company's stories are about."""
    found = []
    for row in (DATA / f"{slug}_accounts.txt").read_text().splitlines():
        if row.startswith("#"):
            continue
        name, kind, team, site, domain, people, goods, item, lines, system = row.split(" | ")
        first, second = people.split(", ")
        found.append(
            Account(
                name, kind, team, site, domain, (first, second), goods, item, int(lines), system
            )
        )
    return found


def tell(
    *,
    seed: int,
    count: int,
    facts: dict[str, Any],
    accounts: Sequence[Account],
    prefix: str,
    fair: tuple[float, float] = NO_FAIR,
) -> list[dict[str, Any]]:
    """Return ``count`` conversations in the order they are held, in the import format, undated.

    ``facts`` names the company's products and members; ``fair`` is the part of the time, from 0
    to 1, in which prospects are met from a fair.
    """
    rng = Random(f"stories {seed} {prefix}")
    order = rng.choices(accounts, [WEIGHTS[account.kind] for account in accounts], k=count)
    threads = _threads(order, facts, rng)
    stories = []
    for number, account in enumerate(order, start=1):
        thread = threads[account.name]
        at_fair = fair[0] <= number / count < fair[1]
        teller = _Teller(thread, facts, rng)
        story = teller.mail(at_fair) if teller.writes() else teller.call(at_fair)
        story["id"] = f"{prefix}-{story['kind']}-{number + 1000}"
        thread.told += 1
        stories.append(story)
    return stories


def _threads(order: list[Account], facts: dict[str, Any], rng: Random) -> dict[str, Thread]:
    threads: dict[str, Thread] = {}
    for account, total in sorted(Counter(order).items(), key=lambda item: item[0].name):
        team = [member for member in facts["members"] if member["team"] == account.team]
        owner = rng.choice(team)
        threads[account.name] = Thread(
            account=account,
            owner=owner,
            colleagues=[member for member in team if member != owner] or team,
            rival=rng.choice(RIVALS),
            robots=max(3, account.lines // 700),
            total=total,
            won=rng.random() < 0.45,
        )
    return threads


class _Teller:
    """Puts one conversation of a thread together."""

    def __init__(self, thread: Thread, facts: dict[str, Any], rng: Random) -> None:
        self.thread = thread
        self.facts = facts
        self.rng = rng
        account = thread.account
        is_owner = rng.random() < MAIN_REP_SHARE
        self.rep = thread.owner if is_owner else rng.choice(thread.colleagues)
        others = [one for one in (thread.owner, *thread.colleagues) if one != self.rep]
        mate = rng.choice(others) if others else thread.owner
        first, second = account.contacts if rng.random() < 0.7 else account.contacts[::-1]
        self.contacts = (first, second)
        self.words = {
            "R": _given(self.rep["name"]),
            "mate": _given(mate["name"]),
            "C": _given(first),
            "D": _given(second),
            "acct": account.name,
            "site": account.site,
            "goods": account.goods,
            "item": account.item,
            "lines": f"{account.lines:,}",
            "people": str(max(4, account.lines // 400)),
            "wms": account.system,
            "rival": thread.rival,
            "robots": str(thread.robots),
            "price": f"{thread.robots * ROBOT_PRICE} thousand",
            "wday": rng.choice(phrases.WEEKDAYS),
            **facts["products"],
        }

    def writes(self) -> bool:
        """Choose between a mail and a call; who has decided for another writes."""
        is_lost = self.thread.account.kind == "prospect" and self._stage() == "closed lost"
        return is_lost or self.rng.random() < EMAIL_SHARE

    def call(self, at_fair: bool) -> dict[str, Any]:
        talk = self._talk(at_fair)
        path = list(talk.path)
        if talk.more and self.rng.random() < LONG_SHARE:
            end = path.index("next") if "next" in path else -1
            path[end:end] = talk.more
        said = [line for category in path for line in self._say(self._next(category))]
        pace = self.rng.uniform(*PACES)
        turns, at = [], 1.0
        for number, (who, text) in enumerate(said):
            turns.append(self._turn(number, who, round(at, 1), text))
            at += len(text.split()) / pace + self.rng.uniform(2.0, 7.0)
        title = self._fill(self.rng.choice(talk.titles))
        return self._story("call", title, turns, seconds=int(at))

    def mail(self, at_fair: bool) -> dict[str, Any]:
        kind = self.thread.account.kind
        category = {"prospect": self._stage(), "customer": "service", "partner": "partner"}[kind]
        if at_fair and category == "discovery":
            category = "fair"
        exchange = self._next(f"mail.{category}")
        subject, turns = self._fill(exchange.subject), []
        for who, lines in groupby(self._say(exchange), key=lambda line: line[0]):
            texts = [text for _, text in lines]
            name = self.words[who]
            if not texts[-1].rstrip(".").endswith(name):
                texts[-1] = f"{texts[-1]} {self.rng.choice(SIGN_OFFS)}, {name}"
            turns += [(who, text) for text in texts]
        spoken = [self._turn(number, who, None, text) for number, (who, text) in enumerate(turns)]
        return self._story("email", subject, spoken, seconds=0)

    def _talk(self, at_fair: bool) -> Talk:
        thread = self.thread
        if thread.account.kind == "partner":
            return self.rng.choice(talks.PARTNER)
        if self.rng.random() < VOICEMAIL_SHARE:
            return talks.VOICEMAIL
        if thread.account.kind == "customer":
            return self.rng.choice(talks.SERVICE if self.rng.random() < 0.7 else talks.RENEWAL)
        if not thread.told:
            return talks.FIRST
        if at_fair and self.rng.random() < 0.5:
            return talks.FAIR
        match self._stage():
            case "discovery":
                return self.rng.choice(talks.DISCOVERY)
            case "evaluation":
                return self.rng.choice(talks.EVALUATION)
            case "closed won":
                return talks.START
        return self.rng.choice(talks.NEGOTIATION)

    def _stage(self) -> str:
        progress = self.thread.progress
        if progress < 0.3:
            return "discovery"
        if progress < 0.65:
            return "evaluation"
        if progress < 0.92:
            return "negotiation"
        return "closed won" if self.thread.won else "closed lost"

    def _deal(self) -> dict[str, str] | None:
        """Name the deal a conversation belongs to; looking after a customer belongs to none."""
        account = self.thread.account
        match account.kind:
            case "prospect":
                return {"name": f"{account.site} warehouse", "stage": self._stage()}
            case "partner":
                return {"name": "Partner agreement", "stage": "closed won"}
        if self.thread.progress < 0.5:
            return None
        return {"name": "Flightdeck renewal", "stage": self._stage()}

    def _next(self, category: str) -> Exchange:
        """Choose among the exchanges the account has heard least."""
        members = phrases.exchanges()[category]
        heard = self.thread.heard
        least = min(heard[member] for member in members)
        chosen = self.rng.choice([member for member in members if heard[member] == least])
        heard[chosen] += 1
        return chosen

    def _say(self, exchange: Exchange) -> list[tuple[str, str]]:
        if not exchange.subject:  # A mail keeps to the day its subject names.
            self.words["wday"] = self.rng.choice(phrases.WEEKDAYS)
        return [(line.who, self._fill(line.text)) for line in exchange.lines]

    def _fill(self, text: str) -> str:
        filled = phrases.filled(text, self.words, self.rng)
        return filled[:1].upper() + filled[1:]

    def _turn(self, number: int, who: str, start: float | None, text: str) -> dict[str, Any]:
        speaker = {"R": "int0", "C": "ext0", "D": "ext1"}[who]
        return {"id": f"u{number}", "speaker": speaker, "start": start, "text": text}

    def _story(
        self, kind: str, title: str, turns: list[dict[str, Any]], *, seconds: int
    ) -> dict[str, Any]:
        account = self.thread.account
        people = [
            {"id": "int0", "role": "internal", **_named(self.rep["name"], self.rep["email"])},
            *(
                {"id": f"ext{place}", "role": "external", **_named(name, _address(name, account))}
                for place, name in enumerate(self.contacts)
            ),
        ]
        speaking = {turn["speaker"] for turn in turns} | {"ext0"}
        is_lead = account.name in LEADS
        return {
            "kind": kind,
            "title": title,
            "duration_seconds": seconds,
            "team": account.team,
            "owner": self.rep["email"],
            "account": None if is_lead else {"name": account.name, "type": account.kind},
            "deal": None if is_lead else self._deal(),
            "participants": [one for one in people if one["id"] in speaking | {"int0"}],
            "utterances": turns,
        }


def _given(name: str) -> str:
    return name.split(" ")[0]


def _named(name: str, email: str) -> dict[str, str]:
    return {"name": name, "email": email}


def _address(name: str, account: Account) -> str:
    letters = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "å": "a", "ø": "o", "é": "e"})
    return f"{name.lower().translate(letters).replace(' ', '.')}@{account.domain}"
