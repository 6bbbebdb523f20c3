"""The chat endpoint in a container, for agents whose engine does not lead back to this machine."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_dockerlab.errors import UsageError
from pytest_dockerlab.stubs.chat import ChatRequest
from pytest_dockerlab.stubs.remote import CONTROL, PORT

if TYPE_CHECKING:
    from pytest_dockerlab.lab import Container, Lab
    from pytest_dockerlab.lab.resources import Network

__all__ = ["ChatBeside"]

_PACKAGE = Path(__file__).resolve().parents[1]
# What the endpoint needs of this package; the packages' own __init__ would ask for more.
_MODULES = ("errors.py", "stubs/server.py", "stubs/chat.py", "stubs/remote.py")
_DOCKERFILE = """\
FROM python:3.10-slim
RUN pip install --no-cache-dir pytest-httpserver
COPY pytest_dockerlab /stub/pytest_dockerlab
ENV PYTHONPATH=/stub
ENTRYPOINT ["python", "-m", "pytest_dockerlab.stubs.remote"]
"""
_SECONDS = 20.0


class ChatBeside:
    """A ``ChatEndpoint`` in a container, on a network that its agents are put on, too; it goes with its lab.

    ``chat = ChatBeside(lab)``, then ``lab.run("agent", network=chat.network, env={"OPENAI_BASE_URL": chat.url()})``.

    Args:
        lab: owns the network, the image and the container.
        key: the API key that is accepted; any other gets a 401.
        models: what ``/v1/models`` lists.

    Attributes:
        network: where agents reach it.
        container: what it runs in.
    """

    def __init__(self, lab: Lab, *, key: str = "sk-stand-in", models: tuple[str, ...] = ("gpt-4o-mini",)) -> None:
        from pytest_dockerlab.lab.waiting import HttpWaitStrategy

        self.key = key
        self.network: Network = lab.network()
        self._alias = f"chat-{self.network.name[-6:]}"
        with tempfile.TemporaryDirectory(prefix="dockerlab-chat-") as folder:
            image = lab.build(_DOCKERFILE, context=_context(Path(folder)))
        self.container: Container = lab.run(
            image,
            [key, *models],
            network=self.network,
            aliases=[self._alias],
            ports=[PORT],
            wait=HttpWaitStrategy(PORT, f"{CONTROL}/requests"),
        )

    def url(self) -> str:
        """What the client takes as its base URL, on ``network``."""
        return f"http://{self._alias}:{PORT}/v1"

    @property
    def outside(self) -> str:
        """The same, from this machine."""
        return self.container.url(PORT, "/v1")

    def answer(self, question: str, text: str) -> None:
        """As ``ChatEndpoint.answer``."""
        self._tell("answer", question=question, text=text)

    def fail(self, status: int, *, times: int = 1, retry_after: float = 0.01, message: str = "") -> None:
        """As ``ChatEndpoint.fail``."""
        self._tell("fail", status=status, times=times, retry_after=retry_after, message=message)

    def delay(self, seconds: float) -> None:
        """As ``ChatEndpoint.delay``."""
        self._tell("delay", seconds=seconds)

    @property
    def requests(self) -> tuple[ChatRequest, ...]:
        """Every completion that was asked for, in order, refused ones included."""
        import requests

        found = requests.get(self.container.url(PORT, f"{CONTROL}/requests"), timeout=_SECONDS).json()
        return tuple(
            ChatRequest(**{**each, "messages": tuple((role, content) for role, content in each["messages"])})
            for each in found
        )

    def _tell(self, verb: str, **arguments: Any) -> None:
        import requests

        answer = requests.post(self.container.url(PORT, f"{CONTROL}/{verb}"), json=arguments, timeout=_SECONDS)
        if answer.status_code != 204:
            raise UsageError(answer.json()["what"], remedy=answer.json()["remedy"])


def _context(folder: Path) -> Path:
    for name in _MODULES:
        target = folder / "pytest_dockerlab" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        (target.parent / "__init__.py").touch()
        shutil.copyfile(_PACKAGE / name, target)
    return folder
