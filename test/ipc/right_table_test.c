/* SPDX-License-Identifier: MIT */
/*
 * Tables of rights: one fact each.
 */
#include <kern/cpu.h>
#include <kern/fail.h>
#include <kern/rcu.h>
#include <lib/string.h>
#include <ipc/right_chunk.h>
#include <test/ipc/right_fixture.h>

/* More places than any function here has that allocate. */
#define RIGHT_TEST_SITES 100

/* --------------------------------------------------------------- look-ups */

TEST(right_table, finds_what_was_inserted)
{
    struct right_fixture *fixture = right_fixture_create(t, RIGHT_LOWEST);

    EXPECT_EQ(right_fixture_insert(fixture, 2), 0);
    EXPECT_EQ(right_fixture_insert(fixture, 3), 1);
    EXPECT_EQ(right_fixture_find(fixture, 0), 2);
    EXPECT_EQ(right_fixture_find(fixture, 1), 3);
    EXPECT_EQ(right_table_count(fixture->table), 2);
}

/* Those that are masked to a slot in use, too. */
TEST(right_table, no_other_number_finds_anything)
{
    static const uint32_t names[] = {
        1,          63,         64,         65,         512,
        0x100000,   0x40000000, 0x80000000, UINT32_MAX, UINT32_MAX - 63,
        0x3ff00000, 0x7fffffff,
    };
    struct right_fixture *fixture = right_fixture_create(t, RIGHT_LOWEST);

    ASSERT(right_fixture_insert(fixture, 0) == 0);
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        struct right *right;

        rcu_read_lock();
        EXPECT(right_table_find(fixture->table, names[i]) == &right_none);
        rcu_read_unlock();
        EXPECT_EQ(right_table_get(fixture->table, names[i], &right),
                  ERR_NOT_FOUND);
        EXPECT_EQ(right_table_close(fixture->table, names[i]), ERR_NOT_FOUND);
    }
    EXPECT_EQ(right_fixture_find(fixture, 0), 0);
}

TEST(right_table, side_channels_have_another_base)
{
    struct right_fixture *fixture = right_fixture_create(t, RIGHT_LOWEST);
    struct right_table *side;
    struct right *right;
    uint32_t name;

    side = right_fixture_table_create(fixture->container, RIGHT_BASE_SIDE,
                                      RIGHT_LOWEST);
    ASSERT(right_table_insert(side, fixture->rights[0], 0, 0, &name) == OK);
    EXPECT_EQ(name, RIGHT_BASE_SIDE);
    ASSERT(right_table_insert(side, fixture->rights[1], RIGHT_BASE_SIDE + 100,
                              0, &name) == OK);
    EXPECT_EQ(name, RIGHT_BASE_SIDE + 100);
    EXPECT_EQ(right_table_get(side, 0, &right), ERR_NOT_FOUND);
    EXPECT_EQ(right_table_set(side, 5, fixture->rights[1], 0, &right),
              ERR_RANGE);
    ASSERT(right_table_get(side, name, &right) == OK);
    EXPECT(right == fixture->rights[1]);
    right_put(right);
    EXPECT_EQ(right_table_close(side, name), OK);
    right_fixture_table_destroy(side);
}

/* ----------------------------------------------------------------- lowest */

TEST(right_table, lowest_free_number_is_given)
{
    struct right_fixture *fixture = right_fixture_create(t, RIGHT_LOWEST);

    for (uint32_t i = 0; i < 700; i++) {
        ASSERT(right_fixture_insert(fixture, i % 4) == i);
    }
    EXPECT_EQ(right_table_close(fixture->table, 599), OK);
    EXPECT_EQ(right_table_close(fixture->table, 63), OK);
    EXPECT_EQ(right_table_close(fixture->table, 64), OK);
    EXPECT_EQ(right_fixture_insert(fixture, 0), 63);
    EXPECT_EQ(right_fixture_insert(fixture, 0), 64);
    EXPECT_EQ(right_fixture_insert(fixture, 0), 599);
    EXPECT_EQ(right_fixture_insert(fixture, 0), 700);
}

