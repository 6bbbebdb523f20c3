"""The images of one engine."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pytest_dockerlab.engine.image_files import EngineFiles, FileContainers
from pytest_dockerlab.engine.resources import label_filter
from pytest_dockerlab.engine.results import LayerTransfer, Transfer
from pytest_dockerlab.engine.shelf import Shelf, usual_place
from pytest_dockerlab.engine.translate import error_of, pull_error
from pytest_dockerlab.errors import EngineError, NotFound
from pytest_dockerlab.foreign import mapping, rows, text
from pytest_dockerlab.image.inspect import engine_history, image_from_inspect
from pytest_dockerlab.image.instructions import with_empty_layers
from pytest_dockerlab.image.model import Image
from pytest_dockerlab.platforms import Platform, same
from pytest_dockerlab.reference import DOCKER_HUB, Reference

if TYPE_CHECKING:
    from pytest_dockerlab.engine.engine import Engine

__all__ = ["Images"]

#: Seconds of silence after which a transfer has failed: a registry may take its time over a large layer.
_TRANSFER_SECONDS = 600.0
_LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
_HUB_KEY = "https://index.docker.io/v1/"

Progress = Callable[[str], None]


class Images:
    """Verbs on images; every one takes a name or an id."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._api = engine.api
        self._containers = FileContainers(engine)
        self._files: dict[str, EngineFiles] = {}
        self._shelf = Shelf(usual_place())

    # What is

    def get(self, ref: str) -> Image:
        """The image; it is not pulled.

        Its history says which entries made a layer where that follows from what the
        engine tells; ``image.files.history()`` always knows.

        Raises:
            NotFound: the engine has no such image.
        """
        inspect = self._inspect(ref)
        rows = self._api.json("GET", f"/images/{inspect['Id']}/history", about=f"image {ref!r}")
        layers = tuple((inspect.get("RootFS") or {}).get("Layers") or ())
        return image_from_inspect(
            inspect,
            history=with_empty_layers(engine_history(rows or ()), len(layers)),
            files=self._files_of(str(inspect["Id"]), layers, int(inspect.get("Size") or 0)),
        )

    def _files_of(self, image: str, layers: tuple[str, ...], size: int) -> EngineFiles:
        # One for all who ask: an image does not change, so what one has found out is true for the others.
        made = EngineFiles(self._engine, self._containers, image, layers=layers, size=size, keep=self._shelf)
        return self._files.setdefault(image, made)

    def id(self, ref: str) -> str:
        """Which image a name means now.

        Raises:
            NotFound: the engine has no such image.
        """
        return str(self._inspect(ref)["Id"])

    def _inspect(self, ref: str) -> Mapping[str, Any]:
        answer: Mapping[str, Any] = self._api.json("GET", f"/images/{ref}/json", about=f"image {ref!r}")
        return answer

    def list(self, labels: Mapping[str, str] = {}, all: bool = False) -> tuple[Image, ...]:
        """The images that carry all of ``labels`` (an empty value matches any).

        Args:
            all: those between the layers of classic builds, too.
        """
        rows = self._api.json(
            "GET", "/images/json", params={"all": all, "filters": label_filter(labels)}, about="images"
        )
        found = []
        for row in rows or ():
            try:
                found.append(self.get(row["Id"]))
            except NotFound:  # somebody removed it between the two questions
                continue
        return tuple(found)

    # To and from registries

    def pull(self, ref: str, platform: Platform | None = None, on_progress: Progress | None = None) -> Transfer:
        """Bring an image from its registry.

        Raises:
            NotFound: the registry has no such image, or not for this platform.
            BaseImageMissing: the registry can't be reached, or limits the rate.
            DiskFull: the engine has no space left.
        """
        name = Reference.parse(ref)
        # Without a tag the API would pull every tag there is.
        repository = Reference(host=name.host, path=name.path, tag="").familiar
        params: dict[str, object] = {"fromImage": repository, "tag": name.digest or name.tag}
        if platform is not None:
            params["platform"] = str(platform)
        pulled = self._transfer("/images/create", params, name, ref, on_progress)
        if platform is not None and self._engine.info.containerd_store and not name.digest:
            pulled = replace(pulled, image=self._alone(ref, name, platform))
        return replace(pulled, layers=(*self._unmentioned(ref, pulled), *pulled.layers))

    def _alone(self, ref: str, name: Reference, platform: Platform) -> str:
        """Let a name that was pulled for a platform mean that platform's image, and return its id.

        As it is with graph drivers. In containerd's store the name stands for the list of all platforms, and what an
        engine makes of it depends on who asks: inspect (before API 1.49), save and a container's files take its own.
        """
        if not self._api.at_least("1.48"):
            return self.id(ref)
        said = self._api.json("GET", f"/images/{ref}/json", params={"manifests": True}, about=f"image {ref!r}")
        for row in rows(said.get("Manifests"), "Manifests"):
            descriptor = mapping(mapping(row, "a manifest").get("Descriptor"), "Descriptor")
            there = mapping(descriptor.get("platform"), "platform")
            found = Platform(*(text(there.get(part), part) for part in ("os", "architecture", "variant")))
            if same(found, platform) and descriptor.get("digest") != said.get("Id"):
                exact = replace(name, tag="", digest=text(descriptor.get("digest"), "digest")).familiar
                self._transfer("/images/create", {"fromImage": exact}, name, exact, None)
                # By a name between the two: to remove a digest's takes off all names of the repository that mean it.
                between = f"dockerlab/pulled-{uuid.uuid4().hex}"
                self.tag(exact, between)
                self.remove(exact)
                self.tag(between, ref)
                self.remove(between)
        return self.id(ref)

    def _unmentioned(self, ref: str, pulled: Transfer) -> tuple[LayerTransfer, ...]:
        """Layers that were there already: containerd's store does not speak of them, as the graph drivers do.

        They are the lowest ones: a layer is unpacked over those below it.
        """
        layers = self.get(ref).layers
        return tuple(
            LayerTransfer(id=layer.removeprefix("sha256:")[:12], status="Already exists")
            for layer in layers[: max(0, len(layers) - len(pulled.layers))]
        )

    def push(self, ref: str, on_progress: Progress | None = None) -> Transfer:
        """Send an image to the registry that its name names.

        Raises:
            NotFound: the engine has no such image.
            BaseImageMissing: the registry can't be reached.
        """
        name = Reference.parse(ref)
        repository = Reference(host=name.host, path=name.path, tag="").familiar
        params: dict[str, object] = {"tag": name.tag}
        if self._engine.info.product == "Podman" and name.host.rpartition(":")[0] in _LOOPBACK:
            # Docker takes loopback registries without TLS, Podman wants to be told.
            params["tlsVerify"] = False
        return self._transfer(f"/images/{repository}/push", params, name, ref, on_progress)

    def _transfer(
        self, path: str, params: Mapping[str, object], name: Reference, ref: str, on_progress: Progress | None
    ) -> Transfer:
        about = f"push of {ref}" if path.endswith("/push") else f"pull of {ref}"
        headers = {"X-Registry-Auth": self._credentials(name.host)}
        try:
            response = self._api.send(
                "POST", path, params=params, headers=headers, stream=True, timeout=_TRANSFER_SECONDS, about=about
            )
        except (NotFound, EngineError) as error:
            if type(error) not in (NotFound, EngineError):
                raise
            raise pull_error(error.what.removeprefix(f"{about}: "), about) from error
        layers: dict[str, str] = {}
        digest = last = ""
        for event in self._api.events(response, about):
            if message := _error(event):
                raise pull_error(message, about)
            status, layer = str(event.get("status") or ""), str(event.get("id") or "")
            digest = _digest(event) or digest
            if layer and layer != name.tag and not status.startswith("Pulling from"):
                if on_progress is not None and layers.get(layer) != status:
                    on_progress(f"{layer}: {status}")
                layers[layer] = status
            elif status.startswith("Status: "):
                last = status
        return Transfer(
            image=str(self._inspect(ref)["Id"]),
            digest=digest,
            layers=tuple(LayerTransfer(id=layer, status=status) for layer, status in layers.items()),
            status=last,
        )

    def _credentials(self, host: str) -> str:
        """What ``docker login`` stored for a registry, as the header wants it (docker-py reads stores and helpers)."""
        from docker import auth

        found = auth.load_config().resolve_authconfig(_HUB_KEY if host == DOCKER_HUB else host)
        return auth.encode_header(found or {}).decode()

    # Names

    def tag(self, ref: str, name: str) -> None:
        """Give an image another name; one that another image has moves over.

        Raises:
            NotFound: no such image.
        """
        parsed = Reference.parse(name)
        params = {"repo": Reference(host=parsed.host, path=parsed.path, tag="").familiar, "tag": parsed.tag}
        self._api.send("POST", f"/images/{ref}/tag", params=params, about=f"image {ref!r}")

    def remove(self, ref: str, force: bool = False) -> tuple[str, ...]:
        """Take a name off an image, and remove the image with its last name.

        Args:
            force: remove it by id though it has several names, or though a stopped container uses it.

        Returns:
            What was done, line by line: ``Untagged: alpine:latest``, ``Deleted: sha256:…``.

        Raises:
            Conflict: something uses it; the message is the engine's reason.
            NotFound: no such image.
        """
        image = str(self._inspect(ref)["Id"])
        self._containers.drop(image)
        rows = self._api.json("DELETE", f"/images/{ref}", params={"force": force}, about=f"image {ref!r}")
        return tuple(f"{verb}: {name}" for row in rows or () for verb, name in row.items())

    # Archives

    def save(self, *refs: str) -> Iterator[bytes]:
        """Images as the chunks of one ``docker save`` tar.

        Raises:
            NotFound: no such image.
        """
        about = f"save of {', '.join(refs)}"
        response = self._api.send(
            "GET", "/images/get", params={"names": refs}, stream=True, timeout=_TRANSFER_SECONDS, about=about
        )
        return self._api.chunks(response, about)

    def load(self, stream: Iterable[bytes]) -> tuple[str, ...]:
        """Read a ``docker save`` tar.

        Returns:
            The images' names, or ids where they have none.

        Raises:
            UsageError, EngineError: the engine can't read it.
            DiskFull: the engine has no space left.
        """
        about = "load of an image archive"
        response = self._api.send(
            "POST",
            "/images/load",
            params={"quiet": True},
            data=_chunked(stream),
            headers={"Content-Type": "application/x-tar"},
            stream=True,
            timeout=_TRANSFER_SECONDS,
            about=about,
        )
        names: list[str] = []
        for event in self._api.events(response, about):
            if message := _error(event):
                raise error_of(0, message, about)
            for line in str(event.get("stream") or "").splitlines():
                head, _, name = line.partition(": ")
                if head in ("Loaded image", "Loaded image ID", "Loaded image(s)"):
                    names.extend(part.strip() for part in name.split(","))
        if not names:
            raise EngineError(f"{about}: the engine loaded nothing", remedy="the archive holds no image")
        return tuple(names)

    def import_(
        self, stream: Iterable[bytes], ref: str, changes: tuple[str, ...] = (), platform: Platform | None = None
    ) -> str:
        """Make an image of one layer from a tar of a file tree, and return its id.

        Args:
            changes: Dockerfile instructions (``CMD ["sh"]``) for its configuration.
            platform: what the image says of itself. Engine 20.10 does not heed it.
        """
        name = Reference.parse(ref)
        about = f"import of {ref}"
        labels = [f'LABEL "{key}"="{value}"' for key, value in self._engine.labels.items()]
        params: dict[str, object] = {
            "fromSrc": "-",
            "repo": Reference(host=name.host, path=name.path, tag="").familiar,
            "tag": name.tag,
            "changes": [*changes, *labels],
            "platform": None if platform is None else str(platform),
        }
        response = self._api.send(
            "POST",
            "/images/create",
            params=params,
            data=_chunked(stream),
            headers={"Content-Type": "application/x-tar"},
            stream=True,
            timeout=_TRANSFER_SECONDS,
            about=about,
        )
        for event in self._api.events(response, about):
            if message := _error(event):
                raise error_of(0, message, about)
        return str(self._inspect(ref)["Id"])

    def close(self) -> None:
        """Remove the containers that images were looked at through."""
        self._files.clear()
        self._containers.close()


def _chunked(stream: Iterable[bytes]) -> Iterator[bytes]:
    """As a generator: requests would send bytes, or what has a length, in one piece."""
    if isinstance(stream, bytes):
        yield stream
    else:
        yield from (chunk for chunk in stream if chunk)  # an empty chunk would end the body


def _error(event: Mapping[str, Any]) -> str:
    # The plain "error" is deprecated since API 1.48.
    detail = event.get("errorDetail") or {}
    return str((detail.get("message") if isinstance(detail, Mapping) else "") or event.get("error") or "")


def _digest(event: Mapping[str, Any]) -> str:
    aux = event.get("aux")
    if isinstance(aux, Mapping) and aux.get("Digest"):
        return str(aux["Digest"])
    status = str(event.get("status") or "")
    if status.startswith("Digest: "):
        return status.removeprefix("Digest: ")
    _, found, rest = status.partition(": digest: ")  # "latest: digest: sha256:… size: 528"
    return rest.split(" ")[0] if found else ""
