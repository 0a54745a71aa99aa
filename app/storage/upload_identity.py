"""The identity that signs addresses for writing on the embedded storage. It may put objects into the incoming prefixes,
and read nothing. So storage refuses a client that tries to turn its address into a copy (docs/storage.md)."""

from __future__ import annotations

from typing import Any

import urllib3
from minio import MinioAdmin
from minio.credentials.providers import StaticProvider

# Where clients may put bytes: parts of archives, and staged images.
INCOMING_PREFIXES = ("archives/", "staging/")
_POLICY = "slipway-upload"
_ANY_BUCKET = "*"  # the embedded storage serves one installation alone, and S3_BUCKET may name any of its buckets


def put_only_policy(bucket: str) -> dict[str, Any]:
    """The identity's policy, as S3-compatible storages read it."""
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": ["s3:PutObject"],
                "Resource": [f"arn:aws:s3:::{bucket}/{prefix}*" for prefix in INCOMING_PREFIXES],
            }
        ],
    }


def ensure_upload_identity(
    address: str, root: tuple[str, str], identity: tuple[str, str], region: str, http: urllib3.PoolManager
) -> None:
    """Make the identity and its policy, or set both again. `address`: host and port of a storage over plain http.
    `root` and `identity`: access key and secret key. Raises MinioAdminException and urllib3's errors."""
    admin = MinioAdmin(
        endpoint=address, credentials=StaticProvider(*root), secure=False, region=region, http_client=http
    )
    admin.policy_add(_POLICY, policy=put_only_policy(_ANY_BUCKET))
    admin.user_add(*identity)
    admin.policy_set(_POLICY, user=identity[0])
