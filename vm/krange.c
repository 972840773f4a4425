/* SPDX-License-Identifier: MIT */
/*
 * Ranges of kernel addresses are made, freed, and made again.
 *
 * Exception from the invariant of slots: whether a page is present says the
 * owner of the range, without locking its slot.  Nobody else changes the slot
 * but who purges the range, who owns it then; those who lock it do so by
 * mistake, because they look for room, or for empty nodes, and leave it.
 *
 * What is freed loses its translations at once in the page tables, but CPUs
 * may still have them, so neither the addresses nor the memory can be used for
 * anything else: the range waits on the list of the CPU that freed it, mapped
 * but not present.  Two ways lead from there:
 *
 *   - Who wants a range of that size on this CPU takes it as it is: whatever
 *     translations CPUs have lead to the same memory, and are right again.
 *   - When too much waits, or memory is short, all CPUs forget all, once for
 *     the whole list, and the ranges are unmapped as in any space.  Nothing
 *     being present, that interrupts nobody.
 *
 * Ranges may be purged by who allocates pages, wherever that is (a shrinker).
 * That is safe because purging waits for nothing that he could hold: it leaves
 * out ranges and nodes of which a slot is locked, and neither allocates nor
 * expands.
 */
#include <stdatomic.h>
#include <stddef.h>

#include <lib/string.h>
#include <arch/cpu.h>
#include <kern/container.h>
#include <kern/cpu.h>
#include <kern/init.h>
#include <kern/kasan.h>
#include <kern/kva.h>
#include <kern/page.h>
#include <kern/panic.h>
#include <kern/percpu.h>
#include <kern/preempt.h>
#include <kern/rcu.h>
#include <kern/slab.h>
#include <kern/spinlock.h>
#include <vm/kernel.h>
#include <vm/krange.h>
#include <vm/region.h>
#include <vm/space_i.h>

#define KRANGE_SIZE_MAX (KVA_SIZE / 2)
#define KRANGE_PROT     (PMAP_READ | PMAP_WRITE)

/* Freed bytes that may wait on a CPU: its part of a part of the memory. */
#define KRANGE_DIRTY_SHARE 32
#define KRANGE_DIRTY_MIN   (4 * KERNEL_STACK_SIZE)
#define KRANGE_DIRTY_MAX   MIB(2)

/* Freed ranges looked at for one of the right size. */
#define KRANGE_TRIES_MAX 8

/* What is to be mapped. */
struct krange_source {
    struct list pages; /* by node; used up */
    paddr_t phys;      /* if not @has_pages: of the first page */
    enum pmap_cache cache;
    bool has_pages;
};

/*
 * Keys: [D] lock
 */
struct krange_cpu {
    struct spinlock lock; /* rank LOCK_KVA */
    struct krange *dirty; /* [D] freed, the last one first */
    size_t dirty_size;    /* [D] bytes; read by anybody */
} __aligned(CACHE_LINE);

static PERCPU(struct krange_cpu, krange_cpu) = {
    .lock = SPINLOCK_INITIALIZER(LOCK_KVA, "freed kernel addresses"),
};

/* Bytes, changed by each CPU for what it allocates and frees: only the sum is
 * meaningful. */
static PERCPU(int64_t, krange_used);

static size_t krange_dirty_max; /* constant once set up */
static struct slab_cache krange_cache;

/*
 * Descriptors
 */

void
krange_destroy(struct vm_region *region)
{
    slab_free(&krange_cache, container_of(region, struct krange, region));
}

static struct krange *
krange_create(size_t size, const char *name, bool has_pages)
{
    struct krange *krange = slab_alloc(&krange_cache);

    if (krange == NULL) {
        return NULL;
    }
    krange->region = (struct vm_region){ .destroy = krange_destroy };
    atomic_init(&krange->region.nr_users, 1);
    krange->size = size;
    atomic_init(&krange->is_freed, false);
    krange->has_pages = has_pages;
    strlcpy(krange->name, name, sizeof(krange->name));
    return krange;
}

/* The range whose guard page a slot says that it is; NULL: none. */
static struct krange *
krange_of_word(uint64_t word)
{
    if (slot_type(word) != SLOT_MAPPED || slot_is_resident(word) ||
        !(word & SLOT_REGION)) {
        return NULL;
    }
    return container_of(region_of_word(word), struct krange, region);
}

/* The caller's range with its guard page at an address; NULL: none. */
static struct krange *
krange_at(uintptr_t base)
{
    struct krange *krange;
    struct vm_place place;

    if (base < kernel_space->start || base >= kernel_space->end) {
        return NULL;
    }
    rcu_read_lock();
    krange = krange_of_word(tree_find(&kernel_space->tree, base, &place));
    rcu_read_unlock();
    return krange != NULL && krange->region.destroy == krange_destroy &&
                   krange->base == base
               ? krange
               : NULL;
}

