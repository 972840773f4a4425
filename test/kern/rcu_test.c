/* SPDX-License-Identifier: MIT */
#include <stdatomic.h>

#include <arch/cpu.h>
#include <arch/latency.h>
#include <kern/all_cpus.h>
#include <kern/clock.h>
#include <kern/cpu.h>
#include <kern/kmalloc.h>
#include <kern/log.h>
#include <kern/mutex.h>
#include <kern/preempt.h>
#include <kern/rcu.h>
#include <kern/slab.h>
#include <kern/thread.h>
#include <kern/xcall.h>
#include <lib/string.h>
#include <test/stay.h>
#include <test/test.h>

/* What an object holds while it may be read, and after that. */
#define RCU_TEST_ALIVE  UINT64_C(0x600d0b1ec7600d0b)
#define RCU_TEST_POISON UINT64_C(0xdeadbeefdeadbeef)

#define RCU_TEST_NS_OF_MS 1000000

/* Longest wait for another CPU. */
#define RCU_TEST_WAIT_NS UINT64_C(20000000000)

struct rcu_test_object {
    uint64_t value;
    uint64_t check; /* also: the two are written together */
    struct rcu_head head;
};

/* --------------------------------------------------------- sections, facts */

TEST(rcu, sections_nest)
{
    EXPECT(!rcu_read_is_held());
    rcu_read_lock();
    rcu_read_lock();
    rcu_read_unlock();
    EXPECT(rcu_read_is_held());
    rcu_read_unlock();
    EXPECT(!rcu_read_is_held());
}

TEST(rcu, synchronize_ends_without_readers)
{
    struct rcu_stats before, after;

    rcu_stats_get(&before);
    rcu_synchronize();
    rcu_stats_get(&after);
    EXPECT(after.nr_grace_periods > before.nr_grace_periods);
}

TEST(rcu, expedited_ends_without_readers)
{
    struct rcu_stats before, after;

    rcu_stats_get(&before);
    rcu_synchronize_expedited();
    rcu_stats_get(&after);
    EXPECT(after.nr_grace_periods > before.nr_grace_periods);
}

TEST(rcu, poll_is_done_after_a_grace_period)
{
    uint64_t cookie;

    cookie = rcu_poll_start();
    rcu_synchronize();
    EXPECT(rcu_poll_done(cookie));
}

TEST(rcu, poll_starts_a_grace_period)
{
    uint64_t cookie;

    cookie = rcu_poll_start();
    while (!rcu_poll_done(cookie)) {
        test_pause();
    }
}

TEST(rcu, poll_is_not_done_while_inside)
{
    uint64_t cookie;

    rcu_read_lock();
    cookie = rcu_poll_start();
    thread_sleep(5 * RCU_TEST_NS_OF_MS);
    EXPECT(!rcu_poll_done(cookie));
    rcu_read_unlock();
    rcu_synchronize();
    EXPECT(rcu_poll_done(cookie));
}

/* ----------------------------------------------- readers that are awaited */

enum rcu_test_reader_kind {
    RCU_TEST_SPINS,
    RCU_TEST_SLEEPS,
    RCU_TEST_YIELDS,
    RCU_TEST_NESTS,
    RCU_TEST_PREEMPT_OFF,
    RCU_TEST_NR_KINDS,
};

struct rcu_test_reader {
    enum rcu_test_reader_kind kind;
    atomic_bool is_inside;
    atomic_bool may_leave;
    atomic_bool has_left;
};

static void
rcu_test_reader_stay(struct rcu_test_reader *reader)
{
    while (!atomic_load(&reader->may_leave)) {
        switch (reader->kind) {
        case RCU_TEST_SLEEPS:
            test_pause();
            break;
        case RCU_TEST_YIELDS:
            thread_yield();
            break;
        case RCU_TEST_NESTS:
            rcu_read_lock();
            thread_yield();
            rcu_read_unlock();
            break;
        default:
            break;
        }
        cpu_pause();
    }
}

static void
rcu_test_read(void *arg)
{
    struct rcu_test_reader *reader = arg;

    rcu_read_lock();
    if (reader->kind == RCU_TEST_PREEMPT_OFF) {
        preempt_disable();
    }
    atomic_store(&reader->is_inside, true);
    rcu_test_reader_stay(reader);
    atomic_store(&reader->has_left, true);
    if (reader->kind == RCU_TEST_PREEMPT_OFF) {
        latency_excuse("a reader that is not preempted");
        preempt_enable();
    }
    rcu_read_unlock();
}

