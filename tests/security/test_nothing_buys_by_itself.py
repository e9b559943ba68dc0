"""Nothing is ever bought automatically (I12): only a signed-in person's confirmation fulfils.

Three proofs. By imports: no task, command, API, MCP tool or other module reaches the module that
fulfils, except the staff's page, and the demo, which fills a database of its own. By the wall
behind it: the database keeps no fulfilled purchase without a person (tests/billing). By trying:
every address of the site, every task, every command and every dotted path of the settings, as
everybody, leaves an approved purchase unfulfilled, while the one page does fulfil it.
"""

from __future__ import annotations

import ast
import inspect
import json
import re
import shutil
import subprocess
import sys
import uuid
from contextlib import suppress

import grimp
import pytest
from celery import current_app
from django.conf import settings
from django.core.exceptions import ObjectDoesNotExist
from django.core.management import get_commands, load_command_class
from django.db import transaction
from django.test import Client
from django.urls import NoReverseMatch, URLPattern, get_resolver, reverse
from django.utils.module_loading import import_string

from billing.models import Purchase
from config.embedded_postgres import PROJECT
from credits.models import CreditGrant, Scope, User
from tests.support import contracts, people
from tests.support.browsing import signed_in

OURS = ("config", "credits", "trackers", "billing")
FULFILMENT = "billing.fulfilment"
# These read which grants were bought; they issue none.
READERS = {
    *("credits/forecasts.py", "credits/overview.py", "credits/reports/purchases.py"),
    # What a language model used, beside what was bought.
    "trackers/llm_usage.py",
    # The constraint that such a grant names its person.
    "credits/models/pool.py",
}
# The page on which staff confirm, and the package that registers it.
STAFF_PAGES = {"billing.admin.selling", "billing.admin.purchases", "billing.admin"}
# Fills an empty database of its own, as the people it makes up; refuses any other.
DEMO = ("config.demo", "config.management.commands.demo")
PAGE = "billing_purchase_fulfil"


def reaching(graph: grimp.ImportGraph) -> set[str]:
    """Return every module from which an import leads to the one that fulfils."""
    return set(graph.find_downstream_modules(FULFILMENT))


def is_demo(module: str) -> bool:
    return module.startswith(DEMO)


def outsiders(graph: grimp.ImportGraph) -> set[str]:
    return {
        module for module in reaching(graph) if module not in STAFF_PAGES and not is_demo(module)
    }


def mentions(root, allowed: set[str]) -> set[str]:
    """Return the modules that name what fulfils in any text, such as a path to import."""
    return {
        str(path.relative_to(root))
        for app in OURS
        for path in (root / app).rglob("*.py")
        if str(path.relative_to(root)) not in allowed
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and re.search(r"\bfulfilment\b(\.|$)", node.value.split(" ")[0])
    }


@pytest.fixture
def copied(tmp_path):
    """A copy of the product's code that a test may plant something in."""
    for app in OURS:
        shutil.copytree(
            PROJECT / app, tmp_path / app, ignore=shutil.ignore_patterns("__pycache__", "data")
        )
    return tmp_path


def test_no_import_leads_from_anything_else_to_what_fulfils():
    graph = grimp.build_graph(*OURS, cache_dir=None)

    assert len(graph.modules) > 150
    assert graph.find_modules_that_directly_import(FULFILMENT) <= {"billing.admin.selling"} | {
        module for module in graph.modules if is_demo(module)
    }
    assert outsiders(graph) == set()


def test_tasks_commands_api_and_tools_are_among_what_was_looked_at():
    graph = grimp.build_graph(*OURS, cache_dir=None)
    entrances = {
        module
        for module in graph.modules
        if re.search(r"\.(tasks|api|mcp)(\.|$)|\.management\.commands\.|^config\.", module)
    }

    assert {"billing.tasks", "credits.tasks", "trackers.tasks", "config.celery"} <= entrances
    assert {"config.urls", "config.asgi"} <= entrances
    assert {module for module in entrances & reaching(graph) if not is_demo(module)} == set()


def test_no_path_in_a_text_names_what_fulfils():
    assert mentions(PROJECT, allowed=set()) == set()
    assert not [
        one
        for name in dir(settings)
        if name.isupper()
        for one in (getattr(settings, name) if isinstance(getattr(settings, name), list) else [])
        if isinstance(one, str) and "fulfilment" in one
    ]


