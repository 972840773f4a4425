/* SPDX-License-Identifier: MIT */
/*
 * Page faults: the slot of the page is locked, made resident, with a page of
 * its own if it is to be written, and entered into the tables of the CPU that
 * executes this by then.
 *
 * A folded slot of an object that is in one piece there becomes resident as it
 * is, as one large page; every other one is expanded down to the level that
 * fits.  The lock of a slot is that of all addresses it stands for, so there
 * are never pages of two sizes for one address, in the tree or in anybody's
 * tables.
 *
 * The thread may move at any time but while it enters the page, with
 * interrupts disabled.
 */
#include <stddef.h>

#include <lib/string.h>
#include <arch/cpu.h>
#include <kern/clock.h>
#include <kern/container.h>
#include <kern/cpu.h>
#include <kern/page.h>
#include <kern/percpu.h>
#include <kern/thread.h>
#include <kern/zero_pool.h>
#include <vm/kernel.h>
#include <vm/object.h>
#include <vm/region.h>
#include <vm/share.h>
#include <vm/space_i.h>

/* Pages looked at around one that is entered, itself included. */
#define FAULT_AROUND 16

/* Page tables that entering a page may need. */
#define FAULT_TABLES 4

/* Tries in a row with a page for one of them each. */
#define FAULT_TRIES 8

/*
 * A fault being handled.
 */
struct fault {
    struct vm_space *space;
    uintptr_t va; /* of the page */
    unsigned int access;
    struct vm_place place;
    uint64_t word;             /* the slot's, to be */
    struct page *spare;        /* for a page table; NULL: none */
    struct page *more;         /* other such pages, by node.next */
    unsigned int nr_tries;     /* to provide what is lacking */
    struct list pages;         /* of tables that were cut off */
    struct vm_object *awaited; /* has to get the page, referenced; or NULL */
    uint64_t index;            /* of that page */
};

static_assert((int)SLOT_FRAME_PRIVATE == 0, "cleared is private");

static_assert(FAULT_READ == PMAP_READ && FAULT_WRITE == PMAP_WRITE &&
                  FAULT_EXEC == PMAP_EXEC,
              "an access needs the protection of the same name");

/* Of this CPU; other CPUs only read. */
static PERCPU(struct space_fault_stats, fault_counts);

uint64_t
space_word(uint64_t word, paddr_t phys, enum pmap_cache cache,
           enum slot_frame frame, bool is_writable)
{
    unsigned int prot = slot_prot(word) | PMAP_READ;
    uint64_t entry;

    if (!is_writable) {
        prot &= ~PMAP_WRITE;
    }
    entry = uword_make(phys, prot, cache, 0) & ~UWORD_PRESENT;
    return entry | (word & SLOT_MAPPING_MASK) | SLOT_RESIDENT |
           (uint64_t)frame << SLOT_FRAME_SHIFT;
}

/* A page that the space pays for; its contents are undefined unless zeroed. */
static struct page *
fault_page_alloc(struct fault *fault, bool is_zeroed)
{
    struct container *container = fault->space->container;
    struct page *page;

    if (container_charge(container, CONTAINER_PAGES, 1) != OK) {
        return NULL;
    }
    page = is_zeroed ? zero_pool_get() : page_alloc(0, PAGE_RESERVE);
    if (page == NULL) {
        container_refund(container, CONTAINER_PAGES, 1);
    }
    return page;
}

/* Lock the slot of the page, whatever its level. */
static void
fault_lock(struct fault *fault)
{
    fault->word = tree_lock(&fault->space->tree, fault->va, &fault->place) &
                  ~SLOT_LOCK_BITS;
}

/* Whether the mapping allows the access. */
static status_t
fault_check(const struct fault *fault)
{
    if (slot_type(fault->word) != SLOT_MAPPED) {
        return ERR_FAULT;
    }
    return (slot_prot(fault->word) & fault->access) != 0 ? OK : ERR_ACCESS;
}

/*
 * The level of the largest page by which the fault can be resolved, no higher
 * than that of its slot.
 */
