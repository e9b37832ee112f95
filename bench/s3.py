"""`s3`: the same job from disk to disk, and from bucket to bucket."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass

import psutil

from bench import cost, footage
from bench.cost import Cost
from bench.footage import Footage
from bench.lab import Lab, lab
from bench.options import Options
from bench.recipe import RICH, SMOKE, Recipe
from bench.report import Measurement, alone, ratio, series
from longtake import JobResult
from tests.storage.bucket import CREDENTIALS, Bucket, bucket, s3_process

HOW = (
    "The job of `throughput` on one warm service, its source and output as files and in a bucket "
    "on loopback, in turn. Before each job the work store and the host's cache are emptied: the "
    "whole source is fetched each time. The bucket is moto's, a Python program: what it computes "
    "is told apart and is in no CPU of a job, but on a machine whose cores are all busy it is in "
    "the wall time."
)
AT_MOST = 1.05
_IN = "in.mp4"


@dataclass
class Store:
    """A bucket and the server behind it."""

    bucket: Bucket
    server: psutil.Process

    def uri(self, key: str) -> str:
        """The address of an object."""
        return f"s3://{self.bucket.name}/{key}"

    def cpu_s(self) -> float:
        """CPU seconds of the server so far."""
        return cost.cpu_s([self.server])


async def measure(options: Options) -> Measurement:
    """Time and CPU of both, and what the server took."""
    measurement = Measurement("s3", "from bucket to bucket, rich 1080p", HOW)
    recipe = SMOKE if options.quick else RICH
    film = await footage.rich(options.out / "media", options.film_s(quick_s=8))
    local, remote, server = list[Cost](), list[Cost](), list[float]()
    with _store() as store:
        store.bucket.s3.upload_file(str(film.path), store.bucket.name, _IN)
        async with lab() as here:
            for _ in range(options.rounds_of(5)):
                took, files = await _local(here, recipe, film)
                local.append(took)
                before = store.cpu_s()
                took, objects = await _remote(here, recipe, film, store)
                remote.append(took)
                server.append(store.cpu_s() - before)
                assert files.outputs[0].sha256 == objects.outputs[0].sha256
    in_bucket, on_disk = "from bucket to bucket", "from disk to disk"
    measurement.rows += [
        ratio("wall", cost.wall(in_bucket, remote), cost.wall(on_disk, local), AT_MOST),
        ratio("CPU", cost.cpu(in_bucket, remote), cost.cpu(on_disk, local), AT_MOST),
        alone("CPU of the bucket's server", series("moto", "s", server)),
    ]
    measurement.notes += [
        f"read {film.path.stat().st_size / 1e6:.1f} MB, wrote {objects.outputs[0].bytes / 1e6:.1f}",
        cost.neighbours(files=local, buckets=remote),
    ]
    return measurement


async def _local(here: Lab, recipe: Recipe, film: Footage) -> tuple[Cost, JobResult]:
    here.empty()
    return await here.run(here.next_job(recipe, film))


async def _remote(here: Lab, recipe: Recipe, film: Footage, store: Store) -> tuple[Cost, JobResult]:
    here.empty()
    job = here.next_job(recipe, film)
    places = {"input": store.uri(_IN), "output": store.uri(f"out-{here.jobs}.mp4")}
    return await here.run(job.model_copy(update=places))


@contextlib.contextmanager
def _store() -> Iterator[Store]:
    """A bucket on loopback; the service that is started meanwhile speaks with it."""
    with s3_process() as (address, pid):
        environment = {**CREDENTIALS, "AWS_ENDPOINT_URL_S3": f"http://{address}"}
        before = {name: os.environ.get(name) for name in environment}
        os.environ.update(environment)
        try:
            yield Store(bucket(address, "bench"), psutil.Process(pid))
        finally:
            for name, value in before.items():
                if value is None:
                    del os.environ[name]
                else:
                    os.environ[name] = value
