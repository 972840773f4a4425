/* SPDX-License-Identifier: MIT */
#include <stddef.h>

#include <arch/cpu.h>
#include <arch/layout.h>
#include <arch/thread.h>
#include <kern/command.h>
#include <kern/console.h>
#include <kern/cpu.h>
#include <kern/init.h>
#include <kern/kasan.h>
#include <kern/kmalloc.h>
#include <kern/kva.h>
#include <kern/preempt.h>
#include <kern/pass.h>
#include <kern/sched.h>
#include <kern/sched_fair.h>
#include <kern/sched_i.h>
#include <kern/slab.h>
#include <kern/spinlock.h>
#include <kern/thread.h>
#include <kern/turnstile.h>
#include <lib/assert.h>
#include <lib/bitmap.h>
#include <lib/fmt.h>
#include <lib/string.h>

/* Dead threads kept with their stacks, for the next to be created. */
#define THREAD_CACHE_MAX 64

static struct slab_cache thread_cache;

/* Keys: [L] thread_list_lock */
static struct spinlock thread_list_lock =
    SPINLOCK_INITIALIZER(LOCK_THREAD_LIST, "threads");
static struct list thread_list = LIST_INITIALIZER(thread_list); /* [L] */
static struct list thread_dead = LIST_INITIALIZER(thread_dead); /* [L] */
static unsigned thread_nr_dead;                                 /* [L] */

static struct list thread_ended = LIST_INITIALIZER(thread_ended); /* [L] */
static struct thread *thread_reaper; /* constant once it exists */

/* What runs on each CPU from its start: idle, but on the boot CPU main. */
static PERCPU(struct thread, thread_first);

/* ------------------------------------------------------------ park, unpark */

void
thread_unpark(struct thread *thread)
{
    struct run_queue *queue;
    uint64_t flags;

    queue = sched_lock_thread(thread, &flags);
    if (thread->state != THREAD_PARKED && !pass_unhold_locked(queue, thread)) {
        thread->permit = true;
        pass_recall_locked(queue, thread);
        sched_unlock(queue, flags);
        return;
    }

    WRITE_ONCE(thread->state, THREAD_READY);
    sched_enqueue_locked(queue, thread, flags);
}

static void
thread_timer_expired(struct timer *timer)
{
    thread_unpark(container_of(timer, struct thread, timer));
}

/*
 * Take the permit, or park.
 */
static void
thread_park_forever(struct thread *self)
{
    struct run_queue *queue;
    uint64_t flags;

    queue = sched_lock_own(&flags);
    if (self->permit) {
        self->permit = false;
        sched_unlock(queue, flags);
        return;
    }

    WRITE_ONCE(self->state, THREAD_PARKED);
    sched_switch_locked(queue, flags);
}

void
thread_park(uint64_t deadline)
{
    struct thread *self;

    self = thread_self();
    assert(preempt_is_enabled() && cpu_irq_is_enabled());
    if (deadline == CLOCK_NEVER) {
        thread_park_forever(self);
        return;
    }

    timer_start(&self->timer, deadline);
    thread_park_forever(self);
    timer_cancel(&self->timer);
}

/* Hand off to a thread that is held here, if that is what it is. */
static bool
thread_pass_on(struct thread *self, struct thread *thread)
{
    uint64_t flags = cpu_irq_save();
    uint32_t cpu = cpu_id();
    bool is_possible = self->may_pass && pass_is_possible(self, thread, cpu);

    if (is_possible) {
        pass_to(self, thread, cpu);
    }
    cpu_irq_restore(flags);
    return is_possible;
}

void
thread_hand_off(struct thread *thread)
{
    struct run_queue *queue;
    struct thread *self;
    uint64_t flags;

    self = thread_self();
    assert(preempt_is_enabled() && cpu_irq_is_enabled());
    if (thread_pass_on(self, thread)) {
        return;
    }
    queue = sched_lock_own(&flags);
    pass_unhold_locked(queue, thread);
    if (self->permit || !sched_may_hand_off_locked(queue, thread)) {
        sched_unlock(queue, flags);
        thread_unpark(thread);
        thread_park(CLOCK_NEVER);
        return;
    }

    /* As thread_unpark(): a ready one may be about to park. */
    thread->permit = thread->permit || thread->state != THREAD_PARKED;
    WRITE_ONCE(self->state, THREAD_PARKED);
    sched_hand_off_locked(queue, thread, flags);
}

