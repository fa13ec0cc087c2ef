/* From protobuf names to C names. The rules, which users read in docs/generator.md:

   1. A message, enum, enum value, service: its full name with `_` for each dot. A method: Service_Method. A file: the
      package and the stem of its name (acme_telemetry_v1_telemetry), in capitals for the include guard. From the full
      name --strip-package takes the package or a part of it, and --prefix comes in front; not for google.protobuf,
      whose headers everybody shares.
   2. What begins with connect_, CONNECT_, cn_ or CN_ gets pb_ in front: these names belong to the library.
   3. A name that is a keyword of C or C++, a macro or a common name of libc, gets a `_` at its end. Without a package
      that also holds for the names of parameters in generated functions. Members of structs: keywords and macros
      only.
   4. From each name others are derived: X_type, X_list, X_enum, X_extension, S_handlers ... If one of these is
      taken, the name gets a `_` at its end, and another, until all are free. Who comes first keeps its name: built-
      in files, then imports before what imports them, inputs by name; in a file types, then enum values,
      extensions, services, methods, the file; each in order. A changed name is told by a warning.
   5. Members: fields keep their names if rule 3 lets them; then has_x, x_case, unknown_fields and what rule 3 changed
      get `_` at the end while they are taken. A field named as a C type of its own message gets `_`, too (C++ wants
      that).

   The result depends on nothing but the set of files, so it is the same in every run over them. */
#include "gen/names.h"
#include "gen/wellknown.h"

typedef struct gen_names_t {
    gen_context_t *ctx;
    const gen_style_t *style;
    gen_map_t taken;
} gen_names_t;

