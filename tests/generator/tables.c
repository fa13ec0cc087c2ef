/* Prints what the tables of generated files say, for test_generator.py to compare with protoc's descriptors. It is
   compiled with -DFILES=... (the files' tables) behind the headers, which the test writes into generated_headers.h. */
#include <stdio.h>
#include <string.h>
#define CONNECT_GENERATED_IMPLEMENTATION
#include "generated_headers.h"

static void print_fields(const connect_type_t *type) {
    size_t i;

    for (i = 0; i < type->field_count; i++) {
        const connect_field_t *field = &type->fields[i];
        const char *refers = "";
        if (field->kind == CONNECT_KIND_MESSAGE || field->kind == CONNECT_KIND_GROUP) {
            refers = type->types[field->type]->full_name;
        }
        if (field->kind == CONNECT_KIND_ENUM) refers = type->enums[field->type]->full_name;
        printf("field %u %s %s kind=%u flags=%u [%s]\n", (unsigned)field->number, type->names + field->name,
            type->names + field->json_name, (unsigned)field->kind, (unsigned)field->flags, refers);
        if (field->offset >= type->size || field->presence >= type->size)
            printf("offset of %u is wrong\n", field->number);
    }
}

static void print_type(const connect_type_t *type) {
    printf("type %s entry=%d unknown=%d required=%d form=%d dense=%u\n", type->full_name, type->is_map_entry,
        type->keeps_unknown, type->has_required, type->form, (unsigned)type->dense);
    print_fields(type);
    if (type->keeps_unknown && type->unknown + sizeof(connect_str_list_t) > type->size) printf("unknown is wrong\n");
}

static void print_file(const connect_file_t *file) {
    size_t i, j;
    printf("file %s descriptor=%lu\n", file->name, (unsigned long)file->descriptor.len);
    for (i = 0; i < file->imports.count; i++)
        printf("import %s\n", file->imports.items[i]->name);
    for (i = 0; i < file->enums.count; i++) {
        const connect_enum_t *enumeration = file->enums.items[i];
        printf("enum %s closed=%d\n", enumeration->full_name, enumeration->closed);
        for (j = 0; j < enumeration->count; j++) {
            printf("value %ld %s\n", (long)enumeration->values[j].number,
                enumeration->names + enumeration->values[j].name);
        }
    }
    for (i = 0; i < file->types.count; i++)
        print_type(file->types.items[i]);
    for (i = 0; i < file->extensions.count; i++) {
        const connect_extension_t *extension = file->extensions.items[i];
        printf("extension %s of %s\n", extension->holder->full_name, extension->extendee->full_name);
        print_fields(extension->holder);
    }
    for (i = 0; i < file->services.count; i++) {
        const connect_service_t *service = file->services.items[i];
        printf("service %s\n", service->full_name);
        for (j = 0; j < service->method_count; j++) {
            const connect_method_t *method = service->methods[j];
            printf("method %s %s %s kind=%d idempotency=%d\n", method->path, method->input->full_name,
                method->output->full_name, (int)method->kind, (int)method->idempotency);
        }
    }
}

int main(void) {
    static const connect_file_t *const files[] = {FILES};
    size_t i;
    for (i = 0; i < sizeof files / sizeof *files; i++)
        print_file(files[i]);
    return 0;
}
