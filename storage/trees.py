"""Publish a finished tree into a folder: what plays last, and all of it or nothing.

The way of a job: claim the folder, put everything that is no entry, look whether all of it is
there, put the entries (the listing, then the manifests), remove what only the replaced package
had. Until the entries are there, all of it can be undone; afterwards there is only a way on.
"""

from __future__ import annotations

import asyncio
import hashlib
import threading
import time
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait

from longtake.content_type import Served, content_type
from longtake.contracts.result import Output
from longtake.errors import OutputConflict, StorageUnavailable, UserError
from storage import threads
from storage.claims import Claim, Held, Loose
from storage.folder import Folder
from storage.listing import names_in, read_listing
from storage.tree import DASH, ENTRIES, HLS, LISTING, Member, is_immutable
from storage.work import Lease, WorkStore, content_key

CLAIM_S = 600.0
"""A claim that was not renewed for so long is of a job that was ended without its last step."""
RENEW_S = 60.0
LOOK_S = 1.0
"""So often a publication asks whether it is still the latest."""
ENTRY_AGE_S = 5
"""So long caches may keep an entry. A player asks for it once a film, so that little is gained by
more; and so long after its replacement the files that it named stay."""
SIDE_BY_SIDE = 16

_ROLES = {HLS: "hls", DASH: "dash", LISTING: "listing"}


