/* SPDX-License-Identifier: MIT */
/*
 * Monitor commands: spaces, their mappings, trees, page tables and sharers.
 *
 * Nothing is locked; a space that is looked at is kept by a reference.
 */
#include <stddef.h>

#include <lib/bitmap.h>
#include <lib/fmt.h>
#include <lib/string.h>
#include <kern/command.h>
#include <kern/console.h>
#include <kern/container.h>
#include <kern/cpu.h>
#include <kern/kmalloc.h>
#include <kern/thread_space.h>
#include <vm/space_i.h>
#include <vm/space_list.h>
#include <vm/survey.h>

#define SPACE_CMD_KIB_SHIFT (PAGE_SHIFT - 10)

static void
space_cmd_spaces(int argc __unused, char **argv __unused)
{
    struct vm_space *space = NULL;

    console_printf("%3s %-31s %12s %10s %10s %10s %5s\n", "", "name",
                   "resident KiB", "nodes", "sharers", "tables", "cpus");
    for (unsigned int i = 0; (space = space_list_next(space)) != NULL; i++) {
        struct survey_sums sums;

        survey_sum(space, &sums);
        console_printf("%3u %-31s %12lu %10lu %10lu %10lu %5u\n", i,
                       space->name, sums.nr_resident << SPACE_CMD_KIB_SHIFT,
                       sums.nr_nodes, sums.nr_arrays, sums.nr_tables,
                       sums.nr_cpus);
    }
}

MONITOR_COMMAND(spaces, "",
                "address spaces: memory, pages of trees and page tables",
                space_cmd_spaces);

/*
 * The space that is meant by a name, or by its number in the list.
 *
 * Returns: with a reference; NULL, there is none, and that was said
 */
static struct vm_space *
space_cmd_find(int argc, char **argv)
{
    struct vm_space *space = NULL;
    uint64_t number;
    bool is_number;

    if (argc < 2) {
        console_printf("%s needs a space\n", argv[0]);
        return NULL;
    }
    is_number = string_to_u64(argv[1], 0, &number) == OK;
    for (uint64_t i = 0; (space = space_list_next(space)) != NULL; i++) {
        if (is_number ? i == number : strcmp(space->name, argv[1]) == 0) {
            return space;
        }
    }
    console_printf("%s: no such space\n", argv[1]);
    return NULL;
}

/* Call a function for the space that is meant. */
static void
space_cmd_with(int argc, char **argv, void (*fn)(struct vm_space *space))
{
    struct vm_space *space = space_cmd_find(argc, argv);

    if (space != NULL) {
        fn(space);
        space_put(space);
    }
}

static const char *const space_cmd_inherits[] = {
    [VM_INHERIT_COPY] = "copy",
    [VM_INHERIT_SHARE] = "share",
    [VM_INHERIT_NONE] = "none",
};

/* As "rw-". */
static void
space_cmd_format_prot(char text[4], unsigned int prot)
{
    text[0] = (prot & PMAP_READ) ? 'r' : '-';
    text[1] = (prot & PMAP_WRITE) ? 'w' : '-';
    text[2] = (prot & PMAP_EXEC) ? 'x' : '-';
    text[3] = '\0';
}

static void
space_cmd_print_mapping(struct vm_space *space, const struct space_info *info)
{
    struct survey_counts counts;
    char prot[4];

    survey_range(space, info->va, info->va + info->size, &counts);
    space_cmd_format_prot(prot, info->prot);
    console_printf("0x%016lx %14lu %14lu %s %-5s %s%s", info->va,
                   info->size >> 10, counts.nr_resident << SPACE_CMD_KIB_SHIFT,
                   prot, space_cmd_inherits[info->inherit],
                   info->region != NULL ? "object" : "anonymous",
                   info->is_wired ? ", wired" : "");
    if (counts.nr_counted != 0) {
        console_printf(", %lu KiB of clones",
                       counts.nr_counted << SPACE_CMD_KIB_SHIFT);
    }
    if (counts.nr_large != 0) {
        console_printf(", %lu large pages", counts.nr_large);
    }
    if (counts.nr_locked != 0) {
        console_printf(", %lu slots locked", counts.nr_locked);
    }
    console_printf("\n");
}

