/* SPDX-License-Identifier: MIT */
/*
 * The ELF reader, on an image that each test damages in one place.
 */
#include <stddef.h>
#include <stdint.h>

#include <lib/elf.h>
#include <lib/string.h>
#include <test/test.h>

/* A valid image: two segments, and sections with one defined symbol. */
struct elf_file {
    struct elf_header header;
    struct elf_segment segments[3];
    struct elf_section sections[4];
    struct elf_symbol symbols[3];
    char strings[32];
    char names[32];
    char text[64];
};

#define ELF_AT(member) offsetof(struct elf_file, member)

static void
elf_file_init_header(struct elf_header *header)
{
    memcpy(header->ident, ELF_MAGIC, 4);
    header->ident[4] = ELF_CLASS_64;
    header->ident[5] = ELF_DATA_LSB;
    header->ident[6] = ELF_VERSION;
    header->type = ELF_TYPE_EXEC;
    header->machine = ELF_MACHINE_X86;
    header->version = ELF_VERSION;
    header->entry = 0x400010;
    header->header_size = sizeof(struct elf_header);
    header->segment_offset = ELF_AT(segments);
    header->segment_entry_size = sizeof(struct elf_segment);
    header->nr_segments = 3;
    header->section_offset = ELF_AT(sections);
    header->section_entry_size = sizeof(struct elf_section);
    header->nr_sections = 4;
    header->section_names = 3;
}

static void
elf_file_init(struct elf_file *file)
{
    memset(file, 0, sizeof(*file));
    elf_file_init_header(&file->header);
    file->segments[0] = (struct elf_segment){
        .type = ELF_SEGMENT_LOAD,
        .flags = ELF_FLAG_READ | ELF_FLAG_EXECUTE,
        .offset = ELF_AT(text),
        .vaddr = 0x400000 + ELF_AT(text) % 0x1000,
        .file_size = sizeof(file->text),
        .mem_size = sizeof(file->text),
        .align = 0x1000,
    };
    file->segments[1] = (struct elf_segment){ .type = 4 };
    file->segments[2] = (struct elf_segment){
        .type = ELF_SEGMENT_LOAD,
        .flags = ELF_FLAG_READ | ELF_FLAG_WRITE,
        .vaddr = 0x600000,
        .mem_size = 0x100,
    };
    file->sections[1] = (struct elf_section){
        .name = 1,
        .type = ELF_SECTION_SYMTAB,
        .offset = ELF_AT(symbols),
        .size = sizeof(file->symbols),
        .entry_size = sizeof(file->symbols[0]),
        .link = 2,
    };
    file->sections[2] = (struct elf_section){
        .name = 9,
        .type = ELF_SECTION_STRTAB,
        .offset = ELF_AT(strings),
        .size = sizeof(file->strings),
    };
    file->sections[3] = (struct elf_section){
        .name = 17,
        .type = ELF_SECTION_STRTAB,
        .offset = ELF_AT(names),
        .size = sizeof(file->names),
    };
    memcpy(file->names, "\0.symtab\0.strtab\0.names", 24);
    memcpy(file->strings, "\0main\0other", 12);
    file->symbols[1] = (struct elf_symbol){ .name = 6 };
    file->symbols[2] = (struct elf_symbol){
        .name = 1,
        .info = ELF_SYMBOL_FUNCTION,
        .section = 1,
        .value = 0x400010,
        .size = 8,
    };
}

static status_t
elf_file_open(const struct elf_file *file)
{
    struct elf_image image;

    return elf_open(&image, file, sizeof(*file));
}

TEST(elf, valid_image_opens)
{
    struct elf_image image;
    struct elf_file file;

    elf_file_init(&file);
    EXPECT_EQ(elf_open(&image, &file, sizeof(file)), OK);
    EXPECT_EQ(elf_entry(&image), 0x400010);
}

TEST(elf, load_segments_come_in_order)
{
    struct elf_segment segment;
    struct elf_image image;
    struct elf_file file;
    unsigned int cursor = 0;

    elf_file_init(&file);
    ASSERT(elf_open(&image, &file, sizeof(file)) == OK);
    ASSERT(elf_next_load(&image, &cursor, &segment));
    EXPECT_EQ(segment.file_size, sizeof(file.text));
    EXPECT_EQ(elf_segment_data(&image, &segment), file.text);
    ASSERT(elf_next_load(&image, &cursor, &segment));
    EXPECT_EQ(segment.vaddr, 0x600000);
    EXPECT(!elf_next_load(&image, &cursor, &segment));
}

TEST(elf, image_may_be_unaligned)
{
    char area[sizeof(struct elf_file) + 1];
    struct elf_symbol symbol;
    struct elf_image image;
    struct elf_file file;

    elf_file_init(&file);
    memcpy(area + 1, &file, sizeof(file));
    ASSERT(elf_open(&image, area + 1, sizeof(file)) == OK);
    EXPECT_EQ(elf_find_symbol(&image, "main", &symbol), OK);
}

TEST(elf, every_truncation_is_refused)
{
    struct elf_image image;
    struct elf_file file;

    elf_file_init(&file);
    for (size_t size = 0; size < sizeof(file); size++) {
        EXPECT_EQ(elf_open(&image, &file, size), ERR_TRUNCATED);
    }
}

TEST(elf, foreign_magic_is_refused)
{
    struct elf_file file;

    elf_file_init(&file);
    file.header.ident[1] = 'e';
    EXPECT_EQ(elf_file_open(&file), ERR_FORMAT);
}

TEST(elf, foreign_class_is_unsupported)
{
    struct elf_file file;

    elf_file_init(&file);
    file.header.ident[4] = 1;
    EXPECT_EQ(elf_file_open(&file), ERR_UNSUPPORTED);
}