class Publication:
    """One attempt to publish a tree."""

    def __init__(
        self,
        store: WorkStore,
        folder: Folder,
        lease: Lease,
        tree: Sequence[Member],
        *,
        job_id: str,
        tree_key: str,
        output: str,
        overwrite: bool,
        sources: Collection[str] = (),
        on_fraction: Callable[[float], None] = lambda fraction: None,
    ) -> None:
        self._store, self._folder, self._lease = store, folder, lease
        self._files = {member.name: member for member in tree}
        self._job_id, self._tree_key, self._output = job_id, tree_key, output
        self._overwrite, self._sources, self._on_fraction = overwrite, sources, on_fraction
        self._types = self._listed_types()
        self._held: Held | None = None
        self._lock = threading.Lock()
        self._looked = self._renewed = time.monotonic()
        self.warnings: list[str] = []

    async def begin(self) -> None:
        """Claim the folder, and note durably what will be written and what will be replaced.

        What another job left there is undone first. Raises OutputConflict, before anything is
        written, if another job is at work there or something there may not be replaced.
        """
        identity = self._folder.identity
        held = await asyncio.to_thread(self._store.claims.of, identity)
        if held is not None and held.claim.job_id != self._job_id:
            if held.age_s < CLAIM_S:
                raise busy(self._output, held.claim.job_id)
            ours = held.claim.model_copy(update={"job_id": self._job_id})
            left_by = held.claim
            held = await self._write(ours, held.tag)
            await asyncio.to_thread(self._folder.discard, left_by.sizes, left_by.job_id)
        if held is None or held.claim.tree_key != self._tree_key:
            if held is not None:
                await settle(self._store, self._folder, held.claim)
            held = await self._write(await self._claim(), held.tag if held else None)
        self._held = held

    async def _write(self, claim: Claim, tag: str | None) -> Held:
        held = await asyncio.to_thread(self._store.claims.write, self._folder.identity, claim, tag)
        if held is None:
            raise busy(self._output, "another job")
        return held

    async def _claim(self) -> Claim:
        """What this job will write, by what lies there now."""
        there = await asyncio.to_thread(self._folder.sizes, {*self._files, *ENTRIES})
        strangers = {*ENTRIES} & there.keys() - self._files.keys()
        if strangers and not self._overwrite:
            raise taken(self._folder.at(min(strangers)))
        loose = []
        for name in self._in_order():
            if not is_immutable(name):
                loose += await self._loose(name, there)
        before = read_listing(await asyncio.to_thread(self._folder.read, LISTING))
        if before is None and {*ENTRIES} & there.keys():
            self.warnings.append(
                f"what lay in {self._output} has no {LISTING} that can be read, so that nothing "
                "of it was removed but what was replaced"
            )
        return Claim(
            job_id=self._job_id,
            output=self._output,
            tree_key=self._tree_key,
            made_folder=not self._folder.is_there(),
            sizes={
                name: member.size
                for name, member in self._files.items()
                if is_immutable(name) and name not in there
            },
            loose=tuple(loose),
            replaced=tuple(
                name
                for name in sorted(names_in(before) - self._files.keys())
                if self._folder.at(name) not in self._sources
            ),
        )

    async def _loose(self, name: str, there: dict[str, int]) -> list[Loose]:
        """What must be known to put back what lies under a name; nothing if it stays."""
        sha256 = await asyncio.to_thread(self._files[name].sha256)
        data = await asyncio.to_thread(self._folder.read, name) if name in there else None
        if data is None:
            return [Loose(name=name, sha256=sha256, before=None)]
        before = hashlib.sha256(data).hexdigest()
        if before == sha256:
            return []
        if not self._overwrite:
            raise taken(self._folder.at(name))
        key = content_key("replaced", sha256=before)
        await self._store.put(key, data)
        return [Loose(name=name, sha256=sha256, before=key)]

    @property
    def is_live(self) -> bool:
        """Whether an earlier attempt has shown the entries already."""
        return self._held is not None and self._held.claim.live

    def fill(self, stop: threading.Event) -> None:
        """Put everything that is no entry, side by side, and look whether all of it is there.

        What is there already is left as it is. Raises OutputConflict, StorageUnavailable, and
        ResourceExhausted if a later attempt has begun; nothing is on its way then.
        """
        self._folder.make()
        names = [name for name in self._in_order() if name not in ENTRIES]
        whole, done = sum(self._files[name].size for name in names) or 1, 0

        def put(name: str) -> None:
            nonlocal done
            self._look(stop)
            self._put(name, lambda: self._look(stop))
            with self._lock:
                done += self._files[name].size
                self._on_fraction(done / whole)

        # A playlist comes when all that it names is there.
        for late in (False, True):
            _side_by_side(put, [name for name in names if name.endswith(".m3u8") is late])
        there = self._folder.sizes(names)
        if any(there.get(name) != self._files[name].size for name in names):
            raise StorageUnavailable(
                f"files vanished from {self._output} while it was filled; they are put there again"
            )
        threads.check(stop)

    def show(self, stop: threading.Event) -> tuple[Output, ...]:
        """Put the entries, unless a later attempt has begun; then remove what was replaced.

        Says what the entries are. `stop` shortens the wait for caches alone: what is shown is
        shown.
        """
        if not self.is_live:
            self._lease.publish(self._show)
        claim = self._claimed()
        if claim.replaced:
            stop.wait(ENTRY_AGE_S)
            try:
                self._folder.remove(claim.replaced)
            except UserError as error:
                self.warnings.append(
                    f"files of the package that was replaced are there still: {error.message}"
                )
        self._lease.check()
        self._folder.discard(claim.sizes, self._job_id)  # of attempts that were killed
        self._store.claims.remove(self._folder.identity)
        return tuple(self._output_of(name) for name in (HLS, DASH, LISTING) if name in self._files)

    def _show(self) -> None:
        self._renew(self._claimed())
        for name in ENTRIES:
            if name in self._files:
                self._put(name, self._lease.check)
        if self._claimed().replaced:
            self._renew(self._claimed().model_copy(update={"live": True}))

    def _put(self, name: str, check: Callable[[], None]) -> None:
        self._folder.put(
            self._files[name],
            self._job_id,
            self._served(name),
            overwrite=self._overwrite,
            check=check,
        )

    def _look(self, stop: threading.Event) -> None:
        """Raises if this attempt may not go on. Asks the store now and then."""
        threads.check(stop)
        with self._lock:
            now = time.monotonic()
            if now - self._looked > LOOK_S:
                self._lease.check()
                self._looked = now
            if now - self._renewed > RENEW_S:
                self._renew(self._claimed())
                self._renewed = now

    def _renew(self, claim: Claim) -> None:
        tag = self._held.tag if self._held else None
        self._held = self._store.claims.write(self._folder.identity, claim, tag)
        if self._held is None:
            raise OutputConflict(f"another job has begun to fill {self._output}; this one ends")

    def _claimed(self) -> Claim:
        assert self._held is not None, "begin() was not called"
        return self._held.claim

    def _in_order(self) -> list[str]:
        """Names in the order in which they appear: immutable ones, others, entries."""
        names = self._files.keys() - {*ENTRIES}
        rest = sorted(names, key=lambda name: (not is_immutable(name), name))
        return [*rest, *(name for name in ENTRIES if name in self._files)]

    def _output_of(self, name: str) -> Output:
        member = self._files[name]
        return Output(
            uri=self._folder.at(name),
            role=_ROLES[name],
            bytes=member.size,
            sha256=member.sha256(),
        )

    def _listed_types(self) -> dict[str, str | None]:
        listing = read_listing(self._files[LISTING].read()) if LISTING in self._files else None
        return {file.path: file.content_type for file in listing.files} if listing else {}

    def _served(self, name: str) -> Served:
        return Served(self._types.get(name) or content_type(name), cache_control(name))


