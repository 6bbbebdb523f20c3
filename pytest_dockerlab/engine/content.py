"""What a build is made of, as one key: builds with the same key run the same steps."""

from __future__ import annotations

import hashlib
import tarfile
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import IO, TYPE_CHECKING

from pytest_dockerlab.build.dockerfile import Dockerfile, parse, same_image
from pytest_dockerlab.engine.context import pack, plan_context, read_dockerfile
from pytest_dockerlab.errors import NotFound, UsageError

if TYPE_CHECKING:
    from pytest_dockerlab.build.spec import BuilderName, BuildSpec
    from pytest_dockerlab.engine.engine import Engine

__all__ = ["Turn", "content_key", "content_of", "resolved_bases"]

#: Given a content's key: held while the engine builds it, so that a second one finds the first one's steps.
Turn = Callable[[str], AbstractContextManager[object]]
_CHUNK = 1 << 20


def resolved_bases(dockerfile: Dockerfile, spec: BuildSpec) -> tuple[str, ...]:
    """The names on the engine of the images that a build starts from or copies from."""
    return tuple(
        next((new for old, new in spec.replace_bases.items() if same_image(old, base.name)), base.name)
        for base in dockerfile.bases(spec.target)
    )


def content_of(engine: Engine, spec: BuildSpec) -> str:
    """The key of what would be built now.

    Raises:
        UsageError: the context or the Dockerfile can't be read.
    """
    dockerfile = parse(read_dockerfile(spec), str(spec.dockerfile_path), spec.args)
    with pack(plan_context(spec), dockerfile.text, engine_ignores=False).body as body:
        return content_key(engine, spec, dockerfile, spec.builder, body)


def content_key(
    engine: Engine, spec: BuildSpec, dockerfile: Dockerfile, builder: BuilderName | None, packed: IO[bytes]
) -> str:
    """A digest of what decides which steps a build runs: Dockerfile, arguments, bases, and the files that are sent.

    Names and labels of the result are left out, and when files were changed: no builder's cache looks at them.

    Args:
        packed: the context's archive, whose first entry is the Dockerfile; left at its beginning.
    """
    bases = []
    for name in resolved_bases(dockerfile, spec):
        try:
            bases.append(engine.images.get(name).id)
        except (NotFound, UsageError):
            bases.append(name)  # the builder will pull it, or say what is wrong with it
    decisive = replace(
        spec, context=Path(), dockerfile=None, tags=(), labels={}, timeout=0.0, builder=builder, replace_bases={}
    )
    digest = hashlib.sha256(repr((decisive, dockerfile.text, bases)).encode(errors="surrogateescape"))
    with tarfile.open(fileobj=packed, mode="r:", encoding="utf-8") as archive:
        for number, entry in enumerate(archive):
            if number == 0:
                continue  # the Dockerfile as it is sent, which names the bases
            said = (entry.name, entry.type, entry.mode, entry.size, entry.linkname)
            digest.update(repr(said).encode(errors="surrogateescape"))
            file = archive.extractfile(entry) if entry.isreg() else None
            while file is not None and (chunk := file.read(_CHUNK)):
                digest.update(chunk)
    packed.seek(0)
    return digest.hexdigest()
