"""One layer's tar: its own bookkeeping, padding and digest."""

from __future__ import annotations

import hashlib
import json

import pytest

from pytest_dockerlab.errors import FormatError
from pytest_dockerlab.image.manifests import described
from pytest_dockerlab.image.random import MadeFile, MadeImage, MadeStep
from tests.indexing import indexed


def tar(*names: str) -> bytes:
    return MadeImage(steps=(MadeStep(files=tuple(MadeFile(path=name) for name in names)),)).layers()[0]


def test_whiteouts_are_told_from_files() -> None:
    """Deleted paths and opaque folders are named; AUFS's own bookkeeping is neither a file nor a deletion."""
    layer = indexed([tar("/a/.wh.gone", "/b/.wh..wh..opq", "/.wh..wh.plnk", "/.wh..wh.aufs", "/kept")])
    assert (layer.deleted, layer.opaque) == (("/a/gone",), ("/b",))
    assert [entry.path for entry in layer.files.files] == ["/kept"]


def test_padding_belongs_to_the_digest() -> None:
    """A diff id is that of the whole blob, however many zeros follow the archive's end."""
    data = tar("/a") + bytes(300_000)
    assert indexed([data]).diff_id == f"sha256:{hashlib.sha256(data).hexdigest()}"


def test_attestations_are_no_images() -> None:
    """BuildKit puts one beside each image of an index; an image of another platform may be left out."""
    made = MadeImage(steps=())
    config = made.config_file()
    manifest = json.dumps({"config": {"digest": made.id}, "layers": []}).encode()
    index = {
        "manifests": [
            {"digest": "sha256:aa"},
            {"digest": "sha256:aa", "annotations": {"vnd.docker.reference.type": "attestation-manifest"}},
            {"digest": "sha256:cc"},
        ]
    }
    documents = {
        "index.json": json.dumps(index).encode(),
        "blobs/sha256/aa": manifest,
        f"blobs/sha256/{made.id.removeprefix('sha256:')}": config,
    }
    assert [image.id for image in described(documents, "archive")] == [made.id]


def test_a_digest_that_is_a_path_is_refused() -> None:
    """A manifest can't point out of the archive."""
    documents = {"index.json": json.dumps({"manifests": [{"digest": "sha256:../../etc/passwd"}]}).encode()}
    with pytest.raises(FormatError, match="not a digest: 'sha256:"):
        described(documents, "archive")
