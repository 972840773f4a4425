/* SPDX-License-Identifier: MIT */
/*
 * Few bytes written into a space, and pages that are remembered for it.
 */
#include <lib/string.h>
#include <arch/cpu.h>
#include <arch/user_copy.h>
#include <kern/cpu.h>
#include <kern/thread.h>
#include <vm/copy.h>
#include <vm/object.h>
#include <test/test.h>
#include <test/vm/space_fixture.h>

#define POKE_VA    FIXTURE_VA
#define POKE_VIEW  (FIXTURE_VA + MIB(16))
#define POKE_PAGES 2
#define POKE_SIZE  (POKE_PAGES * PAGE_SIZE)

#define POKE_OLD UINT64_C(0x1111111111111111)
#define POKE_NEW UINT64_C(0x2222222222222222)

static bool
poke(struct vm_space *space, uintptr_t va, const void *from, size_t size)
{
    uint64_t flags = cpu_irq_save();
    bool is_done = space_poke(space, va, from, size);

    cpu_irq_restore(flags);
    return is_done;
}

static bool
poke_word(struct vm_space *space, uintptr_t va, uint64_t word)
{
    return poke(space, va, &word, sizeof(word));
}

static uint64_t
poke_read(uintptr_t va)
{
    uint64_t word = 0;

    verify(user_read_u64(va, &word) == OK);
    return word;
}

/* Whether just @size bytes at @at are those of @from, and others zeros. */
static bool
poke_is_exact(size_t at, const uint8_t *from, size_t size)
{
    static uint8_t bytes[POKE_SIZE];

    if (user_copy_in(bytes, POKE_VA, POKE_SIZE) != 0) {
        return false;
    }
    for (size_t i = 0; i < POKE_SIZE; i++) {
        if (bytes[i] != (i - at < size ? from[i - at] : 0)) {
            return false;
        }
    }
    return true;
}

TEST(space_poke, is_exact_for_all_sizes_and_alignments)
{
    struct space_fixture *fixture = space_fixture_create(t);
    uint8_t from[UTABLE_POKE_MAX + 8];

    verify(fixture_map(fixture, POKE_VA, POKE_SIZE, PROT_RW) == OK);
    for (size_t i = 0; i < sizeof(from); i++) {
        from[i] = (uint8_t)(i * 7 + 1);
    }
    for (size_t size = 1; size <= UTABLE_POKE_MAX; size++) {
        size_t skew = size % 8;
        /* In a page, up to its end, and over it. */
        size_t at = size % 3 == 0 ? rand_below(&t->rand, PAGE_SIZE - size)
                                  : PAGE_SIZE - size + size % 3 * (size / 3);

        verify(user_clear(POKE_VA, POKE_SIZE) == 0);
        EXPECT(poke(fixture->space, POKE_VA + at, from + skew, size));
        EXPECT(poke_is_exact(at, from + skew, size));
    }
}

TEST(space_poke, fails_where_nothing_is_entered)
{
    struct space_fixture *fixture = space_fixture_create(t);

    EXPECT(!poke_word(fixture->space, POKE_VA, POKE_NEW));
    verify(fixture_map(fixture, POKE_VA, POKE_SIZE, PROT_RW) == OK);
    EXPECT(!poke_word(fixture->space, POKE_VA, POKE_NEW));
    EXPECT_EQ(poke_read(POKE_VA), 0);
}

TEST(space_poke, refuses_addresses_of_the_kernel)
{
    static const uintptr_t bad[] = { 0,
                                     PAGE_SIZE - 4,
                                     PAGE_SIZE,
                                     USER_END - 4,
                                     USER_END,
                                     DIRECT_MAP_BASE,
                                     DIRECT_MAP_BASE + PAGE_SIZE,
                                     UINTPTR_MAX - 3,
                                     UINT64_C(1) << 62 };
    struct space_fixture *fixture = space_fixture_create(t);

    verify(fixture_map(fixture, POKE_VA, POKE_SIZE, PROT_RW) == OK);
    verify(user_write_u64(POKE_VA, POKE_OLD) == OK);
    EXPECT(poke_word(fixture->space, POKE_VA, POKE_NEW));
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        EXPECT(!poke_word(fixture->space, bad[i], POKE_NEW));
    }
}

TEST(space_poke, marks_a_remembered_page_as_used_again)
{
    struct space_fixture *fixture = space_fixture_create(t);
    unsigned int used;

    verify(fixture_map(fixture, POKE_VA, POKE_SIZE, PROT_RW) == OK);
    verify(user_write_u64(POKE_VA, POKE_OLD) == OK);
    for (int i = 0; i < 3; i++) {
        verify(space_take_used(fixture->space, POKE_VA, &used) == OK);
        EXPECT(poke_word(fixture->space, POKE_VA, POKE_NEW));
        EXPECT_EQ(space_take_used(fixture->space, POKE_VA, &used), OK);
        EXPECT_EQ(used, SPACE_USED_ACCESSED | SPACE_USED_DIRTY);
    }
}

/* ----------------------------------------------- what takes a page away */

/*
 * A page of an object that is poked at POKE_VA, and seen at POKE_VIEW.
 */
struct poke_change {
    struct space_fixture *fixture;
    struct vm_object *object;
    thread_fn_t change; /* what is done to it */
    struct vm_space *clone;
};

static void
poke_run_on(uint32_t cpu, thread_fn_t fn, void *arg)
{
    const struct thread_attr attr = { .pinned = true, .cpu = cpu };
    struct thread *thread = thread_create("poke", fn, arg, &attr);

    verify(thread != NULL);
    thread_join(thread);
}

