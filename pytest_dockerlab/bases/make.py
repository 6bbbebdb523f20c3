"""Make a stand-in and put it into the local registry: once per machine and content."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from pytest_dockerlab.bases.archive import read_archive
from pytest_dockerlab.bases.blobs import Entry, Layer, compress, config_bytes, tar_of
from pytest_dockerlab.bases.busybox import busybox_tree, find_busybox
from pytest_dockerlab.bases.catalogue import KEY, LABEL, PYTHON, RECIPES, Recipe, bases_of, content_key, recipe_files
from pytest_dockerlab.bases.hello import hello_program
from pytest_dockerlab.bases.host import Host
from pytest_dockerlab.bases.rootfs import Tree
from pytest_dockerlab.bases.store import Store, StoredImage
from pytest_dockerlab.build.spec import BuildSpec
from pytest_dockerlab.engine import private
from pytest_dockerlab.errors import BaseImageMissing, BuildFailed, NotFound
from pytest_dockerlab.places import cache_dir
from pytest_dockerlab.platforms import Platform

if TYPE_CHECKING:
    from pytest_dockerlab.engine.engine import Engine

__all__ = ["Maker", "locked"]

_BUILD_SECONDS = 1200.0

# Brings a recipe's image onto the engine and returns the name that it has there.
Deliver = Callable[[Recipe, Platform], str]


class Maker:
    """Makes stand-ins with one engine into one registry.

    Args:
        engine: runs the Dockerfiles; the simpler recipes need none.
        store: where the images go.
        host: what they are made from.
        deliver: brings the image that a Dockerfile builds on.
        tell: is told what happens, a line at a time.

    Attributes:
        built: recipe's name → name that its image has on the engine until ``close``.
    """

    def __init__(
        self, engine: Engine | None, store: Store, host: Host, *, deliver: Deliver, tell: Callable[[str], None]
    ) -> None:
        self._engine = engine
        self._store = store
        self._host = host
        self._deliver = deliver
        self._tell = tell
        self.built: dict[str, str] = {}

    def close(self) -> None:
        """Take the names off that images had while they were built."""
        while self.built and self._engine is not None:
            _, name = self.built.popitem()
            with contextlib.suppress(NotFound):  # Somebody cleaned up before us: what we wanted.
                self._engine.images.remove(name)

    def find(self, recipe: Recipe, platform: Platform) -> StoredImage | None:
        """The stand-in, if the registry has it and it is what would be made now."""
        image = self._store.find(recipe.reference.path, recipe.reference.tag, platform)
        return image if image and image.key == content_key(recipe, self._host, platform) else None

    def make(self, recipe: Recipe, platform: Platform) -> StoredImage:
        """The stand-in out of the registry, made if need be; other processes that want it wait for this one.

        Raises:
            BaseImageMissing: it can't be made here; says why.
        """
        if image := self.find(recipe, platform):
            return image
        if recipe.needs_packages and self._host.obstacle:
            raise BaseImageMissing(
                self._host.obstacle, remedy="pull the image where Docker Hub answers, or name a mirror of it"
            )
        with locked(f"standin-{_slug(recipe, platform)}", lambda: self._tell(f"waiting: {recipe.name} is being made")):
            if image := self.find(recipe, platform):
                return image
            with _workspace(_slug(recipe, platform)) as folder:
                base = self.make(RECIPES[recipe.parent], platform) if recipe.parent else None
                self._tell(f"making the stand-in for {recipe.name} (once per machine)")
                config, layers = self._parts(recipe, platform, folder, base)
                manifest = self._store.put(recipe.reference.path, config, layers, base=base)
            self.tag(recipe, recipe.reference.tag, manifest, platform)
        image = self.find(recipe, platform)
        if image is None:
            raise BaseImageMissing(f"the stand-in for {recipe.name} was made and is not in the local registry")
        return image

    def tag(self, recipe: Recipe, tag: str, manifest: str, platform: Platform) -> None:
        """Give a stand-in that is in the registry another tag of its repository."""
        with locked(f"index-{recipe.reference.path.replace('/', '-')}"):
            self._store.tag(recipe.reference.path, tag, manifest, platform)

    def _labels(self, recipe: Recipe, platform: Platform) -> dict[str, str]:
        return {LABEL: recipe.name, KEY: content_key(recipe, self._host, platform)}

    def _parts(
        self, recipe: Recipe, platform: Platform, folder: Path, base: StoredImage | None
    ) -> tuple[bytes, tuple[Layer, ...]]:
        if recipe.source == "dockerfile":
            assert base is not None
            return self._build(recipe, platform, folder, base)
        labels = self._labels(recipe, platform)
        if recipe.source == "same":
            assert base is not None
            layers, created_by = base.layers, f"the tree of {recipe.parent}'s stand-in"
        elif recipe.source == "packages":
            self._tell(
                f"a minimal {self._host.suite} for {platform} from {self._host.distribution}'s packages (some 20 s)"
            )
            tree = Tree(host=self._host, platform=platform, folder=folder)
            with tree.stream() as content:
                layers = (compress(content, folder / "layer"),)
            labels[PYTHON] = tree.python
            created_by = f"a minimal tree of {self._host.suite}"
        else:
            if recipe.source == "program":
                entries: tuple[Entry, ...] = (Entry(path="hello", content=hello_program(platform)),)
            else:
                entries = busybox_tree(find_busybox(platform, folder, self._host), self._host)
            file = folder / "tree.tar"
            file.write_bytes(tar_of(entries))
            with file.open("rb") as content:
                layers = (compress(content, folder / "layer"),)
            created_by = f"the files of {recipe.name}'s stand-in"
        config = config_bytes(layers, platform, created_by=created_by, cmd=recipe.cmd, env=recipe.env, labels=labels)
        return config, layers

    def _build(
        self, recipe: Recipe, platform: Platform, folder: Path, base: StoredImage
    ) -> tuple[bytes, tuple[Layer, ...]]:
        engine = self._engine
        if engine is None:
            raise BaseImageMissing(f"the stand-in for {recipe.name} is built by an engine, and there is none")
        context = folder / "context"
        context.mkdir()
        for name, content in recipe_files(recipe).items():
            (context / name).write_bytes(content)
        args = {"LISTS": f"{datetime.now(timezone.utc):%Y-%m-%d}"}
        if recipe.uses_pip:
            (context / "pip.conf").write_text(self._host.pip, encoding="utf-8")
            args["PYTHON_VERSION"] = base.labels.get(PYTHON, "")
        if fence := private.fence(engine.endpoint.url):
            args |= fence.args(fence.way_out)
        name = f"dockerlab-making/{recipe.folder}:{uuid.uuid4().hex[:12]}"
        spec = BuildSpec(
            context=context,
            tags=(name,),
            args=args,
            labels=self._labels(recipe, platform),
            platform=None if platform == engine.info.platform else platform,
            timeout=_BUILD_SECONDS,
            replace_bases={each.name: self._deliver(each, platform) for each in bases_of(recipe)},
        )
        try:
            engine.build(spec, self._tell)
        except BuildFailed as error:
            raise BaseImageMissing(
                f"the stand-in for {recipe.name} could not be built:\n{error}",
                remedy="see whether builds reach the package sources that this machine uses",
            ) from error
        self.built[recipe.name] = name
        saved = folder / "saved.tar"
        with saved.open("wb") as output:
            for chunk in engine.images.save(name):
                output.write(chunk)
        return read_archive(saved, folder, base)


def _slug(recipe: Recipe, platform: Platform) -> str:
    return re.sub(r"[^a-z0-9]+", "-", f"{recipe.name}-{platform}")


@contextmanager
def locked(name: str, waiting: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Hold the lock of this name between processes and threads; the file stays, see docs/bases.md."""
    path = cache_dir() / "locks" / f"{name}.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0.2)
    except Timeout:
        waiting()
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _workspace(slug: str) -> Iterator[Path]:
    """A folder for what is on its way; what a killed run left in it is removed. The stand-in's lock is held.

    The packages' tools may work as another user id, which has no way into root's or a user's own folders.
    """
    cache = hashlib.sha256(str(cache_dir()).encode()).hexdigest()[:8]  # whose lock it is that we hold
    top = Path(tempfile.gettempdir()) / f"dockerlab-making-{os.getuid()}-{cache}-{slug}"
    if top.is_symlink() or (top.exists() and top.stat().st_uid != os.getuid()):
        raise BaseImageMissing(f"{top} is somebody else's", remedy="remove it, or set TMPDIR to another folder")
    shutil.rmtree(top, ignore_errors=True)
    top.mkdir(mode=0o755, exist_ok=True)
    try:
        yield top
    finally:
        shutil.rmtree(top, ignore_errors=True)
