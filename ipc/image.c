/* SPDX-License-Identifier: MIT */
#include <arch/pmap.h>
#include <lib/macros.h>
#include <ipc/image.h>
#include <vm/copy.h>
#include <vm/space.h>

/* Addresses of the file that segments may have. */
struct image_bounds {
    uint64_t start;
    uint64_t end; /* first address behind */
};

static struct image_bounds
image_bounds(const struct elf_image *elf)
{
    if (elf->header.type == ELF_TYPE_DYN) {
        return (struct image_bounds){ 0, IMAGE_RANDOM };
    }
    return (struct image_bounds){ SPACE_START, IMAGE_END };
}

static bool
image_is_executable(const struct elf_segment *segment)
{
    return (segment->flags & ELF_FLAG_EXECUTE) != 0;
}

/* The address behind the last page of a segment, which is checked. */
static uint64_t
image_segment_end(const struct elf_segment *segment)
{
    return ALIGN_UP(segment->vaddr + segment->mem_size, PAGE_SIZE);
}

/*
 * Whether a segment can be loaded behind others.
 *
 * @end  behind the pages of those, or 0
 */
static status_t
image_check_segment(const struct elf_segment *segment,
                    const struct image_bounds *bounds, uint64_t end)
{
    if (segment->vaddr < bounds->start || segment->vaddr > bounds->end ||
        segment->mem_size > bounds->end - segment->vaddr) {
        return ERR_RANGE;
    }
    if (ALIGN_DOWN(segment->vaddr, PAGE_SIZE) < end) {
        return ERR_FORMAT;
    }
    if (image_is_executable(segment) && (segment->flags & ELF_FLAG_WRITE)) {
        return ERR_ACCESS;
    }
    return OK;
}

/* Whether an address is code of a segment. */
static bool
image_is_code(const struct elf_segment *segment, uint64_t addr)
{
    return image_is_executable(segment) && addr >= segment->vaddr &&
           addr - segment->vaddr < segment->file_size;
}

/* Whether all segments can be loaded, and the program begins in one. */
static status_t
image_check_segments(const struct elf_image *elf)
{
    struct image_bounds bounds = image_bounds(elf);
    struct elf_segment segment;
    unsigned int cursor = 0;
    bool has_entry = false;
    uint64_t end = 0;

    while (elf_next_load(elf, &cursor, &segment)) {
        status_t status;

        if (segment.mem_size == 0) {
            continue;
        }
        status = image_check_segment(&segment, &bounds, end);
        if (status != OK) {
            return status;
        }
        end = image_segment_end(&segment);
        has_entry = has_entry || image_is_code(&segment, elf_entry(elf));
    }
    return has_entry ? OK : ERR_FORMAT;
}

/* Whether somebody else would have to link the program. */
static bool
image_is_dynamic(const struct elf_image *elf)
{
    struct elf_segment segment;
    unsigned int cursor = 0;

    while (elf_next_segment(elf, &cursor, &segment)) {
        if (segment.type == ELF_SEGMENT_INTERP) {
            return true;
        }
    }
    return false;
}

/* Whether a segment has all program headers, from the file. */
static bool
image_has_headers(const struct elf_segment *segment,
                  const struct elf_header *header)
{
    uint64_t size = (uint64_t)header->nr_segments * sizeof(struct elf_segment);

    return header->segment_offset >= segment->offset &&
           header->segment_offset - segment->offset <= segment->file_size &&
           size <=
               segment->file_size - (header->segment_offset - segment->offset);
}

static void
image_find_headers(struct image *image)
{
    const struct elf_header *header = &image->elf.header;
    struct elf_segment segment;
    unsigned int cursor = 0;

    image->headers = 0;
    image->nr_headers = 0;
    while (elf_next_load(&image->elf, &cursor, &segment)) {
        if (image_has_headers(&segment, header)) {
            image->headers = image->base + segment.vaddr +
                             (header->segment_offset - segment.offset);
            image->nr_headers = header->nr_segments;
            return;
        }
    }
}

status_t
image_open(struct image *image, const void *file, size_t size,
           struct rand *rand)
{
    struct elf_image elf;
    status_t status = elf_open(&elf, file, size);

    if (status != OK) {
        return status;
    }
    if (image_is_dynamic(&elf)) {
        return ERR_UNSUPPORTED;
    }
    status = image_check_segments(&elf);
    if (status != OK) {
        return status;
    }
    image->elf = elf;
    image->base = 0;
    if (elf.header.type == ELF_TYPE_DYN) {
        image->base = IMAGE_START +
                      ALIGN_DOWN(rand_below(rand, IMAGE_RANDOM), PAGE_SIZE);
    }
    image->entry = image->base + elf_entry(&elf);
    image_find_headers(image);
    return OK;
}

static unsigned int
image_prot(const struct elf_segment *segment)
{
    return ((segment->flags & ELF_FLAG_READ) ? PMAP_READ : 0) |
           ((segment->flags & ELF_FLAG_WRITE) ? PMAP_WRITE : 0) |
           (image_is_executable(segment) ? PMAP_EXEC : 0);
}

/* Copy what the file has of a segment, which is mapped to be written. */
static status_t
image_copy(const struct image *image, struct vm_space *space,
           const struct elf_segment *segment)
{
    struct space_copy copy = {
        .dst = { .space = space, .va = image->base + segment->vaddr },
        .src = { .va = (uintptr_t)elf_segment_data(&image->elf, segment) },
        .size = segment->file_size,
    };

    return space_copy(&copy) == SPACE_COPY_DONE ? OK : ERR_NO_MEMORY;
}

static status_t
image_map_segment(const struct image *image, struct vm_space *space,
                  const struct elf_segment *segment)
{
    uintptr_t va = image->base + ALIGN_DOWN(segment->vaddr, PAGE_SIZE);
    struct space_mapping mapping = {
        .va = va,
        .size = image->base + image_segment_end(segment) - va,
        .prot = PMAP_READ | PMAP_WRITE,
        .flags = SPACE_MAP_FIXED | SPACE_MAP_NEW,
    };
    status_t status = space_map(space, &mapping, &va);

    if (status != OK) {
        return status;
    }
    status = image_copy(image, space, segment);
    if (status != OK) {
        return status;
    }
    return space_protect(space, va, mapping.size, image_prot(segment));
}

status_t
image_map(const struct image *image, struct vm_space *space)
{
    struct elf_segment segment;
    unsigned int cursor = 0;
    status_t status = OK;

    while (status == OK && elf_next_load(&image->elf, &cursor, &segment)) {
        if (segment.mem_size != 0) {
            status = image_map_segment(image, space, &segment);
        }
    }
    return status;
}
