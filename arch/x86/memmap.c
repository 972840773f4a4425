/* SPDX-License-Identifier: MIT */
/*
 * Memory maps from firmware: unsorted, overlapping, odd.
 *
 * The map is cleaned in place, since there is no memory to allocate yet: clip,
 * sort, resolve overlaps from the lowest address up, trim to pages.
 *
 * Resolving keeps the map sorted by base, larger type first among equals, and
 * keeps everything before the current range disjoint.  Of the current range
 * and its successor, the one that restricts less gives way: its part behind
 * the other is put back into order, its part in front stays.  When there is no
 * room for one more part, the restriction is widened instead.  Each step takes
 * bytes out of an overlap, so it ends.
 */
#include "memmap.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <arch/boot_info.h>
#include <lib/assert.h>
#include <lib/macros.h>

#define MEMMAP_PAGE_SIZE 4096

static uint64_t
memmap_end(const struct boot_mem_range *range)
{
    return range->base + range->size;
}

/* Returns: true, @a belongs before @b. */
static bool
memmap_is_before(const struct boot_mem_range *a, const struct boot_mem_range *b)
{
    if (a->base != b->base) {
        return a->base < b->base;
    }
    return a->type > b->type;
}

static void
memmap_remove(struct boot_info *info, size_t index)
{
    size_t i;

    assert(index < info->nr_mem);

    info->nr_mem--;
    for (i = index; i < info->nr_mem; i++) {
        info->mem[i] = info->mem[i + 1];
    }
}

/* Put a range that starts too low for its place where it belongs. */
static void
memmap_sink(struct boot_info *info, size_t index)
{
    struct boot_mem_range range = info->mem[index];
    size_t i;

    for (i = index; i + 1 < info->nr_mem; i++) {
        if (!memmap_is_before(&info->mem[i + 1], &range)) {
            break;
        }
        info->mem[i] = info->mem[i + 1];
    }
    info->mem[i] = range;
}

static void
memmap_sort(struct boot_info *info)
{
    struct boot_mem_range range;
    size_t i, j;

    for (i = 1; i < info->nr_mem; i++) {
        range = info->mem[i];
        for (j = i; j > 0 && memmap_is_before(&range, &info->mem[j - 1]); j--) {
            info->mem[j] = info->mem[j - 1];
        }
        info->mem[j] = range;
    }
}

/* Returns: true, something of the range is left. */
static bool
memmap_clip_range(struct boot_info *info, struct boot_mem_range *range,
                  uint64_t limit)
{
    uint64_t end;

    if ((unsigned int)range->type >= BOOT_MEM_NR_TYPES) {
        boot_info_problem(info, BOOT_PROBLEM_MEM_TYPE, range->base);
        range->type = BOOT_MEM_RESERVED;
    }

    if (__builtin_add_overflow(range->base, range->size, &end)) {
        boot_info_problem(info, BOOT_PROBLEM_MEM_WRAPS, range->base);
        /* It promises what cannot be: believe only what it forbids. */
        if (range->type == BOOT_MEM_USABLE) {
            return false;
        }
        end = limit;
    } else if (end > limit) {
        boot_info_problem(info, BOOT_PROBLEM_MEM_BEYOND, range->base);
        end = limit;
    }

    if (range->base >= end) {
        return false;
    }
    range->size = end - range->base;
    return true;
}

static void
memmap_clip(struct boot_info *info, uint64_t limit)
{
    struct boot_mem_range range;
    size_t i, nr_kept = 0;

    for (i = 0; i < info->nr_mem; i++) {
        range = info->mem[i];
        if (range.size == 0) {
            boot_info_problem(info, BOOT_PROBLEM_MEM_EMPTY, range.base);
            continue;
        }
        if (memmap_clip_range(info, &range, limit)) {
            info->mem[nr_kept++] = range;
        }
    }
    info->nr_mem = nr_kept;
}