static void
space_cmd_print_mappings(struct vm_space *space)
{
    struct space_info info;
    uintptr_t va = space->start;

    console_printf("%-18s %14s %14s\n", "address", "KiB", "resident KiB");
    while (space_query(space, va, &info)) {
        space_cmd_print_mapping(space, &info);
        va = info.va + info.size;
    }
}

static void
space_cmd_space(int argc, char **argv)
{
    space_cmd_with(argc, argv, space_cmd_print_mappings);
}

MONITOR_COMMAND(space, "NAME|NUMBER", "mappings of an address space",
                space_cmd_space);

static void
space_cmd_print_tables(struct vm_space *space)
{
    console_printf("%4s %8s %-18s %-18s\n", "cpu", "tables", "arena", "hint");
    for (uint32_t i = 0; i < cpu_nr_possible; i++) {
        struct vm_space_cpu *cpu = space->cpus[i];

        if (cpu == NULL) {
            continue;
        }
        console_printf("%4u %8u 0x%016lx 0x%016lx%s\n", i,
                       cpu->tables.nr_tables, cpu->arena, cpu->hint,
                       *percpu_ptr(thread_space_loaded, i) == space ? " loaded"
                                                                    : "");
    }
}

static void
space_cmd_tables(int argc, char **argv)
{
    space_cmd_with(argc, argv, space_cmd_print_tables);
}

MONITOR_COMMAND(tables, "NAME|NUMBER",
                "page tables that CPUs have for an address space",
                space_cmd_tables);

/* The CPU whose page table a node is, "all", or "-". */
static void
space_cmd_print_home(uint32_t home)
{
    if (home == NODE_HOME_NONE) {
        console_printf(" %4s", "-");
    } else if (home == NODE_HOME_ALL) {
        console_printf(" %4s", "all");
    } else {
        console_printf(" %4u", home);
    }
}

static void
space_cmd_print_tree(struct vm_space *space)
{
    struct survey_cursor cursor;
    struct survey_node node;

    console_printf("%-24s %5s %4s %5s %6s %8s %5s %6s\n", "address", "level",
                   "home", "child", "absent", "resident", "wired", "locked");
    survey_begin(space, &cursor);
    while (survey_next_node(space, &cursor, &node)) {
        int indent = (int)(NODE_LEVEL_TOP - node.level);

        console_printf("%*s0x%016lx%*s %5u", indent, "", node.va, 6 - indent,
                       "", node.level);
        space_cmd_print_home(node.home);
        console_printf(" %5lu %6lu %8lu %5lu %6lu%s%s\n",
                       node.counts.nr_children, node.counts.nr_folded,
                       node.counts.nr_resident, node.counts.nr_wired,
                       node.counts.nr_locked,
                       node.has_sharers ? " sharers" : "",
                       node.has_regions ? " regions" : "");
    }
}

static const char *const space_cmd_types[] = {
    [SLOT_EMPTY] = "empty",
    [SLOT_MAPPED] = "folded",
    [SLOT_CHILD] = "child",
    [SLOT_DEAD] = "dead",
};

static const char *const space_cmd_frames[] = {
    [SLOT_FRAME_PRIVATE] = "private",
    [SLOT_FRAME_COUNTED] = "counted",
    [SLOT_FRAME_OBJECT] = "object's",
};

/* What a slot says. */
static void
space_cmd_print_slot(const struct survey_slot *slot)
{
    char prot[4];

    console_printf("level %u 0x%016lx slot %3u: ", slot->level, slot->va,
                   node_index(slot->va, slot->level));
    if (slot_type(slot->word) != SLOT_MAPPED) {
        console_printf("%s", space_cmd_types[slot_type(slot->word)]);
    } else {
        space_cmd_format_prot(prot, slot_prot(slot->word));
        console_printf("%s %s", prot,
                       space_cmd_inherits[slot_inherit(slot->word)]);
    }
    if (slot_is_resident(slot->word)) {
        console_printf(" %s frame %#lx%s",
                       space_cmd_frames[slot_frame(slot->word)],
                       slot_phys(slot->word),
                       (slot->word & UWORD_WRITE) ? " writable" : "");
    }
    if (slot_is_terminal(slot->word)) {
        console_printf("%s%s%s%s", (slot->word & SLOT_REGION) ? " region" : "",
                       (slot->word & SLOT_WIRED) ? " wired" : "",
                       (slot->word & SLOT_LOCKED) ? " locked" : "",
                       (slot->word & SLOT_WAITED) ? " waited for" : "");
    }
    console_printf("\n");
}