def test_only_what_fulfils_grants_purchased_credits():
    """No other way round it: nothing else names the source of bought credits."""
    named = {
        str(path.relative_to(PROJECT))
        for app in OURS
        for path in (PROJECT / app).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute)
        and node.attr == "PURCHASE"
        and isinstance(node.value, ast.Name)
        and node.value.id == "Source"
    }

    assert "billing/fulfilment.py" in named
    assert {path for path in named if not path.startswith("config/demo")} <= {
        "billing/fulfilment.py",
        *READERS,
    }


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("trackers/planted.py", "from billing.fulfilment import fulfil\n"),
        ("billing/tasks_planted.py", "def buy():\n    from billing import fulfilment\n"),
        ("credits/tasks_planted.py", "import billing.admin.selling\n"),
        ("config/planted.py", "from billing.admin import selling as pages\n"),
    ],
)
def test_a_planted_import_is_found(copied, module, line):
    planted = copied / module
    planted.write_text(line)

    found = _outsiders_in(copied)

    assert module.removesuffix(".py").replace("/", ".") in found


@pytest.mark.parametrize(
    "line",
    [
        'import_string("billing.fulfilment.fulfil")\n',
        'importlib.import_module("billing.fulfilment")\n',
        'HOOKS = ["billing.fulfilment.record"]\n',
    ],
)
def test_a_planted_path_is_found(copied, line):
    (copied / "trackers" / "planted.py").write_text(line)

    assert mentions(copied, allowed=set()) == {"trackers/planted.py"}


def _outsiders_in(root) -> set[str]:
    """Build the graph of a copy in a process of its own: this one has imported the original."""
    program = (
        "import json, grimp\n"
        f"graph = grimp.build_graph(*{OURS!r}, cache_dir=None)\n"
        f"print(json.dumps(sorted(graph.find_downstream_modules({FULFILMENT!r}))))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=root, capture_output=True, text=True, check=True
    )
    found = set(json.loads(done.stdout))
    return {module for module in found if module not in STAFF_PAGES and not is_demo(module)}


@pytest.fixture
def approved(db):
    return contracts.approved(people.company(), people.vera())


def form_for(purchase) -> dict[str, str]:
    """Return a form that answers whatever the page that fulfils may ask."""
    return {
        "step": "confirm",
        "starts_on": "2026-01-01",
        "ends_on": "2199-12-31",
        "order_reference": "PO-7",
        "reason": "Because I say so",
        "amount": "50000",
        "purchase": str(purchase.pk),
        "key": str(uuid.uuid4()),
        "_selected_action": str(purchase.pk),
        "post": "yes",
        "confirm": "yes",
    }


def addresses(purchase) -> list[tuple[str, str]]:
    """Return (name, address) of every address of the site, each about this purchase."""
    return list(_addresses(get_resolver().url_patterns, [], purchase))


def _addresses(patterns, namespaces, purchase):
    for pattern in patterns:
        if not isinstance(pattern, URLPattern):
            inner = [*namespaces, pattern.namespace] if pattern.namespace else namespaces
            yield from _addresses(pattern.url_patterns, inner, purchase)
        elif pattern.name:
            groups = pattern.pattern.regex.groupindex
            values = dict.fromkeys(groups, str(purchase.pk))
            for name, converter in pattern.pattern.converters.items():
                if "Int" in type(converter).__name__:
                    values[name] = purchase.company_id
            name = ":".join([*namespaces, pattern.name])
            try:
                yield pattern.name, reverse(name, kwargs=values)
            except NoReverseMatch:
                yield pattern.name, ""


def is_untouched(purchase) -> bool:
    current = Purchase.objects.get(pk=purchase.pk)
    return current.state in ("APPROVED", "CANCELLED") and not CreditGrant.objects.exists()


