/* SPDX-License-Identifier: MIT */
/*
 * Switches between threads that have user mode: nothing is to be done for
 * those of scenarios.
 */
#ifndef ARCH_USER_SWITCH_H
#define ARCH_USER_SWITCH_H

#include <stdint.h>

#include <lib/macros.h>

struct user_state;

static inline void
user_state_save(struct user_state *state __unused)
{
}

static inline void
user_state_load(struct user_state *state __unused)
{
}

static inline void
user_state_switch(struct user_state *from __unused,
                  struct user_state *to __unused, uint32_t cpu __unused)
{
}

#endif /* ARCH_USER_SWITCH_H */
