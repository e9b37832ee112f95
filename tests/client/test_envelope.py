from __future__ import annotations

import pytest

from longtake import InvalidJob
from longtake.kinds import parse

FILES = {"input": "/media/talk.mov", "output": "/media/talk.mp4"}


@pytest.mark.parametrize("job_id", ["talk", "7", "show:12_a.b-c", "x" * 200])
def test_an_id_may_be_what_people_name_things(job_id: str) -> None:
    assert parse({**FILES, "id": job_id}).id == job_id


@pytest.mark.parametrize("job_id", ["", "my talk", "-talk", "a/b", "größe", "talk\n", "x" * 201])
def test_another_id_is_refused_in_words(job_id: str) -> None:
    with pytest.raises(InvalidJob, match=r"^id: .* will not do; use letters, digits and \. _ : -"):
        parse({**FILES, "id": job_id})


def test_another_tenant_is_refused_in_words() -> None:
    with pytest.raises(InvalidJob, match=r"^tenant: 'a:b' will not do; use letters"):
        parse({**FILES, "tenant": "a:b"})
