"""The classic builder's stream (``POST /build`` without ``version=2``) as a ``BuildTrace``.

The builder's own messages (moby, ``daemon/builder/dockerfile``): ``Step 2/7 : RUN …``, then either
`` ---> Using cache`` or `` ---> Running in <container>`` with the container's output up to
``Removing intermediate container <container>`` (newer engines: `` ---> Removed …``), then
`` ---> <image>``. Each is a message of its own. It counts every instruction, we the steps.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Set

from pytest_dockerlab.build.dockerfile import Dockerfile
from pytest_dockerlab.build.textstream import TextReader
from pytest_dockerlab.foreign import said

__all__ = ["ClassicReader"]

_STEP = re.compile(r"Step (\d{1,9})/(\d{1,9}) : ", re.ASCII)
_RUNNING = re.compile(r" ---> Running in ([0-9a-f]{12})\n")
_REMOVED = re.compile(r"(?: ---> Removed|Removing) intermediate container ([0-9a-f]{12})\n")
_IMAGE = re.compile(r" ---> [0-9a-f]{12}\n")
_CACHE = " ---> Using cache\n"
_CODE = re.compile(r"returned a non-zero code: (\d{1,9})(?!\d)", re.ASCII)


class ClassicReader(TextReader):
    """Takes the classic builder's messages.

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
        super().__init__("classic", dockerfile, target, clock)
        lines: list[int | None] = [each.line for each in dockerfile.instructions]
        for at in sorted(added):
            lines.insert(at, None)
        self._lines = lines
        self._total = 0
        self._container = ""
        self._may_be_cached = False

    def feed(self, message: Mapping[str, object]) -> tuple[str, ...]:
        """Take one JSON message; returns progress lines."""
        aux, detail = message.get("aux"), message.get("errorDetail")
        if isinstance(aux, dict) and aux.get("ID"):
            self.image_id = said(aux["ID"])  # one per stage; the last is the result
        if isinstance(detail, dict) or message.get("error"):
            facts = detail if isinstance(detail, dict) else {}
            text = said(facts.get("message") or message.get("error"))
            code = facts.get("code")
            if type(code) is not int or not 0 <= code < 2**31:
                match = _CODE.search(text)
                code = int(match[1]) if match else None
            return self._fail(text, code)
        stream = message.get("stream")
        return self._take(said(stream)) if isinstance(stream, str) else ()

    def _take(self, text: str) -> tuple[str, ...]:
        if self._container:
            removed = _REMOVED.fullmatch(text)
            if removed and removed[1] == self._container:
                self._container = ""
            else:
                self._print(text)  # the container's own, whatever it looks like
            return ()
        header = _STEP.match(text)
        if header and self._expected(int(header[1]), int(header[2])):
            self._may_be_cached = True
            number = int(header[1])
            return self._begin(self._lines[number - 1] if number <= len(self._lines) else None)
        if running := _RUNNING.fullmatch(text):
            self._container = running[1]
            self._may_be_cached = False
        elif text == _CACHE and self._may_be_cached:
            self._set_cached(True)
        elif _IMAGE.fullmatch(text):
            self._may_be_cached = False
            return self._end()
        elif text.startswith("Successfully "):
            self._current = None
            self._print(text)
        elif text.strip() and not _REMOVED.fullmatch(text):
            self._print(text)
        return ()

    def _expected(self, number: int, total: int) -> bool:
        self._total = self._total or total
        return total == self._total and number >= 1
