"""Servers that stand in for the outside world: a chat model, a download site (extra ``stubs``)."""

from pytest_dockerlab.stubs.beside import ChatBeside
from pytest_dockerlab.stubs.chat import ChatEndpoint, ChatRequest
from pytest_dockerlab.stubs.download import DownloadSite, Fetch
from pytest_dockerlab.stubs.installer import Installer

__all__ = ["ChatBeside", "ChatEndpoint", "ChatRequest", "DownloadSite", "Fetch", "Installer"]
