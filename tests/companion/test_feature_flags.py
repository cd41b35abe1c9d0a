"""Feature flags are stored in the user's file; a wrong value is refused with the allowed ones."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest

from aster_sidecar.companion.feature_flags import DEFAULTS, Flags
from aster_sidecar.contract import wire
from aster_sidecar.errors import ConfigInvalid


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "config.toml"


def patch(**flags: bool | str | None) -> wire.FlagsPatch:
    return wire.FlagsPatch.model_validate(flags)


def test_without_a_file_every_flag_has_its_default(path: Path) -> None:
    flags = Flags(path)
    assert flags.values() == DEFAULTS
    assert {info.source for info in flags.list()} == {"default"}


def test_the_defaults_are_those_of_every_flag_that_clients_can_set() -> None:
    assert list(DEFAULTS) == list(wire.FlagsPatch.model_fields)
    wire.FlagsPatch.model_validate(DEFAULTS)


def test_the_file_s_value_counts(path: Path) -> None:
    path.write_text('[flags]\ntts = true\nrelease_channel = "beta"\n')
    flags = Flags(path)
    assert (flags.value("tts"), flags.value("release_channel"), flags.value("ambient")) == (True, "beta", True)
    info = flags.info("release_channel")
    assert (info.value, info.default, info.source, info.choices) == ("beta", "stable", "file", ["stable", "beta"])
    assert info.description
    assert flags.info("tts").choices is None


def test_a_change_is_kept_and_only_what_changed_is_returned(path: Path) -> None:
    path.write_text('# mine\nmodel = "demo"\n')
    flags = Flags(path)
    changed = flags.change(patch(tts=True, ambient=True))
    assert [info.name for info in changed] == ["tts"]
    assert Flags(path).values() == flags.values() == {**DEFAULTS, "tts": True}
    assert Flags(path).info("ambient").source == "file"
    assert path.read_text().startswith('# mine\nmodel = "demo"\n')


def test_none_resets_a_flag_to_its_default(path: Path) -> None:
    flags = Flags(path)
    flags.change(patch(tts=True, voice_capture=True))
    assert [info.name for info in flags.change(patch(tts=None))] == ["tts"]
    assert Flags(path).info("tts").source == "default"
    assert Flags(path).value("voice_capture") is True
    assert flags.change(patch(tts=None)) == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("flags = 3\n", "flags is not a table"),
        ("[flags]\ntts = 'loud'\n", "flags.tts = 'loud'"),
        ("[flags]\nrelease_channel = 'nightly'\n", "flags.release_channel = 'nightly'"),
        ("[flags]\nfly = true\n", "flags.fly"),
    ],
)
def test_a_wrong_table_is_refused_with_the_flag_and_the_file(path: Path, text: str, words: str) -> None:
    path.write_text(text)
    with pytest.raises(ConfigInvalid) as refused:
        Flags(path)
    assert words in refused.value.message
    assert str(path) in refused.value.message
    assert refused.value.hint
    channels = get_args(get_args(wire.FlagsPatch.model_fields["release_channel"].annotation)[0])
    if "table" not in words:
        assert all(word in refused.value.hint for word in (*DEFAULTS, *channels))