static unsigned int
fault_level(const struct fault *fault)
{
    unsigned int level = MIN(fault->place.level, utable_level_max());
    const struct vm_region *region = region_of_slot(fault->place.slot,
                                                    place_index(&fault->place),
                                                    fault->word);

    if (region == NULL || fault->space->is_kernel ||
        (region->is_private && (fault->access & FAULT_WRITE))) {
        return 0;
    }
    while (level > 0) {
        size_t size = node_slot_size(level);
        uintptr_t va = ALIGN_DOWN(fault->va, size);

        if (object_is_run(region->object, region_index(region, va),
                          size >> PAGE_SHIFT)) {
            break;
        }
        level--;
    }
    return level;
}

/* Have a slot of the page that is to be entered instead of a larger one. */
__noinline static status_t
fault_expand(struct fault *fault)
{
    unsigned int level = fault_level(fault);

    while (fault->place.level > level) {
        struct vm_tree *tree = &fault->space->tree;
        status_t status;

        status =
            tree_expand(tree, &fault->place, fault->va, fault->va + PAGE_SIZE);
        if (status != OK) {
            return status;
        }
        fault->word = tree_find(tree, fault->va, &fault->place) &
                      ~SLOT_LOCK_BITS;
    }
    return OK;
}

static status_t
fault_zero(struct fault *fault)
{
    struct page *page = fault_page_alloc(fault, true);

    if (page == NULL) {
        return ERR_NO_MEMORY;
    }
    fault->word = space_word(fault->word, page_phys(page), PMAP_WB,
                             SLOT_FRAME_PRIVATE,
                             (slot_prot(fault->word) & PMAP_WRITE) != 0);
    return OK;
}

/* Have a copy of a frame in a page of its own. */
static status_t
fault_copy(struct fault *fault, paddr_t phys)
{
    struct page *page = fault_page_alloc(fault, false);

    if (page == NULL) {
        return ERR_NO_MEMORY;
    }
    memcpy(page_ptr(page), pmap_direct_ptr(phys), PAGE_SIZE);
    fault->word = space_word(fault->word, page_phys(page), PMAP_WB,
                             SLOT_FRAME_PRIVATE, true);
    return OK;
}

/* The frame of an object's page; or note that it has to be waited for. */
static status_t
fault_get_frame(struct fault *fault, struct vm_region *region, bool is_write,
                struct object_frame *frame)
{
    uint64_t index = region_index(region, fault->place.va);
    status_t status;

    status = object_get_frame(region->object, index, is_write, frame);
    if (status == ERR_AGAIN) {
        object_get(region->object);
        fault->awaited = region->object;
        fault->index = index;
    }
    return status;
}

/*
 * Wait for the page, if it is an object that has to get it; the slot is not
 * locked.
 *
 * @statusp  of the fault, and receives what comes of the wait
 *
 * Returns: whether to try again
 */
static bool
fault_wait(struct fault *fault, status_t *statusp)
{
    struct vm_object *object = fault->awaited;

    if (object == NULL) {
        return false;
    }
    *statusp = object_wait(object, fault->index, CLOCK_NEVER);
    fault->awaited = NULL;
    object_put(object);
    return *statusp == OK;
}

/* The page of an object that is not resident yet. */
static status_t
fault_object(struct fault *fault, struct vm_region *region)
{
    bool is_write = (fault->access & FAULT_WRITE) != 0;
    struct object_frame frame;
    status_t status;

    status = node_regions_ensure(place_node(&fault->place));
    if (status != OK) {
        return status;
    }
    status =
        fault_get_frame(fault, region, is_write && !region->is_private, &frame);
    if (status != OK) {
        return status;
    }
    if (is_write && region->is_private) {
        status = fault_copy(fault, frame.phys);
    } else {
        fault->word = space_word(fault->word, frame.phys, frame.cache,
                                 SLOT_FRAME_OBJECT, is_write) |
                      (fault->place.level > 0 ? UWORD_LARGE : 0);
    }
    if (status == OK) {
        /* From now on the word has no room for it. */
        node_regions(place_node(&fault->place))[place_index(&fault->place)] =
            region;
    }
    return status;
}

/* The first write to a page that others may have, too. */
static status_t
fault_counted(struct fault *fault)
{
    uint64_t old = fault->word;
    struct page *page = page_from_phys(slot_phys(old));
    status_t status;

    if (share_try_take(page, fault->space->container)) {
        /* Others may still have it read-only: they stay in the sets. */
        fault->word = (old & ~SLOT_FRAME_MASK) | UWORD_WRITE;
        return OK;
    }
    status = fault_copy(fault, page_phys(page));
    if (status == OK) {
        shoot_slot(fault->space, &fault->place);
        share_put(page);
    }
    return status;
}