TEST(right_table, lowest_from_a_number_on)
{
    struct right_fixture *fixture = right_fixture_create(t, RIGHT_LOWEST);
    struct right_table *table = fixture->table;
    struct right *right = fixture->rights[0];
    uint32_t name;

    EXPECT_EQ(right_table_insert(table, right, 100, 0, &name), OK);
    EXPECT_EQ(name, 100);
    EXPECT_EQ(right_table_insert(table, right, 100, 0, &name), OK);
    EXPECT_EQ(name, 101);
    EXPECT_EQ(right_table_insert(table, right, 127, 0, &name), OK);
    EXPECT_EQ(name, 127);
    EXPECT_EQ(right_table_insert(table, right, 127, 0, &name), OK);
    EXPECT_EQ(name, 128);
    EXPECT_EQ(right_table_insert(table, right, 50000, 0, &name), OK);
    EXPECT_EQ(name, 50000);
    EXPECT_EQ(right_table_insert(table, right, RIGHT_SLOTS_MAX - 1, 0, &name),
              OK);
    EXPECT_EQ(name, RIGHT_SLOTS_MAX - 1);
    EXPECT_EQ(right_table_insert(table, right, RIGHT_SLOTS_MAX - 1, 0, &name),
              ERR_RANGE);
    EXPECT_EQ(right_table_insert(table, right, UINT32_MAX, 0, &name),
              ERR_RANGE);
    EXPECT_EQ(right_fixture_insert(fixture, 0), 0);
}

TEST(right_table, limit_is_no_name_below_it)
{
    struct right_fixture *fixture = right_fixture_create(t, RIGHT_LOWEST);
    struct right *old;
    uint32_t name;

    right_table_set_limit(fixture->table, 70);
    for (uint32_t i = 0; i < 70; i++) {
        ASSERT(right_fixture_insert(fixture, 0) == i);
    }
    EXPECT_EQ(right_table_insert(fixture->table, fixture->rights[0], 0, 0,
                                 &name),
              ERR_RANGE);
    EXPECT_EQ(right_table_set(fixture->table, 70, fixture->rights[0], 0, &old),
              ERR_RANGE);
    EXPECT_EQ(right_table_count(fixture->table), 70);
    EXPECT_EQ(right_table_close(fixture->table, 7), OK);
    EXPECT_EQ(right_fixture_insert(fixture, 0), 7);
}

/* Rights are charged with the memory that they will be in. */
TEST(right_table, container_at_its_limit_gives_no_memory)
{
    struct right_fixture *fixture = right_fixture_create(t, RIGHT_LOWEST);
    uint32_t name;

    container_set_limit(fixture->container, CONTAINER_RIGHTS, 100);
    for (uint32_t i = 0; i < 64; i++) {
        ASSERT(right_fixture_insert(fixture, 0) == i);
    }
    EXPECT_EQ(right_table_dup(fixture->table, 1, 0, 0, &name), ERR_NO_MEMORY);
    EXPECT_EQ(right_table_dup_to(fixture->table, 1, 90, 0), ERR_NO_MEMORY);
    EXPECT_EQ(right_table_reserve(fixture->table, 1, 0, &name), ERR_NO_MEMORY);
    EXPECT_EQ(right_table_count(fixture->table), 64);
    EXPECT_EQ(container_used(fixture->container, CONTAINER_RIGHTS), 64);
    EXPECT_EQ(right_table_close(fixture->table, 1), OK);
    EXPECT_EQ(right_fixture_insert(fixture, 0), 1);
    container_set_limit(fixture->container, CONTAINER_RIGHTS, 128);
    EXPECT_EQ(right_fixture_insert(fixture, 0), 64);
}

/* ------------------------------------------------------------- duplicates */

