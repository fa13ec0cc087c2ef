/* The command line, and a plugin's parameter, by one table of options: `--name value`, `--name=value`, `-Ivalue`, what
   has no value alone; in a parameter `name=value,name`. Options of what is generated are for both, those of where it
   comes from and goes to only for the command line: protoc and buf have their own.

   Exit status 2 after a wrong command line. */
#include "gen/command.h"

typedef enum gen_command_id_t {
    GEN_COMMAND_FOLDER,
    GEN_COMMAND_OUT,
    GEN_COMMAND_SET_IN,
    GEN_COMMAND_SET_OUT,
    GEN_COMMAND_IMPORTS,
    GEN_COMMAND_DEPFILE,
    GEN_COMMAND_PREFIX,
    GEN_COMMAND_STRIP,
    GEN_COMMAND_DROP_UNKNOWN,
    GEN_COMMAND_HELP,
    GEN_COMMAND_VERSION
} gen_command_id_t;
typedef enum gen_command_value_t {
    GEN_COMMAND_NO_VALUE,
    GEN_COMMAND_VALUE,
    GEN_COMMAND_MAYBE_VALUE
} gen_command_value_t;
typedef struct gen_command_option_t {
    gen_command_id_t id;
    const char *name;
    gen_command_value_t value;
    bool of_style; /* and so a plugin's, too */
} gen_command_option_t;

static const gen_command_option_t gen_command_options[] = {
    {GEN_COMMAND_FOLDER, "-I", GEN_COMMAND_VALUE, false},
    {GEN_COMMAND_FOLDER, "--proto_path", GEN_COMMAND_VALUE, false},
    {GEN_COMMAND_OUT, "--out", GEN_COMMAND_VALUE, false},
    {GEN_COMMAND_SET_IN, "--descriptor_set_in", GEN_COMMAND_VALUE, false},
    {GEN_COMMAND_SET_OUT, "--descriptor_set_out", GEN_COMMAND_VALUE, false},
    {GEN_COMMAND_IMPORTS, "--include_imports", GEN_COMMAND_NO_VALUE, false},
    {GEN_COMMAND_DEPFILE, "--depfile", GEN_COMMAND_VALUE, false},
    {GEN_COMMAND_PREFIX, "--prefix", GEN_COMMAND_VALUE, true},
    {GEN_COMMAND_STRIP, "--strip-package", GEN_COMMAND_MAYBE_VALUE, true},
    {GEN_COMMAND_DROP_UNKNOWN, "--drop-unknown", GEN_COMMAND_NO_VALUE, true},
    {GEN_COMMAND_HELP, "--help", GEN_COMMAND_NO_VALUE, false},
    {GEN_COMMAND_HELP, "-h", GEN_COMMAND_NO_VALUE, false},
    {GEN_COMMAND_VERSION, "--version", GEN_COMMAND_NO_VALUE, false},
};

static const char gen_command_help[] =
    "Usage: connect_gen [-I FOLDER]... [--out FOLDER] [OPTION]... FILE.proto...\n"
    "       protoc --connect-c_out=FOLDER [--connect-c_opt=OPTION,...] FILE.proto...\n"
    "\n"
    "Makes a C header, FILE.connect.h, for connect.h from each .proto file, and one for each well-known type they\n"
    "use. Under the name protoc-gen-connect-c it is a plugin of protoc and buf.\n"
    "\n"
    "What is read:\n"
    "  -I FOLDER, --proto_path FOLDER\n"
    "                where imports are looked for, and what the names of files are relative to; several are looked\n"
    "                through in their order. Default: the current folder. The well-known types\n"
    "                (google/protobuf/*.proto) are built in.\n"
    "  --descriptor_set_in FILE\n"
    "                a google.protobuf.FileDescriptorSet; files are looked for in it first, and then in folders only\n"
    "                if -I names them\n"
    "\n"
    "What is written:\n"
    "  --out FOLDER  where the headers go; folders are made as needed. Default: the current folder\n"
    "  --descriptor_set_out FILE\n"
    "                a google.protobuf.FileDescriptorSet of the files; then headers only if --out is there, too\n"
    "  --include_imports\n"
    "                puts into that set all that the files import, too\n"
    "  --depfile FILE\n"
    "                a rule for make and ninja: what was written depends on what was read\n"
    "\n"
    "How it is written; a plugin has these, too, without the --:\n"
    "  --strip-package[=PACKAGE]\n"
    "                leaves the package out of C names; with a value, only that part of packages below it\n"
    "  --prefix TEXT puts TEXT in front of C names, behind which the package comes, unless it is stripped\n"
    "  --drop-unknown\n"
    "                structs without unknown_fields: what a schema does not know is lost, and structs are smaller.\n"
    "                Messages with extensions keep theirs: extensions are in it\n"
    "  What is in google.protobuf keeps its names and fields whatever is said: its headers are shared.\n"
    "\n"
    "  --help, --version\n"
    "\n"
    "Exit status: 0; 1: a file is wrong or cannot be read or written, nothing was written; 2: wrong command line.\n";

static void gen_command_wrong(gen_context_t *ctx, const char *what, const char *option) {
    const gen_at_t nowhere = {NULL, 0};
    gen_source_error(ctx, nowhere, "%s%s%s%s", what, option ? " \"" : "", option ? option : "", option ? "\"" : "");
}

