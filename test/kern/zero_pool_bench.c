/* SPDX-License-Identifier: MIT */
#include <kern/zero_pool.h>
#include <test/bench.h>

/* From the stack of the CPU, and back. */
BENCH(zero_pool, get_put)
{
    struct page *page = page_alloc(0, PAGE_ZERO);

    if (page == NULL) {
        return;
    }
    zero_pool_put(page);
    BENCH_LOOP(b)
    {
        page = zero_pool_get();
        if (page != NULL) {
            zero_pool_put(page);
        }
    }
}

/* The same without a stack: a page that the allocator clears. */
BENCH(zero_pool, get_put_empty)
{
    BENCH_LOOP(b)
    {
        struct page *page = page_alloc(0, PAGE_ZERO);

        if (page != NULL) {
            page_free(page, 0);
        }
    }
}
