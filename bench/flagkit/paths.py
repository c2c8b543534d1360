"""The ways to evaluate a flag that are measured: name to a maker of (context from a user, evaluation)."""

import json
import tempfile
from pathlib import Path

FILLERS = [f"filler-{number}" for number in range(97)]
COUNTRIES = ["AT", "CH", "DE"]
BOOLEAN = {"state": "ENABLED", "variants": {"on": True, "off": False}}
FLAGD = {
    "static": {**BOOLEAN, "defaultVariant": "on"},
    "share": {**BOOLEAN, "defaultVariant": "off", "targeting": {"fractional": [["on", 10], ["off", 90]]}},
    "rule": {
        **BOOLEAN,
        "defaultVariant": "off",
        "targeting": {
            "if": [
                {
                    "and": [
                        {"in": [{"var": "country"}, COUNTRIES]},
                        {"ends_with": [{"var": "email"}, "@example.com"]},
                        {"sem_ver": [{"var": "version"}, ">=", "2.3.0"]},
                    ]
                },
                "on",
                "off",
            ]
        },
    },
    **{key: {**BOOLEAN, "defaultVariant": "off"} for key in FILLERS},
}


def same(user):
    return user


class Naive:
    """What a person would write by hand: a closure per flag, with no corner cases, errors, counts or metadata."""

    def __init__(self):  # noqa: C901
        from mmh3 import mmh3_32_uintdigest

        versions = {}

        def version(text):
            if text not in versions:
                versions[text] = tuple(int(part) for part in text.split("."))
            return versions[text]

        def head(size):
            return bytes((0x60 | size,)) if size < 24 else bytes((0x78, size))

        prefix = b"\x82" + head(5) + b"share"
        countries = frozenset(COUNTRIES)
        lowest = (2, 3, 0)

        def static(context):
            return True, "on", "STATIC"

        def share(context):
            key = context["targetingKey"].encode()
            hashed = mmh3_32_uintdigest(prefix + head(len(key)) + key)
            bucket = hashed * 100 >> 32
            return (True, "on", "TARGETING_MATCH") if bucket < 10 else (False, "off", "TARGETING_MATCH")

        def all_of(*conditions):
            def test(context):
                for condition in conditions:  # noqa: SIM110  a generator would cost more
                    if not condition(context):
                        return False
                return True

            return test

        def among(name, values):
            return lambda context: context.get(name) in values

        def ends(name, suffix):
            return lambda context: context.get(name, "").endswith(suffix)

        def at_least(name, least):
            return lambda context: version(context.get(name)) >= least

        test = all_of(among("country", countries), ends("email", "@example.com"), at_least("version", lowest))

        def rule(context):
            return (True, "on", "TARGETING_MATCH") if test(context) else (False, "off", "TARGETING_MATCH")

        self.flags = {"static": static, "share": share, "rule": rule}

    def boolean(self, key, default, context):
        flag = self.flags.get(key)
        if flag is None:
            return default
        value = flag(context)[0]
        return value if isinstance(value, bool) else default


def naive():
    evaluate = Naive().boolean
    return same, lambda key, user: evaluate(key, False, user)


def table():
    from midair.flags.engine import Table

    raw = {key: json.dumps(flag).encode() for key, flag in FLAGD.items()}
    return Table(raw, version="v3", metadata={"flagSetId": "bench", "version": "1"}, clock=lambda: 1_790_000_000)


def midair_flags():
    from midair.openfeature import Flags

    flags = Flags("http://127.0.0.1:9", "bench", cache=False, wait=-1)
    flags.take(table())
    return flags


def midair_engine():
    flags = table()
    return same, lambda key, user: flags.resolve(key, user).value


def midair_native():
    evaluate = midair_flags().boolean
    return same, lambda key, user: evaluate(key, False, user)


def openfeature(domain, provider):
    from openfeature import api
    from openfeature.evaluation_context import EvaluationContext

    api.set_provider_and_wait(provider, domain) if hasattr(api, "set_provider_and_wait") else api.set_provider(
        provider, domain
    )
    evaluate = api.get_client(domain).get_boolean_value

    def context(user):
        rest = {name: value for name, value in user.items() if name != "targetingKey"}
        return EvaluationContext(user["targetingKey"], rest)

    return context, lambda key, user: evaluate(key, False, user)


