"""A client in the manner of those that exist: only its base URL and its key are ever set.

It knows nothing of us. It asks with the standard library, pages by ``records.cursor``, waits for
429 as long as Retry-After says, and takes 404 of a list of calls for an empty one.
"""

from __future__ import annotations

import base64
import json
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from typing import Any

RETRIES_MAX = 5


class ClientError(Exception):
    def __init__(self, status: int, request_id: str, errors: list[str]) -> None:
        self.status, self.request_id, self.errors = status, request_id, errors
        super().__init__(f"{status}: {'; '.join(errors)} (request {request_id})")


class Client:
    def __init__(self, base_url: str, access_key: str, access_key_secret: str) -> None:
        token = base64.b64encode(f"{access_key}:{access_key_secret}".encode()).decode()
        self.base_url = base_url.rstrip("/")
        self.headers = {"Authorization": f"Basic {token}", "Content-Type": "application/json"}
        self.waited: list[int] = []

    def users(self) -> Iterator[dict[str, Any]]:
        yield from self._pages("GET", "/v2/users", "users")

    def trackers(self, workspace_id: str | None = None) -> list[dict[str, Any]]:
        query = {"workspaceId": workspace_id} if workspace_id else {}
        return self._send("GET", "/v2/settings/trackers", query=query)["keywordTrackers"]

    def briefs(self) -> list[dict[str, Any]]:
        return self._send("GET", "/v2/settings/briefs")["briefs"]

    def calls(self, since: str, until: str, **selector: Any) -> Iterator[dict[str, Any]]:
        body = {
            "cursor": None,
            "filter": {"fromDateTime": since, "toDateTime": until},
            "contentSelector": selector,
        }
        yield from self._pages("POST", "/v2/calls/extensive", "calls", body)

    def transcripts(self, call_ids: list[str]) -> Iterator[dict[str, Any]]:
        body = {"filter": {"callIds": call_ids}}
        yield from self._pages("POST", "/v2/calls/transcript", "callTranscripts", body)

    def ask(self, question: str, **query: Any) -> dict[str, Any]:
        return self._send("GET", "/v2/entities/ask-entity", query=query | {"question": question})

    def brief(self, name: str, **query: Any) -> dict[str, Any]:
        return self._send("GET", "/v2/entities/get-brief", query=query | {"briefName": name})

    def _pages(
        self, method: str, path: str, key: str, body: dict[str, Any] | None = None
    ) -> Iterator[dict[str, Any]]:
        cursor = None
        while True:
            query = {"cursor": cursor} if cursor and method == "GET" else {}
            sent = None if body is None else body | {"cursor": cursor}
            try:
                answer = self._send(method, path, query=query, body=sent)
            except ClientError as error:
                if error.status == 404 and key.startswith("call"):
                    return
                raise
            yield from answer[key]
            cursor = answer["records"].get("cursor")
            if not cursor:
                return

    def _send(
        self,
        method: str,
        path: str,
        *,
        query: dict[str, Any] | None = None,
        body: dict[str, Any] | None = None,
    ) -> dict[str, Any]:
        url = self.base_url + path + (f"?{urllib.parse.urlencode(query)}" if query else "")
        data = None if body is None else json.dumps(body).encode()
        for _ in range(RETRIES_MAX):
            request = urllib.request.Request(url, data, self.headers, method=method)
            try:
                with urllib.request.urlopen(request, timeout=60) as response:
                    return json.load(response)
            except urllib.error.HTTPError as error:
                with error:
                    told = json.load(error)
                if error.code != 429:
                    raise ClientError(error.code, told["requestId"], told["errors"]) from error
                self.waited.append(int(error.headers["Retry-After"]))
                time.sleep(self.waited[-1])
        raise TimeoutError(url)
