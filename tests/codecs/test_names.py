from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stegcli.codecs.names import MAX_NAME_BYTES, safe_name

LETTERS = st.one_of(st.characters(), st.sampled_from("/\\.: -\0\n\u202eé\u0301CONconprn1²"))
# Now and then long enough to be cut.
HOSTILE = st.builds(lambda text, times, tail: text * times + tail, st.text(LETTERS, max_size=30),
                    st.sampled_from([1, 1, 40]), st.text(LETTERS, max_size=8))  # fmt: skip
RESERVED = {"CON", "PRN", "AUX", "NUL", *(f"{port}{n}" for port in ("COM", "LPT") for n in "0123456789¹²³")}


@given(HOSTILE)
def test_any_name_becomes_one_for_the_current_folder(name: str) -> None:
    safe = safe_name(name)
    assert safe not in {"", ".", ".."}
    assert not set(safe) & set('/\\<>:"|?*')
    assert not safe.startswith((".", "-", " "))
    assert not safe.endswith((".", " "))
    assert len(safe.encode()) <= MAX_NAME_BYTES  # which also says that no half of a pair is left
    assert all(unicodedata.category(letter)[0] != "C" for letter in safe)
    assert safe.split(".")[0].strip().upper() not in RESERVED


@given(HOSTILE)
def test_a_safe_name_stays_as_it_is(name: str) -> None:
    safe = safe_name(name)
    assert safe_name(safe) == safe


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("report 2024.pdf", "report 2024.pdf"),
        ("Grüße, 世界.tar.gz", "Grüße, 世界.tar.gz"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Windows\\system.ini", "system.ini"),
        ("..", "secret"),
        ("folder/", "secret"),
        ("", "secret"),
        (" . . ", "secret"),
        ("\ud800.txt", "_txt"),
        (".bashrc", "_bashrc"),
        ("-rf", "_rf"),
        ("con", "_con"),
        ("NUL.tar.gz", "_NUL.tar.gz"),
        ("com¹.txt", "_com¹.txt"),
        ("console.log", "console.log"),
        ("notes.txt:stream", "notes.txt_stream"),
        ("annexe\u202egpj.exe", "annexegpj.exe"),
        ("line\nbreak\0.txt", "linebreak.txt"),
        ("e\u0301.png", "é.png"),
    ],
)
def test_known_cases(name: str, safe: str) -> None:
    assert safe_name(name) == safe


def test_a_long_name_keeps_its_suffix_and_whole_characters() -> None:
    safe = safe_name("世" * 200 + ".jpeg")
    assert safe == "世" * 83 + ".jpeg"  # 249 + 5 bytes; an 84th would be cut
    assert safe_name("a" * 300) == "a" * 255
    assert safe_name("." + "a" * 300) == "_" + "a" * 254
    assert safe_name("x" * 250 + " " * 9 + "y") == "x" * 250
