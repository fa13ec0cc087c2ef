#!/usr/bin/env python3
"""What protoc refuses, connect_gen refuses; what protoc accepts, connect_gen accepts.

    python3 tests/generator/test_against_protoc.py [-v] [Class[.test]]...

Small files are put together from statements and values, in proto2, proto3 and editions 2023 and 2024: 27,000 of them.
A sample of SAMPLE (1,600; SAMPLE=all for all) is shown to both, and so are good files with tokens changed. protoc runs
in this process (grpc_tools), so that thousands of files take seconds. Environment as for test_generator.py.
"""

import os
import random
import re
import subprocess
import sys
import unittest

import test_generator
from test_generator import GENERATOR, GOOD, Case, good_files

import grpc_tools
from grpc_tools import protoc

SAMPLE = os.environ.get("SAMPLE", "1600")
PROTOS = os.path.join(os.path.dirname(grpc_tools.__file__), "_proto")
HEADS = {
    "proto2": 'syntax = "proto2";',
    "proto3": 'syntax = "proto3";',
    "2023": 'edition = "2023";',
    "2024": 'edition = "2024";',
}
TYPES = "int32 string bytes bool double M E uint64".split()
NUMBERS = (
    "0 -1 1 19000 19999 18999 20000 536870911 536870912 2147483647 2147483648 4294967296 0x10 010 08 1.0 1e3 "
    '"1" max -0 +1 18446744073709551615 99999999999999999999 0x 1a 1_000 0b1 .5 1.'
).split()
VALUES = [
    *"inf -inf nan -nan infinity Inf true True false -true E0 {} {a:1} [1] 1.5f 1f 1e400 1e 1e+ .5e1 1.e1 0. 0x1f".split(),
    *('"a" "b"', '"\\777"', '"\\u00e4"', '"\\U00110000"', '"\\ud800"', '"\\u12"', '"\\x"', '"\\q"', '"\n"', ""),
    *("- 1", '"a\\0b"', "'a'", "\"a'", "E.E0", "(x)"),
]
FIELD_OPTIONS = [
    "",
    *"packed=true|packed=false|default=1|default=\"x\"|default=true|default=E0|jstype=JS_STRING|lazy=true|"
    "unverified_lazy=true|ctype=CORD|weak=true|deprecated=true|json_name=\"a\"|json_name=\"[a]\"|json_name=\"\"|"
    "retention=RETENTION_SOURCE|targets=TARGET_TYPE_FILE,targets=TARGET_TYPE_FIELD|debug_redact=true|"
    "edition_defaults={edition:EDITION_2023,value:\"x\"}|feature_support={edition_introduced:EDITION_2023}|features={}|"
    "features.field_presence=IMPLICIT|features.field_presence=LEGACY_REQUIRED|features.field_presence=EXPLICIT|"
    "features.field_presence=FIELD_PRESENCE_UNKNOWN|features.repeated_field_encoding=PACKED|"
    "features.repeated_field_encoding=EXPANDED|features.utf8_validation=NONE|features.message_encoding=DELIMITED|"
    "features.message_encoding=LENGTH_PREFIXED|features.enum_type=OPEN|features.json_format=ALLOW|"
    "features.enforce_naming_style=STYLE_LEGACY|features.default_symbol_visibility=EXPORT_ALL".split("|"),
]


def brackets(option):
    return "[%s]" % option if option else ""


def field_cases():
    for option in FIELD_OPTIONS:
        option = brackets(option)
        for kind in TYPES:
            yield "message M { oneof o { %s a = 1 %s; } } enum E { E0 = 0; }" % (kind, option)
            for label in ("", "optional ", "required ", "repeated "):
                yield "message M { %s%s a = 1 %s; } enum E { E0 = 0; }" % (label, kind, option)
                yield "message M { extensions 1 to 10; } extend M { %s%s a = 1 %s; } enum E { E0 = 0; }" % (
                    label,
                    kind,
                    option,
                )
    for key in "int32 string bytes bool double float E M sint64 fixed32".split():
        for value in "int32 M E string bytes".split():
            for option in FIELD_OPTIONS[::3]:
                yield "message M { map<%s,%s> a = 1 %s; } enum E { E0 = 0; }" % (key, value, brackets(option))
    for label in ("optional", "repeated", "required", ""):
        for body in (
            "%s map<int32,int32> a = 1;",
            "%s group G = 1 { }",
            "%s group g = 1 { }",
            "%s group G = 1 [deprecated=true] { optional int32 a = 1; }",
            "oneof o { %s group G = 1 { } }",
            "%s group G = 1;",
            "extensions 2 to 3; } extend M { %s group G = 2 { }",
        ):
            yield "message M { %s }" % (body % label)