/* The first write to an object's page. */
static status_t
fault_object_write(struct fault *fault, struct vm_region *region)
{
    struct object_frame frame;
    status_t status;

    if (region->is_private) {
        status = fault_copy(fault, slot_phys(fault->word));
        if (status == OK) {
            shoot_slot(fault->space, &fault->place);
        }
        return status;
    }
    status = fault_get_frame(fault, region, true, &frame);
    if (status == OK) {
        fault->word |= UWORD_WRITE;
    }
    return status;
}

/* Make the page resident, and writable if it is to be written. */
static status_t
fault_fill(struct fault *fault)
{
    struct vm_region *region = region_of_slot(fault->place.slot,
                                              place_index(&fault->place),
                                              fault->word);

    if (!slot_is_resident(fault->word)) {
        return region == NULL ? fault_zero(fault) : fault_object(fault, region);
    }
    if (!(fault->access & FAULT_WRITE) || (fault->word & UWORD_WRITE)) {
        return OK;
    }
    switch (slot_frame(fault->word)) {
    case SLOT_FRAME_COUNTED:
        return fault_counted(fault);
    case SLOT_FRAME_OBJECT:
        return fault_object_write(fault, region);
    case SLOT_FRAME_PRIVATE:
        break;
    }
    fault->word |= UWORD_WRITE;
    return OK;
}

/*
 * The entry for tables of a CPU's own.  It is writable only if the slot says
 * that the page is dirty: what a processor says in such tables is lost with
 * them.
 */
static uint64_t
fault_entry(const struct fault *fault)
{
    uint64_t entry = (fault->word & SLOT_HW_MASK) | UWORD_PRESENT;

    return (entry & UWORD_DIRTY) ? entry : entry & ~UWORD_WRITE;
}

/*
 * Enter the page, or the node of which this CPU is the home.
 *
 * Context: interrupts disabled
 * Returns: OK; ERR_AGAIN: something is lacking; ERR_STATE: something is in the
 *          way
 */
static status_t
fault_enter_tables(struct fault *fault, struct utable *ut)
{
    struct vm_node *node = place_node(&fault->place);
    unsigned int level = fault->place.level;
    uint64_t *sharers;

    if (likely(level == 0) && node_claim_home(node, cpu_id()) == cpu_id()) {
        fault->word |= UWORD_PRESENT;
        return utable_link(ut, fault->va, node_phys(node), &fault->spare);
    }
    sharers = node_sharers(node);
    if (sharers == NULL) {
        return ERR_AGAIN;
    }
    sharers += place_index(&fault->place);
    /* Others look at it without the lock. */
    WRITE_ONCE(*sharers, *sharers | shoot_group(cpu_id()));
    return utable_enter(ut, fault->va, fault_entry(fault), level,
                        &fault->spare);
}

/*
 * Clear what is in the way: a table of the CPU's own, from the time when it
 * was not the home of the node that was here, or when there were nodes where a
 * large page is now.  There is nothing in it any more.
 */
static void
fault_make_way(struct fault *fault, struct utable *ut)
{
    size_t size = node_slot_size(MAX(fault->place.level, 1U));
    uintptr_t va = ALIGN_DOWN(fault->va, size);
    struct utable_cut cut;

    utable_cut_init(&cut, va, va + size);
    (void)utable_clear(ut, &cut);
    utable_flush(ut, va, NODE_NR_SLOTS);
    list_concat(&fault->pages, &cut.pages);
}

/*
 * Make this CPU's tables, of the page that was brought.
 *
 * Context: interrupts disabled
 * Returns: NULL: something is lacking
 */
static struct utable *
fault_begin_tables(struct fault *fault)
{
    struct vm_space_cpu *cpu = space_cpu_this(fault->space);

    if (cpu == NULL || fault->spare == NULL) {
        return NULL;
    }
    utable_init_with(&cpu->tables, fault->space->container, fault->spare);
    fault->spare = NULL;
    return &cpu->tables;
}

/*
 * Enter the page into this CPU's tables.
 *
 * Context: interrupts disabled
 * Returns: OK; ERR_AGAIN: not yet, see fault_provide()
 */
