/* SPDX-License-Identifier: MIT */
/*
 * One interrupt clears a bounded number of entries; a CPU that is not done
 * is interrupted once more.  All CPUs work on one request, whose range begins
 * again where the slowest one stopped.
 *
 * Of the kernel's space every CPU may have everything: all forget all of it.
 */
#include <stdatomic.h>
#include <stddef.h>

#include <lib/bitmap.h>
#include <kern/cpu.h>
#include <kern/init.h>
#include <kern/option.h>
#include <kern/percpu.h>
#include <kern/xcall.h>
#include <vm/space_i.h>

/* CPUs that the design is for; the set of those to interrupt is on a stack. */
#define SHOOT_CPUS_MAX 4096

/* Groups of CPUs that are told apart: the bits of a word. */
#define SHOOT_GROUPS_MAX 64

struct shoot_request {
    struct vm_space *space;
    uintptr_t start;
    uintptr_t end;
    _Atomic uintptr_t next;       /* least of where the CPUs stopped */
    _Atomic(struct page *) pages; /* tables that were cut off, by node.next */
    bool is_drop;
    uint32_t caller; /* CPU that began this round */
};

/* Written by the CPU alone. */
static PERCPU(struct shoot_stats, shoot_counts);

/* Bits of a word of sharers that are used, at most SHOOT_GROUPS_MAX. */
static uint64_t shoot_nr_groups = SHOOT_GROUPS_MAX;

/* CPUs that share such a bit: 2 to this power. */
static unsigned int shoot_group_shift;

uint64_t
shoot_group(uint32_t cpu)
{
    return UINT64_C(1) << (cpu >> shoot_group_shift);
}

void
shoot_init(struct vm_shoot *shoot, struct vm_space *space)
{
    shoot->space = space;
    shoot->start = UINTPTR_MAX;
    shoot->end = 0;
    shoot->groups = 0;
    shoot->nr_homes = 0;
    shoot->is_drop = false;
}

static void
shoot_add_range(struct vm_shoot *shoot, uintptr_t start, uintptr_t end)
{
    shoot->start = MIN(shoot->start, start);
    shoot->end = MAX(shoot->end, end);
}

static void
shoot_add_home(struct vm_shoot *shoot, uint32_t home)
{
    for (uint32_t i = 0; i < shoot->nr_homes; i++) {
        if (shoot->homes[i] == home) {
            return;
        }
    }
    if (shoot->nr_homes < SHOOT_NR_HOMES) {
        shoot->homes[shoot->nr_homes++] = home;
    } else {
        shoot->groups |= shoot_group(home);
    }
}

/* Gather and forget the sharers of a slot.  Returns: whether there were any */
static bool
shoot_take_sharers(struct vm_shoot *shoot, const struct vm_place *place)
{
    uint64_t *sharers = node_sharers(place_node(place));
    uint64_t *word;

    if (sharers == NULL) {
        return false;
    }
    word = &sharers[place_index(place)];
    if (*word == 0) {
        return false;
    }
    shoot->groups |= *word;
    WRITE_ONCE(*word, 0);
    return true;
}

void
shoot_refresh(struct vm_shoot *shoot, const struct vm_place *place)
{
    bool is_used = shoot_take_sharers(shoot, place);

    if (slot_read(place->slot) & UWORD_PRESENT) {
        shoot_add_home(shoot, node_home(place_node(place)));
        is_used = true;
    }
    if (is_used) {
        shoot_add_range(shoot, place->va, place_end(place));
    }
}

void
shoot_gather(struct vm_shoot *shoot, const struct vm_place *place)
{
    const uint64_t *sharers = node_sharers(place_node(place));

    if (sharers != NULL) {
        shoot->groups |= sharers[place_index(place)];
    }
    if (slot_read(place->slot) & UWORD_PRESENT) {
        shoot_add_home(shoot, node_home(place_node(place)));
    }
    shoot_add_range(shoot, place->va, place_end(place));
}

void
shoot_take(struct vm_shoot *shoot, const struct vm_place *place)
{
    shoot_refresh(shoot, place);
    if (slot_read(place->slot) & UWORD_PRESENT) {
        slot_change(place->slot, UWORD_PRESENT, 0);
    }
}

void
shoot_node(struct vm_shoot *shoot, const struct vm_node *node)
{
    const struct page_tree *info = node_info(node);
    uint32_t home = node_home(node);

    if (home == NODE_HOME_ALL) {
        pmap_unlink(info->va, node_phys(node));
        shoot_add_range(shoot, info->va, info->va + node_slot_size(1));
    } else if (home != NODE_HOME_NONE) {
        shoot->groups |= shoot_group(home);
        shoot_add_range(shoot, info->va,
                        info->va + node_slot_size(info->level + 1U));
    }
}

