"""Start everything with believable data: ``manage.py demo``."""

from __future__ import annotations

import argparse
import signal
import sys
import time
from contextlib import ExitStack, nullcontext
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.recorder import MigrationRecorder
from django.utils import timezone

from config import databases
from config.demo import seeding, supervisor
from config.demo.dataset import COUNT_DEFAULT, SEED_DEFAULT, Plan
from credits import sign_in
from credits.models import Company

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
TELL_EVERY = 100  # Conversations.
# Whom the link is for, the first that is there.
ROLES = {
    "tech_admin": "tech admin",
    "business_admin": "business admin",
    "viewer": "viewer",
    "vendor_staff": "vendor staff, sees all companies",
    "second_vendor_staff": "vendor staff, to approve what the first asks for",
    "vendor_auditor": "vendor auditor, changes nothing",
}
OF = dict.fromkeys(("tech_admin", "business_admin", "viewer"), " of {}")
MISSING = (
    "Not there, since an earlier version made this data or somebody removed them: {}.\n"
    "“manage.py demo --reset” removes the data and makes all of it anew."
)
NOBODY = (
    "Nobody of the demo can sign in any more; “manage.py demo --reset” removes its data and makes "
    "it anew. Nothing was changed."
)
STOPPED = "\nStopped. The data is kept; start again with the same command."


class Command(BaseCommand):
    help = (
        "Starts the product with the data of two made-up companies: database, web, Celery\n"
        "worker and beat. Prints the address, logins and a sign-in link. Ctrl-C ends all of it;\n"
        "the next start keeps the data.\n\n"
        "Exit code 0: ended by Ctrl-C (130 in its first second). 1: a process ended by itself.\n"
        "2: it could not start.\n\n"
        "Examples:\n"
        "  manage.py demo\n"
        "  manage.py demo --port 8001 --reset\n"
        "  manage.py demo --reset --seed 7"
    )

    is_interrupted = False
    plan = Plan()
    told = 0

    def create_parser(self, *args: Any, **kwargs: Any) -> Any:
        kwargs["formatter_class"] = argparse.RawDescriptionHelpFormatter
        return super().create_parser(*args, **kwargs)

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--port", default="8000", help="default: 8000")
        parser.add_argument(
            "--reset", action="store_true", help="remove the demo's data and seed it anew"
        )
        parser.add_argument(
            "--seed",
            type=int,
            default=SEED_DEFAULT,
            help="make other conversations; the same number gives the same figures on the same "
            f"day (default: {SEED_DEFAULT})",
        )
        # For the tests, which start the demo more often than anybody else.
        parser.add_argument(
            "--conversations", type=int, default=COUNT_DEFAULT, help=argparse.SUPPRESS
        )

    def handle(self, **options: Any) -> None:
        for number in STOP_SIGNALS:
            signal.signal(number, self._interrupt)
        try:
            port = _port(options["port"])
            self.plan = Plan(seed=options["seed"], count=options["conversations"])
            supervisor.refuse_busy_port(port)
            with databases.embedded_in_use() if settings.EMBEDDED else nullcontext():
                self._run(port, reset=options["reset"])
        except (CommandError, supervisor.PortInUse) as error:
            self.stderr.write(str(error))
            raise SystemExit(2) from error
        except supervisor.ProcessEnded as error:
            self.stderr.write(str(error))
            raise SystemExit(1) from error
        except KeyboardInterrupt:
            self._say(STOPPED)

    def _interrupt(self, number: int, frame: object) -> None:
        """Stop what is under way; where a library swallows it, the flag is seen later.

        Ending takes seconds; an impatient second Ctrl-C would leave processes behind.
        """
        self.is_interrupted = True
        for one in STOP_SIGNALS:
            signal.signal(one, signal.SIG_IGN)
        raise KeyboardInterrupt

    def _run(self, port: int, *, reset: bool) -> None:
        with ExitStack() as stack:
            # Held to the first page, so that whoever waited finds our port taken and our
            # database in use, not about to be.
            with databases.held(databases.dsn(), "demo start", on_wait=self._waiting):
                supervisor.refuse_busy_port(port)
                company = self._prepare(reset=reset)
                processes = stack.enter_context(supervisor.running(port))
                supervisor.wait_until_ready(port, processes)
            self._welcome(company, port)
            while not self.is_interrupted:
                time.sleep(0.5)
                supervisor.refuse_ended(processes)
        self._say(STOPPED)

    def _prepare(self, *, reset: bool) -> Company:
        """Bring the database to a migrated state with the demo's company in it."""
        _refuse_real_companies()
        if reset:
            self._say("Removing the demo's data …")
            _empty_database()
        self._say("Migrating the database …")
        _migrate()
        if company := Company.objects.filter(slug=seeding.FIRST).first():
            if not seeding.logins_there():
                raise CommandError(NOBODY)
            self._say("Keeping the data of the last start.")
            return company
        return seeding.seed(now=timezone.now(), on_progress=self._seeded, plan=self.plan)

    def _waiting(self) -> None:
        self._say("Another start is setting this demo up; waiting for it …")

    def _seeded(self, count: int, total: int) -> None:
        if self.is_interrupted:
            raise KeyboardInterrupt
        if count - self.told >= TELL_EVERY or count == total:
            self.told = count
            self._say(f"Seeding two companies: {count:,} of {total:,} conversations")

    def _welcome(self, company: Company, port: int) -> None:
        people = seeding.logins_there()
        role = next(role for role in ROLES if role in people)
        link = sign_in.new_link(user=people[role], now=timezone.now())
        address = f"http://127.0.0.1:{port}"
        rows = [
            f"  {people[one].email:<32}{words}\n" for one, words in ROLES.items() if one in people
        ]
        missing = [words for one, words in ROLES.items() if one not in people]
        self._say(
            f"\nReady: {address}/\n\n"
            f"Sign in as {people[role].name}, {ROLES[role]}{OF.get(role, '').format(company)} "
            "(once, within 15 minutes):\n"
            f"  {address}{link}\n\n"
            f"Or with a password, which is {seeding.PASSWORD} for all of them:\n"
            f"{''.join(rows)}\n"
            + (f"{MISSING.format('; '.join(missing))}\n\n" if missing else "")
            + "Ctrl-C ends everything; the data is kept."
        )

    def _say(self, line: str) -> None:
        self.stdout.write(line)
        sys.stdout.flush()


