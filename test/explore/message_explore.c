/* SPDX-License-Identifier: MIT */
/*
 * Messages, ports and their numbers: clients, servers, and helpers of servers
 * that use the numbers which those received, while clients or the port die and
 * times are over.
 *
 * A client's memory is two words that it frees when its call returns, and its
 * thread's struct is freed as RCU has it, as is the port when clients and
 * servers have gone; so who touches them too late is found by the heap.  Who
 * copies looks at the state of the message besides.
 *
 * Each message has a serial, that it sends, as its label too; a reply has that
 * of the message that it is meant for.
 */
#include <stdatomic.h>

#include <arch/cpu.h>
#include <arch/user_copy.h>
#include <kern/clock.h>
#include <kern/kmalloc.h>
#include <kern/rcu.h>
#include <lib/macros.h>
#include <ipc/call_error.h>
#include <vm/copy.h>
#include <ipc/connection.h>
#include <ipc/message.h>
#include <ipc/call_msg.h>
#include <ipc/calls.h>
#include <ipc/message_count.h>
#include <ipc/msg_rights.h>
#include <kern/pass.h>
#include <test/explore/container.h>
#include <test/explore/counts.h>
#include <test/explore/threads.h>

#define MESSAGE_CLIENTS 2
#define MESSAGE_SERVERS 2
#define MESSAGE_SERIALS (2 * MESSAGE_CLIENTS)

/* Times are somewhere in what a message takes, nanoseconds. */
#define MESSAGE_NS 1200

/* A copy looks so often whether it is to stop. */
#define MESSAGE_PIECES 2

/* How a reply to a message is made of its serial and of who replies. */
#define MESSAGE_REPLY(serial, who) ((serial) << 8 | (who))

typedef void (*message_use_fn_t)(uint32_t rcvid, uint64_t serial);

/* What a schedule is about; zeros: nothing special. */
struct message_scene {
    unsigned nr_cpus;
    unsigned nr_clients;
    unsigned nr_servers;
    unsigned nr_messages;    /* of each client */
    uint32_t states;         /* timeouts of clients */
    uint32_t receive_states; /* of servers */
    message_use_fn_t use;    /* what the helper does with a number */
    void (*event)(void);     /* what main does meanwhile */
    bool kills_server;       /* the first, and then the port */
    bool has_faults;         /* memory may be bad */
    bool has_rights;         /* rights go with messages and replies */
    bool is_in_line;         /* system calls, threads of programs, equals */
    bool has_lost_pages;     /* in line no page may be there */
    bool is_spread;          /* in line, but not all on one CPU */
    bool is_unreplied;       /* servers never reply */
};

struct message_client {
    unsigned first; /* its first serial */
    struct uthread *uthread;
    struct thread *thread;
};

static const struct message_scene *message_scene;
static struct message_client message_clients[MESSAGE_CLIENTS];
static struct thread *message_servers[MESSAGE_SERVERS];
static struct thread *message_helper;
static struct task message_task; /* the servers' */
static struct port *message_port;
static long message_results[MESSAGE_SERIALS + 1];
static atomic_uint message_replies[MESSAGE_SERIALS + 1];
static _Atomic uint64_t message_shown; /* serial and number, for the helper */
static atomic_bool message_is_over;

/* ----------------------------------------------------------- below messages */

/* Memory of a client may be touched; a server's own always. */
static void
message_expect_held(const struct msg_buffer *buffer)
{
    const struct message *message = (const void *)buffer->space;
    enum message_state state;

    if (message != NULL) {
        state = READ_ONCE(message->state);
        explore_expect(state == MESSAGE_TAKEN || state == MESSAGE_REPLYING ||
                       READ_ONCE(message->nr_users) != 0);
    }
}

static uint64_t *
message_word(const struct msg_buffer *buffer)
{
    message_expect_held(buffer);
    return (uint64_t *)buffer->parts->base;
}

enum msg_copy_end
msg_copy(struct msg_copy *copy)
{
    for (unsigned i = 0; i < MESSAGE_PIECES; i++) {
        uint64_t *from = message_word(copy->from);
        uint64_t *to = message_word(copy->to);

        if (copy->stop != NULL && atomic_load(copy->stop)) {
            return MSG_COPY_STOPPED;
        }
        if (i != 0 && thread_is_ending()) {
            return MSG_COPY_ENDING;
        }
        WRITE_ONCE(*to, READ_ONCE(*from));
        threads_sleep_below(MESSAGE_NS / 4);
    }
    copy->copied = sizeof(uint64_t);
    switch (message_scene->has_faults ? explore_random(6) : 0) {
    case 1:
        return MSG_COPY_BAD_DST;
    case 2:
        return MSG_COPY_BAD_SRC;
    default:
        return MSG_COPY_DONE;
    }
}

