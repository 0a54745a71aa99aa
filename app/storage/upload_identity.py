"""The identity that signs addresses for writing on the embedded storage: it may put objects into the incoming prefixes,
and read nothing. So a client that turns its address into a copy is refused, whatever the source (docs/storage.md).
"""

from __future__ import annotations

from typing import Any

import urllib3
from minio import MinioAdmin
from minio.credentials.providers import StaticProvider

# Where clients may put bytes: parts of archives, and staged images.
INCOMING_PREFIXES = ("archives/", "staging/")
_POLICY = "slipway-upload"
_ANY_BUCKET = "*"  # one installation has the embedded storage to itself, and S3_BUCKET may name any bucket of it


def put_only_policy(bucket: str) -> dict[str, Any]:
    """What the identity may do, as S3-compatible storages read it."""
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
    """Make the identity and its policy, or set both again. `address` is host and port of a storage that speaks plain
    http; `root` and `identity` are access key and secret key. Raises MinioAdminException and urllib3's errors."""
    admin = MinioAdmin(
        endpoint=address, credentials=StaticProvider(*root), secure=False, region=region, http_client=http
    )
    admin.policy_add(_POLICY, policy=put_only_policy(_ANY_BUCKET))
    admin.user_add(*identity)
    admin.policy_set(_POLICY, user=identity[0])
