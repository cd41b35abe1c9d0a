"""Files between the browser and the folders of conversations."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest

from aster_sidecar.tools.base import ToolError
from aster_sidecar.tools.browser.exchange import LENT, Exchange


@pytest.fixture
def exchange(tmp_path: Path) -> Exchange:
    (tmp_path / "browser").mkdir()
    return Exchange(tmp_path / "browser")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "project"
    place.mkdir()
    return place


def save(exchange: Exchange, name: str, content: str = "content") -> str:
    """What the server says of a download that has ended."""
    path = exchange.directory / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return f'### Events\n- Downloaded file {path.name} to "{path}"\n'


def files(folder: Path) -> dict[str, str]:
    downloads = folder / "downloads"
    return {path.relative_to(downloads).as_posix(): path.read_text() for path in downloads.rglob("*") if path.is_file()}


def test_a_download_is_moved_to_the_folder_of_the_conversation(exchange: Exchange, folder: Path) -> None:
    result, troubles = exchange.hand_over({"text": save(exchange, "report 1.csv")}, folder)
    assert result == {"text": f'### Events\n- Downloaded file report 1.csv to "{folder}/downloads/report 1.csv"\n'}
    assert troubles == []
    assert files(folder) == {"report 1.csv": "content"}
    assert os.listdir(exchange.directory) == []


def test_a_download_belongs_to_the_conversation_that_began_it(exchange: Exchange, folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    exchange.hand_over("- Downloading file a.csv ...", folder)
    exchange.hand_over({"text": save(exchange, "a.csv") + save(exchange, "b.csv")}, other)
    assert files(folder) == {"a.csv": "content"}
    assert files(other) == {"b.csv": "content"}


def test_nothing_is_replaced(exchange: Exchange, folder: Path) -> None:
    for content in ("one", "two", "three"):
        exchange.hand_over(save(exchange, "a.tar.gz", content), folder)
    assert files(folder) == {"a.tar.gz": "one", "a.tar (2).gz": "two", "a.tar (3).gz": "three"}


def test_files_that_are_not_named_stay_until_the_browser_ends(exchange: Exchange, folder: Path, tmp_path: Path) -> None:
    save(exchange, "half.bin")
    text, _ = exchange.hand_over(save(exchange, "half.bin.txt", "x"), folder)
    assert files(folder) == {"half.bin.txt": "x"}
    assert "half.bin (2)" not in text
    exchange.lend({}, folder)
    assert exchange.clear(tmp_path / "otherwise") == []
    assert files(folder) == {"half.bin.txt": "x", "half.bin": "content"}


def test_what_an_earlier_daemon_left_goes_to_the_work_directory(exchange: Exchange, tmp_path: Path) -> None:
    save(exchange, "shots/page.png")
    otherwise = tmp_path / "work"
    otherwise.mkdir()
    exchange.clear(otherwise)
    assert files(otherwise) == {"shots/page.png": "content"}


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege there")
def test_a_link_in_the_folder_leads_nowhere(exchange: Exchange, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (folder / "downloads").symlink_to(tmp_path / "elsewhere")
    said = save(exchange, "a.csv")
    result, [trouble] = exchange.hand_over(said, folder)
    assert result == said
    assert trouble.startswith(f"a.csv could not be saved in {folder}/downloads: ")
    assert os.listdir(tmp_path / "elsewhere") == []
    assert (exchange.directory / "a.csv").read_text() == "content"
    (folder / "downloads").unlink()
    assert exchange.clear(folder) == []
    assert files(folder) == {"a.csv": "content"}


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege there")
def test_a_link_that_the_browser_saved_is_not_followed(exchange: Exchange, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    (exchange.directory / "a.csv").symlink_to(tmp_path / "secret")
    exchange.hand_over(f'- Downloaded file a.csv to "{exchange.directory}/a.csv"', folder)
    assert not (folder / "downloads").exists()


@pytest.mark.parametrize("given", ["data/a.csv", "{folder}/data/a.csv", "data/../data/a.csv"])
def test_a_file_is_lent_to_the_browser(exchange: Exchange, folder: Path, given: str) -> None:
    (folder / "data").mkdir()
    (folder / "data" / "a.csv").write_text("1,2")
    values = exchange.lend({"paths": [given.format(folder=folder)], "element": "x"}, folder)
    [path] = values["paths"]
    assert values["element"] == "x"
    assert Path(path).name == "a.csv"
    assert Path(path).read_text() == "1,2"
    assert exchange.directory in Path(path).parents
    assert exchange.hand_over(f"uploaded {path}", folder)[1] == []
    assert Path(path).exists(), "the page may read it later"
    exchange.clear(folder)
    assert not (exchange.directory / LENT).exists()


def test_files_that_the_browser_may_not_get(exchange: Exchange, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "outside").write_text("x")
    (folder / ".env").write_text("KEY=1")
    refusals: list[tuple[Any, str]] = [
        ("../outside", "in the folder of the conversation"),
        (str(tmp_path / "outside"), "in the folder of the conversation"),
        (".env", "secrets"),
        ("missing", "can't be read"),
        (".", "can't be read|not a file"),
        ("a\0b", "can't be read"),
        (7, "each is a text"),
    ]
    if sys.platform != "win32":
        (folder / "link").symlink_to(tmp_path / "outside")
        os.mkfifo(folder / "pipe")
        refusals += [("link", "in the folder of the conversation"), ("pipe", "not a file")]
    for given, words in refusals:
        with pytest.raises(ToolError, match=words):
            exchange.lend({"paths": [given]}, folder)


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("page.png", "page.png"),
        ("shots/page.png", "shots/page.png"),
        ("{folder}/shots/page.png", "shots/page.png"),
        ("downloads/page.png", "page.png"),
        ("{folder}/downloads/page.png", "page.png"),
        ("/elsewhere/page.png", "page.png"),
    ],
)
def test_a_file_that_the_browser_writes_has_a_name_in_its_directory(
    exchange: Exchange, folder: Path, given: str, name: str
) -> None:
    assert exchange.lend({"filename": given.format(folder=folder)}, folder) == {"filename": str(Path(name))}


def test_paths_in_structured_results_are_replaced_too(exchange: Exchange, folder: Path) -> None:
    (exchange.directory / "p.png").write_text("x")
    path = f"{exchange.directory}/p.png"
    result, _ = exchange.hand_over({"structured": {"files": [path], "n": 1}, "text": f"- [Shot]({path})"}, folder)
    now = f"{folder}/downloads/p.png"
    assert result == {"structured": {"files": [now], "n": 1}, "text": f"- [Shot]({now})"}
