"""A server that speaks the OpenAI protocol on loopback and does what a test's script says.

Real HTTP, a thread a request. By default it answers well: yes to what was objected to, with a quote
of the last quotable line. ``script`` holds what the next requests get instead, one after another.
"""

from __future__ import annotations

import json
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.support import ports
from trackers.analyzers.llm.endpoint import Endpoint

MODEL = "scripted-1"
KEY = "key-that-nobody-may-see"
# What llama-cpp-python 0.3.36 answers, without the place in its code.
LLAMA_REFUSES = (
    "1 validation error:\n  {'type': 'literal_error', 'loc': ('body', 'response_format', 'type'), "
    "'msg': \"Input should be 'text' or 'json_object'\", 'input': 'json_schema'}"
)
_LINE = re.compile(r"^\[(u\d+)\] (Rep|Customer): (.*)$", re.M)

Act = Callable[["Request"], "Reply"]


class Request:
    """What a client sent."""

    def __init__(self, body: dict[str, Any], headers: dict[str, str]) -> None:
        self.body = body
        self.headers = {name.lower(): value for name, value in headers.items()}
        self.at = time.monotonic()

    @property
    def user(self) -> str:
        return self.body["messages"][-1]["content"]

    @property
    def form(self) -> str:
        return self.body.get("response_format", {}).get("type", "none")

    @property
    def lines(self) -> list[tuple[str, str, str]]:
        """Return the transcript's lines: name, speaker, text."""
        return _LINE.findall(self.user)

    @property
    def questions(self) -> list[dict[str, Any]]:
        found = re.search(r"^Questions: (.*)$", self.user, re.M)
        return json.loads(found.group(1)) if found else []


class Reply:
    """What a client gets: a status, a body, and perhaps headers."""

    def __init__(self, status: int = 200, body: Any = None, **headers: str) -> None:
        self.status = status
        self.body = body
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


class Server:
    """The server while it runs: its endpoint, what it was asked, and what it does next."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.requests: list[Request] = []
        self.script: list[Act] = []
        self.always: Act | None = None
        self.lock = threading.Lock()

    def endpoint(self, **changes: Any) -> Endpoint:
        values = {"base_url": f"{self.address}/v1", "model": MODEL, "key": KEY}
        return Endpoint(**values | {"timeout_seconds": 5} | changes)

    def environment(self, **changes: Any) -> dict[str, str]:
        """Return the variables that point a process at this server."""
        values = {"BASE_URL": f"{self.address}/v1", "MODEL": MODEL, "KEY": KEY} | changes
        return {f"TALLYSTICK_LLM_{name}": str(value) for name, value in values.items()}

    def reply(self, request: Request) -> Reply:
        with self.lock:
            self.requests.append(request)
            act = self.script.pop(0) if self.script else self.always
        return (act or well)(request)


@contextmanager
def serving(tls: ssl.SSLContext | None = None) -> Iterator[Server]:
    """Run a scripted server until the block ends, by https:// where it has a certificate."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            reply = server.reply(Request(json.loads(body), dict(self.headers)))
            content = reply.body
            if not isinstance(content, bytes):
                content = json.dumps(content).encode()
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            try:
                self.wfile.write(content)
            except OSError:
                self.close_connection = True

        def log_message(self, *args: Any) -> None:
            pass

    http = ThreadingHTTPServer(("127.0.0.1", ports.free()), Handler)
    if tls is not None:
        http.socket = tls.wrap_socket(http.socket, server_side=True)
    http.daemon_threads = True
    # A client that did not wait for its answer is what some tests are about.
    http.handle_error = lambda *_: None
    server = Server(f"{'http' if tls is None else 'https'}://127.0.0.1:{http.server_port}")
    thread = threading.Thread(target=http.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        http.shutdown()
        http.server_close()
        thread.join()


@contextmanager
def speaking(act: Callable[[socket.socket], object]) -> Iterator[str]:
    """Run a server that reads a request and then does as it likes with the connection."""

    def serve(connection: socket.socket) -> None:
        with suppress(OSError), connection:
            connection.recv(65_536)
            act(connection)

    def accept() -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                threading.Thread(target=serve, args=(connection,), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=accept, daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
        # Else the thread would wait on, and the port with it.
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)


def completion(content: Any, *, finish: str = "stop", usage: Any = (120, 30), **message) -> Reply:
    """Return an answer of the protocol with this content."""
    text = content if isinstance(content, str) or content is None else json.dumps(content)
    body = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": MODEL,
        "choices": [
            {
                "index": 0,
                "finish_reason": finish,
                "message": {"role": "assistant", "content": text} | message,
            }
        ],
    }
    if usage is not None:
        sent, received = usage
        body["usage"] = {
            "prompt_tokens": sent,
            "completion_tokens": received,
            "total_tokens": sent + received,
        }
    return Reply(200, body, x_request_id="req-7")


def error(status: int, message: str = "no", code: str | None = None, **headers: str) -> Reply:
    return Reply(status, {"error": {"message": message, "code": code}}, **headers)


def well(request: Request) -> Reply:
    """Answer as a good model would: yes where a price is too high, with the words that say so."""
    telling = [line for line in request.lines if "expensive" in line[2]]
    if request.questions:
        answers = [
            found(one["tracker_id"], telling[-1][0], telling[-1][2])
            if telling
            else verdict(one["tracker_id"], "no")
            for one in request.questions
        ]
        return completion({"answers": answers})
    paragraphs = [
        {
            "text": "The price is too high for them.",
            "citations": [{"utterance_id": name, "quote": text[:250]}],
        }
        for name, _, text in telling[:2]
    ]
    return completion({"paragraphs": paragraphs})


def verdict(tracker_id: str, answer: str, confidence: float = 0.9) -> dict[str, Any]:
    return {
        "tracker_id": tracker_id,
        "answer": answer,
        "confidence": confidence,
        "value": "",
        "evidence": [],
    }


def found(tracker_id: str, name: str, quote: str, confidence: float = 0.9) -> dict[str, Any]:
    evidence = [{"utterance_id": name, "quote": quote[:250]}]
    return verdict(tracker_id, "yes", confidence) | {"evidence": evidence}


def answering(content: Any, **how) -> Act:
    """Return what answers every request with this content."""
    return lambda request: completion(content, **how)


def failing(status: int, message: str = "no", code: str | None = None, **headers: str) -> Act:
    return lambda request: error(status, message, code, **headers)


def slow(seconds: float) -> Act:
    def act(request: Request) -> Reply:
        time.sleep(seconds)
        return well(request)

    return act


def like_llama(request: Request) -> Reply:
    """Answer 500 to a strict schema, and say why, as llama-cpp-python's server does."""
    if request.form == "json_schema":
        return error(500, LLAMA_REFUSES)
    return well(request)


def only_words(request: Request) -> Reply:
    """Take no form of answer at all, and write a sentence around the JSON."""
    if request.form != "none":
        return error(400, "response_format is not supported here")
    answer = well(request).body["choices"][0]["message"]["content"]
    return completion(f"Here you are:\n```json\n{answer}\n```")
