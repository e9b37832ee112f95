"""The wheel installs one package: a user's own `workflows/` is never shadowed."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
ROOMS = ("workflows", "activities", "media", "storage", "workers", "presets")


def test_the_worker_application_travels_inside_the_package(tmp_path: Path) -> None:
    build = (sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path))
    subprocess.run([*build, str(ROOT)], check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    roots = {name.partition("/")[0] for name in names}
    assert {root for root in roots if not root.endswith(".dist-info")} == {"longtake"}
    for room in ROOMS:
        mine = {
            path.relative_to(ROOT).as_posix()
            for suffix in ("*.py", "*.yaml")
            for path in (ROOT / room).rglob(suffix)
        }
        assert mine
        assert {f"longtake/_app/{name}" for name in mine} <= names
    page = ("page.html", "page.css", "page.js", "hls.min.js", "hls.LICENSE")
    assert {f"longtake/player/{name}" for name in page} <= names
