"""Forms of the tracker pages: they translate to and from ``configuring`` and plans of history."""

from __future__ import annotations

from datetime import date
from typing import Any, ClassVar
from uuid import UUID

from django import forms
from django.core.validators import MaxValueValidator, MinValueValidator
from django.utils.html import format_html, format_html_join
from unfold import widgets

from credits.amounts import DIGITS, PLACES
from credits.models import Company
from trackers import configuring, languages, pretrained, publishing, questioning, wording
from trackers.configuring import FilterValue, NotSaved, Question, Settings
from trackers.models import (
    AnswerType,
    FilterField,
    Part,
    Side,
    Team,
    TeamMember,
    Tracker,
    TrackerKind,
)

QUESTION_HELP = format_html(
    "For example: Did the customer object to the price?"
    "<details><summary>More good questions</summary><ul>{}</ul></details>",
    format_html_join("", "<li>{}</li>", ((one,) for one in wording.EXAMPLES)),
)
FIRST_DAY, LAST_DAY = date(2000, 1, 1), date(2100, 1, 1)

# The form's fields by what they filter; the second of each pair leaves conversations out.
FILTER_FIELDS = {
    FilterField.TEAM: ("teams", "teams_excluded"),
    FilterField.USER: ("members", "members_excluded"),
    FilterField.ACCOUNT_TYPE: ("account_types", "account_types_excluded"),
    FilterField.DEAL_STAGE: ("deal_stages", "deal_stages_excluded"),
}


# What a form has of its own kind; the rest it shares with the other kinds.
KIND_FIELDS: dict[str, tuple[str, ...]] = {
    TrackerKind.QUESTION: (
        *("phrase", "subject", "question", "details", "answer_type", "choices", "side"),
        *("examples", "counter_examples", "catch_up", "campaign_end_date"),
    ),
    TrackerKind.KEYWORD: ("terms", "related_forms", "side"),
    TrackerKind.PRETRAINED: ("pretrained", "examples", "counter_examples"),
}


class LinesField(forms.CharField):
    """Several short texts, one a line; empty lines and repetitions are left out."""

    def __init__(self, **kwargs: Any) -> None:
        widget = widgets.UnfoldAdminTextareaWidget(attrs={"rows": 4})
        super().__init__(required=False, widget=widget, **kwargs)

    def to_python(self, value: Any) -> Any:
        # PostgreSQL stores no NUL, and CharField's own check does not look into a tuple.
        lines = (line.strip() for line in str(value or "").replace("\x00", "").splitlines())
        return tuple(dict.fromkeys(line for line in lines if line))

    def prepare_value(self, value: Any) -> Any:
        return value if isinstance(value, str) else "\n".join(value or ())


def _several() -> Any:
    return widgets.UnfoldAdminSelect2MultipleWidget()


