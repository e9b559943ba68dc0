"""Send a file without ever holding all of it."""

from __future__ import annotations

from collections.abc import AsyncIterator

from asgiref.sync import sync_to_async
from django.http import FileResponse


class FileDownload(FileResponse):
    """A file that leaves in blocks.

    Django's own answer is read to its end before the first byte is sent, where the server is an
    asynchronous one: a report of a million rows would lie in memory.
    """

    async def __aiter__(self) -> AsyncIterator[bytes]:
        assert self.file_to_stream is not None
        read = sync_to_async(self.file_to_stream.read)
        while block := await read(self.block_size):
            yield block
