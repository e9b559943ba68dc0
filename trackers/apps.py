from django.apps import AppConfig


class TrackersConfig(AppConfig):
    """What work uses credits: conversations, and the trackers that read them."""

    name = "trackers"
    verbose_name = "Trackers"

    def ready(self) -> None:
        from trackers import (
            analyzers,
            checks,  # noqa: F401 - registers the system checks.
            web_search,
        )

        analyzers.refuse_unusable()
        web_search.refuse_unusable()
