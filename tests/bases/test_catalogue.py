"""Which names have a stand-in, and when one is stale."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pytest_dockerlab.bases.apt import Source
from pytest_dockerlab.bases.catalogue import RECIPES, bases_of, content_key, find_recipe, recipe_files
from pytest_dockerlab.bases.host import Host
from pytest_dockerlab.platforms import Platform
from pytest_dockerlab.reference import Reference

HOST = Host(
    distribution="debian",
    suite="bookworm",
    version="12",
    sources=(Source(uris=("http://a.example",), suites=("bookworm",), components=("main",)),),
    pip="[global]\n",
)
AMD64 = Platform()


@pytest.mark.parametrize(
    ("name", "recipe"),
    [
        ("python:3.10", "python:3.10"),
        ("docker.io/library/python", "python:3.10"),
        ("python:3.12-slim", "python:3.10-slim"),
        ("python:3.12-slim-bookworm", "python:3.10-slim"),
        ("ubuntu", "ubuntu"),
        ("ubuntu:22.04", "ubuntu"),
        ("alpine:3.19", "alpine"),
        ("debian:bookworm-slim", "debian"),
        ("debian:12", "debian"),
        ("hello-world", "hello-world"),
        ("jupyter/datascience-notebook", "jupyter/datascience-notebook"),
        ("python:3.12-slim-trixie", None),
        ("python:2.7", None),
        ("debian:trixie", None),
        ("python:3.10-alpine", None),
        ("nginx", None),
        ("quay.io/library/python:3.10", None),
        ("someone/python:3.10", None),
        ("python@sha256:" + "0" * 64, None),
    ],
)
def test_names_that_have_a_stand_in(name: str, recipe: str | None) -> None:
    """Only names of Docker Hub without a digest do, and no tag that promises another distribution."""
    found = find_recipe(Reference.parse(name), HOST)
    assert (found.name if found else None) == recipe


def test_a_key_follows_what_the_image_is_made_of() -> None:
    """pip's configuration makes Python's stand-ins stale and nothing else, package sources all that has packages."""
    keys = {name: content_key(recipe, HOST, AMD64) for name, recipe in RECIPES.items()}
    assert len(set(keys.values())) == len(keys)

    def changed(host: Host, platform: Platform = AMD64) -> set[str]:
        return {name for name, recipe in RECIPES.items() if content_key(recipe, host, platform) != keys[name]}

    python = {"python:3.10-slim", "python:3.10", "jupyter/datascience-notebook"}
    assert changed(HOST) == set()
    assert changed(replace(HOST, pip="[global]\nindex-url = https://b.example\n")) == python
    assert changed(replace(HOST, authorities=(("host-1.crt", "PEM"),))) == {*python, "debian", "ubuntu"}
    assert changed(replace(HOST, apt_options=(("Acquire::Retries", "3"),))) == {*python, "debian", "ubuntu"}
    assert changed(HOST, Platform("linux", "arm64")) == set(RECIPES)


@pytest.mark.parametrize(
    "recipe", [recipe for recipe in RECIPES.values() if recipe.folder], ids=lambda recipe: recipe.name
)
def test_a_dockerfile_builds_on_its_parent(recipe: object) -> None:
    """Each stage starts from a recipe, the last from the parent whose layers the registry has already."""
    found = next(each for each in RECIPES.values() if each is recipe)
    bases = bases_of(found)
    assert bases[-1].name == found.parent
    assert all(base.name in RECIPES for base in bases)
    copied = {name for name in recipe_files(found) if name != "Dockerfile"}
    text = recipe_files(found)["Dockerfile"].decode()
    assert all(name in text for name in copied)


def test_names_serve_their_own_recipe() -> None:
    """A recipe's own name leads to it."""
    assert [find_recipe(recipe.reference, HOST) for recipe in RECIPES.values()] == list(RECIPES.values())
