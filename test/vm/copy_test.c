/* SPDX-License-Identifier: MIT */
/*
 * Copies between address spaces.
 */
#include <stdatomic.h>

#include <arch/cpu.h>
#include <arch/user_copy.h>
#include <kern/bootmem.h>
#include <kern/container.h>
#include <kern/kmalloc.h>
#include <kern/page.h>
#include <kern/thread.h>
#include <lib/string.h>
#include <vm/copy.h>
#include <vm/object.h>
#include <test/test.h>
#include <test/vm/space_fixture.h>

#define COPY_VA    FIXTURE_VA
#define COPY_PAGES 4
#define COPY_SIZE  (COPY_PAGES * PAGE_SIZE)

/* Two spaces with memory at the same place, and a view of it. */
struct copy_fixture {
    struct space_fixture *own; /* of the calling thread: the destination */
    struct vm_space *other;    /* the source */
};

static void
copy_put_space(void *arg)
{
    space_put(arg);
}

/* Fill the memory of the space in use with what depends on the place. */
static void
copy_fill(uint8_t seed)
{
    for (size_t i = 0; i < COPY_SIZE; i += 8) {
        uint64_t word = i * UINT64_C(0x9e3779b97f4a7c15) + seed;

        verify(user_write_u64(COPY_VA + i, word) == OK);
    }
}

static struct copy_fixture
copy_fixture_create(struct test *t)
{
    struct copy_fixture fixture = { .own = space_fixture_create(t) };

    verify(space_create(&fixture.other, fixture.own->container, "other") == OK);
    test_cleanup(t, copy_put_space, fixture.other);
    verify(fixture_map(fixture.own, COPY_VA, COPY_SIZE, PROT_RW) == OK);
    return fixture;
}

/* Have memory in the other space, with contents. */
static void
copy_map_other(const struct copy_fixture *fixture)
{
    struct space_mapping mapping = {
        .va = COPY_VA,
        .size = COPY_SIZE,
        .prot = PROT_RW,
        .flags = SPACE_MAP_FIXED,
    };
    uintptr_t va;

    verify(space_map(fixture->other, &mapping, &va) == OK);
    space_use(fixture->other);
    copy_fill(1);
    space_use(fixture->own->space);
}

static struct space_copy
copy_make(const struct copy_fixture *fixture, size_t to, size_t from,
          size_t size)
{
    return (struct space_copy){
        .dst = { fixture->own->space, COPY_VA + to },
        .src = { fixture->other, COPY_VA + from },
        .size = size,
    };
}

/* Byte @at of what copy_fill(1) writes. */
static uint8_t
copy_byte(size_t at)
{
    uint64_t word = at / 8 * 8 * UINT64_C(0x9e3779b97f4a7c15) + 1;

    return (uint8_t)(word >> at % 8 * 8);
}

/* Whether @size bytes at @to came from @from, and those around are zeros. */
static bool
copy_is_exact(size_t to, size_t from, size_t size)
{
    uint8_t *bytes = kmalloc(COPY_SIZE);
    bool is_exact;

    verify(bytes != NULL);
    is_exact = user_copy_in(bytes, COPY_VA, COPY_SIZE) == 0;
    for (size_t i = 0; i < COPY_SIZE && is_exact; i++) {
        uint8_t wanted = i - to < size ? copy_byte(from + i - to) : 0;

        is_exact = bytes[i] == wanted;
    }
    kfree(bytes);
    return is_exact;
}

TEST(space_copy, is_exact_for_all_alignments)
{
    static const size_t sizes[] = { 0, 1, 7, 8, 9, 4095, 4096, 4097, 8191 };
    struct copy_fixture fixture = copy_fixture_create(t);

    copy_map_other(&fixture);
    for (size_t i = 0; i < ARRAY_SIZE(sizes) * 4; i++) {
        size_t size = sizes[i / 4];
        size_t to = rand_below(&t->rand, COPY_SIZE - size);
        size_t from = rand_below(&t->rand, COPY_SIZE - size);
        struct space_copy copy = copy_make(&fixture, to, from, size);

        verify(user_clear(COPY_VA, COPY_SIZE) == 0);
        EXPECT_EQ(space_copy(&copy), SPACE_COPY_DONE);
        EXPECT_EQ(copy.size, 0);
        EXPECT_EQ(copy.dst.va, COPY_VA + to + size);
        EXPECT(copy_is_exact(to, from, size));
    }
}

TEST(space_copy, faults_pages_in_on_both_sides)
{
    struct copy_fixture fixture = copy_fixture_create(t);
    struct space_copy copy;

    copy_map_other(&fixture);
    space_drop_tables(fixture.other);
    copy = copy_make(&fixture, 100, 3, 2 * PAGE_SIZE);
    EXPECT_EQ(space_copy(&copy), SPACE_COPY_DONE);
    EXPECT(copy_is_exact(100, 3, 2 * PAGE_SIZE));
}

