"""Settings come from the environment; a wrong one is one sentence that says how to mend it."""

from __future__ import annotations

import importlib.util

import pytest

from config import settings
from config.embedded_postgres import PROJECT
from tests.support.commands import manage

OWN_DATABASE = {
    "DATABASE_URL": "postgres://user:secret@127.0.0.1:1/credits",
    "TALLYSTICK_SECRET_KEY": "tests only",
    "TALLYSTICK_ALLOWED_HOSTS": "credits.example.com",
}
URL_HINT = (
    "DATABASE_URL is not the address of a PostgreSQL database. "
    "Write postgres://user:password@host:5432/name, or leave it out for the embedded one."
)
BROKER_HINT = (
    "CELERY_BROKER_URL is not the address of RabbitMQ or Redis. Write "
    "amqp://user:password@host:5672// or redis://host:6379/0, or leave it out to use the database."
)
ALL = (
    "CELERY_BROKER_URL, DATABASE_URL, TALLYSTICK_ALLOWED_HOSTS, TALLYSTICK_ANALYZER, "
    "TALLYSTICK_DATABASE_POOL_SIZE, TALLYSTICK_DEBUG, TALLYSTICK_HOME, TALLYSTICK_HTTPS, "
    "TALLYSTICK_LOG_LEVEL, TALLYSTICK_SECRET_KEY, TALLYSTICK_TRUSTED_PROXIES."
)

WRONG = {
    "a name with a typing error": (
        {"TALLYSTICK_ALOWED_HOSTS": "credits.example.com"},
        (
            "There is no setting TALLYSTICK_ALOWED_HOSTS. Did you mean TALLYSTICK_ALLOWED_HOSTS? "
            f"Remove it, or use one of: {ALL}"
        ),
    ),
    "a name that resembles none": (
        {"TALLYSTICK_QQ": "1"},
        f"There is no setting TALLYSTICK_QQ. Remove it, or use one of: {ALL}",
    ),
    "a name with our prefix too many": (
        {"TALLYSTICK_DATABASE_URL": "postgres://host/credits"},
        (
            "There is no setting TALLYSTICK_DATABASE_URL. Did you mean DATABASE_URL? "
            f"Remove it, or use one of: {ALL}"
        ),
    ),
    "a number in words": (
        {"TALLYSTICK_DATABASE_POOL_SIZE": "ten"},
        "TALLYSTICK_DATABASE_POOL_SIZE is “ten”; write a whole number, such as 10.",
    ),
    "a negative number": (
        {"TALLYSTICK_DATABASE_POOL_SIZE": "-1"},
        "TALLYSTICK_DATABASE_POOL_SIZE is “-1”; write a whole number, such as 10.",
    ),
    "neither true nor false": (
        {"TALLYSTICK_DEBUG": "perhaps"},
        "TALLYSTICK_DEBUG is “perhaps”; write true or false.",
    ),
    "an unknown log level": (
        {"TALLYSTICK_LOG_LEVEL": "LOUD"},
        "TALLYSTICK_LOG_LEVEL is “LOUD”; write one of: DEBUG, INFO, WARNING, ERROR.",
    ),
    "a proxy that is no address": (
        {"TALLYSTICK_TRUSTED_PROXIES": "10.0.0.7, proxy.example.com"},
        (
            "TALLYSTICK_TRUSTED_PROXIES names no network: 'proxy.example.com' does not appear to "
            "be an IPv4 or IPv6 network. Write addresses such as 10.0.0.7 or 10.0.0.0/24, "
            "separated by commas."
        ),
    ),
    "a folder that cannot be made": (
        {"TALLYSTICK_HOME": "/proc/tallystick"},
        (
            "The data folder /proc/tallystick cannot be used (No such file or directory). "
            "Set TALLYSTICK_HOME to a folder that this user may write to."
        ),
    ),
    "another kind of database": (OWN_DATABASE | {"DATABASE_URL": "mysql://host/credits"}, URL_HINT),
    "no address at all": (OWN_DATABASE | {"DATABASE_URL": "credits"}, URL_HINT),
    "an address without a database": (
        OWN_DATABASE | {"DATABASE_URL": "postgres://user@host"},
        URL_HINT,
    ),
    "a broker that is none": ({"CELERY_BROKER_URL": "kafka://host"}, BROKER_HINT),
    "a broker without a scheme": ({"CELERY_BROKER_URL": "rabbit"}, BROKER_HINT),
    "an own database and no secret key": (
        OWN_DATABASE | {"TALLYSTICK_SECRET_KEY": ""},
        (
            "TALLYSTICK_SECRET_KEY is missing. Set it to 50 random characters, for example the "
            "output of: python -c 'import secrets; print(secrets.token_urlsafe(50))'"
        ),
    ),
    "an own database and no host names": (
        OWN_DATABASE | {"TALLYSTICK_ALLOWED_HOSTS": ""},
        (
            "TALLYSTICK_ALLOWED_HOSTS is missing. Set it to this site's host name, such as "
            "credits.example.com."
        ),
    ),
}


