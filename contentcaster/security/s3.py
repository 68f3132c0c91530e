"""A bucket on anything that speaks the S3 protocol: put, get and delete, signed with AWS Signature Version 4.

The four verbs a media store needs are no reason for an SDK; every request goes out through `security.egress`.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote, urlsplit

from contentcaster.clock import utc_now
from contentcaster.errors import ContentCasterError, Unavailable
from contentcaster.security.egress import EgressClient, EgressError

_ALGORITHM = "AWS4-HMAC-SHA256"
_SAFE = "-_.~/"


@dataclass(frozen=True)
class Bucket:
    """Where and as whom; objects are addressed by path (`endpoint/bucket/key`), which every server understands."""

    endpoint: str
    name: str
    region: str
    access_key_id: str
    secret_access_key: str

    def url_of(self, key: str) -> str:
        return f"{self.endpoint.rstrip('/')}/{quote(self.name, safe=_SAFE)}/{quote(key, safe=_SAFE)}"


def signed_headers(
    bucket: Bucket,
    method: str,
    url: str,
    content: bytes,
    *,
    at: datetime,
    more: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """The headers of one request, with its signature; the host's is added by the client and signed here."""
    parts = urlsplit(url)
    stamp, day = f"{at:%Y%m%dT%H%M%SZ}", f"{at:%Y%m%d}"
    digest = hashlib.sha256(content).hexdigest()
    headers = {"x-amz-content-sha256": digest, "x-amz-date": stamp} | dict(more or {})
    signed = {name.lower(): value.strip() for name, value in ({"host": parts.netloc} | headers).items()}
    names = ";".join(sorted(signed))
    request = "\n".join(
        [
            method,
            parts.path,
            parts.query,
            *(f"{name}:{signed[name]}" for name in sorted(signed)),
            "",
            names,
            digest,
        ]
    )
    scope = f"{day}/{bucket.region}/s3/aws4_request"
    to_sign = "\n".join([_ALGORITHM, stamp, scope, hashlib.sha256(request.encode()).hexdigest()])
    key = f"AWS4{bucket.secret_access_key}".encode()
    for word in (day, bucket.region, "s3", "aws4_request"):
        key = hmac.digest(key, word.encode(), "sha256")
    signature = hmac.digest(key, to_sign.encode(), "sha256").hex()
    credential = f"{bucket.access_key_id}/{scope}"
    authorization = f"{_ALGORITHM} Credential={credential}, SignedHeaders={names}, Signature={signature}"
    return headers | {"Authorization": authorization}


async def put_object(
    client: EgressClient, bucket: Bucket, key: str, content: bytes, *, mime_type: str
) -> None:
    """Keep an object; the same key again replaces it. Raises Unavailable, StorageRefused."""
    await _request(client, bucket, "PUT", key, content, more={"Content-Type": mime_type})


async def get_object(client: EgressClient, bucket: Bucket, key: str, *, max_bytes: int) -> bytes | None:
    """An object's content; None if there is none. Raises as `put_object`."""
    return await _request(client, bucket, "GET", key, b"", max_bytes=max_bytes)


async def delete_object(client: EgressClient, bucket: Bucket, key: str) -> None:
    """Remove an object; one that is gone already is success. Raises as `put_object`."""
    await _request(client, bucket, "DELETE", key, b"")


class StorageRefused(ContentCasterError):
    """The bucket said no: wrong keys, no such bucket, no right."""

    http_status = 503
    code = "storage_refused"


async def _request(
    client: EgressClient,
    bucket: Bucket,
    method: str,
    key: str,
    content: bytes,
    *,
    more: Mapping[str, str] | None = None,
    max_bytes: int = 100_000,
) -> bytes | None:
    url = bucket.url_of(key)
    headers = signed_headers(bucket, method, url, content, at=utc_now(), more=more)
    try:
        answer = await client.request(
            method, url, headers=headers, content=content if method == "PUT" else None, max_bytes=max_bytes
        )
    except EgressError as error:
        raise Unavailable("The media storage does not answer right now. Try again in a moment.") from error
    if answer.is_success:
        return answer.content
    if answer.status == 404 and b"NoSuchBucket" not in answer.content and method != "PUT":
        return None
    if answer.status >= 500 or answer.status == 429:
        raise Unavailable(
            f"The media storage answers with an error ({answer.status}). Try again in a moment."
        )
    raise StorageRefused(
        f"The media storage refused it ({answer.status}). An operator must check the S3 settings: bucket and keys."
    )
