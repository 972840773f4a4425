/* SPDX-License-Identifier: MIT */
/*
 * No image may make the ELF reader look outside of it.
 */
#include <stddef.h>
#include <stdint.h>

#include <lib/assert.h>
#include <lib/elf.h>

int fuzz_one(const uint8_t *data, size_t size);

/* Read each byte, so that a bad range is noticed. */
static void
elf_fuzz_touch(const uint8_t *bytes, uint64_t n)
{
    volatile uint8_t sink = 0;

    for (uint64_t i = 0; i < n; i++) {
        sink = sink ^ bytes[i];
    }
}

int
fuzz_one(const uint8_t *data, size_t size)
{
    struct elf_segment segment;
    struct elf_section section;
    struct elf_symbol symbol;
    struct elf_image image;
    unsigned int cursor = 0;

    if (elf_open(&image, data, size) != OK) {
        return 0;
    }

    while (elf_next_load(&image, &cursor, &segment)) {
        verify(segment.vaddr + segment.mem_size >= segment.vaddr);
        verify(segment.file_size <= segment.mem_size);
        elf_fuzz_touch(elf_segment_data(&image, &segment), segment.file_size);
    }
    if (elf_find_section(&image, ".text", &section) == OK &&
        section.type != ELF_SECTION_NOBITS) {
        elf_fuzz_touch(data + section.offset, section.size);
    }
    if (elf_find_symbol(&image, "main", &symbol) == OK) {
        verify(symbol.section != ELF_SYMBOL_UNDEFINED);
    }
    (void)elf_entry(&image);
    return 0;
}
