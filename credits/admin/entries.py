"""One ledger entry under an address that never changes: its company and its place (UX §1e)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from django.conf import settings
from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import NoReverseMatch
from django.utils.html import format_html, format_html_join
from django.utils.module_loading import import_string
from django.utils.safestring import SafeString
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from unfold.admin import ModelAdmin
from unfold.decorators import display

from credits import expirations, shown
from credits.admin import explaining
from credits.current_company import scope_of
from credits.models import (
    GENESIS_HASH,
    Cause,
    LedgerEntry,
    Reservation,
    UsageEvent,
    User,
)

RESERVATION_CAUSES = (Cause.CAPTURE, Cause.RELEASE, Cause.LAPSE)


class EntryChangeList(ChangeList):
    """Leads from each entry to its permanent address."""

    def url_for_result(self, result: Any) -> str:
        return shown.entry_address(result.company, result.sequence)


@require_safe
@never_cache
def permalink(request: HttpRequest, company_slug: str, sequence: int) -> HttpResponse:
    """Show the entry at a place of a company's ledger; 404 for a company not in scope."""
    page = admin.site.get_model_admin(LedgerEntry)
    if not page.has_view_permission(request):
        raise PermissionDenied
    company = scope_of(request).company
    if company is not None and company.slug == company_slug:
        expirations.settle(company=company)
    entries = page.get_queryset(request).filter(company__slug=company_slug, sequence=sequence)
    key = entries.order_by().values_list("pk", flat=True).first()
    if key is None:
        raise Http404("There is no such ledger entry.")
    return page.change_view(request, str(key))


def copy_link(entry: LedgerEntry) -> SafeString:
    """Show the entry's address, and a button that copies it where scripts run."""
    return format_html(
        '<a class="credits-link" href="{0}" data-copied-link>{0}</a> '
        '<button class="credits-button" type="button" data-copy-link hidden>Copy link</button>'
        '<span class="credits-note" role="status" data-copy-told></span>',
        shown.entry_address(entry.company, entry.sequence),
    )


def cause(entry: LedgerEntry) -> str:
    """Say which act wrote the entry, with a link to the row of that act."""
    words = entry.get_cause_display()
    if entry.cause in RESERVATION_CAUSES:
        held = Reservation.objects.filter(company=entry.company, pk=entry.cause_ref).first()
        return words if held is None else shown.link(held, words)
    event = usage_of(entry)
    if entry.cause == Cause.CHARGE and event is not None:
        return shown.link(event, words)
    if entry.grant is not None:
        return shown.link(entry.grant, words)
    return words


def usage_of(entry: LedgerEntry) -> UsageEvent | None:
    """Return what the entry paid for; None for one that is no use."""
    return getattr(entry, "usage_event", None)


def work(entry: LedgerEntry) -> str:
    """Link to the feature that used the credits, and to the very results they paid for."""
    event = usage_of(entry)
    if event is None:
        return shown.NOTHING
    feature = f"{event.feature_name}, {event.get_action_display()}"
    links = [
        (_found(event.feature_type, event.feature_ref, None), feature),
        (_found(event.feature_type, event.feature_ref, event.pk), "what it read"),
    ]
    return format_html_join(
        " · ",
        "{}",
        (
            (format_html('<a class="credits-link" href="{}">{}</a>', url, words) if url else words,)
            for url, words in links
            if url or words == feature
        ),
    )


def corrections(entry: LedgerEntry) -> str:
    """Link both ways between an entry and those that correct it."""
    company = entry.company
    later = LedgerEntry.objects.filter(
        company=company, sequence__gt=entry.sequence, corrects_sequence=entry.sequence
    ).order_by("sequence")
    said = [
        format_html("corrected by {}", shown.entry_link(company, sequence))
        for sequence in later.values_list("sequence", flat=True)[:20]
    ]
    if entry.corrects_sequence is not None:
        said.insert(
            0, format_html("corrects {}", shown.entry_link(company, entry.corrects_sequence))
        )
    return format_html_join("; ", "{}", ((one,) for one in said)) or shown.NOTHING


def actor(entry: LedgerEntry) -> str:
    """Name who acted; the opaque id of a person who is gone, or of a key."""
    if entry.actor_ref is None:
        return "the system"
    person = User.objects.filter(public_id=entry.actor_ref).first()
    return person.get_full_name() if person else f"Removed person {entry.actor_ref}"


def previous_hash(entry: LedgerEntry) -> str:
    """Return the hash that this entry's own covers: that of the entry before it."""
    if entry.sequence == 1:
        return shown.code(GENESIS_HASH.hex())
    before = LedgerEntry.objects.get(company=entry.company, sequence=entry.sequence - 1)
    return format_html(
        "{} {}",
        shown.entry_link(entry.company, before.sequence),
        shown.code(bytes(before.hash).hex()),
    )


def _found(*named: Any) -> str | None:
    for path in settings.CREDIT_FEATURE_LINKS:
        find: Callable[..., str | None] = import_string(path)
        try:
            if url := find(*named):
                return url
        except NoReverseMatch:
            continue
    return None


class EntryPage(ModelAdmin):
    """What the page of one entry says beyond its figures."""

    class Media:
        js: ClassVar = ("credits/copy.js",)

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> Any:
        return EntryChangeList

    @display(description="link to this entry")
    def permalink(self, entry: LedgerEntry) -> str:
        return copy_link(entry)

    @display(description="where it comes from")
    def chain(self, entry: LedgerEntry) -> str:
        return explaining.entry_link(entry)

    @display(description="for")
    def work(self, entry: LedgerEntry) -> str:
        return work(entry)

    @display(description="cause")
    def cause_in_words(self, entry: LedgerEntry) -> str:
        return cause(entry)

    @display(description="corrections")
    def corrections(self, entry: LedgerEntry) -> str:
        return corrections(entry)

    @display(description="by")
    def actor(self, entry: LedgerEntry) -> str:
        return actor(entry)

    @display(description="hash")
    def hash_in_hex(self, entry: LedgerEntry) -> str:
        return shown.code(bytes(entry.hash).hex())

    @display(description="hash before it")
    def previous_hash(self, entry: LedgerEntry) -> str:
        return previous_hash(entry)