/* Sorted by no rule: searched in turn, through a space in front and behind. */
static const char *const gen_names_keywords[] = {
    " auto break case char const continue default do double else enum extern float for goto if inline int long "
    "register "
    "restrict return short signed sizeof static struct switch typedef union unsigned void volatile while _Alignas "
    "_Alignof _Atomic _Bool _Complex _Generic _Imaginary _Noreturn _Static_assert _Thread_local _Pragma asm fortran "
    "typeof typeof_unqual ",
    " alignas alignof and and_eq bitand bitor bool catch char8_t char16_t char32_t class co_await co_return co_yield "
    "compl "
    "concept const_cast consteval constexpr constinit decltype delete dynamic_cast explicit export false friend "
    "mutable "
    "namespace new noexcept not not_eq nullptr operator or or_eq private protected public reinterpret_cast requires "
    "static_assert static_cast template this thread_local throw true try typeid typename using virtual wchar_t xor "
    "xor_eq final override import module ",
    " int8_t int16_t int32_t int64_t uint8_t uint16_t uint32_t uint64_t intptr_t uintptr_t size_t ssize_t ptrdiff_t ",
};
static const char *const gen_names_macros[] = {
    " NULL EOF errno stdin stdout stderr assert offsetof va_arg va_copy va_end va_start va_list setjmp unix linux i386 "
    "arm "
    "mips sparc sun hpux sgi vax pdp11 major minor makedev signbit isnan isinf isfinite isnormal fpclassify isgreater "
    "isgreaterequal isless islessequal islessgreater isunordered NAN INFINITY HUGE_VAL HUGE_VALF HUGE_VALL complex "
    "imaginary I noreturn BUFSIZ FILENAME_MAX FOPEN_MAX L_tmpnam TMP_MAX SEEK_SET SEEK_CUR SEEK_END EXIT_SUCCESS "
    "EXIT_FAILURE RAND_MAX MB_CUR_MAX CLOCKS_PER_SEC TRUE FALSE BOOL DOMAIN OVERFLOW UNDERFLOW SING PLOSS TLOSS ",
    " CHAR_BIT CHAR_MAX CHAR_MIN INT_MAX INT_MIN LONG_MAX LONG_MIN LLONG_MAX LLONG_MIN SHRT_MAX SHRT_MIN SCHAR_MAX "
    "SCHAR_MIN UCHAR_MAX UINT_MAX ULONG_MAX ULLONG_MAX USHRT_MAX SSIZE_MAX PATH_MAX NAME_MAX PIPE_BUF IOV_MAX OPEN_MAX "
    "ARG_MAX PAGE_SIZE INT8_MAX INT8_MIN INT16_MAX INT16_MIN INT32_MAX INT32_MIN INT64_MAX INT64_MIN UINT8_MAX "
    "UINT16_MAX UINT32_MAX UINT64_MAX SIZE_MAX PTRDIFF_MAX PTRDIFF_MIN INTPTR_MAX UINTPTR_MAX WCHAR_MAX WCHAR_MIN ",
    " st_atime st_mtime st_ctime s6_addr s6_addr16 s6_addr32 h_addr h_errno math_errhandling sa_handler sa_sigaction "
    "si_addr si_addr_lsb si_arch si_band si_call_addr si_fd si_int si_lower si_overrun si_pid si_pkey si_ptr si_status "
    "si_stime si_syscall si_timerid si_uid si_upper si_utime si_value sigmask sigev_notify_attributes "
    "sigev_notify_function sched_priority d_fileno ifa_broadaddr ifa_dstaddr ifc_buf ifc_req ifr_addr ifr_bandwidth "
    "ifr_broadaddr ifr_data ifr_dstaddr ifr_flags ifr_hwaddr ifr_ifindex ifr_map ifr_metric ifr_mtu ifr_name "
    "ifr_netmask ifr_newname ifr_qlen ifr_slave ",
    " O_RDONLY O_WRONLY O_RDWR O_CREAT O_EXCL O_APPEND O_TRUNC O_NONBLOCK F_OK R_OK W_OK X_OK AF_INET AF_INET6 AF_UNIX "
    "AF_UNSPEC SOCK_STREAM SOCK_DGRAM SOCK_RAW IPPROTO_IP IPPROTO_IPV6 IPPROTO_ICMP IPPROTO_TCP IPPROTO_UDP "
    "IPPROTO_RAW "
    "SHUT_RD SHUT_WR SHUT_RDWR MSG_PEEK NI_MAXHOST INADDR_ANY INADDR_NONE TCP_ESTABLISHED TCP_SYN_SENT TCP_SYN_RECV "
    "TCP_FIN_WAIT1 TCP_FIN_WAIT2 TCP_TIME_WAIT TCP_CLOSE TCP_CLOSE_WAIT TCP_LAST_ACK TCP_LISTEN TCP_CLOSING "
    "TCP_NODELAY "
    "HOST_NOT_FOUND NO_ADDRESS NO_DATA NO_RECOVERY TRY_AGAIN LOCK_SH LOCK_EX LOCK_UN LOG_EMERG LOG_ALERT LOG_CRIT "
    "LOG_ERR LOG_WARNING LOG_NOTICE LOG_INFO LOG_DEBUG LOG_USER LOG_KERN LOG_MAIL LOG_DAEMON LOG_AUTH SCHED_FIFO "
    "SCHED_RR SCHED_OTHER PROT_NONE PROT_READ PROT_WRITE PROT_EXEC MAP_SHARED MAP_PRIVATE CLOCK_REALTIME "
    "CLOCK_MONOTONIC POLLIN POLLOUT POLLERR POLLHUP POLL_IN POLL_OUT POLL_ERR POLL_HUP BIG_ENDIAN LITTLE_ENDIAN "
    "PDP_ENDIAN BYTE_ORDER STDIN_FILENO STDOUT_FILENO STDERR_FILENO NSIG HZ NODEV CS DS ES FS GS SS M_PI M_E LC_ALL "
    "FAR NEAR DEBUG NDEBUG ERROR __FILE__ __LINE__ __func__ interface near far min max ",
};
static const char *const gen_names_others[] = {
    /* at file scope only */
    " FILE DIR abort abs accept access alarm atexit atof atoi atol basename bind bsearch calloc chdir chmod chown "
    "clock "
    "close connect creat ctime daemon difftime dirname div dup dup2 environ exec execl execv execve exit exp fabs "
    "fchmod "
    "fclose fcntl feof ferror fflush fgets floor fmod fopen fork fputs fread free frexp fsync ftell fwrite getc "
    "getchar "
    "getenv gethostname getpid gets gmtime index ioctl isatty kill labs ldexp link listen localtime log lseek main "
    "malloc memchr memcmp memcpy memmove memset mkdir mktime mmap mount nice open pause perror pipe poll pow printf "
    "putc putchar puts qsort raise rand random read readlink realloc recv remove rename rewind rindex rmdir scanf "
    "select send sendfile setenv shutdown signal sin sleep socket sprintf sqrt srand stat strcat strchr strcmp strcpy "
    "strdup strerror strlen strstr strtok strtol swab symlink sync syscall system tan time timer timespec timeval "
    "times "
    "tm tolower toupper truncate umask uname ungetc unlink usleep utime wait waitpid write y0 y1 yn j0 j1 jn gamma ",
    " arena call cancel client code count done error error_or_null events events_or_null handlers items key message "
    "number options request response response_or_null server slot thunks user value value_or_null ",
};

