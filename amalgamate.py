#!/usr/bin/env python3
"""Makes connect.h and connect_gen.c from src/, and refuses a source tree that breaks its rules.

    python3 amalgamate.py                   checks src/ and writes both files, each only if it changed
    python3 amalgamate.py --check           writes nothing; exit status 1 if a file is not what src/ gives
    python3 amalgamate.py --output NAME     only this output
    python3 amalgamate.py --line            with #line, so that compilers and debuggers show places in src/
    python3 amalgamate.py --list NAME       prints the .c files of an output, in order, and does nothing else
    python3 amalgamate.py --root DIR        another tree; default: where this file is

src/MANIFEST: a file per line, paths relative to src/, and the order is the layering. `#` starts a comment. A heading
names an output and its part: [connect.h declarations], [connect.h implementation], [connect_gen.c] (a program has one
part). After a path may stand what is special about the file:

    manual     a comment for the user; first in the output, outside the include guard
    features   may define reserved macros (_POSIX_C_SOURCE); stands above every file marked `system`
    version    defines CONNECT_VERSION_NUMBER and CONNECT_VERSION_STRING
    config     may say #include CONNECT_CONFIG_FILE
    system     may include <...>, and around them define macros that it undefines again. In declarations: extern "C"
               opens after the last of them. In a program: it may also include an output that stands above, and define
               CONNECT_ and reserved macros

Output: a function of src/ alone: no date, LF, the same everywhere. First come name, version, licence and a hash of all
that follows. Each file has a banner; #pragma once and the includes between files of src/ are dropped. The declarations
stand in an include guard, the implementation behind it under CONNECT_IMPLEMENTATION, with every CN_ macro undefined at
its end. Exit status: 0, or 1 after a refusal; then nothing was written. A refusal names file, line and the fix.

What is refused
  Text      not ASCII, CR, tab, trailing space, more than 120 columns, no newline at the end; an SPDX line.
  Files     missing, unlisted or listed twice; a header that does not start with #pragma once or has an include guard;
            a .c without a comment at its head (its specification); includes and #if may stand above it.
  Includes  of a file that does not stand above, of a .c, of <...> outside `system`, of anything that is not in src/.
  Names     at file scope, nested tags and enumerators included:

                          function, variable    type, tag          macro, enumerator    mark of functions in headers
            declarations  connect_noun_verb     connect_noun_t     CONNECT_...          CONNECT_API
            impl.         cn_module_verb        cn_noun_t          CN_...               CN_PRIVATE
            program       gen_module_verb       gen_noun_t         GEN_...              GEN_PRIVATE

            Each is defined in one file only. The implementation may also define what the declarations declare.
  Linkage   a function in a header without its mark (unless static inline); a marked one that is not defined, or whose
            definition lacks the mark (CONNECT_API may be left out there); one in a .c that is neither static nor
            marked nor public (a program's main is). extern "C".
  State     a variable that is not static const, at file scope or static in a function; a variable in a header.

How C is read: tokens, nesting and #if are tracked, macros are not expanded; so names that a macro makes are not seen.
All branches of an #if count. Upper-case CN_, CONNECT_ and GEN_ words in a declaration are taken for annotations.
"""

import argparse
import hashlib
import os
import re
import sys
import tempfile
from typing import Dict, FrozenSet, List, NamedTuple, Optional, Set, Tuple

TITLES = {
    "connect.h": "Connect, gRPC and gRPC-Web for C: client and server in one header.",
    "connect_gen.c": "makes the headers that connect.h needs from .proto files.",
}
DECLARATIONS, IMPLEMENTATION, PROGRAM = "declarations", "implementation", "program"
PREFIXES = {DECLARATIONS: "connect", IMPLEMENTATION: "cn", PROGRAM: "gen"}
MARKS = {DECLARATIONS: "CONNECT_API", IMPLEMENTATION: "CN_PRIVATE", PROGRAM: "GEN_PRIVATE"}
ROLES = {"manual", "features", "version", "config", "system"}
COLUMNS = 120


class Problem(NamedTuple):
    path: str
    line: int
    text: str  # what is wrong, and the fix

    def __str__(self):
        return "%s:%d: %s" % self


class Refusal(Exception):
    """Problems after which it makes no sense to go on."""

    def __init__(self, problems):
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems


# ---- Reading C: tokens -------------------------------------------------------------------------------------------


class Token(NamedTuple):
    kind: str  # name, literal, number, mark
    text: str
    line: int


