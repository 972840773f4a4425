/* SPDX-License-Identifier: MIT */
#include <arch/cpu.h>
#include <kern/clock.h>
#include <kern/rtmutex.h>
#include <lib/macros.h>
#include <test/explore/threads.h>

static struct rtmutex rtmutex_tested;
static struct rtmutex rtmutex_others[2];
static unsigned rtmutex_inside;
static unsigned rtmutex_count;

static void
rtmutex_enter(void)
{
    explore_expect(rtmutex_is_owned(&rtmutex_tested));
    explore_expect(rtmutex_inside++ == 0);
    rtmutex_count++;
    explore_expect(--rtmutex_inside == 0);
}

/* Who owns nothing inherits nothing. */
static void
rtmutex_leave(struct rtmutex *mutex)
{
    rtmutex_unlock(mutex);
    explore_expect(thread_priority(thread_self()) ==
                   thread_self()->base_priority);
}

static void
rtmutex_use(void *arg __unused)
{
    rtmutex_lock(&rtmutex_tested);
    rtmutex_enter();
    thread_yield();
    rtmutex_enter();
    rtmutex_leave(&rtmutex_tested);
}

/* Have two threads use the mutex, on CPU 0 and CPU 1, beside main. */
static void
rtmutex_main(void *fn)
{
    struct thread *threads[2];
    uint32_t cpu;

    rtmutex_init(&rtmutex_tested, LOCK_TEST_UNORDERED, "test");
    for (cpu = 0; cpu < ARRAY_SIZE(threads); cpu++) {
        threads[cpu] =
            threads_create_urgent(cpu, 3 + (int)cpu, (thread_fn_t)fn, NULL);
    }
    rtmutex_use(NULL);
    for (cpu = 0; cpu < ARRAY_SIZE(threads); cpu++) {
        thread_join(threads[cpu]);
    }
    explore_expect(rtmutex_tested.owner == 0);
    explore_expect(rtmutex_tested.turnstile.owner == NULL);
}

/* One owner at a time; who sleeps is woken; what was inherited is lost. */
EXPLORE(rtmutex, exclusion)
{
    threads_run(2, rtmutex_main, (void *)rtmutex_use);
    explore_expect(rtmutex_count == 6);
}

static void
rtmutex_use_until(void *arg __unused)
{
    if (rtmutex_lock_until(&rtmutex_tested,
                           clock_now() + explore_random(400)) == OK) {
        rtmutex_enter();
        rtmutex_leave(&rtmutex_tested);
    }
}

/* Who gives up is not given the mutex; who is given it does not give up. */
EXPLORE(rtmutex, deadline)
{
    threads_run(2, rtmutex_main, (void *)rtmutex_use_until);
    explore_expect(rtmutex_count >= 2 && rtmutex_count <= 4);
}

static struct thread *rtmutex_waiter;

static void
rtmutex_wake_in_vain(void *arg __unused)
{
    thread_unpark(rtmutex_waiter);
}

static void
rtmutex_main_wakes_in_vain(void *arg __unused)
{
    unsigned i;

    rtmutex_init(&rtmutex_tested, LOCK_TEST_UNORDERED, "test");
    rtmutex_lock(&rtmutex_tested);
    rtmutex_waiter = threads_create_urgent(1, 3, rtmutex_use, NULL);
    threads_wait_parked(rtmutex_waiter);
    for (i = 0; i < 3; i++) {
        explore_interrupt(1, EXPLORE_IRQ + i);
    }
    rtmutex_unlock(&rtmutex_tested);
    thread_join(rtmutex_waiter);
}

/* Who is woken for another reason waits on. */
EXPLORE(rtmutex, other_wakes)
{
    unsigned i;

    threads_setup(2);
    for (i = 0; i < 3; i++) {
        explore_handler(EXPLORE_IRQ + i, rtmutex_wake_in_vain, NULL);
    }
    threads_go(2, rtmutex_main_wakes_in_vain, NULL);
}

static void
rtmutex_take_turn(void *arg)
{
    rtmutex_lock(&rtmutex_tested);
    explore_expect(++rtmutex_count == (uintptr_t)arg);
    rtmutex_leave(&rtmutex_tested);
}

static void
rtmutex_main_changes_order(void *arg __unused)
{
    struct thread *first, *second;

    rtmutex_init(&rtmutex_tested, LOCK_TEST_UNORDERED, "test");
    rtmutex_lock(&rtmutex_tested);
    first = threads_create_urgent(1, 3, rtmutex_take_turn, (void *)1);
    second = threads_create_urgent(1, 5, rtmutex_take_turn, (void *)2);
    explore_expect(thread_set_policy(first, THREAD_FIFO, 7) == OK);
    threads_wait_parked(first);
    threads_wait_parked(second);
    explore_expect(thread_priority(thread_self()) == 7);
    rtmutex_leave(&rtmutex_tested);
    thread_join(first);
    thread_join(second);
}

