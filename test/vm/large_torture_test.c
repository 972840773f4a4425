/* SPDX-License-Identifier: MIT */
/*
 * Large pages while all CPUs work on overlapping ranges.
 *
 * A page of the object, and each copy of it, says which one it is; so a page
 * that is shown elsewhere is found.
 */
#include <stdatomic.h>
#include <stddef.h>

#include <arch/cpu.h>
#include <kern/all_cpus.h>
#include <kern/cpu.h>
#include <kern/thread.h>
#include <vm/space_types.h>
#include <test/vm/large_fixture.h>

#define TORTURE_STEPS   200
#define TORTURE_THREADS 16
#define TORTURE_PAGES   (2 * (size_t)LARGE_PAGES)

/* Two large pages, the second beyond a multiple of 1 GiB. */
#define TORTURE_VA (FIXTURE_VA + LARGE_1G - LARGE_2M)

/*
 * Keys: [c] constant   [a] atomic
 */
struct torture {
    struct large large;          /* [c] */
    uint64_t steps;              /* [c] of each thread */
    uint64_t seed;               /* [c] */
    _Atomic uint64_t nr_wrong;   /* [a] */
    _Atomic uint64_t nr_threads; /* [a] begun */
};

struct torture_thread {
    struct torture *torture;
    struct vm_space *space;
    struct rand rand;
};

/* Some pages, or some large ones. */
struct torture_range {
    size_t first;
    uintptr_t va;
    size_t size;
};

static void
torture_expect(struct torture_thread *thread, bool is_right)
{
    if (!is_right) {
        atomic_fetch_add(&thread->torture->nr_wrong, 1);
    }
}

static struct torture_range
torture_range(struct torture_thread *thread)
{
    size_t unit = rand_below(&thread->rand, 2) == 0 ? 1 : LARGE_PAGES;
    size_t nr = TORTURE_PAGES / unit;
    size_t first = rand_below(&thread->rand, nr);
    size_t size = 1 + rand_below(&thread->rand, nr - first);

    return (struct torture_range){
        .first = first * unit,
        .va = TORTURE_VA + PAGES(first * unit),
        .size = PAGES(size * unit),
    };
}

static void
torture_map(struct torture_thread *thread)
{
    struct torture_range range = torture_range(thread);
    struct space_mapping mapping = {
        .va = range.va,
        .size = range.size,
        .prot = PROT_RW,
        .flags = SPACE_MAP_FIXED |
                 (rand_below(&thread->rand, 4) == 0 ? SPACE_MAP_PRIVATE : 0U),
        .object = thread->torture->large.object->object,
        .index = range.first,
    };
    uintptr_t va;

    torture_expect(thread, space_map(thread->space, &mapping, &va) == OK);
}

static void
torture_unmap(struct torture_thread *thread)
{
    struct torture_range range = torture_range(thread);

    torture_expect(thread,
                   space_unmap(thread->space, range.va, range.size) == OK);
}

static void
torture_protect(struct torture_thread *thread)
{
    struct torture_range range = torture_range(thread);
    unsigned int prot = (unsigned int)rand_below(&thread->rand, 4);
    status_t status;

    status = space_protect(thread->space, range.va, range.size, prot);
    torture_expect(thread, status == OK || status == ERR_NOT_FOUND);
}

static void
torture_discard(struct torture_thread *thread)
{
    struct torture_range range = torture_range(thread);
    status_t status;

    status = space_discard(thread->space, range.va, range.size);
    torture_expect(thread, status == OK || status == ERR_NOT_FOUND);
}

static void
torture_use(struct torture_thread *thread)
{
    for (int i = 0; i < 8; i++) {
        uint64_t index = rand_below(&thread->rand, TORTURE_PAGES);
        uintptr_t va = TORTURE_VA + PAGES(index);
        status_t status;
        uint64_t value;

        if (user_read_u64(va, &value) == OK) {
            torture_expect(thread, value == index + 1);
        }
        status = user_write_u64(va, index + 1);
        torture_expect(thread, status == OK || status == ERR_FAULT);
    }
}

static void
torture_clone(struct torture_thread *thread)
{
    struct vm_space *own = thread->space;

    if (space_clone(&thread->space, own, own->container, "clone") != OK) {
        thread->space = own;
        torture_expect(thread, false);
        return;
    }
    space_use(thread->space);
    torture_use(thread);
    torture_protect(thread);
    torture_use(thread);
    space_use(own);
    space_put(thread->space);
    thread->space = own;
}