def number_cases():
    for number in NUMBERS:
        for body in (
            "int32 a = %s;",
            "optional int32 a = %s;",
            "reserved %s;",
            "extensions %s;",
            "reserved 5 to %s;",
            "extensions 5 to %s;",
            "reserved %s to 100;",
        ):
            yield "message M { %s }" % (body % number)
        for body in ("A = 0; B = %s;", "A = 0; reserved %s;", "A = 0; reserved 5 to %s;", "A = 0; reserved %s to max;"):
            yield "enum E { %s }" % (body % number)
    for kind in "int32 uint32 int64 uint64 float double bool string bytes E sint32 fixed64".split():
        for number in NUMBERS + VALUES:
            for label in ("", "optional "):
                for sign in ("", "-"):
                    yield "message M { %s%s a = 1 [default = %s%s]; } enum E { E0 = 0; }" % (label, kind, sign, number)
    for value in VALUES:
        for body in (
            "option java_package = %s;",
            "option java_multiple_files = %s;",
            "option optimize_for = %s;",
            "import %s;",
            "message M { @O@ int32 a = 1 [json_name = %s]; }",
            "message M { reserved %s; }",
            "enum E { E0 = 0; reserved %s; }",
        ):
            yield body % value


def name_cases():
    for name in "n N1 N_ N_a NA n_1 _N class message export".split():
        for body in ("message M { message %s {} }", "enum %s { A = 0; }", "service %s { }", "message %s {}"):
            yield body % name
        yield "message M {} service S { rpc %s(M) returns (M); }" % name
    for name in (
        "A aB a_ _a a_1 a1 a__b a1_b class optional message int32 map stream reserved option extensions extend oneof group "
        "required repeated enum true inf default to max weak public export local"
    ).split():
        yield "message M { string %s = 1; }" % name
        yield "message M { oneof %s { string x = 1; } }" % name
        yield "enum E { %s = 0; }" % name
        yield "enum E { %s = 0; }" % name.upper()
        yield "message M { extensions 1; } extend M { @O@ string %s = 1; }" % name
        yield "message M { map<int32, int32> %s = 1; }" % name
    for name in "a|A|a.b|a.B|a_b|_a|a1|a_1|a..b|.a|a.|a b|1a|".split("|"):
        yield "package %s;" % name