/*
 * Lists of freed ranges
 */

/* Put ranges on this CPU's list.  Returns: bytes that are on it */
static size_t
krange_defer(struct krange *krange)
{
    struct krange_cpu *cpu;
    uint64_t flags;
    size_t size;

    preempt_disable();
    cpu = percpu_this(krange_cpu);
    flags = spinlock_lock_irqsave(&cpu->lock);
    krange->next = cpu->dirty;
    cpu->dirty = krange;
    size = cpu->dirty_size + krange->size;
    WRITE_ONCE(cpu->dirty_size, size);
    spinlock_unlock_irqrestore(&cpu->lock, flags);
    preempt_enable();
    return size;
}

/* Find a range with memory on a list.  Returns: where it is linked; or NULL */
static struct krange **
krange_find_locked(struct krange_cpu *cpu, size_t size)
{
    struct krange **link = &cpu->dirty;

    assert(spinlock_is_locked(&cpu->lock));

    for (int i = 0; i < KRANGE_TRIES_MAX && *link != NULL; i++) {
        if ((*link)->size == size && (*link)->has_pages) {
            return link;
        }
        link = &(*link)->next;
    }
    return NULL;
}

/* Take a range with memory off this CPU's list; NULL: none. */
static struct krange *
krange_recall(size_t size)
{
    struct krange *krange = NULL;
    struct krange_cpu *cpu;
    struct krange **link;
    uint64_t flags;

    preempt_disable();
    cpu = percpu_this(krange_cpu);
    flags = spinlock_lock_irqsave(&cpu->lock);
    link = krange_find_locked(cpu, size);
    if (link != NULL) {
        krange = *link;
        *link = krange->next;
        WRITE_ONCE(cpu->dirty_size, cpu->dirty_size - size);
    }
    spinlock_unlock_irqrestore(&cpu->lock, flags);
    preempt_enable();
    return krange;
}

/* Take all off a CPU's list. */
static struct krange *
krange_take_all(struct krange_cpu *cpu)
{
    struct krange *krange;
    uint64_t flags;

    if (READ_ONCE(cpu->dirty_size) == 0) {
        return NULL;
    }
    flags = spinlock_lock_irqsave(&cpu->lock);
    krange = cpu->dirty;
    cpu->dirty = NULL;
    WRITE_ONCE(cpu->dirty_size, 0);
    spinlock_unlock_irqrestore(&cpu->lock, flags);
    return krange;
}

/*
 * Mapping
 */

/* Free the pages that are left of a source. */
static void
krange_source_free(struct krange_source *source)
{
    uint64_t nr = 0;

    for (; !list_is_empty(&source->pages); nr++) {
        struct page *page = list_first_entry(&source->pages, struct page, node);

        list_remove(&page->node);
        page_free(page, 0);
    }
    container_refund(container_root, CONTAINER_PAGES, nr);
}

/* Have memory of so many bytes. */
static status_t
krange_source_fill(struct krange_source *source, size_t size)
{
    uint64_t nr = size / PAGE_SIZE, i;

    if (container_charge(container_root, CONTAINER_PAGES, nr) != OK) {
        return ERR_NO_MEMORY;
    }
    for (i = 0; i < nr; i++) {
        struct page *page = page_alloc(0, 0);

        if (page == NULL) {
            container_refund(container_root, CONTAINER_PAGES, nr - i);
            krange_source_free(source);
            return ERR_NO_MEMORY;
        }
        list_insert_tail(&source->pages, &page->node);
    }
    return OK;
}

/* Have slots of level 0 for all of a locked range, in linked nodes. */
static status_t
krange_prepare(struct tree_range *range)
{
    struct vm_tree *tree = &kernel_space->tree;
    uintptr_t start = range->first.va;
    struct vm_place place;

    tree_for_each_place(range, &place)
    {
        status_t status = OK;

        while (place.level > 0 && status == OK) {
            uintptr_t va = place.va;

            status = tree_expand(tree, &place, start, range->end);
            tree_find(tree, va, &place);
            if (va == start) {
                range->first = place;
            }
        }
        if (status == OK) {
            status = kernel_link(place_node(&place));
        }
        if (status != OK) {
            return status;
        }
    }
    return OK;
}