def _port(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) <= supervisor.PORT_MAX:
        raise CommandError(f"There is no port {text}; try --port 8000.")
    return int(text)


def _refuse_real_companies() -> None:
    """Check, before anything is changed, that the database is empty or the demo's own."""
    tables = set(connection.introspection.table_names())
    if Company._meta.db_table not in tables:
        # The first tables of a migration that was killed are Django's own, and ours to finish.
        ours = {MigrationRecorder.Migration._meta.db_table}
        ours |= set(connection.introspection.django_table_names())
        if tables - ours:
            raise CommandError(
                "This database holds somebody else's tables; the demo needs a database of its "
                "own. Nothing was changed."
            )
        return
    # Companies that somebody opened in a running demo belong to it, though nobody made them up.
    is_ours = Company.objects.filter(slug=seeding.FIRST, is_demo=True).exists()
    if Company.objects.exists() and not is_ours:
        raise CommandError(
            "This database holds real companies; the demo needs a database of its own. "
            "Nothing was changed."
        )


def _empty_database() -> None:
    """Drop the database and create it again, unless another demo works in it."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            " AND backend_type = 'client backend' AND pid <> pg_backend_pid()"
        )
        if cursor.fetchone()[0]:
            raise CommandError("The demo is running; end it with Ctrl-C before --reset.")
    name = connection.settings_dict["NAME"]
    connection.close()
    databases.drop(databases.dsn(), name)
    databases.create(databases.dsn(), name)


def _migrate() -> None:
    """Apply what is missing; the usual start finds nothing to do and takes no time."""
    executor = MigrationExecutor(connection)
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        call_command("migrate", verbosity=0)
