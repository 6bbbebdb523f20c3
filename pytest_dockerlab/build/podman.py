"""Podman's build stream (Buildah's, over the docker-compatible ``POST /build``) as a ``BuildTrace``.

Its own messages (buildah ``imagebuildah/stage_executor.go``): ``STEP 2/7: RUN …``, with several stages
``[1/2] STEP 2/7: …`` (counting every instruction of the stage, FROM is 1), the command's output, then
``--> <image>``, after ``--> Using cache <whole id>`` where it was cached; the last step has ``COMMIT``.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Set

from pytest_dockerlab.build.dockerfile import Dockerfile
from pytest_dockerlab.build.textstream import TextReader
from pytest_dockerlab.foreign import said

__all__ = ["PodmanReader"]

_STEP = re.compile(r"(?:\[(\d{1,9})/(\d{1,9})\] )?STEP (\d{1,9})/(\d{1,9}): ", re.ASCII)
_CACHE = re.compile(r"--> Using cache ([0-9a-f]{64})\s*")
_IMAGE = re.compile(r"--> ([0-9a-f]{8,64})\s*")
_COMMIT = re.compile(r"(?:\[\d+/\d+\] )?COMMIT\b.*\s*")
_EXIT = re.compile(r"while running runtime: exit status (\d{1,9})\s*$", re.ASCII)


class PodmanReader(TextReader):
    """Takes Podman's messages.

    Args:
        added: 0-based positions, among the instructions sent, of those that are not the Dockerfile's own.
    """

    def __init__(
        self,
        dockerfile: Dockerfile,
        target: str = "",
        *,
        added: Set[int] = frozenset(),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__("podman", dockerfile, target, clock)
        self._lines: dict[tuple[int, int], int | None] = {}
        position = len(dockerfile.arguments)
        for stage in dockerfile.stages:
            number = 0
            for each in stage.instructions:
                number, position = number + 1, position + 1
                self._lines[stage.index, number] = each.line
                while position in added:
                    number, position = number + 1, position + 1
                    self._lines[stage.index, number] = None
        self._fresh_header = False
        self._cache_id = ""
        self._done = False

    def feed(self, message: Mapping[str, object]) -> tuple[str, ...]:
        """Take one JSON message; returns progress lines."""
        aux, detail = message.get("aux"), message.get("errorDetail")
        if isinstance(aux, dict) and aux.get("ID"):
            self.image_id = said(aux["ID"])
        if isinstance(detail, dict) or message.get("error"):
            text = said((detail.get("message") if isinstance(detail, dict) else "") or message.get("error"))
            code = _EXIT.search(text)
            return self._fail(text, int(code[1]) if code else None)
        stream = message.get("stream")
        return self._take(said(stream)) if isinstance(stream, str) else ()

    def _take(self, text: str) -> tuple[str, ...]:
        header = _STEP.match(text)
        key = (int(header[1] or 1) - 1, int(header[3])) if header else (0, 0)
        if key in self._lines or (header and key[0] < len(self.dockerfile.stages)):
            self._fresh_header, self._cache_id, self._done = True, "", False
            return self._begin(self._lines.get(key))
        first, self._fresh_header = self._fresh_header, False
        cache, image = _CACHE.fullmatch(text), _IMAGE.fullmatch(text)
        if cache and first:
            self._cache_id = cache[1]
        elif image and not self._done:
            self._done = True
            # The id of a step that really ran can't be known to it: what it prints here does not fit.
            self._set_cached(bool(self._cache_id) and self._cache_id.startswith(image[1]))
            if not self._cache_id:
                return ()
        elif _COMMIT.fullmatch(text) or self._is_result(text):
            pass
        elif text.startswith("Successfully "):
            told = self._end()
            self._current = None
            self._print(text)
            return told
        else:
            # Output after all: then what looked like the step's end, or like its being cached, was output, too.
            self._set_cached(False)
            self._cache_id, self._done = "", False
            self._print(text)
        return ()

    def _is_result(self, text: str) -> bool:
        return self._done and bool(re.fullmatch(r"[0-9a-f]{64}\s*", text))