/* The most urgent is next, even if it has become so while it waits. */
EXPLORE(rtmutex, most_urgent_first)
{
    threads_run(2, rtmutex_main_changes_order, NULL);
}

/* A link of a chain: owns what @arg is, waits for the tested one. */
static void
rtmutex_link(void *arg)
{
    rtmutex_lock(arg);
    rtmutex_lock(&rtmutex_tested);
    rtmutex_unlock(&rtmutex_tested);
    rtmutex_leave(arg);
}

static void
rtmutex_lock_for_long(void *arg)
{
    rtmutex_lock(arg);
    rtmutex_leave(arg);
}

/* Main owns the tested one, for which a link waits that owns another. */
static struct thread *
rtmutex_make_chain(int priority)
{
    struct thread *link;

    rtmutex_init(&rtmutex_tested, LOCK_TEST_UNORDERED, "test");
    rtmutex_init(&rtmutex_others[0], LOCK_TEST_UNORDERED, "test");
    rtmutex_lock(&rtmutex_tested);
    link = threads_create_urgent(1, priority, rtmutex_link, &rtmutex_others[0]);
    threads_wait_parked(link);
    explore_expect(thread_priority(thread_self()) == priority);
    return link;
}

static void
rtmutex_main_owns_two(void *arg __unused)
{
    struct thread *threads[2];
    unsigned i;

    for (i = 0; i < 2; i++) {
        rtmutex_init(&rtmutex_others[i], LOCK_TEST_UNORDERED, "test");
        rtmutex_lock(&rtmutex_others[i]);
    }
    for (i = 0; i < 2; i++) {
        threads[i] = threads_create_urgent(1, 4 + (int)i, rtmutex_lock_for_long,
                                           &rtmutex_others[i]);
    }
    for (i = 0; i < 2; i++) {
        threads_wait_parked(threads[i]);
    }
    explore_expect(thread_priority(thread_self()) == 5);
    rtmutex_unlock(&rtmutex_others[1]);
    explore_expect(thread_priority(thread_self()) == 4);
    rtmutex_leave(&rtmutex_others[0]);
    for (i = 0; i < 2; i++) {
        thread_join(threads[i]);
    }
}

/* Who unlocks one of two keeps what it inherits by the other. */
EXPLORE(rtmutex, keeps_other_inheritance)
{
    threads_run(2, rtmutex_main_owns_two, NULL);
}

static void
rtmutex_lock_and_give_up(void *link)
{
    status_t status;

    status = rtmutex_lock_until(&rtmutex_others[0],
                                clock_now() + explore_random(1000));
    explore_expect(status == ERR_TIMEOUT);
    explore_expect(thread_priority(link) == 3);
    rtmutex_count++;
}

static void
rtmutex_main_is_given_up(void *arg __unused)
{
    struct thread *link, *urgent;

    link = rtmutex_make_chain(3);
    urgent = threads_create_urgent(1, 9, rtmutex_lock_and_give_up, link);
    thread_join(urgent);
    explore_expect(rtmutex_count == 1);
    explore_expect(thread_priority(thread_self()) == 3);
    rtmutex_leave(&rtmutex_tested);
    thread_join(link);
}

/* A time-out takes the priority back from all of a chain. */
EXPLORE(rtmutex, time_out_is_told)
{
    threads_run(2, rtmutex_main_is_given_up, NULL);
}

static void
rtmutex_main_changes_waiter(void *arg __unused)
{
    struct thread *link, *urgent;

    link = rtmutex_make_chain(3);
    urgent =
        threads_create_urgent(1, 9, rtmutex_lock_for_long, &rtmutex_others[0]);
    explore_expect(thread_set_policy(urgent, THREAD_FIFO, 12) == OK);
    threads_wait_parked(urgent);
    explore_expect(thread_priority(thread_self()) == 12);
    explore_expect(thread_set_policy(urgent, THREAD_FIFO, 6) == OK);
    explore_expect(thread_priority(thread_self()) == 6);
    rtmutex_leave(&rtmutex_tested);
    thread_join(link);
    thread_join(urgent);
}

/* A change of priority reaches the end of a chain, up and down. */
EXPLORE(rtmutex, change_is_told)
{
    threads_run(2, rtmutex_main_changes_waiter, NULL);
}

/* A link that owns both others. */
static void
rtmutex_fork(void *arg __unused)
{
    rtmutex_lock(&rtmutex_others[1]);
    rtmutex_link(&rtmutex_others[0]);
    rtmutex_leave(&rtmutex_others[1]);
}

