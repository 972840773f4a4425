/* SPDX-License-Identifier: MIT */
#include <stdatomic.h>

#include <kern/cpu.h>
#include <kern/kmalloc.h>
#include <kern/thread.h>
#include <lib/bitmap.h>
#include <test/test.h>

#define THREAD_TEST_MAX 64

static void
set_flag(void *arg)
{
    atomic_store((atomic_bool *)arg, true);
}

TEST(thread, create_runs_and_join_waits)
{
    atomic_bool ran = false;
    struct thread *thread;

    thread = thread_create("test", set_flag, &ran, NULL);
    ASSERT(thread != NULL);
    thread_join(thread);
    EXPECT(atomic_load(&ran));
}

TEST(thread, attributes_that_make_no_sense_are_refused)
{
    const struct thread_attr bad[] = {
        { .policy = THREAD_FIFO, .priority = 0 },
        { .policy = THREAD_RR, .priority = 255 },
        { .policy = THREAD_IDLE },
        { .pinned = true, .cpu = cpu_nr_possible },
        { .weight = THREAD_WEIGHT_MAX + 1 },
    };
    unsigned i;

    for (i = 0; i < ARRAY_SIZE(bad); i++) {
        EXPECT(thread_create("test", set_flag, NULL, &bad[i]) == NULL);
    }
}

TEST(thread, name_is_cut)
{
    struct thread *thread;
    atomic_bool ran;

    thread = thread_create("a name that is longer than a name may be at all",
                           set_flag, &ran, NULL);
    ASSERT(thread != NULL);
    EXPECT_STREQ(thread->name, "a name that is longer than a na");
    thread_join(thread);
}

static void
park_once(void *arg)
{
    atomic_uint *step = arg;

    atomic_store(step, 1);
    while (atomic_load(step) != 2) {
        thread_park(CLOCK_NEVER);
    }
    atomic_store(step, 3);
}

TEST(thread, unpark_ends_park)
{
    struct thread *thread;
    atomic_uint step = 0;

    thread = thread_create("test", park_once, &step, NULL);
    ASSERT(thread != NULL);
    while (atomic_load(&step) != 1) {
        test_pause();
    }
    atomic_store(&step, 2);
    thread_unpark(thread);
    thread_join(thread);
    EXPECT_EQ(atomic_load(&step), 3);
}

TEST(thread, permit_given_before_is_not_lost)
{
    thread_unpark(thread_self());
    thread_park(CLOCK_NEVER);
}

TEST(thread, park_ends_at_the_deadline)
{
    uint64_t deadline;

    deadline = clock_now() + 2000000;
    while (clock_now() < deadline) {
        thread_park(deadline);
    }
    EXPECT(clock_now() >= deadline);
}

TEST(thread, sleep_takes_its_time)
{
    uint64_t start;

    start = clock_now();
    thread_sleep(3000000);
    EXPECT(clock_now() - start >= 3000000);
}

static void
note_cpu(void *arg)
{
    unsigned i;

    for (i = 0; i < 100; i++) {
        if (cpu_id() != *(uint32_t *)arg) {
            *(uint32_t *)arg = UINT32_MAX;
        }
        thread_yield();
    }
}

TEST(thread, pinned_thread_stays)
{
    struct thread_attr attr = { .pinned = true };
    struct thread *thread;
    uint32_t seen, cpu;

    cpu_for_each (cpu) {
        attr.cpu = cpu;
        seen = cpu;
        thread = thread_create("test", note_cpu, &seen, &attr);
        ASSERT(thread != NULL);
        thread_join(thread);
        EXPECT_EQ(seen, cpu);
    }
}

static void
record_order(void *arg)
{
    static atomic_uint next;
    unsigned *place = arg;

    *place = atomic_fetch_add(&next, 1);
}

TEST(thread, higher_priority_runs_first)
{
    struct thread_attr attr = { .policy = THREAD_FIFO, .pinned = true };
    struct thread *threads[4];
    unsigned order[4], i;

    attr.cpu = cpu_id();
    thread_set_affinity(thread_self(), NULL);
    EXPECT_EQ(thread_set_policy(thread_self(), THREAD_FIFO, 200), OK);
    attr.cpu = cpu_id();
    for (i = 0; i < 4; i++) {
        attr.priority = (int)i + 10;
        threads[i] = thread_create("test", record_order, &order[i], &attr);
    }
    EXPECT_EQ(thread_set_policy(thread_self(), THREAD_FAIR, 0), OK);
    for (i = 0; i < 4; i++) {
        thread_join(threads[i]);
    }
    EXPECT(order[3] < order[2]);
    EXPECT(order[2] < order[1]);
    EXPECT(order[1] < order[0]);
}

struct stop_work {
    atomic_bool stop;
    _Atomic uint64_t rounds;
};

