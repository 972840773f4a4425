/* SPDX-License-Identifier: MIT */
/*
 * Actions of signals, as musl hands them to Linux; here nothing returns from a
 * handler by a call of its own.  This stands before musl's own file of the
 * same name.
 */
#include <features.h>

struct k_sigaction {
    void (*handler)(int);
    unsigned long flags;
    void (*restorer)(void);
    unsigned mask[2];
};

#define __restore    0
#define __restore_rt 0