void
msg_rights_give(struct msg_rights *from, struct msg_rights *into,
                struct task *to __unused)
{
    if (from != NULL && into != NULL) {
        WRITE_ONCE(from->nr_taken, 1);
        cpu_pause();
        WRITE_ONCE(into->nr_got, 1);
    }
}

void
msg_rights_take_back(struct msg_rights *into, struct task *to __unused)
{
    WRITE_ONCE(into->nr_got, 0);
}

static void
message_buffer_init(struct msg_buffer *buffer, const struct message *message,
                    uint64_t *word)
{
    *buffer = (struct msg_buffer){
        .space = (struct vm_space *)(uintptr_t)message,
        .parts = buffer->own,
        .nr_parts = 1,
        .size = sizeof(*word),
        .own = { { .base = (uintptr_t)word, .size = sizeof(*word) } },
    };
}

static struct msg_rights *
message_rights_alloc(void)
{
    return message_scene->has_rights ? kzalloc(sizeof(struct msg_rights))
                                     : NULL;
}

/* ------------------------------------------------------------- below calls */

uint64_t message_counts[MESSAGE_NR_COUNTS];

/* Rights are named by the serials of the messages that are sent by them. */
static struct connection message_connection;
static struct right message_rights[MESSAGE_SERIALS + 1];
static struct right message_port_right;
static struct right_chunk message_chunk, message_port_chunk;

struct right right_none = { .object = &kobject_none };

void
user_copy_frames(void *dst, const void *src, size_t size __unused)
{
    WRITE_ONCE(*(uint64_t *)dst, READ_ONCE(*(const uint64_t *)src));
}

size_t
user_copy_in(void *dst, uintptr_t src, size_t size)
{
    explore_expect(size == sizeof(uint64_t));
    WRITE_ONCE(*(uint64_t *)dst, READ_ONCE(*(const uint64_t *)src));
    return message_scene->has_lost_pages && explore_random(4) == 0 ? size : 0;
}

/* A client's memory is touched as long as it waits. */
void *
space_reach(struct vm_space *space, uintptr_t va, size_t size __unused)
{
    const struct message *message = (const void *)space;

    explore_expect(message == NULL ||
                   READ_ONCE(message->state) == MESSAGE_LOCAL);
    return message_scene->has_lost_pages && explore_random(4) == 0 ? NULL
                                                                   : (void *)va;
}

long
msg_buffer_init_parts(struct msg_buffer *buffer __unused,
                      struct vm_space *space __unused, uintptr_t parts __unused,
                      size_t nr_parts __unused,
                      struct container *container __unused)
{
    return CALL_EINVAL;
}

long
call_msg_send_parts(uint32_t coid, struct call_parts send,
                    struct call_parts reply, uintptr_t options __unused)
{
    struct message *message = &uthread_self()->message;
    struct vm_space *space = message->send.space;

    cpu_irq_enable();
    msg_buffer_set(&message->send, space, send.base, send.size);
    msg_buffer_set(&message->reply, space, reply.base, reply.size);
    return message_send(message, &message_connection, (int32_t)coid, coid,
                        NULL);
}

long
call_msg_tell(uint32_t rcvid, uintptr_t info,
              const struct portolan_msg_info *told)
{
    *(struct portolan_msg_info *)info = *told;
    return (long)rcvid;
}

long
call_msg_receive_parts(int32_t chid __unused, struct message *message,
                       struct call_parts to, uintptr_t info,
                       uintptr_t options __unused)
{
    struct portolan_msg_info told;
    struct msg_buffer buffer;
    const struct message_wish wish = { .to = &buffer, .info = &told };
    long result;

    cpu_irq_enable();
    msg_buffer_set(&buffer, NULL, to.base, to.size);
    result = message_receive_from(message_port, message, &wish);
    return result > 0 ? call_msg_tell((uint32_t)result, info, &told) : result;
}

long
call_msg_reply_parts(int32_t rcvid, long status, struct call_parts from,
                     uintptr_t options __unused)
{
    struct msg_buffer buffer;

    cpu_irq_enable();
    msg_buffer_set(&buffer, NULL, from.base, from.size);
    return message_reply(&message_task, (uint32_t)rcvid, status, &buffer, NULL);
}

long
call_msg_reply_receive_parts(int32_t rcvid __unused, long status __unused,
                             struct call_parts from __unused,
                             uintptr_t receive __unused,
                             uintptr_t options __unused)
{
    return CALL_EINVAL;
}

/* Make the tables that the calls look at. */
static void
message_make_tables(void)
{
    message_connection.object.kind = KOBJECT_CONNECTION;
    message_connection.port = message_port;
    message_port_right.object = &message_port->object;
    message_port_chunk.rights[1] = &message_port_right;
    message_port_chunk.names[1] = 1;
    for (unsigned i = 1; i <= MESSAGE_SERIALS; i++) {
        message_rights[i].object = &message_connection.object;
        message_rights[i].label = i;
        message_chunk.rights[i] = &message_rights[i];
        message_chunk.names[i] = i;
    }
    message_task.rights.first_dir.chunks[0] = &message_chunk;
    message_task.rights.dir = &message_task.rights.first_dir;
    message_task.channels.first_dir.chunks[0] = &message_port_chunk;
    message_task.channels.dir = &message_task.channels.first_dir;
}