class Directive(NamedTuple):
    word: str  # "include"
    rest: str  # what follows it, without comments
    line: int
    last_line: int


class Group(NamedTuple):
    """Tokens and groups between a pair of brackets."""

    opening: str
    items: list
    line: int


TOKEN = re.compile(
    r"""(?P<comment> /\*.*?\*/ | //[^\n]* )
      | (?P<literal> "(?:[^"\\\n]|\\.)*" | '(?:[^'\\\n]|\\.)*' )
      | (?P<name> [A-Za-z_]\w* )
      | (?P<number> \.?[0-9](?:[eEpP][+-]|[\w.])* )
      | (?P<newline> \n )
      | (?P<space> (?:[ \t\r\f\v]|\\\n)+ )
      | (?P<mark> . )""",
    re.DOTALL | re.VERBOSE,
)


def read_tokens(text):
    """Returns tokens and directives in order; comments are gone, but for being a space in a directive."""
    result = []
    line = 1
    line_is_blank = True
    directive_line, directive = 0, None  # the text of the one being read
    for match in TOKEN.finditer(text):
        kind, part = match.lastgroup, match.group()
        if directive is not None and kind != "newline":
            directive += " " if kind in ("comment", "space") else part
        elif directive is not None:
            words = re.match(r"\s*(\w*)\s*(.*)", directive, re.DOTALL)
            result.append(Directive(words.group(1), words.group(2).strip(), directive_line, line))
            directive = None
        elif part == "#" and line_is_blank:
            directive, directive_line = "", line
        elif kind in ("name", "literal", "number", "mark"):
            result.append(Token(kind, part, line))
        if kind == "newline":
            line_is_blank = True
        elif kind not in ("space", "comment"):
            line_is_blank = False
        line += part.count("\n")
    return result


def nest(tokens):
    """Returns tokens as a tree of groups; what an unfinished group holds is kept."""
    root = Group("", [], 0)
    open_groups = [root]
    for token in tokens:
        if token.text in ("(", "[", "{"):
            group = Group(token.text, [], token.line)
            open_groups[-1].items.append(group)
            open_groups.append(group)
        elif token.text in (")", "]", "}"):
            if len(open_groups) > 1:
                open_groups.pop()
        else:
            open_groups[-1].items.append(token)
    return root.items


def is_group(item, opening):
    return isinstance(item, Group) and item.opening == opening


def is_name(item):
    return isinstance(item, Token) and item.kind == "name"


def is_text(item, text):
    return isinstance(item, Token) and item.text == text


# ---- Reading C: declarations -------------------------------------------------------------------------------------

TAG_WORDS = ("struct", "union", "enum")
STORAGE = ("typedef", "static", "extern", "inline")
QUALIFIERS = ("const", "volatile", "restrict")
ATTRIBUTES = ("__attribute__", "__declspec", "__extension__", "__asm__", "_Alignas", "_Noreturn")
ANNOTATION = re.compile(r"(CN|CONNECT|GEN)_[A-Z0-9_]+$")


class Name(NamedTuple):
    """A name that a file declares or defines."""

    kind: str  # function, variable, typedef, tag, enumerator, macro
    text: str
    line: int
    defined: bool = True
    words: FrozenSet[str] = frozenset()  # static, inline, ..., and annotations
    is_const: bool = False  # a variable itself, not only what it points to
    is_local: bool = False  # a static variable in a function


def split_declarations(tokens, path):
    """Returns the file-scope declarations as trees, a function's with its body.

    At #else the nesting is set back to what it was at the #if, so that branches may each open the same brace."""
    declarations = []
    current, depth, in_body = [], 0, False
    conditions = []
    for token in tokens:
        if isinstance(token, Directive):
            if token.word in ("if", "ifdef", "ifndef"):
                conditions.append((list(current), depth, in_body))
            elif token.word in ("elif", "else") and conditions and conditions[-1][1] != depth:
                if in_body and not conditions[-1][2]:
                    declarations.append(nest(current))
                current, depth, in_body = list(conditions[-1][0]), conditions[-1][1], conditions[-1][2]
            elif token.word == "endif" and conditions:
                conditions.pop()
            continue
        if token.text == "{" and depth == 0:
            in_body = opens_function(nest(current))
        current.append(token)
        if token.text in ("(", "[", "{"):
            depth += 1
        elif token.text in (")", "]", "}"):
            depth -= 1
            if depth < 0:
                raise Refusal([Problem(path, token.line, "this bracket was not opened. Balance the brackets.")])
        if depth == 0 and (token.text == ";" or token.text == "}" and in_body):
            declarations.append(nest(current))
            current, in_body = [], False
    if current:
        raise Refusal([Problem(path, current[0].line, "what begins here does not end. Balance the brackets.")])
    return declarations


