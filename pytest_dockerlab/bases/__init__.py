"""Base images where there is no Docker Hub: pulled, mirrored, or stand-ins made on this machine."""

from __future__ import annotations

from pytest_dockerlab.bases.provide import Bases, Provided

__all__ = ["Bases", "Provided"]
