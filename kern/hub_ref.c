/* SPDX-License-Identifier: MIT */
#include <stdatomic.h>
#include <stddef.h>

#include <kern/cpu.h>
#include <kern/hub_ref.h>
#include <kern/log.h>
#include <kern/main.h>
#include <kern/percpu.h>
#include <kern/spinlock.h>
#include <kern/thread.h>
#include <kern/xcall.h>
#include <lib/assert.h>
#include <lib/bitmap.h>

/* The word of a CPU that counts begins here, */
#define HUB_BASE (INT64_C(1) << 62)

/* and of one that has switched here: 2^62 changes leave it negative. */
#define HUB_SWITCHED (-HUB_BASE)

/* In the atomic count until all have switched. */
#define HUB_BIAS (INT64_C(1) << 62)

/* Hubs that an interrupt switches. */
#define HUB_BATCH 32

/* Keys: [O] the CPU, in single instructions; others before the hub is used */
static __aligned(CACHE_LINE) PERCPU(int64_t, hub_counters)[HUB_REF_SLOTS];

/* The word of hubs that have none. */
static PERCPU(int64_t, hub_switched) = HUB_SWITCHED;

static struct spinlock hub_lock = SPINLOCK_INITIALIZER(LOCK_HUB, "hubs");

/* Keys: [L] hub_lock */
static unsigned long hub_slots[BITMAP_LONGS(HUB_REF_SLOTS)]; /* [L] in use */
static size_t hub_hint; /* [L] no free one is below */

/* Killed, not yet switched: pushed by any, taken as a whole by the thread. */
static _Atomic(struct hub_ref *) hub_killed;
static struct thread *hub_thread; /* constant once all CPUs are up */

/* Hubs that are switched together. */
struct hub_batch {
    struct hub_ref *hubs[HUB_BATCH];
    unsigned nr;
};

/* --------------------------------------------------------- init, destroy */

static int64_t *
hub_slot_alloc(void)
{
    uint64_t flags;
    size_t i;

    flags = spinlock_lock_irqsave(&hub_lock);
    i = bitmap_find_next_zero(hub_slots, HUB_REF_SLOTS, hub_hint);
    if (i < HUB_REF_SLOTS) {
        bitmap_set(hub_slots, i);
        hub_hint = i + 1;
    }
    spinlock_unlock_irqrestore(&hub_lock, flags);
    return i < HUB_REF_SLOTS ? &hub_counters[i] : NULL;
}

static void
hub_slot_free(const int64_t *counter)
{
    uint64_t flags;
    size_t i;

    i = (size_t)(counter - hub_counters);
    assert(i < HUB_REF_SLOTS);
    flags = spinlock_lock_irqsave(&hub_lock);
    assert(bitmap_test(hub_slots, i));
    bitmap_clear(hub_slots, i);
    hub_hint = MIN(hub_hint, i);
    spinlock_unlock_irqrestore(&hub_lock, flags);
}

void
hub_ref_init(struct hub_ref *hub, void (*release)(struct hub_ref *hub))
{
    uint32_t cpu;

    atomic_init(&hub->count, HUB_BIAS + 1);
    hub->release = release;
    hub->next = NULL;
    hub->counter = hub_slot_alloc();
    if (hub->counter == NULL) {
        hub->counter = &hub_switched;
        return;
    }

    /* Visible to others with the pointer to the hub. */
    for (cpu = 0; cpu < cpu_nr_possible; cpu++) {
        WRITE_ONCE(*percpu_ptr(*hub->counter, cpu), HUB_BASE);
    }
}

void
hub_ref_destroy(struct hub_ref *hub)
{
    assert(atomic_load(&hub->count) == 0);
    if (hub_ref_has_counter(hub)) {
        hub_slot_free(hub->counter);
    }
    hub->counter = NULL;
}

bool
hub_ref_has_counter(const struct hub_ref *hub)
{
    return hub->counter != &hub_switched;
}

/* ------------------------------------------------------- the atomic count */

