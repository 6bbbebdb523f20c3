"""The words that reports are made of, in English and Japanese."""

from __future__ import annotations

from collections.abc import Mapping

from pytest_dockerlab.exercises.model import Language, Outcome

__all__ = ["OUTCOMES", "WORDS", "word"]

OUTCOMES: Mapping[Language, Mapping[Outcome, str]] = {
    "en": {"passed": "passed", "failed": "failed", "blocked": "not carried out", "not_gradable": "not judged"},
    "ja": {"passed": "合格", "failed": "不合格", "blocked": "未実施", "not_gradable": "判定不能"},
}
WORDS: Mapping[str, Mapping[Language, str]] = {
    "points": {"en": "Points: {points} of {most}", "ja": "得点: {most} 点中 {points} 点"},
    "bonus": {"en": "bonus", "ja": "ボーナス"},
    "check": {"en": "Check", "ja": "確認項目"},
    "result": {"en": "Result", "ja": "結果"},
    "worth": {"en": "Points", "ja": "得点"},
    "all_passed": {"en": "Every check passed.", "ja": "すべての確認項目に合格しました。"},
    "to_mend": {"en": "What to mend", "ja": "直すところ"},
    "expected": {"en": "expected", "ja": "期待した値"},
    "found": {"en": "found", "ja": "実際の値"},
    "why": {"en": "why it matters", "ja": "理由"},
    "hint": {"en": "hint", "ja": "ヒント"},
    "where": {"en": "where", "ja": "場所"},
    "details": {"en": "In detail:", "ja": "くわしい内容(一部は英語):"},
    "output": {"en": "last output", "ja": "最後の出力"},
    "comma": {"en": ", ", "ja": "、"},
    "blocked": {
        "en": "Not carried out, because this failed first: {names}.",
        "ja": "先に次の項目が不合格だったため、実施していません: {names}",
    },
    "hidden": {"en": "Hidden checks ({count})", "ja": "非公開の確認項目({count} 件)"},
    "hidden_why": {
        "en": "Checks that your instructor does not show count, too.",
        "ja": "担当教員が公開していない確認項目も採点に含まれます。",
    },
    "a_hidden": {"en": "a hidden check", "ja": "非公開の確認項目"},
    "none": {"en": "There is nothing to check", "ja": "確認項目がありません"},
    "not_gradable": {
        "en": "This could not be graded, for a reason that is not yours. You lose no points; it is graded again.",
        "ja": "あなたの責任ではない理由で採点できませんでした。減点はなく、あらためて採点されます。",
    },
    "not_judged": {
        "en": "This could not be judged, for a reason that is not yours.",
        "ja": "あなたの責任ではない理由で判定できませんでした。",
    },
    "student": {"en": "Student", "ja": "学生"},
    "sum": {"en": "Sum", "ja": "合計"},
}


def word(name: str, lang: Language, **values: object) -> str:
    """The text of this name; ``values`` fill its braces."""
    return WORDS[name][lang].format(**values)