/* As uthread_adopt(), for a client, whose memory is its message's, or not. */
static void
message_adopt(struct uthread *uthread, const struct message *memory)
{
    struct vm_space *space = (struct vm_space *)(uintptr_t)memory;

    thread_self()->uthread = uthread;
    uthread->task = &message_task;
    uthread->message.sender = uthread;
    uthread->message.thread = thread_self();
    msg_buffer_set(&uthread->message.send, space, 0, 0);
    msg_buffer_set(&uthread->message.reply, space, 0, 0);
    msg_buffer_set(&uthread->to, NULL, 0, 0);
    uthread->receiver = (struct message_receiver){ .thread = thread_self(),
                                                   .to = &uthread->to };
    pass_begin();
}

/* As the entry from user mode does: interrupts are disabled. */
#define MESSAGE_CALL(call)                                                     \
    ({                                                                         \
        long message_result_;                                                  \
        cpu_irq_disable();                                                     \
        message_result_ = (call);                                              \
        cpu_irq_enable();                                                      \
        message_result_;                                                       \
    })

/* ------------------------------------------------------------------ clients */

/* A time that comes soon, if there is to be one. */
static const struct message_timeout *
message_until(struct message_timeout *timeout, uint32_t states)
{
    *timeout = (struct message_timeout){
        .states = states,
        .time = clock_now() + explore_random(MESSAGE_NS),
    };
    return states != 0 ? timeout : NULL;
}

/* Each result has its reason. */
static void
message_look_at_result(long result, uint64_t serial, uint64_t reply)
{
    switch (result) {
    case CALL_EINTR:
        explore_expect(thread_is_ending());
        break;
    case CALL_ETIMEDOUT:
        explore_expect(message_scene->states != 0);
        break;
    case CALL_EBADF:
    case CALL_ESRCH:
        explore_expect(message_scene->kills_server ||
                       READ_ONCE(message_port->is_dead));
        break;
    case CALL_EFAULT:
    case CALL_ESRVRFAULT:
        explore_expect(message_scene->has_faults);
        break;
    default:
        explore_expect(result >> 8 == (long)serial);
        explore_expect(reply >> 8 == serial);
    }
}

static void
message_send_one(struct message *message, uint64_t serial)
{
    struct connection *connection = kzalloc(sizeof(*connection));
    uint64_t *words = kzalloc(2 * sizeof(*words));
    struct message_timeout timeout;
    long result;

    connection->port = message_port;
    words[0] = serial;
    message_buffer_init(&message->send, message, &words[0]);
    message_buffer_init(&message->reply, message, &words[1]);
    message->rights = message_rights_alloc();
    result = message_send(message, connection, 1, serial,
                          message_until(&timeout, message_scene->states));
    explore_expect(message->port == NULL && message->state == MESSAGE_IDLE);
    explore_expect(message->nr_users == 0);
    /* All that nobody else looks at now. */
    message->thread = NULL;
    message_look_at_result(result, serial, words[1]);
    message_results[serial] = result;
    kfree(message->rights);
    kfree(words);
    kfree(connection);
}

/* The same by a system call. */
static void
message_call_one(struct message *message, uint64_t serial)
{
    uint64_t *words = kzalloc(2 * sizeof(*words));
    long result;

    words[0] = serial;
    result = MESSAGE_CALL(call_msg_send((uint32_t)serial, (uintptr_t)&words[0],
                                        sizeof(words[0]), (uintptr_t)&words[1],
                                        sizeof(words[1]), 0));
    explore_expect(message->port == NULL && message->state == MESSAGE_IDLE);
    message_look_at_result(result, serial, words[1]);
    message_results[serial] = result;
    kfree(words);
}

static void
message_client_run(void *arg)
{
    struct message_client *client = arg;
    struct uthread *uthread = client->uthread;

    message_adopt(uthread, &uthread->message);
    threads_sleep_below(MESSAGE_NS / 4);
    for (unsigned i = 0; i < message_scene->nr_messages; i++) {
        if (message_scene->is_in_line) {
            message_call_one(&uthread->message, client->first + i);
        } else {
            message_send_one(&uthread->message, client->first + i);
        }
    }
    thread_self()->uthread = NULL;
    rcvid_release(&uthread->message.rcvid);
    rcu_synchronize();
    kfree(uthread);
    port_put(message_port);
}

/* Its slot it has already: rcvid.* is about how it gets one. */
static void
message_client_init(struct message_client *client, unsigned first)
{
    struct uthread *uthread = kzalloc(sizeof(*uthread));

    uthread->task = &message_task;
    uthread->message.sender = uthread;
    explore_expect(rcvid_next(&uthread->message.rcvid, &uthread->message) ==
                   OK);
    client->uthread = uthread;
    client->first = first;
}

