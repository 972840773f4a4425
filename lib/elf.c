/* SPDX-License-Identifier: MIT */
/*
 * A reader of ELF images.
 *
 * All reads go through elf_read(), which copies from the image after checking
 * the range; so nothing depends on alignment, and no table is trusted because
 * another one names it.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <lib/elf.h>
#include <lib/macros.h>
#include <lib/string.h>

/* Where a header's ident has what. */
#define ELF_IDENT_CLASS   4
#define ELF_IDENT_DATA    5
#define ELF_IDENT_VERSION 6

/* A range of the image that has been checked. */
struct elf_table {
    const char *data;
    size_t size;
};

static bool
elf_is_inside(const struct elf_image *image, uint64_t offset, uint64_t size)
{
    return offset <= image->size && size <= image->size - offset;
}

/* Copy from the image to @object. */
static bool
elf_read(const struct elf_image *image, uint64_t offset, void *object,
         size_t size)
{
    if (!elf_is_inside(image, offset, size)) {
        return false;
    }
    memcpy(object, image->data + offset, size);
    return true;
}

static status_t
elf_check_header(const struct elf_image *image)
{
    const struct elf_header *header = &image->header;
    uint64_t table_size = (uint64_t)header->nr_segments *
                          sizeof(struct elf_segment);

    if (memcmp(header->ident, ELF_MAGIC, 4) != 0) {
        return ERR_FORMAT;
    }
    if (header->ident[ELF_IDENT_CLASS] != ELF_CLASS_64 ||
        header->ident[ELF_IDENT_DATA] != ELF_DATA_LSB ||
        header->ident[ELF_IDENT_VERSION] != ELF_VERSION ||
        header->version != ELF_VERSION || header->machine != ELF_MACHINE_X86) {
        return ERR_UNSUPPORTED;
    }
    if (header->type != ELF_TYPE_EXEC && header->type != ELF_TYPE_DYN) {
        return ERR_UNSUPPORTED;
    }
    if (header->nr_segments != 0 &&
        header->segment_entry_size != sizeof(struct elf_segment)) {
        return ERR_FORMAT;
    }
    if (!elf_is_inside(image, header->segment_offset, table_size)) {
        return ERR_TRUNCATED;
    }
    return OK;
}

static status_t
elf_check_segment(const struct elf_image *image,
                  const struct elf_segment *segment)
{
    uint64_t end;

    if (!elf_is_inside(image, segment->offset, segment->file_size)) {
        return ERR_TRUNCATED;
    }
    if (segment->type != ELF_SEGMENT_LOAD) {
        return OK;
    }

    if (segment->file_size > segment->mem_size ||
        __builtin_add_overflow(segment->vaddr, segment->mem_size, &end)) {
        return ERR_FORMAT;
    }
    if (segment->align > 1 &&
        (!IS_POWER_OF_2(segment->align) ||
         !IS_ALIGNED(segment->vaddr - segment->offset, segment->align))) {
        return ERR_FORMAT;
    }
    return OK;
}

status_t
elf_open(struct elf_image *image, const void *data, size_t size)
{
    struct elf_image opened = { .data = data, .size = size };
    struct elf_segment segment;
    unsigned int cursor = 0;
    status_t status;

    if (!elf_read(&opened, 0, &opened.header, sizeof(opened.header))) {
        return ERR_TRUNCATED;
    }
    status = elf_check_header(&opened);
    if (status != OK) {
        return status;
    }
    while (elf_next_segment(&opened, &cursor, &segment)) {
        status = elf_check_segment(&opened, &segment);
        if (status != OK) {
            return status;
        }
    }

    *image = opened;
    return OK;
}

uint64_t
elf_entry(const struct elf_image *image)
{
    return image->header.entry;
}

bool
elf_next_segment(const struct elf_image *image, unsigned int *cursor,
                 struct elf_segment *segment)
{
    uint64_t offset;

    if (*cursor >= image->header.nr_segments) {
        return false;
    }

    offset = image->header.segment_offset + *cursor * sizeof(*segment);
    (*cursor)++;
    return elf_read(image, offset, segment, sizeof(*segment));
}

bool
elf_next_load(const struct elf_image *image, unsigned int *cursor,
              struct elf_segment *segment)
{
    struct elf_segment next;