/* ------------------------------------------------------------ masks of CPUs */

bool
thread_affinity_is_possible(const unsigned long *mask)
{
    uint32_t cpu;

    cpu_for_each (cpu) {
        if (mask == NULL || bitmap_test(mask, cpu)) {
            return true;
        }
    }
    return false;
}

/* Copy a mask; NULL stays NULL. */
static status_t
thread_copy_mask(const struct thread *thread, const unsigned long *mask,
                 unsigned long **copyp)
{
    *copyp = NULL;
    if (mask == NULL) {
        return OK;
    }
    if (!thread_affinity_is_possible(mask)) {
        return ERR_INVALID;
    }
    if (thread->pinned && !bitmap_test(mask, atomic_load(&thread->cpu))) {
        return ERR_STATE;
    }

    *copyp = kmalloc(BITMAP_LONGS(cpu_nr_possible) * sizeof(**copyp));
    if (*copyp == NULL) {
        return ERR_NO_MEMORY;
    }
    bitmap_copy(*copyp, mask, cpu_nr_possible);
    return OK;
}

/* -------------------------------------------------------- creation and end */

static void
thread_init(struct thread *thread, const char *name)
{
    thread->rcu_depth = 0;
    thread->rcu_blocked = 0;
    thread->nr_allocating = 0;
    thread->space = NULL;
    thread->user = NULL;
    thread->uthread = NULL;
    atomic_store_explicit(&thread->user_work, 0, memory_order_relaxed);
    WRITE_ONCE(thread->state, THREAD_READY);
    thread->policy = THREAD_FAIR;
    thread->priority = THREAD_PRIORITY_FAIR;
    thread->base_priority = THREAD_PRIORITY_FAIR;
    thread->inherited = THREAD_PRIORITY_IDLE;
    thread->weight = THREAD_WEIGHT_DEFAULT;
    thread->queued = false;
    thread->held_by = THREAD_HELD_BY_NONE;
    list_node_init(&thread->run_node);
    thread->permit = false;
    thread->suspended = false;
    thread->pinned = false;
    thread->may_pass = false;
    thread->affinity = NULL;
    thread->vruntime = 0;
    thread->vlag = 0;
    thread->run_ticks = 0;
    thread->nr_switches = 0;
    rbtree_init(&thread->turnstiles);
    thread->blocked_on = NULL;
    thread->fail = NULL;
    thread->locks = (struct lock_check_stack){};
    timer_init(&thread->timer, thread_timer_expired, "thread");
    atomic_store_explicit(&thread->done, false, memory_order_relaxed);
    thread->joiner = NULL;
    thread->detached = false;
    strlcpy(thread->name, name, sizeof(thread->name));
}

static void
thread_make_idle(struct thread *thread, uint32_t cpu)
{
    thread->policy = THREAD_IDLE;
    thread->priority = THREAD_PRIORITY_IDLE;
    thread->base_priority = THREAD_PRIORITY_IDLE;
    thread->pinned = true;
    atomic_store_explicit(&thread->cpu, cpu, memory_order_relaxed);
    sched_set_idle(thread);
}

static struct thread *
thread_alloc(void)
{
    struct thread *thread;
    uint64_t flags;

    flags = spinlock_lock_irqsave(&thread_list_lock);
    thread = NULL;
    if (!list_is_empty(&thread_dead)) {
        thread = list_first_entry(&thread_dead, struct thread, all_node);
        list_remove(&thread->all_node);
        thread_nr_dead--;
    }
    spinlock_unlock_irqrestore(&thread_list_lock, flags);
    if (thread != NULL) {
        /* The functions that it never left have their marks there. */
        kasan_unpoison(thread->stack, KERNEL_STACK_SIZE);
        return thread;
    }

    thread = slab_alloc(&thread_cache);
    if (thread == NULL) {
        return NULL;
    }
    thread->stack = kva_alloc_stack("thread stack");
    if (thread->stack == NULL) {
        slab_free(&thread_cache, thread);
        return NULL;
    }
    return thread;
}