def opens_function(items):
    """Tells whether a { after these items opens a function's body: not an initialiser, not a struct."""
    items = drop_annotations(items)[0]
    has_value = any(is_text(item, "=") for item in items)
    return not has_value and not any(is_name(item) and item.text in TAG_WORDS for item in items[-2:])


def drop_annotations(items):
    """Returns items without attributes and annotations, and the words that were dropped."""
    kept, words = [], set()
    after_annotation = False
    for item in items:
        if after_annotation and is_group(item, "("):
            after_annotation = False
            continue
        after_annotation = is_name(item) and (item.text in ATTRIBUTES or ANNOTATION.match(item.text) is not None)
        if after_annotation:
            words.add(item.text)
        else:
            kept.append(item)
    return kept, words


def split_at(items, separator):
    parts = [[]]
    for item in items:
        if is_text(item, separator):
            parts.append([])
        else:
            parts[-1].append(item)
    return parts


def take_tags(items, names):
    """Adds the tags and enumerators in items to names. Returns items with one token for each struct, union, enum."""
    kept = []
    rest = list(items)
    while rest:
        word = rest.pop(0)
        if not (is_name(word) and word.text in TAG_WORDS):
            kept.append(word)
            continue
        tag = rest.pop(0) if rest and is_name(rest[0]) else None
        body = rest.pop(0) if rest and is_group(rest[0], "{") else None
        if tag is not None:
            names.append(Name("tag", tag.text, tag.line, defined=body is not None))
        if body is not None and word.text == "enum":
            firsts = [part[0] for part in split_at(body.items, ",") if part]
            names.extend(Name("enumerator", first.text, first.line) for first in firsts)
        elif body is not None:
            for member in split_at(body.items, ";"):
                take_tags(drop_annotations(member)[0], names)
        kept.append(Token("tag", word.text, word.line))
    return kept


def read_declarator(items):
    """Returns the token that is declared, whether it is a function, and the items among which it stands."""
    for index, item in enumerate(items):
        if not is_group(item, "("):
            continue
        if item.items and is_text(item.items[0], "*"):
            return read_declarator(item.items)
        if index > 0 and is_name(items[index - 1]):
            return items[index - 1], True, items
    words = [item for item in items if is_name(item) and item.text not in QUALIFIERS]
    return (words[-1] if words else None), False, items


def read_declaration(items, function_types):
    """Returns the names of a declaration. function_types: names of typedefs of functions; new ones are added."""
    items, annotations = drop_annotations(items)
    items = [item for item in items if not is_text(item, ";")]
    names: List[Name] = []
    body = items.pop() if items and is_group(items[-1], "{") and opens_function(items[:-1]) else None
    items = take_tags(items, names)
    words = frozenset({item.text for item in items if is_name(item) and item.text in STORAGE} | annotations)
    items = [item for item in items if not (is_name(item) and item.text in STORAGE)]
    if len(items) == 1 and "typedef" not in words or items and is_text(items[0], "_Static_assert"):
        return names  # a macro with a name, or no declaration at all
    type_words: Set[str] = set()
    for declarator in split_at(items, ","):
        declarator = split_at(declarator, "=")[0]
        name, is_function, level = read_declarator(declarator)
        if name is None:
            continue
        type_words = type_words or {item.text for item in declarator if isinstance(item, Token) and item is not name}
        stars = [index for index, item in enumerate(level) if is_text(item, "*")]
        if not stars and not any(isinstance(item, Group) for item in level):
            is_function = bool(type_words & function_types)
        if "typedef" in words:
            names.append(Name("typedef", name.text, name.line, words=words))
            if is_function:
                function_types.add(name.text)
        elif is_function:
            names.append(Name("function", name.text, name.line, defined=body is not None, words=words))
        else:
            is_const = any(is_text(item, "const") for item in level[stars[-1]:]) if stars else "const" in type_words
            names.append(Name("variable", name.text, name.line, words=words, is_const=is_const))
    if body is not None:
        names.extend(read_static_locals(body, function_types))
    return names


