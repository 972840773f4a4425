/* SPDX-License-Identifier: MIT */
/*
 * Page tables of users against a model: random pages, links, large pages and
 * cuts, each result compared, the tables' words compared after each step, and
 * what the processor reads.
 *
 * The model is flat: it knows of each place what is there, and of each table
 * whether it exists.  Places are few but at all kinds of bounds: pages first,
 * last and in the middle of a table, tables in each half of a directory, and
 * so on upwards.
 */
#include <arch/cpu.h>
#include <arch/user_copy.h>
#include <arch/utable.h>
#include <kern/kmalloc.h>
#include <test/arch/user_kit.h>
#include <test/test.h>

#define NR_ROOTS  2 /* of 512 GiB */
#define NR_DIRS   3 /* of 1 GiB in each */
#define NR_BLOCKS 4 /* of 2 MiB in each */
#define NR_PAGES  6 /* of 4 KiB in each */
#define NR_FRAMES 8
#define NR_NODES  3

#define ALL_BLOCKS (NR_ROOTS * NR_DIRS * NR_BLOCKS)
#define ALL_PAGES  (ALL_BLOCKS * NR_PAGES)

#define SIZE_2M   MIB(2)
#define SIZE_1G   GIB(1)
#define SIZE_512G (SIZE_1G * 512)

static const uint64_t model_roots[NR_ROOTS] = { 17, 18 };
static const uint64_t model_dirs[NR_DIRS] = { 0, 1, 511 };
static const uint64_t model_blocks[NR_BLOCKS] = { 0, 1, 300, 511 };
static const uint64_t model_pages[NR_PAGES] = { 0, 1, 129, 130, 510, 511 };

enum model_kind {
    MODEL_NOTHING,
    MODEL_TABLE,
    MODEL_LINK,
    MODEL_LARGE,
};

/*
 * Own to one thread.
 */
struct model {
    struct user_kit *kit;
    bool has_root[NR_ROOTS];
    enum model_kind dirs[NR_ROOTS * NR_DIRS]; /* NOTHING, TABLE or LARGE */
    enum model_kind blocks[ALL_BLOCKS];
    unsigned int links[ALL_BLOCKS]; /* which node */
    uint64_t large[ALL_BLOCKS];     /* its word */
    uint64_t words[ALL_PAGES];      /* 0: none */
    struct page *frames[NR_FRAMES]; /* each holds its number */
    struct page *nodes[NR_NODES];   /* each has a frame in each place */
    struct page *block;             /* 2 MiB, or NULL */
};

static uintptr_t
model_dir_va(unsigned int dir)
{
    return model_roots[dir / NR_DIRS] * SIZE_512G +
           model_dirs[dir % NR_DIRS] * SIZE_1G;
}

static uintptr_t
model_block_va(unsigned int block)
{
    return model_dir_va(block / NR_BLOCKS) +
           model_blocks[block % NR_BLOCKS] * SIZE_2M;
}

static uintptr_t
model_page_va(unsigned int page)
{
    return model_block_va(page / NR_PAGES) +
           model_pages[page % NR_PAGES] * PAGE_SIZE;
}

/* The frame that node @node has at place @page of a table. */
static struct page *
model_node_frame(const struct model *model, unsigned int node,
                 unsigned int page)
{
    return model->frames[(node + page) % NR_FRAMES];
}

static void
model_begin(struct model *model, struct user_kit *kit)
{
    *model = (struct model){ .kit = kit };
    for (unsigned int i = 0; i < NR_FRAMES; i++) {
        model->frames[i] = user_kit_page(kit);
        *(uint64_t *)page_ptr(model->frames[i]) = i;
    }
    for (unsigned int i = 0; i < NR_NODES; i++) {
        uint64_t *words;

        model->nodes[i] = user_kit_page(kit);
        words = page_ptr(model->nodes[i]);
        for (unsigned int j = 0; j < NR_PAGES; j++) {
            words[model_pages[j]] =
                uword_make(page_phys(model_node_frame(model, i, j)), PMAP_READ,
                           PMAP_WB, 0);
        }
    }
    model->block = page_alloc(9, 0);
    if (model->block != NULL) {
        list_insert_tail(&kit->pages, &model->block->node);
        for (unsigned int i = 0; i < NR_PAGES; i++) {
            uint64_t *word = page_ptr(model->block + model_pages[i]);

            *word = NR_FRAMES + i;
        }
    }
}