def openfeature_floor():
    """The client's own cost: a provider of hand-written closures."""
    from openfeature.flag_evaluation import FlagResolutionDetails
    from openfeature.provider.in_memory_provider import InMemoryProvider

    flags = Naive().flags

    class Floor(InMemoryProvider):
        def resolve_boolean_details(self, flag_key, default_value, evaluation_context=None):
            around = {**evaluation_context.attributes, "targetingKey": evaluation_context.targeting_key}
            value, variant, reason = flags[flag_key](around)
            return FlagResolutionDetails(value=value, variant=variant, reason=reason)

    return openfeature("floor", Floor({}))


def openfeature_midair():
    from midair.openfeature import MidairProvider

    flags = midair_flags()
    flags.start = lambda wait: True
    return openfeature("midair", MidairProvider(flags=flags))


def openfeature_flagd():
    from openfeature.contrib.provider.flagd import FlagdProvider
    from openfeature.contrib.provider.flagd.config import ResolverType

    path = Path(tempfile.mkdtemp()) / "flags.json"
    path.write_text(json.dumps({"flags": FLAGD}))
    provider = FlagdProvider(resolver_type=ResolverType.FILE, offline_flag_source_path=str(path), deadline_ms=60_000)
    return openfeature("flagd", provider)


def unleash():
    from UnleashClient import UnleashClient
    from UnleashClient.cache import FileCache

    def feature(name, strategy):
        return {"name": name, "type": "release", "enabled": True, "strategies": [strategy], "variants": []}

    constraints = [
        {"contextName": "country", "operator": "IN", "values": COUNTRIES, "inverted": False},
        {"contextName": "email", "operator": "STR_ENDS_WITH", "values": ["@example.com"], "inverted": False},
        {"contextName": "version", "operator": "SEMVER_GT", "values": [], "value": "2.2.9", "inverted": False},
    ]
    rollout = {"rollout": "10", "stickiness": "userId", "groupId": "share"}
    features = [
        feature("static", {"name": "default", "parameters": {}}),
        feature("share", {"name": "flexibleRollout", "parameters": rollout}),
        feature("rule", {"name": "default", "parameters": {}, "constraints": constraints}),
        *(feature(key, {"name": "default", "parameters": {}}) for key in FILLERS),
    ]
    cache = FileCache("bench", directory=tempfile.mkdtemp())
    cache.bootstrap_from_dict({"version": 1, "features": features})
    client = UnleashClient(
        "http://127.0.0.1:9/api", "bench", cache=cache, disable_metrics=True, disable_registration=True,
        refresh_interval=86_400,
    )  # fmt: skip
    client.initialize_client(fetch_toggles=False)

    def context(user):
        rest = {name: value for name, value in user.items() if name != "targetingKey"}
        return {"userId": user["targetingKey"], "properties": rest}

    return context, lambda key, user: client.is_enabled(key, user)


def growthbook():
    from growthbook import GrowthBook

    condition = {
        "country": {"$in": COUNTRIES},
        "email": {"$regex": "@example\\.com$"},
        "version": {"$vgte": "2.3.0"},
    }
    features = {
        "static": {"defaultValue": True},
        "share": {"defaultValue": False, "rules": [{"force": True, "coverage": 0.1, "hashAttribute": "id"}]},
        "rule": {"defaultValue": False, "rules": [{"condition": condition, "force": True}]},
        **{key: {"defaultValue": False} for key in FILLERS},
    }
    client = GrowthBook(features=features, attributes={})

    def evaluate(key, user):
        client.set_attributes(user)
        return client.is_on(key)

    return lambda user: {**user, "id": user["targetingKey"]}, evaluate


