"""A refusal: what a student may not hand in, with the reason in every language."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from pytest_dockerlab.errors import UsageError
from pytest_dockerlab.exercises.model import LANGUAGES, Text, pick
from pytest_dockerlab.exercises.reasons import REASONS
from pytest_dockerlab.exercises.shown import shown
from pytest_dockerlab.findings import Finding

__all__ = ["Refusal", "findings_of", "refuse"]

_SHOWN = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """One thing that is refused.

    Attributes:
        code: its reason, a key of ``reasons.REASONS``; an instructor can permit it by this name.
        where: file and line (``run.txt:3``).
        value: as the student wrote it, harmless to show.
        what, why, hint: language → text.
    """

    code: str
    where: str = ""
    value: str = ""
    what: Text = field(default_factory=dict, hash=False)
    why: Text = field(default_factory=dict, hash=False)
    hint: Text = field(default_factory=dict, hash=False)

    def finding(self) -> Finding:
        """The same as checks and reports have it, in every language."""
        english, *others = (
            Finding(what=pick(self.what, lang), why=pick(self.why, lang), hint=pick(self.hint, lang), where=self.where)
            for lang in LANGUAGES
        )
        return replace(english, translations=dict(zip(LANGUAGES[1:], others, strict=True)))


def refuse(code: str, where: str = "", value: object = "", **values: object) -> Refusal:
    """A refusal for this reason.

    Args:
        value: what is refused; it and ``values`` fill the braces of the reason's texts.

    Raises:
        UsageError: there is no such reason.
    """
    reason = REASONS.get(code)
    if reason is None:
        raise UsageError(f"no such reason to refuse: {code!r}", remedy="put it into exercises/reasons.py")
    filled = {name: _short(text) for name, text in {"value": value, **values}.items()}
    texts: list[Text] = [{lang: each[lang].format(**filled) for lang in LANGUAGES if lang in each} for each in reason]
    return Refusal(code=code, where=_short(where), value=filled["value"], what=texts[0], why=texts[1], hint=texts[2])


def findings_of(refusals: Iterable[Refusal]) -> tuple[Finding, ...]:
    """All of them, as checks and reports have them."""
    return tuple(refusal.finding() for refusal in refusals)


def _short(value: object) -> str:
    text = " ".join(shown(str(value), max_bytes=1_000, max_lines=3, keep="start").split())
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