static bool gen_names_in(const char *const *lists, size_t count, const char *name) {
    char spaced[64];
    size_t i;
    if (strlen(name) > sizeof spaced - 3) return false;
    sprintf(spaced, " %s ", name);
    for (i = 0; i < count; i++) {
        if (strstr(lists[i], spaced)) return true;
    }
    return false;
}

/* Names like those of errno.h and signal.h: EINVAL, SIGINT. */
static bool gen_names_errno_like(const char *name) {
    size_t skip = strncmp(name, "SIG", 3) == 0 ? 3 : name[0] == 'E' ? 1 : 0;
    const char *at = name + skip;
    if (!skip || !*at) return false;
    while ((*at >= 'A' && *at <= 'Z') || (*at >= '0' && *at <= '9'))
        at++;
    return !*at && strlen(name) <= 16;
}

static bool gen_names_is_special(const char *name) {
    return gen_names_in(gen_names_keywords, GEN_LEN(gen_names_keywords), name) ||
        gen_names_in(gen_names_macros, GEN_LEN(gen_names_macros), name) || gen_names_errno_like(name) ||
        (name[0] == '_' && name[1] == '_');
}

/* Whether a package is another, or below it. */
static bool gen_names_is_below(const char *package, const char *outer) {
    const size_t len = strlen(outer);
    return strncmp(package, outer, len) == 0 && (!package[len] || package[len] == '.');
}

/* The user's wishes are not for the packages that everybody shares. */
static bool gen_names_is_shared(const gen_file_t *file) {
    return gen_names_is_below(file->package, "google.protobuf");
}

/* A full name as the user wants it: with less of the package in front, and a prefix. */
static const char *gen_names_styled(gen_names_t *names, const gen_file_t *file, const char *full_name) {
    const gen_style_t *style = names->style;
    size_t i, stripped = 0;
    if (gen_names_is_shared(file)) return full_name;
    for (i = 0; i < style->strip_count; i++) {
        const char *package = *style->strip[i] ? style->strip[i] : file->package;
        if (*package && gen_names_is_below(file->package, package) && strlen(package) + 1 > stripped)
            stripped = strlen(package) + 1;
    }
    return gen_source_printf(names->ctx, "%s%s", style->prefix, full_name + stripped);
}

static const char *gen_names_base(gen_names_t *names, const gen_file_t *file, const char *full_name) {
    static const char *const ours[] = {"connect_", "CONNECT_", "cn_", "CN_"};
    char *base;
    char *at;
    size_t i;
    full_name = gen_names_styled(names, file, full_name);
    base = CONNECT_NEW(&names->ctx->arena, char, strlen(full_name) + 2);
    strcpy(base, full_name);
    for (at = base; *at; at++) {
        if (*at == '.') *at = '_';
    }
    for (i = 0; i < GEN_LEN(ours); i++) {
        if (strncmp(base, ours[i], strlen(ours[i])) == 0) return gen_source_printf(names->ctx, "pb_%s", base);
    }
    if (gen_names_is_special(base) || gen_names_in(gen_names_others, GEN_LEN(gen_names_others), base))
        strcat(base, "_");
    return base;
}

