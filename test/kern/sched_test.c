/* SPDX-License-Identifier: MIT */
#include <stdatomic.h>

#include <arch/cpu.h>
#include <kern/clock.h>
#include <kern/cpu.h>
#include <kern/kmalloc.h>
#include <kern/sched_fair.h>
#include <kern/thread.h>
#include <kern/xcall.h>
#include <lib/bitmap.h>
#include <test/test.h>

#define SCHED_TEST_MAX 16

#define SCHED_SHARE_ROUNDS 200
#define SCHED_SHARE_NS     UINT64_C(90000000)

/* Longest wait for another thread. */
#define SCHED_WAIT_NS UINT64_C(20000000000)

struct spinner {
    atomic_bool stop;
    _Atomic uint64_t rounds;
};

static void
spin_until_stopped(void *arg)
{
    struct spinner *spinner = arg;

    while (!atomic_load(&spinner->stop)) {
        atomic_fetch_add(&spinner->rounds, 1);
        cpu_pause();
    }
}

static void
return_at_once(void *arg __unused)
{
}

/* Have the calling thread on one CPU, urgent, until the test ends. */
static void
become_urgent(struct test *t, int priority)
{
    EXPECT_EQ(thread_set_policy(thread_self(), THREAD_FIFO, priority), OK);
}

/* Wait, but not for ever, until a spinner has got on. */
static bool
spinner_gets_on(struct spinner *spinner)
{
    uint64_t rounds, deadline;

    rounds = atomic_load(&spinner->rounds);
    deadline = clock_now() + SCHED_WAIT_NS;
    while (atomic_load(&spinner->rounds) == rounds && clock_now() < deadline) {
        test_pause();
    }
    return atomic_load(&spinner->rounds) != rounds;
}

static void
become_fair(struct test *t)
{
    EXPECT_EQ(thread_set_policy(thread_self(), THREAD_FAIR, 0), OK);
}

struct urgent_join {
    struct thread_attr attr;
    atomic_bool joined;
};

static void
join_less_urgent(void *arg)
{
    struct urgent_join *join = arg;
    struct thread *thread;

    thread = thread_create("ends", return_at_once, NULL, &join->attr);
    if (thread != NULL) {
        thread_join(thread);
        atomic_store(&join->joined, true);
    }
}

/* One that waited by yielding never let the other leave its stack. */
TEST(sched, urgent_thread_joins_a_less_urgent_one)
{
    struct thread_attr attr = { .policy = THREAD_FIFO, .pinned = true };
    struct urgent_join join = { .joined = false };
    struct thread *thread;

    attr.cpu = cpu_nr_possible - 1;
    if (!cpu_is_online(attr.cpu)) {
        SKIP("last CPU is not online");
    }
    join.attr = attr;
    join.attr.priority = 10;
    attr.priority = 200;
    thread = thread_create("joins", join_less_urgent, &join, &attr);
    ASSERT(thread != NULL);
    thread_join(thread);
    EXPECT(atomic_load(&join.joined));
}

static void
park_twice(void *arg)
{
    atomic_uint *step = arg;

    atomic_store(step, 1);
    thread_park(CLOCK_NEVER);
    atomic_store(step, 2);
}

/* Idle continues only to be preempted, by who waited for the dead thread. */
TEST(sched, stack_does_not_grow_with_preemptions)
{
    struct thread *thread;
    unsigned i;

    for (i = 0; i < 1000; i++) {
        thread = thread_create("ends", return_at_once, NULL, NULL);
        ASSERT(thread != NULL);
        thread_join(thread);
    }
}

struct hand_off_order {
    struct thread *self;
    struct thread_attr attr;
    atomic_uint step; /* of the parked one */
    unsigned seen;    /* step that the urgent one saw */
};

static void
note_step(void *arg)
{
    struct hand_off_order *order = arg;

    order->seen = atomic_load(&order->step);
    thread_unpark(order->self);
}

static void
hand_off_to_less_urgent(void *arg)
{
    struct hand_off_order *order = arg;
    struct thread *parked, *urgent;

    order->self = thread_self();
    order->attr.priority = 20;
    parked = thread_create("parked", park_twice, &order->step, &order->attr);
    while (parked != NULL && atomic_load(&order->step) != 1) {
        test_pause();
    }
    order->attr.priority = 50;
    urgent = thread_create("urgent", note_step, order, &order->attr);
    if (parked == NULL || urgent == NULL) {
        return;
    }
    thread_hand_off(parked);
    thread_join(urgent);
    thread_join(parked);
}