TEST(right_table, duplicate_is_the_same_right)
{
    struct right_fixture *fixture = right_fixture_create(t, RIGHT_LOWEST);
    uint32_t name;

    ASSERT(right_fixture_insert(fixture, 3) == 0);
    EXPECT_EQ(right_table_dup(fixture->table, 0, 0, 0, &name), OK);
    EXPECT_EQ(name, 1);
    EXPECT_EQ(right_fixture_find(fixture, 1), 3);
    EXPECT_EQ(right_table_close(fixture->table, 0), OK);
    EXPECT_EQ(right_fixture_find(fixture, 0), UINT32_MAX);
    EXPECT_EQ(right_fixture_find(fixture, 1), 3);
    EXPECT_EQ(right_table_dup(fixture->table, 0, 0, 0, &name), ERR_NOT_FOUND);
    EXPECT_EQ(atomic_load(&fixture->objects[3].nr_closed), 1);
}

TEST(right_table, duplicate_to_a_number_replaces)
{
    struct right_fixture *fixture = right_fixture_create(t, RIGHT_LOWEST);

    ASSERT(right_fixture_insert(fixture, 0) == 0);
    ASSERT(right_fixture_insert(fixture, 1) == 1);
    EXPECT_EQ(right_table_dup_to(fixture->table, 0, 1, 0), OK);
    EXPECT_EQ(right_fixture_find(fixture, 1), 0);
    EXPECT_EQ(atomic_load(&fixture->objects[1].nr_closed), 1);
    EXPECT_EQ(right_table_dup_to(fixture->table, 0, 1000, 0), OK);
    EXPECT_EQ(right_fixture_find(fixture, 1000), 0);
    EXPECT_EQ(right_table_dup_to(fixture->table, 0, 0, 0), OK);
    EXPECT_EQ(right_table_dup_to(fixture->table, 5, 5, 0), ERR_NOT_FOUND);
    EXPECT_EQ(right_table_dup_to(fixture->table, 0, RIGHT_SLOTS_MAX, 0),
              ERR_NOT_FOUND);
    EXPECT_EQ(right_table_dup_to(fixture->table, 0, UINT32_MAX, 0), ERR_RANGE);
    EXPECT_EQ(right_table_count(fixture->table), 3);
}

TEST(right_table, set_returns_what_was_there)
{
    struct right_fixture *fixture = right_fixture_create(t, RIGHT_LOWEST);
    struct right *old;

    EXPECT_EQ(right_table_set(fixture->table, 9, fixture->rights[0], 0, &old),
              OK);
    EXPECT(old == NULL);
    EXPECT_EQ(right_table_set(fixture->table, 9, fixture->rights[1], 0, &old),
              OK);
    ASSERT(old == fixture->rights[0]);
    right_close(old);
    EXPECT_EQ(right_fixture_find(fixture, 9), 1);
}

/* ------------------------------------------------------------------ flags */

TEST(right_table, flags_are_of_the_entry)
{
    struct right_fixture *fixture = right_fixture_create(t, RIGHT_LOWEST);
    struct right_table *table = fixture->table;
    uint32_t name, flags, before;

    ASSERT(right_fixture_insert(fixture, 0) == 0);
    ASSERT(right_table_dup(table, 0, 0, RIGHT_CLOEXEC, &name) == OK);
    EXPECT_EQ(right_table_flags(table, 0, &flags), OK);
    EXPECT_EQ(flags, 0);
    EXPECT_EQ(right_table_flags(table, name, &flags), OK);
    EXPECT_EQ(flags, RIGHT_CLOEXEC);
    EXPECT_EQ(right_table_set_flags(table, name, RIGHT_CLOEXEC, 0, &before),
              OK);
    EXPECT_EQ(before, RIGHT_CLOEXEC);
    EXPECT_EQ(right_table_set_flags(table, 0, RIGHT_CLOEXEC, RIGHT_CLOEXEC,
                                    &before),
              OK);
    EXPECT_EQ(before, 0);
    EXPECT_EQ(right_table_flags(table, name, &flags), OK);
    EXPECT_EQ(flags, 0);
    EXPECT_EQ(right_table_set_flags(table, 2, RIGHT_CLOEXEC, 0, &before),
              ERR_NOT_FOUND);
    EXPECT_EQ(right_table_flags(table, 64, &flags), ERR_NOT_FOUND);

    /* A number that comes again has no flags of its predecessor's. */
    EXPECT_EQ(right_table_close(table, 0), OK);
    ASSERT(right_fixture_insert(fixture, 0) == 0);
    EXPECT_EQ(right_table_flags(table, 0, &flags), OK);
    EXPECT_EQ(flags, 0);
}

