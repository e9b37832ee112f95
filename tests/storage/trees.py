"""Small packages, and attempts to publish them as the step does."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from longtake.contracts.result import Output
from storage.folder import Folder
from storage.tree import members, pack
from storage.trees import Publication
from storage.work import WorkStore

Files = dict[str, bytes]


def package(colour: str, segments: int = 4, **others: bytes) -> Files:
    """The files of a package, by name: what it shows is in its segments."""
    rung = {f"{n:05}.m4s": f"{colour} {n} ".encode() * 50 for n in range(1, segments + 1)}
    rung |= {"init.mp4": b"ftyp", "playlist.m3u8": "\n".join(sorted(rung)).encode()}
    folder = f"h264-720p-{hashlib.sha256(repr(sorted(rung.items())).encode()).hexdigest()[:12]}"
    files = {f"{folder}/{name}": data for name, data in rung.items()}
    files |= {"audio-en-00112233aabb/00001.m4s": b"sound", "poster.jpg": colour.encode(), **others}
    files["manifest.mpd"] = f"<MPD>{folder}</MPD>".encode()
    files["master.m3u8"] = f"#EXTM3U\n{folder}/playlist.m3u8\n".encode()
    listed = [
        {
            "path": name,
            "bytes": len(data),
            "sha256": hashlib.sha256(data).hexdigest(),
            **({"content_type": "audio/mp4"} if name.startswith("audio-") else {}),
        }
        for name, data in sorted(files.items())
    ]
    files["package.json"] = json.dumps({"files": listed}).encode()
    return files


@dataclass(frozen=True)
class Attempts:
    """Attempts of jobs to publish into one folder."""

    store: WorkStore
    folder: Folder
    scratch: Path
    terms: list[int] = field(default_factory=list)

    async def attempt(self, files: Files, job_id: str, *, overwrite: bool = False) -> Publication:
        """The next attempt of a job, with the highest term."""
        key = hashlib.sha256(repr(sorted(files.items())).encode()).hexdigest()
        tar = self.scratch / f"{key}.tar"
        if not tar.exists():
            for name, data in files.items():
                path = self.scratch / key / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(data)
            pack(self.scratch / key, tar)
        self.terms.append(len(self.terms) + 1)
        return Publication(
            self.store,
            self.folder,
            await self.store.lease("output", self.terms[-1]),
            members(tar),
            job_id=job_id,
            tree_key=key,
            output=self.folder.identity,
            overwrite=overwrite,
        )

    async def publish(
        self,
        files: Files,
        job_id: str = "job",
        *,
        overwrite: bool = False,
        between: Callable[[], None] = lambda: None,
    ) -> tuple[Output, ...]:
        """A whole attempt; `between`: before the entries."""
        publication = await self.attempt(files, job_id, overwrite=overwrite)
        return await whole(publication, between)

    def with_folder(self, folder: Folder) -> Attempts:
        return replace(self, folder=folder)


async def whole(
    publication: Publication, between: Callable[[], None] = lambda: None
) -> tuple[Output, ...]:
    import asyncio

    await publication.begin()
    if not publication.is_live:
        await asyncio.to_thread(publication.fill, threading.Event())
        between()
    return await asyncio.to_thread(publication.show, threading.Event())