/* A wake-up that was due was forgotten by a hand-off to somebody else. */
TEST(sched, hand_off_does_not_overtake_a_more_urgent_thread)
{
    struct hand_off_order order = { .step = 0, .seen = 99 };
    struct thread *thread;

    order.attr = (struct thread_attr){ .policy = THREAD_FIFO,
                                       .priority = 100,
                                       .pinned = true,
                                       .cpu = cpu_nr_possible - 1 };
    if (!cpu_is_online(order.attr.cpu)) {
        SKIP("last CPU is not online");
    }
    thread = thread_create("hands off", hand_off_to_less_urgent, &order,
                           &order.attr);
    ASSERT(thread != NULL);
    thread_join(thread);
    EXPECT_EQ(order.seen, 1);
}

struct hand_off_ready {
    struct thread *self;
    struct thread *target;
    atomic_uint order;
    unsigned target_place;
    unsigned other_place;
};

static void
take_target_place(void *arg)
{
    struct hand_off_ready *ready = arg;

    ready->target_place = atomic_fetch_add(&ready->order, 1);
    thread_unpark(ready->self);
}

static void
take_other_place(void *arg)
{
    struct hand_off_ready *ready = arg;

    ready->other_place = atomic_fetch_add(&ready->order, 1);
}

static void
hand_off_to_second(void *arg)
{
    struct hand_off_ready *ready = arg;
    struct thread_attr attr = { .policy = THREAD_FIFO,
                                .priority = 30,
                                .pinned = true };
    struct thread *other;

    ready->self = thread_self();
    attr.cpu = cpu_id();
    other = thread_create("first", take_other_place, ready, &attr);
    ready->target = thread_create("second", take_target_place, ready, &attr);
    if (other == NULL || ready->target == NULL) {
        return;
    }
    thread_set_policy(thread_self(), THREAD_FIFO, 30);
    thread_hand_off(ready->target);
    thread_join(other);
    thread_join(ready->target);
}

TEST(sched, hand_off_takes_a_ready_thread_out_of_turn)
{
    struct thread_attr attr = { .policy = THREAD_FIFO,
                                .priority = 40,
                                .pinned = true };
    struct hand_off_ready ready = { .order = 1 };
    struct thread *thread;

    attr.cpu = cpu_nr_possible - 1;
    if (!cpu_is_online(attr.cpu)) {
        SKIP("last CPU is not online");
    }
    thread = thread_create("hands off", hand_off_to_second, &ready, &attr);
    ASSERT(thread != NULL);
    thread_join(thread);
    EXPECT_EQ(ready.target_place, 1);
    EXPECT_EQ(ready.other_place, 2);
}

static void
park_and_note(void *arg)
{
    struct hand_off_ready *ready = arg;
    uint64_t deadline;

    deadline = clock_now() + UINT64_C(5000000000);
    thread_park(deadline);
    ready->target_place = clock_now() < deadline;
    thread_unpark(ready->self);
}

static void
hand_off_to_one_about_to_park(void *arg)
{
    struct thread_attr attr = { .policy = THREAD_FIFO,
                                .priority = 40,
                                .pinned = true };
    struct hand_off_ready *ready = arg;

    ready->self = thread_self();
    attr.cpu = cpu_id();
    ready->target = thread_create("parks", park_and_note, ready, &attr);
    if (ready->target != NULL) {
        thread_hand_off(ready->target);
        thread_join(ready->target);
    }
}

TEST(sched, hand_off_gives_a_ready_thread_a_permit)
{
    struct thread_attr attr = { .policy = THREAD_FIFO,
                                .priority = 40,
                                .pinned = true };
    struct hand_off_ready ready = { .target_place = 0 };
    struct thread *thread;

    attr.cpu = cpu_id();
    thread = thread_create("hands off", hand_off_to_one_about_to_park, &ready,
                           &attr);
    ASSERT(thread != NULL);
    thread_join(thread);
    EXPECT(ready.target_place);
}

/* The slice of the running thread did not matter when it was chosen. */
TEST(sched, slices_end_when_a_priority_becomes_equal)
{
    struct thread_attr attr = { .policy = THREAD_RR, .pinned = true };
    struct spinner spinners[2] = { { false, 0 }, { false, 0 } };
    struct thread *threads[2];
    unsigned i;

    attr.cpu = cpu_nr_possible - 1;
    if (cpu_nr_online() < 2 || !cpu_is_online(attr.cpu)) {
        SKIP("needs a second CPU");
    }
    for (i = 0; i < 2; i++) {
        attr.priority = 5 - (int)i;
        threads[i] =
            thread_create("rr", spin_until_stopped, &spinners[i], &attr);
        ASSERT(threads[i] != NULL);
    }
    thread_sleep(2000000);
    EXPECT_EQ(thread_set_policy(threads[1], THREAD_RR, 5), OK);
    EXPECT(spinner_gets_on(&spinners[1]));
    for (i = 0; i < 2; i++) {
        atomic_store(&spinners[i].stop, true);
    }
    for (i = 0; i < 2; i++) {
        thread_join(threads[i]);
    }
}