/* The word of the next page of a source. */
static uint64_t
krange_next_word(struct krange_source *source)
{
    enum slot_frame frame = SLOT_FRAME_OBJECT;
    paddr_t phys = source->phys;

    if (source->has_pages) {
        struct page *page = list_first_entry(&source->pages, struct page, node);

        list_remove(&page->node);
        frame = SLOT_FRAME_PRIVATE;
        phys = page_phys(page);
    } else {
        source->phys += PAGE_SIZE;
    }
    return pmap_word(phys, KRANGE_PROT, source->cache) | SLOT_RESIDENT |
           SLOT_WIRED | (uint64_t)SLOT_MAPPED << SLOT_TYPE_SHIFT |
           (uint64_t)KRANGE_PROT << SLOT_PROT_SHIFT |
           (uint64_t)frame << SLOT_FRAME_SHIFT;
}

/* Give the slots of a prepared range their words, and unlock them. */
static void
krange_enter(const struct tree_range *range, const struct krange *krange,
             struct krange_source *source)
{
    struct vm_place place;

    tree_for_each_place(range, &place)
    {
        slot_unlock(place.slot, place.va == krange->base
                                    ? (uint64_t)SLOT_MAPPED << SLOT_TYPE_SHIFT |
                                          SLOT_WIRED |
                                          region_word(&krange->region)
                                    : krange_next_word(source));
    }
}

/* Find addresses for a range and map it there. */
static status_t
krange_map(struct krange *krange, struct krange_source *source)
{
    struct tree_range range;
    uintptr_t va = 0;
    status_t status;

    status = space_lock_room(kernel_space, krange->size, &va, &range);
    if (status != OK) {
        return status;
    }
    status = krange_prepare(&range);
    if (status == OK && source->has_pages) {
        status = kasan_map_shadow((void *)(va + KRANGE_GUARD_SIZE),
                                  krange->size - KRANGE_GUARD_SIZE);
    }
    if (status != OK) {
        tree_unlock_range(&range);
        return status;
    }
    krange->base = va;
    krange_enter(&range, krange, source);
    space_room_used(kernel_space, va);
    percpu_add(krange_used, krange->size);
    return OK;
}

/* Make a range.  @size: with the guard page.  Returns: NULL on exhaustion */
static void *
krange_make(size_t size, const char *name, struct krange_source *source)
{
    struct krange *krange = krange_create(size, name, source->has_pages);
    status_t status;

    if (krange == NULL) {
        return NULL;
    }
    status = krange_map(krange, source);
    if (status != OK && cpu_irq_is_enabled()) {
        kva_purge();
        status = krange_map(krange, source);
    }
    if (status != OK) {
        krange_destroy(&krange->region);
        return NULL;
    }
    return (void *)(krange->base + KRANGE_GUARD_SIZE);
}

/* Whether so much, and a guard page, may be asked for. */
static bool
krange_is_size(size_t size)
{
    return size != 0 && size <= KRANGE_SIZE_MAX;
}

/* Say whether CPUs may have translations of a range that is the caller's. */
static void
krange_set_present(const struct krange *krange, bool is_present)
{
    struct tree_range range = {
        .tree = &kernel_space->tree,
        .end = krange->base + krange->size,
    };
    struct vm_place place;

    tree_find(range.tree, krange->base, &range.first);
    tree_for_each_place(&range, &place)
    {
        if (place.va == krange->base) {
            continue;
        }
        if (is_present) {
            atomic_fetch_or_explicit(place.slot, UWORD_PRESENT,
                                     memory_order_relaxed);
        } else {
            atomic_fetch_and_explicit(place.slot, ~UWORD_PRESENT,
                                      memory_order_relaxed);
        }
    }
}

/* Have a freed range again as it was; NULL: there is none. */
static void *
krange_reuse(size_t size, const char *name)
{
    struct krange *krange = krange_recall(size);
    void *ptr;

    if (krange == NULL) {
        return NULL;
    }
    ptr = (void *)(krange->base + KRANGE_GUARD_SIZE);
    strlcpy(krange->name, name, sizeof(krange->name));
    krange_set_present(krange, true);
    atomic_store_explicit(&krange->is_freed, false, memory_order_relaxed);
    kasan_unpoison(ptr, size - KRANGE_GUARD_SIZE);
    percpu_add(krange_used, size);
    return ptr;
}

static void *
krange_alloc(size_t size, const char *name)
{
    struct krange_source source = { .cache = PMAP_WB, .has_pages = true };
    void *ptr;

    if (!krange_is_size(size)) {
        return NULL;
    }
    size = ALIGN_UP(size, PAGE_SIZE);
    ptr = krange_reuse(size + KRANGE_GUARD_SIZE, name);
    if (ptr != NULL) {
        return ptr;
    }

    list_init(&source.pages);
    if (krange_source_fill(&source, size) != OK) {
        return NULL;
    }
    ptr = krange_make(size + KRANGE_GUARD_SIZE, name, &source);
    if (ptr == NULL) {
        krange_source_free(&source);
    }
    return ptr;
}

