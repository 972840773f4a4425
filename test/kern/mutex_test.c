/* SPDX-License-Identifier: MIT */
#include <stdatomic.h>

#include <kern/all_cpus.h>
#include <kern/cpu.h>
#include <kern/mutex.h>
#include <kern/rtmutex.h>
#include <kern/thread.h>
#include <test/test.h>

struct locked_counter {
    struct mutex mutex;
    struct rtmutex rtmutex;
    uint64_t value; /* protected by the mutex of the test */
    uint64_t rounds;
};

static void
add_under_mutex(void *arg)
{
    struct locked_counter *counter = arg;
    uint64_t i;

    for (i = 0; i < counter->rounds; i++) {
        mutex_lock(&counter->mutex);
        counter->value++;
        if (i % 16 == 0) {
            thread_yield();
        }
        mutex_unlock(&counter->mutex);
    }
}

TEST(mutex, excludes_on_all_cpus)
{
    struct locked_counter counter = { .rounds = 500 * t->iterations };

    mutex_init(&counter.mutex, LOCK_TEST_UNORDERED, "test");
    all_cpus_run(add_under_mutex, &counter);
    EXPECT_EQ(counter.value, counter.rounds * cpu_nr_online());
}

TEST(mutex, try_lock_fails_when_taken)
{
    struct mutex mutex;

    mutex_init(&mutex, LOCK_TEST_UNORDERED, "test");
    EXPECT(mutex_try_lock(&mutex));
    EXPECT(!mutex_try_lock(&mutex));
    EXPECT(mutex_is_owned(&mutex));
    mutex_unlock(&mutex);
    EXPECT(mutex_try_lock(&mutex));
    mutex_unlock(&mutex);
}

static void
lock_with_deadline(void *arg)
{
    struct locked_counter *counter = arg;

    if (mutex_lock_until(&counter->mutex, clock_now() + 2000000) ==
        ERR_TIMEOUT) {
        counter->value = 1;
    }
}

TEST(mutex, deadline_ends_the_wait)
{
    struct locked_counter counter = { .value = 0 };
    struct thread *thread;

    mutex_init(&counter.mutex, LOCK_TEST_UNORDERED, "test");
    mutex_lock(&counter.mutex);
    thread = thread_create("test", lock_with_deadline, &counter, NULL);
    ASSERT(thread != NULL);
    thread_join(thread);
    EXPECT_EQ(counter.value, 1);
    mutex_unlock(&counter.mutex);
    EXPECT(mutex_try_lock(&counter.mutex));
    mutex_unlock(&counter.mutex);
}

static void
add_with_deadlines(void *arg)
{
    struct locked_counter *counter = arg;
    struct rand rand;
    uint64_t i;

    rand_init(&rand, (uintptr_t)thread_self());
    for (i = 0; i < counter->rounds; i++) {
        if (rtmutex_lock_until(&counter->rtmutex,
                               clock_now() + rand_below(&rand, 200000)) != OK) {
            rtmutex_lock(&counter->rtmutex);
        }
        counter->value++;
        if (rand_below(&rand, 8) == 0) {
            thread_yield();
        }
        rtmutex_unlock(&counter->rtmutex);
    }
}

TEST(rtmutex, excludes_with_timeouts_on_all_cpus)
{
    struct locked_counter counter = { .rounds = 300 * t->iterations };

    rtmutex_init(&counter.rtmutex, LOCK_TEST_UNORDERED, "test");
    all_cpus_run(add_with_deadlines, &counter);
    EXPECT_EQ(counter.value, counter.rounds * cpu_nr_online());
}

/* A chain: each thread owns mutex i and wants mutex i + 1. */
#define CHAIN_LENGTH 8

struct chain {
    struct rtmutex mutexes[CHAIN_LENGTH + 1];
    atomic_uint nr_ready;
    atomic_bool stop;
};

struct chain_link {
    struct chain *chain;
    unsigned index;
};