static uint32_t
start_spinners(struct spinner *spinners, struct thread **threads, uint32_t n,
               const struct thread_attr *attr)
{
    uint32_t i;

    for (i = 0; i < n; i++) {
        atomic_init(&spinners[i].stop, false);
        atomic_init(&spinners[i].rounds, 0);
        threads[i] =
            thread_create("spins", spin_until_stopped, &spinners[i], attr);
        if (threads[i] == NULL) {
            return i;
        }
    }
    return n;
}

static void
stop_spinners(struct spinner *spinners, struct thread **threads, uint32_t n)
{
    uint32_t i;

    for (i = 0; i < n; i++) {
        atomic_store(&spinners[i].stop, true);
    }
    for (i = 0; i < n; i++) {
        thread_join(threads[i]);
    }
}

/* As many as there are other CPUs: none may wait behind another. */
TEST(sched, real_time_threads_spread)
{
    struct thread_attr attr = { .policy = THREAD_FIFO, .priority = 50 };
    struct spinner spinners[SCHED_TEST_MAX];
    struct thread *threads[SCHED_TEST_MAX];
    uint32_t n, i, round;

    n = MIN(cpu_nr_online() - 1, (uint32_t)SCHED_TEST_MAX);
    if (n == 0) {
        SKIP("needs a second CPU");
    }
    become_urgent(t, 60);
    for (round = 0; round < 3; round++) {
        ASSERT(start_spinners(spinners, threads, n, &attr) == n);
        for (i = 0; i < n; i++) {
            EXPECT(spinner_gets_on(&spinners[i]));
        }
        stop_spinners(spinners, threads, n);
    }
    become_fair(t);
}

/* A thread that is preempted goes where something less urgent runs. */
TEST(sched, preempted_real_time_thread_moves)
{
    struct thread_attr attr = { .policy = THREAD_FIFO, .priority = 50 };
    struct spinner spinners[2];
    struct thread *threads[2];

    if (cpu_nr_online() < 3) {
        SKIP("needs three CPUs");
    }
    ASSERT(start_spinners(spinners, threads, 1, &attr) == 1);
    while (atomic_load(&spinners[0].rounds) == 0) {
        test_pause();
    }
    attr.priority = 51;
    attr.pinned = true;
    attr.cpu = atomic_load(&threads[0]->cpu);
    ASSERT(start_spinners(&spinners[1], &threads[1], 1, &attr) == 1);
    while (atomic_load(&spinners[1].rounds) == 0) {
        test_pause();
    }
    EXPECT(spinner_gets_on(&spinners[0]));
    stop_spinners(spinners, threads, 2);
}

/* Nor may one of the fair class wait behind a real-time thread. */
TEST(sched, fair_thread_does_not_wait_behind_a_real_time_one)
{
    struct thread_attr attr = { .policy = THREAD_FIFO, .priority = 50 };
    struct spinner spinners[2];
    struct thread *threads[2];
    uint64_t round;

    if (cpu_nr_online() < 3) {
        SKIP("needs three CPUs");
    }
    for (round = 0; round < 10; round++) {
        ASSERT(start_spinners(spinners, threads, 1, NULL) == 1);
        EXPECT(spinner_gets_on(&spinners[0]));
        attr.pinned = true;
        attr.cpu = atomic_load(&threads[0]->cpu);
        ASSERT(start_spinners(&spinners[1], &threads[1], 1, &attr) == 1);
        EXPECT(spinner_gets_on(&spinners[1]));
        EXPECT(spinner_gets_on(&spinners[0]));
        stop_spinners(spinners, threads, 2);
    }
}

/* The least time that one of some threads got, in percent of the mean. */
static uint64_t
least_share(struct thread **threads, uint32_t n)
{
    uint64_t total, least, time;
    uint32_t i;

    total = 1;
    least = UINT64_MAX;
    for (i = 0; i < n; i++) {
        time = thread_run_time(threads[i]);
        total += time;
        least = MIN(least, time);
    }
    return least * 100 * n / total;
}

/*
 * One thread more than there are CPUs.  A host that has other things to do
 * makes emulated CPUs stand still, and what runs there is charged for it; so
 * shares show only after some time.
 */