@pytest.fixture
def home(tmp_path):
    return {"TALLYSTICK_HOME": str(tmp_path / "home")}


@pytest.mark.parametrize("mistake", WRONG)
def test_a_wrong_setting_is_one_sentence_and_exit_2(mistake, home):
    variables, sentence = WRONG[mistake]

    done = manage("check", **(home | variables))

    assert (done.returncode, done.stdout, done.stderr) == (2, "", f"Not started: {sentence}\n")


def test_redis_without_its_client_says_how_to_install_it(home):
    assert importlib.util.find_spec("redis") is None, "now in the lock: accept it without a word"

    done = manage("check", CELERY_BROKER_URL="redis://127.0.0.1:6379/0", **home)

    assert done.returncode == 2
    assert done.stderr == (
        "Not started: CELERY_BROKER_URL names Redis, whose Python client is not installed. "
        "Install it with: pip install 'redis>=6.4,<9'\n"
    )


@pytest.mark.parametrize(
    "variables",
    [
        {},
        OWN_DATABASE,
        {"CELERY_BROKER_URL": "amqp://guest:guest@127.0.0.1:1//"},
        {"TALLYSTICK_DATABASE_POOL_SIZE": "4", "TALLYSTICK_DEBUG": "on"},
        {"DATABASE_URL": "", "CELERY_BROKER_URL": "", "TALLYSTICK_DEBUG": ""},
    ],
    ids=["none at all", "an own database", "RabbitMQ", "values", "empty ones count as missing"],
)
def test_sound_settings_start(variables, home):
    done = manage("check", **(home | variables))

    assert (done.returncode, done.stderr) == (0, "")


def test_redis_with_its_client_is_celery_s_broker(home, tmp_path):
    """The client is not in the lock, so an empty package stands for it."""
    (tmp_path / "redis.py").touch()
    broker = "redis://127.0.0.1:1/0"
    show = "from django.conf import settings; print(settings.CELERY_BROKER_URL)"

    done = manage("shell", "-v0", "-c", show, **_with_package(tmp_path, broker) | OWN_DATABASE)

    assert (done.returncode, done.stdout) == (0, f"{broker}\n"), done.stderr


def _with_package(folder, broker) -> dict[str, str]:
    return {"PYTHONPATH": str(folder), "CELERY_BROKER_URL": broker}


def test_a_database_that_does_not_answer_is_one_sentence(home):
    done = manage("check_ledger", **(home | OWN_DATABASE))

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("The database does not answer: connection failed: ")
    assert done.stderr.endswith("Check DATABASE_URL.\n")


def test_the_generated_secret_key_stays_and_is_private(home, tmp_path):
    first, again = (manage("diffsettings", "--all", **home).stdout for _ in range(2))

    key_file = tmp_path / "home" / "secret_key"

    assert len(key_file.read_text()) > 50
    assert key_file.stat().st_mode & 0o777 == 0o600
    assert f"SECRET_KEY = '{key_file.read_text()}'" in first
    assert first == again


def test_the_reference_is_what_the_settings_say():
    written = (PROJECT / "docs" / "settings.md").read_text()

    assert written == settings.env.reference(), "run: manage.py list_settings > docs/settings.md"
    assert "| `TALLYSTICK_DATABASE_POOL_SIZE` | `0` | " in written


def test_the_reference_does_not_depend_on_the_machine(home):
    printed = manage("list_settings", **(home | OWN_DATABASE | {"TALLYSTICK_DEBUG": "yes"}))

    assert printed.stdout == (PROJECT / "docs" / "settings.md").read_text()