TEST(right_table, exec_closes_what_is_marked)
{
    struct right_fixture *fixture = right_fixture_create(t, RIGHT_LOWEST);
    struct right_table *table = fixture->table;
    uint32_t name;

    for (uint32_t i = 0; i < 200; i++) {
        ASSERT(right_table_insert(table, fixture->rights[0], 0,
                                  i % 3 == 0 ? RIGHT_CLOEXEC : 0, &name) == OK);
    }
    right_table_close_on_exec(table);
    for (uint32_t i = 0; i < 200; i++) {
        EXPECT_EQ(right_fixture_find(fixture, i), i % 3 == 0 ? UINT32_MAX : 0);
    }
    EXPECT_EQ(right_table_count(table), 133);
}

/* ----------------------------------------------------------- reservations */

TEST(right_table, reserved_names_are_not_there_until_committed)
{
    struct right_fixture *fixture = right_fixture_create(t, RIGHT_LOWEST);
    struct right_table *table = fixture->table;
    uint32_t names[3];
    struct right *old;

    ASSERT(right_table_reserve(table, 3, 0, names) == OK);
    EXPECT_EQ(right_fixture_insert(fixture, 0), 3);
    EXPECT_EQ(right_fixture_find(fixture, names[1]), UINT32_MAX);
    EXPECT_EQ(right_table_close(table, names[1]), ERR_NOT_FOUND);
    EXPECT_EQ(right_table_set(table, names[1], fixture->rights[0], 0, &old),
              ERR_BUSY);

    right_get(fixture->rights[2]);
    EXPECT_EQ(right_table_commit(table, names[1], fixture->rights[2],
                                 RIGHT_CLOEXEC),
              OK);
    EXPECT_EQ(right_fixture_find(fixture, names[1]), 2);
    right_table_cancel(table, 1, &names[0]);
    right_table_cancel(table, 1, &names[2]);
    EXPECT_EQ(right_fixture_insert(fixture, 0), names[0]);
}

TEST(right_table, reservation_is_all_or_nothing)
{
    struct right_fixture *fixture = right_fixture_create(t, RIGHT_LOWEST);
    uint32_t names[RIGHT_RESERVE_MAX];

    right_table_set_limit(fixture->table, 20);
    for (uint32_t i = 0; i < 10; i++) {
        ASSERT(right_fixture_insert(fixture, 0) == i);
    }
    EXPECT_EQ(right_table_reserve(fixture->table, 11, 0, names), ERR_RANGE);
    EXPECT_EQ(right_table_count(fixture->table), 10);
    EXPECT_EQ(right_table_reserve(fixture->table, 10, 0, names), OK);
    right_table_cancel(fixture->table, 10, names);
    EXPECT_EQ(right_fixture_insert(fixture, 0), 10);
}

TEST(right_table, commit_to_a_closing_table_fails)
{
    struct right_fixture *fixture = right_fixture_create(t, RIGHT_LOWEST);
    struct right_table *table;
    uint32_t name;

    table = right_fixture_table_create(fixture->container, 0, RIGHT_LOWEST);
    ASSERT(right_table_reserve(table, 1, 0, &name) == OK);
    right_table_close_all(table);
    EXPECT_EQ(right_table_commit(table, name, fixture->rights[0], 0),
              ERR_CLOSED);
    EXPECT_EQ(right_table_insert(table, fixture->rights[0], 0, 0, &name),
              ERR_CLOSED);
    EXPECT_EQ(right_table_reserve(table, 1, 0, &name), ERR_CLOSED);
    right_fixture_table_destroy(table);
}

/* ------------------------------------------------------------ enumeration */

