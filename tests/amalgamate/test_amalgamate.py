"""Tests of amalgamate.py: a small tree that it takes, and that tree with each rule broken in turn.

    python3 -m unittest discover -s tests/amalgamate -v
"""

import contextlib
import importlib.util
import io
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

PROJECT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TOOL = os.path.join(PROJECT, "amalgamate.py")
sys.dont_write_bytecode = True
spec = importlib.util.spec_from_file_location("amalgamate", TOOL)
amalgamate = importlib.util.module_from_spec(spec)
spec.loader.exec_module(amalgamate)

WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Werror", "-Wundef", "-Wredundant-decls"]

MANIFEST = """\
# The order is the layering.
[connect.h declarations]
api/manual.h    manual
api/platform.h  features
api/version.h   version
api/config.h    config
api/linkage.h   system   # what declarations need
api/thing.h

[connect.h implementation]
base/sys.h      system
base/low.h
base/low.c
top/high.h
top/high.c

[connect_gen.c]
gen/sys.h       system
gen/lexer.h
gen/lexer.c
gen/main.c
"""

FILES = {
    "MANIFEST": MANIFEST,
    "api/manual.h": "#pragma once\n/* How to use it. */\n",
    "api/platform.h": """\
#pragma once
#if defined(CONNECT_IMPLEMENTATION) && !defined(_POSIX_C_SOURCE)
#define _POSIX_C_SOURCE 200809L
#endif
""",
    "api/version.h": """\
#pragma once
#define CONNECT_VERSION_NUMBER 10203 /* major * 10000 + minor * 100 + patch */
#define CONNECT_VERSION_STRING "1.2.3"
""",
    "api/config.h": """\
#pragma once
#ifdef CONNECT_CONFIG_FILE
#include CONNECT_CONFIG_FILE
#endif
#ifndef CONNECT_ENABLE_MORE
#define CONNECT_ENABLE_MORE 1
#endif
""",
    "api/linkage.h": """\
#pragma once
#include <stddef.h>
#ifndef CONNECT_API
#define CONNECT_API extern
#endif
#if defined(__GNUC__)
#define CONNECT_PRINTF(format_at, first_at) __attribute__((format(printf, format_at, first_at)))
#define CONNECT_CHECKED __attribute__((warn_unused_result))
#else
#define CONNECT_PRINTF(format_at, first_at)
#define CONNECT_CHECKED
#endif
""",
    "api/thing.h": """\
#pragma once

/* ==== Things ==== */
typedef struct connect_thing_t connect_thing_t;
typedef int connect_pick_t(connect_thing_t *thing, void (*done)(int code, void *user), size_t count);
typedef enum connect_color_t { CONNECT_RED = 1, CONNECT_GREEN = (1 << 1) } connect_color_t;
enum { CONNECT_WANTS_READ = 1 };
typedef struct connect_list_t {
    struct { const char *const *items; size_t count; } names;
    int (*compare)(const void *a, const void *b);
} connect_list_t;
/* Returns one; "{ is no brace". */
CONNECT_API connect_thing_t *connect_thing_new(void) CONNECT_CHECKED;
CONNECT_API void connect_thing_free(connect_thing_t *thing);
CONNECT_API int connect_thing_print(char *to, size_t size,
    const char *format, ...) CONNECT_PRINTF(3, 4);
CONNECT_API connect_pick_t connect_pick_first, connect_pick_last;
CONNECT_API void (*connect_thing_handler(int which))(int code);
#if CONNECT_ENABLE_MORE
CONNECT_API const char *const *connect_thing_names(void);
#endif
""",
    "base/sys.h": """\
#pragma once
#include "api/platform.h"
#include "api/version.h"
#include "api/config.h"
#include "api/linkage.h"
#include "api/thing.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#ifdef CN_MODULES
#define CN_PRIVATE extern
#else
#define CN_PRIVATE static
#endif
#define CN_MAX(a, b) \\
    ((a) > (b) ? (a) : (b))
""",
    "base/low.h": """\
#pragma once
#include "base/sys.h"

#define CN_SLACK 16
typedef struct cn_low_t { /* a node */
    struct cn_low_t *next;
    enum { CN_LOW_A, CN_LOW_B } state;
} cn_low_t;
typedef void (*cn_low_handler_t)(cn_low_t *low);
CN_PRIVATE int cn_low_add(int a, int b);
static inline int cn_low_one(void) { return 1; }
""",
    "base/low.c": """\
/* The specification; it isn't code: { */
#include "base/low.h"

#if CONNECT_ENABLE_MORE
static int cn_low_twice(int a) {
#else
static int cn_low_twice(long a) {
#endif
    static const char brace[] = "}\\"{";
    return (int)(a * 2) + (brace[0] == '}' ? 0 : '{');
}

CN_PRIVATE int cn_low_add(int a, int b) {
    return cn_low_twice(a) / 2 + b + cn_low_one() - 1;
}
""",
    "top/high.h": "#pragma once\n#include \"base/low.h\"\n",
    "top/high.c": """\
/* Things.

   Its specification. */
#include "top/high.h"
#include "base/low.h"

#define CN_HIGH_EACH(name) name,
enum cn_high_state_t { CN_HIGH_NEW, CN_HIGH_OLD = CN_SLACK };
struct connect_thing_t {
    int state;
};
static const struct { const char *name; int value; } cn_high_table[] = {
    {"a", CN_HIGH_NEW}, {"b", CN_HIGH_OLD},
};
static const char *const cn_high_names[2] = {"a", "b"};
static void (*const cn_high_hook)(connect_thing_t *thing) = NULL;
static void cn_high_print(int code) __attribute__((unused));

static void cn_high_print(int code) {
    printf("%d %d\\n", code, cn_high_table[0].value);
}

connect_thing_t *connect_thing_new(void) {
    return (connect_thing_t *)malloc(sizeof(connect_thing_t));
}

void connect_thing_free(connect_thing_t *thing) {
    if (cn_high_hook != NULL) {
        cn_high_hook(thing);
    }
    free(thing);
}

int connect_thing_print(char *to, size_t size, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    int len = vsnprintf(to, size, format, arguments);
    va_end(arguments);
    return CN_MAX(len, cn_low_add(0, 0));
}

int connect_pick_first(connect_thing_t *thing, void (*done)(int code, void *user), size_t count) {
    (void)count;
    done(0, thing);
    return 0;
}

int connect_pick_last(connect_thing_t *thing, void (*done)(int code, void *user), size_t count) {
    return connect_pick_first(thing, done, count);
}

void (*connect_thing_handler(int which))(int code) {
    return which != 0 ? cn_high_print : NULL;
}

#if CONNECT_ENABLE_MORE
const char *const *connect_thing_names(void) {
    return cn_high_names;
}
#else
typedef char cn_high_unused_t;
#endif
""",
    "gen/sys.h": """\
#pragma once
#define _POSIX_C_SOURCE 200809L
#define CONNECT_ENABLE_MORE 0
#define CONNECT_IMPLEMENTATION
#include "connect.h"
#include <string.h>
#define GEN_PRIVATE static
""",
    "gen/lexer.h": """\
#pragma once
#include "gen/sys.h"
typedef enum gen_token_t { GEN_TOKEN_END, GEN_TOKEN_WORD } gen_token_t;
GEN_PRIVATE gen_token_t gen_lexer_next(const char *text);
""",
    "gen/lexer.c": """\
/* Words. */
#include "gen/lexer.h"
GEN_PRIVATE gen_token_t gen_lexer_next(const char *text) {
    return strlen(text) > 0 ? GEN_TOKEN_WORD : GEN_TOKEN_END;
}
""",
    "gen/main.c": """\
/* The program. */
#include "gen/lexer.h"
int main(int argc, char **argv) {
    return argc > 1 && gen_lexer_next(argv[1]) == GEN_TOKEN_END;
}
""",
}


