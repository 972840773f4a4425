/* SPDX-License-Identifier: MIT */
/*
 * Kernel objects: what rights refer to.
 *
 * Each begins with a struct kobject: its kind, what its kind does, a scalable
 * count of references, and a name.  Whoever finds one under RCU may use it
 * until rcu_read_unlock() without a reference, or take one if it still lives.
 *
 * LIFE.  kobject_init() gives one reference.  Some epochs after the last one is
 * given up (kern/sref.h), ops->release() is called; it takes apart and calls
 * kobject_free(); a grace period later ops->free() gives the memory back.
 *
 * May run concurrently: everything with everything.
 * Design: doc/rights.md.
 */
#ifndef IPC_KOBJECT_H
#define IPC_KOBJECT_H

#include <stdbool.h>
#include <stdint.h>

#include <ipc/kobject_types.h>
#include <lib/macros.h>
#include <lib/status.h>

/*
 * Refers to nothing: what an entry without a right leads to.  Its kind is
 * KOBJECT_NONE; it is never released.
 */
extern struct kobject kobject_none;

/*
 * Make an object, with one reference.
 *
 * @ops   kept
 * @name  for people; copied, cut to KOBJECT_NAME_SIZE
 */
void kobject_init(struct kobject *object, const struct kobject_ops *ops,
                  const char *name);

/*
 * Give an object another name, which is cut to KOBJECT_NAME_SIZE.  Who reads it
 * meanwhile may see a part of each.
 */
void kobject_set_name(struct kobject *object, const char *name);

/*
 * Copy the name of an object.
 *
 * @to  KOBJECT_NAME_SIZE bytes; all of them are written
 */
void kobject_copy_name(const struct kobject *object, char *to);

/* Take another reference.  Context: as sref_get(); the caller has one */
void kobject_get(struct kobject *object);

/*
 * Take a reference to an object that was found under RCU.
 *
 * Context: any but NMI, inside the section in which it was found
 * Returns: false: it is dead
 */
bool kobject_try_get(struct kobject *object) __must_check;

/* Give a reference up, on any CPU.  Context: as sref_put() */
void kobject_put(struct kobject *object);

/*
 * End of ops->release(): have ops->free() called after a grace period.
 *
 * Context: thread
 */
void kobject_free(struct kobject *object);

/*
 * Wait until ops->release() has returned for all objects that had no
 * references left when this was called, and ops->free() for those of them for
 * which it had called kobject_free().
 *
 * @deadline  absolute nanoseconds of clock_now(), or CLOCK_NEVER
 *
 * Context: as sref_sync()
 * Returns: OK; ERR_TIMEOUT
 */
status_t kobject_sync(uint64_t deadline);

/* Name of a kind, in small letters; a constant. */
const char *kobject_kind_name(enum kobject_kind kind);

#endif /* IPC_KOBJECT_H */
