/* SPDX-License-Identifier: MIT */
/*
 * Resource containers.
 *
 * A CPU's stock of a container is a word in its per-CPU area: 0 when it is
 * closed, else one more than the units in it.  Charging and refunding replace
 * the word by a single instruction, so an interrupt, which may close the
 * stock, comes before or after; a thread that moved to another CPU in between
 * has merely read the wrong word, and finds out or does no harm.
 *
 * All else is done under one lock with interrupts disabled, once for a batch
 * of units: the units that a stock lacks, and some more, are taken from the
 * container and all above it at once, or not at all.  How many more shrinks as
 * the room below the nearest limit does, to nothing.
 *
 * To know what is used exactly, stocks of a kind are recalled: those of the
 * container and all below it are closed, CPU by CPU, and stay so until the
 * answer is known.  CPUs with closed stocks are not disturbed.  A closed stock
 * is opened by who finds it so and takes more than he needs: not while there
 * is a recall, and not when a limit is near.  So who lives at his limit pays a
 * lock for each charge, but interrupts nobody.
 *
 * INVARIANT.  While kind k is recalled (container_is_recalled[k], under the
 * mutex), no stock of kind k is opened.  So when the CPUs have closed those
 * of a container and of all below it, and what was in them was given back,
 * what the container has taken is what is used, and every change is made
 * under the lock.
 *
 * The list of containers is in preorder: behind a container are all those
 * below it, told by their depth.
 */
#include <stddef.h>

#include <kern/container.h>
#include <kern/cpu.h>
#include <kern/fail.h>
#include <kern/init.h>
#include <kern/log.h>
#include <kern/percpu.h>
#include <kern/preempt.h>
#include <kern/rtmutex.h>
#include <kern/slab.h>
#include <kern/spinlock.h>
#include <kern/sref.h>
#include <kern/xcall.h>
#include <lib/assert.h>
#include <lib/bitmap.h>
#include <lib/list.h>
#include <lib/string.h>

/* Containers that have stocks, at most; the others do without. */
#define CONTAINER_SLOTS 512

/* Kinds there is room for: half a line. */
#define CONTAINER_KINDS_MAX 8

/* Stocks of all CPUs, when they are filled, have at most 1/8 of the room. */
#define CONTAINER_ROOM_SHIFT 3

/* Containers of which a CPU closes the stocks in one interrupt. */
#define CONTAINER_RECALL_BATCH 32

static_assert(CONTAINER_NR_KINDS <= CONTAINER_KINDS_MAX, "room in the stocks");

/*
 * Keys: [c] constant once created   [L] container_lock   [M] container_mutex
 */
struct container {
    struct sref sref;
    uint32_t *stocks;                    /* [c] by kind, in the template */
    struct container *parent;            /* [c] NULL: the root */
    struct list node;                    /* [M] */
    uint32_t depth;                      /* [c] */
    uint64_t limits[CONTAINER_NR_KINDS]; /* [L] read by anybody */
    uint64_t taken[CONTAINER_NR_KINDS];  /* [L] */
    char name[CONTAINER_NAME_SIZE];      /* [c] */
    uint64_t tag;                        /* [c] */
};

/* Stocks that a CPU is asked to close; on the stack of who asks. */
struct container_recall {
    enum container_kind kind;
    uint32_t nr;
    struct container *containers[CONTAINER_RECALL_BATCH];
    uint32_t units[CONTAINER_RECALL_BATCH]; /* what was in them */
};

#define CONTAINER_BATCH(name, batch, what) (batch),
static const uint32_t container_batches[] = { CONTAINER_KINDS(
    CONTAINER_BATCH) };

/* The word of a full stock. */
#define CONTAINER_WORD_MAX(name, batch, what) (2 * (batch) + 1),
static const uint32_t container_word_max[] = { CONTAINER_KINDS(
    CONTAINER_WORD_MAX) };

/* Keys: [O] the CPU, in single instructions or with interrupts disabled */
static __aligned(CACHE_LINE)
    PERCPU(uint32_t, container_stocks)[CONTAINER_SLOTS][CONTAINER_KINDS_MAX];

/* Of those without a slot: always closed. */
static PERCPU(uint32_t, container_no_stocks)[CONTAINER_KINDS_MAX];