static void
chain_link_run(void *arg)
{
    struct chain_link *link = arg;
    struct chain *chain = link->chain;

    rtmutex_lock(&chain->mutexes[link->index]);
    atomic_fetch_add(&chain->nr_ready, 1);
    if (link->index == 0) {
        while (!atomic_load(&chain->stop)) {
            test_pause();
        }
    } else {
        rtmutex_lock(&chain->mutexes[link->index - 1]);
        rtmutex_unlock(&chain->mutexes[link->index - 1]);
    }
    rtmutex_unlock(&chain->mutexes[link->index]);
}

static void
chain_start(struct chain *chain, struct chain_link *links,
            struct thread **threads, unsigned i)
{
    struct thread_attr attr = { .policy = THREAD_FIFO };

    links[i].chain = chain;
    links[i].index = i;
    attr.priority = 10 + (int)i;
    threads[i] = thread_create("link", chain_link_run, &links[i], &attr);
    while (atomic_load(&chain->nr_ready) != i + 1 ||
           (i > 0 && turnstile_owner_of(threads[i]) == NULL)) {
        test_pause();
    }
}

/* The thread that began to wait may still be telling the chain. */
static bool
priority_becomes(struct thread *thread, int priority)
{
    unsigned n;

    for (n = 0; n < 10000; n++) {
        if (thread_priority(thread) == priority) {
            return true;
        }
        test_pause();
    }
    return false;
}

TEST(rtmutex, priority_goes_through_a_chain_of_eight)
{
    struct chain_link links[CHAIN_LENGTH];
    struct thread *threads[CHAIN_LENGTH];
    struct chain chain = { .stop = false };
    unsigned i;

    for (i = 0; i <= CHAIN_LENGTH; i++) {
        rtmutex_init(&chain.mutexes[i], LOCK_TEST_UNORDERED, "test");
    }
    for (i = 0; i < CHAIN_LENGTH; i++) {
        chain_start(&chain, links, threads, i);
    }
    EXPECT(priority_becomes(threads[0], 10 + CHAIN_LENGTH - 1));

    EXPECT_EQ(thread_set_policy(threads[CHAIN_LENGTH - 1], THREAD_FIFO, 100),
              OK);
    for (i = 0; i < CHAIN_LENGTH; i++) {
        EXPECT(priority_becomes(threads[i], 100));
    }

    EXPECT_EQ(thread_set_policy(threads[CHAIN_LENGTH - 1], THREAD_FIFO, 12),
              OK);
    EXPECT(priority_becomes(threads[0], 10 + CHAIN_LENGTH - 2));
    atomic_store(&chain.stop, true);
    for (i = 0; i < CHAIN_LENGTH; i++) {
        thread_join(threads[i]);
    }
}

/* Of the first wait; each try waits twice as long as the one before. */
#define TIMEOUT_NS    UINT64_C(20000000)
#define TIMEOUT_TRIES 10

struct timeout_wait {
    struct rtmutex *mutex;
    uint64_t ns;
    atomic_bool is_out;
};

static void
wait_for_mutex(void *arg)
{
    struct timeout_wait *wait = arg;

    if (rtmutex_lock_until(wait->mutex, clock_now() + wait->ns) != OK) {
        atomic_store(&wait->is_out, true);
    }
}

/*
 * Have a thread wait for a mutex of the caller until it gives up.
 *
 * Returns: whether the caller was seen to inherit, which on a busy host it
 *          may not
 */
static bool
let_thread_wait(struct test *t, struct timeout_wait *wait)
{
    struct thread_attr attr = { .policy = THREAD_FIFO, .priority = 50 };
    struct thread *thread;
    bool inherited;

    atomic_store(&wait->is_out, false);
    thread = thread_create("test", wait_for_mutex, wait, &attr);
    if (thread == NULL) {
        test_fail(t, __FILE__, __LINE__, "no thread");
        return true;
    }
    inherited = false;
    while (!inherited && !atomic_load(&wait->is_out)) {
        inherited = thread_priority(thread_self()) == 50;
        thread_yield();
        cpu_pause();
    }
    thread_join(thread);
    EXPECT(atomic_load(&wait->is_out));
    return inherited;
}

