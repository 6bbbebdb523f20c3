"""The platform of each test: which ones are asked for, what this engine does with them, and who says so."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import pytest

from pytest_dockerlab.errors import InstallFailed, UsageError
from pytest_dockerlab.platforms import Platform, same

if TYPE_CHECKING:
    from pytest_dockerlab.engine.emulation import Hold
    from pytest_dockerlab.engine.engine import Engine
    from pytest_dockerlab.engine.support import Support
    from pytest_dockerlab.plugin.marks import Knows
    from pytest_dockerlab.plugin.seat import Folder
    from pytest_dockerlab.settings import Settings

__all__ = ["FIXTURE", "Axis", "param_of", "parametrize", "place_of"]

#: The fixture that every lab rests on.
FIXTURE = "lab_platform"
_MARK = "platforms"
_PLACE: pytest.StashKey[str] = pytest.StashKey()


def parametrize(metafunc: pytest.Metafunc, settings: Settings) -> None:
    """Have a test that uses a lab run once for each platform; its id shows which, where there could be another.

    Raises:
        UsageError: a mark that can't be meant.
    """
    asked, marked = settings.platforms, _marked(metafunc.definition)
    if not marked and len(asked) < 2:
        return
    chosen: list[Any] = [str(each) for each in (marked or asked) if not (asked and marked) or each in asked]
    if not chosen:
        reason = f"made for {', '.join(map(str, marked))}, and {settings.source('platform')} asks for others"
        chosen = [pytest.param(str(marked[0]), marks=pytest.mark.skip(reason=reason))]
    if metafunc.definition.get_closest_marker("exercise") is not None:
        chosen = chosen[:1]  # points are given once
    metafunc.parametrize(FIXTURE, chosen, indirect=True, scope="session")


def _marked(item: pytest.Item) -> tuple[Platform, ...]:
    """What the nearest mark names: a function's counts over its module's."""
    mark = item.get_closest_marker(_MARK)
    if mark is None:
        return ()
    try:
        if not mark.args or mark.kwargs:
            raise UsageError("it names none", remedy='write @pytest.mark.platforms("linux/amd64", "linux/arm64")')
        return tuple(dict.fromkeys(Platform.parse(str(each)) for each in mark.args))
    except UsageError as error:
        raise UsageError(f"{item.nodeid}: @pytest.mark.{_MARK}: {error.what}", remedy=error.remedy) from error


def param_of(item: pytest.Item) -> str | None:
    """The platform that a test was parametrised with, if it was."""
    params = getattr(getattr(item, "callspec", None), "params", {})
    found = params.get(FIXTURE)
    return found if isinstance(found, str) else None


def place_of(item: pytest.Item) -> str:
    """The platform that a test of this run is on, where it is another one than the engine's own; else ``""``."""
    return item.stash.get(_PLACE, "")


class Axis:
    """What one process knows of the run's platforms on its engine.

    Attributes:
        begun: tests are about to run.
    """

    def __init__(
        self,
        settings: Settings,
        folder: Folder,
        number: int,
        engine: Callable[[], Engine],
        tell: Callable[[str], None],
    ) -> None:
        self._settings = settings
        self._folder = folder
        self._prefix = f"platform-{number}-"
        self._engine = engine
        self._tell = tell
        self.begun = False
        self._known: dict[Platform, Support] = {}
        self._holds: list[Hold] = []

    def chosen(self, param: str | None) -> Platform:
        """The platform that a lab works for.

        Args:
            param: of the test, if it was parametrised.
        """
        own = self._engine().info.platform
        if param is not None:
            return Platform.parse(param)
        asked = self._settings.platforms
        # A lab that a test asks for while it runs (getfixturevalue) can't multiply the test any more.
        return own if not asked or own in asked else asked[0]

    def foreign(self, platform: Platform) -> Platform | None:
        """The platform, where it is another one than the engine's own."""
        return None if same(platform, self._engine().info.platform) else platform

    def begin(self, items: Iterable[pytest.Item]) -> None:
        """Find out what the engine does with the platforms of these tests, and which of them are on which."""
        self.begun = True
        for item in items:
            platform = self.chosen(param_of(item))
            if self.foreign(platform) is not None:
                item.stash[_PLACE] = str(platform)
            if item.get_closest_marker("skip") is None:
                self.support(platform)

    def support(self, platform: Platform) -> Support:
        """What the engine does with a platform; tried once in the run."""
        if (known := self._known.get(platform)) is not None:
            return known
        from pytest_dockerlab.engine.support import Support, support

        if self.foreign(platform) is None:
            found = support(self._engine(), platform)
        else:
            trouble = self._hold(platform)
            name = self._prefix + str(platform).replace("/", "-")
            with self._folder.lock(name):
                if (record := self._folder.read(f"{name}.json")) is not None:
                    found = Support(**{**record, "platform": platform})
                else:
                    found = support(self._engine(), platform)
                    if trouble is not None and found.state == "unavailable":
                        found = Support(
                            platform=platform, state="unavailable", reason=trouble.what, remedy=trouble.remedy
                        )
                    self._folder.write(f"{name}.json", {**_fields(found), "platform": str(platform)})
        self._known[platform] = found
        return found

    def _hold(self, platform: Platform) -> InstallFailed | None:
        """Have an emulator of this machine stay, or come, as long as this process needs it."""
        from pytest_dockerlab.engine import emulation
        from pytest_dockerlab.engine.probes import same_kernel

        if not same_kernel(self._engine()):
            return None
        try:
            held = emulation.hold(platform, can_install=self._settings.install, tell=self._tell)
        except InstallFailed as error:
            return error
        if held is not None:
            self._holds.append(held)
        return None

    def headlines(self) -> list[str]:
        """Of each platform that is not an engine's own, what becomes of it."""
        found = []
        for record in self._folder.records("platform-"):
            line = f"{record['platform']} {record['state']}: {record['reason']}"
            found += [line] if line not in found else []
        return found

    def title(self, platform: Platform) -> str:
        """For tables of several jobs: what was only emulated says so."""
        return f"{platform} (emulated)" if self.support(platform).state == "emulated" else str(platform)

    def capabilities(self, platform: Platform) -> Knows:
        """What the engine can, for tests on a platform."""
        return self._engine().capabilities.on(self.support(platform))

    def refusal(self, platform: Platform) -> tuple[str, bool]:
        """Why no test can run on a platform, ``""`` if one can; and whether that is a failure, not a skip.

        A failure it is where the option asked for this platform and all must be there (``CI``, ``--dockerlab-strict``).
        """
        found = self.support(platform)
        if found.state != "unavailable":
            return "", False
        reason = f"{platform} is unavailable: {found.reason}" + (f" → {found.remedy}" if found.remedy else "")
        strict = self._settings.strict and platform in self._settings.platforms
        if strict:
            asked, all_of = self._settings.source("platform"), self._settings.source("strict")
            reason += f" ({asked} asks for it, {all_of} for all)"
        return reason, strict

    def close(self) -> None:
        """Let go of emulators: the last one to do so takes them away."""
        for held in self._holds:
            with contextlib.suppress(OSError):
                held.release()
        self._holds.clear()
        self._known.clear()


def _fields(found: Support) -> dict[str, Any]:
    return {"state": found.state, "reason": found.reason, "remedy": found.remedy, "set_uid": found.set_uid}