static status_t
fault_enter_here(struct fault *fault)
{
    struct utable *ut = space_tables_this(fault->space);
    status_t status;

    if (unlikely(ut == NULL)) {
        ut = fault_begin_tables(fault);
        if (ut == NULL) {
            return ERR_AGAIN;
        }
    }
    if (thread_self()->space == fault->space && utable_loaded() != ut) {
        utable_load(ut);
    }
    status = fault_enter_tables(fault, ut);
    if (status == ERR_STATE) {
        fault_make_way(fault, ut);
        return ERR_AGAIN;
    }
    return status;
}

/* Take another spare if there is none at hand.  Returns: whether it did */
static bool
fault_next_spare(struct fault *fault)
{
    if (fault->spare != NULL || fault->more == NULL) {
        return false;
    }
    fault->spare = fault->more;
    fault->more = (struct page *)(void *)fault->spare->node.next;
    return true;
}

/* Have one more spare.  Returns: OK; ERR_NO_MEMORY */
static status_t
fault_add_spare(struct fault *fault)
{
    struct page *page = utable_spare_alloc(fault->space->container);

    if (page == NULL) {
        return ERR_NO_MEMORY;
    }
    if (fault->spare == NULL) {
        fault->spare = page;
        return OK;
    }
    page->node.next = (struct list *)(void *)fault->more;
    fault->more = page;
    return OK;
}

/*
 * Have a page for a table.  When that was not enough again and again, have one
 * for each level: memory is short, and while a page was looked for, the tables
 * that had been entered before were dropped.
 *
 * Returns: OK; ERR_NO_MEMORY
 */
static status_t
fault_provide_spares(struct fault *fault)
{
    unsigned int nr = 1;
    status_t status = OK;

    if (++fault->nr_tries % FAULT_TRIES == 0) {
        nr = FAULT_TABLES;
    } else if (fault->spare != NULL) {
        return OK;
    }
    while (nr-- > 0 && status == OK) {
        status = fault_add_spare(fault);
    }
    return status;
}

/*
 * Have all that entering a page may need.
 *
 * Returns: OK; ERR_NO_MEMORY
 */
static status_t
fault_provide(struct fault *fault)
{
    struct vm_space *space = fault->space;
    struct vm_node *node = place_node(&fault->place);
    uint32_t home = node_home(node);
    bool is_shared = fault->place.level > 0 ||
                     (home != NODE_HOME_NONE && home != cpu_id());
    status_t status;

    status = space_cpu_ensure(space);
    if (status == OK && is_shared) {
        status = node_sharers_ensure(node);
    }
    return status == OK ? fault_provide_spares(fault) : status;
}

/* Enter the page into the tables of the CPU on which this happens to run. */
static status_t
fault_enter(struct fault *fault)
{
    status_t status;

    if (unlikely(fault->space->is_kernel)) {
        return kernel_enter(place_node(&fault->place), &fault->word);
    }

    do {
        uint64_t flags = cpu_irq_save();

        do {
            status = fault_enter_here(fault);
        } while (unlikely(status == ERR_AGAIN) && fault_next_spare(fault));
        cpu_irq_restore(flags);
        if (status != ERR_AGAIN) {
            break;
        }
        status = fault_provide(fault);
    } while (status == OK);
    return status;
}

/* Whether the tables of the CPU on which this happens to run have a page. */
static bool
fault_is_entered(const struct fault *fault, uintptr_t va)
{
    uint64_t flags = cpu_irq_save();
    struct utable *ut = space_tables_this(fault->space);
    bool is_entered = ut != NULL && utable_lookup(ut, va) != 0;

    cpu_irq_restore(flags);
    return is_entered;
}

/*
 * Whether this CPU has the translation of a slot of the fault's node.  A word
 * of sharers alone does not tell: others may share the bit, and tables may have
 * been dropped.  Racy without the lock of that slot.
 */
static bool
fault_is_known(const struct fault *fault, unsigned int index)
{
    struct vm_node *node = place_node(&fault->place);
    const uint64_t *sharers = node_sharers(node);
    uint32_t cpu = cpu_id();

    if (node_home(node) == cpu) {
        return (slot_read(&node->slots[index]) & UWORD_PRESENT) != 0;
    }
    return sharers != NULL &&
           (READ_ONCE(sharers[index]) & shoot_group(cpu)) != 0 &&
           fault_is_entered(fault, ALIGN_DOWN(fault->va, node_slot_size(1)) +
                                       index * PAGE_SIZE);
}

