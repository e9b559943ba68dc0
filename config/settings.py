"""All settings, from the environment only. ``docs/settings.md`` lists them."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path
from typing import Any

import django_stubs_ext
from django.core.exceptions import ImproperlyConfigured
from psycopg.conninfo import make_conninfo

from config import (
    addresses,
    api_limits,
    embedded_postgres,
    import_limits,
    llm,
    logs,
    look,
    mail,
    open_api,
    web_search,
)
from config.environment import Environment

# Lets ModelAdmin[Tracker] and QuerySet[Scan] be written at run time.
django_stubs_ext.monkeypatch()

PROJECT = Path(__file__).resolve().parent.parent
VERSION = "0.1.0"  # As in pyproject.toml, which is not read where the product runs.
env = Environment(os.environ)

HOME = Path(
    env.text(
        "TALLYSTICK_HOME",
        str(embedded_postgres.default_home()),
        "The folder of the embedded database and of generated keys.",
        default_is="`.tallystick` in this folder; as root, a folder of this clone's own below "
        "`/var/lib/tallystick`",
    )
).resolve()
EXPORTS = Path(
    env.text(
        "TALLYSTICK_EXPORTS",
        str(HOME / "exports"),
        "The folder of long reports, kept for seven days; web and workers must share it.",
        default_is="`exports` in the folder above",
    )
).resolve()
DATABASE_URL = env.text(
    "DATABASE_URL",
    "",
    "PostgreSQL ≥ 15, as `postgres://user:password@host:5432/name`.",
    default_is="the embedded server",
)
CELERY_BROKER_URL = env.text(
    "CELERY_BROKER_URL",
    "",
    "RabbitMQ as `amqp://…`, or Redis as `redis://…` with its client installed beside the lock: "
    "`pip install 'redis>=6.4,<9'`.",
    default_is="the same PostgreSQL",
)
DATABASE_POOL_SIZE = env.number(
    "TALLYSTICK_DATABASE_POOL_SIZE",
    0,
    "Connections the web process keeps, at most 100; 0 opens one a request.",
    maximum=100,
)
EMBEDDED = not DATABASE_URL


def _secret_key() -> str:
    given = env.text(
        "TALLYSTICK_SECRET_KEY",
        "",
        "Signs sessions; at least 50 random characters.",
        default_is="made and kept beside the embedded database; required with `DATABASE_URL`",
    )
    if given and not _is_guessable(given):
        return given
    if given or not EMBEDDED:
        problem = "is too easy to guess" if given else "is missing"
        raise ImproperlyConfigured(
            f"TALLYSTICK_SECRET_KEY {problem}. Set it to 50 random characters, for example the "
            "output of: python -c 'import secrets; print(secrets.token_urlsafe(50))'"
        )
    # The embedded database is for one machine, which keeps its own key beside the data.
    key_file = HOME / "secret_key"
    try:
        if not key_file.exists():
            _write_once(key_file, secrets.token_urlsafe(50))
        kept = key_file.read_text()
    except OSError as error:
        raise ImproperlyConfigured(embedded_postgres.unusable_home(HOME, error)) from error
    if _is_guessable(kept):
        raise ImproperlyConfigured(
            f"The key in {key_file} is too easy to guess. Remove that file: the next start makes "
            "a new one, and everybody signs in again."
        )
    return kept


def _is_guessable(key: str) -> bool:
    """Judge as Django's own deployment check does, which nobody has to run."""
    return len(key) < 50 or len(set(key)) < 5


def _write_once(key_file: Path, key: str) -> None:
    """Write a file that appears whole or not at all; of two writers at once the first wins."""
    embedded_postgres.make_home(HOME)
    part = HOME / f"{key_file.name}.{os.getpid()}"
    with open(os.open(part, os.O_CREAT | os.O_WRONLY, 0o600), "w") as file:
        file.write(key)
    with contextlib.suppress(FileExistsError):
        os.link(part, key_file)
    part.unlink()


def _database(address: dict[str, Any]) -> dict[str, Any]:
    names = {
        "dbname": "NAME",
        "user": "USER",
        "password": "PASSWORD",
        "host": "HOST",
        "port": "PORT",
    }
    options = {key: value for key, value in address.items() if key not in names}
    if DATABASE_POOL_SIZE:
        options["pool"] = {"min_size": 1, "max_size": DATABASE_POOL_SIZE}
    return {
        "ENGINE": "django.db.backends.postgresql",
        "OPTIONS": options,
        # An open transaction around a page would hold the pool's lock while a template renders.
        "ATOMIC_REQUESTS": False,
    } | {django: str(address[libpq]) for libpq, django in names.items() if libpq in address}