static void
torture_collect(struct torture_thread *thread)
{
    struct torture_range range = torture_range(thread);
    unsigned int used;
    status_t status;

    status = space_take_used(thread->space, range.va, &used);
    torture_expect(thread, status == OK || status == ERR_NOT_FOUND);
}

static void
torture_trim(struct torture_thread *thread)
{
    space_trim(thread->space, TORTURE_VA, TORTURE_VA + PAGES(TORTURE_PAGES));
}

static void
torture_drop(struct torture_thread *thread)
{
    space_drop_tables(thread->space);
}

static void
torture_run(void *arg)
{
    static void (*const steps[])(struct torture_thread *thread) = {
        torture_use,   torture_map,     torture_use,     torture_unmap,
        torture_use,   torture_protect, torture_discard, torture_collect,
        torture_use,   torture_map,     torture_trim,    torture_drop,
        torture_clone, torture_use,
    };
    struct torture *torture = arg;
    struct torture_thread thread = {
        .torture = torture,
        .space = torture->large.space->space,
    };

    rand_init(&thread.rand,
              torture->seed + atomic_fetch_add(&torture->nr_threads, 1));
    space_use(thread.space);
    for (uint64_t i = 0; i < torture->steps; i++) {
        steps[rand_below(&thread.rand, ARRAY_SIZE(steps))](&thread);
    }
    space_use(NULL);
}

TEST(large_page, torture)
{
    struct thread *threads[TORTURE_THREADS];
    struct torture torture = { .seed = rand_u64(&t->rand) };
    size_t nr = MIN(2 * cpu_nr_online(), (uint32_t)TORTURE_THREADS);

    if (!large_create_ram(&torture.large, t, TORTURE_PAGES)) {
        SKIP("no memory in one piece");
    }
    torture.steps = TORTURE_STEPS / nr * t->iterations;
    large_fill(&torture.large);
    for (size_t i = 0; i < nr; i++) {
        threads[i] = thread_create("torture", torture_run, &torture, NULL);
        ASSERT(threads[i] != NULL);
    }
    for (size_t i = 0; i < nr; i++) {
        thread_join(threads[i]);
    }
    EXPECT_EQ(torture.nr_wrong, 0);
}

/* --------------------------------------------------- generations of a page */

#define STALE_STEPS 60
#define STALE_INDEX 9

/* A large page that comes and goes, in parts, while others read. */
struct stale {
    struct large large;
    uint64_t steps;
    _Atomic uint64_t unmapped; /* what was written up to this is gone */
    _Atomic uint64_t nr_wrong;
    atomic_bool is_done;
};

static void
stale_write(struct stale *stale)
{
    struct vm_space *space = stale->large.space->space;

    for (uint64_t i = 1; i <= stale->steps; i++) {
        uint64_t first = STALE_INDEX - i % 5;
        uint64_t nr = i % 3 == 0 ? LARGE_PAGES - first : 6;

        WRITE_ONCE(*large_ram(&stale->large, STALE_INDEX), i);
        verify(large_map(&stale->large, FIXTURE_VA, 0) == OK);
        verify(fixture_read(FIXTURE_VA + PAGES(STALE_INDEX)) == i);
        thread_yield();
        verify(space_unmap(space, FIXTURE_VA + PAGES(first), PAGES(nr)) == OK);
        atomic_store(&stale->unmapped, i);
        verify(space_unmap(space, FIXTURE_VA, LARGE_2M) == OK);
        space_trim(space, FIXTURE_VA, FIXTURE_VA + LARGE_2M);
    }
    atomic_store(&stale->is_done, true);
}

static void
stale_read(struct stale *stale)
{
    while (!atomic_load(&stale->is_done)) {
        uint64_t least = atomic_load(&stale->unmapped);
        uint64_t value;

        if (user_read_u64(FIXTURE_VA + PAGES(STALE_INDEX), &value) == OK &&
            value <= least) {
            atomic_fetch_add(&stale->nr_wrong, 1);
        }
        /* An emulator that runs CPUs in turn ends this one's. */
        cpu_pause();
    }
}

/* On each CPU: the first one writes. */
static void
stale_work(void *arg)
{
    struct stale *stale = arg;

    space_use(stale->large.space->space);
    if (cpu_id() == 0) {
        stale_write(stale);
    } else {
        stale_read(stale);
    }
    space_use(NULL);
}

TEST(large_page, nobody_reads_what_was_unmapped)
{
    struct stale stale = { .steps = STALE_STEPS * t->iterations };

    if (!large_create_ram(&stale.large, t, LARGE_PAGES)) {
        SKIP("no memory in one piece");
    }
    all_cpus_run(stale_work, &stale);
    EXPECT_EQ(stale.nr_wrong, 0);
}
