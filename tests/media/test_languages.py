"""A menu calls each language as those who speak it do."""

from __future__ import annotations

import pytest

from media.package.languages import language_name


@pytest.mark.parametrize(
    ("tag", "name"),
    [
        ("de", "Deutsch"),
        ("pt-BR", "Português (Brasil)"),
        ("zh-Hant", "中文 (繁體)"),
        ("tlh", "Klingon"),
        ("qaa", "qaa"),
        ("und", "Unknown language"),
        ("x-none", "x-none"),
    ],
)
def test_a_language_has_its_own_name(tag: str, name: str) -> None:
    assert language_name(tag) == name
