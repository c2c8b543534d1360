"""Model → the engine's words. No engine needed."""

import pytest
from msgspec.structs import replace

from midair.model.ids import replica_id
from midair.model.project import Port, Project, Restart, Revision, Service
from midair.runtime.docker import limits, since
from midair.runtime.docker.container import address_of, attempt_of, replica_of, route_to
from midair.runtime.docker.shell import ignores_stop
from midair.runtime.docker.translate import Placement, clone_endpoints, create_body, healthcheck

PROJECT = Project(
    name="shop",
    services={},
    folder="/srv/shop",
    fields={
        "networks": {"default": {"name": "shop_default"}, "back": {"name": "shop_back"}},
        "volumes": {"data": {"name": "shop_data"}},
    },
)

HOSTS = {"web": "172.30.0.1", "db": "172.31.0.1"}


def body_of(fields=None, inside="", **typed):
    service = Service(name="web", runtime="docker", image="nginx", fields=fields or {}, **typed)
    revision = Revision(id="7f3a91c2", service=service, release="sha256:1")
    named = {name: Service(name=name, names=(Port(80, 80, host=host),)) for name, host in HOSTS.items()}
    placement = Placement(replace(PROJECT, services=named), inside=inside)
    return create_body(revision, replica_id("web", "7f3a91c2", 0), placement, attempt=2, number=4, image="sha256:1")


def test_compose_finds_the_container_by_its_labels():
    labels = body_of()["Labels"]
    assert labels["com.docker.compose.project"] == "shop"
    assert labels["com.docker.compose.service"] == "web"
    assert labels["com.docker.compose.container-number"] == "4"
    assert labels["com.docker.compose.oneoff"] == "False"
    assert labels["io.midair.replica"] == "web/7f3a91c2/0"


def test_a_published_port_is_exposed_and_never_bound():
    body = body_of(ports=(Port(80, 8080), Port(53, 53, protocol="udp")))
    assert body["ExposedPorts"] == {"8080/tcp": {}}
    assert "PortBindings" not in body["HostConfig"]


def test_names_of_services_lead_to_the_router_unless_the_file_says_otherwise():
    hosts = body_of({"extra_hosts": ["db=10.0.0.9"]})["HostConfig"]["ExtraHosts"]
    assert hosts == ["db:10.0.0.9", "web:172.30.0.1"]


def test_a_container_is_given_the_way_to_the_flags_and_no_other_way_in():
    body = body_of(inside="/home/me/inside")
    assert body["Env"] == ["MIDAIR_FLAGS=unix:/run/midair/flags.sock#shop"]
    [mount] = body["HostConfig"]["Mounts"]
    assert mount == {"Type": "bind", "Source": "/home/me/inside", "Target": "/run/midair", "ReadOnly": True}


def test_a_service_that_says_where_its_flags_are_is_left_to_it():
    for fields, typed in (
        ({}, {"environment": {"MIDAIR_FLAGS": "http://flags:8016#shop"}}),
        ({"volumes": [{"type": "tmpfs", "target": "/run/midair/"}]}, {}),
    ):
        body = body_of(fields, inside="/home/me/inside", **typed)
        assert "/home/me/inside" not in str(body)
        assert [entry for entry in body["Env"] if "flags.sock" in entry] == []


def test_volumes_become_mounts_with_the_projects_names_and_absolute_paths():
    volumes = [
        {"type": "volume", "source": "data", "target": "/data"},
        {"type": "bind", "source": "./html", "target": "/html", "read_only": True},
        {"type": "tmpfs", "target": "/run", "tmpfs": {"size": "1048576"}},
    ]
    mounts = body_of({"volumes": volumes})["HostConfig"]["Mounts"]
    assert [(m["Type"], m.get("Source"), m["Target"], m["ReadOnly"]) for m in mounts] == [
        ("volume", "shop_data", "/data", False),
        ("bind", "/srv/shop/html", "/html", True),
        ("tmpfs", None, "/run", False),
    ]
    assert mounts[2]["TmpfsOptions"] == {"SizeBytes": 1048576}


