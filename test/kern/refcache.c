/* SPDX-License-Identifier: MIT */
#include <stdatomic.h>
#include <stddef.h>

#include <kern/cpu.h>
#include <kern/page.h>
#include <kern/percpu.h>
#include <lib/hash.h>
#include <lib/string.h>
#include <test/kern/refcache.h>

struct refcache_way {
    struct refcache_object *object;
    int64_t delta;
};

/*
 * Keys: [I] the CPU, with interrupts disabled
 */
struct refcache_cpu {
    struct refcache_way *ways;      /* [I] */
    struct refcache_object *review; /* [I] oldest last */
    uint64_t epoch;                 /* [I] */
};

static __aligned(CACHE_LINE) PERCPU(struct refcache_cpu, refcache_cpu);
static __aligned(CACHE_LINE) _Atomic uint64_t refcache_global_epoch;
static __aligned(CACHE_LINE) atomic_uint refcache_left;

uint64_t
refcache_epoch(void)
{
    return atomic_load(&refcache_global_epoch);
}

static void
refcache_evict(struct refcache_cpu *own, struct refcache_way *way, bool flush)
{
    struct refcache_object *object = way->object;

    if (object == NULL) {
        return;
    }

    spinlock_lock(&object->lock);
    object->count += way->delta;
    if (object->count == 0 && object->is_queued) {
        object->is_dirty = true;
    } else if (object->count == 0) {
        object->is_queued = true;
        object->review_epoch = own->epoch + (flush ? 2 : 3);
        object->next = own->review;
        own->review = object;
    }
    spinlock_unlock(&object->lock);
    way->object = NULL;
    way->delta = 0;
}

static void
refcache_change(struct refcache_object *object, int64_t delta)
{
    struct refcache_way *way;
    struct refcache_cpu *own;
    uint64_t flags;

    flags = cpu_irq_save();
    own = percpu_this(refcache_cpu);
    way = &own->ways[hash_pointer(object) % REFCACHE_WAYS];
    if (way->object != object) {
        refcache_evict(own, way, false);
        way->object = object;
    }
    way->delta += delta;
    cpu_irq_restore(flags);
}

void
refcache_get(struct refcache_object *object)
{
    refcache_change(object, 1);
}

void
refcache_put(struct refcache_object *object)
{
    refcache_change(object, -1);
}

void
refcache_init(struct refcache_object *object,
              void (*died)(struct refcache_object *object))
{
    memset(object, 0, sizeof(*object));
    spinlock_init(&object->lock, LOCK_TEST_INNER, "refcache object");
    object->count = 1;
    object->died = died;
}

static void
refcache_flush(struct refcache_cpu *own)
{
    unsigned i;

    own->epoch = atomic_load(&refcache_global_epoch);
    for (i = 0; i < REFCACHE_WAYS; i++) {
        refcache_evict(own, &own->ways[i], true);
    }
    if (atomic_fetch_sub(&refcache_left, 1) == 1) {
        atomic_store(&refcache_left, cpu_nr_online());
        atomic_fetch_add(&refcache_global_epoch, 1);
    }
}

/* Returns: whether the object is to be reviewed again */
static bool
refcache_review_one(struct refcache_cpu *own, struct refcache_object *object)
{
    bool again, dead;

    spinlock_lock(&object->lock);
    again = object->count == 0 && object->is_dirty;
    dead = object->count == 0 && !object->is_dirty;
    object->is_dirty = false;
    object->is_queued = again;
    object->review_epoch = own->epoch + 2;
    spinlock_unlock(&object->lock);
    if (dead) {
        object->died(object);
    }
    return again;
}

static void
refcache_review(struct refcache_cpu *own)
{
    struct refcache_object *object, *list;
    uint64_t epoch;

    epoch = atomic_load(&refcache_global_epoch);
    list = own->review;
    own->review = NULL;
    while ((object = list) != NULL) {
        list = object->next;
        if (object->review_epoch > epoch || refcache_review_one(own, object)) {
            object->next = own->review;
            own->review = object;
        }
    }
}

void
refcache_tick(void)
{
    struct refcache_cpu *own;
    uint64_t flags;

    flags = cpu_irq_save();
    own = percpu_this(refcache_cpu);
    if (own->epoch < atomic_load(&refcache_global_epoch)) {
        refcache_flush(own);
    }
    refcache_review(own);
    cpu_irq_restore(flags);
}

bool
refcache_setup(void)
{
    struct refcache_cpu *cpu;
    struct page *page;
    uint32_t i;

    atomic_store(&refcache_global_epoch, 1);
    atomic_store(&refcache_left, cpu_nr_online());
    cpu_for_each (i) {
        page =
            page_alloc(page_order(REFCACHE_WAYS * sizeof(struct refcache_way)),
                       PAGE_ZERO);
        if (page == NULL) {
            return false;
        }
        cpu = percpu_ptr(refcache_cpu, i);
        cpu->ways = page_ptr(page);
        cpu->review = NULL;
        cpu->epoch = 0;
    }
    return true;
}

void
refcache_teardown(void)
{
    struct refcache_cpu *cpu;
    uint32_t i;

    cpu_for_each (i) {
        cpu = percpu_ptr(refcache_cpu, i);
        if (cpu->ways != NULL) {
            page_free(page_from_ptr(cpu->ways),
                      page_order(REFCACHE_WAYS * sizeof(struct refcache_way)));
            cpu->ways = NULL;
        }
    }
}