STATEMENTS = r"""
enum E { }|enum E { A = 1; }|enum E { A = 1; B = 0; }|enum E { A = 0; B = 0; }|enum E { A = 0; A = 1; }|enum E { A; }
enum E { option allow_alias = true; A = 0; B = 0; }|enum E { option allow_alias = true; A = 0; B = 1; }|enum E { E = 0; }
enum E { option allow_alias = false; A = 0; B = 1; }|enum E { A = 0; } enum F { A = 0; }|message A { } enum F { A = 0; }
enum E { A = 0; a = 1; }|enum E { E_A = 0; A = 1; }|enum Foo { FOO_BAR = 0; fooBAR = 1; }|enum E { A = 0 };|enum { A = 0; }
enum E { option deprecated_legacy_json_field_conflicts = true; E_A = 0; A = 1; }|enum E { A = 0; reserved 1 to 3, 2; }
enum E { option features.enum_type = CLOSED; A = 1; }|enum E { option features.enum_type = OPEN; A = 1; }|enum E { A = 0 []; }
enum E { A = 0; reserved "A"; }|enum E { A = 0; reserved A; }|enum E { A = 0; reserved B, B; }|enum E { A = 0, B = 1; }
enum E { A = 0; reserved "B", "B"; }|enum E { A = 0; reserved "not a name"; }|enum E { A = 0; reserved max to 5; }
enum E { A = 0; reserved 5 to 3; }|enum E { A = 0; reserved -5 to -3, -4; }|enum E { A = 0; reserved 0; }|enum E { A = 0; ; }
enum E { A = 0; message M {} }|enum E { option (foo) = 1; A = 0; }|enum E { A = 0 [features.enum_type = OPEN]; }
enum E { reserved 1; A = 0; }|enum E { A = 0; extensions 5; }|enum E { A = 0; reserved 1, "B"; }|package a; package b;
package a; message a {}|message a {} package a;|package a.b; message b {}|import "nope.proto";|import "self.proto";|import "";
import weak "google/protobuf/any.proto";|import public "google/protobuf/any.proto";|import google;|import "/etc/passwd";
import option "google/protobuf/descriptor.proto";|import "google/protobuf/any.proto"; import "google/protobuf/any.proto";
import option "google/protobuf/descriptor.proto"; import "google/protobuf/descriptor.proto";|import "../x.proto";
import private "google/protobuf/any.proto";|option java_package = "a"; option java_package = "b";|option nope = 1;
option (nope) = 1;|option java_package.foo = "a";|option optimize_for = NOPE;|option optimize_for = 1;|option = 1;
option java_package = a;|option java_package "a";|option java_package = "a"|option features.field_presence = IMPLICIT;
option features.field_presence = LEGACY_REQUIRED;|option features.enum_type = CLOSED;|option features.utf8_validation = NONE;
option features.repeated_field_encoding = EXPANDED;|option features.message_encoding = DELIMITED;|export message M {}
option features.json_format = LEGACY_BEST_EFFORT;|option features.default_symbol_visibility = STRICT;|local message M {}
option features.enforce_naming_style = STYLE_LEGACY; message m {}|option features.enforce_naming_style = STYLE2024; message m {}
option features.enforce_naming_style = STYLE2026;|option features.utf8_validation = UTF8_VALIDATION_UNKNOWN;
option features.field_presence = IMPLICIT; message M { int32 a = 1 [default = 5]; }|export enum E { A = 0; }|local service S {}
option features.enum_type = CLOSED; option features.field_presence = IMPLICIT; enum E { A = 0; } message M { E e = 1; }
option features.enum_type = CLOSED; enum E { A = 1; } message M { map<int32,E> e = 1; }|export local message M {}
message M { export message N {} }|message M { local enum E { A = 0; } }|message export {}|message M { optional export e = 1; }
option features.default_symbol_visibility = STRICT; message M { export message N {} }|message local {} message M { local l = 1; }
option features.default_symbol_visibility = STRICT; message M { export enum E { A = 0; } }|message message {}
option features.default_symbol_visibility = STRICT; local message M { export enum E { A = 0; } reserved 1 to max; }
option features.default_symbol_visibility = STRICT; export message M { export enum E { A = 0; } reserved 1 to max; }
service S { rpc A(M) returns (M); } message M {}|service S { rpc A(M) returns (M) {} } message M {}|service S { rpc A() returns (); }
service S { rpc A(M) returns (M) { option deprecated = true; } } message M {}|service S { rpc A(M) return (M); } message M {}
service S { rpc A(M) returns (M) { option idempotency_level = IDEMPOTENT; option idempotency_level = IDEMPOTENT; } } message M {}
service S { rpc A(stream M) returns (stream M); } message M {}|service S { rpc A(stream stream) returns (stream); } message stream {}
service S { rpc A(stream.M) returns (M); } message M {}|service S { rpc A(E) returns (E); } enum E { A1 = 0; }|service S {}; service S {}
service S { rpc A(Nope) returns (Nope); }|service S { rpc A(int32) returns (M); } message M {}|service S { option nope = 1; }
service S { rpc A(M) returns (M); rpc A(M) returns (M); } message M {}|service S { stream A(M, M); } message M {}
service S { rpc A(M) returns (M) { option nope = 1; } } message M {}|service S { rpc A(M) returns (M) { nope; } } message M {}
service S { message M {} }|service S { rpc A(M) returns (M) {}; } message M {}|rpc A(M) returns (M);|int32 a = 1;
extend M { optional int32 a = 1; }|extend int32 { optional int32 a = 1; }|extend E { optional int32 a = 1; } enum E { A = 0; }
reserved 1;|oneof o { int32 a = 1; }|garbage|message|message M|message M {|message M { string a = 1; }}|message M { } }|message 1M {}
message "M" {}|syntax = "proto3";|edition = "2023";|// comment|/* comment|/* a */ /* b */|# comment|\|@|$|option java_package = "\xff";
"""
MEMBERS = r"""
message M {}|enum M { A = 0; }|int32 M = 1;|message N { } enum N { A = 0; }|int32 a = 1; int32 a = 2;|int32 a = 1; int32 b = 1;
@O@ int32 a_b = 1; @O@ int32 aB = 2;|@O@ int32 a_b = 1; @O@ int32 a__b = 2;|@O@ int32 a = 1 [json_name="b"]; @O@ int32 b = 2;
@O@ int32 a = 1 [json_name="b"]; @O@ int32 b = 2 [json_name="a"];|@O@ int32 ab = 1; @O@ int32 AB = 2;|reserved 1; @O@ int32 a = 1;
option deprecated_legacy_json_field_conflicts = true; @O@ int32 a_b = 1; @O@ int32 aB = 2;|reserved "a"; @O@ int32 a = 1;
reserved a; @O@ int32 a = 1;|reserved 1 to max; @O@ int32 a = 1;|reserved 1,1;|reserved 1 to 5, 5 to 9;|extensions 1 to 5, 5 to 9;
extensions 1; extensions 1;|extensions 1 to 10; reserved 5;|extensions 1 to max;|extensions 1 to max; @O@ int32 a = 5;|extensions max;
extensions 100 to 50;|extensions 1 to 10 [deprecated=true];|extensions 1 to 10 [verification=DECLARATION];|extensions;|reserved;
extensions 1, 2 [verification=UNVERIFIED];|reserved 1 2;|reserved "a" "b";|reserved "a", b;|reserved a, "b";|reserved "";|reserved "1a";
option message_set_wire_format = true;|option message_set_wire_format = true; extensions 4 to max;|option foo = 1;|option (foo) = 1;
option message_set_wire_format = true; extensions 4 to max; optional int32 a = 1;|option no_standard_descriptor_accessor = true;
option message_set_wire_format = true; extensions 4 to 2147483646;|option map_entry = true; @O@ string key = 1; @O@ int32 value = 2;
option deprecated = 1;|option deprecated = true; option deprecated = true;|option uninterpreted_option = {};|M. m = 1;|N m = 1;
option features.json_format = LEGACY_BEST_EFFORT; int32 a_b = 1; int32 aB = 2;|option features.field_presence = IMPLICIT;
option features.enforce_naming_style = STYLE_LEGACY;|option features.message_encoding = DELIMITED;|.M m = 1;|..M m = 1;|M.M m = 1;
option features = { json_format: ALLOW };|option features = { json_format: ALLOW }; option features.json_format = ALLOW;|int32 a;|int32 = 1;
option features.(pb.cpp).string_type = VIEW;|option features = { [pb.cpp] { string_type: VIEW } };|a = 1;|int32 a = 1|@O@ int32 a = 1;;
;|{|}|int32 a == 1;|int32 a = 1 b;|repeated = 1;|optional = 1;|message = 1;|@O@ M m = 1;|M.N.O m = 1;|google.protobuf.Any a = 1;
@O@ .M m = 1;|@O@ Nope m = 1;|group a = 1;|map<int32> a = 1;|map<int32,int32,int32> a = 1;|map<int32,map<int32,int32>> a = 1;|map a = 1;
map<,> a = 1;|map<int32,int32> a = 1; message AEntry {}|map<int32,int32> a = 1; map<int32,int32> a_ = 2;|stream int32 a = 1;
map<int32,int32> a = 1; @O@ AEntry b = 2;|map<int32,int32> fooBar = 1; map<int32,int32> FooBar = 2;|@O@ string a = 1 [deprecated=true,];
@O@ string a = 1 [deprecated=true,deprecated=true];|@O@ string a = 1 [,];|@O@ string a = 1 [default];|@O@ string a = 1 [(foo)=1];
@O@ string a = 1 [(.foo)=1];|@O@ string a = 1 [((foo))=1];|@O@ string a = 1 [foo.bar=1];|@O@ string a = 1 [features.nope=1];
@O@ string a = 1 [json_name="a",json_name="b"];|@O@ string a = 1 [default="a",default="b"];|optional string _a = 1; optional string __a = 2;
optional int32 a = 1; int32 _a = 2;|rpc A(M) returns (M);|import "a.proto";|service S {}|extend M { }|extend M { int32 a = 1; }
extensions 1 to 9; extend M { @O@ int32 a = 1; }|extensions 1 to 9; extend M { @O@ int32 a = 10; }|extensions 1 to 9; extend M { required int32 a = 1; }
extensions 1 to 9; extend M { repeated int32 a = 1; } extend M { repeated int32 b = 1; }|extend google.protobuf.FileOptions { optional int32 a = 50000; }
extensions 1 to 9; extend M { @O@ int32 a = 1; @O@ int32 a = 2; }|extensions 1 to 9; extend M { oneof o { int32 a = 1; } }
extensions 1 to 9; extend M { map<int32,int32> a = 1; }|extensions 1 to 9; extend Nope { @O@ int32 a = 1; }|oneof o { }|oneof { int32 a = 1; }
extensions 1 to 9; @O@ int32 a = 1; extend M { @O@ int32 a = 2; }|oneof o { map<int32,int32> a = 1; }|oneof a { int32 a = 1; }
oneof o { option deprecated = true; int32 a = 1; }|oneof o { extensions 1; }|oneof o { int32 a = 1; int32 a = 2; }|oneof o { int32 a = 1 }
oneof o { int32 a = 1; } oneof o { int32 b = 2; }|oneof o { oneof p { int32 a = 1; } }|oneof o { reserved 1; int32 a = 1; }
oneof o { int32 a = 1; ; int32 b = 2; }|oneof o { int32 a = 1; } int32 o = 2;
"""