def test_missing_folders_are_made_by_binds():
    volumes = [
        {"type": "bind", "source": "./data", "target": "/data", "bind": {"create_host_path": True}},
        {"type": "bind", "source": "/a:b", "target": "/b", "bind": {"create_host_path": True}},
        {"type": "bind", "source": "/c", "target": "/c", "read_only": True, "bind": {"selinux": "Z"}},
        {"type": "bind", "source": "/d", "target": "/d", "bind": {"create_host_path": False, "recursive": "disabled"}},
        {"type": "volume", "source": "data", "target": "/e", "volume": {"subpath": "e", "nocopy": True}},
    ]
    host = body_of({"volumes": volumes})["HostConfig"]
    assert host["Binds"] == ["/srv/shop/data:/data:rw", "/c:/c:ro,Z"]
    assert [(m["Source"], m["Target"]) for m in host["Mounts"]] == [("/a:b", "/b"), ("/d", "/d"), ("shop_data", "/e")]
    assert host["Mounts"][1]["BindOptions"] == {"NonRecursive": True}
    assert host["Mounts"][2]["VolumeOptions"] == {"NoCopy": True, "Subpath": "e"}


def test_fields_newer_than_the_engine_are_refused_or_named():
    fields = {
        "annotations": {"a": "b"},
        "healthcheck": {"test": ["CMD", "true"], "start_interval": "1s"},
        "networks": {"back": {"gw_priority": 1, "mac_address": "02:42:ac:11:00:01", "interface_name": "back0"}},
        "volumes": [{"type": "volume", "source": "data", "target": "/e", "volume": {"subpath": "e"}}],
    }
    web = Service(name="web", runtime="docker", fields=fields)
    new = [line.split()[1] for line in since.refused(web, (1, 41))]
    assert new == ["networks.back.mac_address", "networks.back.interface_name", "volumes./e.volume.subpath"]
    named = [line.split()[1] for line in since.ignored(web, (1, 41))]
    assert named == ["annotations", "healthcheck.start_interval", "networks.back.gw_priority"]
    assert since.refused(web, (1, 49)) == since.ignored(web, (1, 49)) == []
    body = body_of(fields)
    assert body["HostConfig"]["Annotations"] == {"a": "b"}
    assert body["Healthcheck"]["StartInterval"] == 10**9
    assert body["NetworkingConfig"]["EndpointsConfig"]["shop_back"] == {
        "Aliases": ["web"],
        "MacAddress": "02:42:ac:11:00:01",
        "GwPriority": 1,
        "DriverOpts": {"com.docker.network.endpoint.ifname": "back0"},
    }


def test_the_first_network_is_joined_at_creation_with_the_services_alias():
    body = body_of({"networks": {"back": {"aliases": ["api"], "ipv4_address": "10.1.0.5"}}})
    assert body["HostConfig"]["NetworkMode"] == "shop_back"
    endpoint = body["NetworkingConfig"]["EndpointsConfig"]["shop_back"]
    assert endpoint == {"Aliases": ["web", "api"], "IPAMConfig": {"IPv4Address": "10.1.0.5"}}


def test_host_networking_joins_no_network_and_gets_no_hosts():
    body = body_of({"network_mode": "host"})
    assert body["HostConfig"]["NetworkMode"] == "host"
    assert "NetworkingConfig" not in body
    assert "ExtraHosts" not in body["HostConfig"]


def test_health_check_times_are_nanoseconds():
    entry = {"test": ["CMD", "true"], "interval": "1m30s", "timeout": "500ms", "retries": 4, "start_period": "2s"}
    assert healthcheck(entry) == {
        "Test": ["CMD", "true"],
        "Interval": 90_000_000_000,
        "Timeout": 500_000_000,
        "StartPeriod": 2_000_000_000,
        "Retries": 4,
    }
    assert healthcheck({"disable": True}) == {"Test": ["NONE"]}
    assert healthcheck(None) is None


def test_limits_of_deploy_and_of_the_service_are_one():
    deploy = {"deploy": {"resources": {"limits": {"cpus": 0.5, "memory": "67108864", "pids": 50}}}}
    assert limits.changeable(deploy) == {"NanoCpus": 500_000_000, "Memory": 67108864, "PidsLimit": 50}
    assert limits.changeable({"cpus": 0.25, "mem_limit": "1024"}) == {"NanoCpus": 250_000_000, "Memory": 1024}


