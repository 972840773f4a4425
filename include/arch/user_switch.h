/* SPDX-License-Identifier: MIT */
/*
 * What a switch between threads does for those that have user mode.
 */
#ifndef ARCH_USER_SWITCH_H
#define ARCH_USER_SWITCH_H

struct user_state;

/*
 * A thread with user mode stops running here: save its registers.
 *
 * Context: interrupts disabled
 */
void user_state_save(struct user_state *state);

/*
 * A thread with user mode is about to run here: load its registers, and have
 * entries from user mode use its kernel stack.
 *
 * Context: interrupts disabled
 */
void user_state_load(struct user_state *state);

#endif /* ARCH_USER_SWITCH_H */