void
shoot_widen_tables(struct vm_shoot *shoot, uintptr_t start, uintptr_t end)
{
    for (unsigned int level = 1; level <= NODE_LEVEL_TOP; level++) {
        size_t size = node_slot_size(level);

        if (ALIGN_DOWN(shoot->start, size) >= start) {
            shoot->start = ALIGN_DOWN(shoot->start, size);
        }
        if (ALIGN_UP(shoot->end, size) <= end) {
            shoot->end = ALIGN_UP(shoot->end, size);
        }
    }
}

void
shoot_all(struct vm_shoot *shoot)
{
    shoot->groups = UINT64_MAX >>
                    (63 - ((cpu_nr_possible - 1) >> shoot_group_shift));
    shoot->is_drop = true;
    shoot_add_range(shoot, 0, USER_END);
}

/* Give tables that were cut off to who performs the shootdown. */
static void
shoot_give_pages(struct shoot_request *request, struct utable_cut *cut)
{
    while (!list_is_empty(&cut->pages)) {
        struct page *page = list_first_entry(&cut->pages, struct page, node);
        struct page *first;

        list_remove(&page->node);
        first = atomic_load_explicit(&request->pages, memory_order_relaxed);
        do {
            page->node.next = (struct list *)(void *)first;
            /* Pairs with the acquire in shoot_free_pages(). */
        } while (!atomic_compare_exchange_weak_explicit(&request->pages, &first,
                                                        page,
                                                        memory_order_release,
                                                        memory_order_relaxed));
    }
}

/* Clear and forget a part.  Context: interrupts disabled, the CPU of @ut */
static void
shoot_step(struct shoot_request *request, struct utable *ut)
{
    struct utable_cut cut;
    uintptr_t next;

    utable_cut_init(&cut, request->start, request->end);
    (void)utable_clear(ut, &cut);
    utable_flush(ut, request->start, (cut.va - request->start) / PAGE_SIZE);
    shoot_give_pages(request, &cut);

    next = atomic_load_explicit(&request->next, memory_order_relaxed);
    while (cut.va < next &&
           !atomic_compare_exchange_weak_explicit(&request->next, &next, cut.va,
                                                  memory_order_relaxed,
                                                  memory_order_relaxed)) {
    }
}

/* Context: interrupt */
static void
shoot_handle(void *arg)
{
    struct shoot_request *request = arg;
    struct utable *ut;

    if (!request->is_drop && request->caller != cpu_id()) {
        percpu_add(shoot_counts.nr_served, 1);
    }
    ut = space_tables_this(request->space);
    /* None: the caller has moved here, or a home never got so far. */
    if (ut != NULL) {
        shoot_step(request, ut);
    }
}

/*
 * Do this CPU's part of a shootdown, or the first step of it.
 *
 * Returns: its number if that was all; else UINT32_MAX.  The caller may have
 *          moved on meanwhile.
 */
static uint32_t
shoot_here(const struct vm_shoot *shoot, struct shoot_request *request)
{
    uint64_t flags = cpu_irq_save();
    uint32_t own = cpu_id();
    struct utable *ut = space_tables_this(shoot->space);

    if (ut != NULL && (shoot->groups & shoot_group(own))) {
        shoot_step(request, ut);
    } else if (ut != NULL) {
        utable_flush(ut, request->start,
                     (request->end - request->start) / PAGE_SIZE);
    }
    cpu_irq_restore(flags);
    return request->next == request->end ? own : UINT32_MAX;
}

/* Whether a shootdown concerns no CPU but @own; for up to 64 CPUs. */
static bool
shoot_is_own(const struct vm_shoot *shoot, uint32_t own)
{
    if (own == UINT32_MAX || shoot_group_shift != 0 ||
        (shoot->groups & ~shoot_group(own)) != 0) {
        return false;
    }
    for (uint32_t i = 0; i < shoot->nr_homes; i++) {
        if (shoot->homes[i] != own) {
            return false;
        }
    }
    return true;
}

/* Add the CPUs of a group that have tables for the space. */
static void
shoot_add_group(const struct vm_shoot *shoot, uint32_t group,
                unsigned long *cpus)
{
    uint32_t first = group << shoot_group_shift;
    uint32_t end = MIN(first + (1U << shoot_group_shift), cpu_nr_possible);

    for (uint32_t cpu = first; cpu < end; cpu++) {
        if (space_has_tables(shoot->space, cpu)) {
            bitmap_set(cpus, cpu);
        }
    }
}

/*
 * The CPUs to be interrupted.
 *
 * @own  has done its part; UINT32_MAX: none has
 *
 * Returns: how many there are
 */