static void *
krange_map_mmio(paddr_t phys, size_t size, enum pmap_cache cache,
                const char *name)
{
    size_t offset = phys & PAGE_MASK;
    struct krange_source source = { .phys = phys - offset, .cache = cache };
    char *ptr;

    if (!krange_is_size(size) || phys + size < phys) {
        return NULL;
    }
    size = ALIGN_UP(offset + size, PAGE_SIZE);
    ptr = krange_make(size + KRANGE_GUARD_SIZE, name, &source);
    return ptr != NULL ? ptr + offset : NULL;
}

/*
 * Freeing
 */

/* Unmap a range that no CPU has translations of, or leave it for later. */
static void
krange_unmap(struct krange *krange)
{
    uintptr_t base = krange->base;
    struct tree_range range;

    if (!tree_try_lock_pages(&kernel_space->tree, base, base + krange->size,
                             &range)) {
        (void)krange_defer(krange);
        return;
    }
    if (krange->has_pages) {
        kasan_unpoison((void *)(base + KRANGE_GUARD_SIZE),
                       krange->size - KRANGE_GUARD_SIZE);
    }
    space_unmap_locked(kernel_space, &range, base);
}

/* Have a list of freed ranges forgotten by all CPUs, and unmap them. */
static void
krange_purge_list(struct krange *krange)
{
    struct krange *next;

    if (krange == NULL) {
        return;
    }
    pmap_flush_all();
    for (; krange != NULL; krange = next) {
        next = krange->next;
        krange_unmap(krange);
    }
}

static void
krange_purge(void)
{
    struct krange *all = NULL, **tail = &all;

    for (uint32_t cpu = 0; cpu < cpu_nr_possible; cpu++) {
        *tail = krange_take_all(percpu_ptr(krange_cpu, cpu));
        while (*tail != NULL) {
            tail = &(*tail)->next;
        }
    }
    krange_purge_list(all);
    /* Also what others would look through a while later. */
    space_trim(kernel_space, kernel_space->start, kernel_space->end);
}

/* The same for what this CPU, or another one, has freed. */
static void
krange_purge_here(void)
{
    krange_purge_list(krange_take_all(percpu_ptr(krange_cpu, cpu_id())));
}

static void
krange_free(void *ptr)
{
    uintptr_t base = ALIGN_DOWN((uintptr_t)ptr, PAGE_SIZE) - KRANGE_GUARD_SIZE;
    struct krange *krange = krange_at(base);
    size_t size;

    if (krange == NULL || atomic_exchange_explicit(&krange->is_freed, true,
                                                   memory_order_relaxed)) {
        panic("kva: bad free of %p", ptr);
    }
    size = krange->size;
    if (krange->has_pages) {
        kasan_poison((void *)(base + KRANGE_GUARD_SIZE),
                     size - KRANGE_GUARD_SIZE, KASAN_FREE_STACK);
    }
    krange_set_present(krange, false);
    percpu_add(krange_used, -(int64_t)size);
    if (krange_defer(krange) > krange_dirty_max && cpu_irq_is_enabled()) {
        krange_purge_here();
    }
}

/*
 * What others call
 */

static size_t
krange_nr_used(void)
{
    int64_t sum = 0;

    for (uint32_t cpu = 0; cpu < cpu_nr_possible; cpu++) {
        sum += READ_ONCE(*percpu_ptr(krange_used, cpu));
    }
    return (size_t)sum;
}

static size_t
krange_nr_dirty(void)
{
    size_t sum = 0;

    for (uint32_t cpu = 0; cpu < cpu_nr_possible; cpu++) {
        sum += READ_ONCE(percpu_ptr(krange_cpu, cpu)->dirty_size);
    }
    return sum;
}

static const struct kva_ops krange_ops = {
    .alloc = krange_alloc,
    .map_mmio = krange_map_mmio,
    .free = krange_free,
    .purge = krange_purge,
    .find = krange_find,
    .find_next = krange_find_next,
    .nr_used = krange_nr_used,
    .nr_dirty = krange_nr_dirty,
};

static struct page_shrinker krange_shrinker = {
    .name = "kva",
    .order = PAGE_SHRINK_KVA,
    .shrink = krange_purge,
};

static status_t
krange_setup(void)
{
    size_t share = page_nr_total() * PAGE_SIZE / KRANGE_DIRTY_SHARE;

    krange_dirty_max =
        MIN(MAX(share / cpu_nr_possible, KRANGE_DIRTY_MIN), KRANGE_DIRTY_MAX);
    slab_cache_init(&krange_cache, "kernel range", sizeof(struct krange),
                    REGION_ALIGN, SLAB_TYPE_STABLE);
    kva_register(&krange_ops);
    page_register_shrinker(&krange_shrinker);
    return OK;
}

INIT_OP(krange_setup, INIT_BOOT_CPU, AFTER(kernel_setup));