    while (elf_next_segment(image, cursor, &next)) {
        if (next.type == ELF_SEGMENT_LOAD) {
            *segment = next;
            return true;
        }
    }
    return false;
}

const void *
elf_segment_data(const struct elf_image *image,
                 const struct elf_segment *segment)
{
    return image->data + segment->offset;
}

/* Read the section with index @index and check where it lies. */
static status_t
elf_read_section(const struct elf_image *image, unsigned int index,
                 struct elf_section *section)
{
    uint64_t offset;

    if (index >= image->header.nr_sections ||
        image->header.section_entry_size != sizeof(*section)) {
        return ERR_FORMAT;
    }
    if (__builtin_add_overflow(image->header.section_offset,
                               index * sizeof(*section), &offset)) {
        return ERR_TRUNCATED;
    }
    if (!elf_read(image, offset, section, sizeof(*section))) {
        return ERR_TRUNCATED;
    }
    if (section->type != ELF_SECTION_NOBITS &&
        !elf_is_inside(image, section->offset, section->size)) {
        return ERR_TRUNCATED;
    }
    return OK;
}

/* Read the string table in the section with index @index. */
static status_t
elf_read_strings(const struct elf_image *image, unsigned int index,
                 struct elf_table *strings)
{
    struct elf_section section;
    status_t status;

    status = elf_read_section(image, index, &section);
    if (status != OK) {
        return status;
    }
    if (section.type != ELF_SECTION_STRTAB) {
        return ERR_FORMAT;
    }

    strings->data = (const char *)image->data + section.offset;
    strings->size = section.size;
    return OK;
}

/* Whether the string at @offset is @name; false too when it is not inside. */
static bool
elf_string_is(const struct elf_table *strings, uint64_t offset,
              const char *name)
{
    size_t size = strlen(name) + 1;

    return offset <= strings->size && size <= strings->size - offset &&
           memcmp(strings->data + offset, name, size) == 0;
}

status_t
elf_find_section(const struct elf_image *image, const char *name,
                 struct elf_section *section)
{
    struct elf_section next;
    struct elf_table names;
    status_t status;

    if (image->header.nr_sections == 0) {
        return ERR_NOT_FOUND;
    }
    status = elf_read_strings(image, image->header.section_names, &names);
    if (status != OK) {
        return status;
    }

    for (unsigned int i = 0; i < image->header.nr_sections; i++) {
        status = elf_read_section(image, i, &next);
        if (status != OK) {
            return status;
        }
        if (elf_string_is(&names, next.name, name)) {
            *section = next;
            return OK;
        }
    }
    return ERR_NOT_FOUND;
}

/* Find the first section of a type. */
static status_t
elf_find_type(const struct elf_image *image, uint32_t type,
              struct elf_section *section)
{
    status_t status;

    for (unsigned int i = 0; i < image->header.nr_sections; i++) {
        status = elf_read_section(image, i, section);
        if (status != OK || section->type == type) {
            return status;
        }
    }
    return ERR_NOT_FOUND;
}

status_t
elf_find_symbol(const struct elf_image *image, const char *name,
                struct elf_symbol *symbol)
{
    struct elf_section section;
    struct elf_symbol next;
    struct elf_table names;
    status_t status;

    status = elf_find_type(image, ELF_SECTION_SYMTAB, &section);
    if (status == ERR_NOT_FOUND) {
        status = elf_find_type(image, ELF_SECTION_DYNSYM, &section);
    }
    if (status != OK) {
        return status;
    }
    if (section.entry_size != sizeof(next)) {
        return ERR_FORMAT;
    }
    status = elf_read_strings(image, section.link, &names);
    if (status != OK) {
        return status;
    }

    for (uint64_t i = 0; i < section.size / sizeof(next); i++) {
        if (!elf_read(image, section.offset + i * sizeof(next), &next,
                      sizeof(next))) {
            return ERR_TRUNCATED;
        }
        if (next.section != ELF_SYMBOL_UNDEFINED &&
            elf_string_is(&names, next.name, name)) {
            *symbol = next;
            return OK;
        }
    }
    return ERR_NOT_FOUND;
}
