"""From presign to a picture that anybody can fetch, in one go."""

from __future__ import annotations

import base64
import hashlib

from flask.testing import FlaskClient

from tests.app.api.v1.calling import Studio, answered, put
from tests.app.images.images import picture


def test_an_image_is_presigned_put_confirmed_listed_and_served(studio: Studio, client: FlaskClient) -> None:
    data = picture(75, 105)

    presigned = answered(studio.presign(data, fileName="lantern.png"))
    assert set(presigned) == {"signedUrl", "key", "publicUrl", "contentType"}
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")
    assert presigned["key"].startswith(f"uploads/sh/sha256-{digest}")
    assert presigned["publicUrl"] == f"http://localhost/{presigned['key']}"
    assert presigned["contentType"] == "image/png"
    assert client.get(f"/{presigned['key']}").status_code == 404

    assert put(presigned["signedUrl"], data, "image/png") == 200
    assert answered(studio.confirm(presigned, data)) == {"ok": True}

    (asset,) = studio.assets()
    assert asset == {
        "id": asset["id"],
        "componentId": None,
        "kind": "image",
        "sourceUrl": presigned["publicUrl"],
        "mimeType": "image/png",
        "widthPx": 75,
        "heightPx": 105,
        "createdAt": asset["createdAt"],
        "key": presigned["key"],
        "fileName": "lantern.png",
        "byteSize": len(data),
    }
    assert isinstance(asset["createdAt"], int)

    served = client.get(asset["sourceUrl"])
    assert served.status_code == 200
    assert served.data == data
    assert served.mimetype == "image/png"