static struct container container_root_object = {
    .stocks = container_stocks[0],
    .node = LIST_INITIALIZER(container_root_object.node),
    .limits = { [0 ... CONTAINER_NR_KINDS - 1] = CONTAINER_UNLIMITED },
    .name = "root",
};

struct container *const container_root = &container_root_object;

static struct spinlock container_lock =
    SPINLOCK_INITIALIZER(LOCK_CONTAINER, "containers");

/* Held by who recalls stocks, or changes or walks the list. */
static struct rtmutex container_mutex;

static bool container_is_recalled[CONTAINER_NR_KINDS]; /* [L] */
static unsigned long container_slots[BITMAP_LONGS(CONTAINER_SLOTS)] = {
    1
}; /* [L] in use; the root's is 0 */
static unsigned int container_room_shift; /* constant once set up */
static struct slab_cache container_cache;

static void container_noref(struct sref *sref);

static const struct sref_class container_sref_class = {
    .name = "container",
    .noref = container_noref,
};

/* ------------------------------------------------------- under the lock */

/* What may still be taken of a container itself. */
static uint64_t
container_room_locked(const struct container *container,
                      enum container_kind kind)
{
    uint64_t limit = container->limits[kind], taken = container->taken[kind];

    assert(spinlock_is_locked(&container_lock));

    return limit > taken ? limit - taken : 0;
}

/* Take units of a container and all above. */
static void
container_take_locked(struct container *container, enum container_kind kind,
                      uint64_t nr)
{
    for (; container != NULL; container = container->parent) {
        container->taken[kind] += nr;
    }
}

/* Give units back to a container and all above. */
static void
container_untake_locked(struct container *container, enum container_kind kind,
                        uint64_t nr)
{
    for (; container != NULL; container = container->parent) {
        verify(container->taken[kind] >= nr);
        container->taken[kind] -= nr;
    }
}

/* How many units may be put in stock when there is @room for so many. */
static uint32_t
container_stocking_locked(const struct container *container,
                          enum container_kind kind, uint64_t room)
{
    if (container_is_recalled[kind] ||
        container->stocks == container_no_stocks) {
        return 0;
    }
    return (uint32_t)MIN((uint64_t)container_batches[kind],
                         room >> container_room_shift);
}

/* The least room of a container and those above. */
static uint64_t
container_least_room_locked(const struct container *container,
                            enum container_kind kind)
{
    uint64_t room = UINT64_MAX;

    for (; container != NULL; container = container->parent) {
        room = MIN(room, container_room_locked(container, kind));
    }
    return room;
}

/* The topmost container that has no room for so many units; NULL: none. */
static struct container *
container_find_full_locked(struct container *container,
                           enum container_kind kind, uint64_t nr)
{
    struct container *full = NULL;

    for (; container != NULL; container = container->parent) {
        if (container_room_locked(container, kind) < nr) {
            full = container;
        }
    }
    return full;
}

/* Charge what the stock has and take the rest.  Returns: who has no room */
static struct container *
container_charge_locked(struct container *container, enum container_kind kind,
                        uint64_t nr)
{
    uint32_t *stock = percpu_this(container->stocks[kind]);
    uint32_t word = READ_ONCE(*stock), extra = 0;
    uint64_t nr_left = word != 0 ? word - 1 : 0;
    struct container *full;

    if (nr_left < nr) {
        nr -= nr_left;
        full = container_find_full_locked(container, kind, nr);
        if (full != NULL) {
            return full;
        }
        extra = container_stocking_locked(
            container, kind, container_least_room_locked(container, kind) - nr);
        container_take_locked(container, kind, nr + extra);
        nr = nr_left;
    }
    if (word != 0 || extra != 0) {
        WRITE_ONCE(*stock, (uint32_t)(1 + nr_left - nr + extra));
    }
    return NULL;
}

static void
container_refund_locked(struct container *container, enum container_kind kind,
                        uint64_t nr)
{
    uint32_t *stock = percpu_this(container->stocks[kind]);
    uint32_t word = READ_ONCE(*stock), nr_kept;

    /* What is in stock must not hide that this was never taken. */
    verify(nr <= container->taken[kind]);
    if (word != 0) {
        nr += word - 1;
        nr_kept = container_batches[kind];
    } else {
        nr_kept = container_stocking_locked(
            container, kind, container_least_room_locked(container, kind));
    }
    nr_kept = (uint32_t)MIN((uint64_t)nr_kept, nr);
    if (word != 0 || nr_kept != 0) {
        WRITE_ONCE(*stock, 1 + nr_kept);
    }
    container_untake_locked(container, kind, nr - nr_kept);
}

