"""Fixed addresses of fronts: from the upper half of a network, and never one that somebody may know by another name."""

import pytest

from midair.model.fronts import fronted
from midair.model.ids import replica_id
from midair.model.project import Dependency, Front, Project, Service
from midair.runtime.docker.front.addresses import choose, hosts_for, lower_half, subnet_of
from midair.runtime.docker.front.body import endpoints, front_body, spec, unfit
from midair.runtime.docker.front.links import links_for
from midair.runtime.docker.names import Named, renames
from midair.runtime.docker.translate import Placement

NETWORK = {"IPAM": {"Config": [{"Subnet": "10.9.0.0/24", "IPRange": "10.9.0.0/25", "Gateway": "10.9.0.1"}]}}


def service(name, address=None, **fields):
    front = Front({"shop_default": address} if address else {})
    return Service(name=name, runtime="docker", front=front, fields=fields)


def placement(*services):
    return Placement(Project(name="shop", services={one.name: one for one in services}))


@pytest.mark.parametrize(
    ("subnet", "half"),
    [("172.18.0.0/16", "172.18.0.0/17"), ("10.0.0.0/28", None), ("fd00::/64", None)],
)
def test_engine_gets_the_lower_half(subnet, half):
    assert lower_half(subnet) == half


def test_front_keeps_the_address_it_had():
    assert choose(NETWORK, "api", "10.9.0.200/24", {"10.9.0.200"}) == "10.9.0.200/24"


def test_address_of_another_network_is_not_kept():
    found = choose(NETWORK, "api", "10.8.0.200/24", ())
    assert found is not None
    assert 128 <= int(found.partition("/")[0].split(".")[3]) <= 254


def test_known_addresses_are_not_given_again():
    taken = {f"10.9.0.{number}" for number in range(128, 255) if number != 131}
    assert choose(NETWORK, "api", "", taken) == "10.9.0.131/24"
    assert choose(NETWORK, "api", "", taken | {"10.9.0.131"}) is None


def test_network_without_a_range_has_no_fixed_addresses():
    assert choose({"IPAM": {"Config": [{"Subnet": "10.9.0.0/24"}]}}, "api", "", ()) is None
    assert choose({}, "api", "", ()) is None


def test_removed_network_is_made_again_with_its_subnet():
    project = placement(service("web"), service("api", "10.9.0.200/24")).project
    assert subnet_of(project, "shop_default") == "10.9.0.0/24"
    assert subnet_of(project, "shop_other") is None


def test_hosts_file_holds_names_of_shared_networks_alone():
    api = service("api", "10.9.0.200/24", networks={"default": {"aliases": ["backend"]}}, container_name="shop-api")
    db = Service(
        name="db", runtime="docker", front=Front({"shop_back": "10.7.0.200/24"}), fields={"networks": {"back": None}}
    )
    known = placement(api, db, service("web"))
    others = dict.fromkeys(("api", "backend", "shop-api"), "10.9.0.200")
    assert hosts_for(service("web"), known) == others | {"web": "127.0.0.1"}
    assert hosts_for(service("web", network_mode="host"), known) == {}


def test_name_of_two_services_is_left_to_dns():
    first = service("a", "10.9.0.200/24", networks={"default": {"aliases": ["both"]}})
    second = service("b", "10.9.0.201/24", networks={"default": {"aliases": ["both"]}})
    assert set(hosts_for(service("web"), placement(first, second))) == {"a", "b"}
    assert hosts_for(first, placement(first, second)) == {"a": "127.0.0.1", "b": "10.9.0.201"}


def test_own_names_lead_to_the_replica_itself():
    networks = {"default": {"aliases": ["queue"]}}
    broker = service("broker", "10.9.0.200/24", networks=networks, container_name="shop-broker")
    assert hosts_for(broker, placement(broker)) == dict.fromkeys(("broker", "queue", "shop-broker"), "127.0.0.1")


def test_host_name_keeps_the_address_the_engine_writes():
    broker = service("broker", "10.9.0.200/24", hostname="broker")
    assert hosts_for(broker, placement(broker)) == {}


