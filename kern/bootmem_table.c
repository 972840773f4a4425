/* SPDX-License-Identifier: MIT */
/*
 * Sets of physical ranges.
 *
 * Arrays, because there is nothing yet to allocate list nodes from; a machine
 * has tens of ranges.
 */

#include <lib/assert.h>
#include <lib/macros.h>
#include <kern/bootmem_table.h>

/* Index of the lowest range that ends above @addr, or the number of ranges. */
static size_t
bootmem_table_index(const struct bootmem_table *table, paddr_t addr)
{
    size_t low = 0, high = table->nr_ranges;

    while (low < high) {
        size_t middle = (low + high) / 2;

        if (table->ranges[middle].end > addr) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return low;
}

static void
bootmem_table_remove(struct bootmem_table *table, size_t index)
{
    table->nr_ranges--;
    for (size_t i = index; i < table->nr_ranges; i++) {
        table->ranges[i] = table->ranges[i + 1];
    }
}

/* Join the range at @index with its successor if they belong together. */
static void
bootmem_table_join(struct bootmem_table *table, size_t index)
{
    struct bootmem_range *range = &table->ranges[index];

    if (index + 1 >= table->nr_ranges || range[0].end != range[1].base ||
        range[0].name != range[1].name) {
        return;
    }
    range[0].end = range[1].end;
    bootmem_table_remove(table, index + 1);
}

/* Make room at @index for a range that overlaps none. */
static bool
bootmem_table_insert(struct bootmem_table *table, size_t index,
                     const struct bootmem_range *range)
{
    struct bootmem_range *ranges = table->ranges;

    /* Grow a neighbour in place: then a full table still takes it. */
    if (index > 0 && ranges[index - 1].end == range->base &&
        ranges[index - 1].name == range->name) {
        ranges[index - 1].end = range->end;
        bootmem_table_join(table, index - 1);
        return true;
    }
    if (index < table->nr_ranges && ranges[index].base == range->end &&
        ranges[index].name == range->name) {
        ranges[index].base = range->base;
        return true;
    }
    if (table->nr_ranges == BOOTMEM_TABLE_CAPACITY) {
        return false;
    }

    for (size_t i = table->nr_ranges; i > index; i--) {
        ranges[i] = ranges[i - 1];
    }
    ranges[index] = *range;
    table->nr_ranges++;
    return true;
}

bool
bootmem_table_add(struct bootmem_table *table, paddr_t base, paddr_t end,
                  const char *name)
{
    while (base < end) {
        size_t index = bootmem_table_index(table, base);
        const struct bootmem_range *next = &table->ranges[index];
        bool is_last = index == table->nr_ranges || next->base >= end;
        paddr_t next_end = is_last ? end : next->end;
        struct bootmem_range gap = { base, is_last ? end : next->base, name };

        if (gap.base < gap.end && !bootmem_table_insert(table, index, &gap)) {
            return false;
        }
        base = next_end;
    }
    return true;
}

const struct bootmem_range *
bootmem_table_find(const struct bootmem_table *table, paddr_t addr)
{
    size_t index = bootmem_table_index(table, addr);

    return index < table->nr_ranges ? &table->ranges[index] : NULL;
}

/* The highest free space in [low, high), or PADDR_NONE. */
static paddr_t
bootmem_table_search(const struct bootmem_table *used, paddr_t low,
                     paddr_t high, const struct bootmem_wish *wish)
{
    while (high > low && high - low >= wish->size) {
        paddr_t addr = ALIGN_DOWN(high - wish->size, wish->align);
        const struct bootmem_range *obstacle;

        if (addr < low) {
            break;
        }
        obstacle = bootmem_table_find(used, addr);
        if (obstacle == NULL || obstacle->base >= addr + wish->size) {
            return addr;
        }
        high = obstacle->base;
    }
    return PADDR_NONE;
}

paddr_t
bootmem_table_find_space(const struct bootmem_table *ram,
                         const struct bootmem_table *used,
                         const struct bootmem_wish *wish)
{
    assert(wish->size != 0 && IS_POWER_OF_2(wish->align));

    for (size_t i = ram->nr_ranges; i > 0; i--) {
        const struct bootmem_range *range = &ram->ranges[i - 1];
        paddr_t addr;

        addr = bootmem_table_search(used, MAX(range->base, wish->base),
                                    MIN(range->end, wish->limit), wish);
        if (addr != PADDR_NONE) {
            return addr;
        }
    }
    return PADDR_NONE;
}

bool
bootmem_table_next_free(const struct bootmem_table *ram,
                        const struct bootmem_table *used, paddr_t addr,
                        struct bootmem_range *range)
{
    for (;;) {
        const struct bootmem_range *memory, *taken;

        memory = bootmem_table_find(ram, addr);
        if (memory == NULL) {
            return false;
        }
        addr = MAX(addr, memory->base);

        taken = bootmem_table_find(used, addr);
        if (taken == NULL || taken->base >= memory->end) {
            *range = (struct bootmem_range){ addr, memory->end, memory->name };
            return true;
        }
        if (taken->base > addr) {
            *range = (struct bootmem_range){ addr, taken->base, memory->name };
            return true;
        }
        addr = taken->end;
    }
}