/*
 * Start a reader and wait until it is in.  Who waits for one with preemption
 * off must not come to its CPU: there it would wait for ever.
 */
static struct thread *
rcu_test_start_reader(struct test *t, struct rcu_test_reader *reader)
{
    struct thread_attr attr = { .policy = THREAD_FAIR };
    struct thread *thread;

    if (reader->kind == RCU_TEST_PREEMPT_OFF) {
        attr.pinned = true;
        attr.cpu = test_stay(t) == 0;
    }
    thread = thread_create("reader", rcu_test_read, reader, &attr);
    while (thread != NULL && !atomic_load(&reader->is_inside)) {
        test_pause();
    }
    return thread;
}

struct rcu_test_updater {
    struct rcu_test_reader *reader;
    bool is_expedited;
    bool saw_end;
    atomic_bool is_done;
};

static void
rcu_test_update(void *arg)
{
    struct rcu_test_updater *updater = arg;

    if (updater->is_expedited) {
        rcu_synchronize_expedited();
    } else {
        rcu_synchronize();
    }
    updater->saw_end = atomic_load(&updater->reader->has_left);
    atomic_store(&updater->is_done, true);
}

/* A grace period waits for one reader, and ends when it ends. */
static void
rcu_test_await(struct test *t, enum rcu_test_reader_kind kind,
               bool is_expedited)
{
    struct rcu_test_reader reader = { .kind = kind };
    struct rcu_test_updater updater = { .reader = &reader,
                                        .is_expedited = is_expedited };
    struct thread *reading, *updating;

    reading = rcu_test_start_reader(t, &reader);
    ASSERT(reading != NULL);
    updating = thread_create("updater", rcu_test_update, &updater, NULL);
    if (updating != NULL) {
        thread_sleep(3 * RCU_TEST_NS_OF_MS);
        EXPECT(!atomic_load(&updater.is_done));
    }
    atomic_store(&reader.may_leave, true);
    thread_join(reading);
    ASSERT(updating != NULL);
    thread_join(updating);
    EXPECT(updater.saw_end);
}

TEST(rcu, synchronize_waits_for_a_spinning_reader)
{
    rcu_test_await(t, RCU_TEST_SPINS, false);
}

TEST(rcu, synchronize_waits_for_a_sleeping_reader)
{
    rcu_test_await(t, RCU_TEST_SLEEPS, false);
}

TEST(rcu, synchronize_waits_for_a_reader_that_yields)
{
    rcu_test_await(t, RCU_TEST_YIELDS, false);
}

TEST(rcu, synchronize_waits_for_the_outermost_section)
{
    rcu_test_await(t, RCU_TEST_NESTS, false);
}

TEST(rcu, synchronize_waits_for_a_reader_with_preemption_off)
{
    if (cpu_nr_online() < 2) {
        SKIP("needs a second CPU");
    }
    rcu_test_await(t, RCU_TEST_PREEMPT_OFF, false);
}

TEST(rcu, expedited_waits_for_each_kind_of_reader)
{
    enum rcu_test_reader_kind kind;

    for (kind = 0; kind < RCU_TEST_PREEMPT_OFF; kind++) {
        rcu_test_await(t, kind, true);
    }
}

/* ------------------------------------------------------- CPUs left in peace */

/* Interrupts that grace periods have sent. */
static uint64_t
rcu_test_nr_interrupts(void)
{
    struct rcu_stats stats;

    rcu_stats_get(&stats);
    return stats.nr_inside + stats.nr_silent;
}

/* The least number of interrupts that a grace period takes, of many. */
static uint64_t
rcu_test_least_interrupts(void (*synchronize)(void))
{
    uint64_t before, least;
    unsigned i;

    least = UINT64_MAX;
    for (i = 0; i < 1000 && least != 0; i++) {
        before = rcu_test_nr_interrupts();
        synchronize();
        least = MIN(least, rcu_test_nr_interrupts() - before);
    }
    return least;
}

