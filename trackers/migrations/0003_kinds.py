"""Kinds of trackers, parts of calls, languages; and when each side's words begin and end."""

from __future__ import annotations

from itertools import groupby
from typing import Any

import django.contrib.postgres.fields
from django.db import migrations, models

BATCH_SIZE = 500
SIDES = {"COMPANY": "company", "NON_COMPANY": "non_company"}
# A version is of its tracker's kind, and a tracker with versions cannot change it.
KEY = "trackers_trackerversion_kind_of_its_tracker"


def write_times(apps: Any, schema_editor: Any) -> None:
    """Say of calls that are there when the first and last analyzable words of a side begin."""
    calls = apps.get_model("trackers", "Conversation").objects.filter(kind="CALL")
    utterances = apps.get_model("trackers", "Utterance").objects
    last = None
    while True:
        rest = calls if last is None else calls.filter(pk__gt=last)
        batch = {one.pk: one for one in rest.order_by("pk")[:BATCH_SIZE]}
        if not batch:
            return
        turns = (
            utterances.filter(conversation__in=batch)
            .order_by("conversation", "position")
            .values_list("conversation_id", "revision", "affiliation", "start_seconds", "text")
        )
        for pk, said in groupby(turns, key=lambda turn: turn[0]):
            _write_times_of(batch[pk], [turn[1:] for turn in said])
        calls.model.objects.bulk_update(
            batch.values(),
            [f"{side}_{which}_seconds" for side in SIDES.values() for which in ("first", "last")],
        )
        last = max(batch)


def _write_times_of(call: Any, turns: list[Any]) -> None:
    current = [turn[1:] for turn in turns if turn[0] == call.text_revision]
    if all(start is None for _, start, _ in current):
        return
    found: dict[str, list[Any]] = {side: [] for side in SIDES}
    begins = 0
    for affiliation, start, text in current:
        begins = begins if start is None else start
        if any(letter.isalnum() for letter in text):
            found[affiliation].append(begins)
    for side, name in SIDES.items():
        if found[side]:
            setattr(call, f"{name}_first_seconds", min(found[side]))
            setattr(call, f"{name}_last_seconds", max(found[side]))


