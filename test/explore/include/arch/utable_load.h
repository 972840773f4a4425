/* SPDX-License-Identifier: MIT */
/*
 * No scenario has processors that load tables.
 */
#ifndef ARCH_UTABLE_LOAD_H
#define ARCH_UTABLE_LOAD_H

#include <stddef.h>

#include <lib/macros.h>

struct utable;

static inline void
utable_load_here(struct utable *ut __unused)
{
}

static inline struct utable *
utable_loaded_here(void)
{
    return NULL;
}

#endif /* ARCH_UTABLE_LOAD_H */
