"""Why a Dockerfile is not built."""

from __future__ import annotations

from collections.abc import Mapping

from pytest_dockerlab.exercises.model import Text

__all__ = ["DOCKERFILE"]

_PROTECT: Text = {
    "en": "it takes away what keeps a build apart from the machine that grades",
    "ja": "ビルドを採点機から隔てている保護を外します",
}
_LEAVE_OUT: Text = {"en": "leave it out; no exercise needs it", "ja": "外してください。課題には不要です"}

DOCKERFILE: Mapping[str, tuple[Text, Text, Text]] = {
    "unbuildable": (
        {"en": "{value}", "ja": "ビルドできません: {value}"},
        {"en": "no builder would take it", "ja": "どのビルダーでもエラーになります"},
        {"en": "{meant}", "ja": "書き方を確認してください({meant})"},
    ),
    "syntax": (
        {"en": "# syntax={value}", "ja": "# syntax={value}"},
        {
            "en": "it would run a program of its author in place of the builder",
            "ja": "ビルダーの代わりに、その作者のプログラムが動きます",
        },
        {
            "en": "leave the line out; the built-in language knows all that is needed",
            "ja": "その行を外してください。標準の書き方で足ります",
        },
    ),
    "base": (
        {"en": "the base image {value} is not allowed here", "ja": "ベースイメージ {value} はここでは使えません"},
        {
            "en": "the exercise is about what you add to a known base",
            "ja": "決められたベースに何を加えるかを見る課題です",
        },
        {"en": "use {known}", "ja": "{known} を使ってください"},
    ),
    "scratch": (
        {"en": "FROM scratch is not allowed here", "ja": "FROM scratch はここでは使えません"},
        {
            "en": "the exercise is about what you add to a known base",
            "ja": "決められたベースに何を加えるかを見る課題です",
        },
        {"en": "use {known}", "ja": "{known} を使ってください"},
    ),
    "base_unknown": (
        {"en": "what FROM {value} means can't be told", "ja": "FROM {value} が何を指すか分かりません"},
        {"en": "its ARG has no value before the build", "ja": "ビルド前に ARG の値がありません"},
        {
            "en": "give the ARG a default above FROM, or write the name",
            "ja": "FROM の前で ARG に既定値を付けるか、名前を書いてください",
        },
    ),
    "copy_from": (
        {"en": "{value} is fetched as an image", "ja": "{value} をイメージとして取得します"},
        {
            "en": "it is neither a stage of this Dockerfile nor an allowed base",
            "ja": "この Dockerfile のステージでも、許可されたベースでもありません",
        },
        {
            "en": "name a stage (FROM … AS name), or use {known}",
            "ja": "ステージ名(FROM … AS 名前)か {known} を使ってください",
        },
    ),
    "add_remote": (
        {"en": "ADD fetches {value}", "ja": "ADD が {value} を取得します"},
        {"en": "builds here do not reach that address", "ja": "ここでのビルドからはそのアドレスに届きません"},
        {"en": "hand the file in and COPY it", "ja": "ファイルを提出して COPY してください"},
    ),
    "onbuild": (
        {"en": "ONBUILD {value}", "ja": "ONBUILD {value}"},
        {
            "en": "it runs in the builds of others who start from your image",
            "ja": "あなたのイメージから始める他人のビルドで実行されます",
        },
        _LEAVE_OUT,
    ),
    "mount_cache": (
        {"en": "RUN --mount={value}", "ja": "RUN --mount={value}"},
        {
            "en": "such a cache belongs to the whole engine: others would get what you put there, and you theirs",
            "ja": "このキャッシュはエンジン全体で共有され、他の学生の内容と混ざります",
        },
        {
            "en": "leave the mount out; the step's own cache is used anyway",
            "ja": "外してください。ステップのキャッシュは使われます",
        },
    ),
    "mount_secret": (
        {"en": "RUN --mount={value}", "ja": "RUN --mount={value}"},
        {"en": "there is no secret and no key to be had here", "ja": "ここには秘密情報も鍵もありません"},
        _LEAVE_OUT,
    ),
    "mount_unknown": (
        {"en": "RUN --mount={value}", "ja": "RUN --mount={value}"},
        {"en": "there is no such kind of mount", "ja": "そのような種類のマウントはありません"},
        {"en": "use bind or tmpfs", "ja": "bind か tmpfs を使ってください"},
    ),
    "run_security": ({"en": "RUN --security={value}", "ja": "RUN --security={value}"}, _PROTECT, _LEAVE_OUT),
    "run_network": ({"en": "RUN --network={value}", "ja": "RUN --network={value}"}, _PROTECT, _LEAVE_OUT),
    "run_device": ({"en": "RUN --device={value}", "ja": "RUN --device={value}"}, _PROTECT, _LEAVE_OUT),
    "label": (
        {"en": "the label {value}", "ja": "ラベル {value}"},
        {
            "en": "the grader tells by it whose an image or container is",
            "ja": "採点プログラムがイメージやコンテナーの持ち主を見分けるためのものです",
        },
        {"en": "give your label another name", "ja": "別の名前のラベルにしてください"},
    ),
    "health_interval": (
        {
            "en": "a health check every {value} ({least} at least)",
            "ja": "ヘルスチェックの間隔が {value} です(下限 {least})",
        },
        {
            "en": "the engine would start processes without end, outside of the container's limits",
            "ja": "コンテナーの上限の外で、エンジンがプロセスを起動し続けます",
        },
        {"en": "write --interval=30s", "ja": "--interval=30s のように書いてください"},
    ),
    "volumes": (
        {
            "en": "the image has {value} volumes ({most} are allowed)",
            "ja": "イメージのボリュームが {value} 個あります(上限 {most})",
        },
        {"en": "each container of it gets a new one for each", "ja": "コンテナーごとにその数だけ作られます"},
        {"en": "name in VOLUME what the exercise asks for", "ja": "課題で指定されたものだけを VOLUME に書いてください"},
    ),
    "expansion": (
        {
            "en": "the variables of {value} become more than {most}",
            "ja": "{value} の変数を展開すると {most} を超えます",
        },
        {
            "en": "the builder, which all share, holds them in memory",
            "ja": "全員で共有するビルダーのメモリーを使い切ってしまいます",
        },
        {"en": "do not put a variable into itself twice", "ja": "変数を自分自身に 2 回以上含めないでください"},
    ),
    "heredoc": (
        {"en": "a here-document: {value}", "ja": "ヒアドキュメント: {value}"},
        {"en": "this engine's builder does not know them", "ja": "このエンジンのビルダーは対応していません"},
        {"en": "write the commands with && instead", "ja": "&& でつないで書いてください"},
    ),
    "instructions": (
        {"en": "{value} instructions ({most} are allowed)", "ja": "命令が {value} 個あります(上限 {most})"},
        {"en": "each makes a step, and most a layer", "ja": "それぞれがステップになり、多くはレイヤーになります"},
        {"en": "join some with &&", "ja": "&& でまとめてください"},
    ),
    "stages": (
        {"en": "{value} stages ({most} are allowed)", "ja": "ステージが {value} 個あります(上限 {most})"},
        {
            "en": "they are built side by side and take the whole machine",
            "ja": "並行してビルドされ、採点機を占有します",
        },
        {"en": "use fewer", "ja": "減らしてください"},
    ),
}
