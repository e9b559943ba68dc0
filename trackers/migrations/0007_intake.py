"""Imports by upload, erased conversations, retention."""

import django.core.validators
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import credits.identifiers
import credits.tenancy
import trackers.models.intake
from credits.statistics import keep_no_statistics
from credits.tenancy import CompositeKey, add_composite_keys

# The planner's statistics hold values of columns. Of these it keeps none, so that words that are
# erased are nowhere (trackers/erasure.py); no query chooses its plan by them.
WORDS = (
    ("trackers_conversation", ("external_id", "title")),
    ("trackers_participant", ("external_id", "name", "email")),
    ("trackers_utterance", ("external_id", "text")),
    ("trackers_scan", ("answer", "reason")),
    ("trackers_teammember", ("email", "name")),
    ("trackers_importfile", ("name", "content")),
    ("trackers_tracker", ("examples", "counter_examples")),
    ("trackers_historicaltracker", ("examples", "counter_examples", "history_change_reason")),
)

KEYS = (CompositeKey("trackers_importfile", "upload_id", "trackers_importupload"),)


class Migration(migrations.Migration):
    dependencies = [
        ("credits", "0015_intake"),
        ("trackers", "0006_at_zero"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="ImportFile",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("position", models.PositiveSmallIntegerField()),
                ("name", models.CharField(max_length=255)),
                ("content", models.BinaryField()),
            ],
        ),
        migrations.CreateModel(
            name="ImportUpload",
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
                (
                    "import_format",
                    models.CharField(
                        choices=[
                            ("JSONL", "Calls and e-mails (JSON Lines)"),
                            ("GONG", "Calls in the shape of Gong's API (JSON)"),
                            ("DIRECTORY", "Accounts and deals (CSV)"),
                        ],
                        max_length=10,
                        verbose_name="format",
                    ),
                ),
                ("byte_count", models.PositiveBigIntegerField()),
                ("uploaded_at", models.DateTimeField()),
                ("expires_at", models.DateTimeField()),
                ("confirmed_at", models.DateTimeField(null=True)),
                ("finished_at", models.DateTimeField(null=True)),
                ("left_out_count", models.PositiveIntegerField(default=0)),
                ("created_count", models.PositiveIntegerField(default=0)),
                ("revised_count", models.PositiveIntegerField(default=0)),
                ("updated_count", models.PositiveIntegerField(default=0)),
                ("unchanged_count", models.PositiveIntegerField(default=0)),
                ("erased_count", models.PositiveIntegerField(default=0)),
                ("scan_count", models.PositiveIntegerField(default=0)),
            ],
            options={
                "verbose_name": "import",
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("import_format__in", ["JSONL", "GONG", "DIRECTORY"])),
                        name="import_format_is_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("finished_at", None), ("confirmed_at__isnull", False), _connector="OR"
                        ),
                        name="import_is_confirmed_before_it_finishes",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("expires_at__gt", models.F("uploaded_at"))),
                        name="import_upload_is_kept_a_while",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Retention",
            fields=[
                (
                    "company",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="retention",
                        serialize=False,
                        to="credits.company",
                    ),
                ),
                (
                    "days",
                    models.PositiveIntegerField(
                        null=True,
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(36500),
                        ],
                    ),
                ),
                (
                    "erasure_key",
                    models.BinaryField(
                        default=trackers.models.intake.new_erasure_key, max_length=32
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("days", None),
                            models.Q(("days__gte", 1), ("days__lte", 36500)),
                            _connector="OR",
                        ),
                        name="retention_is_a_number_of_days_or_for_ever",
                    )
                ],
            },
        ),
        migrations.AddField(
            model_name="conversation",
            name="erased_at",
            field=models.DateTimeField(editable=False, null=True),
        ),
        migrations.AddIndex(
            model_name="quote",
            index=models.Index(models.F("utterance"), name="quote_by_utterance"),
        ),
        migrations.AddIndex(
            model_name="utterance",
            index=models.Index(models.F("speaker"), name="utterance_by_speaker"),
        ),
        migrations.AddConstraint(
            model_name="conversation",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("erased_at", None),
                    models.Q(
                        ("account", None),
                        ("company_text_count", 0),
                        ("deal", None),
                        ("external_id__startswith", "erased:"),
                        ("non_company_text_count", 0),
                        ("owner", None),
                        ("title", ""),
                    ),
                    _connector="OR",
                ),
                name="conversation_that_is_erased_holds_no_words",
            ),
        ),
        migrations.AddField(
            model_name="importfile",
            name="company",
            field=credits.tenancy.CompanyKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="credits.company",
            ),
        ),
        migrations.AddField(
            model_name="importupload",
            name="company",
            field=credits.tenancy.CompanyKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="import_uploads",
                to="credits.company",
            ),
        ),
        migrations.AddField(
            model_name="importupload",
            name="uploaded_by",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="importfile",
            name="upload",
            field=credits.tenancy.TenantKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="files",
                to="trackers.importupload",
            ),
        ),
        migrations.AddIndex(
            model_name="importupload",
            index=models.Index(
                models.F("company"),
                models.OrderBy(models.F("uploaded_at"), descending=True),
                models.F("id"),
                name="import_newest_first",
            ),
        ),
        migrations.AddConstraint(
            model_name="importupload",
            constraint=models.UniqueConstraint(
                fields=("company", "id"), name="trackers_importupload_company_and_id"
            ),
        ),
        migrations.AddConstraint(
            model_name="importfile",
            constraint=models.UniqueConstraint(
                fields=("upload", "position"), name="import_file_has_one_place"
            ),
        ),
        add_composite_keys(KEYS),
        keep_no_statistics(WORDS),
    ]