/* A thread is off its stack, or never was on it: keep or free both. */
static void
thread_keep(struct thread *thread)
{
    uint64_t flags;
    bool kept;

    flags = spinlock_lock_irqsave(&thread_list_lock);
    kept = thread_nr_dead < THREAD_CACHE_MAX;
    if (kept) {
        list_insert_head(&thread_dead, &thread->all_node);
        thread_nr_dead++;
    }
    spinlock_unlock_irqrestore(&thread_list_lock, flags);
    if (!kept) {
        kva_free(thread->stack);
        slab_free(&thread_cache, thread);
    }
}

/* A thread has ended. */
static void
thread_free(struct thread *thread)
{
    uint64_t flags;

    kfree(thread->affinity);
    thread->affinity = NULL;
    flags = spinlock_lock_irqsave(&thread_list_lock);
    list_remove(&thread->all_node);
    spinlock_unlock_irqrestore(&thread_list_lock, flags);
    thread_keep(thread);
}

static void
thread_list_add(struct thread *thread)
{
    uint64_t flags;

    flags = spinlock_lock_irqsave(&thread_list_lock);
    list_insert_tail(&thread_list, &thread->all_node);
    spinlock_unlock_irqrestore(&thread_list_lock, flags);
}

static void
thread_entry(void)
{
    struct thread *self;

    sched_begin();
    self = thread_self();
    self->fn(self->arg);
    thread_exit();
}

static bool
thread_attr_is_valid(const struct thread_attr *attr)
{
    if (attr->pinned &&
        (attr->cpu >= cpu_nr_possible ||
         (attr->cpu != cpu_id() && !cpu_is_online(attr->cpu)))) {
        return false;
    }
    if (attr->weight > THREAD_WEIGHT_MAX) {
        return false;
    }
    return attr->policy == THREAD_FAIR ||
           ((attr->policy == THREAD_FIFO || attr->policy == THREAD_RR) &&
            attr->priority >= THREAD_PRIORITY_MIN &&
            attr->priority <= THREAD_PRIORITY_MAX);
}

struct thread *
thread_create(const char *name, thread_fn_t fn, void *arg,
              const struct thread_attr *attr)
{
    static const struct thread_attr defaults;
    struct thread *thread;

    attr = attr != NULL ? attr : &defaults;
    if (!thread_attr_is_valid(attr)) {
        return NULL;
    }
    thread = thread_alloc();
    if (thread == NULL) {
        return NULL;
    }

    thread_init(thread, name);
    if (thread_copy_mask(thread, attr->affinity, &thread->affinity) != OK) {
        thread_keep(thread);
        return NULL;
    }
    thread->fn = fn;
    thread->arg = arg;
    thread->policy = attr->policy;
    if (attr->policy != THREAD_FAIR) {
        thread->priority = attr->priority;
        thread->base_priority = attr->priority;
    }
    thread->weight = attr->weight != 0 ? attr->weight : THREAD_WEIGHT_DEFAULT;
    thread->pinned = attr->pinned;
    thread->space = attr->space;
    atomic_store_explicit(&thread->cpu, attr->pinned ? attr->cpu : cpu_id(),
                          memory_order_relaxed);
    thread->sp =
        thread_context_init((uintptr_t)thread->stack + KERNEL_STACK_SIZE,
                            thread_entry);
    thread_list_add(thread);
    sched_enqueue(thread);
    return thread;
}

