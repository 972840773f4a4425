/* SPDX-License-Identifier: MIT */
#include <stdatomic.h>

#include <arch/user_copy.h>
#include <kern/clock.h>
#include <kern/cpu.h>
#include <kern/init.h>
#include <kern/kmalloc.h>
#include <kern/preempt.h>
#include <kern/spinlock.h>
#include <kern/thread.h>
#include <lib/assert.h>
#include <lib/hash.h>
#include <lib/macros.h>
#include <lib/rbtree.h>
#include <ipc/futex.h>
#include <ipc/uthread.h>
#include <vm/object.h>
#include <vm/space.h>

/* Buckets for each CPU; a power of two. */
#define FUTEX_BUCKETS 64

/* What a word is known by: an object and a byte, or a space and an address. */
struct futex_key {
    const void *owner;
    uint64_t offset;
    struct vm_object *object; /* referenced; NULL: @owner is a space */
};

/*
 * Keys: [B] lock
 */
struct futex_bucket {
    struct spinlock lock;      /* rank LOCK_FUTEX */
    struct rbtree by_priority; /* [B] by key, then priority, then arrival */
    struct rbtree by_arrival;  /* [B] by key, then arrival */
    uint64_t nr_arrived;       /* [B] */
} __aligned(CACHE_LINE);

/*
 * One wait, on the stack of the thread that waits.
 *
 * Keys: [B] lock of the bucket, or who moves it   [c] constant
 *       [a] atomic, written under the lock, or by who moves it
 */
struct futex_waiter {
    struct rbtree_node priority_node; /* [B] */
    struct rbtree_node arrival_node;  /* [B] */
    struct futex_key key;             /* [B] the waiter's, once woken */
    struct thread *thread;            /* [c] */
    int priority;                     /* [c] */
    uint64_t arrival;                 /* [B] number in the bucket */
    /* [a] NULL: it is being moved; &futex_woken */
    _Atomic(struct futex_bucket *) bucket;
};

/* Constant once made. */
static struct futex_bucket *futex_buckets;
static unsigned int futex_shift; /* 64 - log2 of their number */

/* Where those are who were woken.  Never used but for its address. */
static struct futex_bucket futex_woken;

/*
 * Words
 */

static status_t
futex_check(uintptr_t word)
{
    if (word % sizeof(uint32_t) != 0) {
        return ERR_INVALID;
    }
    return word < USER_END ? OK : ERR_FAULT;
}

/* What a word of this thread's space is known by; to be put. */
static void
futex_key_get(struct futex_key *key, uintptr_t word)
{
    struct vm_space *space = thread_self()->space;

    key->object = space_find_shared(space, word, &key->offset);
    if (key->object != NULL) {
        key->owner = key->object;
    } else {
        key->owner = space;
        key->offset = word;
    }
}

static void
futex_key_put(const struct futex_key *key)
{
    if (key->object != NULL) {
        object_put(key->object);
    }
}

static int
futex_key_compare(const struct futex_key *a, const struct futex_key *b)
{
    if (a->owner != b->owner) {
        return (uintptr_t)a->owner < (uintptr_t)b->owner ? -1 : 1;
    }
    return (a->offset > b->offset) - (a->offset < b->offset);
}

static struct futex_bucket *
futex_key_bucket(const struct futex_key *key)
{
    uint64_t hash = hash_u64(hash_pointer(key->owner) + key->offset);

    return &futex_buckets[hash >> futex_shift];
}

/*
 * Read a word.  Context: as user_read_u64(), which reads what it is half of
 */
static status_t
futex_read(uintptr_t word, uint32_t *value)
{
    uint64_t whole;
    status_t status = user_read_u64(ALIGN_DOWN(word, sizeof(whole)), &whole);

    *value = (uint32_t)(whole >> (word % sizeof(whole) * 8));
    return status;
}

/*
 * Buckets
 */