@pytest.mark.parametrize("who", ["nobody", "a key", "alice", "bob", "vic", "audrey"])
def test_no_address_fulfils_for_anybody_but_staff(approved, who):
    acme = approved.company
    client = Client(raise_request_exception=False)
    if who == "a key":
        client.defaults["HTTP_AUTHORIZATION"] = "Bearer " + "k" * 43
        client.defaults["HTTP_IDEMPOTENCY_KEY"] = "1"
    elif who != "nobody":
        user = people.audrey() if who == "audrey" else getattr(people, who)(acme)
        client.force_login(user)
    form = form_for(approved)

    found = addresses(approved)
    for _, url in found:
        if url and "logout" not in url:
            client.post(url, form)

    assert len([url for _, url in found if url]) > 100
    assert is_untouched(approved)


def test_of_all_addresses_only_the_page_that_fulfils_does_for_staff(approved):
    """The canary: the same walk as staff, who confirm what they see, is found by one address."""
    vera = people.vera()
    fulfilled_by = []

    for name, url in addresses(approved):
        if url and name != "logout":
            # Each address finds the purchase as it was, whatever the others did.
            with transaction.atomic():
                if confirms(signed_in(vera, approved.company), url, form_for(approved), approved):
                    fulfilled_by.append(name)
                transaction.set_rollback(True)

    assert fulfilled_by == [PAGE]


def confirms(client, url: str, form: dict[str, str], purchase) -> bool:
    """Go through both steps of an address; tell whether the purchase is fulfilled then."""
    client.raise_request_exception = False
    page = client.post(url, form)
    seen = re.search(rb'name="seen" value="([^"]+)"', b"" if page.streaming else page.content)
    if seen:
        client.post(url, form | {"seen": seen[1].decode()})
    return Purchase.objects.get(pk=purchase.pk).state == "FULFILLED"


def test_looking_at_the_page_fulfils_nothing(approved):
    client = signed_in(people.vera(), approved.company)
    url = reverse(f"admin:{PAGE}", args=[approved.pk])

    client.get(url)
    client.get(url, form_for(approved))
    client.post(url, form_for(approved))

    assert is_untouched(approved)


def test_no_task_fulfils(approved):
    current_app.loader.import_default_modules()
    tasks = [task for name, task in current_app.tasks.items() if name.split(".")[0] in OURS]

    for task in tasks:
        wanted = inspect.signature(task.run).parameters
        with suppress(ObjectDoesNotExist):
            task.run(**dict.fromkeys(wanted, str(approved.pk)))
    periodic = [task.name for task in tasks]

    assert "billing.tasks.allocate" in periodic
    assert is_untouched(approved)


def test_no_command_takes_a_purchase(db):
    names = [name for name, app in get_commands().items() if app in OURS]
    offered = {
        name: load_command_class(get_commands()[name], name)
        .create_parser("manage.py", name)
        .format_help()
        for name in names
    }

    assert {"demo", "check_ledger", "sign_in_link"} <= set(names)
    # What a key may be made for: to read purchases, or to request one, which a person decides.
    for scope in (Scope.PURCHASES_READ, Scope.PURCHASES_REQUEST):
        assert offered["create_api_key"].count(f"{scope} {scope.label}") == 1
        offered["create_api_key"] = offered["create_api_key"].replace(f"{scope} {scope.label}", "")
    assert [name for name, text in offered.items() if "purchase" in text.lower()] == []


def test_no_setting_names_a_function_that_fulfils(approved):
    """Whatever a dotted path in the settings leads to, it is not in the module that fulfils."""
    paths = [
        one
        for name in dir(settings)
        if name.isupper()
        for one in _texts(getattr(settings, name))
        if re.fullmatch(rf"({'|'.join(OURS)})(\.\w+)+", one)
    ]
    found = []
    for path in paths:
        try:
            found.append(import_string(path))
        except ImportError:
            continue

    assert len(found) > 5
    assert [one for one in found if getattr(one, "__module__", "") == FULFILMENT] == []


def _texts(value) -> list[str]:
    if isinstance(value, str):
        return [value]
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []


def test_a_person_who_was_deactivated_fulfils_nothing(approved):
    vera = people.vera()
    client = signed_in(vera, approved.company)
    User.objects.filter(pk=vera.pk).update(is_active=False)

    answer = client.post(reverse(f"admin:{PAGE}", args=[approved.pk]), form_for(approved))

    assert answer.status_code == 302
    assert is_untouched(approved)
