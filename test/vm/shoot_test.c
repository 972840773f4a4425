/* SPDX-License-Identifier: MIT */
/*
 * Who is interrupted by a shootdown, and that nobody keeps a translation.
 *
 * Counts are exact because nothing else shoots down meanwhile: a node of which
 * some of the slots stay mapped is not taken out of the tree, and page tables
 * that are dropped are counted apart.
 */
#include <stdatomic.h>
#include <stddef.h>

#include <lib/bitmap.h>
#include <arch/cpu.h>
#include <arch/latency.h>
#include <kern/all_cpus.h>
#include <kern/cpu.h>
#include <kern/rcu.h>
#include <kern/thread.h>
#include <vm/shoot.h>
#include <vm/space_types.h>
#include <test/vm/space_fixture.h>

#define PAGES(n) ((size_t)(n) * PAGE_SIZE)

/* Up to here each number of CPUs is tried, beyond it powers of two. */
#define SHOOT_DENSE 64

/* Run a function in a thread that stays on a CPU. */
static void
shoot_run_on(uint32_t cpu, thread_fn_t fn, void *arg)
{
    const struct thread_attr attr = { .pinned = true, .cpu = cpu };
    struct thread *thread = thread_create("shoot", fn, arg, &attr);

    verify(thread != NULL);
    thread_join(thread);
}

/* ------------------------------------------------------- exact interrupts */

/* Pages of a range, and from one range to the next. */
#define MATRIX_RANGE  16
#define MATRIX_STRIDE 32

typedef status_t (*matrix_fn_t)(struct vm_space *space, uintptr_t va,
                                size_t size);

/*
 * A space that is used by @nr_cpus CPUs, with ranges of which the k-th is used
 * by k of them.
 */
struct matrix {
    struct space_fixture *fixture;
    uint32_t nr_cpus;
    size_t stride; /* bytes from one range to the next */
    size_t step;   /* bytes from one CPU's page in a range to the next's */
    uint32_t nr_pages;
    uint32_t k;
    uint32_t caller;
    matrix_fn_t fn; /* what is done to a range */
};

static uint32_t
matrix_next(uint32_t k)
{
    return k < SHOOT_DENSE ? k + 1 : 2 * k;
}

/* The number of a range among those that there are. */
static uintptr_t
matrix_va(const struct matrix *matrix, uint32_t k)
{
    size_t i = k <= SHOOT_DENSE
                   ? k
                   : SHOOT_DENSE + (size_t)__builtin_ctz(k / SHOOT_DENSE);

    return FIXTURE_VA + i * matrix->stride;
}

static bool
matrix_uses(const struct matrix *matrix, uint32_t k, uint32_t cpu)
{
    return cpu < matrix->nr_cpus && (cpu + 7 * k) % matrix->nr_cpus < k;
}

/* On each CPU: use what it is to use. */
static void
matrix_touch(void *arg)
{
    const struct matrix *matrix = arg;
    uint32_t cpu = cpu_id();
    size_t offset = cpu % matrix->nr_pages * matrix->step;

    if (cpu >= matrix->nr_cpus) {
        return;
    }
    space_use(matrix->fixture->space);
    for (uint32_t k = 0; k <= matrix->nr_cpus; k = matrix_next(k)) {
        if (matrix_uses(matrix, k, cpu)) {
            verify(user_write_u64(matrix_va(matrix, k) + offset, k) == OK);
        }
    }
    space_use(NULL);
}

/* Whether a CPU shares a bit of the words of sharers with one that is meant. */
static bool
matrix_may_serve(const struct matrix *matrix, uint32_t cpu)
{
    uint32_t other;

    cpu_for_each (other) {
        if (matrix_uses(matrix, matrix->k, other) &&
            shoot_group(other) == shoot_group(cpu)) {
            return true;
        }
    }
    return false;
}

