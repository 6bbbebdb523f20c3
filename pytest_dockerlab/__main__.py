"""``python -m pytest_dockerlab``: the ``dockerlab`` program, where its script is not on the path."""

from __future__ import annotations

import sys

from pytest_dockerlab.cli import main

if __name__ == "__main__":
    sys.exit(main())
