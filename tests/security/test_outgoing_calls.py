"""Every place from which the site calls another machine is known, with what guards it (LESSONS S8).

A new import of something that talks, or a new setting with an address, fails until it stands here.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from config import settings
from config.embedded_postgres import PROJECT
from credits import outbound
from credits.outbound import AddressRefused

APPS = ("config", "credits", "trackers", "billing")
TALKING = {
    *("socket", "ssl", "http.client", "urllib.request", "smtplib", "ftplib", "imaplib", "poplib"),
    *("nntplib", "telnetlib", "xmlrpc.client", "socketserver", "requests", "httpx", "httpx2"),
    *("urllib3", "aiohttp", "openai", "anthropic", "websockets", "paramiko", "pycurl", "grpc"),
    *("mcp.client", "django.core.mail", "huggingface_hub", "redis", "pika", "webbrowser"),
}
CALLING = {"open_connection", "create_connection", "connect_tcp", "connect_tls", "urlretrieve"}
# Who talks to whom, and why no user can lead it astray.
KNOWN = {
    "credits/outbound.py": "the guard itself: judges every address, connects to the judged one",
    "config/demo/supervisor.py": "the demo asks its own web process on 127.0.0.1",
    "config/llm.py": "reads the certificates of the operator's own model; asks nobody",
    "config/printed_mail.py": "prints e-mails instead of sending them",
    "credits/mails.py": "the operator's own mail server, of the environment; no user names it",
    "credits/alert_mails.py": "the same",
    "trackers/analyzers/llm/bounded.py": "the connection of the next",
    "trackers/analyzers/llm/client.py": "the operator's own model, of the environment; no user "
    "names it, no redirect is followed",
    "trackers/mcp/trial.py": "the connection test: an ASGI transport in the process, no network",
}
# Settings with an address: who writes it, and what keeps it where it should be.
ADDRESSES = {
    "DATABASE_URL": "the operator: the database",
    "CELERY_BROKER_URL": "the operator: the broker",
    "TALLYSTICK_EMAIL_URL": "the operator: the mail server",
    "TALLYSTICK_LLM_BASE_URL": "the operator: a language model; no redirect is followed",
    "TALLYSTICK_PUBLIC_URL": "the operator: our own address, in links; nothing asks it",
    "TALLYSTICK_WEB_SEARCH_URL": "the operator; asked through credits/outbound.py",
}
# As `getaddrinfo` reads them: whatever way of writing, the address decides.
WRITTEN_OTHERWISE = (
    "2130706433",
    "0x7f000001",
    "0177.0.0.1",
    "127.1",
    "0",
    "0x7f.1",
    "017700000001",
)
NOT_PUBLIC = (
    *("0.1.2.3", "10.255.255.255", "100.64.0.1", "100.100.100.200", "127.0.0.53", "169.254.0.1"),
    *("172.31.255.255", "192.0.0.192", "192.0.2.9", "192.168.0.1", "198.18.0.1", "198.51.100.1"),
    *("203.0.113.5", "224.0.0.251", "239.255.255.250", "240.0.0.1", "255.255.255.255"),
    *("::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "fdff::1", "ff02::1", "2001:db8::1"),
    *("fec0::1", "100::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254"),
    *("::127.0.0.1", "::ffff:0:127.0.0.1", "64:ff9b::7f00:1", "64:ff9b:1::7f00:1"),
    *("2002:7f00:1::", "2002:a9fe:a9fe::", "2001:0:4136:e378:8000:63bf:80ff:fffe"),
    *("not an address", "", "127.0.0.1 ", "1.2.3"),
)
PUBLIC = ("93.184.216.34", "1.1.1.1", "2606:4700:4700::1111")
REFUSED_URLS = (
    *("http://public.example@127.0.0.1/", "http://127.0.0.1#@public.example/"),
    *("http://public.example:80@10.0.0.1/", "http://:secret@public.example/"),
    *("https://public.example:99999/", "http://public.example:-1/", "http://public.example:x/"),
    *("http:\\\\public.example/", "http:///public.example", "http://public.example/\r\nX: y"),
    *("http://public.example/a b", "HTTP+UNIX://%2Fvar%2Frun/", "unix:/var/run/x", "data:text/x,y"),
    *("jar:http://public.example!/x", "ldap://public.example/", "dict://public.example:11211/"),
    *("sftp://public.example/", "tftp://public.example/", "ws://public.example/", "//x/", "x"),
)


def talks(tree: ast.Module) -> set[str]:
    """Return what a module uses to talk to other machines."""
    found = set()
    for node in ast.walk(tree):
        match node:
            case ast.Import():
                found |= {one.name for one in node.names}
            case ast.ImportFrom(module=str(module)):
                found |= {module, *(f"{module}.{one.name}" for one in node.names)}
            case ast.Attribute(attr=name) if name in CALLING:
                found.add(name)
            case ast.Call(func=ast.Name(id="__import__")):
                found.add("__import__")
    known = TALKING | CALLING | {"__import__"}
    return {one for one in found if one in known or _is_inside(one)}


def _is_inside(name: str) -> bool:
    return any(name.startswith(f"{one}.") for one in TALKING - {"django.core.mail"})


def modules() -> list[Path]:
    return [path for app in APPS for path in sorted((PROJECT / app).rglob("*.py"))]


def test_every_place_that_talks_to_another_machine_is_known():
    found = {
        str(path.relative_to(PROJECT)): what
        for path in modules()
        if (what := talks(ast.parse(path.read_text())))
    }

    assert {path: what for path, what in found.items() if path not in KNOWN} == {}
    assert KNOWN.keys() - found.keys() <= {"config/printed_mail.py", "credits/alert_mails.py"}


def test_every_setting_with_an_address_is_known():
    named = set(re.findall(r"`([A-Z_]+_URL)`", settings.env.reference()))

    assert named == set(ADDRESSES)


def test_a_new_place_is_noticed():
    assert talks(ast.parse("import httpx")) == {"httpx"}
    assert talks(ast.parse("from urllib import request")) == {"urllib.request"}
    assert talks(ast.parse("def f():\n    import socket\n    return socket")) == {"socket"}
    assert talks(ast.parse("asyncio.open_connection('x', 1)")) == {"open_connection"}
    assert talks(ast.parse("from urllib.parse import urlsplit")) == set()


@pytest.mark.parametrize("host", WRITTEN_OTHERWISE)
def test_another_way_of_writing_loopback_is_loopback(host):
    """By the resolver itself, which reads numbers without a network."""
    with pytest.raises(AddressRefused, match="not on the public internet"):
        outbound.target_of(f"http://{host}/")


@pytest.mark.parametrize("address", NOT_PUBLIC)
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_what_a_name_leads_to_is_public_or_not_asked(address, scheme):
    for found in ([address], [PUBLIC[0], address], [address, PUBLIC[0]]):
        with pytest.raises(AddressRefused, match="not on the public internet"):
            outbound.target_of(
                f"{scheme}://name.example:8443/", resolve=lambda host, port, found=found: found
            )


@pytest.mark.parametrize("address", PUBLIC)
def test_what_is_public_is_asked_at_the_judged_address(address):
    target = outbound.target_of("https://name.example/x", resolve=lambda host, port: [address])

    assert (target.address, target.host, target.port) == (address, "name.example", 443)


@pytest.mark.parametrize("url", REFUSED_URLS)
def test_an_address_that_could_be_read_in_two_ways_is_not_asked(url):
    with pytest.raises(AddressRefused):
        outbound.target_of(url, resolve=lambda host, port: [_plainly(host)])


def _plainly(host: str) -> str:
    """Resolve as the internet would: what is named public is, an address is itself."""
    return PUBLIC[0] if host == "public.example" else host


def test_a_name_is_looked_up_once():
    """A name that leads elsewhere the second time (rebinding) is not looked up a second time."""
    asked = []

    def rebinding(host: str, port: int) -> list[str]:
        asked.append(host)
        return [PUBLIC[0]] if len(asked) == 1 else ["127.0.0.1"]

    target = outbound.target_of("http://rebinding.example/", resolve=rebinding)

    assert (target.address, asked) == (PUBLIC[0], ["rebinding.example"])
