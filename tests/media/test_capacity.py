"""Processors and memory as control groups limit them, from files as kernels write them."""

from __future__ import annotations

from pathlib import Path

import pytest

from media.children import capacity

V2 = "0::/system.slice/longtake.service\n"
V1 = "4:memory:/docker/abc\n3:cpuset:/\n2:cpu,cpuacct:/docker/abc\n0::/\n"


class Machine:
    """Sixteen processors, and control groups made of files."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "cgroup"
        self.proc = folder / "self"
        self.root.mkdir()

    def group(self, membership: str, files: dict[str, str]) -> Machine:
        self.proc.write_text(membership)
        for name, text in files.items():
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text + "\n")
        return self

    @property
    def cores(self) -> int:
        return capacity.cores(self.root, self.proc)

    @property
    def memory(self) -> int | None:
        return capacity.memory_bytes(self.root, self.proc)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    monkeypatch.setattr(capacity, "_affinity", lambda: 16)
    return Machine(tmp_path)


def test_without_limits_it_is_the_machine(machine: Machine) -> None:
    limits = {"cpu.max": "max 100000", "memory.max": "max"}
    assert machine.group("0::/\n", limits).cores == 16
    assert machine.memory is None


def test_without_control_groups_it_is_the_machine(machine: Machine) -> None:
    assert machine.cores == 16
    assert machine.memory is None


@pytest.mark.parametrize(
    ("quota", "cores"), [("200000 100000", 2), ("150000 100000", 2), ("10000 100000", 1)]
)
def test_quota_of_a_container_in_v2(machine: Machine, quota: str, cores: int) -> None:
    assert machine.group("0::/\n", {"cpu.max": quota}).cores == cores


def test_the_smallest_limit_of_all_groups_above_counts_in_v2(machine: Machine) -> None:
    limits = {
        "system.slice/cpu.max": "300000 100000",
        "system.slice/longtake.service/cpu.max": "800000 100000",
        "system.slice/memory.max": str(8 << 30),
        "system.slice/longtake.service/memory.max": str(2 << 30),
    }
    assert machine.group(V2, limits).cores == 3
    assert machine.memory == 2 << 30


def test_limits_in_v1(machine: Machine) -> None:
    limits = {
        "cpu/docker/abc/cpu.cfs_quota_us": "400000",
        "cpu/docker/abc/cpu.cfs_period_us": "100000",
        "memory/docker/abc/memory.limit_in_bytes": str(1 << 30),
        "memory/memory.limit_in_bytes": "9223372036854771712",
    }
    assert machine.group(V1, limits).cores == 4
    assert machine.memory == 1 << 30


def test_a_container_that_sees_its_group_as_the_root_in_v1(machine: Machine) -> None:
    limits = {
        "cpu/cpu.cfs_quota_us": "200000",
        "cpu/cpu.cfs_period_us": "100000",
        "memory/memory.limit_in_bytes": str(3 << 30),
    }
    assert machine.group(V1, limits).cores == 2
    assert machine.memory == 3 << 30


def test_no_quota_in_v1(machine: Machine) -> None:
    limits = {"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}
    assert machine.group(V1, limits).cores == 16


def test_affinity_counts(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capacity, "_affinity", lambda: 1)
    assert machine.group("0::/\n", {"cpu.max": "400000 100000"}).cores == 1


@pytest.mark.parametrize(
    ("cores", "memory", "slots"),
    [(8, None, 8), (8, 64 << 30, 8), (8, 2 << 30, 4), (2, 256 << 20, 1)],
)
def test_slots_fit_processors_and_memory(
    monkeypatch: pytest.MonkeyPatch, cores: int, memory: int | None, slots: int
) -> None:
    monkeypatch.setattr(capacity, "cores", lambda: cores)
    monkeypatch.setattr(capacity, "memory_bytes", lambda: memory)
    assert capacity.default_slots() == slots