TEST(right_table, enumeration_tells_all)
{
    static const uint32_t names[] = { 0, 1, 63, 64, 700, 40000 };
    struct right_fixture *fixture = right_fixture_create(t, RIGHT_LOWEST);
    struct right_info info;
    struct right *old;
    uint32_t next = 0;

    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        ASSERT(right_table_set(fixture->table, names[i], fixture->rights[i % 4],
                               i % 2, &old) == OK);
    }
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        ASSERT(right_table_next(fixture->table, next, &info) == OK);
        EXPECT_EQ(info.name, names[i]);
        EXPECT_EQ(info.kind, KOBJECT_TEST);
        EXPECT_EQ(info.label, RIGHT_FIXTURE_LABEL(i % 4));
        EXPECT_EQ(info.flags, i % 2 ? RIGHT_CLOEXEC : 0);
        EXPECT_STREQ(info.object, "test object");
        next = info.name + 1;
    }
    EXPECT_EQ(right_table_next(fixture->table, next, &info), ERR_NOT_FOUND);
}

/* ----------------------------------------------------------------- unique */

TEST(right_table, unique_name_does_not_come_again)
{
    struct right_fixture *fixture = right_fixture_create(t, RIGHT_UNIQUE);
    uint32_t first, name, stale;

    first = right_fixture_insert(fixture, 0);
    EXPECT_EQ(first, 0);
    for (uint32_t i = 0; i < 100; i += 2) {
        name = right_fixture_insert(fixture, 1);
        EXPECT_EQ(right_name_slot(name), 1);
        EXPECT_EQ(right_name_generation(name), i);
        EXPECT_EQ(right_table_close(fixture->table, name), OK);
        stale = right_fixture_insert(fixture, 2);
        EXPECT_EQ(right_fixture_find(fixture, name), UINT32_MAX);
        EXPECT_EQ(right_table_close(fixture->table, name), ERR_NOT_FOUND);
        EXPECT_EQ(right_table_dup_to(fixture->table, first, name, 0),
                  i == 0 ? ERR_BUSY : ERR_NOT_FOUND);
        EXPECT_EQ(right_table_close(fixture->table, stale), OK);
        EXPECT_EQ(right_table_dup_to(fixture->table, first, stale | 1U << 29,
                                     0),
                  ERR_NOT_FOUND);
    }
}

TEST(right_table, slot_without_generations_is_retired)
{
    struct right_fixture *fixture = right_fixture_create(t, RIGHT_UNIQUE);
    uint32_t name = 0;

    for (uint32_t i = 0; i <= RIGHT_GENERATION_MAX; i++) {
        name = right_fixture_insert(fixture, 0);
        ASSERT(name == i << RIGHT_SLOT_BITS);
        ASSERT(right_table_close(fixture->table, name) == OK);
    }
    name = right_fixture_insert(fixture, 0);
    EXPECT_EQ(name, 1);
    EXPECT_EQ(right_table_count(fixture->table), 1);

    right_table_set_policy(fixture->table, RIGHT_LOWEST);
    EXPECT_EQ(right_fixture_insert(fixture, 0), 0);
    right_table_set_policy(fixture->table, RIGHT_UNIQUE);
    EXPECT_EQ(right_table_close(fixture->table, 0), OK);
    EXPECT_EQ(right_fixture_insert(fixture, 0), 2);
}

/* Memory of empty chunks goes, what names they had does not. */
TEST(right_table, unique_holds_although_memory_shrinks)
{
    struct right_fixture *fixture = right_fixture_create(t, RIGHT_UNIQUE);
    uint32_t names[200], name, used;

    for (uint32_t i = 0; i < 200; i++) {
        names[i] = right_fixture_insert(fixture, 0);
        ASSERT(names[i] == i);
    }
    used = (uint32_t)container_used(fixture->container, CONTAINER_OBJECTS);
    for (uint32_t i = 0; i < 200; i++) {
        ASSERT(right_table_close(fixture->table, names[i]) == OK);
    }
    EXPECT(container_used(fixture->container, CONTAINER_OBJECTS) < used);
    for (uint32_t i = 0; i < 200; i++) {
        name = right_fixture_insert(fixture, 0);
        EXPECT(right_name_slot(name) == i && right_name_generation(name) == 1);
    }
    for (uint32_t i = 0; i < 200; i++) {
        EXPECT_EQ(right_fixture_find(fixture, names[i]), UINT32_MAX);
    }
}

