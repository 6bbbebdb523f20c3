"""What of this machine goes into an image: package sources, proxies, certificates, pip's configuration."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_dockerlab.bases.addresses import for_containers
from pytest_dockerlab.bases.apt import Source, apt_options, read_sources, render_options, render_sources
from pytest_dockerlab.bases.host import Host
from pytest_dockerlab.bases.pipconfig import pip_files, read_pip, render_pip
from pytest_dockerlab.bases.trust import local_authorities

_SOURCES = """\
Types: deb deb-src
# where it comes from
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates bookworm-backports
Components: main contrib
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: https://packages.example/node
Suites: bookworm
Components: main
Signed-By: /usr/share/keyrings/nodesource.gpg

Enabled: no
Types: deb
URIs: http://mirror.example/off
Suites: bookworm
Components: main
"""
_LIST = """\
# deb http://mirror.example/comment bookworm main
deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] https://me:x@sec.example/ bookworm-security main #
deb file:/srv/debian bookworm main
deb http://localhost:3142/debian bookworm main
deb-src http://mirror.example/debian bookworm main
deb http://mirror.example/debian
"""


def test_only_the_distributions_own_sources_are_taken(tmp_path: Path) -> None:
    """Other vendors', disabled, local and loopback sources stay out; users and passwords are taken off."""
    (tmp_path / "sources.list").write_text(_LIST)
    (tmp_path / "sources.list.d").mkdir()
    (tmp_path / "sources.list.d/debian.sources").write_text(_SOURCES)
    (tmp_path / "sources.list.d/debian.sources.disabled").write_text(_SOURCES)
    keyring = "/usr/share/keyrings/debian-archive-keyring.gpg"
    assert read_sources("bookworm", tmp_path) == (
        Source(uris=("https://sec.example/",), suites=("bookworm-security",), components=("main",), signed_by=keyring),
        Source(
            uris=("http://mirror.example/debian",),
            suites=("bookworm", "bookworm-updates"),
            components=("main", "contrib"),
            signed_by=keyring,
        ),
    )


def test_a_list_of_mirrors_is_followed(tmp_path: Path) -> None:
    """``mirror+file:`` names a file whose first address is used."""
    (tmp_path / "mirrors.txt").write_text("http://mirror.example/ubuntu/\tpriority:1\nhttp://other.example/\n")
    (tmp_path / "sources.list").write_text(f"deb mirror+file:{tmp_path}/mirrors.txt noble main universe\n")
    (source,) = read_sources("noble", tmp_path)
    assert source.uris == ("http://mirror.example/ubuntu/",)


def test_sources_are_written_as_apt_reads_them() -> None:
    """A rendered source has one field a line, and the next one follows after an empty line."""
    source = Source(uris=("http://a.example",), suites=("x", "x-updates"), components=("main",), trusted=True)
    text = "Types: deb\nURIs: http://a.example\nSuites: x x-updates\nComponents: main\nTrusted: yes\n"
    assert render_sources([source, source]) == f"{text}\n{text}"


def test_options_without_which_apt_would_fail_are_taken_over() -> None:
    """Proxies and checks of the host's apt are kept; a proxy on its loopback and anything else is not."""
    dump = (
        'APT::Architecture "amd64";\nAcquire::Check-Date "false";\nAcquire::http::Proxy "http://localhost:3142";\n'
        'Acquire::https::Proxy "http://u:p@proxy.example:8080";\nAcquire::https::Proxy::a.example "DIRECT";\n'
    )
    assert render_options(apt_options(dump, {"https": "http://unused.example"})) == (
        'Acquire::Check-Date "false";\n'
        'Acquire::https::Proxy "http://proxy.example:8080";\n'
        'Acquire::https::Proxy::a.example "DIRECT";\n'
    )
    assert apt_options("", {"http": "proxy.example:3128"}) == (("Acquire::http::Proxy", "http://proxy.example:3128"),)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://u:p@index.example/simple", "https://index.example/simple"),
        ("http://127.0.0.1:3141/root/pypi", ""),
        ("http://[::1]:3141/", ""),
        ("http://devpi.localhost/", ""),
        ("file:///opt/simple", ""),
        ("http://10.0.0.7:3141/", "http://10.0.0.7:3141/"),
    ],
)
def test_addresses_that_mean_something_in_a_container(url: str, expected: str) -> None:
    """Local files and loopback don't; credentials never go into an image."""
    assert for_containers(url) == expected


def test_pip_is_configured_as_on_the_host(tmp_path: Path) -> None:
    """Later files win over earlier ones, [install] over [global], the environment over both; local things stay out."""
    first, second = tmp_path / "a.conf", tmp_path / "b.conf"
    first.write_text("[global]\nindex-url = https://a.example/simple\ntimeout = 10\nfind-links = /opt/wheels\n")
    second.write_text(
        "[global]\nindex_url = https://b.example/simple\n[install]\ntrusted-host = b.example\n c.example\n"
    )
    environ = {"PIP_EXTRA_INDEX_URL": "file:///x https://c.example/simple", "PIP_DEFAULT_TIMEOUT": "60"}
    options = read_pip([first, second, tmp_path / "none.conf"], environ)
    assert dict(options) == {
        "index-url": "https://b.example/simple",
        "extra-index-url": "https://c.example/simple",
        "trusted-host": "b.example c.example",
        "timeout": "60",
    }
    assert render_pip(options) == (
        "[global]\ncert = /etc/ssl/certs/ca-certificates.crt\nindex-url = https://b.example/simple\n"
        "extra-index-url = https://c.example/simple\ntrusted-host =\n    b.example\n    c.example\ntimeout = 60\n"
    )


def test_pips_files_can_be_switched_off() -> None:
    """``PIP_CONFIG_FILE=/dev/null`` means no file at all, as for pip."""
    assert pip_files({"PIP_CONFIG_FILE": "/dev/null"}) == ()
    assert pip_files({"HOME": "/h", "PIP_CONFIG_FILE": "/x.conf"})[-1] == Path("/x.conf")


def _pem(body: str, width: int = 64) -> str:
    rows = [body[at : at + width] for at in range(0, len(body), width)]
    return "\n".join(("-----BEGIN CERTIFICATE-----", *rows, "-----END CERTIFICATE-----", ""))


def test_only_authorities_that_the_distribution_lacks_are_local(tmp_path: Path) -> None:
    """A certificate that the package brings is known whatever its layout; twice the same local one counts once."""
    (tmp_path / "package").mkdir()
    (tmp_path / "package/a.crt").write_text(_pem("QUFB" * 30))
    bundle = tmp_path / "bundle.pem"
    bundle.write_text(_pem("QUFB" * 30, width=76) + "comment\n" + _pem("QkJC" * 30) + _pem("QkJC" * 30, width=60))
    ((name, text),) = local_authorities([bundle, tmp_path / "missing"], tmp_path / "package")
    assert name.startswith("host-")
    assert name.endswith(".crt")
    assert text == _pem("QkJC" * 30)


def test_a_host_that_is_no_debian_says_so() -> None:
    """Stand-ins from packages need Debian's or Ubuntu's, and a source to get them from."""
    assert "and this is Fedora 41" in Host(distribution="fedora", pretty="Fedora 41").obstacle
    assert "no http source of debian's own trixie main" in Host(distribution="debian", suite="trixie").obstacle
