"""Why a check fails where what was handed in may be carried out: it is not there, or it did not work."""

from __future__ import annotations

from collections.abc import Mapping

from pytest_dockerlab.exercises.model import Text

__all__ = ["CARRIED"]

_ASKED: Text = {"en": "the exercise asks for it", "ja": "課題で必要です"}
_ORDER: Text = {
    "en": "commands are carried out in their order, as at a terminal",
    "ja": "コマンドは端末と同じように上から順に実行されます",
}
_LOG: Text = {"en": "look at the last output for why", "ja": "最後の出力を見て原因を探してください"}

CARRIED: Mapping[str, tuple[Text, Text, Text]] = {
    "no_run": (
        {
            "en": "there is no docker run command number {value} (run.txt has {count})",
            "ja": "{value} 番目の docker run がありません(run.txt には {count} 個)",
        },
        _ASKED,
        {"en": "write each command on a line of its own", "ja": "コマンドは1行に1つずつ書いてください"},
    ),
    "no_build": (
        {
            "en": "there is no docker build command number {value} (run.txt has {count})",
            "ja": "{value} 番目の docker build がありません(run.txt には {count} 個)",
        },
        _ASKED,
        {"en": "write each command on a line of its own", "ja": "コマンドは1行に1つずつ書いてください"},
    ),
    "no_command": (
        {
            "en": "there is no docker {value} command number {number} in run.txt",
            "ja": "run.txt に {number} 番目の docker {value} がありません",
        },
        _ASKED,
        {"en": "write each command on a line of its own", "ja": "コマンドは1行に1つずつ書いてください"},
    ),
    "command_failed": (
        {"en": "{value} failed: {reason}", "ja": "{value} が失敗しました: {reason}"},
        _ASKED,
        {"en": "{meant}", "ja": "同じコマンドを自分の端末で試してください"},
    ),
    "build_failed": (
        {"en": "{value}", "ja": "ビルドに失敗しました: {step}"},
        {"en": "without an image there is nothing to check", "ja": "イメージがないと確認できません"},
        _LOG,
    ),
    "container_failed": (
        {"en": "{value}", "ja": "コンテナーがうまく動きませんでした: {value}"},
        {"en": "the exercise asks for a command that works", "ja": "課題ではコマンドが成功する必要があります"},
        _LOG,
    ),
    "out_of_time": (
        {
            "en": "{value} was not carried out: those before it took more than {most} s",
            "ja": "{value} は実行していません: それまでのコマンドに {most} 秒より長くかかりました",
        },
        {"en": "all commands together have a limit, too", "ja": "すべてのコマンドを合わせた時間にも上限があります"},
        {"en": "leave out what only waits", "ja": "待つだけのコマンドを外してください"},
    ),
    "exec_detached": (
        {"en": "docker exec -d is not carried out here", "ja": "docker exec -d はここでは実行できません"},
        {"en": "what a command did is looked at when it has ended", "ja": "コマンドの結果は終わってから確認します"},
        {"en": "leave -d out", "ja": "-d を外してください"},
    ),
    "no_image": (
        {"en": "there is no image {value} at this point", "ja": "この時点でイメージ {value} はありません"},
        _ORDER,
        {"en": "build, pull or load it first", "ja": "先に build、pull、load のどれかをしてください"},
    ),
    "no_container": (
        {"en": "there is no container {value} at this point", "ja": "この時点でコンテナー {value} はありません"},
        _ORDER,
        {
            "en": "give it this name: docker run --name {value}",
            "ja": "docker run --name {value} で名前を付けてください",
        },
    ),
    "container_there": (
        {"en": "there is a container {value} already", "ja": "コンテナー {value} はすでにあります"},
        _ORDER,
        {"en": "docker rm {value} first", "ja": "先に docker rm {value} をしてください"},
    ),
    "container_runs": (
        {"en": "the container {value} runs", "ja": "コンテナー {value} は動いています"},
        {"en": "docker removes only what has ended", "ja": "docker は終わったものだけを消します"},
        {"en": "docker stop {value} first, or docker rm -f", "ja": "先に docker stop {value} か、docker rm -f"},
    ),
    "no_output": (
        {"en": "docker save names no file to write to", "ja": "docker save に書き込み先がありません"},
        {"en": "commands are read, never given to a shell", "ja": "コマンドは読み取るだけで、シェルには渡しません"},
        {"en": "docker save -o FILE IMAGE, in place of >", "ja": "> の代わりに docker save -o ファイル イメージ"},
    ),
    "several_images": (
        {"en": "several images in one archive: {value}", "ja": "1つの書庫に複数のイメージ: {value}"},
        {"en": "one image an archive is what is known here", "ja": "ここでは1書庫に1イメージだけです"},
        {"en": "save each in a file of its own", "ja": "1つずつ別のファイルに保存してください"},
    ),
    "no_archive": (
        {"en": "no docker save before has written {value}", "ja": "前の docker save で {value} は書かれていません"},
        {"en": "only what was saved here is loaded", "ja": "ここで保存したものだけを読み込みます"},
        {
            "en": "docker load -i FILE, with the name of docker save -o",
            "ja": "docker save -o と同じ名前で docker load -i",
        },
    ),
    "not_mounted": (
        {"en": "{value} can't be mounted: {reason}", "ja": "{value} をマウントできません: {reason}"},
        {"en": "it would lead out of your own folder", "ja": "あなたのフォルダーの外に出てしまいます"},
        {"en": "mount an ordinary folder that you hand in", "ja": "提出した普通のフォルダーをマウントしてください"},
    ),
    "not_written": (
        {"en": "{value} can't be written: {reason}", "ja": "{value} に書けません: {reason}"},
        {"en": "the check changes this file to see what happens", "ja": "このファイルを変えて確認します"},
        {"en": "let it be a file in an ordinary folder", "ja": "普通のフォルダーの中のファイルにしてください"},
    ),
}
