/* SPDX-License-Identifier: MIT */
/*
 * Large pages against a model: random operations on mappings of two objects in
 * one piece.  After each, all CPUs look at some pages, so they have old
 * translations of others that must be gone next time.
 */
#include <stdatomic.h>
#include <stddef.h>

#include <lib/string.h>
#include <kern/all_cpus.h>
#include <kern/cpu.h>
#include <vm/survey.h>
#include <test/vm/large_fixture.h>

#define MODEL_SLOTS   3 /* of 2 MiB, the last two beyond a multiple of 1 GiB */
#define MODEL_PAGES   (MODEL_SLOTS * LARGE_PAGES)
#define MODEL_OBJECTS 2
#define MODEL_STEPS   100
#define MODEL_LOOKS   40 /* of each CPU after a step */
#define MODEL_VA      (FIXTURE_VA + LARGE_1G - LARGE_2M)

struct model_page {
    bool is_mapped;
    bool is_private;
    bool is_copied; /* has a page of its own */
    uint8_t object; /* else the object's, of the same number modulo 512 */
    unsigned int prot;
    uint64_t value; /* of the copy */
};

/*
 * Keys: [c] constant while others run   [a] atomic
 */
struct model {
    struct test *t;                          /* [c] */
    struct space_fixture *space;             /* [c] */
    struct object_fixture *objects;          /* [c] has the container */
    struct vm_object *object[MODEL_OBJECTS]; /* [c] */
    struct model_page *pages;                /* [c] MODEL_PAGES */
    uint64_t seed;                           /* [c] of this step's looks */
    _Atomic uint64_t nr_wrong;               /* [a] */
};

/* A random range: pages, or all of one or more large pages. */
struct model_range {
    size_t first, nr;
    uintptr_t va;
    size_t size;
};

static struct model_range
model_range(struct model *model)
{
    struct rand *rand = &model->t->rand;
    size_t unit = rand_below(rand, 2) == 0 ? 1 : LARGE_PAGES;
    struct model_range range;

    range.first = rand_below(rand, MODEL_PAGES / unit) * unit;
    range.nr = (1 + rand_below(rand, (MODEL_PAGES - range.first) / unit)) *
               unit;
    range.va = MODEL_VA + PAGES(range.first);
    range.size = PAGES(range.nr);
    return range;
}

static uint64_t *
model_ram(const struct model *model, const struct model_page *page)
{
    size_t index = (size_t)(page - model->pages) % LARGE_PAGES;

    return pmap_direct_ptr(object_phys(model->object[page->object]) +
                           PAGES(index));
}

static uint64_t
model_value(const struct model *model, const struct model_page *page)
{
    return page->is_copied ? page->value : *model_ram(model, page);
}

/* Map a part of an object that lies within one slot. */
static void
model_map_slot(struct model *model, size_t first, size_t nr,
               const struct model_page *page)
{
    struct space_mapping mapping = {
        .va = MODEL_VA + PAGES(first),
        .size = PAGES(nr),
        .prot = page->prot,
        .flags = SPACE_MAP_FIXED | (page->is_private ? SPACE_MAP_PRIVATE : 0U),
        .object = model->object[page->object],
        .index = first % LARGE_PAGES,
    };
    struct test *t = model->t;
    uintptr_t va;

    EXPECT_EQ(space_map(model->space->space, &mapping, &va), OK);
    for (size_t i = first; i < first + nr; i++) {
        model->pages[i] = *page;
    }
}

static unsigned int
model_prot(struct model *model)
{
    static const unsigned int prots[] = { 0, PMAP_READ, PROT_RW, PROT_RW };

    return prots[rand_below(&model->t->rand, ARRAY_SIZE(prots))];
}

static void
model_map(struct model *model)
{
    struct model_range range = model_range(model);
    size_t end = range.first + range.nr;
    struct model_page page = {
        .is_mapped = true,
        .is_private = rand_below(&model->t->rand, 4) == 0,
        .object = (uint8_t)rand_below(&model->t->rand, MODEL_OBJECTS),
        .prot = model_prot(model),
    };

    for (size_t first = range.first; first < end;) {
        size_t next = MIN(ALIGN_DOWN(first, LARGE_PAGES) + LARGE_PAGES, end);

        model_map_slot(model, first, next - first, &page);
        first = next;
    }
}

static void
model_unmap(struct model *model)
{
    struct model_range range = model_range(model);
    struct test *t = model->t;

    EXPECT_EQ(space_unmap(model->space->space, range.va, range.size), OK);
    memset(&model->pages[range.first], 0, range.nr * sizeof(struct model_page));
}

static bool
model_is_mapped(const struct model *model, const struct model_range *range)
{
    for (size_t i = range->first; i < range->first + range->nr; i++) {
        if (!model->pages[i].is_mapped) {
            return false;
        }
    }
    return true;
}

static void
model_protect(struct model *model)
{
    struct model_range range = model_range(model);
    unsigned int prot = model_prot(model);
    bool is_mapped = model_is_mapped(model, &range);
    struct test *t = model->t;

    EXPECT_EQ(space_protect(model->space->space, range.va, range.size, prot),
              is_mapped ? OK : ERR_NOT_FOUND);
    for (size_t i = 0; is_mapped && i < range.nr; i++) {
        model->pages[range.first + i].prot = prot;
    }
}