static size_t
shoot_targets(const struct vm_shoot *shoot, uint32_t own, unsigned long *cpus)
{
    bitmap_zero(cpus, cpu_nr_possible);
    for (uint32_t i = 0; i < shoot->nr_homes; i++) {
        bitmap_set(cpus, shoot->homes[i]);
    }
    for (uint64_t bits = shoot->groups; bits != 0; bits &= bits - 1) {
        shoot_add_group(shoot, (uint32_t)__builtin_ctzll(bits), cpus);
    }
    if (own != UINT32_MAX) {
        bitmap_clear(cpus, own);
    }
    return bitmap_count(cpus, cpu_nr_possible);
}

/* Count a round of interrupts to @nr CPUs. */
static void
shoot_count_round(const struct shoot_request *request, size_t nr)
{
    if (request->is_drop) {
        percpu_add(shoot_counts.nr_drops, nr);
    } else {
        percpu_add(shoot_counts.nr_interrupts, nr);
    }
}

/* Have other CPUs, and this one if it is not done, go on for a while. */
static void
shoot_round(struct shoot_request *request, const unsigned long *cpus, size_t nr)
{
    request->caller = cpu_id();
    atomic_store_explicit(&request->next, request->end, memory_order_relaxed);
    shoot_count_round(request,
                      bitmap_test(cpus, request->caller) ? nr - 1 : nr);
    xcall_many(cpus, shoot_handle, request);
    request->start = atomic_load_explicit(&request->next, memory_order_relaxed);
}

/* Have other CPUs do their parts. */
static void
shoot_others(const struct vm_shoot *shoot, struct shoot_request *request,
             uint32_t own)
{
    unsigned long cpus[BITMAP_LONGS(SHOOT_CPUS_MAX)];
    size_t nr = shoot_targets(shoot, own, cpus);

    if (nr == 0) {
        return;
    }
    percpu_add(shoot_counts.nr_remote, 1);
    while (request->start < request->end) {
        shoot_round(request, cpus, nr);
    }
}

/* Free the tables that were cut off. */
static void
shoot_free_pages(struct shoot_request *request)
{
    struct page *page;

    /* Pairs with the release in shoot_give_pages(). */
    page = atomic_load_explicit(&request->pages, memory_order_acquire);
    while (page != NULL) {
        struct page *next = (struct page *)(void *)page->node.next;

        utable_page_free(page);
        page = next;
    }
}

void
shoot_perform(struct vm_shoot *shoot)
{
    struct shoot_request request = {
        .space = shoot->space,
        .start = shoot->start,
        .end = shoot->end,
        .next = shoot->end,
        .is_drop = shoot->is_drop,
    };
    uint32_t own;

    if (shoot->end == 0) {
        return;
    }
    if (unlikely(shoot->space->is_kernel)) {
        pmap_flush_all();
        return;
    }

    own = shoot_here(shoot, &request);
    if (shoot_is_own(shoot, own)) {
        percpu_add(shoot_counts.nr_local, 1);
    } else {
        shoot_others(shoot, &request, own);
    }
    shoot_free_pages(&request);
}

void
shoot_slot(struct vm_space *space, const struct vm_place *place)
{
    struct vm_shoot shoot;

    shoot_init(&shoot, space);
    shoot_take(&shoot, place);
    shoot_perform(&shoot);
}

void
shoot_visit(const struct vm_shoot *shoot, xcall_fn_t fn, void *arg)
{
    unsigned long cpus[BITMAP_LONGS(SHOOT_CPUS_MAX)];

    if (shoot_targets(shoot, UINT32_MAX, cpus) != 0) {
        xcall_many(cpus, fn, arg);
    }
}

void
shoot_stats_get_cpu(uint32_t cpu, struct shoot_stats *stats)
{
    *stats = *percpu_ptr(shoot_counts, cpu);
}

void
shoot_stats_get(struct shoot_stats *stats)
{
    uint32_t cpu;

    *stats = (struct shoot_stats){ .nr_interrupts = 0 };
    cpu_for_each (cpu) {
        const struct shoot_stats *own = percpu_ptr(shoot_counts, cpu);

        stats->nr_local += own->nr_local;
        stats->nr_remote += own->nr_remote;
        stats->nr_interrupts += own->nr_interrupts;
        stats->nr_served += own->nr_served;
        stats->nr_drops += own->nr_drops;
    }
}

static status_t
shoot_setup(void)
{
    while ((cpu_nr_possible - 1) >> shoot_group_shift >= shoot_nr_groups) {
        shoot_group_shift++;
    }
    return OK;
}

INIT_OP(shoot_setup, INIT_BOOT_CPU, AFTER(percpu_setup));

static status_t
shoot_option(const char *value)
{
    uint64_t nr;
    status_t status = option_number(value, SHOOT_GROUPS_MAX, &nr);

    if (status == OK) {
        shoot_nr_groups = MAX(nr, UINT64_C(2));
    }
    return status;
}

OPTION(vm_groups, "N", "tell at most N groups of CPUs apart", shoot_option);
