"""Bridge, addresses and firewall rules of one private engine, and how they go again.

The engine runs with ``--iptables=false``: two engines that both write docker's chains undo each other's work.
So the rules that docker would make are made here, by address range, which covers the networks that tests create
too. All carry a comment, by which they are found again after a crash.
"""

from __future__ import annotations

import contextlib
import ipaddress
import json
import os
import shlex
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Network
from pathlib import Path

from pytest_dockerlab.engine.private.slots import Slot, all_slots, machine_lock
from pytest_dockerlab.errors import EngineStartFailed

__all__ = ["Network", "allow", "down", "free_pool", "loopback_resolver", "networks_in_use", "resolvers", "up"]

_FORWARD = Path("/proc/sys/net/ipv4/ip_forward")
# The second and third are what systemd-resolved and NetworkManager keep behind a loopback name server.
_RESOLV = ("/etc/resolv.conf", "/run/systemd/resolve/resolv.conf", "/run/NetworkManager/no-stub-resolv.conf")
_BRIDGED = Path("/proc/sys/net/bridge/bridge-nf-call-iptables")


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """What ``up`` made. ``pool`` is a /16: its first /24 is the bridge's, its second half is for tests' networks, and
    its second quarter for those of them that nothing leaves."""

    bridge: str
    pool: IPv4Network

    @property
    def gateway(self) -> str:
        return str(self.pool[1])

    @property
    def mac(self) -> str:
        """Locally administered, from the gateway's address, as docker makes its own."""
        return ":".join(f"{octet:02x}" for octet in (0x02, 0x42, *self.pool[1].packed))

    @property
    def subnet(self) -> IPv4Network:
        return next(self.pool.subnets(new_prefix=24))

    @property
    def for_tests(self) -> IPv4Network:
        return list(self.pool.subnets(prefixlen_diff=1))[1]

    @property
    def for_internal(self) -> IPv4Network:
        return list(self.pool.subnets(prefixlen_diff=2))[1]


def _run(*command: str, check: bool = True) -> str:
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])
    program = shutil.which(command[0], path=path)
    if program is None:
        if not check:
            return ""
        raise EngineStartFailed(
            f"the program {command[0]} is not installed, and a private engine needs it for its network",
            remedy="dockerlab up --install",
        )
    done = subprocess.run([program, *command[1:]], capture_output=True, text=True, check=False, timeout=30)
    if check and done.returncode:
        raise EngineStartFailed(
            f"{shlex.join(command)}: {done.stderr.strip() or f'ended with {done.returncode}'}",
            remedy="an engine of its own needs the right to change this machine's network (CAP_NET_ADMIN)",
        )
    return done.stdout


def networks_in_use() -> tuple[IPv4Network, ...]:
    """IPv4 ranges of all addresses and routes (but the default one), of the name servers, and of the other slots."""
    found: set[IPv4Network] = set()
    for link in json.loads(_run("ip", "-json", "-4", "address") or "[]"):
        for address in link.get("addr_info", ()):
            found.add(IPv4Network(f"{address['local']}/{address['prefixlen']}", strict=False))
    for route in json.loads(_run("ip", "-json", "-4", "route", "show", "table", "all") or "[]"):
        with contextlib.suppress(ValueError):
            network = IPv4Network(route.get("dst", ""), strict=False)
            if network.prefixlen > 1:  # VPN clients split the default route into two halves
                found.add(network)
    found.update(IPv4Network(server) for server in resolvers() if ":" not in server)
    for slot in all_slots():
        if (state := slot.read()) is not None and state.pool:
            found.add(IPv4Network(state.pool))
    return tuple(found)


def free_pool(used: Iterable[IPv4Network], *, start: int = 0) -> IPv4Network:
    """A private /16 (RFC 1918) that overlaps nothing in ``used``.

    Args:
        start: where to begin looking, so that two who look at the same time seldom find the same.

    Raises:
        EngineStartFailed: there is none.
    """
    # Not the low ones of 10/8 and of 172.16/12: home and company networks, docker's own defaults.
    tens = [IPv4Network(f"10.{second}.0.0/16") for second in range(128, 255)]
    turn = start % len(tens)
    rest = [IPv4Network(f"172.{second}.0.0/16") for second in range(31, 19, -1)]
    taken = tuple(used)
    for candidate in [*tens[turn:], *tens[:turn], *rest]:
        if not any(candidate.overlaps(other) for other in taken):
            return candidate
    raise EngineStartFailed(
        "no free address range for the engine's bridge: 10.128–254 and 172.20–31 are all in use",
        remedy="a VPN may claim all of them: leave it, or use an engine that runs (DOCKER_HOST)",
    )