SECRET_KEY = _secret_key()
DEBUG = env.boolean(
    "TALLYSTICK_DEBUG", False, "Shows tracebacks in the browser; never in production."
)
ALLOWED_HOSTS = addresses.hosts(
    env.text(
        "TALLYSTICK_ALLOWED_HOSTS",
        "localhost,127.0.0.1" if EMBEDDED else "",
        "Host names the web process answers to, separated by commas.",
        default_is="`localhost,127.0.0.1`; required with `DATABASE_URL`",
    )
)
HTTPS = env.boolean(
    "TALLYSTICK_HTTPS",
    not EMBEDDED,
    "Whether users reach the site over HTTPS.",
    default_is="`true` with `DATABASE_URL`, else `false`",
)
# Whose X-Forwarded-For and X-Request-Id count. The web server itself must not read them first:
# uvicorn is started with --no-proxy-headers.
TRUSTED_PROXIES = addresses.networks(
    env.text(
        "TALLYSTICK_TRUSTED_PROXIES",
        "",
        "Addresses or networks of your own reverse proxies, separated by commas.",
    )
)

INSTALLED_APPS = [
    # Not plain "unfold": its default configuration would put its own site in the place of ours.
    "unfold.apps.BasicAppConfig",
    "unfold.contrib.filters",
    "unfold.contrib.forms",
    "unfold.contrib.import_export",
    "unfold.contrib.simple_history",
    "config.apps.AdminConfig",
    "config.apps.CompositionConfig",
    "credits.apps.CreditsConfig",
    "trackers.apps.TrackersConfig",
    "billing.apps.BillingConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "django.contrib.postgres",
    "import_export",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "simple_history",
]
MIDDLEWARE = [
    # Outside all others: each answer tells the request's id, a problem too.
    "credits.origins.OriginMiddleware",
    # Outside all that follow: errors that they answer below /api/ and /v2/ get their shape there.
    "credits.api.answers.ApiMiddleware",
    "trackers.api.gong.answers.GongMiddleware",
    "credits.addresses.NoNulMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "credits.current_company.CurrentCompanyMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "simple_history.middleware.HistoryRequestMiddleware",
]
ROOT_URLCONF = "config.urls"
ASGI_APPLICATION = "config.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [PROJECT / "config" / "templates"],  # Before Unfold's, the first of the apps.
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    }
]

DATABASE_ADDRESS = addresses.database(
    DATABASE_URL or embedded_postgres.Server(HOME / "postgres").url("tallystick")
)
DATABASES = {"default": _database(DATABASE_ADDRESS)}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_USER_MODEL = "credits.User"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "admin:login"
LOGIN_REDIRECT_URL = "admin:index"

# Times are stored and computed in UTC; pages and reports show the company's own zone.
USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en-us"
USE_I18N = True

STATIC_URL = "static/"
WHITENOISE_USE_FINDERS = True

SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT = HTTPS
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = HTTPS
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if HTTPS else None
CSRF_TRUSTED_ORIGINS = [f"https://{host}" for host in ALLOWED_HOSTS] if HTTPS else []
PUBLIC_URL = addresses.site(
    env.text(
        "TALLYSTICK_PUBLIC_URL",
        "",
        "The address people open, such as `https://credits.example.com`: e-mails link to it.",
        default_is="made from the first host name",
    ),
    host=ALLOWED_HOSTS[0],
    is_https=HTTPS,
)

# E-mail. Without a server what would be sent is printed by the process that sends it.
EMAIL = mail.address(
    env.text(
        "TALLYSTICK_EMAIL_URL",
        "",
        "The mail server, as `smtp://user:password@host:587` (STARTTLS), `smtps://…:465` (TLS) or "
        "`smtp+plain://host:25`; or a folder, as `file:///var/mail`.",
        default_is="printed on stderr by the web process and the worker",
    )
)
EMAIL_BACKEND = EMAIL.backend
EMAIL_BACKEND_THAT_PRINTS = mail.PRINTING
EMAIL_HOST, EMAIL_PORT = EMAIL.host, EMAIL.port
EMAIL_HOST_USER, EMAIL_HOST_PASSWORD = EMAIL.user, EMAIL.password
EMAIL_USE_TLS, EMAIL_USE_SSL = EMAIL.starttls, EMAIL.tls
EMAIL_FILE_PATH = EMAIL.folder or None
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = SERVER_EMAIL = env.text(
    "TALLYSTICK_EMAIL_FROM", "tallystick@localhost", "The sender of e-mails."
)

# Celery. The database is the truth and the broker only a hint (DESIGN §4): a lost message is
# re-sent by the sweep, so none of this is tuned for a durable queue.
PGMQ_URL = "pgmq://database"  # The address proper is in the options, where libpq reads it.
PGMQ_OPTIONS = {
    # The queues and the SQL come with the migrations of ``config``.
    "init_extension": False,
    # A long poll would hold a snapshot in the ledger's database and keep dead rows alive.
    "use_notify": True,
    "wait_time_seconds": 0,
    # Every wake is a message worth waking for: throttled, the next batch waits for the next poll.
    "notify_throttle_interval_ms": 0,
    "pool_size": 4,
    # A page that wakes a worker does not wait longer for a database that is gone.
    "pool_timeout": 5,
    # Longer than any task may run, so that a running task is not delivered again.
    "visibility_timeout": 1800,
}
if CELERY_BROKER_URL:
    addresses.refuse_unusable_broker(CELERY_BROKER_URL)