/* Whether the right CPUs were interrupted, once each. */
static void
matrix_check(const struct matrix *matrix, const uint64_t *before,
             uint64_t nr_sent)
{
    struct test *t = matrix->fixture->t;
    uint64_t nr_served = 0;
    uint32_t cpu;

    cpu_for_each (cpu) {
        struct shoot_stats stats;
        uint64_t nr;

        shoot_stats_get_cpu(cpu, &stats);
        nr = stats.nr_served - before[cpu];
        nr_served += nr;
        if (cpu == matrix->caller) {
            EXPECT_EQ(nr, 0);
        } else if (matrix_uses(matrix, matrix->k, cpu)) {
            EXPECT_EQ(nr, 1);
        } else {
            EXPECT(nr == 0 || (nr == 1 && matrix_may_serve(matrix, cpu)));
        }
    }
    EXPECT_EQ(nr_sent, nr_served);
}

/* On the caller's CPU: take one range away and look who was interrupted. */
static void
matrix_take(void *arg)
{
    const struct matrix *matrix = arg;
    struct test *t = matrix->fixture->t;
    uint64_t *before = kmalloc(cpu_nr_possible * sizeof(*before));
    struct shoot_stats old, new;
    uint32_t cpu;

    verify(before != NULL);
    cpu_for_each (cpu) {
        shoot_stats_get_cpu(cpu, &old);
        before[cpu] = old.nr_served;
    }
    shoot_stats_get_cpu(cpu_id(), &old);
    EXPECT_EQ(matrix->fn(matrix->fixture->space, matrix_va(matrix, matrix->k),
                         matrix->nr_pages * matrix->step),
              OK);
    shoot_stats_get_cpu(cpu_id(), &new);
    matrix_check(matrix, before, new.nr_interrupts - old.nr_interrupts);
    kfree(before);
}

/* All ranges, each from another CPU. */
static void
matrix_run(struct matrix *matrix)
{
    uint32_t nr = matrix->nr_cpus;

    all_cpus_run(matrix_touch, matrix);
    for (uint32_t k = 0; k <= nr; k = matrix_next(k)) {
        matrix->k = k;
        matrix->caller = (5 * k + 1) % nr;
        if (cpu_is_online(matrix->caller)) {
            shoot_run_on(matrix->caller, matrix_take, matrix);
        }
    }
}

/*
 * For several numbers of CPUs that use a space, with repetitions for each,
 * that is all k of n.
 */
static void
matrix_run_all(struct matrix *matrix)
{
    struct test *t = matrix->fixture->t;
    size_t size = matrix->stride * (SHOOT_DENSE + 8);
    bool is_done = false;

    for (uint32_t n = 1; !is_done; n = t->iterations > 1 ? n + 1 : 2 * n) {
        is_done = n >= cpu_nr_possible;
        matrix->nr_cpus = MIN(n, cpu_nr_possible);
        EXPECT_EQ(fixture_map(matrix->fixture, FIXTURE_VA, size, PROT_RW), OK);
        matrix_run(matrix);
    }
}

TEST(shoot, unmap_interrupts_exactly_those_who_use_a_range)
{
    struct matrix matrix = {
        .fixture = space_fixture_create(t),
        .stride = PAGES(MATRIX_STRIDE),
        .step = PAGE_SIZE,
        .nr_pages = MATRIX_RANGE,
        .fn = space_unmap,
    };

    matrix_run_all(&matrix);
}

static status_t
matrix_protect(struct vm_space *space, uintptr_t va, size_t size)
{
    return space_protect(space, va, size, PMAP_READ);
}

TEST(shoot, protect_interrupts_exactly_those_who_use_a_range)
{
    struct matrix matrix = {
        .fixture = space_fixture_create(t),
        .stride = PAGES(MATRIX_STRIDE),
        .step = PAGE_SIZE,
        .nr_pages = MATRIX_RANGE,
        .fn = matrix_protect,
    };

    matrix_run_all(&matrix);
}