def resolvers(places: Iterable[str] = _RESOLV) -> tuple[str, ...]:
    """Name servers of this host that a container can reach; loopback ones it can't, so those behind them."""
    for place in places:
        if found := tuple(server for server in _servers(place) if not _loopback(server)):
            return found
    return ()


def loopback_resolver(places: Iterable[str] = _RESOLV) -> str:
    """The IPv4 name server on loopback that is all this host has, ``""`` where there is another, or none."""
    if resolvers(places):
        return ""
    servers = (server for place in places for server in _servers(place))
    return next((server for server in servers if ":" not in server), "")


def _servers(place: str) -> Iterator[str]:
    try:
        lines = Path(place).read_text(errors="replace").splitlines()
    except OSError:
        return
    for words in map(str.split, lines):
        if len(words) > 1 and words[0] == "nameserver":
            with contextlib.suppress(ValueError):
                ipaddress.ip_address(words[1].partition("%")[0])
                yield words[1]


def _loopback(server: str) -> bool:
    return ipaddress.ip_address(server.partition("%")[0]).is_loopback


def _rules(slot: Slot, pool: IPv4Network, *, fenced: bool) -> list[tuple[str, str, list[str]]]:
    """(table, chain, rule), in the order in which they are inserted at the top: the last one is looked at first."""
    own, note = str(pool), ["-m", "comment", "--comment", slot.comment]
    internal = Network(bridge=slot.bridge, pool=pool).for_internal
    # By the bridge, too: root in a container may write any sender's address.
    fence = [
        (chain, [*who, *note, "-j", "REJECT"])
        for chain in ("FORWARD", "INPUT")
        for who in (["-s", own, "!", "-i", "lo"], ["-i", slot.bridge])
    ]
    answers = ["-s", own, "-m", "conntrack", "--ctstate", "RELATED,ESTABLISHED", *note, "-j", "ACCEPT"]
    ways_out = (
        [
            *(("filter", chain, rule) for chain, rule in fence),
            ("filter", "INPUT", answers),  # of published ports, which the engine serves from this host
        ]
        if fenced
        else [
            ("nat", "POSTROUTING", ["-s", own, "!", "-d", own, *note, "-j", "MASQUERADE"]),
            ("filter", "FORWARD", ["-s", own, *note, "-j", "ACCEPT"]),
            (
                "filter",
                "FORWARD",
                ["-d", own, "-m", "conntrack", "--ctstate", "RELATED,ESTABLISHED", *note, "-j", "ACCEPT"],
            ),
        ]
    )
    rules = [
        *ways_out,
        # Docker isolates its networks from one another ...
        ("filter", "FORWARD", ["-s", own, "-d", own, *note, "-j", "DROP"]),
        # ... lets nothing out of internal ones ...
        ("filter", "FORWARD", ["-s", str(internal), *note, "-j", "DROP"]),
    ]
    if _bridged():
        # ... and where the kernel shows bridged frames to the firewall, those of one network have to pass.
        rules.append(
            (
                "filter",
                "FORWARD",
                ["-s", own, "-d", own, "-m", "physdev", "--physdev-is-bridged", *note, "-j", "ACCEPT"],
            )
        )
    return rules


def _bridged() -> bool:
    try:
        return _BRIDGED.read_text().strip() == "1"
    except OSError:  # the module br_netfilter is not loaded
        return False