/* Enter a neighbour if that needs no waiting. */
static void
fault_enter_near(struct fault *fault, unsigned int index)
{
    struct vm_node *node = place_node(&fault->place);
    uint64_t word, flags;

    fault->va = ALIGN_DOWN(fault->va, node_slot_size(1)) + index * PAGE_SIZE;
    fault->place.slot = &node->slots[index];
    if (fault_is_known(fault, index) ||
        !slot_try_lock(fault->place.slot, &word)) {
        return;
    }
    fault->word = word & ~SLOT_LOCK_BITS;
    if (slot_is_resident(word) && slot_prot(word) != 0) {
        flags = cpu_irq_save();
        /* If it cannot be entered, it has a fault of its own later. */
        if (fault_enter_here(fault) == OK) {
            percpu_add(fault_counts.nr_near, 1);
        }
        cpu_irq_restore(flags);
    }
    slot_unlock_used(fault->place.slot, fault->word);
}

/*
 * Enter resident neighbours of a page that was resident already, when the CPU
 * seems to go from page to page: it uses the one before or behind.
 *
 * Context: the lock of the slot, and so the node cannot go
 */
static void
fault_enter_around(struct fault *fault)
{
    const struct fault own = *fault;
    unsigned int own_index = place_index(&fault->place);
    unsigned int index = own_index - own_index % FAULT_AROUND;

    if (!(own_index > 0 && fault_is_known(fault, own_index - 1)) &&
        !(own_index + 1 < NODE_NR_SLOTS &&
          fault_is_known(fault, own_index + 1))) {
        return;
    }
    for (unsigned int i = 0; i < FAULT_AROUND; i++, index++) {
        if (index != own_index) {
            fault_enter_near(fault, index);
        }
    }
    fault->va = own.va;
    fault->place = own.place;
    fault->word = own.word;
}

/* What is to be done with the slot locked. */
static status_t
fault_handle(struct fault *fault)
{
    bool was_resident = slot_is_resident(fault->word);
    status_t status;

    status = fault_check(fault);
    if (status != OK) {
        return status;
    }
    if (unlikely(fault->place.level > 0)) {
        status = fault_expand(fault);
        if (status != OK) {
            return status;
        }
    }
    status = fault_fill(fault);
    if (status != OK) {
        return status;
    }
    fault->word |= UWORD_ACCESSED;
    if (fault->access & FAULT_WRITE) {
        fault->word |= UWORD_DIRTY;
    }
    status = fault_enter(fault);
    if (status == OK && was_resident && fault->place.level == 0) {
        fault_enter_around(fault);
    }
    return status;
}

static void
fault_free_spares(struct fault *fault)
{
    do {
        utable_spare_free(fault->space->container, fault->spare);
        fault->spare = NULL;
    } while (fault_next_spare(fault));
}

/* Free what is left over. */
static void
fault_clean_up(struct fault *fault)
{
    if (unlikely(fault->nr_tries != 0)) {
        fault_free_spares(fault);
    }
    while (unlikely(!list_is_empty(&fault->pages))) {
        struct page *page = list_first_entry(&fault->pages, struct page, node);

        list_remove(&page->node);
        utable_page_free(page);
    }
}

status_t
space_fault(struct vm_space *space, uintptr_t va, unsigned int access)
{
    struct fault fault = {
        .space = space,
        .va = ALIGN_DOWN(va, PAGE_SIZE),
        .access = access,
    };
    status_t status;

    if (va < space->start || va >= space->end) {
        return ERR_FAULT;
    }
    list_init(&fault.pages);
    percpu_add(fault_counts.nr_faults, 1);
    do {
        fault_lock(&fault);
        status = fault_handle(&fault);
        /* Also when it failed: what was done before stays. */
        slot_unlock_used(fault.place.slot, fault.word);
    } while (unlikely(fault_wait(&fault, &status)));
    fault_clean_up(&fault);
    space_drop_sometimes(space);
    return status;
}

void
space_fault_stats_get(struct space_fault_stats *stats)
{
    uint32_t cpu;

    *stats = (struct space_fault_stats){ .nr_faults = 0 };
    cpu_for_each (cpu) {
        const struct space_fault_stats *own = percpu_ptr(fault_counts, cpu);

        stats->nr_faults += own->nr_faults;
        stats->nr_near += own->nr_near;
    }
}