/* Each CPU uses a part with page tables of its own. */
TEST(shoot, unmap_of_1_gib_interrupts_each_user_once)
{
    struct matrix matrix = {
        .fixture = space_fixture_create(t),
        .stride = UINT64_C(1) << 30,
        .step = UINT64_C(1) << 28,
        .nr_pages = 4,
        .fn = space_unmap,
    };

    matrix.nr_cpus = MIN(cpu_nr_possible, 4U);
    EXPECT_EQ(fixture_map(matrix.fixture, FIXTURE_VA, 5 * matrix.stride,
                          PROT_RW),
              OK);
    matrix_run(&matrix);
}

/* ------------------------------------------------------- an uninvolved CPU */

#define CHURN_STEPS  400 /* of all CPUs together */
#define CHURN_SHARED 4
#define CHURN_TRIES  20

struct churn {
    struct space_fixture *fixture;
    uint32_t uninvolved;
    uint64_t steps;
};

/* Work on a page on which others work, too. */
static void
churn_shared(const struct churn *churn, uint64_t i)
{
    struct vm_space *space = churn->fixture->space;
    uintptr_t va = FIXTURE_VA + PAGES(i % CHURN_SHARED);
    status_t status = user_write_u64(va, i);

    /* It may be read-only for a moment. */
    verify(status == OK || status == ERR_FAULT);
    switch (i % 3) {
    case 0:
        verify(fixture_map(churn->fixture, va, PAGE_SIZE, PROT_RW) == OK);
        break;
    case 1:
        verify(space_discard(space, va, PAGE_SIZE) == OK);
        break;
    default:
        verify(space_protect(space, va, PAGE_SIZE, PMAP_READ) == OK);
        verify(space_protect(space, va, PAGE_SIZE, PROT_RW) == OK);
    }
}

/* Work on pages of this CPU's own. */
static void
churn_own(const struct churn *churn, uint64_t i)
{
    size_t size = PAGES(1 + i % 8);
    uintptr_t va = fixture_map_anywhere(churn->fixture, size);

    verify(va != 0);
    verify(user_write_u64(va + size - 8, i) == OK);
    verify(space_unmap(churn->fixture->space, va, size) == OK);
}

/* The uninvolved CPU gets tables with something in them. */
static void
churn_settle(void *arg)
{
    const struct churn *churn = arg;
    uintptr_t va;

    space_use(churn->fixture->space);
    va = fixture_map_anywhere(churn->fixture, PAGES(2));
    verify(va != 0 && user_write_u64(va, 1) == OK);
    space_use(NULL);
}

static void
churn_work(void *arg)
{
    const struct churn *churn = arg;

    /* Who shares its bit is not told apart. */
    if (shoot_group(cpu_id()) == shoot_group(churn->uninvolved)) {
        return;
    }
    space_use(churn->fixture->space);
    for (uint64_t i = 0; i < churn->steps; i++) {
        churn_own(churn, i);
        churn_shared(churn, i);
    }
    space_use(NULL);
}

TEST(shoot, churn_of_others_interrupts_nobody_else)
{
    struct shoot_stats before, after, sum_before, sum;
    struct churn churn = {
        .steps = (CHURN_STEPS / cpu_nr_online() + 1) * t->iterations,
    };
    unsigned int tries = 0;
    uint32_t cpu;

    if (cpu_nr_online() < 2) {
        SKIP("one CPU");
    }
    cpu_for_each (cpu) {
        churn.uninvolved = cpu;
    }
    churn.fixture = space_fixture_create(t);
    EXPECT_EQ(fixture_map(churn.fixture, FIXTURE_VA, PAGES(CHURN_SHARED + 1),
                          PROT_RW),
              OK);
    shoot_run_on(churn.uninvolved, churn_settle, &churn);

    shoot_stats_get_cpu(churn.uninvolved, &before);
    shoot_stats_get(&sum_before);
    do {
        /* One may be done before the next one begins. */
        all_cpus_run(churn_work, &churn);
        shoot_stats_get(&sum);
    } while (sum.nr_interrupts == sum_before.nr_interrupts &&
             ++tries < CHURN_TRIES && cpu_nr_online() > 2);
    shoot_stats_get_cpu(churn.uninvolved, &after);
    EXPECT_EQ(after.nr_served, before.nr_served);
    EXPECT(tries < CHURN_TRIES);
}

