/* SPDX-License-Identifier: MIT */
/*
 * Kernel virtual addresses.
 *
 * As in vmem, boundary tags: the ranges, free or not, cover the whole region
 * without gaps and are linked in the order of their addresses, so a freed
 * range finds its neighbours at once.  Free ranges are on lists by the binary
 * logarithm of their size, allocated ones in a hash table by their base.
 *
 * Invariants: ranges are sorted, touch each other, and together are the
 * region; two neighbours are never both free; a range is on the list of its
 * class if free, in the hash table if used, on the dirty list if dirty, and
 * on none while one CPU maps or unmaps it.
 *
 * A descriptor's memory is never given back, so that kva_find() can walk the
 * list without the lock and find at worst a wrong answer.
 */

#include <lib/assert.h>
#include <lib/list.h>
#include <lib/macros.h>
#include <lib/string.h>
#include <arch/cpu.h>
#include <arch/layout.h>
#include <kern/init.h>
#include <kern/kasan.h>
#include <kern/kva.h>
#include <kern/page.h>
#include <kern/panic.h>
#include <kern/spinlock.h>

/* log2 of the pages of the region, plus one. */
#define KVA_NR_CLASSES 29
static_assert(KVA_SIZE >> PAGE_SHIFT == UINT64_C(1) << (KVA_NR_CLASSES - 1),
              "the largest class is the whole region");

#define KVA_GUARD_SIZE PAGE_SIZE

/* Ranges looked at in the class that may hold some that are too small. */
#define KVA_TRIES_MAX 8

#define KVA_NR_BUCKETS 1024

/* Flush when so much waits for it, bytes. */
#define KVA_DIRTY_MAX MIB(2)

/* Descriptors that a call may need: the remainder and the range itself. */
#define KVA_SPARES_MIN 2

/* Bound of a walk without lock. */
#define KVA_STEPS_MAX 10000000

enum kva_state {
    KVA_STATE_FREE,
    KVA_STATE_USED,
    KVA_STATE_DIRTY,
};

/*
 * Keys: [L] kva_lock   [R] written under the lock, read by anybody
 *       [O] who allocated the range, then who purges it
 */
struct kva_range {
    struct list node;         /* [L] all, by address; [R] its next */
    struct list link;         /* [L] class, bucket, dirty or spare list */
    uintptr_t base;           /* [R] of the guard page */
    size_t size;              /* [R] with the guard page */
    struct list pages;        /* [O] memory behind it, if it is ours */
    uint8_t state;            /* [R] enum kva_state */
    char name[KVA_NAME_SIZE]; /* [R] */
};

static struct spinlock kva_lock = SPINLOCK_INITIALIZER(LOCK_KVA, "kva");
static struct list kva_ranges = LIST_INITIALIZER(kva_ranges); /* [L] */
static struct list kva_spares = LIST_INITIALIZER(kva_spares); /* [L] */
static struct list kva_dirty = LIST_INITIALIZER(kva_dirty);   /* [L] */
static struct list kva_classes[KVA_NR_CLASSES];               /* [L] */
static struct list kva_buckets[KVA_NR_BUCKETS];               /* [L] */
static uint32_t kva_class_map; /* [L] bit: class is not empty */
static size_t kva_spares_nr;   /* [L] */
static size_t kva_dirty_size;  /* [L] bytes */
static size_t kva_used_size;   /* [L] bytes */

static unsigned int
kva_class(size_t size)
{
    return 63U - (unsigned int)__builtin_clzl(size >> PAGE_SHIFT);
}

static struct list *
kva_bucket(uintptr_t base)
{
    /* Fibonacci hashing: Knuth, TAOCP vol. 3, "Hashing". */
    uint64_t hash = (base >> PAGE_SHIFT) * UINT64_C(0x9e3779b97f4a7c15);

    return &kva_buckets[hash >> 54];
}
static_assert(KVA_NR_BUCKETS == 1 << (64 - 54), "bits of the hash");