static unsigned int
model_nr_tables(const struct model *model)
{
    unsigned int nr = 1;

    for (unsigned int i = 0; i < NR_ROOTS; i++) {
        nr += model->has_root[i];
    }
    for (unsigned int i = 0; i < NR_ROOTS * NR_DIRS; i++) {
        nr += model->dirs[i] == MODEL_TABLE;
    }
    for (unsigned int i = 0; i < ALL_BLOCKS; i++) {
        nr += model->blocks[i] == MODEL_TABLE;
    }
    return nr;
}

/* Whether a block has, or gets now, a directory. */
static bool
model_add_dir(struct model *model, unsigned int block)
{
    unsigned int dir = block / NR_BLOCKS;

    model->has_root[dir / NR_DIRS] = true;
    if (model->dirs[dir] == MODEL_LARGE) {
        return false;
    }
    model->dirs[dir] = MODEL_TABLE;
    return true;
}

static void
model_enter_page(struct model *model)
{
    struct rand *rand = &model->kit->rand;
    unsigned int page = rand_u64(rand) % ALL_PAGES;
    unsigned int frame = rand_u64(rand) % NR_FRAMES;
    enum model_kind *block = &model->blocks[page / NR_PAGES];
    uintptr_t va = model_page_va(page);
    status_t expected = ERR_STATE;
    uint64_t word, flags, old;

    word = uword_make(page_phys(model->frames[frame]),
                      rand_u64(rand) % 8 != 0 ? PMAP_READ : 0, PMAP_WB, 0);
    old = model->words[page];
    if (model_add_dir(model, page / NR_PAGES) &&
        (*block == MODEL_NOTHING || *block == MODEL_TABLE)) {
        *block = MODEL_TABLE;
        model->words[page] = word;
        expected = OK;
    }
    KIT_CHECK(model->kit, user_kit_enter(model->kit, va, word, 0) == expected);
    if (old & UWORD_PRESENT) {
        flags = cpu_irq_save();
        utable_flush(&model->kit->ut, va, 1);
        cpu_irq_restore(flags);
    }
}

static void
model_enter_block(struct model *model)
{
    unsigned int block = rand_u64(&model->kit->rand) % ALL_BLOCKS;
    enum model_kind *kind = &model->blocks[block];
    status_t expected = ERR_STATE;
    uint64_t word;

    if (model->block == NULL) {
        return;
    }
    word = uword_make(page_phys(model->block), PMAP_READ, PMAP_WB, 1);
    if (model_add_dir(model, block) &&
        (*kind == MODEL_NOTHING || *kind == MODEL_LARGE)) {
        *kind = MODEL_LARGE;
        model->large[block] = word;
        expected = OK;
    }
    KIT_CHECK(model->kit, user_kit_enter(model->kit, model_block_va(block),
                                         word, 1) == expected);
}

/* 1 GiB of no memory in particular, which is not accessed. */
static void
model_enter_dir(struct model *model)
{
    unsigned int dir = rand_u64(&model->kit->rand) % (NR_ROOTS * NR_DIRS);
    status_t expected = ERR_STATE;
    uint64_t word;

    if (utable_level_max() < 2) {
        return;
    }
    word = uword_make(0, PMAP_READ, PMAP_UC, 2);
    model->has_root[dir / NR_DIRS] = true;
    if (model->dirs[dir] != MODEL_TABLE) {
        model->dirs[dir] = MODEL_LARGE;
        expected = OK;
    }
    KIT_CHECK(model->kit, user_kit_enter(model->kit, model_dir_va(dir), word,
                                         2) == expected);
}

