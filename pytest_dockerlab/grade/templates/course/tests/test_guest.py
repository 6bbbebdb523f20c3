"""The checks of the exercise guest; without a submission they run on the solution in dockerfiles/."""

import pytest


@pytest.mark.exercise(
    "guest",
    "builds",
    title={"en": "The image builds", "ja": "イメージがビルドできる"},
    hint={
        "en": "Steps after USER run as that user: prepare folders before it.",
        "ja": "USER より後のステップはそのユーザーで実行されます。フォルダーはその前に用意しましょう。",
    },
)
def test_builds(submission):
    submission.build()


@pytest.mark.exercise(
    "guest",
    "user",
    needs="builds",
    title={"en": "Its containers do not run as root", "ja": "コンテナが root で動かない"},
    hint={"en": "USER in the Dockerfile.", "ja": "Dockerfile の USER を使います。"},
)
def test_user(submission):
    user = submission.build().image.config.user.partition(":")[0]
    assert user not in ("", "0", "root"), "the image's user is root"


@pytest.mark.exercise(
    "guest",
    "writes",
    needs="user",
    points=2,
    title={
        "en": "The command of run.txt writes to /data and prints the file",
        "ja": "run.txt のコマンドが /data に書き込み、内容を表示する",
    },
    hint={
        "en": "The folder has to belong to the user: mkdir and chown in one RUN.",
        "ja": "フォルダーの所有者をそのユーザーにします。RUN の中で mkdir と chown を使います。",
    },
)
def test_writes(submission):
    assert submission.run().check().output == "hello\n"


@pytest.mark.exercise(
    "guest",
    "memory",
    needs="writes",
    bonus=True,
    title={"en": "The container has at most 64 MB of memory", "ja": "コンテナのメモリーが 64 MB まで"},
    hint={"en": "docker run has the option --memory.", "ja": "docker run のオプション --memory を使います。"},
)
def test_memory(submission):
    limit = submission.commands.runs[0].spec.limits.memory
    assert limit is not None, "docker run has no limit of memory"
    assert limit <= 64 * 1024**2
