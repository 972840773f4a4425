/* SPDX-License-Identifier: MIT */
/*
 * Marks for a program that watches memory accesses, tools/lineshare: no-ops
 * that any privilege level may execute.
 */
#ifndef PORTOLAN_MARKER_H
#define PORTOLAN_MARKER_H

#define MARKER_BEGIN  1 /* this CPU counts from the next instruction on */
#define MARKER_END    2 /* up to the instruction before this one */
#define MARKER_REPORT 3 /* print what was counted */
#define MARKER_RESET  4 /* forget it */
#define MARKER_OP     5 /* one operation is done */

/*
 * Mark; both are constants.
 *
 * @tag  0 to 255, names what is counted
 */
#define MARKER(op, tag)                                                        \
    __asm__ volatile("nopl %c0(%%rax,%%rax,1)"                                 \
                     :                                                         \
                     : "i"(0x4c530000 | (op) << 8 | (tag))                     \
                     : "memory")

#endif /* PORTOLAN_MARKER_H */
