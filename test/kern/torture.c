/* SPDX-License-Identifier: MIT */
#include <kern/clock.h>
#include <kern/cpu.h>
#include <kern/kmalloc.h>
#include <kern/thread.h>
#include <lib/bitmap.h>
#include <test/test.h>

#include "torture.h"

/* Above all workers. */
#define TORTURE_PRIORITY     60
#define TORTURE_PRIORITY_MAX 50

/* Between two acts of the tormentor, and while a worker is suspended. */
#define TORTURE_PAUSE_NS UINT64_C(200000)

void
torture_complain(struct torture *torture, const char *text)
{
    const char *none = NULL;

    atomic_compare_exchange_strong(&torture->complaint, &none, text);
    atomic_fetch_add(&torture->nr_complaints, 1);
}

void *
torture_alloc(struct test *t, size_t size)
{
    void *ptr;

    ptr = kzalloc(size);
    verify(ptr != NULL);
    test_cleanup(t, kfree, ptr);
    return ptr;
}

void
torture_dawdle(struct torture_worker *worker)
{
    switch (rand_below(&worker->rand, 32)) {
    case 0:
        thread_sleep(rand_below(&worker->rand, 20000));
        break;
    case 1:
    case 2:
        thread_yield();
        break;
    case 3:
        clock_spin(rand_below(&worker->rand, 5000));
        break;
    default:
        break;
    }
}

uint64_t
torture_deadline(struct torture_worker *worker)
{
    return rand_below(&worker->rand, 2) == 0
               ? clock_now() + rand_below(&worker->rand, 50000)
               : CLOCK_NEVER;
}

/* -------------------------------------------------------- the tormentor */

static void
torture_suspend(struct torture *torture, struct thread *thread)
{
    thread_suspend(thread);
    thread_sleep(rand_below(&torture->rand, TORTURE_PAUSE_NS));
    thread_resume(thread);
}

static void
torture_move(struct torture *torture, struct thread *thread)
{
    unsigned long *mask;
    status_t status;

    mask = kzalloc(BITMAP_LONGS(cpu_nr_possible) * sizeof(*mask));
    if (mask == NULL) {
        return;
    }
    bitmap_set(mask, rand_below(&torture->rand, cpu_nr_possible));
    bitmap_set(mask, rand_below(&torture->rand, cpu_nr_possible));
    /* Refused if none of these is online. */
    status = thread_set_affinity(thread, rand_below(&torture->rand, 3) == 0
                                             ? NULL
                                             : mask);
    (void)status;
    kfree(mask);
}

static void
torture_act(struct torture *torture, struct thread *thread)
{
    status_t status = OK;

    switch (rand_below(&torture->rand, 6)) {
    case 0:
        torture_suspend(torture, thread);
        break;
    case 1:
        torture_move(torture, thread);
        break;
    case 2:
        status = thread_set_policy(
            thread, (enum thread_policy)rand_below(&torture->rand, 3),
            1 + (int)rand_below(&torture->rand, TORTURE_PRIORITY_MAX));
        break;
    case 3:
        status =
            thread_set_weight(thread, 1U << rand_below(&torture->rand, 21));
        break;
    default:
        thread_unpark(thread);
        break;
    }
    if (status != OK) {
        torture_complain(torture, "a change was refused");
    }
}

static void
torture_torment(void *arg)
{
    struct torture *torture = arg;
    unsigned i;

    while (atomic_load(&torture->nr_left) != 0) {
        i = (unsigned)rand_below(&torture->rand, torture->nr_workers);
        torture_act(torture, torture->workers[i].thread);
        thread_sleep(rand_below(&torture->rand, TORTURE_PAUSE_NS));
    }
    atomic_store(&torture->over, true);
}

/* --------------------------------------------------------- the workers */

static void
torture_work(void *arg)
{
    struct torture_worker *worker = arg;
    struct torture *torture = worker->torture;
    uint64_t i;

    while (!atomic_load(&torture->begun)) {
        test_pause();
    }
    for (i = 0; i < torture->rounds; i++) {
        torture->round(worker);
    }
    atomic_fetch_sub(&torture->nr_left, 1);
    while (!atomic_load(&torture->over)) {
        test_pause();
    }
    if (torture->finish != NULL) {
        torture->finish(worker);
    }
}

static void
torture_start(struct test *t, struct torture *torture, unsigned number)
{
    struct torture_worker *worker = &torture->workers[number];
    struct thread_attr attr = {
        .policy = (enum thread_policy)rand_below(&t->rand, 3),
        .priority = 1 + (int)rand_below(&t->rand, TORTURE_PRIORITY_MAX),
    };

    worker->torture = torture;
    worker->number = number;
    rand_init(&worker->rand, rand_u64(&t->rand));
    worker->thread = thread_create("torture", torture_work, worker, &attr);
    verify(worker->thread != NULL);
}

/* Two are enough for a race, and no third makes up for what they lose. */
static unsigned
torture_choose_nr_workers(struct test *t)
{
    uint32_t most = MIN(cpu_nr_online() + 2, (uint32_t)TORTURE_WORKERS_MAX);

    return 2 + (unsigned)rand_below(&t->rand, most - 1);
}

void
torture_run(struct test *t, struct torture *torture)
{
    struct thread_attr attr = { .policy = THREAD_FIFO,
                                .priority = TORTURE_PRIORITY };
    struct thread *tormentor;
    unsigned i;

    torture->rounds *= t->iterations;
    torture->nr_workers = torture_choose_nr_workers(t);
    rand_init(&torture->rand, rand_u64(&t->rand));
    atomic_store(&torture->nr_left, torture->nr_workers);
    for (i = 0; i < torture->nr_workers; i++) {
        torture_start(t, torture, i);
    }
    atomic_store(&torture->begun, true);
    tormentor = thread_create("tormentor", torture_torment, torture, &attr);
    verify(tormentor != NULL);
    thread_join(tormentor);
    for (i = 0; i < torture->nr_workers; i++) {
        thread_join(torture->workers[i].thread);
    }
    if (atomic_load(&torture->nr_complaints) != 0) {
        test_fail(t, __FILE__, __LINE__, "%u complaints, the first: %s",
                  atomic_load(&torture->nr_complaints),
                  atomic_load(&torture->complaint));
    }
}