/* ------------------------------------------------------------------ servers */

static void
message_answer(uint32_t rcvid, uint64_t serial, uint64_t who)
{
    uint64_t reply = MESSAGE_REPLY(serial, who);
    struct msg_rights *rights = message_rights_alloc();
    struct msg_buffer buffer;
    long result;

    message_buffer_init(&buffer, NULL, &reply);
    if (uthread_self() != NULL && message_scene->is_in_line) {
        result =
            MESSAGE_CALL(call_msg_reply((int32_t)rcvid, (long)reply,
                                        (uintptr_t)&reply, sizeof(reply), 0));
    } else {
        result =
            message_reply(&message_task, rcvid, (long)reply, &buffer, rights);
    }
    kfree(rights);
    if (result == 0) {
        /* No other one was told so. */
        explore_expect(atomic_fetch_add(&message_replies[serial], 1) == 0);
    } else {
        explore_expect(result == CALL_ESRCH || message_scene->has_faults ||
                       (result == CALL_EINTR && thread_is_ending()));
    }
}

/* Have the helper use a number, too. */
static void
message_show(uint32_t rcvid, uint64_t serial)
{
    if (message_helper != NULL) {
        atomic_store(&message_shown, serial << 32 | rcvid);
        thread_unpark(message_helper);
    }
}

static void
message_help(void *arg __unused)
{
    uint64_t shown;

    while (!message_is_over) {
        shown = atomic_exchange(&message_shown, 0);
        if (shown != 0) {
            message_scene->use((uint32_t)shown, shown >> 32);
        } else {
            thread_park(CLOCK_NEVER);
        }
    }
}

/* Receive one and reply.  Returns: false: the port died, or it is to end */
static bool
message_serve_one(uint64_t who)
{
    struct msg_rights *rights = message_rights_alloc();
    struct portolan_msg_info info;
    struct message_timeout timeout;
    struct msg_buffer buffer;
    uint64_t serial = 0;
    long rcvid;

    message_buffer_init(&buffer, NULL, &serial);
    if (message_scene->is_in_line) {
        rcvid =
            MESSAGE_CALL(call_msg_receive(1, (uintptr_t)&serial, sizeof(serial),
                                          (uintptr_t)&info, 0));
    } else {
        rcvid = message_receive(message_port, &buffer, &info, rights,
                                message_until(&timeout,
                                              message_scene->receive_states));
    }
    kfree(rights);
    if (rcvid > 0) {
        explore_expect(info.label == serial);
        message_show((uint32_t)rcvid, serial);
        if (!message_scene->is_unreplied) {
            message_answer((uint32_t)rcvid, serial, who);
        }
    } else if (rcvid == CALL_ETIMEDOUT) {
        explore_expect(message_scene->receive_states != 0);
    } else if (rcvid == CALL_EINTR) {
        explore_expect(thread_is_ending());
    } else if (rcvid != CALL_ESRCH) {
        explore_expect(rcvid == CALL_EFAULT && message_scene->has_faults);
    }
    return rcvid != CALL_ESRCH && rcvid != CALL_EINTR;
}

static void
message_server_run(void *who)
{
    struct uthread *uthread = kzalloc(sizeof(*uthread));

    if (message_scene->is_in_line) {
        message_adopt(uthread, NULL);
    }
    threads_sleep_below(MESSAGE_NS / 4);
    while (message_serve_one((uintptr_t)who)) {
        continue;
    }
    thread_self()->uthread = NULL;
    kfree(uthread);
    port_put(message_port);
}

/* ------------------------------------------------ what helpers do, and main */

static void
message_use_reply(uint32_t rcvid, uint64_t serial)
{
    message_answer(rcvid, serial, 9);
}

/* As long as a number is shown, the one before is over. */
static void
message_use_last(uint32_t rcvid, uint64_t serial)
{
    static uint32_t last;

    threads_sleep_below(MESSAGE_NS / 4);
    explore_expect(last == 0 ||
                   message_reply(&message_task, last, MESSAGE_REPLY(serial, 7),
                                 NULL, NULL) == CALL_ESRCH);
    last = rcvid;
}

static void
message_use_read(uint32_t rcvid, uint64_t serial)
{
    struct msg_buffer buffer;
    uint64_t word = 0;
    long result;

    message_buffer_init(&buffer, NULL, &word);
    result = message_read(&message_task, rcvid, &buffer, 0);
    explore_expect(result == CALL_ESRCH ||
                   (result == (long)sizeof(word) && word == serial));
}

static void
message_use_write(uint32_t rcvid, uint64_t serial)
{
    uint64_t word = MESSAGE_REPLY(serial, 8);
    struct msg_buffer buffer;
    long result;

    message_buffer_init(&buffer, NULL, &word);
    result = message_write(&message_task, rcvid, &buffer, 0);
    explore_expect(result == CALL_ESRCH || result == (long)sizeof(word));
}