void
thread_join(struct thread *thread)
{
    uint64_t flags;

    lock_check_may_sleep("thread");
    flags = spinlock_lock_irqsave(&thread_list_lock);
    thread->joiner = thread_self();
    spinlock_unlock_irqrestore(&thread_list_lock, flags);
    /* Pairs with the release in thread_announce_end(). */
    while (!atomic_load_explicit(&thread->done, memory_order_acquire)) {
        thread_park(CLOCK_NEVER);
    }
    thread_free(thread);
}

void
thread_detach(struct thread *thread)
{
    uint64_t flags;
    bool is_done;

    flags = spinlock_lock_irqsave(&thread_list_lock);
    is_done = atomic_load_explicit(&thread->done, memory_order_relaxed);
    thread->detached = true;
    spinlock_unlock_irqrestore(&thread_list_lock, flags);
    if (is_done) {
        thread_free(thread);
    }
}

void
thread_announce_end(struct thread *thread)
{
    struct thread *waiting;
    uint64_t flags;

    flags = spinlock_lock_irqsave(&thread_list_lock);
    waiting = thread->joiner;
    if (thread->detached) {
        list_insert_tail(&thread_ended, &thread->end_node);
        waiting = thread_reaper;
    }
    /* Pairs with the acquire in thread_join(): the thread is the joiner's. */
    atomic_store_explicit(&thread->done, true, memory_order_release);
    spinlock_unlock_irqrestore(&thread_list_lock, flags);
    if (waiting != NULL) {
        thread_unpark(waiting);
    }
}

static struct thread *
thread_next_ended(void)
{
    struct thread *thread;
    uint64_t flags;

    thread = NULL;
    flags = spinlock_lock_irqsave(&thread_list_lock);
    if (!list_is_empty(&thread_ended)) {
        thread = list_first_entry(&thread_ended, struct thread, end_node);
        list_remove(&thread->end_node);
    }
    spinlock_unlock_irqrestore(&thread_list_lock, flags);
    return thread;
}

/* Frees detached threads that have ended. */
static void
thread_reap(void *arg __unused)
{
    struct thread *thread;

    for (;;) {
        thread = thread_next_ended();
        if (thread == NULL) {
            thread_park(CLOCK_NEVER);
            continue;
        }
        thread_free(thread);
    }
}

void
thread_exit(void)
{
    struct run_queue *queue;
    struct thread *self;
    uint64_t flags;

    self = thread_self();
    assert(rbtree_is_empty(&self->turnstiles));
    assert(self->rcu_depth == 0);
    lock_check_thread_end(&self->locks);
    timer_cancel(&self->timer);
    queue = sched_lock_own(&flags);
    WRITE_ONCE(self->state, THREAD_DEAD);
    sched_switch_locked(queue, flags);
    unreachable();
}

/* ------------------------------------------------------------------- sleep */

void
thread_sleep_until(uint64_t deadline)
{
    lock_check_may_sleep("sleep");
    while (clock_now() < deadline) {
        thread_park(deadline);
    }
}

void
thread_sleep(uint64_t ns)
{
    thread_sleep_until(clock_now() + ns);
}

/* ----------------------------------------------------------------- changes */

/* The priority that counts: the own, or what the thread inherits. */
static int
thread_effective(const struct thread *thread)
{
    return MAX(thread->base_priority, thread->inherited);
}

status_t
thread_set_policy(struct thread *thread, enum thread_policy policy,
                  int priority)
{
    struct run_queue *queue;
    uint64_t flags;
    bool was_queued;

    if (policy == THREAD_FAIR) {
        priority = THREAD_PRIORITY_FAIR;
    } else if ((policy != THREAD_FIFO && policy != THREAD_RR) ||
               priority < THREAD_PRIORITY_MIN ||
               priority > THREAD_PRIORITY_MAX) {
        return ERR_RANGE;
    }

    queue = sched_lock_thread(thread, &flags);
    was_queued = sched_begin_change_locked(queue, thread);
    thread->policy = policy;
    thread->base_priority = priority;
    WRITE_ONCE(thread->priority, thread_effective(thread));
    sched_end_change_locked(queue, thread, was_queued);
    sched_unlock(queue, flags);
    turnstile_propagate(thread);
    return OK;
}