/* ------------------------------------------------ reuse while it goes on */

/*
 * CPU 1 has a page and does not answer; the page is unmapped, and its address
 * is to be used again.
 */
struct reuse {
    struct space_fixture *fixture;
    atomic_bool is_deaf;   /* CPU 1 has interrupts disabled */
    atomic_bool is_mapped; /* the address is in use again */
    bool was_early;        /* it was while CPU 1 had not answered */
    uint64_t value;        /* what CPU 1 reads in the end */
};

/* Whether the slot has a bit of its lock. */
static bool
reuse_slot_has(const struct reuse *reuse, uint64_t bit)
{
    struct vm_place place;
    uint64_t word;

    rcu_read_lock();
    word = tree_find(&reuse->fixture->space->tree, FIXTURE_VA, &place);
    rcu_read_unlock();
    return (word & bit) != 0;
}

/* On CPU 1. */
static void
reuse_hold(void *arg)
{
    struct reuse *reuse = arg;
    uint64_t flags;

    space_use(reuse->fixture->space);
    verify(user_write_u64(FIXTURE_VA, 5) == OK);
    flags = cpu_irq_save();
    atomic_store(&reuse->is_deaf, true);
    while (!reuse_slot_has(reuse, SLOT_WAITED)) {
        cpu_pause();
    }
    reuse->was_early = atomic_load(&reuse->is_mapped);
    latency_excuse("a CPU that does not answer");
    cpu_irq_restore(flags);

    while (!atomic_load(&reuse->is_mapped)) {
        test_pause();
    }
    reuse->value = fixture_read(FIXTURE_VA);
    space_use(NULL);
}

/* Not on CPU 1. */
static void
reuse_unmap(void *arg)
{
    struct reuse *reuse = arg;

    while (!atomic_load(&reuse->is_deaf)) {
        test_pause();
    }
    verify(space_unmap(reuse->fixture->space, FIXTURE_VA, PAGE_SIZE) == OK);
}

/* Not on CPU 1. */
static void
reuse_map(void *arg)
{
    struct reuse *reuse = arg;
    struct space_mapping mapping = {
        .va = FIXTURE_VA,
        .size = PAGE_SIZE,
        .prot = PROT_RW,
        .flags = SPACE_MAP_FIXED | SPACE_MAP_NEW,
    };
    uintptr_t va;

    while (!atomic_load(&reuse->is_deaf) ||
           !reuse_slot_has(reuse, SLOT_LOCKED)) {
        thread_yield();
    }
    verify(space_map(reuse->fixture->space, &mapping, &va) == OK);
    atomic_store(&reuse->is_mapped, true);
}

TEST(shoot, an_address_is_used_again_only_when_all_have_forgotten)
{
    struct thread_attr attr = { .pinned = true };
    struct thread *threads[3];
    struct reuse reuse = { .is_deaf = false };

    if (cpu_nr_online() < 2) {
        SKIP("one CPU");
    }
    reuse.fixture = space_fixture_create(t);
    EXPECT_EQ(fixture_map(reuse.fixture, FIXTURE_VA, PAGES(2), PROT_RW), OK);
    threads[0] = thread_create("unmap", reuse_unmap, &reuse, &attr);
    threads[1] = thread_create("map", reuse_map, &reuse, &attr);
    attr.cpu = 1;
    threads[2] = thread_create("hold", reuse_hold, &reuse, &attr);
    for (size_t i = 0; i < ARRAY_SIZE(threads); i++) {
        verify(threads[i] != NULL);
        thread_join(threads[i]);
    }
    EXPECT(!reuse.was_early);
    EXPECT_EQ(reuse.value, 0);
}

/* -------------------------------------------- generations at one address */

#define STALE_STEPS 200

/* A page that is mapped and unmapped again and again, while others read. */
struct stale {
    struct space_fixture *fixture;
    uint64_t steps;
    _Atomic uint64_t unmapped; /* what was written up to this is gone */
    _Atomic uint64_t nr_wrong;
};

