"""Preview a film, and mirror it: `python examples/look_at_a_film.py FILM FOLDER`."""

from __future__ import annotations

import asyncio
import os
import sys

from longtake import Command, Longtake, Preview


async def main(film: str, folder: str) -> None:
    async with Longtake.connect() as longtake:
        shown = await longtake.run(
            Preview.model_validate(
                {"input": film, "output": f"{folder}/preview", "poster": {"height": 1080}}
            )
        )
        for output in shown.outputs:
            print(f"{output.role:<15} {output.uri}")
        for part, why in shown.decisions.items():
            print(f"{part:<15} {why}")
        mirrored = await longtake.run(
            Command(
                input=film,
                output=f"{folder}/mirrored.mp4",
                arguments=("-vf", "hflip", "-c:v", "libx264", "-crf", "23", "-c:a", "aac"),
            )
        )
        print(f"{'mirrored':<15} {mirrored.outputs[0].uri}")


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:3]))
    sys.stdout.flush()
    os._exit(0)  # Temporal's core may abort a process that ends in the usual way