else:
    CELERY_BROKER_URL = PGMQ_URL
    CELERY_BROKER_TRANSPORT = "config.broker:Transport"
    CELERY_BROKER_TRANSPORT_OPTIONS = PGMQ_OPTIONS | {
        "conn_string": make_conninfo(**DATABASE_ADDRESS)
    }
CELERY_TASK_TIME_LIMIT = 900
CELERY_TASK_SOFT_TIME_LIMIT = 840
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_DEFAULT_QUEUE = "live"
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_ENABLE_REMOTE_CONTROL = False
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_SERIALIZER = "json"
CELERY_TIMEZONE = "UTC"
# Keeps nothing on disk: every job is keyed by its period in the database.
CELERY_BEAT_SCHEDULER = "celery.beat:Scheduler"

# Inversions that keep the apps in one direction (DESIGN §2): dotted paths, no signals.
ANALYZER = env.text(
    "TALLYSTICK_ANALYZER",
    "trackers.analyzers.offline.analyzer.OfflineAnalyzer",
    "Dotted path of the analyser that answers tracker questions.",
)
LLM = llm.read(env)
CREDIT_CHECKS = ["trackers.reconciliation.breaches", "billing.reconciliation.breaches"]
CREDIT_CHECKS += ["billing.reconciliation.unordered"]
# What else ends when a company is closed; each is called with company, by and now.
COMPANY_CLOSING = ["trackers.closing.close", "credits.api_keys.revoke_all"]
# What of it the dialog says in numbers: called with company, each returns (name, count).
COMPANY_CLOSING_FACTS = ["trackers.closing.facts"]
# What else names a person who is removed; each is called with the user, and says in numbers what
# it took.
PERSON_REMOVAL = ["trackers.erasure.forget_person"]
# What people wrote of a person elsewhere, and an erasure takes out.
WRITTEN_WORDS = ["credits.written.WORDS", "billing.written.WORDS", "trackers.written.WORDS"]
CREDIT_ORIGINS = ["billing.links.grant_origin"]
CREDIT_ADVICE = ["trackers.advice.suggested", "trackers.reuse.spared"]
CREDIT_DEMAND = ["trackers.demand.waiting"]
CREDIT_PLANNED = ["trackers.demand.planned_per_day"]
CREDIT_FEATURES = ["trackers.links.features"]
CREDIT_EXPLAINERS = ["trackers.explaining.sources"]
CREDIT_GRANT_EXPLAINERS = ["billing.explaining.origin"]
CREDIT_FEATURE_LINKS = ["trackers.links.feature_url"]
CREDIT_REPORTS = [
    "credits.reports.usage.CreditUsageReport",
    "credits.reports.balance.CreditBalanceReport",
    "billing.reports.PurchaseHistoryReport",
]
CREDIT_FIRST_STEPS = ["trackers.links.first_steps"]
CREDIT_RESULTS, CREDIT_RECURRING = ["trackers.links.results"], ["trackers.links.recurring"]
CREDIT_TEAM_NAMES = ["trackers.links.team_names"]

UNFOLD = look.UNFOLD

IMPORT_EXPORT_ESCAPE_FORMULAE_ON_EXPORT = True

# The API. A view that says nothing else is closed: ApiView opens itself to keys with a scope.
REST_FRAMEWORK = open_api.REST_FRAMEWORK
SPECTACULAR_SETTINGS = open_api.SETTINGS
API_REQUESTS_PER_SECOND, API_REQUESTS_PER_DAY = api_limits.read(
    env, "REQUESTS", "make", second=3, day=10_000
)
API_INGESTIONS_PER_SECOND, API_INGESTIONS_PER_DAY = api_limits.read(
    env, "INGESTIONS", "send conversations with", second=10, day=100_000
)

MCP_KEY = env.text("TALLYSTICK_MCP_KEY", "", "The key that `mcp_server --stdio` asks with.")
# What waited longer for credits is skipped, visibly (trackers/sweeping.py).
WAITING_DAYS = env.number(
    "TALLYSTICK_WAITING_DAYS",
    30,
    "Days a conversation waits for credits before it is skipped.",
    minimum=1,
    maximum=3650,
)
WEB_SEARCH, WEB_SEARCH_URL, WEB_SEARCH_PRIVATE = web_search.read(env)
IMPORT_MEGABYTES, IMPORT_ROWS = import_limits.read(env)
FILE_UPLOAD_HANDLERS = import_limits.UPLOAD_HANDLERS

LOGGING = logs.read(env)

env.refuse_unknown()