static void
stale_write(const struct stale *stale, uint64_t generation)
{
    verify(fixture_map(stale->fixture, FIXTURE_VA, PAGE_SIZE, PROT_RW) == OK);
    verify(user_write_u64(FIXTURE_VA, generation) == OK);
}

static void
stale_read(struct stale *stale)
{
    uint64_t least = atomic_load(&stale->unmapped);
    uint64_t value;

    if (user_read_u64(FIXTURE_VA, &value) == OK && value != 0 &&
        value <= least) {
        atomic_fetch_add(&stale->nr_wrong, 1);
    }
}

/* On each CPU: the first one writes. */
static void
stale_work(void *arg)
{
    struct stale *stale = arg;
    bool is_writer = cpu_id() == 0;

    space_use(stale->fixture->space);
    for (uint64_t i = 1; i <= stale->steps; i++) {
        if (is_writer) {
            stale_write(stale, i);
            thread_yield();
            verify(space_unmap(stale->fixture->space, FIXTURE_VA, PAGE_SIZE) ==
                   OK);
            atomic_store(&stale->unmapped, i);
        } else {
            stale_read(stale);
        }
    }
    space_use(NULL);
}

TEST(shoot, nobody_reads_what_was_unmapped)
{
    struct stale stale = { .steps = STALE_STEPS * t->iterations };

    stale.fixture = space_fixture_create(t);
    EXPECT_EQ(fixture_map(stale.fixture, FIXTURE_VA, PAGES(2), PROT_RW), OK);
    all_cpus_run(stale_work, &stale);
    EXPECT_EQ(stale.nr_wrong, 0);
}

/* --------------------------------------------------- tables that are gone */

struct single {
    struct space_fixture *fixture;
    uint64_t value;       /* that was read */
    uint64_t nr_sent;     /* interrupts */
    uint64_t nr_received; /* by CPU 1 */
};

static void
single_write(void *arg)
{
    struct single *single = arg;

    space_use(single->fixture->space);
    verify(user_write_u64(FIXTURE_VA, 5) == OK);
    space_use(NULL);
}

static void
single_read(void *arg)
{
    struct single *single = arg;

    space_use(single->fixture->space);
    single->value = fixture_read(FIXTURE_VA);
    space_use(NULL);
}

/* Unmap and count interrupts.  The caller stays on its CPU. */
static void
single_unmap(void *arg)
{
    struct single *single = arg;
    struct shoot_stats own, other, own_before, other_before;

    shoot_stats_get_cpu(cpu_id(), &own_before);
    shoot_stats_get_cpu(1, &other_before);
    verify(space_unmap(single->fixture->space, FIXTURE_VA, PAGE_SIZE) == OK);
    shoot_stats_get_cpu(cpu_id(), &own);
    shoot_stats_get_cpu(1, &other);
    single->nr_sent = own.nr_interrupts - own_before.nr_interrupts;
    single->nr_received = other.nr_served - other_before.nr_served;
}

TEST(shoot, a_page_of_the_caller_alone_interrupts_nobody)
{
    struct single single = { .fixture = space_fixture_create(t) };

    EXPECT_EQ(fixture_map(single.fixture, FIXTURE_VA, PAGES(2), PROT_RW), OK);
    shoot_run_on(0, single_write, &single);
    shoot_run_on(0, single_unmap, &single);
    EXPECT_EQ(single.nr_sent, 0);
}

TEST(shoot, dropped_tables_cost_one_interrupt_at_most)
{
    struct single single = { .fixture = NULL };

    if (cpu_nr_online() < 2) {
        SKIP("one CPU");
    }
    single.fixture = space_fixture_create(t);
    EXPECT_EQ(fixture_map(single.fixture, FIXTURE_VA, PAGES(2), PROT_RW), OK);
    shoot_run_on(1, single_write, &single);
    space_drop_tables(single.fixture->space);
    shoot_run_on(0, single_unmap, &single);
    EXPECT(single.nr_sent <= 1);
    EXPECT_EQ(single.nr_received, single.nr_sent);

    /* It was taken out of the set. */
    EXPECT_EQ(fixture_map(single.fixture, FIXTURE_VA, PAGES(2), PROT_RW), OK);
    shoot_run_on(0, single_unmap, &single);
    EXPECT_EQ(single.nr_sent, 0);
}

