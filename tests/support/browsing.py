"""A signed-in person's browser, without the browser or with it."""

from __future__ import annotations

from django.test import Client

from credits.current_company import SESSION_KEY
from credits.models import Company, User


def signed_in(user: User, company: Company | None = None) -> Client:
    """Return a client signed in as the person, working in ``company`` where one is given."""
    client = Client()
    client.force_login(user)
    if company is not None:
        session = client.session
        session[SESSION_KEY] = company.pk
        session.save()
    return client


def page_of(browser, site: str, person: User):
    """Return an empty page of Chromium, signed in as the person."""
    context = browser.new_context()
    session = signed_in(person).cookies["sessionid"].value
    context.add_cookies([{"name": "sessionid", "value": session, "url": site}])
    return context.new_page()


def text_of(response) -> str:
    return b"".join(response).decode() if response.streaming else response.content.decode()