def lines_of(text):
    return [case for line in text.strip("\n").split("\n") for case in line.split("|")]


RULE = (
    'import "google/protobuf/descriptor.proto"; extend google.protobuf.FileOptions { @O@ B o1 = 50001; repeated int32 '
    "rep = 50002; } message B { @O@ int32 i = 1; @O@ B b = 2; repeated int32 r = 3; repeated B rb = 4; @O@ string s = 5; "
    "@O@ float f = 6; @O@ bool t = 7; @O@ E e = 8; oneof o { int32 x = 9; int32 y = 10; } map<string,int32> m = 11; } "
    "enum E { E0 = 0; E1 = 1; } "
)
AGGREGATES = (
    "1|{}|{i:1}|{i:1 i:2}|{i:1,i:2}|{r:1 r:2}|{r:[1,2]}|{r:[]}|{r:[1,]}|{i:[1]}|{i 1}|{b:{i:1}}|{b{i:1}}|{b<i:1>}|{b:<i:1}}|"
    '{b:1}|{rb:[{i:1},{i:2}]}|{rb{i:1} rb{i:2}}|{s:"a" "b"}|{s:a}|{s:1}|{f:1}|{f:1.5}|{f:inf}|{f:-inf}|{f:nan}|{f:Infinity}|'
    '{f:1e400}|{f:"1"}|{f:1f}|{f:1.5f}|{t:true}|{t:1}|{t:2}|{t:True}|{t:t}|{t:yes}|{e:E1}|{e:1}|{e:5}|{e:-1}|{e:E9}|{e:"E1"}|'
    "{x:1 y:2}|{nope:1}|{i:1;}|{i:1,}|{,}|{i:1;;}|{i:-1}|{i:- 1}|{i:+1}|{i:0x10}|{i:010}|{i:08}|{i:2147483648}|"
    '{i:-2147483648}|{i:99999999999999999999}|{i:1.0}|{m:{key:"a" value:1}}|{m{key:"a"}}|{m:[{key:"a"},{}]}|{[x]:1}|'
    "{[p.ext]:1}|{[type.googleapis.com/B]{}}|{i:1 /* c */}|{i:1 // c\n}|{i:1 # c\n}|{\"i\":1}|{1:1}|{i:1]|{i:1|}|{i:}|{:1}|"
    "{b:{b:{b:{i:1}}}}|{s:'x'}|{s:\"\\x\"}|{i:-}|{i:E1}|{i:true}|{t:0}|{t:-1}|{b}|{b:}|{rb}|{b:[{}]}|{r:1,r:2;r:3}"
).split("|")
SCALARS = (
    "1|-1|0|4294967295|4294967296|2147483648|-2147483648|-2147483649|18446744073709551615|18446744073709551616|"
    "-9223372036854775808|-9223372036854775809|1.5|-1.5|1e400|inf|-inf|nan|-nan|true|false|E0|E9|-E0|\"a\"|\"a\" \"b\"|{}|0x7f|"
    "010|- 5|TRUE|infinity"
).split("|")
STEPS = (
    "option (o1).i = 1;|option (o1).i = 1; option (o1).i = 2;|option (o1).i = 1; option (o1).s = \"a\";|option (o1). = 1;|"
    'option (o1) = {i:1}; option (o1).s = "a";|option (o1) = {i:1}; option (o1).i = 2;|option (o1).i = 1; option (o1) = {s:"a"};|'
    "option (o1).b.i = 1;|option (o1).b.b.i = 1;|option (o1).rb.i = 1;|option (o1).rb = {i:1};|option (o1).rb = {i:1}; option "
    "(o1).rb = {i:2};|option (o1).r = 1; option (o1).r = 2;|option (o1).r = [1];|option (o1).nope = 1;|option (o1).i.x = 1;|"
    'option (o1).x = 1; option (o1).y = 2;|option (o1).m = {key:"a"};|option (o1).m.key = "a";|option (.o1).i = 1;|'
    "option (o1) .i = 1;|option ( o1 ).i = 1;|option (o1).(o1).i = 1;|option o1.i = 1;|option (o1)i = 1;|option (o1 = 1;|"
    "option (o1.i) = 1;|option (rep) = 1; option (rep) = 2;|option (rep) = 1; option (rep).x = 2;|option (B) = 1;|option (E) = 1;|"
    "option (nope.o1) = 1;"
).split("|")