static int
futex_compare_priority(const struct rbtree_node *a, const struct rbtree_node *b)
{
    const struct futex_waiter *wa, *wb;
    int order;

    wa = rbtree_entry(a, struct futex_waiter, priority_node);
    wb = rbtree_entry(b, struct futex_waiter, priority_node);
    order = futex_key_compare(&wa->key, &wb->key);
    return order != 0
               ? order
               : (wa->priority < wb->priority) - (wa->priority > wb->priority);
}

static int
futex_compare_arrival(const struct rbtree_node *a, const struct rbtree_node *b)
{
    return futex_key_compare(
        &rbtree_entry(a, struct futex_waiter, arrival_node)->key,
        &rbtree_entry(b, struct futex_waiter, arrival_node)->key);
}

static int
futex_match_priority(const void *key, const struct rbtree_node *node)
{
    return futex_key_compare(
        key, &rbtree_entry(node, struct futex_waiter, priority_node)->key);
}

static int
futex_match_arrival(const void *key, const struct rbtree_node *node)
{
    return futex_key_compare(
        key, &rbtree_entry(node, struct futex_waiter, arrival_node)->key);
}

/* Enter a bucket, behind equal ones. */
static void
futex_insert_locked(struct futex_bucket *bucket, struct futex_waiter *waiter)
{
    assert(spinlock_is_locked(&bucket->lock));
    waiter->arrival = bucket->nr_arrived++;
    rbtree_insert(&bucket->by_priority, &waiter->priority_node,
                  futex_compare_priority);
    rbtree_insert(&bucket->by_arrival, &waiter->arrival_node,
                  futex_compare_arrival);
    /* Pairs with the acquire in futex_give_up(). */
    atomic_store_explicit(&waiter->bucket, bucket, memory_order_release);
}

/*
 * Leave a bucket.
 *
 * @next  what @bucket is to be; from &futex_woken on the waiter is gone
 */
static void
futex_remove_locked(struct futex_bucket *bucket, struct futex_waiter *waiter,
                    struct futex_bucket *next)
{
    assert(spinlock_is_locked(&bucket->lock));
    rbtree_remove(&bucket->by_priority, &waiter->priority_node);
    rbtree_remove(&bucket->by_arrival, &waiter->arrival_node);
    /* Pairs with the acquires in futex_sleep() and futex_give_up(). */
    atomic_store_explicit(&waiter->bucket, next, memory_order_release);
}

/*
 * Looking for waiters
 */

/* Those of a word who were there when it began. */
struct futex_scan {
    struct futex_key key;
    struct futex_bucket *bucket;
    bool has_begun;
    uint64_t end; /* they have smaller numbers of arrival */
};

static void
futex_scan_begin(struct futex_scan *scan, uintptr_t word)
{
    futex_key_get(&scan->key, word);
    scan->bucket = futex_key_bucket(&scan->key);
    scan->has_begun = false;
}

static void
futex_scan_end(struct futex_scan *scan)
{
    futex_key_put(&scan->key);
}

/*
 * The next of them: the most urgent one, or the oldest when somebody has come
 * since who is before them; or NULL.  It begins with the first look under the
 * lock: a look without it could miss who saw the word before it changed.
 */
static struct futex_waiter *
futex_scan_next_locked(struct futex_scan *scan)
{
    struct futex_bucket *bucket = scan->bucket;
    struct futex_waiter *waiter;
    struct rbtree_node *node;

    if (!scan->has_begun) {
        scan->has_begun = true;
        scan->end = bucket->nr_arrived;
    }
    node = rbtree_find(&bucket->by_priority, &scan->key, futex_match_priority);
    if (node == NULL) {
        return NULL;
    }
    waiter = rbtree_entry(node, struct futex_waiter, priority_node);
    if (waiter->arrival >= scan->end) {
        node =
            rbtree_find(&bucket->by_arrival, &scan->key, futex_match_arrival);
        waiter = rbtree_entry(node, struct futex_waiter, arrival_node);
    }
    return waiter->arrival < scan->end ? waiter : NULL;
}

