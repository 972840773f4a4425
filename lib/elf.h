/* SPDX-License-Identifier: MIT */
/*
 * ELF: the 64-bit format, and a reader of images in memory.
 *
 * An image may come from anybody: every offset and length is checked against
 * its size, and it may lie at any address.  elf_open() checks what loading
 * needs; sections and symbols are checked when they are looked up.  The image
 * must not change while it is in use.
 *
 * Source: System V ABI, "Object Files", and its AMD64 supplement.
 */
#ifndef LIB_ELF_H
#define LIB_ELF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <lib/macros.h>
#include <lib/status.h>

#define ELF_MAGIC       "\177ELF"
#define ELF_CLASS_64    2
#define ELF_DATA_LSB    1
#define ELF_VERSION     1
#define ELF_TYPE_EXEC   2
#define ELF_TYPE_DYN    3
#define ELF_MACHINE_X86 62

#define ELF_SEGMENT_LOAD   1
#define ELF_SEGMENT_INTERP 3
#define ELF_SEGMENT_TLS    7

#define ELF_FLAG_EXECUTE 1
#define ELF_FLAG_WRITE   2
#define ELF_FLAG_READ    4

#define ELF_SECTION_SYMTAB 2
#define ELF_SECTION_STRTAB 3
#define ELF_SECTION_NOBITS 8
#define ELF_SECTION_DYNSYM 11

#define ELF_SYMBOL_TYPE(info) ((info) & 0xf)
#define ELF_SYMBOL_NOTYPE     0
#define ELF_SYMBOL_OBJECT     1
#define ELF_SYMBOL_FUNCTION   2
#define ELF_SYMBOL_UNDEFINED  0

struct elf_header {
    uint8_t ident[16];
    uint16_t type;
    uint16_t machine;
    uint32_t version;
    uint64_t entry;
    uint64_t segment_offset;
    uint64_t section_offset;
    uint32_t flags;
    uint16_t header_size;
    uint16_t segment_entry_size;
    uint16_t nr_segments;
    uint16_t section_entry_size;
    uint16_t nr_sections;
    uint16_t section_names;
};

struct elf_segment {
    uint32_t type;
    uint32_t flags;
    uint64_t offset;
    uint64_t vaddr;
    uint64_t paddr;
    uint64_t file_size;
    uint64_t mem_size;
    uint64_t align;
};

struct elf_section {
    uint32_t name;
    uint32_t type;
    uint64_t flags;
    uint64_t addr;
    uint64_t offset;
    uint64_t size;
    uint32_t link;
    uint32_t info;
    uint64_t align;
    uint64_t entry_size;
};

struct elf_symbol {
    uint32_t name;
    uint8_t info;
    uint8_t other;
    uint16_t section;
    uint64_t value;
    uint64_t size;
};

static_assert(sizeof(struct elf_header) == 64, "fixed by the ABI");
static_assert(offsetof(struct elf_header, section_names) == 62, "same");
static_assert(sizeof(struct elf_segment) == 56, "fixed by the ABI");
static_assert(sizeof(struct elf_section) == 64, "fixed by the ABI");
static_assert(sizeof(struct elf_symbol) == 24, "fixed by the ABI");

/* An open image; the caller owns it and the bytes. */
struct elf_image {
    const uint8_t *data;
    size_t size;
    struct elf_header header;
};

/*
 * Check an image, its header and all of its segments.
 *
 * Afterwards each segment lies within the image, is not longer in the file
 * than in memory, does not wrap the address space, and is aligned as it says.
 * Segments may still overlap each other, and addresses may be anywhere.
 *
 * @image  written only on success
 * @data   kept while the image is in use; any alignment
 * @size   bytes
 *
 * Returns: OK; ERR_TRUNCATED, something lies outside of the image;
 *          ERR_FORMAT, not ELF or malformed;
 *          ERR_UNSUPPORTED, not an executable for 64-bit x86
 */
status_t elf_open(struct elf_image *image, const void *data, size_t size);

/*
 * The address of the program's first instruction, unchecked.
 */
uint64_t elf_entry(const struct elf_image *image);

/*
 * Take the next segment to load.
 *
 * @cursor   0 at first, then as the last call left it
 * @segment  written only on success
 *
 * Returns: false when there are no more
 */
bool elf_next_load(const struct elf_image *image, unsigned int *cursor,
                   struct elf_segment *segment);

/*
 * Take the next segment of any type.
 *
 * @cursor   0 at first, then as the last call left it
 * @segment  written only on success
 *
 * Returns: false when there are no more
 */
bool elf_next_segment(const struct elf_image *image, unsigned int *cursor,
                      struct elf_segment *segment);

/*
 * The bytes of a segment: its file_size, at any alignment.
 *
 * @segment  from @image
 */
const void *elf_segment_data(const struct elf_image *image,
                             const struct elf_segment *segment);

/*
 * Find a section by its name.
 *
 * @section  written only on success; its bytes, if any, lie within the image
 *
 * Returns: OK; ERR_NOT_FOUND; ERR_TRUNCATED or ERR_FORMAT, the tables or the
 *          section are damaged
 */
status_t elf_find_section(const struct elf_image *image, const char *name,
                          struct elf_section *section);

/*
 * Find a defined symbol by its name, in the full table if there is one, else
 * in the dynamic one.
 *
 * @symbol  written only on success
 *
 * Returns: OK; ERR_NOT_FOUND; ERR_TRUNCATED or ERR_FORMAT, the tables are
 *          damaged
 */
status_t elf_find_symbol(const struct elf_image *image, const char *name,
                         struct elf_symbol *symbol);

#endif /* LIB_ELF_H */