TEST(rtmutex, inherited_priority_ends_with_the_wait)
{
    struct timeout_wait wait;
    struct rtmutex mutex;
    unsigned tries;

    wait.mutex = &mutex;
    rtmutex_init(&mutex, LOCK_TEST_UNORDERED, "test");
    rtmutex_lock(&mutex);
    for (tries = 0; tries < TIMEOUT_TRIES; tries++) {
        wait.ns = TIMEOUT_NS << tries;
        if (let_thread_wait(t, &wait)) {
            break;
        }
    }
    EXPECT(tries < TIMEOUT_TRIES);
    EXPECT_EQ(thread_priority(thread_self()), THREAD_PRIORITY_FAIR);
    rtmutex_unlock(&mutex);
}

/*
 * Threads that wait at turnstiles of @owner, and tell it when they may.
 */
struct slow_waiter {
    struct turnstile turnstile;
    struct thread *owner;
    atomic_bool has_entered;
    atomic_bool may_tell;
    atomic_bool has_told;
    atomic_bool may_leave;
};

static void
wait_for_flag(atomic_bool *flag)
{
    while (!atomic_load(flag)) {
        test_pause();
    }
}

static void
enter_and_tell_later(void *arg)
{
    struct turnstile_waiter place;
    struct slow_waiter *waiter = arg;
    uint64_t flags;

    flags = turnstile_lock();
    turnstile_set_owner_locked(&waiter->turnstile, waiter->owner);
    turnstile_enter_locked(&waiter->turnstile, &place);
    turnstile_unlock(flags);
    atomic_store(&waiter->has_entered, true);

    wait_for_flag(&waiter->may_tell);
    turnstile_propagate(thread_self());
    atomic_store(&waiter->has_told, true);

    wait_for_flag(&waiter->may_leave);
    flags = turnstile_lock();
    turnstile_leave_locked(&place);
    turnstile_set_owner_locked(&waiter->turnstile, NULL);
    turnstile_unlock(flags);
    turnstile_propagate(waiter->owner);
}

static struct thread *
start_slow_waiter(struct slow_waiter *waiter, struct thread *owner,
                  int priority)
{
    struct thread_attr attr = { .policy = THREAD_FIFO, .priority = priority };

    *waiter = (struct slow_waiter){ .owner = owner };
    turnstile_init(&waiter->turnstile);
    return thread_create("test", enter_and_tell_later, waiter, &attr);
}

static void
lock_and_unlock(void *arg)
{
    rtmutex_lock(arg);
    rtmutex_unlock(arg);
}

/*
 * An urgent thread waits for one that waits itself, and before it has told
 * it, another comes to wait at a second turnstile of that thread.
 */
TEST(turnstile, newcomer_swallows_no_change)
{
    struct thread_attr attr = { .policy = THREAD_FIFO, .priority = 10 };
    struct slow_waiter urgent, newcomer;
    struct thread *middle, *first, *second;
    struct rtmutex mutex;

    rtmutex_init(&mutex, LOCK_TEST_UNORDERED, "test");
    rtmutex_lock(&mutex);
    middle = thread_create("test", lock_and_unlock, &mutex, &attr);
    ASSERT(middle != NULL);
    while (turnstile_owner_of(middle) == NULL) {
        test_pause();
    }

    first = start_slow_waiter(&urgent, middle, 50);
    ASSERT(first != NULL);
    wait_for_flag(&urgent.has_entered);
    second = start_slow_waiter(&newcomer, middle, 20);
    ASSERT(second != NULL);
    wait_for_flag(&newcomer.has_entered);
    atomic_store(&urgent.may_tell, true);
    wait_for_flag(&urgent.has_told);
    EXPECT_EQ(thread_priority(middle), 50);
    EXPECT_EQ(thread_priority(thread_self()), 50);

    atomic_store(&newcomer.may_tell, true);
    atomic_store(&newcomer.may_leave, true);
    atomic_store(&urgent.may_leave, true);
    thread_join(first);
    thread_join(second);
    EXPECT_EQ(thread_priority(thread_self()), 10);
    rtmutex_unlock(&mutex);
    thread_join(middle);
}
