"""The images of one engine."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from pytest_dockerlab.engine import transfers
from pytest_dockerlab.engine.image_files import EngineFiles, FileContainers
from pytest_dockerlab.engine.resources import label_filter
from pytest_dockerlab.engine.results import Transfer
from pytest_dockerlab.engine.shelf import Shelf, usual_place
from pytest_dockerlab.engine.transfers import TRANSFER_SECONDS, Progress, error_in
from pytest_dockerlab.engine.translate import error_of
from pytest_dockerlab.errors import EngineError, NotFound
from pytest_dockerlab.image.inspect import engine_history, image_from_inspect
from pytest_dockerlab.image.instructions import with_empty_layers
from pytest_dockerlab.image.model import Image
from pytest_dockerlab.platforms import Platform
from pytest_dockerlab.reference import Reference

if TYPE_CHECKING:
    from pytest_dockerlab.engine.engine import Engine

__all__ = ["Images"]


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
        return transfers.pull(self._engine, ref, platform, on_progress)

    def push(self, ref: str, on_progress: Progress | None = None) -> Transfer:
        """Send an image to the registry that its name names.

        Raises:
            NotFound: the engine has no such image.
            BaseImageMissing: the registry can't be reached.
        """
        return transfers.push(self._engine, ref, on_progress)

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
            "GET", "/images/get", params={"names": refs}, stream=True, timeout=TRANSFER_SECONDS, about=about
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
            timeout=TRANSFER_SECONDS,
            about=about,
        )
        names: list[str] = []
        for event in self._api.events(response, about):
            if message := error_in(event):
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
            timeout=TRANSFER_SECONDS,
            about=about,
        )
        for event in self._api.events(response, about):
            if message := error_in(event):
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
