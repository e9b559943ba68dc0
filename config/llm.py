"""The language model that companies may switch on: an OpenAI-compatible endpoint, or none."""

from __future__ import annotations

import re
import ssl
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured

from config.environment import Environment
from trackers.analyzers.llm.endpoint import Endpoint

PREFIX = "TALLYSTICK_LLM_"
CA_BYTES_MAX = 4_000_000  # Twenty times what a system trusts.
_CERTIFICATE = re.compile("-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.S)


def read(env: Environment) -> Endpoint | None:
    """Return the endpoint that the environment names; None where it names none.

    :raises ImproperlyConfigured: half of it is missing or wrong, or the extra is not installed.
    """
    base_url = env.text(
        f"{PREFIX}BASE_URL",
        "",
        "The language model that a company's admin may switch on: the address of an "
        "OpenAI-compatible server, as `https://models.example.com/v1`. On this machine or in your "
        "own network is fine. Needs the extra `llm` (docs/analyzers.md).",
    )
    model = env.text(f"{PREFIX}MODEL", "", "The model's name at that address.")
    key = env.text(f"{PREFIX}KEY", "", "The key that the server asks for, if it asks for one.")
    ca_file = env.text(
        f"{PREFIX}CA_FILE",
        "",
        "A file of certificates (PEM) of who signed the server's, where that is a CA of your own: "
        "for this connection they count in place of the system's. Read at the start.",
    )
    limits = _limits(env)
    if not base_url and not model and not key and not ca_file:
        return None
    _refuse_unusable(base_url, model, key)
    return Endpoint(
        base_url=base_url,
        model=model,
        key=key,
        certificates=_certificates(ca_file, base_url) if ca_file else "",
        **limits,
    )


def _limits(env: Environment) -> dict[str, int]:
    """Return what a request, a run and a day may take, by the endpoint's names."""
    return {
        "timeout_seconds": env.number(
            f"{PREFIX}TIMEOUT_SECONDS",
            60,
            "Seconds that one answer may take.",
            minimum=1,
            maximum=120,
        ),
        "concurrency": env.number(
            f"{PREFIX}CONCURRENCY",
            4,
            "Requests to the model at once, of all processes together.",
            minimum=1,
            maximum=64,
        ),
        "chunk_tokens": env.number(
            f"{PREFIX}CHUNK_TOKENS",
            6_000,
            "Tokens of a conversation that one request carries; a longer one is read in pieces.",
            minimum=200,
            maximum=100_000,
        ),
        "answer_tokens": env.number(
            f"{PREFIX}ANSWER_TOKENS",
            1_500,
            "Tokens that one answer may have.",
            minimum=100,
            maximum=16_000,
        ),
        "run_tokens": env.number(
            f"{PREFIX}RUN_TOKENS",
            2_000_000,
            "Tokens that one backfill, batch of new conversations, question or brief may use.",
            minimum=1_000,
            maximum=1_000_000_000,
        ),
        "day_tokens": env.number(
            f"{PREFIX}DAY_TOKENS",
            5_000_000,
            "Tokens that one company may use in a day of UTC.",
            minimum=1_000,
            maximum=1_000_000_000,
        ),
    }


def _refuse_unusable(base_url: str, model: str, key: str) -> None:
    if not base_url:
        raise ImproperlyConfigured(
            f"{PREFIX}BASE_URL is missing: write the address of the server that has the model, "
            "such as https://models.example.com/v1."
        )
    if not model:
        raise ImproperlyConfigured(
            f"{PREFIX}MODEL is missing: write the model's name at {PREFIX}BASE_URL."
        )
    try:
        parts = urlsplit(base_url)
        is_usable = parts.scheme in ("http", "https") and bool(parts.hostname)
        is_usable = is_usable and parts.port != 0
        is_plain = not (parts.username or parts.password or parts.query or parts.fragment)
    except ValueError:
        is_usable = is_plain = False
    if not is_usable or not is_plain or any(one.isspace() for one in base_url):
        # Not the address itself, which may have a password in it.
        raise ImproperlyConfigured(
            f"{PREFIX}BASE_URL is no address that can be asked: write http:// or https:// with a "
            f"host and a path, such as https://models.example.com/v1, and the key in {PREFIX}KEY."
        )
    if not all("!" <= one <= "~" for one in key):
        # Nor the key.
        raise ImproperlyConfigured(
            f"{PREFIX}KEY has a space or a letter that no key has: copy it again, without quotes."
        )
    if find_spec("openai") is None:
        raise ImproperlyConfigured(
            f"{PREFIX}BASE_URL needs the extra llm, which is not installed. Install it: "
            "pip install --require-hashes -r requirements-llm.lock"
        )


def _certificates(file: str, base_url: str) -> str:
    """Return the certificates of a file, without whatever else is in it.

    :raises ImproperlyConfigured: it cannot be read, has none, or one that is broken.
    """
    mend = "write the path of a file of certificates in PEM, or leave it out for the system's."
    if urlsplit(base_url).scheme != "https":
        raise ImproperlyConfigured(
            f"{PREFIX}CA_FILE is for a server that is asked by https://; write {PREFIX}BASE_URL "
            "so, or leave it out."
        )
    try:
        with Path(file).open("rb") as opened:
            text = opened.read(CA_BYTES_MAX + 1).decode("ascii", "ignore")
    except OSError as error:
        raise ImproperlyConfigured(
            f"{PREFIX}CA_FILE is “{file}”, which cannot be read ({error.strerror}); {mend}"
        ) from error
    try:
        if len(text) > CA_BYTES_MAX:
            raise ValueError("No bundle is so large.")
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=text)
    except (ssl.SSLError, ValueError) as error:
        raise ImproperlyConfigured(
            f"{PREFIX}CA_FILE is “{file}”, which is no file of whole certificates; {mend}"
        ) from error
    return "\n".join(_CERTIFICATE.findall(text))