/* The current range restricts more: its successor gives way. */
static void
memmap_trim_next(struct boot_info *info, size_t index)
{
    struct boot_mem_range *range = &info->mem[index];
    struct boot_mem_range *next = &info->mem[index + 1];
    uint64_t start = memmap_end(range), end = memmap_end(next);

    if (end <= start) {
        memmap_remove(info, index + 1);
        return;
    }
    next->base = start;
    next->size = end - start;
    memmap_sink(info, index + 1);
}

/* Put what is left of a range behind a stricter one back into the map. */
static void
memmap_insert_rest(struct boot_info *info, size_t index,
                   const struct boot_mem_range *rest)
{
    size_t i;

    assert(info->nr_mem < ARRAY_SIZE(info->mem));

    for (i = info->nr_mem; i > index; i--) {
        info->mem[i] = info->mem[i - 1];
    }
    info->nr_mem++;
    info->mem[index] = *rest;
    memmap_sink(info, index);
}

/* The successor restricts more: the current range gives way. */
static void
memmap_trim_current(struct boot_info *info, size_t index)
{
    struct boot_mem_range *range = &info->mem[index];
    struct boot_mem_range *next = &info->mem[index + 1];
    struct boot_mem_range rest;
    uint64_t end = memmap_end(range);

    assert(range->base < next->base);

    rest.base = memmap_end(next);
    rest.size = end > rest.base ? end - rest.base : 0;
    rest.type = range->type;

    range->size = next->base - range->base;
    if (rest.size == 0) {
        return;
    }
    if (info->nr_mem < ARRAY_SIZE(info->mem)) {
        memmap_insert_rest(info, index + 2, &rest);
        return;
    }

    boot_info_problem(info, BOOT_PROBLEM_MEM_WIDENED, rest.base);
    next->size += rest.size;
}

/* Returns: true, the current range does not touch its successor. */
static bool
memmap_resolve(struct boot_info *info, size_t index)
{
    struct boot_mem_range *range = &info->mem[index];
    struct boot_mem_range *next = &info->mem[index + 1];
    uint64_t end = memmap_end(range);

    if (end < next->base) {
        return true;
    }
    if (range->type == next->type) {
        range->size = MAX(end, memmap_end(next)) - range->base;
        memmap_remove(info, index + 1);
        return false;
    }
    if (end == next->base) {
        return true;
    }

    boot_info_problem(info, BOOT_PROBLEM_MEM_OVERLAP, next->base);
    if (range->type > next->type) {
        memmap_trim_next(info, index);
    } else {
        memmap_trim_current(info, index);
    }
    return false;
}

static void
memmap_resolve_all(struct boot_info *info)
{
    size_t i = 0;

    while (i + 1 < info->nr_mem) {
        if (memmap_resolve(info, i)) {
            i++;
        }
    }
}

/* Keep whole pages of usable memory only. */
static void
memmap_trim_pages(struct boot_info *info)
{
    struct boot_mem_range range;
    uint64_t start, end;
    size_t i, nr_kept = 0;

    for (i = 0; i < info->nr_mem; i++) {
        range = info->mem[i];
        if (range.type == BOOT_MEM_USABLE) {
            start = ALIGN_UP(range.base, MEMMAP_PAGE_SIZE);
            end = ALIGN_DOWN(memmap_end(&range), MEMMAP_PAGE_SIZE);
            range.base = start;
            range.size = end > start ? end - start : 0;
        }
        if (range.size != 0) {
            info->mem[nr_kept++] = range;
        }
    }
    info->nr_mem = nr_kept;
}

void
boot_memmap_sanitise(struct boot_info *info, unsigned int phys_bits)
{
    assert(phys_bits >= 32 && phys_bits <= 52);
    assert(info->nr_mem <= ARRAY_SIZE(info->mem));

    memmap_clip(info, 1ULL << phys_bits);
    memmap_sort(info);
    memmap_resolve_all(info);
    memmap_trim_pages(info);
}
