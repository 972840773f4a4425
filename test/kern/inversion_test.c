/* SPDX-License-Identifier: MIT */
/*
 * Priority inversion: an urgent thread waits for a chain of unimportant ones,
 * while on each CPU a thread of middle priority would like to run.
 */
#include <stdatomic.h>

#include <arch/cpu.h>
#include <kern/cpu.h>
#include <kern/rtmutex.h>
#include <kern/thread.h>
#include <lib/string.h>
#include <test/test.h>

#define INVERSION_LOCKS   8
#define INVERSION_CPUS    4
#define INVERSION_SECTION UINT64_C(200000)   /* nanoseconds of run time */
#define INVERSION_HOP     UINT64_C(20000000) /* at most, from one to the next */
#define INVERSION_TRIES   10

/* A tormentor sleeps at most so long; others must come to run on 10 MHz. */
#define TORMENT_PAUSE_NS UINT64_C(400000)

struct inversion;

struct inversion_link {
    struct inversion *inversion;
    struct thread *thread;
    unsigned index;
    unsigned cpu;       /* index of its spinner */
    uint64_t duration;  /* of its section, nanoseconds */
    bool was_disturbed; /* the middle thread ran during it */
};

struct inversion {
    struct rtmutex mutexes[INVERSION_LOCKS];
    struct inversion_link links[INVERSION_LOCKS];
    struct thread *spinners[INVERSION_CPUS];
    uint32_t cpus[INVERSION_CPUS];
    _Atomic uint64_t rounds[INVERSION_CPUS];
    uint32_t nr_cpus;
    atomic_uint nr_locked;
    atomic_bool go;
    atomic_bool stop;
    uint64_t waited; /* by the urgent thread, nanoseconds */
};

struct inversion_spinner {
    struct inversion *inversion;
    unsigned cpu;
};

static void
inversion_spin(void *arg)
{
    struct inversion_spinner *spinner = arg;

    while (!atomic_load(&spinner->inversion->stop)) {
        atomic_fetch_add(&spinner->inversion->rounds[spinner->cpu], 1);
        cpu_pause();
    }
}

/* Compute for a while, looking whether the middle thread of this CPU runs. */
static void
inversion_section(struct inversion_link *link)
{
    _Atomic uint64_t *rounds = &link->inversion->rounds[link->cpu];
    uint64_t before, start, end;

    before = atomic_load(rounds);
    start = clock_now();
    end = thread_run_time(thread_self()) + INVERSION_SECTION;
    while (thread_run_time(thread_self()) < end) {
        cpu_pause();
    }
    link->duration = clock_now() - start;
    link->was_disturbed = atomic_load(rounds) != before;
}

static void
inversion_link_run(void *arg)
{
    struct inversion_link *link = arg;
    struct inversion *inversion = link->inversion;

    rtmutex_lock(&inversion->mutexes[link->index]);
    atomic_fetch_add(&inversion->nr_locked, 1);
    while (link->index == 0 && !atomic_load(&inversion->go)) {
        thread_park(CLOCK_NEVER);
    }
    if (link->index != 0) {
        rtmutex_lock(&inversion->mutexes[link->index - 1]);
    }
    inversion_section(link);
    if (link->index != 0) {
        rtmutex_unlock(&inversion->mutexes[link->index - 1]);
    }
    rtmutex_unlock(&inversion->mutexes[link->index]);
}

static void
inversion_wait(void *arg)
{
    struct inversion *inversion = arg;
    uint64_t start;

    start = clock_now();
    rtmutex_lock(&inversion->mutexes[INVERSION_LOCKS - 1]);
    inversion->waited = clock_now() - start;
    rtmutex_unlock(&inversion->mutexes[INVERSION_LOCKS - 1]);
}

static void
inversion_choose_cpus(struct inversion *inversion)
{
    uint32_t cpu;

    inversion->nr_cpus = 0;
    cpu_for_each (cpu) {
        if (inversion->nr_cpus < INVERSION_CPUS) {
            inversion->cpus[inversion->nr_cpus++] = cpu;
        }
    }
}

/* Each link owns its mutex and waits for that of the one before. */
static bool
inversion_start_links(struct inversion *inversion)
{
    struct thread_attr attr = { .policy = THREAD_FIFO, .pinned = true };
    struct inversion_link *link;
    unsigned i;

    for (i = 0; i < INVERSION_LOCKS; i++) {
        rtmutex_init(&inversion->mutexes[i], LOCK_TEST_UNORDERED, "test");
        link = &inversion->links[i];
        link->inversion = inversion;
        link->index = i;
        link->cpu = i % inversion->nr_cpus;
        attr.cpu = inversion->cpus[link->cpu];
        attr.priority = 10 + (int)i;
        link->thread = thread_create("link", inversion_link_run, link, &attr);
        if (link->thread == NULL) {
            return false;
        }
        while (atomic_load(&inversion->nr_locked) != i + 1 ||
               (i > 0 && turnstile_owner_of(link->thread) == NULL)) {
            test_pause();
        }
    }
    return true;
}

static bool
inversion_start_spinners(struct inversion *inversion,
                         struct inversion_spinner *args)
{
    struct thread_attr attr = { .policy = THREAD_FIFO,
                                .priority = 50,
                                .pinned = true };
    unsigned i;

    for (i = 0; i < inversion->nr_cpus; i++) {
        args[i].inversion = inversion;
        args[i].cpu = i;
        attr.cpu = inversion->cpus[i];
        inversion->spinners[i] =
            thread_create("middle", inversion_spin, &args[i], &attr);
        if (inversion->spinners[i] == NULL) {
            return false;
        }
        while (atomic_load(&inversion->rounds[i]) == 0) {
            test_pause();
        }
    }
    return true;
}

