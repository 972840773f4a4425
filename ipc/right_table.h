/* SPDX-License-Identifier: MIT */
/*
 * Tables of rights: what the small integers of a task mean.
 *
 * An entry of a table is a name, a right and flags.  A name is a number: the
 * base of the table (0 for descriptors, 0x40000000 for side channels) plus
 *
 *     bits  0 to 19   the slot
 *     bits 20 to 29   its generation, 0 unless the policy is RIGHT_UNIQUE
 *
 * POLICIES, by which a name is chosen that nobody asked for by number:
 *
 *   lowest   the lowest free slot; one lock a table
 *   any      a low slot of a range that belongs to the CPU: threads of a task
 *            on different CPUs write no cache line in common as long as each
 *            closes what it made
 *   unique   the lowest free slot, with a generation it never had: a name that
 *            was closed is not found again.  A slot whose generations are used
 *            up is retired
 *
 * LOOK-UP is under RCU: no lock, no reference, nothing is written; at most 12
 * instructions.  It is safe against speculation: whatever the name is, it leads
 * to a slot of this table.
 *
 * ERRORS of all functions: ERR_NOT_FOUND: no such name (EBADF); ERR_RANGE: no
 * free name below the limit, or a number that can be none (EMFILE; EBADF where
 * the number was given); ERR_NO_MEMORY: out of memory or beyond a limit of the
 * container; ERR_CLOSED: the table is being closed.  On error nothing has
 * changed.
 *
 * May run concurrently: everything with everything, but right_table_init() and
 * right_table_destroy() with nothing but look-ups that began before.
 * Lock ranks: LOCK_RIGHT_GROW, LOCK_RIGHT_TABLE, LOCK_RIGHT_OWNER.
 * Design: doc/rights.md.
 */
#ifndef IPC_RIGHT_TABLE_H
#define IPC_RIGHT_TABLE_H

#include <stdbool.h>
#include <stdint.h>

#include <ipc/kobject_types.h>
#include <ipc/right.h>
#include <ipc/right_table_types.h>
#include <lib/macros.h>
#include <lib/status.h>

#include <ipc/right_table_i.h>

/* Policy that tables of programs begin with: rights=. */
enum right_policy right_policy_default(void);

/* Name of a policy, as in the option; a constant. */
const char *right_policy_name(enum right_policy policy);

/*
 * Make an empty table; takes no memory.
 *
 * @container  charged for the memory, and with it for 64 rights at a time, in
 *             use or not; kept alive by the caller until right_table_destroy()
 * @base       added to all names: 0 or RIGHT_BASE_SIDE
 */
void right_table_init(struct right_table *table, struct container *container,
                      uint32_t base, enum right_policy policy);

/*
 * Close all entries and let no others be made: operations fail with ERR_CLOSED.
 * Takes as long as there are entries; nobody is kept from running meanwhile.
 *
 * Context: thread, preemptible, no lock held
 */
void right_table_close_all(struct right_table *table);

/*
 * Give all memory back.  The struct itself must stay until a grace period has
 * passed.
 *
 * Context: thread, preemptible, no lock held; after right_table_close_all();
 *          nobody uses the table but for look-ups, nothing is reserved
 */
void right_table_destroy(struct right_table *table);

/*
 * Find a right.
 *
 * Context: inside a section of RCU; right and object may be used until its end
 * Returns: never NULL: right_none, whose object's kind is KOBJECT_NONE, if
 *          there is no such name
 */
static struct right *right_table_find(const struct right_table *table,
                                      uint32_t name);

/*
 * Find a right and take a reference to it.
 *
 * Context: thread
 * Returns: OK; ERR_NOT_FOUND
 */
status_t right_table_get(const struct right_table *table, uint32_t name,
                         struct right **rightp) __must_check;

/*
 * Enter a right under a name that the policy chooses.
 *
 * @right  the entry takes a reference of its own
 * @least  the name must be at least this; 0 for any
 * @flags  RIGHT_...
 * @namep  receives the name
 *
 * Context: thread, preemptible, no lock held; the caller has a reference
 * Returns: OK; ERR_RANGE; ERR_NO_MEMORY; ERR_CLOSED
 */
status_t right_table_insert(struct right_table *table, struct right *right,
                            uint32_t least, uint32_t flags,
                            uint32_t *namep) __must_check;

/*
 * Enter a right under a given name.  Look-ups find what was there or @right,
 * and nothing else in between.
 *
 * @oldp  receives what was there, with the reference of the entry, for
 *        right_close(); NULL: nothing was
 *
 * Context: as right_table_insert()
 * Returns: as right_table_insert(); ERR_RANGE: not a name of this table;
 *          ERR_BUSY: the slot is reserved, or has an entry of another
 *          generation; ERR_NOT_FOUND: the name has a generation, and is not
 *          there
 */