static void
kva_class_insert(struct kva_range *range)
{
    unsigned int class = kva_class(range->size);

    WRITE_ONCE(range->state, KVA_STATE_FREE);
    list_insert_head(&kva_classes[class], &range->link);
    kva_class_map |= 1U << class;
}

static void
kva_class_remove(struct kva_range *range)
{
    unsigned int class = kva_class(range->size);

    assert(range->state == KVA_STATE_FREE);

    list_remove(&range->link);
    if (list_is_empty(&kva_classes[class])) {
        kva_class_map &= ~(1U << class);
    }
}

/* Any free range of at least @size bytes. */
static struct kva_range *
kva_class_find(size_t size)
{
    unsigned int class = kva_class(size), tries = 0;
    struct kva_range *range;
    uint32_t larger;

    /* Used sizes come back: first those that could be just right. */
    list_for_each_entry (&kva_classes[class], range, link) {
        if (range->size >= size) {
            return range;
        }
        if (++tries == KVA_TRIES_MAX) {
            break;
        }
    }

    larger = kva_class_map & ~((2U << class) - 1);
    if (larger == 0) {
        return NULL;
    }
    class = (unsigned int)__builtin_ctz(larger);
    return list_first_entry(&kva_classes[class], struct kva_range, link);
}

static struct kva_range *
kva_spare_pop(void)
{
    struct kva_range *range;

    assert(!list_is_empty(&kva_spares));
    range = list_first_entry(&kva_spares, struct kva_range, link);
    list_remove(&range->link);
    kva_spares_nr--;
    return range;
}

static void
kva_spare_push(struct kva_range *range)
{
    list_insert_head(&kva_spares, &range->link);
    kva_spares_nr++;
}

/*
 * Take the lock with enough spare descriptors.
 *
 * Returns: false, out of memory and not locked
 */
static bool
kva_lock_with_spares(uint64_t *flags)
{
    *flags = spinlock_lock_irqsave(&kva_lock);
    while (kva_spares_nr < KVA_SPARES_MIN) {
        struct kva_range *ranges;
        struct page *page;

        spinlock_unlock_irqrestore(&kva_lock, *flags);
        page = page_alloc(0, PAGE_ZERO);
        if (page == NULL) {
            return false;
        }
        ranges = page_ptr(page);
        *flags = spinlock_lock_irqsave(&kva_lock);
        for (size_t i = 0; i < PAGE_SIZE / sizeof(*ranges); i++) {
            kva_spare_push(&ranges[i]);
        }
    }
    return true;
}

/* Make @range the one behind @below, for those without the lock too. */
static void
kva_chain_insert(struct list *below, struct list *node)
{
    node->prev = below;
    WRITE_ONCE(node->next, below->next);
    below->next->prev = node;
    /* Pairs with the acquire in kva_walk(). */
    __atomic_store_n(&below->next, node, __ATOMIC_RELEASE);
}

/* Who is at @node goes on from there, until it is in use again. */
static void
kva_chain_remove(struct list *node)
{
    node->next->prev = node->prev;
    WRITE_ONCE(node->prev->next, node->next);
}

/* Copy a name of KVA_NAME_SIZE bytes, of which others may see a part. */
static void
kva_name_copy(char *dst, const char *src)
{
    for (size_t i = 0; i < KVA_NAME_SIZE; i++) {
        WRITE_ONCE(dst[i], READ_ONCE(src[i]));
    }
}

/* Cut the front off a free range that is on no list any more. */
static void
kva_range_split(struct kva_range *range, size_t size)
{
    struct kva_range *rest;

    if (range->size == size) {
        return;
    }
    rest = kva_spare_pop();
    WRITE_ONCE(rest->base, range->base + size);
    WRITE_ONCE(rest->size, range->size - size);
    WRITE_ONCE(range->size, size);
    kva_chain_insert(&range->node, &rest->node);
    kva_class_insert(rest);
}

/* Join a free range with a free successor; both are on no class list. */
static void
kva_range_join(struct kva_range *range, struct kva_range *next)
{
    assert(range->base + range->size == next->base);

    ADD_ONCE(range->size, next->size);
    kva_chain_remove(&next->node);
    kva_spare_push(next);
}

