/* SPDX-License-Identifier: MIT */
/*
 * The segments of a program: what is not written is mapped from the file, what
 * is written is a private copy of it, and what the file does not have begins
 * as zeros.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>

#include <lib/elf.h>
#include <portolan/calls.h>

#include "load.h"

/* Programs lie in 2^40 bytes from here. */
#define IMAGE_START  UINT64_C(0x550000000000)
#define IMAGE_RANDOM ((UINT64_C(1) << 40) - PORTOLAN_PAGE_SIZE)

#define IMAGE_MASK ((uint64_t)PORTOLAN_PAGE_SIZE - 1)

/* An address and its page; the sizes are checked to be far from overflow. */
static uint64_t
image_round(uint64_t x)
{
    return (x + IMAGE_MASK) & ~IMAGE_MASK;
}

/* The highest address in the file, 0 if it has any that is not sensible. */
static uint64_t
image_end(const struct elf_image *image)
{
    struct elf_segment segment;
    unsigned int cursor = 0;
    uint64_t end = 0;

    while (elf_next_load(image, &cursor, &segment)) {
        if (segment.vaddr > IMAGE_RANDOM ||
            segment.mem_size > IMAGE_RANDOM - segment.vaddr) {
            return 0;
        }
        end = segment.vaddr + segment.mem_size > end
                  ? segment.vaddr + segment.mem_size
                  : end;
    }
    return end;
}

/* Is it a program that needs nobody else to be loaded? */
static bool
image_is_static_pie(const struct elf_image *image)
{
    struct elf_segment segment;
    unsigned int cursor = 0;

    while (elf_next_segment(image, &cursor, &segment)) {
        if (segment.type == ELF_SEGMENT_INTERP) {
            return false;
        }
    }
    return image->header.type == ELF_TYPE_DYN;
}

static uint32_t
image_flags(const struct elf_segment *segment)
{
    uint32_t flags = PORTOLAN_SPACE_FIXED | PORTOLAN_SPACE_NEW;

    if ((segment->flags & ELF_FLAG_READ) != 0) {
        flags |= PORTOLAN_SPACE_READ;
    }
    if ((segment->flags & ELF_FLAG_WRITE) != 0) {
        flags |= PORTOLAN_SPACE_WRITE | PORTOLAN_SPACE_PRIVATE;
    }
    if ((segment->flags & ELF_FLAG_EXECUTE) != 0) {
        flags |= PORTOLAN_SPACE_EXEC;
    }
    return flags;
}

/* Zeros from the end of the file's part to the end of its page. */
static long
image_clear(const struct load *load, uint64_t from)
{
    static const char zeros[PORTOLAN_PAGE_SIZE];
    uint64_t size = image_round(from) - from;
    long done;

    if (size == 0) {
        return 0;
    }
    done = portolan_space_write(load->space, from, zeros, size);
    return done < 0 ? done : 0;
}

/* The part of a segment that is in the file. */
static long
image_map_file(const struct load *load, const struct elf_segment *segment,
               int memory)
{
    uint64_t skip = segment->vaddr & IMAGE_MASK;
    uint64_t start = load->base + segment->vaddr;
    long result;

    if (segment->file_size == 0) {
        return 0;
    }
    result = portolan_space_map(load->space, start - skip,
                                image_round(segment->file_size + skip),
                                image_flags(segment), memory,
                                segment->offset - skip);
    if (result < 0) {
        return result;
    }
    if ((segment->flags & ELF_FLAG_WRITE) == 0) {
        return 0;
    }
    return image_clear(load, start + segment->file_size);
}

/* A segment; what is behind the file's part has pages of its own. */
static long
image_map(const struct load *load, const struct elf_segment *segment,
          int memory)
{
    uint64_t start = load->base + segment->vaddr;
    uint64_t end = image_round(start + segment->mem_size);
    uint64_t from = segment->file_size == 0
                        ? start & ~IMAGE_MASK
                        : image_round(start + segment->file_size);
    long result;

    if ((segment->flags & ELF_FLAG_WRITE) != 0 &&
        (segment->flags & ELF_FLAG_EXECUTE) != 0) {
        return -ENOEXEC;
    }
    if (((segment->vaddr ^ segment->offset) & IMAGE_MASK) != 0) {
        return -ENOEXEC;
    }
    result = image_map_file(load, segment, memory);
    if (result < 0 || from >= end) {
        return result;
    }
    result = portolan_space_map(load->space, from, end - from,
                                image_flags(segment) & ~PORTOLAN_SPACE_PRIVATE,
                                PORTOLAN_RIGHT_NONE, 0);
    return result < 0 ? result : 0;
}

/* Where the program headers are, if a segment has them. */
static void
image_find_headers(struct load *load, const struct elf_image *image)
{
    const struct elf_header *header = &image->header;
    struct elf_segment segment;
    unsigned int cursor = 0;

    load->phdr = 0;
    load->nr_phdr = header->nr_segments;
    while (elf_next_load(image, &cursor, &segment)) {
        if (header->segment_offset >= segment.offset &&
            header->segment_offset - segment.offset < segment.file_size) {
            load->phdr = load->base + segment.vaddr +
                         (header->segment_offset - segment.offset);
        }
    }
}

long
load_image(struct load *load, const struct portolan_spawn *how,
           const void *file)
{
    struct elf_image image;
    struct elf_segment segment;
    unsigned int cursor = 0;
    uint64_t end;
    long result;

    if (elf_open(&image, file, how->size) != OK ||
        !image_is_static_pie(&image)) {
        return -ENOEXEC;
    }
    end = image_end(&image);
    if (end == 0 || elf_entry(&image) >= end) {
        return -ENOEXEC;
    }
    load->base = IMAGE_START + (load_random() & IMAGE_RANDOM & ~IMAGE_MASK);
    load->entry = load->base + elf_entry(&image);
    image_find_headers(load, &image);
    while (elf_next_load(&image, &cursor, &segment)) {
        result = image_map(load, &segment, how->memory);
        if (result < 0) {
            return result;
        }
    }
    return 0;
}
