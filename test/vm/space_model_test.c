/* SPDX-License-Identifier: MIT */
/*
 * Spaces against a model: random operations on a few pages around the
 * boundary of two nodes, each result and each page compared; also when memory
 * ends at each allocation of each operation in turn.
 */
#include <stddef.h>

#include <kern/clock.h>
#include <kern/fail.h>
#include <kern/sref.h>
#include <lib/string.h>
#include <vm/object.h>
#include <vm/survey.h>
#include <test/vm/space_fixture.h>

#define MODEL_PAGES 40
#define MODEL_STEPS 400

/* Fewer when each is tried again and again. */
#define MODEL_FAIL_STEPS 80

/* What can do without an allocation hides those behind it: begin there, too. */
#define MODEL_FAIL_AT 8

/* Of an object; any range of pages fits behind each of the first half. */
#define MODEL_OBJECT_PAGES (2 * MODEL_PAGES)

/* Looks at the sums. */
#define MODEL_TRIES 1000

/* 20 pages below a multiple of 1 GiB, and 20 above. */
#define MODEL_VA (FIXTURE_VA + (UINT64_C(1) << 30) - 20 * PAGE_SIZE)

/* What a page is of. */
enum model_kind {
    MODEL_NONE,
    MODEL_ANON,
    MODEL_SHARED,  /* object 0 */
    MODEL_PRIVATE, /* object 1, which nobody else writes */
    MODEL_NR_KINDS,
};

struct model_page {
    enum model_kind kind;
    unsigned int prot;
    enum vm_inherit inherit;
    bool is_wired;
    bool is_own;    /* MODEL_PRIVATE: it was written */
    uint64_t index; /* of the object */
    uint64_t value; /* that it has of its own */
};

/* An operation, on the pages [first, end). */
struct model_op {
    size_t first, end;
    uintptr_t va;
    size_t size;
    struct model_page page; /* what is mapped, or what changes */
};

struct model {
    struct test *t;
    struct space_fixture *fixture;
    struct container *container; /* of the objects */
    struct vm_object *objects[2];
    struct vm_space *other; /* made by an operation */
    uintptr_t va;           /* likewise */
    struct model_page pages[MODEL_PAGES];
    uint64_t shared[MODEL_OBJECT_PAGES]; /* what object 0 has */
    bool is_failing;
    uint64_t nr_refused; /* operations, for lack of memory */
};

/* A kind of operations. */
struct model_step {
    status_t (*run)(struct model *model, const struct model_op *op);
    /* What it says if there is memory. */
    status_t (*expect)(const struct model *model, const struct model_op *op);
    void (*apply)(struct model *model, const struct model_op *op);
};

/* ------------------------------------------------------------------ model */

static uint64_t
model_private_value(uint64_t index)
{
    return 1000 + index;
}

static uint64_t
model_value(const struct model *model, const struct model_page *page)
{
    switch (page->kind) {
    case MODEL_SHARED:
        return model->shared[page->index];
    case MODEL_PRIVATE:
        return page->is_own ? page->value : model_private_value(page->index);
    default:
        return page->value;
    }
}

static status_t
model_expect_ok(const struct model *model __unused,
                const struct model_op *op __unused)
{
    return OK;
}

static status_t
model_expect_mapped(const struct model *model, const struct model_op *op)
{
    for (size_t i = op->first; i < op->end; i++) {
        if (model->pages[i].kind == MODEL_NONE) {
            return ERR_NOT_FOUND;
        }
    }
    return OK;
}

static void
model_change_nothing(struct model *model __unused,
                     const struct model_op *op __unused)
{
}

/* ------------------------------------------------------- map, unmap, change */

static status_t
model_map(struct model *model, const struct model_op *op)
{
    enum model_kind kind = op->page.kind;
    struct space_mapping mapping = {
        .va = op->va,
        .size = op->size,
        .prot = op->page.prot,
        .flags = SPACE_MAP_FIXED |
                 (kind == MODEL_PRIVATE ? SPACE_MAP_PRIVATE : 0),
        .inherit = op->page.inherit,
        .object = kind == MODEL_ANON ? NULL
                                     : model->objects[kind == MODEL_PRIVATE],
        .index = op->page.index,
    };

    return space_map(model->fixture->space, &mapping, &model->va);
}

static void
model_apply_map(struct model *model, const struct model_op *op)
{
    for (size_t i = op->first; i < op->end; i++) {
        model->pages[i] = op->page;
        model->pages[i].index += i - op->first;
    }
}

