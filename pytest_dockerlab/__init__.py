"""Tests that say what a container does: a lab owns what it makes, ``assert_*`` prove it.

What is named here is loaded when it is first used: importing the package costs next to nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_dockerlab.assertions import (
        assert_all_reused,
        assert_architecture,
        assert_cmd,
        assert_context_size,
        assert_cpu_limit,
        assert_entrypoint,
        assert_env,
        assert_executable,
        assert_exit_code,
        assert_exposes,
        assert_file,
        assert_first_rebuilt,
        assert_healthcheck,
        assert_http,
        assert_image_size,
        assert_jupyter,
        assert_label,
        assert_layer_count,
        assert_layer_of,
        assert_layers_added,
        assert_memory_limit,
        assert_mode,
        assert_native,
        assert_no_file,
        assert_no_layer_of,
        assert_no_secret,
        assert_not_executable,
        assert_not_oom_killed,
        assert_not_readable,
        assert_not_running,
        assert_not_writable,
        assert_oom_killed,
        assert_output,
        assert_owner,
        assert_pids_limit,
        assert_platform,
        assert_port_not_published,
        assert_port_published,
        assert_readable,
        assert_rebuilt,
        assert_reused,
        assert_running,
        assert_shares_layers,
        assert_throttled,
        assert_transferred,
        assert_user,
        assert_volumes,
        assert_wasted_bytes,
        assert_workdir,
        assert_writable,
    )
    from pytest_dockerlab.build.spec import BuildLimits
    from pytest_dockerlab.errors import (
        BaseImageMissing,
        BuildFailed,
        BuildOverLimit,
        BuildTimedOut,
        CapabilityMissing,
        Conflict,
        ContainerFailed,
        DiskFull,
        EngineError,
        EngineNotFound,
        EngineStartFailed,
        EngineUnreachable,
        ExecFailed,
        FormatError,
        InstallFailed,
        LabError,
        NotFound,
        StartFailed,
        UsageError,
        WaitTimedOut,
    )
    from pytest_dockerlab.findings import CheckFailed, Finding
    from pytest_dockerlab.image.model import Image
    from pytest_dockerlab.lab.build import Build
    from pytest_dockerlab.lab.container import Container
    from pytest_dockerlab.lab.executed import Executed
    from pytest_dockerlab.lab.lab import Lab
    from pytest_dockerlab.lab.registry import Registry
    from pytest_dockerlab.lab.resources import Network, Volume
    from pytest_dockerlab.lab.waiting import jupyter_ready
    from pytest_dockerlab.platforms import Platform
    from pytest_dockerlab.plugin.declared import container_fixture, image_fixture
    from pytest_dockerlab.reference import Reference

__all__ = [
    "BaseImageMissing",
    "Build",
    "BuildFailed",
    "BuildLimits",
    "BuildOverLimit",
    "BuildTimedOut",
    "CapabilityMissing",
    "CheckFailed",
    "Conflict",
    "Container",
    "ContainerFailed",
    "DiskFull",
    "EngineError",
    "EngineNotFound",
    "EngineStartFailed",
    "EngineUnreachable",
    "ExecFailed",
    "Executed",
    "Finding",
    "FormatError",
    "Image",
    "InstallFailed",
    "Lab",
    "LabError",
    "Network",
    "NotFound",
    "Platform",
    "Reference",
    "Registry",
    "StartFailed",
    "UsageError",
    "Volume",
    "WaitTimedOut",
    "assert_all_reused",
    "assert_architecture",
    "assert_cmd",
    "assert_context_size",
    "assert_cpu_limit",
    "assert_entrypoint",
    "assert_env",
    "assert_executable",
    "assert_exit_code",
    "assert_exposes",
    "assert_file",
    "assert_first_rebuilt",
    "assert_healthcheck",
    "assert_http",
    "assert_image_size",
    "assert_jupyter",
    "assert_label",
    "assert_layer_count",
    "assert_layer_of",
    "assert_layers_added",
    "assert_memory_limit",
    "assert_mode",
    "assert_native",
    "assert_no_file",
    "assert_no_layer_of",
    "assert_no_secret",
    "assert_not_executable",
    "assert_not_oom_killed",
    "assert_not_readable",
    "assert_not_running",
    "assert_not_writable",
    "assert_oom_killed",
    "assert_output",
    "assert_owner",
    "assert_pids_limit",
    "assert_platform",
    "assert_port_not_published",
    "assert_port_published",
    "assert_readable",
    "assert_rebuilt",
    "assert_reused",
    "assert_running",
    "assert_shares_layers",
    "assert_throttled",
    "assert_transferred",
    "assert_user",
    "assert_volumes",
    "assert_wasted_bytes",
    "assert_workdir",
    "assert_writable",
    "container_fixture",
    "image_fixture",
    "jupyter_ready",
]

# Where the names are at home that are neither assertions nor errors.
_HOMES = {
    "BuildLimits": "build.spec",
    "Build": "lab.build",
    "CheckFailed": "findings",
    "Container": "lab.container",
    "Executed": "lab.executed",
    "Finding": "findings",
    "Image": "image.model",
    "Lab": "lab.lab",
    "Network": "lab.resources",
    "Platform": "platforms",
    "Reference": "reference",
    "Registry": "lab.registry",
    "Volume": "lab.resources",
    "container_fixture": "plugin.declared",
    "image_fixture": "plugin.declared",
    "jupyter_ready": "lab.waiting",
}


if not TYPE_CHECKING:  # a type checker shall complain of names that are not there

    def __getattr__(name: str) -> object:
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib import import_module

        home = "assertions" if name.startswith("assert_") else _HOMES.get(name, "errors")
        value: object = getattr(import_module(f"{__name__}.{home}"), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