def read_static_locals(body, function_types):
    names: List[Name] = []
    statement: Optional[list] = None
    for item in body.items:
        if statement is not None:
            statement.append(item)
            if is_text(item, ";"):
                names.extend(name._replace(is_local=True) for name in read_declaration(statement, function_types))
                statement = None
        elif is_text(item, "static"):
            statement = [item]
        elif is_group(item, "{"):
            names.extend(read_static_locals(item, function_types))
    return [name for name in names if name.kind == "variable"]


# ---- The tree: MANIFEST and sources ------------------------------------------------------------------------------


class Entry(NamedTuple):
    """A line of MANIFEST."""

    path: str  # relative to src/
    role: str
    output: str
    part: str
    line: int


class Source:
    """A file of src/: its text, and what can be said about it alone."""

    def __init__(self, entry, root):
        self.entry = entry
        self.part = entry.part
        self.shown_path = "src/" + entry.path
        self.is_header = entry.path.endswith(".h")
        with open(os.path.join(root, "src", entry.path), "rb") as file:
            self.text = file.read().decode("latin-1")
        self.lines = self.text.split("\n")
        self.tokens = read_tokens(self.text)
        self.directives = [token for token in self.tokens if isinstance(token, Directive)]
        self.names: List[Name] = []

    def problem(self, line, text):
        return Problem(self.shown_path, line, text)

    def read_names(self, function_types):
        lent = {directive.rest for directive in self.directives if directive.word == "undef"}
        for directive in self.directives:
            macro = re.match(r"\w*", directive.rest).group()
            if directive.word == "define" and not (self.entry.role == "system" and macro in lent):
                self.names.append(Name("macro", macro, directive.line))
        for declaration in split_declarations(self.tokens, self.shown_path):
            self.names.extend(read_declaration(declaration, function_types))


def read_manifest(root):
    """Returns the entries of src/MANIFEST."""
    shown_path = "src/MANIFEST"
    try:
        with open(os.path.join(root, shown_path), encoding="ascii") as file:
            lines = file.read().split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise Refusal([Problem(shown_path, 1, "cannot be read (%s). Restore it." % error)])
    entries: List[Entry] = []
    problems = []

    def refuse(line, text):
        problems.append(Problem(shown_path, line, text))

    output = part = ""
    for number, line in enumerate(lines, 1):
        words = line.split("#")[0].split()
        heading = re.match(r"\[(\S+?)(?:\s+(\w+))?\]$", " ".join(words))
        if heading:
            output, part = heading.group(1), heading.group(2) or PROGRAM
            if output not in TITLES or part not in PREFIXES:
                refuse(number, "[%s %s] is not known. Outputs are %s; parts are %s." % (
                    output, part, ", ".join(TITLES), ", ".join(PREFIXES)))
        elif words and not output:
            refuse(number, "no output yet. Write a heading above: [connect.h declarations].")
        elif words:
            if len(words) > 2 or words[1:] and words[1] not in ROLES:
                refuse(number, "'%s' is not known. After the path may stand one of: %s." % (
                    " ".join(words[1:]), ", ".join(sorted(ROLES))))
            above = [entry for entry in entries if entry.path == words[0]]
            if above:
                refuse(number, "%s stands in line %d already. Take one out." % (words[0], above[0].line))
            entries.append(Entry(words[0], words[1] if len(words) > 1 else "", output, part, number))
    if problems:
        raise Refusal(problems)
    return entries


def check_listed(root, entries):
    """Compares MANIFEST with the files there are."""
    problems = []
    source_root = os.path.join(root, "src")
    for entry in entries:
        if not os.path.isfile(os.path.join(source_root, entry.path)):
            problems.append(Problem("src/MANIFEST", entry.line,
                                    "src/%s does not exist. Write it, or take the line out." % entry.path))
    listed = {entry.path for entry in entries}
    for folder, folders, files in os.walk(source_root):
        folders.sort()
        for file in sorted(files):
            path = os.path.relpath(os.path.join(folder, file), source_root).replace(os.sep, "/")
            if file.endswith((".c", ".h")) and path not in listed:
                problems.append(Problem("src/" + path, 1, "is not in src/MANIFEST. Add it below all that it uses."))
    return problems


# ---- Rules for one file ------------------------------------------------------------------------------------------