status_t
thread_set_weight(struct thread *thread, uint32_t weight)
{
    struct run_queue *queue;
    uint64_t flags;
    bool was_queued;

    if (weight == 0 || weight > THREAD_WEIGHT_MAX) {
        return ERR_RANGE;
    }

    queue = sched_lock_thread(thread, &flags);
    was_queued = sched_begin_change_locked(queue, thread);
    sched_fair_set_weight(thread, weight);
    sched_end_change_locked(queue, thread, was_queued);
    sched_unlock(queue, flags);
    return OK;
}

bool
thread_inherit(struct thread *thread, int priority)
{
    struct run_queue *queue;
    uint64_t flags;
    bool was_queued, changed;

    queue = sched_lock_thread(thread, &flags);
    thread->inherited = priority;
    changed = thread_effective(thread) != thread->priority;
    if (changed) {
        was_queued = sched_begin_change_locked(queue, thread);
        WRITE_ONCE(thread->priority, thread_effective(thread));
        sched_end_change_locked(queue, thread, was_queued);
    }
    sched_unlock(queue, flags);
    return changed;
}

int
thread_priority(struct thread *thread)
{
    return READ_ONCE(thread->priority);
}

void
thread_request_work(struct thread *thread, unsigned int work)
{
    struct run_queue *queue;
    uint64_t flags;

    atomic_fetch_or(&thread->user_work, work);
    queue = sched_lock_thread(thread, &flags);
    if (sched_is_running_locked(queue, thread)) {
        sched_kick_locked(queue);
    }
    pass_recall_locked(queue, thread);
    sched_unlock(queue, flags);
}

void
thread_request_end(struct thread *thread)
{
    thread_request_work(thread, THREAD_WORK_END);
    thread_unpark(thread);
}

bool
thread_is_ending(void)
{
    unsigned int work;

    work =
        atomic_load_explicit(&thread_self()->user_work, memory_order_relaxed);
    return work & THREAD_WORK_END;
}

void
thread_suspend(struct thread *thread)
{
    struct run_queue *queue;
    uint64_t flags;

    queue = sched_lock_thread(thread, &flags);
    thread->suspended = true;
    if (sched_dequeue_locked(queue, thread)) {
        WRITE_ONCE(thread->state, THREAD_SUSPENDED);
    } else if (sched_is_running_locked(queue, thread)) {
        sched_kick_locked(queue);
    }
    pass_recall_locked(queue, thread);
    sched_unlock(queue, flags);
}

void
thread_resume(struct thread *thread)
{
    struct run_queue *queue;
    uint64_t flags;

    queue = sched_lock_thread(thread, &flags);
    thread->suspended = false;
    if (thread->state != THREAD_SUSPENDED) {
        sched_unlock(queue, flags);
        return;
    }

    WRITE_ONCE(thread->state, THREAD_READY);
    sched_enqueue_locked(queue, thread, flags);
}

status_t
thread_set_affinity(struct thread *thread, const unsigned long *mask)
{
    unsigned long *copy, *old;
    struct run_queue *queue;
    status_t status;
    uint64_t flags;

    status = thread_copy_mask(thread, mask, &copy);
    if (status != OK) {
        return status;
    }

    queue = sched_lock_thread(thread, &flags);
    old = thread->affinity;
    thread->affinity = copy;
    if (sched_dequeue_locked(queue, thread)) {
        sched_enqueue_locked(queue, thread, flags);
    } else {
        if (sched_is_running_locked(queue, thread)) {
            sched_kick_locked(queue);
        }
        pass_recall_locked(queue, thread);
        sched_unlock(queue, flags);
    }
    kfree(old);
    return OK;
}

uint64_t
thread_run_time(struct thread *thread)
{
    struct run_queue *queue;
    uint64_t flags, ticks;

    queue = sched_lock_thread(thread, &flags);
    ticks = sched_run_ticks_locked(queue, thread);
    sched_unlock(queue, flags);
    return clock_ticks_to_ns(ticks);
}

