/* SPDX-License-Identifier: MIT */
/*
 * All CPUs work on overlapping ranges of one space.
 *
 * What is written to a page says which page it is, so a translation that
 * outlives its mapping is found: somebody reads what belongs elsewhere, or
 * the page allocator finds its poison spoiled (debug builds).
 */
#include <stdatomic.h>
#include <stddef.h>

#include <kern/cpu.h>
#include <kern/preempt.h>
#include <kern/thread.h>
#include <test/vm/space_fixture.h>

#define TORTURE_PAGES   96
#define TORTURE_STEPS   300
#define TORTURE_THREADS 16

#define TORTURE_VA                                                             \
    (FIXTURE_VA + (UINT64_C(1) << 30) - TORTURE_PAGES / 2 * PAGE_SIZE)

/*
 * Keys: [c] constant   [a] atomic
 */
struct torture {
    struct space_fixture *fixture; /* [c] */
    uint64_t steps;                /* [c] of each thread */
    uint64_t seed;                 /* [c] */
    _Atomic uint64_t nr_wrong;     /* [a] */
    _Atomic uint64_t nr_threads;   /* [a] begun */
};

struct torture_thread {
    struct torture *torture;
    struct rand rand;
};

static uint64_t
torture_tag(uintptr_t va)
{
    return (va >> PAGE_SHIFT) * 0x9e3779b97f4a7c15;
}

static uintptr_t
torture_page(struct torture_thread *thread)
{
    return TORTURE_VA + rand_below(&thread->rand, TORTURE_PAGES) * PAGE_SIZE;
}

static size_t
torture_size(struct torture_thread *thread, uintptr_t va)
{
    size_t max = TORTURE_PAGES - (va - TORTURE_VA) / PAGE_SIZE;

    return (1 + rand_below(&thread->rand, max)) * PAGE_SIZE;
}

static void
torture_expect(struct torture_thread *thread, bool is_right)
{
    if (!is_right) {
        atomic_fetch_add(&thread->torture->nr_wrong, 1);
    }
}

static void
torture_write(struct torture_thread *thread)
{
    uintptr_t va = torture_page(thread);
    status_t status = user_write_u64(va + 16, torture_tag(va));

    torture_expect(thread, status == OK || status == ERR_FAULT);
}

static void
torture_read(struct torture_thread *thread)
{
    uintptr_t va = torture_page(thread);
    uint64_t value;

    if (user_read_u64(va + 16, &value) == OK) {
        torture_expect(thread, value == 0 || value == torture_tag(va));
    }
}

static void
torture_map(struct torture_thread *thread)
{
    uintptr_t va = torture_page(thread);

    torture_expect(thread,
                   fixture_map(thread->torture->fixture, va,
                               torture_size(thread, va), PROT_RW) == OK);
}

static void
torture_unmap(struct torture_thread *thread)
{
    uintptr_t va = torture_page(thread);

    torture_expect(thread, space_unmap(thread->torture->fixture->space, va,
                                       torture_size(thread, va)) == OK);
}

static void
torture_protect(struct torture_thread *thread)
{
    uintptr_t va = torture_page(thread);
    unsigned int prot = (unsigned int)rand_below(&thread->rand, 4);
    status_t status;

    status = space_protect(thread->torture->fixture->space, va,
                           torture_size(thread, va), prot);
    torture_expect(thread, status == OK || status == ERR_NOT_FOUND);
}

static void
torture_discard(struct torture_thread *thread)
{
    uintptr_t va = torture_page(thread);
    status_t status;

    status = space_discard(thread->torture->fixture->space, va,
                           torture_size(thread, va));
    torture_expect(thread, status == OK || status == ERR_NOT_FOUND);
}

static void
torture_clone(struct torture_thread *thread)
{
    struct space_fixture *fixture = thread->torture->fixture;
    struct vm_space *clone;

    if (space_clone(&clone, fixture->space, fixture->container, "clone") !=
        OK) {
        torture_expect(thread, false);
        return;
    }
    space_use(clone);
    for (int i = 0; i < 8; i++) {
        torture_read(thread);
        torture_write(thread);
    }
    space_use(fixture->space);
    space_put(clone);
}

static void
torture_drop(struct torture_thread *thread)
{
    space_drop_tables(thread->torture->fixture->space);
}