static void
message_use_info(uint32_t rcvid, uint64_t serial)
{
    struct portolan_msg_info info;

    if (message_info(&message_task, rcvid, &info) == 0) {
        explore_expect(info.label == serial);
    }
}

static void
message_event_kill_client(void)
{
    threads_sleep_below(MESSAGE_NS);
    thread_request_end(message_clients[0].thread);
}

static void
message_event_kill_port(void)
{
    threads_sleep_below(MESSAGE_NS);
    port_kill(message_port);
}

static void
message_event_kill_server(void)
{
    threads_sleep_below(MESSAGE_NS);
    thread_request_end(message_servers[0]);
    message_event_kill_port();
}

static void
message_event_kill_both(void)
{
    message_event_kill_client();
    message_event_kill_port();
}

/* ---------------------------------------------------------------- the scene */

static void
message_task_release(struct kobject *object __unused)
{
}

static const struct kobject_ops message_task_ops = {
    .kind = KOBJECT_TEST,
    .release = message_task_release,
    .free = message_task_release,
};

/* Which CPU a thread is on: clients behind main, others where there is room. */
static uint32_t
message_cpu(unsigned i)
{
    return i % message_scene->nr_cpus;
}

/* The same for clients and servers, who share one in line. */
static uint32_t
message_peer_cpu(unsigned i)
{
    return message_scene->is_in_line && !message_scene->is_spread
               ? message_scene->nr_cpus - 1
               : message_cpu(i);
}

static void
message_start(void)
{
    const struct message_scene *scene = message_scene;
    unsigned cpu = 0;

    if (scene->use != NULL) {
        message_helper = threads_create_on(message_cpu(2), message_help, NULL);
    }
    for (uintptr_t i = 0; i < scene->nr_servers; i++) {
        port_get(message_port);
        message_servers[i] = threads_create_on(message_peer_cpu(cpu++),
                                               message_server_run, (void *)i);
    }
    for (unsigned i = 0; i < scene->nr_clients; i++) {
        port_get(message_port);
        message_clients[i].thread = threads_create_on(message_peer_cpu(cpu++),
                                                      message_client_run,
                                                      &message_clients[i]);
    }
}

/* Each message that somebody replied to has got that reply. */
static void
message_look_at_replies(void)
{
    for (unsigned i = 1; i <= MESSAGE_SERIALS; i++) {
        explore_expect(message_replies[i] == (message_results[i] > 0));
    }
}

static void
message_main(void *arg __unused)
{
    const struct message_scene *scene = message_scene;

    message_start();
    if (scene->event != NULL) {
        scene->event();
    }
    for (unsigned i = 0; i < scene->nr_clients; i++) {
        thread_join(message_clients[i].thread);
    }
    port_kill(message_port);
    port_put(message_port);
    for (unsigned i = 0; i < scene->nr_servers; i++) {
        thread_join(message_servers[i]);
    }
    if (message_helper != NULL) {
        message_is_over = true;
        thread_unpark(message_helper);
        thread_join(message_helper);
    }
    message_look_at_replies();
    explore_expect(atomic_load(&container_counts[CONTAINER_OBJECTS]) == 0);
}

static void
message_setup(const struct message_scene *scene)
{
    message_scene = scene;
    threads_setup(scene->nr_cpus);
    explore_init_op("rcu_setup");
    explore_init_op("port_setup");
    explore_init_op("port_cpu_setup");
    kobject_init(&message_task.object, &message_task_ops, "server");
    explore_expect(port_create(&message_port, &message_task, NULL, 0, "port") ==
                   OK);
    message_make_tables();
    for (unsigned i = 0; i < scene->nr_clients; i++) {
        message_client_init(&message_clients[i], 1 + i * scene->nr_messages);
    }
}

static void
message_run(const struct message_scene *scene)
{
    message_setup(scene);
    threads_go(scene->nr_cpus, message_main, NULL);
}

/* Who sends gets the reply, whoever comes first. */
EXPLORE(message, replied)
{
    static const struct message_scene scene = {
        .nr_cpus = 2,
        .nr_clients = 1,
        .nr_servers = 1,
        .nr_messages = 2,
        .has_rights = true,
    };

    message_run(&scene);
}

/* Several of both: each message is received once. */
EXPLORE(message, several)
{
    static const struct message_scene scene = {
        .nr_cpus = 3,
        .nr_clients = 2,
        .nr_servers = 2,
        .nr_messages = 1,
    };

    message_run(&scene);
}

/* Bad memory of the one or the other leaves nobody blocked. */
EXPLORE(message, faults)
{
    static const struct message_scene scene = {
        .nr_cpus = 2,
        .nr_clients = 1,
        .nr_servers = 1,
        .nr_messages = 2,
        .has_faults = true,
    };

    message_run(&scene);
}

