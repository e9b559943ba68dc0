"""Files as somebody uploaded them, kept until they are confirmed."""

from __future__ import annotations

from datetime import datetime, timedelta

from credits.models import Company, User
from trackers.models import ImportFile, ImportUpload


def kept(
    company: Company, by: User, *, now: datetime, content: bytes = b"", name: str = "calls.jsonl"
) -> ImportUpload:
    upload = ImportUpload.objects.create(
        company=company,
        import_format="JSONL",
        byte_count=len(content),
        uploaded_at=now,
        uploaded_by=by,
        expires_at=now + timedelta(hours=1),
    )
    ImportFile.objects.create(
        company=company, upload=upload, position=0, name=name, content=content
    )
    return upload
