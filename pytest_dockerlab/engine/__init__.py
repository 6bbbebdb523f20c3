"""Engines: finding one, starting one, and its verbs. The only package that imports docker."""

from __future__ import annotations