class TrackerForm(forms.ModelForm[Tracker]):
    """A tracker's question and settings; ``configuring.save`` checks and writes them.

    Bound to the ``kind`` that the tracker has or is to have, whose fields it shows. ``refusal`` is
    why it was not saved, shown where it belongs when the form comes again.
    """

    company: ClassVar[Company]
    kind: ClassVar[str] = TrackerKind.QUESTION
    refusal: ClassVar[NotSaved | None] = None

    phrase = forms.ChoiceField(
        label="Build a question",
        required=False,
        choices=[
            ("", "I write it myself"),
            *((code, text.format("…")) for code, text in wording.PHRASES.items()),
        ],
        widget=widgets.UnfoldAdminSelectWidget(),
    )
    subject = forms.CharField(
        label="About what",
        required=False,
        max_length=300,
        widget=widgets.UnfoldAdminTextInputWidget(),
        help_text="What goes in the place of “…”, such as: the price of the maintenance contract.",
    )
    question = forms.CharField(
        required=False,
        widget=widgets.UnfoldAdminTextareaWidget(attrs={"rows": 3}),
        max_length=questioning.QUESTION_LENGTH_MAX,
        help_text=QUESTION_HELP,
    )
    details = forms.CharField(
        label="Additional details",
        required=False,
        widget=widgets.UnfoldAdminTextareaWidget(attrs={"rows": 3}),
        max_length=questioning.DETAILS_LENGTH_MAX,
        help_text="What counts and what does not.",
    )
    answer_type = forms.ChoiceField(
        label="Answer", choices=AnswerType.choices, widget=widgets.UnfoldAdminSelectWidget()
    )
    choices = LinesField(help_text="For an answer that is one of several choices: one a line.")
    terms = LinesField(
        label="Words and phrases",
        help_text="One a line, found as whole words. Capitals make no difference, nor do hyphens: "
        "“set-up” also finds “set up” and “setup”, and “email” finds “e-mail”.",
    )
    related_forms = forms.BooleanField(
        label="Other forms of a word too",
        required=False,
        widget=widgets.UnfoldBooleanSwitchWidget(),
        help_text="“price” then also finds “prices” and “pricing”: by the grammar of the "
        "conversation's language where it is known, else of English.",
    )
    pretrained = forms.ChoiceField(
        label="What to look for",
        choices=[
            (code, f"{one.name}: {one.question}") for code, one in pretrained.shipped().items()
        ],
        widget=widgets.UnfoldAdminSelectWidget(),
    )
    side = forms.ChoiceField(
        label="Whose words", choices=Side.choices, widget=widgets.UnfoldAdminSelectWidget()
    )
    part = forms.ChoiceField(
        label="Part of the call",
        required=False,
        choices=Part.choices,
        widget=widgets.UnfoldAdminSelectWidget(),
    )
    part_minutes = forms.IntegerField(
        label="How many minutes",
        required=False,
        widget=widgets.UnfoldAdminIntegerFieldWidget(),
        help_text="For the first or last minutes of a call. E-mails are read whole, and so are "
        "calls whose transcript has no times.",
    )
    language = forms.ChoiceField(
        required=False,
        choices=[("", "Any language"), *languages.NAMES.items()],
        widget=widgets.UnfoldAdminSelectWidget(),
        help_text="With a language, only conversations whose record says it are read.",
    )
    teams = forms.ModelMultipleChoiceField(Team.objects.none(), required=False, widget=_several())
    teams_excluded = forms.ModelMultipleChoiceField(
        Team.objects.none(), label="Leave out teams", required=False, widget=_several()
    )
    members = forms.ModelMultipleChoiceField(
        TeamMember.objects.none(), label="Users", required=False, widget=_several()
    )
    members_excluded = forms.ModelMultipleChoiceField(
        TeamMember.objects.none(), label="Leave out users", required=False, widget=_several()
    )
    account_types = forms.MultipleChoiceField(required=False, widget=_several())
    account_types_excluded = forms.MultipleChoiceField(
        label="Leave out account types", required=False, widget=_several()
    )
    deal_stages = forms.MultipleChoiceField(required=False, widget=_several())
    deal_stages_excluded = forms.MultipleChoiceField(
        label="Leave out deal stages", required=False, widget=_several()
    )
    examples = LinesField(
        label="Example phrases", help_text="Phrases that should be found, one a line."
    )
    counter_examples = LinesField(
        label="Counter-examples", help_text="Similar phrases that should not be found, one a line."
    )
    edit_number = forms.IntegerField(required=False, widget=forms.HiddenInput)

    class Meta:
        model = Tracker
        fields = (
            *("name", "description", "include_calls", "include_emails"),
            *("catch_up", "campaign_end_date"),
        )
        widgets: ClassVar = {
            "description": widgets.UnfoldAdminTextareaWidget(attrs={"rows": 2}),
            "campaign_end_date": forms.DateInput(
                format="%Y-%m-%d",
                attrs={"type": "date", "class": " ".join(widgets.INPUT_CLASSES)},
            ),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in {name for names in KIND_FIELDS.values() for name in names}:
            if name not in KIND_FIELDS[self.kind]:
                self.fields.pop(name, None)
        if self.instance._state.adding:
            self.initial.setdefault("answer_type", AnswerType.YES_NO)
            self.initial.setdefault("side", Side.ANY)
            self.initial.setdefault("part", Part.WHOLE)
        else:
            self._read(self.instance)
        self._offer_only_the_company_s()

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        built = wording.built(cleaned.get("phrase", ""), cleaned.get("subject", ""))
        if built and cleaned.get("question", "").strip() not in ("", self.initial.get("question")):
            self.add_error("phrase", "Either build the question or write it, not both.")
        elif built:
            cleaned["question"] = built
        elif cleaned.get("phrase") and "subject" not in self.errors:
            self.add_error("subject", "Say what the question is about.")
        if self.refusal is not None:
            field = self.refusal.field if self.refusal.field in self.fields else None
            self.add_error(field, str(self.refusal))
        return cleaned

    def _post_clean(self) -> None:
        """Leave the instance as it is: the operation checks and writes, not the form."""

    @property
    def settings(self) -> Settings:
        data = self.cleaned_data
        return Settings(
            name=data["name"],
            description=data["description"],
            include_calls=data["include_calls"],
            include_emails=data["include_emails"],
            language=data["language"],
            examples=data.get("examples", ()),
            counter_examples=data.get("counter_examples", ()),
            catch_up=data.get("catch_up", self.instance.catch_up),
            campaign_end_date=data.get("campaign_end_date", self.instance.campaign_end_date),
            filters=self.filters,
        )

    @property
    def filters(self) -> frozenset[FilterValue]:
        return frozenset(
            FilterValue(field, value if isinstance(value, str) else value.pk, is_excluded)
            for field, names in FILTER_FIELDS.items()
            for name, is_excluded in zip(names, (False, True), strict=True)
            for value in self.cleaned_data[name]
        )

    @property
    def asked(self) -> Question:
        data = self.cleaned_data
        own = {name: data[name] for name in Question.__dataclass_fields__ if name in data}
        return Question(**own | {"kind": self.kind, "part": data["part"] or Part.WHOLE})

    def _read(self, tracker: Tracker) -> None:
        """Show what is saved, and of the question the newest version, drafted or in force."""
        version = publishing.next_version(tracker)
        asked = Question() if version is None else questioning.question_of(version)
        settings = configuring.settings_of(tracker)
        chosen: dict[str, list[UUID | str]] = {}
        for one in settings.filters:
            name = FILTER_FIELDS[one.field][one.is_excluded]
            chosen.setdefault(name, []).append(one.value)
        self.initial = {
            **self.initial,
            **chosen,
            **{name: getattr(asked, name) for name in Question.__dataclass_fields__},
            "language": settings.language,
            "examples": settings.examples,
            "counter_examples": settings.counter_examples,
            "edit_number": tracker.edit_number,
        }

    def _offer_only_the_company_s(self) -> None:
        teams = Team.objects.filter(company=self.company).order_by("name")
        members = TeamMember.objects.filter(company=self.company).order_by("name", "email")
        offered: dict[FilterField, list[str]] = {
            FilterField.ACCOUNT_TYPE: configuring.account_types(self.company),
            FilterField.DEAL_STAGE: configuring.deal_stages(self.company),
        }
        for filtered, names in FILTER_FIELDS.items():
            for name in names:
                field: Any = self.fields[name]
                if filtered in offered:
                    # A value that no conversation has any more stays choosable, to be taken out.
                    texts = dict.fromkeys([*offered[filtered], *self.initial.get(name, ())])
                    field.choices = [(text, text) for text in texts]
                else:
                    field.queryset = teams if filtered == FilterField.TEAM else members


class HistoryForm(forms.Form):
    """Which history to scan: local days, both included, and the most it may cost."""

    from_day = forms.DateField(label="From")
    to_day = forms.DateField(label="To")
    ceiling = forms.DecimalField(
        label="Ceiling in credits",
        required=False,
        min_value=0,
        max_digits=DIGITS,
        decimal_places=PLACES,
        help_text="Empty: the estimate. Nothing is charged above it.",
        widget=widgets.UnfoldAdminDecimalFieldWidget(attrs={"step": "0.001", "min": "0"}),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("from_day", "to_day"):
            field = self.fields[name]
            field.widget = forms.DateInput(
                format="%Y-%m-%d",
                attrs={"type": "date", "class": " ".join(widgets.INPUT_CLASSES)},
            )
            field.validators += [MinValueValidator(FIRST_DAY), MaxValueValidator(LAST_DAY)]


class SeenForm(forms.Form):
    """The state of a tracker that a confirmation page was for."""

    edit_number = forms.IntegerField()


class ShownForm(SeenForm):
    """What a confirmation page had shown, when, and the figures of its history."""

    shown_at = forms.DateTimeField()
    shown_estimate = forms.DecimalField(required=False, max_digits=DIGITS, decimal_places=PLACES)
    shown_from = forms.DateField(required=False)
    shown_to = forms.DateField(required=False)
