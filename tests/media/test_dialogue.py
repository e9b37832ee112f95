"""Children that are asked again and again."""

import asyncio

from media.children.dialogue import Dialogue
from media.children.process import Limits

ECHO = ["/bin/cat"]
LEAVES_ONE = ["/bin/sh", "-c", "setsid sleep 5 & exec cat"]
"""Answers as well; what it started keeps its pipes open after it."""


async def test_pipes_of_one_that_was_ended_are_not_listened_to_again() -> None:
    """The next child's pipes have their numbers."""
    for number, command in enumerate((LEAVES_ONE, ECHO)):
        dialogue = Dialogue.begin("echo", command, Limits())
        question = {"answer": number}
        assert await asyncio.wait_for(dialogue.ask(question, print), 10) == question
        await dialogue.end()