status_t right_table_set(struct right_table *table, uint32_t name,
                         struct right *right, uint32_t flags,
                         struct right **oldp) __must_check;

/*
 * Take an entry away.
 *
 * @rightp  receives the right, with the reference of the entry, for
 *          right_close()
 *
 * Context: thread, preemptible, no lock held
 * Returns: OK; ERR_NOT_FOUND
 */
status_t right_table_remove(struct right_table *table, uint32_t name,
                            struct right **rightp) __must_check;

/* Take an entry away and close it; as right_table_remove(). */
status_t right_table_close(struct right_table *table, uint32_t name);

/*
 * Duplicate an entry.
 *
 * @least, @flags, @namep  as of right_table_insert()
 *
 * Context: thread, preemptible, no lock held
 * Returns: as right_table_insert(); ERR_NOT_FOUND
 */
status_t right_table_dup(struct right_table *table, uint32_t name,
                         uint32_t least, uint32_t flags,
                         uint32_t *namep) __must_check;

/*
 * Duplicate an entry to a given name, and close what was there.  Nothing
 * happens if the two names are the same.
 *
 * Context: thread, preemptible, no lock held
 * Returns: as right_table_set(); ERR_NOT_FOUND
 */
status_t right_table_dup_to(struct right_table *table, uint32_t name,
                            uint32_t to, uint32_t flags) __must_check;

/*
 * Read the flags of an entry.
 *
 * Context: thread, no lock held
 * Returns: OK; ERR_NOT_FOUND
 */
status_t right_table_flags(struct right_table *table, uint32_t name,
                           uint32_t *flagsp) __must_check;

/*
 * Change flags of an entry.
 *
 * @mask    the flags to be changed
 * @flags   what they become
 * @before  receives what all of them were
 *
 * Context: thread, no lock held
 * Returns: OK; ERR_NOT_FOUND
 */
status_t right_table_set_flags(struct right_table *table, uint32_t name,
                               uint32_t mask, uint32_t flags,
                               uint32_t *before) __must_check;

/*
 * Reserve names that the policy chooses: all, or none on error.  Nobody finds
 * them, nor can close or replace them, until they are committed or cancelled,
 * each of which must happen.
 *
 * @nr     1 to RIGHT_RESERVE_MAX
 * @least  they must be at least this; 0 for any
 * @names  receives them
 *
 * Context: thread, preemptible, no lock held
 * Returns: OK; ERR_RANGE; ERR_NO_MEMORY; ERR_CLOSED
 */
status_t right_table_reserve(struct right_table *table, uint32_t nr,
                             uint32_t least, uint32_t *names) __must_check;

/*
 * Enter a right under a reserved name.
 *
 * @right  the caller's reference becomes the entry's
 *
 * Context: thread, no lock held
 * Returns: OK; ERR_CLOSED: the reference is still the caller's and the name is
 *          no more reserved
 */
status_t right_table_commit(struct right_table *table, uint32_t name,
                            struct right *right, uint32_t flags) __must_check;

/* Give reserved names up.  Context: thread, preemptible, no lock held */
void right_table_cancel(struct right_table *table, uint32_t nr,
                        const uint32_t *names);

/*
 * What a program is told about an entry.
 */
struct right_info {
    uint32_t name;
    uint32_t flags;
    uint64_t label;
    enum kobject_kind kind;
    uint64_t serial;                /* of the object */
    char object[KOBJECT_NAME_SIZE]; /* name of the object */
};

/*
 * Describe the entry with the lowest slot that is not below that of @name; so
 * by asking for one more than the last name's slot one sees all that are there
 * all the time.
 *
 * Context: thread, preemptible, no lock held
 * Returns: OK; ERR_NOT_FOUND: there is none
 */
status_t right_table_next(struct right_table *table, uint32_t name,
                          struct right_info *info) __must_check;

/*
 * Close all entries with RIGHT_CLOEXEC.
 *
 * Context: thread, preemptible, no lock held
 */
void right_table_close_on_exec(struct right_table *table);

/*
 * Give an empty table entries with the same names, rights and flags; those that
 * come or go meanwhile are there or not.
 *
 * @to  nobody else uses it yet; has the same base
 *
 * Context: thread, preemptible, no lock held
 * Returns: OK; ERR_NO_MEMORY: @to is to be closed and destroyed
 */
status_t right_table_clone(struct right_table *to,
                           struct right_table *from) __must_check;

/* How many entries there are; others may come and go. */
uint32_t right_table_count(struct right_table *table);

/*
 * Change the policy for names to come.
 *
 * Context: thread, preemptible, no lock held
 */
void right_table_set_policy(struct right_table *table,
                            enum right_policy policy);

/*
 * Have names to come be in the slots below @nr.
 *
 * @nr  up to RIGHT_SLOTS_MAX
 */
void right_table_set_limit(struct right_table *table, uint32_t nr);

#endif /* IPC_RIGHT_TABLE_H */
