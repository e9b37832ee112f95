"""The bench runs and says what it measured. What it measured is not judged here."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from bench import __main__ as bench
from bench import table
from bench.ladder import Rung, mean_rates, rate_at
from bench.report import Measurement, alone, difference, ratio, series

ROOT = Path(__file__).parents[1]


@pytest.mark.slow
async def test_a_quick_run_writes_a_report_with_raw_figures_and_targets(tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench", "latency", "--quick", "--rounds", "1"),
        *("--out", str(tmp_path)),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    printed, complaints = await process.communicate()
    assert process.returncode == 0, complaints.decode()

    report: dict[str, Any] = json.loads((tmp_path / "latency.json").read_text())
    assert report["machine"]["cores"] >= 1
    assert "prove nothing" in report["machine"]["note"]
    (measurement,) = report["measurements"]
    wall, cpu = measurement["rows"]
    assert wall["at_most"] == 0.6
    assert isinstance(wall["met"], bool)
    assert cpu["met"] is None
    assert [each["name"] for each in wall["series"]] == ["bare FFmpeg", "Longtake"]
    assert all(len(each["values"]) == 1 for each in wall["series"])
    phases = {
        row["phase"] for row in measurement["tables"]["640x360: where the time goes (medians)"]
    }
    assert {"admit: run", "plan: wait", "assemble: run", "end: server to client"} <= phases

    assert "| 640x360: wall |" in printed.decode()
    assert "## latency" in (tmp_path / "latency.md").read_text()


def test_rows_compare_medians_with_their_targets() -> None:
    ours, theirs = series("ours", "s", [3.0, 1.0, 2.0]), series("theirs", "s", [4.0, 4.0, 9.0])
    assert ratio("wall", ours, theirs, 1.0).value == 0.5
    assert ratio("wall", ours, theirs, 0.4).met is False
    assert difference("wall", ours, theirs, 0.6).value == -2.0
    assert alone("ready", ours).met is None


def test_the_table_shows_raw_figures_beside_the_result() -> None:
    measurement = Measurement("some", "thing", "By hand.")
    ours, theirs = series("ours", "s", [3.0, 1.0, 2.0]), series("theirs", "s", [4.0])
    measurement.rows.append(ratio("wall", ours, theirs, 1.0))
    text = table.section(measurement)
    assert "theirs 4.000 s; ours 2.000 s (1.000–3.000)" in text
    assert "| 0.500 × | ≤ 1 ×  | yes |" in text


def test_ladders_are_compared_where_they_look_alike() -> None:
    fixed = [Rung("large", 4000, 97.0), Rung("middle", 2000, 90.0), Rung("small", 1000, 80.0)]
    halved = [Rung(rung.name, rung.bps // 2, rung.vmaf) for rung in fixed]
    ours, theirs = mean_rates(halved, fixed)
    assert ours / theirs == pytest.approx(0.5)
    assert rate_at(fixed, 90.0) == pytest.approx(2000)
    assert rate_at(fixed, 85.0) == pytest.approx(1000 * 2**0.5)
    assert rate_at(fixed, 99.0) == pytest.approx(4000 * 2 ** (2 / 7)), "more looks cost more"
    assert rate_at(fixed, 50.0) == 1000, "nothing is cheaper than the last rung"


def test_names_are_checked(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        bench.main(["speed"])
    assert "there is no speed; use one of" in capsys.readouterr().err
