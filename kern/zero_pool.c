/* SPDX-License-Identifier: MIT */
/*
 * Pages full of zeros.
 *
 * A stack is an array of slots, the lowest of which is always empty, and the
 * number of the topmost that is not.  It is changed with preemption disabled,
 * so only interrupts come in between, and of them only the one that takes
 * everything: then a slot that was full is empty, which the instruction that
 * empties it sees, and the number may be too large until the next who finds an
 * empty slot there.  It is never too small.
 *
 * To fill the stack takes some steps a page, each with interrupts disabled, and
 * in between the page, still full of anything, has a place of its own.  So
 * whoever takes everything gets everything.
 */
#include <stdatomic.h>

#include <arch/cpu.h>
#include <kern/clock.h>
#include <kern/cpu.h>
#include <kern/fail.h>
#include <kern/init.h>
#include <kern/kasan.h>
#include <kern/panic.h>
#include <kern/percpu.h>
#include <kern/preempt.h>
#include <kern/sched_hooks.h>
#include <kern/xcall.h>
#include <kern/zero_pool.h>
#include <lib/assert.h>
#include <lib/string.h>

/* All stacks together have at most this part of the memory: 1/32. */
#define ZERO_POOL_SHARE 32

/* Memory is short when less than this part of a node is free: 1/16. */
#define ZERO_POOL_SHORT_SHARE 16

/* Bytes that are cleared in one step. */
#define ZERO_POOL_STEP 1024

#ifdef CONFIG_DEBUG
#define ZERO_POOL_IS_CHECKING true
#else
#define ZERO_POOL_IS_CHECKING false
#endif

/* Keys: [O] the CPU, with preemption or interrupts disabled */
static __aligned(CACHE_LINE)
    PERCPU(void *, zero_pool_slots)[ZERO_POOL_MAX + 1]; /* [O] struct page */
static PERCPU(uint32_t, zero_pool_top);                 /* [O] */
static PERCPU(struct page *, zero_pool_raw); /* [O] to be cleared, or NULL */
static PERCPU(uint32_t, zero_pool_cleared);  /* [O] bytes of it */

static uint32_t zero_pool_max;           /* constant once set up */
static _Atomic uint64_t zero_pool_after; /* atomic: nothing is filled before */

/* A page leaves a stack. */
static void
zero_pool_check(struct page *page)
{
    const uint64_t *words = page_ptr(page);

    kasan_unpoison(words, PAGE_SIZE);
    for (size_t i = 0; ZERO_POOL_IS_CHECKING && i < PAGE_SIZE / sizeof(*words);
         i++) {
        if (words[i] != 0) {
            panic("zero_pool: page 0x%llx has 0x%llx at +0x%zx",
                  (unsigned long long)page_phys(page),
                  (unsigned long long)words[i], i * sizeof(*words));
        }
    }
}

struct page *
zero_pool_get(void)
{
    struct page *page;
    uint32_t top;

    if (fail_now()) {
        return NULL;
    }
    preempt_disable();
    top = percpu_read(zero_pool_top);
    page = percpu_read_ptr_at(&zero_pool_slots[top]);
    if (likely(page != NULL &&
               percpu_replace_ptr_at(&zero_pool_slots[top], page, NULL))) {
        percpu_write(zero_pool_top, top - 1);
        preempt_enable();
        zero_pool_check(page);
        return page;
    }
    percpu_write(zero_pool_top, 0);
    preempt_enable();
    return page_alloc(0, PAGE_ZERO);
}

/* Put a page on the stack of this CPU; false: it is full. */
static bool
zero_pool_push(struct page *page)
{
    uint32_t top;
    bool is_done;

    preempt_disable();
    top = percpu_read(zero_pool_top) + 1;
    is_done = top <= zero_pool_max &&
              percpu_replace_ptr_at(&zero_pool_slots[top], NULL, page);
    if (is_done) {
        percpu_write(zero_pool_top, top);
    }
    preempt_enable();
    return is_done;
}

/* Put a page that is clear on the stack of this CPU, or free it. */
static void
zero_pool_add(struct page *page)
{
    kasan_poison(page_ptr(page), PAGE_SIZE, KASAN_FREE_PAGE);
    if (!zero_pool_push(page)) {
        kasan_unpoison(page_ptr(page), PAGE_SIZE);
        page_free(page, 0);
    }
}

void
zero_pool_put(struct page *page)
{
    zero_pool_check(page);
    zero_pool_add(page);
}

