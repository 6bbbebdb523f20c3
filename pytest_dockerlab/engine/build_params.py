"""The parameters of ``POST /build``, as each builder reads them."""

from __future__ import annotations

import json

from pytest_dockerlab.build.spec import BuilderName, BuildSpec, fresh_host

__all__ = ["build_params"]


def build_params(builder: BuilderName, spec: BuildSpec, dockerfile_name: str) -> dict[str, object]:
    """What is asked of ``builder``; parameters that say nothing are left out, repeated ones are lists."""
    hosts = dict(spec.extra_hosts)
    if spec.fresh and builder == "buildkit":
        hosts[fresh_host(spec.fresh)] = "127.0.0.1"
    params: dict[str, object] = {
        "dockerfile": dockerfile_name,
        "t": list(spec.tags),
        "buildargs": json.dumps(dict(spec.args)),
        "labels": json.dumps(dict(spec.labels)),
        "target": spec.target,
        "platform": str(spec.platform) if spec.platform else "",
        "nocache": "1" if spec.no_cache else "",
        "pull": "1" if spec.pull else "",
        "networkmode": spec.network,
        "extrahosts": [f"{name}:{address}" for name, address in sorted(hosts.items())],
        "rm": "1",
        "forcerm": "1",
        "version": "2" if builder == "buildkit" else "1",
    }
    if builder == "podman":
        del params["version"]
        params["layers"] = "1"
        if spec.network == "none":
            # Its builds have the host's network unless a namespace is asked for, and it knows Docker's word for none of
            # them as a number only (podman:pkg/api/handlers/compat/images_build.go, buildah:define/types.go).
            params |= {"networkmode": "1", "nsoptions": json.dumps([{"Name": "network"}])}
        # Podman reads a JSON list here, Docker repeated parameters (podman pkg/api/handlers/compat/images_build.go).
        params["extrahosts"] = json.dumps(params["extrahosts"]) if hosts else []
    return {key: value for key, value in params.items() if value not in ("", [])}