static void
count_rounds(void *arg)
{
    struct stop_work *work = arg;

    while (!atomic_load(&work->stop)) {
        atomic_fetch_add(&work->rounds, 1);
        cpu_pause();
    }
}

/*
 * Time passes while an emulator's host does something else, and is charged to
 * whoever runs; so shares show only after some time.
 */
#define SHARE_ROUNDS   150
#define SHARE_ROUND_NS UINT64_C(20000000)
#define SHARE_LEAST_NS UINT64_C(10000000)

static bool
share_is_one_to_three(struct thread *const threads[2])
{
    uint64_t light, heavy;

    light = thread_run_time(threads[0]);
    heavy = thread_run_time(threads[1]);
    return light > SHARE_LEAST_NS && 2 * heavy > 5 * light &&
           2 * heavy < 7 * light;
}

TEST(thread, fair_class_follows_the_weights)
{
    struct thread_attr attr = { .pinned = true, .cpu = cpu_nr_possible - 1 };
    struct stop_work work = { false, 0 };
    struct thread *threads[2];
    unsigned round;

    if (!cpu_is_online(attr.cpu)) {
        SKIP("last CPU is not online");
    }
    attr.weight = 1024;
    threads[0] = thread_create("light", count_rounds, &work, &attr);
    attr.weight = 3072;
    threads[1] = thread_create("heavy", count_rounds, &work, &attr);
    ASSERT(threads[0] != NULL && threads[1] != NULL);
    for (round = 0; round < SHARE_ROUNDS; round++) {
        thread_sleep(SHARE_ROUND_NS);
        if (share_is_one_to_three(threads)) {
            break;
        }
    }
    EXPECT(round < SHARE_ROUNDS);
    atomic_store(&work.stop, true);
    thread_join(threads[0]);
    thread_join(threads[1]);
}

TEST(thread, round_robin_shares_a_cpu)
{
    struct thread_attr attr = { .policy = THREAD_RR,
                                .priority = 5,
                                .pinned = true,
                                .cpu = cpu_nr_possible - 1 };
    struct stop_work work = { false, 0 };
    struct thread *threads[2];
    unsigned round, i;

    if (cpu_nr_online() < 2 || !cpu_is_online(attr.cpu)) {
        SKIP("needs a second CPU");
    }
    for (i = 0; i < 2; i++) {
        threads[i] = thread_create("rr", count_rounds, &work, &attr);
        ASSERT(threads[i] != NULL);
    }
    for (round = 0; round < SHARE_ROUNDS; round++) {
        thread_sleep(SHARE_ROUND_NS);
        if (thread_run_time(threads[0]) > SHARE_LEAST_NS &&
            thread_run_time(threads[1]) > SHARE_LEAST_NS) {
            break;
        }
    }
    EXPECT(round < SHARE_ROUNDS);
    atomic_store(&work.stop, true);
    thread_join(threads[0]);
    thread_join(threads[1]);
}

/*
 * A thread of the fair class that is preempted by one that never stops has to
 * find its way to another CPU.
 */
TEST(thread, preempted_thread_moves_to_an_idle_cpu)
{
    struct thread_attr attr = { .policy = THREAD_FIFO,
                                .priority = 5,
                                .pinned = true };
    struct stop_work work = { false, 0 };
    struct thread *thread;
    uint32_t cpu;

    if (cpu_nr_online() < 2) {
        SKIP("needs a second CPU");
    }
    for (cpu = 0; cpu < 8; cpu++) {
        atomic_store(&work.stop, false);
        attr.cpu = cpu_id();
        thread = thread_create("hog", count_rounds, &work, &attr);
        ASSERT(thread != NULL);
        test_pause();
        EXPECT(cpu_id() != attr.cpu);
        atomic_store(&work.stop, true);
        thread_join(thread);
    }
}

TEST(thread, suspended_thread_makes_no_progress)
{
    struct stop_work work = { false, 0 };
    struct thread *thread;
    uint64_t rounds;

    thread = thread_create("test", count_rounds, &work, NULL);
    ASSERT(thread != NULL);
    while (atomic_load(&work.rounds) == 0) {
        test_pause();
    }
    thread_suspend(thread);
    while (READ_ONCE(thread->state) != THREAD_SUSPENDED) {
        test_pause();
    }
    rounds = atomic_load(&work.rounds);
    thread_sleep(5000000);
    EXPECT_EQ(atomic_load(&work.rounds), rounds);
    thread_resume(thread);
    while (atomic_load(&work.rounds) == rounds) {
        test_pause();
    }
    atomic_store(&work.stop, true);
    thread_join(thread);
}

