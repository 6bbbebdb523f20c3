"""Why a build or a container was ended, or its image not taken: what it used of the machine."""

from __future__ import annotations

from collections.abc import Mapping

from pytest_dockerlab.exercises.model import Text

__all__ = ["LIMITS"]

_MACHINE: Text = {
    "en": "the grader's limits keep one submission from taking the machine for itself",
    "ja": "1 つの提出が採点機を占有しないための上限です",
}
_LOOP: Text = {
    "en": "a loop that never ends is a usual cause; if the exercise needs it, ask your instructor",
    "ja": "終わらないループがよくある原因です。課題に必要なら教員に相談してください",
}
_LESS: Text = {
    "en": "make it do with less; a loop that never ends is a usual cause",
    "ja": "使用量を減らしてください。終わらないループがよくある原因です",
}
_SMALLER: Text = {
    "en": "install less, and remove in the same RUN what is not needed afterwards",
    "ja": "入れるものを減らし、不要なものは同じ RUN の中で消してください",
}

LIMITS: Mapping[str, tuple[Text, Text, Text]] = {
    "build_memory": (
        {
            "en": "the build used more than {most} of memory and was ended",
            "ja": "ビルドがメモリーの上限 {most} を超えたため中止しました",
        },
        _MACHINE,
        _LESS,
    ),
    "build_pids": (
        {
            "en": "the build used more than {most} processes at a time and was ended",
            "ja": "ビルドが同時プロセス数の上限 {most} を超えたため中止しました",
        },
        _MACHINE,
        _LESS,
    ),
    "build_disk": (
        {
            "en": "the build wrote more than {most} and was ended",
            "ja": "ビルドが書き込み量の上限 {most} を超えたため中止しました",
        },
        _MACHINE,
        _SMALLER,
    ),
    "build_time": (
        {
            "en": "the build took more than {most} and was ended",
            "ja": "ビルドが時間の上限 {most} を超えたため中止しました",
        },
        _MACHINE,
        _LOOP,
    ),
    "archive": (
        {
            "en": "{value} would be unpacked by ADD to more than {most}",
            "ja": "ADD が {value} を展開すると {most} を超えます",
        },
        _MACHINE,
        {"en": "hand in what the exercise needs, and COPY it", "ja": "課題に必要なものだけを提出し、COPY してください"},
    ),
    "image_size": (
        {
            "en": "the image has {value} in its layers ({most} are allowed)",
            "ja": "イメージのレイヤーが合計 {value} あります(上限 {most})",
        },
        _MACHINE,
        _SMALLER,
    ),
    "layers": (
        {
            "en": "the image has {value} layers ({most} are allowed)",
            "ja": "イメージのレイヤーが {value} 個あります(上限 {most})",
        },
        {"en": "each costs time whenever the image is used", "ja": "イメージを使うたびに時間がかかります"},
        {"en": "join some RUN with &&", "ja": "RUN を && でまとめてください"},
    ),
    "run_disk": (
        {
            "en": "the container wrote more than {most} and was ended",
            "ja": "コンテナーが書き込み量の上限 {most} を超えたため中止しました",
        },
        _MACHINE,
        _LESS,
    ),
    "run_time": (
        {
            "en": "the container was still there after {most} and was ended",
            "ja": "コンテナーが時間の上限 {most} を超えたため中止しました",
        },
        _MACHINE,
        _LOOP,
    ),
}