/* Takes base with all suffixes ("|_type|_list|" has three), after as many `_` as it needs. what: "message a.B". */
static const char *gen_names_take(
    gen_names_t *names, const char *base, const char *suffixes, gen_at_t at, const char *what) {
    const char *wanted = base;
    for (;;) {
        const char *suffix, *taken_by = NULL;
        for (suffix = suffixes; suffix[1] || suffix == suffixes;) {
            const char *end = strchr(suffix + 1, '|');
            const char *name = gen_source_printf(names->ctx, "%s%.*s", base, (int)(end - suffix - 1), suffix + 1);
            taken_by = gen_map_get(&names->taken, name);
            if (taken_by) {
                gen_source_warn(names->ctx, at, "\"%s\", the C name of %s, is taken by %s: it becomes \"%s_\"", wanted,
                    what, taken_by, base);
                break;
            }
            suffix = end;
        }
        if (!taken_by) break;
        base = gen_source_printf(names->ctx, "%s_", base);
    }
    for (;;) {
        const char *end = strchr(suffixes + 1, '|');
        char *owner = CONNECT_NEW(&names->ctx->arena, char, strlen(what) + 1);
        strcpy(owner, what);
        gen_map_put(names->ctx, &names->taken,
            gen_source_printf(names->ctx, "%s%.*s", base, (int)(end - suffixes - 1), suffixes + 1), owner);
        suffixes = end;
        if (!suffixes[1]) break;
    }
    return base;
}

/* ---- Members ---- */

static bool gen_names_type_like(const gen_type_t *type, const char *name) {
    const gen_field_t *field;
    size_t len = strlen(name);
    if (strncmp(name, "connect_", 8) == 0 && len > 2 && strcmp(name + len - 2, "_t") == 0) return true;
    for (field = type->fields.first; field; field = field->next) {
        const char *c_type = field->type ? field->type->c_name : NULL;
        if (!c_type || strncmp(c_type, name, strlen(c_type)) != 0) continue;
        if (strlen(c_type) == len || strcmp(name + strlen(c_type), "_list") == 0) return true;
    }
    return strcmp(type->c_name, name) == 0;
}

/* A name that no other member has; type_or_null: whose members these are. */
static const char *gen_names_member(
    gen_names_t *names, gen_map_t *members, const gen_type_t *type_or_null, const char *wanted) {
    const char *name = wanted;
    while (gen_map_get(members, name) || (type_or_null && gen_names_type_like(type_or_null, name))) {
        name = gen_source_printf(names->ctx, "%s_", name);
    }
    gen_map_put(names->ctx, members, name, members);
    return name;
}

static void gen_names_members(gen_names_t *names, gen_type_t *type) {
    gen_map_t members;
    gen_field_t *field;
    gen_oneof_t *oneof;
    memset(&members, 0, sizeof members);
    for (field = type->fields.first; field; field = field->next) {
        if (gen_names_is_special(field->name) || gen_names_type_like(type, field->name)) continue;
        field->c_name = gen_names_member(names, &members, type, field->name);
    }
    for (field = type->fields.first; field; field = field->next) {
        if (!field->c_name) {
            field->c_name = gen_names_member(names, &members, type, gen_source_printf(names->ctx, "%s_", field->name));
        }
    }
    for (oneof = type->oneofs.first; oneof; oneof = oneof->next) {
        bool special = gen_names_is_special(oneof->name) || gen_names_type_like(type, oneof->name);
        if (oneof->synthetic) continue;
        oneof->c_name = gen_names_member(
            names, &members, type, gen_source_printf(names->ctx, "%s%s", oneof->name, special ? "_" : ""));
        oneof->c_case = gen_names_member(names, &members, type, gen_source_printf(names->ctx, "%s_case", oneof->name));
    }
    for (field = type->fields.first; field; field = field->next) {
        if (field->has) {
            field->c_has =
                gen_names_member(names, &members, type, gen_source_printf(names->ctx, "has_%s", field->name));
        }
    }
    type->c_unknown = gen_names_member(names, &members, type, "unknown_fields");
}

/* ---- File scope ---- */

static void gen_names_enum(gen_names_t *names, gen_enum_t *enumeration) {
    enumeration->c_name = gen_names_take(names, gen_names_base(names, enumeration->file, enumeration->full_name),
        "||_enum|_values|_names|_name|", enumeration->at,
        gen_source_printf(names->ctx, "enum %s", enumeration->full_name));
}