def test_a_limit_that_is_named_no_more_is_taken_away_in_place():
    now = {"Memory": 10**8, "NanoCpus": 5 * 10**8, "PidsLimit": 50, "MemoryReservation": 10**7}
    body = limits.update_body({}, Restart("any"), now, cpus=2)
    assert (body["Memory"], body["MemorySwap"]) == (limits.ALL_MEMORY, limits.ALL_MEMORY)
    assert (body["NanoCpus"], body["PidsLimit"], body["MemoryReservation"]) == (2 * 10**9, -1, limits.ALL_MEMORY)
    assert body["RestartPolicy"] == {"Name": "unless-stopped"}


def test_a_limit_that_was_never_there_is_left_alone():
    body = limits.update_body({}, Restart("any"), {"Memory": 0, "PidsLimit": None}, cpus=2)
    assert list(body) == ["RestartPolicy"]


def test_a_raised_memory_limit_raises_its_swap_limit_too():
    body = limits.update_body({"mem_limit": "1000"}, Restart("none"), {"Memory": 500}, cpus=2)
    assert (body["Memory"], body["MemorySwap"]) == (1000, 2000)
    assert body["RestartPolicy"] == {"Name": "no"}


def test_block_device_limits_have_the_engines_names():
    found = limits.blkio({"weight": 300, "device_read_bps": [{"path": "/dev/sda", "rate": "1024"}]})
    assert found == {"BlkioWeight": 300, "BlkioDeviceReadBps": [{"Path": "/dev/sda", "Rate": 1024}]}


def test_a_container_made_by_compose_is_a_replica_of_the_revision_compose():
    labels = {"com.docker.compose.service": "web", "com.docker.compose.container-number": "2"}
    assert replica_of({"Config": {"Labels": labels}}) == "web/compose/1"
    assert replica_of({"Config": {"Labels": {}}}) is None


def test_starts_by_the_engine_count_as_attempts():
    assert attempt_of({"Config": {"Labels": {"io.midair.attempt": "3"}}, "RestartCount": 2}) == 5
    assert attempt_of({"Config": {"Labels": {}}}) == 1


def test_the_address_is_the_containers_own_and_the_bound_one_where_there_is_no_other():
    own = {"NetworkSettings": {"Networks": {"a": {"IPAddress": "172.18.0.2"}}}}
    assert address_of(own, 80) == "172.18.0.2:80"
    assert route_to(own, 80) == "172.18.0.2:*"  # at whatever port is asked for
    assert route_to(own, None) == "172.18.0.2:*"  # its image may have ports that its file does not name
    assert route_to({}, None) == ""
    bound = {"NetworkSettings": {"Ports": {"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": "49153"}]}}}
    assert address_of(bound, 80) == route_to(bound, 80) == "127.0.0.1:49153"
    assert address_of({"HostConfig": {"NetworkMode": "host"}}, 80) == "127.0.0.1:80"
    assert address_of({}, 80) == ""


def compose_container(service, links=None):
    return {
        "Name": f"/shop-{service}-1",
        "Config": {"Labels": {"com.docker.compose.service": service}},
        "HostConfig": {"NetworkMode": "shop_default"},
        "NetworkSettings": {"Networks": {"shop_default": {"Links": links, "Aliases": [service]}}},
    }


@pytest.mark.parametrize(
    ("fronts", "endpoint"),
    [
        ((), {"Aliases": ["web"], "Links": ["shop-db-1:mysql", "other:other"]}),
        (("web", "db"), {"Links": ["shop-db-front:mysql", "other:other"]}),
    ],
)
def test_clone_is_called_and_calls_by_fronts(fronts, endpoint):
    web = compose_container("web", ["shop-db-1:mysql", "other"])
    found = {service: {"Name": f"/shop-{service}-front"} for service in fronts}
    assert clone_endpoints(web, [web, compose_container("db")], found) == {"shop_default": endpoint}


def test_health_check_takes_microseconds():
    assert healthcheck({"test": ["CMD", "true"], "interval": "500µs"})["Interval"] == 500_000


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["sh", "-c", "migrate && serve"], True),
        (["/bin/bash", "-ec", "migrate && serve"], False),
        (["/bin/bash", "-ec", "serve | tee log"], True),
        (["sh", "-c", "migrate && exec serve"], False),
        (["sh", "-c", "trap 'kill $!' TERM; serve & wait"], False),
        (["python3", "-c", "serve()"], False),
        (["sh", "start.sh"], False),
        (["sh"], False),
    ],
)
def test_shell_that_ignores_the_stop_signal_is_known(words, expected):
    assert ignores_stop(words[:1], words[1:]) == expected