/* Of two who reply to a message one does. */
EXPLORE(message, two_reply)
{
    static const struct message_scene scene = {
        .nr_cpus = 3,
        .nr_clients = 1,
        .nr_servers = 1,
        .nr_messages = 2,
        .use = message_use_reply,
    };

    message_run(&scene);
}

/* A stale number does not mean the next message of the thread. */
EXPLORE(message, stale)
{
    static const struct message_scene scene = {
        .nr_cpus = 3,
        .nr_clients = 1,
        .nr_servers = 1,
        .nr_messages = 2,
        .use = message_use_last,
    };

    message_run(&scene);
}

/* The sender leaves when the last reader has, whoever replies. */
EXPLORE(message, read)
{
    static const struct message_scene scene = {
        .nr_cpus = 3,
        .nr_clients = 1,
        .nr_servers = 1,
        .nr_messages = 2,
        .use = message_use_read,
    };

    message_run(&scene);
}

EXPLORE(message, written)
{
    static const struct message_scene scene = {
        .nr_cpus = 3,
        .nr_clients = 1,
        .nr_servers = 1,
        .nr_messages = 1,
        .use = message_use_write,
    };

    message_run(&scene);
}

EXPLORE(message, told)
{
    static const struct message_scene scene = {
        .nr_cpus = 3,
        .nr_clients = 1,
        .nr_servers = 1,
        .nr_messages = 2,
        .use = message_use_info,
    };

    message_run(&scene);
}

/* A client that is killed ends, wherever its message is. */
EXPLORE(message, client_killed)
{
    static const struct message_scene scene = {
        .nr_cpus = 2,
        .nr_clients = 1,
        .nr_servers = 1,
        .nr_messages = 1,
        .event = message_event_kill_client,
        .has_rights = true,
    };

    message_run(&scene);
}

/* So does one whom nobody receives from. */
EXPLORE(message, client_killed_in_queue)
{
    static const struct message_scene scene = {
        .nr_cpus = 2,
        .nr_clients = 2,
        .nr_messages = 1,
        .event = message_event_kill_both,
    };

    message_run(&scene);
}

EXPLORE(message, read_while_killed)
{
    static const struct message_scene scene = {
        .nr_cpus = 3,
        .nr_clients = 1,
        .nr_servers = 1,
        .nr_messages = 1,
        .use = message_use_read,
        .event = message_event_kill_client,
    };

    message_run(&scene);
}

/* So does a server; its client is told, or waits for another one. */
EXPLORE(message, server_killed)
{
    static const struct message_scene scene = {
        .nr_cpus = 3,
        .nr_clients = 1,
        .nr_servers = 2,
        .nr_messages = 2,
        .event = message_event_kill_server,
        .kills_server = true,
    };

    message_run(&scene);
}

/* A port that dies lets all go, whatever they do. */
EXPLORE(message, port_killed)
{
    static const struct message_scene scene = {
        .nr_cpus = 2,
        .nr_clients = 1,
        .nr_servers = 1,
        .nr_messages = 2,
        .event = message_event_kill_port,
        .has_rights = true,
    };

    message_run(&scene);
}

/* Nobody is queued at a port that died before. */
EXPLORE(message, port_killed_while_sending)
{
    static const struct message_scene scene = {
        .nr_cpus = 2,
        .nr_clients = 1,
        .nr_messages = 2,
        .event = message_event_kill_port,
    };

    message_run(&scene);
}

EXPLORE(message, port_killed_with_several)
{
    static const struct message_scene scene = {
        .nr_cpus = 3,
        .nr_clients = 2,
        .nr_servers = 2,
        .nr_messages = 1,
        .event = message_event_kill_port,
    };

    message_run(&scene);
}

EXPLORE(message, read_while_port_killed)
{
    static const struct message_scene scene = {
        .nr_cpus = 3,
        .nr_clients = 1,
        .nr_servers = 1,
        .nr_messages = 1,
        .use = message_use_read,
        .event = message_event_kill_port,
    };

    message_run(&scene);
}

EXPLORE(message, both_killed)
{
    static const struct message_scene scene = {
        .nr_cpus = 3,
        .nr_clients = 1,
        .nr_servers = 1,
        .nr_messages = 1,
        .use = message_use_read,
        .event = message_event_kill_both,
    };

    message_run(&scene);
}

/* A time that is over ends the wait in the states for which it is meant. */
EXPLORE(message, time_out)
{
    static const struct message_scene scene = {
        .nr_cpus = 2,
        .nr_clients = 1,
        .nr_servers = 1,
        .nr_messages = 2,
        .states = PORTOLAN_MSG_TIMEOUT_SEND | PORTOLAN_MSG_TIMEOUT_REPLY,
    };

    message_run(&scene);
}

