"""Free previews, what people say of findings, and vectors stored once per text."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import credits.identifiers
import credits.tenancy
from credits.statistics import keep_no_statistics
from credits.tenancy import CompositeKey, add_composite_keys

KEYS = (
    CompositeKey("trackers_preview", "tracker_id", "trackers_tracker"),
    CompositeKey("trackers_preview", "version_id", "trackers_trackerversion"),
    CompositeKey("trackers_previewresult", "preview_id", "trackers_preview"),
    CompositeKey("trackers_previewresult", "conversation_id", "trackers_conversation"),
    CompositeKey("trackers_previewquote", "result_id", "trackers_previewresult"),
    CompositeKey("trackers_previewquote", "utterance_id", "trackers_utterance"),
    CompositeKey("trackers_review", "tracker_id", "trackers_tracker"),
    CompositeKey("trackers_review", "version_id", "trackers_trackerversion"),
    CompositeKey("trackers_review", "conversation_id", "trackers_conversation"),
    CompositeKey("trackers_review", "utterance_id", "trackers_utterance"),
    CompositeKey("trackers_conversationvectors", "conversation_id", "trackers_conversation"),
)


# The planner keeps no statistics of what can be erased, as 0007_intake says.
WORDS = (
    ("trackers_previewresult", ("answer",)),
    ("trackers_review", ("asked",)),
    ("trackers_conversationvectors", ("model", "vectors")),
)


class Migration(migrations.Migration):
    dependencies = [
        ("trackers", "0004_filter_indexes"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Preview",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=credits.identifiers.new_id,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("asked", models.BinaryField(max_length=32)),
                ("conversation_count", models.PositiveSmallIntegerField()),
                ("begun_at", models.DateTimeField()),
                ("finished_at", models.DateTimeField(null=True)),
                ("usage_ref", models.UUIDField(null=True)),
                (
                    "begun_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "company",
                    credits.tenancy.CompanyKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="previews",
                        to="credits.company",
                    ),
                ),
                (
                    "tracker",
                    credits.tenancy.TenantKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="previews",
                        to="trackers.tracker",
                    ),
                ),
                (
                    "version",
                    credits.tenancy.TenantKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="trackers.trackerversion",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("company", "id"), name="trackers_preview_company_and_id"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("conversation_count__gte", 1), ("conversation_count__lte", 10)
                        ),
                        name="preview_reads_one_to_ten_conversations",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("finished_at", None), ("usage_ref", None)),
                            models.Q(("finished_at__isnull", False), ("usage_ref__isnull", False)),
                            _connector="OR",
                        ),
                        name="preview_is_finished_if_and_only_if_it_is_metered",
                    ),
                ],
                "indexes": [
                    models.Index(models.F("company"), models.F("begun_at"), name="preview_by_day"),
                    models.Index(
                        models.F("tracker"),
                        models.OrderBy(models.F("begun_at"), descending=True),
                        name="preview_newest_of_tracker",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="PreviewResult",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=credits.identifiers.new_id,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("revision", models.PositiveSmallIntegerField()),
                (
                    "verdict",
                    models.CharField(
                        choices=[("YES", "Found"), ("NO", "Not found"), ("UNSURE", "Unsure")],
                        max_length=10,
                    ),
                ),
                (
                    "confidence",
                    models.CharField(
                        choices=[("HIGH", "High"), ("MEDIUM", "Medium"), ("LOW", "Low")],
                        max_length=10,
                    ),
                ),
                ("score", models.DecimalField(decimal_places=6, max_digits=7)),
                ("answer", models.TextField(blank=True)),
                (
                    "company",
                    credits.tenancy.CompanyKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="credits.company",
                    ),
                ),
                (
                    "conversation",
                    credits.tenancy.TenantKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="trackers.conversation",
                    ),
                ),
                (
                    "preview",
                    credits.tenancy.TenantKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="results",
                        to="trackers.preview",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("company", "id"), name="trackers_previewresult_company_and_id"
                    ),
                    models.UniqueConstraint(
                        fields=("preview", "conversation"), name="preview_reads_a_conversation_once"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("confidence__in", ["HIGH", "MEDIUM", "LOW"]),
                            ("verdict__in", ["YES", "NO", "UNSURE"]),
                        ),
                        name="preview_result_verdict_is_known",
                    ),
                ],
                "indexes": [
                    models.Index(models.F("conversation"), name="preview_result_conversation")
                ],
            },
        ),
        migrations.CreateModel(
            name="PreviewQuote",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("rank", models.PositiveSmallIntegerField()),
                ("start", models.PositiveIntegerField()),
                ("end", models.PositiveIntegerField()),
                (
                    "company",
                    credits.tenancy.CompanyKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="credits.company",
                    ),
                ),
                (
                    "utterance",
                    credits.tenancy.TenantKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="trackers.utterance",
                    ),
                ),
                (
                    "result",
                    credits.tenancy.TenantKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="quotes",
                        to="trackers.previewresult",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("result", "rank"), name="preview_quote_rank_is_unique"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("end__gt", models.F("start"))),
                        name="preview_quote_is_not_empty",
                    ),
                ],
                "indexes": [models.Index("utterance", name="preview_quote_by_utterance")],
            },
        ),
        migrations.CreateModel(
            name="Review",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=credits.identifiers.new_id,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("asked", models.BinaryField(max_length=32)),
                ("revision", models.PositiveSmallIntegerField()),
                (
                    "verdict",
                    models.CharField(
                        choices=[("YES", "Found"), ("NO", "Not found"), ("UNSURE", "Unsure")],
                        max_length=10,
                    ),
                ),
                ("score", models.DecimalField(decimal_places=6, max_digits=7)),
                ("is_yes", models.BooleanField()),
                ("start", models.PositiveIntegerField(null=True)),
                ("end", models.PositiveIntegerField(null=True)),
                ("is_learned", models.BooleanField(default=False)),
                ("judged_at", models.DateTimeField()),
                ("replaced_at", models.DateTimeField(null=True)),
                (
                    "company",
                    credits.tenancy.CompanyKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="reviews",
                        to="credits.company",
                    ),
                ),
                (
                    "conversation",
                    credits.tenancy.TenantKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="trackers.conversation",
                    ),
                ),
                (
                    "judged_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "tracker",
                    credits.tenancy.TenantKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="reviews",
                        to="trackers.tracker",
                    ),
                ),
                (
                    "utterance",
                    credits.tenancy.TenantKey(
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="trackers.utterance",
                    ),
                ),
                (
                    "version",
                    credits.tenancy.TenantKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="trackers.trackerversion",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("replaced_at", None)),
                        fields=("tracker", "asked", "conversation", "revision"),
                        name="review_in_force_is_one_per_question_and_text",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("verdict__in", ["YES", "NO", "UNSURE"])),
                        name="review_verdict_is_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("end", None), ("start", None), ("utterance", None)),
                            models.Q(
                                ("end__gt", models.F("start")),
                                ("end__isnull", False),
                                ("start__isnull", False),
                                ("utterance__isnull", False),
                            ),
                            _connector="OR",
                        ),
                        name="review_names_a_passage_or_none",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("is_learned", False), ("utterance__isnull", False), _connector="OR"
                        ),
                        name="review_that_taught_has_a_passage",
                    ),
                ],
                "indexes": [
                    models.Index(
                        models.F("tracker"),
                        condition=models.Q(("is_learned", True)),
                        name="review_learned",
                    ),
                    models.Index(models.F("conversation"), name="review_by_conversation"),
                    models.Index("utterance", name="review_by_utterance"),
                ],
            },
        ),
        migrations.CreateModel(
            name="ConversationVectors",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("revision", models.PositiveSmallIntegerField()),
                ("model", models.CharField(max_length=64)),
                ("vectors", models.BinaryField()),
                (
                    "company",
                    credits.tenancy.CompanyKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="credits.company",
                    ),
                ),
                (
                    "conversation",
                    credits.tenancy.TenantKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="trackers.conversation",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("conversation", "revision"), name="vectors_are_stored_once_per_text"
                    )
                ],
            },
        ),
        add_composite_keys(KEYS),
        # Vectors do not compress; trying to takes longer than storing them.
        migrations.RunSQL(
            "ALTER TABLE trackers_conversationvectors ALTER COLUMN vectors SET STORAGE EXTERNAL",
            migrations.RunSQL.noop,
        ),
        keep_no_statistics(WORDS),
    ]