/* -------------------------------------------------------------- recalls */

/* On a CPU, in an interrupt: close stocks. */
static void
container_close_stocks(void *arg)
{
    struct container_recall *recall = arg;

    for (uint32_t i = 0; i < recall->nr; i++) {
        uint32_t *stock =
            percpu_this(recall->containers[i]->stocks[recall->kind]);
        uint32_t word = READ_ONCE(*stock);

        recall->units[i] = word != 0 ? word - 1 : 0;
        WRITE_ONCE(*stock, 0);
    }
}

static void
container_recall_send(struct container_recall *recall, uint32_t cpu)
{
    uint64_t flags;

    xcall_one(cpu, container_close_stocks, recall);
    for (uint32_t i = 0; i < recall->nr; i++) {
        flags = spinlock_lock_irqsave(&container_lock);
        container_untake_locked(recall->containers[i], recall->kind,
                                recall->units[i]);
        spinlock_unlock_irqrestore(&container_lock, flags);
    }
    recall->nr = 0;
}

/* Close a CPU's stocks of a container and of all below it. */
static void
container_recall_cpu(struct container *top, enum container_kind kind,
                     uint32_t cpu)
{
    struct container_recall recall = { .kind = kind };
    struct container *container = top;

    do {
        if (READ_ONCE(*percpu_ptr(container->stocks[kind], cpu)) != 0) {
            recall.containers[recall.nr++] = container;
        }
        if (recall.nr == CONTAINER_RECALL_BATCH) {
            container_recall_send(&recall, cpu);
        }
        container = list_entry(container->node.next, struct container, node);
    } while (container->depth > top->depth);
    if (recall.nr != 0) {
        container_recall_send(&recall, cpu);
    }
}

static void
container_recall(struct container *top, enum container_kind kind)
{
    uint32_t cpu;

    assert(rtmutex_is_owned(&container_mutex));
    assert(container_is_recalled[kind]);

    cpu_for_each (cpu) {
        container_recall_cpu(top, kind, cpu);
    }
}

static void
container_set_recalled(enum container_kind kind, bool is_recalled)
{
    uint64_t flags;

    flags = spinlock_lock_irqsave(&container_lock);
    container_is_recalled[kind] = is_recalled;
    spinlock_unlock_irqrestore(&container_lock, flags);
}

/* Recall everything, and say what is used. */
static uint64_t
container_sum(struct container *container, enum container_kind kind)
{
    uint64_t nr, flags;

    container_set_recalled(kind, true);
    container_recall(container, kind);
    flags = spinlock_lock_irqsave(&container_lock);
    nr = container->taken[kind];
    spinlock_unlock_irqrestore(&container_lock, flags);
    container_set_recalled(kind, false);
    return nr;
}

/* ------------------------------------------------------ charge, refund */

/* Returns: NULL, they were charged; or who has no room */
static struct container *
container_try_charge(struct container *container, enum container_kind kind,
                     uint64_t nr)
{
    struct container *full;
    uint64_t flags;

    flags = spinlock_lock_irqsave(&container_lock);
    full = container_charge_locked(container, kind, nr);
    spinlock_unlock_irqrestore(&container_lock, flags);
    return full;
}

/*
 * Recall the stocks below the limit that was met, and try again, until the
 * charge succeeds or that limit is one below which nothing is in stock.
 */
static status_t
container_charge_exactly(struct container *container, enum container_kind kind,
                         uint64_t nr)
{
    uint32_t depth = CONTAINER_DEPTH_MAX + 1; /* recalled from here on */
    struct container *full;

    rtmutex_lock(&container_mutex);
    container_set_recalled(kind, true);
    full = container_try_charge(container, kind, nr);
    while (full != NULL && full->depth < depth) {
        container_recall(full, kind);
        depth = full->depth;
        full = container_try_charge(container, kind, nr);
    }
    container_set_recalled(kind, false);
    rtmutex_unlock(&container_mutex);
    return full == NULL ? OK : ERR_NO_MEMORY;
}