EXPLORE(message, read_while_time_out)
{
    static const struct message_scene scene = {
        .nr_cpus = 3,
        .nr_clients = 1,
        .nr_servers = 1,
        .nr_messages = 1,
        .states = PORTOLAN_MSG_TIMEOUT_REPLY,
        .use = message_use_read,
    };

    message_run(&scene);
}

EXPLORE(message, time_out_of_receive)
{
    static const struct message_scene scene = {
        .nr_cpus = 2,
        .nr_clients = 1,
        .nr_servers = 1,
        .nr_messages = 2,
        .receive_states = PORTOLAN_MSG_TIMEOUT_RECEIVE,
    };

    message_run(&scene);
}

/* ----------------------------------------- servers that receive, and do not */

static void
message_receive_only(void *arg __unused)
{
    struct portolan_msg_info info;
    struct msg_buffer buffer;
    uint64_t serial = 0;
    long rcvid;

    message_buffer_init(&buffer, NULL, &serial);
    threads_sleep_below(MESSAGE_NS);
    rcvid = message_receive(message_port, &buffer, &info, NULL, NULL);
    explore_expect(rcvid > 0 || rcvid == CALL_ESRCH);
}

static void
message_main_never_replies(void *arg __unused)
{
    struct message_client *client = &message_clients[0];
    struct thread *server;

    server = threads_create_on(0, message_receive_only, NULL);
    port_get(message_port);
    client->thread =
        threads_create_on(message_cpu(1), message_client_run, client);
    if (message_scene->event != NULL) {
        message_scene->event();
    }
    thread_join(client->thread);
    explore_expect(message_results[1] < 0);
    port_kill(message_port);
    thread_join(server);
    port_put(message_port);
}

static void
message_run_never_replies(const struct message_scene *scene)
{
    message_setup(scene);
    threads_go(scene->nr_cpus, message_main_never_replies, NULL);
}

/* A time for the reply that was over in the queue ends the wait for it. */
EXPLORE(message, time_out_of_reply)
{
    static const struct message_scene scene = {
        .nr_cpus = 2,
        .nr_clients = 1,
        .nr_messages = 1,
        .states = PORTOLAN_MSG_TIMEOUT_REPLY,
    };

    message_run_never_replies(&scene);
}

/* The death of the port ends it, too. */
EXPLORE(message, port_killed_unreplied)
{
    static const struct message_scene scene = {
        .nr_cpus = 2,
        .nr_clients = 1,
        .nr_messages = 1,
        .event = message_event_kill_port,
    };

    message_run_never_replies(&scene);
}

/* A time ends the wait of who let the receiver run in its place. */
EXPLORE(message, time_out_handed_off)
{
    static const struct message_scene scene = {
        .nr_cpus = 1,
        .nr_clients = 1,
        .nr_messages = 1,
        .states = PORTOLAN_MSG_TIMEOUT_SEND | PORTOLAN_MSG_TIMEOUT_REPLY,
    };

    message_run_never_replies(&scene);
}

/* ------------------------------------------------------------------ numbers */

static struct message message_numbered[2];
static _Atomic uint32_t message_numbers[2];

static void
message_take_numbers(void *arg)
{
    struct message *message = arg;
    unsigned own = message == &message_numbered[1];

    for (unsigned i = 0; i < 2; i++) {
        uint32_t number;

        explore_expect(rcvid_next(&message->rcvid, message) == OK);
        number = rcvid_number(&message->rcvid);
        explore_expect(number != message_numbers[own]);
        message_numbers[own] = number;
        explore_expect(number != message_numbers[!own]);
        rcu_read_lock();
        explore_expect(rcvid_find(number) == message);
        rcu_read_unlock();
        rcvid_release(&message->rcvid);
    }
}

static void
message_main_takes_numbers(void *arg __unused)
{
    struct thread *other;

    other = threads_create_on(1, message_take_numbers, &message_numbered[1]);
    message_take_numbers(&message_numbered[0]);
    thread_join(other);
    explore_expect(rcvid_find(message_numbers[0]) == NULL);
    explore_expect(rcvid_find(message_numbers[1]) == NULL);
}

/* No number is given twice, and each leads to its message. */
EXPLORE(rcvid, taken)
{
    threads_setup(2);
    explore_init_op("rcu_setup");
    threads_go(2, message_main_takes_numbers, NULL);
}

/*
 * In line: LOCAL messages
 */

/* Both are on the CPU that main is not on: the CPU is passed there and back. */
EXPLORE(message, local)
{
    static const struct message_scene scene = {
        .nr_cpus = 2,
        .nr_clients = 1,
        .nr_servers = 1,
        .nr_messages = 2,
        .is_in_line = true,
    };

    message_run(&scene);
}

/* Two of each, on one CPU. */
EXPLORE(message, local_several)
{
    static const struct message_scene scene = {
        .nr_cpus = 2,
        .nr_clients = 2,
        .nr_servers = 2,
        .nr_messages = 2,
        .is_in_line = true,
    };

    message_run(&scene);
}