TEST(thread, affinity_moves_a_running_thread)
{
    unsigned long *mask;
    struct stop_work work = { false, 0 };
    struct thread *thread;
    uint64_t rounds;
    uint32_t cpu;

    mask = kzalloc(BITMAP_LONGS(cpu_nr_possible) * sizeof(*mask));
    ASSERT(mask != NULL);
    test_cleanup(t, (test_cleanup_fn_t)kfree, mask);
    EXPECT_EQ(thread_set_affinity(thread_self(), mask), ERR_INVALID);
    thread = thread_create("test", count_rounds, &work, NULL);
    ASSERT(thread != NULL);
    cpu_for_each (cpu) {
        bitmap_zero(mask, cpu_nr_possible);
        bitmap_set(mask, cpu);
        EXPECT_EQ(thread_set_affinity(thread, mask), OK);
        while (atomic_load(&thread->cpu) != cpu) {
            test_pause();
        }
        rounds = atomic_load(&work.rounds);
        while (atomic_load(&work.rounds) == rounds) {
            test_pause();
        }
        EXPECT_EQ(atomic_load(&thread->cpu), cpu);
    }
    atomic_store(&work.stop, true);
    thread_join(thread);
}

struct pair {
    struct thread *_Atomic peers[2];
    atomic_uint turn;
    unsigned rounds;
};

static void
play(struct pair *pair, unsigned own)
{
    struct thread *peer;
    unsigned i;

    while (atomic_load(&pair->peers[!own]) == NULL) {
        test_pause();
    }
    peer = atomic_load(&pair->peers[!own]);
    for (i = 0; i < pair->rounds; i++) {
        while (atomic_load(&pair->turn) % 2 != own) {
            thread_park(CLOCK_NEVER);
        }
        atomic_fetch_add(&pair->turn, 1);
        thread_unpark(peer);
    }
}

static void
play_second(void *arg)
{
    play(arg, 1);
}

TEST(thread, two_play_ping_pong)
{
    struct pair pair = { .rounds = (unsigned)(100 * t->iterations) };
    struct thread *thread;

    thread = thread_create("test", play_second, &pair, NULL);
    ASSERT(thread != NULL);
    atomic_store(&pair.peers[0], thread_self());
    atomic_store(&pair.peers[1], thread);
    play(&pair, 0);
    thread_join(thread);
    EXPECT_EQ(atomic_load(&pair.turn), 2 * pair.rounds);
}

static void
serve(void *arg)
{
    struct pair *pair = arg;
    unsigned i;

    for (i = 0; i < pair->rounds; i++) {
        atomic_fetch_add(&pair->turn, 1);
        thread_hand_off(atomic_load(&pair->peers[0]));
    }
}

TEST(thread, hand_off_runs_the_other_at_once)
{
    struct thread_attr attr = { .pinned = true };
    struct pair pair = { .rounds = 100 };
    struct thread *thread;
    unsigned seen;

    attr.cpu = cpu_id();
    atomic_store(&pair.peers[0], thread_self());
    thread = thread_create("test", serve, &pair, &attr);
    ASSERT(thread != NULL);
    seen = 0;
    while (!atomic_load(&thread->done)) {
        thread_hand_off(thread);
        seen++;
        if (atomic_load(&pair.turn) == pair.rounds) {
            thread_unpark(thread);
            break;
        }
    }
    EXPECT(seen <= pair.rounds + 2);
    thread_join(thread);
}

static void
count_and_detach(void *arg)
{
    atomic_fetch_add((atomic_uint *)arg, 1);
}

TEST(thread, detached_threads_are_freed)
{
    struct thread *thread;
    atomic_uint count = 0;
    unsigned i;

    for (i = 0; i < 100; i++) {
        thread = thread_create("test", count_and_detach, &count, NULL);
        ASSERT(thread != NULL);
        thread_detach(thread);
    }
    while (atomic_load(&count) != 100) {
        test_pause();
    }
}

static void
churn(void *arg)
{
    atomic_uint *count = arg;
    unsigned i;

    for (i = 0; i < 20; i++) {
        atomic_fetch_add(count, 1);
        if (i % 3 == 0) {
            thread_yield();
        } else if (i % 7 == 0) {
            thread_sleep(50000);
        }
    }
}

TEST(thread, many_come_and_go)
{
    struct thread *threads[THREAD_TEST_MAX];
    struct thread_attr attr = { 0 };
    atomic_uint count = 0;
    uint64_t round;
    unsigned i;

    for (round = 0; round < 4 * t->iterations; round++) {
        for (i = 0; i < THREAD_TEST_MAX; i++) {
            attr.policy = (enum thread_policy)rand_below(&t->rand, 3);
            attr.priority = 1 + (int)rand_below(&t->rand, 254);
            threads[i] = thread_create("churn", churn, &count, &attr);
            ASSERT(threads[i] != NULL);
        }
        for (i = 0; i < THREAD_TEST_MAX; i++) {
            thread_join(threads[i]);
        }
    }
    EXPECT_EQ(atomic_load(&count), 4 * t->iterations * THREAD_TEST_MAX * 20);
}
