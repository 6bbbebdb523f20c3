"""Servers that stand in for the outside world: a chat model, a download site (extra ``stubs``)."""

from pytest_dockerlab.stubs.chat import ChatEndpoint, ChatRequest

__all__ = ["ChatEndpoint", "ChatRequest"]