/* A range that is neither free nor found by others yet; NULL: exhaustion. */
static struct kva_range *
kva_range_alloc(size_t size, const char *name)
{
    char text[KVA_NAME_SIZE] = "";
    struct kva_range *range;
    uint64_t flags;

    strlcpy(text, name, sizeof(text));
    if (!kva_lock_with_spares(&flags)) {
        return NULL;
    }
    range = kva_class_find(size);
    if (range != NULL) {
        kva_class_remove(range);
        kva_range_split(range, size);
        list_init(&range->pages);
        kva_name_copy(range->name, text);
        WRITE_ONCE(range->state, KVA_STATE_USED);
        ADD_ONCE(kva_used_size, size);
    }
    spinlock_unlock_irqrestore(&kva_lock, flags);
    return range;
}

/* Make a range free that no TLB knows. */
static void
kva_range_free(struct kva_range *range)
{
    struct list *prev, *next;
    uint64_t flags;

    flags = spinlock_lock_irqsave(&kva_lock);
    WRITE_ONCE(range->state, KVA_STATE_FREE);
    next = range->node.next;
    if (next != &kva_ranges &&
        list_entry(next, struct kva_range, node)->state == KVA_STATE_FREE) {
        kva_class_remove(list_entry(next, struct kva_range, node));
        kva_range_join(range, list_entry(next, struct kva_range, node));
    }
    prev = range->node.prev;
    if (prev != &kva_ranges &&
        list_entry(prev, struct kva_range, node)->state == KVA_STATE_FREE) {
        struct kva_range *below = list_entry(prev, struct kva_range, node);

        kva_class_remove(below);
        kva_range_join(below, range);
        range = below;
    }
    kva_class_insert(range);
    spinlock_unlock_irqrestore(&kva_lock, flags);
}

/* Let a mapped range be found by kva_free(). */
static void
kva_range_publish(struct kva_range *range)
{
    uint64_t flags;

    flags = spinlock_lock_irqsave(&kva_lock);
    list_insert_head(kva_bucket(range->base), &range->link);
    spinlock_unlock_irqrestore(&kva_lock, flags);
}

/* Find a used range by its base and make it the caller's. */
static struct kva_range *
kva_range_claim(uintptr_t base)
{
    struct kva_range *range, *found = NULL;
    uint64_t flags;

    flags = spinlock_lock_irqsave(&kva_lock);
    list_for_each_entry (kva_bucket(base), range, link) {
        if (range->base == base) {
            found = range;
            break;
        }
    }
    if (found != NULL) {
        list_remove(&found->link);
        ADD_ONCE(kva_used_size, -found->size);
    }
    spinlock_unlock_irqrestore(&kva_lock, flags);
    return found;
}

/*
 * Let an unmapped range wait for the next flush.
 *
 * Returns: bytes that wait
 */
static size_t
kva_range_defer(struct kva_range *range)
{
    uint64_t flags;
    size_t size;

    flags = spinlock_lock_irqsave(&kva_lock);
    WRITE_ONCE(range->state, KVA_STATE_DIRTY);
    list_insert_tail(&kva_dirty, &range->link);
    ADD_ONCE(kva_dirty_size, range->size);
    size = kva_dirty_size;
    spinlock_unlock_irqrestore(&kva_lock, flags);
    return size;
}

static void
kva_pages_free(struct kva_range *range)
{
    while (!list_is_empty(&range->pages)) {
        struct page *page = list_first_entry(&range->pages, struct page, node);

        list_remove(&page->node);
        page_free(page, 0);
    }
}

static bool
kva_pages_alloc(struct kva_range *range)
{
    for (size_t done = KVA_GUARD_SIZE; done < range->size; done += PAGE_SIZE) {
        struct page *page = page_alloc(0, 0);

        if (page == NULL) {
            kva_pages_free(range);
            return false;
        }
        list_insert_tail(&range->pages, &page->node);
    }
    return true;
}

