/* SPDX-License-Identifier: MIT */
/*
 * Tables of rights: look-ups while entries, chunks and directories change;
 * names taken by several CPUs, and closed by others than those who took them.
 *
 * Rights are counted by atomics here, and freed by RCU when nobody has one.
 */
#include <stdatomic.h>

#include <arch/cpu.h>
#include <kern/kmalloc.h>
#include <kern/rcu.h>
#include <lib/macros.h>
#include <ipc/kobject.h>
#include <lib/string.h>
#include <ipc/right.h>
#include <ipc/right_chunk.h>
#include <ipc/right_table.h>
#include <test/explore/container.h>
#include <test/explore/threads.h>

static const struct kobject_ops right_object_ops = {
    .kind = KOBJECT_TEST,
};

static struct kobject right_object = {
    .ops = &right_object_ops,
    .kind = KOBJECT_TEST,
};

static const struct kobject_ops right_none_ops = {
    .kind = KOBJECT_NONE,
};

struct kobject kobject_none = {
    .ops = &right_none_ops,
    .kind = KOBJECT_NONE,
};

void
kobject_copy_name(const struct kobject *object, char *to)
{
    memcpy(to, object->name, sizeof(object->name));
}

struct right right_none = {
    .object = &kobject_none,
};

static struct right_table right_tested;
static struct right *right_a, *right_b; /* label 1 and 2 */

/* ------------------------------------------------------------- references */

static struct right *
right_of(struct sref *sref)
{
    return container_of(sref, struct right, ref.sref);
}

void
sref_get(struct sref *sref)
{
    explore_expect(atomic_fetch_add(&sref->word, 1) != 0);
}

void
sref_put(struct sref *sref)
{
    if (atomic_fetch_sub(&sref->word, 1) == 1) {
        rcu_free(right_of(sref), head);
    }
}

struct sref *
sref_weak_get(struct sref_weak *weak)
{
    struct sref *sref = &container_of(weak, struct right, weak)->ref.sref;
    uint64_t word = atomic_load(&sref->word);

    while (word != 0 &&
           !atomic_compare_exchange_weak(&sref->word, &word, word + 1)) {
        cpu_pause();
    }
    return word != 0 ? sref : NULL;
}

static struct right *
right_make(uint64_t label)
{
    struct right *right = kzalloc(sizeof(*right));

    right->object = &right_object;
    right->label = label;
    atomic_init(&right->ref.sref.word, 1);
    return right;
}

/* ------------------------------------------------------------------ set-up */

static void
right_setup_machine(unsigned nr_cpus, enum right_policy policy)
{
    threads_setup(nr_cpus);
    explore_init_op("rcu_setup");
    explore_init_op("right_dir_setup");
    explore_init_op("right_owner_setup");
    right_table_init(&right_tested, NULL, 0, policy);
    right_a = right_make(1);
    right_b = right_make(2);
}

/* All goes, and nothing is left. */
static void
right_take_down(void)
{
    right_table_close_all(&right_tested);
    explore_expect(right_table_count(&right_tested) == 0);
    right_table_destroy(&right_tested);
    explore_expect(atomic_load(&right_a->ref.sref.word) == 1);
    explore_expect(atomic_load(&right_b->ref.sref.word) == 1);
    right_put(right_a);
    right_put(right_b);
    rcu_barrier();
    for (size_t kind = 0; kind < CONTAINER_NR_KINDS; kind++) {
        explore_expect(atomic_load(&container_counts[kind]) == 0);
    }
}

static uint32_t
right_enter(struct right *right, uint32_t least)
{
    uint32_t name = RIGHT_NAME_NONE;

    explore_expect(right_table_insert(&right_tested, right, least, 0, &name) ==
                   OK);
    return name;
}

/* The label that a name finds; 0: none. */
static uint64_t
right_label(uint32_t name)
{
    struct right *right;
    uint64_t label;

    rcu_read_lock();
    right = right_table_find(&right_tested, name);
    cpu_pause();
    label = right->object->kind == KOBJECT_NONE ? 0 : right->label;
    rcu_read_unlock();
    return label;
}

/* ----------------------------------------------------------------- look-ups */

static void
right_look_at_5(void *arg __unused)
{
    for (unsigned i = 0; i < 2; i++) {
        uint64_t label = right_label(5);

        explore_expect(label == 1 || label == 2);
    }
}

static void
right_main_replaces(void *arg __unused)
{
    struct thread *reader;
    struct right *old;

    explore_expect(right_table_set(&right_tested, 5, right_a, 0, &old) == OK);
    reader = threads_create_on(1, right_look_at_5, NULL);
    explore_expect(right_table_set(&right_tested, 5, right_b, 0, &old) == OK);
    right_close(old);
    explore_expect(right_table_set(&right_tested, 5, right_a, 0, &old) == OK);
    right_close(old);
    thread_join(reader);
    right_take_down();
}

/* A name that is replaced means the one or the other. */
EXPLORE(right, replaced)
{
    right_setup_machine(2, RIGHT_LOWEST);
    threads_go(2, right_main_replaces, NULL);
}

static uint32_t right_stale;

