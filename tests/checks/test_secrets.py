"""Secrets in hand-made images. The keys here are made up on the spot, and open nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO

import pytest

from pytest_dockerlab.checks.secrets import KNOWN_KEYS, mask, no_secret, read_wanted
from pytest_dockerlab.errors import NotFound, UsageError
from pytest_dockerlab.image.model import FileKind, FileStat, HistoryEntry, Image, ImageConfig, LayerFiles, Readable

SECRET = "hunter2-but-longer"


@dataclass
class Files:
    """Layers given as path → content; ``None`` deletes the path."""

    tree: tuple[dict[str, bytes | None], ...]

    def stat(self, path: str) -> FileStat:
        raise NotFound(path)

    def read(self, path: str) -> bytes:
        raise NotFound(path)

    def history(self) -> tuple[HistoryEntry, ...]:
        return ()

    def layers(self) -> tuple[LayerFiles, ...]:
        return tuple(
            LayerFiles(
                diff_id="",
                files=tuple(entry(path, data) for path, data in layer.items() if data is not None),
                deleted=tuple(path for path, data in layer.items() if data is None),
            )
            for layer in self.tree
        )

    def contents(self, first_layer: int = 0) -> Iterator[tuple[int, FileStat, Readable]]:
        for index, layer in enumerate(self.tree):
            for path, data in layer.items():
                if data is not None and index >= first_layer:
                    yield index, entry(path, data), BytesIO(data)


def entry(path: str, data: bytes) -> FileStat:
    return FileStat(path=path, kind=FileKind.FILE, mode=0o644, size=len(data))


def image(*tree: dict[str, bytes | None], config: ImageConfig | None = None, history: tuple[str, ...] = ()) -> Image:
    layers = tuple(f"sha256:{n:064}" for n in range(len(tree)))
    entries = tuple(
        HistoryEntry(created_by=text, empty_layer=n >= len(tree), comment="buildkit.dockerfile.v0")
        for n, text in enumerate(history)
    )
    files = Files(tree)
    return Image(
        id="sha256:1", layers=layers, tags=("x:1",), config=config or ImageConfig(), history=entries, files=files
    )


def said(subject: Image, wanted: object = SECRET) -> str:
    checked = no_secret(subject, read_wanted(wanted))  # type: ignore[arg-type]
    assert len(checked.findings) == 1
    return str(checked.findings[0])


def test_an_image_without_it_says_how_much_was_looked_at() -> None:
    """Layers, files and bytes."""
    scan = no_secret(image({"/a": b"abc"}, {"/b": b"de"}), read_wanted(SECRET)).evidence
    assert (scan.layers, scan.files, scan.size) == (2, 2, 5)


def test_a_deleted_file_gives_its_secret_away() -> None:
    """The layer that holds it, the instruction that made it, and the layer that deletes it are named."""
    shop = image(
        {"/key": f"k={SECRET}".encode()},
        {"/key": None},
        history=("COPY key /key # buildkit", "RUN /bin/sh -c rm /key # buildkit"),
    )
    text = said(shop)
    assert "image x:1 gives away secret 1" in text
    assert "where:    layer 1 of 2 (COPY key /key): /key (deleted in layer 2)" in text
    assert SECRET not in text
    assert "hun…(18 characters)" in text


@pytest.mark.parametrize(
    ("config", "where"),
    [
        (ImageConfig(env={"API_KEY": SECRET}), "environment variable API_KEY"),
        (ImageConfig(labels={"note": f"pw {SECRET}"}), "label note"),
        (ImageConfig(cmd=("app", f"--password={SECRET}")), "CMD"),
        (ImageConfig(entrypoint=(SECRET,)), "ENTRYPOINT"),
    ],
)
def test_configuration_gives_secrets_away(config: ImageConfig, where: str) -> None:
    """Whoever has the image can inspect it."""
    text = said(image(config=config))
    assert f"where:    {where}" in text
    assert SECRET not in text


def test_build_arguments_stay_in_the_history() -> None:
    """The instruction is shown with the secret masked, not cut in half."""
    filler = "x" * 50
    text = said(image({}, history=(f"RUN |1 PASSWORD={SECRET} /bin/sh -c echo {filler}{SECRET} # buildkit",)))
    assert "history, line 1: RUN" in text
    assert SECRET not in text
    assert SECRET[:8] not in text
    assert "--mount=type=secret" in text


def test_names_of_files_and_links_are_looked_at() -> None:
    """A secret is found in a path, and masked there."""
    text = said(image({f"/run/{SECRET}": b""}))
    assert "in the name: hun…" in text
    assert SECRET not in text


def test_layers_of_a_base_can_be_left_out() -> None:
    """What is in the base is somebody else's."""
    shop = image({"/a": SECRET.encode()}, {"/b": b""})
    assert no_secret(shop, read_wanted(SECRET), first_layer=1).ok
    assert not no_secret(shop, read_wanted(SECRET)).ok