/* Where there is room, and gone at once; some wired. */
static status_t
model_map_anywhere(struct model *model, const struct model_op *op)
{
    struct space_mapping mapping = {
        .size = op->size,
        .prot = op->page.prot,
        .flags = op->first % 2 ? SPACE_MAP_WIRED : 0,
    };

    return space_map(model->fixture->space, &mapping, &model->va);
}

static void
model_apply_map_anywhere(struct model *model, const struct model_op *op)
{
    struct test *t = model->t;

    EXPECT_EQ(space_unmap(model->fixture->space, model->va, op->size), OK);
}

static status_t
model_unmap(struct model *model, const struct model_op *op)
{
    return space_unmap(model->fixture->space, op->va, op->size);
}

static void
model_apply_unmap(struct model *model, const struct model_op *op)
{
    memset(&model->pages[op->first], 0,
           (op->end - op->first) * sizeof(struct model_page));
}

static status_t
model_protect(struct model *model, const struct model_op *op)
{
    return space_protect(model->fixture->space, op->va, op->size,
                         op->page.prot);
}

static void
model_apply_protect(struct model *model, const struct model_op *op)
{
    for (size_t i = op->first; i < op->end; i++) {
        model->pages[i].prot = op->page.prot;
    }
}

static status_t
model_inherit(struct model *model, const struct model_op *op)
{
    return space_set_inherit(model->fixture->space, op->va, op->size,
                             op->page.inherit);
}

static void
model_apply_inherit(struct model *model, const struct model_op *op)
{
    for (size_t i = op->first; i < op->end; i++) {
        model->pages[i].inherit = op->page.inherit;
    }
}

static status_t
model_discard(struct model *model, const struct model_op *op)
{
    return space_discard(model->fixture->space, op->va, op->size);
}

static void
model_apply_discard(struct model *model, const struct model_op *op)
{
    for (size_t i = op->first; i < op->end; i++) {
        if (!model->pages[i].is_wired) {
            model->pages[i].is_own = false;
            model->pages[i].value = 0;
        }
    }
}

/* ---------------------------------------------------- need, wire, contents */

static status_t
model_need(struct model *model, const struct model_op *op)
{
    return space_need(model->fixture->space, op->va, op->size);
}

static status_t
model_wire(struct model *model, const struct model_op *op)
{
    return space_wire(model->fixture->space, op->va, op->size);
}

static status_t
model_unwire(struct model *model, const struct model_op *op)
{
    return space_unwire(model->fixture->space, op->va, op->size);
}

static void
model_apply_wire(struct model *model, const struct model_op *op)
{
    for (size_t i = op->first; i < op->end; i++) {
        model->pages[i].is_wired = true;
    }
}

static void
model_apply_unwire(struct model *model, const struct model_op *op)
{
    for (size_t i = op->first; i < op->end; i++) {
        model->pages[i].is_wired = false;
    }
}

static status_t
model_expect_access(const struct model *model, const struct model_op *op,
                    unsigned int access)
{
    const struct model_page *page = &model->pages[op->first];

    if (page->kind == MODEL_NONE) {
        return ERR_FAULT;
    }
    return (page->prot & access) != 0 ? OK : ERR_ACCESS;
}

static status_t
model_read(struct model *model, const struct model_op *op)
{
    return space_fault(model->fixture->space, op->va, FAULT_READ);
}

static status_t
model_expect_read(const struct model *model, const struct model_op *op)
{
    return model_expect_access(model, op, PMAP_READ);
}

static status_t
model_write(struct model *model, const struct model_op *op)
{
    return space_fault(model->fixture->space, op->va, FAULT_WRITE);
}

static status_t
model_expect_write(const struct model *model, const struct model_op *op)
{
    return model_expect_access(model, op, PMAP_WRITE);
}

static void
model_apply_write(struct model *model, const struct model_op *op)
{
    struct model_page *page = &model->pages[op->first];
    struct test *t = model->t;

    EXPECT_EQ(user_write_u64(op->va + 8, op->page.value), OK);
    if (page->kind == MODEL_SHARED) {
        model->shared[page->index] = op->page.value;
    }
    page->value = op->page.value;
    page->is_own = true;
}

/* ----------------------------------------------------------------- spaces */

static status_t
model_create(struct model *model, const struct model_op *op __unused)
{
    return space_create(&model->other, model->fixture->container, "other");
}

static void
model_apply_create(struct model *model, const struct model_op *op __unused)
{
    space_put(model->other);
}

