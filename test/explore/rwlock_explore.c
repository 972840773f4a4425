/* SPDX-License-Identifier: MIT */
#include <stdatomic.h>

#include <kern/clock.h>
#include <kern/rwlock.h>
#include <lib/macros.h>
#include <test/explore/threads.h>

static struct rwlock rwlock_tested;
static atomic_uint rwlock_readers;
static atomic_uint rwlock_writers;
static unsigned rwlock_written;
static atomic_uint rwlock_turn;

static void
rwlock_look(void)
{
    unsigned written;

    rwlock_readers++;
    explore_expect(rwlock_writers == 0);
    written = rwlock_written;
    thread_yield();
    explore_expect(rwlock_written == written && rwlock_writers == 0);
    rwlock_readers--;
}

static void
rwlock_change(void)
{
    explore_expect(++rwlock_writers == 1);
    explore_expect(rwlock_readers == 0);
    rwlock_written++;
    thread_yield();
    explore_expect(--rwlock_writers == 0);
}

static void
rwlock_read(void *arg __unused)
{
    rwlock_read_lock(&rwlock_tested);
    rwlock_look();
    rwlock_read_unlock(&rwlock_tested);
}

static void
rwlock_write(void *arg __unused)
{
    rwlock_write_lock(&rwlock_tested);
    rwlock_change();
    rwlock_write_unlock(&rwlock_tested);
}

static void
rwlock_read_until(void *arg __unused)
{
    if (rwlock_read_lock_until(&rwlock_tested,
                               clock_now() + explore_random(600)) == OK) {
        rwlock_look();
        rwlock_read_unlock(&rwlock_tested);
    }
}

static void
rwlock_write_until(void *arg __unused)
{
    if (rwlock_write_lock_until(&rwlock_tested,
                                clock_now() + explore_random(600)) == OK) {
        rwlock_change();
        rwlock_write_unlock(&rwlock_tested);
    }
}

/* Who uses the lock: main, two others on CPU 1, one on CPU 0. */
struct rwlock_cast {
    explore_fn_t main;
    thread_fn_t others[3];
};

static void
rwlock_main(void *arg)
{
    const struct rwlock_cast *cast = arg;
    struct thread *threads[3];
    unsigned i;

    rwlock_init(&rwlock_tested, LOCK_TEST_UNORDERED, "test");
    for (i = 0; i < ARRAY_SIZE(threads); i++) {
        threads[i] = threads_create_on(i != 0, cast->others[i], NULL);
    }
    cast->main(NULL);
    for (i = 0; i < ARRAY_SIZE(threads); i++) {
        thread_join(threads[i]);
    }
    explore_expect(rwlock_tested.writer == NULL);
    explore_expect(rwlock_tested.nr_readers == 0);
    explore_expect(rwlock_tested.nr_waiting == 0);
    explore_expect(list_is_empty(&rwlock_tested.readers));
    explore_expect(list_is_empty(&rwlock_tested.writers));
    explore_expect(list_is_empty(&rwlock_tested.admitted));
}

/* A writer is alone; all come in. */
EXPLORE(rwlock, exclusion)
{
    struct rwlock_cast cast = { rwlock_write,
                                { rwlock_write, rwlock_read, rwlock_read } };

    threads_run(2, rwlock_main, &cast);
    explore_expect(rwlock_written == 2);
}

/* A writer that gives up lets those in who waited for it. */
EXPLORE(rwlock, writer_gives_up)
{
    struct rwlock_cast cast = {
        rwlock_read, { rwlock_read, rwlock_write_until, rwlock_read }
    };

    threads_run(2, rwlock_main, &cast);
}

/* Readers that give up are out of the lists, or in. */
EXPLORE(rwlock, reader_gives_up)
{
    struct rwlock_cast cast = {
        rwlock_write, { rwlock_write, rwlock_read_until, rwlock_read_until }
    };

    threads_run(2, rwlock_main, &cast);
    explore_expect(rwlock_written == 2);
}

static void
rwlock_read_in_turn(void *arg)
{
    rwlock_read_lock(&rwlock_tested);
    explore_expect(rwlock_turn == (uintptr_t)arg);
    rwlock_read_unlock(&rwlock_tested);
}

static void
rwlock_write_in_turn(void *arg)
{
    rwlock_write_lock(&rwlock_tested);
    explore_expect(rwlock_turn++ == (uintptr_t)arg);
    rwlock_write_unlock(&rwlock_tested);
}

static void
rwlock_main_is_fair(void *arg __unused)
{
    struct thread *writers[2], *reader;

    rwlock_init(&rwlock_tested, LOCK_TEST_UNORDERED, "test");
    rwlock_read_lock(&rwlock_tested);
    writers[0] = threads_create_on(1, rwlock_write_in_turn, (void *)0);
    threads_wait_parked(writers[0]);
    reader = threads_create_on(0, rwlock_read_in_turn, (void *)1);
    writers[1] = threads_create_on(1, rwlock_write_in_turn, (void *)1);
    threads_wait_parked(reader);
    threads_wait_parked(writers[1]);
    rwlock_read_unlock(&rwlock_tested);
    thread_join(writers[0]);
    thread_join(writers[1]);
    thread_join(reader);
}

/* A reader that comes when a writer waits goes in behind that one. */
EXPLORE(rwlock, phases)
{
    threads_run(2, rwlock_main_is_fair, NULL);
}

static void
rwlock_read_before_last(void *arg __unused)
{
    rwlock_read_lock(&rwlock_tested);
    explore_expect(rwlock_turn == 1);
    rwlock_read_unlock(&rwlock_tested);
}

static void
rwlock_main_writes_first(void *arg __unused)
{
    struct thread *writer, *reader;

    rwlock_init(&rwlock_tested, LOCK_TEST_UNORDERED, "test");
    rwlock_write_lock(&rwlock_tested);
    writer = threads_create_on(1, rwlock_write_in_turn, (void *)1);
    threads_wait_parked(writer);
    reader = threads_create_on(0, rwlock_read_before_last, NULL);
    threads_wait_parked(reader);
    rwlock_turn++;
    rwlock_write_unlock(&rwlock_tested);
    thread_join(writer);
    thread_join(reader);
}

/* A reader waits for one writer at most. */
EXPLORE(rwlock, one_writer)
{
    threads_run(2, rwlock_main_writes_first, NULL);
}