/*
 * One that is on its way to idle may be, so not in each round; but on a slow
 * machine, whose CPUs do 10 million instructions a second, in each.
 */
TEST(rcu, idle_cpus_are_not_interrupted)
{
    const uint32_t most = cpu_nr_online() / 3;

    thread_sleep(2 * RCU_TEST_NS_OF_MS);
    EXPECT(rcu_test_least_interrupts(rcu_synchronize) <= most);
    EXPECT(rcu_test_least_interrupts(rcu_synchronize_expedited) <= most);
}

TEST(rcu, reader_is_told_to_report)
{
    struct rcu_test_reader reader = { .kind = RCU_TEST_PREEMPT_OFF };
    struct thread *thread;
    uint64_t cookie;

    if (cpu_nr_online() < 2) {
        SKIP("needs a second CPU");
    }
    thread = rcu_test_start_reader(t, &reader);
    ASSERT(thread != NULL);
    cookie = rcu_poll_start();
    while ((READ_ONCE(thread->rcu_depth) & RCU_REPORT) == 0) {
        thread_sleep(RCU_TEST_NS_OF_MS);
    }
    EXPECT(!rcu_poll_done(cookie));
    atomic_store(&reader.may_leave, true);
    thread_join(thread);
    rcu_synchronize_expedited();
    EXPECT(rcu_poll_done(cookie));
}

static void
rcu_test_spin_then_sleep(void *arg)
{
    struct rcu_test_reader *reader = arg;

    rcu_read_lock();
    atomic_store(&reader->is_inside, true);
    while ((READ_ONCE(thread_self()->rcu_depth) & RCU_REPORT) == 0) {
        cpu_pause();
    }
    while (!atomic_load(&reader->may_leave)) {
        thread_sleep(RCU_TEST_NS_OF_MS);
    }
    rcu_read_unlock();
}

TEST(rcu, reader_that_sleeps_late_is_waited_for)
{
    struct rcu_test_reader reader = { .may_leave = false };
    struct thread *thread;
    uint64_t cookie;

    thread = thread_create("reader", rcu_test_spin_then_sleep, &reader, NULL);
    ASSERT(thread != NULL);
    while (!atomic_load(&reader.is_inside)) {
        test_pause();
    }
    cookie = rcu_poll_start();
    while (READ_ONCE(thread->rcu_blocked) == 0) {
        test_pause();
    }
    thread_sleep(4 * RCU_TEST_NS_OF_MS);
    EXPECT(!rcu_poll_done(cookie));
    atomic_store(&reader.may_leave, true);
    thread_join(thread);
    rcu_synchronize();
    EXPECT(rcu_poll_done(cookie));
}

static void
rcu_test_spin(void *arg)
{
    while (!atomic_load((atomic_bool *)arg)) {
        cpu_pause();
    }
}

TEST(rcu, cpus_that_never_switch_are_made_to_report)
{
    struct thread_attr attr = { .pinned = true };
    atomic_bool stop = false;
    struct thread *thread;

    attr.cpu = cpu_nr_possible - 1;
    if (cpu_nr_online() < 2 || !cpu_is_online(attr.cpu)) {
        SKIP("needs a second CPU");
    }
    thread = thread_create("spins", rcu_test_spin, &stop, &attr);
    ASSERT(thread != NULL);
    rcu_synchronize();
    rcu_synchronize_expedited();
    atomic_store(&stop, true);
    thread_join(thread);
}

TEST(rcu, user_mode_is_not_waited_for)
{
    uint64_t cookie, end;
    unsigned i;
    bool is_done;

    if (cpu_nr_online() < 2) {
        SKIP("the thread of RCU needs a CPU");
    }
    preempt_disable();
    latency_excuse("plays user mode");
    cookie = rcu_poll_start();
    cpu_irq_enable();
    for (i = 0; i < 10; i++) {
        clock_spin(100000);
    }
    cpu_irq_disable();
    latency_excuse("plays user mode");
    rcu_user_enter();
    end = clock_now() + RCU_TEST_WAIT_NS;
    while (!rcu_poll_done(cookie) && clock_now() < end) {
        cpu_pause();
    }
    is_done = rcu_poll_done(cookie);
    rcu_user_exit();
    cpu_irq_enable();
    preempt_enable();
    EXPECT(is_done);
    while (!rcu_poll_done(cookie)) {
        test_pause();
    }
}