def check_text(source):
    problems = []
    for number, line in enumerate(source.lines, 1):
        if re.search(r"[^\x20-\x7e\t\r]", line):
            problems.append(source.problem(number, "a byte that is not printable ASCII. Write it as an escape."))
        if "\r" in line:
            problems.append(source.problem(number, "a carriage return. End lines with LF alone."))
        if "\t" in line:
            problems.append(source.problem(number, "a tab. Write spaces."))
        if line.endswith(" "):
            problems.append(source.problem(number, "spaces at the end of the line. Delete them."))
        if len(line) > COLUMNS:
            problems.append(source.problem(number, "%d columns. Break the line at %d." % (len(line), COLUMNS)))
        if "SPDX-License-Identifier" in line and '"' not in line:
            problems.append(source.problem(number, "a licence line. Delete it; the output has it once."))
    if not source.text.endswith("\n"):
        problems.append(source.problem(len(source.lines), "no newline at the end of the file. Add it."))
    return problems


def check_shape(source):
    """How a file begins."""
    problems = []
    directives = source.directives
    if source.is_header and source.lines[0] != "#pragma once":
        problems.append(source.problem(1, "a header without #pragma once. Make that its first line."))
    if not source.is_header and not re.match(r"(?:\s*#(?:include|if)[^\n]*\n)*\s*/\*", source.text):
        problems.append(source.problem(1, "no comment at the head. Write the module's specification there; only the "
                                       "includes and the #if of a switch may stand above it."))
    for directive in directives[0 if not source.is_header else 1:]:
        if directive.word == "pragma" and directive.rest == "once":
            problems.append(source.problem(directive.line, "#pragma once is a header's first line. Delete it here."))
    if source.is_header and len(directives) > 2:
        first, second = directives[1:3]
        if first.word == "ifndef" and second.word == "define" and second.rest == first.rest:
            problems.append(source.problem(first.line, "an include guard. Delete it; the output has one for all."))
    if source.entry.role == "manual" and (len(directives) > 1 or len(source.tokens) > len(directives)):
        problems.append(source.problem(1, "the manual is more than a comment. Move the code elsewhere."))
    return problems


def kept_include(source, target, outputs_above):
    """Tells whether #include "target" is of an output that stands above, and stays in the text."""
    return source.part == PROGRAM and source.entry.role == "system" and target in outputs_above


def check_includes(source, paths_above, paths_below, outputs_above):
    """paths_above, paths_below: files of the same output."""
    problems = []
    for directive in source.directives:
        if directive.word != "include":
            continue
        target = directive.rest[1:-1]
        text = ""
        if directive.rest.startswith("<"):
            if source.entry.role != "system":
                text = "a system include. Move it to the file that src/MANIFEST marks `system`."
        elif not directive.rest.startswith('"'):
            if source.entry.role != "config" or directive.rest != "CONNECT_CONFIG_FILE":
                text = "an include through a macro. Name the file."
        elif target in outputs_above:
            if not kept_include(source, target, outputs_above):
                text = "%s is an output. Include it in the file that src/MANIFEST marks `system`, only there." % target
        elif target == source.entry.path:
            text = "a file that includes itself. Delete the line."
        elif target in paths_below:
            text = "%s stands below %s in src/MANIFEST. Move one of them, or do without it." % (
                target, source.entry.path)
        elif target not in paths_above:
            text = "there is no src/%s in this output. Write a path relative to src/, listed in src/MANIFEST." % target
        elif not target.endswith(".h"):
            text = "%s is not a header. Move what you need to its header." % target
        if text:
            problems.append(source.problem(directive.line, text))
    return problems


def check_spelling(source, public_tags):
    """Whether names have the form for their kind. public_tags: structs that the declarations leave opaque."""
    lower = PREFIXES[source.part]
    upper = lower.upper()
    problems = []
    for name in source.names:
        if name.is_local or name.kind == "tag" and not name.defined:
            continue
        if name.kind in ("macro", "enumerator"):
            pattern, form = upper + r"_[A-Z0-9_]+$", upper + "_..."
        elif name.kind in ("typedef", "tag"):
            pattern, form = lower + r"_[a-z0-9_]+_t$", lower + "_<noun>_t"
        elif lower == "connect":
            pattern, form = r"connect_[a-z0-9]+_[a-z0-9_]+$", "connect_<noun>_<verb>"
        else:
            pattern, form = lower + r"_[a-z0-9_]+$", lower + "_<module>_<verb>"
        reserved = name.kind == "macro" and name.text.startswith("_")
        program_switch = source.part == PROGRAM and source.entry.role == "system" and (
            reserved or name.kind == "macro" and name.text.startswith("CONNECT_"))
        allowed = (
            program_switch
            or source.entry.role == "features" and reserved
            or source.part == IMPLEMENTATION and not source.is_header and is_public_function(name)
            or source.part == IMPLEMENTATION and name.kind == "tag" and name.text in public_tags
            or source.part == PROGRAM and name.kind == "function" and name.text == "main")
        if not allowed and not re.match(pattern, name.text):
            problems.append(source.problem(name.line, "%s %s: not a name for this place. Call it %s." % (
                name.kind, name.text, form)))
    return problems


