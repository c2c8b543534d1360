"""Every setting of `build` is passed on to the docker command, or refused by its name."""

import pytest

from midair.model.project import Build
from midair.runtime.docker.build_command import arguments, chosen, missing

PASSED = {
    "ssh": (["default"], "--ssh=default"),
    "labels": ({"team": "shop"}, "--label=team=shop"),
    "cache_from": (["shop:cache"], "--cache-from=shop:cache"),
    "cache_to": (["type=inline"], "--cache-to=type=inline"),
    "no_cache": (True, "--no-cache"),
    "no_cache_filter": (["build"], "--no-cache-filter=build"),
    "additional_contexts": ({"lib": "/lib"}, "--build-context=lib=/lib"),
    "network": ("host", "--network=host"),
    "provenance": ("false", "--provenance=false"),
    "sbom": ("true", "--sbom=true"),
    "pull": (True, "--pull"),
    "shm_size": ("64", "--shm-size=64"),
    "extra_hosts": (["db=10.0.0.1"], "--add-host=db:10.0.0.1"),
    "isolation": ("default", "--isolation=default"),
    "privileged": (True, "--allow=security.insecure"),
    "entitlements": (["network.host"], "--allow=network.host"),
    "tags": (["shop:1"], "--tag=shop:1"),
    "ulimits": ({"nofile": {"soft": 1, "hard": 2}}, "--ulimit=nofile=1:2"),
    "platforms": (["linux/amd64"], "--platform=linux/amd64"),
}
ONLY_BUILDX = ["cache_to", "no_cache_filter", "additional_contexts", "provenance", "sbom", "privileged", "entitlements"]


@pytest.mark.parametrize("name", PASSED)
def test_build_setting_is_passed_on(name):
    value, option = PASSED[name]
    build = Build("/shop", settings={name: value})
    assert option in arguments("shop", build, "midair/shop-web:1", "buildx", {})
    assert missing("buildx", build) == []
    assert missing("buildkit", build) == ([name] if name in ONLY_BUILDX else [])


def test_old_builder_has_no_secrets_or_platforms():
    build = Build("/shop", settings={"shm_size": "64", "platforms": ["linux/arm64"]}, secrets={"token": "/t"})
    assert chosen("buildkit", build) == "classic"
    assert missing("buildkit", build) == ["platforms", "secrets"]
    assert missing("buildx", build) == []


def test_images_of_services_are_no_contexts():
    build = Build("/shop", settings={"additional_contexts": {"base": "service:base"}})
    assert missing("buildx", build) == ["additional_contexts.base"]


def test_inline_dockerfile_and_secrets_are_passed_on():
    build = Build("/shop", settings={"dockerfile_inline": "FROM scratch"}, secrets={"token": "/t"})
    line = arguments("shop", build, "midair/shop-web:1", "buildkit", build.secrets)
    assert line[line.index("--file") + 1] == "-"
    assert "--secret=id=token,src=/t" in line