/* ------------------------------------------------------------- callbacks */

struct rcu_test_call {
    struct rcu_head head;
    unsigned number;
    uint32_t cpu;
};

static atomic_uint rcu_test_nr_called;
static atomic_uint rcu_test_nr_wrong;

static void
rcu_test_called(struct rcu_head *head)
{
    struct rcu_test_call *call = container_of(head, struct rcu_test_call, head);

    if (atomic_fetch_add(&rcu_test_nr_called, 1) != call->number) {
        atomic_fetch_add(&rcu_test_nr_wrong, 1);
    }
}

TEST(rcu, callbacks_are_called_in_order)
{
    struct rcu_test_call *calls;
    unsigned i;

    calls = kmalloc(100 * sizeof(*calls));
    ASSERT(calls != NULL);
    test_cleanup(t, (test_cleanup_fn_t)kfree, calls);
    atomic_store(&rcu_test_nr_called, 0);
    atomic_store(&rcu_test_nr_wrong, 0);
    test_stay(t);
    for (i = 0; i < 100; i++) {
        calls[i].number = i;
        rcu_call(&calls[i].head, rcu_test_called);
    }
    rcu_barrier();
    EXPECT_EQ(atomic_load(&rcu_test_nr_called), 100);
    EXPECT_EQ(atomic_load(&rcu_test_nr_wrong), 0);
}

static void
rcu_test_note_cpu(struct rcu_head *head)
{
    struct rcu_test_call *call = container_of(head, struct rcu_test_call, head);

    if (call->cpu != cpu_id() || rcu_read_is_held() || !preempt_is_enabled() ||
        !cpu_irq_is_enabled()) {
        atomic_fetch_add(&rcu_test_nr_wrong, 1);
    }
    atomic_fetch_add(&rcu_test_nr_called, 1);
}

static void
rcu_test_call_here(void *arg)
{
    struct rcu_test_call *calls = arg;

    calls[cpu_id()].cpu = cpu_id();
    rcu_call(&calls[cpu_id()].head, rcu_test_note_cpu);
}

TEST(rcu, callbacks_run_in_a_thread_of_their_cpu)
{
    struct rcu_test_call *calls;

    calls = kzalloc(cpu_nr_possible * sizeof(*calls));
    ASSERT(calls != NULL);
    test_cleanup(t, (test_cleanup_fn_t)kfree, calls);
    atomic_store(&rcu_test_nr_called, 0);
    atomic_store(&rcu_test_nr_wrong, 0);
    all_cpus_run(rcu_test_call_here, calls);
    rcu_barrier();
    EXPECT_EQ(atomic_load(&rcu_test_nr_called), cpu_nr_online());
    EXPECT_EQ(atomic_load(&rcu_test_nr_wrong), 0);
}

TEST(rcu, callbacks_may_come_from_interrupts)
{
    struct rcu_test_call *calls;

    calls = kzalloc(cpu_nr_possible * sizeof(*calls));
    ASSERT(calls != NULL);
    test_cleanup(t, (test_cleanup_fn_t)kfree, calls);
    atomic_store(&rcu_test_nr_called, 0);
    atomic_store(&rcu_test_nr_wrong, 0);
    xcall_all(rcu_test_call_here, calls);
    rcu_barrier();
    EXPECT_EQ(atomic_load(&rcu_test_nr_called), cpu_nr_online());
    EXPECT_EQ(atomic_load(&rcu_test_nr_wrong), 0);
}

static void
rcu_test_call_again(struct rcu_head *head)
{
    if (atomic_fetch_add(&rcu_test_nr_called, 1) < 9) {
        rcu_call(head, rcu_test_call_again);
    }
}

TEST(rcu, callback_may_call_again)
{
    struct rcu_test_call call;

    atomic_store(&rcu_test_nr_called, 0);
    rcu_call(&call.head, rcu_test_call_again);
    while (atomic_load(&rcu_test_nr_called) < 10) {
        rcu_barrier();
    }
    rcu_barrier();
    EXPECT_EQ(atomic_load(&rcu_test_nr_called), 10);
}