/* -------------------------------------------------------------------- any */

TEST(right_table, any_gives_a_cpu_names_near_zero)
{
    struct right_fixture *fixture = right_fixture_create(t, RIGHT_ANY);
    uint32_t name;

    for (uint32_t i = 0; i < 500; i++) {
        name = right_fixture_insert(fixture, i % 4);
        ASSERT(name < 500 + 64 * cpu_nr_online());
        EXPECT_EQ(right_fixture_find(fixture, name), i % 4);
    }
    EXPECT_EQ(right_table_count(fixture->table), 500);
}

TEST(right_table, any_gives_every_name_below_the_limit)
{
    struct right_fixture *fixture = right_fixture_create(t, RIGHT_ANY);
    struct right_table *table = fixture->table;
    uint32_t name, nr = 0;

    right_table_set_limit(table, 1000);
    while (right_table_insert(table, fixture->rights[0], 0, 0, &name) == OK) {
        EXPECT(name < 1000);
        nr++;
    }
    EXPECT_EQ(nr, 1000);
    EXPECT_EQ(right_table_close(table, 777), OK);
    EXPECT_EQ(right_table_insert(table, fixture->rights[0], 100, 0, &name), OK);
    EXPECT_EQ(name, 777);
    EXPECT_EQ(right_table_close(table, 999), OK);
    EXPECT_EQ(right_fixture_insert(fixture, 0), 999);
}

/* More chunks than a CPU may have: those that are full go back. */
TEST(right_table, any_holds_many)
{
    struct right_fixture *fixture = right_fixture_create(t, RIGHT_ANY);
    uint32_t nr = 3 * RIGHT_OWNER_CHUNKS * RIGHT_CHUNK_SLOTS;
    uint64_t used;

    for (uint32_t i = 0; i < nr; i++) {
        ASSERT(right_fixture_insert(fixture, 0) != RIGHT_NAME_NONE);
    }
    EXPECT_EQ(right_table_count(fixture->table), nr);
    used = container_used(fixture->container, CONTAINER_OBJECTS);
    for (uint32_t i = 0; i < nr + 64 * cpu_nr_online(); i++) {
        (void)(right_table_close(fixture->table, i) == OK);
    }
    EXPECT_EQ(right_table_count(fixture->table), 0);
    EXPECT(container_used(fixture->container, CONTAINER_OBJECTS) < used / 4);
}

TEST(right_table, policy_may_change_any_time)
{
    struct right_fixture *fixture = right_fixture_create(t, RIGHT_ANY);
    uint32_t name;

    for (uint32_t i = 0; i < 100; i++) {
        ASSERT(right_fixture_insert(fixture, 0) != RIGHT_NAME_NONE);
    }
    for (uint32_t i = 0; i < 64; i += 2) {
        ASSERT(right_table_close(fixture->table, i) == OK);
    }
    right_table_set_policy(fixture->table, RIGHT_LOWEST);
    EXPECT_EQ(right_fixture_insert(fixture, 0), 0);
    EXPECT_EQ(right_fixture_insert(fixture, 0), 2);
    right_table_set_policy(fixture->table, RIGHT_UNIQUE);
    name = right_fixture_insert(fixture, 0);
    EXPECT_EQ(right_name_slot(name), 4);
    EXPECT_EQ(right_name_generation(name), 1);
    right_table_set_policy(fixture->table, RIGHT_ANY);
    EXPECT(right_fixture_insert(fixture, 0) < 256 + 64 * cpu_nr_online());
}

/* ------------------------------------------------------------- many at once */

TEST(right_table, grows_and_shrinks)
{
    struct right_fixture *fixture = right_fixture_create(t, RIGHT_LOWEST);
    uint64_t used;

    used = container_used(fixture->container, CONTAINER_OBJECTS);
    for (uint32_t i = 0; i < 10000; i++) {
        ASSERT(right_fixture_insert(fixture, 0) == i);
    }
    EXPECT(container_used(fixture->container, CONTAINER_OBJECTS) > used);
    for (uint32_t i = 0; i < 10000; i++) {
        ASSERT(right_table_close(fixture->table, i) == OK);
    }
    /* One empty chunk is kept. */
    EXPECT(container_used(fixture->container, CONTAINER_OBJECTS) <=
           used + sizeof(struct right_chunk));
}

