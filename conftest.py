"""What all of our own tests share; the plugin itself comes from the installed package."""

from __future__ import annotations

pytest_plugins = ["pytester"]