static void
model_link(struct model *model)
{
    struct rand *rand = &model->kit->rand;
    unsigned int block = rand_u64(rand) % ALL_BLOCKS;
    unsigned int node = rand_u64(rand) % NR_NODES;
    enum model_kind *kind = &model->blocks[block];
    status_t expected = ERR_STATE;

    if (model_add_dir(model, block)) {
        if (*kind == MODEL_NOTHING) {
            *kind = MODEL_LINK;
            model->links[block] = node;
        }
        if (*kind == MODEL_LINK && model->links[block] == node) {
            expected = OK;
        }
    }
    KIT_CHECK(model->kit,
              user_kit_link(model->kit, model_block_va(block),
                            page_phys(model->nodes[node])) == expected);
}

/* A part of the address space that is compared with a range. */
struct model_part {
    bool is_covered;
    bool is_touched;
};

static struct model_part
model_compare(uintptr_t va, size_t size, const struct utable_cut *range)
{
    return (struct model_part){
        .is_covered = range->va <= va && va + size <= range->end,
        .is_touched = range->va < range->end && range->va < va + size &&
                      va < range->end,
    };
}

/* Returns: whether something was there */
static bool
model_clear_pages(struct model *model, unsigned int block,
                  const struct utable_cut *range)
{
    bool is_found = false;

    for (unsigned int i = 0; i < NR_PAGES; i++) {
        unsigned int page = block * NR_PAGES + i;

        if (model_compare(model_page_va(page), PAGE_SIZE, range).is_covered) {
            is_found |= model->words[page] != 0;
            model->words[page] = 0;
        }
    }
    return is_found;
}

static bool
model_clear_block(struct model *model, unsigned int block,
                  const struct utable_cut *range)
{
    struct model_part part =
        model_compare(model_block_va(block), SIZE_2M, range);
    enum model_kind kind = model->blocks[block];
    bool is_found = false;

    if (!part.is_touched) {
        return false;
    }
    if (kind == MODEL_TABLE) {
        is_found = model_clear_pages(model, block, range);
    }
    if (part.is_covered || kind == MODEL_LARGE) {
        model->blocks[block] = MODEL_NOTHING;
        is_found = kind != MODEL_NOTHING;
    }
    return is_found;
}

static bool
model_clear_dir(struct model *model, unsigned int dir,
                const struct utable_cut *range)
{
    struct model_part part = model_compare(model_dir_va(dir), SIZE_1G, range);
    enum model_kind kind = model->dirs[dir];
    bool is_found = false;

    if (!part.is_touched) {
        return false;
    }
    for (unsigned int i = 0; i < NR_BLOCKS; i++) {
        is_found |= model_clear_block(model, dir * NR_BLOCKS + i, range);
    }
    if (part.is_covered || kind == MODEL_LARGE) {
        model->dirs[dir] = MODEL_NOTHING;
        is_found = kind != MODEL_NOTHING;
    }
    return is_found;
}

static bool
model_clear(struct model *model, const struct utable_cut *range)
{
    bool is_found = false;

    for (unsigned int i = 0; i < NR_ROOTS; i++) {
        for (unsigned int j = 0; j < NR_DIRS; j++) {
            is_found |= model_clear_dir(model, i * NR_DIRS + j, range);
        }
        if (model_compare(model_roots[i] * SIZE_512G, SIZE_512G, range)
                .is_covered) {
            is_found |= model->has_root[i];
            model->has_root[i] = false;
        }
    }
    return is_found;
}

/* A bound of a page, of a table, of a directory, or of what is above. */
static uintptr_t
model_bound(struct model *model)
{
    struct rand *rand = &model->kit->rand;
    uintptr_t va = model_page_va(rand_u64(rand) % ALL_PAGES);
    uint64_t sizes[] = { PAGE_SIZE, PAGE_SIZE, SIZE_2M, SIZE_1G, SIZE_512G };
    uint64_t size = sizes[rand_u64(rand) % ARRAY_SIZE(sizes)];

    return ALIGN_DOWN(va, size) + (rand_u64(rand) % 2) * size;
}

static void
model_cut(struct model *model)
{
    struct utable_cut range;
    uintptr_t a = model_bound(model), b = model_bound(model);
    bool expected;

    /* Most are small, or nothing would ever be there. */
    if (rand_u64(&model->kit->rand) % 8 != 0) {
        b = a + (rand_u64(&model->kit->rand) % 40) * PAGE_SIZE;
    }
    utable_cut_init(&range, MIN(a, b), MAX(a, b));
    expected = model_clear(model, &range);
    KIT_CHECK(model->kit,
              user_kit_clear(model->kit, range.va, range.end) == expected);
}

