from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = {"av", "imageio_ffmpeg", "psutil", "typer", "rich", "boto3", "workers", "media"}


def fresh(code: str) -> str:
    """What a new Python prints."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout


@pytest.mark.parametrize(
    "code", ["import longtake", "from longtake import Longtake, LongtakeSync, Transcode"]
)
def test_a_client_brings_in_no_engine_and_no_command_line(code: str) -> None:
    loaded = fresh(f"{code}; import sys; print(*sys.modules)").split()
    assert HEAVY.isdisjoint(name.partition(".")[0] for name in loaded)


def test_contracts_can_be_had_without_temporal() -> None:
    loaded = fresh("from longtake import Transcode, InvalidJob; import sys; print(*sys.modules)")
    assert "temporalio" not in loaded.split()


def test_importing_the_package_loads_no_contract_yet() -> None:
    loaded = fresh("import longtake, sys; print(*sys.modules)").split()
    assert [name for name in loaded if name.startswith("longtake.")] == []
    assert "pydantic" not in loaded


def test_public_names_are_there_and_no_others() -> None:
    import longtake

    assert all(hasattr(longtake, name) for name in longtake.__all__)
    assert set(dir(longtake)) == set(longtake.__all__)
    assert not hasattr(longtake, "nothing_of_this_name")


def test_garbage_is_looked_for_again_once_all_is_imported() -> None:
    code = """
import gc
from longtake.importing import without_collecting
try:
    with without_collecting():
        print(gc.isenabled())
        import no_such_module
except ImportError:
    print(gc.isenabled(), gc.get_freeze_count() > 0)
"""
    assert fresh(code).split() == ["False", "True", "True"]
