/* SPDX-License-Identifier: MIT */
/*
 * Messages: ipc/message.c, and port_kill() of ipc/port.c.
 *
 * One client sends MESSAGES messages; two servers receive and reply, a helper of
 * theirs reads and replies, all with the number that was received last.  The client, a server or
 * the port are killed at any time.  Claims: the client's memory is touched only
 * while its call lasts; at most one is told that he replied, and then the
 * client has got it; a stale number means nothing; nobody touches a message
 * whose thread has ended; all come to an end.
 *
 * What is done under the lock of the port is one step; to wake somebody is
 * another one.  Parking is a permit (model park).  Left out: priorities, rights,
 * faults, and times, which are over as the client is killed.
 *
 * @run replied: -DMESSAGES=2
 * @run killed: -DMESSAGES=1 -DKILL_CLIENT
 * @run server: -DMESSAGES=1 -DKILL_SERVER
 * @run port: -DMESSAGES=2 -DKILL_PORT
 * @run both: -DMESSAGES=1 -DKILL_CLIENT -DKILL_PORT
 * @broken LEAVES_READERS killed: a sender takes its message back while somebody reads its memory
 * @broken LEAVES_TAKEN killed: a sender goes while a receiver copies
 * @broken DONE_WHILE_READ replied: a reply lets the sender go while somebody reads
 * @broken READER_SILENT killed: the last reader does not wake a sender that waits to leave
 * @broken REPLIED_STAYS replied: the last reader does not finish what was replied to
 * @broken NUMBER_STALE replied: the number is not compared
 * @broken CLAIMED_UNLOCKED replied: whether a number means the message is looked at before the port is locked
 * @broken RECEIVED_AT_DEAD server: who has copied does not look whether the port died
 * @broken RECEIVED_LEAVING killed: who has copied does not look whether the sender waits to leave
 * @broken TOUCHED_WHEN_DONE killed: who finishes a message reads whose it is when it is the sender's again
 * @broken SENT_TO_THE_DEAD port: whether the port is dead is looked at before it is locked
 * @broken COPY_GOES_ON server: a server that is killed in a copy just goes
 * @broken STAYS_LISTED server: a receiver that is killed stays in the list
 */
#define SERVERS 2
#define CLIENT  SERVERS
#define HELPER  (SERVERS + 1)
#define NOBODY  255

#define IDLE     0
#define QUEUED   1
#define TAKEN    2
#define RECEIVED 3
#define REPLYING 4
#define REPLIED  5
#define DONE     6

#define COPIED  0
#define STOPPED 1
#define ENDING  2

byte state = IDLE;
byte number;                    /* of the present message */
byte nr_users;
bool is_leaving;
bool got_reply;                 /* message->status */
bool memory;                    /* of the client: its call lasts */
bool has_ended;                 /* the client's thread */

bool is_dead;                   /* the port */
bool listed[SERVERS];           /* waits for a message */
bool given[SERVERS];            /* has got one meanwhile */
bool left[SERVERS];             /* its stack is gone */

bool permit[SERVERS + 1];
bool killed[SERVERS + 2];
byte last;                      /* the number that servers use */
bool answered[MESSAGES + 1];    /* somebody was told so */

inline unpark(t)
{
    if
    :: t != NOBODY -> atomic { permit[t] = true; t = NOBODY }
    :: else
    fi
}

/* message_finish_locked(), in a step */
inline finish(reply, w)
{
    got_reply = reply;
    w = NOBODY;
    if
#ifdef DONE_WHILE_READ
    :: false
#else
    :: nr_users != 0 -> state = REPLIED
#endif
    :: else -> state = DONE; w = CLIENT
    fi
}

/* A copy from or to the client: two looks at its memory. */
inline copy(result)
{
    assert(memory);
    if
    :: is_leaving -> result = STOPPED
    :: killed[self] -> result = ENDING
    :: true -> assert(memory); result = COPIED
    fi
}
#define is_meant(nr) (state == RECEIVED && !is_leaving && IS_NUMBER(nr))
#ifdef NUMBER_STALE
#define IS_NUMBER(nr) (nr != 0)
#else
#define IS_NUMBER(nr) (number == nr)
#endif

/* message_claim(): to reply, or to read */
#ifdef CLAIMED_UNLOCKED
#define claim(nr, what)                                                        \
    found = is_meant(nr);                                                      \
    atomic { if :: found -> what :: else fi }
#else
#define claim(nr, what)                                                        \
    atomic { found = is_meant(nr); if :: found -> what :: else fi }
#endif

/* message_read() of a message that may be over */
inline read(nr)
{
    claim(nr, nr_users++);
    if
    :: found ->
        copy(result);
        atomic {
            nr_users--;
            if
            :: nr_users == 0 && state == REPLIED ->
#ifndef REPLIED_STAYS
                state = DONE;
                w = CLIENT
#else
                skip
#endif
            :: nr_users == 0 && state != REPLIED && is_leaving ->
#ifndef READER_SILENT
                w = CLIENT
#else
                skip
#endif
            :: else
            fi
        }
        unpark(w)
    :: else
    fi
}

