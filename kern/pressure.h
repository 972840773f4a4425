/* SPDX-License-Identifier: MIT */
/*
 * Pressure: keep memory away from the page allocator, so that the rest is soon
 * used up and what happens then happens early and often, on any machine.
 *
 * The option pressure= does it before anything else allocates, the monitor's
 * command of that name at any time.
 *
 * Design: doc/memory.md.
 */
#ifndef KERN_PRESSURE_H
#define KERN_PRESSURE_H

#include <stddef.h>

#include <lib/status.h>

/* This part of the memory is left in any case: 1/16. */
#define PRESSURE_SHARE_LEFT 16

/*
 * Keep so many pages away, of each node in proportion to its size: fewer when
 * there are not as many.  Replaces what was kept away before.
 *
 * Context: thread, preemptible
 */
void pressure_set(size_t nr_pages);

/* Pages that are kept away. */
size_t pressure_nr(void);

/*
 * Parse an amount: mebibytes, or with % behind it a part of the memory.
 *
 * @nr_pagesp  receives it
 *
 * Returns: OK, ERR_INVALID, ERR_RANGE
 */
status_t pressure_parse(const char *text, size_t *nr_pagesp);

#endif /* KERN_PRESSURE_H */