__noinline static status_t
container_charge_slow(struct container *container, enum container_kind kind,
                      uint64_t nr)
{
    if (likely(container_try_charge(container, kind, nr) == NULL)) {
        return OK;
    }
    if (!preempt_is_enabled() || !cpu_irq_is_enabled()) {
        return ERR_NO_MEMORY;
    }
    return container_charge_exactly(container, kind, nr);
}

status_t
container_charge(struct container *container, enum container_kind kind,
                 uint64_t nr)
{
    uint32_t *stock = &container->stocks[kind];
    uint32_t word;

    if (fail_now()) {
        return ERR_NO_MEMORY;
    }
    do {
        word = percpu_read_at(stock);
        if (unlikely(nr >= word)) {
            return container_charge_slow(container, kind, nr);
        }
    } while (unlikely(!percpu_replace_at(stock, word, word - (uint32_t)nr)));
    return OK;
}

__noinline static void
container_refund_slow(struct container *container, enum container_kind kind,
                      uint64_t nr)
{
    uint64_t flags;

    flags = spinlock_lock_irqsave(&container_lock);
    container_refund_locked(container, kind, nr);
    spinlock_unlock_irqrestore(&container_lock, flags);
}

void
container_refund(struct container *container, enum container_kind kind,
                 uint64_t nr)
{
    uint32_t *stock = &container->stocks[kind];
    uint32_t word;

    do {
        word = percpu_read_at(stock);
        if (unlikely(word == 0 || nr > container_word_max[kind] - word)) {
            container_refund_slow(container, kind, nr);
            return;
        }
    } while (unlikely(!percpu_replace_at(stock, word, word + (uint32_t)nr)));
}

/* -------------------------------------------------------- limits, sums */

void
container_set_limit(struct container *container, enum container_kind kind,
                    uint64_t nr)
{
    uint64_t flags;

    rtmutex_lock(&container_mutex);
    flags = spinlock_lock_irqsave(&container_lock);
    WRITE_ONCE(container->limits[kind], nr);
    spinlock_unlock_irqrestore(&container_lock, flags);

    /* What is in stock could be charged whatever the limit. */
    (void)container_sum(container, kind);
    rtmutex_unlock(&container_mutex);
}

uint64_t
container_limit(const struct container *container, enum container_kind kind)
{
    return READ_ONCE(container->limits[kind]);
}

uint64_t
container_used(struct container *container, enum container_kind kind)
{
    uint64_t nr;

    rtmutex_lock(&container_mutex);
    nr = container_sum(container, kind);
    rtmutex_unlock(&container_mutex);
    return nr;
}

/* ------------------------------------------------------ create, destroy */

static uint32_t *
container_slot_alloc(void)
{
    uint64_t flags;
    size_t i;

    flags = spinlock_lock_irqsave(&container_lock);
    i = bitmap_find_first_zero(container_slots, CONTAINER_SLOTS);
    if (i < CONTAINER_SLOTS) {
        bitmap_set(container_slots, i);
    }
    spinlock_unlock_irqrestore(&container_lock, flags);
    return i < CONTAINER_SLOTS ? container_stocks[i] : container_no_stocks;
}

/* All its stocks are closed. */
static void
container_slot_free(uint32_t *stocks)
{
    size_t i = (size_t)(stocks - container_stocks[0]) / CONTAINER_KINDS_MAX;
    uint64_t flags;

    if (stocks == container_no_stocks) {
        return;
    }
    flags = spinlock_lock_irqsave(&container_lock);
    assert(bitmap_test(container_slots, i));
    bitmap_clear(container_slots, i);
    spinlock_unlock_irqrestore(&container_lock, flags);
}

