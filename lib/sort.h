/* SPDX-License-Identifier: MIT */
/*
 * Sorting and searching of arrays.
 */
#ifndef LIB_SORT_H
#define LIB_SORT_H

#include <stddef.h>

/* Negative, 0 or positive, as @a sorts before, with or behind @b. */
typedef int (*sort_cmp_fn_t)(const void *a, const void *b);

/*
 * Sort an array in place, in n log n steps at worst and without recursion.
 * Equal elements may change their order.
 *
 * @count  of elements
 * @size   of an element, bytes
 */
void sort_array(void *array, size_t count, size_t size, sort_cmp_fn_t cmp);

#endif /* LIB_SORT_H */