/* Wake one.  Returns: whether there was one */
static bool
futex_scan_wake_one(struct futex_scan *scan)
{
    struct futex_waiter *waiter;
    struct thread *thread = NULL;

    spinlock_lock(&scan->bucket->lock);
    waiter = futex_scan_next_locked(scan);
    if (waiter != NULL) {
        thread = waiter->thread;
        futex_remove_locked(scan->bucket, waiter, &futex_woken);
    }
    spinlock_unlock(&scan->bucket->lock);
    if (thread == NULL) {
        return false;
    }
    thread_unpark(thread);
    return true;
}

/* Wake some.  Returns: how many */
static uint32_t
futex_scan_wake(struct futex_scan *scan, uint32_t count)
{
    uint32_t nr = 0;

    while (nr < count && futex_scan_wake_one(scan)) {
        nr++;
    }
    return nr;
}

/* Take one out of its bucket, to be moved.  Context: preemption disabled */
static struct futex_waiter *
futex_scan_take_one(struct futex_scan *scan)
{
    struct futex_waiter *waiter;

    spinlock_lock(&scan->bucket->lock);
    waiter = futex_scan_next_locked(scan);
    if (waiter != NULL) {
        futex_remove_locked(scan->bucket, waiter, NULL);
    }
    spinlock_unlock(&scan->bucket->lock);
    return waiter;
}

/*
 * Have one wait at another word.  It is in no bucket for a moment, and who
 * wakes that word then does not see it: that was before it was moved.
 *
 * Returns: whether there was one
 */
static bool
futex_scan_move_one(struct futex_scan *scan, const struct futex_key *to)
{
    struct futex_bucket *bucket = futex_key_bucket(to);
    struct futex_waiter *waiter;

    preempt_disable();
    waiter = futex_scan_take_one(scan);
    if (waiter != NULL) {
        if (to->object != NULL) {
            object_get(to->object);
        }
        futex_key_put(&waiter->key);
        waiter->key = *to;
        spinlock_lock(&bucket->lock);
        futex_insert_locked(bucket, waiter);
        spinlock_unlock(&bucket->lock);
    }
    preempt_enable();
    return waiter != NULL;
}

/* Move some.  Returns: how many */
static uint32_t
futex_scan_move(struct futex_scan *scan, const struct futex_key *to,
                uint32_t count)
{
    uint32_t nr = 0;

    while (nr < count && futex_scan_move_one(scan, to)) {
        nr++;
    }
    return nr;
}

/*
 * Waiting
 */

/*
 * Enter the bucket if the word can be read at once and is as expected.
 *
 * Returns: OK; ERR_AGAIN; ERR_FAULT: it has to be faulted in
 */
static status_t
futex_try_enter(struct futex_waiter *waiter, uintptr_t word, uint32_t expected)
{
    struct futex_bucket *bucket = futex_key_bucket(&waiter->key);
    status_t status;
    uint32_t value;

    spinlock_lock(&bucket->lock);
    status = futex_read(word, &value);
    if (status == OK && value != expected) {
        status = ERR_AGAIN;
    }
    if (status == OK) {
        futex_insert_locked(bucket, waiter);
    }
    spinlock_unlock(&bucket->lock);
    return status;
}

/* The same until it is known; as futex_wait(). */
static status_t
futex_enter(struct futex_waiter *waiter, uintptr_t word, uint32_t expected)
{
    status_t status = futex_try_enter(waiter, word, expected);
    uint32_t value;

    while (unlikely(status == ERR_FAULT)) {
        if (thread_is_ending()) {
            return ERR_INTERRUPTED;
        }
        status = futex_read(word, &value);
        if (status != OK) {
            return status;
        }
        status = futex_try_enter(waiter, word, expected);
    }
    return status;
}

/*
 * Leave, unless woken at the last moment.
 *
 * @status  why
 */