TEST(space_copy, ends_where_the_source_ends)
{
    struct copy_fixture fixture = copy_fixture_create(t);
    struct space_copy copy;

    copy_map_other(&fixture);
    copy = copy_make(&fixture, 0, COPY_SIZE - 100, 200);
    EXPECT_EQ(space_copy(&copy), SPACE_COPY_BAD_SRC);
    EXPECT_EQ(copy.size, 100);
    EXPECT(copy_is_exact(0, COPY_SIZE - 100, 100));
}

TEST(space_copy, ends_where_the_destination_ends)
{
    struct copy_fixture fixture = copy_fixture_create(t);
    struct space_copy copy;

    copy_map_other(&fixture);
    copy = copy_make(&fixture, COPY_SIZE - 100, 0, 200);
    EXPECT_EQ(space_copy(&copy), SPACE_COPY_BAD_DST);
    EXPECT_EQ(copy.size, 100);
}

TEST(space_copy, does_not_write_what_is_read_only)
{
    struct copy_fixture fixture = copy_fixture_create(t);
    struct space_copy copy;

    copy_map_other(&fixture);
    verify(space_protect(fixture.own->space, COPY_VA, PAGE_SIZE, PMAP_READ) ==
           OK);
    copy = copy_make(&fixture, 0, 0, 8);
    EXPECT_EQ(space_copy(&copy), SPACE_COPY_BAD_DST);
    EXPECT_EQ(copy.size, 8);
}

TEST(space_copy, refuses_addresses_of_the_kernel)
{
    static const uintptr_t bad[] = { 0,
                                     USER_END - 8,
                                     USER_END,
                                     DIRECT_MAP_BASE,
                                     UINTPTR_MAX - 4,
                                     UINT64_C(1) << 62 };
    struct copy_fixture fixture = copy_fixture_create(t);

    copy_map_other(&fixture);
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        struct space_copy copy = copy_make(&fixture, 0, 0, 16);

        copy.src.va = bad[i];
        EXPECT_EQ(space_copy(&copy), SPACE_COPY_BAD_SRC);
        copy = copy_make(&fixture, 0, 0, 16);
        copy.dst.va = bad[i];
        EXPECT_EQ(space_copy(&copy), SPACE_COPY_BAD_DST);
    }
}

TEST(space_copy, leaves_clones_as_they_were)
{
    struct copy_fixture fixture = copy_fixture_create(t);
    struct vm_space *clone;
    struct space_copy copy;
    uint64_t word = 1;

    copy_map_other(&fixture);
    verify(user_clear(COPY_VA, COPY_SIZE) == 0);
    verify(space_clone(&clone, fixture.own->space, fixture.own->container,
                       "clone") == OK);
    copy = copy_make(&fixture, 0, 0, COPY_SIZE);
    EXPECT_EQ(space_copy(&copy), SPACE_COPY_DONE);
    EXPECT(copy_is_exact(0, 0, COPY_SIZE));
    space_use(clone);
    EXPECT_EQ(user_read_u64(COPY_VA, &word), OK);
    EXPECT_EQ(word, 0);
    space_use(fixture.own->space);
    space_put(clone);
}

TEST(space_copy, marks_pages_as_used)
{
    struct copy_fixture fixture = copy_fixture_create(t);
    struct space_copy copy;
    unsigned int used;

    copy_map_other(&fixture);
    verify(user_clear(COPY_VA, COPY_SIZE) == 0);
    verify(space_take_used(fixture.own->space, COPY_VA, &used) == OK);
    verify(space_take_used(fixture.other, COPY_VA, &used) == OK);
    copy = copy_make(&fixture, 0, 0, 8);
    EXPECT_EQ(space_copy(&copy), SPACE_COPY_DONE);
    EXPECT_EQ(space_take_used(fixture.own->space, COPY_VA, &used), OK);
    EXPECT_EQ(used, SPACE_USED_ACCESSED | SPACE_USED_DIRTY);
    EXPECT_EQ(space_take_used(fixture.other, COPY_VA, &used), OK);
    EXPECT_EQ(used, SPACE_USED_ACCESSED);
}

TEST(space_copy, takes_memory_of_the_kernel)
{
    struct copy_fixture fixture = copy_fixture_create(t);
    uint64_t *words = kmalloc(2 * sizeof(*words));
    struct space_copy copy = {
        .dst = { fixture.own->space, COPY_VA + PAGE_SIZE - 8 },
        .src = { NULL, (uintptr_t)words },
        .size = 16,
    };
    uint64_t word = 0;

    verify(words != NULL);
    words[0] = 5;
    words[1] = 6;
    EXPECT_EQ(space_copy(&copy), SPACE_COPY_DONE);
    EXPECT_EQ(user_read_u64(COPY_VA + PAGE_SIZE, &word), OK);
    EXPECT_EQ(word, 6);
    kfree(words);
}

/* ----------------------------------------------------------------- torture */