/* message_reply(), the same */
inline reply(nr)
{
    claim(nr, state = REPLYING);
    if
    :: found ->
        copy(result);
        atomic {
            if
            :: result == COPIED ->
                assert(!answered[nr] && number == nr);
                answered[nr] = true
            :: else
            fi;
            finish(result == COPIED, w)
        }
#ifdef TOUCHED_WHEN_DONE
        assert(w == NOBODY || !has_ended);
#endif
        unpark(w)
    :: else
    fi
}

proctype server(byte self)
{
    byte w = NOBODY, nr, result;
    bool mine, found;

next:
    /* message_await() */
    atomic {
        mine = false;
        if
        :: state == QUEUED -> state = TAKEN; mine = true
        :: else ->
            if
            :: is_dead || killed[self] -> goto out
            :: else -> listed[self] = true
            fi
        fi
    }
    do
    :: mine -> break
    :: !mine ->
        atomic { permit[self] -> permit[self] = false }
        atomic {
            if
            :: given[self] -> given[self] = false; mine = true
            :: !given[self] && (is_dead || killed[self]) ->
#ifndef STAYS_LISTED
                listed[self] = false;
#endif
                goto out
            :: else
            fi
        }
    od;

    /* message_take() */
    copy(result);
#ifdef COPY_GOES_ON
    if
    :: result == ENDING -> goto out
    :: else
    fi;
#endif
    if
    :: result != COPIED -> atomic { finish(false, w) }
    :: else ->
        /* message_received() */
        atomic {
            nr = number;
            if
#ifndef RECEIVED_AT_DEAD
            :: is_dead -> finish(false, w)
#endif
#ifndef RECEIVED_LEAVING
            :: is_leaving -> finish(false, w)
#endif
            :: else -> state = RECEIVED; last = nr
            fi
        }
    fi;
    unpark(w);
    if
    :: killed[self] -> goto out
    :: else
    fi;

    nr = last;
    if
    :: nr != 0 -> reply(nr)
    :: else
    fi;
    goto next;
out:
    left[self] = true
}

/* Another thread of the servers, that does not receive. */
proctype helper(byte self)
{
    byte w = NOBODY, nr, result, i;
    bool found;

    do
    :: i < 2 ->
        i++;
        nr = last;
        if
        :: nr != 0 -> read(nr)
        :: nr != 0 -> reply(nr)
        :: true
        fi
    :: else -> break
    od
}

proctype client()
{
    byte w = NOBODY, i;
    bool is_over, dead;

    do
    :: i < MESSAGES && !killed[CLIENT] ->
        i++;
        atomic {
            number = i;
            nr_users = 0;
            is_leaving = false;
            got_reply = false;
            memory = true;
            is_over = false
        }
#ifdef SENT_TO_THE_DEAD
        dead = is_dead;
#endif
        /* message_send() */
        atomic {
#ifndef SENT_TO_THE_DEAD
            dead = is_dead;
#endif
            if
            :: dead -> is_over = true
            :: !dead && listed[0] -> w = 0
            :: !dead && listed[1] -> w = 1
            :: else -> state = QUEUED
            fi;
            if
            :: w != NOBODY ->
                assert(!left[w]);
                listed[w] = false;
                given[w] = true;
                state = TAKEN
            :: else
            fi
        }
        unpark(w);
        /* message_wait() */
        do
        :: is_over -> break
        :: !is_over ->
            atomic {
                if
                :: state == DONE -> is_over = true
                :: state != DONE && killed[CLIENT] ->
                    is_leaving = true;
                    is_over = state == QUEUED ||
#ifdef LEAVES_TAKEN
                              state == TAKEN ||
#endif
#ifdef LEAVES_READERS
                              state == RECEIVED
#else
                              (state == RECEIVED && nr_users == 0)
#endif
                :: else
                fi;
                if
                :: is_over -> state = IDLE
                :: else
                fi
            }
            if
            :: !is_over -> atomic { permit[CLIENT] -> permit[CLIENT] = false }
            :: else
            fi
        od;
        atomic {
            assert(got_reply == answered[i]);
            memory = false
        }
    :: else -> break
    od;
    has_ended = true
}

/* port_kill() */
inline kill_port()
{
    is_dead = true;
    do
    :: atomic {
            if
            :: listed[0] -> listed[0] = false; w = 0
            :: !listed[0] && listed[1] -> listed[1] = false; w = 1
            :: !listed[0] && !listed[1] &&
               (state == QUEUED || state == RECEIVED) ->
                finish(false, w)
            :: else -> break
            fi
       }
       unpark(w)
    od
}

inline kill(t)
{
    killed[t] = true;
    permit[t] = true
}

proctype killer_of_client()
{
    kill(CLIENT)
}

proctype killer_of_port()
{
    byte w = NOBODY;

    kill_port()
}

/* Its task ends: another thread kills the port. */
proctype killer_of_server()
{
    byte w = NOBODY;

    kill(0);
    kill_port()
}

init {
    byte w = NOBODY;

    atomic {
        run server(0);
        run server(1);
        run helper(HELPER);
        run client();
#ifdef KILL_CLIENT
        run killer_of_client();
#endif
#ifdef KILL_PORT
        run killer_of_port();
#endif
#ifdef KILL_SERVER
        run killer_of_server();
#endif
    }
    /* Only then: so nobody waits for the death of the port. */
    has_ended;
    kill_port();
    _nr_pr == 1;
    assert(state == IDLE && nr_users == 0)
}
