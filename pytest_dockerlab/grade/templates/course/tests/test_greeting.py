"""The checks of the exercise greeting; without a submission they run on the solution in dockerfiles/."""

import pytest


@pytest.mark.exercise(
    "greeting",
    "builds",
    title={"en": "The image builds", "ja": "イメージがビルドできる"},
    hint={
        "en": "Try docker build . in the folder greeting: COPY takes files of that folder only.",
        "ja": "greeting の中で docker build . を試しましょう。COPY で使えるのは、そのフォルダーのファイルだけです。",
    },
)
def test_builds(submission):
    submission.build()


@pytest.mark.exercise(
    "greeting",
    "greets",
    needs="builds",
    points=2,
    title={"en": "By itself it greets the world", "ja": "何も付けなければ world にあいさつする"},
    hint={
        "en": "CMD holds what the ENTRYPOINT gets when nothing stands behind the image's name.",
        "ja": "イメージ名の後ろに何もないとき、ENTRYPOINT には CMD の値が渡されます。",
    },
)
def test_greets(submission):
    assert submission.run(0).check().output == "Hello, world!\n"


@pytest.mark.exercise(
    "greeting",
    "anyone",
    needs="greets",
    points=2,
    title={"en": "It greets whom it is told to", "ja": "指定した相手にあいさつする"},
    hint={
        "en": "What stands behind the image's name takes CMD's place: in a shell script it is $1.",
        "ja": "イメージ名の後ろに書いたものが CMD の代わりになり、シェルスクリプトでは $1 になります。",
    },
)
def test_anyone(submission):
    assert submission.run(1).check().output == "Hello, Ada!\n"