/* ------------------------------------------------------------- description */

static void
thread_info_fill(struct thread *thread, struct thread_info *info)
{
    struct run_queue *queue;
    uint64_t flags, ticks;

    queue = sched_lock_thread(thread, &flags);
    info->thread = thread;
    info->state = thread->state;
    info->policy = thread->policy;
    info->priority = thread->priority;
    info->base_priority = thread->base_priority;
    info->weight = thread->weight;
    info->cpu = atomic_load_explicit(&thread->cpu, memory_order_relaxed);
    info->pinned = thread->pinned;
    info->nr_switches = thread->nr_switches;
    ticks = sched_run_ticks_locked(queue, thread);
    sched_unlock(queue, flags);
    info->run_time = clock_ticks_to_ns(ticks);
    strlcpy(info->name, thread->name, sizeof(info->name));
}

bool
thread_info_get(size_t index, struct thread_info *info)
{
    struct thread *thread;
    uint64_t flags;
    bool found;

    found = false;
    flags = spinlock_lock_irqsave(&thread_list_lock);
    list_for_each_entry (&thread_list, thread, all_node) {
        if (index-- == 0) {
            thread_info_fill(thread, info);
            found = true;
            break;
        }
    }
    spinlock_unlock_irqrestore(&thread_list_lock, flags);
    return found;
}

uintptr_t
thread_frame(struct thread *thread)
{
    struct run_queue *queue;
    uintptr_t frame;
    uint64_t flags;

    frame = 0;
    queue = sched_lock_thread(thread, &flags);
    if (!sched_is_running_locked(queue, thread) &&
        thread->state != THREAD_DEAD) {
        frame = thread_context_frame(thread->sp);
    }
    sched_unlock(queue, flags);
    return frame;
}

/* ------------------------------------------------------------------ set-up */

static void
thread_idle_entry(void *arg __unused)
{
    sched_idle();
}

/* The boot CPU's idle thread; its first thread is main. */
static status_t
thread_create_idle(void)
{
    struct thread *idle;

    idle = thread_alloc();
    if (idle == NULL) {
        return ERR_NO_MEMORY;
    }

    thread_init(idle, "idle 0");
    thread_make_idle(idle, 0);
    idle->fn = thread_idle_entry;
    idle->sp = thread_context_init((uintptr_t)idle->stack + KERNEL_STACK_SIZE,
                                   thread_entry);
    thread_list_add(idle);
    return OK;
}

/*
 * What a CPU executes is some thread, for those who count in it, long before
 * it can be switched away from.
 */
static status_t
thread_first_setup(void)
{
    struct thread *first = percpu_this(thread_first);

    percpu_write(thread_current, first);
    return OK;
}

INIT_OP(thread_first_setup, INIT_EACH_CPU, AFTER(percpu_setup));

static status_t
thread_setup(void)
{
    struct thread *first;
    status_t status;
    char name[THREAD_NAME_SIZE];

    first = percpu_this(thread_first);
    if (cpu_id() == 0) {
        slab_cache_init(&thread_cache, "thread", sizeof(struct thread),
                        CACHE_LINE, SLAB_TYPE_STABLE);
        thread_init(first, "main");
        status = thread_create_idle();
        if (status != OK) {
            return status;
        }
    } else {
        fmt_snprintf(name, sizeof(name), "idle %u", cpu_id());
        thread_init(first, name);
        thread_make_idle(first, cpu_id());
    }

    thread_list_add(first);
    sched_adopt(first);
    preempt_enable();
    return OK;
}

INIT_OP(thread_setup, INIT_EACH_CPU, AFTER(sched_setup), AFTER(slab_setup),
        AFTER(apic_setup));

static status_t
thread_reaper_setup(void)
{
    thread_reaper = thread_create("reaper", thread_reap, NULL, NULL);
    return thread_reaper != NULL ? OK : ERR_NO_MEMORY;
}

INIT_OP(thread_reaper_setup, INIT_BOOT_CPU, AFTER(thread_setup));
