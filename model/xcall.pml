/* SPDX-License-Identifier: MIT */
/*
 * Cross calls: kern/xcall.c.
 *
 * Each CPU calls others, with interrupts enabled or disabled; what is called
 * may call again.  An interrupt is a flag that stays set until the CPU takes
 * it.  Claims: each call runs exactly once, on the CPU that it was sent to,
 * and all calls end, mutual ones with interrupts disabled included; nobody
 * touches a request after its done flag is set.
 *
 * A stack of requests is the list that it is, with its links; a request is
 * named by who waits for it.  After any request the time of a handler may be
 * up.  A thread may be moved to another CPU wherever
 * interrupts are enabled (-DMOVES).
 *
 * @run mutual: -DCPUS=3 -DMASKED=7 -DCALLS=1
 * @run mixed: -DCPUS=3 -DMASKED=5 -DCALLS=1
 * @run nested: -DCPUS=2 -DMASKED=3 -DCALLS=2 -DNESTED
 * @run open: -DCPUS=2 -DMASKED=0 -DCALLS=1 -DNESTED
 * @run again: -DCPUS=2 -DMASKED=1 -DCALLS=3
 * @run served: -DCPUS=3 -DMASKED=1 -DCALLS=2 -DSERVER=1
 * @run moved: -DCPUS=2 -DMASKED=0 -DCALLS=1 -DMOVES
 * @broken DEAF mutual: who waits with interrupts disabled serves nobody
 * @broken SEND_FIRST again: the interrupt is sent before the push
 * @broken TAKE_PLAIN mixed: a handler reads the head and then clears it
 * @broken PUSH_PLAIN mixed: a push writes the head without comparing it
 * @broken NEXT_LATE mixed: the link is read after the done flag is set
 * @broken DONE_FIRST mixed: the done flag is set before the function has run
 * @broken SEND_ODD again: an interrupt is sent when the stack is not empty
 * @broken PUSH_OPEN open: a handler comes between a push and its interrupt
 * @broken UNDER_LOCK mutual: a spin lock is held that a masked CPU waits for
 * @broken LEFT_BEHIND served: no interrupt is sent for what is left
 * @broken TAKEN_ONLY served: none for what came while that was served
 * @broken CHECK_FIRST moved: the own CPU is known before interrupts are masked
 */
#ifndef MOVES
#define MOVES 0
#endif
#define REQUESTS (2 * CPUS)             /* of each CPU, and of its handler */
#define NONE     255
#ifdef SERVER
#define NO_CALLER SERVER                /* it calls nobody */
#else
#define NO_CALLER CPUS
#endif

byte head[CPUS] = NONE;                 /* xcall_stack */
byte taken[CPUS] = NONE;                /* xcall_taken */
bool interrupt[CPUS];                   /* sent and not taken */
byte next[REQUESTS];                    /* struct xcall */
byte target[REQUESTS];                  /* what fn checks */
bool done[REQUESTS];
bool alive[REQUESTS];                   /* the caller still waits */
byte ran[REQUESTS];
byte busy = CPUS;                       /* CPUs with calls to make */
bool lock_taken;

#define touch(r) assert(alive[r])

/* xcall_push() until the interrupt is sent */
inline push(cpu, r, was)
{
#ifdef SEND_FIRST
    if
    :: head[cpu] == NONE -> interrupt[cpu] = true
    :: else
    fi;
#endif
    do
    :: was = head[cpu];
        next[r] = was;
#ifdef PUSH_PLAIN
        head[cpu] = r;
        break
#else
        atomic {
            if
            :: head[cpu] == was -> head[cpu] = r; break
            :: else
            fi
        }
#endif
    od
}

/* The rest of it */
inline send(cpu, was)
{
#ifndef SEND_FIRST
    if
#ifdef SEND_ODD
    :: was != NONE -> interrupt[cpu] = true
#else
    :: was == NONE -> interrupt[cpu] = true
#endif
    :: else
    fi;
#endif
    was = 0
}

#define has_some(cpu) (taken[cpu] != NONE || head[cpu] != NONE)

/* xcall_next() */
inline take(cpu, call)
{
    if
    :: taken[cpu] == NONE ->
#ifdef TAKE_PLAIN
        call = head[cpu];
        head[cpu] = NONE
#else
        atomic { call = head[cpu]; head[cpu] = NONE }
#endif
    :: else -> call = taken[cpu]
    fi;
#ifndef NEXT_LATE
    if
    :: call != NONE -> touch(call); taken[cpu] = next[call]
    :: else
    fi
#endif
}

/* The end of xcall_handle() when the time is up. */
inline leave_rest(cpu)
{
    if
#ifdef LEFT_BEHIND
    :: has_some(cpu)
#elif defined(TAKEN_ONLY)
    :: taken[cpu] != NONE -> interrupt[cpu] = true
#else
    :: has_some(cpu) -> interrupt[cpu] = true
#endif
    :: else
    fi
}