TEST(right_table, clone_has_the_same_entries)
{
    struct right_fixture *fixture = right_fixture_create(t, RIGHT_UNIQUE);
    struct right_table *clone;
    struct right_info info, other;
    uint32_t name = 0, stale;

    for (uint32_t i = 0; i < 300; i++) {
        name = right_fixture_insert(fixture, i % 4);
        if (i % 5 == 0) {
            ASSERT(right_table_close(fixture->table, name) == OK);
        }
    }
    stale = right_fixture_insert(fixture, 0);
    ASSERT(right_table_close(fixture->table, stale) == OK);
    clone = right_fixture_table_create(fixture->container, 0, RIGHT_UNIQUE);
    ASSERT(right_table_clone(clone, fixture->table) == OK);
    name = 0;
    while (right_table_next(fixture->table, name, &info) == OK) {
        ASSERT(right_table_next(clone, right_name_slot(info.name), &other) ==
               OK);
        EXPECT(memcmp(&info, &other, sizeof(info)) == 0);
        name = right_name_slot(info.name) + 1;
    }
    EXPECT(right_table_insert(clone, fixture->rights[0], right_name_slot(stale),
                              0, &name) == OK);
    EXPECT(name != stale && right_name_slot(name) == right_name_slot(stale));
    right_fixture_table_destroy(clone);
}

/* ------------------------------------------------------------ no memory */

/* Each operation that allocates, with a table in which it has to. */
static status_t
right_test_operate(struct right_fixture *fixture, unsigned which,
                   struct right_table *clone)
{
    struct right_table *table = fixture->table;
    uint32_t name, names[RIGHT_RESERVE_MAX];
    struct right *old = NULL;
    status_t status;

    switch (which) {
    case 0:
        status = right_table_insert(table, fixture->rights[0], 0, 0, &name);
        return status;
    case 1:
        return right_table_insert(table, fixture->rights[0], 1000, 0, &name);
    case 2:
        return right_table_set(table, 300000, fixture->rights[0], 0, &old);
    case 3:
        status = right_table_reserve(table, RIGHT_RESERVE_MAX, 0, names);
        if (status == OK) {
            right_table_cancel(table, RIGHT_RESERVE_MAX, names);
        }
        return status;
    case 4:
        return right_table_clone(clone, table);
    default:
        return right_table_dup_to(table, 0, 100000, 0);
    }
}

static void
right_test_fail_each(struct test *t, enum right_policy policy, unsigned which)
{
    struct right_fixture *fixture = right_fixture_create(t, policy);
    uint32_t nr, least = right_fixture_insert(fixture, 1);
    struct right_table *clone;
    struct fail fail;
    status_t status;
    uint64_t at = 0;

    ASSERT(least == 0);
    do {
        nr = right_table_count(fixture->table);
        clone = right_fixture_table_create(fixture->container, 0, policy);
        fail_begin_at(&fail, at++);
        status = right_test_operate(fixture, which, clone);
        fail_end(&fail);
        right_fixture_table_destroy(clone);
        EXPECT(status == OK || status == ERR_NO_MEMORY);
        EXPECT(fail.nr_failed != 0 || status == OK);
        if (status != OK) {
            EXPECT_EQ(right_table_count(fixture->table), nr);
        }
        EXPECT_EQ(right_fixture_find(fixture, 0), 1);
    } while (fail.nr_failed != 0 && at < RIGHT_TEST_SITES);
    EXPECT(at < RIGHT_TEST_SITES);
}

TEST(right_table, nothing_changes_without_memory)
{
    if (!FAIL_IS_BUILT) {
        SKIP("only with DEBUG=1");
    }
    for (unsigned which = 0; which < 6; which++) {
        right_test_fail_each(t, RIGHT_LOWEST, which);
        right_test_fail_each(t, RIGHT_ANY, which);
        right_test_fail_each(t, RIGHT_UNIQUE, which);
    }
}
