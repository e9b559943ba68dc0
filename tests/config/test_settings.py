"""Settings come from the environment; a wrong one is one sentence that says how to mend it."""

from __future__ import annotations

import importlib.util

import pytest

from config import settings
from config.embedded_postgres import PROJECT
from tests.support import ports
from tests.support.commands import SECRET_KEY, manage

OWN_DATABASE = {
    "DATABASE_URL": "postgres://user:secret@127.0.0.1:1/credits",
    "TALLYSTICK_SECRET_KEY": SECRET_KEY,
    "TALLYSTICK_ALLOWED_HOSTS": "credits.example.com",
}
URL_HINT = (
    "DATABASE_URL is not the address of a PostgreSQL database. "
    "Write postgres://user:password@host:5432/name, or leave it out for the embedded one."
)
HOST_HINT = (
    "DATABASE_URL names no host. Write postgres://user:password@host:5432/name; a folder with a "
    "Unix socket is a host, too, as %2Frun%2Fpostgresql."
)
KEY_HINT = (
    "Set it to 50 random characters, for example the "
    "output of: python -c 'import secrets; print(secrets.token_urlsafe(50))'"
)
HOSTS_HINT = (
    "TALLYSTICK_ALLOWED_HOSTS is missing. Set it to this site's host name, such as "
    "credits.example.com."
)
POOL_HINT = "write a whole number from 0 to 100."
ANALYZER_HINT = "Write the dotted path of an analyser class, or leave it out."
BROKER_HINT = (
    "CELERY_BROKER_URL is not the address of RabbitMQ or Redis. Write "
    "amqp://user:password@host:5672// or redis://host:6379/0, or leave it out to use the database."
)
MAIL_HINT = (
    "TALLYSTICK_EMAIL_URL is not the address of a mail server. Write "
    "smtp://user:password@host:587, smtps://user:password@host:465, smtp+plain://host:25 or "
    "file:///folder, or leave it out to have e-mails printed."
)
ALL = (
    "CELERY_BROKER_URL, DATABASE_URL, TALLYSTICK_ALLOWED_HOSTS, TALLYSTICK_ANALYZER, "
    "TALLYSTICK_API_INGESTIONS_PER_DAY, TALLYSTICK_API_INGESTIONS_PER_SECOND, "
    "TALLYSTICK_API_REQUESTS_PER_DAY, TALLYSTICK_API_REQUESTS_PER_SECOND, "
    "TALLYSTICK_DATABASE_POOL_SIZE, TALLYSTICK_DEBUG, TALLYSTICK_EMAIL_FROM, "
    "TALLYSTICK_EMAIL_URL, TALLYSTICK_EXPORTS, TALLYSTICK_HOME, TALLYSTICK_HTTPS, "
    "TALLYSTICK_IMPORT_MEGABYTES, TALLYSTICK_IMPORT_ROWS, TALLYSTICK_LLM_ANSWER_TOKENS, "
    "TALLYSTICK_LLM_BASE_URL, TALLYSTICK_LLM_CA_FILE, TALLYSTICK_LLM_CHUNK_TOKENS, "
    "TALLYSTICK_LLM_CONCURRENCY, TALLYSTICK_LLM_DAY_TOKENS, TALLYSTICK_LLM_KEY, "
    "TALLYSTICK_LLM_MODEL, TALLYSTICK_LLM_RUN_TOKENS, TALLYSTICK_LLM_TIMEOUT_SECONDS, "
    "TALLYSTICK_LOG_LEVEL, TALLYSTICK_MCP_KEY, TALLYSTICK_PUBLIC_URL, TALLYSTICK_SECRET_KEY, "
    "TALLYSTICK_TRUSTED_PROXIES, TALLYSTICK_WAITING_DAYS, TALLYSTICK_WEB_SEARCH, "
    "TALLYSTICK_WEB_SEARCH_PRIVATE, TALLYSTICK_WEB_SEARCH_URL."
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
        f"TALLYSTICK_DATABASE_POOL_SIZE is “ten”; {POOL_HINT}",
    ),
    "a negative number": (
        {"TALLYSTICK_DATABASE_POOL_SIZE": "-1"},
        f"TALLYSTICK_DATABASE_POOL_SIZE is “-1”; {POOL_HINT}",
    ),
    "a pool larger than any server": (
        {"TALLYSTICK_DATABASE_POOL_SIZE": "101"},
        f"TALLYSTICK_DATABASE_POOL_SIZE is “101”; {POOL_HINT}",
    ),
    "a number too long to read": (
        {"TALLYSTICK_DATABASE_POOL_SIZE": "9" * 5000},
        f"TALLYSTICK_DATABASE_POOL_SIZE is “{'9' * 5000}”; {POOL_HINT}",
    ),
    "a limit that lets nothing in": (
        {"TALLYSTICK_API_REQUESTS_PER_SECOND": "0"},
        "TALLYSTICK_API_REQUESTS_PER_SECOND is “0”; write a whole number from 1 to 1000.",
    ),
    "a limit that is none": (
        {"TALLYSTICK_API_REQUESTS_PER_SECOND": "1001"},
        "TALLYSTICK_API_REQUESTS_PER_SECOND is “1001”; write a whole number from 1 to 1000.",
    ),
    "days to wait that are none": (
        {"TALLYSTICK_WAITING_DAYS": "0"},
        "TALLYSTICK_WAITING_DAYS is “0”; write a whole number from 1 to 3650.",
    ),
    "a public address with a path": (
        {"TALLYSTICK_PUBLIC_URL": "https://example.com/credits"},
        (
            "TALLYSTICK_PUBLIC_URL is “https://example.com/credits”; write the scheme and the "
            "host alone, such as https://credits.example.com."
        ),
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
    "a mail server that is none": ({"TALLYSTICK_EMAIL_URL": "mail.example.com"}, MAIL_HINT),
    "a mail server with a port that is none": (
        {"TALLYSTICK_EMAIL_URL": "smtp://mail.example.com:many"},
        MAIL_HINT,
    ),
    "a mail folder that is relative": ({"TALLYSTICK_EMAIL_URL": "file://mail"}, MAIL_HINT),
    "a broker that is none": ({"CELERY_BROKER_URL": "kafka://host"}, BROKER_HINT),
    "a broker without a scheme": ({"CELERY_BROKER_URL": "rabbit"}, BROKER_HINT),
    "an address without a host": (
        OWN_DATABASE | {"DATABASE_URL": "postgres:///credits"},
        HOST_HINT,
    ),
    "a user and no host": (OWN_DATABASE | {"DATABASE_URL": "postgres://user@/credits"}, HOST_HINT),
    "a port in words": (
        OWN_DATABASE | {"DATABASE_URL": "postgres://host:abc/credits"},
        "DATABASE_URL has the port “abc”; write a number, such as 5432.",
    ),
    "a port that cannot be": (
        OWN_DATABASE | {"DATABASE_URL": "postgres://host:70000/credits"},
        "DATABASE_URL has the port “70000”; write a number, such as 5432.",
    ),
    "a broker without a host": ({"CELERY_BROKER_URL": "amqp://"}, BROKER_HINT),
    "a broker with a user and no host": ({"CELERY_BROKER_URL": "redis://user@/0"}, BROKER_HINT),
    "a broker's port in words": ({"CELERY_BROKER_URL": "amqp://host:abc//"}, BROKER_HINT),
    "a second broker without a host": (
        {"CELERY_BROKER_URL": "amqp://host:5672//;amqp://"},
        BROKER_HINT,
    ),
    "an own database and no secret key": (
        OWN_DATABASE | {"TALLYSTICK_SECRET_KEY": ""},
        f"TALLYSTICK_SECRET_KEY is missing. {KEY_HINT}",
    ),
    "an own database and a blank secret key": (
        OWN_DATABASE | {"TALLYSTICK_SECRET_KEY": " " * 50},
        f"TALLYSTICK_SECRET_KEY is missing. {KEY_HINT}",
    ),
    "a secret key of one letter": (
        OWN_DATABASE | {"TALLYSTICK_SECRET_KEY": "x"},
        f"TALLYSTICK_SECRET_KEY is too easy to guess. {KEY_HINT}",
    ),
    "one letter fifty times, with the embedded database": (
        {"TALLYSTICK_SECRET_KEY": "x" * 50},
        f"TALLYSTICK_SECRET_KEY is too easy to guess. {KEY_HINT}",
    ),
    "an own database and no host names": (
        OWN_DATABASE | {"TALLYSTICK_ALLOWED_HOSTS": ""},
        HOSTS_HINT,
    ),
    "host names that are a comma": ({"TALLYSTICK_ALLOWED_HOSTS": " , "}, HOSTS_HINT),
    "an address for a host name": (
        {"TALLYSTICK_ALLOWED_HOSTS": "localhost,https://credits.example.com"},
        (
            "TALLYSTICK_ALLOWED_HOSTS has “https://credits.example.com”; write host names alone, "
            "separated by commas, such as credits.example.com."
        ),
    ),
    "a host name with a port": (
        {"TALLYSTICK_ALLOWED_HOSTS": "localhost:8000"},
        (
            "TALLYSTICK_ALLOWED_HOSTS has “localhost:8000”; write host names alone, "
            "separated by commas, such as credits.example.com."
        ),
    ),
    "an analyzer nowhere": (
        {"TALLYSTICK_ANALYZER": "trackers.nowhere.Analyzer"},
        (
            "TALLYSTICK_ANALYZER is “trackers.nowhere.Analyzer”, which cannot be imported "
            f"(No module named 'trackers.nowhere'). {ANALYZER_HINT}"
        ),
    ),
    "an analyzer without a dot": (
        {"TALLYSTICK_ANALYZER": "offline"},
        (
            "TALLYSTICK_ANALYZER is “offline”, which cannot be imported "
            f"(offline doesn't look like a module path). {ANALYZER_HINT}"
        ),
    ),
    "an analyzer with a dot too many": (
        {"TALLYSTICK_ANALYZER": ".Analyzer"},
        (
            "TALLYSTICK_ANALYZER is “.Analyzer”, which cannot be imported "
            f"(Empty module name). {ANALYZER_HINT}"
        ),
    ),
    "a class that is no analyzer": (
        {"TALLYSTICK_ANALYZER": "pathlib.Path"},
        f"TALLYSTICK_ANALYZER is “pathlib.Path”, which is no analyser. {ANALYZER_HINT}",
    ),
    "a function for an analyzer": (
        {"TALLYSTICK_ANALYZER": "os.path.join"},
        f"TALLYSTICK_ANALYZER is “os.path.join”, which is no analyser. {ANALYZER_HINT}",
    ),
    "a folder that is a file": (
        {"TALLYSTICK_HOME": "/etc/passwd"},
        (
            "The data folder /etc/passwd cannot be used (Not a directory). "
            "Set TALLYSTICK_HOME to a folder that this user may write to."
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
        {"DATABASE_URL": "", "CELERY_BROKER_URL": " ", "TALLYSTICK_DEBUG": ""},
        {"TALLYSTICK_ALLOWED_HOSTS": "a.example, .b.example,[::1],*,"},
        OWN_DATABASE | {"DATABASE_URL": "postgresql://%2Frun%2Fpostgresql/credits"},
        OWN_DATABASE | {"DATABASE_URL": "postgres:///credits?host=/run/postgresql"},
        OWN_DATABASE | {"DATABASE_URL": "postgres://one:5432,two/credits?sslmode=require"},
        {"CELERY_BROKER_URL": "amqp://one//;amqp://[::1]:5673//", "TALLYSTICK_LOG_LEVEL": "info"},
        {"TALLYSTICK_ANALYZER": "tests.support.analyzers.ScriptedAnalyzer"},
        {"TALLYSTICK_DATABASE_POOL_SIZE": "100", "TALLYSTICK_SECRET_KEY": SECRET_KEY},
    ],
    ids=[
        "none at all",
        "an own database",
        "RabbitMQ",
        "values",
        "empty and blank ones count as missing",
        "hosts of every kind",
        "a socket as the host",
        "a socket as an option",
        "two database servers",
        "two brokers, a log level in small letters",
        "an analyzer of one's own",
        "the largest pool, the embedded database with a given key",
    ],
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


def test_a_kept_secret_key_that_was_shortened_is_one_sentence(home, tmp_path):
    key_file = tmp_path / "home" / "secret_key"
    manage("check", **home)
    key_file.write_text("x")

    done = manage("check", **home)

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        f"Not started: The key in {key_file} is too easy to guess. Remove that file: the next "
        "start makes a new one, and everybody signs in again.\n"
    )


@pytest.mark.parametrize("command", ["check_ledger", "demo"])
def test_a_data_folder_that_is_a_file_is_one_sentence_with_a_given_key_too(command, tmp_path):
    """The settings have no reason to look into the folder then; the embedded server has."""
    file = tmp_path / "file"
    file.touch()
    arguments = [f"--port={ports.free()}"] if command == "demo" else []

    done = manage(command, *arguments, TALLYSTICK_HOME=str(file), TALLYSTICK_SECRET_KEY=SECRET_KEY)

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        f"Not started: The data folder {file} cannot be used (Not a directory). "
        "Set TALLYSTICK_HOME to a folder that this user may write to.\n"
    )


