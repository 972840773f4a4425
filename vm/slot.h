/* SPDX-License-Identifier: MIT */
/*
 * Slots of the trees of address spaces: what one word says, and its lock.
 *
 * The word of a resident page has the format of a page-table entry, because
 * a leaf of the tree is a page table of its home CPU (vm/node.h); what the
 * tree has to know besides is in bits that processors ignore.
 *
 *   bit  0       the home CPU may have the translation
 *   bits 1 to 8  as in a page-table entry, once resident
 *   bit  9       locked
 *   bit  10      somebody sleeps until it is unlocked
 *   bit  11      resident: bits 12 to 51 are the frame
 *   bits 12..51  resident: frame; child: node; else if SLOT_REGION: of the
 *                region, and bits 1 to 6 say which 64 bytes of the page
 *   bits 52..54  protection, as PMAP_READ, PMAP_WRITE, PMAP_EXEC
 *   bits 55..56  enum slot_frame
 *   bits 57..58  enum vm_inherit
 *   bits 59..60  enum slot_type
 *   bit  61      wired
 *   bit  62      mapping of an object: there is a region
 *   bit  63      not executable, once resident
 *
 * A resident slot above level 0 is a large page, of an object in one piece; it
 * has UWORD_LARGE, and never bit 0: no CPU is the home of such a node, so all
 * that may have the page are in the set of sharers (vm/node.h).
 *
 * Invariant: only the holder of the lock changes a word, except that anybody
 * sets SLOT_WAITED while it is locked, and processors set the accessed and
 * dirty bits while it is present.  So words are changed by atomic operations
 * that leave those bits alone.
 *
 * The holder is a thread; it may be preempted and may block.  Who finds a slot
 * locked blocks, by priority.  A child is not locked, its slots are.
 *
 * Design: doc/vm.md.
 */
#ifndef VM_SLOT_H
#define VM_SLOT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <lib/assert.h>
#include <lib/macros.h>
#include <arch/utable.h>

typedef _Atomic uint64_t slot_t;

#define SLOT_LOCKED   UINT64_C(0x200)
#define SLOT_WAITED   UINT64_C(0x400)
#define SLOT_RESIDENT UINT64_C(0x800)
#define SLOT_WIRED    (UINT64_C(1) << 61)
#define SLOT_REGION   (UINT64_C(1) << 62)

#define SLOT_PROT_SHIFT    52
#define SLOT_FRAME_SHIFT   55
#define SLOT_INHERIT_SHIFT 57
#define SLOT_TYPE_SHIFT    59

#define SLOT_PROT_MASK    (UINT64_C(7) << SLOT_PROT_SHIFT)
#define SLOT_FRAME_MASK   (UINT64_C(3) << SLOT_FRAME_SHIFT)
#define SLOT_INHERIT_MASK (UINT64_C(3) << SLOT_INHERIT_SHIFT)
#define SLOT_TYPE_MASK    (UINT64_C(3) << SLOT_TYPE_SHIFT)

/* What belongs to the lock and not to the mapping. */
#define SLOT_LOCK_BITS (SLOT_LOCKED | SLOT_WAITED)

/* What is constant while a mapping exists, whether resident or not. */
#define SLOT_MAPPING_MASK                                                      \
    (SLOT_TYPE_MASK | SLOT_PROT_MASK | SLOT_INHERIT_MASK | SLOT_WIRED |        \
     SLOT_REGION)

/* Bits that processors look at. */
#define SLOT_HW_MASK (UINT64_C(0x1ff) | UWORD_FRAME_MASK | UWORD_NX)

enum slot_type {
    SLOT_EMPTY,
    SLOT_MAPPED,
    SLOT_CHILD,
    SLOT_DEAD, /* look again, from the root */
};

/* Whose frame it is. */
enum slot_frame {
    SLOT_FRAME_PRIVATE, /* this slot's alone */
    SLOT_FRAME_COUNTED, /* of as many slots as its struct page says */
    SLOT_FRAME_OBJECT,  /* the object's */
};

/* What a clone of the space gets. */
enum vm_inherit {
    VM_INHERIT_COPY,  /* the contents, of its own from the first write on */
    VM_INHERIT_SHARE, /* the same memory; objects only */
    VM_INHERIT_NONE,  /* nothing */
};

static inline enum slot_type
slot_type(uint64_t word)
{
    return (enum slot_type)((word & SLOT_TYPE_MASK) >> SLOT_TYPE_SHIFT);
}

static inline enum slot_frame
slot_frame(uint64_t word)
{
    return (enum slot_frame)((word & SLOT_FRAME_MASK) >> SLOT_FRAME_SHIFT);
}

static inline enum vm_inherit
slot_inherit(uint64_t word)
{
    return (enum vm_inherit)((word & SLOT_INHERIT_MASK) >> SLOT_INHERIT_SHIFT);
}

/* PMAP_READ, PMAP_WRITE, PMAP_EXEC */
static inline unsigned int
slot_prot(uint64_t word)
{
    return (unsigned int)((word & SLOT_PROT_MASK) >> SLOT_PROT_SHIFT);
}