def option_cases():
    for value in AGGREGATES:
        yield RULE + "option (o1) = %s;" % value
    for step in STEPS:
        yield RULE + step
    for kind in "int32 uint32 int64 uint64 sint32 fixed64 sfixed32 float double bool string bytes E".split():
        for value in SCALARS:
            yield (
                'import "google/protobuf/descriptor.proto"; extend google.protobuf.FileOptions { @O@ %s o1 = 50001; } '
                "enum E { E0 = 0; E1 = 1; } option (o1) = %s;" % (kind, value)
            )
    things = (
        "option (o1) = 1; message M { option (o1) = 1; }",
        "message M { @O@ int32 a = 1 [(o1) = 1]; oneof o { int32 b = 2 [(o1) = 1]; } }",
        "enum E { option (o1) = 1; A = 0 [(o1) = 1]; }",
        "enum E { A = 0 [(o1) = 1]; }",
        "message M { extensions 1 to 5 [(o1) = 1]; }",
        "message M { oneof o { option (o1) = 1; int32 a = 1; } }",
        "message M { } service S { option (o1) = 1; rpc A(M) returns (M) { option (o1) = 1; } }",
    )
    for target in "Field Message Enum EnumValue Oneof Service Method ExtensionRange File".split():
        for limit in (
            "",
            "[targets=TARGET_TYPE_FIELD]",
            "[targets=TARGET_TYPE_FILE,targets=TARGET_TYPE_MESSAGE]",
            "[retention=RETENTION_SOURCE]",
            "[targets=TARGET_TYPE_ENUM_ENTRY]",
            "[targets=TARGET_TYPE_EXTENSION_RANGE]",
        ):
            for thing in things:
                yield (
                    'import "google/protobuf/descriptor.proto"; extend google.protobuf.%sOptions { @O@ int32 o1 = 50001 '
                    "%s; } %s" % (target, limit, thing)
                )