TEST(elf, foreign_machine_is_unsupported)
{
    struct elf_file file;

    elf_file_init(&file);
    file.header.machine = 183;
    EXPECT_EQ(elf_file_open(&file), ERR_UNSUPPORTED);
}

TEST(elf, relocatable_object_is_unsupported)
{
    struct elf_file file;

    elf_file_init(&file);
    file.header.type = 1;
    EXPECT_EQ(elf_file_open(&file), ERR_UNSUPPORTED);
}

TEST(elf, segment_table_must_be_inside)
{
    struct elf_file file;

    elf_file_init(&file);
    file.header.segment_offset = UINT64_MAX - 8;
    EXPECT_EQ(elf_file_open(&file), ERR_TRUNCATED);
    file.header.segment_offset = ELF_AT(segments);
    file.header.nr_segments = 0xffff;
    EXPECT_EQ(elf_file_open(&file), ERR_TRUNCATED);
}

TEST(elf, segment_entries_have_one_size)
{
    struct elf_file file;

    elf_file_init(&file);
    file.header.segment_entry_size = 55;
    EXPECT_EQ(elf_file_open(&file), ERR_FORMAT);
}

TEST(elf, segment_must_be_inside)
{
    struct elf_file file;

    elf_file_init(&file);
    file.segments[0].offset = UINT64_MAX - 0xf;
    EXPECT_EQ(elf_file_open(&file), ERR_TRUNCATED);
    elf_file_init(&file);
    file.segments[0].file_size = UINT64_MAX;
    EXPECT_EQ(elf_file_open(&file), ERR_TRUNCATED);
}

TEST(elf, segment_is_not_longer_in_the_file)
{
    struct elf_file file;

    elf_file_init(&file);
    file.segments[0].mem_size = file.segments[0].file_size - 1;
    EXPECT_EQ(elf_file_open(&file), ERR_FORMAT);
}

TEST(elf, segment_may_not_wrap)
{
    struct elf_file file;

    elf_file_init(&file);
    file.segments[2].vaddr = UINT64_MAX - 0x80;
    EXPECT_EQ(elf_file_open(&file), ERR_FORMAT);
}

TEST(elf, segment_keeps_its_alignment)
{
    struct elf_file file;

    elf_file_init(&file);
    file.segments[0].align = 3;
    EXPECT_EQ(elf_file_open(&file), ERR_FORMAT);
    elf_file_init(&file);
    file.segments[0].vaddr++;
    EXPECT_EQ(elf_file_open(&file), ERR_FORMAT);
}

TEST(elf, section_is_found_by_name)
{
    struct elf_section section;
    struct elf_image image;
    struct elf_file file;

    elf_file_init(&file);
    ASSERT(elf_open(&image, &file, sizeof(file)) == OK);
    EXPECT_EQ(elf_find_section(&image, ".strtab", &section), OK);
    EXPECT_EQ(section.offset, ELF_AT(strings));
    EXPECT_EQ(elf_find_section(&image, ".str", &section), ERR_NOT_FOUND);
}

TEST(elf, symbol_is_found_when_defined)
{
    struct elf_symbol symbol;
    struct elf_image image;
    struct elf_file file;

    elf_file_init(&file);
    ASSERT(elf_open(&image, &file, sizeof(file)) == OK);
    EXPECT_EQ(elf_find_symbol(&image, "main", &symbol), OK);
    EXPECT_EQ(symbol.value, 0x400010);
    EXPECT_EQ(elf_find_symbol(&image, "other", &symbol), ERR_NOT_FOUND);
    EXPECT_EQ(elf_find_symbol(&image, "mai", &symbol), ERR_NOT_FOUND);
}

TEST(elf, stripped_image_has_no_symbols)
{
    struct elf_section section;
    struct elf_symbol symbol;
    struct elf_image image;
    struct elf_file file;

    elf_file_init(&file);
    file.header.nr_sections = 0;
    ASSERT(elf_open(&image, &file, sizeof(file)) == OK);
    EXPECT_EQ(elf_find_symbol(&image, "main", &symbol), ERR_NOT_FOUND);
    EXPECT_EQ(elf_find_section(&image, ".text", &section), ERR_NOT_FOUND);
}

TEST(elf, damaged_tables_are_reported)
{
    struct elf_symbol symbol;
    struct elf_image image;
    struct elf_file file;

    elf_file_init(&file);
    file.header.section_offset = UINT64_MAX - 8;
    ASSERT(elf_open(&image, &file, sizeof(file)) == OK);
    EXPECT_EQ(elf_find_symbol(&image, "main", &symbol), ERR_TRUNCATED);
    elf_file_init(&file);
    file.sections[1].link = 77;
    EXPECT_EQ(elf_file_open(&file), OK);
    ASSERT(elf_open(&image, &file, sizeof(file)) == OK);
    EXPECT_EQ(elf_find_symbol(&image, "main", &symbol), ERR_FORMAT);
    file.sections[1].size = UINT64_MAX;
    EXPECT_EQ(elf_find_symbol(&image, "main", &symbol), ERR_TRUNCATED);
}

TEST(elf, name_outside_of_the_strings_is_no_match)
{
    struct elf_symbol symbol;
    struct elf_image image;
    struct elf_file file;

    elf_file_init(&file);
    file.symbols[2].name = UINT32_MAX;
    ASSERT(elf_open(&image, &file, sizeof(file)) == OK);
    EXPECT_EQ(elf_find_symbol(&image, "main", &symbol), ERR_NOT_FOUND);
}
