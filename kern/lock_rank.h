/* SPDX-License-Identifier: MIT */
/*
 * The order of all locks, outermost first.  A lock may be taken only under
 * locks of smaller rank; debug builds check it at each acquire.  Those down to
 * PRESSURE sleep, the others spin.
 */
#ifndef KERN_LOCK_RANK_H
#define KERN_LOCK_RANK_H

#define LOCK_RANKS(X)                                                          \
    X(TEST_SLEEP_OUTER, "tests: a lock that sleeps, outer")                    \
    X(TEST_UNORDERED, "tests: locks that sleep, unrelated to each other")      \
    X(PORT_CLIENTS, "connections to a port")                                   \
    X(PIDS, "numbers of tasks")                                                \
    X(TASK, "threads of a task, and how it ended")                             \
    X(SLOTS, "slots of an address space, from left to right")                  \
    X(OBJECT_RESIZE, "size of a memory object")                                \
    X(OBJECT, "pages of a memory object")                                      \
    X(OBJECT_NAMES, "names of memory objects")                                 \
    X(OBJECT_LIST, "list of all memory objects")                               \
    X(RIGHT_GROW, "structure of a table of rights")                            \
    X(CONTAINER_TREE, "tree of containers, recalls of their stocks")           \
    X(RCU_BARRIER, "one barrier at a time")                                    \
    X(PRESSURE, "one at a time relieves memory")                               \
    X(TEST_OUTER, "tests of the lock checker: outer")                          \
    X(TEST_INNER, "tests of the lock checker: inner")                          \
    X(TEST_INTERRUPT, "tests: taken in interrupts")                            \
    X(MONITOR, "command and line state of the monitor")                        \
    X(RCVID, "receive ids that are free")                                      \
    X(RIGHT_TABLE, "table of rights")                                          \
    X(RIGHT_OWNER, "rights of a CPU in a table")                               \
    X(KVA, "freed ranges of kernel addresses, of a CPU")                       \
    X(PMAP, "page tables of the kernel")                                       \
    X(SPACE_LIST, "list of all spaces")                                        \
    X(SLAB_LIST, "list of all slab caches")                                    \
    X(SLAB, "slabs of a cache")                                                \
    X(PAGE_NODE, "free page blocks of a node")                                 \
    X(BOOTMEM, "boot memory ranges")                                           \
    X(TURNSTILE, "who waits for whom")                                         \
    X(WAITQ, "threads that wait for an event")                                 \
    X(FUTEX, "words that threads of programs wait at")                         \
    X(THREAD_LIST, "list of all threads")                                      \
    X(PORT, "messages of a port")                                              \
    X(RUNQ, "run queue of a CPU")                                              \
    X(XCALL, "cross call slots of a CPU")                                      \
    X(IRQ, "interrupt routing")                                                \
    X(SREF_LEAF, "epochs of 16 CPUs")                                          \
    X(SREF_NODE, "epochs of 256 CPUs")                                         \
    X(SREF_ROOT, "epochs of all CPUs")                                         \
    X(HUB, "counters of hubs")                                                 \
    X(CONTAINER, "what containers have taken")                                 \
    X(TIMER, "timer queue of a CPU")                                           \
    X(LOG, "log buffer")                                                       \
    X(CONSOLE, "list and output of consoles; ignored in panic")                \
    X(CONSOLE_INPUT, "keys that wait; leaf, ignored in panic")                 \
    X(RCU_NODE, "reports and blocked readers of RCU; leaf")

#define LOCK_RANK_ENUM(name, what) LOCK_##name,
enum lock_rank {
    LOCK_RANKS(LOCK_RANK_ENUM) LOCK_NR_RANKS
};

#endif /* KERN_LOCK_RANK_H */