def declaration_cases():
    one = 'declaration={number:1 full_name:".a" type:"int32"}'
    for options in (
        one,
        'declaration={number:1 full_name:".b" type:"int32"}',
        'declaration={number:1 full_name:".a" type:"string"}',
        'declaration={number:1 full_name:".a" type:"int32" repeated:true}',
        'declaration={number:1 full_name:".a" type:".M"}',
        "declaration={number:1 reserved:true}",
        'declaration={number:2 full_name:".a" type:"int32"}',
        'declaration={number:1 full_name:"a" type:"int32"}',
        'declaration={number:1 full_name:".a" type:"M"}',
        'declaration={number:99 full_name:".a" type:"int32"}',
        'declaration={number:1 full_name:".a"}',
        'declaration={number:1 type:"int32"}',
        'declaration={full_name:".a" type:"int32"}',
        one + ',declaration={number:1 full_name:".c" type:"int32"}',
        one + ',declaration={number:2 full_name:".a" type:"int32"}',
        one + ",verification=UNVERIFIED",
        one + ",verification=DECLARATION",
        "verification=DECLARATION",
        "verification=UNVERIFIED",
        'declaration={number:1 full_name:".a..b" type:"int32"}',
        'declaration={number:1 full_name:".a" type:"nope"}',
    ):
        for extension in ("@O@ int32 a = 1;", "repeated int32 a = 1;", "@O@ M a = 1;"):
            yield "message M { extensions 1 to 9 [%s]; } extend M { %s }" % (options, extension)
        yield "message M { extensions 1 to 9 [%s]; }" % options
        yield "message M { extensions 1 to 9, 20 to 30 [%s]; }" % options