def test_unfit_front_is_told_by_its_state():
    api = service("api", "10.9.0.200/24")
    known = placement(api)
    assert endpoints(api, known)["shop_default"]["IPAMConfig"] == {"IPv4Address": "10.9.0.200"}
    container = {
        "State": {"Running": True},
        "Config": {"Labels": {"io.midair.front-spec": spec(api, known)}},
        "NetworkSettings": {"Networks": {"shop_default": {"Aliases": ["api", "0123456789ab"]}}},
    }
    assert unfit(container, api, known) == ""
    assert unfit(container | {"State": {"Running": True, "Paused": True}}, api, known) == "it is paused"
    assert unfit(container | {"State": {}}, api, known) == "it does not run"
    assert unfit(container | {"Config": {"Labels": {}}}, api, known) == "its names or networks have changed"
    for networks in ({}, {"shop_default": {"Aliases": ["0123456789ab"]}}):
        unnamed = container | {"NetworkSettings": {"Networks": networks}}
        assert unfit(unnamed, api, known) == 'it has no name in network "shop_default"'


def test_jobs_and_services_without_networks_have_no_front():
    job, host = service("job"), service("host", network_mode="host")
    web = Service(name="web", runtime="docker", depends_on={"job": Dependency("service_completed_successfully")})
    plain = Service(name="plain", runtime="process")
    found = fronted(placement(job, host, web, plain).project)
    assert [one.name for one in found] == ["web"]


def test_links_lead_to_the_front_of_their_service():
    db = service("db", "10.9.0.200/24", container_name="shop-db", hostname="data")
    far = service("far", "10.9.0.201/24", networks={"back": None})
    plain = Service(name="plain", runtime="docker")
    web = service("web", links=["db:database", "plain:p", "far"], external_links=["other_1:other"])
    found = links_for(web, placement(db, far, plain, web))
    assert found == {
        "shop_default": [
            "other_1:other", "shop-db-front:database", "plain:p", "shop-db-front:shop-db", "shop-db-front:data",
        ]
    }  # fmt: skip
    assert hosts_for(web, placement(db, far, plain, web))["database"] == "10.9.0.200"


def test_hostname_of_another_service_is_no_link():
    db = service("db", "10.9.0.200/24", hostname="web")
    assert links_for(service("caller"), placement(db, service("web", "10.9.0.201/24"))) == {}


OLD, NEW = replica_id("api", "aaaaaaaa", 0), replica_id("api", "bbbbbbbb", 0)


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        ([Named("o", OLD, "shop-api", 1, True, True)], []),
        ([Named("o", OLD, "shop-api", 1, False, False)], []),
        ([Named("o", OLD, "shop-api", 1, True, True), Named("n", NEW, "shop-api-2", 2, True, False)],
         [("o", "shop-api-1")]),
        ([Named("o", OLD, "shop-api-1", 1, True, True), Named("n", NEW, "shop-api-2", 2, True, True)], []),
        ([Named("n", NEW, "shop-api-2", 2, True, False)], []),
        ([Named("n", NEW, "shop-api-2", 2, True, True)], [("n", "shop-api")]),
        ([Named("o", OLD, "shop-api", 1, False, False), Named("n", NEW, "shop-api-2", 2, True, True)],
         [("o", "shop-api-1"), ("n", "shop-api")]),
        ([Named("a", OLD, "shop-api-1", 1, True, True), Named("b", OLD, "shop-api", 2, True, True)], []),
    ],
)  # fmt: skip
def test_container_name_is_with_the_replica_that_stays(known, expected):
    api = service("api", "10.9.0.200/24", container_name="shop-api")
    taken = {entry.name for entry in known}
    assert renames("shop", api, known, taken) == expected


def test_container_name_of_a_stranger_is_left_to_it():
    api = service("api", "10.9.0.200/24", container_name="shop-api")
    assert renames("shop", api, [Named("n", NEW, "shop-api-2", 2, True, True)], {"shop-api"}) == []


def test_container_name_stays_in_use_without_a_front():
    api = Service(name="api", runtime="docker", fields={"container_name": "shop-api"})
    both = [Named("o", OLD, "shop-api", 1, True, True), Named("n", NEW, "shop-api-2", 2, True, True)]
    assert renames("shop", api, both, {"shop-api", "shop-api-2"}) == []


def test_front_is_made_without_names():
    api = service("api", "10.9.0.200/24")
    [endpoint] = front_body(api, placement(api), "x", [], "/f")["NetworkingConfig"]["EndpointsConfig"].values()
    assert endpoint == {"Aliases": [], "IPAMConfig": {"IPv4Address": "10.9.0.200"}}
