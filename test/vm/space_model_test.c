/* SPDX-License-Identifier: MIT */
/*
 * Spaces against a model: random operations on a few pages around the
 * boundary of two nodes, each result and each page compared.
 */
#include <stddef.h>

#include <lib/string.h>
#include <test/vm/space_fixture.h>

#define MODEL_PAGES 40
#define MODEL_STEPS 400

/* 20 pages below a multiple of 1 GiB, and 20 above. */
#define MODEL_VA (FIXTURE_VA + (UINT64_C(1) << 30) - 20 * PAGE_SIZE)

struct model_page {
    bool is_mapped;
    unsigned int prot;
    uint64_t value;
};

struct model {
    struct test *t;
    struct space_fixture *fixture;
    struct model_page pages[MODEL_PAGES];
};

/* A random range of pages. */
struct model_range {
    size_t first, nr;
    uintptr_t va;
    size_t size;
};

static struct model_range
model_range(struct model *model)
{
    struct rand *rand = &model->t->rand;
    struct model_range range;

    range.first = (size_t)rand_below(rand, MODEL_PAGES);
    range.nr = 1 + (size_t)rand_below(rand, MODEL_PAGES - range.first);
    range.va = MODEL_VA + range.first * PAGE_SIZE;
    range.size = range.nr * PAGE_SIZE;
    return range;
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
    struct model_page page = { .is_mapped = true, .prot = model_prot(model) };
    struct test *t = model->t;

    EXPECT_EQ(fixture_map(model->fixture, range.va, range.size, page.prot), OK);
    for (size_t i = range.first; i < range.first + range.nr; i++) {
        model->pages[i] = page;
    }
}

static void
model_unmap(struct model *model)
{
    struct model_range range = model_range(model);
    struct test *t = model->t;

    EXPECT_EQ(space_unmap(model->fixture->space, range.va, range.size), OK);
    memset(&model->pages[range.first], 0, range.nr * sizeof(struct model_page));
}

static void
model_protect(struct model *model)
{
    struct model_range range = model_range(model);
    unsigned int prot = model_prot(model);
    bool is_mapped = model_is_mapped(model, &range);
    struct test *t = model->t;

    EXPECT_EQ(space_protect(model->fixture->space, range.va, range.size, prot),
              is_mapped ? OK : ERR_NOT_FOUND);
    for (size_t i = range.first; is_mapped && i < range.first + range.nr; i++) {
        model->pages[i].prot = prot;
    }
}

static void
model_discard(struct model *model)
{
    struct model_range range = model_range(model);
    bool is_mapped = model_is_mapped(model, &range);
    struct test *t = model->t;

    EXPECT_EQ(space_discard(model->fixture->space, range.va, range.size),
              is_mapped ? OK : ERR_NOT_FOUND);
    for (size_t i = range.first; is_mapped && i < range.first + range.nr; i++) {
        model->pages[i].value = 0;
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

    EXPECT_EQ(user_write_u64(range.va + 8, value), may ? OK : ERR_FAULT);
    if (may) {
        page->value = value;
    }
}

/* The clone has what the original had, and then the original goes. */
static void
model_clone(struct model *model)
{
    struct space_fixture *fixture = model->fixture;
    struct test *t = model->t;
    struct vm_space *clone;

    ASSERT(space_clone(&clone, fixture->space, fixture->container, "clone") ==
           OK);
    if (rand_below(&t->rand, 2) == 0) {
        space_put(clone);
        return;
    }
    space_use(clone);
    space_put(fixture->space);
    fixture->space = clone;
}

static void
model_compare(struct model *model)
{
    struct test *t = model->t;

    for (size_t i = 0; i < MODEL_PAGES; i++) {
        const struct model_page *page = &model->pages[i];
        bool may = page->is_mapped && page->prot != 0;

        EXPECT_EQ(fixture_read(MODEL_VA + i * PAGE_SIZE + 8),
                  may ? page->value : UINT64_MAX);
    }
}

TEST(space, agrees_with_a_model)
{
    static void (*const steps[])(struct model *model) = {
        model_map,   model_unmap, model_protect, model_protect, model_discard,
        model_write, model_write, model_write,   model_compare, model_clone,
    };
    struct space_fixture *fixture = space_fixture_create(t);
    struct model model = { .t = t, .fixture = fixture };

    for (uint64_t i = 0; i < MODEL_STEPS * t->iterations; i++) {
        steps[rand_below(&t->rand, ARRAY_SIZE(steps))](&model);
        if (t->nr_failures != 0) {
            return;
        }
    }
    model_compare(&model);
}