status_t
container_create(struct container **containerp, struct container *parent,
                 const char *name)
{
    struct container *container;

    if (parent->depth == CONTAINER_DEPTH_MAX) {
        return ERR_RANGE;
    }
    if (container_charge(parent, CONTAINER_OBJECTS, sizeof(*container)) != OK) {
        return ERR_NO_MEMORY;
    }
    container = slab_alloc(&container_cache);
    if (container == NULL) {
        goto fail_alloc;
    }

    memset(container, 0, sizeof(*container));
    sref_init(&container->sref, &container_sref_class);
    container_get(parent);
    container->parent = parent;
    container->depth = parent->depth + 1;
    container->stocks = container_slot_alloc();
    for (size_t i = 0; i < CONTAINER_NR_KINDS; i++) {
        container->limits[i] = CONTAINER_UNLIMITED;
    }
    strlcpy(container->name, name, sizeof(container->name));

    rtmutex_lock(&container_mutex);
    list_insert_after(&parent->node, &container->node);
    rtmutex_unlock(&container_mutex);
    *containerp = container;
    return OK;

fail_alloc:
    container_refund(parent, CONTAINER_OBJECTS, sizeof(*container));
    return ERR_NO_MEMORY;
}

/* Close all stocks; what was not refunded is a leak, its parent's no more. */
static void
container_settle_locked(struct container *container, enum container_kind kind)
{
    uint64_t nr = container_sum(container, kind), flags;

    if (nr == 0) {
        return;
    }
    log_error("container: %s ends with %lu %s", container->name, nr,
              container_kind_name(kind));
    flags = spinlock_lock_irqsave(&container_lock);
    container_untake_locked(container, kind, nr);
    spinlock_unlock_irqrestore(&container_lock, flags);
}

static void
container_noref(struct sref *sref)
{
    struct container *container = container_of(sref, struct container, sref);
    struct container *parent = container->parent;

    rtmutex_lock(&container_mutex);
    for (size_t i = 0; i < CONTAINER_NR_KINDS; i++) {
        container_settle_locked(container, (enum container_kind)i);
    }
    list_remove(&container->node);
    rtmutex_unlock(&container_mutex);

    container_slot_free(container->stocks);
    slab_free(&container_cache, container);
    container_refund(parent, CONTAINER_OBJECTS, sizeof(*container));
    container_put(parent);
}

void
container_get(struct container *container)
{
    if (container != container_root) {
        sref_get(&container->sref);
    }
}

void
container_put(struct container *container)
{
    if (container != container_root) {
        sref_put(&container->sref);
    }
}

/* --------------------------------------------------------------- reports */

bool
container_is_within(const struct container *container,
                    const struct container *top)
{
    while (container != NULL && container != top) {
        container = container->parent;
    }
    return container != NULL;
}

const char *
container_name(const struct container *container)
{
    return container->name;
}

void
container_set_tag(struct container *container, uint64_t tag)
{
    container->tag = tag;
}

uint64_t
container_tag(const struct container *container)
{
    return container->tag;
}

const char *
container_kind_name(enum container_kind kind)
{
#define CONTAINER_KIND_NAME(name, batch, what) what,
    static const char *const names[] = { CONTAINER_KINDS(CONTAINER_KIND_NAME) };

    assert(kind < ARRAY_SIZE(names));
    return names[kind];
}

static struct container *
container_find_at(size_t index)
{
    struct list *node = &container_root->node;

    assert(rtmutex_is_owned(&container_mutex));

    for (; index > 0; index--) {
        node = node->next;
        if (node == &container_root->node) {
            return NULL;
        }
    }
    return list_entry(node, struct container, node);
}

bool
container_info_get(size_t index, struct container_info *info)
{
    struct container *container;

    rtmutex_lock(&container_mutex);
    container = container_find_at(index);
    if (container != NULL) {
        strlcpy(info->name, container->name, sizeof(info->name));
        info->depth = container->depth;
        for (size_t i = 0; i < CONTAINER_NR_KINDS; i++) {
            info->used[i] = container_sum(container, (enum container_kind)i);
            info->limits[i] = container->limits[i];
        }
    }
    rtmutex_unlock(&container_mutex);
    return container != NULL;
}

static status_t
container_setup(void)
{
    rtmutex_init(&container_mutex, LOCK_CONTAINER_TREE, "containers");
    slab_cache_init(&container_cache, "container", sizeof(struct container), 0,
                    0);
    container_room_shift = CONTAINER_ROOM_SHIFT + 32 -
                           (unsigned int)__builtin_clz(cpu_nr_possible);
    return OK;
}

INIT_OP(container_setup, INIT_BOOT_CPU, AFTER(slab_setup));
