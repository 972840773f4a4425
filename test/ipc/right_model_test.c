/* SPDX-License-Identifier: MIT */
/*
 * Tables of rights against a model: random operations on a table and on an
 * array that says what each number means; after each of them both must agree.
 */
#include <kern/fail.h>
#include <kern/kmalloc.h>
#include <kern/rcu.h>
#include <lib/string.h>
#include <ipc/right_chunk.h>
#include <test/ipc/right_fixture.h>

#define MODEL_SLOTS   600
#define MODEL_NO      UINT32_MAX
#define MODEL_STALE   64
#define MODEL_STEPS   3000
#define MODEL_COMPARE 500

/* What a slot means. */
struct model_slot {
    bool is_open;
    bool is_reserved;
    uint32_t name;
    uint32_t object;
    uint32_t flags;
};

struct model {
    struct right_fixture *fixture;
    enum right_policy policy;
    uint32_t nr_open;
    uint32_t stale[MODEL_STALE]; /* names that were closed, under UNIQUE */
    uint32_t nr_stale;
    struct model_slot slots[MODEL_SLOTS];
};

static void
model_open(struct model *model, uint32_t name, uint32_t object, uint32_t flags)
{
    struct model_slot *slot = &model->slots[right_name_slot(name)];

    model->nr_open += !slot->is_open;
    slot->is_open = true;
    slot->is_reserved = false;
    slot->name = name;
    slot->object = object;
    slot->flags = flags;
}

static void
model_close(struct model *model, uint32_t name)
{
    model->slots[right_name_slot(name)].is_open = false;
    model->nr_open--;
    if (model->policy == RIGHT_UNIQUE) {
        model->stale[model->nr_stale++ % MODEL_STALE] = name;
    }
}

/* The lowest free slot; MODEL_SLOTS, none. */
static uint32_t
model_lowest(const struct model *model, uint32_t least)
{
    while (least < MODEL_SLOTS &&
           (model->slots[least].is_open || model->slots[least].is_reserved)) {
        least++;
    }
    return least;
}

/* A name is a good choice, and its slot is free, says the model. */
static void
model_check_name(struct test *t, struct model *model, uint32_t name,
                 uint32_t lowest)
{
    uint32_t slot = right_name_slot(name);

    ASSERT(slot < MODEL_SLOTS);
    EXPECT(!model->slots[slot].is_open && !model->slots[slot].is_reserved);
    if (model->policy != RIGHT_ANY) {
        EXPECT_EQ(slot, lowest);
    }
    if (model->policy != RIGHT_UNIQUE) {
        EXPECT_EQ(name, slot);
    }
    for (uint32_t i = 0; i < MIN(model->nr_stale, (uint32_t)MODEL_STALE); i++) {
        EXPECT(name != model->stale[i]);
    }
}

static void
model_insert(struct test *t, struct model *model)
{
    uint32_t object = (uint32_t)rand_below(&t->rand, RIGHT_FIXTURE_OBJECTS);
    uint32_t least = 0, name, flags = (uint32_t)rand_below(&t->rand, 2), lowest;
    status_t status;

    if (model->policy != RIGHT_ANY && rand_below(&t->rand, 4) == 0) {
        least = (uint32_t)rand_below(&t->rand, MODEL_SLOTS);
    }
    lowest = model_lowest(model, least);
    status = right_table_insert(model->fixture->table,
                                model->fixture->rights[object], least, flags,
                                &name);
    EXPECT_EQ(status, lowest < MODEL_SLOTS ? OK : ERR_RANGE);
    if (status == OK) {
        model_check_name(t, model, name, lowest);
        model_open(model, name, object, flags);
    }
}

/* A name, often one that is open. */
static uint32_t
model_any_name(struct test *t, struct model *model)
{
    uint32_t slot = (uint32_t)rand_below(&t->rand, MODEL_SLOTS);

    if (model->nr_stale != 0 && rand_below(&t->rand, 8) == 0) {
        return model->stale[rand_below(&t->rand, MIN(model->nr_stale,
                                                     (uint32_t)MODEL_STALE))];
    }
    for (unsigned tries = 0; tries < 20 && !model->slots[slot].is_open;
         tries++) {
        slot = (uint32_t)rand_below(&t->rand, MODEL_SLOTS);
    }
    return model->slots[slot].is_open ? model->slots[slot].name : slot;
}

static bool
model_has(const struct model *model, uint32_t name)
{
    const struct model_slot *slot = &model->slots[right_name_slot(name)];

    return slot->is_open && slot->name == name;
}

static void
model_remove(struct test *t, struct model *model)
{
    uint32_t name = model_any_name(t, model);
    bool is_there = model_has(model, name);

    EXPECT_EQ(right_table_close(model->fixture->table, name),
              is_there ? OK : ERR_NOT_FOUND);
    if (is_there) {
        model_close(model, name);
    }
}

static void
model_dup(struct test *t, struct model *model)
{
    uint32_t from = model_any_name(t, model), name, lowest;
    bool is_there = model_has(model, from);
    status_t status;

    lowest = model_lowest(model, 0);
    status = right_table_dup(model->fixture->table, from, 0, 0, &name);
    if (!is_there) {
        EXPECT_EQ(status, ERR_NOT_FOUND);
    } else {
        EXPECT_EQ(status, lowest < MODEL_SLOTS ? OK : ERR_RANGE);
    }
    if (status == OK) {
        model_check_name(t, model, name, lowest);
        model_open(model, name, model->slots[right_name_slot(from)].object, 0);
    }
}

