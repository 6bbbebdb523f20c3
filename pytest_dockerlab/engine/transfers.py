"""Images to and from registries, and what became of each layer."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from pytest_dockerlab.engine.api import PODMAN_API
from pytest_dockerlab.engine.results import LayerTransfer, Transfer
from pytest_dockerlab.engine.translate import pull_error
from pytest_dockerlab.errors import EngineError, NotFound
from pytest_dockerlab.foreign import mapping, rows, said, text
from pytest_dockerlab.platforms import Platform, same
from pytest_dockerlab.reference import DOCKER_HUB, Reference

if TYPE_CHECKING:
    from pytest_dockerlab.engine.engine import Engine
    from pytest_dockerlab.image.model import Image

__all__ = ["TRANSFER_SECONDS", "Progress", "error_in", "pull", "push"]

#: Seconds of silence after which a transfer has failed: a registry may take its time over a large layer.
TRANSFER_SECONDS = 600.0
_LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
_HUB_KEY = "https://index.docker.io/v1/"

Progress = Callable[[str], None]


@dataclass(slots=True)
class _Heard:
    """What an engine said of a transfer: each layer's last word, the digest, its own last word."""

    layers: dict[str, str] = field(default_factory=dict)
    digest: str = ""
    last: str = ""


def pull(engine: Engine, ref: str, platform: Platform | None, on_progress: Progress | None) -> Transfer:
    """Bring an image from its registry; see ``Images.pull``."""
    name = Reference.parse(ref)
    about = f"pull of {ref}"
    if _plain(engine, name):
        return _pull_plain(engine, ref, platform, about, on_progress)
    # Without a tag the API would pull every tag there is.
    params: dict[str, object] = {"fromImage": _repository(name), "tag": name.digest or name.tag}
    if platform is not None:
        params["platform"] = str(platform)
    heard = _send(engine, "/images/create", params, name, about, on_progress)
    if platform is not None and engine.info.containerd_store and not name.digest:
        _alone(engine, ref, name, platform)
    image = engine.images.get(ref)
    return _transfer(image.id, heard, _unmentioned(image, len(heard.layers)))


def _alone(engine: Engine, ref: str, name: Reference, platform: Platform) -> None:
    """Let a name that was pulled for a platform mean that platform's image.

    As it is with graph drivers. In containerd's store the name stands for the list of all platforms, and what an
    engine makes of it depends on who asks: inspect (before API 1.49), save and a container's files take its own.
    """
    if not engine.api.at_least("1.48"):
        return
    told = engine.api.json("GET", f"/images/{ref}/json", params={"manifests": True}, about=f"image {ref!r}")
    for row in rows(told.get("Manifests"), "Manifests"):
        descriptor = mapping(mapping(row, "a manifest").get("Descriptor"), "Descriptor")
        there = mapping(descriptor.get("platform"), "platform")
        found = Platform(*(text(there.get(part), part) for part in ("os", "architecture", "variant")))
        if same(found, platform) and descriptor.get("digest") != told.get("Id"):
            exact = replace(name, tag="", digest=text(descriptor.get("digest"), "digest")).familiar
            _send(engine, "/images/create", {"fromImage": exact}, name, f"pull of {exact}", None)
            # By a name between the two: to remove a digest's takes off all names of the repository that mean it.
            between = f"dockerlab/pulled-{uuid.uuid4().hex}"
            engine.images.tag(exact, between)
            engine.images.remove(exact)
            engine.images.tag(between, ref)
            engine.images.remove(between)


def _unmentioned(image: Image, mentioned: int) -> tuple[LayerTransfer, ...]:
    """Layers that were there already: containerd's store does not speak of them, as the graph drivers do.

    They are the lowest ones: a layer is unpacked over those below it.
    """
    return tuple(_layer(layer, "Already exists") for layer in image.layers[: max(0, len(image.layers) - mentioned)])


def push(engine: Engine, ref: str, on_progress: Progress | None) -> Transfer:
    """Send an image to the registry that its name names; see ``Images.push``."""
    name = Reference.parse(ref)
    params: dict[str, object] = {"tag": name.tag}
    if _plain(engine, name):
        params["tlsVerify"] = False
    heard = _send(engine, f"/images/{_repository(name)}/push", params, name, f"push of {ref}", on_progress)
    return _transfer(engine.images.id(ref), heard)


