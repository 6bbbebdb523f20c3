"""Why a file of a submission is not taken."""

from __future__ import annotations

from collections.abc import Mapping

from pytest_dockerlab.exercises.model import Text

__all__ = ["FILES"]

FILES: Mapping[str, tuple[Text, Text, Text]] = {
    "file_kind": (
        {
            "en": "{value} is neither a file nor a folder ({kind})",
            "ja": "{value} はファイルでもフォルダーでもありません({kind})",
        },
        {
            "en": "a pipe, a socket or a device would hang the grader or reach its machine",
            "ja": "パイプ・ソケット・デバイスは採点を止めたり、採点機に触れたりするおそれがあります",
        },
        {"en": "hand in ordinary files", "ja": "通常のファイルだけを提出してください"},
    ),
    "link_outside": (
        {"en": "the link {value} leads out of its folder", "ja": "リンク {value} がフォルダーの外を指しています"},
        {"en": "it would show files of the machine that grades", "ja": "採点機のファイルが見えてしまいます"},
        {"en": "put a copy of the file there", "ja": "リンクではなくファイルのコピーを置いてください"},
    ),
    "file_size": (
        {"en": "{value} has {size} ({most} are allowed)", "ja": "{value} は {size} です(上限 {most})"},
        {"en": "it is sent to the engine with each build", "ja": "ビルドのたびにエンジンへ送られます"},
        {"en": "fetch large data in the Dockerfile, or leave it out", "ja": "大きなデータは提出に含めないでください"},
    ),
    "total_size": (
        {
            "en": "all files together have {value} ({most} are allowed)",
            "ja": "ファイルの合計が {value} です(上限 {most})",
        },
        {"en": "they are sent to the engine with each build", "ja": "ビルドのたびにエンジンへ送られます"},
        {"en": "leave out what the exercise does not need", "ja": "課題に不要なファイルを除いてください"},
    ),
    "file_count": (
        {"en": "there are more than {most} files and folders", "ja": "ファイルとフォルダーが {most} 個を超えています"},
        {"en": "reading them would take too long", "ja": "読み込みに時間がかかりすぎます"},
        {
            "en": "leave out what the exercise does not need (.venv, node_modules, .git)",
            "ja": "不要なもの(.venv、node_modules、.git など)を除いてください",
        },
    ),
    "file_depth": (
        {
            "en": "{value} lies more than {most} folders deep",
            "ja": "{value} はフォルダーの階層が {most} を超えています",
        },
        {
            "en": "no exercise needs that, and some tools fail on it",
            "ja": "課題には不要で、動かなくなるツールもあります",
        },
        {"en": "use fewer folders", "ja": "階層を浅くしてください"},
    ),
    "file_name": (
        {"en": "the name {value} can't be used", "ja": "{value} という名前は使えません"},
        {
            "en": "it has a line break, a control character, bytes that are no text, or is too long",
            "ja": "改行・制御文字・文字でないバイトを含むか、長すぎます",
        },
        {"en": "give the file a plain name", "ja": "普通の名前に変えてください"},
    ),
    "file_unreadable": (
        {"en": "{value} can't be read", "ja": "{value} を読めません"},
        {
            "en": "its permissions forbid it, or it changed while it was read",
            "ja": "権限がないか、読み込み中に変わりました",
        },
        {"en": "chmod a+r it, and hand it in again", "ja": "chmod a+r してから再提出してください"},
    ),
    "not_text": (
        {"en": "{value} is not a text in UTF-8", "ja": "{value} は UTF-8 のテキストではありません"},
        {"en": "it is read line by line", "ja": "行ごとに読み込みます"},
        {"en": "save it as plain text (UTF-8)", "ja": "プレーンテキスト(UTF-8)で保存してください"},
    ),
    "not_handed_in": (
        {"en": "nothing was handed in for {value}", "ja": "{value} は提出されていません"},
        {"en": "there is no such folder", "ja": "その名前のフォルダーがありません"},
        {"en": "put a folder of this name into your submission", "ja": "この名前のフォルダーを提出してください"},
    ),
    "missing": (
        {"en": "{value} is missing", "ja": "{value} がありません"},
        {"en": "the exercise asks for it", "ja": "課題で求められています"},
        {"en": "put it there, with exactly this name", "ja": "この名前のとおりに置いてください"},
    ),
}