static status_t
futex_give_up(struct futex_waiter *waiter, status_t status)
{
    struct futex_bucket *bucket;

    for (;;) {
        /* Pairs with the releases in futex_insert_ and _remove_locked(). */
        bucket = atomic_load_explicit(&waiter->bucket, memory_order_acquire);
        if (bucket == &futex_woken) {
            return OK;
        }
        if (bucket == NULL) {
            cpu_pause();
            continue;
        }
        spinlock_lock(&bucket->lock);
        if (atomic_load_explicit(&waiter->bucket, memory_order_relaxed) ==
            bucket) {
            futex_remove_locked(bucket, waiter, &futex_woken);
            spinlock_unlock(&bucket->lock);
            return status;
        }
        spinlock_unlock(&bucket->lock);
    }
}

/* Wait in the bucket. */
static status_t
futex_sleep(struct futex_waiter *waiter, uint64_t deadline)
{
    /* Pairs with the release in futex_remove_locked(). */
    while (atomic_load_explicit(&waiter->bucket, memory_order_acquire) !=
           &futex_woken) {
        if (deadline != CLOCK_NEVER && clock_now() >= deadline) {
            return futex_give_up(waiter, ERR_TIMEOUT);
        }
        if (thread_is_ending()) {
            return futex_give_up(waiter, ERR_INTERRUPTED);
        }
        thread_park(deadline);
    }
    return OK;
}

status_t
futex_wait(uintptr_t word, uint32_t expected, uint64_t deadline)
{
    struct futex_waiter waiter = { .thread = thread_self() };
    status_t status = futex_check(word);

    if (status != OK) {
        return status;
    }
    waiter.priority = thread_priority(waiter.thread);
    futex_key_get(&waiter.key, word);
    status = futex_enter(&waiter, word, expected);
    if (status == OK) {
        uthread_does(PORTOLAN_THREAD_FUTEX);
        status = futex_sleep(&waiter, deadline);
        uthread_does(PORTOLAN_THREAD_READY);
    }
    futex_key_put(&waiter.key);
    return status;
}

/*
 * Waking
 */

status_t
futex_wake(uintptr_t word, uint32_t count, uint32_t *nrp)
{
    struct futex_scan scan;
    status_t status = futex_check(word);

    if (status != OK) {
        return status;
    }
    futex_scan_begin(&scan, word);
    *nrp = futex_scan_wake(&scan, count);
    futex_scan_end(&scan);
    return OK;
}

status_t
futex_requeue(uintptr_t word, uint32_t count, uintptr_t other, uint32_t move,
              uint32_t *nrp)
{
    struct futex_scan scan;
    struct futex_key to;
    status_t status = futex_check(word);

    if (status == OK) {
        status = futex_check(other);
    }
    if (status != OK) {
        return status;
    }
    futex_scan_begin(&scan, word);
    futex_key_get(&to, other);
    if (futex_key_compare(&scan.key, &to) == 0) {
        status = ERR_INVALID;
    } else {
        *nrp = futex_scan_wake(&scan, count);
        *nrp += futex_scan_move(&scan, &to, move);
    }
    futex_key_put(&to);
    futex_scan_end(&scan);
    return status;
}

void
futex_wake_word(uintptr_t word)
{
    uint32_t nr;
    status_t status = futex_wake(word, UINT32_MAX, &nr);

    /* A program may say anything. */
    (void)status;
}

static status_t
futex_setup(void)
{
    size_t nr = FUTEX_BUCKETS;

    while (nr < (size_t)FUTEX_BUCKETS * cpu_nr_possible) {
        nr *= 2;
    }
    futex_buckets = kmalloc(nr * sizeof(*futex_buckets));
    if (futex_buckets == NULL) {
        return ERR_NO_MEMORY;
    }
    futex_shift = 64 - (unsigned int)__builtin_ctzl(nr);
    for (size_t i = 0; i < nr; i++) {
        spinlock_init(&futex_buckets[i].lock, LOCK_FUTEX, "futex bucket");
        rbtree_init(&futex_buckets[i].by_priority);
        rbtree_init(&futex_buckets[i].by_arrival);
        futex_buckets[i].nr_arrived = 0;
    }
    return OK;
}

INIT_OP(futex_setup, INIT_BOOT_CPU, AFTER(kmalloc_setup), AFTER(percpu_setup));
