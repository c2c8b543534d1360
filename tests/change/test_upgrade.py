"""A rollout that an earlier version of midair stored, under a change of this one."""

import msgspec
from msgspec.structs import replace

from midair.change import policy_of
from midair.model.project import Drain, Restart
from midair.model.rollout import Rollout
from midair.testing.scenario import applied, service_of

# As an earlier version wrote it, without any field that was added since.
POLICY = (
    '{"update":{"parallelism":1,"delay_s":0.0,"order":"start-first","monitor_s":2.0,"failure_action":"rollback",'
    '"max_failure_ratio":0.0},"rollback":{"parallelism":1,"delay_s":0.0,"order":"start-first","monitor_s":1.0,'
    '"failure_action":"rollback","max_failure_ratio":0.0},"strategy":{"kind":"rolling","steps":[],"stick_by":null,'
    '"progress_deadline_s":60.0},"restart":{"condition":"any","delay_s":0.0,"max_attempts":null,"window_s":10.0},'
    '"drain":{"timeout_s":6.0,"long_lived":"close"},"hold":{"timeout_s":30.0,"max_requests":1000},'
    '"ports":[{"port":8198,"target":80,"host":"","protocol":"http","inside":false}],"stop_signal":"SIGTERM",'
    '"stop_grace_s":10.0,"limits":""}'
)
STORED = (
    '{"service":"db","change":1,"phase":"completed","goal":{"revision":"r1","replicas":1},"stable":{"revision":"r1",'
    f'"replicas":1}},"policy":{POLICY},"stable_policy":{POLICY},"back":false,"alone":false,"reason":"","replicas":'
    '[{"id":"db/r1/0","state":"ready","since":0.0,"attempt":1,"address":""}]}'
)


def state(db, **more):
    web = service_of("web", 1)
    return applied({"db": (replace(db, **more), "r1"), "web": (web, "w1")})


def test_upgrade_begins_nothing_where_the_file_is_unchanged(board):
    db = service_of("db", 1)
    before = applied({"db": (db, "r1")})
    board.rollouts["db"] = msgspec.json.decode(STORED, type=Rollout)
    assert board.rollouts["db"].policy != policy_of(db)
    board.accept(state(db), before, number=2)
    assert board.advance().begun == ("web",)
    board.complete("web")
    assert board.advance().phase == "completed"
    assert board.change.begun == ("web",)


def test_changed_settings_come_into_force_after_an_upgrade(board):
    db = service_of("db", 1)
    for settings in ({"drain": Drain(timeout_s=1.0)}, {"restart": Restart(condition="on-failure")}):
        board.rollouts = {"db": msgspec.json.decode(STORED, type=Rollout)}
        board.change = None
        board.accept(state(db, **settings), applied({"db": (db, "r1")}), number=2)
        assert board.advance().begun == ("db", "web")
        assert board.rollouts["db"].policy == policy_of(replace(db, **settings))