static bool gen_command_is_name(const char *text, bool dots) {
    const char *at = text;
    for (; *at; at++) {
        const bool letter = (*at >= 'a' && *at <= 'z') || (*at >= 'A' && *at <= 'Z') || *at == '_';
        const bool inside = at > text && at[-1] != '.';
        if (!letter && !(inside && ((*at >= '0' && *at <= '9') || (dots && *at == '.' && at[1])))) return false;
    }
    return at > text && at - text <= 256;
}

/* Returns -1 to go on, or the exit status. */
static int gen_command_apply(
    gen_context_t *ctx, gen_command_t *command, const gen_command_option_t *option, const char *value) {
    if (option->value == GEN_COMMAND_VALUE && !*value) {
        gen_command_wrong(ctx, "this option needs a value:", option->name);
        return 2;
    }
    switch (option->id) {
    case GEN_COMMAND_FOLDER: command->folders[command->folder_count++] = value; break;
    case GEN_COMMAND_OUT: command->out = value; break;
    case GEN_COMMAND_SET_IN: command->sets[command->set_count++] = value; break;
    case GEN_COMMAND_SET_OUT: command->set_out = value; break;
    case GEN_COMMAND_IMPORTS: command->include_imports = true; break;
    case GEN_COMMAND_DEPFILE: command->depfile = value; break;
    case GEN_COMMAND_PREFIX:
        command->style.prefix = value;
        if (gen_command_is_name(value, false)) break;
        gen_command_wrong(ctx, "--prefix must be the beginning of a C name, and not", value);
        return 2;
    case GEN_COMMAND_STRIP:
        command->style.strip[command->style.strip_count++] = value;
        if (!*value || gen_command_is_name(value, true)) break;
        gen_command_wrong(ctx, "--strip-package must be the name of a package, and not", value);
        return 2;
    case GEN_COMMAND_DROP_UNKNOWN: command->style.drop_unknown = true; break;
    case GEN_COMMAND_HELP: fputs(gen_command_help, stdout); return 0;
    case GEN_COMMAND_VERSION: printf("connect_gen %s\n", CONNECT_VERSION_STRING); return 0;
    default: break;
    }
    return -1;
}

static void gen_command_begin(gen_context_t *ctx, gen_command_t *command, size_t words) {
    memset(command, 0, sizeof *command);
    command->folders = CONNECT_NEW(&ctx->arena, const char *, words + 1);
    command->inputs = CONNECT_NEW(&ctx->arena, const char *, words + 1);
    command->sets = CONNECT_NEW(&ctx->arena, const char *, words + 1);
    command->style.strip = CONNECT_NEW(&ctx->arena, const char *, words + 1);
    command->style.prefix = "";
}

/* The option of an argument, and its value if it is in the same; NULL: there is no such. */
static const gen_command_option_t *gen_command_find(const char *argument, const char **value) {
    size_t i;
    for (i = 0; i < GEN_LEN(gen_command_options); i++) {
        const gen_command_option_t *option = &gen_command_options[i];
        const size_t len = strlen(option->name);
        if (strncmp(argument, option->name, len) != 0) continue;
        *value = argument[len] == '=' ? argument + len + 1 : NULL;
        if (!argument[len] || (*value && option->value != GEN_COMMAND_NO_VALUE)) return option;
        if (option->id == GEN_COMMAND_FOLDER && len == 2) {
            *value = argument + len;
            return option;
        }
    }
    return NULL;
}

GEN_PRIVATE int gen_command_line(gen_context_t *ctx, gen_command_t *command, int argc, char **argv) {
    bool only_files = false;
    int i, status = -1;
    gen_command_begin(ctx, command, (size_t)argc);
    for (i = 1; i < argc && status < 0; i++) {
        const gen_command_option_t *option;
        const char *value = NULL;
        if (only_files || argv[i][0] != '-' || !argv[i][1]) {
            command->inputs[command->input_count++] = argv[i];
            continue;
        }
        if (strcmp(argv[i], "--") == 0) {
            only_files = true;
            continue;
        }
        option = gen_command_find(argv[i], &value);
        if (!option) {
            gen_command_wrong(ctx, "unknown option", argv[i]);
            return 2;
        }
        if (!value && option->value == GEN_COMMAND_VALUE && i + 1 < argc) value = argv[++i];
        status = gen_command_apply(ctx, command, option, value ? value : "");
    }
    if (status >= 0) return status;
    if (!command->input_count) {
        gen_command_wrong(ctx, "no .proto file was named", NULL);
        return 2;
    }
    if (!command->out && !command->set_out) command->out = ".";
    if (!command->folder_count && !command->set_count) command->folders[command->folder_count++] = ".";
    return -1;
}

GEN_PRIVATE bool gen_command_parameter(gen_context_t *ctx, gen_command_t *command, const char *parameter) {
    gen_command_begin(ctx, command, strlen(parameter));
    while (*parameter) {
        const size_t len = strcspn(parameter, ",");
        const connect_str_t word = {parameter, len};
        const char *value = NULL, *name = gen_source_copy(ctx, word);
        const gen_command_option_t *option = gen_command_find(gen_source_printf(ctx, "--%s", name), &value);
        parameter += len + (parameter[len] == ',');
        if (!len) continue;
        if (!option || !option->of_style) {
            gen_command_wrong(
                ctx, "unknown option; a plugin has strip-package, prefix and drop-unknown, and not", name);
            return false;
        }
        if (gen_command_apply(ctx, command, option, value ? value : "") >= 0) return false;
    }
    return true;
}
