/* SPDX-License-Identifier: MIT */
/*
 * Page tables of users and access to their memory, on one CPU.
 */
#include <arch/cpu.h>
#include <arch/latency.h>
#include <arch/user_copy.h>
#include <arch/utable.h>
#include <kern/container.h>
#include <kern/page.h>
#include <lib/assert.h>
#include <test/arch/user_kit.h>
#include <test/bench.h>

#define UTABLE_BENCH_VA    UINT64_C(0x0000123440000000)
#define UTABLE_BENCH_PAGES 32

/* More than one call cuts off. */
#define UTABLE_BENCH_TABLES 24

/*
 * Tables with some pages, loaded.  Own to the benchmark, interrupts disabled.
 */
struct utable_bench {
    struct utable ut;
    struct page *page;
    struct page *node;
    uint64_t word;
    uint64_t flags;
    char buffer[PAGE_SIZE];
};

static void
utable_bench_enter(struct utable_bench *b, uintptr_t va)
{
    struct page *spare = NULL;

    while (utable_enter(&b->ut, va, b->word, 0, &spare) == ERR_AGAIN) {
        spare = utable_spare_alloc(container_root);
        verify(spare != NULL);
    }
    utable_spare_free(container_root, spare);
}

static void
utable_bench_link(struct utable_bench *b, uintptr_t va)
{
    struct page *spare = NULL;

    while (utable_link(&b->ut, va, page_phys(b->node), &spare) == ERR_AGAIN) {
        spare = utable_spare_alloc(container_root);
        verify(spare != NULL);
    }
    utable_spare_free(container_root, spare);
}

static void
utable_bench_begin(struct utable_bench *b)
{
    b->page = page_alloc(0, PAGE_ZERO);
    b->node = page_alloc(0, PAGE_ZERO);
    verify(b->page != NULL && b->node != NULL);
    verify(utable_init(&b->ut, container_root) == OK);
    b->word =
        uword_make(page_phys(b->page), PMAP_READ | PMAP_WRITE, PMAP_WB, 0);
    b->flags = cpu_irq_save();
    for (unsigned int i = 0; i < UTABLE_BENCH_PAGES; i++) {
        utable_bench_enter(b, UTABLE_BENCH_VA + i * PAGE_SIZE);
    }
    utable_bench_link(b, UTABLE_BENCH_VA + MIB(2));
    utable_load(&b->ut);
}

static void
utable_bench_end(struct utable_bench *b)
{
    utable_unload();
    latency_excuse("a whole benchmark with interrupts disabled");
    cpu_irq_restore(b->flags);
    utable_destroy(&b->ut);
    page_free(b->page, 0);
    page_free(b->node, 0);
}

static struct utable_bench utable_bench;

BENCH(utable, enter)
{
    struct page *spare = NULL;
    status_t status;

    utable_bench_begin(&utable_bench);
    BENCH_LOOP(b)
    {
        status = utable_enter(&utable_bench.ut, UTABLE_BENCH_VA,
                              utable_bench.word, 0, &spare);
        verify(status == OK);
    }
    utable_bench_end(&utable_bench);
}

BENCH(utable, is_linked)
{
    utable_bench_begin(&utable_bench);
    BENCH_LOOP(b)
    {
        verify(utable_is_linked(&utable_bench.ut, UTABLE_BENCH_VA + MIB(2),
                                page_phys(utable_bench.node)));
    }
    utable_bench_end(&utable_bench);
}

BENCH(utable, load)
{
    utable_bench_begin(&utable_bench);
    BENCH_LOOP(b)
    {
        utable_load(&utable_bench.ut);
    }
    utable_bench_end(&utable_bench);
}

/* Clear so many pages and flush them. */
static void
utable_bench_clear(struct bench *b, size_t nr)
{
    struct utable_cut cut;

    utable_bench_begin(&utable_bench);
    BENCH_LOOP(b)
    {
        utable_cut_init(&cut, UTABLE_BENCH_VA,
                        UTABLE_BENCH_VA + nr * PAGE_SIZE);
        verify(utable_clear(&utable_bench.ut, &cut));
        utable_flush(&utable_bench.ut, UTABLE_BENCH_VA, nr);
    }
    utable_bench_end(&utable_bench);
}

BENCH(utable, clear_1)
{
    utable_bench_clear(b, 1);
}

BENCH(utable, clear_32)
{
    utable_bench_clear(b, 32);
}

/* The most that one call does: nothing is there; it is one of many. */
BENCH(utable, clear_empty)
{
    struct utable_cut cut;

    utable_bench_begin(&utable_bench);
    BENCH_LOOP(b)
    {
        utable_cut_init(&cut, UTABLE_BENCH_VA + MIB(4), USER_END - PAGE_SIZE);
        verify(!utable_clear(&utable_bench.ut, &cut));
    }
    utable_bench_end(&utable_bench);
}

/* The same: tables are cut off.  They are made anew, which is not timed. */
BENCH(utable, clear_tables)
{
    const uintptr_t va = UTABLE_BENCH_VA + MIB(100);
    struct utable_cut cut;
    uint64_t before, ticks;

    utable_bench_begin(&utable_bench);
    do {
        for (uintptr_t i = 0; i < UTABLE_BENCH_TABLES; i++) {
            utable_bench_enter(&utable_bench, va + i * MIB(2));
        }
        utable_cut_init(&cut, va, va + UTABLE_BENCH_TABLES * MIB(2));
        before = clock_counter();
        verify(!utable_clear(&utable_bench.ut, &cut));
        ticks = clock_counter() - before;
        utable_flush(&utable_bench.ut, va, SIZE_MAX);
        user_kit_free_cut(&cut);
    } while (bench_end_pass(b, ticks));
    utable_bench_end(&utable_bench);
}

static void
utable_bench_copy(struct bench *b, size_t size)
{
    size_t left;

    utable_bench_begin(&utable_bench);
    BENCH_LOOP(b)
    {
        left = user_copy_in(utable_bench.buffer, UTABLE_BENCH_VA, size);
        verify(left == 0);
    }
    utable_bench_end(&utable_bench);
}

BENCH(user_copy, in_8)
{
    utable_bench_copy(b, 8);
}

BENCH(user_copy, in_64)
{
    utable_bench_copy(b, 64);
}

BENCH(user_copy, in_4096)
{
    utable_bench_copy(b, 4096);
}

BENCH(user_copy, read_u64)
{
    uint64_t value;

    utable_bench_begin(&utable_bench);
    BENCH_LOOP(b)
    {
        verify(user_read_u64(UTABLE_BENCH_VA, &value) == OK);
    }
    utable_bench_end(&utable_bench);
}
