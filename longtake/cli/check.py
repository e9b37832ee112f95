"""`longtake check`: whether a package of HLS and DASH keeps the rules that players rely on."""

from __future__ import annotations

import tempfile
from typing import Annotated

import typer

from longtake.cli.console import out, print_json
from longtake.cli.display import duration
from longtake.cli.engine import ask_engine, require_engine
from longtake.cli.options import Json
from longtake.cli.report import size
from longtake.contracts.check import PackageCheck, RenditionFacts
from longtake.errors import InvalidJob
from longtake.paths import absolute, local_path, scheme_of, shown


def check(
    package: Annotated[
        str,
        typer.Argument(
            help="Folder, master.m3u8, manifest.mpd, or s3:// prefix.", metavar="PACKAGE"
        ),
    ],
    as_json: Json = False,
) -> int:
    """Check a package of HLS and DASH against the rules of both. Exit code 1: there are errors."""
    place = absolute(package)
    require_engine()
    found = _checked(place)
    if as_json:
        print_json(found)
    else:
        _show(found)
    return 1 if found.errors else 0


def _checked(place: str) -> PackageCheck:
    path = local_path(place)
    if path is not None:
        return PackageCheck.model_validate(ask_engine("media.check", str(path)))
    if scheme_of(place) != "s3":
        raise InvalidJob(f"{shown(place)}: check reads folders and s3:// prefixes; fetch it first")
    with tempfile.TemporaryDirectory(prefix="longtake-check-") as folder:
        ask_engine("storage.mirror", place, folder)
        document = ask_engine("media.check", folder)
    return PackageCheck.model_validate(document | {"package": place})


def _show(found: PackageCheck) -> None:
    for rendition in found.renditions:
        out.print(f"{rendition.kind:<6} {_rendition(rendition)}", markup=False)
    for finding in found.findings:
        colour = "red" if finding.severity == "error" else "yellow"
        words = f"{finding.severity}: {finding.rule}: {finding.where}: {finding.message}"
        out.print(words, style=colour, markup=False)
    warnings = len(found.findings) - found.errors
    out.print(f"errors: {found.errors}, warnings: {warnings}", markup=False)


def _rendition(told: RenditionFacts) -> str:
    rate = f"{float(told.frame_rate):.5g} fps" if told.frame_rate else None
    words = [
        told.name,
        told.codec,
        f"{told.width}x{told.height}" if told.width else None,
        rate,
        f"{told.channels} channels" if told.channels else None,
        told.encryption,
        f"{told.segments} segments",
        duration(told.duration_s) if told.duration_s >= 60 else f"{told.duration_s:.2f} s",
        size(told.bytes),
        f"{told.average_bps / 1000:.0f} kbit/s, peak {told.peak_bps / 1000:.0f}",
    ]
    return "  ".join(word for word in words if word)