/*
 * One thread copies the source to pages of its own, and looks at the results;
 * another one takes pages away on both sides.  A word of the source tells its
 * place, or is 0 when the page is new, and so does one of the copy.
 */
struct copy_torture {
    struct copy_fixture fixture;
    struct rand rand; /* of who takes away */
    size_t *word;     /* the kernel's, to copy from */
    atomic_bool is_done;
};

static void
copy_take_away(void *arg)
{
    struct copy_torture *torture = arg;
    struct rand *rand = &torture->rand;

    while (!atomic_load(&torture->is_done)) {
        struct vm_space *space = rand_below(rand, 2) == 0
                                     ? torture->fixture.other
                                     : torture->fixture.own->space;
        uintptr_t va = COPY_VA + rand_below(rand, COPY_PAGES) * PAGE_SIZE;

        switch (rand_below(rand, 3)) {
        case 0:
            verify(space_discard(space, va, PAGE_SIZE) == OK);
            break;
        case 1:
            space_drop_tables(space);
            break;
        case 2:
            verify(space_protect(space, va, PAGE_SIZE, PMAP_READ) == OK);
            verify(space_protect(space, va, PAGE_SIZE, PROT_RW) == OK);
            break;
        }
        test_pause();
    }
}

/* Returns: whether what was seen is possible */
static bool
copy_torture_step(struct copy_torture *torture, size_t from, size_t seen)
{
    struct space_copy place = {
        .dst = { torture->fixture.other, COPY_VA + from },
        .src = { NULL, (uintptr_t)torture->word },
        .size = sizeof(*torture->word),
    };
    struct space_copy all = copy_make(&torture->fixture, 0, 0, COPY_SIZE);
    uint64_t word = 0;

    /* While a page is read-only a copy ends there. */
    *torture->word = from;
    if (from % 16 == 0) {
        uint64_t flags = cpu_irq_save();

        (void)space_poke(place.dst.space, place.dst.va, torture->word,
                         place.size);
        cpu_irq_restore(flags);
    } else {
        (void)space_copy(&place);
    }
    (void)space_copy(&all);
    return user_read_u64(COPY_VA + seen, &word) != OK || word == 0 ||
           word == seen;
}

TEST(space_copy, torture_pages_are_taken_away)
{
    static struct copy_torture torture;
    struct space_mapping mapping = {
        .va = COPY_VA,
        .size = COPY_SIZE,
        .prot = PROT_RW,
        .flags = SPACE_MAP_FIXED,
    };
    struct thread *thread;
    uintptr_t va;

    torture = (struct copy_torture){ .fixture = copy_fixture_create(t) };
    verify(space_map(torture.fixture.other, &mapping, &va) == OK);
    torture.word = kmalloc(sizeof(*torture.word));
    rand_init(&torture.rand, rand_u64(&t->rand));
    thread = thread_create("taker", copy_take_away, &torture, NULL);
    verify(torture.word != NULL && thread != NULL);
    for (uint64_t i = 0; i < 500 * t->iterations; i++) {
        size_t from = rand_below(&t->rand, COPY_SIZE / 8) * 8;

        EXPECT(copy_torture_step(&torture, from,
                                 rand_below(&t->rand, COPY_SIZE / 8) * 8));
    }
    atomic_store(&torture.is_done, true);
    thread_join(thread);
    kfree(torture.word);
}

/* A hole in memory that the kernel has no mapping of, next to memory. */
static paddr_t
copy_find_hole(void)
{
    struct bootmem_range ram;
    struct pmap_walk walk;
    paddr_t phys = 0;

    while (bootmem_next_ram(phys, &ram)) {
        phys = ram.end;
        if (IS_ALIGNED(phys, PAGE_SIZE) && page_exists(phys) &&
            !(pmap_walk_next(DIRECT_MAP_BASE + phys, &walk) &&
              walk.va < DIRECT_MAP_BASE + phys + PAGE_SIZE)) {
            return phys;
        }
    }
    return PADDR_NONE;
}

TEST(space_copy, refuses_what_is_not_memory_next_to_memory)
{
    struct copy_fixture fixture = copy_fixture_create(t);
    struct object_range range = { copy_find_hole(), PAGE_SIZE, PMAP_WB };
    struct space_mapping mapping = {
        .va = COPY_VA,
        .size = PAGE_SIZE,
        .prot = PROT_RW,
        .flags = SPACE_MAP_FIXED,
    };
    struct space_copy copy;
    uintptr_t va;

    if (range.phys == PADDR_NONE) {
        SKIP("no such hole");
    }
    verify(object_create_phys(&mapping.object, container_root, "hole",
                              &range) == OK);
    verify(space_map(fixture.other, &mapping, &va) == OK);
    object_put(mapping.object);
    copy = copy_make(&fixture, 0, 0, 8);
    EXPECT_EQ(space_copy(&copy), SPACE_COPY_BAD_SRC);
    EXPECT_EQ(copy.size, 8);
}