TEST(sched, fair_shares_hold_over_cpus)
{
    struct spinner spinners[SCHED_TEST_MAX];
    struct thread *threads[SCHED_TEST_MAX];
    uint64_t least;
    unsigned round;
    uint32_t n;

    n = cpu_nr_online() + 1;
    if (n > SCHED_TEST_MAX) {
        SKIP("too many CPUs");
    }
    become_urgent(t, 60);
    ASSERT(start_spinners(spinners, threads, n, NULL) == n);
    least = 0;
    for (round = 0; round < SCHED_SHARE_ROUNDS && least < 70; round++) {
        thread_sleep(SCHED_SHARE_NS);
        least = least_share(threads, n);
    }
    stop_spinners(spinners, threads, n);
    become_fair(t);
    EXPECT(least >= 70);
}

/* ----------------------------------------------------- fair class, alone */

static void
fair_add(struct sched_fair *fair, struct thread *thread, uint32_t weight)
{
    thread->weight = weight;
    thread->vlag = 0;
    sched_fair_join(fair, thread);
    sched_fair_queue(fair, thread);
}

/* Run the chosen thread for a time. */
static struct thread *
fair_run(struct sched_fair *fair, uint64_t ns)
{
    struct thread *thread;

    thread = sched_fair_pick(fair);
    sched_fair_unqueue(fair, thread);
    sched_fair_charge(fair, thread, ns);
    sched_fair_queue(fair, thread);
    return thread;
}

TEST(sched_fair, short_runs_of_the_heaviest_count)
{
    static struct thread heavy, light;
    struct sched_fair fair;
    uint64_t before;

    sched_fair_init(&fair);
    fair_add(&fair, &heavy, THREAD_WEIGHT_MAX);
    fair_add(&fair, &light, THREAD_WEIGHT_MAX);
    before = light.vruntime;
    /* Shorter than what a coarse unit could tell from nothing. */
    for (unsigned i = 0; i < 100000; i++) {
        fair_run(&fair, 100);
    }
    EXPECT(light.vruntime - before > 3000000);
    EXPECT(heavy.vruntime - before > 3000000);
}

static void
fair_check_long_run(struct test *t, uint64_t weight_a, uint64_t weight_b)
{
    static struct thread a, b;
    struct sched_fair fair;
    uint64_t time_a, time_b;
    uint32_t i;

    sched_fair_init(&fair);
    fair_add(&fair, &a, (uint32_t)weight_a);
    fair_add(&fair, &b, (uint32_t)weight_b);
    time_a = 0;
    time_b = 0;
    /* A minute at a time: in all a month, with nobody joining. */
    for (i = 0; i < 40000; i++) {
        if (fair_run(&fair, UINT64_C(1) << 36) == &a) {
            time_a++;
        } else {
            time_b++;
        }
    }
    EXPECT(time_a * weight_b < time_b * weight_a + 2 * weight_a * weight_b);
    EXPECT(time_b * weight_a < time_a * weight_b + 2 * weight_a * weight_b);
}

TEST(sched_fair, sums_do_not_overflow_in_a_month)
{
    fair_check_long_run(t, 1, 1);
    fair_check_long_run(t, 1, 3);
    fair_check_long_run(t, 1024, 1024);
    fair_check_long_run(t, THREAD_WEIGHT_MAX, THREAD_WEIGHT_MAX);
}

TEST(sched_fair, lag_survives_a_move)
{
    static struct thread a, b, c;
    struct sched_fair from, to;
    int64_t lag;

    sched_fair_init(&from);
    sched_fair_init(&to);
    fair_add(&from, &a, 1024);
    fair_add(&from, &b, 1024);
    fair_add(&to, &c, 1024);
    sched_fair_unqueue(&from, &a);
    sched_fair_charge(&from, &a, 1000000);
    sched_fair_unqueue(&from, &b);
    sched_fair_leave(&from, &b);
    lag = b.vlag;
    EXPECT(lag > 0);
    sched_fair_join(&to, &b);
    EXPECT_EQ(b.vruntime, c.vruntime - (uint64_t)lag);
    sched_fair_leave(&to, &b);
    sched_fair_sleep(&b);
    EXPECT_EQ(b.vlag, 0);
    sched_fair_leave(&from, &a);
    EXPECT(a.vlag < 0 || a.vlag == 0);
}

/* ---------------------------------------------------------------- torture */

struct torture {
    struct thread *threads[SCHED_TEST_MAX];
    struct spinner spinners[SCHED_TEST_MAX];
    uint32_t nr_threads;
    uint64_t seed;
};

