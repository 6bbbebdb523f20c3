"""The checks of the exercise registry; without ``--dockerlab-submission`` they run on the reference.

``localhost:5000`` is, for each submission, an empty registry of its own.
"""

from __future__ import annotations

import pytest

from pytest_dockerlab import Build, Image
from pytest_dockerlab.engine.results import Transfer
from pytest_dockerlab.grade.submission import Submission


@pytest.mark.exercise(
    "registry",
    "tag",
    title={"en": "The image has a second name", "ja": "イメージに2つ目の名前がある"},
    hint={
        "en": "docker tag registry localhost:5000/you/practice",
        "ja": "docker tag registry localhost:5000/you/practice",
    },
)
def test_tag(submission: Submission) -> None:
    """The name in the registry stands for the same image."""
    done = submission.carry_out()
    assert done.get("tag", Image).id == done.get("build", Build).id, "docker tag names another image"


@pytest.mark.exercise(
    "registry",
    "push",
    needs="tag",
    points=2,
    title={"en": "The image is in the registry", "ja": "イメージがレジストリーにある"},
    hint={
        "en": "docker push localhost:5000/you/practice: host and port in front of the name say where it goes.",
        "ja": "docker push localhost:5000/you/practice。名前の前のホストとポートが送り先です。",
    },
)
def test_push(submission: Submission) -> None:
    """The registry has the image as you/practice, with the tag latest."""
    done = submission.carry_out()
    pushed = done.get("push", Transfer)
    assert done.registry is not None
    there = done.registry.repositories()
    assert there == ("you/practice",), f"the registry has {', '.join(there)} instead of you/practice"
    assert done.registry.digest("you/practice") == pushed.digest


@pytest.mark.exercise(
    "registry",
    "removed",
    needs="push",
    title={"en": "Both names are removed here", "ja": "手元の2つの名前を消す"},
    hint={
        "en": "docker rmi localhost:5000/you/practice registry, after the push and before the pull.",
        "ja": "push の後、pull の前に docker rmi localhost:5000/you/practice registry",
    },
)
def test_removed(submission: Submission) -> None:
    """docker rmi takes off both names, between push and pull."""
    done = submission.carry_out()
    done.get("rmi", type(None))
    order = [each.verb for each in done.done if each.verb in ("push", "rmi", "pull")]
    assert order[:2] == ["push", "rmi"], f"docker rmi comes elsewhere: {', '.join(order)}"
    names = {name.removesuffix(":latest") for each in done.done if each.verb == "rmi" for name in each.arguments}
    assert names >= {"registry", "localhost:5000/you/practice"}, f"removed are only {', '.join(sorted(names))}"


@pytest.mark.exercise(
    "registry",
    "pull",
    needs="push",
    title={"en": "What is pulled again is the same", "ja": "もう一度取得しても同じもの"},
    hint={
        "en": "docker pull localhost:5000/you/practice:latest gives the digest that the push told.",
        "ja": "docker pull localhost:5000/you/practice:latest では push のときと同じダイジェストになります。",
    },
)
def test_pull(submission: Submission) -> None:
    """The pull gives the digest of the push."""
    done = submission.carry_out()
    assert done.get("pull", Transfer).digest == done.get("push", Transfer).digest, "another image was pulled"