static void
poke_map_object(struct poke_change *change, uintptr_t va)
{
    struct space_mapping mapping = {
        .va = va,
        .size = PAGE_SIZE,
        .prot = PROT_RW,
        .flags = SPACE_MAP_FIXED,
        .object = change->object,
    };

    verify(space_map(change->fixture->space, &mapping, &va) == OK);
}

static void
poke_touch(void *arg)
{
    struct poke_change *change = arg;

    space_use(change->fixture->space);
    verify(user_write_u64(POKE_VA, POKE_OLD) == OK);
    space_use(NULL);
}

static void
poke_protect(void *arg)
{
    struct poke_change *change = arg;

    verify(space_protect(change->fixture->space, POKE_VA, PAGE_SIZE,
                         PMAP_READ) == OK);
}

static void
poke_unmap(void *arg)
{
    struct poke_change *change = arg;

    verify(space_unmap(change->fixture->space, POKE_VA, PAGE_SIZE) == OK);
}

static void
poke_discard(void *arg)
{
    struct poke_change *change = arg;

    verify(space_discard(change->fixture->space, POKE_VA, PAGE_SIZE) == OK);
}

static void
poke_remap(void *arg)
{
    struct poke_change *change = arg;

    poke_unmap(arg);
    verify(fixture_map(change->fixture, POKE_VA, PAGE_SIZE, PROT_RW) == OK);
}

static void
poke_drop(void *arg)
{
    struct poke_change *change = arg;

    space_drop_tables(change->fixture->space);
}

/* Poke, have a CPU change something, and poke again. */
static void
poke_try_change(struct test *t, struct poke_change *change, uint32_t first,
                uint32_t changer)
{
    struct vm_space *space = change->fixture->space;

    poke_map_object(change, POKE_VA);
    poke_run_on(first, poke_touch, change);
    verify(user_write_u64(POKE_VA, POKE_OLD) == OK);
    EXPECT(poke_word(space, POKE_VA, POKE_OLD));
    poke_run_on(changer, change->change, change);
    EXPECT(!poke_word(space, POKE_VA, POKE_NEW));
    EXPECT_EQ(poke_read(POKE_VIEW), POKE_OLD);
    if (change->change == poke_remap) {
        verify(user_write_u64(POKE_VA, 0) == OK);
        EXPECT(poke_word(space, POKE_VA, POKE_NEW));
        EXPECT_EQ(poke_read(POKE_VA), POKE_NEW);
        EXPECT_EQ(poke_read(POKE_VIEW), POKE_OLD);
    }
    verify(space_unmap(space, POKE_VA, PAGE_SIZE) == OK);
    space_trim(space, POKE_VA, POKE_VA + MIB(2));
}

/* With this CPU as the home of the node and not, and changes here and there. */
static void
poke_try_changes(struct test *t, thread_fn_t fn)
{
    struct poke_change change = { .fixture = space_fixture_create(t),
                                  .change = fn };
    uint32_t here = cpu_id(), other = (here + 1) % cpu_nr_online();

    verify(object_create_anon(&change.object, container_root, "poke", 1) == OK);
    poke_map_object(&change, POKE_VIEW);
    poke_try_change(t, &change, here, here);
    poke_try_change(t, &change, here, other);
    poke_try_change(t, &change, other, here);
    poke_try_change(t, &change, other, other);
    object_put(change.object);
}

TEST(space_poke, fails_after_the_page_became_read_only)
{
    poke_try_changes(t, poke_protect);
}

TEST(space_poke, fails_after_the_page_was_unmapped)
{
    poke_try_changes(t, poke_unmap);
}

TEST(space_poke, fails_after_the_page_was_discarded)
{
    poke_try_changes(t, poke_discard);
}

TEST(space_poke, fails_after_tables_were_dropped)
{
    poke_try_changes(t, poke_drop);
}

TEST(space_poke, writes_to_the_new_page_after_another_was_mapped)
{
    poke_try_changes(t, poke_remap);
}

/* ------------------------------------------------------------------ clones */

static void
poke_clone(void *arg)
{
    struct poke_change *change = arg;

    verify(space_clone(&change->clone, change->fixture->space,
                       change->fixture->container, "clone") == OK);
}

static void
poke_try_clone(struct test *t, uint32_t changer)
{
    struct space_fixture *fixture = space_fixture_create(t);
    struct poke_change change = { .fixture = fixture };

    verify(fixture_map(fixture, POKE_VA, POKE_SIZE, PROT_RW) == OK);
    verify(user_write_u64(POKE_VA, POKE_OLD) == OK);
    EXPECT(poke_word(fixture->space, POKE_VA, POKE_OLD));
    poke_run_on(changer, poke_clone, &change);
    EXPECT(!poke_word(fixture->space, POKE_VA, POKE_NEW));
    space_use(change.clone);
    EXPECT_EQ(poke_read(POKE_VA), POKE_OLD);
    EXPECT(!poke_word(change.clone, POKE_VA, POKE_NEW));
    space_use(fixture->space);
    EXPECT_EQ(poke_read(POKE_VA), POKE_OLD);
    space_put(change.clone);
}

TEST(space_poke, does_not_write_to_a_page_that_a_clone_has)
{
    poke_try_clone(t, cpu_id());
    poke_try_clone(t, (cpu_id() + 1) % cpu_nr_online());
}