def is_public_function(name):
    """By its spelling; whether it is declared is another rule."""
    return name.kind == "function" and name.text.startswith("connect_") and "static" not in name.words


def check_state(source):
    problems = []
    for name in source.names:
        if name.kind != "variable":
            continue
        text = ""
        if not name.is_const:
            text = "not const. Move it into an object; there is no global state."
        elif source.is_header and not name.is_local:
            text = "stands in a header. Move it to the .c, behind a function."
        elif "static" not in name.words:
            text = "not static. Make it static, behind a function."
        if text:
            problems.append(source.problem(name.line, "variable %s: %s" % (name.text, text)))
    return problems


# ---- Rules for all files of an output ----------------------------------------------------------------------------


def check_unique(sources):
    """Each name is defined in one file: in the output, all of them meet."""
    problems = []
    owners: Dict[Tuple[bool, str], Tuple[Source, Name]] = {}
    for source in sources:
        for name in source.names:
            if name.is_local or not name.defined:
                continue
            owner, owner_name = owners.setdefault((name.kind == "tag", name.text), (source, name))
            if owner is not source:
                problems.append(source.problem(name.line, "%s %s: %s:%d defines it, too. Rename one of them." % (
                    name.kind, name.text, owner.shown_path, owner_name.line)))
    return problems


def check_linkage(sources, is_complete):
    """Functions in headers against their definitions. is_complete: no file is missing."""
    problems = []
    declared: Dict[str, Tuple[Source, Name]] = {}
    functions = [(source, name) for source in sources for name in source.names if name.kind == "function"]
    defined = {name.text for source, name in functions if name.defined}
    for source, name in functions:
        if not source.is_header or {"static", "inline"} <= name.words:
            continue
        what = "function %s: " % name.text
        mark = MARKS[source.part]
        if mark not in name.words:
            problems.append(source.problem(name.line, what + "not marked. Write %s in front of it." % mark))
        if name.defined:
            problems.append(source.problem(name.line, what + "a body in a header. Move it to a .c."))
        first, first_name = declared.setdefault(name.text, (source, name))
        if first_name is not name and first is not source:
            problems.append(source.problem(name.line, what + "%s:%d declares it, too. Delete one of them." % (
                first.shown_path, first_name.line)))
        if name.text not in defined and is_complete:
            problems.append(source.problem(name.line, what + "declared, but defined nowhere. Define it, or delete it."))
    for source, name in functions:
        if not source.is_header:
            text = linkage_problem(source, name, declared.get(name.text))
            if text:
                problems.append(source.problem(name.line, "function %s: %s" % (name.text, text)))
    return problems


def linkage_problem(source, name, declaration):
    """What is wrong with a function in a .c; "" if nothing. declaration: in a header, or None."""
    mark = MARKS[source.part]
    if declaration is None:
        if "static" in name.words or source.part == PROGRAM and name.text == "main":
            return ""
        if mark in name.words:
            return "no header declares it. Declare it there with %s, or make it static." % mark
        if is_public_function(name):
            return "external, but not public. Declare it in src/api/ with CONNECT_API, or make it static."
        return "neither static nor declared in a header. Make it static."
    header, declared_name = declaration
    if not name.defined:
        return "%s:%d declares it. Include that header instead." % (header.shown_path, declared_name.line)
    if header.part == DECLARATIONS:
        return "public, but static here. Delete `static`." if "static" in name.words else ""
    if mark not in name.words or "static" in name.words:
        return "%s:%d marks it %s. Write that in front of it here, too." % (
            header.shown_path, declared_name.line, mark)
    return ""


def check_c_plus_plus(source):
    """extern "C" stands in the frame only."""
    tokens = source.tokens
    return [source.problem(token.line, 'extern "C". Delete it; the output has it once.')
            for token, following in zip(tokens, tokens[1:])
            if isinstance(token, Token) and token.text == "extern"
            and isinstance(following, Token) and following.kind == "literal"]


