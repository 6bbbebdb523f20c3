"""Where a submission is taken in: each exercise once, each of its images once for all checks."""

from __future__ import annotations

import hashlib
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_dockerlab.engine.frontends import knows_heredocs
from pytest_dockerlab.exercises.policy import Policies
from pytest_dockerlab.grade.intake import own_bases, student, take_in
from pytest_dockerlab.grade.submission import Submission, Taken

if TYPE_CHECKING:
    from pytest_dockerlab.lab import Lab

__all__ = ["Desk"]


class Desk:
    """Where a submission is taken in; each exercise once, each of its images once for all checks."""

    def __init__(self, folder: Path, reference: Path, policies: Policies, scratch: Path | None, *, nonce: str) -> None:
        """Args:
        folder: the submission's.
        reference: the folder of the exercises' own solutions, which say what bases there are.
        scratch: for the copy; it is the caller's to remove.
        nonce: keeps its cache apart from others'; ``""`` shares it.
        """
        self._folder, self._reference, self._policies, self._nonce = folder, reference, policies, nonce
        self._scratch = scratch
        self._own: dict[str, Taken] = {}

    def submission(self, exercise: str, *, builds: Lab, runs: Lab) -> Submission:
        """One exercise for one check.

        Args:
            builds: owns the images, until all checks are done.
            runs: owns the containers, until this check is done.
        """
        if exercise not in self._own:
            policy = self._policies.of(exercise).with_bases(own_bases(self._reference / exercise))
            policy = replace(policy, heredocs=policy.heredocs and knows_heredocs(builds.engine))
            target = Path(tempfile.mkdtemp(prefix="submission-", dir=self._scratch)).resolve()
            shell = student(policy.variables)
            self._own[exercise] = Taken(take_in(self._folder, exercise, policy, target, shell), policy, target)
        return Submission(self._own[exercise], builds, runs, self._nonce_of(exercise))

    def _nonce_of(self, exercise: str) -> str:
        """Each exercise has its own, as its limits may differ from the next one's and go with the nonce."""
        return hashlib.sha256(f"{self._nonce}/{exercise}".encode()).hexdigest()[:16] if self._nonce else ""

    def plain(self, text: str) -> str:
        """A text without the places of the copies: the same for each run."""
        for taken in self._own.values():
            text = text.replace(f"{taken.root}/", "").replace(str(taken.root), ".")
        return text
