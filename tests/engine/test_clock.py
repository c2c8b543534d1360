"""midair's clock never goes back."""

from midair.engine.clock import Clock


def test_the_clock_follows_the_wall_and_then_its_own_pulse():
    wall, pulse = [1000.0], [5.0]
    clock = Clock(wall=lambda: wall[0], monotonic=lambda: pulse[0])
    assert clock() == 1000.0
    pulse[0] += 2.5
    wall[0] -= 500.0  # somebody sets it back
    assert clock() == 1002.5


def test_a_wall_clock_behind_the_last_stored_moment_is_not_believed():
    pulse = [0.0]
    clock = Clock(2000.0, wall=lambda: 1000.0, monotonic=lambda: pulse[0])
    assert clock() == 2000.0
    pulse[0] += 1.0
    assert clock() == 2001.0