void
hub_ref_get_slow(struct hub_ref *hub)
{
    int64_t old;

    old = atomic_fetch_add_explicit(&hub->count, 1, memory_order_relaxed);
    verify(old > 0);
}

static void
hub_ref_drop(struct hub_ref *hub, int64_t n)
{
    int64_t old;

    /* With itself: what others did before they dropped theirs is visible. */
    old = atomic_fetch_sub_explicit(&hub->count, n, memory_order_acq_rel);
    assert(old >= n);
    if (old == n) {
        hub->release(hub);
    }
}

void
hub_ref_put_slow(struct hub_ref *hub)
{
    hub_ref_drop(hub, 1);
}

/* The bias tells that the hub lives, or that not all know of its death. */
bool
hub_ref_try_get_slow(struct hub_ref *hub)
{
    int64_t count;

    count = atomic_load_explicit(&hub->count, memory_order_relaxed);
    while (count >= HUB_BIAS / 2) {
        if (atomic_compare_exchange_weak_explicit(&hub->count, &count,
                                                  count + 1,
                                                  memory_order_acquire,
                                                  memory_order_relaxed)) {
            return true;
        }
    }
    return false;
}

/* -------------------------------------------------------------- the switch */

/*
 * On each CPU, in an interrupt: take along what it has counted.
 */
static void
hub_switch_cpu(void *arg)
{
    struct hub_batch *batch = arg;
    int64_t *word, counted;
    unsigned i;

    for (i = 0; i < batch->nr; i++) {
        word = percpu_this(*batch->hubs[i]->counter);
        counted = READ_ONCE(*word) - HUB_BASE;
        WRITE_ONCE(*word, HUB_SWITCHED);
        if (counted != 0) {
            /* Pairs with the one in hub_ref_drop(). */
            atomic_fetch_add_explicit(&batch->hubs[i]->count, counted,
                                      memory_order_acq_rel);
        }
    }
}

static void
hub_switch(struct hub_batch *batch)
{
    unsigned i;

    xcall_all(hub_switch_cpu, batch);
    for (i = 0; i < batch->nr; i++) {
        hub_ref_drop(batch->hubs[i], HUB_BIAS + 1);
    }
}

static void
hub_switch_list(struct hub_ref *hub)
{
    struct hub_batch batch;

    while (hub != NULL) {
        for (batch.nr = 0; hub != NULL && batch.nr < HUB_BATCH; batch.nr++) {
            batch.hubs[batch.nr] = hub;
            hub = hub->next;
        }
        hub_switch(&batch);
    }
}

static void
hub_main(void *arg __unused)
{
    struct hub_ref *list;

    for (;;) {
        /* Pairs with the release in hub_ref_kill(). */
        list =
            atomic_exchange_explicit(&hub_killed, NULL, memory_order_acquire);
        if (list != NULL) {
            hub_switch_list(list);
        } else {
            thread_park(CLOCK_NEVER);
        }
    }
}

void
hub_ref_kill(struct hub_ref *hub)
{
    struct hub_ref *head;

    if (!hub_ref_has_counter(hub)) {
        hub_ref_drop(hub, HUB_BIAS + 1);
        return;
    }

    assert(hub->next == NULL);
    head = atomic_load_explicit(&hub_killed, memory_order_relaxed);
    do {
        hub->next = head;
        /* Pairs with the acquire in hub_main(): the link is set. */
    } while (!atomic_compare_exchange_weak_explicit(
        &hub_killed, &head, hub, memory_order_release, memory_order_relaxed));
    if (head == NULL && hub_thread != NULL) {
        thread_unpark(hub_thread);
    }
}

static bool
hub_start_thread(void)
{
    hub_thread = thread_create("hubs", hub_main, NULL, NULL);
    if (hub_thread == NULL) {
        log_error("hub_ref: no memory for the thread");
    }
    return hub_thread != NULL;
}

MAIN_STAGE(MAIN_THREADS, hub_start_thread);
