"""What each test asked for in its body, kept in pytest's cache for the next run."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import CodeType
from typing import TYPE_CHECKING, Any

from pytest_dockerlab.errors import FormatError
from pytest_dockerlab.plugin.axis import place_of
from pytest_dockerlab.run.record import spec_from_json, spec_to_json
from pytest_dockerlab.run.spec import RunSpec

if TYPE_CHECKING:
    import pytest

__all__ = ["Memory", "Wish", "fingerprint", "key_of", "save"]

_KEY = "dockerlab/lookahead"
# Older ones go first: a suite that grows and moves for years must not make every run read its history.
_MOST = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """A container that a test asked for.

    Attributes:
        spec: without the labels of its owner.
        scope: of the lab that was asked.
        patient: it was waited for.
        image: the image's id where its name will be another one in the next run, else ``""``.
    """

    spec: RunSpec
    scope: str
    patient: bool = False
    image: str = ""


class Memory:
    """What tests asked for: in earlier runs by pytest's cache, in this one as far as it is told."""

    def __init__(self, records: Mapping[str, Any]) -> None:
        """Args:
        records: what ``save`` wrote; anything else is ignored.
        """
        tests, specs = records.get("tests"), records.get("specs")
        self._tests: dict[str, Any] = tests if isinstance(tests, dict) else {}
        self._specs: list[Any] = specs if isinstance(specs, list) else []
        self._siblings: dict[str, tuple[Wish, ...] | None] = {}

    @classmethod
    def of(cls, config: pytest.Config) -> Memory:
        """What earlier runs left; empty without the cache plugin."""
        cache = getattr(config, "cache", None)
        records = cache.get(_KEY, None) if cache is not None else None
        return cls(records if isinstance(records, dict) else {})

    def foresee(self, item: pytest.Item) -> tuple[Wish, ...]:
        """What a test will ask for: as when it last ran, if it is still the same; else as its siblings in this run."""
        try:
            mark, numbers = self._tests[key_of(item)]
            if mark == fingerprint(item):
                return tuple(wish_from_json(self._specs[number]) for number in numbers)
        except (KeyError, IndexError, TypeError, ValueError, FormatError):
            pass  # never seen, or written by another version
        return self._siblings.get(_family(item)) or ()

    def tell(self, item: pytest.Item, wishes: tuple[Wish, ...]) -> None:
        """What a test of this run has asked for. Siblings that differ say nothing about the others."""
        if (family := _family(item)) != key_of(item):
            known = self._siblings.get(family, wishes)
            self._siblings[family] = wishes if known == wishes else None


def key_of(item: pytest.Item) -> str:
    """A test on a platform: its id shows that only where it runs on several."""
    return " ".join(filter(None, (item.nodeid, place_of(item))))


def _family(item: pytest.Item) -> str:
    """What the tests of one parametrised function on a platform have in common."""
    return " ".join(filter(None, (item.nodeid.partition("[")[0], place_of(item))))


def fingerprint(item: pytest.Item) -> str:
    """Of a test function's code: another one when it was changed, the same when it was only moved."""
    code = getattr(inspect.unwrap(getattr(item, "function", lambda: None)), "__code__", None)
    if code is None:
        return ""
    digest = hashlib.sha256()
    for part in _code(code):
        digest.update(part.encode())
    return digest.hexdigest()[:16]


def _code(code: CodeType) -> Iterator[str]:
    yield code.co_code.hex()
    yield repr((code.co_names, code.co_varnames, code.co_freevars))
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _code(constant)
        else:
            # The order of a set's elements is another one in each process.
            yield repr(sorted(map(repr, constant)) if isinstance(constant, frozenset) else constant)


def record_of(item: pytest.Item, wishes: Iterable[Wish]) -> list[Any]:
    """For the cache. What has a variable whose value the test's file does not show stays out: it may be secret."""
    text = ""
    kept = []
    for wish in wishes:
        if wish.spec.env and not text:
            text = _text(item.path)
        if all(value in text for value in wish.spec.env.values()):
            kept.append(wish_to_json(wish))
    return [fingerprint(item), kept]


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8", errors="replace")
    except OSError:
        return ""


def wish_to_json(wish: Wish) -> dict[str, Any]:
    """Plain lists and mappings."""
    return {"spec": spec_to_json(wish.spec), "scope": wish.scope, "patient": wish.patient, "image": wish.image}


def wish_from_json(record: Any) -> Wish:
    """What ``wish_to_json`` wrote.

    Raises:
        FormatError: it did not write this.
    """
    try:
        scope, image = str(record["scope"]), str(record["image"])
        return Wish(spec=spec_from_json(record["spec"]), scope=scope, patient=bool(record["patient"]), image=image)
    except (TypeError, KeyError) as error:
        raise FormatError(f"not the record of a container: {record!r}") from error


def save(config: pytest.Config, learned: Mapping[str, Any]) -> None:
    """Write down what the tests of this run asked for; of tests that did not run the older word counts.

    Args:
        learned: test → ``record_of``.
    """
    cache = getattr(config, "cache", None)
    if cache is None:
        return
    old = cache.get(_KEY, None)
    old = old if isinstance(old, dict) else {}
    merged: dict[str, tuple[str, list[Any]]] = {}
    specs: list[Any] = old.get("specs") or []
    for test, record in (old.get("tests") or {}).items():
        try:
            merged[test] = (record[0], [specs[number] for number in record[1]])
        except (TypeError, IndexError, KeyError):
            continue  # written by another version
    for test, (mark, wishes) in learned.items():
        merged.pop(test, None)
        if wishes:
            merged[test] = (mark, wishes)
    cache.set(_KEY, _packed(dict(list(merged.items())[-_MOST:])))


def _packed(tests: Mapping[str, tuple[str, list[Any]]]) -> dict[str, Any]:
    # Most tests ask for the same few things.
    numbers: dict[str, int] = {}
    specs: list[Any] = []
    packed = {}
    for test, (mark, wishes) in tests.items():
        found = []
        for wish in wishes:
            text = repr(wish)
            if text not in numbers:
                numbers[text] = len(specs)
                specs.append(wish)
            found.append(numbers[text])
        packed[test] = [mark, found]
    return {"specs": specs, "tests": packed}