static void
rtmutex_main_meets_newcomer(void *arg __unused)
{
    struct thread *link, *newcomer, *urgent;

    rtmutex_init(&rtmutex_tested, LOCK_TEST_UNORDERED, "test");
    rtmutex_init(&rtmutex_others[0], LOCK_TEST_UNORDERED, "test");
    rtmutex_init(&rtmutex_others[1], LOCK_TEST_UNORDERED, "test");
    rtmutex_lock(&rtmutex_tested);
    link = threads_create_urgent(1, 3, rtmutex_fork, NULL);
    threads_wait_parked(link);
    newcomer =
        threads_create_urgent(1, 2, rtmutex_lock_for_long, &rtmutex_others[1]);
    urgent =
        threads_create_urgent(0, 9, rtmutex_lock_for_long, &rtmutex_others[0]);
    threads_wait_parked(newcomer);
    threads_wait_parked(urgent);
    explore_expect(thread_priority(link) == 9);
    explore_expect(thread_priority(thread_self()) == 9);
    rtmutex_leave(&rtmutex_tested);
    thread_join(link);
    thread_join(newcomer);
    thread_join(urgent);
}

/* Who begins to wait beside another swallows no change of priority. */
EXPLORE(rtmutex, newcomer)
{
    threads_run(2, rtmutex_main_meets_newcomer, NULL);
}

static struct rtmutex rtmutex_ring[3];
static struct thread *rtmutex_ring_threads[3];
static atomic_uint rtmutex_ring_ready;
static atomic_bool rtmutex_ring_changed;

/* Each owns one and waits for the next; the first gives up. */
static void
rtmutex_ring_wait(void *arg)
{
    uintptr_t i = (uintptr_t)arg;
    struct rtmutex *next = &rtmutex_ring[(i + 1) % 3];
    uint64_t deadline;

    rtmutex_lock(&rtmutex_ring[i]);
    rtmutex_ring_ready++;
    while (rtmutex_ring_ready < 3) {
        thread_park(CLOCK_NEVER);
    }
    deadline = i == 0 ? clock_now() + 300 + explore_random(2000) : CLOCK_NEVER;
    if (rtmutex_lock_until(next, deadline) == OK) {
        rtmutex_unlock(next);
    } else {
        while (!rtmutex_ring_changed) {
            thread_park(CLOCK_NEVER);
        }
        threads_wait_parked(rtmutex_ring_threads[1]);
        threads_wait_parked(rtmutex_ring_threads[2]);
        explore_expect(thread_priority(rtmutex_ring_threads[2]) == 2);
        explore_expect(thread_priority(rtmutex_ring_threads[0]) == 2);
    }
    rtmutex_leave(&rtmutex_ring[i]);
}

static void
rtmutex_main_breaks_ring(void *arg __unused)
{
    static const int changes[] = { 9, 1, 2 };
    uintptr_t i;

    for (i = 0; i < 3; i++) {
        rtmutex_init(&rtmutex_ring[i], LOCK_TEST_UNORDERED, "test");
    }
    for (i = 0; i < 3; i++) {
        rtmutex_ring_threads[i] = threads_create_urgent(1, i == 1 ? 2 : 1,
                                                        rtmutex_ring_wait,
                                                        (void *)i);
    }
    while (rtmutex_ring_ready < 3) {
        cpu_pause();
    }
    for (i = 0; i < 3; i++) {
        thread_unpark(rtmutex_ring_threads[i]);
    }
    for (i = 0; i < ARRAY_SIZE(changes); i++) {
        explore_expect(thread_set_policy(rtmutex_ring_threads[1], THREAD_FIFO,
                                         changes[i]) == OK);
    }
    rtmutex_ring_changed = true;
    thread_unpark(rtmutex_ring_threads[0]);
    for (i = 0; i < 3; i++) {
        thread_join(rtmutex_ring_threads[i]);
    }
}

/* A walk round a deadlock ends, and a time-out finds all places right. */
EXPLORE(rtmutex, ring)
{
    threads_run(2, rtmutex_main_breaks_ring, NULL);
}

static bool rtmutex_urgent_was_in;

static void
rtmutex_enter_urgently(void *arg __unused)
{
    rtmutex_lock(&rtmutex_tested);
    rtmutex_urgent_was_in = true;
    rtmutex_leave(&rtmutex_tested);
}

static void
rtmutex_come_later(void *arg __unused)
{
    explore_expect(rtmutex_urgent_was_in);
}

static void
rtmutex_main_unlocks_for_urgent(void *arg __unused)
{
    struct thread *urgent, *other;

    rtmutex_init(&rtmutex_tested, LOCK_TEST_UNORDERED, "test");
    rtmutex_lock(&rtmutex_tested);
    urgent = threads_create_urgent(0, 9, rtmutex_enter_urgently, NULL);
    threads_wait_parked(urgent);
    other = threads_create_urgent(0, 5, rtmutex_come_later, NULL);
    rtmutex_leave(&rtmutex_tested);
    thread_join(urgent);
    thread_join(other);
}

/* Nobody less urgent runs between the unlock and the next owner. */
EXPLORE(rtmutex, hand_over)
{
    threads_run(1, rtmutex_main_unlocks_for_urgent, NULL);
}