/* xcall_handle() */
inline handle(cpu, call)
{
    do
    :: take(cpu, call);
        if
        :: call == NONE -> break
        :: else
        fi;
#ifdef DONE_FIRST
        done[call] = true;
#endif
        atomic {
            touch(call);                /* call->fn(call->arg) */
            assert(target[call] == cpu);
            ran[call]++
        }
#ifdef NESTED
        nested_call(cpu);
#endif
        atomic { touch(call); done[call] = true }
#ifdef NEXT_LATE
        touch(call);
        taken[cpu] = next[call];
#endif
        if
        :: leave_rest(cpu); break
        :: skip
        fi
    od;
    call = 0
}

inline fill(r, cpu)
{
    atomic { alive[r] = true; done[r] = false; target[r] = cpu; ran[r] = 0 }
}

inline drop(r)
{
    atomic { assert(ran[r] == 1); alive[r] = false }
}

#ifdef NESTED
/* The function of a call calls the other CPU, once. */
inline nested_call(cpu)
{
    if
    :: !has_nested ->
        has_nested = true;
        fill(CPUS + cpu, 1 - cpu);
        push(1 - cpu, CPUS + cpu, was2);
        send(1 - cpu, was2);
        do
        :: done[CPUS + cpu] -> break
        :: !done[CPUS + cpu] && has_some(cpu) -> handle_inner(cpu)
        od;
        drop(CPUS + cpu)
    :: else
    fi
}

/* xcall_handle() in a call within a call: those call no more. */
inline handle_inner(cpu)
{
    do
    :: take(cpu, call2);
        if
        :: call2 == NONE -> break
        :: else
        fi;
        atomic {
            touch(call2);
            assert(target[call2] == cpu);
            ran[call2]++;
            done[call2] = true
        }
        if
        :: leave_rest(cpu); break
        :: skip
        fi
    od;
    call2 = 0
}
#endif

/* The interrupt is taken where interrupts are enabled. */
inline serve(cpu)
{
    atomic { interrupt[cpu] -> interrupt[cpu] = false }
    handle(cpu, call)
}

/* xcall_one() and xcall_wait() */
inline call_one(cpu, to, masked)
{
    fill(cpu, to);
    push(to, cpu, was);
#ifdef PUSH_OPEN
    if
    :: !masked && interrupt[cpu] -> serve(cpu)
    :: skip
    fi;
#endif
    send(to, was);
    do
    :: done[cpu] -> break
#ifndef DEAF
    /* An empty stack is not worth a step. */
    :: !done[cpu] && masked && has_some(cpu) -> handle(cpu, call)
#endif
    :: !done[cpu] && !masked ->
        if
        :: serve(cpu)
        :: done[cpu]
        fi
    od;
    drop(cpu)
}

/* One that is not the CPU itself, any, or the one that all call. */
inline choose(cpu, to)
{
#ifdef SERVER
    to = SERVER
#else
    if
    :: cpu != 0 -> to = 0
    :: cpu != 1 -> to = 1
    :: cpu != 2 && CPUS > 2 -> to = 2
    fi
#endif
}

#if !MOVES
proctype cpu(byte self)
{
    byte n, to, call, was;
    bool masked = (MASKED >> self) & 1;
#ifdef NESTED
    byte call2, was2;
    bool has_nested;
#endif

    do
    :: n < CALLS && self != NO_CALLER ->
        n++;
        choose(self, to);
#ifdef UNDER_LOCK
        atomic { !lock_taken -> lock_taken = true }
#endif
        call_one(self, to, masked);
#ifdef UNDER_LOCK
        lock_taken = false;
#endif
        to = 0
    :: else -> break
    od;
    atomic { busy--; n = 0 }
    /* From here on interrupts are enabled. */
end:
    do
    :: serve(self)
    od
}
#endif

#if MOVES
/* The same from a thread that may be moved: where is it? */
byte here;
byte wanted[CPUS];
bool masked_here;

/* xcall_all(): each CPU once, whoever it is that runs this thread. */
proctype caller()
{
    byte to, was, own;

    do
    :: to < CPUS ->
#ifdef CHECK_FIRST
        own = here;
        masked_here = true;
#else
        masked_here = true;             /* cpu_irq_save() */
        own = here;
#endif
        if
        :: own == to ->
            wanted[here]++;             /* fn(arg) */
            masked_here = false
        :: else ->
            masked_here = false;
            fill(to, to);
            push(to, to, was);
            send(to, was);
            do
            :: done[to] -> break
            od;
            drop(to);
            wanted[to]++
        fi;
        to++
    :: else -> break
    od;
    for (to : 0 .. CPUS - 1) { assert(wanted[to] == 1) }
    busy = 0
}

proctype mover()
{
    do
    :: atomic { !masked_here && busy -> here = 1 - here }
    :: busy == 0 -> break
    od
}

proctype handler(byte self)
{
    byte call;

end:
    do
    :: serve(self)
    od
}
#endif

init {
    byte i;

    atomic {
#if MOVES
        run caller();
        run mover();
        for (i : 0 .. CPUS - 1) { run handler(i) }
#else
        for (i : 0 .. CPUS - 1) { run cpu(i) }
#endif
    }
    busy == 0
}