static void gen_names_types(gen_names_t *names, gen_type_t *type) {
    gen_type_t *inner;
    gen_enum_t *enumeration;
    const gen_wellknown_t *wellknown = gen_wellknown_find(type->full_name);
    const char *suffixes = "||_type|_list|_init|_fields|_types|_enums|_defaults|_names|_slots|_fits|";
    if (wellknown) suffixes = gen_source_printf(names->ctx, "%s%s", suffixes, wellknown->helpers);
    type->c_name = gen_names_take(names, gen_names_base(names, type->file, type->full_name), suffixes, type->at,
        gen_source_printf(names->ctx, "message %s", type->full_name));
    type->keeps_unknown = !type->is_map_entry &&
        (!names->style->drop_unknown || type->extension_ranges.first || gen_names_is_shared(type->file));
    for (enumeration = type->enums.first; enumeration; enumeration = enumeration->next) {
        gen_names_enum(names, enumeration);
    }
    for (inner = type->types.first; inner; inner = inner->next)
        gen_names_types(names, inner);
}

static void gen_names_holder(gen_names_t *names, gen_type_t *holder) {
    gen_field_t *value = holder->fields.first;
    holder->c_name = gen_names_take(names, gen_names_base(names, holder->file, holder->full_name),
        "||_type|_get|_set|_fields|_types|_enums|_defaults|_names|_slots|_fits|_extension|", holder->at,
        gen_source_printf(names->ctx, "extension %s", holder->full_name));
    value->c_name = "value";
    if (value->has) value->c_has = "has_value";
    holder->c_unknown = "unknown_fields";
    holder->keeps_unknown = !names->style->drop_unknown;
}

static void gen_names_values(gen_names_t *names, gen_enum_t *enumeration) {
    gen_enum_value_t *value;
    for (value = enumeration->values.first; value; value = value->next) {
        value->c_name = gen_names_take(names, gen_names_base(names, enumeration->file, value->full_name), "||",
            value->at, gen_source_printf(names->ctx, "enum value %s", value->full_name));
    }
}

/* What belongs to messages and enums besides themselves. */
static void gen_names_inner(gen_names_t *names, gen_type_t *type) {
    gen_type_t *inner;
    gen_enum_t *enumeration;
    gen_field_t *field;
    gen_oneof_t *oneof;
    for (enumeration = type->enums.first; enumeration; enumeration = enumeration->next) {
        gen_names_values(names, enumeration);
    }
    for (oneof = type->oneofs.first; oneof; oneof = oneof->next) {
        if (oneof->synthetic) continue;
        oneof->c_enum = gen_names_take(names, gen_source_printf(names->ctx, "%s_%s_case", type->c_name, oneof->name),
            "||", oneof->at, gen_source_printf(names->ctx, "the cases of oneof %s", oneof->full_name));
        oneof->c_not_set =
            gen_names_take(names, gen_source_printf(names->ctx, "%s_%s_NOT_SET", type->c_name, oneof->name), "||",
                oneof->at, gen_source_printf(names->ctx, "oneof %s", oneof->full_name));
    }
    for (field = type->fields.first; field; field = field->next) {
        if (field->oneof && !field->oneof->synthetic) {
            field->c_choice = gen_names_take(names,
                gen_source_printf(names->ctx, "%s_%s_%s", type->c_name, field->oneof->name, field->name), "||",
                field->at, gen_source_printf(names->ctx, "field %s", field->full_name));
        }
        if (field->has || field->c_choice) {
            field->c_set = gen_names_take(names, gen_source_printf(names->ctx, "%s_set_%s", type->c_name, field->name),
                "||", field->at, gen_source_printf(names->ctx, "field %s", field->full_name));
        }
        if (field->is_map) {
            field->c_get = gen_names_take(names, gen_source_printf(names->ctx, "%s_%s_get", type->c_name, field->name),
                "||", field->at, gen_source_printf(names->ctx, "field %s", field->full_name));
        }
    }
    gen_names_members(names, type);
    for (inner = type->types.first; inner; inner = inner->next)
        gen_names_inner(names, inner);
}