def up(slot: Slot, *, fenced: bool = False) -> Network:
    """Make the bridge and its rules.

    Args:
        fenced: nothing behind it reaches this host or what is beyond, but what ``allow`` lets through.

    Raises:
        EngineStartFailed: a command failed, or no range is free. What was made by then is gone again.
    """
    with machine_lock():
        pool = free_pool(networks_in_use(), start=int(slot.ident[-5:], 16))
        made = Network(bridge=slot.bridge, pool=pool)
        try:
            # A bridge without an address of its own takes that of its ports, which come and go: containers would
            # speak to one that is no longer there until their ARP entry runs out.
            _run("ip", "link", "add", made.bridge, "address", made.mac, *_mtu(), "type", "bridge")
            _run("ip", "address", "add", f"{made.gateway}/24", "dev", made.bridge)
            _run("ip", "link", "set", made.bridge, "up")
            if fenced:
                _no_ipv6(made.bridge)
            for table, chain, rule in _rules(slot, pool, fenced=fenced):
                _run("iptables", "-w", "20", "-t", table, "-I", chain, *rule)
            _forwarding_on()
        except EngineStartFailed:
            _take_down(slot, str(pool))
            raise
    return made


def allow(slot: Slot, made: Network, port: int) -> None:
    """Let what is on a fenced bridge reach a TCP port of this host, at the bridge's own address; builds are on it.

    Raises:
        EngineStartFailed: the rule could not be made.
    """
    note = ["-m", "comment", "--comment", slot.comment]
    rule = ["-i", slot.bridge, "-d", made.gateway, "-p", "tcp", "--dport", str(port), *note, "-j", "ACCEPT"]
    with machine_lock():
        _run("iptables", "-w", "20", "-t", "filter", "-I", "INPUT", *rule)


def _no_ipv6(bridge: str) -> None:
    """The rules are IPv4's, and the bridge would get a link-local address that this host listens on."""
    with contextlib.suppress(OSError):  # a kernel without it
        Path(f"/proc/sys/net/ipv6/conf/{bridge}/disable_ipv6").write_text("1")


def _mtu() -> list[str]:
    """Of the way out: a bridge with a larger one loses large packets (clouds, VPNs)."""
    for route in json.loads(_run("ip", "-json", "-4", "route", "show", "default", check=False) or "[]"):
        with contextlib.suppress(OSError, ValueError):
            return ["mtu", str(int(Path(f"/sys/class/net/{route['dev']}/mtu").read_text()))]
    return []


def down(slot: Slot, pool: str = "") -> tuple[str, ...]:
    """Remove rules and bridges of this slot, whoever made them and however that ended.

    Args:
        pool: its address range where known: bridges of networks that tests created lie in it.

    Returns:
        What was there, in words.
    """
    with machine_lock():
        return _take_down(slot, pool)


def _take_down(slot: Slot, pool: str) -> tuple[str, ...]:
    gone = []
    for table in ("filter", "nat"):
        for line in _run("iptables", "-w", "20", "-t", table, "-S", check=False).splitlines():
            words = shlex.split(line)
            if words[0] == "-A" and slot.comment in words:
                _run("iptables", "-w", "20", "-t", table, "-D", *words[1:], check=False)
                gone.append(f"rule {' '.join(words[1:2])} of {table}")
                if not pool and "-s" in words:
                    pool = words[words.index("-s") + 1]
    for link in json.loads(_run("ip", "-json", "-4", "address", check=False) or "[]"):
        name = link.get("ifname", "")
        inside = pool and name.startswith("br-") and _within(link, IPv4Network(pool))
        if name == slot.bridge or inside:
            _run("ip", "link", "delete", name, check=False)
            gone.append(f"bridge {name}")
    _forwarding_off(slot)
    return tuple(gone)


def _within(link: dict[str, object], pool: IPv4Network) -> bool:
    addresses = link.get("addr_info")
    assert isinstance(addresses, list)
    return any(ipaddress.IPv4Address(address["local"]) in pool for address in addresses)


def _note() -> Path:
    return all_slots()[0].run_root / "ip_forward_was_off"


def _forwarding_on() -> None:
    if _FORWARD.read_text().strip() == "0":
        _note().touch()
        _FORWARD.write_text("1")


def _forwarding_off(slot: Slot) -> None:
    """Turn it off again if we turned it on, no engine of ours is left, and nobody else has made a bridge meanwhile.

    Who else needs it can't be known; a bridge that is not ours is the sign of another engine or of virtual machines.
    """
    others = any(other.kept() for other in all_slots() if other.number != slot.number)
    if not _note().exists() or others:
        return
    if not any(Path("/sys/class/net").glob("*/bridge")):
        with contextlib.suppress(OSError):  # read-only in a container: then it was not us
            _FORWARD.write_text("0")
    _note().unlink()