TEST(rcu, callback_waits_for_the_reader)
{
    struct rcu_test_call call = { .number = 0 };

    atomic_store(&rcu_test_nr_called, 0);
    rcu_read_lock();
    rcu_call(&call.head, rcu_test_called);
    thread_sleep(4 * RCU_TEST_NS_OF_MS);
    EXPECT_EQ(atomic_load(&rcu_test_nr_called), 0);
    rcu_read_unlock();
    rcu_barrier();
    EXPECT_EQ(atomic_load(&rcu_test_nr_called), 1);
}

TEST(rcu, free_gives_objects_back)
{
    static struct slab_cache cache;
    struct rcu_test_object *object;
    unsigned i;

    slab_cache_init(&cache, "rcu test", sizeof(*object), 0, 0);
    for (i = 0; i < 50; i++) {
        object = slab_alloc(&cache);
        ASSERT(object != NULL);
        rcu_free(object, head);
    }
    rcu_barrier();
    EXPECT_EQ(slab_nr_used(&cache), 0);
    slab_cache_destroy(&cache);
}

TEST(rcu, barrier_without_callbacks_returns)
{
    rcu_barrier();
    rcu_barrier();
}

/* -------------------------------------------------- readers in interrupts */

static void
rcu_test_read_in_interrupt(void *arg)
{
    rcu_read_lock();
    atomic_fetch_add((atomic_uint *)arg, 1);
    rcu_read_unlock();
}

TEST(rcu, interrupts_may_read)
{
    atomic_uint count = 0;
    unsigned i;

    for (i = 0; i < 10; i++) {
        rcu_read_lock();
        xcall_all(rcu_test_read_in_interrupt, &count);
        rcu_read_unlock();
        rcu_synchronize_expedited();
        xcall_all(rcu_test_read_in_interrupt, &count);
    }
    EXPECT_EQ(atomic_load(&count), 20 * cpu_nr_online());
}

/* ----------------------------------------------------------------- stalls */

/* Whether the log has had a text since a record. */
static bool
rcu_test_log_has(uint64_t sequence, const char *text)
{
    struct log_record record;

    while (log_read(sequence, &record)) {
        if (strstr(record.text, text) != NULL) {
            return true;
        }
        sequence = record.sequence + 1;
    }
    return false;
}

/* Reports that a stall may need until one has met the reader. */
#define RCU_TEST_STALLS 20

/*
 * Whether stalls are reported with the name and the place of a reader.
 *
 * @sequence  of the log before
 */
static bool
rcu_test_is_reported(uint64_t sequence, uint64_t cookie)
{
    struct rcu_stats before, after;

    rcu_stats_get(&before);
    do {
        thread_sleep(RCU_TEST_NS_OF_MS);
        if (rcu_test_log_has(sequence, "thread \"reader\"") &&
            rcu_test_log_has(sequence, "rcu_test_read+")) {
            return true;
        }
        rcu_stats_get(&after);
    } while (after.nr_stalls < before.nr_stalls + RCU_TEST_STALLS &&
             !rcu_poll_done(cookie));
    return false;
}

static void
rcu_test_stall(struct test *t, enum rcu_test_reader_kind kind)
{
    struct rcu_test_reader reader = { .kind = kind };
    struct thread *thread;
    uint64_t sequence, cookie;
    unsigned level;

    level = log_level();
    log_set_level(LOG_LEVEL_ERROR);
    sequence = log_next_sequence();
    rcu_set_stall_time(10 * RCU_TEST_NS_OF_MS);
    rcu_synchronize();
    thread = rcu_test_start_reader(t, &reader);
    if (thread != NULL) {
        cookie = rcu_poll_start();
        EXPECT(rcu_test_is_reported(sequence, cookie));
        EXPECT(!rcu_poll_done(cookie));
        atomic_store(&reader.may_leave, true);
        thread_join(thread);
    }
    rcu_set_stall_time(0);
    rcu_synchronize();
    log_set_level(level);
}

TEST(rcu, stall_names_the_sleeping_reader)
{
    rcu_test_stall(t, RCU_TEST_SLEEPS);
}

TEST(rcu, stall_names_the_cpu_of_the_reader)
{
    if (cpu_nr_online() < 2) {
        SKIP("needs a second CPU");
    }
    rcu_test_stall(t, RCU_TEST_PREEMPT_OFF);
}