TEST(shoot, dropped_tables_are_filled_again)
{
    struct single single = { .fixture = NULL };

    if (cpu_nr_online() < 2) {
        SKIP("one CPU");
    }
    single.fixture = space_fixture_create(t);
    EXPECT_EQ(fixture_map(single.fixture, FIXTURE_VA, PAGES(2), PROT_RW), OK);
    shoot_run_on(1, single_write, &single);
    space_drop_tables(single.fixture->space);
    shoot_run_on(1, single_read, &single);
    EXPECT_EQ(single.value, 5);
    shoot_run_on(0, single_unmap, &single);
    EXPECT_EQ(single.nr_received, 1);
    shoot_run_on(1, single_read, &single);
    EXPECT_EQ(single.value, UINT64_MAX);
}

static void
single_read_and_write(void *arg)
{
    single_read(arg);
    single_write(arg);
}

TEST(shoot, dropped_tables_lose_no_write)
{
    struct single single = { .fixture = NULL };
    unsigned int used;

    if (cpu_nr_online() < 2) {
        SKIP("one CPU");
    }
    single.fixture = space_fixture_create(t);
    EXPECT_EQ(fixture_map(single.fixture, FIXTURE_VA, PAGES(2), PROT_RW), OK);
    shoot_run_on(0, single_write, &single);
    EXPECT_EQ(space_take_used(single.fixture->space, FIXTURE_VA, &used), OK);
    /* CPU 1 is not the home of the page's node: it has a table of its own. */
    for (int i = 0; i < 2; i++) {
        shoot_run_on(1, single_read_and_write, &single);
        space_drop_tables(single.fixture->space);
        EXPECT_EQ(space_take_used(single.fixture->space, FIXTURE_VA, &used),
                  OK);
        EXPECT_EQ(used, SPACE_USED_ACCESSED | SPACE_USED_DIRTY);
        /* It is asked for while CPU 1 has the translation, and kept. */
        shoot_run_on(1, single_write, &single);
        EXPECT_EQ(space_take_used(single.fixture->space, FIXTURE_VA, &used),
                  OK);
        EXPECT_EQ(used, SPACE_USED_ACCESSED | SPACE_USED_DIRTY);
    }
}

/* ------------------------------------------------------ a thread that moved */

/* Have this thread run on a CPU. */
static void
moved_go(uint32_t cpu)
{
    size_t size = BITMAP_LONGS(cpu_nr_possible) * sizeof(unsigned long);
    unsigned long *mask = kzalloc(size);

    verify(mask != NULL);
    bitmap_set(mask, cpu);
    verify(thread_set_affinity(thread_self(), mask) == OK);
    kfree(mask);
}

/* Write on CPU 1, unmap on CPU 0, read on CPU 1. */
static void
moved_work(void *arg)
{
    struct single *single = arg;

    space_use(single->fixture->space);
    moved_go(1);
    verify(user_write_u64(FIXTURE_VA, 5) == OK);
    moved_go(0);
    verify(fixture_read(FIXTURE_VA) == 5);
    single_unmap(single);
    moved_go(1);
    single->value = fixture_read(FIXTURE_VA);
    space_use(NULL);
}

TEST(shoot, where_a_thread_was_nothing_is_left)
{
    struct single single = { .fixture = NULL };
    struct thread *thread;

    if (cpu_nr_online() < 2) {
        SKIP("one CPU");
    }
    single.fixture = space_fixture_create(t);
    EXPECT_EQ(fixture_map(single.fixture, FIXTURE_VA, PAGES(2), PROT_RW), OK);
    thread = thread_create("moves", moved_work, &single, NULL);
    ASSERT(thread != NULL);
    thread_join(thread);
    EXPECT_EQ(single.nr_sent, 1);
    EXPECT_EQ(single.nr_received, 1);
    EXPECT_EQ(single.value, UINT64_MAX);
}