def line_of(text, part):
    return text[:text.index(part)].count("\n") + 1


class TreeTest(unittest.TestCase):
    """A scratch tree, and the tool run in it."""

    def setUp(self):
        self.root = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.root)
        for path, text in FILES.items():
            self.write(path, text)

    def write(self, path, text):
        path = os.path.join(self.root, "src", path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(text.encode("latin-1"))

    def read(self, path):
        with open(os.path.join(self.root, path), encoding="ascii", newline="") as file:
            return file.read()

    def run_tool(self, *arguments):
        """Returns exit status, output and errors."""
        output, errors = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(output), contextlib.redirect_stderr(errors):
            status = amalgamate.main(["--root", self.root, *arguments])
        return status, output.getvalue(), errors.getvalue()

    def accept(self, *arguments):
        status, output, errors = self.run_tool(*arguments)
        self.assertEqual((status, errors), (0, ""))
        return output

    def assert_refused(self, place, *parts):
        """There are refusals at the place, "src/x.c:3", and they say each part; nothing is written."""
        status, _, errors = self.run_tool()
        self.assertEqual(status, 1, "not refused")
        lines = [line for line in errors.split("\n") if line.startswith(place + ": ")]
        self.assertTrue(lines, "%s is not in:\n%s" % (place, errors))
        for part in parts:
            self.assertTrue(any(part in line for line in lines), "%r is not in:\n%s" % (part, "\n".join(lines)))
        self.assertEqual(os.listdir(self.root), ["src"])

    def refuse_change(self, path, old, new, marker, *parts):
        """In a file, old becomes new; then the line where marker stands is refused."""
        self.assertIn(old, FILES[path])
        text = FILES[path].replace(old, new, 1)
        self.write(path, text)
        self.assert_refused("src/%s:%d" % (path, line_of(text, marker)), *parts)

    def refuse_addition(self, path, added, *parts):
        """Text at the end of a file is refused at its first line."""
        self.write(path, FILES[path] + added)
        self.assert_refused("src/%s:%d" % (path, FILES[path].count("\n") + 1), *parts)


class ManifestTest(TreeTest):
    def test_missing_file(self):
        os.unlink(os.path.join(self.root, "src/base/low.c"))
        self.assert_refused("src/MANIFEST:%d" % line_of(MANIFEST, "base/low.c"), "src/base/low.c does not exist",
                            "Write it, or take the line out")

    def test_missing_file_is_not_reported_as_undefined_functions(self):
        os.unlink(os.path.join(self.root, "src/base/low.c"))
        self.assertNotIn("defined nowhere", self.run_tool()[2])

    def test_unlisted_file(self):
        self.write("top/new.c", "/* New. */\n")
        self.assert_refused("src/top/new.c:1", "not in src/MANIFEST", "Add it")

    def test_file_listed_twice(self):
        self.refuse_addition("MANIFEST", "base/low.h\n", "stands in line 12 already", "Take one out")

    def test_unknown_heading_and_role(self):
        self.refuse_addition("MANIFEST", "[other.h]\n", "[other.h program] is not known", "connect.h")
        self.refuse_addition("MANIFEST", "gen/more.c sometimes\n", "'sometimes' is not known", "system")

    def test_path_before_heading(self):
        self.refuse_change("MANIFEST", "# The order is the layering.", "base/sys.h", "base/sys.h", "Write a heading")

    def test_no_manifest(self):
        os.unlink(os.path.join(self.root, "src/MANIFEST"))
        self.assert_refused("src/MANIFEST:1", "cannot be read")

    def test_features_below_system(self):
        text = MANIFEST.replace("api/platform.h  features\n", "").replace(
            "api/thing.h\n", "api/platform.h  features\napi/thing.h\n")
        self.write("MANIFEST", text)
        self.assert_refused("src/MANIFEST:%d" % line_of(text, "api/platform.h"), "no effect", "Move api/platform.h")

    def test_output_without_files(self):
        text = MANIFEST[:MANIFEST.index("[connect_gen.c]")]
        self.write("MANIFEST", text)
        self.assert_refused("src/MANIFEST:1", "no file for connect_gen.c")

    def test_list(self):
        self.assertEqual(self.accept("--list", "connect.h"), "src/base/low.c\nsrc/top/high.c\n")
        self.assertEqual(self.accept("--list", "connect_gen.c"), "src/gen/lexer.c\nsrc/gen/main.c\n")

    def test_version(self):
        self.refuse_change("api/version.h", "10203", "10204", "#pragma", "do not agree", "major * 10000")
        self.write("MANIFEST", MANIFEST.replace("api/version.h   version", "api/version.h"))
        self.assert_refused("src/MANIFEST:1", "0 files are marked `version`", "Mark one")


class IncludeTest(TreeTest):
    def test_layering(self):
        self.refuse_change("base/low.c", '#include "base/low.h"', '#include "top/high.h"', "#include",
                           "top/high.h stands below base/low.c", "Move one of them")

    def test_include_of_itself(self):
        self.refuse_change("base/low.h", '#include "base/sys.h"', '#include "base/low.h"', "#include",
                           "includes itself", "Delete")

    def test_unresolved(self):
        self.refuse_change("base/low.c", '#include "base/low.h"', '#include "low.h"', "#include",
                           "there is no src/low.h", "relative to src/")

    def test_include_of_other_output(self):
        self.refuse_change("gen/lexer.c", '"gen/lexer.h"', '"base/low.h"', "#include", "there is no src/base/low.h")

    def test_include_of_c_file(self):
        self.refuse_change("top/high.c", '#include "base/low.h"', '#include "base/low.c"', '#include "base/low.c"',
                           "not a header")

    def test_system_include(self):
        self.refuse_change("top/high.c", '#include "base/low.h"', "# include <math.h>", "# include", "system include",
                           "Move it")

    def test_macro_include(self):
        self.refuse_change("top/high.c", '#include "base/low.h"', "#include CONNECT_CONFIG_FILE", "#include CONNECT",
                           "through a macro")

    def test_generator_includes_connect_h_in_one_file(self):
        self.refuse_change("gen/lexer.c", '"gen/lexer.h"', '"connect.h"', "#include", "is an output", "only there")

    def test_library_does_not_include_an_output(self):
        self.refuse_change("base/sys.h", "#include <stdio.h>", '#include "connect_gen.c"', '#include "connect_gen.c"',
                           "there is no src/connect_gen.c")


class TextTest(TreeTest):
    def test_text(self):
        for added, what, fix in (
                ("/* caf\xe9 */\n", "not printable ASCII", "escape"),
                ("/* a */\r\n", "carriage return", "LF"),
                ("\t/* a */\n", "a tab", "spaces"),
                ("/* a */ \n", "end of the line", "Delete"),
                ("/* %s */\n" % ("a" * 115), "121 columns", "Break"),
                ("/* SPDX-License-Identifier: MIT */\n", "licence", "Delete"),
                ("/* a */", "no newline", "Add")):
            with self.subTest(what):
                self.refuse_addition("base/low.c", added, what, fix)

    def test_pragma_once(self):
        self.refuse_change("base/low.h", "#pragma once\n", "", "#include", "Make that its first line")

    def test_pragma_once_in_c(self):
        self.refuse_addition("base/low.c", "#pragma once\n", "a header's first line")

    def test_include_guard(self):
        self.refuse_change("top/high.h", "#pragma once\n", "#pragma once\n#ifndef CN_HIGH\n#define CN_HIGH\n",
                           "#ifndef", "include guard", "Delete")

    def test_c_file_without_specification(self):
        self.refuse_change("base/low.c", "/* The specification; it isn't code: { */\n", "", "#include", "no comment",
                           "specification")

    def test_specification_after_the_includes(self):
        self.write("gen/lexer.c", '#include "gen/lexer.h"\n\n#if 1\n' + FILES["gen/lexer.c"] + "#endif\n")
        self.accept()

    def test_manual_with_code(self):
        self.refuse_change("api/manual.h", "*/\n", "*/\nint connect_x_y(void);\n", "#pragma", "more than a comment")

    def test_extern_c(self):
        self.refuse_addition("base/low.c", 'extern "C" { int cn_low_x(void); }\n', 'extern "C"', "Delete")

    def test_unbalanced(self):
        self.refuse_addition("base/low.c", "static void cn_low_open(void) {\n", "does not end", "Balance")
        self.refuse_addition("base/low.c", "}\n", "was not opened", "Balance")


class NameTest(TreeTest):
    def test_private_spelling(self):
        for added, kind in (
                ("static int helper(int a) { return a; }\n", "function helper"),
                ("static int connect_low_helper(int a) { return a; }\n", "function connect_low_helper"),
                ("static const int table[] = {1};\n", "variable table"),
                ("typedef int low_t;\n", "typedef low_t"),
                ("typedef void (*cn_low_handler)(int a);\n", "typedef cn_low_handler"),
                ("typedef CN_MAX(int, int) low_t;\n", "typedef low_t"),
                ("struct low { int a; };\n", "tag low"),
                ("static const struct low { struct cn_low_in_t { int a; } in; } cn_low_x = {{1}};\n", "tag low"),
                ("typedef struct cn_low_s_t { union inner { int a; } u; } cn_low_s_t;\n", "tag inner"),
                ("enum { LOW_A = 1, CN_LOW_OK };\n", "enumerator LOW_A"),
                ("typedef struct cn_low_s_t { enum { LOW_B } e; } cn_low_s_t;\n", "enumerator LOW_B"),
                ("enum connect_new_t { CN_LOW_C };\n", "tag connect_new_t"),
                ("#define LOW 1\n", "macro LOW"),
                ("#define CONNECT_LOW 1\n", "macro CONNECT_LOW"),
                ("#define _LOW 1\n", "macro _LOW"),
                ("#  define \\\n  low(x) 1\n", "macro low"),
                ("static __attribute__((unused)) const\n    char *helper(void) { return 0; }\n", None),
                ("static int cn_LowHelper(int a) { return a; }\n", "function cn_LowHelper"),
                ("static void (*helper(int a))(int b) { return 0; }\n", "function helper")):
            with self.subTest(added):
                if kind is None:
                    self.write("base/low.c", FILES["base/low.c"] + added)
                    self.assert_refused("src/base/low.c:%d" % (FILES["base/low.c"].count("\n") + 2), "function helper")
                else:
                    self.refuse_addition("base/low.c", added, kind + ": not a name for this place", "Call it ")

    def test_public_spelling(self):
        for added, kind in (
                ("CONNECT_API void connect_server(void);\n", "function connect_server"),
                ("CONNECT_API void cn_server_new(void);\n", "function cn_server_new"),
                ("typedef int connect_number;\n", "typedef connect_number"),
                ("struct thing_t { int a; };\n", "tag thing_t"),
                ("enum { CN_VALUE };\n", "enumerator CN_VALUE"),
                ("#define CN_VALUE 1\n", "macro CN_VALUE"),
                ("#define _CONNECT_VALUE 1\n", "macro _CONNECT_VALUE")):
            with self.subTest(added):
                self.refuse_addition("api/thing.h", added, kind + ": not a name for this place")

    def test_generator_spelling(self):
        for added, kind in (
                ("static int cn_helper(int a) { return a; }\n", "function cn_helper"),
                ("#define CONNECT_ENABLE_X 1\n", "macro CONNECT_ENABLE_X"),
                ("typedef int cn_low_t;\n", "typedef cn_low_t"),
                ("enum { CN_A };\n", "enumerator CN_A")):
            with self.subTest(added):
                self.refuse_addition("gen/lexer.c", added, kind + ": not a name for this place")

    def test_private_names_are_unique(self):
        for defined in ("static const int cn_same = 1;", "static void cn_same(void) {}", "typedef int cn_same_t;",
                        "struct cn_same_t { int a; };", "enum cn_same_t { CN_SAME_A };", "enum { CN_SAME };",
                        "#define CN_SAME 1"):
            with self.subTest(defined):
                name = re.search(r"\b(cn|CN)_[Ss]\w*", defined).group()
                self.write("base/low.c", FILES["base/low.c"] + defined + "\n")
                added = defined.replace("CN_SAME_A", "CN_SAME_B")
                place = "src/base/low.c:%d" % (FILES["base/low.c"].count("\n") + 1)
                self.refuse_addition("top/high.c", added + "\n", name + ": " + place + " defines it, too", "Rename")

    def test_private_name_of_other_kinds_clash(self):
        self.write("base/low.c", FILES["base/low.c"] + "static void cn_same_t(void) {}\n")
        self.refuse_addition("top/high.c", "typedef int cn_same_t;\n", "cn_same_t: src/base/low.c")

    def test_generator_names_are_unique(self):
        self.write("gen/lexer.c", FILES["gen/lexer.c"] + "static void gen_same(void) {}\n")
        self.refuse_addition("gen/main.c", "static void gen_same(void) {}\n", "gen_same: src/gen/lexer.c:6 defines it")

    def test_every_branch_counts(self):
        self.write("base/low.c", FILES["base/low.c"] + "#if 0\nstatic void helper(void) {\n#else\n"
                   "static void cn_low_helper(void) {\n#endif\n}\n")
        self.assert_refused("src/base/low.c:%d" % (FILES["base/low.c"].count("\n") + 2), "function helper")


class LinkageTest(TreeTest):
    def test_public_declared_not_defined(self):
        self.refuse_addition("api/thing.h", "CONNECT_API void connect_thing_more(void);\n", "defined nowhere",
                             "Define it, or delete it")

    def test_public_declared_by_typedef_not_defined(self):
        self.refuse_addition("api/thing.h", "CONNECT_API connect_pick_t connect_pick_none;\n",
                             "function connect_pick_none: declared, but defined nowhere")

    def test_public_defined_not_declared(self):
        self.refuse_addition("top/high.c", "void connect_thing_more(void) {}\n", "external, but not public",
                             "Declare it in src/api/")

    def test_public_defined_twice(self):
        self.refuse_addition("top/high.c", "CN_PRIVATE int cn_low_add(int a, int b) { return a + b; }\n",
                             "cn_low_add: src/base/low.c")

    def test_public_declared_twice(self):
        self.write("api/more.h", "#pragma once\nCONNECT_API void connect_thing_free(connect_thing_t *thing);\n")
        self.write("MANIFEST", MANIFEST.replace("api/thing.h\n", "api/thing.h\napi/more.h\n"))
        self.assert_refused("src/api/more.h:2", "src/api/thing.h:14 declares it, too", "Delete one")

    def test_public_without_mark(self):
        self.refuse_change("api/thing.h", "CONNECT_API void connect_thing_free", "void connect_thing_free",
                           "void connect_thing_free", "Write CONNECT_API in front")

    def test_public_static(self):
        self.refuse_change("top/high.c", "int connect_pick_last", "static int connect_pick_last",
                           "static int connect_pick_last", "public, but static here")

    def test_private_without_mark_in_header(self):
        self.refuse_change("base/low.h", "CN_PRIVATE int cn_low_add", "int cn_low_add", "int cn_low_add",
                           "Write CN_PRIVATE in front")

    def test_private_without_mark_in_definition(self):
        self.refuse_change("base/low.c", "CN_PRIVATE int cn_low_add", "int cn_low_add", "int cn_low_add",
                           "Write that in front of it here, too")

    def test_private_static_in_definition(self):
        self.refuse_change("base/low.c", "CN_PRIVATE int cn_low_add", "static int cn_low_add", "static int cn_low_add",
                           "src/base/low.h:10 marks it CN_PRIVATE")

    def test_private_declared_not_defined(self):
        self.refuse_addition("base/low.h", "CN_PRIVATE int cn_low_sub(int a, int b);\n", "defined nowhere")

    def test_private_defined_not_declared(self):
        self.refuse_addition("base/low.c", "CN_PRIVATE int cn_low_sub(int a, int b) { return a - b; }\n",
                             "no header declares it", "make it static")

    def test_external_function(self):
        self.refuse_addition("base/low.c", "int cn_low_sub(int a, int b) { return a - b; }\n", "Make it static")
        self.refuse_addition("gen/lexer.c", "int gen_lexer_sub(int a, int b) { return a - b; }\n", "Make it static")
        self.refuse_addition("base/low.c", "int main(void) { return 0; }\n", "Make it static")

    def test_declaration_by_hand(self):
        self.refuse_addition("top/high.c", "CN_PRIVATE int cn_low_add(int a, int b);\n", "Include that header")
        self.refuse_addition("top/high.c", "int cn_low_sub(int a, int b);\n", "Make it static")

    def test_body_in_header(self):
        self.refuse_addition("base/low.h", "CN_PRIVATE int cn_low_sub(int a) { return a; }\n", "Move it to a .c")

    def test_generator_mark(self):
        self.refuse_change("gen/lexer.h", "GEN_PRIVATE gen_token_t", "gen_token_t", "gen_token_t gen_lexer",
                           "Write GEN_PRIVATE in front")


class StateTest(TreeTest):
    def test_variable_that_is_not_const(self):
        for added in ("static int cn_low_state;\n", "static const char *cn_low_state = \"a\";\n",
                      "static const char *cn_low_state[2];\n", "static struct cn_low_t cn_low_state = {0, CN_LOW_A};\n",
                      "static void (*cn_low_state)(const char *name);\n",
                      "static const int cn_low_a = 1, *cn_low_state;\n",
                      "static void cn_low_count(void) { for (;;) { static int cn_low_state = 0; cn_low_state++; } }\n",
                      "int cn_low_state;\n", "static const char *const *cn_low_state;\n"):
            with self.subTest(added):
                self.refuse_addition("base/low.c", added, "variable cn_low_state: not const", "no global state")

    def test_variable_in_header(self):
        self.refuse_addition("base/low.h", "static const int cn_low_state[] = {1};\n", "stands in a header",
                             "behind a function")
        self.refuse_addition("api/thing.h", "CONNECT_API const int connect_low_state;\n", "stands in a header")

    def test_variable_that_is_not_static(self):
        self.refuse_addition("base/low.c", "const int cn_low_state = 1;\n", "Make it static")

    def test_const_variables(self):
        self.write("base/low.c", FILES["base/low.c"] + """\
static const int cn_low_a = 1, cn_low_b[] = {1, 2};
static const unsigned char cn_low_grid[2][2] = {{1, 2}, {3, 4}};
static const char *const cn_low_c = "a", *const cn_low_d = "b";
static const struct { int (*call)(int a, int b); } cn_low_calls[] = {{cn_low_add}};
static int (*const cn_low_calls_2[])(int a, int b) = {cn_low_add};
static const connect_pick_t *const cn_low_pick = connect_pick_first;
static const size_t cn_low_size = sizeof(struct { int a; });
""")
        self.accept()


class OutputTest(TreeTest):
    def outputs(self):
        return self.read("connect.h"), self.read("connect_gen.c")

    def compile(self, compiler, *arguments):
        result = subprocess.run([compiler, *WARNINGS, *arguments], cwd=self.root, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, universal_newlines=True)
        self.assertEqual(result.returncode, 0, result.stdout)
        return result.stdout

    def test_head(self):
        self.accept()
        header, program = self.outputs()
        for text, name in ((header, "connect.h"), (program, "connect_gen.c")):
            self.assertRegex(text, r"\A/\* %s 1\.2\.3 - .* SPDX-License-Identifier: MIT\n"
                             r".*Content: sha256 [0-9a-f]{16}\. \*/\n" % re.escape(name))
            self.assertFalse([line for line in text.split("\n") if len(line) > 120 or line != line.rstrip()])
            self.assertNotIn("#pragma once", text)
            self.assertNotIn("\n\n\n", text)
        self.assertEqual(re.findall('#include "(.*)"', header + program), ["connect.h"])
        self.assertNotIn("#line", header + program)

    def test_order_of_the_frame(self):
        self.accept()
        header = self.read("connect.h")
        places = [header.index(part) for part in (
            "/* How to use it. */", "CONNECT_VERSION_NUMBER != 10203", "#ifndef CONNECT_H\n", "#define _POSIX_C_SOURCE",
            "#include <stddef.h>", 'extern "C" {', "src/api/thing.h ##", "#endif /* CONNECT_H */",
            "#define CONNECT_IMPLEMENTATION_DONE", "#include <stdio.h>", "src/base/low.h ##", "src/base/low.c ##",
            "src/top/high.c ##", "#undef CN_HIGH_EACH\n#undef CN_MAX\n#undef CN_PRIVATE\n#undef CN_SLACK\n#endif")]
        self.assertEqual(places, sorted(places))

    def test_output_is_a_function_of_the_source(self):
        self.accept()
        first = self.outputs()
        other = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, other)
        self.root, old_root = other, self.root
        for path in sorted(FILES, reverse=True):
            self.write(path, FILES[path])
        shutil.copy(TOOL, other)
        subprocess.run([sys.executable, os.path.join(other, "amalgamate.py")], cwd=old_root, check=True,
                       env=dict(os.environ, PYTHONHASHSEED="7", LC_ALL="C", TZ="Asia/Tokyo"), stdout=subprocess.DEVNULL)
        self.assertEqual(self.outputs(), first)

    def test_second_run_writes_nothing(self):
        self.assertEqual(self.accept(), "wrote connect.h\nwrote connect_gen.c\n")
        before = os.stat(os.path.join(self.root, "connect.h"))
        self.assertEqual(self.accept(), "")
        after = os.stat(os.path.join(self.root, "connect.h"))
        self.assertEqual((before.st_ino, before.st_mtime_ns), (after.st_ino, after.st_mtime_ns))
        self.assertEqual(sorted(os.listdir(self.root)), ["connect.h", "connect_gen.c", "src"])

    def test_hash_follows_content(self):
        self.accept()
        first = self.read("connect.h").split("\n")[1]
        self.write("api/manual.h", "#pragma once\n/* How to use it well. */\n")
        self.assertEqual(self.accept(), "wrote connect.h\n")
        self.assertNotEqual(self.read("connect.h").split("\n")[1], first)

    def test_check(self):
        status, _, errors = self.run_tool("--check")
        self.assertEqual(status, 1)
        self.assertIn("connect.h:1: is not what src/ gives. Run python3 amalgamate.py", errors)
        self.accept()
        self.accept("--check")
        self.write("base/low.c", FILES["base/low.c"].replace("it isn't", "it is not"))
        stale = self.read("connect.h")
        status, _, errors = self.run_tool("--check")
        self.assertEqual((status, errors.count("\n")), (1, 1))
        self.assertEqual(self.read("connect.h"), stale)

    def test_one_output(self):
        self.write("gen/main.c", "int x;\n")
        self.assertEqual(self.accept("--output", "connect.h"), "wrote connect.h\n")
        self.assertEqual(self.run_tool("--output", "connect_gen.c")[0], 1)

    def test_refusal_keeps_old_outputs(self):
        self.accept()
        before = self.outputs()
        self.write("base/low.c", "int x;\n")
        self.assertEqual(self.run_tool()[0], 1)
        self.assertEqual(self.outputs(), before)

    def test_compiles_as_c(self):
        self.accept()
        with open(os.path.join(self.root, "use.c"), "w") as file:
            file.write('#include "connect.h"\n#include "connect.h"\n'
                       '#define CONNECT_IMPLEMENTATION\n#include "connect.h"\n'
                       "int main(void) { connect_thing_free(connect_thing_new()); return 0; }\n")
        self.compile("gcc", "-std=c99", "use.c", "-o", "use")
        subprocess.run([os.path.join(self.root, "use")], check=True)

    def test_modules_compile_one_by_one(self):
        objects = []
        for path in self.accept("--list", "connect.h").split():
            objects.append(path.replace("/", "_") + ".o")
            self.compile("gcc", "-std=c99", "-DCN_MODULES", "-DCONNECT_IMPLEMENTATION", "-Isrc", "-c", path, "-o",
                         objects[-1])
        self.compile("gcc", "-shared", *objects, "-o", "all.so")

    def test_declarations_compile_as_c_plus_plus(self):
        self.accept()
        with open(os.path.join(self.root, "use.cpp"), "w") as file:
            file.write('#include "connect.h"\nvoid use(); void use() { connect_thing_free(0); }\n')
        self.compile("g++", "-std=c++11", "-c", "use.cpp", "-o", "use.o")
        symbols = subprocess.run(["nm", os.path.join(self.root, "use.o")], stdout=subprocess.PIPE, check=True).stdout
        self.assertRegex(symbols.decode(), r"U _?connect_thing_free\n")

    def test_implementation_refuses_c_plus_plus(self):
        self.accept()
        result = subprocess.run(["g++", "-DCONNECT_IMPLEMENTATION", "-fsyntax-only", "-x", "c++", "connect.h"],
                                cwd=self.root, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.assertIn(b"Compile the file that defines CONNECT_IMPLEMENTATION as C", result.stdout)

    def test_two_versions_are_refused(self):
        self.accept()
        result = subprocess.run(["gcc", "-DCONNECT_VERSION_NUMBER=1", "-fsyntax-only", "-x", "c", "connect.h"],
                                cwd=self.root, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.assertIn(b"Two versions of connect.h", result.stdout)

    def test_no_private_macro_is_left(self):
        self.accept()
        macros = self.compile("gcc", "-DCONNECT_IMPLEMENTATION", "-dM", "-E", "-x", "c", "connect.h")
        self.assertIn("#define CONNECT_API", macros)
        self.assertNotIn("#define CN_", macros)

    def test_program_compiles(self):
        self.accept()
        self.compile("gcc", "-std=c99", "connect_gen.c", "-o", "connect_gen")
        subprocess.run([os.path.join(self.root, "connect_gen")], check=True)

    def test_line_directives(self):
        self.accept("--line")
        self.compile("gcc", "-std=c99", "-DCONNECT_IMPLEMENTATION", "-fsyntax-only", "-Wno-unused-function", "-x", "c",
                     "connect.h")
        for output in self.outputs():
            lines = output.split("\n")
            file, number, seen = None, 0, set()
            for index, line in enumerate(lines):
                directive = re.match(r'#line (\d+) "(.*)"', line)
                if directive:
                    number, file = int(directive.group(1)), directive.group(2)
                    continue
                if file is not None:
                    self.assertEqual(line, self.read(file).split("\n")[number - 1], (file, number))
                    seen.add(file)
                    number += 1
            self.assertGreater(len(seen), 3)

    def test_exit_status_of_the_command(self):
        command = [sys.executable, TOOL, "--root", self.root]
        self.assertEqual(subprocess.run(command, stdout=subprocess.DEVNULL).returncode, 0)
        self.write("base/low.c", "int x;\n")
        self.assertEqual(subprocess.run(command, stderr=subprocess.DEVNULL).returncode, 1)


if __name__ == "__main__":
    unittest.main()
