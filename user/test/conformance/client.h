/* SPDX-License-Identifier: MIT */
/*
 * Channels and clients: what most tests begin with.
 */
#ifndef TEST_CLIENT_H
#define TEST_CLIENT_H

#include <pthread.h>
#include <sys/neutrino.h>

#include <user/test/check.h>

/* A channel of this process and a connection to it. */
struct channel {
    int chid;
    int coid;
};

struct channel channel_open(unsigned int flags);
void channel_close(struct channel *channel);

/*
 * A thread that sends one message: simple buffers, or parts if sparts or
 * rparts is not 0.  The result is there after client_join().
 */
struct client {
    int coid;
    const void *smsg;
    size_t sbytes;
    void *rmsg;
    size_t rbytes;
    const iov_t *siov;
    size_t sparts;
    const iov_t *riov;
    size_t rparts;
    int priority; /* 0: that of the creator */
    long status;  /* what MsgSend() returned */
    int error;    /* errno, if that is -1 */
    int tid;
    pthread_t thread;
};

/* Start it; it has its tid on return. */
void client_start(struct client *client);

/* Wait until it is in a STATE_... */
void client_wait(struct client *client, int state);

/* Wait for its end; what MsgSend() returned, or -errno. */
long client_join(struct client *client);

/* Start a client and wait until it is SEND-blocked. */
void client_block(struct client *client);

/* What servers that are peers say first. */
struct hello {
    int pid;
    int tid;
    int chid;
    int rcvid;
};

/*
 * Receive the hello of a peer and let it go on.
 *
 * Returns: a connection to the peer's channel
 */
int hello_receive(int chid, struct hello *hello);

/* As a peer: make a channel and say hello; the chid. */
int hello_send(void);

#endif /* TEST_CLIENT_H */
