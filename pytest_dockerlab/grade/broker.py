"""The broker between a batch and its workers: one Celery application, the same on both sides.

Celery's settings: https://docs.celeryq.dev/en/stable/userguide/configuration.html. Messages are JSON alone: nothing of
them is ever unpickled, and no check's code is in them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from pytest_dockerlab.errors import LabError, UsageError

if TYPE_CHECKING:
    from celery import Celery

__all__ = ["LONGEST", "QUEUES", "TASK", "BrokerLost", "application", "connected", "hidden", "queue", "reach"]

TASK = "dockerlab.grade"
QUEUES = ("first", "rerun")
# Seconds that one submission may take: well below the time after which Redis gives a message to somebody else.
LONGEST = 3600.0
_VISIBLE = 2 * LONGEST
_KEPT = 24 * 3600
_SCHEMES = ("redis", "rediss", "amqp", "amqps")


class BrokerLost(LabError):
    """The broker, or every worker behind it, does not answer (any more)."""


def application(url: str) -> Celery:
    """Celery as both sides have to set it up. Nothing is connected yet.

    Args:
        url: ``redis://[:PASSWORD@]HOST[:PORT]/DB`` (``rediss`` for TLS), or ``amqp://…``.

    Raises:
        UsageError: no such address, or the extra is not installed.
    """
    if urlsplit(url).scheme not in _SCHEMES or not urlsplit(url).hostname:
        raise UsageError(f"--broker: not a broker: {hidden(url)!r}", remedy="write redis://HOST:6379/0 or amqp://HOST")
    try:
        from celery import Celery
    except ImportError as error:
        raise UsageError(
            f"a broker needs Celery, which is not installed ({error})",
            remedy="pip install 'pytest-dockerlab[broker]'",
        ) from error
    # Over AMQP results come by a queue of the batch's own.
    redis = url.startswith("redis")
    app = Celery("dockerlab", broker=url, backend=url if redis else "rpc://", set_as_current=False)
    app.conf.update(
        task_serializer="json",
        result_serializer="json",
        event_serializer="json",
        accept_content=["json"],
        result_accept_content=["json"],
        task_compression="gzip",
        # A task is acknowledged when it is done: one whose worker is lost is done again, which gives the same.
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        worker_prefetch_multiplier=1,
        task_track_started=True,
        task_create_missing_queues=True,
        result_expires=_KEPT,
        broker_connection_retry_on_startup=False,
        broker_transport_options={"visibility_timeout": _VISIBLE, "socket_connect_timeout": 5} if redis else {},
        redis_socket_connect_timeout=5,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        worker_cancel_long_running_tasks_on_connection_loss=False,
    )
    return app


def reach(url: str) -> None:
    """Whether anybody answers there. Raises: UsageError, BrokerLost."""
    app = application(url)
    with connected(url), app.connection_for_read() as connection:
        connection.ensure_connection(max_retries=1, timeout=5)


def queue(course: str, version: str, kind: str) -> str:
    """Name of a queue: who has another course or version never hears of its tasks."""
    return f"dockerlab-{course[:16]}-{version}-{kind}"


def hidden(url: str) -> str:
    """An address without its password."""
    return re.sub(r"(://[^/@]*?:)[^/]*(@)", r"\1**\2", url)


@contextmanager
def connected(url: str) -> Iterator[None]:
    """What the broker's library raises in here becomes ``BrokerLost``, with the address and without the password."""
    from kombu.exceptions import OperationalError

    errors: tuple[type[Exception], ...] = (OperationalError, ConnectionError)
    try:
        from redis.exceptions import RedisError
    except ImportError:
        pass
    else:
        errors = (*errors, RedisError)
    try:
        yield
    except errors as error:
        said = str(error).replace(url, hidden(url)) or type(error).__name__
        raise BrokerLost(
            f"the broker at {hidden(url)} does not answer: {said}",
            remedy="look whether it runs, and whether this machine may reach it",
        ) from None