static void
torture_trim(struct torture_thread *thread)
{
    space_trim(thread->torture->fixture->space, TORTURE_VA,
               TORTURE_VA + TORTURE_PAGES * PAGE_SIZE);
}

static void
torture_run(void *arg)
{
    static void (*const steps[])(struct torture_thread *thread) = {
        torture_write, torture_write, torture_write,   torture_read,
        torture_read,  torture_map,   torture_unmap,   torture_protect,
        torture_map,   torture_drop,  torture_discard, torture_trim,
    };
    struct torture *torture = arg;
    struct torture_thread thread = { .torture = torture };

    rand_init(&thread.rand,
              torture->seed + atomic_fetch_add(&torture->nr_threads, 1));
    space_use(torture->fixture->space);
    for (uint64_t i = 0; i < torture->steps; i++) {
        if (rand_below(&thread.rand, 64) == 0) {
            torture_clone(&thread);
        } else {
            steps[rand_below(&thread.rand, ARRAY_SIZE(steps))](&thread);
        }
    }
    space_use(NULL);
}

TEST(space, torture)
{
    struct thread *threads[TORTURE_THREADS];
    struct space_fixture *fixture = space_fixture_create(t);
    struct torture torture = {
        .fixture = fixture,
        .steps = TORTURE_STEPS * t->iterations,
        .seed = rand_u64(&t->rand),
    };
    size_t nr = MIN(2 * cpu_nr_online(), (uint32_t)TORTURE_THREADS);

    for (size_t i = 0; i < nr; i++) {
        threads[i] = thread_create("torture", torture_run, &torture, NULL);
        ASSERT(threads[i] != NULL);
    }
    for (size_t i = 0; i < nr; i++) {
        thread_join(threads[i]);
    }
    EXPECT_EQ(torture.nr_wrong, 0);
}

/* Two spaces, of which each becomes a clone of the other. */
struct torture_pair {
    struct vm_space *spaces[2];
    uint64_t steps;
    atomic_uint nr_threads;
    atomic_uint nr_wrong; /* answers that make no sense */
};

static status_t
torture_pair_map(struct vm_space *space)
{
    struct space_mapping mapping = {
        .va = TORTURE_VA,
        .size = 8 * PAGE_SIZE,
        .prot = PROT_RW,
        .flags = SPACE_MAP_FIXED,
    };
    uintptr_t va;

    return space_map(space, &mapping, &va);
}

static void
torture_pair_run(void *arg)
{
    struct torture_pair *pair = arg;
    unsigned int self = atomic_fetch_add(&pair->nr_threads, 1);
    struct vm_space *mine = pair->spaces[self % 2];
    struct vm_space *other = pair->spaces[(self + 1) % 2];

    for (uint64_t i = 0; i < pair->steps; i++) {
        status_t status;

        atomic_fetch_add(&pair->nr_wrong, torture_pair_map(mine) != OK);
        status = space_clone_into(other, mine);
        atomic_fetch_add(&pair->nr_wrong, status != OK &&
                                              status != ERR_EXISTS &&
                                              status != ERR_BUSY);
        status = space_unmap(mine, TORTURE_VA, 8 * PAGE_SIZE);
        atomic_fetch_add(&pair->nr_wrong, status != OK);
    }
}

/* If each had slots of the one that the other needs, they would wait on. */
TEST(space, torture_clones_of_each_other)
{
    struct thread *threads[4];
    struct space_fixture *fixture = space_fixture_create(t);
    struct torture_pair pair = { .spaces = { fixture->space, NULL },
                                 .steps = 100 * t->iterations };

    ASSERT(space_create(&pair.spaces[1], fixture->container, "pair") == OK);
    for (size_t i = 0; i < ARRAY_SIZE(threads); i++) {
        threads[i] = thread_create("torture", torture_pair_run, &pair, NULL);
        ASSERT(threads[i] != NULL);
    }
    for (size_t i = 0; i < ARRAY_SIZE(threads); i++) {
        thread_join(threads[i]);
    }
    EXPECT_EQ(atomic_load(&pair.nr_wrong), 0);
    EXPECT_EQ(space_unmap(pair.spaces[1], TORTURE_VA, 8 * PAGE_SIZE), OK);
    EXPECT_EQ(torture_pair_map(pair.spaces[0]), OK);
    EXPECT_EQ(space_clone_into(pair.spaces[1], pair.spaces[0]), OK);
    space_put(pair.spaces[1]);
}
