"""The command `completion`: scripts for bash, zsh and fish, generated from the argument parsers."""

from __future__ import annotations

import argparse
import shlex
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from aster_sidecar.text.path_names import typed_path

PROGRAMS = ("aster-sidecar", "aster-desktop")


@dataclass(slots=True)
class Place:
    """What may follow a command, such as "config set"; the empty command is serving.

    `words` and `flags`: word → help. `values`: flag that takes a value → its choices; None: a directory. `below`: words
    that lead to another place. `directories`: a directory may follow.
    """

    words: dict[str, str] = field(default_factory=dict[str, str])
    flags: dict[str, str] = field(default_factory=dict[str, str])
    values: dict[str, list[str] | None] = field(default_factory=dict[str, "list[str] | None"])
    below: list[str] = field(default_factory=list[str])
    directories: bool = False


def run_completion(given: argparse.Namespace) -> int:
    """Print the script; returns the exit code."""
    from aster_sidecar.cli.commands.parser import parser
    from aster_sidecar.cli.serve_args import parser as serving

    print(script(given.shell, serving(), parser()), end="")
    return 0


def script(shell: str, serving: argparse.ArgumentParser, commands: argparse.ArgumentParser) -> str:
    """The completion script of a shell. `serving`: the parser without a command; `commands`: that of the commands."""
    places: dict[str, Place] = {}
    collect(places, "", commands)
    collect(places, "", serving)
    return {"bash": bash, "zsh": zsh, "fish": fish}[shell](places)


def collect(places: dict[str, Place], name: str, parser: argparse.ArgumentParser) -> None:
    """Add a parser and its subparsers to `places`, under the words that lead to it."""
    place = places.setdefault(name, Place())
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            parsers = cast("argparse._SubParsersAction[argparse.ArgumentParser]", action)
            words = {choice.dest: choice.help or "" for choice in parsers._choices_actions}
            for word, below in parsers.choices.items():
                place.words[word] = words.get(word, "")
                place.below.append(word)
                collect(places, f"{name} {word}".strip(), below)
            continue
        choices = [str(choice) for choice in action.choices or ()]
        if not action.option_strings:
            place.words |= dict.fromkeys(choices, "")
            place.directories |= action.type in (Path, typed_path)
        for option in action.option_strings:
            place.flags[option] = (action.help or "").replace("%(prog)s", PROGRAMS[0])
            if action.nargs != 0:
                place.values[option] = None if action.type in (Path, typed_path) else choices


def walk(places: dict[str, Place]) -> tuple[list[str], dict[str, str]]:
    """How a script finds the place: each "place:flag" that takes a value, and "place:word" → the next place."""
    swallow = [f"{name}:{option}" for name, place in places.items() for option in place.values]
    lead = {f"{name}:{word}": f"{name} {word}".strip() for name, place in places.items() for word in place.below}
    return swallow, lead


def bash(places: dict[str, Place]) -> str:
    """The script for bash 3.2 and later. macOS has 3.2, without mapfile and associative arrays."""
    swallow, lead = walk(places)
    lines = [
        "_aster_sidecar() {",
        "  local cur=${COMP_WORDS[COMP_CWORD]} word= place= i=1 kind=-W said= found",
        "  COMPREPLY=()",
        '  while [ "$i" -lt "$COMP_CWORD" ]; do',
        "    word=${COMP_WORDS[i]}",
        '    case "$i$place:$word" in',
        *(f"      {shlex.quote(f'1{key}')}) place={shlex.quote(to)} ;;" for key, to in lead.items() if key[0] == ":"),
        *(f"      [0-9]*{shlex.quote(key)}) place={shlex.quote(to)} ;;" for key, to in lead.items() if key[0] != ":"),
        f"      {'|'.join(f'[0-9]*{shlex.quote(key)}' for key in swallow)})",
        # bash splits --flag=value at the equals sign.
        '        i=$((i + 1)); if [ "${COMP_WORDS[i]}" = = ]; then i=$((i + 1)); fi ;;',
        "    esac",
        "    i=$((i + 1))",
        "  done",
        '  if [ "$cur" = = ]; then cur=; fi',
        '  if [ "$i" -gt "$COMP_CWORD" ]; then',
        '    case "$place:$word" in',
    ]
    for name, place in places.items():
        for option, values in place.values.items():
            what = "kind=-d" if values is None else f"said={lines_of(values)}"
            lines.append(f"      {shlex.quote(f'{name}:{option}')}) {what} ;;")
    lines += ["    esac", "  else", '    case "$place" in']
    for name, place in places.items():
        lines.append(f"      {shlex.quote(name)}) said={lines_of([*place.words, *place.flags])}")
        if name == "":
            lines.append(f'        if [ "$COMP_CWORD" -gt 1 ]; then said={lines_of(place.flags)}; fi')
        if place.directories:
            lines.append('        case "$cur" in -*) ;; *) kind=-d ;; esac')
        lines.append("        ;;")
    lines += [
        "    esac",
        "  fi",
        "  local IFS=$'\\n'",
        '  if [ "$kind" = -d ]; then',
        "    compopt -o filenames 2>/dev/null",
        '    while read -r found; do COMPREPLY+=("$found"); done < <(compgen -d -- "$cur")',
        "  else",
        '    while read -r found; do COMPREPLY+=("$found"); done < <(compgen -W "$said" -- "$cur")',
        "  fi",
        "}",
        f"complete -F _aster_sidecar {' '.join(PROGRAMS)}",
    ]
    return "\n".join(lines) + "\n"


