"""Results: what a tracker found in a conversation, what it quotes, and what that used."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial, reduce
from operator import or_
from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import Prefetch, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.utils.html import format_html, format_html_join
from django.utils.text import Truncator
from unfold.decorators import display

from credits import shown
from credits.admin.days import DaysFilter
from credits.admin.scoped import ReadOnlyAdmin, ScopedRelatedFilter
from credits.roles import Act
from trackers.admin import reading, results_by, reviews
from trackers.admin.results_export import ResultsExportMixin, judged_in_words
from trackers.admin.results_filters import (
    AccountFilter,
    DealFilter,
    JudgedFilter,
)
from trackers.models import AnswerType, Quote, Scan, ScanState, Utterance, Verdict
from trackers.reviewing import with_judgement

TURNS_AROUND = 3
RELATED_LOOKUPS = ("conversation__account__id__exact", "conversation__deal__id__exact")
ANSWER_CHARACTERS_MAX = 300
QUOTE_CHARACTERS_MAX = 160  # In lists; a result's own page quotes in full.

TONES: dict[str, str] = {
    Verdict.YES: shown.GOOD,
    Verdict.UNSURE: shown.WARNING,
    ScanState.WAITING: shown.WARNING,
    ScanState.FAILED: shown.CRITICAL,
}


@dataclass(frozen=True, slots=True)
class Turn:
    """One utterance beside a quote; the quoted one is marked."""

    speaker: str
    time: str
    text: str
    is_quoted: bool


@dataclass(frozen=True, slots=True)
class Quoted:
    """A quote with who said it when, and the turns around it."""

    text: str
    speaker: str
    time: str
    turns: tuple[Turn, ...]


@admin.register(Scan)
class ScanAdmin(ResultsExportMixin, ReadOnlyAdmin):
    """Read-only for everybody: a result is stated by the system."""

    view_act = Act.VIEW_RESULTS
    list_display = (
        "conversation_title",
        "tracker_name",
        "verdict_shown",
        "confidence_shown",
        "found",
        "credits_used",
        "action_shown",
        "when",
    )
    list_display_links = ("conversation_title",)
    list_filter = (
        ("tracker", ScopedRelatedFilter),
        "verdict",
        "confidence",
        JudgedFilter,
        "conversation__kind",
        AccountFilter,
        DealFilter,
        ("team", ScopedRelatedFilter),
        "state",
        ("finished_at", DaysFilter),
    )
    list_filter_submit = True
    search_fields = ("conversation__title", "conversation__external_id")
    search_help_text = "Search by the title or external id of the conversation."
    sortable_by = ()
    ordering = ("-pk",)
    paginator = reading.BoundedPaginator
    fields = ()
    change_list_template = "admin/trackers/scan/list.html"
    empty_words = "Results appear here when a published tracker has read a conversation."

    class Media:
        css: ClassVar = {"all": ("trackers/reading.css",)}

    def get_queryset(self, request: HttpRequest) -> QuerySet[Scan]:
        rows: QuerySet[Scan] = super().get_queryset(request)
        quotes = Quote.objects.select_related("utterance__speaker").order_by("scan", "rank")
        return (
            with_judgement(rows)
            .select_related(
                "tracker",
                "version",
                "conversation__account",
                "conversation__deal",
                "conversation__team",
                "company",
                "skipped_by",
            )
            # Large, and of no interest to people.
            .defer("version__calibration")
            .prefetch_related(Prefetch("quotes", queryset=quotes))
        )

    @display(description="Conversation")
    def conversation_title(self, scan: Scan) -> str:
        """Name it, with its account and deal beneath: a column for each would not fit."""
        talk = scan.conversation
        parts = [str(one) for one in (talk.account, talk.deal) if one is not None]
        of = format_html('<span class="ts-of">{}</span>', " · ".join(parts)) if parts else ""
        return format_html("{}{}", talk, of)

    @display(description="Tracker")
    def tracker_name(self, scan: Scan) -> str:
        return scan.tracker.name

    @display(description="Result")
    def verdict_shown(self, scan: Scan) -> str:
        said = judged(scan) if judged_in_words(scan) else ""
        return format_html("{} {}", verdict(scan), said)

    @display(description="Confidence")
    def confidence_shown(self, scan: Scan) -> str:
        return scan.get_confidence_display() or shown.NOTHING

    @display(description="Found")
    def found(self, scan: Scan) -> str:
        """Give the answer and the best quote; say why where there could be none."""
        if scan.state != ScanState.DONE:
            reason = scan.reason_shown or shown.NOTHING
            return format_html('<span class="ts-reason">{}</span>', reason)
        parts = [_answer(scan)]
        if scan.verdict != Verdict.NO:
            parts += [_in_line(one) for one in _quotes(scan)[:1]]
            if (more := len(_quotes(scan)) - 1) > 0:
                parts.append(format_html('<span class="ts-speaker">and {} more</span>', more))
        parts.append("" if _is_current(scan) else _EARLIER)
        lines = format_html_join("", "<li>{}</li>", ((part,) for part in parts if part))
        return format_html('<ul class="ts-quotes">{}</ul>', lines) if lines else shown.NOTHING

    @display(description="Credits")
    def credits_used(self, scan: Scan) -> str:
        return _credits_used(scan)

    @display(description="Action")
    def action_shown(self, scan: Scan) -> str:
        return scan.get_action_display()

    @display(description="When")
    def when(self, scan: Scan) -> str:
        return shown.instant(scan.finished_at or scan.created_at, scan.company)

    def get_urls(self) -> list[Any]:
        by = self.admin_site.admin_view(partial(results_by.page, self))
        return [
            path("by/<slug:what>/", by, name="trackers_scan_by"),
            *self.pages_of_row("scan_id", {"judge": reviews.judge_scan}),
            *super().get_urls(),
        ]

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        # The results of one account or deal, as the pages that add them up link to them.
        return lookup in RELATED_LOOKUPS or super().lookup_allowed(lookup, value, request)

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        extra = {"tabs": results_by.tabs("")} | (extra_context or {})
        return super().changelist_view(request, extra)

    def name_of(self, row: Scan) -> str:
        return str(row.conversation)

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        scan: Scan = context["original"]
        context |= {
            "facts": reading.facts(
                [
                    ("Result", verdict(scan)),
                    *([("Reason", reason)] if (reason := scan.reason_shown) else []),
                    ("Confidence", scan.get_confidence_display()),
                    *([("Answer", answer)] if (answer := _answer(scan)) else []),
                    ("Conversation", shown.link_if_allowed(request, scan.conversation)),
                    ("Account", shown.link_if_allowed(request, scan.conversation.account)),
                    ("Deal", shown.link_if_allowed(request, scan.conversation.deal)),
                    ("Tracker", shown.link_if_allowed(request, scan.tracker)),
                    ("Question", scan.version.question),
                    ("Credits", _credits_used(scan)),
                    ("Action", scan.get_action_display()),
                    ("Usage", shown.link_if_allowed(request, scan.usage_event, "Usage event")),
                    ("Queued", shown.instant(scan.created_at, scan.company)),
                    ("Finished", shown.instant(scan.finished_at, scan.company)),
                ]
            ),
            "quotes": _quoted(scan),
            "is_done": scan.state == ScanState.DONE,
            "is_found": scan.verdict != Verdict.NO,
            "is_from_an_earlier_text": not _is_current(scan),
            "judged": judged(scan),
            "thumbs": reviews.of_scan(request, scan),
            "scan": scan,
        }
        return super().render_change_form(request, context, *args, **kwargs)


_EARLIER = format_html('<span class="ts-earlier">{}</span>', "From an earlier text")


def judged(scan: Any) -> str:
    """Show what a person said of a result; a dash where nobody did."""
    words = judged_in_words(scan)
    if not words:
        return shown.NOTHING
    tone = shown.GOOD if scan.is_right else shown.QUIET
    return shown.status(words, code="RIGHT" if scan.is_right else "WRONG", tone=tone)


def verdict(scan: Scan) -> str:
    """Show what was found, or how far the scan is where nothing is known yet."""
    if scan.state == ScanState.DONE:
        return shown.status(
            scan.get_verdict_display(), code=scan.verdict, tone=TONES.get(scan.verdict, "")
        )
    return shown.status(scan.get_state_display(), code=scan.state, tone=TONES.get(scan.state, ""))


def _answer(scan: Scan) -> str:
    """Return the answer in words; empty for yes or no, which the verdict says."""
    is_yes_or_no = scan.version.answer_type == AnswerType.YES_NO
    return "" if is_yes_or_no else Truncator(scan.answer).chars(ANSWER_CHARACTERS_MAX)


def _credits_used(scan: Scan) -> str:
    """Show the price of what was charged; what is not done has used nothing."""
    price = scan.price if scan.state == ScanState.DONE else None
    return shown.amount(price, metric="credits-used")


def _is_current(scan: Scan) -> bool:
    return scan.revision == scan.conversation.text_revision


def _quotes(scan: Scan) -> list[Quote]:
    return list(scan.quotes.all())


def _in_line(quote: Quote) -> str:
    said = Truncator(_text(quote)).chars(QUOTE_CHARACTERS_MAX)
    return format_html(
        '<q>{}</q> <span class="ts-speaker">{}</span>', said, _said_by(quote.utterance)
    )


def _text(quote: Quote) -> str:
    return quote.utterance.text[quote.start : quote.end]


def _said_by(utterance: Utterance) -> str:
    at = reading.clock(utterance.start_seconds)
    return f"{utterance.speaker}, {at}" if at else str(utterance.speaker)


def _quoted(scan: Scan) -> list[Quoted]:
    """Read the turns around all quotes at once, at the text revision that was scanned."""
    quotes = _quotes(scan)
    if not quotes:
        return []
    nearby = [
        Q(
            position__gte=quote.utterance.position - TURNS_AROUND,
            position__lte=quote.utterance.position + TURNS_AROUND,
        )
        for quote in quotes
    ]
    turns = list(
        Utterance.objects.filter(
            reduce(or_, nearby), conversation=scan.conversation_id, revision=scan.revision
        )
        .select_related("speaker")
        .order_by("position")
    )
    return [
        Quoted(
            text=_text(quote),
            speaker=str(quote.utterance.speaker),
            time=reading.clock(quote.utterance.start_seconds),
            turns=tuple(
                Turn(
                    speaker=str(turn.speaker),
                    time=reading.clock(turn.start_seconds),
                    text=turn.text,
                    is_quoted=turn.pk == quote.utterance_id,
                )
                for turn in turns
                if abs(turn.position - quote.utterance.position) <= TURNS_AROUND
            ),
        )
        for quote in quotes
    ]