def test_several_secrets_are_findings_with_their_names() -> None:
    """Patterns among them."""
    shop = image({"/a": b"token=abc123 and hunter2-but-longer"})
    wanted = read_wanted({"the token": re.compile("token=[a-z0-9]+"), "the password": SECRET, "other": "not there"})
    whats = [finding.what for finding in no_secret(shop, wanted).findings]
    assert whats == ["image x:1 gives away the token", "image x:1 gives away the password"]


def test_a_secret_in_many_places_is_one_finding() -> None:
    """With the places in it."""
    tree: dict[str, bytes | None] = {f"/f{n}": SECRET.encode() for n in range(12)}
    text = said(image(tree))
    assert "/f0" in text
    assert "… and 4 more" in text


def key(kind: str) -> bytes:
    """A text of the form, put together here so that no scanner of sources finds one."""
    digits = "0123456789abcdefghijABCDEFGHIJ0123456789"
    line = b"M" * 64 + b"\n"
    return {
        "OpenAI-style key": b"sk-" + digits[:24].encode(),
        "AWS access key": b"AKIA" + b"Q" * 16,
        "GitHub token": b"ghp_" + digits[:36].encode(),
        "Slack token": b"xoxb-" + b"1234567890-" + digits[:20].encode(),
        "Google API key": b"AIza" + digits[:35].encode(),
        "Hugging Face token": b"hf_" + b"a" * 34,
        "private key": b"-----BEGIN " + b"RSA PRIVATE KEY-----\n" + line * 3,
    }[kind]


@pytest.mark.parametrize("kind", sorted(KNOWN_KEYS))
def test_known_forms_of_keys_are_found(kind: str) -> None:
    """Without being asked for by value, and masked."""
    text = said(image({"/app/.env": b"KEY=" + key(kind) + b"\n"}), None)
    assert f"gives away {kind}" in text
    assert key(kind).decode()[4:20] not in text


@pytest.mark.parametrize(
    ("path", "data"),
    [
        ("/etc/ssl/certs/ca.pem", b"-----BEGIN CERTIFICATE-----\n" + b"M" * 64 + b"\n" + b"M" * 64 + b"\n"),
        ("/usr/lib/python3/test/keycert.pem", key("private key")),
        ("/opt/venv/lib/python3.10/site-packages/x/tests/key.pem", key("private key")),
        ("/usr/bin/openssl", b"-----BEGIN PRIVATE " + b"KEY-----\0-----END PRIVATE KEY-----"),
        ("/a", b"AKIAIOSFODNN7" + b"EXAMPLE"),
        ("/a", b"task-abcdefghijklmnopqrstuvwx1"),
        ("/a", b"sk-estimator-doc-link-container"),
        ("/a", b"sk-abcdefghijklmnopqrstuvwxyz"),
    ],
)
def test_certificates_fixtures_and_look_alikes_are_no_alarm(path: str, data: bytes) -> None:
    """Base images are full of them."""
    assert no_secret(image({path: data}), read_wanted(None)).findings == ()


def test_what_would_be_found_everywhere_is_refused() -> None:
    """Short texts, nothing, and an image whose files can't be seen."""
    with pytest.raises(UsageError, match="secret 1 has 4 characters: too short"):
        read_wanted("1234")
    with pytest.raises(UsageError, match="no secret was named"):
        read_wanted([])
    with pytest.raises(UsageError, match="has no files to look at"):
        no_secret(Image(id="sha256:1", layers=()), read_wanted(SECRET))


def test_a_mask_never_shows_more_than_a_quarter() -> None:
    """And at most three characters."""
    assert mask("abcdefgh") == "ab…(8 characters)"
    assert mask("a" * 40) == "aaa…(40 characters)"