static void
park_until_stopped(void *arg)
{
    struct spinner *spinner = arg;
    unsigned i;

    while (!atomic_load(&spinner->stop)) {
        atomic_fetch_add(&spinner->rounds, 1);
        for (i = 0; i < 50; i++) {
            cpu_pause();
        }
        thread_park(clock_now() + 100000);
    }
}

static void
torture_affinity(struct rand *rand, struct thread *thread)
{
    unsigned long *mask;
    status_t status;

    mask = kzalloc(BITMAP_LONGS(cpu_nr_possible) * sizeof(*mask));
    if (mask == NULL) {
        return;
    }
    bitmap_set(mask, rand_below(rand, cpu_nr_possible));
    bitmap_set(mask, rand_below(rand, cpu_nr_possible));
    status =
        thread_set_affinity(thread, rand_below(rand, 3) == 0 ? NULL : mask);
    (void)status;
    kfree(mask);
}

static void
torture_one(struct rand *rand, struct thread *thread)
{
    status_t status;

    switch (rand_below(rand, 6)) {
    case 0:
        thread_suspend(thread);
        return;
    case 1:
        thread_resume(thread);
        return;
    case 2:
        torture_affinity(rand, thread);
        return;
    case 3:
        status = thread_set_policy(thread,
                                   (enum thread_policy)rand_below(rand, 3),
                                   1 + (int)rand_below(rand, 50));
        break;
    case 4:
        status = thread_set_weight(thread, 1U << rand_below(rand, 21));
        break;
    default:
        status = OK;
        thread_unpark(thread);
        break;
    }
    (void)status;
}

static void
torture_run(void *arg)
{
    struct torture *torture = arg;
    struct rand rand;
    unsigned i;

    rand_init(&rand, torture->seed ^ (uintptr_t)thread_self());
    for (i = 0; i < 400; i++) {
        torture_one(&rand,
                    torture->threads[rand_below(&rand, torture->nr_threads)]);
        if (i % 16 == 0) {
            thread_sleep(20000);
        }
    }
}

/* All that can happen to a thread, from several CPUs at once. */
TEST(sched, survives_all_changes_at_once)
{
    struct thread_attr attr = { .policy = THREAD_FIFO, .priority = 60 };
    static struct torture torture;
    struct thread *tormentors[3];
    uint64_t round;
    uint32_t i;

    torture.nr_threads = 6;
    for (i = 0; i < torture.nr_threads; i++) {
        atomic_store(&torture.spinners[i].stop, false);
        torture.threads[i] = thread_create("victim", park_until_stopped,
                                           &torture.spinners[i], NULL);
        ASSERT(torture.threads[i] != NULL);
    }
    for (round = 0; round < t->iterations; round++) {
        torture.seed = rand_u64(&t->rand);
        for (i = 0; i < ARRAY_SIZE(tormentors); i++) {
            tormentors[i] =
                thread_create("tormentor", torture_run, &torture, &attr);
            ASSERT(tormentors[i] != NULL);
        }
        for (i = 0; i < ARRAY_SIZE(tormentors); i++) {
            thread_join(tormentors[i]);
        }
    }
    for (i = 0; i < torture.nr_threads; i++) {
        atomic_store(&torture.spinners[i].stop, true);
        thread_resume(torture.threads[i]);
        thread_join(torture.threads[i]);
    }
}

struct xcall_count {
    atomic_uint *counts;
    unsigned nr_calls;
    atomic_bool stop;
};

static void
count_this_cpu(void *arg)
{
    struct xcall_count *count = arg;

    atomic_fetch_add(&count->counts[cpu_id()], 1);
}

static void
call_all(void *arg)
{
    struct xcall_count *count = arg;
    unsigned i;

    for (i = 0; i < count->nr_calls; i++) {
        xcall_all(count_this_cpu, count);
    }
    atomic_store(&count->stop, true);
}

/* The caller may be moved in the midst of it. */
TEST(xcall, reaches_each_cpu_once_when_the_caller_moves)
{
    struct xcall_count count = { .nr_calls = 200 };
    struct thread *thread;
    struct rand *rand = &t->rand;
    uint32_t cpu;

    count.counts = kzalloc(cpu_nr_possible * sizeof(*count.counts));
    ASSERT(count.counts != NULL);
    thread = thread_create("calls", call_all, &count, NULL);
    ASSERT(thread != NULL);
    while (!atomic_load(&count.stop)) {
        torture_affinity(rand, thread);
        test_pause();
    }
    thread_join(thread);
    cpu_for_each (cpu) {
        EXPECT_EQ(atomic_load(&count.counts[cpu]), count.nr_calls);
    }
    kfree(count.counts);
}