static status_t
model_clone(struct model *model, const struct model_op *op __unused)
{
    return space_clone(&model->other, model->fixture->space,
                       model->fixture->container, "clone");
}

/* The clone has what the original had; one of them goes. */
static void
model_apply_clone(struct model *model, const struct model_op *op)
{
    struct space_fixture *fixture = model->fixture;

    if (op->first % 2 == 0) {
        space_put(model->other);
        return;
    }
    space_use(model->other);
    space_put(fixture->space);
    fixture->space = model->other;
    for (size_t i = 0; i < MODEL_PAGES; i++) {
        struct model_page *page = &model->pages[i];

        page->is_wired = false;
        if (page->inherit == VM_INHERIT_NONE) {
            *page = (struct model_page){ .kind = MODEL_NONE };
        }
    }
}

/* ------------------------------------------------------------- comparison */

/* Whether all is mapped as it should be. */
static void
model_compare_mappings(struct model *model)
{
    struct test *t = model->t;

    for (size_t i = 0; i < MODEL_PAGES; i++) {
        const struct model_page *page = &model->pages[i];
        uintptr_t va = MODEL_VA + i * PAGE_SIZE;
        struct space_info info;

        if (!space_query(model->fixture->space, va, &info) || info.va > va) {
            EXPECT_EQ(page->kind, MODEL_NONE);
            continue;
        }
        EXPECT(page->kind != MODEL_NONE);
        EXPECT_EQ(info.prot, page->prot);
        EXPECT_EQ(info.inherit, page->inherit);
        EXPECT_EQ(info.is_wired, page->is_wired);
        EXPECT_EQ(info.region == NULL, page->kind == MODEL_ANON);
    }
}

static void
model_compare(struct model *model)
{
    struct test *t = model->t;

    model_compare_mappings(model);
    for (size_t i = 0; i < MODEL_PAGES; i++) {
        const struct model_page *page = &model->pages[i];
        bool may = page->kind != MODEL_NONE && page->prot != 0;

        EXPECT_EQ(fixture_read(MODEL_VA + i * PAGE_SIZE + 8),
                  may ? model_value(model, page) : UINT64_MAX);
    }
}

/* Whether what is charged is what there is. */
static bool
model_has_sums(const struct model *model)
{
    struct survey_sums sums;

    rcu_barrier();
    survey_sum(model->fixture->space, &sums);
    return sums.nr_nodes + sums.nr_arrays + sums.nr_tables ==
           container_used(model->fixture->container, CONTAINER_TABLES);
}

/* ------------------------------------------------------------------ steps */

static void
model_op_init(struct model *model, struct model_op *op)
{
    static const unsigned int prots[] = { 0, PMAP_READ, PROT_RW, PROT_RW };
    static const enum vm_inherit inherits[] = {
        VM_INHERIT_COPY, VM_INHERIT_COPY, VM_INHERIT_COPY, VM_INHERIT_NONE
    };
    struct rand *rand = &model->t->rand;

    op->first = (size_t)rand_below(rand, MODEL_PAGES);
    op->end = op->first + 1 + (size_t)rand_below(rand, MODEL_PAGES - op->first);
    op->va = MODEL_VA + op->first * PAGE_SIZE;
    op->size = (op->end - op->first) * PAGE_SIZE;
    op->page = (struct model_page){
        .kind = (enum model_kind)(1 + rand_below(rand, MODEL_NR_KINDS - 1)),
        .prot = prots[rand_below(rand, ARRAY_SIZE(prots))],
        .inherit = inherits[rand_below(rand, ARRAY_SIZE(inherits))],
        .index = rand_below(rand, MODEL_PAGES),
    };
}

/* Try with one of the first allocations failing, then the next, and so on. */
static status_t
model_run_failing(struct model *model, const struct model_step *step,
                  const struct model_op *op)
{
    struct fail fail;
    status_t status;
    uint64_t at = rand_below(&model->t->rand, MODEL_FAIL_AT);

    for (;;) {
        fail_begin_at(&fail, at++);
        status = step->run(model, op);
        fail_end(&fail);
        if (status != ERR_NO_MEMORY || fail.nr_failed == 0) {
            return status;
        }
        model->nr_refused++;
        model_compare_mappings(model);
        /* Not always: what was looked at needs no memory any more. */
        if (rand_below(&model->t->rand, 4) == 0) {
            model_compare(model);
        }
    }
}

