"""What can be claimed of images, builds and containers: each ``assert_…`` gathers models, checks them, and demands.

An assertion returns its evidence when it holds, and raises ``CheckFailed`` (an
``AssertionError``) made of findings when it does not. A claim that can't be judged
(a failed build, no shell to try with) is a ``UsageError``, never a pass.
"""

from __future__ import annotations

from pytest_dockerlab.assertions.cache import assert_all_reused, assert_first_rebuilt, assert_rebuilt, assert_reused
from pytest_dockerlab.assertions.context import assert_context_size
from pytest_dockerlab.assertions.files import assert_file, assert_mode, assert_no_file, assert_owner
from pytest_dockerlab.assertions.http import assert_http, assert_port_not_published, assert_port_published
from pytest_dockerlab.assertions.jupyter import assert_jupyter
from pytest_dockerlab.assertions.layers import (
    assert_image_size,
    assert_layer_count,
    assert_layer_of,
    assert_layers_added,
    assert_no_layer_of,
    assert_shares_layers,
    assert_wasted_bytes,
)
from pytest_dockerlab.assertions.limits import (
    assert_cpu_limit,
    assert_memory_limit,
    assert_not_oom_killed,
    assert_oom_killed,
    assert_pids_limit,
    assert_throttled,
)
from pytest_dockerlab.assertions.metadata import (
    assert_architecture,
    assert_cmd,
    assert_entrypoint,
    assert_env,
    assert_exposes,
    assert_healthcheck,
    assert_label,
    assert_native,
    assert_platform,
    assert_user,
    assert_volumes,
    assert_workdir,
)
from pytest_dockerlab.assertions.permissions import (
    assert_executable,
    assert_not_executable,
    assert_not_readable,
    assert_not_writable,
    assert_readable,
    assert_writable,
)
from pytest_dockerlab.assertions.process import assert_exit_code, assert_not_running, assert_output, assert_running
from pytest_dockerlab.assertions.secrets import assert_no_secret
from pytest_dockerlab.assertions.transfer import assert_transferred

__all__ = [
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
]