static void gen_names_service(gen_names_t *names, gen_service_t *service) {
    gen_map_t slots;
    gen_method_t *method;
    memset(&slots, 0, sizeof slots);
    service->c_name = gen_names_take(names, gen_names_base(names, service->file, service->full_name),
        "||_service|_handlers|_serve|_methods|_thunks|_of|", service->at,
        gen_source_printf(names->ctx, "service %s", service->full_name));
    for (method = service->methods.first; method; method = method->next) {
        bool special = gen_names_is_special(method->name);
        method->c_slot = gen_names_member(
            names, &slots, NULL, gen_source_printf(names->ctx, "%s%s", method->name, special ? "_" : ""));
        method->c_name = gen_names_take(names, gen_source_printf(names->ctx, "%s_%s", service->c_name, method->name),
            "||_method|_with|_wait|_wait_with|_finish|_send_response|_send_request|_send_request_wait|_receive_wait|_"
            "done|"
            "_events|_events_of|_slot|_slot_of|_thunks|_on_open|_on_request|_on_message|_on_end|_on_writable|_on_drain|"
            "_on_closed|_client_on_open|_client_on_message|_client_on_writable|_client_on_drain|_client_on_closed|",
            method->at, gen_source_printf(names->ctx, "method %s", method->full_name));
    }
}

/* The package and the stem of a file's name: what of it has no place in a name becomes `_`. */
static char *gen_names_file_base(gen_names_t *names, const gen_file_t *file, const char *stem, size_t stem_len) {
    char *base = CONNECT_NEW(&names->ctx->arena, char, strlen(file->package) + stem_len + 3);
    char *at = base + sprintf(base, "%s%s", file->package, *file->package ? "." : "");
    if (!*file->package && stem_len && *stem >= '0' && *stem <= '9') *at++ = '_';
    for (; stem_len > 0; stem_len--, stem++) {
        const char c = *stem;
        const bool good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        *at++ = good ? c : '_';
    }
    return base;
}

static void gen_names_file_itself(gen_names_t *names, gen_file_t *file) {
    const char *slash = strrchr(file->name, '/'), *stem = slash ? slash + 1 : file->name;
    const size_t len = strlen(file->name), stem_len = strlen(stem);
    const size_t suffix = stem_len > 6 && strcmp(stem + stem_len - 6, ".proto") == 0 ? 6 : 0;
    const char *what = gen_source_printf(names->ctx, "file %s", file->name);
    char *base = gen_names_file_base(names, file, stem, stem_len - suffix), *at;
    const gen_at_t place = {file->source, 0};
    file->header = gen_source_printf(names->ctx, "%.*s.connect.h", (int)(len - suffix), file->name);
    file->c_name = gen_names_take(names, gen_names_base(names, file, base),
        "|_file|_file_bytes|_file_imports|_file_types|_file_enums|_file_extensions|_file_services|", place, what);
    for (at = base; *at; at++) /* the guard is the same whatever the user wants: two headers must not share one */
        *at = *at == '.' ? '_' : *at >= 'a' && *at <= 'z' ? (char)(*at - 'a' + 'A') : *at;
    file->guard = gen_names_take(names, base, "|_CONNECT_H|_CONNECT_DONE|", place, what);
}

static void gen_names_file(gen_names_t *names, gen_file_t *file) {
    gen_type_t *type, *holder;
    gen_enum_t *enumeration;
    gen_service_t *service;
    for (enumeration = file->enums.first; enumeration; enumeration = enumeration->next) {
        gen_names_enum(names, enumeration);
    }
    for (type = file->types.first; type; type = type->next)
        gen_names_types(names, type);
    for (enumeration = file->enums.first; enumeration; enumeration = enumeration->next) {
        gen_names_values(names, enumeration);
    }
    for (type = file->types.first; type; type = type->next)
        gen_names_inner(names, type);
    for (holder = file->holders.first; holder; holder = holder->next)
        gen_names_holder(names, holder);
    for (service = file->services.first; service; service = service->next)
        gen_names_service(names, service);
    gen_names_file_itself(names, file);
}

GEN_PRIVATE void gen_names_model(gen_model_t *model) {
    gen_names_t names;
    gen_file_t *file;
    memset(&names, 0, sizeof names);
    names.ctx = model->ctx;
    names.style = &model->style;
    for (file = model->files.first; file; file = file->next) {
        if (file->built_in) gen_names_file(&names, file);
    }
    for (file = model->files.first; file; file = file->next) {
        if (!file->built_in) gen_names_file(&names, file);
    }
}