/* On a CPU: take what is in its stack.  @arg  list of pages */
static void
zero_pool_take_all(void *arg)
{
    struct list *pages = arg;
    void **slots = *percpu_this(zero_pool_slots);

    for (size_t i = 1; i <= ZERO_POOL_MAX; i++) {
        struct page *page = READ_ONCE(slots[i]);

        if (page != NULL) {
            WRITE_ONCE(slots[i], NULL);
            list_insert_tail(pages, &page->node);
        }
    }
    *percpu_this(zero_pool_top) = 0;
    if (*percpu_this(zero_pool_raw) != NULL) {
        list_insert_tail(pages, &(*percpu_this(zero_pool_raw))->node);
        *percpu_this(zero_pool_raw) = NULL;
    }
}

/* Whether a CPU has any page. */
static bool
zero_pool_has_any(uint32_t cpu)
{
    return READ_ONCE(*percpu_ptr(zero_pool_top, cpu)) != 0 ||
           READ_ONCE(*percpu_ptr(zero_pool_raw, cpu)) != NULL;
}

void
zero_pool_drain(void)
{
    struct list pages = LIST_INITIALIZER(pages);
    uint32_t cpu;

    cpu_for_each (cpu) {
        if (zero_pool_has_any(cpu)) {
            xcall_one(cpu, zero_pool_take_all, &pages);
        }
    }
    while (!list_is_empty(&pages)) {
        struct page *page = list_first_entry(&pages, struct page, node);

        list_remove(&page->node);
        page_free(page, 0);
    }
}

/* Memory is short: idle CPUs keep their hands off it for a while. */
static void
zero_pool_shrink(void)
{
    atomic_store_explicit(&zero_pool_after, clock_now() + ZERO_POOL_PAUSE,
                          memory_order_relaxed);
    zero_pool_drain();
}

static bool
zero_pool_is_allowed(void)
{
    uint32_t node = cpu_table[cpu_id()].node;

    return page_node_nr_free(node) >
               page_node_nr_total(node) / ZERO_POOL_SHORT_SHARE &&
           clock_now() >=
               atomic_load_explicit(&zero_pool_after, memory_order_relaxed);
}

/* Go on with the page that is to be cleared, if any, else have one. */
static bool
zero_pool_step(void)
{
    struct page *page = percpu_read(zero_pool_raw);
    uint32_t cleared = percpu_read(zero_pool_cleared);

    assert(!cpu_irq_is_enabled());

    if (page == NULL) {
        if (page_refill_some()) {
            return true;
        }
        page = page_alloc(0, PAGE_NO_RECLAIM);
        percpu_write(zero_pool_raw, page);
        percpu_write(zero_pool_cleared, 0);
        return page != NULL;
    }
    if (cleared < PAGE_SIZE) {
        memset((char *)page_ptr(page) + cleared, 0, ZERO_POOL_STEP);
        percpu_write(zero_pool_cleared, cleared + ZERO_POOL_STEP);
        return true;
    }
    percpu_write(zero_pool_raw, NULL);
    zero_pool_add(page);
    return true;
}

bool
zero_pool_fill(void)
{
    uint64_t flags;
    bool more;

    if (percpu_read(zero_pool_top) >= zero_pool_max ||
        !zero_pool_is_allowed()) {
        return false;
    }
    flags = cpu_irq_save();
    more = zero_pool_step();
    cpu_irq_restore(flags);
    return more;
}

IDLE_WORK(zero_pool_fill);

size_t
zero_pool_nr(uint32_t cpu)
{
    void *const *slots = *percpu_ptr(zero_pool_slots, cpu);
    size_t nr = 0;

    for (size_t i = 1; i <= ZERO_POOL_MAX; i++) {
        nr += READ_ONCE(slots[i]) != NULL;
    }
    return nr;
}

size_t
zero_pool_size(void)
{
    return zero_pool_max;
}

static size_t
zero_pool_count(void)
{
    size_t nr = 0;

    for (uint32_t cpu = 0; cpu < cpu_nr_possible; cpu++) {
        nr += zero_pool_nr(cpu);
        nr += READ_ONCE(*percpu_ptr(zero_pool_raw, cpu)) != NULL;
    }
    return nr;
}

static struct page_shrinker zero_pool_shrinker = {
    .name = "zero pool",
    .order = PAGE_SHRINK_ZEROED,
    .shrink = zero_pool_shrink,
    .count = zero_pool_count,
};

static status_t
zero_pool_setup(void)
{
    zero_pool_max =
        (uint32_t)MIN((size_t)ZERO_POOL_MAX,
                      page_nr_total() / ZERO_POOL_SHARE / cpu_nr_possible);
    page_register_shrinker(&zero_pool_shrinker);
    return OK;
}

INIT_OP(zero_pool_setup, INIT_BOOT_CPU, AFTER(page_setup), AFTER(clock_setup));
