"""Briefs for tests, made by the code that people's forms call."""

from __future__ import annotations

from decimal import Decimal

from django.utils import timezone

from credits.models import Company, UsageAction, User
from trackers import briefs, entities, running_briefs
from trackers.briefs import Section, Template
from trackers.models import Brief, EntityType, SectionKind, Tracker
from trackers.periods import Period, Span
from trackers.requesters import Requester
from trackers.web_search import WebPage, WebSearchFailed

RISKS = Section(SectionKind.CONVERSATIONS, "Open risks", "What are the open risks?")
PRICES = Section(SectionKind.CONVERSATIONS, "Prices", "What is too expensive?")
NEWS = Section(SectionKind.WEB, "News", "news")
ALL = Span(Period.ALL_CONVERSATIONS)


def of_tracker(tracker: Tracker, title: str = "Objections") -> Section:
    return Section(SectionKind.TRACKER, title, tracker_id=tracker.pk)


def template(*sections: Section, name: str = "Account review", **changes) -> Template:
    return Template(
        **{"name": name, "entity_type": EntityType.ACCOUNT, "sections": sections} | changes
    )


def brief(
    company: Company, by: User, *sections: Section, published: bool = True, **changes
) -> Brief:
    """Return a saved brief about accounts, published unless said otherwise."""
    now = timezone.now()
    saved = briefs.save(
        company=company,
        brief_id=None,
        edit_number=None,
        template=template(*(sections or (RISKS,)), **changes),
        by=by,
        now=now,
    )
    if published:
        briefs.publish(brief_id=saved.pk, edit_number=saved.edit_number, by=by, now=now)
        saved.refresh_from_db()
    return saved


def program(company: Company, **changes) -> Requester:
    """Return who asks through the API."""
    return Requester(**{"company": company, "action": UsageAction.API_REQUEST} | changes)


def by_hand(user: User, company: Company) -> Requester:
    return Requester(company=company, action=UsageAction.MANUAL, user=user)


def globex(company: Company):
    """Return the account that the records of ``tests.support.conversations`` are about."""
    return entities.find(company=company, entity_type=EntityType.ACCOUNT, id="Globex")


def account(company: Company):
    """Return the first account there is."""
    row = company.accounts.order_by("pk").first()
    return entities.find(company=company, entity_type=EntityType.ACCOUNT, id=row.pk)


def run(requester: Requester, brief: Brief, **changes):
    wanted = {"entity": None, "period": ALL, "now": timezone.now()} | changes
    wanted["entity"] = wanted["entity"] or globex(requester.company)
    return running_briefs.run(requester=requester, brief=brief, **wanted)


def estimate(requester: Requester, brief: Brief, **changes):
    wanted = {"entity": None, "period": ALL, "now": timezone.now()} | changes
    wanted["entity"] = wanted["entity"] or globex(requester.company)
    return running_briefs.estimate(requester=requester, brief=brief, **wanted)


class ScriptedSearch:
    """A web search that finds what a test says, or fails."""

    name = "scripted"
    pages: tuple[WebPage, ...] = (
        WebPage("Globex opens a plant", "https://news.example/globex", "In Hamburg."),
    )
    failure = ""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def search(self, query: str, *, limit: int) -> list[WebPage]:
        self.asked.append(query)
        if self.failure:
            raise WebSearchFailed(self.failure)
        return list(self.pages[:limit])


def price_of(*amounts: str) -> Decimal:
    return sum((Decimal(one) for one in amounts), Decimal(0))
