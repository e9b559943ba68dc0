"""What kinds of conversation there are: which exchanges they go through, and what they are called.

A prospect is first met, then shown, convinced and haggled with; a customer is looked after and
renewed; a partner brings business. The kinds follow the stage a deal has reached.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Talk:
    """A kind of call: always through ``path``, a long one through ``more`` as well."""

    titles: tuple[str, ...]
    path: tuple[str, ...]
    more: tuple[str, ...] = ()


FIRST = Talk(
    ("<acct>: first call", "First call with <C>", "<site>: first talk"),
    ("open.first", "now", "volume", "pain", "next", "close"),
    ("now", "pain", "people", "decide"),
)
FAIR = Talk(
    ("<acct>: after the fair", "Fair follow-up with <C>"),
    ("fair", "now", "pain", "next", "close"),
    ("volume", "floor", "decide"),
)
VOICEMAIL = Talk(("Voicemail for <C>",), ("voicemail",))

DISCOVERY = (
    Talk(
        ("<acct>: how <site> works today", "<site>: figures and order file"),
        ("open", "now", "volume", "pain", "next", "close"),
        ("now", "pain", "floor", "decide"),
    ),
    Talk(
        ("<site>: site visit, questions", "Walk through <site> with <D>"),
        ("open", "pain", "floor", "volume", "next", "close"),
        ("floor", "people", "now"),
    ),
)
EVALUATION = (
    Talk(
        ("Demo for <acct>", "Demo: <goods>", "<acct>: demo with <D>"),
        ("open", "floor", "floor", "integration", "next", "close"),
        ("floor", "people", "rival", "volume"),
    ),
    Talk(
        ("<acct>: connecting <wms>", "<fleet>: questions from IT", "<site>: technical call"),
        ("open", "integration", "security", "integration", "close"),
        ("security", "floor", "security"),
    ),
    Talk(
        ("<acct>: people and training", "<site>: works council and shifts"),
        ("open", "people", "people", "security", "next", "close"),
        ("floor", "pain", "decide"),
    ),
    Talk(
        ("<acct> after the reference visit", "Reference visit: what <D> saw"),
        ("open", "reference", "rival", "decide", "close"),
        ("people", "floor"),
    ),
)
NEGOTIATION = (
    Talk(
        ("<acct>: the offer", "Offer for <robots> robots", "<site>: offer walk-through"),
        ("open", "price", "price", "terms", "next", "close"),
        ("rival", "decide", "terms"),
    ),
    Talk(
        ("<acct>: terms and dates", "<site>: contract questions"),
        ("open", "terms", "price", "decide", "close"),
        ("terms", "security", "price"),
    ),
    Talk(
        ("<acct>: before the board", "Preparing the board of <acct>"),
        ("open", "rival", "decide", "price", "next", "close"),
        ("pain", "reference", "terms"),
    ),
)
SERVICE = (
    Talk(
        ("<site>: monthly review", "<acct>: review with <C>", "<acct>: figures of the month"),
        ("service.open", "health", "health", "use", "close"),
        ("feature", "health", "use"),
    ),
    Talk(
        ("<site>: robots stopped", "<acct>: escalation", "<site>: ticket and next steps"),
        ("service.open", "incident", "incident", "close"),
        ("health", "feature", "use"),
    ),
    Talk(
        ("<acct>: wishes for <fleet>", "<site>: screens and reports"),
        ("service.open", "feature", "use", "close"),
        ("feature", "health", "people"),
    ),
)
START = Talk(
    ("<acct>: first weeks", "<site>: start-up, open points"),
    ("open", "onboarding", "onboarding", "next", "close"),
    ("people", "use", "security"),
)
RENEWAL = (
    Talk(
        ("<acct>: renewal", "Renewal of <fleet> at <acct>"),
        ("service.open", "renewal", "renewal", "close"),
        ("health", "rival", "price"),
    ),
    Talk(
        ("<acct>: more robots", "<site>: the hall next door"),
        ("service.open", "expansion", "health", "next", "close"),
        ("expansion", "price", "floor"),
    ),
)
PARTNER = (
    Talk(
        ("<acct>: pipeline", "Leads with <C>", "<acct>: joint deals"),
        ("partner.open", "partner.pipeline", "partner.pipeline", "close"),
        ("partner.joint", "partner.terms", "partner.training"),
    ),
    Talk(
        ("<acct>: training and showroom", "Certification of <acct>"),
        ("partner.open", "partner.training", "partner.joint", "close"),
        ("partner.training", "partner.pipeline"),
    ),
    Talk(
        ("<acct>: agreement", "Margins and service with <C>"),
        ("partner.open", "partner.terms", "partner.terms", "close"),
        ("partner.pipeline", "rival", "partner.joint"),
    ),
)
