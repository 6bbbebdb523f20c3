"""A check's result: evidence when the claim holds, findings when it doesn't."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Generic, TypeVar

__all__ = ["PARTS", "CheckFailed", "Checked", "Finding", "demand"]

T = TypeVar("T")
PARTS = ("what", "where", "expected", "found", "why", "hint")
"""The texts of a finding, in the order in which people read them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One difference between what was claimed and what is.

    Attributes:
        what: the claim that failed, in one line ("image has 9 layers").
        expected: the value that the claim asks for.
        found: the value that is there.
        why: what this means for the person who has to mend it.
        hint: the next thing to try.
        where: place of the fault (``Dockerfile:5``, ``layer 3: /etc/passwd``).
        translations: language → the same in it; the finding itself is in English.
    """

    what: str
    expected: str = ""
    found: str = ""
    why: str = ""
    hint: str = ""
    where: str = ""
    translations: Mapping[str, Finding] = field(default_factory=dict, hash=False, repr=False)

    def in_language(self, lang: str) -> Finding:
        """The same in this language, or as it is."""
        return self.translations.get(lang, self)

    def mapped(self, change: Callable[[str], str]) -> Finding:
        """The same with every text changed, in every language."""
        texts = {name: change(getattr(self, name)) for name in PARTS}
        others = {lang: other.mapped(change) for lang, other in self.translations.items()}
        return replace(self, **texts, translations=others)

    def __str__(self) -> str:
        lines = [self.what]
        for name in PARTS[1:]:
            value = getattr(self, name)
            if value:
                first, *rest = value.splitlines() or [""]
                lines.append(f"  {name + ':':<10}{first}")
                lines.extend(f"  {'':<10}{row}" for row in rest)
        return "\n".join(lines)


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked(Generic[T]):
    """What a check returns: the evidence it looked at, and what is wrong with it."""

    evidence: T
    findings: tuple[Finding, ...] = ()

    @property
    def ok(self) -> bool:
        return not self.findings


class CheckFailed(AssertionError):
    """An assertion made of findings; ``str()`` shows each of them."""

    def __init__(self, findings: Iterable[Finding]) -> None:
        self.findings = tuple(findings)
        super().__init__("\n".join(str(finding) for finding in self.findings))

    def __reduce__(self) -> tuple[type[CheckFailed], tuple[tuple[Finding, ...]]]:
        return (CheckFailed, (self.findings,))


def demand(checked: Checked[T]) -> T:
    """Return the evidence of a check that holds; raise ``CheckFailed`` for one that doesn't."""
    if checked.findings:
        raise CheckFailed(checked.findings)
    return checked.evidence
