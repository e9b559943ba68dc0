"""A model behind a CA of the company's own: its certificates vouch for the server, and no others.

A real TLS server of this machine, and the settings as an operator writes them.
"""

from __future__ import annotations

import ssl

import pytest
from django.core.exceptions import ImproperlyConfigured

from config import llm
from config.environment import Environment
from tests.support import language_models
from tests.support.certificates import Authority
from tests.trackers.analyzers.llm.test_faults import fails
from tests.trackers.analyzers.llm.texts import read

CA_FILE = "TALLYSTICK_LLM_CA_FILE"


@pytest.fixture(scope="module")
def authority():
    return Authority()


@pytest.fixture(scope="module")
def running(authority, tmp_path_factory):
    """The scripted server, by https://."""
    tls = authority.server(tmp_path_factory.mktemp("tls"))
    with language_models.serving(tls) as server:
        yield server


@pytest.fixture
def bundle(tmp_path):
    """What writes a file of such content."""

    def write(content: bytes):
        file = tmp_path / "bundle.pem"
        file.write_bytes(content)
        return file

    return write


def certificates(server, file) -> str:
    """Return what the settings make of a file."""
    found = llm.read(Environment(server.environment(CA_FILE=file)))
    return found.certificates


def test_a_server_that_the_company_s_own_ca_vouches_for_is_asked(
    analyzer_at, server, authority, bundle
):
    file = bundle(Authority("Another CA").pem + authority.pem)

    (finding,) = read(analyzer_at(certificates=certificates(server, file)))

    assert finding.verdict == "YES"
    assert server.address.startswith("https://127.0.0.1:")
    assert server.requests[0].headers["authorization"] == f"Bearer {language_models.KEY}"


@pytest.mark.parametrize("trusted", [None, "Another CA"])
def test_one_that_nobody_vouches_for_is_not_and_nothing_is_sent(
    analyzer_at, server, gate, bundle, trusted
):
    known = certificates(server, bundle(Authority(trusted).pem)) if trusted else ""

    failure = fails(analyzer_at(certificates=known))

    assert str(failure) == "The language model could not be reached."
    assert (server.requests, gate.outcomes) == ([], ["UNREACHABLE"])


def test_the_certificate_must_be_of_the_address_that_is_asked(
    analyzer_at, gate, authority, bundle, tmp_path
):
    with language_models.serving(authority.server(tmp_path, address="127.0.0.2")) as elsewhere:
        known = certificates(elsewhere, bundle(authority.pem))

        failure = fails(analyzer_at(base_url=f"{elsewhere.address}/v1", certificates=known))

    assert str(failure) == "The language model could not be reached."
    assert (elsewhere.requests, gate.outcomes) == ([], ["UNREACHABLE"])


def test_the_system_s_certificates_do_not_count_beside_those_of_the_file(
    analyzer_at, server, authority, bundle, monkeypatch, tmp_path
):
    """Nor do those that the environment names."""
    trusted = tmp_path / "trusted.pem"
    trusted.write_bytes(authority.pem)
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
    known = certificates(server, bundle(Authority("Another CA").pem))

    fails(analyzer_at(certificates=known))

    assert server.requests == []


def test_of_a_bundle_only_the_certificates_are_kept(server, authority, bundle, tmp_path):
    authority.server(tmp_path)
    private = (tmp_path / "server.pem").read_bytes()
    file = bundle(b"# F\xc5\x91tan\xc3\xbas\xc3\xadtv\xc3\xa1ny\n" + authority.pem + private)

    kept = certificates(server, file)

    assert "PRIVATE KEY" in file.read_text()
    assert kept.count("BEGIN") == kept.count("BEGIN CERTIFICATE") == 2
    assert ssl.PEM_cert_to_DER_cert(kept.split("\n-----BEGIN")[0] + "\n")
    assert "CERTIFICATE" not in repr(llm.read(Environment(server.environment(CA_FILE=file))))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no certificate",
        b"-----BEGIN CERTIFICATE-----\nbm8=\n-----END CERTIFICATE-----\n",
        b"\x30\x82\x01\x00",
        Authority().pem + b" " * 4_000_000,
    ],
    ids=["empty", "text", "broken", "DER", "too large"],
)
def test_a_file_that_is_no_bundle_is_refused_in_a_sentence(server, bundle, content):
    file = bundle(content)

    with pytest.raises(ImproperlyConfigured) as refusal:
        certificates(server, file)

    assert str(refusal.value) == (
        f"TALLYSTICK_LLM_CA_FILE is “{file}”, which is no file of whole certificates; write the "
        "path of a file of certificates in PEM, or leave it out for the system's."
    )


def test_a_bundle_that_was_cut_off_is_refused_whole(server, authority, bundle):
    with pytest.raises(ImproperlyConfigured, match="no file of whole certificates"):
        certificates(server, bundle(authority.pem + authority.pem[:200]))


@pytest.mark.parametrize(
    ("name", "reason"), [("gone.pem", "No such file or directory"), (".", "Is a directory")]
)
def test_a_file_that_is_not_there_is_refused_in_a_sentence(server, tmp_path, name, reason):
    with pytest.raises(ImproperlyConfigured) as refusal:
        certificates(server, tmp_path / name)

    assert str(refusal.value) == (
        f"TALLYSTICK_LLM_CA_FILE is “{tmp_path / name}”, which cannot be read ({reason}); write "
        "the path of a file of certificates in PEM, or leave it out for the system's."
    )


def test_a_file_is_of_use_to_an_https_server_alone(server, authority, bundle):
    variables = server.environment(
        CA_FILE=bundle(authority.pem), BASE_URL="http://models.example.com/v1"
    )

    with pytest.raises(ImproperlyConfigured, match="is for a server that is asked by https://"):
        llm.read(Environment(variables))
    with pytest.raises(ImproperlyConfigured, match="BASE_URL is missing"):
        llm.read(Environment({CA_FILE: variables[CA_FILE]}))