/* What could not be copied in line is sent anew, the long way. */
EXPLORE(message, local_lost_pages)
{
    static const struct message_scene scene = {
        .nr_cpus = 2,
        .nr_clients = 1,
        .nr_servers = 1,
        .nr_messages = 2,
        .is_in_line = true,
        .has_lost_pages = true,
    };

    message_run(&scene);
}

/* A client whose message is LOCAL, or who has been let go, is killed. */
EXPLORE(message, local_client_killed)
{
    static const struct message_scene scene = {
        .nr_cpus = 2,
        .nr_clients = 1,
        .nr_servers = 1,
        .nr_messages = 2,
        .event = message_event_kill_client,
        .is_in_line = true,
    };

    message_run(&scene);
}

/* A server that waits on its CPU, or has a LOCAL message, is killed. */
EXPLORE(message, local_server_killed)
{
    static const struct message_scene scene = {
        .nr_cpus = 2,
        .nr_clients = 1,
        .nr_servers = 2,
        .nr_messages = 2,
        .event = message_event_kill_server,
        .kills_server = true,
        .is_in_line = true,
    };

    message_run(&scene);
}

/* A port that dies has all LOCAL messages shared, and all receivers go. */
EXPLORE(message, local_port_killed)
{
    static const struct message_scene scene = {
        .nr_cpus = 2,
        .nr_clients = 1,
        .nr_servers = 1,
        .nr_messages = 2,
        .event = message_event_kill_port,
        .is_in_line = true,
    };

    message_run(&scene);
}

/* Also those that nobody is going to reply to. */
EXPLORE(message, local_port_killed_unreplied)
{
    static const struct message_scene scene = {
        .nr_cpus = 2,
        .nr_clients = 2,
        .nr_servers = 1,
        .nr_messages = 1,
        .event = message_event_kill_port,
        .is_in_line = true,
        .is_unreplied = true,
    };

    message_run(&scene);
}

EXPLORE(message, local_both_killed)
{
    static const struct message_scene scene = {
        .nr_cpus = 2,
        .nr_clients = 2,
        .nr_servers = 1,
        .nr_messages = 1,
        .event = message_event_kill_both,
        .is_in_line = true,
    };

    message_run(&scene);
}

/* Somebody on another CPU wants to know of a LOCAL message. */
EXPLORE(message, local_told)
{
    static const struct message_scene scene = {
        .nr_cpus = 2,
        .nr_clients = 1,
        .nr_servers = 1,
        .nr_messages = 2,
        .use = message_use_info,
        .is_in_line = true,
    };

    message_run(&scene);
}

/* Somebody on another CPU replies to it. */
EXPLORE(message, local_two_reply)
{
    static const struct message_scene scene = {
        .nr_cpus = 2,
        .nr_clients = 1,
        .nr_servers = 1,
        .nr_messages = 2,
        .use = message_use_reply,
        .is_in_line = true,
    };

    message_run(&scene);
}

EXPLORE(message, local_read)
{
    static const struct message_scene scene = {
        .nr_cpus = 2,
        .nr_clients = 1,
        .nr_servers = 1,
        .nr_messages = 2,
        .use = message_use_read,
        .is_in_line = true,
    };

    message_run(&scene);
}

EXPLORE(message, local_stale)
{
    static const struct message_scene scene = {
        .nr_cpus = 2,
        .nr_clients = 1,
        .nr_servers = 1,
        .nr_messages = 2,
        .use = message_use_last,
        .is_in_line = true,
    };

    message_run(&scene);
}

/* Receivers wait on their CPUs; senders of others ask them. */
EXPLORE(message, asked)
{
    static const struct message_scene scene = {
        .nr_cpus = 2,
        .nr_clients = 1,
        .nr_servers = 1,
        .nr_messages = 2,
        .is_in_line = true,
        .is_spread = true,
    };

    message_run(&scene);
}

EXPLORE(message, asked_by_several)
{
    static const struct message_scene scene = {
        .nr_cpus = 4,
        .nr_clients = 2,
        .nr_servers = 2,
        .nr_messages = 1,
        .is_in_line = true,
        .is_spread = true,
    };

    message_run(&scene);
}

EXPLORE(message, asked_while_port_killed)
{
    static const struct message_scene scene = {
        .nr_cpus = 3,
        .nr_clients = 1,
        .nr_servers = 2,
        .nr_messages = 1,
        .event = message_event_kill_port,
        .is_in_line = true,
        .is_spread = true,
    };

    message_run(&scene);
}

EXPLORE(message, asked_while_server_killed)
{
    static const struct message_scene scene = {
        .nr_cpus = 3,
        .nr_clients = 1,
        .nr_servers = 2,
        .nr_messages = 2,
        .event = message_event_kill_server,
        .kills_server = true,
        .is_in_line = true,
        .is_spread = true,
    };

    message_run(&scene);
}