static void
inversion_end(struct inversion *inversion)
{
    unsigned i;

    atomic_store(&inversion->stop, true);
    for (i = 0; i < inversion->nr_cpus; i++) {
        thread_join(inversion->spinners[i]);
    }
    for (i = 0; i < INVERSION_LOCKS; i++) {
        thread_join(inversion->links[i].thread);
    }
}

static void
inversion_run(struct test *t, struct inversion *inversion)
{
    struct thread_attr attr = { .policy = THREAD_FIFO, .priority = 100 };
    struct inversion_spinner args[INVERSION_CPUS];
    struct thread *urgent;

    memset(inversion, 0, sizeof(*inversion));
    inversion_choose_cpus(inversion);
    ASSERT(inversion_start_links(inversion));
    ASSERT(inversion_start_spinners(inversion, args));
    /* Ready, but less urgent than the middle thread of its CPU. */
    atomic_store(&inversion->go, true);
    thread_unpark(inversion->links[0].thread);
    attr.pinned = true;
    attr.cpu = inversion->cpus[inversion->nr_cpus - 1];
    urgent = thread_create("urgent", inversion_wait, inversion, &attr);
    ASSERT(urgent != NULL);
    thread_join(urgent);
    inversion_end(inversion);
}

/* Time that all sections took. */
static uint64_t
inversion_sections(const struct inversion *inversion)
{
    uint64_t sum;
    unsigned i;

    sum = 0;
    for (i = 0; i < INVERSION_LOCKS; i++) {
        sum += inversion->links[i].duration;
    }
    return sum;
}

/*
 * No section is interrupted by a middle thread, ever; and the urgent thread
 * waits for the sections and for what it takes to go from one to the next.
 * That is a microsecond or so; but CPUs of an emulator stand still while their
 * host has other things to do.  Nobody knows how long, so it may take longer
 * with each try: who waits for a middle thread waits for ever.
 */
TEST(rtmutex, urgent_thread_waits_for_the_sections_only)
{
    static struct inversion inversion;
    uint64_t limit;
    unsigned n, i;

    EXPECT_EQ(thread_set_policy(thread_self(), THREAD_FIFO, 150), OK);
    n = 0;
    do {
        inversion_run(t, &inversion);
        limit = inversion_sections(&inversion) +
                INVERSION_LOCKS * (INVERSION_HOP << n);
        for (i = 0; i < INVERSION_LOCKS; i++) {
            EXPECT(!inversion.links[i].was_disturbed);
        }
        n++;
    } while (inversion.waited > limit && n < INVERSION_TRIES);
    EXPECT_EQ(thread_set_policy(thread_self(), THREAD_FAIR, 0), OK);
    EXPECT(inversion.waited <= limit);
}

struct deadlock {
    struct rtmutex mutexes[3];
    struct thread *_Atomic threads[3];
    atomic_uint nr_locked;
    atomic_uint nr_timeouts;
    atomic_bool stop;
};

struct deadlock_side {
    struct deadlock *deadlock;
    unsigned index;
};

static void
deadlock_side_run(void *arg)
{
    struct deadlock_side *side = arg;
    struct deadlock *deadlock = side->deadlock;
    struct rtmutex *other = &deadlock->mutexes[(side->index + 1) % 3];

    rtmutex_lock(&deadlock->mutexes[side->index]);
    atomic_fetch_add(&deadlock->nr_locked, 1);
    while (atomic_load(&deadlock->nr_locked) != 3) {
        test_pause();
    }
    if (rtmutex_lock_until(other, clock_now() + 5000000) == OK) {
        rtmutex_unlock(other);
    } else {
        atomic_fetch_add(&deadlock->nr_timeouts, 1);
    }
    rtmutex_unlock(&deadlock->mutexes[side->index]);
}

static void
deadlock_torment(void *arg)
{
    struct deadlock *deadlock = arg;
    struct thread *thread;
    struct rand rand;
    status_t status;

    rand_init(&rand, (uintptr_t)thread_self());
    while (!atomic_load(&deadlock->stop)) {
        thread = atomic_load(&deadlock->threads[rand_below(&rand, 3)]);
        status = thread_set_policy(thread, THREAD_FIFO,
                                   1 + (int)rand_below(&rand, 100));
        (void)status;
        thread_sleep(rand_below(&rand, TORMENT_PAUSE_NS));
    }
}

/* Changes run round the cycle, raising and lowering; none does so for ever. */
TEST(rtmutex, priorities_change_in_a_cycle_of_waits)
{
    struct thread_attr attr = { .policy = THREAD_FIFO, .priority = 120 };
    struct deadlock deadlock = { .stop = false };
    struct thread *tormentors[2];
    struct deadlock_side sides[3];
    unsigned i;

    for (i = 0; i < 3; i++) {
        rtmutex_init(&deadlock.mutexes[i], LOCK_TEST_UNORDERED, "test");
    }
    for (i = 0; i < 3; i++) {
        sides[i].deadlock = &deadlock;
        sides[i].index = i;
        atomic_store(&deadlock.threads[i],
                     thread_create("side", deadlock_side_run, &sides[i], NULL));
        ASSERT(atomic_load(&deadlock.threads[i]) != NULL);
    }
    for (i = 0; i < 2; i++) {
        tormentors[i] =
            thread_create("tormentor", deadlock_torment, &deadlock, &attr);
        ASSERT(tormentors[i] != NULL);
    }
    while (atomic_load(&deadlock.nr_timeouts) == 0) {
        test_pause();
    }
    atomic_store(&deadlock.stop, true);
    for (i = 0; i < 2; i++) {
        thread_join(tormentors[i]);
    }
    for (i = 0; i < 3; i++) {
        thread_join(atomic_load(&deadlock.threads[i]));
    }
}
