"""Why a command is not carried out: what it asks for."""

from __future__ import annotations

from collections.abc import Mapping

from pytest_dockerlab.exercises.model import Text

__all__ = ["RUN"]

_HOST: Text = {
    "en": "it would give the container rights on the machine that grades, and on other students' work there",
    "ja": "採点機や他の学生の提出物に触れる権限をコンテナーに与えてしまいます",
}
_OTHERS: Text = {
    "en": "it would reach into containers that are not yours",
    "ja": "あなたのものではないコンテナーに触れることになります",
}
_LIMITS: Text = {
    "en": "the grader's limits keep one submission from taking the machine for itself",
    "ja": "1つの提出が採点機を占有しないように上限があります",
}
_LEAVE_OUT: Text = {"en": "leave it out; no exercise needs it", "ja": "外してください。課題には不要です"}

RUN: Mapping[str, tuple[Text, Text, Text]] = {
    "privileged": ({"en": "--privileged", "ja": "--privileged は使えません"}, _HOST, _LEAVE_OUT),
    "host_namespace": ({"en": "{value} shares the host's", "ja": "{value} はホストと共有します"}, _HOST, _LEAVE_OUT),
    "host_network": (
        {"en": "{value} is the network of the host", "ja": "{value} はホストのネットワークです"},
        _HOST,
        {"en": "publish the port that you need with -p", "ja": "必要なポートを -p で公開してください"},
    ),
    "network": (
        {"en": "the network {value} is not there for submissions", "ja": "ネットワーク {value} は使えません"},
        {"en": "what is on it is not yours", "ja": "あなたのものではないコンテナーがあります"},
        {"en": "leave --network out, or use none or bridge", "ja": "--network を外すか、none か bridge にしてください"},
    ),
    "other_container": (
        {"en": "{value} uses another container", "ja": "{value} は別のコンテナーを使います"},
        _OTHERS,
        _LEAVE_OUT,
    ),
    "device": (
        {"en": "{value} asks for a device of the host", "ja": "{value} はホストのデバイスを求めます"},
        _HOST,
        _LEAVE_OUT,
    ),
    "cap_add": ({"en": "the capability {value}", "ja": "ケーパビリティー {value}"}, _HOST, _LEAVE_OUT),
    "security_opt": (
        {"en": "--security-opt {value} takes protection away", "ja": "--security-opt {value} は保護を外します"},
        _HOST,
        _LEAVE_OUT,
    ),
    "cgroup_parent": (
        {"en": "{value} chooses who limits the container", "ja": "{value} は制限の親を選びます"},
        _LIMITS,
        _LEAVE_OUT,
    ),
    "sysctl": (
        {"en": "{value} sets the kernel's parameters", "ja": "{value} はカーネルのパラメーターを変えます"},
        _HOST,
        _LEAVE_OUT,
    ),
    "runtime": (
        {"en": "{value} chooses how the engine runs it", "ja": "{value} はエンジンの動かし方を選びます"},
        _HOST,
        _LEAVE_OUT,
    ),
    "oom": (
        {"en": "{value} keeps the kernel from ending it", "ja": "{value} はメモリー不足時の終了を妨げます"},
        _LIMITS,
        _LEAVE_OUT,
    ),
    "realtime": (
        {"en": "{value} takes the CPU from everybody else", "ja": "{value} は CPU を占有します"},
        _LIMITS,
        _LEAVE_OUT,
    ),
    "engine_socket": (
        {
            "en": "{value} hands the engine itself to the container",
            "ja": "{value} はエンジンそのものをコンテナーに渡します",
        },
        _HOST,
        _LEAVE_OUT,
    ),
    "mount_outside": (
        {
            "en": "the mount {value} lies outside of your own folder",
            "ja": "マウント {value} はあなたのフォルダーの外です",
        },
        {
            "en": "the folder would be the grading machine's, not yours",
            "ja": "あなたのものではなく、採点機のフォルダーになります",
        },
        {
            "en": 'mount a folder that you hand in: -v "$PWD/data:/data"',
            "ja": '提出するフォルダーをマウントしてください: -v "$PWD/data:/data"',
        },
    ),
    "mount_target": (
        {"en": "a mount on {value}", "ja": "{value} へのマウント"},
        {
            "en": "it would hide what the kernel or the engine puts there",
            "ja": "カーネルやエンジンのファイルを隠します",
        },
        {"en": "choose another folder in the container", "ja": "コンテナー内の別のフォルダーにしてください"},
    ),
    "propagation": (
        {"en": "the mount's option {value}", "ja": "マウントのオプション {value}"},
        {
            "en": "mounts would travel between the container and the host",
            "ja": "ホストとの間でマウントが伝わってしまいます",
        },
        _LEAVE_OUT,
    ),
    "volume_driver": ({"en": "the volume's driver {value}", "ja": "ボリュームのドライバー {value}"}, _HOST, _LEAVE_OUT),
    "port_low": (
        {"en": "the host's port {value} is below {least}", "ja": "ホストのポート {value} は {least} 未満です"},
        {"en": "such ports are reserved for the system's services", "ja": "システムのサービス用に予約されています"},
        {"en": "use a port such as 8080 on the host's side", "ja": "ホスト側には 8080 などを使ってください"},
    ),
    "port_address": (
        {"en": "the address {value} to publish on", "ja": "公開先のアドレス {value}"},
        {"en": "ports are published on the grading machine alone", "ja": "ポートは採点機の内側にだけ公開されます"},
        {"en": "leave the address out, or use 127.0.0.1", "ja": "アドレスを外すか、127.0.0.1 にしてください"},
    ),
    "port_count": (
        {"en": "{value} published ports ({most} are allowed)", "ja": "公開ポートが {value} 個あります(上限 {most})"},
        _LIMITS,
        {"en": "publish the ports that the exercise asks for", "ja": "課題で必要なポートだけを公開してください"},
    ),
    "over_limit": (
        {"en": "{name} {value} is over the limit of {most}", "ja": "{name} {value} は上限 {most} を超えています"},
        _LIMITS,
        {"en": "ask for less", "ja": "小さくしてください"},
    ),
    "image": (
        {
            "en": "the image {value} is not one of this exercise",
            "ja": "イメージ {value} はこの課題のものではありません",
        },
        {
            "en": "what is in it was neither built by you nor given by your instructor",
            "ja": "あなたがビルドしたものでも、教員が用意したものでもありません",
        },
        {
            "en": "use the name that your docker build -t gives, or one of {known}",
            "ja": "docker build -t で付けた名前か、{known} を使ってください",
        },
    ),
    "registry": (
        {"en": "{value} sends something to, or fetches it from, elsewhere", "ja": "{value} は外部と送受信します"},
        {"en": "the grader's registry is the only one that there is", "ja": "採点環境のレジストリーしか使えません"},
        {"en": "use the address that the exercise gives", "ja": "課題に示されたアドレスを使ってください"},
    ),
    "context_outside": (
        {"en": "{value} lies outside of your own folder", "ja": "{value} はあなたのフォルダーの外です"},
        {"en": "only what you hand in can be built", "ja": "ビルドできるのは提出したものだけです"},
        {"en": "use . and names below it", "ja": ". かその下の名前を使ってください"},
    ),
    "context_remote": (
        {"en": "{value} is no folder of yours", "ja": "{value} はあなたのフォルダーではありません"},
        {"en": "only what you hand in can be built", "ja": "ビルドできるのは提出したものだけです"},
        {"en": "use a folder: docker build -t NAME .", "ja": "フォルダーを指定してください: docker build -t 名前 ."},
    ),
    "build_flag": (
        {"en": "{value} reaches out of the build", "ja": "{value} はビルドの外に触れます"},
        _HOST,
        _LEAVE_OUT,
    ),
    "build_network": (
        {"en": "a build with {value}", "ja": "{value} でのビルド"},
        {"en": "which network a build has is the grader's matter", "ja": "ビルドのネットワークは採点側が決めます"},
        _LEAVE_OUT,
    ),
    "build_arg": (
        {"en": "the build argument {value}", "ja": "ビルド引数 {value}"},
        {"en": "it changes the builder, not your image", "ja": "イメージではなくビルダーの動作を変えます"},
        _LEAVE_OUT,
    ),
    "host_name": (
        {"en": "the host {value} of a build", "ja": "ビルドのホスト名 {value}"},
        {"en": "the grader tells builds apart by such names", "ja": "採点プログラムがビルドを見分けるための名前です"},
        {"en": "give the host another name", "ja": "別の名前にしてください"},
    ),
}
