"""Why a line of ``run.txt`` is not taken: its form."""

from __future__ import annotations

from collections.abc import Mapping

from pytest_dockerlab.exercises.model import Text

__all__ = ["COMMANDS"]

_NO_SHELL: Text = {
    "en": "commands are read, never given to a shell",
    "ja": "コマンドは読み取られるだけで、シェルには渡されません",
}
_ONE_LINE: Text = {
    "en": "write each docker command on a line of its own",
    "ja": "docker コマンドを1行に1つ書いてください",
}

COMMANDS: Mapping[str, tuple[Text, Text, Text]] = {
    "pipe": ({"en": "a pipe: {value}", "ja": "パイプ {value} があります"}, _NO_SHELL, _ONE_LINE),
    "sequence": (
        {"en": "several commands on one line: {value}", "ja": "1行に複数のコマンドがあります: {value}"},
        _NO_SHELL,
        _ONE_LINE,
    ),
    "background": (
        {"en": "a command in the background: {value}", "ja": "バックグラウンド実行 {value} があります"},
        _NO_SHELL,
        {"en": "use docker run -d", "ja": "docker run -d を使ってください"},
    ),
    "redirection": (
        {"en": "a redirection: {value}", "ja": "リダイレクト {value} があります"},
        _NO_SHELL,
        {
            "en": "leave it out, the grader reads the output itself; docker save has -o FILE, docker load -i FILE",
            "ja": "不要です。出力は採点側が読み取ります。docker save には -o、docker load には -i があります",
        },
    ),
    "substitution": (
        {"en": "a substitution that is not known here: {value}", "ja": "使えない置換です: {value}"},
        _NO_SHELL,
        {
            "en": "known are $(id -u), $(id -g), $(pwd), $PWD, $HOME, ~",
            "ja": "使えるのは $(id -u)、$(id -g)、$(pwd)、$PWD、$HOME、~ だけです",
        },
    ),
    "backticks": (
        {"en": "backticks: {value}", "ja": "バッククォート {value} があります"},
        _NO_SHELL,
        {"en": "write $(pwd), $(id -u) or $(id -g)", "ja": "$(pwd)、$(id -u)、$(id -g) と書いてください"},
    ),
    "variable": (
        {"en": "the variable {value} is not known", "ja": "変数 {value} は使えません"},
        {"en": "the machine that grades does not have your variables", "ja": "採点機にはあなたの環境変数がありません"},
        {"en": "known are {known}", "ja": "使えるのは {known} です"},
    ),
    "wildcard": (
        {"en": "a wildcard outside of quotes: {value}", "ja": "引用符の外にワイルドカードがあります: {value}"},
        {
            "en": "your shell replaces it by files of your machine before docker sees it",
            "ja": "docker に渡る前に、あなたのシェルが手元のファイル名に置き換えます",
        },
        {"en": "put it in single quotes", "ja": "シングルクォートで囲んでください"},
    ),
    "subshell": ({"en": "parentheses: {value}", "ja": "括弧 {value} があります"}, _NO_SHELL, _ONE_LINE),
    "quotes": (
        {"en": "a quote that is not closed: {value}", "ja": "引用符が閉じられていません: {value}"},
        {"en": "where the argument ends can't be told", "ja": "引数の終わりが分かりません"},
        {"en": "close it on the same line", "ja": "同じ行で閉じてください"},
    ),
    "typography": (
        {
            "en": "{value} is not the character that docker wants",
            "ja": "{value} は docker が受け付ける文字ではありません",
        },
        {
            "en": "word processors turn -- and quotes into other characters, and copying from a page does, too",
            "ja": "ワープロや Web ページからのコピーで、-- や引用符が別の文字に変わることがあります",
        },
        {"en": "type it again as {meant}", "ja": "{meant} と入力し直してください"},
    ),
    "control": (
        {"en": "a control character: {value}", "ja": "制御文字があります: {value}"},
        {"en": "it can't be part of a command", "ja": "コマンドには使えません"},
        {"en": "type the line again", "ja": "行を入力し直してください"},
    ),
    "too_long": (
        {"en": "too long: {value}", "ja": "長すぎます: {value}"},
        {"en": "there are {most} at most", "ja": "上限は {most} です"},
        {"en": "keep to what the exercise asks for", "ja": "課題で求められたものだけを書いてください"},
    ),
    "assignment": (
        {"en": "a variable set before the command: {value}", "ja": "コマンドの前に変数の代入があります: {value}"},
        _NO_SHELL,
        {"en": "use docker run -e NAME=value", "ja": "docker run -e 名前=値 を使ってください"},
    ),
    "not_docker": (
        {"en": "{value} is not a docker command", "ja": "{value} は docker コマンドではありません"},
        _NO_SHELL,
        {"en": "hand in the docker commands only", "ja": "docker コマンドだけを書いてください"},
    ),
    "global_option": (
        {"en": "docker {value}", "ja": "docker {value}"},
        {"en": "which engine is used is the grader's matter", "ja": "どのエンジンを使うかは採点側が決めます"},
        {"en": "begin with docker run or docker build", "ja": "docker run か docker build で始めてください"},
    ),
    "verb": (
        {"en": "docker {value} is not used here", "ja": "docker {value} はここでは使えません"},
        {"en": "it is no part of what can be handed in", "ja": "提出できるコマンドではありません"},
        {"en": "there are {known}", "ja": "使えるのは {known} です"},
    ),
    "unknown_verb": (
        {"en": "docker has no command {value}", "ja": "docker に {value} というコマンドはありません"},
        {"en": "docker would refuse it", "ja": "docker がエラーにします"},
        {"en": "did you mean {meant}?", "ja": "{meant} ではありませんか"},
    ),
    "unknown_flag": (
        {"en": "docker {verb} has no flag {value}", "ja": "docker {verb} に {value} というフラグはありません"},
        {"en": "docker would refuse it", "ja": "docker がエラーにします"},
        {"en": "did you mean {meant}?", "ja": "{meant} ではありませんか"},
    ),
    "flag_value": (
        {"en": "the flag {value} has no value", "ja": "フラグ {value} に値がありません"},
        {"en": "docker would refuse it", "ja": "docker がエラーにします"},
        {"en": "write the value after it", "ja": "後ろに値を書いてください"},
    ),
    "bool_value": (
        {"en": "neither true nor false: {value}", "ja": "true でも false でもありません: {value}"},
        {"en": "docker would refuse it", "ja": "docker がエラーにします"},
        {"en": "write the flag alone", "ja": "フラグだけを書いてください"},
    ),
    "bad_value": (
        {"en": "{value}", "ja": "値が正しくありません: {value}"},
        {"en": "docker would refuse it, or mean something else", "ja": "docker がエラーにするか、別の意味になります"},
        {"en": "{meant}", "ja": "課題の説明を確認してください({meant})"},
    ),
    "arguments": (
        {
            "en": "docker {verb} wants {wanted}, not {value}",
            "ja": "docker {verb} の引数が違います: {value}(必要: {wanted})",
        },
        {"en": "docker would refuse it", "ja": "docker がエラーにします"},
        {
            "en": "flags come before the image's name, its command after it",
            "ja": "フラグはイメージ名の前、コマンドは後に書きます",
        },
    ),
    "builds_nothing": (
        {"en": "{value} builds or runs nothing", "ja": "{value} では何もビルド・実行されません"},
        {"en": "there is nothing to grade then", "ja": "採点するものがなくなります"},
        {"en": "leave it out", "ja": "外してください"},
    ),
}
