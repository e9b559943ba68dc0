"""How the fields of a tracker's page are put together, by kind."""

from __future__ import annotations

from typing import Any

from trackers.models import TrackerKind

NEW_VERSION = (
    "A change of these, or of whose words and which part of the call, is a new version: it takes "
    "effect when it is published, and reads {} anew."
)
SETTINGS = (
    "From here on changes are settings: they take effect at once and never make a conversation "
    "payable again."
)
ASKED = {
    TrackerKind.QUESTION: (
        "Question",
        ("phrase", "subject", "question", "details", "answer_type", "choices"),
        NEW_VERSION.format("and charges"),
    ),
    TrackerKind.KEYWORD: (
        "Keywords",
        ("terms", "related_forms"),
        f"Free: nothing is charged. {NEW_VERSION.format('conversations')}",
    ),
    TrackerKind.PRETRAINED: (
        "Pretrained",
        ("pretrained",),
        f"Free: nothing is charged. {NEW_VERSION.format('conversations')}",
    ),
}
EXAMPLES = {
    TrackerKind.QUESTION: "",
    TrackerKind.PRETRAINED: "Beside the shipped ones, which stay.",
}


def of_kind(kind: str) -> tuple[tuple[str, dict[str, Any]], ...]:
    """Return the fieldsets of a kind's form."""
    name, asked, note = ASKED[TrackerKind(kind)]
    where = ("part", "part_minutes")
    is_shipped = kind == TrackerKind.PRETRAINED
    found: list[tuple[str, dict[str, Any]]] = [
        ("Tracker", {"fields": ("name", "description")}),
        (name, {"description": note, "fields": asked}),
        (
            "Part of the call" if is_shipped else "Whose words, and where",
            {"fields": where if is_shipped else ("side", *where)},
        ),
        (
            "Calls & e-mails",
            {"description": SETTINGS, "fields": ("include_calls", "include_emails", "language")},
        ),
        (
            "Filters",
            {
                "description": "Any of the values of one field, and between fields. "
                "Empty: all conversations.",
                "fields": (
                    *("teams", "members", "account_types", "deal_stages"),
                    *("teams_excluded", "members_excluded"),
                    *("account_types_excluded", "deal_stages_excluded"),
                ),
            },
        ),
    ]
    if kind in EXAMPLES:
        examples = {
            "description": EXAMPLES[TrackerKind(kind)],
            "fields": ("examples", "counter_examples"),
        }
        found.append(("Examples", examples))
    if kind == TrackerKind.QUESTION:
        found.append(("When credits run out", {"fields": ("catch_up",)}))
        found.append(("Campaign", {"fields": ("campaign_end_date",)}))
    return tuple(found)
