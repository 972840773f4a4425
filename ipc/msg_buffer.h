/* SPDX-License-Identifier: MIT */
/*
 * The memory of one side of a message: parts of a space, one after the other.
 *
 * The list of parts is copied when a call begins, so what a program does to it
 * later does not matter.  The memory itself is looked at when it is copied,
 * and may be anything.
 */
#ifndef IPC_MSG_BUFFER_H
#define IPC_MSG_BUFFER_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <lib/macros.h>
#include <portolan/msg.h>

struct container;
struct vm_space;

/* Lists of so many parts need no memory of their own. */
#define MSG_BUFFER_OWN 4

/*
 * Not to be moved.
 */
struct msg_buffer {
    struct vm_space *space; /* NULL: memory of the kernel */
    const struct portolan_iov *parts;
    size_t nr_parts;
    uint64_t size;               /* of all parts; at most INT64_MAX */
    struct container *container; /* that paid for the list; NULL: it is own */
    struct portolan_iov own[MSG_BUFFER_OWN];
};

/*
 * Describe one part.
 *
 * @space  alive as long; NULL: @base is in the kernel's direct map
 * @size   at most INT64_MAX
 */
static inline void
msg_buffer_set(struct msg_buffer *buffer, struct vm_space *space,
               uintptr_t base, size_t size)
{
    buffer->space = space;
    buffer->parts = buffer->own;
    buffer->nr_parts = 1;
    buffer->size = size;
    buffer->container = NULL;
    buffer->own[0] = (struct portolan_iov){ .base = base, .size = size };
}

/*
 * The same, for any size.
 *
 * @space  alive as long; NULL: @base is in the kernel's direct map
 *
 * Returns: 0; CALL_EOVERFLOW: larger than INT64_MAX
 */
long msg_buffer_init(struct msg_buffer *buffer, struct vm_space *space,
                     uintptr_t base, size_t size) __must_check;

/*
 * Copy a list of parts from the calling program, whose space it is.
 *
 * @parts      address of struct portolan_iov
 * @container  pays for a long list
 *
 * Context: the thread of a program, preemptible
 * Returns: 0, msg_buffer_end() has to follow; CALL_EOVERFLOW: too large in all;
 *          CALL_EINVAL: more than PORTOLAN_IOV_MAX parts; CALL_EFAULT;
 *          CALL_ENOMEM
 */
long msg_buffer_init_parts(struct msg_buffer *buffer, struct vm_space *space,
                           uintptr_t parts, size_t nr_parts,
                           struct container *container) __must_check;

/* Forget the list.  Context: thread, preemptible */
void msg_buffer_end(struct msg_buffer *buffer);

enum msg_copy_end {
    MSG_COPY_DONE,
    MSG_COPY_BAD_DST, /* memory of @to cannot be written */
    MSG_COPY_BAD_SRC, /* memory of @from cannot be read */
    MSG_COPY_STOPPED, /* nobody wants it any more */
    MSG_COPY_ENDING,  /* the thread is to end, and there was much to copy */
};

/* A copy: from an offset in one buffer to an offset in another. */
struct msg_copy {
    const struct msg_buffer *to;
    uint64_t to_offset;
    const struct msg_buffer *from;
    uint64_t from_offset;
    uint64_t size;           /* more than there is on a side: what there is */
    const atomic_bool *stop; /* becomes true: no need to go on; or NULL */
    uint64_t copied;         /* [out] */
};

/*
 * Copy.
 *
 * Context: thread, preemptible; both spaces are alive
 * Blocks:  as space_copy()
 */
enum msg_copy_end msg_copy(struct msg_copy *copy);

#endif /* IPC_MSG_BUFFER_H */
