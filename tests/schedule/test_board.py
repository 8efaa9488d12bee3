"""What a board says is read from files; what is missing or nonsense is absent and disturbs nothing."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.schedule.board import Board, Counters
from assistant.schedule.signals import signals_of, slowdown
from tests.schedule.boards import FakeBoard

READINGS = 40
MOST_CPU_S = 0.2
"""For READINGS readings: ten times what a reading is meant to cost, so that a busy machine does not decide."""


@pytest.fixture
def board(tmp_path: Path) -> FakeBoard:
    return FakeBoard(tmp_path)


def read(board: FakeBoard, at: float = 0.0) -> Counters:
    return Board(board.root, own_s=lambda: 0.0, niceness=0).read(at)


def test_an_empty_root_says_nothing_and_slows_nothing(tmp_path: Path) -> None:
    counters = Board(tmp_path, own_s=lambda: 0.0).read(1.0)
    assert counters == Counters(at=1.0, own_s=0.0)
    assert slowdown(signals_of(None, counters)) == 1.0


def test_cpu_and_pressure_become_rates_of_two_readings(board: FakeBoard) -> None:
    board.cpu(busy_s=10.0, running=2, some_s=5.0)
    before = read(board, 100.0)
    board.cpu(busy_s=13.0, running=4, some_s=6.0)
    signals = signals_of(before, read(board, 102.0))
    assert signals.others == pytest.approx(1.5)
    assert signals.pressure == pytest.approx(0.5)
    assert (signals.cores, signals.running) == (2.0, 2.0)  # the mean of one and three


def test_two_programs_on_two_cores_leave_two_thirds(board: FakeBoard) -> None:
    board.cpu(busy_s=0.0, running=3)
    before = read(board, 0.0)
    board.cpu(busy_s=4.0, running=3)
    assert slowdown(signals_of(before, read(board, 2.0))) == pytest.approx(1.5)


def test_one_program_on_two_cores_disturbs_nothing(board: FakeBoard) -> None:
    board.cpu(busy_s=0.0, running=2)
    before = read(board, 0.0)
    board.cpu(busy_s=2.0, running=2)
    assert slowdown(signals_of(before, read(board, 2.0))) == 1.0


def test_programs_that_yield_hardly_disturb(board: FakeBoard) -> None:
    board.cpu(busy_s=0.0, running=9)
    before = read(board, 0.0)
    board.cpu(busy_s=4.0, running=9, niced_s=4.0)
    assert slowdown(signals_of(before, read(board, 2.0))) < 1.3


def test_a_v2_group_and_those_around_it_limit(board: FakeBoard) -> None:
    board.write("proc/self/cgroup", "0::/system.slice/assistant.service\n")
    board.write("sys/fs/cgroup/system.slice/assistant.service/cpu.max", "max 100000\n")
    board.write("sys/fs/cgroup/system.slice/cpu.max", "20000 100000\n")
    board.write("sys/fs/cgroup/system.slice/cpu.stat", "usage_usec 5\nnr_periods 9\nthrottled_usec 1500000\n")
    counters = read(board)
    assert (counters.quota_cores, counters.throttled_s) == (0.2, 1.5)
    assert slowdown(signals_of(None, counters)) == pytest.approx(5.0)


def test_a_v1_group_limits(board: FakeBoard) -> None:
    board.write("proc/self/cgroup", "4:memory:/box\n3:cpu,cpuacct:/box\n0::/\n")
    group = "sys/fs/cgroup/cpu,cpuacct/box"
    board.write(f"{group}/cpu.cfs_quota_us", "5000\n")
    board.write(f"{group}/cpu.cfs_period_us", "10000\n")
    board.write(f"{group}/cpu.stat", "nr_periods 9\nnr_throttled 3\nthrottled_time 2000000000\n")
    counters = read(board)
    assert (counters.quota_cores, counters.throttled_s) == (0.5, 2.0)


def test_an_unlimited_v1_group_does_not(board: FakeBoard) -> None:
    board.write("proc/self/cgroup", "3:cpu:/\n")
    board.write("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1\n")
    board.write("sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n")
    assert read(board).quota_cores is None


def test_a_groups_memory_counts_where_it_is_tighter(board: FakeBoard) -> None:
    board.memory(2000.0)
    assert read(board).available_mb == pytest.approx(2000.0)
    board.write("proc/self/cgroup", "0::/box\n")
    board.write("sys/fs/cgroup/box/memory.max", f"{300 << 20}\n")
    board.write("sys/fs/cgroup/box/memory.current", f"{250 << 20}\n")
    board.write("sys/fs/cgroup/box/memory.stat", f"anon 1\ninactive_file {10 << 20}\n")
    assert read(board).available_mb == pytest.approx(60.0)


def test_the_hottest_sane_zone_counts(board: FakeBoard) -> None:
    board.zone(0, 0.0)
    board.zone(1, -273.0)
    board.zone(2, "N/A")
    board.zone(3, 61.5, trip_c=85.0)
    board.zone(4, 58.0)
    counters = read(board)
    assert (counters.temperature_c, counters.trip_c) == (61.5, 85.0)


def test_a_pi_that_is_capped_says_so(board: FakeBoard) -> None:
    board.write("sys/devices/platform/soc/soc:firmware/get_throttled", "50007\n")
    board.write("sys/devices/system/cpu/cpu0/cpufreq/scaling_max_freq", "600000\n")
    board.write("sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq", "1500000\n")
    board.write("sys/class/hwmon/hwmon1/name", "rpi_volt\n")
    board.write("sys/class/hwmon/hwmon1/in0_lcrit_alarm", "1\n")
    signals = signals_of(None, read(board))
    assert signals.throttled
    assert signals.under_voltage
    assert slowdown(signals) == pytest.approx(2.5)


def test_a_jetson_tells_power_and_mode(board: FakeBoard) -> None:
    board.write("var/lib/nvpmodel/status", "pmode:0002\n")
    sensor = "sys/class/hwmon/hwmon3"
    for name, text in (("name", "ina3221"), ("in2_label", "VDD_IN"), ("in2_input", "5000"), ("curr2_input", "900")):
        board.write(f"{sensor}/{name}", f"{text}\n")
    counters = read(board)
    assert counters.power_w == pytest.approx(4.5)
    assert counters.power_mode == "pmode:0002"


def test_a_battery_that_nothing_charges(board: FakeBoard) -> None:
    for name, text in (("type", "Battery"), ("capacity", "12"), ("status", "Discharging")):
        board.write(f"sys/class/power_supply/BAT0/{name}", f"{text}\n")
    counters = read(board)
    assert (counters.battery, counters.on_battery) == (0.12, True)


FILES = (
    "proc/stat",
    "proc/pressure/cpu",
    "proc/pressure/memory",
    "proc/meminfo",
    "proc/self/cgroup",
    "sys/fs/cgroup/cpu.max",
    "sys/fs/cgroup/cpu.stat",
    "sys/class/thermal/thermal_zone0/temp",
    "sys/devices/system/cpu/cpu0/cpufreq/scaling_max_freq",
    "sys/devices/platform/soc/soc:firmware/get_throttled",
    "sys/class/power_supply/BAT0/capacity",
)
GARBAGE = st.one_of(
    st.text(max_size=20),
    st.sampled_from(("nan", "inf", "-1", "0", "cpu  a b c d e f", "some total=x", "0::/../..", "max", "1e400", "99 0")),
)


@given(st.lists(st.tuples(st.sampled_from(FILES), GARBAGE), max_size=8), st.floats(-1e6, 1e6))
def test_garbage_is_absent_and_never_raises(
    tmp_path_factory: pytest.TempPathFactory, written: list[tuple[str, str]], at: float
) -> None:
    board = FakeBoard(tmp_path_factory.mktemp("board"))
    before = read(board, at - 1.0)
    for name, text in written:
        board.write(name, text)
    signals = signals_of(before, read(board, at))
    assert 1.0 <= slowdown(signals) <= 50.0


def test_reading_this_machine_costs_little() -> None:
    board = Board()
    before = board.read(0.0)
    began_s = time.thread_time()
    for _ in range(READINGS):
        now = board.read(1.0)
    assert time.thread_time() - began_s < MOST_CPU_S
    assert signals_of(before, now).cores is not None


def test_a_suspended_board_gives_no_rates() -> None:
    before, now = Counters(at=0.0, busy_s=0.0, cores=2.0), Counters(at=4000.0, busy_s=8000.0, cores=2.0)
    assert signals_of(before, now).others is None
    assert signals_of(now, before).others is None