static void
model_discard(struct model *model)
{
    struct model_range range = model_range(model);
    bool is_mapped = model_is_mapped(model, &range);
    struct test *t = model->t;

    EXPECT_EQ(space_discard(model->space->space, range.va, range.size),
              is_mapped ? OK : ERR_NOT_FOUND);
    for (size_t i = 0; is_mapped && i < range.nr; i++) {
        model->pages[range.first + i].is_copied = false;
    }
}

static void
model_write(struct model *model)
{
    struct model_range range = model_range(model);
    struct model_page *page = &model->pages[range.first];
    uint64_t value = rand_u64(&model->t->rand) >> 1;
    bool may = page->is_mapped && (page->prot & PMAP_WRITE) != 0;
    struct test *t = model->t;

    EXPECT_EQ(user_write_u64(range.va, value), may ? OK : ERR_FAULT);
    if (may && page->is_private) {
        page->is_copied = true;
        page->value = value;
    } else if (may) {
        EXPECT_EQ(*model_ram(model, page), value);
    }
}

static void
model_clone(struct model *model)
{
    struct space_fixture *fixture = model->space;
    struct vm_space *clone;

    verify(space_clone(&clone, fixture->space, fixture->container, "clone") ==
           OK);
    if (rand_below(&model->t->rand, 2) == 0) {
        space_put(clone);
        return;
    }
    space_use(clone);
    space_put(fixture->space);
    fixture->space = clone;
}

static void
model_trim(struct model *model)
{
    space_trim(model->space->space, MODEL_VA, MODEL_VA + PAGES(MODEL_PAGES));
}

static void
model_drop(struct model *model)
{
    space_drop_tables(model->space->space);
}

/* On each CPU. */
static void
model_look(void *arg)
{
    struct model *model = arg;
    struct rand rand;

    rand_init(&rand, model->seed + cpu_id());
    space_use(model->space->space);
    for (int i = 0; i < MODEL_LOOKS; i++) {
        const struct model_page *page =
            &model->pages[rand_below(&rand, MODEL_PAGES)];
        uintptr_t va = MODEL_VA + PAGES(page - model->pages);
        bool may = page->is_mapped && page->prot != 0;
        uint64_t expected = may ? model_value(model, page) : UINT64_MAX;

        atomic_fetch_add(&model->nr_wrong, fixture_read(va) != expected);
        if (!may || !(page->prot & PMAP_WRITE)) {
            atomic_fetch_add(&model->nr_wrong, user_write_u64(va, 0) == OK);
        }
    }
    space_use(NULL);
}

static void
model_end(void *arg)
{
    struct model *model = arg;

    for (size_t i = 0; i < MODEL_OBJECTS; i++) {
        if (model->object[i] != NULL) {
            object_put(model->object[i]);
        }
    }
    kfree(model->pages);
}

/* Returns: false, there is no memory in one piece */
static bool
model_begin(struct model *model, struct test *t)
{
    model->t = t;
    model->objects = object_fixture_create(t);
    model->pages = kzalloc(MODEL_PAGES * sizeof(*model->pages));
    verify(model->pages != NULL);
    test_cleanup(t, model_end, model);
    for (size_t i = 0; i < MODEL_OBJECTS; i++) {
        if (object_create_contiguous(&model->object[i],
                                     model->objects->container, "model",
                                     LARGE_PAGES) != OK) {
            return false;
        }
    }
    model->space = space_fixture_create(t);
    return true;
}

/* Have all CPUs look.  Returns: how many large pages there are then */
static uint64_t
model_check(struct model *model)
{
    struct survey_counts counts;
    struct test *t = model->t;

    model->seed = rand_u64(&t->rand);
    all_cpus_run(model_look, model);
    EXPECT_EQ(model->nr_wrong, 0);
    survey_range(model->space->space, MODEL_VA, MODEL_VA + PAGES(MODEL_PAGES),
                 &counts);
    return counts.nr_large;
}

static void
model_run(struct model *model, uint64_t nr_steps)
{
    static void (*const steps[])(struct model *model) = {
        model_map,     model_map,  model_unmap, model_protect, model_discard,
        model_protect, model_trim, model_write, model_drop,    model_clone,
    };
    struct model_page page = { .is_mapped = true, .prot = PROT_RW };
    struct test *t = model->t;

    for (size_t i = 0; i < MODEL_SLOTS; i++) {
        model_map_slot(model, i * LARGE_PAGES, LARGE_PAGES, &page);
    }
    EXPECT(model_check(model) > 0);
    for (uint64_t i = 0; i < nr_steps && t->nr_failures == 0; i++) {
        steps[rand_below(&t->rand, ARRAY_SIZE(steps))](model);
        (void)model_check(model);
    }
}

TEST(large_page, agrees_with_a_model_on_all_cpus)
{
    static struct model model;

    memset(&model, 0, sizeof(model));
    if (!model_begin(&model, t)) {
        SKIP("no memory in one piece");
    }
    for (size_t i = 0; i < MODEL_PAGES; i++) {
        model.pages[i].object = i % MODEL_OBJECTS;
        *model_ram(&model, &model.pages[i]) = rand_u64(&t->rand) >> 1;
        model.pages[i].object = 0;
    }
    model_run(&model, MODEL_STEPS / (1 + cpu_nr_online() / 8) * t->iterations);
}