def check_output(sources, is_complete):
    """Reads the names of the sources of an output and applies all rules to them."""
    problems = []
    function_types: Set[str] = set()
    output = sources[0].entry.output
    outputs_above = set(list(TITLES)[:list(TITLES).index(output)])
    paths = [source.entry.path for source in sources]
    for index, source in enumerate(sources):
        problems += check_text(source) + check_shape(source) + check_c_plus_plus(source)
        problems += check_includes(source, set(paths[:index]), set(paths[index:]), outputs_above)
        try:
            source.read_names(function_types)
        except Refusal as refusal:
            problems += refusal.problems
    public_tags = {name.text for source in sources if source.part == DECLARATIONS
                   for name in source.names if name.kind == "tag"}
    system_seen = False
    for source in sources:
        problems += check_spelling(source, public_tags) + check_state(source)
        system_seen = system_seen or source.entry.role == "system"
        if source.entry.role == "features" and system_seen:
            problems.append(Problem("src/MANIFEST", source.entry.line, "feature macros below a system include have no "
                                    "effect. Move %s above it." % source.entry.path))
    return problems + check_unique(sources) + check_linkage(sources, is_complete)


# ---- Output ------------------------------------------------------------------------------------------------------


class Version(NamedTuple):
    number: int
    text: str


def read_version(sources):
    marked = [source for source in sources if source.entry.role == "version"]
    if len(marked) != 1:
        raise Refusal([Problem("src/MANIFEST", 1, "%d files are marked `version`. Mark one." % len(marked))])
    values = dict(directive.rest.split(None, 1) for directive in marked[0].directives
                  if directive.word == "define" and " " in directive.rest)
    number = values.get("CONNECT_VERSION_NUMBER", "")
    text = values.get("CONNECT_VERSION_STRING", "").strip('"')
    parts = re.match(r"(\d+)\.(\d+)\.(\d+)$", text)
    expected = sum(int(part) * scale for part, scale in zip(parts.groups(), (10000, 100, 1))) if parts else None
    if expected is None or number != str(expected):
        raise Refusal([marked[0].problem(1, "CONNECT_VERSION_NUMBER %s and CONNECT_VERSION_STRING %s do not agree. "
                                         'Write major * 10000 + minor * 100 + patch, and "major.minor.patch".'
                                         % (number, text))])
    return Version(expected, text)


class Text:
    """The text of an output, line by line."""

    def __init__(self, output, first_line, with_line):
        self.output = output
        self.first_line = first_line  # its number in the file
        self.with_line = with_line
        self.lines: List[str] = []

    def frame(self, text):
        """Adds lines that belong to no source."""
        if self.with_line:
            self.lines.append('#line %d "%s"' % (self.first_line + len(self.lines) + 1, self.output))
        self.lines += text.split("\n")

    def banner(self, title):
        self.frame("\n/* #### %s %s */" % (title, "#" * (COLUMNS - len(title) - 12)))

    def source(self, source, outputs_above=()):
        """Adds what a file holds, without what only the tree needs; no blank lines around, nor two of them."""
        dropped = set()
        for directive in source.directives:
            if directive.word == "pragma" and directive.rest == "once" or (
                    directive.word == "include" and directive.rest.startswith('"')
                    and not kept_include(source, directive.rest[1:-1], outputs_above)):
                dropped.update(range(directive.line, directive.last_line + 1))
        kept = [(number, line) for number, line in enumerate(source.lines, 1) if number not in dropped]
        kept = [(number, line) for index, (number, line) in enumerate(kept) if line or index and kept[index - 1][1]]
        while kept and not kept[-1][1]:
            kept.pop()
        expected = 0
        for number, line in kept:
            if self.with_line and number != expected:
                self.lines.append('#line %d "%s"' % (number, source.shown_path))
            self.lines.append(line)
            expected = number + 1