/* Whether it can be locked: neither a child nor dead. */
static inline bool
slot_is_terminal(uint64_t word)
{
    return (word & (UINT64_C(2) << SLOT_TYPE_SHIFT)) == 0;
}

static inline bool
slot_is_resident(uint64_t word)
{
    return (word & SLOT_RESIDENT) != 0;
}

/* The frame of a resident page. */
static inline paddr_t
slot_phys(uint64_t word)
{
    assert(slot_is_resident(word));
    return word & UWORD_FRAME_MASK;
}

static inline uint64_t
slot_read(slot_t *slot)
{
    /* Pairs with the releases in slot_unlock() and slot_publish(). */
    return atomic_load_explicit(slot, memory_order_acquire);
}

/*
 * Lock a slot if it is terminal and not locked.
 *
 * @wordp  receives its word, with SLOT_LOCKED if it is locked now by us, else
 *         as it was found
 *
 * Context: thread; a read section of RCU, or the node cannot go
 * Returns: whether it was locked
 */
static inline bool
slot_try_lock(slot_t *slot, uint64_t *wordp)
{
    uint64_t word = slot_read(slot);

    do {
        if (!slot_is_terminal(word) || (word & SLOT_LOCKED)) {
            *wordp = word;
            return false;
        }
        /* Pairs with the release in slot_unlock(). */
    } while (!atomic_compare_exchange_weak_explicit(slot, &word,
                                                    word | SLOT_LOCKED,
                                                    memory_order_acquire,
                                                    memory_order_acquire));
    *wordp = word | SLOT_LOCKED;
    return true;
}

/* Wake those who sleep until a slot is unlocked.  Context: any but NMI */
void slot_wake(slot_t *slot);

/*
 * Give a slot a word and unlock it.
 *
 * Context: its holder
 * Ordering: release
 */
static inline void
slot_unlock(slot_t *slot, uint64_t word)
{
    uint64_t old;

    assert((word & SLOT_LOCK_BITS) == 0);
    /* Pairs with the acquires in slot_try_lock() and slot_read(). */
    old = atomic_exchange_explicit(slot, word, memory_order_acq_rel);
    assert(old & SLOT_LOCKED);
    if (unlikely(old & SLOT_WAITED)) {
        slot_wake(slot);
    }
}

/*
 * What processors have said of a page that is still resident.  In a word that
 * was not resident these bits may be of a region's address.
 */
static inline uint64_t
slot_used(uint64_t old, uint64_t word)
{
    return slot_is_resident(old & word) ? old & (UWORD_ACCESSED | UWORD_DIRTY)
                                        : 0;
}

/*
 * As slot_unlock(), but keep what processors have said of the page meanwhile.
 */
static inline void
slot_unlock_used(slot_t *slot, uint64_t word)
{
    uint64_t old = atomic_load_explicit(slot, memory_order_relaxed);

    assert((word & SLOT_LOCK_BITS) == 0 && (old & SLOT_LOCKED));
    /* Pairs as in slot_unlock(). */
    while (!atomic_compare_exchange_weak_explicit(slot, &old,
                                                  word | slot_used(old, word),
                                                  memory_order_acq_rel,
                                                  memory_order_relaxed)) {
    }
    if (unlikely(old & SLOT_WAITED)) {
        slot_wake(slot);
    }
}

/* Unlock a slot whose word is as it was, or was changed by slot_change(). */
static inline void
slot_release(slot_t *slot)
{
    uint64_t old;

    /* Pairs as in slot_unlock(). */
    old =
        atomic_fetch_and_explicit(slot, ~SLOT_LOCK_BITS, memory_order_acq_rel);
    assert(old & SLOT_LOCKED);
    if (unlikely(old & SLOT_WAITED)) {
        slot_wake(slot);
    }
}

/*
 * Change some bits of a locked slot.
 *
 * Returns: the word as it was, with accessed and dirty bits up to date
 */
static inline uint64_t
slot_change(slot_t *slot, uint64_t clear, uint64_t set)
{
    uint64_t old = atomic_load_explicit(slot, memory_order_relaxed);

    assert(((clear | set) & SLOT_LOCK_BITS) == 0);
    while (!atomic_compare_exchange_weak_explicit(slot, &old,
                                                  (old & ~clear) | set,
                                                  memory_order_acq_rel,
                                                  memory_order_relaxed)) {
    }
    return old;
}

/*
 * Give a slot that leads to a child another word.
 *
 * Context: the locks of all slots of the child
 * Ordering: release
 */
static inline void
slot_publish(slot_t *slot, uint64_t word)
{
    assert((word & SLOT_LOCK_BITS) == 0);
    /* Pairs with the acquires in slot_try_lock() and slot_read(). */
    atomic_store_explicit(slot, word, memory_order_release);
}

/*
 * Sleep until a slot that was found locked is not; it is to be looked up again
 * then.
 *
 * Context: thread, preemptible, in a read section of RCU, which this ends; or
 *          a CPU that is not online yet, which does not sleep
 * Blocks:  until its holder unlocks it
 */
void slot_wait(slot_t *slot);

#endif /* VM_SLOT_H */