class Migration(migrations.Migration):
    dependencies = [
        ("trackers", "0002_same_company"),
    ]

    operations = [
        migrations.AddField(
            model_name="conversation",
            name="company_first_seconds",
            field=models.DecimalField(decimal_places=3, max_digits=10, null=True),
        ),
        migrations.AddField(
            model_name="conversation",
            name="company_last_seconds",
            field=models.DecimalField(decimal_places=3, max_digits=10, null=True),
        ),
        migrations.AddField(
            model_name="conversation",
            name="language",
            field=models.CharField(blank=True, max_length=3),
        ),
        migrations.AddField(
            model_name="conversation",
            name="non_company_first_seconds",
            field=models.DecimalField(decimal_places=3, max_digits=10, null=True),
        ),
        migrations.AddField(
            model_name="conversation",
            name="non_company_last_seconds",
            field=models.DecimalField(decimal_places=3, max_digits=10, null=True),
        ),
        migrations.AddField(
            model_name="historicaltracker",
            name="kind",
            field=models.CharField(
                choices=[
                    ("QUESTION", "Question"),
                    ("KEYWORD", "Keywords"),
                    ("PRETRAINED", "Pretrained"),
                ],
                default="QUESTION",
                editable=False,
                max_length=20,
            ),
        ),
        migrations.AddField(
            model_name="historicaltracker",
            name="language",
            field=models.CharField(blank=True, max_length=3),
        ),
        migrations.AddField(
            model_name="tracker",
            name="kind",
            field=models.CharField(
                choices=[
                    ("QUESTION", "Question"),
                    ("KEYWORD", "Keywords"),
                    ("PRETRAINED", "Pretrained"),
                ],
                default="QUESTION",
                editable=False,
                max_length=20,
            ),
        ),
        migrations.AddField(
            model_name="tracker",
            name="language",
            field=models.CharField(blank=True, max_length=3),
        ),
        migrations.AddField(
            model_name="trackerversion",
            name="kind",
            field=models.CharField(
                choices=[
                    ("QUESTION", "Question"),
                    ("KEYWORD", "Keywords"),
                    ("PRETRAINED", "Pretrained"),
                ],
                default="QUESTION",
                editable=False,
                max_length=20,
            ),
        ),
        migrations.AddField(
            model_name="trackerversion",
            name="part",
            field=models.CharField(
                choices=[
                    ("WHOLE", "The whole call"),
                    ("FIRST", "The first minutes"),
                    ("LAST", "The last minutes"),
                ],
                default="WHOLE",
                max_length=20,
                verbose_name="part of the call",
            ),
        ),
        migrations.AddField(
            model_name="trackerversion",
            name="part_minutes",
            field=models.PositiveSmallIntegerField(null=True),
        ),
        migrations.AddField(
            model_name="trackerversion",
            name="pretrained",
            field=models.CharField(blank=True, max_length=40),
        ),
        migrations.AddField(
            model_name="trackerversion",
            name="related_forms",
            field=models.BooleanField(default=False, verbose_name="other forms of a word"),
        ),
        migrations.AddField(
            model_name="trackerversion",
            name="terms",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.CharField(max_length=100), blank=True, default=list, size=None
            ),
        ),
        migrations.AddConstraint(
            model_name="conversation",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("company_first_seconds", None), ("company_last_seconds", None)),
                    models.Q(
                        ("company_first_seconds__isnull", False),
                        ("company_last_seconds__gte", models.F("company_first_seconds")),
                        ("company_last_seconds__isnull", False),
                    ),
                    _connector="OR",
                ),
                name="conversation_company_speaks_first_then_last",
            ),
        ),
        migrations.AddConstraint(
            model_name="conversation",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("non_company_first_seconds", None), ("non_company_last_seconds", None)
                    ),
                    models.Q(
                        ("non_company_first_seconds__isnull", False),
                        ("non_company_last_seconds__gte", models.F("non_company_first_seconds")),
                        ("non_company_last_seconds__isnull", False),
                    ),
                    _connector="OR",
                ),
                name="conversation_customer_speaks_first_then_last",
            ),
        ),
        migrations.AddConstraint(
            model_name="tracker",
            constraint=models.UniqueConstraint(
                fields=("id", "kind"), name="tracker_kind_is_its_versions"
            ),
        ),
        migrations.AddConstraint(
            model_name="tracker",
            constraint=models.CheckConstraint(
                condition=models.Q(("kind__in", ["QUESTION", "KEYWORD", "PRETRAINED"])),
                name="tracker_kind_is_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="trackerversion",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("part", "WHOLE"), ("part_minutes", None)),
                    models.Q(
                        ("part__in", ["FIRST", "LAST"]),
                        ("part_minutes__gt", 0),
                        ("part_minutes__isnull", False),
                    ),
                    _connector="OR",
                ),
                name="version_part_has_its_minutes",
            ),
        ),
        migrations.AddConstraint(
            model_name="trackerversion",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("kind", "QUESTION"),
                        ("pretrained", ""),
                        ("related_forms", False),
                        ("terms__len", 0),
                    ),
                    models.Q(("kind", "KEYWORD"), ("pretrained", ""), ("terms__len__gt", 0)),
                    models.Q(
                        ("kind", "PRETRAINED"),
                        ("related_forms", False),
                        ("terms__len", 0),
                        models.Q(("pretrained", ""), _negated=True),
                    ),
                    _connector="OR",
                ),
                name="version_has_what_its_kind_has",
            ),
        ),
        migrations.RunSQL(
            sql=(
                f'ALTER TABLE trackers_trackerversion ADD CONSTRAINT "{KEY}"'
                " FOREIGN KEY (tracker_id, kind) REFERENCES trackers_tracker (id, kind)"
            ),
            reverse_sql=f'ALTER TABLE trackers_trackerversion DROP CONSTRAINT "{KEY}"',
        ),
        migrations.RunPython(write_times, migrations.RunPython.noop),
    ]