/* What is expected at a page's place. */
struct model_view {
    uint64_t word;  /* as utable_lookup() gives it */
    uint64_t value; /* that a program reads there */
    bool is_readable;
};

static struct model_view
model_look(const struct model *model, unsigned int page)
{
    unsigned int block = page / NR_PAGES, place = page % NR_PAGES;
    struct model_view view = { 0 };
    const struct page *frame;

    if (model->dirs[block / NR_BLOCKS] == MODEL_LARGE) {
        view.word = uword_make(0, PMAP_READ, PMAP_UC, 2);
        return view;
    }
    switch (model->blocks[block]) {
    case MODEL_TABLE:
        view.is_readable = (model->words[page] & UWORD_PRESENT) != 0;
        if (view.is_readable) {
            view.word = model->words[page];
            frame = page_from_phys(view.word & UWORD_FRAME_MASK);
            view.value = *(const uint64_t *)page_ptr(frame);
        }
        break;
    case MODEL_LINK:
        frame = model_node_frame(model, model->links[block], place);
        view.is_readable = true;
        view.value = *(const uint64_t *)page_ptr(frame);
        break;
    case MODEL_LARGE:
        view.is_readable = true;
        view.word = model->large[block];
        view.value = NR_FRAMES + place;
        break;
    case MODEL_NOTHING:
        break;
    }
    return view;
}

static void
model_check_page(struct model *model, unsigned int page)
{
    struct model_view view = model_look(model, page);
    uintptr_t va = model_page_va(page);
    uint64_t word, flags, value = 0;
    status_t status;

    flags = cpu_irq_save();
    word = utable_lookup(&model->kit->ut, va);
    cpu_irq_restore(flags);
    KIT_CHECK(model->kit, (word & ~UWORD_ACCESSED) == view.word);
    if (view.word != 0 && !view.is_readable) {
        /* Nobody knows what is there. */
        return;
    }
    status = user_read_u64(va, &value);
    KIT_CHECK(model->kit, (status == OK) == view.is_readable);
    KIT_CHECK(model->kit, value == view.value);
}

static void
model_check(struct model *model)
{
    struct user_kit *kit = model->kit;

    for (unsigned int i = 0; i < 8; i++) {
        model_check_page(model, rand_u64(&kit->rand) % ALL_PAGES);
    }
    for (unsigned int block = 0; block < ALL_BLOCKS; block++) {
        unsigned int node = rand_u64(&kit->rand) % NR_NODES;
        uint64_t flags = cpu_irq_save();
        bool is_linked = utable_is_linked(&kit->ut, model_block_va(block),
                                          page_phys(model->nodes[node]));

        cpu_irq_restore(flags);
        KIT_CHECK(kit, is_linked == (model->blocks[block] == MODEL_LINK &&
                                     model->links[block] == node));
    }
    KIT_CHECK(kit, atomic_load(&kit->ut.nr_tables) == model_nr_tables(model));
}

static void
model_step(struct model *model)
{
    switch (rand_u64(&model->kit->rand) % 8) {
    case 0:
    case 1:
        model_cut(model);
        break;
    case 2:
        model_link(model);
        break;
    case 3:
        model_enter_block(model);
        break;
    case 4:
        if (rand_u64(&model->kit->rand) % 4 == 0) {
            model_enter_dir(model);
        }
        break;
    default:
        model_enter_page(model);
        break;
    }
}

static void
model_run(struct user_kit *kit)
{
    struct model *model = kmalloc(sizeof(*model));

    KIT_CHECK(kit, model != NULL);
    if (model == NULL) {
        return;
    }
    model_begin(model, kit);
    for (uint64_t i = 0; i < 400 * kit->iterations && !kit->has_failed; i++) {
        model_step(model);
        model_check(model);
    }
    for (unsigned int page = 0; page < ALL_PAGES; page++) {
        model_check_page(model, page);
    }
    kfree(model);
}

TEST(utable, agrees_with_a_model)
{
    user_kit_run(t, model_run);
}
