"""What a setting names is fetched from the public internet only, whole, in time, or not at all."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from credits import outbound
from credits.outbound import AddressRefused, FetchFailed

PUBLIC = "93.184.216.34"
# Where each leads by its own writing, or by what its name is resolved to.
NOT_PUBLIC = {
    "http://127.0.0.1/": "127.0.0.1",
    "http://127.1.2.3/": "127.1.2.3",
    "http://[::1]/": "::1",
    "http://0.0.0.0/": "0.0.0.0",
    "http://[::]/": "::",
    "http://10.0.0.1/": "10.0.0.1",
    "http://172.16.0.1/": "172.16.0.1",
    "http://192.168.1.1/": "192.168.1.1",
    "http://169.254.169.254/latest/meta-data": "169.254.169.254",
    "http://[fe80::1]/": "fe80::1",
    "http://[fd00:ec2::254]/": "fd00:ec2::254",
    "http://100.64.0.1/": "100.64.0.1",
    "http://192.0.2.1/": "192.0.2.1",
    "http://198.18.0.1/": "198.18.0.1",
    "http://224.0.0.1/": "224.0.0.1",
    "http://240.0.0.1/": "240.0.0.1",
    "http://255.255.255.255/": "255.255.255.255",
    "http://[::ffff:127.0.0.1]/": "::ffff:127.0.0.1",
    "http://[::ffff:169.254.169.254]/": "::ffff:169.254.169.254",
    "http://[64:ff9b::7f00:1]/": "64:ff9b::7f00:1",
    "http://[2002:7f00:1::]/": "2002:7f00:1::",
    "http://2130706433/": "127.0.0.1",
    "http://0x7f000001/": "127.0.0.1",
    "http://0177.0.0.1/": "127.0.0.1",
    "http://localhost/": "127.0.0.1",
    "http://rebinding.example/": "127.0.0.1",
    "https://metadata.google.internal/": "169.254.169.254",
}
NO_ADDRESS = (
    *("file:///etc/passwd", "ftp://search.example/", "gopher://search.example/", "search.example"),
    *("http://", "http:///path", "//search.example/", "http://search.example:port/", ""),
    *("http://user:secret@search.example/", "http://search example/", "javascript:alert(1)"),
    "http://[::1/",
)


def resolved(*addresses: str):
    return lambda host, port: list(addresses)


@pytest.mark.parametrize("url", NOT_PUBLIC)
def test_what_is_not_on_the_public_internet_is_not_asked(url):
    with pytest.raises(AddressRefused, match="not on the public internet"):
        outbound.target_of(url, resolve=resolved(NOT_PUBLIC[url]))


def test_one_address_that_is_not_public_among_others_is_enough():
    with pytest.raises(AddressRefused):
        outbound.target_of("http://two.example/", resolve=resolved(PUBLIC, "10.0.0.1"))


@pytest.mark.parametrize("url", NO_ADDRESS)
def test_what_is_no_address_of_the_web_is_not_asked(url):
    with pytest.raises(AddressRefused):
        outbound.target_of(url, resolve=resolved(PUBLIC))


def test_the_connection_goes_to_the_address_that_was_judged():
    target = outbound.target_of("https://search.example/find?q=1", resolve=resolved(PUBLIC))

    assert (target.host, target.address, target.port) == ("search.example", PUBLIC, 443)
    assert target.path == "/find?q=1"


@pytest.mark.parametrize("address", ["169.254.169.254", "fe80::1", "224.0.0.1", "0.0.0.0"])
def test_a_private_network_may_be_allowed_but_not_where_clouds_keep_secrets(address):
    allowed = {"allow_private": True}

    target = outbound.target_of("http://x.example/", resolve=resolved("10.0.0.1"), **allowed)
    with pytest.raises(AddressRefused):
        outbound.target_of("http://x.example/", resolve=resolved(address), **allowed)

    assert target.address == "10.0.0.1"


class Server(HTTPServer):
    """A server on loopback that answers as a test says."""

    def __init__(self, answer) -> None:
        self.answer = answer
        self.asked: list[str] = []
        super().__init__(("127.0.0.1", 0), Handler)


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        self.server.answer(self)

    def log_message(self, *args) -> None:
        """Say nothing."""


@contextmanager
def serving(answer) -> Iterator[tuple[Server, str]]:
    server = Server(answer)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server, f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def saying(body: bytes, status: int = 200, **headers: str):
    def answer(handler: Handler) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def test_what_is_answered_is_returned():
    with serving(saying(b'{"results": []}')) as (server, url):
        content = outbound.get(f"{url}/search?q=globex", allow_private=True)

    assert content == b'{"results": []}'
    assert server.asked == ["/search?q=globex"]


def test_loopback_is_not_asked_unless_it_is_allowed():
    with serving(saying(b"secret")) as (server, url):
        with pytest.raises(AddressRefused):
            outbound.get(url)

        assert server.asked == []


def test_a_redirect_is_not_followed():
    elsewhere = {"Location": "http://169.254.169.254/"}
    with (
        serving(saying(b"", 302, **elsewhere)) as (_, url),
        pytest.raises(FetchFailed, match="answered 302"),
    ):
        outbound.get(url, allow_private=True)


def test_an_answer_that_is_too_long_is_refused():
    with (
        serving(saying(b"x" * 1001)) as (_, url),
        pytest.raises(FetchFailed, match="more than 1,000 bytes"),
    ):
        outbound.get(url, allow_private=True, bytes_max=1000)


def test_one_that_drips_is_cut_off_in_time():
    def dripping(handler: Handler) -> None:
        handler.send_response(200)
        handler.end_headers()
        for _ in range(100):
            try:
                handler.wfile.write(b"x")
                handler.wfile.flush()
            except OSError:
                return
            time.sleep(0.05)

    begun = time.monotonic()
    with serving(dripping) as (_, url):
        with pytest.raises(FetchFailed, match="took too long"):
            outbound.get(url, allow_private=True, seconds_max=0.4)
        assert time.monotonic() - begun < 3


def test_nobody_there_is_said_in_a_sentence():
    with serving(saying(b"")) as (_, url):
        pass

    with pytest.raises(FetchFailed, match=r"127\.0\.0\.1 did not answer"):
        outbound.get(url, allow_private=True)
