/* SPDX-License-Identifier: MIT */
#include <arch/user_copy.h>
#include <kern/container.h>
#include <kern/kmalloc.h>
#include <kern/thread.h>
#include <lib/macros.h>
#include <ipc/call_error.h>
#include <ipc/msg_buffer.h>
#include <vm/copy.h>

/* Bytes after which a copy looks whether it is to stop, or to end. */
#define MSG_COPY_STEP UINT64_C(0x40000)

/* A place in a buffer. */
struct msg_cursor {
    const struct msg_buffer *buffer;
    size_t part;
    uint64_t offset; /* in the part */
};

long
msg_buffer_init(struct msg_buffer *buffer, struct vm_space *space,
                uintptr_t base, size_t size)
{
    msg_buffer_set(buffer, space, base, size);
    return likely(size <= INT64_MAX) ? 0 : CALL_EOVERFLOW;
}

/* Sum the sizes up. */
static long
msg_buffer_sum(struct msg_buffer *buffer)
{
    buffer->size = 0;
    for (size_t i = 0; i < buffer->nr_parts; i++) {
        uint64_t size = buffer->parts[i].size;

        if (size > INT64_MAX - buffer->size) {
            return CALL_EOVERFLOW;
        }
        buffer->size += size;
    }
    return 0;
}

/* Have room for a list. */
static struct portolan_iov *
msg_buffer_alloc(struct msg_buffer *buffer, size_t size,
                 struct container *container)
{
    struct portolan_iov *list;

    buffer->container = NULL;
    if (size <= sizeof(buffer->own)) {
        return buffer->own;
    }
    if (container_charge(container, CONTAINER_OBJECTS, size) != OK) {
        return NULL;
    }
    list = kmalloc(size);
    if (list == NULL) {
        container_refund(container, CONTAINER_OBJECTS, size);
        return NULL;
    }
    buffer->container = container;
    return list;
}

long
msg_buffer_init_parts(struct msg_buffer *buffer, struct vm_space *space,
                      uintptr_t parts, size_t nr_parts,
                      struct container *container)
{
    struct portolan_iov *list;
    size_t size;
    long error;

    if (nr_parts > PORTOLAN_IOV_MAX) {
        return CALL_EINVAL;
    }
    size = nr_parts * sizeof(*list);
    list = msg_buffer_alloc(buffer, size, container);
    if (list == NULL) {
        return CALL_ENOMEM;
    }
    buffer->space = space;
    buffer->parts = list;
    buffer->nr_parts = nr_parts;
    error = user_copy_in(list, parts, size) == 0 ? msg_buffer_sum(buffer)
                                                 : CALL_EFAULT;
    if (error != 0) {
        msg_buffer_end(buffer);
    }
    return error;
}

void
msg_buffer_end(struct msg_buffer *buffer)
{
    if (unlikely(buffer->container != NULL)) {
        kfree((void *)buffer->parts);
        container_refund(buffer->container, CONTAINER_OBJECTS,
                         buffer->nr_parts * sizeof(*buffer->parts));
        buffer->container = NULL;
    }
}

/* Find an offset that is within the buffer. */
static struct msg_cursor
msg_cursor_at(const struct msg_buffer *buffer, uint64_t offset)
{
    struct msg_cursor cursor = { .buffer = buffer, .offset = offset };

    while (cursor.part < buffer->nr_parts &&
           cursor.offset >= buffer->parts[cursor.part].size) {
        cursor.offset -= buffer->parts[cursor.part].size;
        cursor.part++;
    }
    return cursor;
}

/* Bytes that are left of the part. */
static inline uint64_t
msg_cursor_room(const struct msg_cursor *cursor)
{
    return cursor->buffer->parts[cursor->part].size - cursor->offset;
}

static inline struct space_copy_side
msg_cursor_side(const struct msg_cursor *cursor)
{
    return (struct space_copy_side){
        .space = cursor->buffer->space,
        .va = cursor->buffer->parts[cursor->part].base + cursor->offset,
    };
}

/* Go on by so much, which is not more than what is left of the part. */
static inline void
msg_cursor_advance(struct msg_cursor *cursor, uint64_t size)
{
    cursor->offset += size;
    while (cursor->part < cursor->buffer->nr_parts &&
           cursor->offset == cursor->buffer->parts[cursor->part].size) {
        cursor->offset = 0;
        cursor->part++;
    }
}

/* How much there is to copy at all. */
static uint64_t
msg_copy_limit(const struct msg_copy *copy)
{
    uint64_t size = copy->size;

    if (copy->to_offset >= copy->to->size ||
        copy->from_offset >= copy->from->size) {
        return 0;
    }
    size = MIN(size, copy->to->size - copy->to_offset);
    return MIN(size, copy->from->size - copy->from_offset);
}

enum msg_copy_end
msg_copy(struct msg_copy *copy)
{
    struct msg_cursor to = msg_cursor_at(copy->to, copy->to_offset);
    struct msg_cursor from = msg_cursor_at(copy->from, copy->from_offset);
    uint64_t left = msg_copy_limit(copy);

    copy->copied = 0;
    while (left != 0) {
        struct space_copy piece;
        enum space_copy_end end;
        uint64_t size = MIN(left, MSG_COPY_STEP);

        if (unlikely(copy->stop != NULL && atomic_load(copy->stop))) {
            return MSG_COPY_STOPPED;
        }
        if (unlikely(copy->copied != 0 && thread_is_ending())) {
            return MSG_COPY_ENDING;
        }
        size = MIN(size, msg_cursor_room(&to));
        size = MIN(size, msg_cursor_room(&from));
        piece = (struct space_copy){ .dst = msg_cursor_side(&to),
                                     .src = msg_cursor_side(&from),
                                     .size = size };
        end = space_copy(&piece);
        copy->copied += size - piece.size;
        if (unlikely(end != SPACE_COPY_DONE)) {
            return end == SPACE_COPY_BAD_DST ? MSG_COPY_BAD_DST
                                             : MSG_COPY_BAD_SRC;
        }
        msg_cursor_advance(&to, size);
        msg_cursor_advance(&from, size);
        left -= size;
    }
    return MSG_COPY_DONE;
}