/* Whether a CPU may have the translation of a terminal slot. */
static bool
space_cmd_is_sharer(const struct vm_space *space,
                    const struct survey_slot *slot, uint32_t cpu)
{
    bool is_home = cpu == slot->home || slot->home == NODE_HOME_ALL;

    return (is_home && (slot->word & UWORD_PRESENT)) ||
           ((slot->sharers & shoot_group(cpu)) && space_has_tables(space, cpu));
}

static void
space_cmd_print_sharers(const struct vm_space *space,
                        const struct survey_slot *slot)
{
    size_t size = BITMAP_LONGS(cpu_nr_possible) * sizeof(unsigned long);
    unsigned long *cpus = kzalloc(size);
    struct fmt_bitmap set = { cpus, cpu_nr_possible };

    if (cpus == NULL) {
        console_printf("no memory\n");
        return;
    }
    for (uint32_t cpu = 0; cpu < cpu_nr_possible; cpu++) {
        if (space_cmd_is_sharer(space, slot, cpu)) {
            bitmap_set(cpus, cpu);
        }
    }
    if (bitmap_is_empty(cpus, cpu_nr_possible)) {
        console_printf("no CPU has it; home:");
    } else {
        console_printf("CPUs that may have it: %pL; home:", &set);
    }
    space_cmd_print_home(slot->home);
    console_printf("\n");
    kfree(cpus);
}

static void
space_cmd_print_path(const struct vm_space *space, uintptr_t va)
{
    struct survey_slot path[SURVEY_PATH_MAX];
    unsigned int nr = survey_path(space, va, path);

    for (unsigned int i = 0; i < nr; i++) {
        space_cmd_print_slot(&path[i]);
    }
    space_cmd_print_sharers(space, &path[nr - 1]);
}

static void
space_cmd_tree(int argc, char **argv)
{
    struct vm_space *space;
    uint64_t va;

    if (argc < 3) {
        space_cmd_with(argc, argv, space_cmd_print_tree);
        return;
    }
    space = space_cmd_find(argc, argv);
    if (space == NULL) {
        return;
    }
    if (string_to_u64(argv[2], 0, &va) == OK && va >= space->start &&
        va < space->end) {
        space_cmd_print_path(space, va);
    } else {
        console_printf("%s: not an address of the space\n", argv[2]);
    }
    space_put(space);
}

MONITOR_COMMAND(tree, "NAME|NUMBER [ADDRESS]",
                "nodes of an address space, or the way to an address and who "
                "has it in page tables",
                space_cmd_tree);

static void
space_cmd_print_stats(const char *name, const struct shoot_stats *stats)
{
    console_printf("%4s %12lu %12lu %12lu %12lu %12lu\n", name, stats->nr_local,
                   stats->nr_remote, stats->nr_interrupts, stats->nr_served,
                   stats->nr_drops);
}

static void
space_cmd_shootdowns(int argc __unused, char **argv __unused)
{
    struct shoot_stats stats;
    uint32_t cpu;
    char name[12];

    console_printf("%4s %12s %12s %12s %12s %12s\n", "cpu", "local", "remote",
                   "sent", "received", "drops sent");
    cpu_for_each (cpu) {
        fmt_snprintf(name, sizeof(name), "%u", cpu);
        shoot_stats_get_cpu(cpu, &stats);
        space_cmd_print_stats(name, &stats);
    }
    shoot_stats_get(&stats);
    space_cmd_print_stats("all", &stats);
}

MONITOR_COMMAND(shootdowns, "",
                "of each CPU: unmaps that interrupted nobody, and others",
                space_cmd_shootdowns);