def cache_control(name: str) -> str:
    """How long caches may keep a file of a tree: for ever, where its folder is named by its
    content; a few seconds, where the name may mean other bytes tomorrow."""
    if is_immutable(name):
        return "public, max-age=31536000, immutable"
    return f"public, max-age={ENTRY_AGE_S}"


async def settle(store: WorkStore, folder: Folder, claim: Claim) -> None:
    """End what a claim began: undo it, or remove what was replaced if all is shown already.

    Only what the claim names is touched, where it still is what the job put there, and nothing
    that a package which lies there then names. Raises StorageUnavailable, OutputConflict.
    """
    if claim.live:
        await asyncio.to_thread(folder.remove, claim.replaced)
        return
    for loose in reversed(claim.loose):
        now = await asyncio.to_thread(folder.read, loose.name)
        if now is None or hashlib.sha256(now).hexdigest() != loose.sha256:
            continue
        if loose.before is None:
            await asyncio.to_thread(folder.remove, [loose.name])
        else:
            served = Served(content_type(loose.name), cache_control(loose.name))
            data = await store.read(loose.before)
            await asyncio.to_thread(folder.restore, loose.name, data, claim.job_id, served)
    await asyncio.to_thread(_undo, folder, claim)


def _undo(folder: Folder, claim: Claim) -> None:
    there = folder.sizes(claim.sizes)
    named = names_in(read_listing(folder.read(LISTING)))
    folder.remove(
        name for name, size in claim.sizes.items() if there.get(name) == size and name not in named
    )
    folder.discard(claim.sizes, claim.job_id)
    if claim.made_folder:
        folder.remove_if_empty()


async def discard_tree(store: WorkStore, folder: Folder, job_id: str) -> None:
    """Settle what a job began in a folder, if it did not end it."""
    held = await asyncio.to_thread(store.claims.of, folder.identity)
    if held is not None and held.claim.job_id == job_id:
        await settle(store, folder, held.claim)
        await asyncio.to_thread(store.claims.remove, folder.identity)


def is_claimed_by(store: WorkStore, folder: Folder, job_id: str) -> bool:
    """Whether a job has begun to fill a folder and not ended it."""
    held = store.claims.of(folder.identity)
    return held is not None and held.claim.job_id == job_id


def check_unclaimed(store: WorkStore, folder: Folder, output: str) -> None:
    """Raises OutputConflict if another job fills the folder at this moment."""
    held = store.claims.of(folder.identity)
    if held is not None and held.age_s < CLAIM_S:
        raise busy(output, held.claim.job_id)


def busy(output: str, job_id: str) -> OutputConflict:
    """What to say while another job fills a folder."""
    return OutputConflict(
        f"{job_id} is publishing into {output} at this moment; wait until it is done, or cancel "
        "it, or write somewhere else"
    )


def taken(uri: str) -> OutputConflict:
    """What to say when something lies there that may not be replaced."""
    return OutputConflict(f"{uri} exists already; use --overwrite, or another folder")


def _side_by_side(put: Callable[[str], None], names: Sequence[str]) -> None:
    """All of them; the first failure ends the others."""
    with ThreadPoolExecutor(SIDE_BY_SIDE, "tree") as pool:
        puts = [pool.submit(put, name) for name in names]
        wait(puts, return_when=FIRST_EXCEPTION)
        pool.shutdown(cancel_futures=True)
    for each in puts:
        if not each.cancelled():
            each.result()