def _plain(engine: Engine, name: Reference) -> bool:
    """Docker takes loopback registries without TLS (distribution's default), Podman wants to be told."""
    return engine.info.product == "Podman" and name.host.rpartition(":")[0] in _LOOPBACK


def _pull_plain(
    engine: Engine, ref: str, platform: Platform | None, about: str, on_progress: Progress | None
) -> Transfer:
    """By Podman's own API: the compatible one has no way to say so (podman:pkg/api/handlers/compat/images.go).

    It names blobs as it copies them and does not say which were there: that is found by what the engine had before.
    """
    before = [image.layers for image in engine.images.list(all=True)]
    params: dict[str, object] = {"reference": ref, "tlsVerify": False, "policy": "always"}
    if platform is not None:
        params |= {"OS": platform.os, "Arch": platform.architecture, "Variant": platform.variant or None}
    heard = _send(engine, f"{PODMAN_API}/images/pull", params, Reference.parse(ref), about, on_progress)
    image = engine.images.get(ref)
    kept = max((_shared(image.layers, other) for other in before), default=0)
    layers = [_layer(layer, "Already exists" if n < kept else "Pull complete") for n, layer in enumerate(image.layers)]
    digest = next((each.rpartition("@")[2] for each in image.digests if each.startswith(f"{_repository_of(ref)}@")), "")
    return replace(_transfer(image.id, heard), layers=tuple(layers), digest=digest)


def _shared(one: tuple[str, ...], other: tuple[str, ...]) -> int:
    return next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def _layer(diff_id: str, status: str) -> LayerTransfer:
    return LayerTransfer(id=diff_id.removeprefix("sha256:")[:12], status=status)


def _repository(name: Reference) -> str:
    return Reference(host=name.host, path=name.path, tag="").familiar


def _repository_of(ref: str) -> str:
    return _repository(Reference.parse(ref))


def _transfer(image: str, heard: _Heard, silent: tuple[LayerTransfer, ...] = ()) -> Transfer:
    spoken = tuple(LayerTransfer(id=layer, status=status) for layer, status in heard.layers.items())
    return Transfer(image=image, digest=heard.digest, layers=(*silent, *spoken), status=heard.last)


def _send(
    engine: Engine,
    path: str,
    params: Mapping[str, object],
    name: Reference,
    about: str,
    on_progress: Progress | None,
) -> _Heard:
    """Ask for it, and listen to the end.

    Raises:
        LabError: as ``pull_error`` decides.
    """
    try:
        response = engine.api.send(
            "POST",
            path,
            params=params,
            headers={"X-Registry-Auth": _credentials(name.host)},
            stream=True,
            timeout=TRANSFER_SECONDS,
            about=about,
            versioned=not path.startswith(PODMAN_API),
        )
    except (NotFound, EngineError) as error:
        if type(error) not in (NotFound, EngineError):
            raise
        raise pull_error(error.what.removeprefix(f"{about}: "), about) from error
    heard = _Heard()
    for event in engine.api.events(response, about):
        if message := error_in(event):
            raise pull_error(message, about)
        status, layer = said(event.get("status")), said(event.get("id"))
        heard.digest = _digest(event) or heard.digest
        if status and layer and layer != name.tag and not status.startswith("Pulling from"):
            if on_progress is not None and heard.layers.get(layer) != status:
                on_progress(f"{layer}: {status}")
            heard.layers[layer] = status
        elif status.startswith("Status: "):
            heard.last = status
    return heard


def _credentials(host: str) -> str:
    """What ``docker login`` stored for a registry, as the header wants it (docker-py reads stores and helpers)."""
    from docker import auth

    found = auth.load_config().resolve_authconfig(_HUB_KEY if host == DOCKER_HUB else host)
    return auth.encode_header(found or {}).decode()


def error_in(event: Mapping[str, Any]) -> str:
    """The error that a message of a stream tells, or ``""``."""
    # The plain "error" is deprecated since API 1.48.
    detail = event.get("errorDetail") or {}
    return said((detail.get("message") if isinstance(detail, Mapping) else "") or event.get("error"))


def _digest(event: Mapping[str, Any]) -> str:
    aux = event.get("aux")
    if isinstance(aux, Mapping) and aux.get("Digest"):
        return said(aux["Digest"])
    status = said(event.get("status"))
    if status.startswith("Digest: "):
        return status.removeprefix("Digest: ")
    _, found, rest = status.partition(": digest: ")  # "latest: digest: sha256:… size: 528"
    return rest.split(" ")[0] if found else ""