def lines_of(words: list[str] | dict[str, str]) -> str:
    """The words, one a line, as one quoted word of a shell."""
    return shlex.quote("\n".join(words))


def zsh(places: dict[str, Place]) -> str:
    """The script for zsh, evaluated after compinit. It can't use the name `path`, a variable of zsh."""
    swallow, lead = walk(places)
    lines = [
        f"#compdef {' '.join(PROGRAMS)}",
        "_aster_sidecar() {",
        "  local word= place= i=2",
        "  local -a said",
        "  while (( i < CURRENT )); do",
        "    word=$words[i]",
        '    case "$place:$word" in',
        *(
            f"      {shlex.quote(key)}) {'(( i == 2 )) && ' if key[0] == ':' else ''}place={shlex.quote(to)} ;;"
            for key, to in lead.items()
        ),
        f"      {'|'.join(map(shlex.quote, swallow))}) (( i++ )) ;;",
        "    esac",
        "    (( i++ ))",
        "  done",
        "  if (( i > CURRENT )); then",
        '    case "$place:$word" in',
    ]
    for name, place in places.items():
        for option, values in place.values.items():
            what = "_files -/" if values is None else f"compadd -- {' '.join(map(shlex.quote, values))}"
            if values != []:
                lines.append(f"      {shlex.quote(f'{name}:{option}')}) {what} ;;")
    lines += ["    esac", "    return", "  fi", '  case "$place" in']
    for name, place in places.items():
        flags = [shlex.quote(f"{word}:{brief(words)}") for word, words in place.flags.items()]
        both = [shlex.quote(f"{word}:{brief(words)}") for word, words in place.words.items()] + flags
        lines.append(f"    {shlex.quote(name)}) said=({' '.join(both)})")
        if name == "":
            lines.append(f"      (( CURRENT > 2 )) && said=({' '.join(flags)})")
        if place.directories:
            lines.append("      _files -/")
        lines.append("      ;;")
    lines += ["  esac", "  _describe 'argument' said", "}", f"compdef _aster_sidecar {' '.join(PROGRAMS)}"]
    return "\n".join(lines) + "\n"


def fish(places: dict[str, Place]) -> str:
    """The script for fish."""
    swallow, lead = walk(places)
    lines = [
        "function __aster_sidecar_at",
        "    set -l place ''",
        "    set -l swallow 0",
        "    set -l first 1",
        "    set -l said (commandline -opc)",
        "    set -e said[1]",
        "    for word in $said",
        "        if test $swallow = 1",
        "            set swallow 0",
        "            continue",
        "        end",
        '        switch "$first$place:$word"',
    ]
    for key, to in lead.items():
        pattern = f"1{key}" if key[0] == ":" else f"*{key}"
        lines += [f"            case {shlex.quote(pattern)}", f"                set place {shlex.quote(to)}"]
    lines += [
        f"            case {' '.join(shlex.quote(f'*{key}') for key in swallow)}",
        "                set swallow 1",
        "        end",
        "        set first 0",
        "    end",
        '    test "$place" = "$argv[1]"; or return 1',
        "    test (count $argv) -lt 2; or test $first = 1",
        "end",
    ]
    for program in PROGRAMS:
        lines.append(f"complete -c {program} -f")
        for name, place in places.items():
            at = f"complete -c {program} -n {shlex.quote(f'__aster_sidecar_at {shlex.quote(name)}')}"
            start = f"complete -c {program} -n \"__aster_sidecar_at '' first\"" if name == "" else at
            lines += [f"{start} -a {word} -d {quoted(words)}" for word, words in place.words.items()]
            if place.directories:
                lines.append(f"{at} -a '(__fish_complete_directories)'")
            for option, words in place.flags.items():
                kind = f"-l {option[2:]}" if option.startswith("--") else f"-s {option[1:]}"
                values = place.values.get(option, [])
                if option in place.values:
                    kind += " -x"
                    what = "(__fish_complete_directories)" if values is None else " ".join(values)
                    kind += f" -a {quoted(what)}" if what else ""
                lines.append(f"{at} {kind} -d {quoted(words)}")
    return "\n".join(lines) + "\n"


def quoted(text: str) -> str:
    """A text in single quotes for fish, which has two escapes in them."""
    return "'" + brief(text).replace("\\", "\\\\").replace("'", "\\'") + "'"


def brief(text: str) -> str:
    """A text on one line of at most 100 characters, as the description of a word."""
    line = " ".join(text.split())
    return line if len(line) <= 100 else line[:99] + "…"