static void
model_step(struct model *model, const struct model_step *step)
{
    struct test *t = model->t;
    struct model_op op;
    status_t status, expected;

    model_op_init(model, &op);
    if (step->apply == model_apply_write) {
        op.page.value = rand_u64(&t->rand) >> 1;
    }
    expected = step->expect(model, &op);
    status = model->is_failing ? model_run_failing(model, step, &op)
                               : step->run(model, &op);
    EXPECT_EQ(status, expected);
    if (status == OK) {
        step->apply(model, &op);
    }
    if (rand_below(&t->rand, 8) == 0) {
        model_compare(model);
    }
}

static const struct model_step model_steps[] = {
    { model_map, model_expect_ok, model_apply_map },
    { model_map, model_expect_ok, model_apply_map },
    { model_map_anywhere, model_expect_ok, model_apply_map_anywhere },
    { model_unmap, model_expect_ok, model_apply_unmap },
    { model_protect, model_expect_mapped, model_apply_protect },
    { model_protect, model_expect_mapped, model_apply_protect },
    { model_inherit, model_expect_mapped, model_apply_inherit },
    { model_discard, model_expect_mapped, model_apply_discard },
    { model_need, model_expect_mapped, model_change_nothing },
    { model_wire, model_expect_mapped, model_apply_wire },
    { model_unwire, model_expect_mapped, model_apply_unwire },
    { model_read, model_expect_read, model_change_nothing },
    { model_write, model_expect_write, model_apply_write },
    { model_write, model_expect_write, model_apply_write },
    { model_write, model_expect_write, model_apply_write },
    { model_create, model_expect_ok, model_apply_create },
    { model_clone, model_expect_ok, model_apply_clone },
};

/* ------------------------------------------------------------------ tests */

/* Behind the spaces, which have mappings of the objects. */
static void
model_end(void *arg)
{
    struct model *model = arg;
    struct test *t = model->t;

    object_put(model->objects[0]);
    object_put(model->objects[1]);
    EXPECT_EQ(object_sync(CLOCK_NEVER), OK);
    EXPECT_EQ(container_used(model->container, CONTAINER_PAGES), 0);
    EXPECT_EQ(container_used(model->container, CONTAINER_OBJECTS), 0);
    container_put(model->container);
    (void)sref_sync(CLOCK_NEVER);
    kfree(model);
}

/* Give the pages of the object that is mapped privately their contents. */
static void
model_fill(const struct model *model)
{
    for (uint64_t i = 0; i < MODEL_OBJECT_PAGES; i++) {
        struct object_frame frame;
        uint64_t *words;

        verify(object_get_frame(model->objects[1], i, true, &frame) == OK);
        words = pmap_direct_ptr(frame.phys);
        words[1] = model_private_value(i);
    }
}

static struct model *
model_begin(struct test *t)
{
    struct model *model = kzalloc(sizeof(*model));

    verify(model != NULL);
    model->t = t;
    verify(container_create(&model->container, container_root, "model") == OK);
    for (size_t i = 0; i < ARRAY_SIZE(model->objects); i++) {
        verify(object_create_anon(&model->objects[i], model->container, "model",
                                  MODEL_OBJECT_PAGES) == OK);
    }
    model_fill(model);
    test_cleanup(t, model_end, model);
    model->fixture = space_fixture_create(t);
    return model;
}

static void
model_run(struct model *model, uint64_t nr_steps)
{
    struct test *t = model->t;

    for (uint64_t i = 0; i < nr_steps * t->iterations; i++) {
        model_step(model,
                   &model_steps[rand_below(&t->rand, ARRAY_SIZE(model_steps))]);
        if (t->nr_failures != 0) {
            return;
        }
    }
    model_compare(model);
    space_trim(model->fixture->space, SPACE_START, SPACE_END);
    for (unsigned int i = 0; !model_has_sums(model) && i < MODEL_TRIES; i++) {
        /* Somebody else has just taken a node out. */
        test_pause();
    }
    EXPECT(model_has_sums(model));
}

TEST(space, agrees_with_a_model)
{
    model_run(model_begin(t), MODEL_STEPS);
}

TEST(space, agrees_with_a_model_when_memory_ends)
{
    struct model *model;

    if (!FAIL_IS_BUILT) {
        SKIP("needs DEBUG=1");
    }
    model = model_begin(t);
    model->is_failing = true;
    model_run(model, MODEL_FAIL_STEPS);
    EXPECT(model->nr_refused > MODEL_FAIL_STEPS / 4);
}