def library_text(sources, version, text):
    """Adds declarations and implementation, each in its frame."""
    declarations = [source for source in sources if source.part == DECLARATIONS]
    implementation = [source for source in sources if source.part == IMPLEMENTATION]
    for source in declarations:
        if source.entry.role == "manual":
            text.frame("")
            text.source(source)
    text.frame("""
#if defined(CONNECT_VERSION_NUMBER) && CONNECT_VERSION_NUMBER != %d
#error "Two versions of connect.h meet in this file: do not include it in your library's public headers."
#endif
#ifndef CONNECT_H
#define CONNECT_H""" % version.number)
    declarations = [source for source in declarations if source.entry.role != "manual"]
    systems = [index for index, source in enumerate(declarations) if source.entry.role == "system"]
    linkage_opens_at = systems[-1] if systems else 0
    for index, source in enumerate(declarations):
        text.banner(source.shown_path)
        text.source(source)
        if index == linkage_opens_at:
            text.frame('\n#ifdef __cplusplus\nextern "C" {\n#endif')
    text.frame("""
#ifdef __cplusplus
}
#endif
#endif /* CONNECT_H */

/* ==== Implementation: outside the guard, so that it can be asked for after an earlier include ==================== */
#if defined(CONNECT_IMPLEMENTATION) && !defined(CONNECT_IMPLEMENTATION_DONE)
#define CONNECT_IMPLEMENTATION_DONE
#ifdef __cplusplus
#error "Compile the file that defines CONNECT_IMPLEMENTATION as C; the declarations serve C and C++."
#endif""")
    for source in implementation:
        text.banner(source.shown_path)
        text.source(source)
    macros = sorted({name.text for source in implementation for name in source.names if name.kind == "macro"})
    text.banner("No private macro is left")
    text.frame("\n".join(["#undef " + macro for macro in macros] + ["#endif /* CONNECT_IMPLEMENTATION */"]))


def program_text(sources, text):
    outputs_above = set(TITLES) - {text.output}
    for source in sources:
        text.banner(source.shown_path)
        text.source(source, outputs_above)


def build(output, sources, version, with_line):
    """Returns the whole text of an output."""
    title = "/* %s %s - %s SPDX-License-Identifier: MIT\n   Made from src/ by amalgamate.py: edit there. " % (
        output, version.text, TITLES[output])
    text = Text(output, title.count("\n") + 2, with_line)
    if sources[0].part == PROGRAM:
        program_text(sources, text)
    else:
        library_text(sources, version, text)
    body = "\n".join(text.lines) + "\n"
    return title + "Content: sha256 %s. */\n" % hashlib.sha256(body.encode("ascii")).hexdigest()[:16] + body


def write_if_changed(path, content):
    """Replaces a file in one step. Returns whether it changed."""
    if read_bytes(path) == content:
        return False
    handle, temporary = tempfile.mkstemp(prefix=os.path.basename(path) + ".", dir=os.path.dirname(path))
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
    return True


def read_bytes(path):
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        return None


def amalgamate(root, outputs, with_line):
    """Returns the text of each output. Refuses a tree with any problem."""
    entries = read_manifest(root)
    problems = check_listed(root, entries)
    present = [Source(entry, root) for entry in entries if os.path.isfile(os.path.join(root, "src", entry.path))]
    texts = {}
    version = None
    try:
        version = read_version(present)
    except Refusal as refusal:
        problems += refusal.problems
    for output in outputs:
        sources = [source for source in present if source.entry.output == output]
        if not sources:
            problems.append(Problem("src/MANIFEST", 1, "no file for %s. List its files under [%s]." % (output, output)))
            continue
        is_complete = len(sources) == sum(entry.output == output for entry in entries)
        problems += check_output(sources, is_complete)
        if not problems:
            texts[output] = build(output, sources, version, with_line)
    if problems:
        raise Refusal(problems)
    return texts


def parse_arguments(arguments):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", metavar="DIR", default=os.path.dirname(os.path.abspath(__file__)))
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--line", action="store_true")
    parser.add_argument("--output", metavar="NAME", choices=list(TITLES))
    parser.add_argument("--list", metavar="NAME", choices=list(TITLES))
    return parser.parse_args(arguments)


def main(arguments):
    options = parse_arguments(arguments)
    try:
        if options.list:
            paths = [entry.path for entry in read_manifest(options.root) if entry.output == options.list]
            print("\n".join("src/" + path for path in paths if path.endswith(".c")))
            return 0
        texts = amalgamate(options.root, [options.output] if options.output else list(TITLES), options.line)
    except Refusal as refusal:
        for problem in refusal.problems:
            print(problem, file=sys.stderr)
        print("amalgamate.py: %d refused; nothing was written." % len(refusal.problems), file=sys.stderr)
        return 1
    stale = 0
    for output, text in texts.items():
        path = os.path.join(options.root, output)
        content = text.encode("ascii")
        if not options.check:
            if write_if_changed(path, content):
                print("wrote " + output)
        elif read_bytes(path) != content:
            print("%s:1: is not what src/ gives. Run python3 amalgamate.py, and commit the result." % output,
                  file=sys.stderr)
            stale = 1
    return stale


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
