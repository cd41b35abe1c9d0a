"""A command line as a tree of simple commands, with the words that each program gets.

The parser reads bash's grammar, but a POSIX shell runs the line. So only the parts that mean the same in every such
shell are accepted; all others raise `Unclear`, and a person is asked. Every character of the line has to be a part of
what was understood.

Source: POSIX, Shell Command Language; https://github.com/tree-sitter/tree-sitter-bash.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from tree_sitter import Node, Parser

MOST_CHARS = 16 * 1024
MOST_DEPTH = 40
WILDCARDS = frozenset("*?[")
_NAME = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")
_AFTER_PLAIN_DOLLAR = frozenset(" /|).,\\")
"""After these, a $ between double quotes stands for itself in every shell."""
_JOINS_LINES = re.compile(r"(?<![ \t])\\\n")
_ESCAPED_IN_QUOTES = frozenset('$`"\\')
# Some shells take these bytes of a letter for blanks, going by Latin-1.
_BLANK_BYTES = frozenset(b"\x85\xa0")

_RESERVED_WORDS = (
    "! { } if then else elif fi for while until do done case esac in function select time coproc [[ ]] foreach end"
    " repeat nocorrect noglob"
)
_RESERVED = frozenset(_RESERVED_WORDS.split())
"""Words that begin something else than a program, in some shell."""


class Unclear(Exception):
    """A part of the line is not accepted: `str(error)` says which, as the end of a sentence."""


@dataclass(frozen=True, slots=True)
class Word:
    """One word of a command.

    `text` is what the program gets; None if only the running shell knows it, and then it may also be several words or
    none. `pattern` is the word as a pattern of file names for `fnmatch`, if it has unquoted wildcards; if no
    name matches, the program gets `text`. `variables` are the names of the variables whose values are not known.
    """

    text: str | None
    pattern: str | None = None
    variables: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Redirect:
    """A redirection: its operator, such as ">", and the file or descriptor."""

    operator: str
    to: Word


@dataclass(frozen=True, slots=True)
class Simple:
    """A program with its arguments. `within` are the commands whose output is a part of its words."""

    words: tuple[Word, ...]
    assigned: tuple[tuple[str, Word], ...] = ()
    within: tuple[Command, ...] = ()


@dataclass(frozen=True, slots=True)
class Redirected:
    """A command with redirections."""

    command: Command | None
    redirects: tuple[Redirect, ...]
    within: tuple[Command, ...] = ()


@dataclass(frozen=True, slots=True)
class Joined:
    """Commands that belong together.

    "then": one after the other, also in the background; "and", "or": the second depends on how the first ends; "pipe":
    at the same time; "not": one, whose result is reversed; "subshell": in a shell of their own; "if": each may run.
    """

    how: Literal["then", "and", "or", "pipe", "not", "subshell", "if"]
    parts: tuple[Command, ...]


Command: TypeAlias = Simple | Redirected | Joined


def parsed(line: str, home: str) -> Command:
    """The commands of a line. `home` is the value of HOME. Raises: Unclear."""
    if len(line) > MOST_CHARS:
        raise Unclear("it is very long")
    for char in line:
        if not char.isprintable() and char not in "\t\n":
            raise Unclear("it has invisible characters")
    if _JOINS_LINES.search(line):  # the parser would read two words, and a shell reads one
        raise Unclear("it has a backslash at the end of a line")
    source = line.encode()
    root = _parser().parse(source).root_node
    if root.has_error:
        raise Unclear("its grammar is not understood")
    return _Reader(source, home).statements(root, 0)


def simple_commands(command: Command) -> Iterator[Simple]:
    """Every simple command in a tree, also those within words."""
    match command:
        case Simple():
            yield command
            inner = command.within
        case Redirected():
            inner = (*((command.command,) if command.command is not None else ()), *command.within)
        case Joined():
            inner = command.parts
    for part in inner:
        yield from simple_commands(part)


@cache
def _parser() -> Parser:
    import tree_sitter_bash
    from tree_sitter import Language, Parser

    return Parser(Language(tree_sitter_bash.language()))


# Which nodes are which commands.
_JOINED: dict[str, Literal["then", "subshell", "pipe", "not", "if"]] = {
    "program": "then",
    "compound_statement": "then",
    "subshell": "subshell",
    "pipeline": "pipe",
    "negated_command": "not",
    "if_statement": "if",
    "elif_clause": "if",
    "else_clause": "if",
}
_TOKENS = {
    "program": (";", "&", "\n"),
    "compound_statement": ("{", "}", ";", "&", "\n"),
    "subshell": ("(", ")", ";", "&", "\n"),
    "pipeline": ("|",),
    "negated_command": ("!",),
    "if_statement": ("if", "then", "fi", ";", "\n"),
    "elif_clause": ("elif", "then", ";", "\n"),
    "else_clause": ("else", ";", "\n"),
}
_WORDS = frozenset(
    ["word", "number", "string", "raw_string", "concatenation", "simple_expansion", "expansion", "command_substitution"]
)
_NOT_ACCEPTED = {
    "for_statement": "it has a loop",
    "c_style_for_statement": "it has a loop",
    "while_statement": "it has a loop",
    "case_statement": "it has a case statement",
    "function_definition": "it defines a function",
    "variable_assignment": "it sets a variable",
    "variable_assignments": "it sets variables",
    "declaration_command": "it sets variables",
    "unset_command": "it unsets variables",
    "heredoc_redirect": "it has a here-document",
    "herestring_redirect": "it has a here-string",
    "process_substitution": "it has a process substitution",
    "arithmetic_expansion": "it has an arithmetic expansion",
    "ansi_c_string": "it has escape codes in $'…'",
    "translated_string": "it has a translated string",
    "brace_expression": "it has braces",
}


class _Reader:
    """Reads the nodes of one line. All methods raise Unclear."""

    def __init__(self, source: bytes, home: str) -> None:
        self._source = source
        self._home = home

    # -- commands --------------------------------------------------------------------------------------------------

    def command(self, node: Node, depth: int) -> Command:
        if depth > MOST_DEPTH:
            raise Unclear("it is nested very deeply")
        match node.type:
            case "command":
                return self._simple(node, depth)
            case "test_command":
                return self._test(node, depth)
            case "redirected_statement":
                return self._redirected(node, depth)
            case "list":
                return self._list(node, depth)
            case kind if kind in _JOINED:
                return self.statements(node, depth)
            case kind:
                raise Unclear(_NOT_ACCEPTED.get(kind, "it has a construct that is not checked"))

    def statements(self, node: Node, depth: int) -> Command:
        """The commands in a node, and the tokens between them."""
        parts = [
            self.command(child, depth + 1)
            for child in self._children(node)
            if child.type != "comment" and not self._is_token(child, _TOKENS[node.type])
        ]
        return Joined(_JOINED[node.type], tuple(parts))

    def _list(self, node: Node, depth: int) -> Command:
        first, operator, second = self._three(node)
        how: Literal["and", "or"] = "and" if operator.type == "&&" else "or"
        if operator.type not in ("&&", "||"):
            raise Unclear("it has a construct that is not checked")
        return Joined(how, (self.command(first, depth + 1), self.command(second, depth + 1)))

    def _three(self, node: Node) -> tuple[Node, Node, Node]:
        children = [child for child in self._children(node) if child.type != "comment"]
        if len(children) != 3:
            raise Unclear("its grammar is not understood")
        return children[0], children[1], children[2]

    def _simple(self, node: Node, depth: int) -> Command:
        words: list[Word] = []
        assigned: list[tuple[str, Word]] = []
        redirects: list[Redirect] = []
        within: list[Command] = []
        place = -1
        for child in self._children(node):
            if child.start_byte == place and child.type != "file_redirect":
                raise Unclear("it has a word that is not checked")  # for a shell it is one word with what is before it
            place = child.end_byte
            match child.type:
                case "command_name":
                    [name] = self._children(child) or [child]
                    words.append(self.word(name, within, depth))
                case "variable_assignment":
                    assigned.append(self._assignment(child, within, depth))
                case "file_redirect":
                    redirects.append(self._redirect(child, within, depth))
                case _:
                    words.append(self.word(child, within, depth))
        if words and words[0].text in _RESERVED:
            raise Unclear("its grammar is not understood")
        simple = Simple(tuple(words), tuple(assigned), tuple(within))
        return Redirected(simple, tuple(redirects)) if redirects else simple

    def _assignment(self, node: Node, within: list[Command], depth: int) -> tuple[str, Word]:
        name, equals, *value = self._children(node)
        if name.type != "variable_name" or equals.type != "=" or len(value) > 1:
            raise Unclear("it sets a variable")
        return self._text(name), self.word(value[0], within, depth) if value else Word("")

    def _test(self, node: Node, depth: int) -> Command:
        """`[ … ]` as the program `[`; the parser gives its expression a structure, which is not needed."""
        within: list[Command] = []
        words: list[Word] = []

        place = -1

        def add(part: Node) -> None:
            nonlocal place
            if part.start_byte == place:
                raise Unclear("it has a word that is not checked")
            if part.type in _WORDS or not part.child_count:
                place = part.end_byte
            if part.type in _WORDS:
                words.append(self.word(part, within, depth))
            elif part.child_count:
                for child in self._children(part):
                    add(child)
            elif (
                part.type == "variable_name"
                or part.type in ("[", "]", "test_operator", "=", "!=", "!", "==", "-a", "-o")
                or part.type.startswith("-")
            ):
                words.append(Word(self._text(part)))
            else:
                raise Unclear("it has a condition that is not checked")

        add(node)
        if not words or words[0].text != "[" or words[-1].text != "]":
            raise Unclear("it has a condition that is not checked")
        return Simple(tuple(words), (), tuple(within))

    def _redirected(self, node: Node, depth: int) -> Command:
        command: Command | None = None
        redirects: list[Redirect] = []
        within: list[Command] = []
        for child in self._children(node):
            if child.type == "file_redirect":
                redirects.append(self._redirect(child, within, depth))
            elif command is None and not redirects:
                command = self.command(child, depth + 1)
            else:
                raise Unclear(_NOT_ACCEPTED.get(child.type, "it has a redirection that is not checked"))
        return Redirected(command, tuple(redirects), tuple(within))

    def _redirect(self, node: Node, within: list[Command], depth: int) -> Redirect:
        operator = ""
        to: list[Word] = []
        for child in self._children(node):
            if child.type == "file_descriptor":
                continue
            if not child.is_named and not operator:
                operator = child.type
            elif child.type in _WORDS:
                to.append(self.word(child, within, depth))
        if not operator or len(to) != 1:  # the words after a redirection belong to the command
            raise Unclear("it has a redirection that is not checked")
        return Redirect(operator, to[0])

    # -- words -----------------------------------------------------------------------------------------------------

    def word(self, node: Node, within: list[Command], depth: int) -> Word:
        pieces = _Pieces(self._home)
        self._add(node, pieces, within, depth, first=True)
        return pieces.word()

    def _add(self, node: Node, pieces: _Pieces, within: list[Command], depth: int, *, first: bool) -> None:
        match node.type:
            case "word" | "number":
                if node.named_child_count:
                    raise Unclear("it has a word that is not checked")
                pieces.bare(self._text(node), first=first)
            case "raw_string":
                pieces.quoted(self._text(node)[1:-1])
            case "string":
                self._add_string(node, pieces, within, depth)
            case "concatenation":
                place = node.start_byte
                for number, child in enumerate(node.children):
                    if child.start_byte != place:
                        raise Unclear("it has a word that is not checked")
                    if number == 0 and self._text(child) == "~":  # as in ~"x", where it is not the home folder
                        raise Unclear("it has a ~ within a word")
                    place = child.end_byte
                    self._add(child, pieces, within, depth, first=number == 0)
            case "simple_expansion" | "expansion":
                pieces.variable(self._variable(node), quoted=False)
            case "command_substitution":
                within.append(self._substituted(node, depth))
                pieces.unknown()
            case "brace_expression":
                raise Unclear("it has braces")
            case kind if not node.is_named and kind in "{}[]":
                pieces.bare(kind, first=first)
            case kind:
                raise Unclear(_NOT_ACCEPTED.get(kind, "it has a word that is not checked"))

    def _add_string(self, node: Node, pieces: _Pieces, within: list[Command], depth: int) -> None:
        place, end = node.start_byte + 1, node.end_byte - 1
        for child in node.children:
            if child.type in ("simple_expansion", "expansion", "command_substitution"):
                pieces.in_quotes(self._source[place : child.start_byte].decode())
                place = child.end_byte
                if child.type == "command_substitution":
                    within.append(self._substituted(child, depth))
                    pieces.unknown()
                else:
                    pieces.variable(self._variable(child), quoted=True)
            elif child.is_named and child.type != "string_content":
                raise Unclear(_NOT_ACCEPTED.get(child.type, "it has a string that is not checked"))
        pieces.in_quotes(self._source[place:end].decode())

    def _variable(self, node: Node) -> str:
        """The name of a variable in `$NAME` or `${NAME}`."""
        text = self._text(node)
        name = text[2:-1] if text.startswith("${") else text[1:]
        if not name or not (set(name) <= _NAME or name in "?#$!@*-"):
            raise Unclear("it has an expansion that is not checked")
        after = self._source[node.end_byte : node.end_byte + 1]
        if not text.startswith("${") and (after in (b"[", b":") or not after.isascii()):
            raise Unclear("it has an expansion that is not checked")  # for some shells it goes on there
        return name

    def _substituted(self, node: Node, depth: int) -> Command:
        text = self._text(node)
        if text.startswith("`") and "\\" in text:  # backslashes have a meaning of their own there
            raise Unclear("it has backslashes in backquotes")
        parts = [
            self.command(child, depth + 1)
            for child in self._children(node)
            if child.type != "comment" and not self._is_token(child, ("$(", "`", ")", ";", "&", "\n"))
        ]
        if not parts:
            raise Unclear("it has an empty substitution")
        return Joined("subshell", tuple(parts))

    # -- nodes -----------------------------------------------------------------------------------------------------

    def _children(self, node: Node) -> list[Node]:
        """The children of a node. There may be only blanks between them."""
        place = node.start_byte
        for child in node.children:
            self._check_blank(place, child.start_byte)
            place = child.end_byte
        if node.children:
            self._check_blank(place, node.end_byte)
        if node.type == "program":
            self._check_blank(0, node.start_byte)
            self._check_blank(node.end_byte, len(self._source))
        return node.children

    def _check_blank(self, start: int, end: int) -> None:
        if self._source[start:end].replace(b"\\\n", b"").strip(b" \t\n"):
            raise Unclear("its grammar is not understood")

    @staticmethod
    def _is_token(node: Node, tokens: tuple[str, ...]) -> bool:
        if node.is_named:
            return False
        if node.type not in tokens:
            raise Unclear(f"it has {node.type!r}")
        return True

    def _text(self, node: Node) -> str:
        return self._source[node.start_byte : node.end_byte].decode()


class _Pieces:
    """A word that is put together from its pieces."""

    def __init__(self, home: str) -> None:
        self._home = home
        self._text: list[str] = []
        self._pattern: list[str] = []
        self._wild = self._bracket = self._brace = self._quoted = self._dollar = False
        self._known = True
        self._variables: list[str] = []

    def word(self) -> Word:
        if not self._known:
            return Word(None, None, tuple(self._variables))
        text, pattern = "".join(self._text), "".join(self._pattern)
        if self._bracket and (self._quoted or "[^" in pattern or "[:" in pattern or "[." in pattern or "[=" in pattern):
            raise Unclear("it has a pattern that is not checked")
        if self._brace and ("," in text or ".." in text):
            raise Unclear("it has braces")
        return Word(text, pattern if self._wild else None)

    def bare(self, raw: str, *, first: bool) -> None:
        """Characters outside quotes."""
        if first and raw.startswith("~"):
            if raw != "~" and not raw.startswith("~/"):
                raise Unclear("it names another person's home folder")
            self.quoted(self._home)
            raw = raw[1:]
        if "=~" in raw or ":~" in raw:
            raise Unclear("it has a ~ within a word")
        place = 0
        while place < len(raw):
            char = raw[place]
            place += 1
            if char == "\\":
                if place >= len(raw):
                    raise Unclear("it ends with a backslash")
                if raw[place] != "\n":
                    self.quoted(raw[place])
                place += 1
            elif char in WILDCARDS:
                self._wild = True
                self._bracket |= char == "["
                self._put(char, char)
            elif char in "{}":
                self._brace = True
                self._put(char, char)
            elif char == "$" and place >= len(raw):
                self._put(char, char)
                self._dollar = True  # it stands for itself only at the end of the word
            elif char in "$`'\"()<>|&; \t\n" or _BLANK_BYTES & set(char.encode()):
                raise Unclear("it has a word that is not checked")
            else:
                self._put(char, char)

    def quoted(self, text: str) -> None:
        """Characters that stand for themselves."""
        self._quoted = True
        for char in text:
            self._put(char, f"[{char}]" if char in WILDCARDS else char)

    def in_quotes(self, raw: str) -> None:
        """Characters between double quotes."""
        self._quoted = True
        place = 0
        while place < len(raw):
            char = raw[place]
            place += 1
            if char == "\\" and place < len(raw) and raw[place] == "\n":
                place += 1
            elif char == "\\" and place < len(raw) and raw[place] in _ESCAPED_IN_QUOTES:
                self.quoted(raw[place])
                place += 1
            elif char in '`"' or (char == "$" and place < len(raw) and raw[place] not in _AFTER_PLAIN_DOLLAR):
                raise Unclear("it has a string that is not checked")
            else:
                self.quoted(char)

    def variable(self, name: str, *, quoted: bool) -> None:
        """The value of a variable. Only that of HOME is known."""
        plain = set(self._home) <= _NAME | frozenset("/.-+@")
        if name == "HOME" and (quoted or plain):
            self.quoted(self._home)
        else:
            self._variables.append(name)
            self.unknown()

    def unknown(self) -> None:
        if self._dollar:
            raise Unclear("it has a $ that is not checked")
        self._known = False

    def _put(self, text: str, pattern: str) -> None:
        if self._dollar:
            raise Unclear("it has a $ that is not checked")
        self._text.append(text)
        self._pattern.append(pattern)