static status_t
kva_pages_map(struct kva_range *range)
{
    uintptr_t base = range->base + KVA_GUARD_SIZE;
    uintptr_t va = base;
    struct page *page;

    list_for_each_entry (&range->pages, page, node) {
        status_t status = pmap_map(va, page_phys(page), PAGE_SIZE,
                                   PMAP_READ | PMAP_WRITE, PMAP_WB);

        if (status != OK) {
            pmap_unmap(base, va - base);
            return status;
        }
        va += PAGE_SIZE;
    }
    return OK;
}

/* A range with room for @size bytes above the guard page. */
static struct kva_range *
kva_range_create(size_t size, const char *name)
{
    struct kva_range *range;

    if (size == 0 || size > KVA_SIZE / 2) {
        return NULL;
    }
    size = ALIGN_UP(size, PAGE_SIZE) + KVA_GUARD_SIZE;
    range = kva_range_alloc(size, name);
    if (range == NULL && cpu_irq_is_enabled()) {
        kva_purge();
        range = kva_range_alloc(size, name);
    }
    return range;
}

/* Undo kva_range_create(): nothing was reachable, but may be in a TLB. */
static void
kva_range_abandon(struct kva_range *range)
{
    uint64_t flags;

    flags = spinlock_lock_irqsave(&kva_lock);
    ADD_ONCE(kva_used_size, -range->size);
    spinlock_unlock_irqrestore(&kva_lock, flags);
    kva_range_defer(range);
}

void *
kva_alloc(size_t size, const char *name)
{
    struct kva_range *range;
    void *ptr;

    range = kva_range_create(size, name);
    if (range == NULL) {
        return NULL;
    }
    if (!kva_pages_alloc(range)) {
        goto fail_pages;
    }
    ptr = (void *)(range->base + KVA_GUARD_SIZE);
    if (kasan_map_shadow(ptr, range->size - KVA_GUARD_SIZE) != OK) {
        goto fail_pages;
    }
    if (kva_pages_map(range) != OK) {
        goto fail_pages;
    }

    kva_range_publish(range);
    return ptr;

fail_pages:
    kva_range_abandon(range);
    return NULL;
}

void *
kva_alloc_stack(const char *name)
{
    return kva_alloc(KERNEL_STACK_SIZE, name);
}

void *
kva_map_mmio(paddr_t phys, size_t size, enum pmap_cache cache, const char *name)
{
    size_t offset = phys & PAGE_MASK;
    struct kva_range *range;
    status_t status;

    if (size == 0 || phys + size < phys) {
        return NULL;
    }
    range = kva_range_create(offset + size, name);
    if (range == NULL) {
        return NULL;
    }
    status = pmap_map(range->base + KVA_GUARD_SIZE, phys - offset,
                      range->size - KVA_GUARD_SIZE, PMAP_READ | PMAP_WRITE,
                      cache);
    if (status != OK) {
        kva_range_abandon(range);
        return NULL;
    }

    kva_range_publish(range);
    return (void *)(range->base + KVA_GUARD_SIZE + offset);
}

void
kva_free(void *ptr)
{
    uintptr_t base = ALIGN_DOWN((uintptr_t)ptr, PAGE_SIZE);
    struct kva_range *range;
    size_t size;

    range = kva_range_claim(base - KVA_GUARD_SIZE);
    if (range == NULL) {
        panic("kva: bad free of %p", ptr);
    }

    size = range->size - KVA_GUARD_SIZE;
    if (!list_is_empty(&range->pages)) {
        kasan_poison((void *)base, size, KASAN_FREE_STACK);
    }
    pmap_unmap(base, size);
    if (kva_range_defer(range) >= KVA_DIRTY_MAX && cpu_irq_is_enabled()) {
        kva_purge();
    }
}

