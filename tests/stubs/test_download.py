"""The download site, asked over HTTP."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import requests

from pytest_dockerlab.errors import UsageError
from pytest_dockerlab.stubs import DownloadSite


@pytest.fixture
def site() -> Iterator[DownloadSite]:
    with DownloadSite({"/archive/setup.sh": b"#!/bin/sh\n"}, address="127.0.0.1") as running:
        yield running


def test_a_file_is_served_and_its_fetch_remembered(site: DownloadSite) -> None:
    """The bytes as they were given; who fetched what, with which answer."""
    answer = requests.get(site.url("/archive/setup.sh"), headers={"User-Agent": "wget-like"}, timeout=20)
    assert (answer.status_code, answer.content) == (200, b"#!/bin/sh\n")
    [fetch] = site.fetched
    assert (fetch.method, fetch.path, fetch.agent, fetch.status, fetch.size) == (
        "GET",
        "/archive/setup.sh",
        "wget-like",
        200,
        10,
    )


def test_a_look_gets_the_size_and_no_bytes(site: DownloadSite) -> None:
    """HEAD is answered with the file's size, and remembered as such."""
    answer = requests.head(site.url("/archive/setup.sh"), timeout=20)
    assert (answer.headers["Content-Length"], answer.content) == ("10", b"")
    assert [fetch.method for fetch in site.fetched] == ["HEAD"]


def test_what_is_not_there_is_a_404_and_remembered(site: DownloadSite) -> None:
    """A typing error in an address can be seen in what was fetched."""
    assert requests.get(site.url("/archive/set-up.sh"), timeout=20).status_code == 404
    assert [(fetch.path, fetch.status, fetch.size) for fetch in site.fetched] == [("/archive/set-up.sh", 404, 0)]


def test_nothing_can_be_sent_to_it(site: DownloadSite) -> None:
    """It only gives."""
    assert requests.post(site.url("/archive/setup.sh"), data=b"x", timeout=20).status_code == 405


def test_a_file_can_be_added_while_it_runs(site: DownloadSite) -> None:
    """Served from then on."""
    site.add("/later", b"later")
    assert requests.get(site.url("/later"), timeout=20).content == b"later"


def test_a_port_that_is_taken_is_left_alone(site: DownloadSite) -> None:
    """The wanted port is taken when it is free, and another one when it is not."""
    with DownloadSite(port=site.port, address="127.0.0.1") as second:
        assert second.port != site.port
        free = second.port
    with DownloadSite(port=free, address="127.0.0.1") as third:
        assert third.port == free


def test_an_address_names_the_machine_as_the_client_knows_it(site: DownloadSite) -> None:
    """A container has another name for this machine."""
    assert site.url("/x", "host.docker.internal") == f"http://host.docker.internal:{site.port}/x"


def test_a_path_begins_at_the_root(site: DownloadSite) -> None:
    """Anything else is refused, with what was meant."""
    with pytest.raises(UsageError, match=r"not a path of a site: 'setup\.sh'[\s\S]*'/setup\.sh'"):
        site.add("setup.sh", b"")


def test_a_site_that_does_not_run_says_so() -> None:
    """Instead of an attribute error."""
    with pytest.raises(UsageError, match="not running"):
        DownloadSite().url("/")
