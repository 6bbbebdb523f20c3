"""Assertion that an image gives no secret away."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from pytest_dockerlab.assertions.layers import assert_layers_added
from pytest_dockerlab.assertions.things import HasImage, image_of
from pytest_dockerlab.checks import secrets as check
from pytest_dockerlab.checks.secrets import SecretScan
from pytest_dockerlab.findings import demand
from pytest_dockerlab.image.model import Image

__all__ = ["assert_no_secret"]


def assert_no_secret(
    image: Image | HasImage,
    secret: str | re.Pattern[str] | Sequence[str | re.Pattern[str]] | Mapping[str, str | re.Pattern[str]] | None = None,
    *,
    over: Image | HasImage | None = None,
) -> SecretScan:
    """The secret is nowhere in the image. Returns how much was looked at.

    Looked at: names and all content of the files of every layer (of those that a later layer
    deletes, too), environment, labels, history with its build arguments, CMD, ENTRYPOINT,
    HEALTHCHECK. A value is found in base64, hex, UTF-16, URL and JSON encoding, too, and the forms
    of keys in base64; not within compressed files. Findings show secrets masked.

    Args:
        secret: its value, a pattern, several of them, or name → value or pattern; ``None``
            looks for the forms of keys that well-known services give out.
        over: leave this image's layers out: what is in the base is not yours.

    Raises:
        CheckFailed: it is there; one finding for each secret, with every place.
        UsageError: a value too short to be told from other text, or an image without files.
    """
    model = image_of(image)
    first = 0 if over is None else len(model.layers) - len(assert_layers_added(model, over=over))
    return demand(check.no_secret(model, check.read_wanted(secret), first_layer=first))