def cases():
    seen = set()
    for make in (
        field_cases,
        number_cases,
        name_cases,
        option_cases,
        declaration_cases,
        lambda: lines_of(STATEMENTS),
        lambda: ("message M { %s }" % member for member in lines_of(MEMBERS)),
    ):
        for case in make():
            for syntax, head in HEADS.items():
                text = head + " " + case.replace("@O@", "optional" if syntax.startswith("proto") else "")
                if text not in seen:
                    seen.add(text)
                    yield text


# What protoc takes and connect_gen does not, for a reason.
REFUSED_BY_US = {
    "its struct would have": "a limit of connect_type_t",
    "cannot be the name of a file": "it leaves its folder",
    'of the option\'s value, found "#"': "protoc takes what follows for a comment, and silently loses it",
}


class AgainstProtoc(Case):
    def verdicts(self, text):
        """Whether each accepts it, and what connect_gen says."""
        self.write("self.proto", text.encode("utf-8", "surrogateescape"))
        log = os.open(os.path.join(self.folder, "log"), os.O_RDWR | os.O_CREAT | os.O_TRUNC)
        kept = os.dup(2)
        os.dup2(log, 2)
        try:
            theirs = protoc.main(
                ["protoc", "-I" + self.folder, "-I" + PROTOS, "--descriptor_set_out=/dev/null", "self.proto"]
            )
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            os.close(log)
        ours = subprocess.run(
            [GENERATOR, "--descriptor_set_out=set.pb", "self.proto"], cwd=self.folder, capture_output=True, timeout=30
        )
        said = ours.stderr.decode(errors="replace")
        self.assertIn(ours.returncode, (0, 1), "%s\n%s" % (text, said))
        if ours.returncode == 1:
            self.assertRegex(said, r"(?m)^(self\.proto:\d+:\d+: error: |connect_gen: error: )\S")
        return theirs == 0, ours.returncode == 0, said

    def compare(self, texts):
        wrong = []
        for text in texts:
            theirs, ours, said = self.verdicts(text)
            if theirs == ours or (theirs and any(part in said for part in REFUSED_BY_US)):
                continue
            with open(os.path.join(self.folder, "log"), errors="replace") as file:
                wrong.append("%r\n  protoc: %s\n  connect_gen: %s" % (text, file.read()[:300], said[:300]))
        self.assertFalse(wrong, "%d verdicts differ:\n%s" % (len(wrong), "\n".join(wrong[:20])))

    def test_cases(self):
        texts = list(cases())
        self.assertGreater(len(texts), 20000)
        if SAMPLE != "all":
            texts = random.Random(20250101).sample(texts, int(SAMPLE))
        self.compare(texts)

    def test_changed_tokens(self):
        """Good files with a token dropped, doubled, swapped, or replaced by one from elsewhere."""
        chance = random.Random(20250102)
        token = re.compile(r"\"(?:[^\"\\\n]|\\.)*\"|'(?:[^'\\\n]|\\.)*'|//[^\n]*|/\*.*?\*/|[\w.]+|\s+|.", re.DOTALL)
        files = []
        for name in good_files():
            with open(os.path.join(GOOD, name), encoding="utf-8") as file:
                files.append(token.findall(file.read()))
            if os.path.dirname(name):
                self.write(name, "".join(files[-1]))
        for name in ("legacy.proto", "shared/base.proto"):
            with open(os.path.join(GOOD, name), "rb") as file:
                self.write(name, file.read())
        pool = [part for parts in files for part in parts if part.strip()]
        texts = []
        for _ in range(400 if SAMPLE != "all" else 6000):
            parts = list(chance.choice(files))
            at = chance.choice([i for i, part in enumerate(parts) if part.strip()] or [0])
            change = chance.randrange(4)
            if change == 0:
                del parts[at : at + 1]
            elif change == 1:
                parts[at:at] = [parts[at] if parts else ";", " "]
            elif change == 2 and parts:
                parts[at] = chance.choice(pool)
            else:
                parts.insert(at, " %s " % chance.choice(pool))
            texts.append("".join(parts))
        self.compare(texts)


if __name__ == "__main__":
    unittest.main()