static void
right_look_stale(void *arg __unused)
{
    /* The name is closed already, or will be: never the right after it. */
    explore_expect(right_label(right_stale) != 2);
    explore_expect(right_label(right_stale) != 2);
}

static void
right_main_reuses(void *arg __unused)
{
    struct thread *reader;
    uint32_t name;

    right_stale = right_enter(right_a, 0);
    reader = threads_create_on(1, right_look_stale, NULL);
    explore_expect(right_table_close(&right_tested, right_stale) == OK);
    name = right_enter(right_b, 0);
    explore_expect(right_name_slot(name) == right_name_slot(right_stale));
    explore_expect(name != right_stale);
    thread_join(reader);
    right_take_down();
}

/* Under unique, a stale name does not find what its slot has now. */
EXPLORE(right, stale)
{
    right_setup_machine(2, RIGHT_UNIQUE);
    threads_go(2, right_main_reuses, NULL);
}

static void
right_look_while_growing(void *arg __unused)
{
    uint64_t label;

    for (unsigned i = 0; i < 2; i++) {
        explore_expect(right_label(3) == 1);
        label = right_label(600);
        explore_expect(label == 0 || label == 2);
        label = right_label(70);
        explore_expect(label == 0 || label == 2);
    }
}

static void
right_main_grows(void *arg __unused)
{
    struct thread *reader;
    struct right *old;

    explore_expect(right_table_set(&right_tested, 3, right_a, 0, &old) == OK);
    reader = threads_create_on(1, right_look_while_growing, NULL);
    for (unsigned i = 0; i < 2; i++) {
        explore_expect(right_enter(right_b, 600) == 600);
        explore_expect(right_enter(right_b, 70) == 70);
        /* The second one that is empty is freed. */
        explore_expect(right_table_close(&right_tested, i ? 600 : 70) == OK);
        explore_expect(right_table_close(&right_tested, i ? 70 : 600) == OK);
    }
    thread_join(reader);
    right_take_down();
}

/* Look-ups go on while chunks and directories come and go. */
EXPLORE(right, grows)
{
    right_setup_machine(2, RIGHT_LOWEST);
    threads_go(2, right_main_grows, NULL);
}

/* -------------------------------------------------------- names for several */

static atomic_uint right_names[8]; /* who has it, while it is open */

static void
right_open_close(void *arg)
{
    unsigned nr = (unsigned)(uintptr_t)arg;
    uint32_t name;

    for (unsigned i = 0; i < nr; i++) {
        explore_expect(right_table_dup(&right_tested, 0, 0, 0, &name) == OK);
        explore_expect(name < ARRAY_SIZE(right_names) && name != 0);
        explore_expect(atomic_fetch_add(&right_names[name], 1) == 0);
        explore_expect(right_label(name) == 1);
        explore_expect(atomic_fetch_sub(&right_names[name], 1) == 1);
        explore_expect(right_table_close(&right_tested, name) == OK);
    }
}

static void
right_main_two_open(void *arg __unused)
{
    struct thread *other;

    right_table_set_limit(&right_tested, ARRAY_SIZE(right_names));
    explore_expect(right_enter(right_a, 0) == 0);
    other = threads_create_on(1, right_open_close, (void *)2);
    right_open_close((void *)2);
    thread_join(other);
    explore_expect(right_table_count(&right_tested) == 1);
    right_take_down();
}

/* No name is given to two. */
EXPLORE(right, two_open_lowest)
{
    right_setup_machine(2, RIGHT_LOWEST);
    threads_go(2, right_main_two_open, NULL);
}

/* The only chunk below the limit goes from CPU to CPU. */
EXPLORE(right, two_open_any)
{
    right_setup_machine(2, RIGHT_ANY);
    threads_go(2, right_main_two_open, NULL);
}

/* ------------------------------------------------------- the lowest chunk */

static uint32_t
right_dup_first(void)
{
    uint32_t name = RIGHT_NAME_NONE;

    explore_expect(right_table_dup(&right_tested, 0, 0, 0, &name) == OK);
    explore_expect(right_label(name) == 1);
    return name;
}

/* Have all slots of the first chunk open. */
static void
right_fill_first_chunk(void)
{
    explore_expect(right_enter(right_a, 0) == 0);
    for (uint32_t i = 1; i < RIGHT_CHUNK_SLOTS; i++) {
        explore_expect(right_dup_first() == i);
    }
}

static void
right_close_5(void *arg __unused)
{
    explore_expect(right_table_close(&right_tested, 5) == OK);
}

static void
right_main_lowest(void *arg __unused)
{
    struct thread *other;
    uint32_t first;

    right_fill_first_chunk();
    other = threads_create_on(1, right_close_5, NULL);
    first = right_dup_first();
    thread_join(other);
    explore_expect(first == 5 || first == RIGHT_CHUNK_SLOTS);
    explore_expect(right_dup_first() == (first == 5 ? RIGHT_CHUNK_SLOTS : 5));
    right_take_down();
}

/* A slot that becomes free below the known chunk is the next one. */
EXPLORE(right, lowest_known)
{
    right_setup_machine(2, RIGHT_LOWEST);
    threads_go(2, right_main_lowest, NULL);
}