void
kva_purge(void)
{
    struct list dirty = LIST_INITIALIZER(dirty);
    uint64_t flags;

    flags = spinlock_lock_irqsave(&kva_lock);
    list_concat(&dirty, &kva_dirty);
    WRITE_ONCE(kva_dirty_size, 0);
    spinlock_unlock_irqrestore(&kva_lock, flags);
    if (list_is_empty(&dirty)) {
        return;
    }

    pmap_flush_all();
    while (!list_is_empty(&dirty)) {
        struct kva_range *range =
            list_first_entry(&dirty, struct kva_range, link);

        list_remove(&range->link);
        if (!list_is_empty(&range->pages)) {
            kasan_unpoison((void *)(range->base + KVA_GUARD_SIZE),
                           range->size - KVA_GUARD_SIZE);
        }
        kva_pages_free(range);
        kva_range_free(range);
    }
}

/* What was seen of a range without the lock. */
struct kva_view {
    uintptr_t base;
    size_t size;
    uint8_t state;
    const char *name;
};

static void
kva_info_fill(struct kva_info *info, const struct kva_view *view,
              uintptr_t addr)
{
    info->base = view->base + KVA_GUARD_SIZE;
    info->size = view->size - KVA_GUARD_SIZE;
    info->place = addr < info->base ? KVA_PLACE_GUARD : KVA_PLACE_INSIDE;
    if (view->state == KVA_STATE_DIRTY) {
        info->place = KVA_PLACE_FREED;
    }
    kva_name_copy(info->name, view->name);
    info->name[sizeof(info->name) - 1] = '\0';
}

/*
 * Look at the first range that ends above @addr; and is not free, if so
 * wished.
 */
static bool
kva_walk(uintptr_t addr, bool skip_free, struct kva_view *view)
{
    const struct list *node = &kva_ranges;

    for (size_t i = 0; i < KVA_STEPS_MAX; i++) {
        const struct kva_range *range;

        /* Pairs with the release in kva_chain_insert(). */
        node = __atomic_load_n(&node->next, __ATOMIC_ACQUIRE);
        if (node == &kva_ranges || !pmap_is_direct(node)) {
            return false;
        }
        range = list_entry(node, struct kva_range, node);
        view->base = READ_ONCE(range->base);
        view->size = READ_ONCE(range->size);
        view->state = READ_ONCE(range->state);
        view->name = range->name;
        if (view->base + view->size > addr &&
            !(skip_free && view->state == KVA_STATE_FREE)) {
            return true;
        }
    }
    return false;
}

bool
kva_find(uintptr_t addr, struct kva_info *info)
{
    struct kva_view view;

    if (addr < KVA_BASE || addr >= KVA_BASE + KVA_SIZE) {
        return false;
    }
    if (!kva_walk(addr, false, &view) || view.base > addr ||
        view.state == KVA_STATE_FREE) {
        return false;
    }
    kva_info_fill(info, &view, addr);
    return true;
}

bool
kva_find_next(uintptr_t addr, struct kva_info *info)
{
    struct kva_view view;

    if (!kva_walk(addr, true, &view)) {
        return false;
    }
    kva_info_fill(info, &view, view.base + KVA_GUARD_SIZE);
    return true;
}

size_t
kva_nr_used(void)
{
    return READ_ONCE(kva_used_size);
}

size_t
kva_nr_dirty(void)
{
    return READ_ONCE(kva_dirty_size);
}

static struct page_shrinker kva_shrinker = {
    .name = "kva",
    .shrink = kva_purge,
};

static status_t
kva_setup(void)
{
    struct kva_range *region;
    uint64_t flags;

    for (size_t i = 0; i < KVA_NR_CLASSES; i++) {
        list_init(&kva_classes[i]);
    }
    for (size_t i = 0; i < KVA_NR_BUCKETS; i++) {
        list_init(&kva_buckets[i]);
    }
    if (!kva_lock_with_spares(&flags)) {
        return ERR_NO_MEMORY;
    }
    region = kva_spare_pop();
    region->base = KVA_BASE;
    region->size = KVA_SIZE;
    kva_chain_insert(&kva_ranges, &region->node);
    kva_class_insert(region);
    spinlock_unlock_irqrestore(&kva_lock, flags);

    page_register_shrinker(&kva_shrinker);
    return OK;
}

INIT_OP(kva_setup, INIT_BOOT_CPU, AFTER(page_setup));
