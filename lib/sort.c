/* SPDX-License-Identifier: MIT */
/*
 * Heapsort: no memory, no recursion, and no input that makes it slow.
 *
 * Source: Cormen, Leiserson, Rivest, Stein, Introduction to Algorithms,
 * "Heapsort".
 */
#include <stddef.h>

#include <lib/sort.h>

struct sort {
    char *array;
    size_t size;
    sort_cmp_fn_t cmp;
};

static char *
sort_at(const struct sort *sort, size_t i)
{
    return sort->array + i * sort->size;
}

static void
sort_swap(const struct sort *sort, size_t i, size_t j)
{
    char *a = sort_at(sort, i), *b = sort_at(sort, j);
    char byte;

    for (size_t k = 0; k < sort->size; k++) {
        byte = a[k];
        a[k] = b[k];
        b[k] = byte;
    }
}

/* Let element @i sink in a heap of @count until no child is greater. */
static void
sort_sink(const struct sort *sort, size_t i, size_t count)
{
    size_t child;

    while (i < count / 2) {
        child = 2 * i + 1;
        if (child + 1 < count &&
            sort->cmp(sort_at(sort, child), sort_at(sort, child + 1)) < 0) {
            child++;
        }
        if (sort->cmp(sort_at(sort, i), sort_at(sort, child)) >= 0) {
            return;
        }
        sort_swap(sort, i, child);
        i = child;
    }
}

void
sort_array(void *array, size_t count, size_t size, sort_cmp_fn_t cmp)
{
    struct sort sort = { .array = array, .size = size, .cmp = cmp };

    for (size_t i = count / 2; i > 0; i--) {
        sort_sink(&sort, i - 1, count);
    }
    for (size_t end = count; end > 1; end--) {
        sort_swap(&sort, 0, end - 1);
        sort_sink(&sort, 0, end - 1);
    }
}