static void
right_use_second_chunk(void *arg __unused)
{
    for (unsigned i = 0; i < 2; i++) {
        uint32_t name = right_dup_first();

        explore_expect(name == RIGHT_CHUNK_SLOTS ||
                       name == RIGHT_CHUNK_SLOTS + 1);
        explore_expect(right_table_close(&right_tested, name) == OK);
    }
}

static void
right_main_lowest_freed(void *arg __unused)
{
    struct thread *other;
    uint32_t spare;

    right_fill_first_chunk();
    spare = right_enter(right_b, 2 * RIGHT_CHUNK_SLOTS);
    explore_expect(right_table_close(&right_tested, spare) == OK);
    other = threads_create_on(1, right_use_second_chunk, NULL);
    right_use_second_chunk(NULL);
    thread_join(other);
    right_take_down();
}

/* The known chunk is freed whenever it is empty, for there is another one. */
EXPLORE(right, lowest_freed)
{
    right_setup_machine(2, RIGHT_LOWEST);
    threads_go(2, right_main_lowest_freed, NULL);
}

/* ---------------------------------------------------------------- policies */

static void
right_change_policies(void *arg __unused)
{
    right_table_set_policy(&right_tested, RIGHT_LOWEST);
    right_table_set_policy(&right_tested, RIGHT_ANY);
}

static void
right_main_policies(void *arg __unused)
{
    struct thread *other;

    right_table_set_limit(&right_tested, ARRAY_SIZE(right_names));
    explore_expect(right_enter(right_a, 0) == 0);
    other = threads_create_on(1, right_change_policies, NULL);
    right_open_close((void *)2);
    thread_join(other);
    explore_expect(right_table_count(&right_tested) == 1);
    right_take_down();
}

/* Chunks go to the table and come back while slots are used. */
EXPLORE(right, policies_change)
{
    right_setup_machine(2, RIGHT_ANY);
    threads_go(2, right_main_policies, NULL);
}

static void
right_dup_1(void *arg __unused)
{
    status_t status;
    uint32_t name;

    status = right_table_dup(&right_tested, 1, 0, 0, &name);
    explore_expect(status == OK || status == ERR_NOT_FOUND);
    explore_expect(status != OK || right_label(name) == 3);
}

static void
right_main_drops(void *arg __unused)
{
    struct right *right = right_make(3);
    struct right *old;
    struct thread *other;

    explore_expect(right_table_set(&right_tested, 1, right, 0, &old) == OK);
    right_put(right);
    other = threads_create_on(1, right_dup_1, NULL);
    explore_expect(right_table_close(&right_tested, 1) == OK);
    thread_join(other);
    right_take_down();
}

/* The last entry goes while another is made of it. */
EXPLORE(right, dup_while_closed)
{
    right_setup_machine(2, RIGHT_ANY);
    threads_go(2, right_main_drops, NULL);
}

/* ------------------------------------------------------------------ closing */

static void
right_open_while_closing(void *arg __unused)
{
    struct right *old;
    uint32_t name;
    status_t status;

    status = right_table_insert(&right_tested, right_b, 0, 0, &name);
    explore_expect(status == OK || status == ERR_CLOSED);
    status = right_table_set(&right_tested, 7, right_b, 0, &old);
    explore_expect(status == OK || status == ERR_CLOSED);
}

static void
right_main_closes(void *arg __unused)
{
    struct thread *other;

    (void)right_enter(right_a, 0);
    other = threads_create_on(1, right_open_while_closing, NULL);
    right_table_close_all(&right_tested);
    thread_join(other);
    explore_expect(right_table_count(&right_tested) == 0);
    right_take_down();
}

/* No entry is left behind by who opens while all are closed. */
EXPLORE(right, closing_lowest)
{
    right_setup_machine(2, RIGHT_LOWEST);
    threads_go(2, right_main_closes, NULL);
}

EXPLORE(right, closing_any)
{
    right_setup_machine(2, RIGHT_ANY);
    threads_go(2, right_main_closes, NULL);
}

static void
right_reserve_commit(void *arg __unused)
{
    uint32_t names[2];

    if (right_table_reserve(&right_tested, 2, 0, names) != OK) {
        return;
    }
    explore_expect(right_label(names[0]) == 0);
    right_get(right_b);
    if (right_table_commit(&right_tested, names[0], right_b, 0) != OK) {
        right_put(right_b);
    }
    right_table_cancel(&right_tested, 1, &names[1]);
}

static void
right_main_reserves(void *arg __unused)
{
    struct thread *other;

    (void)right_enter(right_a, 0);
    other = threads_create_on(1, right_reserve_commit, NULL);
    right_table_close_all(&right_tested);
    thread_join(other);
    explore_expect(right_table_count(&right_tested) == 0);
    right_take_down();
}

/* What is reserved is committed before all is closed, or not at all. */
EXPLORE(right, reserved_while_closing)
{
    right_setup_machine(2, RIGHT_LOWEST);
    threads_go(2, right_main_reserves, NULL);
}
