/* SPDX-License-Identifier: MIT */
/*
 * Futexes: waiting at a word of memory, for locks that programs build.
 *
 * A word is known by its space and address, or if it is in an object that is
 * mapped to be shared, by the object and the byte: so it is the same word for
 * all who map it.  The kernel keeps nothing for a word at which nobody waits.
 *
 * INVARIANT (no wake-up is lost).  Who waits looks at the word and enters the
 * queue under the lock of the word's bucket; who wakes has changed the word,
 * then takes that lock.  If the waker has the lock first, its change is visible
 * to the waiter, who does not wait; else the waker finds the waiter.  Whoever
 * is woken is out of the queue.
 *
 * A waiter is in one bucket, or is being moved to another, or was woken; its
 * @bucket says which.  Only who has it out of a bucket without having woken it
 * changes it then, with preemption disabled, so those who wait for that do not
 * wait for long.
 *
 * Waiters of a word are woken by the priority that they came with, equal ones
 * in the order in which they came.  What is done with a lock held takes time in
 * the logarithm of the number of waiters, whatever programs do.
 *
 * May run concurrently: everything with everything.
 * Lock rank: LOCK_FUTEX, no two at once.  Franke, Russell and Kirkwood, "Fuss,
 * Futexes and Furwocks", Ottawa Linux Symposium 2002.
 */
#ifndef IPC_FUTEX_H
#define IPC_FUTEX_H

#include <stdint.h>

#include <lib/status.h>

/*
 * Wait, if a word has a value, until it is woken.  All words here are of the
 * space that the calling thread uses.
 *
 * @word      an address of 32 bits; any value is allowed
 * @deadline  absolute nanoseconds of clock_now(), or CLOCK_NEVER
 *
 * Context: thread, preemptible, no lock held
 * Returns: OK, somebody woke it; ERR_AGAIN: the word has another value;
 *          ERR_TIMEOUT; ERR_INTERRUPTED: the thread is to end; ERR_FAULT: it
 *          cannot be read; ERR_INVALID: it is not aligned
 */
status_t futex_wait(uintptr_t word, uint32_t expected,
                    uint64_t deadline) __must_check;

/*
 * Wake threads that wait at a word when this is called.
 *
 * @count  at most so many
 * @nrp    receives how many
 *
 * Context: as futex_wait()
 * Returns: OK; ERR_FAULT: no address of a program; ERR_INVALID: not aligned
 */
status_t futex_wake(uintptr_t word, uint32_t count, uint32_t *nrp) __must_check;

/*
 * Wake threads at a word, and have others that wait there wait at another one
 * from now on, without looking at that.
 *
 * @count  wake at most so many, the first,
 * @move   and move at most so many of the rest
 * @nrp    receives how many were woken or moved
 *
 * Context: as futex_wait()
 * Returns: as futex_wake(); ERR_INVALID, too: it is the same word
 */
status_t futex_requeue(uintptr_t word, uint32_t count, uintptr_t other,
                       uint32_t move, uint32_t *nrp) __must_check;

/*
 * Wake all who wait at a word, if it is one: for threads that end, which have
 * nobody to tell that it is none.
 *
 * Context: as futex_wait()
 */
void futex_wake_word(uintptr_t word);

#endif /* IPC_FUTEX_H */