def launchdarkly():
    from ldclient import Config, Context, LDClient
    from ldclient.integrations import Files

    def flag(key, fallthrough, rules=()):
        return {
            "key": key, "on": True, "version": 1, "variations": [True, False], "offVariation": 1, "salt": key,
            "fallthrough": fallthrough, "prerequisites": [], "targets": [], "rules": list(rules),
        }  # fmt: skip

    def clause(attribute, operator, values):
        return {"attribute": attribute, "op": operator, "values": values, "negate": False}

    split = {"rollout": {"variations": [{"variation": 0, "weight": 10_000}, {"variation": 1, "weight": 90_000}]}}
    clauses = [
        clause("country", "in", COUNTRIES),
        clause("email", "endsWith", ["@example.com"]),
        clause("version", "semVerGreaterThan", ["2.2.9"]),
    ]
    flags = [
        flag("static", {"variation": 0}),
        flag("share", split),
        flag("rule", {"variation": 1}, [{"id": "r", "variation": 0, "clauses": clauses}]),
        *(flag(key, {"variation": 1}) for key in FILLERS),
    ]
    path = Path(tempfile.mkdtemp()) / "flags.json"
    path.write_text(json.dumps({"flags": {one["key"]: one for one in flags}}))
    source = Files.new_data_source(paths=[str(path)])
    client = LDClient(Config("sdk", update_processor_class=source, send_events=False), start_wait=5)

    def context(user):
        builder = Context.builder(user["targetingKey"])
        for name in ("country", "email", "version"):
            builder.set(name, user[name])
        return builder.build()

    return context, lambda key, user: client.variation(key, user, False)


def flagsmith():
    from flagsmith import Flagsmith
    from flagsmith.offline_handlers import LocalFileHandler

    def feature(number, name):
        return {"id": number, "name": name, "type": "STANDARD"}

    def state(number, name, enabled, **more):
        return {
            "id": number, "django_id": number, "featurestate_uuid": f"00000000-0000-0000-0000-{number:012d}",
            "feature": feature(number, name), "enabled": enabled, "feature_state_value": None,
            "multivariate_feature_state_values": [], "feature_segment": None, **more,
        }  # fmt: skip

    def segment(number, name, conditions):
        rule = {"type": "ALL", "rules": [], "conditions": conditions}
        return {
            "id": number, "name": name, "rules": [{"type": "ALL", "rules": [rule], "conditions": []}],
            "feature_states": [state(500 + number, name, True, feature=feature(number, name))],
        }  # fmt: skip

    def condition(operator, name, value):
        return {"operator": operator, "property_": name, "value": value}

    conditions = [
        condition("IN", "country", ",".join(COUNTRIES)),
        condition("REGEX", "email", ".*@example\\.com$"),
        condition("GREATER_THAN_INCLUSIVE", "version", "2.3.0:semver"),
    ]
    names = ["static", "share", "rule", *FILLERS]
    document = {
        "id": 1, "api_key": "key", "name": "bench", "updated_at": "2026-01-01T00:00:00Z", "identity_overrides": [],
        "project": {
            "id": 1, "name": "bench", "hide_disabled_flags": False, "enable_realtime_updates": False,
            "server_key_only_feature_ids": [],
            "organisation": {"id": 1, "name": "o", "feature_analytics": False, "stop_serving_flags": False,
                             "persist_trait_data": True},
            "segments": [segment(2, "share", [condition("PERCENTAGE_SPLIT", "", "10")]),
                         segment(3, "rule", conditions)],
        },
        "feature_states": [state(number, name, name == "static") for number, name in enumerate(names, 1)],
    }  # fmt: skip
    path = Path(tempfile.mkdtemp()) / "environment.json"
    path.write_text(json.dumps(document))
    client = Flagsmith(offline_mode=True, offline_handler=LocalFileHandler(str(path)))

    def context(user):
        return user["targetingKey"], {name: user[name] for name in ("country", "email", "version")}

    return context, lambda key, user: client.get_identity_flags(*user).is_feature_enabled(key)


PATHS = {
    "naive closures": naive,
    "midair engine": midair_engine,
    "midair native": midair_native,
    "OpenFeature + naive closures": openfeature_floor,
    "OpenFeature + midair": openfeature_midair,
    "OpenFeature + flagd": openfeature_flagd,
    "UnleashClient": unleash,
    "growthbook": growthbook,
    "launchdarkly": launchdarkly,
    "flagsmith": flagsmith,
}