def test_a_log_level_in_small_letters_and_blanks_around_values_are_understood(home):
    show = (
        "from django.conf import settings as s;"
        "print(s.LOGGING['root']['level'], s.ALLOWED_HOSTS, s.DATABASE_POOL_SIZE)"
    )
    variables = {
        "TALLYSTICK_LOG_LEVEL": " info ",
        "TALLYSTICK_ALLOWED_HOSTS": "a.example, b.example,",
        "TALLYSTICK_DATABASE_POOL_SIZE": " 7\n",
    }

    done = manage("shell", "-v0", "-c", show, **home, **OWN_DATABASE | variables)

    assert done.stdout == "INFO ['a.example', 'b.example'] 7\n", done.stderr


def test_the_reference_is_what_the_settings_say():
    written = (PROJECT / "docs" / "settings.md").read_text()

    assert written == settings.env.reference(), "run: manage.py list_settings > docs/settings.md"
    assert "| `TALLYSTICK_DATABASE_POOL_SIZE` | `0` | " in written


def test_the_reference_does_not_depend_on_the_machine(home):
    printed = manage("list_settings", **(home | OWN_DATABASE | {"TALLYSTICK_DEBUG": "yes"}))

    assert printed.stdout == (PROJECT / "docs" / "settings.md").read_text()
