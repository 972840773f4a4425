/* SPDX-License-Identifier: MIT */
/*
 * Address spaces when memory is short.
 */
#include <stddef.h>

#include <kern/completion.h>
#include <kern/thread.h>
#include <vm/node.h>
#include <test/kern/hog.h>
#include <test/vm/space_fixture.h>

#define PAGES(n) ((size_t)(n) * PAGE_SIZE)

/* Pages that are left, at most. */
#define SHORT_PAGES_MAX 12

struct short_run {
    struct space_fixture *fixture;
    struct completion is_short; /* no more is left than should be */
    size_t nr_touched;
};

/* Use one page in each GiB, in a thread that stays on its CPU. */
static void
short_touch(void *arg)
{
    struct short_run *run = arg;
    status_t status = OK;

    completion_wait(&run->is_short);
    space_use(run->fixture->space);
    while (run->nr_touched < SHORT_PAGES_MAX && status == OK) {
        uintptr_t va = FIXTURE_VA + run->nr_touched * node_slot_size(2);

        status = user_write_u64(va, 1);
        run->nr_touched += status == OK;
    }
    space_use(NULL);
}

/* Reclaim takes page tables away that the fault has just entered. */
TEST(space, faults_end_however_short_memory_is)
{
    struct list blocks = LIST_INITIALIZER(blocks);
    const struct thread_attr attr = { .pinned = true };
    struct short_run run = { .fixture = space_fixture_create(t) };
    size_t size = SHORT_PAGES_MAX * node_slot_size(2);

    for (size_t nr = 2; nr < SHORT_PAGES_MAX; nr++) {
        struct thread *thread;

        EXPECT_EQ(fixture_map(run.fixture, FIXTURE_VA, size, PROT_RW), OK);
        run.nr_touched = 0;
        completion_init(&run.is_short);
        thread = thread_create("short", short_touch, &run, &attr);
        ASSERT(thread != NULL);
        hog_take_all_but(&blocks, nr);
        completion_signal(&run.is_short);
        thread_join(thread);
        hog_give_all(&blocks);
        EXPECT(run.nr_touched <= nr);
    }
    EXPECT(run.nr_touched > 0);
}