static void
model_dup_to(struct test *t, struct model *model)
{
    uint32_t from = model_any_name(t, model), to = model_any_name(t, model);
    const struct model_slot *slot = &model->slots[right_name_slot(to)];
    status_t status, expected = OK;

    if (!model_has(model, from)) {
        expected = ERR_NOT_FOUND;
    } else if (from != to && !model_has(model, to)) {
        if (right_name_generation(to) != 0) {
            expected = ERR_NOT_FOUND;
        } else if (slot->is_open || slot->is_reserved) {
            expected = ERR_BUSY;
        }
    }
    status = right_table_dup_to(model->fixture->table, from, to, RIGHT_CLOEXEC);
    EXPECT_EQ(status, expected);
    if (status == OK && from != to) {
        model_open(model, to, model->slots[right_name_slot(from)].object,
                   RIGHT_CLOEXEC);
    }
}

/* Reserve some, and end each reservation at once, or some steps later. */
static void
model_reserve(struct test *t, struct model *model)
{
    uint32_t names[RIGHT_RESERVE_MAX], i, object;
    uint32_t nr = 1 + (uint32_t)rand_below(&t->rand, RIGHT_RESERVE_MAX);
    struct right *right;

    if (right_table_reserve(model->fixture->table, nr, 0, names) != OK) {
        return;
    }
    for (i = 0; i < nr; i++) {
        model_check_name(t, model, names[i], model_lowest(model, 0));
        model->slots[right_name_slot(names[i])].is_reserved = true;
    }
    model_remove(t, model);
    model_dup_to(t, model);
    for (i = 0; i < nr; i++) {
        EXPECT_EQ(right_fixture_find(model->fixture, names[i]), MODEL_NO);
        if (rand_below(&t->rand, 2) == 0) {
            right_table_cancel(model->fixture->table, 1, &names[i]);
            model->slots[right_name_slot(names[i])].is_reserved = false;
            continue;
        }
        object = (uint32_t)rand_below(&t->rand, RIGHT_FIXTURE_OBJECTS);
        right = model->fixture->rights[object];
        right_get(right);
        EXPECT_EQ(right_table_commit(model->fixture->table, names[i], right,
                                     RIGHT_CLOEXEC),
                  OK);
        model_open(model, names[i], object, RIGHT_CLOEXEC);
    }
}

static void
model_exec(struct model *model)
{
    right_table_close_on_exec(model->fixture->table);
    for (uint32_t i = 0; i < MODEL_SLOTS; i++) {
        if (model->slots[i].is_open && model->slots[i].flags != 0) {
            model_close(model, model->slots[i].name);
        }
    }
}

static void
model_flags(struct test *t, struct model *model)
{
    uint32_t name = model_any_name(t, model), flags, before;

    flags = (uint32_t)rand_below(&t->rand, 2);
    if (!model_has(model, name)) {
        EXPECT_EQ(right_table_flags(model->fixture->table, name, &flags),
                  ERR_NOT_FOUND);
        return;
    }
    EXPECT_EQ(right_table_set_flags(model->fixture->table, name, RIGHT_CLOEXEC,
                                    flags, &before),
              OK);
    EXPECT_EQ(before, model->slots[right_name_slot(name)].flags);
    model->slots[right_name_slot(name)].flags = flags;
}

/* Both say the same of all names. */
static void
model_compare(struct test *t, struct model *model)
{
    struct right_info info;
    uint32_t name = 0, nr = 0;

    while (right_table_next(model->fixture->table, name, &info) == OK) {
        uint32_t slot = right_name_slot(info.name);

        ASSERT(slot < MODEL_SLOTS && model->slots[slot].is_open);
        EXPECT_EQ(info.name, model->slots[slot].name);
        EXPECT_EQ(info.flags, model->slots[slot].flags);
        EXPECT_EQ(info.label, RIGHT_FIXTURE_LABEL(model->slots[slot].object));
        EXPECT_EQ(right_fixture_find(model->fixture, info.name),
                  model->slots[slot].object);
        name = slot + 1;
        nr++;
    }
    EXPECT_EQ(nr, model->nr_open);
    EXPECT_EQ(right_table_count(model->fixture->table), nr);
    for (uint32_t i = 0; i < MIN(model->nr_stale, (uint32_t)MODEL_STALE); i++) {
        EXPECT(model_has(model, model->stale[i]) ||
               right_fixture_find(model->fixture, model->stale[i]) == MODEL_NO);
    }
}

/* By turns more come than go, and more go. */
static void
model_step(struct test *t, struct model *model, bool is_growing)
{
    uint64_t what = rand_below(&t->rand, 100);

    if (what < (is_growing ? 60 : 20)) {
        model_insert(t, model);
    } else if (what < 70) {
        model_remove(t, model);
    } else if (what < 80) {
        model_dup(t, model);
    } else if (what < 88) {
        model_dup_to(t, model);
    } else if (what < 92) {
        model_reserve(t, model);
    } else if (what < 99 || is_growing) {
        model_flags(t, model);
    } else {
        model_exec(model);
    }
}

static void
model_run(struct test *t, enum right_policy policy)
{
    struct model *model;

    model = kzalloc(sizeof(*model));
    ASSERT(model != NULL);
    test_cleanup(t, kfree, model);
    model->policy = policy;
    model->fixture = right_fixture_create(t, policy);
    right_table_set_limit(model->fixture->table, MODEL_SLOTS);
    for (uint64_t i = 0; i < MODEL_STEPS * t->iterations; i++) {
        model_step(t, model, i / 800 % 2 == 0);
        if (i % MODEL_COMPARE == 0) {
            model_compare(t, model);
        }
    }
    model_compare(t, model);
}

TEST(right_model, lowest)
{
    model_run(t, RIGHT_LOWEST);
}

TEST(right_model, any)
{
    model_run(t, RIGHT_ANY);
}

TEST(right_model, unique)
{
    model_run(t, RIGHT_UNIQUE);
}
